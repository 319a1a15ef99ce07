/* SPDX-License-Identifier: MIT */
/*
 * snd.c - what was sent: the buffer, the send window (RFC 9293 3.8.6), and what an ACK acknowledges (3.4, 3.10.7.4 fifth). What is lost
 * and sent again is recovery.c's.
 */
#include "engine/chrono.h"

static seq_t first_held(const struct conn *c) /* the oldest octet in the buffer */
{
	return !c->syn_acked && seq_eq(c->snd_una, c->iss) ? seq_add(c->iss, 1) : c->snd_una;
}

uint32_t snd_room(const struct conn *c)
{
	int32_t used = seq_diff(c->snd_end, first_held(c)); /* -1 once the FIN is acknowledged */

	if (used < 0)
		used = 0;
	return nagle_takes(c, (uint32_t)used, c->eng->cfg.send_buffer - (uint32_t)used);
}

size_t snd_write(struct conn *c, const uint8_t *data, size_t len)
{
	uint32_t size = c->eng->cfg.send_buffer, room = snd_room(c);
	uint32_t n = len < room ? (uint32_t)len : room;
	uint32_t at = (c->snd_end.v - c->iss.v - 1) & (size - 1);
	uint32_t first = n < size - at ? n : size - at;

	if (n == 0)
		return 0;
	must(!c->fin_queued);
	memcpy(c->snd_buf + at, data, first);
	if (first < n)
		memcpy(c->snd_buf, data + first, n - first);
	c->snd_end = seq_add(c->snd_end, n);
	out_schedule(c);
	return n;
}

uint32_t snd_unsent(const struct conn *c)
{
	seq_t from = seq_max(c->snd_nxt, first_held(c));

	if (c->fin_sent)
		return 0;
	return (uint32_t)seq_diff(c->snd_end, from) + c->fin_queued;
}

bool snd_fin_acked(const struct conn *c) { return c->fin_sent && seq_lt(c->snd_end, c->snd_una); }

void snd_clear(struct conn *c)
{
	c->snd_end = seq_sub(c->snd_nxt, c->fin_sent);
	if (!c->syn_acked && seq_eq(c->snd_nxt, c->iss))
		c->snd_end = seq_add(c->iss, 1);
	c->fin_queued = c->fin_sent;
	c->n_eor = 0;
	c->snd_una = c->snd_nxt;
	recovery_start(c);
	c->rec.resend = RESEND_NOTHING;
	timer_stop(c, TIMER_RTX);
}

seq_t snd_right_edge(const struct conn *c) { return seq_add(c->snd_una, c->snd_wnd); }

seq_t snd_high_sack(const struct conn *c)
{
	const struct board *b = &c->board;

	if (b->sacked == 0)
		return c->snd_una;
	return b->high == b->end ? c->snd_nxt : sent_from(board_at_const(c->sent, b, b->high));
}

uint32_t snd_tsval_at(const struct conn *c, nsec_t at) { return (uint32_t)(at / NSEC_PER_MS) + c->ts_offset; }

bool snd_echo_before(const struct conn *c, const struct seg *s, uint32_t tsval)
{
	return c->ts_ok && s->opts.has_ts && s->opts.tsecr && (int32_t)(s->opts.tsecr - tsval) < 0;
}

/* ---- the window ---- */

/* There is more room for what waits. */
static APART void window_opens(struct conn *c)
{
	if (board_n(&c->board) == 0) /* nothing in flight: the timer was the probes' */
		timer_stop(c, TIMER_RTX);
	if (c->probing)
		c->backoff = c->probes = 0;
	c->probing = false;
	cwnd_restart(c);
	chrono_window(c);
	out_schedule(c);
}

