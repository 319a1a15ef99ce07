/* SPDX-License-Identifier: MIT */
/*
 * measure.c - runs a command with its output thrown away and prints "WALL_MS CPU_MS PEAK_KIB". The peak is the
 * command's own: a child starts with the peak of the process that forked it, which here is this small one.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static double ms(struct timespec t) { return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6; }
static double ms_of(struct timeval t) { return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3; }

int main(int argc, char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t to_null;
	struct timespec begin, end;
	struct rusage used;
	pid_t pid;
	int err;

	if (argc < 2) {
		fputs("usage: measure COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	err = posix_spawnp(&pid, argv[1], &to_null, NULL, argv + 1, environ);
	posix_spawn_file_actions_destroy(&to_null);
	if (err || wait4(pid, NULL, 0, &used) != pid) {
		fprintf(stderr, "measure: %s: %s\n", argv[1], strerror(err ? err : errno));
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.3f %.3f %ld\n", ms(end) - ms(begin), ms_of(used.ru_utime) + ms_of(used.ru_stime), used.ru_maxrss);
	return 0;
}
