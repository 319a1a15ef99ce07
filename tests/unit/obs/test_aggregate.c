/* SPDX-License-Identifier: MIT */
#include "obs/aggregate.h"
#include "tests/unit/obs/rows.h"
#include "tests/unit/t.h"
#include <stdlib.h>

static const struct aggregate_cfg usual = {
	.port_low = 32768, .port_high = 60999, .tw_reuse_delay_ms = 1000, .knows_bound = true, .key = {1, 2}};

/* Feeds n rows to a new aggregate and finishes it. */
static struct netns fed_cfg(const struct aggregate_cfg *cfg, const struct diag_row *rows, size_t n)
{
	struct netns ns = {.pid = 77};
	struct aggregate *a;

	assert_int_equal(aggregate_new(cfg, &a), 0);
	for (size_t i = 0; i < n; i++)
		aggregate_row(a, &rows[i]);
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.pid, 77); /* only its own fields */
	aggregate_free(a);
	return ns;
}

#define FED_CFG(cfg, ...)                                                                                              \
	fed_cfg(cfg, (const struct diag_row[]){__VA_ARGS__},                                                           \
		sizeof((const struct diag_row[]){__VA_ARGS__}) / sizeof(struct diag_row))
#define FED(...) FED_CFG(&usual, __VA_ARGS__)

static void done(struct netns *ns)
{
	free(ns->listeners);
	free(ns->dests);
}

#define LISTEN4(port_)                                                                                                 \
	{                                                                                                              \
		.state = ST_LISTEN, .src = ANY4, .dst = ANY4, .sport = (port_), .inode = 5, .wqueue = 128              \
	}
#define LISTEN6(port_, only)                                                                                           \
	{                                                                                                              \
		.state = ST_LISTEN, .src = ANY6, .dst = ANY6, .sport = (port_), .v6only = (only)                       \
	}
#define SERVER IP4(10, 0, 0, 1)
#define CLIENT IP4(10, 0, 0, 2)
#define PEER IP4(10, 0, 0, 9)
/* Somebody connected to us; we connected to somebody. */
#define IN(st, local, remote) .state = (st), .src = SERVER, .dst = CLIENT, .sport = (local), .dport = (remote)
#define OUT(st, local) .state = (st), .src = CLIENT, .dst = PEER, .sport = (local), .dport = 80

TEST(nothing__gives_an_empty_namespace)
{
	struct netns ns = fed_cfg(&usual, NULL, 0);

	assert_int_equal(state_counts_sum(&ns.states), 0);
	assert_int_equal(ns.n_listeners + ns.n_dests + ns.dests_more_n, 0);
	assert_null(ns.listeners);
	assert_null(ns.dests);
	assert_true(ns.bound_known);
}

TEST(time_wait_on_a_listening_port__belongs_to_the_listener_and_is_no_destination)
{
	struct netns ns = FED(LISTEN4(80), {IN(ST_TIME_WAIT, 80, 40000), MINI_AGED(5500)},
			      {IN(ST_TIME_WAIT, 80, 40001), MINI_AGED(0)}, {IN(ST_ESTABLISHED, 80, 40002), .inode = 9});

	assert_int_equal(ns.n_dests, 0);
	assert_int_equal(ns.n_listeners, 1);
	assert_true(ns.listeners[0].listening);
	assert_int_equal(ns.listeners[0].port, 80);
	assert_int_equal(ns.listeners[0].proc, -1);
	assert_int_equal(ns.listeners[0].sockets, 1);
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 2);
	assert_int_equal(ns.listeners[0].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.listeners[0].states.n[ST_LISTEN], 1);
	assert_int_equal(ns.listeners[0].tw_ages.s[5], 1);
	assert_int_equal(ns.listeners[0].tw_ages.s[0], 1);
	assert_int_equal(ns.states.n[ST_TIME_WAIT], 2);
	assert_int_equal(ns.states.n[ST_LISTEN], 1);
	assert_int_equal(ns.ephemeral_ports_low_parity + ns.ephemeral_ports_other_parity, 0);
	done(&ns);
}

