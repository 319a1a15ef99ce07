/* SPDX-License-Identifier: MIT */
/* tlp.c - the tail loss probe of RFC 8985 7: when nothing is heard for two round trips, one segment asks. */
#include "engine/engine.h"

enum { US_PER_MS = 1000, SLACK_US = 2 * US_PER_MS, UNKNOWN_US = 1000 * US_PER_MS };
enum { EARLY_RETRANS_TLP = 3, EARLY_RETRANS_TLP_ONLY = 4 }; /* values of tcp_early_retrans that allow it */

/* 7.2. */
static uint64_t pto_us(const struct conn *c)
{
	uint64_t us;

	if (c->srtt8_us == 0)
		return UNKNOWN_US;
	us = c->srtt8_us / 4; /* twice: it is kept in eighths */
	return us + (board_n(&c->board) == 1 ? (uint64_t)c->eng->k.rto_min_ms * US_PER_MS : SLACK_US);
}

bool tlp_schedule(struct conn *c, bool rto_restarts)
{
	int64_t mode = c->eng->k.early_retrans, rto_us;
	uint64_t us;

	if ((mode != EARLY_RETRANS_TLP && mode != EARLY_RETRANS_TLP_ONLY) || board_n(&c->board) == 0 || !c->sack_ok ||
	    (c->rec.ca != CA_OPEN && c->rec.ca != CA_CWR))
		return false;
	us = pto_us(c);
	rto_us = rto_restarts ? (int64_t)rtt_rto_us(c) : rtx_left_us(c);
	if (rto_us > 0 && (uint64_t)rto_us < us)
		us = (uint64_t)rto_us;
	rtx_timer_set(c, RTX_TLP, us);
	return true;
}

void tlp_timeout(struct conn *c)
{
	if (!c->rec.tlp_on) { /* one at a time */
		c->rec.tlp_due = true;
		out_schedule(c);
	}
	rtx_timer_rearm(c);
}

void tlp_sent(struct conn *c, bool again)
{
	struct recovery *r = &c->rec;

	r->tlp_on = true;
	r->tlp_again = again;
	r->tlp_high = c->snd_nxt;
	c->eng->n.loss_probes++;
	snd_start_rtx_timer(c);
}

/* 7.4: did the probe hide a loss? */
void tlp_acked(struct conn *c, const struct ack *a)
{
	struct recovery *r = &c->rec;
	seq_t ack = a->s->ack;

	if (seq_lt(ack, r->tlp_high))
		return;
	if (r->tlp_again && !(a->flags & ACK_DSACK_TLP) && seq_lt(r->tlp_high, ack)) {
		/* Nobody has said that it came twice: the original was lost, and that is congestion. */
		recovery_reduce_start(c);
		r->ca = CA_CWR;
		recovery_reduce_end(c);
		recovery_keep_open(c);
		c->eng->n.loss_probe_recovery++;
		return;
	}
	/* It was new; or both came, original and probe: by DSACK, or by a pure duplicate. */
	if (!r->tlp_again || a->flags & ACK_DSACK_TLP || !(a->flags & (ACK_UNA | ACK_NOT_DUP | ACK_SACKED)))
		r->tlp_on = false;
}
