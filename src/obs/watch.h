/* SPDX-License-Identifier: MIT */
/*
 * watch.h - who connects to the destinations that only TIME_WAITs tell of? A TIME_WAIT has no owner, but the program
 * that made it is likely to connect again: between two snapshots we look for its live sockets a few times.
 */
#pragma once
#include "base/hash.h"
#include "model/snapshot.h"
#include "obs/netns.h"

enum {
	WATCH_DESTS_MAX = 128, /* the busiest */
	WATCH_TIME_WAITS_MIN = 20,
	WATCH_PORTS_PERCENT = 10, /* of ip_local_port_range */
	WATCH_CPU_PERCENT = 25, /* of the time that passes */
};

struct watch;

/* Is this a destination worth the search? Pure. */
bool watch_wants(const struct netns *ns, const struct dest *d);

/*
 * refs open the namespaces of first; own_fd is the namespace the caller is in. *ret is NULL if there is nothing to look
 * for. 0 or -ENOMEM; a namespace that is gone is left out.
 */
int watch_new(const struct snapshot *first, const struct netns_list *refs, int own_fd, struct hash_key key,
	      struct watch **ret);
void watch_free(struct watch *w); /* NULL allowed */

/* Looks for as long as CPU time lasts, unless WATCH_CPU_PERCENT of elapsed is spent already. 0 or -ENOMEM. */
int watch_look(struct watch *w, nsec_t elapsed);

/*
 * Whom the first snapshot named for a destination, the second names too: by then all its sockets may be TIME_WAITs,
 * which have no owner. Only the busiest destinations. 0 or -ENOMEM.
 */
int watch_carry(const struct snapshot *from, struct snapshot *to);

/* Sets dest.proc where it is unknown in s and was found. 0 or -ENOMEM. */
int watch_apply(const struct watch *w, struct snapshot *s);