TEST(listener__exact_address_beats_wildcard)
{
	struct netns ns = FED(LISTEN4(80), {.state = ST_LISTEN, .src = SERVER, .sport = 80},
			      {IN(ST_ESTABLISHED, 80, 40000), .inode = 1},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .sport = 80, .dport = 40000, .inode = 2});

	assert_int_equal(ns.n_listeners, 2);
	assert_true(ip_is_any(ns.listeners[0].addr));
	assert_int_equal(ns.listeners[0].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.listeners[1].states.n[ST_ESTABLISHED], 1);
	assert_true(ip_eq(ns.listeners[1].addr, SERVER));
	done(&ns);
}

TEST(listener__on_another_address_only__does_not_own_the_port)
{
	struct netns ns = FED({.state = ST_LISTEN, .src = IP4(10, 0, 0, 3), .sport = 8080},
			      {IN(ST_TIME_WAIT, 8080, 40000), MINI_AGED(0)});

	assert_int_equal(ns.n_listeners, 2);
	assert_true(ip_eq(ns.listeners[0].addr, SERVER));
	assert_false(ns.listeners[0].listening);
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 1);
	assert_int_equal(ns.listeners[1].states.n[ST_TIME_WAIT], 0);
	done(&ns);
}

TEST(ipv6_wildcard__takes_ipv4_too_unless_v6only)
{
	struct netns both = FED(LISTEN6(8080, false), {IN(ST_ESTABLISHED, 8080, 40000), .inode = 1},
				{.state = ST_ESTABLISHED, .src = IP6(1), .dst = IP6(2), .sport = 8080, .inode = 1});
	struct netns only = FED(LISTEN6(8080, true), {IN(ST_ESTABLISHED, 8080, 40000), .inode = 1},
				{.state = ST_ESTABLISHED, .src = IP6(1), .dst = IP6(2), .sport = 8080, .inode = 1});

	assert_int_equal(both.n_listeners, 1);
	assert_int_equal(both.listeners[0].states.n[ST_ESTABLISHED], 2);
	assert_int_equal(only.n_listeners, 2);
	assert_int_equal(only.listeners[0].addr.family, 4);
	assert_false(only.listeners[0].listening);
	assert_int_equal(only.listeners[1].states.n[ST_ESTABLISHED], 1);
	done(&both);
	done(&only);
}

TEST(wildcards_of_both_families__stay_two_listeners_and_each_owns_its_family)
{
	struct netns ns = FED(LISTEN6(80, true), LISTEN4(80), {IN(ST_ESTABLISHED, 80, 40000), .inode = 1});

	assert_int_equal(ns.n_listeners, 2);
	assert_int_equal(ns.listeners[0].addr.family, 4);
	assert_int_equal(ns.listeners[0].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.listeners[1].addr.family, 6);
	assert_int_equal(ns.listeners[1].states.n[ST_ESTABLISHED], 0);
	done(&ns);
}

TEST(reuseport__is_one_listener_with_the_queue_of_the_fullest_socket)
{
	struct netns ns = FED({.state = ST_LISTEN, .src = ANY4, .sport = 80, .rqueue = 50, .wqueue = 1000, .inode = 1},
			      {.state = ST_LISTEN, .src = ANY4, .sport = 80, .rqueue = 11, .wqueue = 10, .inode = 2},
			      {.state = ST_LISTEN, .src = ANY4, .sport = 80, .rqueue = 0, .wqueue = 10, .inode = 3});

	assert_int_equal(ns.n_listeners, 1);
	assert_int_equal(ns.listeners[0].sockets, 3);
	assert_int_equal(ns.listeners[0].queue, 11);
	assert_int_equal(ns.listeners[0].backlog, 10);
	assert_int_equal(ns.listeners[0].inode, 2);
	assert_int_equal(ns.listeners[0].states.n[ST_LISTEN], 3);
	done(&ns);
}

