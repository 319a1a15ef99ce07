/* SPDX-License-Identifier: MIT */
/*
 * seg_other.c - RFC 9293 3.10.7.4 SEGMENT ARRIVES, Other States.
 *
 * One function for each numbered step, in the order of the text; the fifth, the longest, is in seg_ack.c. A step says
 * NEXT or DONE; only seg_arrives_other() decides what runs after what. Every step switches over all states without a
 * default, so a state the RFC names and we forget is a compile error. TIME-WAIT is not among them: a connection in
 * TIME-WAIT is a record of the store, and its part of these steps is timewait.c.
 *
 * Where RFC 5961 and RFC 7323 change a step, the paragraph is named. RCV.WND is what we last announced.
 */
#include "engine/seg_other.h"

#include <errno.h>

/* ---- first: sequence number ---- */

static uint32_t rcv_wnd(const struct conn *c)
{
	return seq_lt(c->rcv_nxt, c->rcv_adv) ? (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt) : 0;
}

static bool in_window(const struct conn *c, seq_t x)
{
	return x.v - c->rcv_nxt.v < rcv_wnd(c); /* RCV.NXT =< x < RCV.NXT+RCV.WND */
}

/* Table 6. */
static bool is_acceptable(const struct conn *c, const struct seg *s)
{
	uint32_t span = seg_span(s);

	if (span == 0 && rcv_wnd(c) == 0)
		return seq_eq(s->seq, c->rcv_nxt);
	if (span == 0)
		return in_window(c, s->seq);
	if (rcv_wnd(c) == 0)
		return false;
	return in_window(c, s->seq) || in_window(c, seq_add(s->seq, span - 1));
}

/*
 * "an acknowledgment should be sent in reply". Segments without text or FIN get one only so often (tcp_invalid_ratelimit),
 * or two ends that disagree would answer each other for ever.
 */
static void answer_unacceptable(struct conn *c, const struct seg *s, uint64_t *skipped)
{
	struct engine *e = c->eng;
	bool free_of_limit = seg_span(s) > 0 && !(s->flags & F_SYN);

	if (free_of_limit || tw_ack_allowed(e, c->hash))
		out_ack_now(c);
	else if (c->state == SYN_RECEIVED)
		e->n.ack_skipped_synrecv++;
	else
		++*skipped;
}

static void begins_there(struct conn *c, const struct seg *s)
{
	c->seg_seq = s->seq;
	if (s->len)
		c->dsack_due = false; /* what is told is of the last segment with text */
}

/* "the idealized segment that begins at RCV.NXT": what is old is cut off. */
static void cut_old(struct conn *c, struct seg *s)
{
	uint32_t old;

	begins_there(c, s);
	if (!seq_lt(s->seq, c->rcv_nxt))
		return;
	old = (uint32_t)seq_diff(c->rcv_nxt, s->seq);
	if (s->len) {
		rcv_dsack(c, (struct run){s->seq, seq_min(c->rcv_nxt, seq_add(s->seq, s->len))});
		c->eng->n.delayed_ack_lost += s->len <= old;
	}
	s->text = s->len > old ? s->text + old : NULL;
	s->len = s->len > old ? s->len - old : 0; /* the FIN is not old, or nothing would be acceptable */
	s->seq = c->rcv_nxt;
}

/*
 * That, "and does not exceed the window". What begins beyond RCV.NXT is kept as it is: the seventh step puts it aside
 * (SHLD-31).
 */
static void tailor(struct conn *c, struct seg *s)
{
	uint32_t wnd = rcv_wnd(c), ahead;

	if (s->flags & F_RST) { /* RFC 5961 3.2 asks where it really begins */
		c->seg_seq = s->seq;
		return;
	}
	cut_old(c, s);
	ahead = (uint32_t)seq_diff(s->seq, c->rcv_nxt);
	if (ahead + s->len + !!(s->flags & F_FIN) <= wnd)
		return;
	if (ahead + s->len > wnd) {
		s->len = wnd - ahead;
		c->eng->n.beyond_window++;
	}
	if (s->len == 0)
		s->text = NULL;
	s->flags &= (uint8_t) ~(F_FIN | F_PSH);
}

