/* SPDX-License-Identifier: MIT */
/*
 * sockopts.h - asking a socket that belongs to another process: pidfd_getfd(2) (5.6) lends us its descriptor for a
 * moment. Only getsockopt(2) and getsockname(2) are ever called on it.
 */
#pragma once
#include "model/snapshot.h"

/* A descriptor of pid, to be closed with close(2); or -errno: -ENOSYS, -EPERM, -ESRCH, ... */
int pidfd(int32_t pid);

/* Our own descriptor of the socket pid has at fd, to be closed; -errno, or -ENOTSOCK when it is no TCP socket (now). */
int tcp_borrow(int pidfd, int fd);

/*
 * The options of the socket pid has at fd. inode 0: do not check; else -ESTALE when another socket took this number
 * meanwhile. 0 or -errno; ret is untouched then.
 */
int sockopts_read(int32_t pid, int fd, uint64_t inode, struct sockopts *ret);

/* What only the socket itself can tell. */
struct sock_facts {
	bool dead; /* it was connected once and is not any more; its descriptor is all that is left */
	struct ip local, peer; /* family 0: none */
	uint16_t lport, pport;
};
struct sock_facts sock_facts(int sock);
