/* SPDX-License-Identifier: MIT */
/*
 * fuzz_segments.c - the bytes are operations on one small engine: calls of lastack.h, steps of time, and segments of a peer
 * whose numbers are given relative to what the engine sent last, so that most of them mean something. Nothing may break;
 * octets arrive as they were written, edges and counters agree with what is there, and in the end nothing is left.
 *
 * Both streams are known: octet n of ours is n, and the peer's SYNs end in ff so that its octet is its sequence number.
 */
#include "engine/engine.h"
#include "wire/csum.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 8, FLOWS = 8, OPS_MAX = 400, QUIET_STEPS_MAX = 20000, TEXT_MAX = 3000, PEER_ISN = 0x1ff };

/* A four-tuple as the peer sees it. */
struct flow {
	bool used, v6, has_iss, ts;
	uint16_t our_port, peer_port;
	seq_t iss, snd_nxt, rcv_nxt; /* the engine's, as its last segment told */
	uint32_t tsval, peer_tsval;
};

struct slot {
	la_sock s;
	uint8_t sent, received; /* octets, modulo 256 */
};

struct fuzz {
	const uint8_t *data;
	size_t left;
	struct la_engine *h;
	struct engine *e;
	nsec_t now;
	struct slot slot[SLOTS];
	struct flow flow[FLOWS];
	unsigned next_flow, lingering;
	uint64_t sent, sent_rst;
};

static unsigned octet(struct fuzz *r)
{
	if (r->left == 0)
		return 0;
	r->left--;
	return *r->data++;
}

static unsigned number(struct fuzz *r) /* small ones and large ones */
{
	unsigned n = octet(r);

	return n < 128 ? n : (n - 127) * 24;
}

static uint32_t offset(struct fuzz *r) /* of a sequence number: mostly none */
{
	int n = (int8_t)octet(r);

	if (n > 32)
		return (uint32_t)(n - 32) * 90;
	if (n < -32)
		return (uint32_t)((n + 32) * 90);
	return (uint32_t)n;
}

/* ---- addresses ---- */

static struct addr address(bool v6, uint8_t last)
{
	uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};

	return v6 ? addr_from_v6(a) : addr_v4(10, 0, 0, last);
}

static struct la_endpoint endpoint(bool v6, uint8_t last, uint16_t port)
{
	struct addr a = address(v6, last);
	struct la_endpoint ret = {.port = port};

	memcpy(ret.addr, a.b, sizeof(ret.addr));
	return ret;
}

/* ---- what the engine sends ---- */

static struct flow *flow_of(struct fuzz *r, bool v6, uint16_t our_port, uint16_t peer_port)
{
	struct flow *f;

	for (unsigned i = 0; i < FLOWS; i++) {
		f = &r->flow[i];
		if (f->used && f->v6 == v6 && f->our_port == our_port && f->peer_port == peer_port)
			return f;
	}
	f = &r->flow[r->next_flow++ % FLOWS];
	*f = (struct flow){
		.used = true, .v6 = v6, .our_port = our_port, .peer_port = peer_port, .rcv_nxt = seq(PEER_ISN + 1)};
	return f;
}

static void look(struct fuzz *r, const struct seg *s)
{
	struct flow *f = flow_of(r, !addr_is_v4(&s->src), s->sport, s->dport);

	r->sent_rst += (s->flags & F_RST) != 0;
	if (s->flags & F_SYN) {
		must(s->len == 0 && s->opts.has_mss);
		f->iss = s->seq;
		f->has_iss = true;
		f->snd_nxt = seq_add(s->seq, 1);
	}
	for (unsigned i = 0; i < s->opts.n_sack; i++)
		must(seq_lt(s->opts.sack[i].from, s->opts.sack[i].to));
	if (s->tos & 3) /* ECT(0), on text that was never sent before */
		must((s->tos & 3) == 2 && s->len && !(f->has_iss && seq_lt(s->seq, f->snd_nxt)));
	for (uint32_t i = 0; f->has_iss && i < s->len; i++)
		must(s->text[i] == (uint8_t)(s->seq.v + i - f->iss.v - 1));
	if (!(s->flags & F_RST))
		f->snd_nxt = seq_max(f->snd_nxt, seq_add(s->seq, seg_span(s)));
	if (s->flags & F_ACK)
		f->rcv_nxt = s->ack;
	if (s->opts.has_ts)
		f->tsval = s->opts.tsval;
}

