/* SPDX-License-Identifier: MIT */
/* cc_newreno.c - slow start and congestion avoidance of RFC 5681, counted in segments. */
#include "engine/cc.h"

static void newreno_acked(struct cc *cc, const struct cc_ack *a)
{
	uint32_t left = cc_slow_start(cc, a->acked);

	if (left)
		cc_avoid(cc, cc->cwnd, left);
}

static uint32_t newreno_ssthresh(struct cc *cc, nsec_t now) /* equation 4; of cwnd, as Linux */
{
	return cc->cwnd / 2 > CC_CWND_LEAST ? cc->cwnd / 2 : CC_CWND_LEAST;
}

const struct cc_ops cc_newreno = {
	.name = "reno",
	.acked = newreno_acked,
	.ssthresh = newreno_ssthresh,
	.undo_cwnd = cc_undo_cwnd,
};
