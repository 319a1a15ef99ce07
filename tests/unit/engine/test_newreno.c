/* SPDX-License-Identifier: MIT */
#include "engine/cc.h"
#include "tests/unit/t.h"

static const struct cc_ops *const reno = &cc_newreno;

static struct cc with(uint32_t cwnd, uint32_t ssthresh)
{
	return (struct cc){.ops = reno, .cwnd = cwnd, .ssthresh = ssthresh, .mss = 1000};
}

static void acked(struct cc *cc, uint32_t n) { reno->acked(cc, &(struct cc_ack){.acked = n}); }

TEST(slow_start__grows_by_what_was_acknowledged)
{
	struct cc cc = with(2, 8);

	acked(&cc, 1);
	assert_int_equal(cc.cwnd, 3);
	acked(&cc, 2);
	assert_int_equal(cc.cwnd, 5);
	acked(&cc, 4); /* up to ssthresh; what is left counts as congestion avoidance */
	assert_int_equal(cc.cwnd, 8);
	assert_int_equal(cc.cwnd_cnt, 1);
}

TEST(congestion_avoidance__a_segment_a_window)
{
	struct cc cc = with(4, 4);

	for (int i = 0; i < 3; i++)
		acked(&cc, 1);
	assert_int_equal(cc.cwnd, 4);
	acked(&cc, 1);
	assert_int_equal(cc.cwnd, 5);
	for (int i = 0; i < 4; i++)
		acked(&cc, 1);
	assert_int_equal(cc.cwnd, 5);
	acked(&cc, 1);
	assert_int_equal(cc.cwnd, 6);
}

TEST(congestion_avoidance__what_is_left_over_counts_for_the_next_window)
{
	struct cc cc = with(4, 4);

	acked(&cc, 3);
	acked(&cc, 3);
	assert_int_equal(cc.cwnd, 5);
	assert_int_equal(cc.cwnd_cnt, 2);
	acked(&cc, 3);
	assert_int_equal(cc.cwnd, 6);
}

TEST(window_fell__counts_no_more_than_one)
{
	struct cc cc = with(4, 4);

	cc.cwnd_cnt = 9; /* of a window of ten */
	acked(&cc, 1);
	assert_int_equal(cc.cwnd, 5);
	assert_int_equal(cc.cwnd_cnt, 1);
}

TEST(congestion__half_at_least_two)
{
	struct cc cc = with(10, 50);

	assert_int_equal(reno->ssthresh(&cc, 0), 5);
	cc = with(3, 50);
	assert_int_equal(reno->ssthresh(&cc, 0), 2);
}

TEST(growth__ends_before_it_wraps)
{
	struct cc cc = with(CC_CWND_MAX, CC_SSTHRESH_NONE);

	acked(&cc, 1000);
	assert_int_equal(cc.cwnd, CC_CWND_MAX);
}

RUN(T(slow_start__grows_by_what_was_acknowledged), T(congestion_avoidance__a_segment_a_window),
    T(congestion_avoidance__what_is_left_over_counts_for_the_next_window), T(window_fell__counts_no_more_than_one),
    T(congestion__half_at_least_two), T(growth__ends_before_it_wraps))
