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

TEST(votes__majority_wins_and_a_draw_names_nobody)
{
	struct tw_owner o = {0};

	closers_vote(&o, 4);
	closers_vote(&o, 7);
	assert_int_equal(o.known, 2);
	assert_int_equal(o.lead, 0);
	closers_vote(&o, 7);
	closers_vote(&o, 7);
	closers_vote(&o, 4);
	assert_int_equal(o.proc, 7);
	assert_int_equal(o.lead, 1);
	assert_int_equal(o.known, 5);
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
    T(votes__majority_wins_and_a_draw_names_nobody), T(apply__names_what_no_live_socket_names))
