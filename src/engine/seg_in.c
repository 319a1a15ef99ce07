/* SPDX-License-Identifier: MIT */
/*
 * seg_in.c - a packet comes: for whom is it? A connection, a record of the TIME_WAIT store, a listener, nobody; in this
 * order. RFC 9293 3.10.7, with 3.10.7.1 (nobody) and 3.5.2 (how a reset is formed) here; 3.9.2.2 and RFC 5927 for ICMP.
 */
#include "engine/engine.h"

#include <errno.h>

/* ---- replies that belong to no connection ---- */

void reply_seg(struct engine *e, const struct tuple *t, const struct seg *what)
{
	uint32_t at = e->reply_first + e->reply_n;
	struct reply *r;

	if (e->reply_n == e->cfg.max_replies) {
		e->n.la_replies_dropped++;
		return;
	}
	r = &e->replies[at >= e->cfg.max_replies ? at - e->cfg.max_replies : at];
	e->reply_n++;
	r->t = *t;
	r->seg = *what;
	r->seg.src = *addrs_get(e->addrs, t->laddr);
	r->seg.dst = t->raddr;
	r->seg.sport = t->lport;
	r->seg.dport = t->rport;
	r->seg.len = 0;
	r->seg.text = NULL;
}

/* 3.5.2: "If the incoming segment has an ACK field, the reset takes its sequence number from [it]". MUST-never for a RST. */
void reply_rst(struct engine *e, const struct seg *s, const struct tuple *t)
{
	if (s->flags & F_RST)
		return;
	if (s->flags & F_ACK)
		reply_seg(e, t, &(struct seg){.flags = F_RST, .seq = s->ack});
	else
		reply_seg(e, t, &(struct seg){.flags = F_RST | F_ACK, .ack = seq_add(s->seq, seg_span(s))});
}

void reply_ack(const struct conn *c)
{
	struct engine *e = c->eng;
	uint32_t wnd = rcv_window(c) >> c->rcv_wscale;
	struct seg ack = {.flags = F_ACK, .seq = c->snd_nxt, .ack = c->rcv_nxt};

	ack.wnd = (uint16_t)(wnd > UINT16_MAX ? UINT16_MAX : wnd);
	ack.opts.has_ts = c->ts_ok;
	ack.opts.tsval = ts_clock_ms(e) + c->ts_offset;
	ack.opts.tsecr = c->ts_recent;
	reply_seg(e, &c->t, &ack);
}

/* ---- 3.10.7.1: no connection ---- */

void seg_arrives_closed(struct engine *e, const struct seg *s, const struct tuple *t) { reply_rst(e, s, t); }

/* ---- demultiplexing ---- */

static void conn_seg_in(struct conn *c, struct seg *s)
{
	struct engine *e = c->eng;

	c->segs_in++;
	c->data_segs_in += s->len > 0;
	c->last_ack_at = e->now;
	if (c->more)
		nagle_segment_came(c);
	if (c->state == SYN_SENT) {
		seg_arrives_syn_sent(c, s);
		return;
	}
	seg_arrives_other(c, s);
}

/* Segments come in trains, and answers to them: the last two connections are found without a tuple and its hash. */
static struct conn *recent(const struct engine *e, laddr_t laddr, const struct seg *s)
{
	for (size_t i = 0; i < ARRAY_LEN(e->recent); i++) {
		struct conn *c = e->recent[i];

		if (c && c->t.rport == s->sport && c->t.lport == s->dport && c->t.laddr == laddr &&
		    addr_eq(&c->t.raddr, &s->src))
			return c;
	}
	return NULL;
}

/* The connection that is neither of these two. NULL: there is none, and what there is instead has the segment. */
static APART struct conn *find_for_seg(struct engine *e, laddr_t laddr, struct seg *s)
{
	struct tuple t = {.raddr = s->src, .laddr = laddr, .lport = s->dport, .rport = s->sport};
	bool v6 = !addr_is_v4(&s->src), may_be_record;
	struct conn *c;
	uint64_t hash;
	tw_id id;

	if (!addr_is_unicast(&s->src)) { /* MUST-57, MUST-63: nothing but unicast; no connection has such a peer */
		e->n.la_in_bad_ip++;
		return NULL;
	}
	e->n.in_segs++;
	hash = tuple_hash(e->tuple_key, &t);
	may_be_record = tw_may_hold(e, v6, t.lport);
	if (s->flags & F_SYN && may_be_record)
		twstore_prefetch(tw_of(e, v6), hash);
	c = conn_find_for_seg(e, &t, hash);
	if (c)
		return c;
	id = may_be_record ? tw_find(e, v6, &t, hash) : TW_NONE;
	if (id != TW_NONE) {
		tw_seg(e, id, s, &t, hash);
		return NULL;
	}
	c = listener_find(e, &t, hash);
	if (c)
		seg_arrives_listen(c, s, &t, hash, NULL);
	else
		seg_arrives_closed(e, s, &t);
	return NULL;
}

