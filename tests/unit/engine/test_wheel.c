/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "engine/wheel.h"
#include "tests/unit/t.h"

enum { N = 1000, STEPS = 3000 };
#define MS NSEC_PER_MS
#define TURN (UINT64_C(1) << 30) /* ticks of the top level's turn */

static struct wheel_timer timers[N];

static size_t armed_and_on_time(const struct wheel *w, nsec_t now)
{
	size_t armed = 0;

	for (int i = 0; i < N; i++) {
		armed += wheel_is_armed(&timers[i]);
		if (wheel_is_armed(&timers[i]))
			assert_true(timers[i].deadline_at + WHEEL_TICK > now);
	}
	return armed;
}

/* The earliest tick at which something is due, by looking at all. */
static nsec_t earliest(void)
{
	nsec_t first = NSEC_NEVER;

	for (int i = 0; i < N; i++)
		if (wheel_is_armed(&timers[i]) && timers[i].deadline_at < first)
			first = timers[i].deadline_at;
	return first == NSEC_NEVER ? first : (first + WHEEL_TICK - 1) / WHEEL_TICK * WHEEL_TICK;
}

static void walk(uint64_t seed, nsec_t now, unsigned leap_bits)
{
	struct rng r;
	struct wheel w;

	rng_seed(&r, seed);
	memset(timers, 0, sizeof(timers));
	wheel_init(&w, now);
	for (int step = 0; step < STEPS; step++) {
		struct wheel_timer *t = &timers[rng_below(&r, N)];
		uint64_t span = UINT64_C(1) << rng_below(&r, 52);
		nsec_t promised, first;

		if (rng_below(&r, 4) == 0)
			wheel_cancel(&w, t);
		else
			wheel_arm(&w, t, now + rng_u64(&r) % span);
		if (rng_below(&r, 8))
			continue;
		now += rng_u64(&r) % (UINT64_C(1) << (1 + rng_below(&r, leap_bits)));
		promised = wheel_next_at(&w);
		first = earliest();
		assert_true(promised <= first);
		assert_int_equal(promised == NSEC_NEVER, first == NSEC_NEVER);
		while ((t = wheel_expire(&w, now)) != NULL) {
			assert_true(t->deadline_at <= now);
			assert_true(promised <= now);
			assert_false(wheel_is_armed(t));
		}
		assert_int_equal(armed_and_on_time(&w, now), w.armed);
	}
}

TEST(agrees_with_a_linear_scan)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		walk(seed, seed * 7919 * NSEC_PER_S + seed, 42);
}

TEST(agrees_with_a_linear_scan__across_turns_of_the_top_level)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		walk(seed, (seed * TURN - 1000) * MS, 51);
}

TEST(next_at__within_64_ticks__is_exact)
{
	for (unsigned begin = 0; begin < 130; begin++)
		for (unsigned in = 1; in < 64; in++) {
			struct wheel_timer near = {0}, far = {0};
			struct wheel w;

			wheel_init(&w, begin * MS);
			if (begin / 64 != (begin + in) / 64)
				continue; /* beyond the lowest level: the beginning of a slot is promised */
			wheel_arm(&w, &far, (begin + 5000) * MS);
			wheel_arm(&w, &near, (begin + in) * MS);
			assert_int_equal(wheel_next_at(&w), (begin + in) * MS);
			assert_null(wheel_expire(&w, (begin + in) * MS - 1));
			assert_ptr_equal(wheel_expire(&w, (begin + in) * MS), &near);
			assert_null(wheel_expire(&w, (begin + in) * MS));
		}
}

TEST(next_at__where_a_slot_begins__knows_the_timers_that_were_in_it)
{
	struct wheel_timer early = {0}, late = {0};
	struct wheel w;

	wheel_init(&w, 0);
	wheel_arm(&w, &early, 66 * MS); /* a level up */
	assert_null(wheel_expire(&w, 63 * MS)); /* the present is 64 now */
	wheel_arm(&w, &late, 69 * MS);
	assert_int_equal(wheel_next_at(&w), 66 * MS);
	assert_ptr_equal(wheel_expire(&w, 69 * MS), &early);
	assert_ptr_equal(wheel_expire(&w, 69 * MS), &late);
}

