/* SPDX-License-Identifier: MIT */
/* A reduction that was a mistake is taken back: RFC 3522, 3708, 4015, 5682. As Linux 6.18. */
#include "tests/unit/engine/flight.h"

/* ---- F-RTO (RFC 5682) ---- */

/* Nothing comes back for longer than a timeout. */
#define DELAYED(r, n, ...)                                                                                             \
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", __VA_ARGS__);                                                \
	fly(&r, 0, n);                                                                                                 \
	rig_pass(&r, 310 * MS);                                                                                        \
	expect_segment(&r, 0);                                                                                         \
	assert_int_equal(rig_conn(&r)->rec.ca, CA_LOSS);                                                               \
	assert_int_equal(rig_conn(&r)->cc.cwnd, 1)

TEST(timeout__acks_of_the_originals__spurious)
{
	DELAYED(r, 10, .sack = true);
	struct conn *c = rig_conn(&r);

	assert_int_equal(c->cc.ssthresh, 7);
	put(&r, 4 * MSS);
	ack_segments(&r, 1); /* step 2.b: something new, not what is called lost */
	expect_segment(&r, 10);
	expect_segment(&r, 11);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->rec.ca, CA_LOSS);
	ack_segments(&r, 2); /* step 3.b: of a segment that was sent once only */
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	assert_int_equal(c->cc.ssthresh, CC_SSTHRESH_NONE);
	assert_int_equal(c->board.lost, 0);
	EXPECT_COUNT(&r, spurious_rtos, 1);
	EXPECT_COUNT(&r, loss_undo, 1);
	EXPECT_COUNT(&r, retrans_segs, 1);
	check_board(&r);
}

TEST(timeout__sack_of_what_was_new__real)
{
	DELAYED(r, 10, .sack = true);
	struct conn *c = rig_conn(&r);

	put(&r, 4 * MSS);
	ack_segments(&r, 1);
	expect_segment(&r, 10);
	rig_drain(&r);
	SACK_IN(&r, 1, 10, 11); /* step 3.a: the new one has overtaken what is missing */
	assert_false(c->rec.frto);
	assert_int_equal(c->rec.ca, CA_LOSS);
	expect_segment(&r, 1);
	EXPECT_COUNT(&r, spurious_rtos, 0);
	check_board(&r);
}

TEST(timeout__without_sack__two_acks_decide)
{
	DELAYED(r, 10, .sack = false);
	struct conn *c = rig_conn(&r);

	put(&r, 4 * MSS);
	ack_segments(&r, 2);
	expect_segment(&r, 10);
	expect_segment(&r, 11);
	ack_segments(&r, 4);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	EXPECT_COUNT(&r, spurious_rtos, 1);
}

TEST(timeout__without_sack__a_duplicate__real)
{
	DELAYED(r, 10, .sack = false);

	put(&r, 4 * MSS);
	ack_segments(&r, 1);
	expect_segment(&r, 10);
	rig_drain(&r);
	ack_segments(&r, 1);
	assert_false(rig_conn(&r)->rec.frto);
	expect_segment(&r, 1);
	EXPECT_COUNT(&r, spurious_rtos, 0);
}

TEST(timeout__nothing_new_to_send__usual_recovery)
{
	DELAYED(r, 4, .sack = true);

	ack_segments(&r, 1);
	expect_segment(&r, 1);
	expect_segment(&r, 2);
	assert_false(rig_conn(&r)->rec.frto);
}

TEST(tcp_frto_0__usual_recovery)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0\nnet.ipv4.tcp_frto = 0", .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	put(&r, 4 * MSS);
	ack_segments(&r, 2);
	expect_segment(&r, 2);
}

/* ---- timestamps (Eifel, RFC 3522) ---- */

TEST(timeout__echo_older_than_the_retransmission__spurious)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0\nnet.ipv4.tcp_frto = 0", .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	fly(&r, 0, 4);
	before = r.last_tsval;
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	assert_true(r.last_tsval != before);
	echo_in(&r, 4, before);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	EXPECT_COUNT(&r, loss_undo, 1);
	EXPECT_COUNT(&r, spurious_rtos, 0);
}

