/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

static const struct rule *const config_rules[] = {&rule_CFG001, &rule_CFG002, &rule_CFG003, &rule_CFG004, &rule_CFG005,
						  &rule_CFG006, &rule_CFG007, &rule_CFG008, &rule_CFG009};

TEST(CFG__default_host_and_container__silent)
{
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(config_rules); i++) {
		rig_init(&r);
		rig_listener(&r, NULL, 22)->backlog = 128;
		rig_listener(&r, NULL, 80)->backlog = 4096;
		rig_eval(&r, config_rules[i]);
		rig_silent(&r);
		rig_netns(&r, "3f2c1a", 4242);
		rig_knob_unknown(&r, KNOB_max_orphans);
		rig_knob(&r, KNOB_ehash_entries, -262144);
		rig_eval(&r, config_rules[i]);
		rig_silent(&r);
	}
}

TEST(CFG__every_knob_unknown__silent)
{
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(config_rules); i++) {
		rig_init(&r);
		rig_listener(&r, NULL, 22)->backlog = 128;
		r.now->states.n[ST_ESTABLISHED] = 100;
		for (int k = 0; k < N_HOST_KNOBS; k++)
			rig_knob_unknown(&r, (enum knob_id)k);
		rig_eval(&r, config_rules[i]);
		rig_silent(&r);
	}
}

TEST(CFG__values_no_kernel_takes__silent)
{
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(config_rules); i++) {
		rig_init(&r);
		for (int k = 0; k < N_HOST_KNOBS; k++)
			if (knob_descs[k].scope != SCOPE_CONST)
				rig_knob(&r, (enum knob_id)k, k % 2 ? INT64_MIN : INT64_MAX);
		rig_eval(&r, config_rules[i]);
		rig_silent(&r);
	}
}

/* ---- CFG001 ---- */

static void expect_fin_timeout(int64_t value, int severity)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_fin_timeout_s, value);
	rig_eval(&r, &rule_CFG001);
	if (severity < 0)
		rig_silent(&r);
	else
		assert_int_equal(rig_only(&r)->severity, severity);
}

TEST(CFG001__values__as_the_formula_says)
{
	expect_fin_timeout(1, SEV_INFO);
	expect_fin_timeout(59, SEV_INFO);
	expect_fin_timeout(60, -1);
	expect_fin_timeout(61, SEV_WARN);
	expect_fin_timeout(89, SEV_WARN);
	expect_fin_timeout(90, -1);
	expect_fin_timeout(120, -1);
	expect_fin_timeout(121, SEV_INFO);
}

TEST(CFG001__quirk__tells_the_real_life_and_restores_60)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_fin_timeout_s, 70);
	rig_eval(&r, &rule_CFG001);
	assert_text(rig_only(&r)->what, "keeps orphans in FIN_WAIT_2 for 20 s, shorter than 60 would");
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_fin_timeout=60"));
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	rig_kernel(&r, KV(5, 10));
	rig_eval(&r, &rule_CFG001);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

TEST(CFG001__line_that_set_it__is_named_on_the_host_only)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_fin_timeout_s, 15);
	rig_config(&r, "/etc/sysctl.d/10-a.conf", 3, "net.ipv4.tcp_fin_timeout", "20");
	rig_config(&r, "/etc/sysctl.conf", 12, "net.ipv4.tcp_fin_timeout", "15");
	rig_eval(&r, &rule_CFG001);
	assert_text(rig_only(&r)->what, "does not shorten TIME_WAIT");
	assert_text(rig_only(&r)->evidence, "(set in /etc/sysctl.conf:12)");
	rig_netns(&r, "3f2c1a", 4242);
	rig_eval(&r, &rule_CFG001);
	assert_no_text(rig_only(&r)->evidence, "set in");
	assert_non_null(rig_remedy(rig_only(&r), "nsenter -t 4242 -n sysctl -w net.ipv4.tcp_fin_timeout=60"));
}

/* ---- CFG002 ---- */