static void drain(struct fuzz *r)
{
	static uint8_t buf[2048];
	struct packet p;
	size_t len;

	while ((len = la_output(r->h, r->now, buf, sizeof(buf))) != 0) {
		must(len <= r->e->cfg.mtu);
		must(packet_parse(&p, buf, len, r->e->cfg.checksums_done ? PACKET_NO_TCP_CSUM : 0) == WIRE_TCP);
		must(addrs_find(r->e->addrs, &p.seg.src) >= 0);
		r->sent++;
		look(r, &p.seg);
	}
}

static void events(struct fuzz *r)
{
	struct la_event ev;

	while (la_event(r->h, &ev)) {
		must(ev.sock > 0);
		if (ev.events == LA_LINGERED)
			must(r->lingering-- != 0);
	}
}

/* ---- what must agree ---- */

static void check_gauges(const struct fuzz *r)
{
	int64_t there[N_STATES] = {0}, told[N_STATES] = {0};
	struct la_time_wait record;
	uint64_t cursor = 0;

	for (uint32_t i = 0; i < r->e->n_conns; i++)
		there[r->e->conns[i].state]++;
	while (la_time_wait_next(r->h, &cursor, &record))
		there[record.fin_wait_2 ? FIN_WAIT_2 : TIME_WAIT]++;
	for (unsigned i = 0; i < N_EDGES; i++) {
		int64_t n = (int64_t)r->e->edge_count[i];

		told[edges[i].from] -= n;
		told[edges[i].to] += i == TW_REOPEN ? 0 : n; /* the child goes there by F5_05 */
	}
	for (enum state st = SYN_SENT; st < N_STATES; st++)
		must(there[st] == told[st]);
}

static void check(const struct fuzz *r)
{
	const struct counters *n = &r->e->n;
	struct la_usage u;

	la_usage(r->h, &u);
	must(u.embryonic <= u.connections && u.connections + u.listeners <= u.sockets);
	must(u.orphans <= u.connections && u.sockets <= r->e->cfg.max_sockets && u.timers <= u.sockets);
	must(u.replies <= r->e->cfg.max_replies);
	must(n->in_errs <= n->in_segs && n->in_csum_errors <= n->in_errs);
	check_gauges(r);
}

static void check_sent(const struct fuzz *r) /* when nothing waits to be sent */
{
	const struct counters *n = &r->e->n;

	must(n->out_segs <= r->sent && r->sent <= n->out_segs + n->retrans_segs);
	must(n->out_rsts == r->sent_rst);
}

/* ---- calls ---- */

static void keep(struct slot *at, la_sock s)
{
	if (s > 0)
		*at = (struct slot){.s = s};
}

static struct slot *free_slot(struct fuzz *r)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (r->slot[i].s == 0)
			return &r->slot[i];
	return NULL;
}

static void end_handle(struct fuzz *r, struct slot *at, bool gently)
{
	if (at->s > 0)
		r->lingering += gently ? la_close(r->h, at->s) == -EINPROGRESS : la_abort(r->h, at->s) == -EINPROGRESS;
	at->s = 0;
}

static void call_connect(struct fuzz *r, struct slot *at, unsigned how)
{
	struct la_endpoint to = endpoint(how & 1, 2, (uint16_t)(1 + (how >> 1) % 4));

	if (la_connect(r->h, at->s, &to) == -EINPROGRESS)
		at->sent = at->received = 0;
}

static void call_send(struct fuzz *r, struct slot *at)
{
	uint8_t text[TEXT_MAX + 128];
	unsigned n = number(r);
	int64_t took;

	for (unsigned i = 0; i < n; i++)
		text[i] = (uint8_t)(at->sent + i);
	took = la_send(r->h, at->s, text, n, octet(r) & 1 ? LA_MORE : 0);
	must(took <= (int64_t)n);
	at->sent = (uint8_t)(at->sent + (took > 0 ? took : 0));
}

static void call_recv(struct fuzz *r, struct slot *at)
{
	uint8_t text[TEXT_MAX + 128];
	unsigned n = number(r), peek = octet(r) & 1;
	int64_t got = la_recv(r->h, at->s, text, n, peek ? LA_PEEK : 0);

	must(got <= (int64_t)n);
	for (int64_t i = 0; i < got; i++)
		must(text[i] == (uint8_t)(at->received + i));
	if (!peek && got > 0)
		at->received = (uint8_t)(at->received + got);
}

