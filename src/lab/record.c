/* SPDX-License-Identifier: MIT */
#include "lab/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_DIR "/run/lastack-lab"

uint64_t process_start(pid_t pid)
{
	char path[48], buf[1024];
	const char *p;
	uint64_t start = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	p = strrchr(buf, ')'); /* comm may hold spaces and parentheses */
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2;
	for (int field = 3; field < 22 && p; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (p)
		start = strtoull(p, NULL, 10);
	return start;
}

static bool parse_pair(const char *s, char between, pid_t *pid, uint64_t *start)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || end == s || v <= 1 || v > INT32_MAX || *end != between)
		return false;
	s = end + 1;
	*start = strtoull(s, &end, 10);
	if (errno || end == s || *start == 0)
		return false;
	*pid = (pid_t)v;
	return true;
}

/* Calls fn for each line of a children file; the sum of what it returns. */
static unsigned for_each_child(const char *path, unsigned (*fn)(pid_t pid, uint64_t start))
{
	FILE *f = fopen(path, "re");
	char line[64];
	unsigned n = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		pid_t pid;
		uint64_t start;

		if (parse_pair(line, ' ', &pid, &start))
			n += fn(pid, start);
	}
	fclose(f);
	return n;
}

static unsigned reap_one(pid_t pid, uint64_t start) { return process_start(pid) == start && kill(pid, SIGKILL) == 0; }

unsigned record_reap_file(const char *path) { return for_each_child(path, reap_one); }

static unsigned await_one(pid_t pid, uint64_t start)
{
	return waitpid(pid, NULL, 0) == pid; /* ECHILD at once for a stranger */
}

void record_await(const struct record *r)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/children", r->dir);
	for_each_child(path, await_one);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

static void remove_dir(const char *dir) { nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

static void reap_dead_runs(void)
{
	DIR *d = opendir(RUN_DIR);

	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));) {
		char path[160];
		pid_t pid;
		uint64_t start;

		if (strlen(e->d_name) > 40 || !parse_pair(e->d_name, '-', &pid, &start) || process_start(pid) == start)
			continue;
		snprintf(path, sizeof(path), RUN_DIR "/%.40s/children", e->d_name);
		record_reap_file(path);
		path[strlen(path) - strlen("/children")] = 0;
		remove_dir(path);
	}
	closedir(d);
}

int record_open(struct record *r, struct why *w)
{
	char path[128];

	reap_dead_runs();
	snprintf(r->dir, sizeof(r->dir), RUN_DIR "/%d-%" PRIu64, (int)getpid(), process_start(getpid()));
	for (int tries = 0; mkdir(r->dir, 0700); tries++) {
		/* A run that ends may remove RUN_DIR between our two calls. */
		if (errno != ENOENT || tries == 8)
			return why_errno(w, errno, "create %s", r->dir);
		if (mkdir(RUN_DIR, 0700) && errno != EEXIST)
			return why_errno(w, errno, "create " RUN_DIR);
	}
	snprintf(path, sizeof(path), "%s/children", r->dir);
	r->children = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (r->children < 0) {
		int err = why_errno(w, errno, "create %s", path);

		rmdir(r->dir);
		return err;
	}
	return 0;
}

void record_child(const struct record *r)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%d %" PRIu64 "\n", (int)getpid(), process_start(getpid()));

	if (write(r->children, line, (size_t)n) != n)
		_exit(3); /* a child nobody could reap must not live */
}

void record_close(struct record *r)
{
	close(r->children);
	remove_dir(r->dir);
	rmdir(RUN_DIR); /* fails while another run is there, which is right */
}
