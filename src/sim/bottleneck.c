/* SPDX-License-Identifier: MIT */
#include "sim/bottleneck.h"

/* No product overflows: what waits is less than 2^32 octets. */
static nsec_t takes(const struct bottleneck *b, uint64_t octets)
{
	return (octets * NSEC_PER_S + b->rate - 1) / b->rate;
}

uint32_t bottleneck_queue(const struct bottleneck *b, nsec_t now)
{
	nsec_t left = b->busy_until > now ? b->busy_until - now : 0;

	return (uint32_t)(left * b->rate / NSEC_PER_S);
}

bool bottleneck_pass(struct bottleneck *b, nsec_t now, uint32_t len, bool ect, nsec_t *ret_at, bool *ret_mark)
{
	uint32_t queue = bottleneck_queue(b, now);

	if (queue + len > b->queue_max) {
		b->dropped++;
		return false;
	}
	*ret_mark = ect && b->mark_above && queue > b->mark_above;
	b->marked += *ret_mark;
	b->passed++;
	b->busy_until = (b->busy_until > now ? b->busy_until : now) + takes(b, len);
	*ret_at = b->busy_until;
	return true;
}