static void call_setsockopt(struct fuzz *r, struct slot *at)
{
	struct la_linger linger;
	enum la_opt opt = (enum la_opt)(octet(r) % LA_N_OPTS);
	int v = (int)octet(r) - 1;

	if (opt == LA_SO_LINGER) {
		linger = (struct la_linger){v & 1, v >> 1};
		la_setsockopt(r->h, at->s, opt, &linger, sizeof(linger));
		return;
	}
	if (opt == LA_TCP_USER_TIMEOUT)
		v *= 100;
	else if (opt == LA_IP_LOCAL_PORT_RANGE)
		v = (int)(40001U | 40002U << 16);
	la_setsockopt(r->h, at->s, opt, &v, sizeof(v));
}

/* What only tells, and SO_ERROR, which takes. */
static void ask(struct fuzz *r, const struct slot *at, unsigned how)
{
	struct la_endpoint name;
	struct la_tcp_info info;
	uint8_t value[8];
	size_t len = sizeof(value);

	la_getsockopt(r->h, at->s, (enum la_opt)(how % LA_N_OPTS), value, &len);
	la_getsockname(r->h, at->s, &name);
	la_getpeername(r->h, at->s, &name);
	la_tcp_info(r->h, at->s, &info);
	must(la_poll(r->h, at->s) < 2 * LA_LINGERED);
}

static void knob(struct fuzz *r)
{
	static const char *const settings[][2] = {
		{"engine.policy", "rfc9293"},
		{"engine.policy", "linux-2.6"},
		{"engine.policy", "linux-4.12"},
		{"engine.policy", "linux-6.18"},
		{"engine.tw_full", "skip"},
		{"engine.tw_full", "refuse"},
		{"engine.tw_full", "recycle-oldest"},
		{"engine.tw_restore", "1"},
		{"engine.time_wait_ms", "0"},
		{"engine.time_wait_ms", "3000"},
		{"net.ipv4.tcp_tw_reuse", "1"},
		{"net.ipv4.tcp_tw_reuse_delay", "1"},
		{"net.ipv4.tcp_syncookies", "0"},
		{"net.ipv4.tcp_syncookies", "2"},
		{"net.ipv4.tcp_timestamps", "0"},
		{"net.ipv4.tcp_timestamps", "1"},
		{"net.ipv4.tcp_max_orphans", "1"},
		{"net.ipv4.tcp_max_tw_buckets", "2"},
		{"net.ipv4.tcp_fin_timeout", "61"},
		{"net.ipv4.tcp_fin_timeout", "3"},
		{"net.ipv4.tcp_abort_on_overflow", "1"},
		{"net.ipv4.tcp_invalid_ratelimit", "0"},
		{"net.ipv4.tcp_rfc1337", "1"},
		{"net.ipv4.ip_local_port_range", "40000 40000"},
		{"net.ipv4.tcp_orphan_retries", "1"},
		{"net.ipv4.tcp_sack", "0"},
		{"net.ipv4.tcp_sack", "1"},
		{"net.ipv4.tcp_dsack", "0"},
		{"net.ipv4.tcp_ecn", "0"},
		{"net.ipv4.tcp_ecn", "1"},
		{"net.ipv4.tcp_congestion_control", "reno"},
		{"net.ipv4.tcp_congestion_control", "cubic"},
		{"net.ipv4.tcp_retries2", "1"},
	};
	const char *const *one = settings[octet(r) % ARRAY_LEN(settings)];

	must(la_knob_set(r->h, one[0], one[1]) == 0);
}

/* ---- the peer ---- */

static void in(struct fuzz *r, const struct seg *s)
{
	uint8_t packet[TEXT_MAX + 256];
	size_t len = packet_write(packet, sizeof(packet), s, 0);

	must(len);
	la_input(r->h, r->now, packet, len);
}

/* Blocks of what the engine sent, most of the time, and an ECN field. */
static void sack_and_ecn(struct fuzz *r, const struct flow *f, struct seg *s)
{
	unsigned what = octet(r);

	s->tos = what & 3;
	s->opts.n_sack = (uint8_t)((what >> 2) % (SACK_BLOCKS_MAX + 1));
	for (unsigned i = 0; i < s->opts.n_sack; i++) {
		s->opts.sack[i].from = seq_sub(f->snd_nxt, number(r) + offset(r));
		s->opts.sack[i].to = seq_add(s->opts.sack[i].from, number(r));
	}
}

static void options(struct fuzz *r, struct flow *f, struct seg *s, unsigned which)
{
	s->opts.has_ts = which & 1;
	f->ts = s->opts.has_ts;
	f->peer_tsval += which & 2 ? 0 : 1;
	s->opts.tsval = f->peer_tsval - (which & 4 ? octet(r) : 0);
	s->opts.tsecr = s->flags & F_ACK ? f->tsval + (which & 8 ? octet(r) : 0) : 0;
	s->opts.has_mss = which & 16;
	s->opts.has_wscale = which & 32;
	s->opts.sack_permitted = which & 64;
	if (which & 48) {
		s->opts.mss = (uint16_t)(octet(r) * 8);
		s->opts.wscale = (uint8_t)(octet(r) % 16);
	}
	if (which & 128)
		sack_and_ecn(r, f, s);
}

