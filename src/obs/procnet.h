/* SPDX-License-Identifier: MIT */
/* procnet.h - the counters of one network namespace: /proc/net/netstat, snmp and sockstat -> model. */
#pragma once
#include "model/snapshot.h"

enum { COUNTERS_MAX = 4096 }; /* of one namespace, read live or from a file; Linux has about 400 */

/*
 * Appends the counters of netstat or snmp text: pairs of lines "Group: names" and "Group: values". TcpExt and IpExt
 * keep their bare names, other groups become "Group.Name". A line without its partner, a name without a value, a
 * negative value (Tcp.MaxConn) and a name too long to hold are left out. Does not sort. 0 or -ENOMEM.
 */
int counters_parse(const char *text, struct counters *c);

/* known is set when the TCP line was there. */
void sockstat_parse(const char *text, struct sockstat *ret);

/* Both of the calling thread's namespace. 0 or -errno; counters are sorted. */
int counters_read(struct counters *ret);
int sockstat_read(struct sockstat *ret);
