/* SPDX-License-Identifier: MIT */
/*
 * fuzz_sent.c - the bytes are what a peer and the clock do to one connection that sends: acknowledgements whole and odd, SACK
 * blocks true, overlapping, taken back and made up, windows, ECE, silence. After each the scoreboard must add up, and in the
 * end, when the peer acknowledges everything, nothing may be left.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OPS_MAX = 300,
	PORT = 80,
	PEER_PORT = 4000,
	PEER_ISS = 7000,
	MSS = 100,
	BUFFER = 16384,
	WINDOW = 60000,
	STEPS_MAX = 2000
};

struct fuzz {
	const uint8_t *data;
	size_t left;
	struct la_engine *h;
	struct engine *e;
	nsec_t now;
	la_sock listener, s;
	seq_t iss, snd_una, snd_nxt; /* as the packets told */
	uint32_t tsval, peer_ts, wnd;
	bool sack, ts;
};

static unsigned octet(struct fuzz *f)
{
	if (f->left == 0)
		return 0;
	f->left--;
	return *f->data++;
}

static struct seg segment(const struct fuzz *f, uint8_t flags)
{
	struct seg s = {.src = addr_v4(10, 0, 0, 2), .dst = addr_v4(10, 0, 0, 1), .sport = PEER_PORT, .dport = PORT};

	s.flags = flags;
	s.seq = seq(PEER_ISS + 1);
	s.ack = f->snd_una;
	s.wnd = (uint16_t)f->wnd;
	s.opts.has_ts = f->ts;
	s.opts.tsval = f->peer_ts;
	s.opts.tsecr = f->tsval;
	return s;
}

static void in(struct fuzz *f, const struct seg *s)
{
	uint8_t packet[256];
	size_t len = packet_write(packet, sizeof(packet), s, 0);

	must(len);
	la_input(f->h, f->now, packet, len);
}

/* Up to n packets leave. */
static void out(struct fuzz *f, unsigned n)
{
	static uint8_t buf[2048];
	struct packet p;
	size_t len;

	for (; n > 0 && (len = la_output(f->h, f->now, buf, sizeof(buf))) != 0; n--) {
		must(packet_parse(&p, buf, len, 0) == WIRE_TCP);
		must(!(p.seg.flags & F_RST));
		if (p.seg.flags & F_SYN)
			f->iss = p.seg.seq;
		if (p.seg.opts.has_ts)
			f->tsval = p.seg.opts.tsval;
		for (uint32_t i = 0; i < p.seg.len; i++)
			must(p.seg.text[i] == (uint8_t)(p.seg.seq.v + i - f->iss.v - 1));
		f->snd_nxt = seq_max(f->snd_nxt, seq_add(p.seg.seq, seg_span(&p.seg)));
	}
}

/* ---- the scoreboard adds up ---- */

static void check(const struct fuzz *f)
{
	const struct conn *c = sock_find(f->e, f->s);
	const struct board *b;
	uint32_t sacked = 0, lost = 0, again = 0, timed = 0, listed = 0, high;
	seq_t at;

	must(c != NULL && c->state == ESTABLISHED);
	b = &c->board;
	high = b->first;
	at = board_n(b) ? sent_from(board_at_const(c->sent, b, b->first)) : c->snd_nxt;
	must(seq_le(at, c->snd_una) && board_n(b) <= b->mask + 1);
	for (uint32_t i = b->first; i != b->end; i++) {
		const struct sent *s = board_at_const(c->sent, b, i);

		must(seq_eq(sent_from(s), at) && s->len > 0 && s->at <= f->now);
		must((s->flags & (SENT_SACKED | SENT_LOST)) != (SENT_SACKED | SENT_LOST));
		must(!(s->flags & SENT_LOST) || s->flags & SENT_AGAIN || i - b->first >= b->hint - b->first);
		at = s->to;
		sacked += !!(s->flags & SENT_SACKED);
		lost += !!(s->flags & SENT_LOST);
		again += !!(s->flags & SENT_AGAIN);
		timed += !!(s->flags & SENT_TIMED);
		high = s->flags & SENT_SACKED ? i + 1 : high;
	}
	must(seq_eq(at, c->snd_nxt) || board_n(b) == 0);
	must(lost == b->lost && again == b->again && (!c->sack_ok || sacked == b->sacked));
	must(!c->sack_ok || sacked == 0 || b->high == high);
	must(b->sacked + b->lost <= board_n(b) && board_in_flight(b) <= 2 * board_n(b));
	for (uint16_t i = b->oldest; i != SENT_NONE; i = c->sent[i].newer) {
		const struct sent *s = &c->sent[i];

		must(s->flags & SENT_TIMED && ++listed <= timed);
		must(s->newer == SENT_NONE ? b->newest == i : c->sent[s->newer].at >= s->at);
	}
	must(listed == timed);
	must(c->cc.cwnd >= 1 && c->cc.cwnd <= CC_CWND_MAX);
}