/* For a closed window: its ACK, URG and RST count, its text does not (MUST-66). */
static bool is_probe(const struct conn *c, const struct seg *s)
{
	return rcv_wnd(c) == 0 && seq_eq(s->seq, c->rcv_nxt);
}

/* It begins in the window, or where that ends, and goes on beyond: the FIN alone, or text. */
static bool overshoots(const struct conn *c, const struct seg *s, bool *ret_text)
{
	seq_t edge = seq_add(c->rcv_nxt, rcv_wnd(c)), end = seq_add(s->seq, s->len);

	*ret_text = seq_lt(edge, end);
	return !(s->flags & F_RST) && seq_le(s->seq, edge) && (*ret_text || (s->flags & F_FIN && seq_eq(edge, end)));
}

/*
 * Linux 6.18 does not cut: such a segment is taken whole as long as nothing waits to be read, and else not at all; a FIN one
 * octet beyond is good, also of a closed window. Text into a closed window is left to MUST-66.
 */
static enum step check_overshoot(struct conn *c, struct seg *s, bool text)
{
	if (text && rcv_unread(c)) {
		c->eng->n.beyond_window++;
		answer_unacceptable(c, s, &c->eng->n.ack_skipped_seq);
		return DONE;
	}
	cut_old(c, s);
	return NEXT;
}

/* All of it came before, so an ACK of ours was lost or late: RFC 2883 tells the peer what it sent for nothing. */
static void note_old(struct conn *c, const struct seg *s)
{
	struct run r = {s->seq, seq_add(s->seq, seg_span(s))};

	if (!seq_lt(r.from, r.to) || !seq_lt(r.from, c->rcv_nxt))
		return;
	c->eng->n.delayed_ack_lost++;
	rcv_ack_again(c);
	rcv_dsack(c, (struct run){r.from, seq_min(r.to, c->rcv_nxt)});
}

static enum step first_check_seq(struct conn *c, struct seg *s)
{
	struct engine *e = c->eng;
	bool text;

	if (s->flags & F_SYN && !(s->flags & F_RST))
		return NEXT; /* RFC 5961 4.2: "irrespective of the sequence number", the fourth step's */

	if (!(s->flags & F_RST) && seg_is_old(c, s)) {
		e->n.paws_estab++;
		answer_unacceptable(c, s, &e->n.ack_skipped_paws);
		return DONE;
	}
	if (e->k.policy != POLICY_RFC9293 && overshoots(c, s, &text) && !(text && is_probe(c, s) && rcv_unread(c)))
		return check_overshoot(c, s, text);
	if (is_acceptable(c, s)) {
		tailor(c, s);
		return NEXT;
	}
	if (is_probe(c, s)) {
		/* "special allowance should be made to accept valid ACKs, URGs, and RSTs" (MUST-66); the text is a window probe */
		if (!(s->flags & F_RST))
			out_ack_now(c);
		tailor(c, s);
		return NEXT;
	}
	if (s->flags & F_RST)
		return DONE;
	if (seq_le(seq_add(c->rcv_nxt, rcv_wnd(c)), s->seq) && s->len)
		e->n.beyond_window++;
	note_old(c, s);
	answer_unacceptable(c, s, &e->n.ack_skipped_seq);
	return DONE;
}

/* ---- second: RST ---- */

static void reset_syn_received(struct conn *c)
{
	c->eng->n.embryonic_rsts++;
	if (!c->passive)
		conn_end(c, RST_SYN_RECEIVED, ECONNREFUSED);
	else if (!tw_restore(c, TW_RESTORED)) /* "return this connection to LISTEN state" */
		conn_end(c, F5_07_SYN_RCVD_RST, 0);
}

