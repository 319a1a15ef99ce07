/* SPDX-License-Identifier: MIT */
/* Loss recovery with SACK: RFC 2018, 6675, 6937, 8985; what Linux 6.18 does where they leave it open. */
#include "tests/unit/engine/flight.h"

/* What a slot of the scoreboard held before is nothing, whatever numbers it has. */
TEST(ack_of_nothing__takes_nothing)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	struct sent *old = board_at(c->sent, &c->board, c->board.first);

	old->to = c->snd_una;
	old->len = 0;
	board_at(c->sent, &c->board, c->board.first + 1)->to = seq_add(c->snd_una, MSS);
	ack_segments(&r, 0);
	assert_int_equal(board_n(&c->board), 0);
	assert_int_equal(c->rec.delivered, 1);
	fly(&r, 0, 1);
	check_board(&r);
}

/* As Linux: what failed is the state that the first timeout of a row found. */
TEST(timeouts_in_a_row__are_one_failure)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	live(&r, 2 * NSEC_PER_S);
	assert_in_range(r.e->n.timeouts, 2, 5);
	EXPECT_COUNT(&r, loss_failures, 0); /* nothing was amiss before the first */
	ack_segments(&r, 1);
	live(&r, 10 * NSEC_PER_S);
	EXPECT_COUNT(&r, loss_failures, 1);
}

/* As Linux: they can be of what was sent before the timeout, and that counts as lost already. */
TEST(timeout_without_sack__duplicates__say_nothing_of_what_is_sent_again)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_frto = 0", .sack = false);
	const struct conn *c = rig_conn(&r);

	fly(&r, 0, 4);
	for (int i = 0; i < 200 && r.e->n.timeouts == 0; i++)
		live(&r, 10 * MS);
	assert_int_equal(c->rec.ca, CA_LOSS);
	for (int i = 0; i < 3; i++)
		ack_segments(&r, 0);
	assert_int_equal(c->board.sacked, 0);
	assert_int_equal(board_in_flight(&c->board), 1);
	EXPECT_COUNT(&r, reno_reorder, 0);
	assert_int_equal(c->rec.reordering, 3);
}

/* ---- SACK ---- */

TEST(sack__is_not_in_flight_and_not_acknowledged)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 6);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 4);
	assert_int_equal(c->board.sacked, 2);
	assert_int_equal(board_in_flight(&c->board), 4);
	assert_int_equal(c->rec.ca, CA_DISORDER);
	assert_true(seq_eq(c->snd_una, at_segment(&r, 0)));
	assert_true(seq_eq(snd_high_sack(c), at_segment(&r, 4)));
	SACK_IN(&r, 0, 2, 4); /* nothing new */
	assert_int_equal(c->board.sacked, 2);
	SACK_IN(&r, 4, 0, 0); /* an empty block, and all below the highest acknowledged */
	assert_int_equal(c->board.sacked, 0);
	assert_int_equal(board_in_flight(&c->board), 2);
	check_board(&r);
}

TEST(sack__part_of_a_segment__is_none_of_it)
{
	FLIGHT(r, .sack = true);
	const struct conn *c = rig_conn(&r);
	struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 1};

	fly(&r, 0, 4);
	s.opts.sack[0].from = seq_add(at_segment(&r, 1), 1);
	s.opts.sack[0].to = seq_sub(at_segment(&r, 3), 1);
	rig_in(&r, s);
	assert_int_equal(c->board.sacked, 0);
	s.opts.sack[0].from = seq_add(at_segment(&r, 1), 1);
	s.opts.sack[0].to = at_segment(&r, 3);
	rig_in(&r, s);
	assert_int_equal(c->board.sacked, 1);
	check_board(&r);
}

/* A block that grows over a segment of which the last one covered a part, at either end. */
TEST(sack__rest_of_a_segment_comes_later__it_is_tagged)
{
	FLIGHT(r, .sack = true);
	const struct conn *c = rig_conn(&r);
	static const uint32_t blocks[][2] = {{1000, 2500}, {1000, 3000}, {4500, 6000}, {3000, 7500}, {3000, 8000}};
	static const uint32_t sacked[] = {1, 2, 3, 6, 7};

	fly(&r, 0, 10);
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 1};

		s.opts.sack[0].from = seq(ISS + 1 + r.shift + blocks[i][0]);
		s.opts.sack[0].to = seq(ISS + 1 + r.shift + blocks[i][1]);
		rig_in(&r, s);
		assert_int_equal(c->board.sacked, sacked[i]);
	}
	rig_drain(&r);
	check_board(&r);
}

