/* SPDX-License-Identifier: MIT */
/* rcv.c - what was received: text in order and out of order (RFC 9293 3.10.7.4 seventh, SHLD-31), and when to acknowledge it (3.8.6.3). */
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

/* Nothing beyond is taken: what we announced, and never more than there is room for. */
static seq_t right_edge(const struct conn *c)
{
	seq_t room = seq_add(c->rcv_read, ring_size(c));

	return seq_lt(c->rcv_adv, room) ? c->rcv_adv : room;
}

static bool fin_taken(const struct conn *c) { return c->has_rcv_fin && seq_lt(c->rcv_fin, c->rcv_nxt); }

/* A FIN that cannot be, since octets beyond it are here, is none. The first one that can be counts. */
static void note_fin(struct conn *c, seq_t at)
{
	seq_t last = c->n_gaps ? c->gaps[c->n_gaps - 1].to : c->rcv_nxt;

	if (c->has_rcv_fin || seq_lt(at, last))
		return;
	c->has_rcv_fin = true;
	c->rcv_fin = at;
}

/* ---- acknowledgement ---- */

/* RFC 5681 4.2: for every second full-sized segment, by octets as Linux; else within engine.delayed_ack_ms. */
static void ack_in_order(struct conn *c)
{
	c->ack_pending = 1;
	if (c->quickack || (uint32_t)seq_diff(c->rcv_nxt, c->last_ack_sent) > c->rcv_mss)
		out_ack_now(c);
	else if (c->timer_at[TIMER_DELACK] == NSEC_NEVER)
		timer_set(c, TIMER_DELACK, c->eng->now + (nsec_t)c->eng->k.delayed_ack_ms * NSEC_PER_MS);
}

static void take_in_order(struct conn *c, seq_t to, const uint8_t *text)
{
	uint32_t len = (uint32_t)seq_diff(to, c->rcv_nxt);
	bool fills_gap = c->n_gaps > 0;

	if (len > c->rcv_mss && len <= c->adv_mss)
		c->rcv_mss = (uint16_t)len;
	if (fills_gap) {
		seq_t from = c->rcv_nxt;

		rcv_take_and_absorb(c, (struct run){from, to}, text);
		c->bytes_received += (uint32_t)seq_diff(c->rcv_nxt, from);
		out_ack_now(c); /* RFC 5681 4.2: "fills in all or part of a gap" */
	} else {
		rcv_store(c, c->rcv_nxt, text, len);
		c->bytes_received += len;
		c->rcv_nxt = to;
		ack_in_order(c);
	}
	if (!(c->ev_seen & LA_IN))
		event_raise(c);
}

/* s is in the window as far as the first step looked; what is left outside is cut off here (3.10.7.4). */
void rcv_text(struct conn *c, const struct seg *s, bool *ret_fin)
{
	struct run r = {s->seq, seq_add(s->seq, s->len)};
	seq_t edge = right_edge(c), begin = r.from;
	bool fin = s->flags & F_FIN;

	c->last_rcv_at = c->eng->now;
	ecn_received(c, s);
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

	if (!seq_lt(r.from, r.to)) {
		out_ack_now(c); /* nothing new, or a FIN, which is acknowledged in any case */
	} else if (seq_eq(r.from, c->rcv_nxt)) {
		take_in_order(c, r.to, s->text + seq_diff(r.from, begin));
	} else {
		rcv_put_aside(c, r, s->text + seq_diff(r.from, begin));
		out_ack_now(c); /* RFC 5681 4.2: a duplicate ACK tells the sender of the gap */
	}
	*ret_fin = c->has_rcv_fin && seq_eq(c->rcv_fin, c->rcv_nxt);
}

/* ---- the application ---- */

uint32_t rcv_unread(const struct conn *c) { return (uint32_t)seq_diff(c->rcv_nxt, c->rcv_read) - fin_taken(c); }

/* As Linux: an ACK of its own only when the window grows to twice what the peer knows of. */
static bool is_update_worth(const struct conn *c)
{
	int32_t known = seq_diff(c->rcv_adv, c->rcv_nxt);
	uint32_t wnd;

	if (c->state < ESTABLISHED || c->state > FIN_WAIT_2 || fin_taken(c))
		return false;
	wnd = out_rcv_wnd(c);
	return known <= 0 ? wnd > 0 : wnd / 2 >= (uint32_t)known;
}

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
	if (is_update_worth(c))
		out_ack_now(c);
	return n;
}
