/* SPDX-License-Identifier: MIT */
/*
 * cookie.c - SYN cookies (RFC 4987 3.6): the initial sequence number of a SYN+ACK holds what the engine does not keep.
 *
 *   31..27 period (64 s each, modulo 32)    26..24 which MSS of the table    23..0 keyed hash of all that
 *
 * An ACK is believed in the period of its SYN+ACK and in the next one. A guess is right once in 2^23.
 */
#include "engine/engine.h"

#define PERIOD (UINT64_C(64) * NSEC_PER_S)
enum {
	PERIODS = 2,
	PERIOD_SHIFT = 27,
	PERIOD_MASK = 31,
	MSS_SHIFT = 24,
	MSS_MASK = 7,
	HASH_MASK = (1 << MSS_SHIFT) - 1
};

/* The largest that is not above the peer's is used. The first is the least MSS that Linux accepts. */
static const uint16_t mss_table[MSS_MASK + 1] = {88, 536, 1220, 1300, 1400, 1440, 1460, 8960};

static uint32_t cookie_hash(const struct engine *e, const struct tuple *t, seq_t irs, uint64_t period, uint32_t mss)
{
	struct {
		uint64_t tuple, period;
		uint32_t irs, mss;
	} in = {tuple_hash(e->cookie_key, t), period, irs.v, mss};

	return (uint32_t)hash_bytes(e->cookie_key, &in, sizeof(in)) & HASH_MASK;
}

static seq_t cookie(const struct engine *e, const struct tuple *t, seq_t irs, uint64_t period, uint32_t mss)
{
	return seq((uint32_t)(period & PERIOD_MASK) << PERIOD_SHIFT | mss << MSS_SHIFT |
		   cookie_hash(e, t, irs, period, mss));
}

seq_t cookie_make(const struct engine *e, const struct tuple *t, const struct seg *syn, uint16_t *ret_mss)
{
	uint16_t theirs = addr_is_v4(&t->raddr) ? 536 : 1220; /* RFC 9293 3.7.1: without the option */
	uint32_t mss = 0;

	if (syn->opts.has_mss)
		theirs = syn->opts.mss;
	for (uint32_t i = 1; i <= MSS_MASK; i++)
		if (mss_table[i] <= theirs)
			mss = i;
	*ret_mss = mss_table[mss];
	return cookie(e, t, syn->seq, e->now / PERIOD, mss);
}

bool cookie_check(const struct engine *e, const struct tuple *t, const struct seg *ack, uint16_t *ret_mss)
{
	seq_t got = seq_sub(ack->ack, 1), irs = seq_sub(ack->seq, 1);
	uint64_t now = e->now / PERIOD;
	uint32_t mss = got.v >> MSS_SHIFT & MSS_MASK;

	for (uint64_t age = 0; age < PERIODS; age++)
		if (seq_eq(got, cookie(e, t, irs, now - age, mss))) {
			*ret_mss = mss_table[mss];
			return true;
		}
	return false;
}
