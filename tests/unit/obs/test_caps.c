/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "obs/caps.h"

TEST(kernel_release__every_distribution__begins_with_two_numbers)
{
	int major = 0, minor = 0;

	assert_true(kernel_version_parse("6.18.44-fc-v595", &major, &minor));
	assert_int_equal(major, 6);
	assert_int_equal(minor, 18);
	assert_true(kernel_version_parse("4.9.0-8-amd64", &major, &minor));
	assert_int_equal(minor, 9);
	assert_true(kernel_version_parse("7.1-rc3", &major, &minor));
	assert_int_equal(major, 7);
	assert_false(kernel_version_parse("linux", &major, &minor));
	assert_false(kernel_version_parse("6", &major, &minor));
	assert_false(kernel_version_parse("6.x", &major, &minor));
	assert_false(kernel_version_parse("", &major, &minor));
	assert_false(kernel_version_parse("99999999999.1", &major, &minor));
}

TEST(mounts__cgroup2_in_a_hybrid_layout__is_found)
{
	static const char text[] = "proc /proc proc rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n"
				   "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
	char where[64] = "";

	assert_true(mount_find(text, "cgroup2", where, sizeof(where)));
	assert_string_equal(where, "/sys/fs/cgroup/unified");
	assert_false(mount_find(text, "bpf", where, sizeof(where)));
	assert_false(mount_find("short\n", "short", NULL, 0));
}

TEST(lockdown__word_in_brackets__is_the_mode)
{
	char word[16];

	lockdown_parse("none [integrity] confidentiality\n", word, sizeof(word));
	assert_string_equal(word, "integrity");
	lockdown_parse("[none] integrity\n", word, sizeof(word));
	assert_string_equal(word, "none");
	lockdown_parse("none [integ", word, sizeof(word));
	assert_string_equal(word, "");
	lockdown_parse("", word, sizeof(word));
	assert_string_equal(word, "");
}

TEST(live__capabilities__have_names_and_say_what_is_lost_only_when_it_is)
{
	struct capability c[CAPABILITIES_MAX];
	size_t n = obs_capabilities(c);

	assert_in_range(n, 10, CAPABILITIES_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_true(c[i].name[0]);
		assert_true(c[i].detail[0]);
		if (c[i].have)
			assert_string_equal(c[i].lost, "");
	}
}

RUN(T(kernel_release__every_distribution__begins_with_two_numbers), T(mounts__cgroup2_in_a_hybrid_layout__is_found),
    T(lockdown__word_in_brackets__is_the_mode), T(live__capabilities__have_names_and_say_what_is_lost_only_when_it_is))
