/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* ---- TW001 ---- */

TEST(TW001__counter_at_rest__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_TW001);
	rig_silent(&r);
}

TEST(TW001__one_overflow__is_certain_and_critical)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 1000);
	r.now->sockstat.tw = 1000;
	rig_counter(&r, "TCPTimeWaitOverflow", 5, 6);
	rig_eval(&r, &rule_TW001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_FAILING);
	assert_int_equal(f->confidence, CONF_CERTAIN);
	assert_text(f->what, "1 connection closed without a TIME_WAIT in 1.0 s, the limit is reached");
	assert_text(f->evidence,
		    "TCPTimeWaitOverflow +1 > 0 in 1.0 s; sockstat tw 1,000 >= 0.9 x tcp_max_tw_buckets 1,000");
	assert_text(f->remedies[0].action, "from 1,000 to 131,072; it was lowered below its boot value");
	assert_string_equal(f->remedies[0].command, "sysctl -w net.ipv4.tcp_max_tw_buckets=131072");
	assert_text(f->remedies[0].precondition, "32 MiB");
	assert_null(rig_remedy(f, "99-tuning"));
	rig_config(&r, "/etc/sysctl.d/99-tuning.conf", 3, "net.ipv4.tcp_max_tw_buckets", "1000");
	rig_eval(&r, &rule_TW001);
	assert_non_null(rig_remedy(rig_only(&r), "line 3 of /etc/sysctl.d/99-tuning.conf too, which sets it to 1000"));
	rig_netns(&r, "web", 5);
	rig_eval(&r, &rule_TW001);
	assert_null(rig_remedy(rig_only(&r), "99-tuning"));
}

TEST(TW001__boot_value_reached__is_doubled)
{
	struct rig r;

	rig_init(&r);
	r.now->sockstat.tw = 131072;
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 10);
	rig_eval(&r, &rule_TW001);
	assert_string_equal(rig_only(&r)->remedies[0].command, "sysctl -w net.ipv4.tcp_max_tw_buckets=262144");
}

TEST(TW001__overflow_far_from_the_limit_at_both_looks__may_be_either)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	r.now->sockstat.tw = 10;
	r.before->sockstat.tw = 20;
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 10);
	rig_eval(&r, &rule_TW001);
	f = rig_only(&r);
	assert_text(f->what, "the limit was reached meanwhile or memory refused");
	assert_text(f->evidence, "sockstat tw 20 before < 0.9 x tcp_max_tw_buckets 131,072");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_string_equal(f->remedies[0].command, "sysctl -w net.ipv4.tcp_max_tw_buckets=262144");
}

TEST(TW001__full_at_the_first_look_only__was_the_limit)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	r.before->sockstat.tw = 131072;
	r.now->sockstat.tw = 100000; /* a bunch of them has left since */
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 10);
	rig_eval(&r, &rule_TW001);
	f = rig_only(&r);
	assert_text(f->what, "the limit is reached");
	assert_text(f->evidence, "sockstat tw 131,072 before >= 0.9 x");
	assert_int_equal(f->confidence, CONF_CERTAIN);
}

TEST(TW001__highest_limit_there_is__cannot_be_raised)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, INT32_MAX);
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 10);
	rig_eval(&r, &rule_TW001);
	assert_null(rig_remedy(rig_only(&r), "sysctl"));
}

TEST(TW001__namespace_with_its_own_table__was_not_lowered)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_ehash_entries, 1024); /* tcp_child_ehash_entries */
	rig_knob(&r, KNOB_max_tw_buckets, 512);
	r.now->sockstat.tw = 500;
	rig_eval(&r, &rule_TW001);
	assert_string_equal(rig_only(&r)->remedies[0].action, "Raise tcp_max_tw_buckets from 512 to 65,536");
	rig_knob(&r, KNOB_max_tw_buckets, 511);
	rig_eval(&r, &rule_TW001);
	assert_non_null(rig_remedy(rig_only(&r), "lowered below its boot value"));
}

TEST(TW001__nine_tenths_full__warns)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 1000);
	r.now->sockstat.tw = 899;
	rig_eval(&r, &rule_TW001);
	rig_silent(&r);
	r.now->sockstat.tw = 900;
	rig_eval(&r, &rule_TW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(rig_only(&r)->what, "900 of 1,000 TIME_WAIT buckets are taken (90 %)");
}

