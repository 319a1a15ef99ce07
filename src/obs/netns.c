/* SPDX-License-Identifier: MIT */
#include "obs/netns.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "obs/procfile.h"
#include "obs/procs.h"

/* NET_NS_INIT_INO of include/uapi/linux/nsfs.h since 6.18; no earlier kernel gives this number to any namespace. */
#define INIT_INODE UINT64_C(0xEFFFFFF9)

int netns_open(const char *path, struct why *w)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return why_errno(w, errno, "%s", path);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC) {
		close(fd);
		why_set(w, "%s is no network namespace", path);
		return -EINVAL;
	}
	return fd;
}

uint64_t netns_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

int netns_enter(int fd, struct why *w)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		return why_errno(w, errno, "cannot enter the network namespace");
	return 0;
}

void netns_return(int fd) { must(setns(fd, CLONE_NEWNET) == 0); }

static struct netns_ref *find(struct netns_list *l, uint64_t inode)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].inode == inode)
			return &l->v[i];
	return NULL;
}

/* The place of inode in the list; NULL with *err when there is no memory, or with *err 0 when the list is full. */
static struct netns_ref *add(struct netns_list *l, uint64_t inode, int *err)
{
	struct netns_ref *r = find(l, inode);
	void *v = l->v;

	*err = 0;
	if (r)
		return r;
	if (l->n >= NETNS_MAX) {
		l->cut = true;
		return NULL;
	}
	*err = vec_reserve(&v, &l->cap, l->n + 1, sizeof(*l->v));
	if (*err < 0)
		return NULL;
	l->v = v;
	r = &l->v[l->n++];
	*r = (struct netns_ref){.inode = inode};
	return r;
}

static int add_process(struct netns_list *l, int32_t pid)
{
	uint64_t inode = proc_netns(pid);
	struct netns_ref *r;
	int err;

	if (!inode)
		return 0;
	r = add(l, inode, &err);
	/* the first process found is the oldest; ourselves only until somebody else turns up */
	if (!r || (r->pid && r->pid != getpid()))
		return err;
	r->pid = pid;
	snprintf(r->path, sizeof(r->path), "/proc/%d/ns/net", pid);
	return 0;
}

static int add_processes(struct netns_list *l)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int err = 0;

	while (d && err == 0 && (e = readdir(d))) {
		uint64_t pid;

		if (word_uint(e->d_name, 10, &pid) && pid <= INT32_MAX)
			err = add_process(l, (int32_t)pid);
	}
	if (d)
		closedir(d);
	return err;
}

/* Names mounted by `ip netns` or a container engine; a name that is there already is the better one. */
static int add_mounted(struct netns_list *l, const char *folder, const char *prefix)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int err = 0;

	while (d && err == 0 && (e = readdir(d))) {
		char path[sizeof(((struct netns_ref *)0)->path)], name[N_TEXT];
		struct netns_ref *r;
		struct statfs fs;
		struct stat st;

		if (e->d_name[0] == '.' ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= sizeof(path) ||
		    statfs(path, &fs) < 0 || fs.f_type != NSFS_MAGIC || stat(path, &st) < 0)
			continue;
		r = add(l, st.st_ino, &err);
		if (!r || r->name[0])
			continue;
		snprintf(name, sizeof(name), "%s%s", prefix, e->d_name);
		copy_printable(r->name, sizeof(r->name), name);
		if (!r->pid)
			memcpy(r->path, path, sizeof(path));
	}
	if (d)
		closedir(d);
	return err;
}

static void name_after_process(struct netns_ref *r, bool only_container)
{
	struct proc p;
	char name[sizeof(p.comm) + 16];

	if (!r->pid || !proc_read(r->pid, &p))
		return;
	snprintf(name, sizeof(name), "%s[%d]", p.comm, p.pid);
	if (p.container[0])
		memcpy(r->name, p.container, sizeof(r->name));
	else if (!only_container)
		copy_printable(r->name, sizeof(r->name), name);
}

static int by_inode(const void *a_, const void *b_)
{
	const struct netns_ref *a = a_, *b = b_;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

static void first_first(struct netns_list *l, uint64_t inode)
{
	qsort(l->v, l->n, sizeof(*l->v), by_inode);
	for (size_t i = 1; i < l->n; i++)
		if (l->v[i].inode == inode) {
			struct netns_ref r = l->v[i];

			memmove(&l->v[1], &l->v[0], i * sizeof(*l->v));
			l->v[0] = r;
			return;
		}
}

static int fill(struct netns_list *l)
{
	uint64_t init = proc_netns(1), self = proc_netns(getpid());
	struct netns_ref *r;
	int err = add_process(l, getpid());

	if (err == 0)
		err = add_processes(l);
	if (!init && find(l, INIT_INODE))
		init = INIT_INODE;
	r = find(l, init ? init : self);
	if (r)
		snprintf(r->name, sizeof(r->name), init ? "host" : "self");
	if (err == 0)
		err = add_mounted(l, "/run/netns", "");
	if (err == 0)
		err = add_mounted(l, "/var/run/netns", "");
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].name[0])
			name_after_process(&l->v[i], true);
	if (err == 0)
		err = add_mounted(l, "/run/docker/netns", "docker-");
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].name[0])
			name_after_process(&l->v[i], false);
	if (err == 0)
		first_first(l, init ? init : self);
	return err;
}

int netns_list(struct netns_list *ret)
{
	struct netns_list l = {NULL, 0, 0, false};
	int err = fill(&l);

	if (err < 0) {
		netns_list_done(&l);
		return err;
	}
	*ret = l;
	return 0;
}

void netns_list_done(struct netns_list *l)
{
	free(l->v);
	*l = (struct netns_list){NULL, 0, 0, false};
}
