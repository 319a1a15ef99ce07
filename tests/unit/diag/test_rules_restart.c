/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

static const struct sockopts bare = {.known = true, .linger_s = -1};

static struct listener *service(struct rig *r, uint32_t time_waits)
{
	struct listener *l = rig_listener(r, NULL, 8080);

	l->proc = rig_proc(r, 812, "shop");
	l->opts = bare;
	l->states.n[ST_TIME_WAIT] = time_waits;
	return l;
}

/* Sockets of *:8080 after its listener is gone. */
static struct listener *former(struct rig *r, uint32_t time_waits)
{
	struct listener *l = rig_listener(r, "10.0.0.1", 8080);

	l->listening = false;
	l->states.n[ST_LISTEN] = 0;
	l->states.n[ST_TIME_WAIT] = time_waits;
	return l;
}

TEST(RESTART001__listener_without_sockets__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
	service(&r, 0)->states.n[ST_SYN_RECV] = 5;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
}

TEST(RESTART001__nine_sockets_inform__ten_warn)
{
	struct rig r;

	rig_init(&r);
	service(&r, 9);
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_int_equal(rig_only(&r)->stage, STAGE_CONFIG);
	r.listeners[0].states.n[ST_ESTABLISHED] = 1;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	assert_string_equal(rig_only(&r)->what,
			    "A restart of shop[812] within 60 s fails with EADDRINUSE: *:8080 listens without "
			    "SO_REUSEADDR, and 10 of its sockets would keep the port");
	assert_text(rig_only(&r)->evidence, "1 ESTABLISHED, 9 TIME_WAIT");
	assert_non_null(rig_remedy(rig_only(&r), "from the second restart on"));
}

TEST(RESTART001__either_flag__silent)
{
	struct rig r;

	rig_init(&r);
	service(&r, 50)->opts.reuseaddr = true;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
	r.listeners[0].opts = bare;
	r.listeners[0].opts.reuseport = true;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
}

TEST(RESTART001__options_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	service(&r, 50)->opts.known = false;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
}

TEST(RESTART001__former_listener_with_time_wait__is_a_remark)
{
	struct rig r;

	rig_init(&r);
	former(&r, 0)->states.n[ST_ESTABLISHED] = 3;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
	r.listeners[0].states.n[ST_TIME_WAIT] = 1;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_text(rig_only(&r)->what, "if the old instance ran without SO_REUSEADDR");
	assert_text(rig_only(&r)->what, "Nothing listens on port 8080 (10.0.0.1), but 4 sockets");
	assert_non_null(rig_remedy(rig_only(&r), "ss -K state time-wait sport = :8080"));
}

TEST(RESTART001__it_listened_an_interval_ago__certain)
{
	static struct listener then;
	struct rig r;

	rig_init(&r);
	former(&r, 5);
	then = r.listeners[0];
	then.listening = true;
	r.before->listeners = &then;
	rig_eval(&r, &rule_RESTART001); /* with which options nobody could ask */
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	then.opts = bare;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_text(rig_only(&r)->what, "the old instance ran without SO_REUSEADDR");
	assert_text(rig_only(&r)->evidence, "it listened 1.0 s ago");
	then.opts.reuseaddr = true;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
}

/* Its sockets have the address they were reached at; the listener had the wildcard. */
TEST(RESTART001__it_listened_on_the_wildcard__is_known_too)
{
	static struct listener then[2];
	struct rig r;

	rig_init(&r);
	former(&r, 5);
	then[0] = r.listeners[0];
	then[0].addr = rig_ip("0.0.0.0");
	then[0].listening = true;
	then[0].opts = bare;
	r.before->listeners = then;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	then[0].opts.reuseaddr = true;
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
	then[0].addr = rig_ip("::"); /* takes IPv4 too */
	rig_eval(&r, &rule_RESTART001);
	rig_silent(&r);
	then[1] = then[0]; /* its own address counts first */
	then[1].addr = r.listeners[0].addr;
	then[1].opts.reuseaddr = false;
	r.before->n_listeners = 2;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
}

TEST(RESTART001__an_ipv6_only_wildcard__is_somebody_else)
{
	struct listener *six;
	struct rig r;

	rig_init(&r);
	former(&r, 5);
	six = rig_listener(&r, "::", 8080); /* and still there, so those sockets were not its own */
	six->opts = bare;
	six->opts.reuseaddr = true;
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
}

TEST(RESTART001__one_snapshot__former_listener_still_told)
{
	struct rig r;

	rig_init(&r);
	former(&r, 5);
	rig_once(&r);
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
}

TEST(RESTART001__connections_out_use_the_port__reserving_it_comes_first)
{
	struct rig r;

	rig_init(&r);
	former(&r, 5)->leftovers_well_known = 2;
	rig_eval(&r, &rule_RESTART001);
	assert_text(rig_only(&r)->evidence, "2 connections out to services use the port too");
	assert_text(rig_only(&r)->remedies[0].action, "reserve it");
}

TEST(RESTART001__before_6_0__destroying_is_not_offered)
{
	struct rig r;

	rig_init(&r);
	former(&r, 5);
	rig_kernel(&r, KV(5, 15));
	rig_eval(&r, &rule_RESTART001);
	assert_null(rig_remedy(rig_only(&r), "ss -K"));
}

TEST(RESTART001__nine_ports__what_fails_now_comes_first_and_the_rest_is_counted)
{
	struct rig r;

	rig_init(&r);
	for (uint16_t i = 0; i < 8; i++)
		service(&r, 500)->port = (uint16_t)(9000 + i);
	former(&r, 1);
	rig_eval(&r, &rule_RESTART001);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[0].what, "Nothing listens");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more port)");
}

RUN(T(RESTART001__listener_without_sockets__silent), T(RESTART001__nine_sockets_inform__ten_warn),
    T(RESTART001__either_flag__silent), T(RESTART001__options_unknown__silent),
    T(RESTART001__former_listener_with_time_wait__is_a_remark), T(RESTART001__it_listened_an_interval_ago__certain),
    T(RESTART001__it_listened_on_the_wildcard__is_known_too), T(RESTART001__an_ipv6_only_wildcard__is_somebody_else),
    T(RESTART001__one_snapshot__former_listener_still_told),
    T(RESTART001__connections_out_use_the_port__reserving_it_comes_first),
    T(RESTART001__before_6_0__destroying_is_not_offered),
    T(RESTART001__nine_ports__what_fails_now_comes_first_and_the_rest_is_counted))
