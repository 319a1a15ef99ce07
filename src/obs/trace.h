/* SPDX-License-Identifier: MIT */
/*
 * trace.h - connections as they end, live: programs in the kernel follow sockets, one record comes for each end. Everything
 * is detached when the trace is freed, or when the process ends in whatever way.
 */
#pragma once
#include "model/conn.h"
#include "obs/trace_load.h"

struct trace_cfg {
	uint64_t netns; /* inode; 0: all namespaces */
	uint64_t cgroup; /* id; only sockets made in it or in groups below it. 0: all */
};

struct trace;

/* Loads and attaches. 0 or -errno with w filled: one line that says what is missing. */
int trace_new(const struct trace_cfg *cfg, struct trace **ret, struct why *w);
void trace_free(struct trace *t); /* NULL allowed */

/*
 * Waits for ms (a signal ends that sooner), then gives away what ended in the meantime: oldest first, but for the few whose end is
 * understood only a moment later. 0 or -errno.
 */
int trace_poll(struct trace *t, unsigned ms, void (*sink)(void *ctx, const struct conn *c), void *ctx);

/*
 * Before the end, once: gives away the connections that began to close but have not done so (END_OPEN), of every namespace
 * that can be entered. 0 or -errno; a kernel that cannot tell them has none.
 */
int trace_rest(struct trace *t, void (*sink)(void *ctx, const struct conn *c), void *ctx);

enum { TRACE_TICK_MS = 40 }; /* the ring holds many times what ends in that time */

struct trace_parts trace_parts(const struct trace *t);
struct trace_lost trace_lost(const struct trace *t);
uint64_t trace_lost_conns(const struct trace *t); /* connections, or ends of them: of them nothing is known */
