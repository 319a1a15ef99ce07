/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "obs/attribute.h"
#include "obs/leaks.h"

static struct listener web(uint32_t connections, int32_t proc)
{
	struct listener l = {.port = 80, .listening = true, .proc = proc};

	l.states.n[ST_LISTEN] = 1;
	l.states.n[ST_ESTABLISHED] = connections;
	return l;
}

static bool listener_lacks_owner(struct listener l)
{
	struct netns ns[] = {{.inode = 1}, {.listeners = &l, .n_listeners = 1}};

	return lacks_owner(&(const struct snapshot){.netns = ns, .n_netns = 2});
}

static bool holder_lacks_owner(struct holder h)
{
	struct netns ns = {.holders = &h, .n_holders = 1};

	return lacks_owner(&(const struct snapshot){.netns = &ns, .n_netns = 1});
}

TEST(listener_of_nobody__matters_once_it_has_connections)
{
	struct listener syn = web(0, -1), former = web(5, -1);

	assert_false(listener_lacks_owner(web(0, -1)));
	assert_true(listener_lacks_owner(web(1, -1)));
	syn.states.n[ST_TIME_WAIT] = 1; /* a restart would fail, or not: its options tell */
	assert_true(listener_lacks_owner(syn));
	assert_false(listener_lacks_owner(web(1, 0)));
	former.listening = false; /* its process is gone, or listens no more: there is none to be found */
	assert_false(listener_lacks_owner(former));
}

TEST(suspects_of_nobody__matter_unless_they_are_orphans)
{
	assert_true(holder_lacks_owner((struct holder){.proc = -1}));
	assert_false(holder_lacks_owner((struct holder){.proc = -1, .orphan = true}));
	assert_false(holder_lacks_owner((struct holder){.proc = 0}));
}

TEST(leaks_not_looked_for__each_reason_has_its_own_words)
{
	const struct leaks none = {.sampled = 5}, both = {.refused = 1, .exhausted = 2}, old = {.no_syscall = true};
	struct snapshot s = {0};

	assert_int_equal(note_leaks(&s, &none), 0);
	assert_int_equal(s.n_missing, 0);
	assert_int_equal(note_leaks(&s, &both), 0);
	assert_int_equal(s.n_missing, 2);
	assert_true(s.missing[0].blind && s.missing[1].blind);
	assert_non_null(strstr(s.missing[0].why, "not permitted on 1 process"));
	assert_string_equal(s.missing[1].why, "8,192 of them were asked, those of 2 more processes were not");
	snapshot_done(&s);
	assert_int_equal(note_leaks(&s, &old), 0);
	assert_int_equal(s.n_missing, 1);
	assert_false(s.missing[0].blind);
	snapshot_done(&s);
}

RUN(T(listener_of_nobody__matters_once_it_has_connections), T(suspects_of_nobody__matter_unless_they_are_orphans),
    T(leaks_not_looked_for__each_reason_has_its_own_words))
