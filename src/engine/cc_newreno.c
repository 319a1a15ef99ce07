/* SPDX-License-Identifier: MIT */
/* cc_newreno.c - slow start, congestion avoidance and the window of fast recovery: RFC 5681, 6582. */
#include "engine/cc.h"

enum { IW_SEGMENTS = 10, IW_OCTETS = 14600, DUP_THRESH = 3, CWND_MAX = 1 << 30 };

static uint32_t initial_window(uint32_t mss) /* RFC 6928 2 */
{
	uint32_t iw = mss * IW_SEGMENTS, least = 2 * mss > IW_OCTETS ? 2 * mss : IW_OCTETS;

	return iw < least ? iw : least;
}

static void grow(struct cc *cc, uint32_t octets)
{
	if (cc->cwnd < CWND_MAX)
		cc->cwnd += octets;
}

static void newreno_start(struct cc *cc, uint32_t mss)
{
	cc->mss = mss;
	cc->cwnd = initial_window(mss);
	cc->ssthresh = CWND_MAX; /* RFC 5681 3.1: arbitrarily high */
	cc->acked = 0;
}

static void newreno_acked(struct cc *cc, uint32_t octets, nsec_t now)
{
	if (cc->cwnd < cc->ssthresh) { /* equation 2 */
		grow(cc, octets < cc->mss ? octets : cc->mss);
		return;
	}
	cc->acked += octets;
	if (cc->acked >= cc->cwnd) { /* once a window, by octets: the way that 3.1 recommends */
		cc->acked -= cc->cwnd;
		grow(cc, cc->mss);
	}
}

static uint32_t half(const struct cc *cc, uint32_t flight) /* equation 4 */
{
	return flight / 2 > 2 * cc->mss ? flight / 2 : 2 * cc->mss;
}

static void newreno_enter_recovery(struct cc *cc, uint32_t flight, nsec_t now) /* RFC 5681 3.2 steps 2, 3 */
{
	cc->ssthresh = half(cc, flight);
	cc->cwnd = cc->ssthresh + DUP_THRESH * cc->mss;
	cc->acked = 0;
}

static void newreno_dup_ack(struct cc *cc) { grow(cc, cc->mss); } /* step 4 */

static void newreno_partial_ack(struct cc *cc,
				uint32_t octets) /* RFC 6582 3.2 step 3: deflated by what left the network */
{
	cc->cwnd = cc->cwnd > octets ? cc->cwnd - octets : 0;
	if (octets >= cc->mss)
		cc->cwnd += cc->mss;
	if (cc->cwnd < cc->mss)
		cc->cwnd = cc->mss;
}

static void newreno_exit_recovery(struct cc *cc,
				  uint32_t flight) /* RFC 6582 3.2 step 3, choice (1): no burst afterwards */
{
	uint32_t window = (flight > cc->mss ? flight : cc->mss) + cc->mss;

	cc->cwnd = cc->ssthresh < window ? cc->ssthresh : window;
	cc->acked = 0;
}

static void newreno_timeout(struct cc *cc, uint32_t flight) /* RFC 5681 3.1: the loss window */
{
	cc->ssthresh = half(cc, flight);
	cc->cwnd = cc->mss;
	cc->acked = 0;
}

static void newreno_idle(struct cc *cc) /* RFC 5681 4.1: the restart window */
{
	uint32_t iw = initial_window(cc->mss);

	if (cc->cwnd > iw)
		cc->cwnd = iw;
}

const struct cc_ops cc_newreno = {
	.name = "newreno",
	.start = newreno_start,
	.acked = newreno_acked,
	.enter_recovery = newreno_enter_recovery,
	.dup_ack = newreno_dup_ack,
	.partial_ack = newreno_partial_ack,
	.exit_recovery = newreno_exit_recovery,
	.timeout = newreno_timeout,
	.idle = newreno_idle,
};
