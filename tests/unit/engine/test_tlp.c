/* SPDX-License-Identifier: MIT */
/* The tail loss probe: RFC 8985 7. */
#include "tests/unit/engine/flight.h"

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

/* 7.2: a lone segment's ACK may be delayed, so it has the least timeout more. */
TEST(probe__of_one_segment__waits_for_a_delayed_ack)
{
	static const unsigned ms[] = {[1] = 2 * RTT_MS + 50, [2] = 2 * RTT_MS + 2};

	for (unsigned n = 1; n <= 2; n++) {
		FLIGHT_KNOBS(r, "engine.rto_min_ms = 50", .sack = true);

		fly(&r, 0, n);
		rig_pass(&r, (ms[n] - 1) * MS);
		EXPECT_SILENCE(&r);
		rig_pass(&r, 1 * MS);
		expect_segment(&r, n - 1);
		EXPECT_COUNT(&r, loss_probes, 1);
		EXPECT_COUNT(&r, timeouts, 0);
	}
}

/* Never later than the timeout would be. */
TEST(probe__takes_the_place_of_an_earlier_timeout)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 1);
	rig_pass(&r, 299 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 1 * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, loss_probes, 1);
	EXPECT_COUNT(&r, timeouts, 0);
}

TEST(probe__unanswered__the_timeout_follows)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	rig_pass(&r, (2 * RTT_MS + 2) * MS);
	expect_segment(&r, 3);
	rig_pass(&r, 299 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 1 * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, loss_probes, 1);
	EXPECT_COUNT(&r, timeouts, 1);
}

/* The original's ACK was lost, and the probe's says that both came. */
TEST(probe__ack_with_dsack__both_came__no_reduction)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	SACK_IN(&r, 1, 0, 1);
	assert_false(c->rec.tlp_on);
	fly(&r, 1, 1);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 2);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
	assert_in_range(c->cc.cwnd, 10, 12);
}

TEST(probe__ack_beyond_it_with_dsack__both_came__no_reduction)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	fly(&r, 1, 1);
	SACK_IN(&r, 2, 0, 1);
	assert_false(c->rec.tlp_on);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
	assert_in_range(c->cc.cwnd, 10, 12);
}

/* 7.4.2: a peer without DSACK answers what it has already by a pure duplicate. */
TEST(probe__pure_duplicate__both_came__no_reduction)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS);
	expect_segment(&r, 0);
	ack_segments(&r, 1);
	assert_true(c->rec.tlp_on);
	ack_segments(&r, 1);
	assert_false(c->rec.tlp_on);
	fly(&r, 1, 1);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 2);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
	assert_in_range(c->cc.cwnd, 10, 12);
}

/* Neither text of the peer's nor news of its window is a duplicate. */
TEST(probe__same_ack_for_another_reason__says_nothing_of_it)
{
	for (int text = 0; text <= 1; text++) {
		FLIGHT(r, .sack = true);

		fly(&r, 0, 1);
		rig_pass(&r, 310 * MS);
		expect_segment(&r, 0);
		ack_segments(&r, 1);
		if (text)
			text_in(&r, 0, 100);
		else
			ack_wnd(&r, MSS, FLIGHT_WND / 2);
		rig_drain(&r);
		assert_true(rig_conn(&r)->rec.tlp_on);
		put(&r, MSS);
		rig_drain(&r);
		rig_pass(&r, RTT_MS * MS);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + (text ? 100 : 0)), .ack = seq(ISS + 1 + 2 * MSS));
		EXPECT_COUNT(&r, loss_probe_recovery, 1);
	}
}

/* A probe of something new hides nothing, and there may be another one. */
TEST(probe__was_new__acknowledged__over)
{
	FLIGHT(r, .sack = true);
	struct conn *c = rig_conn(&r);

	fly(&r, 0, 10);
	put(&r, MSS);
	rig_pass(&r, (2 * RTT_MS + 2) * MS);
	expect_segment(&r, 10);
	assert_true(c->rec.tlp_on);
	ack_segments(&r, 10);
	assert_true(c->rec.tlp_on); /* not yet */
	ack_segments(&r, 11);
	assert_false(c->rec.tlp_on);
	fly(&r, 11, 2);
	rig_pass(&r, 400 * MS);
	expect_segment(&r, 12);
	EXPECT_COUNT(&r, loss_probes, 2);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
}

/* One at a time: what is sent behind a probe gets none of its own before that one is answered. */
TEST(probe__is_out__the_next_alarm_is_the_timeout)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	rig_pass(&r, (2 * RTT_MS + 2) * MS);
	expect_segment(&r, 3);
	fly(&r, 4, 1);
	rig_pass(&r, 100 * MS);
	expect_segment(&r, 0);
	EXPECT_COUNT(&r, loss_probes, 1);
	EXPECT_COUNT(&r, timeouts, 1);
}

TEST(recovery__no_probe)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	expect_segment(&r, 0);
	rig_pass(&r, 5 * MS);
	ack_segments(&r, 4);
	rig_drain(&r);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_RECOVERY);
	rig_pass(&r, 310 * MS);
	EXPECT_COUNT(&r, loss_probes, 0);
	EXPECT_COUNT(&r, timeouts, 1);
}

/* Each segment puts the probe off, but not beyond the timeout of the oldest. */
TEST(segments_in_a_trickle__the_oldest_does_not_wait_longer)
{
	FLIGHT(r, .sack = true);

	for (uint32_t i = 0; i < 6; i++) {
		rig_pass(&r, i ? 50 * MS : 0);
		fly(&r, i, 1);
	}
	rig_pass(&r, 49 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 1 * MS);
	expect_segment(&r, 5);
	EXPECT_COUNT(&r, loss_probes, 1);
}

TEST(probe__was_new__ack_beyond_it__no_reduction)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 10);
	put(&r, 3 * MSS);
	rig_pass(&r, (2 * RTT_MS + 2) * MS);
	expect_segment(&r, 10);
	ack_segments(&r, 10);
	expect_segment(&r, 11);
	expect_segment(&r, 12);
	ack_segments(&r, 13);
	assert_false(rig_conn(&r)->rec.tlp_on);
	EXPECT_COUNT(&r, loss_probe_recovery, 0);
}

/* The alarm rang, and before anything is taken from the engine there is an answer. */
TEST(probe_is_due__ack__none_goes)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	r.now += (2 * RTT_MS + 2) * MS;
	la_advance(r.h, r.now);
	assert_true(rig_conn(&r)->rec.tlp_due);
	ack_segments(&r, 2);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, loss_probes, 0);
}

RUN(T(tail_lost__a_probe_after_two_round_trips), T(probe__takes_what_is_new_first),
    T(probe__repaired_a_loss__the_window_is_reduced), T(probe__dsack__both_came__no_reduction),
    T(tcp_early_retrans_0__no_probe), T(probe__of_one_segment__waits_for_a_delayed_ack),
    T(probe__takes_the_place_of_an_earlier_timeout), T(probe__unanswered__the_timeout_follows),
    T(probe__ack_with_dsack__both_came__no_reduction), T(probe__ack_beyond_it_with_dsack__both_came__no_reduction),
    T(probe__pure_duplicate__both_came__no_reduction), T(probe__same_ack_for_another_reason__says_nothing_of_it),
    T(probe__was_new__acknowledged__over), T(probe__is_out__the_next_alarm_is_the_timeout), T(recovery__no_probe),
    T(segments_in_a_trickle__the_oldest_does_not_wait_longer), T(probe__was_new__ack_beyond_it__no_reduction),
    T(probe_is_due__ack__none_goes))