TEST(unaccepted__are_established_and_close_wait_without_inode_on_a_listener)
{
	struct netns ns = FED(LISTEN4(80), {IN(ST_ESTABLISHED, 80, 40000)}, {IN(ST_CLOSE_WAIT, 80, 40001)},
			      {IN(ST_CLOSE_WAIT, 80, 40002), .inode = 3}, {IN(ST_LAST_ACK, 80, 40003)},
			      {IN(ST_SYN_RECV, 80, 40004)}, {IN(ST_FIN_WAIT_2, 80, 40005), MINI_AGED(0)});

	assert_int_equal(ns.listeners[0].unaccepted, 2);
	assert_int_equal(ns.listeners[0].close_wait_unaccepted, 1);
	assert_int_equal(ns.listeners[0].states.n[ST_CLOSE_WAIT], 2);
	assert_int_equal(ns.listeners[0].states.n[ST_SYN_RECV], 1);
	done(&ns);
}

TEST(fin_wait_2__minis_are_orphans_and_full_sockets_are_not)
{
	struct netns ns = FED(LISTEN4(80), {IN(ST_FIN_WAIT_2, 80, 40000), MINI_AGED(1000)},
			      {IN(ST_FIN_WAIT_2, 80, 40001), .inode = 1}, {OUT(ST_FIN_WAIT_2, 40002), MINI_AGED(0)},
			      {OUT(ST_FIN_WAIT_2, 40003), .inode = 4});

	assert_int_equal(ns.states.n[ST_FIN_WAIT_2], 4);
	assert_int_equal(ns.fin_wait_2_orphans, 2);
	assert_int_equal(ns.listeners[0].fin_wait_2_orphans, 1);
	assert_int_equal(ns.dests[0].fin_wait_2_orphans, 1);
	assert_int_equal(ns.dests[0].states.n[ST_FIN_WAIT_2], 2);
	assert_int_equal(ns.dests[0].tw_ages.s[0] + ns.dests[0].tw_reusable, 0);
	done(&ns);
}

TEST(destination__counts_ports_by_parity_of_the_low_end)
{
	struct aggregate_cfg odd = usual;
	struct netns ns;

	ns = FED({OUT(ST_ESTABLISHED, 32768), .inode = 8}, {OUT(ST_TIME_WAIT, 32770), MINI_AGED(0)},
		 {OUT(ST_TIME_WAIT, 60999), MINI_AGED(0)}, {OUT(ST_TIME_WAIT, 61000), MINI_AGED(0)},
		 {OUT(ST_TIME_WAIT, 32767), MINI_AGED(0)});
	assert_int_equal(ns.n_listeners, 0);
	assert_int_equal(ns.n_dests, 1);
	assert_true(ip_eq(ns.dests[0].src, CLIENT) && ip_eq(ns.dests[0].dst, PEER));
	assert_int_equal(ns.dests[0].dport, 80);
	assert_int_equal(ns.dests[0].ports_low_parity, 2);
	assert_int_equal(ns.dests[0].ports_other_parity, 1);
	assert_int_equal(ns.dests[0].ports_outside, 2);
	assert_int_equal(ns.dests[0].inode, 8);
	assert_int_equal(ns.dests[0].proc, -1);
	assert_int_equal(ns.ephemeral_ports_low_parity, 2);
	assert_int_equal(ns.ephemeral_ports_other_parity, 1);
	done(&ns);
	odd.port_low = 32767;
	ns = FED_CFG(&odd, {OUT(ST_ESTABLISHED, 32767)}, {OUT(ST_ESTABLISHED, 32769)}, {OUT(ST_ESTABLISHED, 32768)});
	assert_int_equal(ns.dests[0].ports_low_parity, 2);
	assert_int_equal(ns.dests[0].ports_other_parity, 1);
	done(&ns);
}

TEST(reserved_port__counts_as_outside_the_range)
{
	const struct port_range reserved[] = {{32768, 32770}, {65535, 65535}};
	struct aggregate_cfg cfg = usual;
	struct netns ns;

	cfg.reserved = reserved;
	cfg.n_reserved = ARRAY_LEN(reserved);
	ns = FED_CFG(&cfg, {OUT(ST_ESTABLISHED, 32770)}, {OUT(ST_ESTABLISHED, 32772)},
		     {IN(ST_TIME_WAIT, 32769, 40000), MINI_AGED(0)});
	assert_int_equal(ns.dests[0].ports_outside, 1);
	assert_int_equal(ns.dests[0].ports_low_parity, 1);
	assert_int_equal(ns.ephemeral_ports_low_parity, 1);
	assert_int_equal(ns.n_listeners, 1); /* a reserved port is a service's: the third is its leftover */
	assert_int_equal(ns.listeners[0].port, 32769);
	done(&ns);
}