TEST(CFG002__boot_value_silent__one_less_warns)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 131071);
	rig_eval(&r, &rule_CFG002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "131071 < TCP hash buckets / 2 = 131072");
	assert_non_null(rig_remedy(rig_only(&r), "tcp_max_tw_buckets=131072"));
	rig_knob(&r, KNOB_max_tw_buckets, 200000);
	rig_eval(&r, &rule_CFG002);
	rig_silent(&r);
}

TEST(CFG002__namespace_with_its_own_table__has_its_own_boot_value)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_ehash_entries, 1024);
	rig_knob(&r, KNOB_max_tw_buckets, 512);
	rig_eval(&r, &rule_CFG002);
	rig_silent(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 511);
	rig_eval(&r, &rule_CFG002);
	rig_only(&r);
}

TEST(CFG002__size_of_the_table_unknown__only_small_values_are_told)
{
	struct rig r;

	rig_init(&r);
	rig_knob_unknown(&r, KNOB_ehash_entries);
	r.o.s[1].ehash_entries = 0;
	rig_knob(&r, KNOB_max_tw_buckets, 16384);
	rig_eval(&r, &rule_CFG002);
	rig_silent(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 16383);
	rig_eval(&r, &rule_CFG002);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_null(rig_remedy(rig_only(&r), "sysctl"));
}

TEST(CFG002__overflows_so_far__are_told)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 100);
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 2294);
	rig_eval(&r, &rule_CFG002);
	assert_text(rig_only(&r)->evidence, "TCPTimeWaitOverflow 2,294 already");
}

/* ---- CFG003, CFG004, CFG005 ---- */

TEST(CFG003__timestamps_off__warns_and_2_is_silent)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_timestamps, 2);
	rig_eval(&r, &rule_CFG003);
	rig_silent(&r);
	rig_knob(&r, KNOB_timestamps, 0);
	rig_eval(&r, &rule_CFG003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_non_null(rig_remedy(rig_only(&r), "tcp_timestamps=1"));
}

TEST(CFG004__reuse_needs_timestamps)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_eval(&r, &rule_CFG004);
	rig_silent(&r);
	rig_knob(&r, KNOB_timestamps, 0);
	rig_eval(&r, &rule_CFG004);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	rig_knob(&r, KNOB_tw_reuse, 2);
	rig_eval(&r, &rule_CFG004);
	rig_silent(&r);
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_knob_unknown(&r, KNOB_timestamps);
	rig_eval(&r, &rule_CFG004);
	rig_silent(&r);
}

TEST(CFG005__0_and_2_warn_each_in_its_words)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_syncookies, 0);
	rig_eval(&r, &rule_CFG005);
	assert_text(rig_only(&r)->what, "SYNs are dropped");
	rig_knob(&r, KNOB_syncookies, 2);
	rig_eval(&r, &rule_CFG005);
	assert_text(rig_only(&r)->what, "every SYN");
	assert_non_null(rig_remedy(rig_only(&r), "tcp_syncookies=1"));
}

/* ---- CFG006 ---- */

TEST(CFG006__backlog_at_a_low_somaxconn__informs)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_somaxconn, 1024);
	rig_listener(&r, NULL, 80)->backlog = 1023;
	rig_eval(&r, &rule_CFG006);
	rig_silent(&r);
	r.listeners[0].backlog = 1024;
	rig_eval(&r, &rule_CFG006);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "somaxconn=1024 probably caps the backlog of 1 listener, such as *:80");
	assert_non_null(rig_remedy(rig_only(&r), "net.core.somaxconn=4096"));
}

TEST(CFG006__at_the_default__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 80)->backlog = 4096;
	rig_eval(&r, &rule_CFG006);
	rig_silent(&r);
}

