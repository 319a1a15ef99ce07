/* SPDX-License-Identifier: MIT */
/*
 * leaks.h - TCP sockets that died but whose descriptor nobody closed. No dump shows them: the descriptor is all there
 * is. So every TCP socket that no dump showed is a candidate, and a sample of them is asked what it is.
 */
#pragma once
#include "model/snapshot.h"
#include "obs/procs.h"

enum {
	LEAK_STRANGERS_MIN = 10, /* TCP sockets of one process that no dump shows; fewer are not looked at */
	LEAK_SAMPLES_MAX = 8192, /* TCP sockets asked in one snapshot; each takes some 10 us */
};

struct leak {
	size_t netns; /* index into the snapshot's */
	struct holder holder;
};

struct leaks {
	const struct snapshot
		*s; /* its namespaces and listeners must be complete; processes elsewhere are left alone */
	struct leak *v;
	size_t n, cap;
	uint32_t sampled; /* TCP sockets asked so far; what turns out to be none does not count */
	uint32_t refused; /* processes that must not be asked: no permission */
	uint32_t exhausted; /* processes not asked, or not all of their sample, since LEAK_SAMPLES_MAX was reached */
	bool no_syscall; /* this kernel has no pidfd_getfd */
	bool no_memory;
};

/* Fits struct owners_walk; ctx is a struct leaks. */
bool leaks_strangers(void *ctx, const struct strangers *strangers, int32_t index);

void leaks_done(struct leaks *l);

/* ---- pure ---- */

/* What a sampled dead socket told. */
struct dead {
	struct ip local;
	uint16_t lport;
	int fd;
	uint32_t inode;
};

/*
 * Groups the dead sockets of one process: one holder for each port that is a listener's or that several of them have,
 * one with lport 0 for the rest. Counts are scaled by total / asked. Returns how many of ret were filled.
 */
size_t leaks_group(const struct netns *ns, const struct dead *dead, size_t n, double scale,
		   struct holder ret[STRANGERS_KEPT]);
