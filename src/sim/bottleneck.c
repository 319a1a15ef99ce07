/* SPDX-License-Identifier: MIT */
#include "sim/bottleneck.h"

enum { MARK = 65536 };

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

static bool marks(struct bottleneck *b, uint32_t queue)
{
	uint64_t over = queue > b->mark_above ? queue - b->mark_above : 0, share;

	if (b->mark_above == 0 || over == 0)
		return false;
	share = over < b->mark_above ? over * MARK / b->mark_above : MARK;
	b->owed += (uint32_t)share;
	if (b->owed < MARK)
		return false;
	b->owed -= MARK;
	return true;
}

bool bottleneck_pass(struct bottleneck *b, nsec_t now, uint32_t len, bool ect, nsec_t *ret_at, bool *ret_mark)
{
	uint32_t queue = bottleneck_queue(b, now);

	if (queue + len > b->queue_max) {
		b->dropped++;
		return false;
	}
	*ret_mark = ect && marks(b, queue);
	b->marked += *ret_mark;
	b->passed++;
	b->busy_until = (b->busy_until > now ? b->busy_until : now) + takes(b, len);
	*ret_at = b->busy_until;
	return true;
}