TEST(CFG006__half_full_queue_or_overflows__warns)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_somaxconn, 1024);
	rig_listener(&r, NULL, 80)->backlog = 1024;
	r.listeners[0].queue = 511;
	rig_eval(&r, &rule_CFG006);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	r.listeners[0].queue = 512;
	rig_eval(&r, &rule_CFG006);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	r.listeners[0].queue = 0;
	rig_counter(&r, "ListenOverflows", 0, 1);
	rig_eval(&r, &rule_CFG006);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "ListenOverflows +1");
}

TEST(CFG006__old_kernel_with_its_default_of_128__only_under_pressure)
{
	struct rig r;

	rig_init(&r);
	rig_kernel(&r, KV(4, 19));
	rig_knob(&r, KNOB_somaxconn, 128);
	rig_listener(&r, NULL, 22)->backlog = 128;
	rig_eval(&r, &rule_CFG006);
	rig_silent(&r);
	r.listeners[0].queue = 64;
	rig_eval(&r, &rule_CFG006);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

/* ---- CFG007 ---- */

TEST(CFG007__tw_recycle_line__is_dead_since_4_12)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.d/99-tune.conf", 12, "net.ipv4.tcp_tw_recycle", "0");
	rig_eval(&r, &rule_CFG007);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_string_equal(rig_only(&r)->netns, "");
	assert_text(rig_only(&r)->what,
		    "/etc/sysctl.d/99-tune.conf:12 sets net.ipv4.tcp_tw_recycle, which Linux lost in 4.12");
	assert_non_null(rig_remedy(rig_only(&r), "sed -i.bak-12 '12s/^/# /' /etc/sysctl.d/99-tune.conf"));
	rig_kernel(&r, KV(4, 11));
	rig_eval(&r, &rule_CFG007);
	rig_silent(&r);
}

TEST(CFG007__dangerous_value_not_active_yet__is_told)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.conf", 3, "net.ipv4.tcp_max_tw_buckets", "5000");
	rig_eval(&r, &rule_CFG007);
	assert_text(rig_only(&r)->what,
		    "/etc/sysctl.conf:3 sets net.ipv4.tcp_max_tw_buckets to 5000 at the next boot: below");
	assert_text(rig_only(&r)->evidence, "131072 now");
	rig_knob(&r, KNOB_max_tw_buckets, 5000); /* CFG002 has it then */
	rig_eval(&r, &rule_CFG007);
	rig_silent(&r);
}

TEST(CFG007__a_later_line_overrules__silent)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.d/10-a.conf", 3, "net.ipv4.tcp_max_tw_buckets", "5000");
	rig_config(&r, "/etc/sysctl.conf", 1, "net.ipv4.tcp_max_tw_buckets", "131072");
	rig_eval(&r, &rule_CFG007);
	rig_silent(&r);
}

TEST(CFG007__safe_values_and_texts_that_are_no_numbers__silent)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.conf", 1, "net.ipv4.ip_local_port_range", "1024 65535");
	rig_config(&r, "/etc/sysctl.conf", 2, "net.ipv4.tcp_syncookies", "yes");
	rig_config(&r, "/etc/sysctl.conf", 3, "net.ipv4.tcp_tw_reuse", "1");
	rig_config(&r, "/etc/sysctl.conf", 4, "net.ipv4.tcp_timestamps", "");
	rig_eval(&r, &rule_CFG007);
	rig_silent(&r);
}

TEST(CFG007__first_of_two_numbers__is_read)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.conf", 1, "net.ipv4.ip_local_port_range", "500\t65535");
	rig_eval(&r, &rule_CFG007);
	assert_text(rig_only(&r)->what, "well-known service ports");
}

TEST(CFG007__fin_timeout_in_the_quirk__is_told)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.conf", 1, "net.ipv4.tcp_fin_timeout", "70");
	rig_eval(&r, &rule_CFG007);
	assert_text(rig_only(&r)->what, "shorter than with 60");
}

TEST(CFG007__a_path_a_shell_would_read_otherwise__gets_no_command)
{
	struct rig r;

	rig_init(&r);
	rig_config(&r, "/etc/sysctl.d/a;reboot.conf", 1, "net.ipv4.tcp_tw_recycle", "1");
	rig_eval(&r, &rule_CFG007);
	assert_string_equal(rig_only(&r)->remedies[0].command, "");
}

