/* SPDX-License-Identifier: MIT */
/* The supervisor as a whole: verdicts, and that nothing is left when it is interrupted or killed. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/lab.h"
#include "lab/record.h"
#include "tests/unit/t.h"

enum { PIDS_MAX = 16, PATIENCE_MS = 20000 };

static char outage[] = "outage", clean[] = "clean", stranger[] = "PORT999";

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* A lab in a process of its own; it runs the experiment `id` and writes to the returned pipe end. */
static pid_t start_lab(char *id, int *ret_out)
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct lab_cfg cfg = {.jobs = 1};
		struct lab_totals t = {0};
		struct why w = {0};
		FILE *out = fdopen(p[1], "w");

		close(p[0]);
		if (lab_run(&cfg, (char *const[]){id}, 1, out, &t, &w))
			_exit(9);
		fflush(out);
		_exit(t.signal ? 100 + t.signal : (int)t.failed);
	}
	close(p[1]);
	*ret_out = p[0];
	return pid;
}

static void record_dir(char *path, size_t cap, pid_t lab)
{
	snprintf(path, cap, "/run/lastack-lab/%d-%llu", (int)lab, (unsigned long long)process_start(lab));
}

/* Descriptors of the lab's children, once its first line of output shows that all of them live. */
static size_t open_children(const char *dir, int pidfd[PIDS_MAX])
{
	char path[160], line[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/children", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	while (n < PIDS_MAX && fgets(line, sizeof(line), f)) {
		int fd = (int)syscall(SYS_pidfd_open, atoi(line), 0); // NOLINT(cert-err34-c): the kernel checks it

		if (fd >= 0)
			pidfd[n++] = fd;
	}
	fclose(f);
	return n;
}

static void await_end(int pidfd[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pollfd p = {.fd = pidfd[i], .events = POLLIN};

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		close(pidfd[i]);
	}
}

/* The outage tells its story as it goes: the head of its table means that service and server are at work. */
static void await_story(int out)
{
	char text[4096];
	size_t len = 0;

	for (;;) {
		ssize_t n = read(out, text + len, sizeof(text) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
		text[len] = 0;
		if (strstr(text, "errors/s"))
			return;
		assert_true(len < sizeof(text) - 1);
	}
}

TEST(killed__lab__leaves_no_process__and_the_next_run_clears_its_record)
{
	int out, pidfd[PIDS_MAX];
	char dir[96];
	struct record next;
	size_t n;
	pid_t lab;

	need_root();
	lab = start_lab(outage, &out);
	await_story(out);
	record_dir(dir, sizeof(dir), lab);
	n = open_children(dir, pidfd);
	assert_true(n >= 3); /* experiment, server, service */
	kill(lab, SIGKILL);
	waitpid(lab, NULL, 0);
	await_end(pidfd, n);
	assert_int_equal(record_open(&next, NULL), 0);
	assert_int_not_equal(access(dir, F_OK), 0);
	record_close(&next);
	close(out);
}

static void interrupt(int sig)
{
	int out, pidfd[PIDS_MAX], status;
	char dir[96];
	size_t n;
	pid_t lab;

	need_root();
	lab = start_lab(outage, &out);
	await_story(out);
	record_dir(dir, sizeof(dir), lab);
	n = open_children(dir, pidfd);
	assert_true(n >= 3);
	kill(lab, sig);
	assert_int_equal(waitpid(lab, &status, 0), lab);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 100 + sig);
	await_end(pidfd, n);
	assert_int_not_equal(access(dir, F_OK), 0);
	close(out);
}

TEST(interrupted__lab__ends_its_children_and_its_record)
{
	interrupt(SIGINT);
}
TEST(terminated__lab__ends_its_children_and_its_record)
{
	interrupt(SIGTERM);
}

TEST(run__of_an_unknown_experiment__is_refused)
{
	const struct lab_cfg cfg = {.jobs = 1};
	struct lab_totals t = {0};
	struct why w = {0};

	assert_int_equal(lab_run(&cfg, (char *const[]){stranger}, 1, stdout, &t, &w), -EINVAL);
	assert_non_null(strstr(w.text, "PORT999"));
}

TEST(run__without_root__skips_and_says_why)
{
	char text[512] = "";
	int p[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		const struct lab_cfg cfg = {.jobs = 1};
		struct lab_totals t = {0};
		FILE *out = fdopen(p[1], "w");

		if (geteuid() == 0 && setuid(65534))
			_exit(9);
		if (lab_run(&cfg, (char *const[]){clean, outage}, 2, out, &t, NULL))
			_exit(8);
		fflush(out);
		_exit(t.not_permitted && t.skipped == 2 && t.passed == 0 && t.failed == 0 ? 0 : 7);
	}
	close(p[1]);
	for (size_t len = 0; len < sizeof(text) - 1; len += (size_t)n) {
		n = read(p[0], text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "needs root"));
	assert_non_null(strstr(text, "0 passed, 0 failed, 2 skipped"));
	close(p[0]);
}

RUN(T(killed__lab__leaves_no_process__and_the_next_run_clears_its_record),
    T(interrupted__lab__ends_its_children_and_its_record), T(terminated__lab__ends_its_children_and_its_record),
    T(run__of_an_unknown_experiment__is_refused), T(run__without_root__skips_and_says_why))
