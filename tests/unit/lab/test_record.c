/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/record.h"
#include "tests/unit/t.h"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* A children file with this text; the path is static. */
static const char *children(const char *text)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/lastack-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

TEST(start__of_a_process__stays_the_same_and_is_zero_once_it_is_gone)
{
	pid_t pid = sleeper();
	uint64_t start = process_start(pid);

	assert_true(start > 0);
	assert_true(process_start(pid) == start);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(process_start(pid) == 0);
}

TEST(start__of_a_zombie__is_zero)
{
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_true(process_start(pid) == 0);
	waitpid(pid, NULL, 0);
}

TEST(reap__of_a_listed_process__ends_it)
{
	pid_t pid = sleeper();
	char line[64];
	const char *path;
	int status;

	snprintf(line, sizeof(line), "%d %" PRIu64 "\n", (int)pid, process_start(pid));
	path = children(line);
	assert_int_equal(record_reap_file(path), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	unlink(path);
}

TEST(reap__of_somebody_who_got_the_id_later__leaves_it_alone)
{
	pid_t pid = sleeper();
	char line[64];
	const char *path;

	snprintf(line, sizeof(line), "%d %" PRIu64 "\n", (int)pid, process_start(pid) - 1);
	path = children(line);
	assert_int_equal(record_reap_file(path), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
}

TEST(reap__of_nonsense__does_nothing)
{
	const char *path = children("\n-1 5\n1 1\n0 0\nx y\n99999999999999999999 1\n12\n12 \n");

	assert_int_equal(record_reap_file(path), 0);
	unlink(path);
	assert_int_equal(record_reap_file("/nonexistent/children"), 0);
}

TEST(record__holds_the_child__and_vanishes_on_close)
{
	struct record r;
	struct why w = {0};
	char path[128];

	if (geteuid() != 0)
		skip();
	assert_int_equal(record_open(&r, &w), 0);
	record_child(&r);
	snprintf(path, sizeof(path), "%s/children", r.dir);
	assert_int_equal(access(path, F_OK), 0);
	record_close(&r);
	assert_int_not_equal(access(r.dir, F_OK), 0);
}

RUN(T(start__of_a_process__stays_the_same_and_is_zero_once_it_is_gone), T(start__of_a_zombie__is_zero),
    T(reap__of_a_listed_process__ends_it), T(reap__of_somebody_who_got_the_id_later__leaves_it_alone),
    T(reap__of_nonsense__does_nothing), T(record__holds_the_child__and_vanishes_on_close))
