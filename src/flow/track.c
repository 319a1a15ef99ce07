/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "flow/track.h"

/*
 * Numbers further off than this from what was sent before belong to somebody else. Windows end at 2^30 (RFC 7323 2.3).
 */
enum { FAR = 1 << 30 };
enum { TRIES_OF_TIMEOUT = 3, PROBES_OF_TIMEOUT = 2 };
#define PROBE_NS (NSEC_PER_S / 2) /* keep-alive probes are a second apart at least, as Linux counts (TCP_KEEPINTVL) */
#define OVERTAKEN_NS (3 * NSEC_PER_MS) /* a hole filled sooner was one of order, as Wireshark takes it too */
#define IDLE_NS NSEC_PER_S /* silences shorter than this are not told */
#define SILENT_NS (130 * NSEC_PER_S)
#define UNANSWERED_NS (3 * NSEC_PER_S) /* a SYN; it was sent again after 1 s (RFC 6298 2) */
#define DOUBLE_US UINT32_C(1000000) /* a segment captured twice: both within this */
#define DOUBLE_PLAIN_US UINT32_C(5000) /* the same, where nothing in it would tell it from one sent again */

static enum side other(enum side s) { return s == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT; }

static struct ip model_ip(const struct addr *a) { return addr_is_v4(a) ? ip_v4(a->b + 12) : ip_v6(a->b); }

/* Octets, without what SYN and FIN take. */
static seq_t text_from(const struct frame *fr) { return fr->flags & F_SYN ? seq_add(fr->seq, 1) : fr->seq; }
static seq_t text_to(const struct frame *fr) { return seq_add(text_from(fr), fr->len); }

static bool has_far(const struct half *h, seq_t s)
{
	int32_t d = seq_diff(s, h->max);

	return d > FAR || d < -FAR;
}

static void half_begin(struct half *h, seq_t first)
{
	h->known = true;
	h->first = h->next = h->max = h->acked = first;
}

static bool is_over(const struct conn *c) { return c->first != SIDE_NONE; }

/* ---- captured twice ---- */

static uint32_t mark_of(const struct frame *fr)
{
	uint64_t a = (uint64_t)fr->seq.v << 32 | fr->ack.v,
		 b = (uint64_t)fr->tsval << 32 | (uint32_t)fr->id << 16 | fr->wnd;

	a = (a ^ (uint64_t)fr->len << 8 ^ fr->flags) * UINT64_C(0x9e3779b97f4a7c15);
	b = (b ^ a >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)((a ^ b) >> 32);
}

/* A segment sent again has another identification or a later timestamp; one without either is taken for one sent again soon. */
static bool is_double(struct half *h, const struct frame *fr, nsec_t at)
{
	const uint32_t within = fr->id || fr->tsval ? DOUBLE_US : DOUBLE_PLAIN_US;
	const uint32_t mark = mark_of(fr), at_us = (uint32_t)(at / 1000);

	for (size_t i = 0; i < RECENT_MAX; i++)
		if (h->recent[i].mark == mark && at_us - h->recent[i].at_us <= within)
			return true;
	h->recent[h->next_recent] = (struct recent){mark, at_us};
	h->next_recent = (uint8_t)((h->next_recent + 1) % RECENT_MAX);
	return false;
}

/* ---- holes ---- */

static void hole_add(struct half *h, seq_t from, seq_t to, nsec_t at)
{
	if (h->n_holes == HOLES_MAX) { /* the oldest is given up */
		memmove(h->holes, h->holes + 1, sizeof(h->holes) - sizeof(h->holes[0]));
		h->n_holes--;
	}
	h->holes[h->n_holes++] = (struct hole){from, to, at};
}

/* Old octets: true if they come so late into a hole, or into none, that they were sent again. */
static bool is_sent_again(struct half *h, seq_t from, seq_t to, nsec_t at)
{
	for (unsigned i = 0; i < h->n_holes; i++) {
		struct hole *o = &h->holes[i];
		bool late = at > o->at + OVERTAKEN_NS;

		if (seq_lt(from, o->from) || seq_lt(o->to, to))
			continue;
		if (seq_eq(from, o->from))
			o->from = to;
		else
			o->to = from; /* what follows it counts as sent again when it comes */
		if (seq_eq(o->from, o->to))
			*o = h->holes[--h->n_holes];
		return late;
	}
	return true;
}

