/* SPDX-License-Identifier: MIT */
/* test_nft.c - in what state nft is started; the linker puts __wrap_execl in its place. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/harness.h"
#include "tests/unit/t.h"

enum { RETURNED = 42 };

int __wrap_execl(const char *path, const char *arg, ...);

/* Takes the rules as nft does, then tells by its status whether a broken pipe would end it. */
int __wrap_execl(const char *path, const char *arg, ...)
{
	struct sigaction a;
	char text[256];

	(void)path, (void)arg;
	if (read(0, text, sizeof(text)) <= 0) /* once: without exec the other end is open here too */
		_exit(1);
	_exit(sigaction(SIGPIPE, NULL, &a) == 0 && a.sa_handler == SIG_DFL ? 0 : 1);
}

static _Noreturn void feed_nft(int ns)
{
	FILE *log = tmpfile();
	struct outcome outcome = {.verdict = VERDICT_NONE};
	struct record record = {.children = log ? fileno(log) : -1};
	struct lab l = {.outcome = &outcome, .record = &record, .log = log, .out = log};

	if (!log)
		_exit(1);
	signal(SIGPIPE, SIG_IGN); /* as every experiment does */
	lab_nft(&l, ns, "flush ruleset\n"); /* ends this process if nft fails */
	_exit(RETURNED);
}

TEST(nft__is_started_with_sigpipe_as_a_program_expects_it)
{
	struct why w = {0};
	int ns = space_new(&w), status = 0;
	pid_t pid;

	if (ns < 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		feed_nft(ns);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), RETURNED);
	close(ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {T(nft__is_started_with_sigpipe_as_a_program_expects_it)};

	if (space_guard(NULL))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
