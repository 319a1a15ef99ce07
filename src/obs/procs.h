/* SPDX-License-Identifier: MIT */
/*
 * procs.h - processes and the sockets they have. One walk over /proc/<pid>/fd answers for all namespaces together:
 * which process has each socket that was asked for, and which processes have many sockets that no dump shows.
 */
#pragma once
#include "base/hash.h"
#include "model/snapshot.h"

enum {
	OWNERS_SEEN_MAX = 262144, /* TCP sockets of all dumps; above it invisible sockets are not looked for */
	FDS_WALKED_MAX = 4 << 20,
	STRANGERS_KEPT = 64, /* examples of them in one process */
};

/* ---- text -> value; pure ---- */

/*
 * The cgroup to show out of /proc/<pid>/cgroup: the one of cgroup2, else systemd's, else the first that is not "/".
 * container: the short id of docker, containerd, podman, cri-o or kubepods found in any line, an lxc name, or "".
 */
void cgroup_parse(const char *text, char cgroup[128], char container[N_TEXT]);

/* The soft limit of "Max open files" in /proc/<pid>/limits; 0: not there. "unlimited" is UINT32_MAX. */
uint32_t fd_limit_parse(const char *text);

/* "socket:[4711]" -> 4711; 0: something else. */
uint32_t socket_inode_parse(const char *link);

/* ---- one process ---- */

/* comm, cgroup, container, netns, fd_limit of pid. False when it is gone. */
bool proc_read(int32_t pid, struct proc *ret);

/* The inode of /proc/<pid>/ns/net; 0: gone, or not allowed to look. */
uint64_t proc_netns(int32_t pid);

/* ---- sockets and who has them ---- */

struct owners;

int owners_new(struct hash_key key, struct owners **ret); /* 0 or -ENOMEM */
void owners_free(struct owners *o); /* NULL allowed */

/* Before the walk. inode 0 is ignored. 0 or -ENOMEM. */
int owners_want(struct owners *o, uint64_t inode); /* whose is it? */
int owners_seen(struct owners *o, uint64_t inode); /* a dump shows it; past OWNERS_SEEN_MAX it is only counted */
bool owners_seen_all(const struct owners *o); /* no socket was only counted */

/* Sockets of one process that nobody asked for and no dump showed, of any protocol unless tcp_only is set. */
struct strangers {
	int32_t pid;
	uint32_t n; /* how many there are */
	size_t n_kept; /* examples, spread evenly; all of them when n_kept == n */
	int fd[STRANGERS_KEPT];
	uint32_t inode[STRANGERS_KEPT];
};

struct owners_walk {
	const int32_t *pids; /* only these, in this order; NULL: every process */
	size_t n_pids;
	/*
	 * Called at the end of each process with at least strangers_min of them; true keeps the process, which will stand
	 * at that index of procs. NULL: nobody cares, and the walk ends when every wanted socket was found.
	 */
	bool (*strangers)(void *ctx, const struct strangers *s, int32_t index);
	void *ctx;
	uint32_t strangers_min;
	bool tcp_only; /* sockets that are certainly not TCP are no strangers: costs a system call for each */
	struct proc *procs; /* filled: every process that has a wanted socket or was kept; freed by the caller */
	size_t n_procs, cap_procs;
	uint32_t denied; /* processes that did not show their descriptors */
	bool cut; /* FDS_WALKED_MAX was reached */
};

/* 0, -ENOMEM, or the error of opening /proc. */
int owners_walk(struct owners *o, struct owners_walk *walk);

/* After the walk. False: nobody was found. proc is an index into walk.procs. */
bool owners_find(const struct owners *o, uint64_t inode, int32_t *ret_proc, int *ret_fd);
