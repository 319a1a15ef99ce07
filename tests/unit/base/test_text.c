/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "base/text.h"
#include <math.h>

TEST(num__groups_by_thousands)
{
	assert_string_equal(num(0).s, "0");
	assert_string_equal(num(999).s, "999");
	assert_string_equal(num(1000).s, "1,000");
	assert_string_equal(num(28232).s, "28,232");
	assert_string_equal(num(UINT64_MAX).s, "18,446,744,073,709,551,615");
}

TEST(rate_text__keeps_one_digit_only_while_small)
{
	assert_string_equal(rate_text(0).s, "0.0");
	assert_string_equal(rate_text(9.94).s, "9.9");
	assert_string_equal(rate_text(9.96).s, "10");
	assert_string_equal(rate_text(28232.4).s, "28,232");
	assert_string_equal(rate_text((double)NAN).s, "?");
}

TEST(percent_text__of_nothing_is_a_dash)
{
	assert_string_equal(percent_text(1, 0).s, "- %");
	assert_string_equal(percent_text(0, 5).s, "0 %");
	assert_string_equal(percent_text(1, 300).s, "0.3 %");
	assert_string_equal(percent_text(27668, 28232).s, "98 %");
}

TEST(seconds_text__picks_the_unit_people_use)
{
	assert_string_equal(seconds_text(0.84).s, "0.8 s");
	assert_string_equal(seconds_text(60).s, "60 s");
	assert_string_equal(seconds_text(180).s, "3 min");
	assert_string_equal(seconds_text(7800).s, "2 h 10 min");
	assert_string_equal(seconds_text(5 * 86400).s, "5 d");
	assert_string_equal(seconds_text((double)INFINITY).s, "never");
}

TEST(bytes_text__uses_binary_units)
{
	assert_string_equal(bytes_text(1023).s, "1023 B");
	assert_string_equal(bytes_text(3565158).s, "3.4 MiB");
	assert_string_equal(bytes_text(UINT64_MAX).s, "16 EiB");
}

TEST(append__never_writes_past_the_end)
{
	char b[8] = "";

	assert_int_equal(append(b, sizeof(b), "%s", "abc"), 3);
	assert_int_equal(append(b, sizeof(b), "%s", "defghi"), 7);
	assert_string_equal(b, "abcdefg");
	assert_int_equal(append(b, sizeof(b), "more"), 7);
}

TEST(copy_printable__disarms_escapes_and_cuts)
{
	char b[8];

	copy_printable(b, sizeof(b), "a\x1b[2J\xffzzz");
	assert_string_equal(b, "a?[2J?z");
	copy_printable(b, 1, "abc");
	assert_string_equal(b, "");
}

RUN(T(num__groups_by_thousands), T(rate_text__keeps_one_digit_only_while_small), T(percent_text__of_nothing_is_a_dash),
    T(seconds_text__picks_the_unit_people_use), T(bytes_text__uses_binary_units), T(append__never_writes_past_the_end),
    T(copy_printable__disarms_escapes_and_cuts))
