/* SPDX-License-Identifier: MIT */
#include "engine/counter.h"
#include "tests/unit/t.h"

TEST(counters_def__names_are_the_kernels_or_begin_with_la_and_are_unique)
{
	for (unsigned i = 0; i < N_COUNTERS; i++) {
		assert_true(strlen(counter_descs[i].help) > 0);
		assert_true(counter_descs[i].name[0] >= 'A' && counter_descs[i].name[0] <= 'Z');
		assert_int_equal(i >= COUNTER_la_fragments, strncmp(counter_descs[i].name, "La", 2) == 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(counter_descs[i].name, counter_descs[k].name);
	}
	assert_string_equal(counter_descs[COUNTER_tw_overflow].name, "TCPTimeWaitOverflow");
}

TEST(counter_get__every_field__is_found_at_its_number)
{
	struct counters c = {.active_opens = 1, .tw = 22, .paws_tw = UINT64_MAX, .la_port_map_none = 44};

	assert_int_equal(counter_get(&c, 0), 1);
	assert_int_equal(counter_get(&c, COUNTER_tw), 22);
	assert_int_equal(counter_get(&c, COUNTER_paws_tw), UINT64_MAX);
	assert_int_equal(counter_get(&c, N_COUNTERS - 1), 44);
	assert_int_equal(counter_get(&c, COUNTER_passive_opens), 0);
}

RUN(T(counters_def__names_are_the_kernels_or_begin_with_la_and_are_unique),
    T(counter_get__every_field__is_found_at_its_number))
