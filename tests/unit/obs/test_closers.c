/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include <stdlib.h>
#include <unistd.h>

#include "obs/closers.h"

static struct conn closed(uint64_t cookie, uint32_t pid, const char *comm)
{
	struct conn c = {.cookie = cookie, .local = SIDE_CLIENT, .first = SIDE_CLIENT, .how = END_FIN};

	c.closer.pid = pid;
	strncpy(c.closer.comm, comm, sizeof(c.closer.comm) - 1);
	return c;
}

static void add(struct closers *c, struct conn conn) { assert_int_equal(closers_add(c, &conn), 0); }

TEST(closes__that_leave_a_time_wait__are_found_by_cookie)
{
	struct closers *c = NULL;
	struct conn rst = closed(3, 77, "a"), passive = closed(4, 77, "a"), crossed = passive,
		    nobody = closed(6, 0, "");

	assert_int_equal(closers_new(&c), 0);
	rst.how = END_RST;
	passive.first = SIDE_SERVER;
	crossed.first = SIDE_SERVER;
	crossed.crossed = true;
	crossed.cookie = 5;
	add(c, closed(1, 2000000001, "gone"));
	add(c, closed(2, (uint32_t)getpid(), "us"));
	add(c, rst);
	add(c, passive);
	add(c, crossed);
	add(c, nobody);
	assert_int_equal(closers_find(c, 1), 0);
	assert_int_equal(closers_find(c, 2), 1);
	assert_int_equal(closers_find(c, 3), -1);
	assert_int_equal(closers_find(c, 4), -1);
	assert_int_equal(closers_find(c, 5), 2);
	assert_int_equal(closers_find(c, 6), -1);
	assert_int_equal(closers_find(c, 0), -1);
	closers_free(c);
}

TEST(closes__are_counted_by_process_and_by_second)
{
	struct conn c = closed(1, 2000000001, "gone"), rst = closed(2, 2000000001, "gone"),
		    passive = closed(3, 2000000001, "gone");
	struct closer row[2];
	struct closers *k = NULL;

	assert_int_equal(closers_new(&k), 0);
	assert_int_equal(closers_list(k, 0, row, 2), 0);
	for (unsigned i = 0; i < 30; i++) { /* five a second, from 100 s on */
		c.end = 100 * NSEC_PER_S + i * NSEC_PER_S / 5;
		add(k, c);
	}
	rst.how = END_RST;
	rst.end = 50 * NSEC_PER_S; /* told late: no part of the rate */
	add(k, rst);
	passive.first = SIDE_SERVER;
	add(k, passive);
	assert_int_equal(closers_list(k, 105 * NSEC_PER_S + NSEC_PER_S / 2, row, 2), 1);
	assert_int_equal(row[0].proc.pid, 2000000001);
	assert_string_equal(row[0].proc.comm, "gone");
	assert_int_equal(row[0].fin, 30);
	assert_int_equal(row[0].rst, 1);
	assert_true(row[0].per_s == 5);
	assert_int_equal(closers_list(k, 107 * NSEC_PER_S, row, 2), 1);
	assert_true(row[0].per_s == 4); /* of the last five seconds one saw none */
	closers_list(k, 200 * NSEC_PER_S, row, 2);
	assert_true(row[0].per_s == 0);
	assert_int_equal(closers_list(k, 200 * NSEC_PER_S, row, 0), 0);
	closers_free(k);
}

TEST(pid__used_again__is_another_process)
{
	struct closer row[4];
	struct closers *c = NULL;

	assert_int_equal(closers_new(&c), 0);
	add(c, closed(1, (uint32_t)getpid(), "wget")); /* the pid is ours by now */
	add(c, closed(2, 2000000001, "curl"));
	add(c, closed(3, 2000000001, "nginx"));
	add(c, closed(4, 2000000001, "curl"));
	add(c, closed(5, 2000000001, "")); /* its name was not told: the newest of that pid */
	assert_int_equal(closers_list(c, 0, row, 4), 3);
	assert_string_equal(row[0].proc.comm, "wget");
	assert_string_equal(row[0].proc.cgroup, "");
	assert_string_equal(row[1].proc.comm, "curl");
	assert_int_equal(row[1].fin, 2);
	assert_string_equal(row[2].proc.comm, "nginx");
	assert_int_equal(row[2].fin, 2);
	closers_free(c);
}

static int32_t most_of(const char *votes)
{
	struct tw_owner o = {0};

	for (; *votes; votes++)
		closers_vote(&o, *votes - '0');
	return tw_owner_most(&o);
}

TEST(votes__majority_wins_and_who_has_less_is_not_named)
{
	assert_int_equal(most_of(""), -1);
	assert_int_equal(most_of("7"), 7);
	assert_int_equal(most_of("47"), -1);
	assert_int_equal(most_of("7777744"), 7);
	assert_int_equal(most_of("4777774"), 7);
	assert_int_equal(most_of("7474747"), 7);
	assert_int_equal(most_of("11223"), -1); /* the last that comes up has a lead, and one of five */
}

TEST(apply__names_what_no_live_socket_names)
{
	struct closers *c = NULL;
	struct snapshot s = {.n_netns = 1, .n_procs = 1};
	struct netns *ns;

	s.netns = calloc(1, sizeof(*s.netns));
	s.procs = calloc(1, sizeof(*s.procs));
	ns = s.netns;
	ns->n_dests = 3;
	ns->dests = calloc(3, sizeof(*ns->dests));
	s.procs[0].pid = 1;
	assert_int_equal(closers_new(&c), 0);
	add(c, closed(1, 2000000001, "gone"));
	for (size_t i = 0; i < 3; i++) {
		ns->dests[i].proc = -1;
		closers_vote(&ns->dests[i].tw_owner, 0);
	}
	ns->dests[1].proc = 0; /* a live socket knows better */
	ns->dests[2].tw_owner = (struct tw_owner){.known = 2}; /* a draw */
	assert_int_equal(closers_apply(c, &s), 0);
	assert_string_equal(s.procs[ns->dests[0].proc].comm, "gone");
	assert_int_equal(ns->dests[1].proc, 0);
	assert_int_equal(ns->dests[2].proc, -1);
	assert_int_equal(s.n_procs, 2);
	closers_free(c);
	snapshot_done(&s);
}

RUN(T(closes__that_leave_a_time_wait__are_found_by_cookie), T(closes__are_counted_by_process_and_by_second),
    T(pid__used_again__is_another_process), T(votes__majority_wins_and_who_has_less_is_not_named),
    T(apply__names_what_no_live_socket_names))
