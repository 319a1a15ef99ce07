/* SPDX-License-Identifier: MIT */
#include "model/states.h"
#include "tests/unit/t.h"

TEST(state_from_kernel__knows_every_number_and_no_other)
{
	for (int i = 0; i < N_STATES; i++)
		assert_int_equal(state_from_kernel(state_descs[i].kernel), i);
	assert_int_equal(state_from_kernel(12), ST_SYN_RECV); /* TCP_NEW_SYN_RECV */
	assert_int_equal(state_from_kernel(0), -1);
	assert_int_equal(state_from_kernel(13), -1); /* TCP_BOUND_INACTIVE is no state of a connection */
	assert_int_equal(state_from_kernel(99), -1);
}

TEST(state_counts__add_and_sum)
{
	struct state_counts a = {{1, 2}}, b = {{10, 20, 30}};

	state_counts_add(&a, &b);
	assert_int_equal(a.n[0], 11);
	assert_int_equal(state_counts_sum(&a), 63);
}

RUN(T(state_from_kernel__knows_every_number_and_no_other), T(state_counts__add_and_sum))
