/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "engine/engine.h"

static struct engine e;

static struct conn fresh(int64_t min_ms, int64_t max_ms)
{
	struct conn c = {.eng = &e, .backoff = 9, .rtt_timing = true};

	e.k.rto_min_ms = min_ms;
	e.k.rto_max_ms = max_ms;
	rtt_init(&c);
	return c;
}

TEST(before_a_sample__one_second)
{
	struct conn c = fresh(200, 120000);

	assert_int_equal(rtt_rto_us(&c), 1000000); /* (2.1) */
	assert_int_equal(c.backoff, 0);
	assert_false(c.rtt_timing);
}

TEST(first_sample__srtt_is_it_and_rttvar_half)
{
	struct conn c = fresh(1, 120000);

	rtt_sample(&c, 100000);
	assert_int_equal(c.srtt_us, 100000); /* (2.2) */
	assert_int_equal(c.rttvar_us, 50000);
	assert_int_equal(rtt_rto_us(&c), 300000);
}

TEST(next_samples__by_an_eighth_and_a_quarter)
{
	struct conn c = fresh(1, 120000);

	rtt_sample(&c, 100000);
	rtt_sample(&c, 180000);
	assert_int_equal(c.rttvar_us, 57500); /* (2.3): 3/4 * 50000 + 1/4 * 80000, with the old SRTT */
	assert_int_equal(c.srtt_us, 110000); /* 7/8 * 100000 + 1/8 * 180000 */
	assert_int_equal(rtt_rto_us(&c), 340000);
	rtt_sample(&c, 30000);
	assert_int_equal(c.rttvar_us, 63125);
	assert_int_equal(c.srtt_us, 100000);
	assert_int_equal(rtt_rto_us(&c), 353000); /* 352.5 ms, rounded up */
}

TEST(steady_round_trips__the_floor_stands_on_top_of_srtt)
{
	struct conn c = fresh(200, 120000);

	for (int i = 0; i < 100; i++)
		rtt_sample(&c, 30000);
	assert_int_equal(c.srtt_us, 30000);
	assert_true(c.rttvar_us < 4);
	assert_int_equal(rtt_rto_us(&c), 230000);
}

TEST(no_time_at_all__counts_as_a_microsecond)
{
	struct conn c = fresh(200, 120000);

	for (int i = 0; i < 20; i++)
		rtt_sample(&c, 0);
	assert_int_equal(c.srtt_us, 1);
	assert_int_equal(rtt_rto_us(&c), 201000);
}

TEST(backoff__doubles_up_to_the_maximum)
{
	struct conn c = fresh(200, 120000);

	rtt_sample(&c, 1);
	for (unsigned i = 0; i < 256; i++) {
		uint64_t want = i < 10 ? UINT64_C(201000) << i : 120000000;

		c.backoff = (uint8_t)i;
		assert_int_equal(rtt_rto_us(&c), want); /* (5.5), (2.5) */
	}
	rtt_sample(&c, 1);
	assert_int_equal(c.backoff, 0); /* Karn: a good sample ends it */
	assert_int_equal(rtt_rto_us(&c), 201000);
}

TEST(maximum__holds_for_samples_of_any_length)
{
	struct conn c = fresh(200, 3600000);

	rtt_sample(&c, UINT32_MAX);
	assert_int_equal(rtt_rto_us(&c), 3600000000);
	c.backoff = 40;
	assert_int_equal(rtt_rto_us(&c), 3600000000);
	c = fresh(200, 1000);
	rtt_sample(&c, 5000000);
	assert_int_equal(rtt_rto_us(&c), 1000000);
}

RUN(T(before_a_sample__one_second), T(first_sample__srtt_is_it_and_rttvar_half),
    T(next_samples__by_an_eighth_and_a_quarter), T(steady_round_trips__the_floor_stands_on_top_of_srtt),
    T(no_time_at_all__counts_as_a_microsecond), T(backoff__doubles_up_to_the_maximum),
    T(maximum__holds_for_samples_of_any_length))