TEST(sack__blocks_that_overlap__are_one)
{
	FLIGHT(r, .sack = true);
	const struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	SACK_IN(&r, 0, 5, 10, 2, 4, 4, 6, 3, 9);
	assert_int_equal(c->board.sacked, 8);
	assert_int_equal(c->rec.n_seen, 1);
	rig_drain(&r);
	check_board(&r);
}

TEST(sack__without_the_option__is_ignored)
{
	FLIGHT(r, .sack = false);

	fly(&r, 0, 4);
	SACK_IN(&r, 0, 1, 4);
	assert_int_equal(rig_conn(&r)->board.sacked, 1); /* a duplicate ACK, no more */
	assert_int_equal(r.e->n.sack_discard, 0);
}

TEST(sack__late_ack__its_blocks_count)
{
	FLIGHT(r, .sack = true);
	const struct conn *c = rig_conn(&r);

	fly(&r, 0, 6);
	ack_segments(&r, 2);
	SACK_IN(&r, 1, 4, 5); /* older, but news */
	assert_int_equal(c->board.sacked, 1);
	check_board(&r);
}

/* ---- recovery ---- */

TEST(three_sacked_beyond_a_hole__it_is_sent_again)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 2);
	SACK_IN(&r, 0, 1, 3);
	EXPECT_SILENCE(&r);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	assert_int_equal(c->cc.ssthresh, 7);
	EXPECT_COUNT(&r, sack_recovery, 1);
	EXPECT_COUNT(&r, fast_retrans, 1);
	EXPECT_COUNT(&r, timeouts, 0);
	check_board(&r);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 10);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_in_range(c->cc.cwnd, 7, 8); /* where PRR was to end, and what this ACK lets it grow */
	check_board(&r);
}

/* Ten segments are five packets of two to Linux. */
TEST(both_segments_of_a_packet_again__the_last_carries_psh)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 2, 4, 10);
	expect_segment(&r, 0);
	assert_false(r.out.seg.flags & F_PSH);
	expect_segment(&r, 2);
	assert_false(r.out.seg.flags & F_PSH);
	expect_segment(&r, 3);
	assert_true(r.out.seg.flags & F_PSH);
	EXPECT_SILENCE(&r);
}

TEST(one_segment_of_a_packet_again__no_psh)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 4, 5);
	SACK_IN(&r, 0, 4, 6);
	SACK_IN(&r, 0, 4, 7);
	for (uint32_t i = 0; i < 4; i++) {
		expect_segment(&r, i); /* as many as cwnd lets go at a time: one */
		assert_false(r.out.seg.flags & F_PSH);
		SACK_IN(&r, 0, 4, 8 + i);
	}
}

TEST(many_holes__all_in_one_round_trip)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 9, 10, 7, 8, 5, 6);
	expect_segment(&r, 0);
	rig_drain(&r);
	SACK_IN(&r, 0, 9, 10, 7, 8, 5, 6, 3, 4);
	rig_drain(&r);
	check_board(&r);
	assert_int_equal(rig_conn(&r)->board.lost, 6); /* 0 1 2 4 6 8 */
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 1, 9, 10, 7, 8, 5, 6, 3, 4);
	SACK_IN(&r, 2, 9, 10, 7, 8, 5, 6, 3, 4);
	rig_drain(&r);
	ack_segments(&r, 10);
	EXPECT_COUNT(&r, timeouts, 0);
	assert_true(r.e->n.retrans_segs <= 6);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
}

/* ---- CWR ---- */

/* RFC 3168 6.1.2: once a window. It lasts until something above its end is acknowledged: CWR has to be on its way by then. */
TEST(cwr__ends_above_its_end)
{
	FLIGHT(r, .sack = true, .ecn = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	for (uint32_t i = 1; i <= 10; i++)
		IN(&r, .flags = F_ACK | F_ECE, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + i * MSS));
	assert_int_equal(c->rec.ca, CA_CWR);
	assert_int_equal(c->cc.ssthresh, 7);
	put(&r, MSS);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & F_CWR, F_CWR);
	ack_segments(&r, 11);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_in_range(c->cc.cwnd, 7, 8);
}

/* ---- timeout ---- */

