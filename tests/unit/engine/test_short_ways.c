/* SPDX-License-Identifier: MIT */
/*
 * Header prediction (src/engine/README.md) may save work and nothing else. Wherever a short way is taken both are, from the same memory, and
 * all of the engine's memory must be the same after the one as after the other. The traffic is chance's; each seed is another story.
 *
 * The modules with a short way are compiled into this test, so that it stands in front of them; the library's own are not linked then.
 */
#include "base/rng.h"
#include "engine/seg_other.h"
#include "tests/unit/engine/flow.h"

void snd_ack_itself(struct conn *c, const struct seg *s);
bool rcv_text_itself(struct conn *c, const struct seg *s);
void seg_arrives_other_itself(struct conn *c, struct seg *s);

#define is_plain is_plain_ack
#define snd_ack snd_ack_itself
#include "engine/snd.c" /* NOLINT(bugprone-suspicious-include) */
#undef is_plain
#undef snd_ack
#define is_plain is_plain_text
#define rcv_text rcv_text_itself
#include "engine/rcv.c" /* NOLINT(bugprone-suspicious-include) */
#undef is_plain
#undef rcv_text
#define is_plain is_plain_segment
#define seg_arrives_other seg_arrives_other_itself
#include "engine/seg_other.c" /* NOLINT(bugprone-suspicious-include) */
#undef is_plain
#undef seg_arrives_other

/* ---- both ways ---- */

enum way { WAY_ACK, WAY_IDLE_ACK, WAY_TEXT, WAY_SEGMENT, N_WAYS };

static const char *const way_names[N_WAYS] = {"ACK", "idle ACK", "text", "segment"};

static struct rig *rig;
static uint64_t seed;
static unsigned compared[N_WAYS];

static uint8_t before[1 << 21], by_long_way[1 << 21], by_short_way[1 << 21];

/* All but the ports that bind() takes, which are most of it and no segment's business. */
static void copy_engine(void *to, const void *from)
{
	size_t binds = (size_t)((const uint8_t *)rig->e->binds - (const uint8_t *)rig->mem);
	size_t rest = binds + binds_size(rig->e->cfg.max_bound);

	assert_true(rig->size <= sizeof(before));
	memcpy(to, from, binds);
	memcpy((uint8_t *)to + rest, (const uint8_t *)from + rest, rig->size - rest);
}

/* What slots of the scoreboard hold that are not in use is nobody's. */
static void blank_unused(struct conn *c)
{
	const struct board *b = &c->board;

	for (uint32_t i = b->end; i != b->first + b->mask + 1; i++)
		memset(board_at(c->sent, b, i), 0, sizeof(struct sent));
}

static void expect_same(enum way way, const struct conn *c)
{
	const uint8_t *now = rig->mem;

	copy_engine(by_short_way, rig->mem);
	if (memcmp(by_short_way, by_long_way, rig->size) == 0)
		return;
	for (size_t i = 0; i < rig->size; i++)
		if (by_short_way[i] != by_long_way[i])
			fail_msg("seed %llu, %s %u: octet %zu differs, the connection begins at %td",
				 (unsigned long long)seed, way_names[way], compared[way], i, (const uint8_t *)c - now);
}

typedef int go(struct conn *c, struct seg *s);

static void compare(enum way way, struct conn *c, const struct seg *s, go *short_way, go *long_way)
{
	struct seg by_long = *s, by_short = *s;
	int ret;

	compared[way]++;
	copy_engine(before, rig->mem);
	ret = long_way(c, &by_long);
	blank_unused(c);
	copy_engine(by_long_way, rig->mem);
	copy_engine(rig->mem, before);
	assert_int_equal(short_way(c, &by_short), ret);
	blank_unused(c);
	expect_same(way, c);
	assert_memory_equal(&by_short, &by_long, sizeof(by_short));
	copy_engine(rig->mem, before);
}

static int ack_short(struct conn *c, struct seg *s)
{
	snd_ack_itself(c, s);
	return 0;
}

