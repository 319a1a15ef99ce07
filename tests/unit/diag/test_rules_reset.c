/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* ---- RST001 ---- */

TEST(RST001__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
}

TEST(RST001__below_one_a_second__silent)
{
	struct rig r;

	rig_init(&r);
	rig_interval(&r, 10);
	rig_counter(&r, "TCPAbortOnClose", 0, 9);
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 10);
	rig_eval(&r, &rule_RST001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_LOSING);
}

TEST(RST001__below_one_percent_of_what_ended__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 10);
	rig_counter(&r, "Tcp.EstabResets", 0, 10);
	rig_counter(&r, "TW", 0, 991);
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
	rig_counter(&r, "TW", 0, 990);
	rig_eval(&r, &rule_RST001);
	assert_text(rig_only(&r)->what, "10 closes/s with unread data, 1.0 % of all");
	assert_text(rig_only(&r)->evidence, "of 1,000 closes/s");
}

TEST(RST001__passive_closes__are_counted_by_what_began)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 10);
	rig_counter(&r, "Tcp.PassiveOpens", 0, 1001);
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
}

TEST(RST001__one_snapshot_or_no_counter__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 100);
	rig_once(&r);
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
	rig_init(&r);
	rig_counter_absent(&r, "TCPAbortOnClose");
	rig_eval(&r, &rule_RST001);
	rig_silent(&r);
}

TEST(RST001__one_listener_with_connections__is_the_suspect)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 100);
	l = rig_listener(&r, NULL, 80);
	l->proc = rig_proc(&r, 812, "shop");
	rig_listener(&r, NULL, 22);
	rig_eval(&r, &rule_RST001);
	assert_string_equal(rig_only(&r)->process, "");
	l->states.n[ST_ESTABLISHED] = 40;
	rig_eval(&r, &rule_RST001);
	assert_string_equal(rig_only(&r)->process, "shop[812]");
	assert_text(rig_only(&r)->evidence, "suspects: shop[812] on *:80 (40 open)");
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_non_null(rig_remedy(rig_only(&r), "shutdown(fd, SHUT_WR)"));
}

TEST(RST001__two_listeners_with_connections__nobody_is_blamed)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnClose", 0, 100);
	rig_listener(&r, NULL, 80)->states.n[ST_ESTABLISHED] = 1;
	rig_listener(&r, NULL, 81)->states.n[ST_ESTABLISHED] = 2;
	r.listeners[0].proc = r.listeners[1].proc = rig_proc(&r, 812, "shop");
	rig_eval(&r, &rule_RST001);
	assert_string_equal(rig_only(&r)->process, "");
	assert_text(rig_only(&r)->evidence, "suspects: shop[812] on *:81 (2 open), shop[812] on *:80");
}

/* ---- RST002 ---- */

static void resets(struct rig *r, uint64_t aborts, uint64_t rsts, uint64_t time_waits)
{
	rig_counter(r, "TCPAbortOnData", 0, aborts);
	rig_counter(r, "Tcp.OutRsts", 0, rsts);
	rig_counter(r, "Tcp.EstabResets", 0, aborts);
	rig_counter(r, "TW", 0, time_waits);
}

/* nginx over TLS, clients that ask for the close: their close_notify meets an orphan. */
TEST(RST002__aborts_of_orphans__silent)
{
	struct rig r;

	rig_init(&r);
	resets(&r, 100, 100, 0);
	rig_counter(&r, "Tcp.EstabResets", 0, 49);
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	rig_counter(&r, "Tcp.EstabResets", 0, 50);
	rig_eval(&r, &rule_RST002);
	rig_only(&r);
}

TEST(RST002__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_listener(&r, NULL, 80)->opts = (struct sockopts){.known = true, .linger_s = -1};
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
}

TEST(RST002__half_of_the_closes_begun_here__warns_below_is_silent)
{
	struct rig r;

	rig_init(&r);
	resets(&r, 100, 100, 101);
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	resets(&r, 100, 100, 100);
	rig_eval(&r, &rule_RST002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_text(rig_only(&r)->what, "100 closes/s are resets without TIME_WAIT");
}

TEST(RST002__most_resets_come_from_elsewhere__silent)
{
	struct rig r;

	rig_init(&r);
	resets(&r, 79, 100, 0);
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	resets(&r, 80, 100, 0);
	rig_eval(&r, &rule_RST002);
	rig_only(&r);
}

TEST(RST002__below_one_a_second_or_one_snapshot_or_no_counter__silent)
{
	struct rig r;

	rig_init(&r);
	rig_interval(&r, 2);
	resets(&r, 1, 1, 0);
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	resets(&r, 100, 100, 0);
	rig_once(&r);
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	rig_init(&r);
	resets(&r, 100, 100, 0);
	rig_counter_absent(&r, "Tcp.OutRsts");
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
}

TEST(RST002__haproxy_here__informs)
{
	struct rig r;

	rig_init(&r);
	resets(&r, 100, 100, 0);
	rig_dest(&r, "10.0.0.1", "10.0.0.2", 80)->proc = rig_proc(&r, 9, "haproxy");
	rig_eval(&r, &rule_RST002);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "haproxy");
}

