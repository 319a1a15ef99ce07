/* SPDX-License-Identifier: MIT */
#include "knob/values.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct knobs defaults(void)
{
	struct knobs k;

	knobs_default(&k);
	return k;
}

static void same(const struct knobs *a, const struct knobs *b)
{
	for (enum knob_id id = 0; id < N_KNOBS; id++)
		if (knobs_get(a, id) != knobs_get(b, id))
			fail_msg("%s: %lld, %lld", knob_descs[id].field, (long long)knobs_get(a, id),
				 (long long)knobs_get(b, id));
}

/* ---- defaults and policies ---- */

TEST(knobs_default__every_row__is_the_mainline_default)
{
	struct knobs k = defaults();

	for (enum knob_id id = 0; id < N_KNOBS; id++)
		assert_int_equal(knobs_get(&k, id), knob_descs[id].def == KNOB_BOOT ? INT32_MAX : knob_descs[id].def);
	assert_int_equal(k.max_orphans, INT32_MAX);
	assert_int_equal(k.max_tw_buckets, INT32_MAX);
	assert_int_equal(k.policy, POLICY_LINUX_6_18);
	assert_int_equal(k.tw_full, TW_FULL_RECYCLE_OLDEST);
	assert_int_equal(k.tw_ms, 60000);
	assert_int_equal(k.rto_min_ms, 200);
	assert_int_equal(k.rto_max_ms, 120000);
	assert_int_equal(k.delayed_ack_ms, 40);
}

TEST(knobs_policy__linux_6_18__differs_from_the_default_in_tw_full_alone)
{
	struct knobs want = defaults(), k = defaults();

	want.tw_full = TW_FULL_SKIP;
	knobs_policy(&k, POLICY_LINUX_6_18);
	same(&k, &want);
}

TEST(knobs_policy__every_row__is_as_documented_and_leaves_the_rest)
{
	static const struct {
		enum knob_id id;
		int64_t value[N_POLICIES];
	} rows[] = {
		{KNOB_policy, {POLICY_RFC9293, POLICY_LINUX_2_6, POLICY_LINUX_4_12, POLICY_LINUX_6_18}},
		{KNOB_tw_full, {TW_FULL_RECYCLE_OLDEST, TW_FULL_SKIP, TW_FULL_SKIP, TW_FULL_SKIP}},
		{KNOB_tw_restore, {1, 0, 0, 0}},
		{KNOB_tw_ms, {240000, 60000, 60000, 60000}},
		{KNOB_rfc1337, {1, 0, 0, 0}},
		{KNOB_tw_reuse, {0, 0, 0, 2}},
		{KNOB_timestamps, {1, 2, 1, 1}},
		{KNOB_syn_retries, {7, 5, 6, 6}},
		{KNOB_synack_retries, {7, 5, 5, 5}},
		{KNOB_syn_linear_timeouts, {0, 0, 0, 4}},
		{KNOB_rto_min_ms, {1000, 200, 200, 200}},
		{KNOB_congestion, {CONGESTION_RENO, CONGESTION_CUBIC, CONGESTION_CUBIC, CONGESTION_CUBIC}},
		{KNOB_ecn, {2, 0, 2, 2}},
		{KNOB_ecn_fallback, {1, 0, 1, 1}},
		{KNOB_invalid_ratelimit_ms, {500, 0, 500, 500}},
		{KNOB_challenge_ack_limit, {INT32_MAX, INT32_MAX, 1000, INT32_MAX}},
		{KNOB_somaxconn, {4096, 128, 128, 4096}},
		{KNOB_port_low, {32768, 32768, 32768, 32768}},
		{KNOB_port_high, {60999, 61000, 60999, 60999}},
	};

	for (enum policy from = 0; from < N_POLICIES; from++)
		for (enum policy to = 0; to < N_POLICIES; to++) {
			struct knobs want = defaults(), k = defaults();

			knobs_policy(&k, from);
			knobs_policy(&k, to);
			for (size_t i = 0; i < ARRAY_LEN(rows); i++)
				assert_int_equal(knobs_get(&k, rows[i].id), rows[i].value[to]);
			/* the rest by difference: put the documented ones back */
			for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
				char text[32];

				snprintf(text, sizeof(text), "%lld", (long long)knobs_get(&want, rows[i].id));
				if (rows[i].id != KNOB_policy)
					assert_int_equal(knobs_set(&k, knob_descs[rows[i].id].field, text), 0);
			}
			k.policy = want.policy;
			same(&k, &want);
		}
}