TEST(next_at__after_cancel__forgets)
{
	struct wheel_timer t[3] = {0};
	struct wheel w;

	wheel_init(&w, 0);
	assert_int_equal(wheel_next_at(&w), NSEC_NEVER);
	for (int i = 0; i < 3; i++)
		wheel_arm(&w, &t[i], (3 + (nsec_t)i) * MS);
	wheel_cancel(&w, &t[0]);
	assert_int_equal(wheel_next_at(&w), 4 * MS);
	wheel_cancel(&w, &t[1]);
	wheel_cancel(&w, &t[1]);
	assert_int_equal(wheel_next_at(&w), 5 * MS);
	wheel_arm(&w, &t[2], 500 * MS);
	assert_true(wheel_next_at(&w) > 5 * MS);
	wheel_cancel(&w, &t[2]);
	assert_int_equal(wheel_next_at(&w), NSEC_NEVER);
	assert_int_equal(w.armed, 0);
	for (int level = 0; level < WHEEL_LEVELS; level++)
		assert_int_equal(w.occupied[level], 0);
}

TEST(deadline_between_ticks__fires_after_it_never_before)
{
	struct wheel_timer t = {0};
	struct wheel w;

	wheel_init(&w, 10 * MS);
	wheel_arm(&w, &t, 12 * MS + 1);
	assert_null(wheel_expire(&w, 12 * MS + 999999));
	assert_ptr_equal(wheel_expire(&w, 13 * MS), &t);
}

TEST(deadline_in_the_past__fires_at_once)
{
	struct wheel_timer t = {0};
	struct wheel w;

	wheel_init(&w, 10 * MS);
	assert_null(wheel_expire(&w, 20 * MS));
	wheel_arm(&w, &t, 15 * MS);
	assert_true(wheel_next_at(&w) <= 20 * MS);
	assert_ptr_equal(wheel_expire(&w, 20 * MS), &t);
}

TEST(same_tick__first_armed_first_out)
{
	struct wheel_timer t[5] = {0};
	struct wheel w;

	wheel_init(&w, 0);
	for (int i = 0; i < 5; i++)
		wheel_arm(&w, &t[i], 5000 * MS - (nsec_t)i); /* all in tick 5000 */
	for (int i = 0; i < 5; i++)
		assert_ptr_equal(wheel_expire(&w, 6000 * MS), &t[i]);
}

TEST(beyond_the_horizon__fires_when_due)
{
	struct wheel_timer t = {0};
	struct wheel w;
	nsec_t due = 5 * TURN * MS + 17 * MS, now = 3 * MS;
	unsigned looks = 0;

	wheel_init(&w, now);
	wheel_arm(&w, &t, due);
	while (wheel_expire(&w, now) != &t) {
		now = wheel_next_at(&w);
		assert_true(now <= due);
		assert_true(++looks < 1000);
	}
	assert_int_equal(now, due);
}

TEST(just_over_the_top_levels_turn__fires_when_due)
{
	struct wheel_timer t = {0};
	struct wheel w;

	wheel_init(&w, (TURN - 5) * MS);
	wheel_arm(&w, &t, (TURN + 5) * MS);
	assert_null(wheel_expire(&w, (TURN + 4) * MS));
	assert_ptr_equal(wheel_expire(&w, (TURN + 5) * MS), &t);
}

RUN(T(agrees_with_a_linear_scan), T(agrees_with_a_linear_scan__across_turns_of_the_top_level),
    T(next_at__within_64_ticks__is_exact), T(next_at__where_a_slot_begins__knows_the_timers_that_were_in_it),
    T(next_at__after_cancel__forgets), T(deadline_between_ticks__fires_after_it_never_before),
    T(deadline_in_the_past__fires_at_once), T(same_tick__first_armed_first_out), T(beyond_the_horizon__fires_when_due),
    T(just_over_the_top_levels_turn__fires_when_due))
