/* SPDX-License-Identifier: MIT */
/*
 * cookie.c - SYN cookies (RFC 4987 3.6): the initial sequence number of a SYN+ACK holds what the engine does not keep.
 *
 *   31..27 period (64 s each, modulo 32)    26..24 which MSS of the table    23..0 keyed hash of all that
 *
 * An ACK is believed in the period of its SYN+ACK and in the next one. A guess is right once in 2^23.
 *
 * The SYN's other options are in the low bits of our timestamp, which the peer echoes (RFC 7323 4.1; bits as in Linux):
 *
 *   5 ECN    4 SACK    3..0 window scale, 15: none
 *
 * A lie there costs the liar only. Without timestamps there is no option but the MSS.
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
enum { TS_WSCALE = 15, TS_SACK = 1 << 4, TS_ECN = 1 << 5, TS_BITS = 64 };

/*
 * The largest that is not above the peer's is used. The first is the least MSS that Linux accepts; the last is for IPv6, as
 * there: jumbo frames over IPv4 end at a router more often than not.
 */
static const uint16_t mss_table[MSS_MASK + 1] = {88, 536, 1220, 1300, 1400, 1440, 1460, 8940};

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
	for (uint32_t i = 1; i <= (addr_is_v4(&t->raddr) ? MSS_MASK - 1 : MSS_MASK); i++)
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

uint32_t cookie_timestamp(const struct engine *e, const struct seg *syn, bool ecn)
{
	uint32_t now = ts_clock_ms(e), bits, ts;

	bits = syn->opts.has_wscale ? (syn->opts.wscale < TS_WSCALE ? syn->opts.wscale : TS_WSCALE - 1) : TS_WSCALE;
	bits |= (syn->opts.sack_permitted && e->k.sack ? TS_SACK : 0) | (ecn ? TS_ECN : 0);
	ts = (now & ~(uint32_t)(TS_BITS - 1)) | bits;
	return (int32_t)(ts - now) > 0 ? ts - TS_BITS : ts; /* never ahead of the clock */
}

void cookie_options(uint32_t ts, struct seg *ret_syn)
{
	struct tcp_opts *o = &ret_syn->opts;

	o->has_wscale = (ts & TS_WSCALE) != TS_WSCALE;
	o->wscale = ts & TS_WSCALE;
	o->sack_permitted = ts & TS_SACK;
	if (ts & TS_ECN)
		ret_syn->flags |= F_ECE | F_CWR; /* as the SYN that asked for it */
}