/* ---- the end ---- */

static void over(struct flow *f, enum side by, bool reset)
{
	struct conn *c = &f->rec->conn;

	if (is_over(c))
		return;
	c->first = by;
	c->unanswered = reader_unanswered(&f->rec->reader, c, by, reset);
}

/* Text of that side was read: what its FIN overtook was said before it. */
static void read_on(struct flow *f, enum side by)
{
	struct conn *c = &f->rec->conn;

	if (c->first == by && c->fin[by] && !c->rst[by])
		c->unanswered = reader_unanswered(&f->rec->reader, c, by, false);
}

/* What the other side said after a FIN that is known only now: accepted, or still to be answered. */
static void said_since(struct flow *f, enum side closer)
{
	const struct half *peer = &f->half[other(closer)];
	struct conn *c = &f->rec->conn;

	if (peer->acks && seq_eq(peer->acked, peer->max))
		c->half_close_data = c->last_data[other(closer)];
	else
		f->late_at = c->last_data[other(closer)];
}

/* The number that was not captured was its FIN: text of one octet is rare, and nothing came after it. */
static void infer_fin(struct flow *f, enum side by)
{
	struct half *h = &f->half[by];
	struct conn *c = &f->rec->conn;

	if (h->fin || !h->one_unseen)
		return;
	h->fin = h->fin_unseen = true;
	c->fin[by] = h->unseen_at;
	c->bytes[by]--;
	if (h->unseen_late)
		c->seen |= SEEN_VAGUE;
	if (!is_over(c) && c->last_data[other(by)] >= h->unseen_at)
		said_since(f, by);
	over(f, by, false);
}

/* ---- acknowledgements ---- */

/* That side sent more after the other's FIN, so its own was not before that one. data: accepted at that time; 0: none. */
static void went_on(struct flow *f, enum side by, nsec_t data)
{
	if (f->rec->conn.first != other(by))
		return;
	f->unsure = false;
	if (data)
		f->rec->conn.half_close_data = data;
}

/* What was not captured was sent all the same. */
static void note_unseen(struct flow *f, enum side sender, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[sender];
	struct conn *c = &f->rec->conn;

	h->tail_unseen = true;
	h->one_unseen = seq_eq(fr->ack, seq_add(h->max, 1));
	h->unseen_at = at;
	h->unseen_late = frame_span(fr) != 0;
	c->bytes[sender] += (uint32_t)seq_diff(fr->ack, h->max);
	c->seen |= SEEN_HOLES;
	h->max = fr->ack;
	if (is_over(c)) {
		went_on(f, sender, h->one_unseen ? 0 : at);
		infer_fin(f, sender);
	} else if (!h->one_unseen) {
		c->last_data[sender] = at;
	}
}

/* The side whose octets these are has been heard up to here. */
static void note_ack(struct flow *f, enum side sender, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[sender];
	struct conn *c = &f->rec->conn;
	seq_t ack = fr->ack, next;

	if (!h->known)
		half_begin(h, ack);
	if (has_far(h, ack))
		return;
	if (seq_lt(h->max, ack))
		note_unseen(f, sender, fr, at);
	next = h->next;
	stream_heard(f, sender, ack);
	if (!seq_eq(next, h->next))
		read_on(f, sender);
	if (h->acks && seq_le(ack, h->acked))
		return;
	h->acks = true;
	h->acked = ack;
	h->tries = 0;
	if (f->trial.gap && f->trial.by == sender && seq_le(f->trial.to, ack)) {
		if (f->trial.gap > c->idle_survived)
			c->idle_survived = f->trial.gap;
		f->trial.gap = 0;
	}
	if (f->late_at && c->first == other(sender) && seq_lt(f->late_from, ack)) {
		c->half_close_data = f->late_at;
		f->late_at = 0;
	}
}

/* ---- text ---- */

