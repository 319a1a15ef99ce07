/* SPDX-License-Identifier: MIT */
/* netlink.h - private to lab/: the few rtnetlink requests it needs, in the namespace the caller is in. */
#pragma once
#include "base/why.h"
#include "model/ip.h"

struct nl_addr {
	struct ip addr;
	unsigned prefix;
};

int nl_up(const char *name, struct why *w);
int nl_queue_len(const char *name, unsigned packets, struct why *w); /* in front of a device */
int nl_veth(const char *name, const char *peer, int peer_ns, struct why *w);
/* An IPv6 address is ready at once: duplicates are not looked for. */
int nl_addr_add(const char *name, const struct nl_addr *a, struct why *w);
int nl_route_add(const struct nl_addr *dst, const struct nl_addr *via, struct why *w);
