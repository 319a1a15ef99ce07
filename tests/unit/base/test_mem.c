/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdlib.h>

TEST(vec_reserve__grows_zeroed_and_keeps_what_was_there)
{
	int *v = NULL;
	size_t cap = 0;

	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(vec_reserve((void **)&v, &cap, i + 1, sizeof(*v)), 0);
		assert_int_equal(v[i], 0);
		v[i] = (int)i;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	free(v);
}

TEST(vec_reserve__too_much__changes_nothing)
{
	int *v = NULL;
	size_t cap = 0;

	assert_int_equal(vec_reserve((void **)&v, &cap, SIZE_MAX / 2, sizeof(*v)), -ENOMEM);
	assert_null(v);
	assert_int_equal(cap, 0);
}

RUN(T(vec_reserve__grows_zeroed_and_keeps_what_was_there), T(vec_reserve__too_much__changes_nothing))
