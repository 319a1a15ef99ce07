/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "obs/procfile.h"
#include "obs/procs.h"

/* Only sockets somebody asks for cost a slot with an owner; both kinds live in one table, keyed against collisions. */
struct slot {
	uint32_t inode; /* 0: free */
	bool wanted;
	int32_t proc; /* -1: not found yet */
	int fd;
};

struct owners {
	struct hash_key key;
	struct slot *slot;
	size_t n, cap; /* cap is a power of two, at least twice n */
	size_t n_seen, n_only_counted;
	size_t n_sought; /* wanted and not found yet */
};

int owners_new(struct hash_key key, struct owners **ret)
{
	struct owners *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->key = key;
	o->cap = 64;
	o->slot = calloc(o->cap, sizeof(*o->slot));
	if (!o->slot) {
		free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

void owners_free(struct owners *o)
{
	if (!o)
		return;
	free(o->slot);
	free(o);
}

/* The slot of inode, or the free one where it would go. */
static struct slot *slot_of(const struct owners *o, uint32_t inode)
{
	size_t i = (size_t)hash_bytes(o->key, &inode, sizeof(inode)) & (o->cap - 1);

	while (o->slot[i].inode && o->slot[i].inode != inode)
		i = (i + 1) & (o->cap - 1);
	return &o->slot[i];
}

static int grow(struct owners *o)
{
	struct owners bigger = *o;

	bigger.cap = o->cap * 2;
	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < o->cap; i++)
		if (o->slot[i].inode)
			*slot_of(&bigger, o->slot[i].inode) = o->slot[i];
	free(o->slot);
	*o = bigger;
	return 0;
}

static int add(struct owners *o, uint32_t inode, struct slot **ret)
{
	struct slot *s = slot_of(o, inode);

	if (!s->inode) {
		if ((o->n + 1) * 2 > o->cap) {
			if (grow(o) < 0)
				return -ENOMEM;
			s = slot_of(o, inode);
		}
		*s = (struct slot){.inode = inode, .proc = -1, .fd = -1};
		o->n++;
	}
	*ret = s;
	return 0;
}

int owners_want(struct owners *o, uint64_t inode)
{
	struct slot *s;

	if (!inode || inode > UINT32_MAX)
		return 0;
	if (add(o, (uint32_t)inode, &s) < 0)
		return -ENOMEM;
	o->n_sought += !s->wanted && s->proc < 0;
	s->wanted = true;
	return 0;
}

int owners_seen(struct owners *o, uint64_t inode)
{
	struct slot *s;

	if (!inode || inode > UINT32_MAX)
		return 0;
	if (o->n_seen >= OWNERS_SEEN_MAX) {
		o->n_only_counted++;
		return 0;
	}
	o->n_seen++;
	return add(o, (uint32_t)inode, &s);
}

bool owners_seen_all(const struct owners *o) { return o->n_only_counted == 0; }

bool owners_find(const struct owners *o, uint64_t inode, int32_t *ret_proc, int *ret_fd)
{
	const struct slot *s;

	if (!inode || inode > UINT32_MAX)
		return false;
	s = slot_of(o, (uint32_t)inode);
	if (!s->inode || s->proc < 0)
		return false;
	*ret_proc = s->proc;
	*ret_fd = s->fd;
	return true;
}

/* Every stride-th one is kept; when the room is full, every second of those goes and the stride doubles. */
struct sampler {
	struct strangers s;
	uint32_t stride;
};

static void sample(struct sampler *p, int fd, uint32_t inode)
{
	struct strangers *s = &p->s;

	if (s->n++ % p->stride)
		return;
	if (s->n_kept == STRANGERS_KEPT) {
		for (size_t i = 0; i < STRANGERS_KEPT / 2; i++) {
			s->fd[i] = s->fd[2 * i];
			s->inode[i] = s->inode[2 * i];
		}
		s->n_kept = STRANGERS_KEPT / 2;
		p->stride *= 2;
		if ((s->n - 1) % p->stride)
			return;
	}
	s->fd[s->n_kept] = fd;
	s->inode[s->n_kept++] = inode;
}

struct fd_walk {
	struct owners *o;
	struct proc p; /* fds, sockets */
	int32_t index; /* where p will stand */
	bool has_wanted, tcp_only;
	struct sampler strangers;
	uint64_t walked; /* of all processes */
};

/* sockfs tells a socket's protocol to whoever may see the link (3.4): nothing needs to be borrowed for it. */
static bool may_be_tcp(int32_t pid, int fd)
{
	char path[64], name[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = getxattr(path, "system.sockprotoname", name, sizeof(name) - 1);
	if (n < 0)
		return true;
	name[n] = '\0';
	return strncmp(name, "TCP", 3) == 0; /* or TCPv6 */
}

/* False when the process does not let us look: its folder opens for its user, but its links need more. */
static bool fd_look(struct fd_walk *w, int dirfd, const char *name)
{
	char link[64];
	ssize_t n = readlinkat(dirfd, name, link, sizeof(link) - 1);
	struct slot *s;
	uint32_t inode;
	uint64_t fd;

	if (n < 0 && (errno == EACCES || errno == EPERM))
		return false;
	if (n <= 0 || !word_uint(name, 10, &fd) || fd > INT32_MAX)
		return true;
	link[n] = '\0';
	w->p.fds++;
	inode = socket_inode_parse(link);
	if (!inode)
		return true;
	w->p.sockets++;
	s = slot_of(w->o, inode);
	if (!s->inode) {
		if (!w->tcp_only || may_be_tcp(w->p.pid, (int)fd))
			sample(&w->strangers, (int)fd, inode);
		return true;
	}
	if (!s->wanted || (s->proc >= 0 && s->proc != w->index))
		return true;
	if (s->proc < 0) {
		s->fd = (int)fd;
		w->o->n_sought--;
	}
	s->proc = w->index;
	w->has_wanted = true;
	return true;
}

/* 0, -EACCES when the process does not let us look, -ENOENT when it is gone. */
static int fds_walk(struct fd_walk *w, int proc_fd, int32_t pid)
{
	char path[32];
	struct dirent *e;
	bool allowed = true;
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), "%d/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int err = errno == EACCES || errno == EPERM ? -EACCES : -ENOENT;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while (allowed && w->walked < FDS_WALKED_MAX && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			allowed = fd_look(w, dirfd(d), e->d_name);
			w->walked++;
		}
	closedir(d);
	return allowed ? 0 : -EACCES;
}

