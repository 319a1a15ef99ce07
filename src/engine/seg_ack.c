/* SPDX-License-Identifier: MIT */
/* seg_ack.c - RFC 9293 3.10.7.4, "Fifth, check the ACK field". */
#include "engine/seg_other.h"

APART void seg_time_wait(struct conn *c)
{
	must(c->state == TIME_WAIT);
	tw_enter(c, TW_TIME_WAIT, timewait_len_ms(&c->eng->k, c->ts_ok, rtt_rto_us(c) / 1000));
}

/*
 * RFC 7323 4.3 (2) and 5.3 R3. It comes after the ACK was found good, as in Linux: a blind attacker who hits the window
 * could otherwise choose TS.Recent.
 */
static void take_timestamp(struct conn *c, const struct seg *s)
{
	if (!c->ts_ok || !s->opts.has_ts || !seq_le(c->seg_seq, c->last_ack_sent) || seg_is_old(c, s))
		return;
	c->ts_recent = s->opts.tsval;
	c->ts_recent_at = c->eng->now;
}

/* RFC 5961 5.2: (SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT. */
static bool is_in_range(const struct conn *c, const struct seg *s)
{
	return seq_le(seq_sub(c->snd_una, c->max_snd_wnd), s->ack) && seq_le(s->ack, c->snd_nxt);
}

/* "Do the same processing as for the ESTABLISHED state". */
static void established(struct conn *c, const struct seg *s)
{
	snd_ack(c, s);
	if (!c->connected_once && c->syn_acked) /* closed in SYN-RECEIVED: this is what F5_09 is otherwise */
		conn_established(c);
}

/*
 * SYN-RECEIVED and no room in the accept queue (Linux): the ACK is ignored, the SYN+ACK comes again and so will the ACK;
 * or, with tcp_abort_on_overflow, it is answered with RST.
 */
static COLD enum step overflow(struct conn *c, const struct seg *s)
{
	struct engine *e = c->eng;

	e->n.listen_overflows++;
	e->n.listen_drops++;
	if (e->k.abort_on_overflow) {
		e->n.embryonic_rsts++;
		reply_rst(e, s, &c->t);
		conn_end(c, ABORT_SYN_RECEIVED, 0);
	}
	return DONE;
}

/* TCP_DEFER_ACCEPT: an ACK without text counts only when the SYN+ACK has been sent again so often as it says. */
static bool is_deferred(const struct conn *c, const struct seg *s)
{
	return c->listener && !c->of_cookie && c->rexmits < c->listener->opt.defer && s->len == 0 &&
	       !(s->flags & F_FIN);
}

static enum step syn_received(struct conn *c, const struct seg *s)
{
	if (!seq_lt(c->snd_una, s->ack) || !seq_le(s->ack, c->snd_nxt)) {
		reply_rst(c->eng, s, &c->t); /* "not acceptable, form a reset segment"; we stay (3.5.2 group 2) */
		c->ack_due = false;
		return DONE;
	}
	take_timestamp(c, s);
	if (is_deferred(c, s)) {
		c->is_deferred = true;
		c->eng->n.defer_accept_drop++;
		c->ack_due = false;
		return DONE;
	}
	if (c->listener && listener_accept_full(c->listener))
		return overflow(c, s);
	conn_go(c, F5_09_SYN_ACKED);
	if (c->passive) { /* Linux: until now there was no connection that could count; the SYN and this are in */
		c->segs_in = 2;
		c->segs_out = 0;
	}
	c->snd_wnd = (uint32_t)s->wnd << c->snd_wscale;
	c->max_snd_wnd = c->snd_wnd > c->max_snd_wnd ? c->snd_wnd : c->max_snd_wnd;
	pmtu_sync_mss(c);
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	snd_syn_acked(c, s);
	conn_established(c);
	return NEXT;
}

/*
 * Our FIN is acknowledged. What becomes of an orphan depends on the rest of the segment: text is reset by the seventh
 * step, a FIN ends in TIME-WAIT, and without either the eighth makes it a record. With no FIN-WAIT-2 (TCP_LINGER2) there
 * is no rest.
 */
static enum step fin_wait_1_acked(struct conn *c)
{
	conn_go(c, F5_14_FIN_ACKED);
	if (c->is_open) {
		event_raise(c);
		return NEXT;
	}
	timer_stop(c,
		   TIMER_KEEP); /* keepalive is over; from now on it means that conn_fin_wait_2_orphan() was called */
	if (c->opt.linger2_s >= 0)
		return NEXT;
	conn_fin_wait_2_orphan(c);
	return DONE;
}

enum step fifth_check_ack(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_ACK))
		return DONE;
	if (c->state == SYN_RECEIVED) /* not synchronized: not RFC 5961's */
		return syn_received(c, s);
	if (!is_in_range(c, s)) {
		out_challenge_ack(c);
		return DONE;
	}
	take_timestamp(c, s);
	established(c, s);

	switch (c->state) {
	case ESTABLISHED:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
		return NEXT;
	case FIN_WAIT_1:
		return snd_fin_acked(c) ? fin_wait_1_acked(c) : NEXT;
	case CLOSING:
		if (!snd_fin_acked(c))
			return DONE; /* "otherwise, ignore the segment" */
		conn_go(c, F5_18_CLOSING_ACKED);
		seg_time_wait(c);
		return DONE;
	case LAST_ACK:
		if (snd_fin_acked(c))
			conn_end(c, F5_19_LAST_ACK_ACKED, 0);
		return DONE;
	case SYN_RECEIVED: /* above */
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("ACK in a state of 3.10.7.1-3");
}
