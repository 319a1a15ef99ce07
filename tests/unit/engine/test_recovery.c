/* SPDX-License-Identifier: MIT */
/* Loss recovery with SACK: RFC 2018, 6675, 6937, 8985; what Linux 6.18 does where they leave it open. */
#include "tests/unit/engine/flight.h"

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

/* What RACK has over counting: a retransmission that is lost is found without a timeout (RFC 8985 3.1). */
TEST(lost_retransmission__is_sent_again_without_a_timeout)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	SACK_IN(&r, 0, 1, 8); /* room for one more */
	put(&r, MSS);
	expect_segment(&r, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 8, 10, 11); /* sent after the retransmission, and here */
	rig_pass(&r, RTT_MS * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, lost_retransmit, 1);
	EXPECT_COUNT(&r, timeouts, 0);
	check_board(&r);
}

/* ---- RACK's timer ---- */

TEST(one_sacked__waits_a_quarter_of_the_round_trip)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 4);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 3, 4);
	assert_int_equal(c->rtx_kind, RTX_REO);
	rig_pass(&r, 24 * MS);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->rec.ca, CA_DISORDER);
	rig_pass(&r, 4 * MS);
	expect_segment(&r, 0);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	assert_int_equal(c->board.lost, 3);
	check_board(&r);
}

TEST(reordering__that_heals_in_time__is_no_loss)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 5, 6);
	rig_pass(&r, 10 * MS);
	ack_segments(&r, 6);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_int_equal(c->rec.reordering, 6);
	assert_int_equal(c->rec.reord_seen, 1);
	EXPECT_COUNT(&r, sack_reorder, 1);
	EXPECT_COUNT(&r, retrans_segs, 0);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 6, 7, 10); /* now even three are no reason to hurry */
	EXPECT_SILENCE(&r);
	rig_pass(&r, 28 * MS);
	expect_segment(&r, 6);
}

TEST(tcp_recovery__without_a_threshold__waits_for_the_timer)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_recovery = 5", .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 6);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 28 * MS);
	expect_segment(&r, 0);
}

/* ---- the tail loss probe ---- */

TEST(tail_lost__a_probe_after_two_round_trips)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 4);
	assert_int_equal(c->rtx_kind, RTX_TLP);
	rig_pass(&r, (2 * RTT_MS + 1) * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 2 * MS);
	expect_segment(&r, 3); /* the last */
	EXPECT_COUNT(&r, loss_probes, 1);
	EXPECT_COUNT(&r, timeouts, 0);
	assert_int_equal(c->board.again, 0); /* a probe is no recovery */
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 3, 4); /* the probe has repaired the tail; RACK the rest */
	rig_pass(&r, 30 * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, timeouts, 0);
}

TEST(probe__takes_what_is_new_first)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10); /* all that cwnd allows */
	put(&r, 2 * MSS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, (2 * RTT_MS + 3) * MS);
	expect_segment(&r, 10);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, loss_probes, 1);
	EXPECT_COUNT(&r, retrans_segs, 0);
	check_board(&r);
}

TEST(probe__repaired_a_loss__the_window_is_reduced)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS); /* one segment: its ACK may be delayed, so the probe takes the timeout's place */
	expect_segment(&r, 0);
	ack_segments(&r, 1);
	assert_int_equal(c->cc.cwnd, 10); /* was it the original or the probe? */
	fly(&r, 1, 1);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 2); /* beyond the probe, and nobody has said that both came */
	EXPECT_COUNT(&r, loss_probe_recovery, 1);
	assert_int_equal(c->cc.cwnd, 7);
	assert_int_equal(c->rec.ca, CA_OPEN);
}

TEST(probe__dsack__both_came__no_reduction)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	ack_segments(&r, 1);
	SACK_IN(&r, 1, 0, 1);
	assert_false(c->rec.tlp_on);
	EXPECT_COUNT(&r, dsack_recv, 1);
	fly(&r, 1, 1);
	ack_segments(&r, 2);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
	assert_int_equal(c->cc.cwnd, 10);
}

TEST(tcp_early_retrans_0__no_probe)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true);

	fly(&r, 0, 4);
	rig_pass(&r, 290 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 20 * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, timeouts, 1);
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

RUN(T(sack__is_not_in_flight_and_not_acknowledged), T(sack__part_of_a_segment__is_none_of_it),
    T(sack__rest_of_a_segment_comes_later__it_is_tagged), T(sack__blocks_that_overlap__are_one),
    T(sack__without_the_option__is_ignored), T(sack__late_ack__its_blocks_count),
    T(three_sacked_beyond_a_hole__it_is_sent_again), T(many_holes__all_in_one_round_trip),
    T(lost_retransmission__is_sent_again_without_a_timeout), T(one_sacked__waits_a_quarter_of_the_round_trip),
    T(reordering__that_heals_in_time__is_no_loss), T(tcp_recovery__without_a_threshold__waits_for_the_timer),
    T(tail_lost__a_probe_after_two_round_trips), T(probe__takes_what_is_new_first),
    T(probe__repaired_a_loss__the_window_is_reduced), T(probe__dsack__both_came__no_reduction),
    T(tcp_early_retrans_0__no_probe), T(timeout__what_was_sacked_is_not_sent_again),
    T(peer_takes_back_what_it_sacked__everything_is_sent_again), T(small_segments__are_sent_again_as_one),
    T(tcp_retrans_collapse_0__as_they_were), T(segment_longer_than_the_mss_of_now__goes_in_pieces),
    T(window_closes_within_a_batch__is_probed), T(full_scoreboard__holds_new_text_back))