TEST(timeout__what_was_sacked_is_not_sent_again)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_frto = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 6);
	rig_pass(&r, 50 * MS);
	SACK_IN(&r, 0, 4, 5);
	rig_pass(&r, 100 * MS);
	rig_drain(&r); /* RACK's doing: lost too */
	rig_pass(&r, 1000 * MS);
	rig_drain(&r);
	assert_int_equal(c->rec.ca, CA_LOSS);
	assert_int_equal(c->board.sacked, 1);
	for (uint32_t i = 1; i <= 4; i++)
		SACK_IN(&r, i, 4, 5);
	while (rig_out(&r))
		assert_false(r.out.seg.seq.v == ISS + 1 + 4 * MSS);
	check_board(&r);
}

TEST(peer_takes_back_what_it_sacked__everything_is_sent_again) /* RFC 2018 8 */
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_frto = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 6);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 1); /* and not 4: what it had SACKed is gone */
	rig_drain(&r);
	assert_int_equal(c->board.sacked, 3);
	rig_pass(&r, 60 * MS); /* half a round trip, not a timeout */
	EXPECT_COUNT(&r, sack_reneging, 1);
	assert_int_equal(c->board.sacked, 0);
	assert_true(c->rec.reneged);
	expect_segment(&r, 1);
	for (uint32_t i = 2; i <= 6; i++) {
		ack_segments(&r, i);
		rig_drain(&r);
	}
	assert_true(seq_eq(c->snd_una, c->snd_nxt));
	check_board(&r);
}

/* ---- what is sent again ---- */

TEST(small_segments__are_sent_again_as_one)
{
	FLIGHT(r, .sack = true);
	int on = 1;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on)), 0);
	for (uint32_t i = 0; i < 5; i++) {
		put(&r, 100);
		expect_text(&r, i * 100, 100);
	}
	rig_pass(&r, 700 * MS);
	rig_drain(&r);
	assert_int_equal(board_n(&rig_conn(&r)->board), 1);
	assert_int_equal(r.out.seg.len, 500);
	check_board(&r);
	ack(&r, 500);
	assert_int_equal(board_n(&rig_conn(&r)->board), 0);
}

TEST(tcp_retrans_collapse_0__as_they_were)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_retrans_collapse = 0", .sack = true);
	int on = 1;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on)), 0);
	for (uint32_t i = 0; i < 3; i++) {
		put(&r, 100);
		expect_text(&r, i * 100, 100);
	}
	rig_pass(&r, 700 * MS);
	rig_drain(&r);
	assert_int_equal(r.out.seg.len, 100);
	assert_int_equal(board_n(&rig_conn(&r)->board), 3);
}

TEST(segment_longer_than_the_mss_of_now__goes_in_pieces)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_frto = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 2);
	c->snd_mss = 400; /* the path's MTU fell */
	rig_pass(&r, 1000 * MS);
	rig_drain(&r);
	assert_int_equal(r.out.seg.len, 400);
	assert_int_equal(r.out.seg.seq.v, ISS + 1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + 400));
	expect_text(&r, 400, 400);
	rig_drain(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + 800));
	rig_drain(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + 1000));
	rig_drain(&r);
	for (uint32_t at = 1400; at <= 2000; at += at == 1800 ? 200 : 400) {
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + at));
		rig_drain(&r);
	}
	assert_true(seq_eq(c->snd_una, c->snd_nxt));
	assert_int_equal(board_n(&c->board), 0);
}

/* ---- timers ---- */

/* Found by review: what was sent in the batch is acknowledged before the batch ends, and the window is closed. */
TEST(window_closes_within_a_batch__is_probed)
{
	FLIGHT(r, .sack = true);

	put(&r, 2 * MSS);
	assert_true(rig_out(&r));
	ack_wnd(&r, MSS, 0);
	rig_drain(&r);
	assert_int_not_equal(rig_conn(&r)->timer_at[TIMER_RTX], NSEC_NEVER);
	rig_pass(&r, 400 * MS);
	EXPECT_COUNT(&r, win_probe, 1);
}

/* ---- cwnd ---- */

TEST(full_scoreboard__holds_new_text_back)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	int on = 1;
	unsigned sent = 0;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on)), 0);
	c->cc.cwnd = 1000;
	for (uint32_t i = 0; i < 300; i++) {
		put(&r, 1);
		while (rig_out(&r))
			sent++;
	}
	assert_int_equal(sent, r.e->sent_slots); /* 65536 / 512 */
	assert_true(board_is_full(&c->board));
	ack(&r, 10);
	rig_drain(&r);
	assert_int_equal(snd_unsent(c), 0); /* the rest in one */
	check_board(&r);
}