/* The RST is in the window. RFC 5961 3.2: at RCV.NXT it is good, elsewhere it is answered. */
static enum step second_check_rst(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_RST))
		return NEXT;
	if (!seq_eq(s->seq, c->rcv_nxt)) {
		out_challenge_ack(c);
		return DONE;
	}
	switch (c->state) {
	case SYN_RECEIVED:
		reset_syn_received(c);
		return DONE;
	case ESTABLISHED:
		conn_end(c, RST_ESTABLISHED, ECONNRESET);
		return DONE;
	case FIN_WAIT_1:
		conn_end(c, RST_FIN_WAIT_1, ECONNRESET);
		return DONE;
	case FIN_WAIT_2:
		conn_end(c, RST_FIN_WAIT_2, ECONNRESET);
		return DONE;
	case CLOSE_WAIT:
		conn_end(c, RST_CLOSE_WAIT, EPIPE); /* Linux: the peer's data ended well, ours did not */
		return DONE;
	case CLOSING:
		conn_end(c, RST_CLOSING, ECONNRESET);
		return DONE;
	case LAST_ACK:
		conn_end(c, RST_LAST_ACK, ECONNRESET);
		return DONE;
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("RST in a state of 3.10.7.1-3");
}

/* ---- third: security: in seg_other.h, there is nothing to check ---- */

/* ---- fourth: SYN ---- */

static void challenge_syn(struct conn *c)
{
	c->eng->n.syn_challenge++;
	c->eng->n.in_errs += c->state == ESTABLISHED; /* as Linux counts, in that state only */
	out_challenge_ack(c);
}

/*
 * The SYN that made us comes again: our SYN+ACK was lost. With an ACK it is the other half of a simultaneous open
 * (Figure 7): its SYN lies before the window and is cut off, its ACK is good.
 */
static enum step syn_again(struct conn *c, struct seg *s)
{
	if (s->flags & F_ACK) {
		s->flags &= (uint8_t)~F_SYN;
		s->seq = c->rcv_nxt;
		/* A SYN's window is not scaled (RFC 7323 2.2), but the fifth step scales every window. */
		s->wnd = (uint16_t)(s->wnd >> c->snd_wscale);
		tailor(c, s);
		out_ack_now(c);
		return NEXT;
	}
	if (tw_ack_allowed(c->eng, c->hash)) {
		c->syn_due = true;
		out_schedule(c);
	} else {
		c->eng->n.ack_skipped_synrecv++;
	}
	return DONE;
}

static enum step syn_in_syn_received(struct conn *c, struct seg *s)
{
	if (seq_eq(s->seq, c->irs))
		return syn_again(c, s);
	if (!c->passive) {
		challenge_syn(c);
		return DONE;
	}
	if (seg_is_old(c, s)) { /* the first step left it to us: an old duplicate must not end a connection */
		c->eng->n.paws_estab++;
		answer_unacceptable(c, s, &c->eng->n.ack_skipped_paws);
		return DONE;
	}
	if (!is_acceptable(c, s)) {
		answer_unacceptable(c, s, &c->eng->n.ack_skipped_seq);
		return DONE;
	}
	c->eng->n.embryonic_rsts++;
	if (c->eng->k.policy != POLICY_RFC9293) /* Linux tells the peer, too */
		reply_rst(c->eng, s, &c->t);
	conn_end(c, SYN_RCVD_SYN, 0); /* "return this connection to the LISTEN state" */
	return DONE;
}

static enum step fourth_check_syn(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_SYN))
		return NEXT;
	switch (c->state) {
	case SYN_RECEIVED:
		return syn_in_syn_received(c, s);
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
		challenge_syn(c);
		return DONE;
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("SYN in a state of 3.10.7.1-3");
}

/* ---- sixth: URG ---- */

/* The urgent pointer is parsed and ignored by design: urgent data is read in line, as RFC 6093 recommends. */
static enum step sixth_check_urg(struct conn *c, struct seg *s) { return NEXT; }

/* ---- seventh: text ---- */

/*
 * 3.6.1: the application has closed, or said that it reads no more; nobody will ever take these octets (SHLD-3). A FIN
 * beyond RCV.NXT says that there are such octets.
 */
static bool is_text_for_nobody(const struct conn *c, const struct seg *s)
{
	bool is_new = seg_span(s) && seq_lt(c->rcv_nxt, seq_add(s->seq, s->len));

	return is_new && (!c->is_open || c->lingering || c->rcv_shutdown);
}