static int ack_long(struct conn *c, struct seg *s)
{
	take_ack(c, s);
	return 0;
}

void snd_ack(struct conn *c, const struct seg *s)
{
	if (c->syn_acked && is_plain_ack(c, s))
		compare(WAY_ACK, c, s, ack_short, ack_long);
	else if (c->syn_acked && is_idle_ack(c, s))
		compare(WAY_IDLE_ACK, c, s, ack_short, ack_long);
	snd_ack_itself(c, s);
}

static int text_short(struct conn *c, struct seg *s) { return rcv_text_itself(c, s); }

static int text_long(struct conn *c, struct seg *s)
{
	if (c->ecn.ok)
		ecn_received(c, s);
	return take(c, s);
}

bool rcv_text(struct conn *c, const struct seg *s)
{
	if (is_plain_text(c, s))
		compare(WAY_TEXT, c, s, text_short, text_long);
	return rcv_text_itself(c, s);
}

static int segment_short(struct conn *c, struct seg *s)
{
	begins_there(c, s);
	return NEXT;
}

static int segment_long(struct conn *c, struct seg *s) { return (int)first_to_fourth(c, s); }

void seg_arrives_other(struct conn *c, struct seg *s)
{
	if (is_plain_segment(c, s))
		compare(WAY_SEGMENT, c, s, segment_short, segment_long);
	seg_arrives_other_itself(c, s);
}

/* ---- chance ---- */

enum { SEEDS = 60, STEPS = 300 };

static struct rng rng;

static uint32_t below(uint32_t n) { return rng_below(&rng, n); }
static bool once_in(uint32_t n) { return below(n) == 0; }

/* From the peer: complete but for where it begins and what it acknowledges, which are as they lie in the connection. */
static void send_in(struct seg s, seq_t from, seq_t ack)
{
	s.flags |= F_ACK;
	s.seq = from;
	s.ack = seq_sub(ack, rig->shift);
	if (rig->peer_ts && once_in(20))
		s.opts.tsval = rig->peer_tsval - below(50);
	if (rig->peer_ts && once_in(20))
		s.opts.tsecr = rig->last_tsval - below(50);
	if (once_in(30))
		s.flags |= F_ECE;
	if (once_in(30))
		s.flags |= F_CWR;
	if (once_in(10))
		s.tos = (uint8_t)below(4);
	rig_in(rig, s);
}

/* Somewhere in what is in flight: mostly where a segment ends. */
static seq_t somewhere(const struct conn *c)
{
	uint32_t n = board_n(&c->board);

	if (n && !once_in(8))
		return board_at_const(c->sent, &c->board, c->board.first + below(n))->to;
	return seq_add(c->snd_una, below((uint32_t)seq_diff(c->snd_nxt, c->snd_una) + 1));
}

static void add_sack(const struct conn *c, struct seg *s)
{
	seq_t a = somewhere(c), b = somewhere(c);

	if (seq_eq(a, b))
		return;
	s->opts.n_sack = 1;
	s->opts.sack[0].from = seq_lt(a, b) ? a : b;
	s->opts.sack[0].to = seq_max(a, b);
}

static void ack_in(const struct conn *c)
{
	static const uint16_t windows[] = {0, 700, 4000, 20000, 60000, 60000, 60000, 60000};
	struct seg s = {.len = once_in(4) ? 1 + below(PEER_MSS) : 0};

	if (once_in(4))
		rig->peer_wnd = windows[below(ARRAY_LEN(windows))];
	if (once_in(12))
		add_sack(c, &s);
	send_in(s, c->rcv_nxt, somewhere(c));
}

static void random_text_in(const struct conn *c)
{
	struct seg s = {.len = 1 + below(PEER_MSS), .flags = once_in(3) ? F_PSH : 0};
	seq_t from = c->rcv_nxt;

	if (once_in(8))
		from = seq_add(from, below(3000));
	else if (once_in(8))
		from = seq_sub(from, below(2000));
	if (once_in(150))
		s.flags |= F_FIN;
	send_in(s, from, once_in(2) ? c->snd_una : somewhere(c));
}

