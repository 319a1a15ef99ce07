/* SPDX-License-Identifier: MIT */
/* conntrack.h - how full the connection tracking table is and what it dropped. */
#pragma once
#include "model/snapshot.h"

/*
 * Text of /proc/net/stat/nf_conntrack: a line of column names, then one line of hexadecimal numbers a CPU. Columns are
 * found by name, since kernels add and retire them. Sums into ret; false when there is no line of numbers.
 */
bool conntrack_stat_parse(const char *text, struct conntrack *ret);

/*
 * Of the calling thread's namespace. 0; -ENOENT: this kernel does not track connections (or not here); other errors.
 * *stats tells whether the counters were there too: a kernel may be built without them.
 */
int conntrack_read(struct conntrack *ret, bool *stats);
