/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* ---- PORT004 ---- */

TEST(PORT004__listener_below_the_range__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 32767);
	rig_listener(&r, NULL, 61000);
	rig_eval(&r, &rule_PORT004);
	rig_silent(&r);
}

TEST(PORT004__listener_on_the_first_and_last_port__is_told_once_for_all)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	rig_listener(&r, NULL, 32768)->proc = rig_proc(&r, 7, "java");
	rig_listener(&r, "::", 32768);
	rig_listener(&r, NULL, 60999);
	rig_eval(&r, &rule_PORT004);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_INFO);
	assert_text(f->what, "service ports 32768 (java), 60999 lie in the range");
	assert_text(f->evidence, "32768 <= 32768 <= 60999");
	assert_string_equal(f->remedies[0].command, "sysctl -w net.ipv4.ip_local_reserved_ports=32768,60999");
	assert_text(f->remedies[1].command, "/etc/sysctl.d/");
}

TEST(PORT004__reserved_port__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 47820);
	rig_reserve(&r, 47000, 47999);
	rig_eval(&r, &rule_PORT004);
	rig_silent(&r);
}

TEST(PORT004__the_new_list__contains_the_old_one)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 47820);
	rig_reserve(&r, 5000, 5010);
	rig_reserve(&r, 47821, 47821);
	rig_eval(&r, &rule_PORT004);
	assert_non_null(rig_remedy(rig_only(&r), "ip_local_reserved_ports=5000-5010,47820-47821"));
}

TEST(PORT004__outgoing_use_above_a_tenth__warns)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 47820);
	r.now->ephemeral_ports_low_parity = 2823; /* 28,232 / 10 = 2,823.2 */
	rig_eval(&r, &rule_PORT004);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	r.now->ephemeral_ports_low_parity = 2824;
	rig_eval(&r, &rule_PORT004);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

TEST(PORT004__on_loopback_only__does_not_warn)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, "127.0.0.1", 47820);
	r.now->ephemeral_ports_low_parity = 20000;
	rig_eval(&r, &rule_PORT004);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

TEST(PORT004__leftovers_of_a_gone_listener__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 47820)->listening = false;
	rig_eval(&r, &rule_PORT004);
	rig_silent(&r);
}

TEST(PORT004__range_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 47820);
	rig_knob_unknown(&r, KNOB_port_low);
	rig_eval(&r, &rule_PORT004);
	rig_silent(&r);
}

TEST(PORT004__many_scattered_ports__the_command_is_never_cut)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	rig_netns(&r, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", 0);
	for (uint16_t i = 0; i < 40; i++)
		rig_listener(&r, NULL, (uint16_t)(33000 + i * 10))->proc = rig_proc(&r, i, "a-long-command-name");
	rig_eval(&r, &rule_PORT004);
	f = rig_only(&r);
	assert_text(f->what, "and 36 more");
	assert_text(f->remedies[0].command, "ip netns exec 0123456789abcdef");
	assert_text(f->remedies[0].command, "=33000-33390");
	assert_text(f->remedies[0].precondition, "near ones");
	for (size_t i = 0; i < 40; i++)
		r.listeners[i].port = (uint16_t)(33000 + i * 500);
	rig_eval(&r, &rule_PORT004);
	f = rig_only(&r);
	assert_string_equal(f->remedies[0].command, ""); /* one range would reserve most of what connect() has */
	assert_text(f->remedies[0].precondition, "ss -Hltn");
}

TEST(PORT004__other_namespace__persists_where_it_is_made)
{
	struct rig r;

	rig_init(&r);
	rig_netns(&r, "web", 55);
	rig_listener(&r, NULL, 47820);
	rig_eval(&r, &rule_PORT004);
	assert_null(rig_remedy(rig_only(&r), "/etc/sysctl.d"));
	assert_non_null(rig_remedy(rig_only(&r), "docker --sysctl"));
	assert_non_null(rig_remedy(rig_only(&r), "nsenter -t 55 -n sysctl"));
}

/* ---- PORT005 ---- */

static void range(struct rig *r, int64_t low, int64_t high)
{
	rig_init(r);
	rig_knob(r, KNOB_port_low, low);
	rig_knob(r, KNOB_port_high, high);
	rig_eval(r, &rule_PORT005);
}

TEST(PORT005__default_range__silent)
{
	struct rig r;

	range(&r, 32768, 60999);
	rig_silent(&r);
	range(&r, 1024, 65535);
	rig_silent(&r);
}

TEST(PORT005__fewer_than_4096_ports__informs)
{
	struct rig r;

	range(&r, 40000, 44095);
	rig_silent(&r);
	range(&r, 40000, 44093);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "only 4,094 local ports are usable: more than 68 short connections/s");
}

