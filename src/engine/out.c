/* SPDX-License-Identifier: MIT */
/*
 * out.c - what to send next (RFC 9293 3.8, 3.7.4, 3.8.6). The engine is asked for packets and makes one at a time: replies
 * that belong to no connection first, then connections in the order in which they found something to say. What has more goes
 * to the end of the line; so ACKs ride on data that the application gave between input and output.
 */
#include "engine/out_seg.h"

void out_schedule(struct conn *c)
{
	if (!link_is_in(&c->out_link))
		link_append(&c->eng->out, &c->out_link);
}

void out_ack_now(struct conn *c)
{
	c->ack_due = true;
	out_schedule(c);
}

bool out_reset(struct conn *c)
{
	struct engine *e = c->eng;
	struct seg s = {.flags = F_RST | F_ACK, .seq = c->snd_nxt, .ack = c->rcv_nxt};

	if (e->reply_n == e->cfg.max_replies) {
		e->n.abort_failed++;
		return false;
	}
	s.opts.has_ts = c->ts_ok;
	s.opts.tsval = ts_clock_ms(e) + c->ts_offset;
	s.opts.tsecr = c->ts_recent;
	reply_seg(e, &c->t, &s);
	return true;
}

void out_challenge_ack(struct conn *c)
{
	struct engine *e = c->eng;

	if (!challenge_allowed(e, c->hash)) {
		e->n.ack_skipped_chall++;
		return;
	}
	e->n.challenge_ack++;
	out_ack_now(c);
}

/* ---- SYN ---- */

/* A SYN before its ACK: nothing but SYN, ACK and RST may be sent. */
static bool is_opening(const struct conn *c) { return !c->syn_acked && seq_eq(c->snd_una, c->iss); }

static size_t send_syn(struct conn *c, uint8_t *buf, size_t cap)
{
	struct counters *n = &c->eng->n;
	bool first = c->segs_out == 0, answers = c->state != SYN_SENT;

	c->syn_due = false;
	n->out_segs += first || answers; /* Linux makes every SYN+ACK anew and counts it */
	if (first) {
		c->rtt_timing = true;
		c->rtt_seq = seq_add(c->iss, 1);
		c->rtt_at = c->eng->now;
	} else if (c->rexmits || c->passive) { /* not the SYN+ACK of a simultaneous open */
		c->rtt_timing = false;
		n->retrans_segs++;
		n->syn_retrans++;
		c->total_retrans++;
	}
	snd_start_rtx_timer(c);
	return out_seg_syn(c, buf, cap);
}

static uint32_t cwnd_octets(const struct conn *c)
{
	uint64_t octets = (uint64_t)c->cc.cwnd * c->snd_mss;

	return octets < UINT32_MAX / 2 ? (uint32_t)octets : UINT32_MAX / 2;
}

/* ---- again ---- */

static size_t send_again(struct conn *c, uint8_t *buf, size_t cap)
{
	struct engine *e = c->eng;
	struct outgoing o = {.seq = c->rtx_nxt};
	seq_t text_end = seq_min(c->rtx_end, c->snd_end);
	uint32_t mss = conn_mss_now(c);
	uint32_t ahead = (uint32_t)seq_diff(c->rtx_nxt, c->snd_una);
	uint32_t len = (uint32_t)seq_diff(text_end, c->rtx_nxt), cwnd = cwnd_octets(c),
		 wnd = c->snd_wnd < cwnd ? c->snd_wnd : cwnd;
	bool fin;

	o.len = len < mss ? len : mss;
	fin = o.len == len && seq_lt(c->snd_end, c->rtx_end);
	if (ahead && ahead + o.len + fin > wnd) /* RFC 5681 3.1: in slow start; the oldest always goes */
		return 0;
	o.flags = nagle_psh(c, o.seq, o.len);
	if (fin)
		o.flags |= F_FIN;
	e->n.retrans_segs++;
	e->n.fast_retrans += c->fast_rtx;
	e->n.slow_start_retrans +=
		!c->fast_rtx && (ahead || !c->rexmits); /* Linux: but for the one that the timer itself sends */
	c->total_retrans++;
	c->bytes_retrans += o.len;
	c->fast_rtx = false;
	c->rtx_nxt = seq_add(o.seq, o.len + fin);
	if (c->timer_at[TIMER_RTX] == NSEC_NEVER)
		snd_start_rtx_timer(c);
	return out_seg(c, o, buf, cap);
}

/* ---- anew ---- */

/* Octets beyond SND.NXT that the windows allow; the peer may have taken some back (MUST-34). */
static uint32_t usable_wnd(const struct conn *c)
{
	uint32_t cwnd = cwnd_octets(c), flight = (uint32_t)seq_diff(c->snd_nxt, c->snd_una), wnd;

	if (c->dupacks && c->dupacks < 3)
		cwnd += c->dupacks * (uint32_t)c->snd_mss; /* RFC 3042: limited transmit */
	wnd = c->snd_wnd < cwnd ? c->snd_wnd : cwnd;
	return wnd > flight ? wnd - flight : 0;
}

/* Text and FIN that were never sent, as much as one segment takes. False: none, or not now. */
static bool choose_new(const struct conn *c, struct outgoing *ret)
{
	uint32_t usable, unsent, len, mss = conn_mss_now(c);

	if (c->fin_sent)
		return false;
	unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
	if (unsent == 0 && !c->fin_queued)
		return false;
	usable = usable_wnd(c);
	if (usable == 0)
		return false;
	len = unsent < mss ? unsent : mss;
	if (len > usable)
		len = usable;
	if (unsent && !nagle_lets_go(c, len, unsent))
		return false;
	*ret = (struct outgoing){.seq = c->snd_nxt, .len = len, .flags = nagle_psh(c, c->snd_nxt, len)};
	if (len == unsent && c->fin_queued && len < usable)
		ret->flags |= F_FIN;
	return true;
}