TEST(timeout__echo_of_the_retransmission__real)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0\nnet.ipv4.tcp_frto = 0", .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 4);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	echo_in(&r, 4, r.last_tsval);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd < 10);
	EXPECT_COUNT(&r, loss_undo, 0);
}

TEST(recovery__echo_older_than_the_retransmission__full_undo)
{
	FLIGHT(r, .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	fly(&r, 0, 10);
	before = r.last_tsval;
	rig_pass(&r, RTT_MS * MS);
	r.last_tsval = before;
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, 5 * MS);
	echo_in(&r, 10, before); /* it was late, not lost */
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	EXPECT_COUNT(&r, full_undo, 1);
}

TEST(recovery__partial_echo_older__undone_on_the_way)
{
	FLIGHT(r, .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	fly(&r, 0, 10);
	before = r.last_tsval;
	rig_pass(&r, RTT_MS * MS);
	r.last_tsval = before;
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 5 * MS);
	echo_in(&r, 5, before);
	EXPECT_COUNT(&r, partial_undo, 1);
	EXPECT_COUNT(&r, ts_reorder, 1);
	assert_int_equal(c->rec.reord_seen, 1);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	check_board(&r);
}

/* ---- DSACK (RFC 3708) ---- */

TEST(recovery__all_that_was_sent_again_came_twice__undone)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	ack_segments(&r, 4);
	rig_drain(&r);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	assert_true(c->cc.cwnd < 10);
	SACK_IN(&r, 4, 0, 1);
	EXPECT_COUNT(&r, dsack_undo, 1);
	EXPECT_COUNT(&r, dsack_recv, 1);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_true(c->cc.cwnd >= 10);
	assert_true(c->rec.dsack_ok);
	assert_int_equal(c->rec.rack.persist,
			 1); /* a recovery that was none does not use the wider window up (Linux) */
}

TEST(recovery__one_of_two_came_twice__stays)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 7);
	expect_segment(&r, 0);
	expect_segment(&r, 1);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 7);
	SACK_IN(&r, 7, 0, 1);
	EXPECT_COUNT(&r, dsack_undo, 0);
	assert_int_equal(c->rec.undo_retrans, 1);
	SACK_IN(&r, 7, 1, 2);
	EXPECT_COUNT(&r, dsack_undo, 1);
}

/* RFC 2883 4.2.1: the octets that came twice lie in a block that is not acknowledged yet. */
TEST(recovery__came_twice_above_a_hole__counts)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 7);
	expect_segment(&r, 0);
	expect_segment(&r, 1);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 7);
	assert_int_equal(c->rec.undo_retrans, 2);
	SACK_IN(&r, 0, 1, 2, 1, 7);
	EXPECT_COUNT(&r, dsack_ofo_recv, 1);
	assert_int_equal(c->rec.undo_retrans, 1);
	ack_segments(&r, 7);
	SACK_IN(&r, 7, 0, 1);
	EXPECT_COUNT(&r, dsack_undo, 1);
	check_board(&r);
}

/* RFC 8985 6.2 step 4: DSACKs widen the reordering window, a quarter of the round trip each round. */
TEST(dsack__with_reordering__widens_the_window)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 5, 6);
	ack_segments(&r, 6); /* reordering */
	rig_pass(&r, 1 * MS);
	SACK_IN(&r, 6, 8, 10);
	rig_pass(&r, 28 * MS);
	expect_segment(&r, 6); /* nothing is in flight: PRR lets one go */
	assert_int_equal(c->rec.rack.steps, 1);
	ack_segments(&r, 10);
	fly(&r, 10, 1);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 11, 6, 7);
	assert_int_equal(c->rec.rack.steps, 2);
}

TEST(recovery__one_dsack_of_both__undone)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 7);
	expect_segment(&r, 0);
	expect_segment(&r, 1);
	ack_segments(&r, 7);
	SACK_IN(&r, 7, 0, 2);
	EXPECT_COUNT(&r, dsack_recv_segs, 2);
	EXPECT_COUNT(&r, dsack_undo, 1);
}

