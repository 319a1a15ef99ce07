/* SPDX-License-Identifier: MIT */
/* RACK (RFC 8985 6): which segments are lost, by time. As Linux 6.18. */
#include "tests/unit/engine/flight.h"

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
	rig_pass(&r, 26 * MS); /* the timer has 2 ms more, so that it does not wake for one segment of many */
	EXPECT_SILENCE(&r);
	assert_int_equal(c->rec.ca, CA_DISORDER);
	rig_pass(&r, 1 * MS);
	expect_segment(&r, 0);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	assert_int_equal(c->board.lost, 3);
	check_board(&r);
}

/* As Linux: RACK looks again when something arrives that was sent later, or by its timer. */
TEST(one_sacked__duplicate_in_the_meantime__does_not_look_again)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 3, 4);
	rig_pass(&r, 26 * MS);
	SACK_IN(&r, 0, 3, 4);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 1 * MS);
	expect_segment(&r, 0);
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

/* ---- what RACK learns from (6.2 steps 1 and 2) ---- */

/* The echo says that the original has come: the retransmission's time, which is later, proves nothing lost. */
TEST(retransmitted__ack_of_the_original__proves_nothing)
{
	FLIGHT(r, .sack = true, .ts = true);
	struct conn *c = rig_conn(&r);
	uint32_t before;

	fly(&r, 0, 10);
	before = r.last_tsval;
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	rig_pass(&r, (RTT_MS + 5) * MS);
	echo_in(&r, 4, before);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->board.lost, 0);
	EXPECT_COUNT(&r, retrans_segs, 1);
}

TEST(retransmitted__ack_of_the_retransmission__proves_what_was_sent_before_lost)
{
	FLIGHT(r, .sack = true, .ts = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	EXPECT_SILENCE(&r);
	rig_pass(&r, (RTT_MS + 5) * MS);
	echo_in(&r, 4, r.last_tsval);
	assert_int_equal(rig_conn(&r)->board.lost, 6);
	expect_segment(&r, 4);
}

/* ---- the reordering window (6.2 step 4) ---- */

/* Segments have come out of order, and some were sent again, so that DSACKs are believed. All is acknowledged but n that are new. */
static uint32_t reordered(struct rig *r, uint32_t n)
{
	struct conn *c = rig_conn(r);

	fly(r, 0, 10);
	rig_pass(r, RTT_MS * MS);
	SACK_IN(r, 0, 5, 6);
	ack_segments(r, 6);
	rig_pass(r, 1 * MS);
	SACK_IN(r, 6, 9, 10);
	rig_pass(r, 28 * MS);
	rig_drain(r);
	rig_pass(r, RTT_MS * MS);
	ack_segments(r, 10);
	assert_int_equal(c->rec.rack.steps, 1);
	c->total_retrans = 100;
	fly(r, 10, n);
	rig_pass(r, RTT_MS * MS);
	return 10;
}

TEST(dsacks_of_one_round_trip__widen_once)
{
	FLIGHT(r, .sack = true);
	const struct rack *k = &rig_conn(&r)->rec.rack;
	uint32_t n = reordered(&r, 4);

	SACK_IN(&r, n + 1, 6, 7);
	assert_int_equal(k->steps, 2);
	SACK_IN(&r, n + 2, 7, 8); /* sent before the window was widened */
	SACK_IN(&r, n + 4, 8, 9);
	assert_int_equal(k->steps, 2);
	fly(&r, n + 4, 1);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, n + 5, 8, 9);
	assert_int_equal(k->steps, 3);
}

TEST(tcp_recovery__static_window__dsack_does_not_widen)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_recovery = 3", .sack = true);
	uint32_t n = reordered(&r, 1);

	SACK_IN(&r, n + 1, 6, 7);
	assert_int_equal(rig_conn(&r)->rec.rack.steps, 1);
}

/* A loss that is found and repaired; `from` is the next segment. */
static void recover_once(struct rig *r, uint32_t from)
{
	rig_conn(r)->cc.cwnd = 10;
	fly(r, from, 4);
	rig_pass(r, RTT_MS * MS);
	SACK_IN(r, from, from + 1, from + 4);
	rig_pass(r, 2ul * RTT_MS * MS); /* the window may be as wide as a round trip */
	rig_drain(r);
	assert_int_equal(rig_conn(r)->rec.ca, CA_RECOVERY);
	ack_segments(r, from + 4);
	assert_int_equal(rig_conn(r)->rec.ca, CA_OPEN);
}