static void try_after_silence(struct flow *f, enum side by, seq_t to, nsec_t at)
{
	nsec_t gap = at > f->last ? at - f->last : 0;

	if (gap < IDLE_NS || is_over(&f->rec->conn) || f->trial.gap)
		return;
	f->trial.gap = gap;
	f->trial.by = by;
	f->trial.to = to;
}

static void new_text(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;
	struct half *h = &f->half[by];
	seq_t from = text_from(fr), to = text_to(fr);

	if (seq_lt(h->max, from))
		hole_add(h, h->max, from, at);
	try_after_silence(f, by, to, at);
	c->bytes[by] += (uint32_t)seq_diff(to, h->max);
	h->max = to;
	h->tail_unseen = h->one_unseen = false;
	went_on(f, by, 0);
	if (c->first == other(by) && tls_is_alert((struct text_span){fr->text, fr->kept, fr->len})) {
		f->late_alert = true;
	} else if (c->first == other(by) && !f->late_at) {
		f->late_at = at;
		f->late_from = from;
	}
}

/* A keep-alive asks with the last octet again, or none (RFC 9293 3.8.4); a probe of a closed window with the next one. */
static bool is_probe(const struct flow *f, enum side by, const struct frame *fr)
{
	const struct half *h = &f->half[by];

	if (fr->len != 1 || fr->flags & (F_SYN | F_FIN))
		return false;
	return f->half[other(by)].zero_wnd || (h->acks && seq_eq(h->acked, h->max));
}

/*
 * They ask with the number before the next one, when all has been acknowledged; with an octet one looks like text sent again.
 * Captured twice one counts once.
 */
static void count_probe(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[by];
	bool acked = h->acks && seq_eq(h->acked, h->max);

	f->half[other(by)].probes = 0;
	if (!seq_eq(seq_add(fr->seq, 1), h->max) || fr->len > (acked ? 1U : 0U) || fr->flags & (F_SYN | F_FIN))
		h->probes = 0;
	else if (at > f->last + PROBE_NS && h->probes < PROBES_OF_TIMEOUT)
		h->probes++;
}

static void old_segment(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[by];

	if (fr->len && seq_eq(text_to(fr), h->max))
		h->tail_unseen = h->one_unseen = false;
	if (is_probe(f, by, fr))
		return;
	if (fr->len && !is_sent_again(h, text_from(fr), text_to(fr), at))
		return;
	f->rec->conn.retransmits[by]++;
	if (h->tries < UINT16_MAX)
		h->tries++;
}

/* ---- FIN ---- */

static void take_fin(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;
	struct half *h = &f->half[by], *peer = &f->half[other(by)];

	h->fin_unseen = false;
	if (h->fin)
		return;
	infer_fin(f, other(by));
	if (seq_lt(h->max, text_to(fr))) {
		hole_add(h, h->max, text_to(fr), at);
		c->bytes[by] += (uint32_t)seq_diff(text_to(fr), h->max);
		went_on(f, by, at);
	}
	if (seq_le(h->max, text_to(fr)))
		went_on(f, by, 0);
	h->fin = true;
	h->max = seq_add(text_to(fr), 1);
	c->fin[by] = at;
	f->unsure |= !is_over(c) && peer->tail_unseen;
	if (peer->fin && fr->flags & F_ACK && seq_lt(fr->ack, peer->max))
		c->crossed = true;
	over(f, by, false);
}

/* Data are late for the one who closed first; the other one, who sent them, answers nothing with a RST. */
static enum rst_kind kind_of(const struct flow *f, enum side by, const struct frame *fr)
{
	const struct half *own = &f->half[by], *peer = &f->half[other(by)];
	const seq_t peer_text = peer->fin ? seq_sub(peer->max, 1) : peer->max;

	if ((f->late_at || f->late_alert) && own->fin && f->rec->conn.first == by)
		return RST_LATE_DATA;
	if (!(fr->flags & F_ACK)) /* it answers a segment (RFC 9293 3.10.7.1); who closes sets ACK */
		return own->fin || peer->fin ? RST_OTHER : RST_NO_SOCKET;
	if (peer->known && seq_lt(fr->ack, peer_text))
		return RST_UNREAD;
	if (own->acks && seq_lt(own->acked, own->fin ? seq_sub(own->max, 1) : own->max))
		return RST_CUT;
	return own->fin || peer->fin ? RST_OTHER : RST_CLEAN;
}

