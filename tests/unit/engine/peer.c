/* SPDX-License-Identifier: MIT */
#include "tests/unit/engine/peer.h"
#include "wire/csum.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the engine ---- */

static void traced(void *arg, const struct la_trace *what)
{
	struct rig *r = arg;

	snprintf(r->last_edge, sizeof(r->last_edge), "%s", what->edge);
}

static uint32_t or_else(uint32_t value, uint32_t def) { return value ? value : def; }

static struct la_config config_of(struct rig *r)
{
	struct la_config c = r->opt.cfg;

	c.seed[0] = or_else((uint32_t)c.seed[0], 42);
	c.max_sockets = or_else(c.max_sockets, 16);
	c.max_time_wait4 = or_else(c.max_time_wait4, 64);
	c.max_time_wait6 = or_else(c.max_time_wait6, 64);
	c.max_addresses = or_else(c.max_addresses, 4);
	c.max_destinations = or_else(c.max_destinations, 8);
	c.max_port_maps = or_else(c.max_port_maps, 1);
	c.max_bound = or_else(c.max_bound, 16);
	c.max_peers = or_else(c.max_peers, 16);
	c.max_replies = or_else(c.max_replies, 8);
	c.send_buffer = or_else(c.send_buffer, 8192);
	c.receive_buffer = or_else(c.receive_buffer, 8192);
	c.now = NSEC_PER_S;
	c.trace = traced;
	c.trace_arg = r;
	return c;
}

void rig_init(struct rig *r, const struct rig_opt *opt)
{
	struct la_config c;

	memset(r, 0, offsetof(struct rig, buf));
	memset(r->last_edge, 0, sizeof(r->last_edge));
	r->kept_n = 0;
	r->opt = *opt;
	c = config_of(r);
	r->size = (la_size(&c) + 63) / 64 * 64;
	assert_int_not_equal(r->size, 0);
	r->mem = aligned_alloc(64, r->size);
	assert_non_null(r->mem);
	memset(r->mem, 0xa5, r->size);
	assert_int_equal(la_init(r->mem, r->size, &c, &r->h), 0);
	r->e = engine_of(r->h);
	r->now = c.now;
	if (opt->v6) {
		assert_true(addr_parse("2001:db8::1", &r->at.us));
		assert_true(addr_parse("2001:db8::2", &r->at.peer));
	} else {
		r->at.us = addr_v4(10, 0, 0, 1);
		r->at.peer = addr_v4(10, 0, 0, 2);
	}
	r->at.our_port = RIG_PORT;
	r->at.peer_port = PEER_PORT;
	r->peer_ts = opt->ts;
	r->peer_tsval = 10000;
	r->peer_wnd = WND;
	assert_int_equal(la_address_add(r->h, r->at.us.b), 0);
	if (opt->knobs)
		assert_true(la_knobs_load(r->h, opt->knobs, strlen(opt->knobs), NULL) > 0);
}

void rig_done(struct rig *r) { free(r->mem); }

void rig_knob(struct rig *r, const char *name, const char *value)
{
	assert_int_equal(la_knob_set(r->h, name, value), 0);
}

/* ---- packets ---- */

void rig_in_raw(struct rig *r, const struct seg *seg)
{
	static uint8_t packet[70000];
	struct seg s = *seg;
	size_t len;

	if (s.flags & F_ACK)
		s.ack = seq_add(s.ack, r->shift);
	if (s.len && !s.text)
		for (uint32_t i = 0; i < s.len; i++)
			packet[packet_header_len(&s) + i] = (uint8_t)(s.seq.v + i);
	len = packet_write(packet, sizeof(packet), &s, 0);
	assert_int_not_equal(len, 0);
	la_input(r->h, r->now, packet, len);
}

void rig_in(struct rig *r, struct seg s)
{
	s.src = r->at.peer;
	s.dst = r->at.us;
	s.sport = r->at.peer_port;
	s.dport = r->at.our_port;
	if (!s.wnd)
		s.wnd = r->peer_wnd;
	if (r->peer_ts && !(s.flags & F_RST)) {
		s.opts.has_ts = true;
		if (!s.opts.tsval)
			s.opts.tsval = r->peer_tsval;
		if (!s.opts.tsecr && s.flags & F_ACK)
			s.opts.tsecr = r->last_tsval;
	}
	rig_in_raw(r, &s);
}

static size_t next_packet(struct rig *r)
{
	size_t len;

	if (r->kept_n == 0)
		return la_output(r->h, r->now, r->buf, sizeof(r->buf));
	len = r->kept[0].len;
	memcpy(r->buf, r->kept[0].octets, len);
	memmove(&r->kept[0], &r->kept[1], --r->kept_n * sizeof(r->kept[0]));
	return len;
}