TEST(TW001__overflow_long_ago__informs)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPTimeWaitOverflow", 7, 7);
	rig_eval(&r, &rule_TW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "none of them now");
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
}

TEST(TW001__one_snapshot__cannot_say_whether_it_goes_on)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 7);
	rig_once(&r);
	rig_eval(&r, &rule_TW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->raise, "--interval");
}

TEST(TW001__counter_unknown_and_limit_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter_absent(&r, "TCPTimeWaitOverflow");
	rig_knob_unknown(&r, KNOB_max_tw_buckets);
	r.now->sockstat.tw = 200000;
	rig_eval(&r, &rule_TW001);
	rig_silent(&r);
}

TEST(TW001__limit_unknown__still_tells_the_overflow)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPTimeWaitOverflow", 0, 7);
	rig_knob_unknown(&r, KNOB_max_tw_buckets);
	rig_eval(&r, &rule_TW001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->n_remedies, 0);
}

TEST(TW001__no_sockstat__counts_both_sub_states)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_tw_buckets, 1000);
	r.now->sockstat.known = false;
	r.now->states.n[ST_TIME_WAIT] = 500;
	r.now->fin_wait_2_orphans = 400;
	rig_eval(&r, &rule_TW001);
	rig_only(&r);
}

TEST(TW001__counter_was_reset__is_no_growth)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPTimeWaitOverflow", 100, 7);
	rig_eval(&r, &rule_TW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

/* ---- TW002 ---- */

static struct listener *server(struct rig *r, uint32_t n)
{
	struct listener *l;

	rig_init(r);
	l = rig_listener(r, NULL, 80);
	rig_listener_time_wait(r, l, n);
	return l;
}

TEST(TW002__listener_without_reuseaddr__only_a_restart_minds)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 80);
	rig_listener_time_wait(&r, l, 1000);
	l->opts = (struct sockopts){.known = true, .linger_s = -1};
	rig_eval(&r, &rule_TW002);
	assert_text(rig_only(&r)->what, "only a restart would mind them (RESTART001)");
	l->opts.reuseaddr = true;
	rig_eval(&r, &rule_TW002);
	assert_no_text(rig_only(&r)->what, "restart");
}

TEST(TW002__fewer_than_a_hundred__silent)
{
	struct rig r;

	server(&r, 99);
	rig_eval(&r, &rule_TW002);
	rig_silent(&r);
}

TEST(TW002__all_on_listening_ports__harmless)
{
	struct rig r;
	struct listener *l = server(&r, 25000);
	const struct finding *f;

	l->proc = rig_proc(&r, 812, "nginx");
	rig_listener_time_wait(&r, rig_listener(&r, "10.0.0.1", 443), 300);
	rig_eval(&r, &rule_TW002);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_INFO);
	assert_int_equal(f->stage, STAGE_HARMLESS);
	assert_int_equal(f->confidence, CONF_CERTAIN);
	assert_text(f->what, "25,300 TIME_WAIT are harmless, do nothing");
	assert_text(f->evidence, "*:80 25,000 + 10.0.0.1:443 300 = 25,300 of 25,300 >= 99 %; 25,300 x 256 B = 6.2 MiB");
	assert_string_equal(f->process, "nginx[812]");
	assert_int_equal(f->n_remedies, 0);
}

TEST(TW002__more_than_one_percent_elsewhere__silent)
{
	struct rig r;

	server(&r, 990);
	rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 10);
	rig_eval(&r, &rule_TW002);
	rig_only(&r);
	server(&r, 990);
	rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 11);
	rig_eval(&r, &rule_TW002);
	rig_silent(&r);
}

TEST(TW002__listener_is_gone__silent)
{
	struct rig r;

	server(&r, 1000)->listening = false;
	rig_eval(&r, &rule_TW002);
	rig_silent(&r);
}

