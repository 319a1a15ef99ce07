/* SPDX-License-Identifier: MIT */
/* clock.h - a host's own clock: started elsewhere, a little fast or slow. 1024 ticks of true time are rate of its. */
#pragma once
#include "base/base.h"

enum { CLOCK_TRUE = 1024, CLOCK_RATE_MIN = 900, CLOCK_RATE_MAX = 1150 };
#define CLOCK_END (UINT64_C(1) << 53) /* true time ends here, after 104 days: the products below fit 64 bits */

struct clock {
	nsec_t offset;
	uint32_t rate;
};

static inline nsec_t clock_local(const struct clock *c, nsec_t at) { return c->offset + ((at * c->rate) >> 10); }

/* The first true instant at which the clock shows local or more. */
static inline nsec_t clock_true(const struct clock *c, nsec_t local)
{
	nsec_t d = local > c->offset ? local - c->offset : 0;

	return d >= CLOCK_END ? CLOCK_END : ((d << 10) + c->rate - 1) / c->rate;
}