TEST(CFG007__only_a_container_is_seen__silent)
{
	struct rig r;

	rig_init(&r);
	rig_netns(&r, "3f2c1a", 4242);
	rig_config(&r, "/etc/sysctl.conf", 1, "net.ipv4.tcp_tw_recycle", "1");
	rig_eval(&r, &rule_CFG007);
	rig_silent(&r);
}

TEST(CFG007__nine_lines__eight_told)
{
	struct rig r;

	rig_init(&r);
	for (uint32_t i = 1; i <= 9; i++)
		rig_config(&r, "/etc/sysctl.conf", i, "net.ipv4.tcp_tw_recycle", "1");
	rig_eval(&r, &rule_CFG007);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more line)");
}

/* ---- CFG008 ---- */

TEST(CFG008__changed_and_unused__informs_from_ten_connections_on)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_keepalive_time_s, 600);
	rig_knob(&r, KNOB_keepalive_probes, 3);
	r.now->states.n[ST_ESTABLISHED] = 9;
	rig_eval(&r, &rule_CFG008);
	rig_silent(&r);
	r.now->states.n[ST_ESTABLISHED] = 10;
	rig_eval(&r, &rule_CFG008);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "tcp_keepalive_time=600, tcp_keepalive_probes=3, but none of 10 connections");
}

TEST(CFG008__anybody_uses_it__silent)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_keepalive_time_s, 600);
	r.now->states.n[ST_ESTABLISHED] = 10;
	rig_listener(&r, NULL, 80)->keepalive_timers = 1;
	rig_eval(&r, &rule_CFG008);
	rig_silent(&r);
	r.listeners[0].keepalive_timers = 0;
	rig_dest(&r, "10.0.0.1", "10.0.0.2", 80)->keepalive_timers = 1;
	rig_eval(&r, &rule_CFG008);
	rig_silent(&r);
	r.dests[0].keepalive_timers = 0;
	r.listeners[0].opts = (struct sockopts){.known = true, .keepalive = true, .linger_s = -1};
	rig_eval(&r, &rule_CFG008);
	rig_silent(&r);
	r.listeners[0].opts.keepalive = false;
	rig_eval(&r, &rule_CFG008);
	rig_only(&r);
	r.now->dests_more_n = 1;
	rig_eval(&r, &rule_CFG008);
	rig_silent(&r);
}

/* ---- CFG009 ---- */

TEST(CFG009__knob_at_its_bound_silent__beyond_warns)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_retries2, 3);
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
	rig_knob(&r, KNOB_retries2, 2);
	rig_eval(&r, &rule_CFG009);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "net.ipv4.tcp_retries2=2: below 3 connections die");
	assert_text(rig_only(&r)->evidence, "retries2 2 < 3");
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_retries2=15"));
}

TEST(CFG009__above_the_bound__says_greater)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_abort_on_overflow, 1);
	rig_eval(&r, &rule_CFG009);
	assert_text(rig_only(&r)->evidence, "abort_on_overflow 1 > 0");
}

TEST(CFG009__port_range_below_1024__is_left_to_PORT005)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_port_low, 501);
	rig_knob(&r, KNOB_port_high, 20000); /* "32768 20000" is no range */
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
	rig_eval(&r, &rule_PORT005);
	assert_text(rig_only(&r)->what, "well-known service ports");
}

TEST(CFG009__somaxconn__is_left_to_CFG006_where_a_listener_suffers)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_somaxconn, 64);
	rig_eval(&r, &rule_CFG009);
	assert_text(rig_only(&r)->what, "net.core.somaxconn=64");
	rig_listener(&r, NULL, 80)->backlog = 64;
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
	rig_eval(&r, &rule_CFG006);
	rig_only(&r);
}

