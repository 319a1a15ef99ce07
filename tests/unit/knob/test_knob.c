/* SPDX-License-Identifier: MIT */
#include "knob/knob.h"
#include "tests/unit/t.h"
#include <stdlib.h>

TEST(knobs_def__every_row_is_sound)
{
	for (int i = 0; i < N_KNOBS; i++) {
		const struct knob_desc *d = &knob_descs[i];

		assert_true(d->min <= d->max);
		if (d->def != KNOB_BOOT)
			assert_true(d->def >= d->min && d->def <= d->max);
		assert_true(!d->until || d->since < d->until);
		assert_true(strlen(d->help) > 0);
		/* A reason is given exactly when some value is dangerous. */
		assert_int_equal(d->danger[0] != '\0', d->safe_min != KNOB_ANY || d->safe_max != KNOB_ANY);
		if (d->def != KNOB_BOOT && strncmp(d->name, "net.", 4) == 0)
			assert_false(knob_is_dangerous((enum knob_id)i, d->def, KNOB_ANY));
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(knob_descs[k].field, d->field);
			assert_false(strcmp(knob_descs[k].name, d->name) == 0 && knob_descs[k].word == d->word);
		}
	}
}

TEST(knobs_def__host_rows_first__then_the_engines)
{
	assert_string_equal(knob_descs[N_HOST_KNOBS].name, "engine.policy");
	for (int i = 0; i < N_KNOBS; i++) {
		const struct knob_desc *d = &knob_descs[i];

		assert_int_equal(d->scope == SCOPE_ENGINE, i >= N_HOST_KNOBS);
		/* a sysctl whose value is a word: the engine alone reads it */
		if (i != KNOB_congestion)
			assert_int_equal(strncmp(d->name, "engine.", 7) == 0, i >= N_HOST_KNOBS);
		assert_int_equal(knob_path((enum knob_id)i).s[0] != '\0',
				 i < N_HOST_KNOBS && strncmp(d->name, "net.", 4) == 0);
	}
}

TEST(knob_find__takes_field_and_kernel_name)
{
	assert_int_equal(knob_find("tw_reuse"), KNOB_tw_reuse);
	assert_int_equal(knob_find("net.ipv4.tcp_tw_reuse"), KNOB_tw_reuse);
	assert_int_equal(knob_find("port_high"), KNOB_port_high);
	assert_int_equal(knob_find("net.ipv4.ip_local_port_range"), KNOB_port_low);
	assert_int_equal(knob_find("net.ipv4.no_such"), -1);
}

TEST(knob_is_dangerous__boot_bound_needs_the_boot_value)
{
	assert_true(knob_is_dangerous(KNOB_max_tw_buckets, 131071, 131072));
	assert_false(knob_is_dangerous(KNOB_max_tw_buckets, 131072, 131072));
	assert_false(knob_is_dangerous(KNOB_max_tw_buckets, 5, KNOB_ANY));
	assert_true(knob_is_dangerous(KNOB_syncookies, 0, KNOB_ANY));
	assert_false(knob_is_dangerous(KNOB_syncookies, 1, KNOB_ANY));
	assert_true(knob_is_dangerous(KNOB_syncookies, 2, KNOB_ANY));
}

TEST(knob_is_default__compares_with_the_boot_value_where_there_is_one)
{
	assert_true(knob_is_default(KNOB_tw_reuse, 2, KNOB_ANY));
	assert_false(knob_is_default(KNOB_tw_reuse, 1, KNOB_ANY));
	assert_false(knob_is_default(KNOB_max_tw_buckets, 5, 131072));
	assert_true(knob_is_default(KNOB_max_tw_buckets, 5, KNOB_ANY));
}

TEST(knob_boot_value__comes_from_the_table_the_namespace_uses)
{
	static const struct {
		enum knob_id id;
		uint64_t host;
		int64_t own, boot;
	} rows[] = {
		{KNOB_max_tw_buckets, 262144, 262144, 131072},
		{KNOB_max_tw_buckets, 262144, -262144, 131072}, /* shared */
		{KNOB_max_tw_buckets, 262144, 1024, 512}, /* tcp_child_ehash_entries=1024 */
		{KNOB_max_tw_buckets, 262144, 0, 131072},
		{KNOB_max_tw_buckets, 0, 1024, 512},
		{KNOB_max_tw_buckets, 0, -1024, 512},
		{KNOB_max_tw_buckets, 0, 0, KNOB_ANY},
		{KNOB_max_tw_buckets, UINT64_MAX, INT64_MIN, KNOB_ANY},
		{KNOB_max_orphans, 262144, 1024, 131072}, /* one for the machine */
		{KNOB_max_orphans, 0, 1024, KNOB_ANY},
		{KNOB_max_syn_backlog, 262144, 1024, 128},
		{KNOB_max_syn_backlog, 262144, -262144, 2048},
		{KNOB_ehash_entries, 262144, 262144, 262144},
		{KNOB_ehash_entries, 262144, -262144, -262144},
		{KNOB_ehash_entries, 0, 1024, KNOB_ANY},
		{KNOB_ct_max, 262144, 262144, KNOB_ANY},
		{KNOB_tw_reuse, 262144, 262144, KNOB_ANY},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(knob_boot_value(rows[i].id, rows[i].host, rows[i].own), rows[i].boot);
}

TEST(knob_path__is_below_proc_sys)
{
	assert_string_equal(knob_path(KNOB_somaxconn).s, "/proc/sys/net/core/somaxconn");
	assert_string_equal(knob_path(KNOB_ct_established_s).s,
			    "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established");
	assert_string_equal(knob_path(KNOB_time_wait_len_s).s, "");
}

RUN(T(knobs_def__every_row_is_sound), T(knobs_def__host_rows_first__then_the_engines),
    T(knob_find__takes_field_and_kernel_name), T(knob_is_dangerous__boot_bound_needs_the_boot_value),
    T(knob_is_default__compares_with_the_boot_value_where_there_is_one), T(knob_path__is_below_proc_sys),
    T(knob_boot_value__comes_from_the_table_the_namespace_uses))
