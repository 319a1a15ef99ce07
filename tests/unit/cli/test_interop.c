/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <jansson.h>
#include <unistd.h>

#include "cli/complain.h"
#include "tests/unit/cli/run.h"

TEST(wrong_arguments__are_told_in_one_line)
{
	static const struct {
		const char *args[5], *says;
	} cases[] = {
		{{"telnet"}, "no such part: 'telnet'"},
		{{"curl", "nginx", "half", "x"}, "no such part: 'x'"},
		{{"--impair", "much"}, "'much' is not like loss=2"},
		{{"--impair", "loss=101"}, "'loss=101' is not like loss=2"},
		{{"--transfers", "0"}, "--transfers"},
		{{"--seed", "-1"}, "--seed"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *args[8] = {"lastack", "interop"};
		struct run r;

		memcpy(args + 2, cases[i].args, sizeof(cases[i].args));
		r = run_cli(args);
		if (r.code != EXIT_USAGE || r.out[0] || !strstr(r.err, cases[i].says))
			fail_msg("%s: code %d, out '%s', err '%s'", args[2], r.code, r.out, r.err);
		run_done(&r);
	}
}

/* A child without privileges: a test may be run by root. */
static struct run as_nobody(const char *json)
{
	const char *args[] = {"lastack", "interop", json, NULL};

	if (geteuid() == 0 && seteuid(65534))
		skip();
	struct run r = run_cli(args);

	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	return r;
}

TEST(without_root__one_line_says_so)
{
	struct run r = as_nobody(NULL);

	assert_int_equal(r.code, EXIT_INCOMPLETE);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "need root"));
	assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
	run_done(&r);
}

TEST(without_root__json_says_that_each_part_was_skipped)
{
	struct run r = as_nobody("--json");
	json_t *doc = json_loads(r.out, 0, NULL);

	assert_non_null(doc);
	assert_int_equal(r.code, EXIT_INCOMPLETE);
	assert_int_equal(json_integer_value(json_object_get(doc, "skipped")), 6);
	assert_int_equal(json_array_size(json_object_get(doc, "parts")), 6);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(doc, "parts"), 0), "text")),
		"needs root");
	json_decref(doc);
	run_done(&r);
}

TEST(pcap_that_cannot_be_written__is_told)
{
	RUN_CLI(r, "interop", "half", "--pcap", "/nonexistent/file");

	if (geteuid() == 0) {
		assert_int_equal(r.code, EXIT_INTERNAL);
		assert_non_null(strstr(r.err, "--pcap: /nonexistent/file"));
	}
	assert_string_equal(r.out, "");
	run_done(&r);
}

RUN(T(wrong_arguments__are_told_in_one_line), T(without_root__one_line_says_so),
    T(without_root__json_says_that_each_part_was_skipped), T(pcap_that_cannot_be_written__is_told))