static void tcp_in(struct engine *e, struct seg *s)
{
	int laddr = addrs_find(e->addrs, &s->dst);
	struct conn *c;

	if (laddr < 0) {
		e->n.la_in_bad_ip++;
		return;
	}
	c = recent(e, (laddr_t)laddr, s);
	if (c)
		e->n.in_segs++;
	else
		c = find_for_seg(e, (laddr_t)laddr, s);
	if (c)
		conn_seg_in(c, s);
}

/* ---- ICMP ---- */

struct icmp_meaning {
	int err; /* 0: not for us */
	bool hard; /* RFC 9293 3.9.2.2: SHLD-26 */
};

/* What Linux makes of destination unreachable (icmp_err_convert, icmpv6_err_convert), by code. */
static const struct icmp_meaning unreachable_v4[] = {
	{ENETUNREACH, false},
	{EHOSTUNREACH, false},
	{ENOPROTOOPT, true},
	{ECONNREFUSED, true},
	{0, false} /* fragmentation needed: path MTU, not an error */,
	{EOPNOTSUPP, false},
	{ENETUNREACH, true},
	{EHOSTDOWN, true},
	{ENONET, true},
	{ENETUNREACH, true},
	{EHOSTUNREACH, true},
	{ENETUNREACH, false},
	{EHOSTUNREACH, false},
	{EHOSTUNREACH, true},
	{EHOSTUNREACH, true},
	{EHOSTUNREACH, true},
};
static const struct icmp_meaning unreachable_v6[] = {
	{ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
	{ECONNREFUSED, true}, {EACCES, true}, {EACCES, true},
};

enum { ICMP4_UNREACHABLE = 3, ICMP4_TIME_EXCEEDED = 11, ICMP4_PARAMETER = 12 };
enum { ICMP4_HOST_UNREACHABLE = 1, ICMP4_FRAGMENTATION_NEEDED = 4 }; /* codes */
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3, ICMP6_PARAMETER = 4 };

static struct icmp_meaning icmp_meaning(const struct icmp_error *i)
{
	bool v4 = addr_is_v4(&i->src);

	if (v4 && i->type == ICMP4_UNREACHABLE && i->code < ARRAY_LEN(unreachable_v4))
		return unreachable_v4[i->code];
	if (!v4 && i->type == ICMP6_UNREACHABLE && i->code < ARRAY_LEN(unreachable_v6))
		return unreachable_v6[i->code];
	if (i->type == (v4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED))
		return (struct icmp_meaning){EHOSTUNREACH, false};
	if (i->type == (v4 ? ICMP4_PARAMETER : ICMP6_PARAMETER))
		return (struct icmp_meaning){EPROTO, false};
	return (struct icmp_meaning){
		0, false}; /* source quench must be ignored (MUST-55), packet too big is for path MTU */
}

/*
 * RFC 9293 3.9.2.2: a soft error must not end a connection (MUST-56); it is what a later timeout reports. Linux ends
 * one that is being opened at any of them, so that connect() need not wait. An established one is never ended: anybody
 * could (RFC 5927).
 */
static void icmp_for_conn(struct conn *c, struct icmp_meaning m)
{
	bool ends = m.hard || c->eng->k.policy != POLICY_RFC9293;

	if (c->state == SYN_SENT && ends) {
		conn_end(c, ICMP_SYN_SENT, m.err);
	} else if (c->state == SYN_RECEIVED && ends) {
		if (c->listener)
			c->eng->n.listen_drops++;
		conn_end(c, ICMP_SYN_RECEIVED, m.err);
	} else {
		c->soft_error = m.err;
	}
}

/*
 * Linux ends a request (a child that is not established) at other errors than a socket: IPv4 3/0, 3/1, 11 and 12
 * (tcp_v4_err), so that no port unreachable does; IPv6 the hard ones and 4 (tcp_v6_err).
 */
static bool linux_ends_request(const struct icmp_error *i, struct icmp_meaning m)
{
	if (!addr_is_v4(&i->src))
		return m.hard || i->type == ICMP6_PARAMETER;
	return i->type != ICMP4_UNREACHABLE || i->code <= ICMP4_HOST_UNREACHABLE;
}