TEST(ephemeral_ports__shared_by_destinations__are_counted_once)
{
	struct netns ns = FED({OUT(ST_ESTABLISHED, 40000)},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 40000, .dport = 443},
			      {OUT(ST_ESTABLISHED, 40001)});

	assert_int_equal(ns.n_dests, 2);
	assert_int_equal(ns.ephemeral_ports_low_parity, 1);
	assert_int_equal(ns.ephemeral_ports_other_parity, 1);
	done(&ns);
}

TEST(destinations__are_told_apart_by_source_address_and_port_and_sorted_by_ports_used)
{
	struct netns ns = FED({OUT(ST_ESTABLISHED, 40000)},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 40000, .dport = 443},
			      {.state = ST_ESTABLISHED, .src = SERVER, .dst = PEER, .sport = 40000, .dport = 443},
			      {.state = ST_ESTABLISHED, .src = SERVER, .dst = PEER, .sport = 40001, .dport = 443},
			      {.state = ST_ESTABLISHED, .src = IP6(1), .dst = IP6(2), .sport = 40001, .dport = 443},
			      {OUT(ST_ESTABLISHED, 40002)}, {OUT(ST_ESTABLISHED, 40003)});

	assert_int_equal(ns.n_dests, 4);
	assert_int_equal(ns.dests[0].dport, 80);
	assert_int_equal(ns.dests[0].states.n[ST_ESTABLISHED], 3);
	assert_true(ip_eq(ns.dests[1].src, SERVER));
	assert_int_equal(ns.dests[1].states.n[ST_ESTABLISHED], 2);
	assert_int_equal(ns.dests[2].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.dests[3].src.family, 6);
	done(&ns);
}

TEST(loopback_connection__one_row_is_the_listeners_the_other_a_loopback_destination)
{
	struct ip lo = IP4(127, 0, 0, 1);
	struct netns ns =
		FED(LISTEN4(8080), {.state = ST_ESTABLISHED, .src = lo, .dst = lo, .sport = 8080, .dport = 40000},
		    {.state = ST_ESTABLISHED, .src = lo, .dst = lo, .sport = 40000, .dport = 8080, .inode = 3},
		    {OUT(ST_ESTABLISHED, 40001)},
		    {.state = ST_ESTABLISHED, .src = LOCAL6, .dst = LOCAL6, .sport = 40000, .dport = 8080});

	assert_int_equal(ns.listeners[0].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.n_dests, 3);
	for (size_t i = 0; i < ns.n_dests; i++)
		assert_int_equal(ns.dests[i].loopback, !ip_eq(ns.dests[i].dst, PEER));
	done(&ns);
}

TEST(leftover__fixed_port_here_and_ephemeral_port_there)
{
	struct netns ns =
		FED({IN(ST_TIME_WAIT, 8080, 40000), MINI_AGED(59999)}, {IN(ST_ESTABLISHED, 8080, 60999), .inode = 1},
		    {IN(ST_FIN_WAIT_2, 8080, 32768), MINI_AGED(0)});

	assert_int_equal(ns.n_dests, 0);
	assert_int_equal(ns.n_listeners, 1);
	assert_false(ns.listeners[0].listening);
	assert_int_equal(ns.listeners[0].sockets, 0);
	assert_true(ip_eq(ns.listeners[0].addr, SERVER));
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 1);
	assert_int_equal(ns.listeners[0].states.n[ST_ESTABLISHED], 1);
	assert_int_equal(ns.listeners[0].fin_wait_2_orphans, 1);
	assert_int_equal(ns.listeners[0].tw_ages.s[59], 1);
	assert_int_equal(ns.listeners[0].leftovers_well_known, 0);
	done(&ns);
}

