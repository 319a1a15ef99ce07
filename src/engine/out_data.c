/* SPDX-License-Identifier: MIT */
/*
 * out_data.c - which octets go next: what recovery wants sent again first, then new ones (RFC 9293 3.8; RFC 6675 5). A segment that is
 * sent for the first time gets an entry in the scoreboard. One that is sent again keeps it: small ones behind it are taken along,
 * and one that is longer than the MSS of now goes in pieces.
 */
#include "engine/chrono.h"
#include "engine/out_seg.h"

enum { MERGE_DEPTH = 16 }; /* entries that may have to move to make room */

/* ---- again ---- */

static uint32_t room_in_window(const struct conn *c, seq_t from)
{
	int32_t room = seq_diff(snd_right_edge(c), from);

	if (room > 0)
		return (uint32_t)room;
	/* A window that was taken back is probed by the oldest segment, and by nothing else (Linux). */
	return seq_eq(from, c->snd_una) ? c->snd_mss : 0;
}

/* What follows entry i and fits into the same segment becomes part of it (tcp_retrans_collapse). */
static uint32_t take_along(struct conn *c, uint32_t i)
{
	struct board *b = &c->board;
	uint32_t most = room_in_window(c, sent_from(board_at(c->sent, b, i))), mss = conn_mss_now(c);

	if (most > mss)
		most = mss;
	if (!c->eng->k.retrans_collapse || i - b->first >= MERGE_DEPTH)
		return i;
	while (i + 1 != b->end) {
		const struct sent *s = board_at(c->sent, b, i), *next = board_at(c->sent, b, i + 1);

		if (s->flags & SENT_EOR || next->flags & SENT_SACKED || (uint32_t)s->len + next->len > most)
			break;
		board_merge(b, c->sent, i++);
		if (!c->sack_ok && b->sacked)
			b->sacked--;
	}
	return i;
}

/* What of the entry is to go now: from where, and how much of it. False: the window has no room. */
static bool choose_again(const struct conn *c, const struct sent *s, struct outgoing *ret)
{
	seq_t from = seq_max(sent_from(s), c->snd_una), text_end = seq_min(s->to, c->snd_end);
	uint32_t most, left, mss = conn_mss_now(c);

	if (seq_lt(from, c->rec.piece) && seq_lt(c->rec.piece, s->to))
		from = c->rec.piece;
	most = room_in_window(c, from);
	if (most == 0)
		return false;
	left = (uint32_t)seq_diff(text_end, from);
	*ret = (struct outgoing){.seq = from, .len = left < mss ? left : mss};
	if (ret->len > most)
		ret->len = most;
	if (ret->len == left && seq_lt(c->snd_end, s->to) && (ret->len < most || !left))
		ret->flags = F_FIN;
	if (ret->len == left && left && s->flags & SENT_PSH)
		ret->flags |= F_PSH;
	return true;
}

static void count_again(struct conn *c, const struct outgoing *o)
{
	c->eng->n.retrans_segs++;
	c->total_retrans++;
	c->bytes_retrans += o->len;
}

/* Entry i, or a piece of it. */
static bool send_again(struct conn *c, uint32_t i, struct outgoing *ret)
{
	struct board *b = &c->board;
	struct recovery *r = &c->rec;
	struct sent *s;

	i = take_along(c, i);
	s = board_at(c->sent, b, i);
	if (!choose_again(c, s, ret))
		return false;
	r->piece = seq_add(ret->seq, ret->len + !!(ret->flags & F_FIN));
	count_again(c, ret);
	if (seq_eq(r->piece, s->to)) {
		board_sent_again(b, c->sent, i, c->eng->now);
		s->delivered = r->delivered;
		if (!(s->flags & SENT_AGAIN)) {
			s->flags |= SENT_AGAIN;
			b->again++;
		}
		ret->flags |= ret->flags & F_FIN ? 0 : nagle_again_psh(c, i);
	}
	undo_retransmitted(c, c->eng->now);
	if (recovery_reduces(r))
		prr_sent(&r->prr, 1);
	if (i == b->first && c->rtx_kind != RTX_REO)
		snd_start_rtx_timer(c);
	return true;
}