/* ---- what the peer does ---- */

static uint32_t in_flight(const struct fuzz *f) { return (uint32_t)seq_diff(f->snd_nxt, f->snd_una); }

/* Somewhere in what is in flight: mostly where segments meet, sometimes anywhere, sometimes beyond. */
static seq_t place(struct fuzz *f)
{
	unsigned how = octet(f);
	uint32_t n = how % 64 * MSS;

	if (how >= 192)
		n += octet(f);
	if (how < 250 && n > in_flight(f))
		n = in_flight(f);
	return seq_add(f->snd_una, n);
}

static void blocks(struct fuzz *f, struct seg *s, unsigned n)
{
	s->opts.n_sack = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		s->opts.sack[i].from = place(f);
		s->opts.sack[i].to = octet(f) & 1 ? place(f) : seq_add(s->opts.sack[i].from, MSS);
	}
}

static void acknowledge(struct fuzz *f, unsigned how)
{
	struct seg s = segment(f, F_ACK);
	seq_t at = how & 1 ? place(f) : f->snd_una;

	f->peer_ts++;
	s.opts.tsval = f->peer_ts;
	s.opts.tsecr = how & 2 ? f->tsval - octet(f) : f->tsval;
	s.ack = how & 4 && seq_lt(f->iss, seq_sub(at, MSS)) ? seq_sub(at, MSS) : at;
	if (how & 8)
		s.flags |= F_ECE;
	if (how & 16)
		s.wnd = (uint16_t)(octet(f) << 8);
	blocks(f, &s, how >> 5 & 3);
	in(f, &s);
	if (seq_lt(f->snd_una, s.ack) && seq_le(s.ack, f->snd_nxt))
		f->snd_una = s.ack;
}

static void lend(struct fuzz *f, unsigned n)
{
	static uint8_t text[4096];
	const struct conn *c = sock_find(f->e, f->s);

	for (unsigned i = 0; i < n * 16; i++)
		text[i] = (uint8_t)(c->snd_end.v + i - c->iss.v - 1);
	la_send(f->h, f->s, text, n * 16, 0);
}

static void wait(struct fuzz *f, nsec_t to)
{
	f->now = to > f->now ? to : f->now;
	la_advance(f->h, f->now);
}

/* What is not acknowledged, or not sent, has a timer: without one a silent peer would stop everything for ever. */
static void check_alive(struct fuzz *f)
{
	const struct conn *c = sock_find(f->e, f->s);

	out(f, UINT32_MAX);
	if (board_n(&c->board) || snd_unsent(c))
		must(c->timer_at[TIMER_RTX] != NSEC_NEVER);
}

static void knob(struct fuzz *f)
{
	static const char *const names[] = {"net.ipv4.tcp_recovery", "net.ipv4.tcp_early_retrans", "net.ipv4.tcp_frto",
					    "net.ipv4.tcp_retrans_collapse", "net.ipv4.tcp_reordering"};
	unsigned which = octet(f) % ARRAY_LEN(names);
	char value[2] = {(char)('0' + octet(f) % 2 + (which == 4)), 0};

	must(la_knob_set(f->h, names[which], value) == 0);
}