/* True: the segment brought news of it. */
static bool take_window(struct conn *c, const struct seg *s)
{
	uint32_t wnd = (uint32_t)s->wnd << (s->flags & F_SYN ? 0 : c->snd_wscale), old = c->snd_wnd;
	bool news = seq_lt(c->snd_wl1, s->seq) || wnd != old;

	/*
	 * Older than what we know. But an ACK that is news is taken from an older sequence number too, that of a retransmission
	 * (Linux): otherwise the old window, counted from the new SEG.ACK, would reach beyond the right edge we were given.
	 */
	if (seq_le(s->ack, c->snd_wl2) &&
	    (seq_lt(s->seq, c->snd_wl1) || (seq_eq(s->seq, c->snd_wl1) && seq_lt(s->ack, c->snd_wl2))))
		return false;
	c->snd_wl1 = seq_max(c->snd_wl1, s->seq);
	c->snd_wl2 = s->ack;
	c->snd_wnd = wnd;
	if (wnd > c->max_snd_wnd) {
		c->max_snd_wnd = wnd;
		pmtu_sync_mss(c);
	}
	if (wnd > old && c->syn_acked && snd_unsent(c))
		window_opens(c);
	return news;
}

/* ---- round trips ---- */

static uint32_t us_since(const struct conn *c, nsec_t at)
{
	nsec_t us = (c->eng->now - at) / 1000;

	return us == 0 ? 1 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* RFC 7323 4.1: the echo's age. 0: it says nothing. A clock of 1 ms cannot tell less. */
static uint32_t echo_us(const struct conn *c, const struct seg *s)
{
	uint32_t ms = snd_tsval_at(c, c->eng->now) - s->opts.tsecr;

	if (!c->ts_ok || !s->opts.has_ts || s->opts.tsecr == 0 || ms >= INT32_MAX / 1000)
		return 0;
	return ms ? ms * 1000 : 1000;
}

struct taken { /* of the entries that an ACK acknowledged: those never sent again nor SACKed */
	bool any;
	nsec_t first_at;
	struct sent last;
	uint32_t n; /* all of them */
	seq_t reord; /* the lowest of those */
};

/* Karn: what was sent again measures nothing; but its timestamp does (RFC 7323 4.1), if SND.UNA has advanced. True: measured. */
static bool measure(struct conn *c, struct ack *a, const struct taken *t)
{
	uint32_t rtt = 0, last = 0;

	if (t->any && !(a->flags & ACK_TOOK_AGAIN)) {
		rtt = us_since(c, t->first_at);
		last = us_since(c, t->last.at);
	}
	if (a->flags & ACK_SACK_TIMED) {
		rtt = rtt ? rtt : us_since(c, a->first_sack_at);
		last = us_since(c, a->last_sack_at);
	}
	if (rtt == 0 && a->flags & ACK_TOOK)
		rtt = last = echo_us(c, a->s);
	a->rtt_us = last;
	if (rtt == 0)
		return false;
	if (!(a->flags & ACK_RUNT) || last <= rtt_min_us(c))
		rtt_min_sample(c, last);
	rtt_sample(c, rtt);
	return true;
}

/* ---- acknowledgement ---- */

static void take_entry(struct conn *c, struct ack *a, struct taken *t)
{
	struct board *b = &c->board;
	struct recovery *r = &c->rec;
	struct sent *s = board_at(c->sent, b, b->first);

	if (s->flags & SENT_TWICE) {
		a->flags |= ACK_TOOK_AGAIN;
	} else if (!(s->flags & SENT_SACKED)) {
		seq_t from = sent_from(s);

		if (!t->any) {
			t->first_at = s->at;
			t->reord = from;
		}
		t->any = true;
		t->last = *s;
		if (seq_le(s->to, r->high))
			a->flags |= ACK_ORIGINAL;
	}
	if (c->sack_ok && !(s->flags & SENT_SACKED)) {
		r->delivered++;
		if (s->flags & SENT_TWICE)
			rack_taken(c, s, a, false);
	}
	a->flags |= ACK_TOOK;
	t->n++;
	board_drop_first(b, c->sent);
}

/* What SND.UNA has passed leaves the scoreboard. */
static void clean_board(struct conn *c, struct ack *a)
{
	struct board *b = &c->board;
	struct taken t = {.any = false};
	bool measured, sacked_before = b->sacked > 0;
	const struct sent *head;

	while (board_n(b) && seq_le(board_at(c->sent, b, b->first)->to, c->snd_una))
		take_entry(c, a, &t);
	if (t.any && c->sack_ok) /* the last of them is the youngest: it speaks for all */
		rack_taken(c, &t.last, a, false);
	head = board_n(b) ? board_at(c->sent, b, b->first) : NULL;
	if (head && head->flags & SENT_SACKED)
		a->flags |= ACK_RENEGES;
	if (t.n == 1 && !sacked_before && a->prior_in_flight == 1 &&
	    (uint32_t)seq_diff(c->snd_una, a->prior_una) < c->snd_mss)
		a->flags |= ACK_RUNT;
	measured = measure(c, a, &t);
	if (a->flags & ACK_TOOK) {
		a->flags |= ACK_TIMER;
		if (!c->sack_ok) {
			recovery_reno_acked(c, t.n);
			if (a->flags & ACK_TOOK_AGAIN) /* which of them was in time, nobody knows */
				a->flags &= ~(uint32_t)ACK_ORIGINAL;
		} else if (t.any && seq_lt(t.reord, a->prior_high_sack)) {
			recovery_reordered(c, t.reord, false);
		}
	} else if (head && measured && a->flags & ACK_SACK_TIMED && a->first_sack_at < head->at) {
		/* A SACK of what was sent later than the oldest would put the timeout off, again and again. */
		a->flags |= ACK_TIMER;
	}
}

static void una_advances(struct conn *c, seq_t to)
{
	uint32_t octets = (uint32_t)seq_diff(seq_min(to, c->snd_end), c->snd_una);

	must(seq_le(to, c->snd_nxt));
	c->snd_una = to;
	c->bytes_acked += octets;
	c->rexmits = 0;
	c->probing = false;
	c->rec.tlp_due = false;
	chrono_acked(c);
	if (octets && !(c->ev_seen & LA_OUT))
		event_raise(c);
}

/* Later than one that said more: only its SACK blocks can be news. */
static void old_ack(struct conn *c, struct ack *a)
{
	if (!c->sack_ok || a->s->opts.n_sack == 0)
		return;
	sack_tag(c, a);
	recovery_alert(c, a);
	if (c->rec.resend)
		out_schedule(c);
}

/* Nothing was in flight: a DSACK may still take a reduction back. */
static void ack_of_nothing(struct conn *c, struct ack *a)
{
	if (a->flags & ACK_DSACK)
		recovery_alert(c, a);
	if (c->rec.tlp_on)
		tlp_acked(c, a);
}

static bool is_unusual(const struct conn *c, const struct ack *a)
{
	return c->rec.ca != CA_OPEN || !(a->flags & ACK_NOT_DUP) || a->flags & (ACK_SACKED | ACK_ECE | ACK_DSACK);
}

static void ack_in_flight(struct conn *c, struct ack *a)
{
	clean_board(c, a);
	if (c->sack_ok)
		rack_round(c, a);
	if (c->rec.tlp_on)
		tlp_acked(c, a);
	if (is_unusual(c, a)) {
		a->dup = !(a->flags & (ACK_UNA | ACK_NOT_DUP | ACK_DSACK));
		recovery_alert(c, a);
	}
	if (board_n(&c->board) == 0)
		timer_stop(c, TIMER_RTX); /* RFC 6298 5.2 */
	else if (a->flags & ACK_TIMER && !tlp_schedule(c, true))
		rtx_timer_rearm(c);
	cwnd_acked(c, a);
	if (c->rec.resend || snd_unsent(c) > 0)
		out_schedule(c);
}

void snd_syn_acked(struct conn *c, const struct seg *s)
{
	uint32_t us = c->syn_timed ? us_since(c, c->syn_at) : c->of_cookie ? 0 : echo_us(c, s);

	must(!c->syn_acked && seq_eq(s->ack, seq_add(c->iss, 1)));
	c->syn_acked = true;
	c->syn_due = false;
	c->snd_una = s->ack;
	recovery_start(c);
	c->rec.delivered = 1; /* Linux counts the SYN */
	c->rec.usage_at = c->eng->now;
	c->rexmits = c->probes = c->keep_sent = c->backoff = 0;
	c->probing = false;
	timer_stop(c, TIMER_RTX);
	if (us) {
		rtt_min_sample(c, us);
		rtt_sample(c, us);
	} else {
		rtt_fall_back(c); /* RFC 6298 5.7: nothing is known but that it takes long */
	}
	if (snd_unsent(c) > 0)
		out_schedule(c);
}

/* Usual beside text that comes in: nothing is in flight, and the ACK says nothing but how large the window is. */
static bool is_idle_ack(const struct conn *c, const struct seg *s)
{
	return board_n(&c->board) == 0 && seq_eq(s->ack, c->snd_una) && s->opts.n_sack == 0 && !c->rec.tlp_on;
}

/*
 * Header prediction, the sender's half. Nothing is SACKed, lost, sent again or probed for, and the ACK takes at least the oldest segment, of
 * which nothing was acknowledged before.
 */
static bool is_plain(const struct conn *c, const struct seg *s)
{
	const struct board *b = &c->board;
	const struct recovery *r = &c->rec;
	const struct sent *oldest = board_at_const(c->sent, b, b->first);

	if (board_n(b) == 0 || b->sacked | b->lost | b->ever_again | r->ca | r->tlp_on | s->opts.n_sack)
		return false;
	if (s->flags & F_ECE || !c->sack_ok || r->rack.dsack_seen || r->rack.steps != 1)
		return false;
	return seq_eq(sent_from(oldest), c->snd_una) && seq_le(oldest->to, s->ack);
}

/* What take_ack() comes to then: a round trip, cwnd, the timer. */
static void take_plain_ack(struct conn *c, const struct seg *s)
{
	struct board *b = &c->board;
	const struct sent *oldest = board_at(c->sent, b, b->first);
	bool runt = board_n(b) == 1 && (uint32_t)seq_diff(s->ack, c->snd_una) < c->snd_mss;
	uint32_t n, rtt, last;

	una_advances(c, s->ack);
	take_window(c, s);
	c->probes = c->keep_sent = 0;
	n = board_drop_to(b, c->sent, s->ack);
	c->rec.delivered += n;
	last = rack_advance(c, board_at(c->sent, b, b->first - 1));
	last = last ? last : 1;
	rtt = n == 1 ? last : us_since(c, oldest->at);
	if (!runt || last <= rtt_min_us(c))
		rtt_min_sample(c, last);
	rtt_sample(c, rtt);
	if (board_n(b) == 0)
		timer_stop(c, TIMER_RTX); /* RFC 6298 5.2 */
	else if (!tlp_schedule(c, true))
		rtx_timer_rearm(c);
	cwnd_acked_plainly(c, n, last);
	if (c->rec.resend || snd_unsent(c) > 0)
		out_schedule(c);
}

static APART void take_ack(struct conn *c, const struct seg *s)
{
	struct ack a = {
		.s = s,
		.prior_una = c->snd_una,
		.prior_high_sack = snd_high_sack(c),
		.prior_in_flight = board_in_flight(&c->board),
		.prior_delivered = c->rec.delivered,
		.prior_lost = c->rec.lost,
	};
	bool in_flight = board_n(&c->board) > 0;

	if (seq_lt(s->ack, c->snd_una)) {
		old_ack(c, &a);
		return;
	}
	if (seq_lt(c->snd_una, s->ack)) {
		a.flags |= ACK_UNA | ACK_WINDOW;
		una_advances(c, s->ack);
	}
	if (s->len || s->flags & (F_SYN | F_FIN))
		a.flags |= ACK_TEXT;
	if (take_window(c, s))
		a.flags |= ACK_WINDOW;
	if (s->opts.n_sack && c->sack_ok)
		sack_tag(c, &a);
	if (ecn_echo(c, s))
		a.flags |= ACK_ECE;
	c->probes = c->keep_sent = 0; /* whoever acknowledges is there (MUST-37) */
	if (in_flight)
		ack_in_flight(c, &a);
	else
		ack_of_nothing(c, &a);
}

void snd_ack(struct conn *c, const struct seg *s)
{
	if (!c->syn_acked) { /* closed in SYN-RECEIVED */
		if (seq_lt(c->snd_una, s->ack))
			snd_syn_acked(c, s);
		take_window(c, s);
	} else if (is_plain(c, s)) {
		take_plain_ack(c, s);
	} else if (is_idle_ack(c, s)) {
		take_window(c, s);
		c->probes = c->keep_sent = 0;
	} else {
		take_ack(c, s);
	}
}
