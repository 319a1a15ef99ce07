/* SPDX-License-Identifier: MIT */
/*
 * seg_syn_sent.c - RFC 9293 3.10.7.3 SEGMENT ARRIVES, SYN-SENT STATE.
 *
 * One function for each numbered step, in the order of the text, as in seg_other.c. What a SYN's options say is taken
 * here for both ends of a handshake.
 */
#include "engine/seg_other.h"

#include <errno.h>

enum { MSS_DEFAULT_V4 = 536, MSS_DEFAULT_V6 = 1220 }; /* MUST-15 */
enum { WSCALE_MAX = 14 };

static void learn_options(struct conn *c, const struct seg *s)
{
	const struct tcp_opts *o = &s->opts;
	uint16_t mss = o->has_mss ? o->mss : c->is_v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4;

	c->mss_clamp = mss < c->adv_mss ? mss : c->adv_mss;
	c->ts_ok = c->ts_ok && o->has_ts; /* we offered it, and so does the peer */
	if (c->ts_ok) {
		c->ts_recent = o->tsval;
		c->ts_recent_at = c->eng->now;
	}
	c->sack_ok = c->sack_ok && o->sack_permitted;
	c->wscale_ok = c->wscale_ok && o->has_wscale;
	c->snd_wscale = c->wscale_ok ? (o->wscale > WSCALE_MAX ? WSCALE_MAX : o->wscale) : 0; /* RFC 7323 2.3 */
	if (!c->wscale_ok)
		c->rcv_wscale = 0;
}

void conn_learn_syn(struct conn *c, const struct seg *s)
{
	learn_options(c, s);
	c->irs = s->seq;
	c->rcv_nxt = seq_add(s->seq, 1);
	c->rcv_read = c->rcv_nxt;
	c->last_ack_sent = c->rcv_nxt;
	if (!c->syn_wnd)
		c->syn_wnd = conn_syn_wnd(c, c->ts_ok);
	c->rcv_adv = seq_add(c->rcv_nxt, c->syn_wnd); /* what our SYN says, or has said */
	c->snd_wnd = s->wnd; /* RFC 7323 2.2: a SYN's window is never scaled */
	c->max_snd_wnd = s->wnd;
	pmtu_sync_mss(c); /* 3.7.1: MUST-16, options included */
	c->rcv_mss = c->snd_mss;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->flags & F_ACK ? s->ack : c->iss;
}

static bool ack_is_acceptable(const struct conn *c, const struct seg *s)
{
	return seq_lt(c->snd_una, s->ack) && seq_le(s->ack, c->snd_nxt);
}

/*
 * Linux: a peer that still has the last connection answered our SYN, and our RST has just told it so. The SYN is sent
 * again after the least timeout, not after a second.
 */
static void send_syn_again_soon(struct conn *c)
{
	if (c->eng->k.policy != POLICY_RFC9293 && c->rexmits == 0)
		timer_set(c, TIMER_RTX, c->eng->now + 8 * NSEC_PER_MS);
}

/* RFC 7323 3.2: an echo is of a TSval that we sent, so of one between our first SYN's and now (Linux: PAWSActive). */
static bool echo_is_ours(const struct conn *c, const struct seg *s)
{
	uint32_t now = ts_clock_ms(c->eng) + c->ts_offset;

	if (!s->opts.has_ts || s->opts.tsecr == 0 || !c->ts_ok)
		return true;
	return s->opts.tsecr - c->syn_tsval <= now - c->syn_tsval;
}

static enum step first_check_ack(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_ACK))
		return NEXT;
	if (!ack_is_acceptable(c, s)) {
		reply_rst(c->eng, s, &c->t); /* "unless the RST bit is set" */
		if (!(s->flags & F_RST))
			send_syn_again_soon(c);
		return DONE;
	}
	if (!echo_is_ours(c, s)) {
		c->eng->n.paws_active++;
		reply_rst(c->eng, s, &c->t);
		return DONE;
	}
	return NEXT;
}

static enum step second_check_rst(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_RST))
		return NEXT;
	/* "If the ACK was acceptable"; RCV.NXT is not known, so RFC 5961 3 has nothing to compare. */
	if (s->flags & F_ACK)
		conn_end(c, RST_SYN_SENT, ECONNREFUSED);
	return DONE;
}

static void established(struct conn *c, struct seg *s)
{
	conn_go(c, F5_10_SYN_ACK);
	snd_syn_acked(c, s);
	conn_established(c);
	rcv_ack_syn(c);
	if (s->len || s->flags & (F_FIN | F_URG)) {
		s->seq = c->rcv_nxt;
		s->flags &= (uint8_t)~F_SYN;
		seg_arrives_other_sixth(c, s);
	}
}

static void fourth_check_syn(struct conn *c, struct seg *s)
{
	if (!(s->flags & F_SYN))
		return;
	conn_learn_syn(c, s);
	ecn_learn(c, s);

	if (s->flags & F_ACK) { /* "our SYN has been ACKed" */
		established(c, s);
		return;
	}
	conn_go(c,
		F5_08_SIMULTANEOUS_OPEN); /* MUST-10. Text and FIN beside the SYN are not acknowledged: they come again */
	c->syn_due = true;
	out_schedule(c);
}

void seg_arrives_syn_sent(struct conn *c, struct seg *s)
{
	if (first_check_ack(c, s) == NEXT && second_check_rst(c, s) == NEXT && third_check_security(c, s) == NEXT)
		fourth_check_syn(c, s);
	/* "Fifth, if neither of the SYN or RST bits is set, then drop the segment": nothing is left to do */
}
