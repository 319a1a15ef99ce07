/* SPDX-License-Identifier: MIT */
/* nagle.c - whether a short segment goes now or waits for more (RFC 9293 3.7.4, 3.8.6.2.1), and which segments carry PSH (3.9.1.2). */
#include "engine/engine.h"

/* The rules of 3.8.6.2.1 by number. */
bool nagle_lets_go(const struct conn *c, uint32_t len, uint32_t unsent)
{
	bool idle = seq_eq(c->snd_una, c->snd_nxt);

	if (len >= conn_mss_now(c))
		return true; /* (1) */
	if (len == unsent && c->fin_queued)
		return true; /* nothing will come to fill the segment up */
	if (!idle && !c->opt.nodelay && !c->push)
		return false; /* the Nagle algorithm (3.7.4; SHLD-7) */
	if (len == unsent && (c->push || !(c->more || c->opt.cork)))
		return true; /* (2) */
	if (len >= c->max_snd_wnd / 2)
		return true; /* (3) */
	return idle && c->probe_due; /* (4) */
}

uint8_t nagle_psh(const struct conn *c, seq_t from, uint32_t len)
{
	return len && seq_eq(seq_add(from, len), c->snd_end) ? F_PSH : 0; /* MUST-61 */
}
