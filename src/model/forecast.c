/* SPDX-License-Identifier: MIT */
#include "model/forecast.h"
#include <math.h>

enum { RATE_WINDOW_S = 5 };

/* How many of the ports low..high have the parity of `as`. */
static uint32_t of_parity(uint32_t low, uint32_t high, uint32_t as)
{
	uint32_t n = high - low + 1;

	return (low & 1) == (as & 1) ? n - n / 2 : n / 2;
}

struct port_budget port_budget(const struct netns *ns, int64_t port_low, int64_t port_high, int64_t tw_reuse,
			       int64_t tw_reuse_delay_ms, int64_t timestamps)
{
	struct port_budget b = {.known = port_low >= 1 && port_high >= port_low && port_high <= 65535};
	uint32_t next; /* the first port that no reserved range so far can have */

	if (!b.known)
		return b;
	b.low = (uint32_t)port_low;
	b.high = (uint32_t)port_high;
	b.usable = b.high - b.low + 1;
	b.usable_low_parity = of_parity(b.low, b.high, b.low);
	next = b.low;
	for (size_t i = 0; i < ns->n_reserved; i++) { /* ascending */
		uint32_t low = ns->reserved[i].low > next ? ns->reserved[i].low : next;
		uint32_t high = ns->reserved[i].high < b.high ? ns->reserved[i].high : b.high;

		if (low > high)
			continue;
		b.usable -= high - low + 1;
		b.usable_low_parity -= of_parity(low, high, b.low);
		next = high + 1;
	}
	b.reuse_any = tw_reuse == 1 && timestamps != 0;
	b.reuse_loopback = tw_reuse == 2 && timestamps != 0;
	b.reuse_delay_s = (double)tw_reuse_delay_ms / 1000;
	return b;
}

bool dest_may_reuse(const struct dest *d, const struct port_budget *b)
{
	return b->reuse_any || (b->reuse_loopback && d->loopback);
}

static uint32_t ports_held(const struct dest *d) { return d->ports_low_parity + d->ports_other_parity; }

uint32_t dest_ports_used(const struct dest *d, const struct port_budget *b)
{
	uint32_t held = ports_held(d);

	if (!dest_may_reuse(d, b))
		return held;
	return held > d->tw_reusable ? held - d->tw_reusable : 0;
}

/* Closes per second over the newest seconds of history; a burst younger than the window counts over its own length. */
static double rate_of(const struct tw_ages *a, unsigned window_s)
{
	unsigned oldest = 0;
	uint64_t n = 0;

	for (unsigned i = 0; i < AGE_SECONDS; i++)
		if (a->s[i])
			oldest = i;
	if (oldest + 1 < window_s)
		window_s = oldest + 1;
	for (unsigned i = 0; i < window_s; i++)
		n += a->s[i];
	return (double)n / window_s;
}

/*
 * The instant at which the ports in use reach `limit`. Replays the dump: closes go on at this rate while each
 * TIME_WAIT seen comes back when its minute is over. After a minute the level stays at live + 60 x rate.
 */
static double reach(const struct dest *d, double used, double rate, double limit)
{
	if (used >= limit)
		return 0;
	for (unsigned t = 0; t < TIME_WAIT_MS / 1000; t++) {
		unsigned age = TIME_WAIT_MS / 1000 - 1 - t;
		double back = d->tw_ages.s[age], net;

		if (t == 0)
			back += d->tw_ages.s[AGE_SECONDS - 1];
		net = rate - back;
		if (used + net >= limit)
			return t + (limit - used) / net;
		used += net;
	}
	return (double)INFINITY;
}

/* With reuse a port is out of use for the delay only, so the level is live + rate x delay at once. */
static double reach_reusing(double used, double steady, double rate, double limit)
{
	if (used >= limit)
		return 0;
	return steady >= limit && rate > 0 ? (limit - used) / rate : (double)INFINITY;
}

struct forecast forecast(const struct dest *d, const struct port_budget *b)
{
	struct forecast f = {.used = dest_ports_used(d, b),
			     .usable = b->usable,
			     .closes_per_s = rate_of(&d->tw_ages, RATE_WINDOW_S),
			     .closes_per_s_minute = rate_of(&d->tw_ages, AGE_SECONDS - 1),
			     .to_cliff_s = (double)INFINITY,
			     .to_fail_s = (double)INFINITY};
	bool reuse = dest_may_reuse(d, b);
	double life_s = reuse ? fmin(b->reuse_delay_s, TIME_WAIT_MS / 1000.0) : TIME_WAIT_MS / 1000.0;
	uint32_t held = ports_held(d), tw = d->tw_in_range;
	double live = held > tw ? held - tw : 0, cliff;

	if (!b->known)
		return f;
	f.steady_used = live + f.closes_per_s * life_s;
	/* connect() fills the low parity first, so ports of the other one were in use before or are taken by bind(). */
	cliff = fmin(b->usable_low_parity + d->ports_other_parity, b->usable);
	if (reuse) {
		f.to_cliff_s = reach_reusing(f.used, f.steady_used, f.closes_per_s, cliff);
		f.to_fail_s = reach_reusing(f.used, f.steady_used, f.closes_per_s, b->usable);
	} else {
		f.to_cliff_s = reach(d, f.used, f.closes_per_s, cliff);
		f.to_fail_s = reach(d, f.used, f.closes_per_s, b->usable);
	}
	return f;
}
