/* SPDX-License-Identifier: MIT */
/* scan.h - everything one network namespace shows, seen from inside it. The caller has entered it. */
#pragma once
#include "base/why.h"
#include "model/snapshot.h"
#include "obs/procs.h"
#include "obs/suspects.h"

struct scan_cfg {
	struct hash_key key;
	int kernel_version; /* KV() */
	bool suspects; /* look for sockets that wait for a program or a peer */
	const struct closers *closers; /* NULL: nobody watched */
	struct owners *owners; /* told every inode of the dump if suspects are looked for; NULL: not wanted */
};

/*
 * Fills ns but for its name, inode and pid, and notes in ns->missing what could not be seen. *suspects belongs to the
 * caller then, and may be NULL: there are none. Counters this kernel lacks are noted in host (its missing rows).
 * 0 or -ENOMEM; ns is half-filled then, for snapshot_done().
 */
int scan_netns(const struct scan_cfg *cfg, struct netns *ns, struct suspects **suspects, struct snapshot *host);

/* Notes what the finished counts of ns do not tell: a torn dump, destinations that did not fit. 0 or -ENOMEM. */
int note_counts(struct netns *ns);

/* One row. 0 or -ENOMEM. */
int note(struct missing **v, size_t *n, bool blind, const char *what, const char *why, const char *lost);

/* The next counter that rules ask for and c lacks, with what is not told without it; NULL: no more. *cursor from 0. */
const char *counter_absent(const struct counters *c, size_t *cursor, const char **ret_lost);
