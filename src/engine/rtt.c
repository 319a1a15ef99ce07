/* SPDX-License-Identifier: MIT */
/*
 * rtt.c - round-trip time and retransmission timeout, RFC 6298, with Linux's care for small variations: RTTVAR is the largest
 * mean deviation of a round, falls by a quarter a round only, and is never below engine.rto_min_ms. SRTT is kept in eighths.
 */
#include "engine/engine.h"

enum { US_PER_MS = 1000, INITIAL_RTO_US = 1000000 /* (2.1) */, FALLBACK_RTO_US = 3000000 /* (5.7) */ };
enum { MIN_RTT_WINDOW_S = 300 }; /* tcp_min_rtt_wlen */

static uint64_t rto_max_us(const struct conn *c) { return (uint64_t)c->eng->k.rto_max_ms * US_PER_MS; }
static uint32_t rto_min_us(const struct conn *c) { return (uint32_t)c->eng->k.rto_min_ms * US_PER_MS; }

static uint32_t bounded(const struct conn *c, uint64_t us)
{
	return (uint32_t)(us < rto_max_us(c) ? us : rto_max_us(c));
}

void rtt_init(struct conn *c)
{
	c->srtt8_us = c->mdev4_us = c->mdev4_max_us = c->rttvar_us = 0;
	c->rto_us = bounded(c, INITIAL_RTO_US);
	c->backoff = 0;
	for (size_t i = 0; i < ARRAY_LEN(c->min_rtt); i++)
		c->min_rtt[i] = (struct rtt_at){UINT32_MAX, 0};
}

void rtt_fall_back(struct conn *c)
{
	c->rttvar_us = c->mdev4_us = c->mdev4_max_us = FALLBACK_RTO_US;
	c->rto_us = bounded(c, FALLBACK_RTO_US);
	c->backoff = 0;
}

static void first_sample(struct conn *c, uint32_t us)
{
	uint64_t dev = (uint64_t)us * 2;

	c->srtt8_us = (uint64_t)us * 8;
	c->mdev4_us = dev;
	c->rttvar_us = dev > rto_min_us(c) ? dev : rto_min_us(c);
	c->mdev4_max_us = c->rttvar_us;
	c->rtt_seq = c->snd_nxt;
}

/* (2.3), alpha 1/8 and beta 1/4; a fall of the round trip, which is no danger, raises the deviation by an eighth of that. */
static void next_sample(struct conn *c, uint32_t us)
{
	int64_t off = (int64_t)us - (int64_t)(c->srtt8_us / 8), dev = off < 0 ? -off : off;

	c->srtt8_us = (uint64_t)((int64_t)c->srtt8_us + off);
	dev -= (int64_t)(c->mdev4_us / 4);
	if (off < 0 && dev > 0)
		dev /= 8;
	c->mdev4_us = (uint64_t)((int64_t)c->mdev4_us + dev);
	if (c->mdev4_us > c->mdev4_max_us) {
		c->mdev4_max_us = c->mdev4_us;
		if (c->mdev4_max_us > c->rttvar_us)
			c->rttvar_us = c->mdev4_max_us;
	}
	if (seq_lt(c->rtt_seq, c->snd_una)) { /* a round is over */
		if (c->mdev4_max_us < c->rttvar_us)
			c->rttvar_us -= (c->rttvar_us - c->mdev4_max_us) / 4;
		c->rtt_seq = c->snd_nxt;
		c->mdev4_max_us = rto_min_us(c);
	}
}

void rtt_sample(struct conn *c, uint32_t us)
{
	uint64_t rto;

	if (us == 0)
		us = 1;
	if (c->srtt8_us == 0)
		first_sample(c, us);
	else
		next_sample(c, us);
	if (c->srtt8_us == 0)
		c->srtt8_us = 1;
	rto = c->srtt8_us / 8 + c->rttvar_us;
	c->rto_us = bounded(c, (rto + US_PER_MS - 1) / US_PER_MS * US_PER_MS);
	c->backoff = 0; /* section 3, Karn: only a round trip that was measured ends it */
}

static APART uint32_t backed_off(const struct conn *c) /* (5.5) */
{
	return c->backoff < 32 ? bounded(c, (uint64_t)c->rto_us << c->backoff) : (uint32_t)rto_max_us(c);
}

uint32_t rtt_rto_us(const struct conn *c) { return c->backoff ? backed_off(c) : c->rto_us; }

/* ---- the least round trip of the last minutes ---- */

uint32_t rtt_min_us(const struct conn *c) { return c->min_rtt[0].us; }

/*
 * Three samples: the least of the window, the least since that one, the least since the second: each taken in its third of the
 * window, so that one that grows old has a successor.
 */
void rtt_min_sample(struct conn *c, uint32_t us)
{
	struct rtt_at *m = c->min_rtt, now = {us, c->eng->now};
	nsec_t window = MIN_RTT_WINDOW_S * NSEC_PER_S;

	if (us <= m[0].us || now.at - m[2].at > window) {
		for (size_t i = 0; i < ARRAY_LEN(c->min_rtt);
		     i++) { /* by field: a copy of the whole would wait for its stores */
			m[i].us = us;
			m[i].at = c->eng->now;
		}
		return;
	}
	if (us <= m[1].us)
		m[1] = m[2] = now;
	else if (us <= m[2].us)
		m[2] = now;
	if (now.at - m[0].at > window) { /* the least is too old */
		m[0] = m[1];
		m[1] = m[2];
		m[2] = now;
		if (now.at - m[0].at > window) {
			m[0] = m[1];
			m[1] = m[2];
		}
	} else if (m[1].at == m[0].at && now.at - m[1].at > window / 4) {
		m[1] = m[2] = now;
	} else if (m[2].at == m[1].at && now.at - m[2].at > window / 2) {
		m[2] = now;
	}
}
