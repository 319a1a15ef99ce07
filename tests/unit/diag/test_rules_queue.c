/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* ---- SYN001 ---- */

static struct listener *queue(struct rig *r, uint32_t queue, uint32_t backlog)
{
	struct listener *l = rig_listener(r, NULL, 80);

	l->proc = rig_proc(r, 812, "nginx");
	l->queue = queue;
	l->backlog = backlog;
	return l;
}

/* The earlier snapshot gets listeners of its own, with this queue in the first. */
static void before_queue(struct rig *r, uint32_t queue)
{
	static struct listener then[RIG_ROWS];

	memcpy(then, r->listeners, sizeof(then));
	then[0].queue = queue;
	r->before->listeners = then;
}

TEST(SYN001__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 0, 0);
	rig_eval(&r, &rule_SYN001);
	rig_silent(&r);
}

TEST(SYN001__79_percent_silent__80_warns)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 79, 100);
	rig_eval(&r, &rule_SYN001);
	rig_silent(&r);
	r.listeners[0].queue = 80;
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(rig_only(&r)->what, "nginx[812], *:80, is nearly full: 80 of 100");
}

TEST(SYN001__long_for_a_moment_only__silent)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 80, 100);
	before_queue(&r, 3);
	rig_eval(&r, &rule_SYN001);
	rig_silent(&r);
}

TEST(SYN001__full_queue__warns_and_with_the_counter_is_crit)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 101, 100);
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "is full: 101 of 100");
	rig_counter(&r, "ListenOverflows", 10, 13);
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	assert_text(rig_only(&r)->what, "3 handshake segments dropped in 1.0 s");
	assert_text(rig_only(&r)->evidence, "queue 101 > backlog 100; ListenOverflows +3");
}

TEST(SYN001__counter_unknown__a_full_queue_is_still_told)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 101, 100);
	rig_counter_absent(&r, "ListenOverflows");
	rig_eval(&r, &rule_SYN001);
	assert_text(rig_only(&r)->evidence, "ListenOverflows unknown");
}

TEST(SYN001__only_the_full_ones_are_blamed)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 90, 100);
	rig_listener(&r, NULL, 81)->queue = 4097;
	rig_counter(&r, "ListenOverflows", 0, 1);
	rig_eval(&r, &rule_SYN001);
	assert_text(rig_only(&r)->what, "*:81");
}

TEST(SYN001__overflow_and_a_nearly_full_queue__is_the_suspect)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 90, 100);
	before_queue(&r, 0);
	rig_counter(&r, "ListenOverflows", 0, 1);
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
}

TEST(SYN001__overflow_and_no_long_queue__tells_the_shortest_backlog)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 0, 4096);
	rig_listener(&r, NULL, 81)->backlog = 5;
	rig_counter(&r, "ListenOverflows", 0, 7);
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_text(rig_only(&r)->what, "7 handshake segments dropped");
	assert_text(rig_only(&r)->evidence, "*:81, backlog 5");
}

TEST(SYN001__only_a_total__informs)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "ListenOverflows", 7, 7);
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "none now");
	rig_once(&r);
	rig_eval(&r, &rule_SYN001);
	assert_text(rig_only(&r)->evidence, "one snapshot");
}

TEST(SYN001__a_former_listener__has_no_queue)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 101, 100)->listening = false;
	rig_eval(&r, &rule_SYN001);
	rig_silent(&r);
}

TEST(SYN001__somaxconn_is_the_cap__is_raised_first)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_somaxconn, 128);
	queue(&r, 129, 128);
	rig_eval(&r, &rule_SYN001);
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.core.somaxconn=4096"));
	assert_non_null(rig_remedy(rig_only(&r), "listen ... backlog=4096;"));
}

TEST(SYN001__the_program_is_the_cap__somaxconn_is_left_alone)
{
	struct rig r;

	rig_init(&r);
	queue(&r, 512, 511);
	rig_eval(&r, &rule_SYN001);
	assert_null(rig_remedy(rig_only(&r), "sysctl"));
	assert_non_null(rig_remedy(rig_only(&r), "now backlog 511, somaxconn 4,096"));
}

