/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "tests/unit/t.h"

/* First values of xoshiro256** from the state 1, 2, 3, 4, as its authors' C code gives them. */
TEST(rng__is_xoshiro256_starstar)
{
	struct rng r = {{1, 2, 3, 4}};
	static const uint64_t expected[] = {UINT64_C(11520),
					    0,
					    UINT64_C(1509978240),
					    UINT64_C(1215971899390074240),
					    UINT64_C(1216172134540287360),
					    UINT64_C(607988272756665600)};

	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(rng_u64(&r), expected[i]);
}

/* First values of splitmix64 from 1234567. */
TEST(seed__is_spread_by_splitmix64)
{
	struct rng r;

	rng_seed(&r, 1234567);
	assert_int_equal(r.s[0], UINT64_C(6457827717110365317));
	assert_int_equal(r.s[1], UINT64_C(3203168211198807973));
	assert_int_equal(r.s[2], UINT64_C(9817491932198370423));
	assert_int_equal(r.s[3], UINT64_C(4593380528125082431));
}

TEST(seed__same_seed_same_numbers_other_seed_others)
{
	struct rng a, b, c;

	rng_seed(&a, 0);
	rng_seed(&b, 0);
	rng_seed(&c, 1);
	for (int i = 0; i < 100; i++) {
		uint64_t n = rng_u64(&a);

		assert_int_equal(n, rng_u64(&b));
		assert_int_not_equal(n, rng_u64(&c));
	}
}

TEST(below__stays_below_and_is_even)
{
	struct rng r;
	unsigned n[7] = {0};

	rng_seed(&r, 7);
	for (int i = 0; i < 70000; i++)
		n[rng_below(&r, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(n[i], 9500, 10500); /* 10,000 expected, sigma 93 */
	for (int i = 0; i < 100; i++)
		assert_int_equal(rng_below(&r, 1), 0);
}

TEST(below__reaches_the_whole_range_of_32_bits)
{
	struct rng r;
	uint32_t all = 0;

	rng_seed(&r, 8);
	for (int i = 0; i < 1000; i++)
		all |= rng_below(&r, UINT32_MAX);
	assert_int_equal(all, UINT32_MAX);
}

TEST(chance__never_at_0_always_at_1_and_in_between_as_often_as_said)
{
	struct rng r;
	unsigned n = 0;

	rng_seed(&r, 9);
	for (int i = 0; i < 10000; i++) {
		assert_false(rng_chance(&r, 0));
		assert_true(rng_chance(&r, 1));
		n += rng_chance(&r, 0.25);
	}
	assert_in_range(n, 2280, 2720); /* sigma 43 */
}

RUN(T(rng__is_xoshiro256_starstar), T(seed__is_spread_by_splitmix64), T(seed__same_seed_same_numbers_other_seed_others),
    T(below__stays_below_and_is_even), T(below__reaches_the_whole_range_of_32_bits),
    T(chance__never_at_0_always_at_1_and_in_between_as_often_as_said))
