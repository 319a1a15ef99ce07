/* SPDX-License-Identifier: MIT */
/* rcv.c - what was received: text in order and out of order (RFC 9293 3.10.7.4 seventh, SHLD-31). */
#include "engine/rcv.h"

/* ---- the ring ---- */

static uint32_t ring_size(const struct conn *c) { return c->eng->cfg.receive_buffer; }

static uint32_t ring_at(const struct conn *c, seq_t x) { return (x.v - c->irs.v - 1) & (ring_size(c) - 1); }

void rcv_store(struct conn *c, seq_t from, const uint8_t *text, uint32_t len)
{
	uint32_t at = ring_at(c, from), first = ring_size(c) - at;

	if (first > len)
		first = len;
	memcpy(c->rcv_buf + at, text, first);
	if (first < len)
		memcpy(c->rcv_buf, text + first, len - first);
}

/* Nothing beyond is taken: never more than there is room for, and by the RFC what we announced (Linux: seg_other.c). */
static seq_t right_edge(const struct conn *c)
{
	seq_t room = seq_add(c->rcv_read, ring_size(c));

	if (c->eng->k.policy != POLICY_RFC9293)
		return room;
	return seq_lt(c->rcv_adv, room) ? c->rcv_adv : room;
}

static bool fin_taken(const struct conn *c) { return c->has_rcv_fin && seq_lt(c->rcv_fin, c->rcv_nxt); }

static bool fin_reached(const struct conn *c) { return c->has_rcv_fin && seq_eq(c->rcv_fin, c->rcv_nxt); }

/* A FIN that cannot be, since octets beyond it are here, is none. The first one that can be counts. */
static void note_fin(struct conn *c, seq_t at)
{
	seq_t last = c->n_gaps ? c->gaps[c->n_gaps - 1].to : c->rcv_nxt;

	if (c->has_rcv_fin || seq_lt(at, last))
		return;
	c->has_rcv_fin = true;
	c->rcv_fin = at;
}

/* ---- what all rings hold (tcp_mem) ---- */

void rcv_hold(struct conn *c, uint32_t octets)
{
	c->rcv_held += octets;
	c->eng->rcv_held += octets;
}

void rcv_let_go(struct conn *c, uint32_t octets)
{
	must(octets <= c->rcv_held);
	c->rcv_held -= octets;
	c->eng->rcv_held -= octets;
}

void rcv_release(struct conn *c) { rcv_let_go(c, c->rcv_held); }

/*
 * No room for len more octets by the third number of tcp_mem. As Linux: what is out of order goes first, and whoever has
 * nothing to read may take a segment in any case, or it would never go on.
 */
static COLD bool make_room(struct conn *c, uint32_t len, bool in_order)
{
	struct engine *e = c->eng;

	if (!in_order) {
		e->n.ofo_drop++;
		return false;
	}
	e->n.prune_called++;
	rcv_prune(c, len);
	if (!rcv_mem_full(c, len) || rcv_unread(c) == 0)
		return true;
	e->n.rcv_pruned++;
	e->n.rcv_q_drop++;
	return false;
}

static bool has_memory(struct conn *c, uint32_t len, bool in_order)
{
	return !rcv_mem_full(c, len) || make_room(c, len, in_order);
}

/* ---- text ---- */

static void taken(struct conn *c, const struct seg *s, uint32_t octets, uint32_t len)
{
	c->bytes_received += octets;
	rcv_ack_text(c, s, len);
	if (!(c->ev_seen & LA_IN))
		event_raise(c);
}

static void take_in_order(struct conn *c, const struct seg *s, seq_t to, const uint8_t *text)
{
	seq_t from = c->rcv_nxt;
	uint32_t len = (uint32_t)seq_diff(to, from);

	if (c->n_gaps) {
		rcv_take_and_absorb(c, (struct run){from, to}, text);
		if (!c->n_gaps) /* RFC 5681 4.2: "fills in all or part of a gap" */
			c->ack_pending |= ACK_NOW;
	} else {
		rcv_store(c, from, text, len);
		rcv_hold(c, len);
		c->rcv_nxt = to;
	}
	taken(c, s, (uint32_t)seq_diff(c->rcv_nxt, from), len);
}

/* s is in the window as far as the first step looked; what is left outside is cut off here (3.10.7.4). */
static APART bool take(struct conn *c, const struct seg *s)
{
	struct run r = {s->seq, seq_add(s->seq, s->len)};
	seq_t edge = right_edge(c), begin = r.from;
	bool fin = s->flags & F_FIN;
	const uint8_t *text = NULL;

	if (seq_lt(edge, r.to)) {
		c->eng->n.rcv_q_drop++;
		r.to = edge;
		fin = false;
	}
	if (fin)
		note_fin(c, r.to);
	if (c->has_rcv_fin && seq_lt(c->rcv_fin, r.to))
		r.to = c->rcv_fin;
	r.from = seq_max(r.from, c->rcv_nxt);

	if (s->len)
		text = s->text + seq_diff(r.from, begin);
	if (!seq_lt(r.from, r.to)) { /* nothing new, or a FIN alone */
		if (!fin_reached(c))
			rcv_ack_again(c);
	} else if (!has_memory(c, (uint32_t)seq_diff(r.to, r.from), seq_eq(r.from, c->rcv_nxt))) {
		c->ack_pending |= ACK_SCHEDULED | ACK_NOW;
	} else if (seq_eq(r.from, c->rcv_nxt)) {
		take_in_order(c, s, r.to, text);
	} else {
		rcv_put_aside(c, r, text);
		rcv_tune_aside(c);
		c->ack_pending |=
			ACK_SCHEDULED | ACK_NOW; /* RFC 5681 4.2: a duplicate ACK tells the sender of the gap */
	}
	return fin_reached(c);
}

/* Header prediction: text alone, the next octets, all of it in the window; nothing waits for it, and there is memory. */
static bool is_plain(const struct conn *c, const struct seg *s)
{
	return s->len && !(s->flags & F_FIN) && seq_eq(s->seq, c->rcv_nxt) && !c->n_gaps && !c->has_rcv_fin &&
	       seq_le(seq_add(s->seq, s->len), right_edge(c)) && !rcv_mem_full(c, s->len);
}

bool rcv_text(struct conn *c, const struct seg *s)
{
	if (c->ecn.ok)
		ecn_received(c, s);
	if (!is_plain(c, s))
		return take(c, s);
	rcv_store(c, s->seq, s->text, s->len);
	rcv_hold(c, s->len);
	c->rcv_nxt = seq_add(s->seq, s->len);
	taken(c, s, s->len, s->len);
	return false;
}

/* ---- the application ---- */

uint32_t rcv_unread(const struct conn *c) { return (uint32_t)seq_diff(c->rcv_nxt, c->rcv_read) - fin_taken(c); }

size_t rcv_read(struct conn *c, uint8_t *buf, size_t len, bool peek)
{
	uint32_t unread = rcv_unread(c), at = ring_at(c, c->rcv_read);
	uint32_t n = len < unread ? (uint32_t)len : unread;
	uint32_t first = ring_size(c) - at;

	if (n == 0)
		return 0;
	if (first > n)
		first = n;
	if (buf)
		memcpy(buf, c->rcv_buf + at, first);
	if (buf && first < n)
		memcpy(buf + first, c->rcv_buf, n - first);
	if (peek)
		return n;
	c->rcv_read = seq_add(c->rcv_read, n);
	rcv_let_go(c, n);
	rcv_tune_read(c);
	rcv_ack_read(c);
	return n;
}
