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

static APART size_t send_syn(struct conn *c, uint8_t *buf, size_t cap)
{
	struct counters *n = &c->eng->n;
	bool first = c->segs_out == 0, answers = c->state != SYN_SENT;

	c->syn_due = false;
	n->out_segs += first || answers; /* Linux makes every SYN+ACK anew and counts it */
	if (first) {
		c->syn_timed = true;
		c->syn_at = c->eng->now;
	} else if (c->rexmits || c->passive) { /* not the SYN+ACK of a simultaneous open */
		c->syn_timed = false;
		n->retrans_segs++;
		n->syn_retrans++;
		c->total_retrans++;
	}
	snd_start_rtx_timer(c);
	return out_seg_syn(c, buf, cap);
}

/* ---- neither text nor FIN ---- */

static bool send_bare(struct conn *c, seq_t at, struct outgoing *ret)
{
	c->eng->n.out_segs++;
	*ret = (struct outgoing){.seq = at};
	return true;
}

/* Probes are as Linux's: an old octet's number and no text, so nobody can take it and everybody must answer (3.10.7.4 first). */
static bool send_probe(struct conn *c, uint64_t *counter, struct outgoing *ret)
{
	++*counter;
	return send_bare(c, seq_sub(c->snd_una, 1), ret);
}

/* What was asked for and is due even if nothing can be sent anew. */
static APART bool out_owed(struct conn *c, struct outgoing *ret)
{
	bool idle = seq_eq(c->snd_una, c->snd_nxt), blocked = idle && snd_unsent(c) > 0;
	bool probe = c->probe_due && blocked, keep = c->keepalive_due && idle;

	c->probe_due = c->keepalive_due = false;
	if (blocked && (probe || c->timer_at[TIMER_RTX] == NSEC_NEVER))
		snd_start_rtx_timer(c); /* 3.8.6.1; SHLD-29, SHLD-30 */
	if (probe)
		return send_probe(c, &c->eng->n.win_probe, ret);
	if (keep)
		return send_probe(c, &c->eng->n.keepalive, ret);
	return c->ack_due && send_bare(c, c->snd_nxt, ret);
}

/* ---- one connection ---- */

/* The SYN is out, or was never asked for: only an ACK may be due. */
static APART bool out_opening(struct conn *c, struct outgoing *ret)
{
	if (c->ack_due && c->state != SYN_SENT)
		return send_bare(c, c->snd_nxt, ret);
	c->ack_due = false;
	return false;
}

static size_t out_conn(struct conn *c, uint8_t *buf, size_t cap)
{
	bool opening = is_opening(c);
	struct outgoing o;

	if (c->state < SYN_SENT || c->state == TIME_WAIT)
		return 0;
	if (opening && c->syn_due)
		return send_syn(c, buf, cap);
	if (opening ? out_opening(c, &o) : out_data(c, &o) || out_owed(c, &o))
		return out_seg(c, &o, buf, cap);
	return 0;
}

static bool has_more(const struct conn *c)
{
	bool unsent = !c->fin_sent && (!seq_eq(c->snd_nxt, c->snd_end) || c->fin_queued);

	return unsent || c->rec.resend || c->rec.tlp_due || c->syn_due || c->ack_due || c->keepalive_due;
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
		if (len && has_more(c))
			link_append(&e->out, &c->out_link);
		else if (c->rec.in_batch)
			out_data_end(c);
		if (len)
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
