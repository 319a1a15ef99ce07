/* SPDX-License-Identifier: MIT */
#include "cli/group.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs/caps.h"
#include "obs/procfile.h"

enum { BUSY_TRIES = 100, GROUPS_DEEP = 32 };

static bool mount_point(char *ret, size_t cap)
{
	int err;
	char *mounts = procfile_all("/proc/self/mounts", &err);
	bool found = mounts && mount_find(mounts, "cgroup2", ret, cap);

	free(mounts);
	return found;
}

/* The number of its inode is the id on 64-bit kernels. */
static uint64_t inode(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* The folder of our own group. */
static int own(char *ret, size_t cap, struct why *w)
{
	char where[256], line[512];
	const char *cursor;
	int err;
	char *text = procfile_all("/proc/self/cgroup", &err);

	cursor = text;
	if (text && mount_point(where, sizeof(where)))
		while (next_line(&cursor, line, sizeof(line)))
			if (strncmp(line, "0::", 3) == 0) {
				free(text);
				snprintf(ret, cap, "%s%s", where, strcmp(line + 3, "/") == 0 ? "" : line + 3);
				return 0;
			}
	free(text);
	why_set(w, "cgroup2 is not mounted");
	return -ENODEV;
}

int group_new(struct group *ret, struct why *w)
{
	char mine[400];
	int err = own(mine, sizeof(mine), w);

	if (err)
		return err;
	snprintf(ret->path, sizeof(ret->path), "%s/lastack-run-%d", mine, getpid());
	if (mkdir(ret->path, 0755) < 0)
		return why_errno(w, errno, "cannot make a control group at %s", ret->path);
	ret->id = inode(ret->path);
	return 0;
}

static int move(const char *folder, const char *pid)
{
	char file[600];
	FILE *f;
	int err = 0;

	snprintf(file, sizeof(file), "%s/cgroup.procs", folder);
	f = fopen(file, "we");
	if (!f)
		return -errno;
	if (fputs(pid, f) < 0)
		err = -EIO;
	if (fclose(f) != 0)
		err = -errno;
	return err;
}

int group_enter(const struct group *g) { return move(g->path, "0"); }

/* Calls visit with each process of that group. */
static void each_process(const char *folder, void (*visit)(void *ctx, const char *pid), void *ctx)
{
	char file[600], line[32];
	int err;
	char *procs;
	const char *cursor;

	snprintf(file, sizeof(file), "%s/cgroup.procs", folder);
	procs = procfile_all(file, &err);
	cursor = procs;
	while (procs && next_line(&cursor, line, sizeof(line)))
		visit(ctx, line);
	free(procs);
}

/* Calls visit with that group and with all below it, the lowest first. */
static void each_group(const char *folder, unsigned deep, void (*visit)(void *ctx, const char *folder), void *ctx)
{
	DIR *d = deep < GROUPS_DEEP ? opendir(folder) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char below[512];

		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    (size_t)snprintf(below, sizeof(below), "%s/%s", folder, e->d_name) < sizeof(below))
			each_group(below, deep + 1, visit, ctx);
	}
	if (d)
		closedir(d);
	visit(ctx, folder);
}

static void count_one(void *ctx, const char *pid) { ++*(unsigned *)ctx; }

static void count_all(void *ctx, const char *folder) { each_process(folder, count_one, ctx); }

struct ids {
	uint64_t *v;
	size_t n, cap;
};

static void add_id(void *ctx, const char *folder)
{
	struct ids *ids = ctx;
	uint64_t id = inode(folder);

	if (id && ids->n < ids->cap)
		ids->v[ids->n++] = id;
}

size_t group_ids(const char *path, uint64_t *ret, size_t cap)
{
	char where[256], full[512];
	struct ids ids = {.cap = cap};
	struct stat st;

	ids.v = ret;
	if (strncmp(path, "/sys/", 5) == 0) {
		snprintf(full, sizeof(full), "%s", path);
	} else if (mount_point(where, sizeof(where))) {
		snprintf(full, sizeof(full), "%s/%s", where, path);
	} else {
		errno = ENODEV;
		return 0;
	}
	if (stat(full, &st) == 0)
		each_group(full, 0, add_id, &ids);
	return ids.n;
}

unsigned group_count(const struct group *g)
{
	unsigned n = 0;

	each_group(g->path, 0, count_all, &n);
	return n;
}

static void send_home(void *ctx, const char *pid) { (void)move(ctx, pid); }

static void remove_one(void *ctx, const char *folder)
{
	for (unsigned i = 0; i < BUSY_TRIES && rmdir(folder) < 0 && errno == EBUSY; i++)
		each_process(folder, send_home, ctx);
}

void group_free(struct group *g)
{
	char home[400];

	if (own(home, sizeof(home), NULL) == 0)
		each_group(g->path, 0, remove_one, home);
	g->path[0] = '\0';
}
