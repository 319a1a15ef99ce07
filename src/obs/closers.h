/* SPDX-License-Identifier: MIT */
/*
 * closers.h - who closed the sockets that are TIME_WAITs now. A TIME_WAIT has no process, but it keeps the cookie of its
 * socket: what `trace.h` saw of the close is found again in a dump.
 */
#pragma once
#include "model/conn.h"
#include "model/snapshot.h"

enum {
	CLOSERS_MAX = 1 << 20, /* closes remembered; later ones are not */
	CLOSERS_PROCS_MAX = 4096,
};

struct closers;

int closers_new(struct closers **ret); /* 0 or -ENOMEM */
void closers_free(struct closers *c); /* NULL allowed */

/*
 * A record of the trace: counted if a process of this host closed first, remembered if its socket became a TIME_WAIT. 0 or
 * -ENOMEM.
 */
int closers_add(struct closers *c, const struct conn *conn);

/* What each process closed first, in the order they came; per_s is that of the seconds before now. Returns how many. */
size_t closers_list(const struct closers *c, nsec_t now, struct closer *ret, size_t cap);

/* The place of the process that closed the socket with this cookie; -1: unknown. */
int32_t closers_find(const struct closers *c, uint64_t cookie);

/* One vote more in a count of whose the TIME_WAITs of a destination or listener are (Boyer and Moore's majority). */
void closers_vote(struct tw_owner *o, int32_t place);

/*
 * After a dump: the places in tw_owner.proc become indexes into s->procs, and destinations and listeners of which no live
 * socket names a process get that one. 0 or -ENOMEM.
 */
int closers_apply(const struct closers *c, struct snapshot *s);
