/* SPDX-License-Identifier: MIT */
/*
 * recovery.c - congestion states, and which segments are lost.
 *
 *   Open       all is well
 *   Disorder   duplicate ACKs or SACKs came, nothing is called lost
 *   CWR        cwnd is being lowered for a reason that is no loss
 *   Recovery   something is lost and sent again; cwnd is being lowered
 *   Loss       the retransmission timer has fired
 *
 * With SACK RACK says what is lost (rack.c), without it NewReno: the oldest, after as many duplicates as tcp_reordering, and then the
 * oldest at each partial acknowledgment (RFC 6582). `high` is SND.NXT when the state began; it ends when all below is acknowledged.
 */
#include "engine/engine.h"

void recovery_start(struct conn *c)
{
	struct recovery *r = &c->rec;

	board_init(&c->board, c->eng->sent_slots);
	r->reordering = (uint32_t)c->eng->k.reordering;
	r->rack.steps = 1;
	r->high = r->undo_from = r->usage_seq = c->snd_una;
}

bool recovery_any_again(const struct conn *c)
{
	const struct board *b = &c->board;

	if (b->again)
		return true;
	return board_n(b) && board_at_const(c->sent, b, b->first)->flags & SENT_EVER_AGAIN;
}

void recovery_mark_lost(struct conn *c, uint32_t i)
{
	struct board *b = &c->board;
	bool was_lost = board_at(c->sent, b, i)->flags & SENT_LOST;

	if (!board_mark_lost(b, c->sent, i))
		return;
	c->rec.lost++;
	c->eng->n.lost_retransmit += was_lost;
}

/* ---- reordering ---- */

void recovery_reordered(struct conn *c, seq_t low, bool by_timestamp)
{
	struct recovery *r = &c->rec;
	uint64_t most = (uint64_t)c->eng->k.max_reordering;
	uint32_t by;

	if (!seq_lt(low, snd_high_sack(c)))
		return;
	by = (uint32_t)seq_diff(snd_high_sack(c), low);
	if (by > (uint64_t)r->reordering * c->snd_mss) {
		uint32_t segments = (by + c->snd_mss - 1) / c->snd_mss;

		r->reordering = segments < most ? segments : (uint32_t)most;
	}
	r->reord_seen++;
	if (by_timestamp)
		c->eng->n.ts_reorder++;
	else
		c->eng->n.sack_reorder++;
}

/* Without SACK `sacked` counts duplicate ACKs: each says that one segment has arrived. One at least has not. */
static void reno_limit(struct conn *c, uint32_t more)
{
	struct board *b = &c->board;
	uint32_t n = board_n(b), holes = b->lost > 1 ? b->lost : 1, most = (uint32_t)c->eng->k.max_reordering;

	if (holes > n)
		holes = n;
	if (b->sacked + holes <= n)
		return;
	b->sacked = n - holes;
	c->rec.reordering = n + more < most ? n + more : most;
	c->rec.reord_seen++;
	c->eng->n.reno_reorder++;
}

static void reno_add(struct conn *c, bool dup)
{
	uint32_t before = c->board.sacked;

	if (!dup)
		return;
	c->board.sacked++;
	reno_limit(c, 0);
	if (c->board.sacked > before)
		c->rec.delivered++;
}

void recovery_reno_acked(struct conn *c, uint32_t n)
{
	struct board *b = &c->board;

	if (n) { /* one filled the hole, the rest were counted as duplicates */
		c->rec.delivered += n > b->sacked + 1 ? n - b->sacked : 1;
		b->sacked = n - 1 >= b->sacked ? 0 : b->sacked - (n - 1);
	}
	reno_limit(c, n);
}

static void reno_reset(struct conn *c) { c->board.sacked = 0; }

/* ---- what is lost ---- */

static void newreno_mark_lost(struct conn *c, bool advanced)
{
	const struct recovery *r = &c->rec;
	const struct board *b = &c->board;
	bool third = r->ca < CA_RECOVERY && b->sacked >= r->reordering, partial = r->ca == CA_RECOVERY && advanced;

	if (!third && !partial)
		return;
	if (!(board_at_const(c->sent, b, b->first)->flags & SENT_LOST))
		recovery_mark_lost(c, b->first);
}

static void identify_lost(struct conn *c, struct ack *a)
{
	uint32_t again = c->board.again;

	if (board_n(&c->board) == 0)
		return;
	if (!c->sack_ok) {
		newreno_mark_lost(c, a->flags & ACK_UNA);
		return;
	}
	if (rack_mark_lost(c))
		a->flags &= ~(uint32_t)ACK_TIMER;
	if (again > c->board.again)
		a->flags |= ACK_LOST_AGAIN;
}

/* ---- cwnd goes down ---- */

static uint32_t current_ssthresh(const struct conn *c)
{
	return recovery_reduces(&c->rec) ? c->cc.ssthresh : cc_kept_ssthresh(&c->cc);
}