/* Clients behind a NAT come from any port above 1023. */
TEST(leftover__any_port_there__once_one_was_seen_on_this_local_end)
{
	struct netns ns =
		FED({IN(ST_TIME_WAIT, 8080, 2000), MINI_AGED(0)}, {IN(ST_TIME_WAIT, 8080, 40000), MINI_AGED(0)},
		    {IN(ST_TIME_WAIT, 8080, 2001), MINI_AGED(0)}, {IN(ST_TIME_WAIT, 8080, 64000), MINI_AGED(0)},
		    {IN(ST_TIME_WAIT, 8080, 443), MINI_AGED(0)}, {IN(ST_TIME_WAIT, 9090, 3000), MINI_AGED(0)});

	assert_int_equal(ns.n_listeners, 1);
	assert_int_equal(ns.listeners[0].port, 8080);
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 3);
	assert_int_equal(ns.n_dests, 3); /* 2000 came too early, 443 is a service, nobody listened on 9090 */
	done(&ns);
}

TEST(fixed_port_here_and_service_there__is_a_connection_out)
{
	struct netns ns = FED({OUT(ST_ESTABLISHED, 8080)},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 700, .dport = 2049},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 700, .dport = 32767},
			      {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 700, .dport = 61000});

	assert_int_equal(ns.n_listeners, 0);
	assert_int_equal(ns.n_dests, 4);
	for (size_t i = 0; i < ns.n_dests; i++)
		assert_int_equal(ns.dests[i].ports_outside, 1);
	assert_int_equal(ns.ephemeral_ports_low_parity + ns.ephemeral_ports_other_parity, 0);
	done(&ns);
}

TEST(leftover_port__also_used_out_to_a_service__is_counted_as_well_known)
{
	struct netns ns = FED({OUT(ST_TIME_WAIT, 8080), MINI_AGED(0)}, {IN(ST_TIME_WAIT, 8080, 40000), MINI_AGED(0)},
			      {OUT(ST_TIME_WAIT, 9090), MINI_AGED(0)});

	assert_int_equal(ns.n_listeners, 1);
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 1);
	assert_int_equal(ns.listeners[0].leftovers_well_known, 1);
	done(&ns);
}

TEST(low_end_of_the_range_below_1024__service_ports_there_are_still_services)
{
	struct aggregate_cfg wide = usual;
	struct netns ns;

	wide.port_low = 1000;
	ns = FED_CFG(&wide, {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 700, .dport = 1023},
		     {.state = ST_ESTABLISHED, .src = CLIENT, .dst = PEER, .sport = 700, .dport = 1024});
	assert_int_equal(ns.n_dests, 1);
	assert_int_equal(ns.dests[0].dport, 1023);
	assert_int_equal(ns.n_listeners, 1);
	done(&ns);
}

TEST(range_unknown__everything_unlistened_is_a_destination_outside)
{
	const struct aggregate_cfg unknown = {.port_low = 1, .port_high = 0, .tw_reuse_delay_ms = 1000};
	struct netns ns = FED_CFG(&unknown, {IN(ST_ESTABLISHED, 8080, 40000)}, {OUT(ST_ESTABLISHED, 40000)});

	assert_int_equal(ns.n_listeners, 0);
	assert_int_equal(ns.n_dests, 2);
	assert_int_equal(ns.dests[0].ports_outside, 1);
	done(&ns);
}

TEST(time_wait_age__is_clamped_at_both_ends_and_reusable_from_the_delay_on)
{
	struct netns ns = FED({OUT(ST_TIME_WAIT, 40000), MINI_AGED(999)}, {OUT(ST_TIME_WAIT, 40001), MINI_AGED(1000)},
			      {OUT(ST_TIME_WAIT, 40002), MINI_AGED(60000)},
			      {OUT(ST_TIME_WAIT, 40003), .mini = true, .timer = 3, .expires_ms = 61999},
			      {OUT(ST_TIME_WAIT, 40004), .mini = true, .timer = 3, .expires_ms = UINT32_MAX});

	assert_int_equal(ns.dests[0].tw_ages.s[0], 3);
	assert_int_equal(ns.dests[0].tw_ages.s[1], 1);
	assert_int_equal(ns.dests[0].tw_ages.s[60], 1);
	assert_int_equal(ns.dests[0].tw_reusable, 2);
	done(&ns);
}