/* The first entry that is lost and not on its way again; `end`: none. */
static uint32_t next_lost(struct conn *c)
{
	struct board *b = &c->board;

	if (b->lost <= b->again)
		return b->end;
	while (b->hint != b->end) {
		uint8_t flags = board_at(c->sent, b, b->hint)->flags;

		if ((flags & (SENT_LOST | SENT_AGAIN | SENT_SACKED)) == SENT_LOST)
			break;
		b->hint++;
	}
	return b->hint;
}

static bool send_lost(struct conn *c, struct outgoing *ret)
{
	uint32_t i = cwnd_has_room(c) ? next_lost(c) : c->board.end;
	bool sent = i != c->board.end && send_again(c, i, ret);

	if (!sent)
		c->rec.resend = RESEND_NOTHING;
	else if (c->rec.ca == CA_LOSS)
		c->eng->n.slow_start_retrans++;
	else
		c->eng->n.fast_retrans++;
	return sent;
}

/* The timer's own. */
static bool send_head(struct conn *c, struct outgoing *ret)
{
	c->rec.resend = RESEND_NOTHING;
	if (c->rec.ca != CA_LOSS || board_n(&c->board) == 0)
		return false;
	c->rec.piece = c->snd_una;
	return send_again(c, c->board.first, ret);
}

/* ---- anew ---- */

enum why_new {
	USUAL,
	FRTO,
	PROBE
}; /* F-RTO and the loss probe do not wait for more to send; the probe asks not for cwnd */

/* What the timeout called lost goes first, also where a piece of it has used cwnd up and is not in flight as a whole. */
static bool lost_go_first(const struct conn *c) { return c->rec.ca == CA_LOSS && c->board.lost > c->board.again; }

/* Text and FIN that were never sent, as much as one segment takes. False: none, or not now. */
static bool choose_new(struct conn *c, enum why_new why, struct outgoing *ret, uint32_t *ret_mss)
{
	struct nagle_room room = {.at_once = why != USUAL};
	uint32_t unsent, len, in_flight;
	int32_t usable;

	if (c->fin_sent)
		return false;
	unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
	if (unsent == 0 && !c->fin_queued)
		return false;
	if (c->pmtu_until && c->pmtu_until <= c->eng->now)
		pmtu_renew(c);
	usable = seq_diff(snd_right_edge(c), c->snd_nxt); /* below 0: the peer took some back (MUST-34) */
	if (usable <= 0 || board_is_full(&c->board) || (why != PROBE && !cwnd_has_room(c))) {
		chrono_held(c);
		return false;
	}
	if (why == USUAL && lost_go_first(c))
		return false;
	in_flight = board_in_flight(&c->board);
	*ret_mss = room.mss = conn_mss_now(c);
	room.wnd = (uint32_t)usable;
	room.quota = why == PROBE ? 1 : c->cc.cwnd - in_flight;
	len = nagle_segment(c, &room);
	if (unsent && !len) {
		chrono_held(c);
		return false;
	}
	*ret = (struct outgoing){.seq = c->snd_nxt, .len = len, .flags = nagle_psh(c, c->snd_nxt, len)};
	if (len == unsent && c->fin_queued && len < room.wnd)
		ret->flags |= F_FIN;
	return true;
}