static struct seg segment_of(const struct flow *f, uint8_t flags)
{
	return (struct seg){.src = address(f->v6, 2),
			    .dst = address(f->v6, 1),
			    .sport = f->peer_port,
			    .dport = f->our_port,
			    .flags = flags,
			    .wnd = 4096,
			    .seq = f->rcv_nxt,
			    .ack = f->snd_nxt};
}

/* Completes it and hands it in: the octets are their numbers. */
static void complete(struct fuzz *r, struct seg *s)
{
	static uint8_t text[TEXT_MAX + 128];
	bool syn = s->flags & F_SYN;

	if (syn)
		s->seq = seq(s->seq.v | 0xff);
	for (uint32_t i = 0; i < s->len; i++)
		text[i] = (uint8_t)(s->seq.v + syn + i);
	s->text = s->len ? text : NULL;
	in(r, s);
}

static void segment(struct fuzz *r, bool plain)
{
	struct flow *f = &r->flow[octet(r) % FLOWS];
	struct seg s;

	if (!f->used)
		return;
	s = segment_of(f, (uint8_t)octet(r));
	if (plain) {
		s.opts.has_ts = f->ts;
		s.opts.tsval = ++f->peer_tsval;
		s.opts.tsecr = f->tsval;
		s.len = s.flags & F_PSH ? number(r) : 0;
		if (s.flags & F_SYN)
			s.seq = seq_sub(s.seq, 1);
	} else {
		s.seq = seq_add(s.seq, offset(r));
		s.ack = seq_add(s.ack, offset(r));
		s.wnd = (uint16_t)(octet(r) << 4);
		s.urg = s.wnd;
		options(r, f, &s, octet(r));
		s.len = number(r);
	}
	complete(r, &s);
}

static void syn(struct fuzz *r)
{
	unsigned what = octet(r);
	struct flow *f = flow_of(r, what & 1, what & 2 ? 81 : 80, (uint16_t)(1 + (what >> 2) % 4));
	struct seg s = segment_of(f, F_SYN);

	if (what & 64)
		s.flags |= F_ECE | F_CWR;
	s.seq = seq_add(s.seq, octet(r) << 8);
	options(r, f, &s, octet(r));
	complete(r, &s);
}

/* ---- packets written by hand ---- */

static void ipv4_in(struct fuzz *r, uint8_t protocol, const uint8_t *carried, size_t len)
{
	uint8_t packet[IPV4_HEADER_LEN + 256] = {0x45, [8] = 64, [12] = 10, [15] = 2, [16] = 10, [19] = 1};
	uint16_t csum;

	must(len <= 256);
	packet[3] = (uint8_t)(len + IPV4_HEADER_LEN);
	packet[2] = (uint8_t)((len + IPV4_HEADER_LEN) >> 8);
	packet[9] = protocol;
	csum = csum_fold(csum_add(0, packet, IPV4_HEADER_LEN));
	memcpy(packet + 10, &csum, sizeof(csum));
	memcpy(packet + IPV4_HEADER_LEN, carried, len);
	la_input(r->h, r->now, packet, IPV4_HEADER_LEN + len);
}

static void icmp(struct fuzz *r)
{
	const struct flow *f = &r->flow[octet(r) % FLOWS];
	uint8_t message[8 + IPV4_HEADER_LEN + TCP_HEADER_LEN] = {(uint8_t)octet(r), (uint8_t)(octet(r) % 17)};
	struct seg s = {.src = address(false, 1), .dst = address(false, 2), .flags = F_ACK};
	uint16_t csum;

	if (!f->used || f->v6)
		return;
	s.sport = f->our_port;
	s.dport = f->peer_port;
	s.seq = seq_sub(f->snd_nxt, octet(r));
	must(packet_write(message + 8, sizeof(message) - 8, &s, 0));
	csum = csum_fold(csum_add(0, message, sizeof(message)));
	memcpy(message + 2, &csum, sizeof(csum));
	ipv4_in(r, 1, message, sizeof(message));
}

static void raw(struct fuzz *r)
{
	uint8_t octets[128];
	unsigned len = octet(r) % sizeof(octets), how = octet(r);

	for (unsigned i = 0; i < len; i++)
		octets[i] = (uint8_t)octet(r);
	if (how & 1)
		la_input(r->h, r->now, octets, len);
	else
		ipv4_in(r, how & 2 ? 6 : (uint8_t)how, octets, len);
}