TEST(knobs_policy__values__are_within_the_range_of_their_knob)
{
	for (enum policy p = 0; p < N_POLICIES; p++) {
		struct knobs k = defaults();

		knobs_policy(&k, p);
		for (enum knob_id id = 0; id < N_KNOBS; id++)
			assert_in_range(knobs_get(&k, id) - knob_descs[id].min, 0,
					knob_descs[id].max - knob_descs[id].min);
	}
}

/* ---- one value ---- */

TEST(knobs_set__kernel_name_and_field_name__set_the_same)
{
	struct knobs k = defaults();

	assert_int_equal(knobs_set(&k, "net.ipv4.tcp_tw_reuse", "1"), 0);
	assert_int_equal(k.tw_reuse, 1);
	assert_int_equal(knobs_set(&k, "tw_reuse", " 0\t"), 0);
	assert_int_equal(k.tw_reuse, 0);
	assert_int_equal(knobs_set(&k, "net.ipv4.tcp_fin_timeout", "0x1f"), 0);
	assert_int_equal(k.fin_timeout_s, 31);
	assert_int_equal(knobs_set(&k, "fin_timeout_s", "017"), 0); /* the kernel reads octal */
	assert_int_equal(k.fin_timeout_s, 15);
	assert_int_equal(knobs_set(&k, "ehash_entries", "-262144"), 0);
	assert_int_equal(k.ehash_entries, -262144);
	assert_int_equal(knobs_set(&k, "TCP_TIMEWAIT_LEN", "60"), 0);
	assert_int_equal(knobs_set(&k, "engine.time_wait_ms", "0"), 0);
	assert_int_equal(k.tw_ms, 0);
}

TEST(knobs_set__file_of_two_numbers__takes_both_and_its_fields_one_each)
{
	struct knobs k = defaults();

	assert_int_equal(knobs_set(&k, "net.ipv4.ip_local_port_range", "1024 \t 65535"), 0);
	assert_int_equal(k.port_low, 1024);
	assert_int_equal(k.port_high, 65535);
	assert_int_equal(knobs_set(&k, "port_low", "2000"), 0);
	assert_int_equal(knobs_set(&k, "port_high", "2000"), 0);
	assert_int_equal(k.port_low, 2000);
	assert_int_equal(k.port_high, 2000);
}

TEST(knobs_set__word__sets_its_number)
{
	struct knobs k = defaults();

	assert_int_equal(knobs_set(&k, "engine.tw_full", "refuse"), 0);
	assert_int_equal(k.tw_full, TW_FULL_REFUSE);
	assert_int_equal(knobs_set(&k, "engine.tw_full", "1"), 0);
	assert_int_equal(k.tw_full, TW_FULL_SKIP);
	assert_int_equal(knobs_set(&k, "tw_full", "recycle-oldest"), 0);
	assert_int_equal(k.tw_full, TW_FULL_RECYCLE_OLDEST);
}

TEST(knobs_set__policy_by_word_or_number__does_what_knobs_policy_does)
{
	for (enum policy p = 0; p < N_POLICIES; p++) {
		struct knobs want = defaults(), by_word = defaults(), by_number = defaults();
		char n[2] = {(char)('0' + p), 0};

		knobs_policy(&want, p);
		assert_int_equal(knobs_set(&by_word, "engine.policy", knob_word(KNOB_policy, p)), 0);
		assert_int_equal(knobs_set(&by_number, "policy", n), 0);
		same(&by_word, &want);
		same(&by_number, &want);
	}
}

TEST(knobs_set__bad_value__is_named_and_changes_nothing)
{
	static const struct {
		const char *name, *value;
		int err;
	} rows[] = {
		{"net.ipv4.no_such", "1", -ENOENT},
		{"", "1", -ENOENT},
		{"net.ipv4.tcp_tw_reuse", "", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", " ", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "-", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "+1", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "1x", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "0x", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "08", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "1 1", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "yes", -EINVAL},
		{"net.ipv4.tcp_tw_reuse", "3", -ERANGE},
		{"net.ipv4.tcp_tw_reuse", "-1", -ERANGE},
		{"net.ipv4.tcp_tw_reuse", "9223372036854775808", -ERANGE},
		{"net.ipv4.tcp_tw_reuse", "0xffffffffffffffffffff", -ERANGE},
		{"net.ipv4.ip_local_port_range", "1024", -EINVAL},
		{"net.ipv4.ip_local_port_range", "1024 2048 4096", -EINVAL},
		{"net.ipv4.ip_local_port_range", "2048 1024", -EINVAL},
		{"net.ipv4.ip_local_port_range", "1024 65536", -ERANGE},
		{"net.ipv4.ip_local_port_range", "0 1024", -ERANGE},
		{"port_low", "61000", -EINVAL},
		{"port_high", "32767", -EINVAL},
		{"port_low", "1024 2048", -EINVAL},
		{"TCP_TIMEWAIT_LEN", "5", -ERANGE},
		{"engine.policy", "linux-5.0", -EINVAL},
		{"engine.policy", "linux-6.1", -EINVAL},
		{"engine.policy", "linux-6.180", -EINVAL},
		{"engine.policy", "4", -ERANGE},
		{"engine.tw_full", "drop", -EINVAL},
		{"engine.tw_full", "3", -ERANGE},
		{"engine.time_wait_ms", "3600001", -ERANGE},
		{"engine.delayed_ack_ms", "500", -ERANGE},
	};
	struct knobs k = defaults(), before = k;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(knobs_set(&k, rows[i].name, rows[i].value), rows[i].err);
		same(&k, &before);
	}
}

