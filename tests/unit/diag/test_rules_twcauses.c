/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

static struct listener *server(struct rig *r, uint32_t n)
{
	struct listener *l;

	rig_init(r);
	l = rig_listener(r, NULL, 80);
	rig_listener_time_wait(r, l, n);
	return l;
}

/* ---- TW004 ---- */

TEST(TW004__counter_at_rest__silent)
{
	struct rig r;

	server(&r, 1000);
	rig_counter(&r, "PAWSTimewait", 9, 9);
	rig_eval(&r, &rule_TW004);
	rig_silent(&r);
}

TEST(TW004__one_refused_segment__warns_and_suspects_nat)
{
	struct rig r;
	struct listener *l = server(&r, 1000);
	const struct finding *f;

	l->proc = rig_proc(&r, 812, "nginx");
	rig_counter(&r, "PAWSTimewait", 9, 10);
	rig_eval(&r, &rule_TW004);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->stage, STAGE_FAILING);
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_text(f->what, "TIME_WAITs of *:80 refused 1 segment in 1.0 s");
	assert_text(f->what, "NAT");
	assert_text(f->evidence,
		    "PAWSTimewait +1 > 0 in 1.0 s; TCPACKSkippedTimeWait +0; TIME_WAIT on listening ports 1,000");
	assert_string_equal(f->process, "nginx[812]");
	assert_non_null(rig_remedy(f, "tcp_timestamps=2"));
	assert_null(rig_remedy(f, "tcp_rfc1337"));
	assert_null(rig_remedy(f, "nf_conntrack"));
}

TEST(TW004__rfc1337_set__is_undone_first)
{
	struct rig r;

	server(&r, 1000);
	rig_counter(&r, "PAWSTimewait", 0, 10);
	rig_knob(&r, KNOB_rfc1337, 1);
	rig_eval(&r, &rule_TW004);
	assert_string_equal(rig_only(&r)->remedies[0].command, "sysctl -w net.ipv4.tcp_rfc1337=0");
}

TEST(TW004__short_conntrack_timeout__is_raised)
{
	struct rig r;

	server(&r, 1000);
	rig_counter(&r, "PAWSTimewait", 0, 10);
	rig_knob(&r, KNOB_ct_time_wait_s, 59);
	rig_eval(&r, &rule_TW004);
	assert_non_null(rig_remedy(rig_only(&r), "nf_conntrack_tcp_timeout_time_wait=120"));
}

TEST(TW004__no_time_wait_on_a_listening_port__only_informs)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 80);
	rig_counter(&r, "PAWSTimewait", 0, 10);
	rig_eval(&r, &rule_TW004);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_int_equal(rig_only(&r)->n_remedies, 0);
}

TEST(TW004__older_kernel_without_the_counter__silent)
{
	struct rig r;

	server(&r, 1000);
	rig_counter_absent(&r, "PAWSTimewait");
	rig_counter(&r, "PAWSEstab", 0, 100);
	rig_eval(&r, &rule_TW004);
	rig_silent(&r);
}

TEST(TW004__one_snapshot__silent)
{
	struct rig r;

	server(&r, 1000);
	rig_counter(&r, "PAWSTimewait", 0, 10);
	rig_once(&r);
	rig_eval(&r, &rule_TW004);
	rig_silent(&r);
}

/* ---- TW005 ---- */

TEST(TW005__default__silent)
{
	struct rig r;

	server(&r, 1000);
	rig_counter(&r, "PAWSTimewait", 0, 10);
	rig_eval(&r, &rule_TW005);
	rig_silent(&r);
}

TEST(TW005__set_on_a_server__informs)
{
	struct rig r;

	server(&r, 1);
	rig_knob(&r, KNOB_rfc1337, 1);
	rig_eval(&r, &rule_TW005);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_rfc1337=0"));
}

TEST(TW005__segments_are_refused__warns)
{
	static const char *const signs[] = {"PAWSTimewait", "TCPACKSkippedTimeWait"};
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		server(&r, 10);
		rig_knob(&r, KNOB_rfc1337, 1);
		rig_counter(&r, signs[i], 3, 4);
		rig_eval(&r, &rule_TW005);
		assert_int_equal(rig_only(&r)->severity, SEV_WARN);
		assert_text(rig_only(&r)->what, "it happens now");
	}
}

TEST(TW005__no_time_wait_on_a_listening_port__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 80);
	rig_knob(&r, KNOB_rfc1337, 1);
	rig_eval(&r, &rule_TW005);
	rig_silent(&r);
}

TEST(TW005__knob_unknown__silent)
{
	struct rig r;

	server(&r, 10);
	rig_knob(&r, KNOB_rfc1337, 1);
	rig_knob_unknown(&r, KNOB_rfc1337);
	rig_eval(&r, &rule_TW005);
	rig_silent(&r);
}

