/* SPDX-License-Identifier: MIT */
#include "engine/cc.h"
#include "knob/values.h"
#include "tests/unit/t.h"

static struct cc with(uint32_t cwnd, uint32_t ssthresh)
{
	return (struct cc){.ops = &cc_newreno, .cwnd = cwnd, .ssthresh = ssthresh, .mss = 1000};
}

TEST(find__by_the_words_of_the_knob)
{
	assert_ptr_equal(cc_find("reno"), &cc_newreno);
	assert_ptr_equal(cc_find("cubic"), &cc_cubic);
	assert_null(cc_find("bbr"));
	assert_null(cc_find(""));
	for (int64_t i = 0; i < N_CONGESTIONS; i++)
		assert_string_equal(cc_of_knob(i)->name, knob_word(KNOB_congestion, i));
}

TEST(start__ten_segments_whatever_their_size)
{
	static const uint32_t mss[] = {36, 536, 1448, 8960, 65483};

	for (size_t i = 0; i < ARRAY_LEN(mss); i++)
		for (int64_t which = 0; which < N_CONGESTIONS; which++) {
			struct cc cc = {.cwnd_cnt = 7, .prior_cwnd = 8};

			cc_start(&cc, cc_of_knob(which), mss[i]);
			assert_int_equal(cc.cwnd, 10);
			assert_int_equal(cc.ssthresh, CC_SSTHRESH_NONE);
			assert_int_equal(cc.cwnd_cnt + cc.prior_cwnd, 0);
			assert_ptr_equal(cc.ops, cc_of_knob(which));
		}
}

TEST(change__window_stays)
{
	struct cc cc = with(37, 20);

	cc.cubic.w_max = 99; /* of a time before */
	cc_change(&cc, &cc_cubic);
	assert_int_equal(cc.cwnd, 37);
	assert_int_equal(cc.ssthresh, 20);
	assert_int_equal(cc.cubic.w_max, 0);
}

TEST(restart__half_for_each_rto_down_to_the_initial_window)
{
	static const struct {
		uint32_t cwnd, idle_ms, now;
	} rows[] = {{80, 200, 80}, {80, 201, 40}, {80, 400, 40},  {80, 401, 20}, {80, 601, 10}, {80, 100000, 10},
		    {36, 401, 10}, {11, 300, 10}, {10, 9000, 10}, {3, 9000, 3},  {1, 9000, 1}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cc cc = with(rows[i].cwnd, 2);

		cc_restart(&cc, rows[i].idle_ms * NSEC_PER_MS, 200 * NSEC_PER_MS);
		assert_int_equal(cc.cwnd, rows[i].now);
	}
}

TEST(restart__ssthresh_remembers_three_quarters)
{
	struct cc cc = with(80, 30);

	cc_restart(&cc, 1000 * NSEC_PER_MS, 200 * NSEC_PER_MS);
	assert_int_equal(cc.ssthresh, 60);
	cc = with(80, 70);
	cc_restart(&cc, 1000 * NSEC_PER_MS, 200 * NSEC_PER_MS);
	assert_int_equal(cc.ssthresh, 70);
}

TEST(undo__the_window_before_or_what_it_is)
{
	struct cc cc = with(5, 5);

	cc.prior_cwnd = 10;
	assert_int_equal(cc_undo_cwnd(&cc), 10);
	cc.cwnd = 12;
	assert_int_equal(cc_undo_cwnd(&cc), 12);
}

RUN(T(find__by_the_words_of_the_knob), T(start__ten_segments_whatever_their_size), T(change__window_stays),
    T(restart__half_for_each_rto_down_to_the_initial_window), T(restart__ssthresh_remembers_three_quarters),
    T(undo__the_window_before_or_what_it_is))
