/* SPDX-License-Identifier: MIT */
/* secret.c - numbers that a stranger must not guess: initial sequence numbers, timestamp offsets, the gap of RFC 6191. */
#include "engine/engine.h"

enum { ISN_TICK_SHIFT = 6 }; /* 64 ns, as Linux: once round in 274.9 s */

/*
 * RFC 6528: ISN = M + F(localip, localport, remoteip, remoteport, secretkey). hash is the keyed hash of the four-tuple
 * already; hashing it once more with a key of its own makes F independent of everything else that is derived from it.
 * The other half of that hash is the offset of the timestamps, RFC 7323 5.4: a function of the four-tuple, too, so that
 * its clock goes on from one connection to the next.
 */
struct secret secret_of(const struct engine *e, uint64_t hash)
{
	struct sip s = sip_start(e->secret_key);
	uint32_t m = (uint32_t)(e->now >> ISN_TICK_SHIFT);
	uint64_t f;

	sip_word(&s, hash);
	f = sip_end(&s, UINT64_C(8) << 56);
	return (struct secret){
		.iss = seq(m + (uint32_t)f),
		.ts_offset = e->k.timestamps == 2 ? 0 : (uint32_t)(f >> 32),
	};
}

uint32_t secret_gap(const struct engine *e, const struct tuple *t)
{
	return (uint32_t)tuple_hash(e->gap_key, t) & UINT16_MAX;
}
