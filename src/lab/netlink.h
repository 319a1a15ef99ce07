/* SPDX-License-Identifier: MIT */
/* netlink.h - private to lab/: the few rtnetlink requests it needs, in the namespace the caller is in. */
#pragma once
#include "base/why.h"
#include <netinet/in.h>

struct nl_addr {
	struct in_addr addr;
	unsigned prefix;
};

int nl_up(const char *name, struct why *w);
int nl_veth(const char *name, const char *peer, int peer_ns, struct why *w);
int nl_addr_add(const char *name, const struct nl_addr *a, struct why *w);
int nl_route_add(const struct nl_addr *dst, const struct nl_addr *via, struct why *w);
