/* SPDX-License-Identifier: MIT */
#include "engine/cc.h"
#include "tests/unit/t.h"

static const struct cc_ops *const reno = &cc_newreno;

static struct cc with(uint32_t cwnd, uint32_t ssthresh)
{
	return (struct cc){.cwnd = cwnd, .ssthresh = ssthresh, .mss = 1000};
}

TEST(start__initial_window_of_rfc_6928)
{
	static const struct {
		uint32_t mss, iw;
	} rows[] = {{36, 360},     {536, 5360},   {1448, 14480}, {1460, 14600},
		    {1461, 14600}, {7300, 14600}, {8960, 17920}, {65483, 130966}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cc cc;

		reno->start(&cc, rows[i].mss);
		assert_int_equal(cc.cwnd, rows[i].iw);
		assert_true(cc.ssthresh > 1000000);
	}
}

TEST(slow_start__grows_by_what_was_acknowledged_at_most_a_segment)
{
	struct cc cc = with(2000, 8000);

	reno->acked(&cc, 300, 0);
	assert_int_equal(cc.cwnd, 2300);
	reno->acked(&cc, 2000, 0);
	assert_int_equal(cc.cwnd, 3300);
}

TEST(congestion_avoidance__a_segment_a_window)
{
	struct cc cc = with(4000, 4000);

	for (int i = 0; i < 3; i++)
		reno->acked(&cc, 1000, 0);
	assert_int_equal(cc.cwnd, 4000);
	reno->acked(&cc, 1000, 0);
	assert_int_equal(cc.cwnd, 5000);
	for (int i = 0; i < 4; i++)
		reno->acked(&cc, 1000, 0);
	assert_int_equal(cc.cwnd, 5000);
	reno->acked(&cc, 1000, 0);
	assert_int_equal(cc.cwnd, 6000);
}

TEST(congestion_avoidance__what_is_left_over_counts_for_the_next_window)
{
	struct cc cc = with(4000, 4000);

	for (int i = 0; i < 3; i++)
		reno->acked(&cc, 1500, 0);
	assert_int_equal(cc.cwnd, 5000);
	for (int i = 0; i < 3; i++)
		reno->acked(&cc, 1500, 0); /* and the 500 from before */
	assert_int_equal(cc.cwnd, 6000);
}

TEST(recovery__halves_inflates_and_deflates)
{
	struct cc cc = with(10000, 50000);

	reno->enter_recovery(&cc, 10000, 0);
	assert_int_equal(cc.ssthresh, 5000);
	assert_int_equal(cc.cwnd, 8000); /* three segments have left the network */
	reno->dup_ack(&cc);
	assert_int_equal(cc.cwnd, 9000);
	reno->partial_ack(&cc, 3000);
	assert_int_equal(cc.cwnd, 7000);
	reno->partial_ack(&cc, 500); /* less than a segment: nothing is added back */
	assert_int_equal(cc.cwnd, 6500);
	reno->partial_ack(&cc, 60000);
	assert_int_equal(cc.cwnd, 1000);
	reno->exit_recovery(&cc, 2500);
	assert_int_equal(cc.cwnd, 3500);
	reno->exit_recovery(&cc, 9000);
	assert_int_equal(cc.cwnd, 5000);
	reno->exit_recovery(&cc, 0);
	assert_int_equal(cc.cwnd, 2000);
}

TEST(small_flight__ssthresh_is_two_segments)
{
	struct cc cc = with(3000, 50000);

	reno->enter_recovery(&cc, 3000, 0);
	assert_int_equal(cc.ssthresh, 2000);
	cc = with(3000, 50000);
	reno->timeout(&cc, 1);
	assert_int_equal(cc.ssthresh, 2000);
}

TEST(timeout__one_segment)
{
	struct cc cc = with(20000, 50000);

	reno->timeout(&cc, 12000);
	assert_int_equal(cc.cwnd, 1000);
	assert_int_equal(cc.ssthresh, 6000);
}

TEST(idle__back_to_the_initial_window_never_up)
{
	struct cc cc = with(60000, 50000);

	reno->idle(&cc);
	assert_int_equal(cc.cwnd, 10000);
	cc.cwnd = 3000;
	reno->idle(&cc);
	assert_int_equal(cc.cwnd, 3000);
}

TEST(growth__ends_before_it_wraps)
{
	struct cc cc = with(UINT32_C(1) << 30, UINT32_MAX);

	reno->acked(&cc, 1000, 0);
	reno->dup_ack(&cc);
	assert_int_equal(cc.cwnd, UINT32_C(1) << 30);
}

RUN(T(start__initial_window_of_rfc_6928), T(slow_start__grows_by_what_was_acknowledged_at_most_a_segment),
    T(congestion_avoidance__a_segment_a_window), T(congestion_avoidance__what_is_left_over_counts_for_the_next_window),
    T(recovery__halves_inflates_and_deflates), T(small_flight__ssthresh_is_two_segments), T(timeout__one_segment),
    T(idle__back_to_the_initial_window_never_up), T(growth__ends_before_it_wraps))