/* ---- reordering ---- */

TEST(sack_fills_a_hole_late__reordering)
{
	FLIGHT(r, .sack = true);
	const struct recovery *k = &rig_conn(&r)->rec;

	fly(&r, 0, 10);
	SACK_IN(&r, 0, 5, 6);
	assert_int_equal(k->reord_seen, 0);
	SACK_IN(&r, 0, 3, 4, 5, 6);
	assert_int_equal(k->reord_seen, 1);
	assert_int_equal(k->reordering, 3);
	SACK_IN(&r, 0, 1, 2, 3, 4, 5, 6);
	assert_int_equal(k->reord_seen, 2);
	assert_int_equal(k->reordering, 5);
	EXPECT_COUNT(&r, sack_reorder, 2);
}

/* What was too long for the path is called lost, and it is no news that some of it arrives late. */
TEST(sack_fills_a_hole_late__path_got_narrower__no_reordering)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	SACK_IN(&r, 0, 5, 6);
	rig_too_big(&r, 600, seq(ISS + 1));
	assert_int_equal(c->rec.ca, CA_LOSS);
	assert_false(c->rec.undo_on);
	SACK_IN(&r, 0, 3, 4, 5, 6);
	assert_int_equal(c->rec.reord_seen, 0);
}

/* Duplicates were there for a fast retransmission and reordering was believed: it was too much. */
TEST(timeout__reordering_was_believed_too_much__falls_back)
{
	for (unsigned dups = 2; dups <= 3; dups++) {
		FLIGHT(r, .sack = false);
		struct conn *c = rig_conn(&r);

		c->rec.reordering = 6;
		fly(&r, 0, 8);
		for (unsigned i = 0; i < dups; i++)
			ack_segments(&r, 0);
		assert_int_equal(c->rec.ca, CA_DISORDER);
		rig_pass(&r, 310 * MS);
		EXPECT_COUNT(&r, timeouts, 1);
		assert_int_equal(c->rec.reordering, dups == 3 ? 3 : 6);
	}
}

/* ---- reneging ---- */

/* More duplicates of the ACK that took back do not put the moment off that the peer has for another one. */
TEST(peer_takes_back__duplicates__do_not_put_it_off)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_frto = 0", .sack = true);

	fly(&r, 0, 6);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 1);
	for (unsigned i = 0; i < 3; i++) {
		rig_pass(&r, 20 * MS);
		ack_segments(&r, 1);
	}
	EXPECT_COUNT(&r, sack_reneging, 1);
}

TEST(reordering__is_bounded_by_tcp_max_reordering)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_max_reordering = 4", .sack = true);

	fly(&r, 0, 10);
	SACK_IN(&r, 0, 8, 9);
	SACK_IN(&r, 0, 1, 2, 8, 9);
	assert_int_equal(rig_conn(&r)->rec.reord_seen, 1);
	assert_int_equal(rig_conn(&r)->rec.reordering, 4);
}

/* ---- without SACK (RFC 6582) ---- */

/* A partial acknowledgment fills the hole and takes as many duplicates back as it acknowledges beyond that. */
TEST(newreno__partial_ack__duplicates_that_are_left_count)
{
	FLIGHT(r, .sack = false);
	const struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	for (unsigned i = 0; i < 5; i++)
		ack_segments(&r, 0);
	expect_segment(&r, 0);
	rig_drain(&r);
	assert_int_equal(c->board.sacked, 5);
	ack_segments(&r, 2);
	assert_int_equal(c->board.sacked, 4);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	expect_segment(&r, 2);
	check_board(&r);
}

/* RFC 6298 3, Karn: which of the two it was, nobody knows, and what came with it waited for it. But timestamps tell (RFC 7323 4.1). */
TEST(timeout__ack_of_all__measures_by_timestamps_only)
{
	for (int ts = 0; ts <= 1; ts++) {
		FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true, .ts = ts);
		struct conn *c = rig_conn(&r);

		fly(&r, 0, 4);
		rig_pass(&r, 300 * MS);
		expect_segment(&r, 0);
		assert_int_equal(c->backoff, 1);
		rig_pass(&r, RTT_MS * MS);
		ack_segments(&r, 4);
		assert_int_equal(c->backoff, !ts);
		assert_in_range(c->srtt8_us / 8000, RTT_MS - 1, RTT_MS + 1);
	}
}

