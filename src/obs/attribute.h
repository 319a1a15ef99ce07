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
