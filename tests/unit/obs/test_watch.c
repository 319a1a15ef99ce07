/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include <stdlib.h>

#include "knob/knob.h"
#include "obs/watch.h"

static struct netns ns = {
	.knob = {[KNOB_port_low] = 10000, [KNOB_port_high] = 10999},
	.knob_known = {[KNOB_port_low] = true, [KNOB_port_high] = true},
};

static struct dest time_waits(uint32_t n)
{
	struct dest d = {.proc = -1};

	d.states.n[ST_TIME_WAIT] = n;
	d.tw_in_range = n;
	d.tw_ages.s[3] = n;
	return d;
}

TEST(time_waits__twenty_of_an_unknown_program__are_worth_the_search)
{
	struct dest below = time_waits(19), above = time_waits(20);

	assert_false(watch_wants(&ns, &below));
	assert_true(watch_wants(&ns, &above));
}

TEST(time_waits__of_a_known_program__are_not)
{
	struct dest d = time_waits(1000);

	d.proc = 0;
	assert_false(watch_wants(&ns, &d));
}

TEST(time_waits__none_of_them_young__are_not)
{
	struct dest d = time_waits(0);

	d.states.n[ST_TIME_WAIT] = d.tw_in_range = 1000;
	d.tw_ages.s[40] = 1000;
	assert_false(watch_wants(&ns, &d));
	d.states.n[ST_ESTABLISHED] = 1;
	assert_true(watch_wants(&ns, &d));
}

TEST(time_waits__outside_the_range__may_be_young)
{
	struct dest d = time_waits(0);

	d.states.n[ST_TIME_WAIT] = 20;
	assert_true(watch_wants(&ns, &d));
}

TEST(ports__a_tenth_of_the_range__is_worth_the_search)
{
	struct dest d = {.proc = -1, .ports_low_parity = 50, .ports_other_parity = 49};
	struct netns unknown = {.inode = 0};

	d.states.n[ST_ESTABLISHED] = 99;
	assert_false(watch_wants(&ns, &d));
	d.ports_other_parity = 50;
	assert_true(watch_wants(&ns, &d));
	assert_false(watch_wants(&unknown, &d));
}

TEST(watch__nothing_to_look_for__is_nothing)
{
	struct snapshot s = {.netns = &ns, .n_netns = 1};
	const struct netns_list none = {NULL, 0, 0, false};
	struct watch *w;

	assert_int_equal(watch_new(&s, &none, -1, (struct hash_key){1, 2}, &w), 0);
	assert_null(w);
}

/* A program that connects for microseconds may be seen by the first look only: the second must not forget it. */
TEST(carry__whom_the_first_look_named__the_second_names_too)
{
	struct dest before = time_waits(10), now[] = {time_waits(20), time_waits(30)};
	struct netns first_ns = {.inode = 7, .dests = &before, .n_dests = 1};
	struct netns second_ns = {.inode = 7, .dests = now, .n_dests = 2};
	struct proc churn = {.pid = 812, .comm = "churn"};
	struct snapshot first = {.netns = &first_ns, .n_netns = 1, .procs = &churn, .n_procs = 1};
	struct snapshot second = {.netns = &second_ns, .n_netns = 1};

	before.proc = 0;
	before.dport = now[0].dport = 80;
	now[1].dport = 81; /* another destination, of whom nothing is known */
	assert_int_equal(watch_carry(&first, &second), 0);
	assert_int_equal(second.n_procs, 1);
	assert_string_equal(second.procs[now[0].proc].comm, "churn");
	assert_int_equal(now[1].proc, -1);
	second_ns.inode = 8;
	now[0].proc = -1;
	assert_int_equal(watch_carry(&first, &second), 0);
	assert_int_equal(now[0].proc, -1);
	free(second.procs);
}

RUN(T(time_waits__twenty_of_an_unknown_program__are_worth_the_search), T(time_waits__of_a_known_program__are_not),
    T(time_waits__none_of_them_young__are_not), T(time_waits__outside_the_range__may_be_young),
    T(ports__a_tenth_of_the_range__is_worth_the_search), T(watch__nothing_to_look_for__is_nothing),
    T(carry__whom_the_first_look_named__the_second_names_too))
