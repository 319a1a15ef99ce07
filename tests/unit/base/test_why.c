/* SPDX-License-Identifier: MIT */
#include "base/why.h"
#include "tests/unit/t.h"
#include <errno.h>

TEST(why_errno__says_what_and_returns_minus_errno)
{
	struct why w = {""};

	assert_int_equal(why_errno(&w, ENOENT, "open %s", "/x"), -ENOENT);
	assert_string_equal(w.text, "open /x: No such file or directory");
	why_prefix(&w, "netns %d", 7);
	assert_string_equal(w.text, "netns 7: open /x: No such file or directory");
}

TEST(why__null_is_allowed_and_long_text_is_cut)
{
	struct why w = {""};
	char long_text[400];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	why_set(NULL, "nothing");
	assert_int_equal(why_errno(NULL, EIO, "nothing"), -EIO);
	why_errno(&w, EIO, "%s", long_text);
	assert_int_equal(strlen(w.text), sizeof(w.text) - 1);
	why_prefix(&w, "%s", long_text);
	assert_int_equal(strlen(w.text), sizeof(w.text) - 1);
}

RUN(T(why_errno__says_what_and_returns_minus_errno), T(why__null_is_allowed_and_long_text_is_cut))