/* Nothing was sent for longer than an RTO. */
static void restart_window(struct conn *c)
{
	nsec_t now = c->eng->now, rto = rtt_rto_us(c) * UINT64_C(1000);

	if (c->eng->k.slow_start_after_idle)
		cc_restart(&c->cc, now - c->last_sent_at, rto);
	if (c->cc.ops->idle)
		c->cc.ops->idle(&c->cc, now, c->last_sent_at);
}

static size_t send_new(struct conn *c, struct outgoing o, uint8_t *buf, size_t cap)
{
	struct engine *e = c->eng;
	bool idle = seq_eq(c->snd_una, c->snd_nxt);

	if (o.flags & F_FIN) {
		c->fin_sent = true;
		twstore_prefetch(tw_of(e, c->is_v6), c->hash);
	}
	if (idle && c->last_sent_at && e->now - c->last_sent_at > rtt_rto_us(c) * UINT64_C(1000))
		restart_window(c);
	c->snd_nxt = seq_add(o.seq, o.len + c->fin_sent);
	if (!c->rtt_timing) {
		c->rtt_timing = true;
		c->rtt_seq = c->snd_nxt;
		c->rtt_at = e->now;
	}
	if (c->probe_due) { /* the timer let it go (rule 4): the window needs no probe */
		c->probe_due = c->probing = false;
		c->backoff = c->probes = 0;
	}
	if (idle || c->timer_at[TIMER_RTX] == NSEC_NEVER) /* idle: if it runs, it was to probe the window */
		snd_start_rtx_timer(c);
	e->n.out_segs++;
	return out_seg(c, o, buf, cap);
}

/* ---- neither text nor FIN ---- */

static size_t send_bare(struct conn *c, uint8_t flags, seq_t at, uint8_t *buf, size_t cap)
{
	c->eng->n.out_segs++;
	return out_seg(c, (struct outgoing){.seq = at, .flags = flags}, buf, cap);
}

/* Probes are as Linux's: an old octet's number and no text, so nobody can take it and everybody must answer (3.10.7.4 first). */
static size_t send_probe(struct conn *c, uint64_t *counter, uint8_t *buf, size_t cap)
{
	++*counter;
	return send_bare(c, 0, seq_sub(c->snd_una, 1), buf, cap);
}

/* ---- one connection ---- */

static size_t out_opening(struct conn *c, uint8_t *buf, size_t cap)
{
	if (c->syn_due)
		return send_syn(c, buf, cap);
	if (c->ack_due && c->state != SYN_SENT)
		return send_bare(c, 0, c->snd_nxt, buf, cap);
	c->ack_due = false;
	return 0;
}

/* What was asked for and is due even if nothing can be sent anew. */
static size_t out_owed(struct conn *c, uint8_t *buf, size_t cap)
{
	bool idle = seq_eq(c->snd_una, c->snd_nxt), blocked = idle && snd_unsent(c) > 0;
	bool probe = c->probe_due && blocked, keep = c->keepalive_due && idle;

	c->probe_due = c->keepalive_due = false;
	if (blocked && (probe || c->timer_at[TIMER_RTX] == NSEC_NEVER))
		snd_start_rtx_timer(c); /* 3.8.6.1; SHLD-29, SHLD-30 */
	if (probe)
		return send_probe(c, &c->eng->n.win_probe, buf, cap);
	if (keep)
		return send_probe(c, &c->eng->n.keepalive, buf, cap);
	return c->ack_due ? send_bare(c, 0, c->snd_nxt, buf, cap) : 0;
}

static size_t out_conn(struct conn *c, uint8_t *buf, size_t cap)
{
	struct outgoing o;
	size_t len;

	if (c->state < SYN_SENT || c->state == TIME_WAIT)
		return 0;
	if (is_opening(c))
		return out_opening(c, buf, cap);
	if (!seq_eq(c->rtx_nxt, c->rtx_end)) {
		len = send_again(c, buf, cap);
		return len ? len : out_owed(c, buf, cap);
	}
	return choose_new(c, &o) ? send_new(c, o, buf, cap) : out_owed(c, buf, cap);
}

static bool has_more(const struct conn *c)
{
	bool unsent = !c->fin_sent && (!seq_eq(c->snd_nxt, c->snd_end) || c->fin_queued);

	return unsent || !seq_eq(c->rtx_nxt, c->rtx_end) || c->syn_due || c->ack_due || c->keepalive_due;
}

static size_t out_reply(struct engine *e, uint8_t *buf, size_t cap)
{
	const struct reply *r = &e->replies[e->reply_first];

	if (++e->reply_first == e->cfg.max_replies)
		e->reply_first = 0;
	e->reply_n--;
	return out_seg_reply(e, r, buf, cap);
}

static size_t out_conns(struct engine *e, uint8_t *buf, size_t cap)
{
	while (!link_is_empty(&e->out)) {
		struct conn *c = container_of(e->out.next, struct conn, out_link);
		size_t len = out_conn(c, buf, cap);

		link_remove(&c->out_link);
		if (len == 0)
			continue;
		if (has_more(c))
			link_append(&e->out, &c->out_link);
		return len;
	}
	return 0;
}

size_t out_next(struct engine *e, uint8_t *buf, size_t cap)
{
	if (e->reply_n)
		return out_reply(e, buf, cap);
	if (link_is_empty(&e->out)) /* asked for very often */
		return 0;
	return out_conns(e, buf, cap);
}