static void keep_packets(struct rig *r)
{
	for (size_t len; (len = la_output(r->h, r->now, r->buf, sizeof(r->buf))) > 0;) {
		if (r->kept_n == ARRAY_LEN(r->kept))
			continue;
		assert_true(len <= sizeof(r->kept[0].octets));
		memcpy(r->kept[r->kept_n].octets, r->buf, len);
		r->kept[r->kept_n++].len = len;
	}
}

bool rig_out(struct rig *r)
{
	size_t len = next_packet(r);

	if (len == 0)
		return false;
	assert_int_equal(packet_parse(&r->out, r->buf, len, 0), WIRE_TCP);
	if (r->out.seg.opts.has_ts)
		r->last_tsval = r->out.seg.opts.tsval;
	r->out.seg.seq = seq_sub(r->out.seg.seq, r->shift);
	return true;
}

void rig_drain(struct rig *r)
{
	for (int i = 0; i < 1000; i++)
		if (!rig_out(r))
			return;
	fail_msg("the engine does not stop sending");
}

static void icmp(struct rig *r, uint8_t type, uint8_t code, seq_t about, uint16_t mtu)
{
	uint8_t inner[200], packet[400] = {0};
	struct seg s = {.src = r->at.us, .dst = r->at.peer, .sport = r->at.our_port, .dport = r->at.peer_port};
	size_t inner_len, header = r->opt.v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN, len;
	uint64_t sum = 0;
	uint16_t csum;

	s.flags = F_ACK;
	s.seq = seq_add(about, r->shift);
	inner_len = packet_write(inner, sizeof(inner), &s, 0);
	s.src = r->at.peer;
	s.dst = r->at.us;
	packet_write(packet, sizeof(packet), &s, 0); /* for its IP header */
	memset(packet + header, 0, 8);
	packet[header] = type;
	packet[header + 1] = code;
	packet[header + 6] = (uint8_t)(mtu >> 8); /* of ICMP and ICMPv6 alike, as long as it is small */
	packet[header + 7] = (uint8_t)mtu;
	memcpy(packet + header + 8, inner, inner_len);
	len = header + 8 + inner_len;
	if (r->opt.v6) {
		packet[5] = (uint8_t)(len - header);
		packet[6] = 58;
		sum = csum_pseudo(&s.src, &s.dst, 58, (uint32_t)(len - header));
	} else {
		packet[3] = (uint8_t)len;
		packet[9] = 1;
		packet[10] = packet[11] = 0;
		csum = csum_fold(csum_add(0, packet, header));
		memcpy(packet + 10, &csum, 2);
	}
	csum = csum_fold(csum_add(sum, packet + header, len - header));
	memcpy(packet + header + 2, &csum, 2);
	la_input(r->h, r->now, packet, len);
}

void rig_icmp(struct rig *r, uint8_t type, uint8_t code, seq_t about) { icmp(r, type, code, about, 0); }

void rig_too_big(struct rig *r, uint16_t mtu, seq_t about)
{
	icmp(r, r->opt.v6 ? 2 : 3, r->opt.v6 ? 0 : 4, about, mtu);
}

void rig_expect_raw(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack)
{
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.flags, flags);
	assert_int_equal(r->out.seg.seq.v + r->shift, seq);
	assert_int_equal(r->out.seg.ack.v, ack);
}

void rig_expect(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	if (!rig_out(r))
		fail_msg("nothing was sent; state %s, last edge %s", state_name(rig_state(r)), r->last_edge);
	assert_int_equal(r->out.seg.flags & ~F_PSH, flags);
	assert_int_equal(r->out.seg.seq.v, seq);
	if (flags & F_ACK)
		assert_int_equal(r->out.seg.ack.v, ack);
	assert_int_equal(r->out.seg.len, len);
}

void rig_expect_silence(struct rig *r)
{
	if (rig_out(r))
		fail_msg("sent: %s", seg_text(&r->out.seg).s);
}

/* ---- time ---- */

void rig_pass(struct rig *r, nsec_t ns)
{
	nsec_t end = r->now + ns, at;

	for (int i = 0; i < 1000000; i++) {
		keep_packets(r);
		at = la_next_at(r->h);
		if (at > end)
			break;
		r->now = at > r->now ? at : r->now;
		la_advance(r->h, r->now);
	}
	assert_true(la_next_at(r->h) > end);
	r->now = end;
	la_advance(r->h, end);
	r->peer_tsval += (uint32_t)(ns / NSEC_PER_MS);
}

/* ---- what is there ---- */

struct tuple rig_tuple(const struct rig *r)
{
	struct tuple t = {.raddr = r->at.peer, .lport = r->at.our_port, .rport = r->at.peer_port};

	t.laddr = (laddr_t)addrs_find(r->e->addrs, &r->at.us);
	return t;
}

struct conn *rig_conn(const struct rig *r)
{
	struct tuple t = rig_tuple(r);

	return conn_find(r->e, &t, tuple_hash(r->e->tuple_key, &t));
}