TEST(keepalive_timer__is_counted_on_connections_not_on_orphans_in_fin_wait_2)
{
	struct netns ns = FED(LISTEN4(80), {IN(ST_ESTABLISHED, 80, 40000), .inode = 1, .timer = DIAG_TIMER_KEEPALIVE},
			      {IN(ST_CLOSE_WAIT, 80, 40001), .inode = 1, .timer = DIAG_TIMER_KEEPALIVE},
			      {IN(ST_FIN_WAIT_2, 80, 40002), .timer = DIAG_TIMER_KEEPALIVE},
			      {IN(ST_ESTABLISHED, 80, 40003), .inode = 1, .timer = DIAG_TIMER_ON},
			      {OUT(ST_ESTABLISHED, 40000), .inode = 1, .timer = DIAG_TIMER_KEEPALIVE});

	assert_int_equal(ns.listeners[0].keepalive_timers, 2);
	assert_int_equal(ns.dests[0].keepalive_timers, 1);
	done(&ns);
}

TEST(bound__is_counted_apart_from_states)
{
	struct aggregate_cfg old = usual;
	struct netns ns;

	old.knows_bound = false;
	ns = FED_CFG(&old, {OUT(ST_ESTABLISHED, 40000)});
	assert_false(ns.bound_known);
	done(&ns);
	ns = FED_CFG(&old, {.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 40000});
	assert_int_equal(ns.bound, 1);
	assert_true(ns.bound_known); /* it sent one, so it knows them */
	assert_int_equal(state_counts_sum(&ns.states), 0);
	done(&ns);
}

/* What takes a port from connect() is the port, not how many sockets share it, and only ports of the range. */
TEST(bound__counts_distinct_ports_of_the_range)
{
	const struct port_range reserved = {41000, 41000};
	struct aggregate_cfg cfg = usual;
	struct netns ns = {0};
	struct aggregate *a;

	cfg.reserved = &reserved;
	cfg.n_reserved = 1;
	assert_int_equal(aggregate_new(&cfg, &a), 0);
	for (int i = 0; i < 950; i++) {
		aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 8080));
		aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 40000));
	}
	aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = SERVER, .sport = 40001));
	aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 41000)); /* reserved */
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.bound, 2);
	assert_int_equal(ns.ephemeral_ports_low_parity + ns.ephemeral_ports_other_parity, 0);
	done(&ns);
	aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 40000));
	aggregate_reset(a);
	aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 40000));
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.bound, 1);
	done(&ns);
	aggregate_free(a);
}

TEST(bound__outside_the_range_only__still_tells_that_the_kernel_shows_them)
{
	struct aggregate_cfg old = usual;
	struct netns ns;

	old.knows_bound = false;
	ns = FED_CFG(&old, {.bound = true, .state = ST_CLOSE, .src = ANY4, .sport = 8080});
	assert_int_equal(ns.bound, 0);
	assert_true(ns.bound_known);
	done(&ns);
}

TEST(time_waits_outside_the_range__are_none_that_connect_could_reuse)
{
	const struct port_range reserved = {41000, 41000};
	struct aggregate_cfg cfg = usual;
	struct netns ns;

	cfg.reserved = &reserved;
	cfg.n_reserved = 1;
	ns = FED_CFG(&cfg, {OUT(ST_TIME_WAIT, 40000), MINI_AGED(5000)}, {OUT(ST_TIME_WAIT, 40001), MINI_AGED(500)},
		     {OUT(ST_TIME_WAIT, 8080), MINI_AGED(5000)}, {OUT(ST_TIME_WAIT, 41000), MINI_AGED(5000)},
		     {OUT(ST_TIME_WAIT, 8081), MINI_AGED(500)});
	assert_int_equal(ns.n_dests, 1);
	assert_int_equal(ns.dests[0].states.n[ST_TIME_WAIT], 5);
	assert_int_equal(ns.dests[0].ports_outside, 3);
	assert_int_equal(ns.dests[0].tw_in_range, 2);
	assert_int_equal(ns.dests[0].tw_reusable, 1);
	assert_int_equal(ns.dests[0].tw_ages.s[5], 1);
	assert_int_equal(ns.dests[0].tw_ages.s[0], 1);
	done(&ns);
}

static struct ip numbered(uint32_t i) { return IP4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i); }