/* Makes sure the next process has a place, so that keeping it cannot fail after its sockets were matched. */
static int room_for_one(struct owners_walk *walk)
{
	void *v = walk->procs;

	if (vec_reserve(&v, &walk->cap_procs, walk->n_procs + 1, sizeof(*walk->procs)) < 0)
		return -ENOMEM;
	walk->procs = v;
	return 0;
}

static int proc_walk(struct fd_walk *w, struct owners_walk *walk, int proc_fd, int32_t pid)
{
	bool keep;
	int err;

	if (room_for_one(walk) < 0)
		return -ENOMEM;
	w->p = (struct proc){.pid = pid};
	w->index = (int32_t)walk->n_procs;
	w->has_wanted = false;
	w->strangers.s = (struct strangers){.pid = pid};
	w->strangers.stride = 1;
	err = fds_walk(w, proc_fd, pid);
	walk->denied += err == -EACCES;
	keep = w->has_wanted;
	if (walk->strangers && w->strangers.s.n >= walk->strangers_min &&
	    walk->strangers(walk->ctx, &w->strangers.s, w->index))
		keep = true;
	if (keep) {
		struct proc *p = &walk->procs[walk->n_procs++];

		if (!proc_read(pid, p))
			*p = (struct proc){.pid = pid, .comm = "?"};
		p->fds = w->p.fds;
		p->sockets = w->p.sockets;
	}
	return 0;
}

static int all_walk(struct fd_walk *w, struct owners_walk *walk, int proc_fd)
{
	DIR *d = fdopendir(proc_fd);
	struct dirent *e;
	int err = 0;

	if (!d) {
		close(proc_fd);
		return -ENOMEM;
	}
	while (err == 0 && w->walked < FDS_WALKED_MAX && (walk->strangers || w->o->n_sought) && (e = readdir(d))) {
		uint64_t pid;

		if (word_uint(e->d_name, 10, &pid) && pid <= INT32_MAX)
			err = proc_walk(w, walk, dirfd(d), (int32_t)pid);
	}
	closedir(d);
	return err;
}

int owners_walk(struct owners *o, struct owners_walk *walk)
{
	struct fd_walk w = {.o = o, .tcp_only = walk->tcp_only};
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (proc_fd < 0)
		return -errno;
	if (walk->pids) {
		for (size_t i = 0; i < walk->n_pids && err == 0; i++)
			err = proc_walk(&w, walk, proc_fd, walk->pids[i]);
		close(proc_fd);
	} else {
		err = all_walk(&w, walk, proc_fd);
	}
	walk->cut = w.walked >= FDS_WALKED_MAX;
	return err;
}