/* ---- a RST that may not have been the end ---- */

/* Text before it, of either side, was not captured yet. */
static bool is_after_gap(const struct flow *f, enum side by, const struct frame *fr)
{
	const struct half *own = &f->half[by], *peer = &f->half[other(by)];

	return (own->known && seq_lt(own->max, fr->seq)) ||
	       (fr->flags & F_ACK && peer->known && seq_lt(peer->max, fr->ack));
}

/* What the receiver waits for, or the end of all that was sent: a reset of one's own has that number. */
static bool is_expected(const struct half *h, seq_t s) { return !h->acks || seq_eq(s, h->acked) || seq_eq(s, h->max); }

/* False: it is to be taken as it is. */
static bool rst_doubt(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	const struct half *own = &f->half[by], *peer = &f->half[other(by)];
	struct conn *c = &f->rec->conn, *end;

	if (is_over(c) || !own->known || own->one_unseen || peer->one_unseen || is_expected(own, fr->seq))
		return false;
	if (f->doubt)
		return true;
	f->doubt = *f->held_all < HELD_ALL_MAX ? malloc(sizeof(*f->doubt)) : NULL;
	if (!f->doubt)
		return false;
	*f->held_all += sizeof(*f->doubt);
	*f->doubt = (struct doubt){.conn = *c, .by = by};
	end = &f->doubt->conn;
	end->rst[by] = at;
	end->rst_kind = kind_of(f, by, fr);
	end->first = by;
	end->unanswered = reader_unanswered(&f->rec->reader, c, by, true);
	if (is_after_gap(f, by, fr))
		end->seen |= SEEN_VAGUE;
	if (f->trial.gap && f->trial.by == other(by))
		end->idle_failed = f->trial.gap;
	return true;
}

static void doubt_drop(struct flow *f)
{
	if (!f->doubt)
		return;
	*f->held_all -= sizeof(*f->doubt);
	free(f->doubt);
	f->doubt = NULL;
}

/* A segment after that RST. */
static void doubt_weigh(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct doubt *d = f->doubt;
	struct conn *end = &d->conn;
	const struct half *h = &f->half[by];
	bool new = frame_span(fr) && seq_lt(h->max, seq_add(text_to(fr), (fr->flags & F_FIN) != 0));

	if (by != d->by) {
		if (new && fr->len && end->rst_kind == RST_CLEAN)
			end->rst_kind = RST_UNREAD;
		if (d->went_on && fr->flags & F_ACK && seq_lt(d->from, fr->ack))
			doubt_drop(f);
	} else if (new && !d->went_on && at > end->rst[by] + OVERTAKEN_NS) {
		d->went_on = true;
		d->from = h->max;
	}
}

/* It was the end. What was sent since then counts as such. */
static void doubt_settle(struct flow *f)
{
	struct conn *c = &f->rec->conn, *end = &f->doubt->conn;

	for (int s = 0; s < 2; s++) {
		end->bytes[s] = c->bytes[s];
		end->retransmits[s] = c->retransmits[s];
		end->fin[s] = c->fin[s];
	}
	end->end = c->end;
	end->seen |= c->seen & SEEN_HOLES;
	*c = *end;
	f->late_at = f->trial.gap = 0;
	f->late_alert = f->unsure = false;
	doubt_drop(f);
}

/* ---- RST ---- */

/* A SYN's answer has the SYN's acknowledgement; a client that is told of an old connection resets that one only. */
static enum track reset_opening(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;
	const struct half *client = &f->half[SIDE_CLIENT];

	if (by == SIDE_CLIENT || !(fr->flags & F_ACK) || !seq_eq(fr->ack, client->max))
		return TRACK_IGNORED;
	c->rst[by] = at;
	c->rst_kind = RST_REFUSED;
	over(f, by, true);
	return TRACK_CLOSED;
}

/* The FIN of the one who resets was not captured; what the other side said since is what the RST answers. */
static void infer_fin_before_rst(struct flow *f, enum side by)
{
	struct conn *c = &f->rec->conn;
	const struct half *h = &f->half[by];

	if (!h->one_unseen || h->fin || is_over(c))
		return;
	infer_fin(f, by);
	f->trial.gap = 0; /* somebody had closed */
}