static COLD enum step refuse_text(struct conn *c, const struct seg *s, enum edge_id id)
{
	c->eng->n.abort_on_data++;
	reply_rst(c->eng, s, &c->t);
	conn_end(c, id, ECONNRESET);
	return DONE;
}

static void take_text(struct conn *c, struct seg *s)
{
	bool fin;

	if (!s->len && !(s->flags & F_FIN))
		return;
	fin = rcv_text(c, s);
	if (!fin)
		rcv_ack_check(c);
	s->flags &= (uint8_t)~F_FIN; /* from here on F_FIN says: all before it is there, it is at RCV.NXT */
	if (fin)
		s->flags |= F_FIN;
}

static enum step seventh_process_text(struct conn *c, struct seg *s)
{
	switch (c->state) {
	case FIN_WAIT_1:
		if (is_text_for_nobody(c, s))
			return refuse_text(c, s, DATA_FIN_WAIT_1);
		break;
	case FIN_WAIT_2:
		if (is_text_for_nobody(c, s))
			return refuse_text(c, s, DATA_FIN_WAIT_2);
		break;
	case ESTABLISHED:
		break;
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
		return DONE; /* "This should not occur"; "Remain in" of the eighth step */
	case SYN_RECEIVED: /* left in the fifth step */
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		must_not_reach("text in a state that cannot validate SEG.SEQ");
	}
	take_text(c, s);
	return NEXT;
}

/* ---- eighth: FIN ---- */

/* Not in the RFC: an orphan that came into FIN-WAIT-2 in the fifth step waits for the FIN as a record, or for so long (close.c). */
static enum step no_fin(struct conn *c)
{
	if (c->state == FIN_WAIT_2 && !c->is_open && c->timer_at[TIMER_KEEP] == NSEC_NEVER)
		conn_fin_wait_2_orphan(c);
	return DONE;
}

static enum step eighth_check_fin(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_FIN))
		return no_fin(c);
	c->rcv_nxt = seq_add(c->rcv_nxt, 1);
	c->dsack_due = false; /* as Linux: who has sent everything need not learn what came twice */
	rcv_ack_fin(c);
	rcv_ack_check(c);

	switch (c->state) {
	case ESTABLISHED:
		conn_go(c, F5_13_ESTAB_FIN);
		event_raise(c);
		return DONE;
	case FIN_WAIT_1: /* our FIN is not acknowledged: the fifth step would have moved us to FIN-WAIT-2 */
		conn_go(c, F5_15_SIMULTANEOUS_CLOSE);
		event_raise(c);
		return DONE;
	case FIN_WAIT_2:
		conn_go(c, F5_17_FIN_WAIT_2_FIN);
		seg_time_wait(c);
		return DONE;
	case CLOSE_WAIT: /* these three: the seventh step was the last */
	case CLOSING:
	case LAST_ACK:
	case SYN_RECEIVED:
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("FIN in a state that cannot validate SEG.SEQ");
}

/* ---- the driver ---- */

void seg_arrives_other_sixth(struct conn *c, struct seg *s)
{
	if (sixth_check_urg(c, s) == NEXT && seventh_process_text(c, s) == NEXT)
		eighth_check_fin(c, s);
}

static APART enum step first_to_fourth(struct conn *c, struct seg *s)
{
	if (first_check_seq(c, s) == NEXT && second_check_rst(c, s) == NEXT && third_check_security(c, s) == NEXT)
		return fourth_check_syn(c, s);
	return DONE;
}

/*
 * Header prediction, the receiver's half: it begins at RCV.NXT and ends in the window, PAWS has nothing against it, and it has neither SYN
 * nor RST. The first four steps would let it pass as it is.
 */
static bool is_plain(const struct conn *c, const struct seg *s)
{
	return !(s->flags & (F_SYN | F_RST)) && seq_eq(s->seq, c->rcv_nxt) && seg_span(s) <= rcv_wnd(c) &&
	       !seg_is_old(c, s);
}

void seg_arrives_other(struct conn *c, struct seg *s)
{
	if (is_plain(c, s))
		begins_there(c, s);
	else if (first_to_fourth(c, s) != NEXT)
		return;
	if (fifth_check_ack(c, s) == NEXT)
		seg_arrives_other_sixth(c, s);
}