/* Small ones become one, but no more than 16 entries move for it, and none that the peer has. */
TEST(small_segments__far_behind_the_oldest__stay_as_they_are)
{
	for (uint32_t hole = 15; hole <= 16; hole++) {
		FLIGHT(r, .sack = true);
		int on = 1;
		struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 2};

		assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on)), 0);
		rig_conn(&r)->cc.cwnd = 40;
		for (uint32_t i = 0; i < 30; i++) {
			put(&r, 100);
			expect_text(&r, i * 100, 100);
		}
		rig_pass(&r, RTT_MS * MS);
		s.opts.sack[0].from = seq(ISS + 1 + r.shift + 100);
		s.opts.sack[0].to = seq(ISS + 1 + r.shift + hole * 100);
		s.opts.sack[1].from = seq(ISS + 1 + r.shift + (hole + 2) * 100);
		s.opts.sack[1].to = seq(ISS + 1 + r.shift + 30 * 100);
		rig_in(&r, s);
		expect_text(&r, 0, 100);
		expect_text(&r, hole * 100, hole == 15 ? 200 : 100);
		check_board(&r);
	}
}

/* As Linux: what the application pushed is pushed again. */
TEST(sent_again__psh_as_the_first_time)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0\nnet.ipv4.tcp_frto = 0", .sack = true);

	put(&r, 500);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_ACK | F_PSH);
	rig_pass(&r, 310 * MS);
	assert_true(rig_out(&r));
	EXPECT_COUNT(&r, retrans_segs, 1);
	assert_int_equal(r.out.seg.flags, F_ACK | F_PSH);
}

/* Two of one ACK: the older one says how long an answer may take (RFC 6298), the younger one how long the path is. */
TEST(ack_of_two__older_for_the_timeout__younger_for_the_path)
{
	for (int sack = 0; sack <= 1; sack++) {
		FLIGHT(r, .sack = sack);
		struct conn *c = rig_conn(&r);

		fly(&r, 0, 1);
		rig_pass(&r, 40 * MS);
		fly(&r, 1, 1);
		rig_pass(&r, (RTT_MS - 1) * MS);
		ack_segments(&r, 2);
		assert_int_equal(c->srtt8_us, 8 * RTT_MS * 1000 + (40 - 1) * 1000);
		assert_int_equal(rtt_min_us(c), (RTT_MS - 1) * 1000);
	}
}

RUN(T(timeout_without_sack__duplicates__say_nothing_of_what_is_sent_again), T(timeouts_in_a_row__are_one_failure),
    T(ack_of_nothing__takes_nothing), T(sack__is_not_in_flight_and_not_acknowledged),
    T(sack__part_of_a_segment__is_none_of_it), T(sack__rest_of_a_segment_comes_later__it_is_tagged),
    T(sack__blocks_that_overlap__are_one), T(sack__without_the_option__is_ignored), T(sack__late_ack__its_blocks_count),
    T(three_sacked_beyond_a_hole__it_is_sent_again), T(both_segments_of_a_packet_again__the_last_carries_psh),
    T(one_segment_of_a_packet_again__no_psh), T(many_holes__all_in_one_round_trip), T(cwr__ends_above_its_end),
    T(timeout__what_was_sacked_is_not_sent_again), T(peer_takes_back_what_it_sacked__everything_is_sent_again),
    T(small_segments__are_sent_again_as_one), T(tcp_retrans_collapse_0__as_they_were),
    T(segment_longer_than_the_mss_of_now__goes_in_pieces), T(window_closes_within_a_batch__is_probed),
    T(full_scoreboard__holds_new_text_back), T(sack_fills_a_hole_late__reordering),
    T(sack_fills_a_hole_late__path_got_narrower__no_reordering),
    T(timeout__reordering_was_believed_too_much__falls_back), T(peer_takes_back__duplicates__do_not_put_it_off),
    T(reordering__is_bounded_by_tcp_max_reordering), T(newreno__partial_ack__duplicates_that_are_left_count),
    T(timeout__ack_of_all__measures_by_timestamps_only), T(small_segments__far_behind_the_oldest__stay_as_they_are),
    T(sent_again__psh_as_the_first_time), T(ack_of_two__older_for_the_timeout__younger_for_the_path))