/* The other side said nothing to several probes: the kernel gives up as after retransmissions, and nobody has closed. */
static bool gives_up(const struct flow *f, enum side by, nsec_t at)
{
	return f->half[by].probes >= PROBES_OF_TIMEOUT && at > f->last + PROBE_NS && !is_over(&f->rec->conn);
}

static enum track take_rst(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;
	struct half *h = &f->half[by];

	if (f->stage == STAGE_OPENING)
		return reset_opening(f, by, fr, at);
	if (h->known && has_far(h, fr->seq))
		return TRACK_IGNORED;
	if (rst_doubt(f, by, fr, at))
		return TRACK_ON;
	if (f->doubt)
		doubt_settle(f);
	if (c->rst[by])
		return TRACK_CLOSED;
	infer_fin(f, other(by));
	infer_fin_before_rst(f, by);
	c->rst[by] = at;
	if (gives_up(f, by, at)) {
		f->timed_out = true;
		c->rst_kind = RST_OTHER;
		return TRACK_CLOSED;
	}
	if (!c->rst[other(by)]) {
		c->rst_kind = kind_of(f, by, fr);
		if (c->rst_kind == RST_LATE_DATA)
			c->late_data = f->late_at;
	}
	if (f->trial.gap && f->trial.by == other(by)) {
		c->idle_failed = f->trial.gap;
		f->trial.gap = 0;
	}
	over(f, by, true);
	return TRACK_CLOSED;
}

/* The peer still sends what the one who closed does not want: its RST was on the way, or is the answer to it. */
static void text_after_rst(struct flow *f, enum side by)
{
	struct conn *c = &f->rec->conn;

	if (c->rst_kind == RST_CLEAN && c->rst[other(by)] && !c->rst[by])
		c->rst_kind = RST_UNREAD;
}

/* ---- segments ---- */

/* A segment of a connection that was not open yet, without SYN: its SYN-ACK was not captured, or it has no part in this. */
static bool open_unseen(struct flow *f, enum side by, const struct frame *fr)
{
	const struct half *client = &f->half[SIDE_CLIENT];

	if (!(fr->flags & F_ACK))
		return false;
	if (by == SIDE_SERVER && !seq_eq(fr->ack, client->max)) /* a challenge ACK of an old connection (RFC 5961 4) */
		return false;
	f->stage = STAGE_LIVE;
	f->rec->conn.seen |= SEEN_HOLES;
	f->syn_at = 0;
	return true;
}

/* The three of the handshake. False: it has no part in this connection. */
static bool open_segment(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[by], *peer = &f->half[other(by)];
	struct conn *c = &f->rec->conn;

	if (!(fr->flags & F_SYN)) {
		if (f->stage == STAGE_OPENING)
			return open_unseen(f, by, fr);
		if (by == SIDE_CLIENT && f->syn_at) {
			c->rtt = at > f->syn_at ? at - f->syn_at : 0;
			f->syn_at = 0;
		}
		return true;
	}
	if (h->known && !seq_eq(seq_add(fr->seq, 1), h->first))
		return false;
	if (h->known) { /* again */
		f->syn_at = 0;
		return true;
	}
	if (fr->flags & F_ACK && peer->known && !seq_eq(fr->ack, peer->first))
		return false;
	half_begin(h, seq_add(fr->seq, 1));
	if (by == SIDE_CLIENT && !(fr->flags & F_ACK))
		f->syn_at = at;
	if (fr->flags & F_ACK || peer->known)
		f->stage = STAGE_LIVE;
	return true;
}

void track_begin(struct flow *f, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;

	for (int s = 0; s < 2; s++) {
		c->addr[s] = model_ip(&f->addr[s]);
		c->port[s] = f->port[s];
	}
	c->local = c->first = SIDE_NONE;
	c->start = c->end = at;
	f->stage = STAGE_LIVE;
	if (fr->flags & F_SYN) {
		c->seen = SEEN_SYN;
		f->stage = STAGE_OPENING;
	}
}