/* What came twice was sent again by the recovery before this one. */
TEST(dsack_of_an_earlier_recovery__undoes_nothing)
{
	FLIGHT(r, .sack = true);
	const struct recovery *k = &rig_conn(&r)->rec;

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 10);
	assert_int_equal(k->ca, CA_OPEN);
	fly(&r, 10, 7);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 10, 11, 14);
	expect_segment(&r, 10);
	ack_segments(&r, 14);
	assert_int_equal(k->undo_retrans, 1);
	SACK_IN(&r, 14, 0, 1);
	assert_int_equal(k->undo_retrans, 1);
	EXPECT_COUNT(&r, dsack_undo, 0);
}

/* More than the peer ever had room for: nothing that one should believe. */
TEST(dsack_of_more_than_a_window__is_dubious)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.n_sack = 1};

	fly(&r, 0, 4);
	c->total_retrans = 1000;
	for (uint32_t more = 0; more <= 1; more++) {
		s.opts.sack[0].to = c->snd_una;
		s.opts.sack[0].from = seq_sub(c->snd_una, FLIGHT_WND + more);
		rig_in(&r, s);
		EXPECT_COUNT(&r, dsack_ignored_dubious, more);
	}
}

/* An undo does not stop the reordering timer of what is in doubt. */
TEST(recovery__undone_on_the_way__the_reordering_timer_stays)
{
	FLIGHT(r, .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	c->rec.reord_seen = 1;
	fly(&r, 0, 4);
	before = r.last_tsval;
	rig_pass(&r, 40 * MS);
	fly(&r, 4, 1);
	rig_pass(&r, 1 * MS);
	fly(&r, 5, 3);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 5, 6);
	assert_int_equal(c->board.lost, 4); /* the fifth was sent a moment before what came */
	expect_segment(&r, 0); /* and no other is taken from the engine */
	r.now += 20 * MS;
	echo_in(&r, 1, before);
	EXPECT_COUNT(&r, partial_undo, 1);
	assert_int_equal(c->rtx_kind, RTX_REO);
	rig_pass(&r, 6 * MS);
	expect_segment(&r, 4);
	check_board(&r);
}

/* RFC 5682 3.1: within a recovery the timeout is not spurious by its rule; but a second one may be. */
TEST(timeout_within_a_recovery__no_frto)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, 310 * MS);
	EXPECT_COUNT(&r, timeouts, 1);
	assert_false(c->rec.frto);
	rig_pass(&r, 700 * MS);
	EXPECT_COUNT(&r, timeouts, 2);
	assert_true(c->rec.frto);
}

/* With a retransmission in flight it is too early: its own echo is still to come. */
TEST(recovery__partial_echo_older__retransmission_in_flight__not_yet)
{
	FLIGHT(r, .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	fly(&r, 0, 10);
	before = r.last_tsval;
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 2, 7);
	expect_segment(&r, 0);
	expect_segment(&r, 1);
	rig_pass(&r, 5 * MS);
	echo_in(&r, 1, before);
	EXPECT_COUNT(&r, partial_undo, 0);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	echo_in(&r, 7, before);
	EXPECT_COUNT(&r, partial_undo, 1);
	assert_true(c->cc.cwnd >= 10);
}

/* Nobody has given up on a peer that was only slow, though its SND.UNA did not move. */
TEST(timeout__sack_of_an_original__spurious__counts_for_nothing)
{
	DELAYED(r, 10, .sack = true);
	struct conn *c = rig_conn(&r);

	assert_int_equal(c->rexmits, 1);
	SACK_IN(&r, 0, 1, 2);
	EXPECT_COUNT(&r, spurious_rtos, 1);
	assert_int_equal(c->rexmits, 0);
}

