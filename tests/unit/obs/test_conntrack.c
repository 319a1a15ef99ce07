/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "obs/conntrack.h"

TEST(stat__two_cpus__are_summed_by_column_name_in_hexadecimal)
{
	struct conntrack c = {.known = false};

	assert_true(conntrack_stat_parse("entries  clashres found new insert_failed drop early_drop icmp_error\n"
					 "0000000a  00000001 00000002 00000000 00000010 000000ff 00000001 00000000\n"
					 "0000000a  00000001 00000003 00000000 00000001 00000001 00000000 00000000\n",
					 &c));
	assert_int_equal(c.found, 5);
	assert_int_equal(c.insert_failed, 0x11);
	assert_int_equal(c.drop, 0x100);
	assert_int_equal(c.early_drop, 1);
}

TEST(stat__columns_in_another_order__are_still_found)
{
	struct conntrack c = {.known = false};

	assert_true(conntrack_stat_parse("drop new insert_failed\n00000007 00000001 0000000b\n", &c));
	assert_int_equal(c.drop, 7);
	assert_int_equal(c.insert_failed, 11);
	assert_int_equal(c.early_drop, 0);
}

TEST(stat__missing_columns_and_short_rows__count_what_is_there)
{
	struct conntrack c = {.known = false};

	assert_true(conntrack_stat_parse("entries drop insert_failed\n00000001 00000002\n00000001\nzz 1 1\n", &c));
	assert_int_equal(c.drop, 2);
	assert_int_equal(c.insert_failed, 0);
}

TEST(stat__only_a_heading_or_nothing__is_no_answer)
{
	struct conntrack c = {.known = false};

	assert_false(conntrack_stat_parse("", &c));
	assert_false(conntrack_stat_parse("entries drop\n", &c));
	assert_false(conntrack_stat_parse("entries drop\nnot hex\n", &c));
}

RUN(T(stat__two_cpus__are_summed_by_column_name_in_hexadecimal), T(stat__columns_in_another_order__are_still_found),
    T(stat__missing_columns_and_short_rows__count_what_is_there), T(stat__only_a_heading_or_nothing__is_no_answer))
