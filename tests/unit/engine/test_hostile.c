/* SPDX-License-Identifier: MIT */
/* Peers that acknowledge what they should not: bounded memory, bounded time, no more sent than an honest one would get. */
#include "base/rng.h"
#include "tests/unit/engine/flight.h"

/* CVE-2019-11477, -11478: SACKs of single segments broke Linux's queue to pieces. Here an entry is never broken. */
TEST(sack_of_each_other_octet__breaks_nothing)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	for (uint32_t i = 0; i + 1 < 10 * MSS; i += 2) {
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 1};

		s.opts.sack[0].from = seq(ISS + 1 + r.shift + i);
		s.opts.sack[0].to = seq(ISS + 1 + r.shift + i + 1);
		rig_in(&r, s);
	}
	assert_int_equal(board_n(&c->board), 10);
	assert_int_equal(c->board.sacked, 0);
	assert_int_equal(c->cc.cwnd, 10);
	rig_drain(&r);
	check_board(&r);
}

/* CVE-2019-11479: the least MSS makes the most segments. What does not fit the scoreboard waits. */
TEST(least_mss__scoreboard_holds_back)
{
	RIG_WITH(r, .cfg.send_buffer = 65536);
	struct conn *c;

	rig_listen(&r, 1);
	r.peer_wnd = 65000;
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = 1, .opts.sack_permitted = true);
	assert_true(rig_out(&r));
	r.shift = r.out.seg.seq.v - ISS;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r.s = la_accept(r.h, r.listener, NULL);
	c = rig_conn(&r);
	assert_int_equal(c->snd_mss, 48); /* Linux's floor */
	c->cc.cwnd = 100000;
	put(&r, 60000);
	rig_drain(&r);
	assert_int_equal(board_n(&c->board), r.e->sent_slots);
	for (uint32_t i = 1; i <= 4000; i++) {
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 1};

		s.opts.sack[0].from = seq(ISS + 1 + r.shift + i);
		s.opts.sack[0].to = seq(ISS + 1 + r.shift + i + 48);
		rig_in(&r, s);
		rig_drain(&r);
		assert_true(board_n(&c->board) <= r.e->sent_slots);
	}
	check_board(&r);
}

/* Savage and others, "TCP congestion control with a misbehaving receiver" (1999), 2.1; RFC 3465: segments count, not ACKs. */
TEST(ack_division__gains_nothing)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	for (uint32_t i = 1; i <= 1000; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + i));
	assert_int_equal(c->cc.cwnd, 11); /* one whole segment was acknowledged, a thousand times */
}

/* 2.2: duplicate ACKs from nothing. Without SACK no more of them count than there are segments in flight. */
TEST(duplicate_acks_without_end__count_what_is_in_flight)
{
	FLIGHT(r, .sack = false);
	struct conn *c = rig_conn(&r);
	unsigned sent = 0;

	fly(&r, 0, 10);
	put(&r, 50 * MSS);
	for (unsigned i = 0; i < 10000; i++) {
		ack_segments(&r, 0);
		while (rig_out(&r))
			sent++;
		assert_true(c->board.sacked < board_n(&c->board));
	}
	assert_true(sent <= 50 + 1);
	assert_true(c->cc.cwnd <= 10);
	check_board(&r);
}

/* 2.3: acknowledgment of what was not sent yet is answered and taken for nothing (RFC 5961 5). */
TEST(optimistic_acks__beyond_what_was_sent__are_nothing)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 4);
	for (uint32_t i = 5; i < 50; i++)
		ack_segments(&r, i);
	assert_true(seq_eq(c->snd_una, at_segment(&r, 0)));
	assert_int_equal(c->cc.cwnd, 10);
	check_board(&r);
}

TEST(sack_of_what_was_not_sent__is_discarded)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	static const uint32_t lies[][2] = {{4, 6}, {2, 5}, {5, 4}, {3, 3}, {UINT32_MAX / MSS, 3}, {10, 20}};

	fly(&r, 0, 4);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		sack_in(&r, 0, lies[i], 1);
	assert_int_equal(c->board.sacked, 0);
	assert_int_equal(c->board.high, c->board.first);
	assert_true(r.e->n.sack_discard >= 4);
	EXPECT_COUNT(&r, fast_retrans, 0);
	check_board(&r);
}

/* A DSACK of what nobody sent twice undoes nothing, however often. */
TEST(dsack_of_what_was_sent_once__undoes_nothing)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 7);
	rig_drain(&r); /* two are sent again */
	ack_segments(&r, 7);
	for (unsigned i = 0; i < 100; i++)
		SACK_IN(&r, 7, 3, 4);
	assert_true(r.e->n.dsack_ignored_dubious >= 90);
	assert_true(c->rec.dsack_dups >= 2);
	assert_true(c->rec.rack.steps <= 2);
	check_board(&r);
}