TEST(destinations_beyond_the_limit__are_summed_by_state_and_their_number_is_close)
{
	const uint32_t extra = 20000;
	struct netns ns = {0};
	struct aggregate *a;

	assert_int_equal(aggregate_new(&usual, &a), 0);
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < DESTS_MAX + extra; i++)
			aggregate_row(a, ROW(.state = ST_TIME_WAIT, .src = CLIENT, .dst = numbered(i), .dport = 80,
					     .sport = (uint16_t)(40000 + round), MINI_AGED(0)));
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.n_dests, DESTS_MAX);
	assert_int_equal(ns.dests[DESTS_MAX - 1].ports_low_parity, 1);
	assert_int_equal(ns.dests_more.n[ST_TIME_WAIT], 2 * extra);
	assert_in_range(ns.dests_more_n, extra - extra / 100, extra + extra / 100);
	assert_int_equal(ns.states.n[ST_TIME_WAIT], 2 * (DESTS_MAX + extra));
	done(&ns);
	aggregate_free(a);
}

TEST(former_listeners_beyond_the_limit__are_shown_as_destinations)
{
	struct netns ns = {0};
	struct aggregate *a;

	assert_int_equal(aggregate_new(&usual, &a), 0);
	for (int round = 0; round < 2; round++)
		for (uint32_t port = 2000; port < 2000 + 4096 + 10; port++)
			aggregate_row(a, ROW(IN(ST_TIME_WAIT, (uint16_t)port, 40000), MINI_AGED(0)));
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.n_listeners, 4096);
	assert_int_equal(ns.listeners[0].states.n[ST_TIME_WAIT], 2);
	assert_int_equal(ns.n_dests, 1);
	assert_int_equal(ns.dests[0].ports_outside, 20);
	done(&ns);
	aggregate_free(a);
}

TEST(many_listeners_on_one_port__each_connection_finds_its_own)
{
	struct netns ns = {0};
	struct aggregate *a;

	assert_int_equal(aggregate_new(&usual, &a), 0);
	for (uint32_t i = 0; i < 3000; i++)
		aggregate_row(a, ROW(.state = ST_LISTEN, .src = numbered(i), .sport = 443));
	for (uint32_t i = 0; i < 3000; i++)
		aggregate_row(
			a, ROW(.state = ST_ESTABLISHED, .src = numbered(i), .dst = PEER, .sport = 443, .dport = 50000));
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(ns.n_listeners, 3000);
	for (size_t i = 0; i < ns.n_listeners; i++)
		assert_int_equal(ns.listeners[i].states.n[ST_ESTABLISHED], 1);
	done(&ns);
	aggregate_free(a);
}

TEST(reset__forgets_rows_but_not_the_range)
{
	const struct port_range reserved = {40002, 40002};
	struct aggregate_cfg cfg = usual;
	struct netns ns = {0};
	struct aggregate *a;

	cfg.reserved = &reserved;
	cfg.n_reserved = 1;
	assert_int_equal(aggregate_new(&cfg, &a), 0);
	aggregate_row(a, ROW(.state = ST_LISTEN, .src = ANY4, .sport = 8080));
	aggregate_row(a, ROW(IN(ST_ESTABLISHED, 8080, 40000)));
	aggregate_row(a, ROW(OUT(ST_ESTABLISHED, 40000)));
	aggregate_row(a, ROW(.bound = true, .state = ST_CLOSE));
	aggregate_reset(a);
	aggregate_row(a, ROW(IN(ST_ESTABLISHED, 8080, 40000)));
	aggregate_row(a, ROW(OUT(ST_ESTABLISHED, 40000)));
	aggregate_row(a, ROW(OUT(ST_ESTABLISHED, 40002)));
	assert_int_equal(aggregate_finish(a, &ns), 0);
	assert_int_equal(state_counts_sum(&ns.states), 3);
	assert_int_equal(ns.bound, 0);
	assert_int_equal(ns.n_listeners, 1);
	assert_false(ns.listeners[0].listening);
	assert_int_equal(ns.n_dests, 1);
	assert_int_equal(ns.dests[0].ports_low_parity, 1);
	assert_int_equal(ns.dests[0].ports_outside, 1);
	assert_int_equal(ns.ephemeral_ports_low_parity, 1);
	done(&ns);
	aggregate_free(a);
}

