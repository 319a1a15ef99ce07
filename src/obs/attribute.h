/* SPDX-License-Identifier: MIT */
/* attribute.h - the second half of a snapshot: which processes have the sockets that were counted. */
#pragma once
#include "model/snapshot.h"
#include "obs/procs.h"
#include "obs/suspects.h"

/*
 * One walk over the processes fills procs, listener.proc and .opts, dest.proc and every namespace's holders.
 * suspects[i] belongs to s->netns[i], may be NULL, and all sockets of the dumps are in o; suspects is NULL when leaks
 * are not looked for. Notes what could not be seen.
 * 0 or -ENOMEM.
 */
int attribute(struct snapshot *s, struct owners *o, struct suspects *const *suspects);

/*
 * Is there a socket in s whose process matters and was not found? A suspect that some process has, or a listener with
 * connections: whether those are leaks, and its options, is the process's to tell. A listener on which nothing happens
 * only lacks a name. Pure.
 */
bool lacks_owner(const struct snapshot *s);

/* Notes why dead sockets could not be looked for in all processes. 0 or -ENOMEM. */
struct leaks;
int note_leaks(struct snapshot *s, const struct leaks *leaks);