/* The window comes and goes, with SACKs that reach beyond it. */
TEST(window_games__nothing_beyond_the_window)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	struct rng rng;

	rng_seed(&rng, 3);
	put(&r, 50 * MSS);
	for (unsigned i = 0; i < 3000; i++) {
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .opts.n_sack = 1};
		uint32_t una = c->snd_una.v - r.shift, out = (uint32_t)seq_diff(c->snd_nxt, c->snd_una);
		seq_t before = c->snd_nxt;

		s.ack = seq(una + (rng_below(&rng, 8) ? 0 : (uint32_t)rng_below(&rng, out + 1)));
		r.peer_wnd = (uint16_t)(rng_below(&rng, 3) ? rng_below(&rng, 5000) : 0);
		s.opts.sack[0].from = seq(c->snd_una.v + (uint32_t)rng_below(&rng, out + 2));
		s.opts.sack[0].to = seq(s.opts.sack[0].from.v + (uint32_t)rng_below(&rng, out + 2));
		rig_in(&r, s);
		while (rig_out(&r)) {
			uint32_t end = r.out.seg.seq.v + r.shift + r.out.seg.len;

			if (seq_lt(before, c->snd_nxt))
				assert_true(seq_le(c->snd_nxt, snd_right_edge(c)));
			if (r.out.seg.len &&
			    r.out.seg.seq.v + r.shift != c->snd_una.v) /* the oldest probes a closed window */
				assert_true(seq_le(seq(end), snd_right_edge(c)));
		}
		check_board(&r);
		if (rng_below(&rng, 4) == 0)
			rig_pass(&r, rng_below(&rng, 400) * MS);
		rig_drain(&r); /* what went meanwhile saw another window */
		if (!rig_conn(&r))
			break;
		if (snd_room(c) > 10 * MSS)
			put(&r, 10 * MSS);
	}
}

/*
 * Whatever a peer says: the scoreboard is whole, what is sent again lies in it, and once the peer is honest all arrives.
 * Blocks overlap, repeat, lie, and are taken back; ACKs come late; time passes.
 */
static void any_acks(uint64_t seed, bool sack, bool ts)
{
	FLIGHT(r, .sack = sack, .ts = ts);
	struct conn *c = rig_conn(&r);
	struct rng rng;

	rng_seed(&rng, seed);
	for (unsigned i = 0; i < 1500; i++) {
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1)};
		uint32_t una = c->snd_una.v - r.shift, out = (uint32_t)seq_diff(c->snd_nxt, c->snd_una);

		if (snd_room(c) > 8 * MSS)
			put(&r, 1 + (uint32_t)rng_below(&rng, 8 * MSS));
		while (rig_out(&r))
			;
		s.ack = seq(una + (rng_below(&rng, 3) ? 0 : (uint32_t)rng_below(&rng, out / 2 + 1)) -
			    (rng_below(&rng, 20) ? 0 : (uint32_t)rng_below(&rng, 3 * MSS)));
		s.opts.n_sack = (uint8_t)rng_below(&rng, 4);
		for (unsigned k = 0; k < s.opts.n_sack; k++) {
			s.opts.sack[k].from = seq(c->snd_una.v + (uint32_t)rng_below(&rng, out / MSS + 2) * MSS -
						  (rng_below(&rng, 5) ? 0 : 2 * MSS));
			s.opts.sack[k].to = seq_add(s.opts.sack[k].from, (uint32_t)rng_below(&rng, 4) * MSS);
		}
		rig_in(&r, s);
		if (!rig_conn(&r))
			return;
		check_board(&r);
		assert_true(c->cc.cwnd > 0);
		if (rng_below(&rng, 3) == 0)
			rig_pass(&r, rng_below(&rng, 150) * MS);
		if (rng_below(&rng, 60) == 0)
			rig_pass(&r, 700 * MS);
	}
	for (unsigned i = 0; i < 400 && !seq_eq(c->snd_una, c->snd_end); i++) {
		rig_pass(&r, 1000 * MS);
		rig_drain(&r);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq_sub(c->snd_nxt, r.shift));
		rig_drain(&r);
		check_board(&r);
	}
	assert_true(seq_eq(c->snd_una, c->snd_end));
	assert_int_equal(board_n(&c->board), 0);
}

TEST(any_acks__scoreboard_is_whole)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		any_acks(seed, true, seed % 2);
		any_acks(seed + 1000, false, seed % 2);
	}
}

RUN(T(sack_of_each_other_octet__breaks_nothing), T(least_mss__scoreboard_holds_back), T(ack_division__gains_nothing),
    T(duplicate_acks_without_end__count_what_is_in_flight), T(optimistic_acks__beyond_what_was_sent__are_nothing),
    T(sack_of_what_was_not_sent__is_discarded), T(dsack_of_what_was_sent_once__undoes_nothing),
    T(window_games__nothing_beyond_the_window), T(any_acks__scoreboard_is_whole))
