/* SPDX-License-Identifier: MIT */
/* cc_newreno.c - slow start and congestion avoidance of RFC 5681, counted in segments. */
#include "engine/cc.h"

enum { IW_SEGMENTS = 10, IW_OCTETS = 14600, CWND_LEAST = 2 };

static uint32_t initial_window(uint32_t mss) /* RFC 6928 2 */
{
	uint32_t iw = IW_OCTETS / mss;

	return iw > IW_SEGMENTS ? IW_SEGMENTS : iw < CWND_LEAST ? CWND_LEAST : iw;
}

static void grow(struct cc *cc, uint32_t by) { cc->cwnd = CC_CWND_MAX - cc->cwnd < by ? CC_CWND_MAX : cc->cwnd + by; }

uint32_t cc_slow_start(struct cc *cc, uint32_t acked)
{
	uint32_t by = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;

	if (by > acked)
		by = acked;
	grow(cc, by);
	return acked - by;
}

void cc_avoid(struct cc *cc, uint32_t window, uint32_t acked)
{
	if (cc->cwnd_cnt >= window) { /* the window was larger then */
		cc->cwnd_cnt = 0;
		grow(cc, 1);
	}
	cc->cwnd_cnt += acked;
	if (cc->cwnd_cnt >= window) {
		grow(cc, cc->cwnd_cnt / window);
		cc->cwnd_cnt %= window;
	}
}

static void newreno_start(struct cc *cc, uint32_t mss, nsec_t now)
{
	cc->mss = mss;
	cc->cwnd = initial_window(mss);
	cc->ssthresh = CC_SSTHRESH_NONE; /* RFC 5681 3.1: arbitrarily high */
	cc->cwnd_cnt = 0;
	cc->prior_cwnd = 0;
}

static void newreno_acked(struct cc *cc, const struct cc_ack *a)
{
	uint32_t left = cc->cwnd < cc->ssthresh ? cc_slow_start(cc, a->acked) : a->acked;

	if (left)
		cc_avoid(cc, cc->cwnd, left);
}

static uint32_t newreno_ssthresh(struct cc *cc, nsec_t now) /* equation 4; of cwnd, as Linux */
{
	return cc->cwnd / 2 > CWND_LEAST ? cc->cwnd / 2 : CWND_LEAST;
}

static uint32_t newreno_undo_cwnd(const struct cc *cc) { return cc->cwnd > cc->prior_cwnd ? cc->cwnd : cc->prior_cwnd; }

const struct cc_ops cc_newreno = {
	.name = "reno",
	.start = newreno_start,
	.acked = newreno_acked,
	.ssthresh = newreno_ssthresh,
	.undo_cwnd = newreno_undo_cwnd,
};