TEST(TW002__something_fails__silent)
{
	static const char *const signs[] = {"TCPTimeWaitOverflow", "PAWSTimewait"};
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		server(&r, 1000);
		rig_counter(&r, signs[i], 0, 1);
		rig_eval(&r, &rule_TW002);
		rig_silent(&r);
	}
	server(&r, 1000);
	rig_knob(&r, KNOB_max_tw_buckets, 1111);
	rig_eval(&r, &rule_TW002);
	rig_silent(&r);
	server(&r, 1000);
	rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 10000);
	rig_eval(&r, &rule_TW002);
	rig_silent(&r);
}

TEST(TW002__one_snapshot__is_less_sure)
{
	struct rig r;

	server(&r, 1000);
	rig_once(&r);
	rig_eval(&r, &rule_TW002);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

TEST(TW002__many_listeners__the_evidence_fits)
{
	struct rig r;

	server(&r, 1000);
	for (uint16_t i = 0; i < 20; i++)
		rig_listener_time_wait(
			&r, rig_listener(&r, "2001:db8:1111:2222:3333:4444:5555:6666", (uint16_t)(8000 + i)), 1000);
	rig_eval(&r, &rule_TW002);
	assert_text(rig_only(&r)->evidence, "+ 17 more = 21,000 of 21,000");
}

/* ---- TW003 ---- */

static struct dest *closer(struct rig *r, uint32_t per_s, unsigned seconds)
{
	struct dest *d;

	rig_init(r);
	d = rig_dest(r, "10.0.0.1", "10.0.0.2", 80);
	for (unsigned s = 0; s < seconds; s++)
		d->tw_ages.s[s] = per_s;
	d->tw_in_range = d->states.n[ST_TIME_WAIT] = per_s * seconds;
	rig_dest_ports(d, per_s * seconds);
	return d;
}

TEST(TW003__nine_closes_a_second__silent)
{
	struct rig r;

	closer(&r, 9, 60);
	rig_eval(&r, &rule_TW003);
	rig_silent(&r);
}

TEST(TW003__ten_closes_a_second__names_who_and_to_whom)
{
	struct rig r;
	struct dest *d = closer(&r, 10, 60);
	const struct finding *f;

	d->proc = rig_proc(&r, 77, "python3");
	rig_eval(&r, &rule_TW003);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_INFO);
	assert_int_equal(f->stage, STAGE_CHURN);
	assert_text(f->what, "python3[77] closes 10 connections/s to 10.0.0.2:80 first");
	assert_text(f->evidence, "entered 10/s >= 10/s");
	assert_text(f->evidence, "2.1 % of the local ports in use < 35 %");
	assert_text(f->remedies[0].action, "Reuse connections in python3[77]");
}

TEST(TW003__fewer_than_a_hundred_closes__silent)
{
	struct rig r;

	closer(&r, 33, 3);
	rig_eval(&r, &rule_TW003);
	rig_silent(&r);
	closer(&r, 34, 3);
	rig_eval(&r, &rule_TW003);
	rig_only(&r);
}

TEST(TW003__old_pile_without_live_connections__informs)
{
	struct rig r;
	struct dest *d;

	rig_init(&r);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	for (unsigned s = 20; s < 30; s++)
		d->tw_ages.s[s] = 100;
	d->tw_in_range = d->states.n[ST_TIME_WAIT] = 1000;
	d->states.n[ST_ESTABLISHED] = 100;
	rig_eval(&r, &rule_TW003);
	assert_text(rig_only(&r)->evidence, "1,000 >= 1,000 and >= 10 x 100 live");
	d->states.n[ST_ESTABLISHED] = 101;
	rig_eval(&r, &rule_TW003);
	rig_silent(&r);
	d->states.n[ST_ESTABLISHED] = 0;
	d->states.n[ST_TIME_WAIT] = 999;
	rig_eval(&r, &rule_TW003);
	rig_silent(&r);
}

TEST(TW003__from_35_percent__warns_and_refers_to_PORT001)
{
	struct rig r;

	closer(&r, 164, 60);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	closer(&r, 165, 60);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->n_remedies, 1);
	assert_text(rig_only(&r)->remedies[0].action, "PORT001");
}

TEST(TW003__one_burst__is_perhaps_the_end_of_a_run)
{
	struct rig r;

	closer(&r, 2000, 1);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->confidence, CONF_LOW);
	assert_text(rig_only(&r)->what, "within a second");
	closer(&r, 12000, 1); /* 43 % of the ports: PORT001's matter, still no churn */
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

