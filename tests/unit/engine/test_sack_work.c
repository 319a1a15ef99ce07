/* SPDX-License-Identifier: MIT */
/*
 * What SACKs may cost: steps through the scoreboard, counted, not timed. CVE-2019-11478: a peer of strange SACKs made each ACK walk a long queue
 * from its beginning. Here an honest ACK costs a halving or two, and the worst one a few walks through a ring that is bounded.
 *
 * The modules that walk are compiled into this test with their accessors replaced; the library's own are not linked then.
 */
#include "base/rng.h"
#include "tests/unit/engine/flight.h"

static uint64_t steps;

static struct sent *counted(struct sent *ring, const struct board *b, uint32_t i)
{
	steps++;
	return board_at(ring, b, i);
}

static const struct sent *counted_const(const struct sent *ring, const struct board *b, uint32_t i)
{
	steps++;
	return board_at_const(ring, b, i);
}

static bool counted_after(nsec_t at1, nsec_t at2, seq_t to1, seq_t to2)
{
	steps++;
	return sent_after(at1, at2, to1, to2);
}

#define board_at counted
#define board_at_const counted_const
#define sent_after counted_after /* RACK's walk by time asks it of each */
#include "engine/rack.c" /* NOLINT(bugprone-suspicious-include) */
#include "engine/sack.c" /* NOLINT(bugprone-suspicious-include) */
#include "engine/sent.c" /* NOLINT(bugprone-suspicious-include) */
#undef board_at
#undef board_at_const
#undef sent_after

enum { SEND_BUFFER = 1 << 20, SMALL = 500 };

/* As many segments in flight as the scoreboard holds; none has been acknowledged. How many. */
static uint32_t full_board(struct rig *r)
{
	struct conn *c;
	uint32_t n;

	rig_listen(r, 1);
	r->peer_wnd = UINT16_MAX;
	IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = SMALL, .opts.sack_permitted = true,
	   .opts.has_wscale = true, .opts.wscale = 7);
	assert_true(rig_out(r));
	r->shift = r->out.seg.seq.v - ISS;
	rig_pass(r, RTT_MS * MS);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r->s = la_accept(r->h, r->listener, NULL);
	c = rig_conn(r);
	c->cc.cwnd = 1 << 20;
	n = r->e->sent_slots;
	for (uint32_t i = 0; i < n; i += 100)
		put(r, (n - i < 100 ? n - i : 100) * SMALL);
	while (rig_out(r))
		;
	assert_int_equal(board_n(&c->board), n);
	return n;
}

#define FULL(r, n)                                                                                                     \
	RIG_WITH(r, .cfg.send_buffer = SEND_BUFFER);                                                                   \
	uint32_t n = full_board(&r)

struct ack_of {
	uint32_t before, n_blocks; /* segments; blocks in half segments, so that they may cut one */
	uint32_t half[2 * SACK_BLOCKS_MAX];
};

static seq_t at_half(const struct rig *r, uint32_t half) { return seq(ISS + 1 + r->shift + half * (SMALL / 2)); }

/* Steps that this ACK costs. Nothing is taken from the engine: sending is another matter. */
static uint64_t cost(struct rig *r, const struct ack_of *a)
{
	struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + a->before * SMALL)};

	s.opts.n_sack = (uint8_t)a->n_blocks;
	for (uint32_t i = 0; i < a->n_blocks; i++) {
		s.opts.sack[i].from = at_half(r, a->half[2ul * i]);
		s.opts.sack[i].to = at_half(r, a->half[2ul * i + 1]);
	}
	steps = 0;
	rig_in(r, s);
	return steps;
}

/* A halving of the ring, a few times. */
static uint64_t few(uint32_t n)
{
	uint64_t halving = 2;

	while (n >>= 1)
		halving++;
	return 8 * halving;
}

/* One block grows by a segment each time, beside others that stay: only what is new is looked at. */
TEST(honest_sacks__each_costs_what_it_brings)
{
	FULL(r, n);
	uint64_t all = 0;

	assert_true(n >= 2000);
	for (uint32_t i = 8; i < n; i++) {
		struct ack_of a = {0, 4, {14, 2 * i + 2, 10, 12, 6, 8, 2, 4}};
		uint64_t now = cost(&r, &a);

		if (i > 8)
			assert_true(now <= few(n) + (i == 9 ? n : 0)); /* the first that are lost are found once */
		all += now;
	}
	assert_int_equal(rig_conn(&r)->board.sacked, n - 4);
	assert_true(all >= n); /* it does count */
}