/* The path said itself that it is congested: that some arrived twice takes nothing back. */
TEST(recovery__with_ece__dsack_takes_nothing_back)
{
	FLIGHT(r, .sack = true, .ecn = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	rig_in(&r, (struct seg){.flags = F_ACK | F_ECE,
				.seq = seq(IRS + 1),
				.ack = seq(ISS + 1),
				.opts.n_sack = 1,
				.opts.sack[0] = {at_segment(&r, 1), at_segment(&r, 4)}});
	expect_segment(&r, 0);
	ack_segments(&r, 4);
	rig_drain(&r);
	SACK_IN(&r, 4, 0, 1);
	EXPECT_COUNT(&r, dsack_undo, 1);
	assert_int_equal(c->cc.ssthresh, 7);
	assert_true(c->cc.cwnd < 10);
}

/* The probe was sent again too, though no recovery did it: both have to come twice. */
TEST(recovery_after_a_probe__dsack_of_the_probe_alone__stays)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 5);
	rig_pass(&r, (2 * RTT_MS + 2) * MS);
	expect_segment(&r, 4);
	EXPECT_COUNT(&r, loss_probes, 1);
	SACK_IN(&r, 0, 1, 5);
	expect_segment(&r, 0);
	assert_int_equal(c->rec.undo_retrans, 2);
	SACK_IN(&r, 0, 4, 5, 1, 5);
	assert_int_equal(c->rec.undo_retrans, 1);
	EXPECT_COUNT(&r, dsack_undo, 0);
	SACK_IN(&r, 5, 0, 1);
	assert_int_equal(c->rec.undo_retrans, 0);
}

/* What was no congestion is not told to the peer: its CWR, not sent yet, is withdrawn. */
TEST(recovery__undone_before_new_text__no_cwr)
{
	FLIGHT(r, .sack = true, .ts = true, .ecn = true);
	uint32_t before;

	fly(&r, 0, 10);
	before = r.last_tsval;
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	assert_true(rig_conn(&r)->ecn.cwr_due);
	rig_pass(&r, 5 * MS);
	echo_in(&r, 10, before);
	EXPECT_COUNT(&r, full_undo, 1);
	put(&r, MSS);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & F_CWR, 0);
}

/* A DSACK of the recovery before has nothing to say of a reduction that the path asked for. */
TEST(cwr_after_a_recovery__dsack__undoes_nothing)
{
	FLIGHT(r, .sack = true, .ecn = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 10);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
	put(&r, 5 * MSS);
	rig_drain(&r);
	IN(&r, .flags = F_ACK | F_ECE, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + 11 * MSS));
	assert_int_equal(rig_conn(&r)->rec.ca, CA_CWR);
	put(&r, MSS);
	rig_drain(&r);
	ack_segments(&r, 16);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
	SACK_IN(&r, 16, 0, 1);
	EXPECT_COUNT(&r, dsack_recv, 1);
	EXPECT_COUNT(&r, dsack_undo, 0);
}

TEST(timeout__cubic_forgets_the_path)
{
	DELAYED(r, 10, .sack = true);

	assert_int_equal(rig_conn(&r)->cc.prior_cwnd, 10);
	assert_int_equal(rig_conn(&r)->cc.cubic.w_max, 0);
}

RUN(T(timeout__acks_of_the_originals__spurious), T(timeout__sack_of_what_was_new__real),
    T(timeout__without_sack__two_acks_decide), T(timeout__without_sack__a_duplicate__real),
    T(timeout__nothing_new_to_send__usual_recovery), T(tcp_frto_0__usual_recovery),
    T(timeout__echo_older_than_the_retransmission__spurious), T(timeout__echo_of_the_retransmission__real),
    T(recovery__echo_older_than_the_retransmission__full_undo), T(recovery__partial_echo_older__undone_on_the_way),
    T(recovery__all_that_was_sent_again_came_twice__undone), T(recovery__one_of_two_came_twice__stays),
    T(recovery__came_twice_above_a_hole__counts), T(dsack__with_reordering__widens_the_window),
    T(recovery__one_dsack_of_both__undone), T(dsack_of_an_earlier_recovery__undoes_nothing),
    T(dsack_of_more_than_a_window__is_dubious), T(recovery__undone_on_the_way__the_reordering_timer_stays),
    T(timeout_within_a_recovery__no_frto), T(recovery__partial_echo_older__retransmission_in_flight__not_yet),
    T(timeout__sack_of_an_original__spurious__counts_for_nothing), T(recovery__with_ece__dsack_takes_nothing_back),
    T(recovery_after_a_probe__dsack_of_the_probe_alone__stays), T(recovery__undone_before_new_text__no_cwr),
    T(cwr_after_a_recovery__dsack__undoes_nothing), T(timeout__cubic_forgets_the_path))
