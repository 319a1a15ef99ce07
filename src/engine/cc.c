/* SPDX-License-Identifier: MIT */
/* cc.c - what congestion control algorithms share. */
#include "engine/cc.h"
#include "knob/values.h"

static const struct cc_ops *const all[N_CONGESTIONS] = {
	[CONGESTION_RENO] = &cc_newreno,
	[CONGESTION_CUBIC] = &cc_cubic,
};

const struct cc_ops *cc_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

const struct cc_ops *cc_of_knob(int64_t value)
{
	must(value >= 0 && value < N_CONGESTIONS);
	return all[value];
}

void cc_change(struct cc *cc, const struct cc_ops *ops)
{
	cc->ops = ops;
	if (ops->start)
		ops->start(cc);
}

void cc_start(struct cc *cc, const struct cc_ops *ops, uint32_t mss)
{
	must(mss > 0);
	cc->mss = mss;
	cc->cwnd = CC_IW;
	cc->ssthresh = CC_SSTHRESH_NONE; /* RFC 5681 3.1: arbitrarily high */
	cc->cwnd_cnt = 0;
	cc->prior_cwnd = 0;
	cc_change(cc, ops);
}

uint32_t cc_kept_ssthresh(const struct cc *cc)
{
	uint32_t kept = cc->cwnd - cc->cwnd / 4;

	return cc->ssthresh > kept ? cc->ssthresh : kept;
}

void cc_restart(struct cc *cc, nsec_t idle, nsec_t rto)
{
	uint32_t least = cc->cwnd < CC_IW ? cc->cwnd : CC_IW;

	must(rto > 0);
	cc->ssthresh = cc_kept_ssthresh(cc);
	for (; idle > rto && cc->cwnd > least; idle -= rto)
		cc->cwnd /= 2;
	if (cc->cwnd < least)
		cc->cwnd = least;
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
	must(window > 0);
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

uint32_t cc_undo_cwnd(const struct cc *cc) { return cc->cwnd > cc->prior_cwnd ? cc->cwnd : cc->prior_cwnd; }