bool rig_record(const struct rig *r, struct tw_rec *ret)
{
	struct tuple t = rig_tuple(r);
	const struct twstore *tw = tw_of(r->e, r->opt.v6);
	tw_id id = twstore_find(tw, &t, tuple_hash(r->e->tuple_key, &t));

	if (id != TW_NONE)
		twstore_get(tw, id, ret);
	return id != TW_NONE;
}

enum state rig_state(const struct rig *r)
{
	const struct conn *c = rig_conn(r), *s;
	struct tw_rec rec;

	if (c)
		return c->state;
	if (rig_record(r, &rec))
		return rec.kind == TW_TIME_WAIT ? TIME_WAIT : FIN_WAIT_2;
	s = r->s ? conn_of_sock(r->e, r->s) : NULL;
	return s ? s->state : CLOSED;
}

/* ---- the way to a state ---- */

static struct la_endpoint endpoint(const struct addr *a, uint16_t port)
{
	struct la_endpoint ret = {.port = port};

	memcpy(ret.addr, a->b, sizeof(ret.addr));
	return ret;
}

void rig_listen(struct rig *r, int backlog)
{
	struct la_endpoint at = endpoint(&r->at.us, RIG_PORT);

	r->listener = la_socket(r->h, r->opt.v6 ? LA_INET6 : LA_INET);
	assert_true(r->listener > 0);
	assert_int_equal(la_bind(r->h, r->listener, &at), 0);
	assert_int_equal(la_listen(r->h, r->listener, backlog), 0);
}

void rig_syn(struct rig *r)
{
	IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = PEER_MSS);
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.flags, F_SYN | F_ACK);
	assert_int_equal(r->out.seg.ack.v, IRS + 1);
	r->shift += r->out.seg.seq.v - ISS;
}

void rig_handshake(struct rig *r)
{
	rig_syn(r);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
}

static void connect_out(struct rig *r)
{
	struct la_endpoint to = endpoint(&r->at.peer, PEER_PORT);

	r->s = la_socket(r->h, r->opt.v6 ? LA_INET6 : LA_INET);
	assert_true(r->s > 0);
	assert_int_equal(la_connect(r->h, r->s, &to), -EINPROGRESS);
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.flags & ~(F_ECE | F_CWR), F_SYN);
	r->shift = r->out.seg.seq.v - ISS;
	r->at.our_port = r->out.seg.sport;
}

static void established(struct rig *r)
{
	if (r->opt.active) {
		connect_out(r);
		IN(r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_mss = true,
		   .opts.mss = PEER_MSS);
		EXPECT_ACK(r, ISS + 1, IRS + 1);
	} else {
		rig_listen(r, 4);
		rig_handshake(r);
		r->s = la_accept(r->h, r->listener, NULL);
		assert_true(r->s > 0);
	}
	EXPECT_STATE(r, ESTABLISHED);
	EXPECT_SILENCE(r);
}

static void close_ours(struct rig *r, uint32_t ack)
{
	if (r->opt.orphan) {
		assert_int_equal(la_close(r->h, r->s), 0);
		r->s = 0;
	} else {
		assert_int_equal(la_shutdown(r->h, r->s, LA_SHUT_WR), 0);
	}
	EXPECT_SEG(r, F_FIN | F_ACK, ISS + 1, ack, 0);
}

static void fin_in(struct rig *r, uint32_t ack)
{
	IN(r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ack));
	EXPECT_ACK(r, ack, IRS + 2);
}

static void opened_to(struct rig *r, enum state st) /* from ESTABLISHED */
{
	if (st == ESTABLISHED)
		return;
	if (st == CLOSE_WAIT || st == LAST_ACK) {
		fin_in(r, ISS + 1);
		if (st == LAST_ACK)
			close_ours(r, IRS + 2);
		return;
	}
	close_ours(r, IRS + 1);
	if (st == CLOSING) {
		IN(r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
		EXPECT_ACK(r, ISS + 2, IRS + 2);
	} else if (st != FIN_WAIT_1) {
		IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
		if (st == TIME_WAIT)
			fin_in(r, ISS + 2);
	}
}

void rig_to(struct rig *r, enum state st)
{
	switch (st) {
	case CLOSED:
		break;
	case LISTEN:
		rig_listen(r, 4);
		break;
	case SYN_SENT:
		connect_out(r);
		break;
	case SYN_RECEIVED:
		if (r->opt.active) { /* simultaneous open */
			connect_out(r);
			IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = PEER_MSS);
			EXPECT_SEG(r, F_SYN | F_ACK, ISS, IRS + 1, 0);
		} else {
			rig_listen(r, 4);
			rig_syn(r);
		}
		break;
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
	case TIME_WAIT:
		established(r);
		opened_to(r, st);
		break;
	case N_STATES:
		fail_msg("no state");
	}
	EXPECT_SILENCE(r);
	if (st != LISTEN)
		EXPECT_STATE(r, st);
}
