/* SPDX-License-Identifier: MIT */
/*
 * undo.c - a reduction of cwnd that was a mistake is taken back: when every retransmission was answered by a DSACK (RFC 3708), when
 * the echoed timestamp is older than the first retransmission (Eifel, RFC 3522), or when F-RTO says so (RFC 5682). What happens
 * then is RFC 4015's in spirit and Linux's in detail.
 */
#include "engine/engine.h"

enum { PERSIST = 16 }; /* recoveries that RACK keeps its larger window for */

void undo_init(struct conn *c)
{
	struct recovery *r = &c->rec;

	r->undo_on = true;
	r->undo_from = c->snd_una;
	/* What is in flight may still be answered; a probe was not counted as sent again. */
	r->undo_retrans = (int32_t)c->board.again + (r->tlp_on && r->tlp_again);
	if (r->undo_retrans == 0)
		r->undo_retrans = -1;
}

void undo_retransmitted(struct conn *c, nsec_t at)
{
	struct recovery *r = &c->rec;

	if (!r->stamp_on) {
		r->stamp_on = true;
		r->stamp = snd_tsval_at(c, at);
	}
	if (r->undo_retrans < 0)
		r->undo_retrans = 0;
	r->undo_retrans++;
}

/* What arrived was sent before the first retransmission: it was late, not lost. */
static bool was_delayed(const struct conn *c, const struct ack *a)
{
	const struct recovery *r = &c->rec;

	if (r->stamp_on)
		return snd_echo_before(c, a->s, r->stamp);
	/* Nothing was sent again. But without SACK the stamp is cleared when all is acknowledged. */
	return c->sack_ok || seq_lt(c->snd_una, r->high);
}

static bool may_undo(const struct conn *c, const struct ack *a)
{
	return c->rec.undo_on && (c->rec.undo_retrans == 0 || was_delayed(c, a));
}

static void reduction(struct conn *c, bool unmark)
{
	struct recovery *r = &c->rec;

	if (unmark)
		board_forget_lost(&c->board, c->sent);
	if (r->prior_ssthresh) {
		c->cc.cwnd = c->cc.ops->undo_cwnd(&c->cc);
		if (r->prior_ssthresh > c->cc.ssthresh) {
			c->cc.ssthresh = r->prior_ssthresh;
			ecn_withdraw_cwr(c);
		}
	}
	r->usage_at = c->eng->now;
	r->undo_on = false;
	r->rack.advanced = true; /* what is lost is to be found anew */
}

/* Without SACK the state lasts until something above `high` is acknowledged: RFC 6582 3.2 step 1. */
static bool holds_without_sack(struct conn *c)
{
	struct recovery *r = &c->rec;

	if (c->sack_ok || !seq_eq(c->snd_una, r->high))
		return false;
	if (!recovery_any_again(c))
		r->stamp_on = false;
	return true;
}

bool undo_recovery(struct conn *c, const struct ack *a)
{
	struct recovery *r = &c->rec;

	if (may_undo(c, a)) {
		reduction(c, false);
		if (r->ca == CA_LOSS)
			c->eng->n.loss_undo++;
		else
			c->eng->n.full_undo++;
	} else if (r->rack.persist) {
		r->rack.persist--;
	}
	if (holds_without_sack(c))
		return true;
	r->ca = CA_OPEN;
	r->reneged = false;
	return false;
}

bool undo_partial(struct conn *c, const struct ack *a)
{
	struct recovery *r = &c->rec;

	if (!r->undo_on || !was_delayed(c, a))
		return false;
	recovery_reordered(c, a->prior_una, true);
	/* With retransmissions out it is too early to undo, but not for going on to send new segments. */
	if (c->board.again)
		return true;
	if (!recovery_any_again(c))
		r->stamp_on = false;
	reduction(c, true);
	c->eng->n.partial_undo++;
	recovery_keep_open(c);
	return false;
}

bool undo_dsack(struct conn *c)
{
	struct recovery *r = &c->rec;

	if (!r->undo_on || r->undo_retrans != 0)
		return false;
	if (r->rack.persist < PERSIST)
		r->rack.persist++;
	reduction(c, false);
	c->eng->n.dsack_undo++;
	return true;
}

bool undo_loss(struct conn *c, const struct ack *a, bool frto)
{
	struct recovery *r = &c->rec;

	if (!frto && !may_undo(c, a))
		return false;
	reduction(c, true);
	c->eng->n.loss_undo++;
	c->eng->n.spurious_rtos += frto;
	c->rexmits = 0;
	if (holds_without_sack(c))
		return true;
	if (frto || c->sack_ok) {
		r->ca = CA_OPEN;
		r->reneged = false;
	}
	return true;
}