TEST(widened_window__lasts_for_16_recoveries)
{
	FLIGHT(r, .sack = true);
	const struct rack *k = &rig_conn(&r)->rec.rack;
	uint32_t n = reordered(&r, 1);

	SACK_IN(&r, n + 1, 6, 7);
	n++;
	for (unsigned i = 0; i < 16; i++, n += 4) {
		assert_int_equal(k->steps, 2);
		recover_once(&r, n);
	}
	fly(&r, n, 1);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, n + 1);
	assert_int_equal(k->steps, 1);
}

/* ---- what the timeout takes for lost ---- */

TEST(timeout__what_was_sent_just_now__is_not_lost)
{
	for (int sack = 0; sack <= 1; sack++) {
		FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = sack);
		struct conn *c = rig_conn(&r);

		fly(&r, 0, 4);
		rig_pass(&r, RTT_MS * MS);
		ack_segments(&r, 1);
		rig_pass(&r, 250 * MS);
		fly(&r, 4, 2);
		rig_pass(&r, 50 * MS);
		expect_segment(&r, 1);
		EXPECT_COUNT(&r, timeouts, 1);
		/* A round trip has not passed since the two were sent. Without SACK RACK knows of none. */
		assert_int_equal(c->board.lost, sack ? 3 : 5);
		check_board(&r);
	}
}

/* Losing a retransmission is congestion anew, also after a timeout. */
TEST(timeout__its_retransmission_is_lost__recovery)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0\nnet.ipv4.tcp_frto = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, 300 * MS);
	expect_segment(&r, 0);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 1);
	expect_segment(&r, 1);
	expect_segment(&r, 2);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->rec.ca, CA_LOSS);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 1, 2, 3); /* 2 came, so 1 was lost again */
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	expect_segment(&r, 1);
	EXPECT_COUNT(&r, sack_recovery, 1);
	EXPECT_COUNT(&r, timeouts, 1);
	check_board(&r);
}

/* ---- a SACK and the timeout ---- */

/* The oldest was sent again after what the SACK speaks of: the path lives, and the timeout of the oldest begins anew. */
TEST(sack_of_what_was_sent_before_the_oldest__puts_the_timeout_off)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, 50 * MS);
	SACK_IN(&r, 0, 1, 5);
	assert_true(c->timer_at[TIMER_RTX] - r.now > 290 * MS);
}

/* Not so if it was sent later: the oldest is lost and waits (for a device), and each of these would put the timeout off. */
TEST(sack_of_what_was_sent_after_the_oldest__leaves_the_timeout)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true);
	struct conn *c = rig_conn(&r);
	nsec_t at;

	fly(&r, 0, 4);
	rig_pass(&r, 10 * MS);
	fly(&r, 4, 4);
	rig_pass(&r, RTT_MS * MS);
	at = c->timer_at[TIMER_RTX];
	SACK_IN(&r, 0, 4, 7); /* 0 to 3 are lost; nothing is taken from the engine */
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	assert_int_equal(c->timer_at[TIMER_RTX], at);
	r.now += 20 * MS;
	rig_in(&r, (struct seg){.flags = F_ACK,
				.seq = seq(IRS + 1),
				.ack = seq(ISS + 1),
				.opts.n_sack = 1,
				.opts.sack[0] = {at_segment(&r, 4), at_segment(&r, 8)}});
	assert_int_equal(c->timer_at[TIMER_RTX], at);
}

/* ---- the least round trip ---- */

/* A lone short segment's ACK may have been delayed: it makes no greater least round trip. */
TEST(lone_short_segment__is_no_measure_of_the_least_round_trip)
{
	for (unsigned i = 0; i < 4; i++) {
		bool whole = i & 1;
		FLIGHT(r, .sack = i & 2); /* without SACK an ACK goes the long way */
		struct conn *c = rig_conn(&r);

		assert_int_equal(rtt_min_us(c), RTT_MS * 1000);
		rig_pass(&r, 301 * NSEC_PER_S); /* what was measured is too old now */
		put(&r, whole ? MSS : 100);
		rig_drain(&r);
		rig_pass(&r, 140 * MS);
		ack(&r, whole ? MSS : 100);
		assert_int_equal(rtt_min_us(c), whole ? 140 * 1000 : RTT_MS * 1000);
	}
}