TEST(TW005__one_snapshot__is_less_sure)
{
	struct rig r;

	server(&r, 10);
	rig_knob(&r, KNOB_rfc1337, 1);
	rig_once(&r);
	rig_eval(&r, &rule_TW005);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

/* ---- TW006 ---- */

/* made TIME_WAITs in a second, of which connect() took over recycled; population are left. */
static void recycling(struct rig *r, uint32_t population, uint64_t made, uint64_t recycled)
{
	rig_init(r);
	rig_dest_time_wait(r, rig_dest(r, "10.0.0.1", "10.0.0.2", 80), population);
	rig_counter(r, "TW", 1000, 1000 + made);
	rig_counter(r, "TWRecycled", 500, 500 + recycled);
}

TEST(TW006__nothing_recycled__silent)
{
	struct rig r;

	recycling(&r, 1000, 100, 0); /* the load has just grown: the population lags behind */
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
}

TEST(TW006__connect_takes_over__says_which_side)
{
	struct rig r;
	const struct finding *f;

	recycling(&r, 200, 200, 195);
	rig_eval(&r, &rule_TW006);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_INFO);
	assert_int_equal(f->confidence, CONF_CERTAIN);
	assert_text(f->what, "connect() takes over 195 TIME_WAITs/s here: 200 closes/s leave only 200");
	assert_text(f->evidence, "60 s x TW +200/s = 12,000 > 1.2 x population 200; TWRecycled +195/s");
}

TEST(TW006__limits)
{
	struct rig r;

	recycling(&r, 99, 200, 195);
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
	recycling(&r, 100, 5, 5);
	rig_eval(&r, &rule_TW006);
	rig_only(&r);
	recycling(&r, 100, 4, 4);
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
	recycling(&r, 10000, 200, 195); /* 12,000 is not more than 1.2 x 10,000 */
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
	recycling(&r, 9999, 200, 195);
	rig_eval(&r, &rule_TW006);
	rig_only(&r);
}

/* The earlier snapshot gets rows of its own: 100 closes/s, of which half end within the minute. */
static void taken_over_by_clients(struct rig *r, struct listener *earlier, uint32_t then, uint32_t now)
{
	struct listener *l;

	rig_init(r);
	l = rig_listener(r, NULL, 80);
	*earlier = *l;
	for (unsigned s = 0; s < 20; s++)
		earlier->tw_ages.s[s] = then;
	l->tw_ages.s[0] = 100;
	for (unsigned s = 1; s < 21; s++)
		l->tw_ages.s[s] = now;
	l->states.n[ST_TIME_WAIT] = 100 + now * 20;
	r->now->states.n[ST_TIME_WAIT] = l->states.n[ST_TIME_WAIT];
	r->before->listeners = earlier;
	rig_counter(r, "TW", 0, 100);
}

TEST(TW006__time_waits_of_a_listener_vanish__clients_took_them_over)
{
	struct listener earlier;
	struct rig r;

	taken_over_by_clients(&r, &earlier, 10, 6);
	rig_eval(&r, &rule_TW006);
	assert_text(rig_only(&r)->what, "clients take over about 80 TIME_WAITs/s of listening ports");
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	rig_counter(&r, "Tcp.OutRsts", 0, 80);
	rig_eval(&r, &rule_TW006);
	assert_int_equal(rig_only(&r)->confidence, CONF_LOW); /* peers may have been reset */
	taken_over_by_clients(&r, &earlier, 10, 10);
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
}

TEST(TW006__torn_dump__does_not_count_the_vanished)
{
	struct listener earlier;
	struct rig r;

	taken_over_by_clients(&r, &earlier, 10, 6);
	r.now->torn = true;
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
}

TEST(TW006__one_snapshot_or_no_counter__silent)
{
	struct rig r;

	recycling(&r, 200, 200, 195);
	rig_once(&r);
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
	recycling(&r, 200, 200, 195);
	rig_counter_absent(&r, "TW");
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
	recycling(&r, 200, 200, 195);
	rig_counter_absent(&r, "TWRecycled");
	rig_eval(&r, &rule_TW006);
	rig_silent(&r);
}

RUN(T(TW004__counter_at_rest__silent), T(TW004__one_refused_segment__warns_and_suspects_nat),
    T(TW004__rfc1337_set__is_undone_first), T(TW004__short_conntrack_timeout__is_raised),
    T(TW004__no_time_wait_on_a_listening_port__only_informs), T(TW004__older_kernel_without_the_counter__silent),
    T(TW004__one_snapshot__silent), T(TW005__default__silent), T(TW005__set_on_a_server__informs),
    T(TW005__segments_are_refused__warns), T(TW005__no_time_wait_on_a_listening_port__silent),
    T(TW005__knob_unknown__silent), T(TW005__one_snapshot__is_less_sure), T(TW006__nothing_recycled__silent),
    T(TW006__connect_takes_over__says_which_side), T(TW006__limits),
    T(TW006__time_waits_of_a_listener_vanish__clients_took_them_over), T(TW006__torn_dump__does_not_count_the_vanished),
    T(TW006__one_snapshot_or_no_counter__silent))
