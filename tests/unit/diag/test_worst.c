/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "diag/worst.h"

TEST(worst_add__heavier_rows_later__stand_first)
{
	struct worst w = {0};

	worst_add(&w, 0, 1);
	worst_add(&w, 1, 3);
	worst_add(&w, 2, 2);
	assert_int_equal(w.n, 3);
	assert_int_equal(w.v[0].row, 1);
	assert_int_equal(w.v[1].row, 2);
	assert_int_equal(w.v[2].row, 0);
	assert_int_equal(w.more, 0);
}

TEST(worst_add__equal_rows__keep_their_order)
{
	struct worst w = {0};

	for (size_t i = 0; i < PER_RULE_MAX + 2; i++)
		worst_add(&w, i, 5);
	assert_int_equal(w.n, PER_RULE_MAX);
	assert_int_equal(w.more, 2);
	for (size_t i = 0; i < PER_RULE_MAX; i++)
		assert_int_equal(w.v[i].row, i);
}

TEST(worst_add__full__a_heavier_row_pushes_the_lightest_out)
{
	struct worst w = {0};

	for (size_t i = 0; i < PER_RULE_MAX; i++)
		worst_add(&w, i, (double)(100 - i));
	worst_add(&w, 50, 99.5);
	assert_int_equal(w.n, PER_RULE_MAX);
	assert_int_equal(w.more, 1);
	assert_int_equal(w.v[1].row, 50);
	assert_int_equal(w.v[PER_RULE_MAX - 1].row, PER_RULE_MAX - 2);
	worst_add(&w, 60, 1);
	assert_int_equal(w.more, 2);
	assert_int_equal(w.v[PER_RULE_MAX - 1].row, PER_RULE_MAX - 2);
}

RUN(T(worst_add__heavier_rows_later__stand_first), T(worst_add__equal_rows__keep_their_order),
    T(worst_add__full__a_heavier_row_pushes_the_lightest_out))
