/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "model/snapshot.h"
#include <stdlib.h>

TEST(observation__finds_the_same_namespace_an_interval_ago)
{
	struct netns before[] = {{.inode = 1}, {.inode = 2}}, now[] = {{.inode = 2}, {.inode = 3}};
	struct observation o = {.n = 2};

	o.s[0] = (struct snapshot){.taken_at = NSEC_PER_S, .netns = before, .n_netns = 2};
	o.s[1] = (struct snapshot){.taken_at = 3 * NSEC_PER_S, .netns = now, .n_netns = 2};
	assert_ptr_equal(observation_now(&o), &o.s[1]);
	assert_ptr_equal(observation_before(&o, 2), &before[1]);
	assert_null(observation_before(&o, 3));
	assert_true(observation_interval_s(&o) == 2.0);
	o.n = 1;
	assert_null(observation_before(&o, 2));
	assert_true(observation_interval_s(&o) == 0);
}

TEST(missing_add__says_the_same_thing_once)
{
	struct missing *v = NULL, m = {.what = "socket owners"};
	size_t n = 0;

	assert_int_equal(missing_add(&v, &n, &m), 0);
	assert_int_equal(missing_add(&v, &n, &m), 0);
	strcpy(m.what, "counters");
	assert_int_equal(missing_add(&v, &n, &m), 0);
	assert_int_equal(n, 2);
	free(v);
}

TEST(proc_text__names_pid_and_container)
{
	struct proc p = {.pid = 812, .comm = "nginx"};
	struct snapshot s = {.procs = &p, .n_procs = 1};

	assert_string_equal(proc_text(snapshot_proc(&s, 0)).s, "nginx[812]");
	assert_string_equal(proc_text(snapshot_proc(&s, -1)).s, "");
	strcpy(p.container, "3f2c1a9d");
	assert_string_equal(proc_text(&p).s, "nginx[812] in 3f2c1a9d");
}

RUN(T(observation__finds_the_same_namespace_an_interval_ago), T(missing_add__says_the_same_thing_once),
    T(proc_text__names_pid_and_container))