void recovery_reduce_start(struct conn *c)
{
	struct recovery *r = &c->rec;

	r->high = c->snd_nxt;
	r->tlp_on = false;
	c->cc.cwnd_cnt = 0;
	c->cc.prior_cwnd = c->cc.cwnd;
	c->cc.ssthresh = c->cc.ops->ssthresh(&c->cc, c->eng->now);
	prr_start(&r->prr, c->cc.cwnd, c->cc.ssthresh);
	ecn_queue_cwr(c);
}

void recovery_reduce_end(struct conn *c)
{
	const struct recovery *r = &c->rec;

	if (c->cc.ssthresh < CC_SSTHRESH_NONE && (r->ca == CA_CWR || r->undo_on))
		c->cc.cwnd = c->cc.ssthresh;
}

void recovery_enter_cwr(struct conn *c)
{
	struct recovery *r = &c->rec;

	r->prior_ssthresh = 0;
	if (r->ca >= CA_CWR)
		return;
	r->undo_on = false;
	recovery_reduce_start(c);
	r->ca = CA_CWR;
}

void recovery_enter(struct conn *c, bool ece)
{
	struct recovery *r = &c->rec;

	if (!recovery_any_again(c))
		r->stamp_on = false;
	if (c->sack_ok)
		c->eng->n.sack_recovery++;
	else
		c->eng->n.reno_recovery++;
	r->prior_ssthresh = 0;
	undo_init(c);
	if (!recovery_reduces(r)) {
		if (!ece)
			r->prior_ssthresh = current_ssthresh(c);
		recovery_reduce_start(c);
	}
	r->ca = CA_RECOVERY;
}

/* ---- Open and Disorder ---- */

void recovery_keep_open(struct conn *c)
{
	struct recovery *r = &c->rec;
	enum ca_state to = board_left_out(&c->board) || recovery_any_again(c) ? CA_DISORDER : CA_OPEN;

	if (r->ca == to)
		return;
	r->ca = (uint8_t)to;
	r->high = c->snd_nxt;
}

static void try_to_open(struct conn *c, const struct ack *a)
{
	if (!recovery_any_again(c))
		c->rec.stamp_on = false;
	if (a->flags & ACK_ECE)
		recovery_enter_cwr(c);
	if (c->rec.ca != CA_CWR)
		recovery_keep_open(c);
}

/* ---- Loss ---- */

static uint32_t mark_all_lost(struct conn *c)
{
	struct board *b = &c->board;
	bool reneged = board_n(b) && board_at(c->sent, b, b->first)->flags & SENT_SACKED;
	uint32_t lost = c->rec.lost;

	if (reneged) { /* RFC 2018 8: what was SACKed may be gone; all of it is forgotten */
		c->eng->n.sack_reneging++;
		c->rec.reneged = true;
		b->sacked = 0;
		c->rec.n_seen = 0;
	} else if (!c->sack_ok) {
		reno_reset(c);
	}
	for (uint32_t i = b->first; i != b->end; i++) {
		struct sent *s = board_at(c->sent, b, i);

		if (reneged)
			s->flags &= (uint8_t)~SENT_SACKED;
		else if (i != b->first && rack_due_us(c, s, 0) > 0)
			continue; /* sent just now: it may arrive yet */
		recovery_mark_lost(c, i);
	}
	return c->rec.lost - lost;
}

void recovery_enter_loss(struct conn *c)
{
	struct recovery *r = &c->rec;
	uint32_t reordering = (uint32_t)c->eng->k.reordering, sacked = c->board.sacked;
	bool is_new = r->ca < CA_RECOVERY;

	mark_all_lost(c);
	if (r->ca <= CA_DISORDER || seq_le(r->high, c->snd_una) || (r->ca == CA_LOSS && c->rexmits == 0)) {
		r->prior_ssthresh = current_ssthresh(c);
		c->cc.prior_cwnd = c->cc.cwnd;
		c->cc.ssthresh = c->cc.ops->ssthresh(&c->cc, c->eng->now);
		if (c->cc.ops->timeout)
			c->cc.ops->timeout(&c->cc);
		undo_init(c);
	}
	c->cc.cwnd = board_in_flight(&c->board) + 1;
	c->cc.cwnd_cnt = 0;
	if (r->ca <= CA_DISORDER && sacked >= reordering && r->reordering > reordering)
		r->reordering = reordering;
	r->ca = CA_LOSS;
	r->high = c->snd_nxt;
	r->tlp_on = r->tlp_due = false;
	ecn_queue_cwr(c);
	/* RFC 5682 3.1 step 1: not when this is a timeout within a recovery, but again for a repeated one. */
	r->frto = c->eng->k.frto && (is_new || c->rexmits);
}