TEST(knob_word__only_three_knobs_have_words)
{
	assert_string_equal(knob_word(KNOB_policy, POLICY_RFC9293), "rfc9293");
	assert_string_equal(knob_word(KNOB_policy, POLICY_LINUX_2_6), "linux-2.6");
	assert_string_equal(knob_word(KNOB_policy, POLICY_LINUX_4_12), "linux-4.12");
	assert_string_equal(knob_word(KNOB_policy, POLICY_LINUX_6_18), "linux-6.18");
	assert_string_equal(knob_word(KNOB_tw_full, TW_FULL_RECYCLE_OLDEST), "recycle-oldest");
	assert_string_equal(knob_word(KNOB_tw_full, TW_FULL_SKIP), "skip");
	assert_string_equal(knob_word(KNOB_tw_full, TW_FULL_REFUSE), "refuse");
	assert_string_equal(knob_word(KNOB_congestion, CONGESTION_RENO), "reno");
	assert_string_equal(knob_word(KNOB_congestion, CONGESTION_CUBIC), "cubic");
	assert_null(knob_word(KNOB_congestion, N_CONGESTIONS));
	assert_null(knob_word(KNOB_policy, N_POLICIES));
	assert_null(knob_word(KNOB_policy, -1));
	assert_null(knob_word(KNOB_tw_full, N_TW_FULL));
	assert_null(knob_word(KNOB_tw_reuse, 0));
}

/* ---- sysctl.conf ---- */

/* The text without its NUL, in a block that ends where it ends: a read beyond is seen by the sanitizer. */
static int load(struct knobs *k, const char *text, size_t len, unsigned *ret_line)
{
	char *copy = malloc(len ? len : 1);
	int n;

	assert_non_null(copy);
	memcpy(copy, text, len);
	n = knobs_load(k, copy, len, ret_line);
	free(copy);
	return n;
}

#define LOAD(k, text, line) load(k, text, sizeof(text) - 1, line)

TEST(knobs_load__comments_blanks_and_other_sysctls__are_passed_over)
{
	struct knobs k = defaults(), want = k;
	unsigned line = 77;

	assert_int_equal(LOAD(&k, "", &line), 0);
	assert_int_equal(LOAD(&k, "\n \n\t\n", &line), 0);
	assert_int_equal(LOAD(&k,
			      "# net.ipv4.tcp_tw_reuse = 9\n"
			      "  ; net.ipv4.tcp_tw_reuse = 9\n"
			      "kernel.panic = never\n"
			      "tw_reuse = 9\n" /* a field of ours, no sysctl */
			      "TCP_TIMEWAIT_LEN = 5\n"
			      "net.ipv4.tcp_tw_reuse\n"
			      "-net.ipv4.tcp_tw_reuse\n"
			      "= 9\n"
			      "-\n-=\n=\n"
			      "net.ipv4.conf.*.rp_filter = x\n",
			      &line),
			 0);
	same(&k, &want);
	assert_int_equal(line, 77);
}

TEST(knobs_load__spelling__of_sysctl_conf)
{
	struct knobs k = defaults(), want = k;

	assert_int_equal(LOAD(&k,
			      "net.ipv4.tcp_tw_reuse=1\n"
			      " \t net/ipv4/tcp_fin_timeout \t = \t 30 \t \n"
			      "- net.core.somaxconn = 9\r\n"
			      "net.ipv4.ip_local_port_range = 1024\t  65535\r\n"
			      "\tengine.tw_full = refuse\n"
			      "net.ipv4.tcp_rfc1337 = 0\n"
			      "net.ipv4.tcp_rfc1337 = 1", /* the last line has no end */
			      NULL),
			 7);
	want.tw_reuse = 1;
	want.fin_timeout_s = 30;
	want.somaxconn = 9;
	want.port_low = 1024;
	want.port_high = 65535;
	want.tw_full = TW_FULL_REFUSE;
	want.rfc1337 = 1;
	same(&k, &want);
}

