/* SPDX-License-Identifier: MIT */
/* test_gone.c - a process that ends after its namespace was listed and before it is visited. */
#include "tests/unit/t.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "obs/netns.h"
#include "obs/obs.h"

int __real_netns_open(const char *path, struct why *w);
int __wrap_netns_open(const char *path, struct why *w);

static pid_t victim;

int __wrap_netns_open(const char *path, struct why *w)
{
	char its[64];

	snprintf(its, sizeof(its), "/proc/%d/ns/net", victim);
	if (victim && strcmp(path, its) == 0) {
		assert_int_equal(kill(victim, SIGKILL), 0);
		assert_int_equal(waitpid(victim, NULL, 0), victim);
		victim = 0;
	}
	return __real_netns_open(path, w);
}

/* A process alone in a namespace of its own; 0: not permitted. */
static pid_t process_elsewhere(void)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		byte = unshare(CLONE_NEWNET) < 0 ? 'n' : 'y';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	if (byte == 'y')
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

TEST(namespace__whose_process_ends_before_the_visit__is_said_but_is_no_blindness)
{
	const struct obs_cfg all = {.scope = OBS_NETNS_ALL, .depth = OBS_COUNTS, .root = ""};
	struct missing m = {.blind = true};
	struct snapshot s = {0};
	struct why w = {""};
	struct obs *o;

	victim = process_elsewhere();
	if (!victim)
		skip();
	assert_int_equal(obs_new(&all, &o, &w), 0);
	assert_int_equal(obs_snapshot(o, &s, &w), 0);
	assert_int_equal(victim, 0); /* it was visited */
	for (size_t i = 0; i < s.n_missing; i++)
		if (strcmp(s.missing[i].what, "network namespaces that were just ending") == 0)
			m = s.missing[i];
	assert_true(m.what[0]);
	assert_false(m.blind);
	snapshot_done(&s);
	obs_free(o);
}

RUN(T(namespace__whose_process_ends_before_the_visit__is_said_but_is_no_blindness))