TEST(TW003__loopback_with_reuse__takes_the_port_for_the_delay_only)
{
	struct rig r;

	closer(&r, 6000, 60);
	r.dests[0].loopback = true;
	rig_eval(&r, &rule_TW003);
	assert_text(rig_only(&r)->what, "takes a local port away from it for 1 s");
	assert_null(rig_remedy(rig_only(&r), "let the server close first"));
}

TEST(TW003__recycled_time_waits__are_young_but_no_burst)
{
	struct rig r;

	closer(&r, 200, 1);
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_counter(&r, "TWRecycled", 0, 195);
	rig_eval(&r, &rule_TW003);
	assert_text(rig_only(&r)->what, "closes 200 connections/s");
	rig_counter(&r, "TWRecycled", 195, 195);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->confidence, CONF_LOW);
}

TEST(TW003__range_unknown__still_counts_closes)
{
	struct rig r;

	closer(&r, 20, 60);
	rig_knob_unknown(&r, KNOB_port_low);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

TEST(TW003__more_than_eight_destinations__warnings_come_first_then_the_busiest)
{
	struct rig r;
	struct dest *d;

	rig_init(&r);
	for (uint32_t i = 0; i <= PER_RULE_MAX; i++) /* 100/s and more, but few ports */
		rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i)), 6000u + 60 * i);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.9", 443); /* 10/s, but many ports */
	rig_dest_time_wait(&r, d, 600);
	rig_dest_established(&r, d, 20000);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_int_equal(r.found.v[0].severity, SEV_WARN);
	assert_text(r.found.v[0].what, "10.0.0.9:443");
	assert_text(r.found.v[1].what, "108 connections/s to 10.0.0.2:88");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "10.0.0.2:82");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 2 more destinations)");
}

TEST(TW003__many_destinations__the_rest_is_summed)
{
	struct rig r;

	rig_init(&r);
	for (uint16_t i = 0; i < 9; i++)
		rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i)), 1000);
	rig_eval(&r, &rule_TW003);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more destination)");
}

RUN(T(TW001__counter_at_rest__silent), T(TW001__one_overflow__is_certain_and_critical),
    T(TW001__boot_value_reached__is_doubled), T(TW001__overflow_far_from_the_limit_at_both_looks__may_be_either),
    T(TW001__full_at_the_first_look_only__was_the_limit), T(TW001__highest_limit_there_is__cannot_be_raised),
    T(TW001__namespace_with_its_own_table__was_not_lowered), T(TW001__nine_tenths_full__warns),
    T(TW001__overflow_long_ago__informs), T(TW001__one_snapshot__cannot_say_whether_it_goes_on),
    T(TW001__counter_unknown_and_limit_unknown__silent), T(TW001__limit_unknown__still_tells_the_overflow),
    T(TW001__no_sockstat__counts_both_sub_states), T(TW001__counter_was_reset__is_no_growth),
    T(TW002__fewer_than_a_hundred__silent), T(TW002__all_on_listening_ports__harmless),
    T(TW002__more_than_one_percent_elsewhere__silent), T(TW002__listener_is_gone__silent),
    T(TW002__something_fails__silent), T(TW002__one_snapshot__is_less_sure),
    T(TW002__listener_without_reuseaddr__only_a_restart_minds), T(TW002__many_listeners__the_evidence_fits),
    T(TW003__nine_closes_a_second__silent), T(TW003__ten_closes_a_second__names_who_and_to_whom),
    T(TW003__fewer_than_a_hundred_closes__silent), T(TW003__old_pile_without_live_connections__informs),
    T(TW003__from_35_percent__warns_and_refers_to_PORT001), T(TW003__one_burst__is_perhaps_the_end_of_a_run),
    T(TW003__loopback_with_reuse__takes_the_port_for_the_delay_only),
    T(TW003__recycled_time_waits__are_young_but_no_burst), T(TW003__range_unknown__still_counts_closes),
    T(TW003__more_than_eight_destinations__warnings_come_first_then_the_busiest),
    T(TW003__many_destinations__the_rest_is_summed))