/* What came twice lies at the far end of what was SACKed. */
TEST(dsack__costs_what_it_is_about)
{
	FULL(r, n);
	struct ack_of first = {0, 1, {2, 2 * n}};

	rig_conn(&r)->total_retrans = 1 << 30;
	cost(&r, &first);
	for (uint32_t i = n - 100; i < n; i++) {
		struct ack_of a = {0, 2, {2 * i, 2 * i + 2, 2, 2 * n}};

		assert_true(cost(&r, &a) <= few(n));
	}
	EXPECT_COUNT(&r, dsack_ofo_recv, 100);
}

TEST(acks_without_sack__cost_nothing_here)
{
	FULL(r, n);

	for (uint32_t i = 1; i <= n / 2; i++) {
		struct ack_of a = {.before = i};

		assert_true(cost(&r, &a) <= 4);
	}
}

/* Whatever the blocks are: no more than each block's walk and a DSACK's, and RACK's, through the ring. */
static void any_blocks(struct rig *r, uint32_t n, struct rng *rng, unsigned kind)
{
	for (unsigned i = 0; i < 200; i++) {
		struct ack_of a = {.n_blocks = 4};

		for (unsigned k = 0; k < 4; k++) {
			uint32_t from = (uint32_t)rng_below(rng, 2 * n), len = (uint32_t)rng_below(rng, 2 * n - from);

			if (kind == 0) { /* all of it, in quarters that move by half a segment: nothing is as it was */
				from = k * (n / 2) + i % 2 + 1;
				len = n / 2 - 1;
			} else if (kind == 1) { /* the same ring four times */
				from = 1;
				len = 2 * n - 2;
			} else if (kind == 2 && k > 0) { /* a DSACK of all, in a block of all */
				from = 2;
				len = 2 * n - 2;
			} else if (kind == 3) { /* slices, turned round each time */
				from = 2 + (i % 2 ? 3 - k : k) * 4 + i % 3 * 16;
				len = 2 * n - from - 100 * k;
			}
			a.half[2ul * k] = from;
			a.half[2ul * k + 1] = from + len;
		}
		/* SACK's walk and the DSACK's look at each entry twice, RACK's two at each once. */
		assert_true(cost(r, &a) <= 6 * (uint64_t)n + 5 * few(n));
	}
}

TEST(hostile_sacks__a_few_walks_through_the_ring_at_most)
{
	for (unsigned kind = 0; kind < 5; kind++) {
		FULL(r, n);
		struct rng rng;

		rng_seed(&rng, kind);
		rig_conn(&r)->total_retrans = 1 << 30; /* DSACKs are believed */
		any_blocks(&r, n, &rng, kind);
	}
}

/* CVE-2019-11478: single segments, far from each other, in an order that makes the most holes. Each costs a halving and RACK's look. */
TEST(scattered_sacks__cost_no_walk)
{
	FULL(r, n);
	uint64_t all = 0, most = 0;

	for (uint32_t i = 0; i + 1 < n; i++) {
		uint32_t segment = 1 + (uint32_t)((uint64_t)i * 7919 % (n - 1)); /* a prime: all of them, once */
		struct ack_of a = {0, 1, {2 * segment, 2 * segment + 2}};
		uint64_t now = cost(&r, &a);

		all += now;
		if (now > most)
			most = now;
	}
	assert_int_equal(rig_conn(&r)->board.sacked, n - 1);
	assert_true(most <= 2 * (uint64_t)n + few(n));
	assert_true(all <= n * few(n) + 2 * (uint64_t)n); /* RACK takes the whole ring for lost once, not each time */
}

RUN(T(honest_sacks__each_costs_what_it_brings), T(dsack__costs_what_it_is_about),
    T(acks_without_sack__cost_nothing_here), T(hostile_sacks__a_few_walks_through_the_ring_at_most),
    T(scattered_sacks__cost_no_walk))
