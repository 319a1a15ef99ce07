/* SPDX-License-Identifier: MIT */
#include "model/counters.h"
#include "tests/unit/t.h"

TEST(counters_get__finds_by_name_after_sorting)
{
	struct counter v[] = {{"TW", 3}, {"Tcp.OutRsts", 2}, {"ListenDrops", 1}};
	struct counters c = {v, 3, 3};
	uint64_t got = 77;

	counters_sort(&c);
	assert_true(counters_get(&c, "TW", &got));
	assert_int_equal(got, 3);
	assert_true(counters_get(&c, "Tcp.OutRsts", &got));
	assert_int_equal(got, 2);
	assert_false(counters_get(&c, "TWKilled", &got));
	assert_int_equal(got, 2);
	assert_false(counters_get(&(struct counters){0}, "TW", &got));
}

RUN(T(counters_get__finds_by_name_after_sorting))