/* ---- time ---- */

static void advance(struct fuzz *r, nsec_t to)
{
	if (to > r->now)
		r->now = to;
	la_advance(r->h, r->now);
	must(la_next_at(r->h) > r->now); /* so few records and timers are all done in one call */
}

/* ---- one run ---- */

static void call(struct fuzz *r, unsigned which)
{
	struct slot *at = &r->slot[octet(r) % SLOTS];
	unsigned how = octet(r);
	struct la_endpoint here = endpoint(how & 1, how & 2 ? 1 : 0, (uint16_t)(how & 4 ? 80 + (how >> 3) % 2 : 0));

	if (!(how & 2)) /* any address */
		memset(here.addr, 0, sizeof(here.addr));
	switch (which) {
	case 0:
		if (at->s == 0)
			keep(at, la_socket(r->h, how & 1 ? LA_INET6 : LA_INET));
		break;
	case 1:
		la_bind(r->h, at->s, &here);
		break;
	case 2:
		la_listen(r->h, at->s, (int)(how % 4));
		break;
	case 3:
		call_connect(r, at, how);
		break;
	case 4:
		if (free_slot(r))
			keep(free_slot(r), la_accept(r->h, at->s, NULL));
		break;
	case 5:
		call_send(r, at);
		break;
	case 6:
		call_recv(r, at);
		break;
	case 7:
		la_shutdown(r->h, at->s, (int)(how % 3));
		break;
	case 8:
		end_handle(r, at, how & 3);
		break;
	case 9:
		ask(r, at, how);
		call_setsockopt(r, at);
		break;
	}
}

static void operation(struct fuzz *r)
{
	unsigned op = octet(r), which = (op & 127) % 20;

	switch (which) {
	case 10:
		advance(r, r->now + (NSEC_PER_MS << octet(r) % 20));
		break;
	case 11:
		if (la_next_at(r->h) != LA_NEVER)
			advance(r, la_next_at(r->h));
		break;
	case 12:
		knob(r);
		break;
	case 13:
		syn(r);
		break;
	case 14:
	case 15:
		segment(r, true);
		break;
	case 16:
	case 17:
		segment(r, false);
		break;
	case 18:
		icmp(r);
		break;
	case 19:
		raw(r);
		break;
	default:
		call(r, which);
	}
	if (op & 128) /* later */
		return;
	drain(r);
	events(r);
	check(r);
	check_sent(r);
}

static void come_to_rest(struct fuzz *r)
{
	static const struct la_usage none;
	struct la_usage u;
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		end_handle(r, &r->slot[i], true);
	for (;;) {
		drain(r);
		events(r);
		if (la_next_at(r->h) == LA_NEVER)
			break;
		advance(r, la_next_at(r->h));
		must(++n < QUIET_STEPS_MAX);
	}
	check(r);
	check_sent(r);
	la_usage(r->h, &u);
	must(memcmp(&u, &none, sizeof(u)) == 0);
	must(r->lingering == 0);
}

static void init(struct fuzz *r, unsigned how)
{
	static void *mem;
	static size_t size;
	struct la_config cfg = {.seed = {1, 2},
				.max_sockets = 10,
				.max_time_wait4 = 6,
				.max_time_wait6 = 3,
				.max_addresses = 2,
				.max_destinations = 3,
				.max_port_maps = 1,
				.max_bound = 4,
				.max_peers = 2,
				.max_replies = 3,
				.send_buffer = 4096,
				.receive_buffer = 2048,
				.now = NSEC_PER_S};

	cfg.checksums_done = how & 1;
	if (how & 2)
		cfg.mtu = 600;
	if (how & 4)
		cfg.receive_buffer = 131072;
	if (la_size(&cfg) > size) {
		free(mem);
		size = la_size(&cfg);
		mem = aligned_alloc(64, size);
	}
	must(la_init(mem, size, &cfg, &r->h) == 0);
	r->e = engine_of(r->h);
	r->now = cfg.now;
	must(la_address_add(r->h, address(false, 1).b) == 0);
	must(la_address_add(r->h, address(true, 1).b) == 0);
	must(la_knob_set(r->h, "net.ipv4.ip_local_port_range", "40000 40003") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz r = {.data = data, .left = size};

	init(&r, octet(&r));
	for (unsigned n = 0; r.left && n < OPS_MAX; n++)
		operation(&r);
	come_to_rest(&r);
	return 0;
}