static bool spares_request(const struct conn *c, const struct icmp_error *i, struct icmp_meaning m)
{
	return c->listener && c->state == SYN_RECEIVED && c->eng->k.policy != POLICY_RFC9293 && m.err &&
	       !linux_ends_request(i, m);
}

static bool says_too_big(const struct icmp_error *i)
{
	if (addr_is_v4(&i->src))
		return i->type == ICMP4_UNREACHABLE && i->code == ICMP4_FRAGMENTATION_NEEDED;
	return i->type == ICMP6_TOO_BIG;
}

static void icmp_in(struct engine *e, const struct icmp_error *i)
{
	int laddr = addrs_find(e->addrs, &i->src);
	struct tuple t = {.raddr = i->dst, .lport = i->sport, .rport = i->dport};
	struct icmp_meaning m = icmp_meaning(i);
	struct conn *c = NULL;

	if (laddr >= 0) {
		t.laddr = (laddr_t)laddr;
		c = conn_find(e, &t, tuple_hash(e->tuple_key, &t));
	}
	/* RFC 5927 4.1: about something in flight. A TIME_WAIT has nothing in flight. */
	if (!c || seq_lt(i->seq, c->snd_una) || !seq_lt(i->seq, c->snd_nxt)) {
		e->n.la_icmp_ignored++;
		return;
	}
	if (spares_request(c, i, m)) {
		e->n.la_icmp_ignored++;
		return;
	}
	if (says_too_big(i) && !pmtu_too_big(c, i->mtu)) {
		e->n.la_icmp_ignored++;
		return;
	}
	e->n.la_icmp_errors++;
	if (m.err)
		icmp_for_conn(c, m);
}

/* ---- the packet ---- */

static void count_ecn(struct counters *n, bool v4, unsigned field)
{
	switch (field) {
	case ECN_NOT_ECT:
		n->in_no_ect += v4;
		n->in6_no_ect += !v4;
		return;
	case ECN_ECT1:
		n->in_ect1 += v4;
		n->in6_ect1 += !v4;
		return;
	case ECN_ECT0:
		n->in_ect0 += v4;
		n->in6_ect0 += !v4;
		return;
	case ECN_CE:
		n->in_ce += v4;
		n->in6_ce += !v4;
		return;
	}
}

static bool says_icmp(const uint8_t *packet, size_t len) /* of a packet whose checksum is wrong */
{
	enum { V4_PROTOCOL_AT = 9, V6_NEXT_AT = 6, ICMP = 1, ICMP6 = 58 };

	if (len < IPV4_HEADER_LEN)
		return false;
	return packet[0] >> 4 == 4 ? packet[V4_PROTOCOL_AT] == ICMP : packet[V6_NEXT_AT] == ICMP6;
}

static void bad_segment(struct engine *e, bool checksum)
{
	e->n.in_segs++;
	e->n.in_errs++;
	e->n.in_csum_errors += checksum;
}

static COLD void not_tcp_in(struct engine *e, const struct packet *p, const uint8_t *packet, size_t len)
{
	bool v4 = len && packet[0] >> 4 == 4;

	if (p->verdict != WIRE_BAD_IP)
		count_ecn(&e->n, v4, (v4 ? packet[1] : packet[1] >> 4) & ECN_MASK);
	switch (p->verdict) {
	case WIRE_ICMP_ERROR:
		icmp_in(e, &p->icmp);
		return;
	case WIRE_OTHER:
		e->n.la_in_other++;
		return;
	case WIRE_FRAGMENT:
		e->n.la_fragments++;
		return;
	case WIRE_BAD_IP:
		e->n.la_in_bad_ip++;
		return;
	case WIRE_BAD_TCP:
		bad_segment(e, false);
		return;
	case WIRE_BAD_CSUM:
		if (says_icmp(packet, len))
			e->n.la_in_other++;
		else
			bad_segment(e, true);
		return;
	case WIRE_TCP:
	case N_WIRE_VERDICTS:
		break;
	}
	must_not_reach("a verdict of packet_parse() that is none");
}

void seg_in(struct engine *e, const uint8_t *packet, size_t len)
{
	struct packet p;

	if (packet_parse(&p, packet, len, e->cfg.checksums_done ? PACKET_NO_TCP_CSUM : 0) != WIRE_TCP) {
		not_tcp_in(e, &p, packet, len);
		return;
	}
	if (packet[0] >> 4 == 4 && (p.seg.tos & ECN_MASK) == ECN_NOT_ECT) /* most */
		e->n.in_no_ect++;
	else
		count_ecn(&e->n, packet[0] >> 4 == 4, p.seg.tos & ECN_MASK);
	tcp_in(e, &p.seg);
}