/* False: there is nothing, or not now. */
static APART bool send_new(struct conn *c, enum why_new why, struct outgoing *ret)
{
	struct engine *e = c->eng;
	bool idle = board_n(&c->board) == 0;
	struct sent *s;
	uint32_t mss;

	if (!choose_new(c, why, ret, &mss))
		return false;
	if (ret->flags & F_FIN) {
		c->fin_sent = true;
		if (c->state != LAST_ACK) /* it may become a record */
			c->tw_place = twstore_place(tw_of(e, c->is_v6), c->hash);
	}
	if (idle && c->last_sent_at && c->cc.ops->idle)
		c->cc.ops->idle(&c->cc, e->now, c->last_sent_at);
	c->snd_nxt = seq_add(ret->seq, ret->len + c->fin_sent);
	s = board_add(&c->board, c->sent, ret->seq, ret->len + c->fin_sent, e->now);
	s->delivered = c->rec.delivered;
	if (ret->len) {
		if (nagle_is_joined(c, ret->seq))
			s->flags |= SENT_JOINED;
		if (nagle_is_pushed(c, seq_add(ret->seq, ret->len)))
			s->flags |= SENT_PSH;
		if (nagle_ends_record(c, seq_add(ret->seq, ret->len)))
			s->flags |= SENT_EOR;
		nagle_sent(c, seq_add(ret->seq, ret->len), ret->len, mss);
	}
	if (c->probe_due) { /* the timer let it go (rule 4): the window needs no probe */
		c->probe_due = c->probing = false;
		c->backoff = c->probes = 0;
	}
	/* Idle: if the timer runs, it was to probe the window. */
	c->rec.rearm |= idle || c->rtx_kind == RTX_TLP || c->timer_at[TIMER_RTX] == NSEC_NEVER;
	if (recovery_reduces(&c->rec))
		prr_sent(&c->rec.prr, 1);
	c->rec.in_batch = true;
	e->n.out_segs++;
	return true;
}

/* RFC 5682 3.1 step 2.b: two new segments, or as many as cwnd has; if there is none, recovery is the usual one. */
static bool send_frto(struct conn *c, struct outgoing *ret)
{
	struct recovery *r = &c->rec;

	if (send_new(c, FRTO, ret))
		return true;
	r->resend = RESEND_NOTHING;
	if (seq_lt(r->high, c->snd_nxt))
		return false;
	r->frto = false;
	r->resend = RESEND_LOST;
	return send_lost(c, ret);
}

/* ---- the tail loss probe: something new, or the last once more (RFC 8985 7.3) ---- */

static bool probe_again(struct conn *c, struct outgoing *ret)
{
	struct board *b = &c->board;
	uint32_t i = b->end - 1;
	struct sent *s = board_at(c->sent, b, i);

	c->rec.piece = sent_from(s); /* from its beginning */
	if (!choose_again(c, s, ret))
		return false;
	board_sent_again(b, c->sent, i, c->eng->now);
	s->delivered = c->rec.delivered;
	s->flags &= (uint8_t)~SENT_JOINED; /* a probe is a packet of its own */
	count_again(c, ret);
	tlp_sent(c, true);
	return true;
}

static bool send_loss_probe(struct conn *c, struct outgoing *ret)
{
	c->rec.tlp_due = false;
	if (board_n(&c->board) == 0)
		return false;
	if (!send_new(c, PROBE, ret))
		return probe_again(c, ret);
	c->rec.in_batch = c->rec.rearm = false; /* one probe: no other one follows it */
	cwnd_used(c);
	tlp_sent(c, false);
	return true;
}

/* ---- */

static bool send_resend(struct conn *c, struct outgoing *ret)
{
	switch ((enum resend)c->rec.resend) {
	case RESEND_NOTHING:
		return false;
	case RESEND_HEAD:
		return send_head(c, ret);
	case RESEND_LOST:
		return send_lost(c, ret);
	case RESEND_NEW:
		return send_frto(c, ret);
	}
	must_not_reach("nothing known to send again");
}

static APART bool out_again(struct conn *c, struct outgoing *ret)
{
	return c->rec.tlp_due ? send_loss_probe(c, ret) : send_resend(c, ret);
}

bool out_data(struct conn *c, struct outgoing *ret)
{
	if ((c->rec.tlp_due || c->rec.resend) && out_again(c, ret))
		return true;
	return send_new(c, USUAL, ret);
}

void out_data_end(struct conn *c)
{
	cwnd_used(c);
	if (!tlp_schedule(c, false) && c->rec.rearm && board_n(&c->board)) /* else it may be the window probe's */
		rtx_timer_rearm(c);
	c->rec.in_batch = c->rec.rearm = false;
}