TEST(PORT005__time_wait_is_reused__more_connections_fit)
{
	struct rig r;

	range(&r, 40000, 40199);
	assert_text(rig_only(&r)->evidence, "200/60 s = 3.3/s");
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_eval(&r, &rule_PORT005);
	assert_text(rig_only(&r)->what, "more than 200 short connections/s");
	assert_text(rig_only(&r)->evidence, "200/1 s = 200/s");
}

TEST(PORT005__fewer_than_1024_ports__warns)
{
	struct rig r;

	range(&r, 40000, 41023);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	range(&r, 40000, 41021);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "range 40000-41021 has 1,022 ports - 0 reserved = 1,022 < 1024");
	assert_non_null(rig_remedy(rig_only(&r), "ip_local_port_range=\"1024 65535\""));
}

TEST(PORT005__everything_reserved__fails)
{
	struct rig r;

	rig_init(&r);
	rig_reserve(&r, 32768, 60999);
	rig_eval(&r, &rule_PORT005);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_text(rig_only(&r)->remedies[0].action, "Shorten ip_local_reserved_ports");
}

TEST(PORT005__half_of_it_reserved__informs)
{
	struct rig r;

	rig_init(&r);
	rig_reserve(&r, 32768, 32768 + 14114);
	rig_eval(&r, &rule_PORT005);
	rig_silent(&r);
	r.reserved[0].high++;
	rig_eval(&r, &rule_PORT005);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "covers 14,116 of the 28,232 ports");
}

TEST(PORT005__bounds_of_the_same_parity__informs)
{
	struct rig r;

	range(&r, 32768, 61000);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "32768-61000 has bounds of the same parity");
	assert_string_equal(rig_only(&r)->remedies[0].command,
			    "sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"");
}

TEST(PORT005__begins_below_1024__warns)
{
	struct rig r;

	range(&r, 1022, 60999);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_string_equal(rig_only(&r)->remedies[0].command, "sysctl -w net.ipv4.ip_local_port_range=\"1024 60999\"");
}

TEST(PORT005__ends_below_1025__is_widened_since_nothing_else_is_left)
{
	struct rig r;

	range(&r, 101, 1022);
	assert_int_equal(r.found.n, 2); /* narrow, and well-known ports */
	assert_text(r.found.v[1].what, "begins at 101: outgoing connections take well-known service ports");
	assert_int_equal(r.found.v[1].n_remedies, 1);
	assert_string_equal(r.found.v[1].remedies[0].command, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
	range(&r, 101, 1024);
	assert_null(rig_remedy(&r.found.v[1], "\"1024 1024\""));
}

TEST(PORT004__reserved_port_among_many_ranges__silent)
{
	struct rig r;

	for (uint16_t i = 0; i < 5; i++) {
		rig_init(&r);
		rig_listener(&r, NULL, (uint16_t)(40000 + 10 * i + (i & 1)));
		for (uint16_t k = 0; k < 5; k++)
			rig_reserve(&r, (uint16_t)(40000 + 10 * k), (uint16_t)(40001 + 10 * k));
		rig_eval(&r, &rule_PORT004);
		rig_silent(&r);
		r.listeners[0].port = (uint16_t)(40002 + 10 * i);
		rig_eval(&r, &rule_PORT004);
		rig_only(&r);
	}
}

TEST(PORT005__range_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	rig_knob_unknown(&r, KNOB_port_low);
	rig_reserve(&r, 1, 65535);
	rig_eval(&r, &rule_PORT005);
	rig_silent(&r);
}

RUN(T(PORT004__listener_below_the_range__silent), T(PORT004__listener_on_the_first_and_last_port__is_told_once_for_all),
    T(PORT004__reserved_port__silent), T(PORT004__the_new_list__contains_the_old_one),
    T(PORT004__outgoing_use_above_a_tenth__warns), T(PORT004__on_loopback_only__does_not_warn),
    T(PORT004__leftovers_of_a_gone_listener__silent), T(PORT004__range_unknown__silent),
    T(PORT004__many_scattered_ports__the_command_is_never_cut), T(PORT004__other_namespace__persists_where_it_is_made),
    T(PORT005__default_range__silent), T(PORT005__fewer_than_4096_ports__informs),
    T(PORT005__time_wait_is_reused__more_connections_fit), T(PORT005__fewer_than_1024_ports__warns),
    T(PORT005__everything_reserved__fails), T(PORT005__half_of_it_reserved__informs),
    T(PORT005__bounds_of_the_same_parity__informs), T(PORT005__begins_below_1024__warns),
    T(PORT005__range_unknown__silent), T(PORT005__ends_below_1025__is_widened_since_nothing_else_is_left),
    T(PORT004__reserved_port_among_many_ranges__silent))