static void operation(struct fuzz *f)
{
	unsigned op = octet(f);

	switch (op % 10) {
	case 0:
		lend(f, octet(f));
		break;
	case 1:
	case 2:
		out(f, 1 + octet(f) % 32);
		break;
	case 3:
		wait(f, f->now + (NSEC_PER_MS << octet(f) % 10));
		break;
	case 4:
		if (la_next_at(f->h) != LA_NEVER)
			wait(f, la_next_at(f->h));
		break;
	case 8:
		check_alive(f);
		break;
	case 9:
		knob(f);
		break;
	default:
		acknowledge(f, octet(f));
	}
}

/* ---- begin and end ---- */

static void open_it(struct fuzz *f, unsigned how)
{
	struct la_endpoint here = {.port = PORT};
	struct seg s;

	f->sack = how & 1;
	f->ts = how & 2;
	f->wnd = WINDOW;
	f->peer_ts = 1;
	here.addr[10] = here.addr[11] = 0xff;
	must(la_knob_set(f->h, "net.ipv4.tcp_congestion_control", how & 4 ? "reno" : "cubic") == 0);
	must(la_knob_set(f->h, "net.ipv4.tcp_retries2", "255") == 0);
	must(la_knob_set(f->h, "net.ipv4.tcp_ecn", "1") == 0);
	f->listener = la_socket(f->h, LA_INET);
	must(la_bind(f->h, f->listener, &here) == 0 && la_listen(f->h, f->listener, 1) == 0);
	s = segment(f, how & 8 ? F_SYN | F_ECE | F_CWR : F_SYN);
	s.seq = seq(PEER_ISS);
	s.opts.has_mss = true;
	s.opts.mss = (uint16_t)(MSS + (f->ts ? 12 : 0));
	s.opts.sack_permitted = f->sack;
	in(f, &s);
	out(f, 1);
	f->snd_una = f->snd_nxt = seq_add(f->iss, 1);
	s = segment(f, F_ACK);
	in(f, &s);
	f->s = la_accept(f->h, f->listener, NULL);
	must(f->s > 0);
}

/* The peer has everything now, and says so. */
static void end_it(struct fuzz *f)
{
	const struct conn *c = sock_find(f->e, f->s);

	for (unsigned i = 0; !seq_eq(c->snd_una, c->snd_end); i++) {
		struct seg s;

		must(i < STEPS_MAX);
		out(f, 64);
		f->peer_ts++;
		f->snd_una = f->snd_nxt;
		f->wnd = WINDOW;
		s = segment(f, F_ACK);
		in(f, &s);
		check(f);
		if (la_next_at(f->h) != LA_NEVER)
			wait(f, la_next_at(f->h));
	}
	must(board_n(&c->board) == 0 && c->board.sacked + c->board.lost + c->board.again == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void *mem;
	const struct la_config cfg = {.seed = {1, 2},
				      .max_sockets = 3,
				      .max_time_wait4 = 4,
				      .max_time_wait6 = 1,
				      .max_addresses = 1,
				      .max_destinations = 2,
				      .max_port_maps = 1,
				      .max_bound = 2,
				      .max_peers = 1,
				      .max_replies = 4,
				      .send_buffer = BUFFER,
				      .receive_buffer = 2048,
				      .now = NSEC_PER_S};
	struct fuzz f = {.data = data, .left = size, .now = cfg.now};
	struct addr a = addr_v4(10, 0, 0, 1);

	if (!mem)
		mem = aligned_alloc(64, (la_size(&cfg) + 63) & ~(size_t)63);
	must(la_init(mem, (la_size(&cfg) + 63) & ~(size_t)63, &cfg, &f.h) == 0);
	f.e = engine_of(f.h);
	must(la_address_add(f.h, a.b) == 0);
	open_it(&f, octet(&f));
	for (unsigned n = 0; f.left && n < OPS_MAX; n++) {
		operation(&f);
		if (!sock_find(f.e, f.s) || sock_find(f.e, f.s)->state != ESTABLISHED)
			return 0; /* given up on */
		check(&f);
	}
	end_it(&f);
	return 0;
}
