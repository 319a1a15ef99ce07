/* SPDX-License-Identifier: MIT */
/* trace_load.h - the programs of bpf/ brought into the kernel, as many of them as it takes. Private to obs/. */
#pragma once
#include "base/why.h"

struct trace_load_cfg {
	uint32_t netns; /* inode; 0: every one */
	uint64_t cgroup; /* id; only sockets made in it or in groups below it. 0: all */
	uint32_t sockets; /* how many can be followed at once */
	uint32_t ring; /* octets, a power of two */
	nsec_t jiffy; /* how long the kernel's tick is */
};

/* What the kernel has beyond state changes. */
struct trace_parts {
	bool calls; /* close() is told from shutdown(), and who cut a connection off */
	bool destroys; /* ends that the program for state changes missed */
	bool reads; /* exchanges */
	bool resets; /* RSTs received and sent ... */
	bool reasons; /* ... and why they were sent (6.10) */
	bool retransmits;
	bool groups; /* which control group a socket is of (5.15) */
	bool rest; /* what is still closing at the end */
};

struct trace_load; /* opaque: the loaded object and its links */

/* Loads; attaches nothing. 0 or -errno with w filled: one line that says what is missing. */
int trace_load_new(const struct trace_load_cfg *cfg, struct trace_load **ret, struct why *w);
int trace_load_attach(struct trace_load *l, struct why *w);
void trace_load_free(struct trace_load *l); /* detaches; NULL allowed */

struct trace_parts trace_load_parts(const struct trace_load *l);
/*
 * Has what is still closing in the network namespace of the calling thread written to the ring. 0, -ENOTSUP (no
 * parts.rest) or -errno.
 */
int trace_load_rest(const struct trace_load *l);
/* Sockets followed since before that time whose end was not seen, though trace_load_rest() found them nowhere. */
uint64_t trace_load_gone(const struct trace_load *l, nsec_t before);
int trace_load_ring(const struct trace_load *l); /* file descriptor of the map */

struct trace_lost {
	uint64_t records, sockets; /* that found the ring full, the table full */
	uint64_t ends; /* that nobody was told of: of sockets that are there no more when the trace ends */
	/*
	 * Details of some connection: reads, retransmissions and RSTs that came while the same program ran, and names of
	 * processes that found the ring full.
	 */
	uint64_t events;
};
struct trace_lost trace_load_lost(const struct trace_load *l);
