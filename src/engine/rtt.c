/* SPDX-License-Identifier: MIT */
/* rtt.c - round-trip time and retransmission timeout, RFC 6298. */
#include "engine/engine.h"

enum { US_PER_MS = 1000, INITIAL_RTO_US = 1000000 /* (2.1) */ };

static uint64_t rto_max_us(const struct conn *c) { return (uint64_t)c->eng->k.rto_max_ms * US_PER_MS; }

void rtt_init(struct conn *c)
{
	uint64_t most = rto_max_us(c);

	c->srtt_us = c->rttvar_us = 0;
	c->rto_us = most < INITIAL_RTO_US ? (uint32_t)most : INITIAL_RTO_US;
	c->backoff = 0;
	c->rtt_timing = false;
}

/*
 * (2.2), (2.3) with alpha 1/8 and beta 1/4. As in Linux engine.rto_min_ms is a floor of the variation term, not of the sum,
 * and the whole is rounded up to a millisecond: so an answer that takes just as long as usual never meets its timeout.
 */
void rtt_sample(struct conn *c, uint32_t us)
{
	uint64_t rto, most = rto_max_us(c), floor_us = (uint64_t)c->eng->k.rto_min_ms * US_PER_MS;

	if (us == 0)
		us = 1;
	if (c->srtt_us == 0) {
		c->srtt_us = us;
		c->rttvar_us = us / 2;
	} else {
		uint32_t off = us > c->srtt_us ? us - c->srtt_us : c->srtt_us - us;

		c->rttvar_us = (uint32_t)((3 * (uint64_t)c->rttvar_us + off) / 4);
		c->srtt_us = (uint32_t)((7 * (uint64_t)c->srtt_us + us) / 8);
		if (c->srtt_us == 0)
			c->srtt_us = 1;
	}
	rto = 4 * (uint64_t)c->rttvar_us;
	rto = c->srtt_us + (rto < floor_us ? floor_us : rto);
	rto = (rto + US_PER_MS - 1) / US_PER_MS * US_PER_MS;
	c->rto_us = (uint32_t)(rto < most ? rto : most);
	c->backoff = 0; /* section 3, Karn: only a round trip that was measured ends it */
}

uint32_t rtt_rto_us(const struct conn *c)
{
	uint64_t rto = c->rto_us, most;

	if (c->backoff == 0)
		return c->rto_us;
	most = rto_max_us(c);
	rto = c->backoff < 32 ? rto << c->backoff : most; /* (5.5) */
	return (uint32_t)(rto < most ? rto : most);
}