TEST(SYN001__nine_full_listeners__eight_told)
{
	struct rig r;

	rig_init(&r);
	for (uint16_t i = 0; i < 9; i++)
		rig_listener(&r, NULL, (uint16_t)(80 + i))->queue = 4097;
	rig_eval(&r, &rule_SYN001);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more listener)");
}

/* ---- SYN002 ---- */

TEST(SYN002__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "SyncookiesSent", 900, 900);
	rig_eval(&r, &rule_SYN002);
	rig_silent(&r);
}

TEST(SYN002__one_cookie__warns_and_names_the_half_open)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = queue(&r, 0, 128);
	l->states.n[ST_SYN_RECV] = 128;
	rig_counter(&r, "SyncookiesSent", 0, 1);
	rig_counter(&r, "TCPReqQFullDoCookies", 0, 1);
	rig_eval(&r, &rule_SYN002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_text(rig_only(&r)->evidence, "nginx[812] on *:80 has 128 of backlog 128");
	assert_string_equal(rig_only(&r)->process, "nginx[812]");
}

TEST(SYN002__drop__crit)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_syncookies, 0);
	rig_counter(&r, "TCPReqQFullDrop", 0, 3);
	rig_eval(&r, &rule_SYN002);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_text(rig_only(&r)->what, "3 SYNs dropped");
	assert_text(rig_only(&r)->raise, "with SYN cookies on, whether"); /* there are none yet that could come back */
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_syncookies=1"));
}

TEST(SYN002__cookies_come_back__tells_clients_from_a_flood)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "SyncookiesSent", 0, 100);
	rig_counter(&r, "SyncookiesRecv", 0, 49);
	rig_eval(&r, &rule_SYN002);
	assert_text(rig_only(&r)->what, "flood");
	rig_counter(&r, "SyncookiesRecv", 0, 50);
	rig_eval(&r, &rule_SYN002);
	assert_text(rig_only(&r)->what, "real clients");
	rig_counter_absent(&r, "SyncookiesRecv");
	rig_eval(&r, &rule_SYN002);
	assert_text(rig_only(&r)->raise, "SyncookiesRecv");
}

TEST(SYN002__cookies_always__is_not_a_full_queue)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_syncookies, 2);
	rig_counter(&r, "SyncookiesSent", 0, 100);
	rig_counter(&r, "TCPReqQFullDoCookies", 0, 100);
	rig_eval(&r, &rule_SYN002);
	rig_silent(&r);
}

TEST(SYN002__one_snapshot_or_no_counters__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "SyncookiesSent", 0, 100);
	rig_once(&r);
	rig_eval(&r, &rule_SYN002);
	rig_silent(&r);
	rig_init(&r);
	rig_counter_absent(&r, "SyncookiesSent");
	rig_counter_absent(&r, "TCPReqQFullDrop");
	rig_counter(&r, "TCPReqQFullDoCookies", 0, 4);
	rig_eval(&r, &rule_SYN002);
	assert_text(rig_only(&r)->evidence, "TCPReqQFullDrop unknown, TCPReqQFullDoCookies +4, SyncookiesSent unknown");
	assert_text(rig_only(&r)->what, "4 SYNs answered with a cookie");
}

RUN(T(SYN001__quiet_host__silent), T(SYN001__79_percent_silent__80_warns), T(SYN001__long_for_a_moment_only__silent),
    T(SYN001__full_queue__warns_and_with_the_counter_is_crit), T(SYN001__counter_unknown__a_full_queue_is_still_told),
    T(SYN001__only_the_full_ones_are_blamed), T(SYN001__overflow_and_a_nearly_full_queue__is_the_suspect),
    T(SYN001__overflow_and_no_long_queue__tells_the_shortest_backlog), T(SYN001__only_a_total__informs),
    T(SYN001__a_former_listener__has_no_queue), T(SYN001__somaxconn_is_the_cap__is_raised_first),
    T(SYN001__the_program_is_the_cap__somaxconn_is_left_alone), T(SYN001__nine_full_listeners__eight_told),
    T(SYN002__quiet_host__silent), T(SYN002__one_cookie__warns_and_names_the_half_open), T(SYN002__drop__crit),
    T(SYN002__cookies_come_back__tells_clients_from_a_flood), T(SYN002__cookies_always__is_not_a_full_queue),
    T(SYN002__one_snapshot_or_no_counters__silent))