static bool both_closed(const struct flow *f)
{
	const struct half *a = &f->half[0], *b = &f->half[1];

	return a->fin && b->fin && a->acks && b->acks && seq_eq(a->acked, a->max) && seq_eq(b->acked, b->max);
}

static void take_text(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	if (f->rec->conn.rst_kind != RST_NONE)
		text_after_rst(f, by);
	new_text(f, by, fr, at);
}

static enum track take(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[by];
	seq_t next = h->next;
	bool fresh = (fr->flags & F_SYN && !h->known) || (fr->flags & F_FIN && (!h->fin || h->fin_unseen));

	if (frame_span(fr) && is_double(h, fr, at))
		return TRACK_DOUBLE;
	if (fr->flags & F_RST)
		return take_rst(f, by, fr, at);
	if (!open_segment(f, by, fr, at))
		return TRACK_IGNORED;
	if (!h->known)
		half_begin(h, fr->seq);
	if (has_far(h, fr->seq))
		return TRACK_IGNORED;
	if (f->doubt)
		doubt_weigh(f, by, fr, at);
	if (fr->flags & F_ACK)
		note_ack(f, other(by), fr, at);
	h->zero_wnd = fr->wnd == 0;
	count_probe(f, by, fr, at);
	if (fr->len && seq_lt(h->max, text_to(fr)) && !h->fin)
		take_text(f, by, fr, at);
	else if (frame_span(fr) && !fresh)
		old_segment(f, by, fr, at);
	if (fr->len && (!is_over(&f->rec->conn) || f->rec->conn.first == by))
		stream_text(f, by, fr, at);
	if (!seq_eq(next, h->next))
		read_on(f, by);
	if (fr->flags & F_FIN)
		take_fin(f, by, fr, at);
	return f->rec->conn.rst_kind != RST_NONE || both_closed(f) ? TRACK_CLOSED : TRACK_ON;
}

enum track track_segment(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct conn *c = &f->rec->conn;
	bool open = !is_over(c), gap = is_after_gap(f, by, fr);
	enum track t = take(f, by, fr, at);

	if (open && gap && is_over(c))
		c->seen |= SEEN_VAGUE;

	if (t == TRACK_DOUBLE)
		return t;
	if (at > c->end)
		c->end = at;
	if (at > f->last)
		f->last = at;
	return t;
}

/* Nobody acknowledges, and it is no longer tried, as Linux's longest pause between two tries is 120 s. */
static bool gave_up(const struct flow *f, enum side by, nsec_t now)
{
	const struct half *h = &f->half[by];

	return h->tries >= TRIES_OF_TIMEOUT && !(h->acks && seq_eq(h->acked, h->max)) && now > f->last + SILENT_NS;
}

static bool open_failed(const struct flow *f, nsec_t now)
{
	return f->rec->conn.rst_kind == RST_REFUSED ||
	       (f->stage == STAGE_OPENING && now > f->rec->conn.start + UNANSWERED_NS);
}

void track_drop(struct flow *f)
{
	stream_end(f);
	doubt_drop(f);
}

void track_end(struct flow *f, nsec_t now)
{
	struct conn *c = &f->rec->conn;

	if (f->doubt && !both_closed(f))
		doubt_settle(f);
	track_drop(f);
	if (f->unsure || f->timed_out)
		c->first = SIDE_NONE;
	if (f->late_at && !c->late_data) /* its answer was not captured */
		c->seen |= SEEN_VAGUE;
	if (f->trial.gap && f->half[f->trial.by].tries >= TRIES_OF_TIMEOUT)
		c->idle_failed = f->trial.gap;
	if (open_failed(f, now)) {
		c->how = END_FAILED_OPEN;
	} else if ((c->rst[0] || c->rst[1]) && !f->timed_out) {
		c->how = END_RST;
	} else if (c->fin[0] && c->fin[1]) {
		c->how = END_FIN;
	} else if (f->timed_out || gave_up(f, SIDE_CLIENT, now) || gave_up(f, SIDE_SERVER, now)) {
		c->how = END_TIMEOUT;
	} else {
		c->how = END_OPEN;
		c->end = now > c->end ? now : c->end;
		return;
	}
	c->seen |= SEEN_END;
}