TEST(knobs_load__minus_before_the_name__ignores_what_is_wrong_with_it)
{
	struct knobs k = defaults(), want = k;

	assert_int_equal(LOAD(&k, "-net.ipv4.tcp_tw_reuse = 9\n-engine.policy = vms\nnet.ipv4.tcp_rfc1337 = 1\n", NULL),
			 1);
	want.rfc1337 = 1;
	same(&k, &want);
}

TEST(knobs_load__bad_value__tells_the_line_and_changes_nothing)
{
	static const struct {
		const char *text;
		size_t len;
		int err;
		unsigned line;
	} rows[] = {
#define ROW(text, err, line) {text, sizeof(text) - 1, err, line}
		ROW("net.ipv4.tcp_tw_reuse = 9", -ERANGE, 1),
		ROW("\n#\nnet.ipv4.tcp_rfc1337 = 1\nnet.ipv4.tcp_tw_reuse = x\nengine.tw_full=5\n", -EINVAL, 4),
		ROW("net.ipv4.tcp_rfc1337 = 1\r\n\r\nnet.ipv4.tcp_tw_reuse =\r\n", -EINVAL, 3),
		ROW("net.ipv4.tcp_tw_reuse = 1 # comments have lines of their own\n", -EINVAL, 1),
		ROW("net.ipv4.tcp_tw_reuse = 1 = 1\n", -EINVAL, 1),
		ROW("net.ipv4.ip_local_port_range = 5000 4000\n", -EINVAL, 1),
		ROW("net.ipv4.tcp_rfc1337 = 1\nnet.ipv4.tcp_tw_reuse = 1\0\n", -EINVAL, 2),
		ROW("net.ipv4.tcp_rfc1337 = 1\nengine.policy = linux\n", -EINVAL, 2),
		ROW("engine.policy = rfc9293\nengine.policy = 9\n", -ERANGE, 2),
#undef ROW
	};
	struct knobs k = defaults(), before = k;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned line = 0;

		assert_int_equal(load(&k, rows[i].text, rows[i].len, &line), rows[i].err);
		assert_int_equal(line, rows[i].line);
		assert_int_equal(load(&k, rows[i].text, rows[i].len, NULL), rows[i].err);
		same(&k, &before);
	}
}

TEST(knobs_load__nul_in_a_name__is_another_name)
{
	struct knobs k = defaults(), want = k;

	assert_int_equal(LOAD(&k, "net.ipv4.tcp_tw_reuse\0 = 9\n\0\nnet.ipv4.tcp_rfc1337 = 1\n", NULL), 1);
	want.rfc1337 = 1;
	same(&k, &want);
}

TEST(knobs_load__name_longer_than_any__is_passed_over)
{
	struct knobs k = defaults(), want = k;
	char text[300];

	memset(text, 'a', sizeof(text));
	text[5] = '.';
	text[sizeof(text) - 2] = '=';
	assert_int_equal(load(&k, text, sizeof(text), NULL), 0);
	same(&k, &want);
}

TEST(knobs_load__policy_below_other_lines__acts_before_them)
{
	struct knobs k = defaults(), want = k;

	assert_int_equal(LOAD(&k, "net.core.somaxconn = 7\nengine.policy = rfc9293\nengine.policy = linux-2.6\n", NULL),
			 3);
	knobs_policy(&want, POLICY_LINUX_2_6);
	want.somaxconn = 7;
	same(&k, &want);
}

RUN(T(knobs_default__every_row__is_the_mainline_default),
    T(knobs_policy__linux_6_18__differs_from_the_default_in_tw_full_alone),
    T(knobs_policy__every_row__is_as_documented_and_leaves_the_rest),
    T(knobs_policy__values__are_within_the_range_of_their_knob), T(knobs_set__kernel_name_and_field_name__set_the_same),
    T(knobs_set__file_of_two_numbers__takes_both_and_its_fields_one_each), T(knobs_set__word__sets_its_number),
    T(knobs_set__policy_by_word_or_number__does_what_knobs_policy_does),
    T(knobs_set__bad_value__is_named_and_changes_nothing), T(knob_word__only_three_knobs_have_words),
    T(knobs_load__comments_blanks_and_other_sysctls__are_passed_over), T(knobs_load__spelling__of_sysctl_conf),
    T(knobs_load__minus_before_the_name__ignores_what_is_wrong_with_it),
    T(knobs_load__bad_value__tells_the_line_and_changes_nothing), T(knobs_load__nul_in_a_name__is_another_name),
    T(knobs_load__name_longer_than_any__is_passed_over), T(knobs_load__policy_below_other_lines__acts_before_them))
