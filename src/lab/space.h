/* SPDX-License-Identifier: MIT */
/*
 * space.h - network namespaces for experiments. They have no name: they live as long as a process or descriptor is
 * in them, so nothing is left behind however the lab ends. A namespace is a file descriptor here.
 *
 * Everything returns 0 (or a descriptor) or -errno with w filled. Experiments use the lab_* wrappers of experiment.h.
 */
#pragma once
#include "base/why.h"

/* Remembers the namespace the lab was started in; space_sysctl and the others refuse to touch it. Call first. */
int space_guard(struct why *w);

/* A new namespace with lo up and without IPv6 (none of its chatter, until space_ipv6()). The caller stays where it is. */
int space_new(struct why *w);

/* The calling process moves into ns. It must be single-threaded. */
int space_enter(int ns, struct why *w);
int space_host(struct why *w); /* back to the namespace of space_guard() */

uint64_t space_inode(int ns); /* 0 if ns is no namespace */

struct space_end {
	int ns;
	const char *name; /* of the interface there */
	const char *addr; /* "10.77.0.1/24", "fd77::1/64" */
};
int space_veth(struct space_end a, struct space_end b, struct why *w); /* both ends up with their addresses */

/* Switches IPv6 on in e.ns and adds this address, which can be used at once. -ENOENT: this kernel has no IPv6. */
int space_ipv6(struct space_end e, struct why *w);

/*
 * A tun device there, up with its address (io/tun.h). Returns its descriptor, which whoever is elsewhere may use.
 * space_ipv6() gives it an IPv6 address too.
 */
int space_tun(struct space_end e, struct why *w);

int space_route(int ns, const char *dst, const char *via, struct why *w); /* "10.77.2.0/24" via "10.77.1.2" */

/* "net.ipv4.tcp_tw_reuse", "1". -EPERM in the guarded namespace, -ENOENT if this kernel or namespace has no such knob. */
int space_sysctl(int ns, const char *name, const char *value, struct why *w);
int space_sysctl_read(int ns, const char *name, char *ret, size_t cap, struct why *w); /* without the newline */
