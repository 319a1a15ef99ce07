/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "engine/engine.h"

static struct engine e;

static struct conn fresh(int64_t min_ms, int64_t max_ms)
{
	struct conn c = {.eng = &e, .backoff = 9};

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
	assert_int_equal(rtt_min_us(&c), UINT32_MAX);
}

TEST(first_sample__srtt_is_it_and_rttvar_half)
{
	struct conn c = fresh(1, 120000);

	rtt_sample(&c, 100000);
	assert_int_equal(c.srtt8_us, 8 * 100000); /* (2.2) */
	assert_int_equal(c.rttvar_us, 4 * 50000);
	assert_int_equal(rtt_rto_us(&c), 300000);
}

/* A sample of its own round each. */
static void round_trip(struct conn *c, uint32_t us)
{
	c->snd_nxt = seq_add(c->snd_nxt, 1);
	c->snd_una = c->snd_nxt;
	rtt_sample(c, us);
}

TEST(next_samples__by_an_eighth_and_a_quarter)
{
	struct conn c = fresh(1, 120000);

	round_trip(&c, 100000);
	round_trip(&c, 180000);
	assert_int_equal(c.mdev4_us, 4 * 57500); /* (2.3): 3/4 * 50000 + 1/4 * 80000, with the old SRTT */
	assert_int_equal(c.srtt8_us, 8 * 110000); /* 7/8 * 100000 + 1/8 * 180000 */
	assert_int_equal(rtt_rto_us(&c), 340000);
}

/* A round trip that falls is no reason to wait longer: what it deviates counts an eighth of what a rise would (Linux). */
TEST(shorter_round_trip__raises_the_deviation_little)
{
	struct conn c = fresh(1, 120000);

	round_trip(&c, 100000);
	round_trip(&c, 20000);
	assert_int_equal(c.mdev4_us, 4 * 50000 + (80000 - 50000) / 8);
	assert_int_equal(c.srtt8_us, 8 * 90000);
}

TEST(variation__falls_by_a_quarter_a_round)
{
	struct conn c = fresh(1, 120000);
	uint64_t before;

	round_trip(&c, 100000);
	before = c.rttvar_us;
	for (int i = 0; i < 10; i++)
		rtt_sample(&c, 100000); /* all of the same round */
	assert_int_equal(c.rttvar_us, before);
	round_trip(&c, 100000); /* the first sample's round ends: its deviation was all there was */
	assert_int_equal(c.rttvar_us, before);
	round_trip(&c, 100000);
	assert_true(c.rttvar_us < before);
	assert_true(c.rttvar_us >= before - before / 4);
}

TEST(steady_round_trips__the_floor_stands_on_top_of_srtt)
{
	struct conn c = fresh(200, 120000);

	for (int i = 0; i < 100; i++)
		round_trip(&c, 30000);
	assert_int_equal(c.srtt8_us, 8 * 30000);
	assert_int_equal(c.rttvar_us, 200000);
	assert_int_equal(rtt_rto_us(&c), 230000);
}

TEST(no_time_at_all__counts_as_a_microsecond)
{
	struct conn c = fresh(200, 120000);

	for (int i = 0; i < 20; i++)
		rtt_sample(&c, 0);
	assert_int_equal(c.srtt8_us, 8);
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

TEST(no_sample_in_the_handshake__three_seconds)
{
	struct conn c = fresh(200, 120000);

	rtt_fall_back(&c);
	assert_int_equal(rtt_rto_us(&c), 3000000); /* (5.7) */
	rtt_sample(&c, 100000);
	assert_int_equal(rtt_rto_us(&c), 300000);
}

TEST(least_round_trip__of_the_last_five_minutes)
{
	struct conn c = fresh(200, 120000);

	e.now = 1000 * NSEC_PER_S;
	rtt_min_sample(&c, 500);
	rtt_min_sample(&c, 900);
	assert_int_equal(rtt_min_us(&c), 500);
	rtt_min_sample(&c, 300);
	assert_int_equal(rtt_min_us(&c), 300);
	for (unsigned i = 0; i < 290; i++) {
		e.now += NSEC_PER_S;
		rtt_min_sample(&c, 700 + i);
	}
	assert_int_equal(rtt_min_us(&c), 300);
	for (unsigned i = 0; i < 11; i++) {
		e.now += NSEC_PER_S;
		rtt_min_sample(&c, 2000);
	}
	assert_in_range(rtt_min_us(&c), 700, 990); /* a successor from within the window */
	e.now += 301 * NSEC_PER_S;
	rtt_min_sample(&c, 5000);
	assert_int_equal(rtt_min_us(&c), 5000);
	e.now = 0;
}

/* A few samples are enough: one of each part of the window succeeds the least when that is too old. */
TEST(least_round_trip__has_successors_of_each_part_of_the_window)
{
	struct conn c = fresh(200, 120000);

	e.now = NSEC_PER_S;
	rtt_min_sample(&c, 10000);
	e.now += 80 * NSEC_PER_S;
	rtt_min_sample(&c, 30000);
	e.now += 160 * NSEC_PER_S;
	rtt_min_sample(&c, 40000);
	assert_int_equal(rtt_min_us(&c), 10000);
	e.now += 61 * NSEC_PER_S;
	rtt_min_sample(&c, 50000);
	assert_int_equal(rtt_min_us(&c), 30000);
	e.now += 80 * NSEC_PER_S;
	rtt_min_sample(&c, 60000);
	assert_int_equal(rtt_min_us(&c), 40000);
}

RUN(T(before_a_sample__one_second), T(first_sample__srtt_is_it_and_rttvar_half),
    T(next_samples__by_an_eighth_and_a_quarter), T(shorter_round_trip__raises_the_deviation_little),
    T(variation__falls_by_a_quarter_a_round), T(steady_round_trips__the_floor_stands_on_top_of_srtt),
    T(no_time_at_all__counts_as_a_microsecond), T(backoff__doubles_up_to_the_maximum),
    T(maximum__holds_for_samples_of_any_length), T(no_sample_in_the_handshake__three_seconds),
    T(least_round_trip__of_the_last_five_minutes), T(least_round_trip__has_successors_of_each_part_of_the_window))