TEST(suspect_states__are_those_that_were_met_but_not_orphan_minis)
{
	struct aggregate *a;

	assert_int_equal(aggregate_new(&usual, &a), 0);
	assert_int_equal(aggregate_suspect_states(a), 0);
	aggregate_row(a, ROW(OUT(ST_FIN_WAIT_2, 40000), MINI_AGED(0)));
	aggregate_row(a, ROW(OUT(ST_ESTABLISHED, 40001)));
	assert_int_equal(aggregate_suspect_states(a), 0);
	aggregate_row(a, ROW(OUT(ST_FIN_WAIT_2, 40002), .inode = 1));
	assert_int_equal(aggregate_suspect_states(a), DIAG_STATE(ST_FIN_WAIT_2));
	aggregate_row(a, ROW(OUT(ST_CLOSE_WAIT, 40003), .inode = 1));
	aggregate_row(a, ROW(OUT(ST_FIN_WAIT_1, 40004)));
	assert_int_equal(aggregate_suspect_states(a),
			 DIAG_STATE(ST_FIN_WAIT_2) | DIAG_STATE(ST_FIN_WAIT_1) | DIAG_STATE(ST_CLOSE_WAIT));
	aggregate_free(a);
}

TEST(listener_of_a_local_end__is_told_with_its_own_address)
{
	struct aggregate *a;
	struct ip addr = IP4(1, 2, 3, 4);

	assert_int_equal(aggregate_new(&usual, &a), 0);
	aggregate_row(a, ROW(.state = ST_LISTEN, .src = ANY6, .sport = 80));
	assert_false(aggregate_listener(a, SERVER, 81, &addr));
	assert_true(ip_eq(addr, IP4(1, 2, 3, 4)));
	assert_true(aggregate_listener(a, SERVER, 80, &addr));
	assert_true(ip_eq(addr, ANY6));
	aggregate_free(a);
}

RUN(T(nothing__gives_an_empty_namespace),
    T(time_wait_on_a_listening_port__belongs_to_the_listener_and_is_no_destination),
    T(listener__exact_address_beats_wildcard), T(listener__on_another_address_only__does_not_own_the_port),
    T(ipv6_wildcard__takes_ipv4_too_unless_v6only),
    T(wildcards_of_both_families__stay_two_listeners_and_each_owns_its_family),
    T(reuseport__is_one_listener_with_the_queue_of_the_fullest_socket),
    T(unaccepted__are_established_and_close_wait_without_inode_on_a_listener),
    T(fin_wait_2__minis_are_orphans_and_full_sockets_are_not), T(destination__counts_ports_by_parity_of_the_low_end),
    T(reserved_port__counts_as_outside_the_range), T(ephemeral_ports__shared_by_destinations__are_counted_once),
    T(destinations__are_told_apart_by_source_address_and_port_and_sorted_by_ports_used),
    T(loopback_connection__one_row_is_the_listeners_the_other_a_loopback_destination),
    T(leftover__fixed_port_here_and_ephemeral_port_there),
    T(leftover__any_port_there__once_one_was_seen_on_this_local_end),
    T(fixed_port_here_and_service_there__is_a_connection_out),
    T(leftover_port__also_used_out_to_a_service__is_counted_as_well_known),
    T(low_end_of_the_range_below_1024__service_ports_there_are_still_services),
    T(range_unknown__everything_unlistened_is_a_destination_outside),
    T(time_wait_age__is_clamped_at_both_ends_and_reusable_from_the_delay_on),
    T(keepalive_timer__is_counted_on_connections_not_on_orphans_in_fin_wait_2), T(bound__is_counted_apart_from_states),
    T(bound__counts_distinct_ports_of_the_range),
    T(bound__outside_the_range_only__still_tells_that_the_kernel_shows_them),
    T(time_waits_outside_the_range__are_none_that_connect_could_reuse),
    T(destinations_beyond_the_limit__are_summed_by_state_and_their_number_is_close),
    T(former_listeners_beyond_the_limit__are_shown_as_destinations),
    T(many_listeners_on_one_port__each_connection_finds_its_own), T(reset__forgets_rows_but_not_the_range),
    T(suspect_states__are_those_that_were_met_but_not_orphan_minis),
    T(listener_of_a_local_end__is_told_with_its_own_address))