TEST(RST002__listener_with_linger_0__is_proof)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	resets(&r, 100, 100, 0);
	l = rig_listener(&r, NULL, 80);
	l->proc = rig_proc(&r, 812, "shop");
	l->opts = (struct sockopts){.known = true, .linger_s = 0};
	rig_eval(&r, &rule_RST002);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	assert_string_equal(rig_only(&r)->process, "shop[812]");
	assert_text(rig_only(&r)->what, "shop[812] on *:80 has SO_LINGER on with time 0");
	assert_null(rig_remedy(rig_only(&r), "nolinger"));
}

TEST(RST002__linger_unknown_off_or_above_0__silent)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 80);
	l->opts = (struct sockopts){.known = false, .linger_s = 0};
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
	l->opts = (struct sockopts){.known = true, .linger_s = 1};
	rig_eval(&r, &rule_RST002);
	rig_silent(&r);
}

TEST(RST002__holder_of_a_listener_already_told__is_not_told_twice)
{
	struct listener *l;
	struct holder *h;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 80);
	h = rig_holder(&r, HOLD_CLOSE_WAIT_READ, 5);
	l->proc = h->proc = rig_proc(&r, 812, "shop");
	l->opts = h->opts = (struct sockopts){.known = true, .linger_s = 0};
	h->lport = 80;
	rig_eval(&r, &rule_RST002);
	rig_only(&r);
	l->opts.linger_s = -1;
	rig_eval(&r, &rule_RST002);
	rig_only(&r);
}

TEST(RST002__haproxy_with_linger_0__warns_in_front_and_informs_towards_servers)
{
	struct listener *l;
	struct holder *h;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 80);
	l->proc = rig_proc(&r, 9, "haproxy");
	l->opts = (struct sockopts){.known = true, .linger_s = 0};
	rig_eval(&r, &rule_RST002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_non_null(rig_remedy(rig_only(&r), "nolinger"));
	rig_init(&r);
	h = rig_holder(&r, HOLD_CLOSE_WAIT_READ, 5);
	h->proc = rig_proc(&r, 9, "haproxy");
	h->peer = rig_ip("10.0.0.2");
	h->pport = 80;
	h->opts = (struct sockopts){.known = true, .linger_s = 0};
	rig_eval(&r, &rule_RST002);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

TEST(RST002__dead_socket_without_a_place__reads_well)
{
	struct holder *h;
	struct rig r;

	rig_init(&r);
	h = rig_holder(&r, HOLD_INVISIBLE, 20);
	h->proc = rig_proc(&r, 812, "shop");
	h->opts = (struct sockopts){.known = true, .linger_s = 0};
	rig_eval(&r, &rule_RST002);
	assert_text(rig_only(&r)->what, "shop[812] has SO_LINGER on");
}

RUN(T(RST002__dead_socket_without_a_place__reads_well), T(RST001__quiet_host__silent),
    T(RST001__below_one_a_second__silent), T(RST001__below_one_percent_of_what_ended__silent),
    T(RST001__passive_closes__are_counted_by_what_began), T(RST001__one_snapshot_or_no_counter__silent),
    T(RST001__one_listener_with_connections__is_the_suspect),
    T(RST001__two_listeners_with_connections__nobody_is_blamed), T(RST002__aborts_of_orphans__silent),
    T(RST002__quiet_host__silent), T(RST002__half_of_the_closes_begun_here__warns_below_is_silent),
    T(RST002__most_resets_come_from_elsewhere__silent),
    T(RST002__below_one_a_second_or_one_snapshot_or_no_counter__silent), T(RST002__haproxy_here__informs),
    T(RST002__listener_with_linger_0__is_proof), T(RST002__linger_unknown_off_or_above_0__silent),
    T(RST002__holder_of_a_listener_already_told__is_not_told_twice),
    T(RST002__haproxy_with_linger_0__warns_in_front_and_informs_towards_servers))
