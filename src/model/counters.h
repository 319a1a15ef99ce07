/* SPDX-License-Identifier: MIT */
/* counters.h - the kernel's SNMP counters by name ("TCPTimeWaitOverflow", "Tcp.OutRsts"). All that were seen are kept. */
#pragma once
#include "base/base.h"

/*
 * TcpExt and IpExt names of /proc/net/netstat stand as they are ("TW"); names of /proc/net/snmp carry their group
 * ("Tcp.ActiveOpens"), since "InErrs" alone would be ambiguous.
 */
struct counter {
	char name[40];
	uint64_t value;
};

struct counters { /* sorted by name */
	struct counter *v; /* owned by whoever owns this struct */
	size_t n, cap;
};

/* false: the kernel does not have this counter (or it was not read). ret untouched then. */
bool counters_get(const struct counters *c, const char *name, uint64_t *ret);

/* Sorts by name; call once after filling. */
void counters_sort(struct counters *c);