/* RFC 5682 3.1, the version that SACK enhances. */
static bool frto_decides(struct conn *c, struct ack *a, bool dup, bool recovered)
{
	struct recovery *r = &c->rec;

	if (a->flags & ACK_ORIGINAL && undo_loss(c, a, true)) /* step 3.b */
		return true;
	if (seq_lt(r->high, c->snd_nxt)) {
		if (a->flags & ACK_SACKED || dup) /* step 3.a: the loss was real */
			r->frto = false;
	} else if (a->flags & ACK_UNA && !recovered) { /* step 2.b */
		r->high = c->snd_nxt;
		if (snd_unsent(c) && seq_lt(c->snd_nxt, snd_right_edge(c))) {
			r->resend = RESEND_NEW;
			return true;
		}
		r->frto = false;
	}
	return false;
}

static void process_loss(struct conn *c, struct ack *a, bool dup)
{
	struct recovery *r = &c->rec;
	bool recovered = seq_le(r->high, c->snd_una);

	if (a->flags & ACK_UNA && undo_loss(c, a, false))
		return;
	if (r->frto && frto_decides(c, a, dup, recovered))
		return;
	if (recovered) {
		undo_recovery(c, a);
		return;
	}
	if (!c->sack_ok) {
		/* A duplicate tells that what F-RTO sent anew has arrived. */
		if (seq_lt(r->high, c->snd_nxt) && dup)
			reno_add(c, true);
		else if (a->flags & ACK_UNA)
			reno_reset(c);
	}
	r->resend = RESEND_LOST;
}

/* ---- the states ---- */

/*
 * SND.UNA stopped right before something SACKed: the peer may have thrown it away. Usually the next ACK takes it, so the
 * timer waits a moment (Linux) before all SACKs are forgotten.
 */
static bool is_reneging(struct conn *c, struct ack *a)
{
	uint64_t us = c->srtt8_us / 16, least = 10000;

	if (!(a->flags & ACK_RENEGES) || !(a->flags & ACK_UNA))
		return false;
	rtx_timer_set(c, RTX_RTO, us > least ? us : least);
	a->flags &= ~(uint32_t)ACK_TIMER;
	return true;
}

/* `high` is acknowledged. True: that is all. */
static bool state_ends(struct conn *c, struct ack *a)
{
	struct recovery *r = &c->rec;

	switch ((enum ca_state)r->ca) {
	case CA_CWR: /* not before something above `high`: CWR has to reach the peer */
		if (!seq_eq(c->snd_una, r->high)) {
			recovery_reduce_end(c);
			r->ca = CA_OPEN;
		}
		return false;
	case CA_RECOVERY:
		if (!c->sack_ok)
			reno_reset(c);
		if (undo_recovery(c, a))
			return true;
		recovery_reduce_end(c);
		return false;
	case CA_OPEN:
	case CA_DISORDER:
	case CA_LOSS:
		return false;
	}
	must_not_reach("no such congestion state");
}

static bool in_recovery(struct conn *c, struct ack *a, bool dup)
{
	struct recovery *r = &c->rec;

	if (!(a->flags & ACK_UNA)) {
		if (!c->sack_ok)
			reno_add(c, dup);
	} else if (undo_partial(c, a)) {
		return false;
	}
	if (undo_dsack(c))
		try_to_open(c, a);
	identify_lost(c, a);
	if (r->ca != CA_RECOVERY) { /* undone; but what is lost without doubt begins a new one */
		if (c->board.lost == 0)
			return false;
		recovery_enter(c, a->flags & ACK_ECE);
	}
	return true;
}

static bool elsewhere(struct conn *c, struct ack *a, bool dup)
{
	struct recovery *r = &c->rec;

	if (!c->sack_ok) {
		if (a->flags & ACK_UNA)
			reno_reset(c);
		reno_add(c, dup);
	}
	if (r->ca <= CA_DISORDER)
		undo_dsack(c);
	identify_lost(c, a);
	if (c->board.lost == 0) {
		try_to_open(c, a);
		return false;
	}
	recovery_enter(c, a->flags & ACK_ECE);
	return true;
}

static void note_loss_over(struct conn *c)
{
	if (c->rto_at)
		c->rto_ns += c->eng->now - c->rto_at;
	c->rto_at = 0;
}

void recovery_alert(struct conn *c, struct ack *a)
{
	struct recovery *r = &c->rec;
	bool dup = a->dup;

	if (board_n(&c->board) == 0)
		reno_reset(c);
	if (a->flags & ACK_ECE)
		r->prior_ssthresh = 0;
	if (is_reneging(c, a))
		return;
	if (r->ca == CA_OPEN)
		r->stamp_on = false;
	else if (seq_le(r->high, c->snd_una) && state_ends(c, a))
		return;
	if (r->ca == CA_RECOVERY) {
		if (in_recovery(c, a, dup))
			r->resend = RESEND_LOST;
		return;
	}
	if (r->ca == CA_LOSS) {
		process_loss(c, a, dup);
		if (r->ca != CA_LOSS)
			note_loss_over(c);
		identify_lost(c, a);
		if (r->ca != CA_OPEN && !(a->flags & ACK_LOST_AGAIN))
			return;
	}
	if (elsewhere(c, a, dup))
		r->resend = RESEND_LOST;
}
