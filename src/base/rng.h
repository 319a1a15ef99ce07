/* SPDX-License-Identifier: MIT */
/* rng.h - chance as an argument: xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. Not for secrets. */
#pragma once
#include "base/base.h"

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed); /* every seed gives a good state, 0 too */
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in [0, n); n must not be 0 */
bool rng_chance(struct rng *r, double p); /* true with probability p */