/* But two of them are not alone: the second is acknowledged at once. */
TEST(two_short_segments__are_a_measure)
{
	for (int sack = 0; sack <= 1; sack++) {
		FLIGHT(r, .sack = sack);
		struct conn *c = rig_conn(&r);
		int on = 1;

		assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on)), 0);
		rig_pass(&r, 301 * NSEC_PER_S);
		for (unsigned i = 0; i < 2; i++) {
			put(&r, 100);
			rig_drain(&r);
		}
		rig_pass(&r, 140 * MS);
		ack(&r, 200);
		assert_int_equal(rtt_min_us(c), 140 * 1000);
	}
}

/* ---- more of the window ---- */

TEST(reordering_window__never_beyond_a_round_trip)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);
	uint32_t n = reordered(&r, 4), srtt_ms;

	c->rec.rack.steps = 100;
	c->rec.rack.persist = 16;
	SACK_IN(&r, n, n + 3, n + 4);
	srtt_ms = (uint32_t)(c->srtt8_us / 8000);
	rig_pass(&r, srtt_ms * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 3 * MS);
	expect_segment(&r, n);
}

TEST(dsack__nothing_was_reordered__does_not_widen)
{
	FLIGHT(r, .sack = true);
	const struct recovery *k = &rig_conn(&r)->rec;

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 10);
	fly(&r, 10, 1);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 11, 0, 1);
	EXPECT_COUNT(&r, dsack_recv, 1);
	assert_int_equal(k->reord_seen, 0);
	assert_int_equal(k->rack.steps, 1);
}

/* A probe that came beside the original says that the timer was early, and nothing of the order on the path. */
TEST(dsack_of_a_probe__does_not_widen)
{
	FLIGHT(r, .sack = true);
	uint32_t n = reordered(&r, 1);

	rig_pass(&r, 400 * MS);
	expect_segment(&r, n);
	EXPECT_COUNT(&r, loss_probes, 1);
	SACK_IN(&r, n + 1, n, n + 1);
	EXPECT_COUNT(&r, dsack_recv, 1);
	assert_int_equal(rig_conn(&r)->rec.rack.steps, 1);
}

/* The DSACK came with nothing new, so it waits for the next round trip that is measured. */
TEST(dsack_alone__widens_with_the_next_ack)
{
	FLIGHT(r, .sack = true);
	const struct rack *k = &rig_conn(&r)->rec.rack;
	uint32_t n = reordered(&r, 2);

	SACK_IN(&r, n, 6, 7);
	assert_int_equal(k->steps, 1);
	assert_true(k->dsack_seen);
	ack_segments(&r, n + 1);
	assert_int_equal(k->steps, 2);
}

RUN(T(lost_retransmission__is_sent_again_without_a_timeout), T(one_sacked__waits_a_quarter_of_the_round_trip),
    T(one_sacked__duplicate_in_the_meantime__does_not_look_again), T(reordering__that_heals_in_time__is_no_loss),
    T(tcp_recovery__without_a_threshold__waits_for_the_timer), T(retransmitted__ack_of_the_original__proves_nothing),
    T(retransmitted__ack_of_the_retransmission__proves_what_was_sent_before_lost),
    T(dsacks_of_one_round_trip__widen_once), T(tcp_recovery__static_window__dsack_does_not_widen),
    T(widened_window__lasts_for_16_recoveries), T(timeout__what_was_sent_just_now__is_not_lost),
    T(timeout__its_retransmission_is_lost__recovery), T(sack_of_what_was_sent_before_the_oldest__puts_the_timeout_off),
    T(sack_of_what_was_sent_after_the_oldest__leaves_the_timeout),
    T(lone_short_segment__is_no_measure_of_the_least_round_trip), T(two_short_segments__are_a_measure),
    T(reordering_window__never_beyond_a_round_trip), T(dsack__nothing_was_reordered__does_not_widen),
    T(dsack_of_a_probe__does_not_widen), T(dsack_alone__widens_with_the_next_ack))
