/* SPDX-License-Identifier: MIT */
/* netns.h - the network namespaces of this machine: finding, naming, entering and leaving them. */
#pragma once
#include "base/why.h"
#include "model/snapshot.h"

enum { NETNS_MAX = 4096 };

struct netns_ref {
	uint64_t inode;
	int32_t pid; /* some process inside; 0 none */
	char name[N_TEXT];
	char path[128]; /* opens it */
};

struct netns_list {
	struct netns_ref *v; /* "host" (or "self") first, then by inode */
	size_t n, cap;
	bool cut; /* there are more than NETNS_MAX */
};

/*
 * Namespaces that some process uses or that are mounted below /run/netns, /var/run/netns, /run/docker/netns; each once.
 * Processes that do not let us look are passed over. Never empty: our own is always there. 0 or -ENOMEM.
 */
int netns_list(struct netns_list *ret);
void netns_list_done(struct netns_list *l);

/* A file descriptor of it, checked to be a network namespace, or -errno with w filled. */
int netns_open(const char *path, struct why *w);
uint64_t netns_inode(int fd); /* 0: cannot tell */

/* The calling thread enters. 0 or -errno (then it is where it was). */
int netns_enter(int fd, struct why *w);

/* Back into the namespace that fd was opened from; cannot fail while fd is open. */
void netns_return(int fd);