TEST(CFG009__max_orphans__compares_with_the_boot_value_if_known)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_orphans, 131071);
	rig_eval(&r, &rule_CFG009);
	assert_text(rig_only(&r)->evidence, "131071 < 131072");
	r.o.s[1].ehash_entries = 0;
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
}

TEST(CFG009__knobs_with_a_rule_of_their_own__silent)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_syncookies, 0);
	rig_knob(&r, KNOB_timestamps, 0);
	rig_knob(&r, KNOB_max_tw_buckets, 5);
	rig_knob(&r, KNOB_fin_timeout_s, 70);
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
}

TEST(CFG009__conntrack_that_never_saw_a_packet__silent)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_ct_time_wait_s, 30);
	r.now->conntrack.known = true;
	rig_eval(&r, &rule_CFG009);
	rig_silent(&r);
	r.now->conntrack.active = true;
	rig_eval(&r, &rule_CFG009);
	assert_text(rig_only(&r)->what, "forgets a connection");
}

TEST(CFG009__nine_knobs__eight_told)
{
	static const struct {
		enum knob_id id;
		int64_t value;
	} bad[] = {{KNOB_tw_reuse_delay_ms, 50}, {KNOB_max_orphans, 5},     {KNOB_retries2, 1},
		   {KNOB_abort_on_overflow, 1},  {KNOB_tw_recycle, 1},      {KNOB_autobind_reuse, 1},
		   {KNOB_somaxconn, 64},         {KNOB_ct_time_wait_s, 30}, {KNOB_ct_established_s, 60}};
	struct rig r;

	rig_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		rig_knob(&r, bad[i].id, bad[i].value);
	rig_eval(&r, &rule_CFG009);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more knob)");
}

RUN(T(CFG__default_host_and_container__silent), T(CFG__every_knob_unknown__silent),
    T(CFG__values_no_kernel_takes__silent), T(CFG001__values__as_the_formula_says),
    T(CFG001__quirk__tells_the_real_life_and_restores_60), T(CFG001__line_that_set_it__is_named_on_the_host_only),
    T(CFG002__boot_value_silent__one_less_warns), T(CFG002__namespace_with_its_own_table__has_its_own_boot_value),
    T(CFG002__size_of_the_table_unknown__only_small_values_are_told), T(CFG002__overflows_so_far__are_told),
    T(CFG003__timestamps_off__warns_and_2_is_silent), T(CFG004__reuse_needs_timestamps),
    T(CFG005__0_and_2_warn_each_in_its_words), T(CFG006__backlog_at_a_low_somaxconn__informs),
    T(CFG006__at_the_default__silent), T(CFG006__half_full_queue_or_overflows__warns),
    T(CFG006__old_kernel_with_its_default_of_128__only_under_pressure), T(CFG007__tw_recycle_line__is_dead_since_4_12),
    T(CFG007__dangerous_value_not_active_yet__is_told), T(CFG007__a_later_line_overrules__silent),
    T(CFG007__safe_values_and_texts_that_are_no_numbers__silent), T(CFG007__first_of_two_numbers__is_read),
    T(CFG007__fin_timeout_in_the_quirk__is_told), T(CFG007__a_path_a_shell_would_read_otherwise__gets_no_command),
    T(CFG007__only_a_container_is_seen__silent), T(CFG007__nine_lines__eight_told),
    T(CFG008__changed_and_unused__informs_from_ten_connections_on), T(CFG008__anybody_uses_it__silent),
    T(CFG009__knob_at_its_bound_silent__beyond_warns), T(CFG009__above_the_bound__says_greater),
    T(CFG009__port_range_below_1024__is_left_to_PORT005),
    T(CFG009__somaxconn__is_left_to_CFG006_where_a_listener_suffers),
    T(CFG009__max_orphans__compares_with_the_boot_value_if_known), T(CFG009__knobs_with_a_rule_of_their_own__silent),
    T(CFG009__conntrack_that_never_saw_a_packet__silent), T(CFG009__nine_knobs__eight_told))