/* All is acknowledged, then nobody says anything for so long that a probe asks whether the peer is there. */
static void silence(const struct conn *c)
{
	send_in((struct seg){.len = 0}, c->rcv_nxt, c->snd_nxt);
	rig_drain(rig);
	rig_pass(rig, 1100 * MS + below(2000) * MS);
}

static void step(const struct conn *c)
{
	static uint8_t octets[16384];

	if (once_in(50)) {
		silence(c);
		return;
	}
	switch (below(8)) {
	case 0:
	case 1:
		la_send(rig->h, rig->s, octets, 1 + below(4 * PEER_MSS), once_in(6) ? LA_MORE : 0);
		break;
	case 2:
	case 3:
	case 4:
		ack_in(c);
		break;
	case 5:
		random_text_in(c);
		break;
	case 6:
		rig_pass(rig, below(once_in(20) ? 3000 : 60) * MS + below(1000) * UINT64_C(1000));
		break;
	case 7:
		la_recv(rig->h, rig->s, octets, 1 + below(sizeof(octets)), 0);
		if (once_in(100))
			la_shutdown(rig->h, rig->s, LA_SHUT_WR);
		break;
	}
	if (!once_in(5))
		rig_drain(rig);
}

static void join(struct rig *r)
{
	struct seg syn = {.flags = F_SYN | (once_in(2) ? F_ECE | F_CWR : 0), .seq = seq(IRS)};
	const int on = 1; /* for keepalive also so many seconds */

	syn.opts.has_mss = true;
	syn.opts.mss = once_in(2) ? PEER_MSS : 536;
	syn.opts.sack_permitted = !once_in(8);
	syn.opts.has_wscale = once_in(2);
	syn.opts.wscale = (uint8_t)below(3);
	r->peer_ts = once_in(2);
	rig_listen(r, 1);
	rig_in(r, syn);
	assert_true(rig_out(r));
	r->shift = r->out.seg.seq.v - ISS;
	rig_pass(r, below(200) * MS);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
	rig_drain(r);
	if (once_in(2)) {
		la_setsockopt(r->h, r->s, LA_SO_KEEPALIVE, &on, sizeof(on));
		la_setsockopt(r->h, r->s, LA_TCP_KEEPIDLE, &on, sizeof(on));
		la_setsockopt(r->h, r->s, LA_TCP_KEEPINTVL, &on, sizeof(on));
	}
}

static void story(const char *knobs)
{
	RIG_WITH(r, .knobs = knobs, .cfg.max_sockets = 2, .cfg.send_buffer = once_in(2) ? 32768 : 8192,
		 .cfg.receive_buffer = once_in(2) ? 32768 : 8192);

	rig = &r;
	join(&r);
	for (unsigned n = 0; n < STEPS && rig_conn(&r); n++)
		step(rig_conn(&r));
}

TEST(any_traffic__short_ways__come_to_the_same)
{
	static const char *const knobs[] = {
		"net.ipv4.tcp_ecn = 2",
		"net.ipv4.tcp_congestion_control = reno",
		"net.ipv4.tcp_early_retrans = 0",
		"net.ipv4.tcp_recovery = 6",
		"net.ipv4.tcp_slow_start_after_idle = 0\nnet.ipv4.tcp_reordering = 1",
		"engine.policy = rfc9293",
		"net.ipv4.tcp_shrink_window = 1",
		"net.ipv4.tcp_mem = 1 2 3",
	};

	for (seed = 1; seed <= SEEDS; seed++) {
		rng_seed(&rng, seed);
		story(knobs[seed % ARRAY_LEN(knobs)]);
	}
	assert_in_range(compared[WAY_ACK], 1000, UINT32_MAX);
	assert_in_range(compared[WAY_IDLE_ACK], 1000, UINT32_MAX);
	assert_in_range(compared[WAY_TEXT], 1000, UINT32_MAX);
	assert_in_range(compared[WAY_SEGMENT], 1000, UINT32_MAX);
}

RUN(T(any_traffic__short_ways__come_to_the_same))
