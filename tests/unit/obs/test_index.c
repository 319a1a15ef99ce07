/* SPDX-License-Identifier: MIT */
#include "obs/index.h"
#include "tests/unit/t.h"

TEST(empty__any_key__is_not_found)
{
	struct index ix = {0};
	size_t at = 5;

	assert_int_equal(index_next(&ix, 5, &at), INDEX_NONE);
}

TEST(many_keys__all_with_the_same_hash__are_each_met_once)
{
	struct index ix = {0};
	bool met[100] = {false};
	uint32_t place;
	size_t n = 0;

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(index_add(&ix, 0xfffffff0, i), 0);
	for (size_t at = 0xfffffff0; (place = index_next(&ix, 0xfffffff0, &at)) != INDEX_NONE; n++) {
		assert_true(place < 100 && !met[place]);
		met[place] = true;
	}
	assert_int_equal(n, 100);
	index_done(&ix);
}

static uint32_t spread(uint32_t i) { return i * 2654435761u; }

TEST(growing__keeps_load_at_half_and_finds_every_key)
{
	struct index ix = {0};

	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(index_add(&ix, spread(i), i), 0);
		assert_true(ix.n * 2 <= ix.n_slots);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		size_t at = spread(i);

		assert_int_equal(index_next(&ix, spread(i), &at), i);
	}
	index_done(&ix);
	assert_null(ix.slot);
}

RUN(T(empty__any_key__is_not_found), T(many_keys__all_with_the_same_hash__are_each_met_once),
    T(growing__keeps_load_at_half_and_finds_every_key))
