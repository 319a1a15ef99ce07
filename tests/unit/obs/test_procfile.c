/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "obs/procfile.h"

TEST(words__several_spaces_and_a_newline__end_at_the_line)
{
	const char *cursor = " one\ttwo  three\nfour";
	char w[8];

	assert_true(next_word(&cursor, w, sizeof(w)));
	assert_string_equal(w, "one");
	assert_true(next_word(&cursor, w, sizeof(w)));
	assert_string_equal(w, "two");
	assert_true(next_word(&cursor, w, sizeof(w)));
	assert_string_equal(w, "three");
	assert_false(next_word(&cursor, w, sizeof(w)));
}

TEST(words__longer_than_the_buffer__are_cut_but_passed_whole)
{
	const char *cursor = "abcdefgh x";
	char w[4];

	assert_true(next_word(&cursor, w, sizeof(w)));
	assert_string_equal(w, "abc");
	assert_true(next_word(&cursor, w, sizeof(w)));
	assert_string_equal(w, "x");
}

TEST(lines__last_one_without_newline__is_read_and_empty_ones_are_kept)
{
	const char *cursor = "a\n\nb";
	char line[8];

	assert_true(next_line(&cursor, line, sizeof(line)));
	assert_string_equal(line, "a");
	assert_true(next_line(&cursor, line, sizeof(line)));
	assert_string_equal(line, "");
	assert_true(next_line(&cursor, line, sizeof(line)));
	assert_string_equal(line, "b");
	assert_false(next_line(&cursor, line, sizeof(line)));
}

TEST(numbers__signs_tails_and_overflow__are_refused)
{
	uint64_t u = 7;
	int64_t i = 7;

	assert_false(word_uint("-1", 10, &u));
	assert_false(word_uint("+1", 10, &u));
	assert_false(word_uint("", 10, &u));
	assert_false(word_uint("12x", 10, &u));
	assert_false(word_uint("99999999999999999999", 10, &u));
	assert_false(word_uint("xyz", 16, &u));
	assert_int_equal(u, 7);
	assert_true(word_uint("18446744073709551615", 10, &u));
	assert_true(u == UINT64_MAX);
	assert_true(word_uint("ff", 16, &u));
	assert_int_equal(u, 255);
	assert_true(word_int("-262144", &i));
	assert_int_equal(i, -262144);
	assert_false(word_int("-", &i));
	assert_false(word_int("9223372036854775808", &i));
}

TEST(file__bigger_than_the_buffer__is_cut_and_terminated)
{
	char buf[5];

	assert_int_equal(procfile_read(AT_FDCWD, "/proc/self/stat", buf, sizeof(buf)), 4);
	assert_int_equal(strlen(buf), 4);
	assert_int_equal(procfile_read(AT_FDCWD, "/proc/self/nonsense", buf, sizeof(buf)), -ENOENT);
}

TEST(whole_file__absent__tells_the_error)
{
	int err = 0;
	char *text = procfile_all("/proc/self/nonsense", &err);

	assert_null(text);
	assert_int_equal(err, -ENOENT);
	text = procfile_all("/proc/self/status", &err);
	assert_non_null(text);
	assert_int_equal(err, 0);
	assert_non_null(strstr(text, "Pid:"));
	free(text);
}

RUN(T(words__several_spaces_and_a_newline__end_at_the_line), T(words__longer_than_the_buffer__are_cut_but_passed_whole),
    T(lines__last_one_without_newline__is_read_and_empty_ones_are_kept),
    T(numbers__signs_tails_and_overflow__are_refused), T(file__bigger_than_the_buffer__is_cut_and_terminated),
    T(whole_file__absent__tells_the_error))
