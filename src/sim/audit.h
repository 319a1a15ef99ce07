/* SPDX-License-Identifier: MIT */
/* audit.h - whether an engine's counters and its usage agree with what was seen of it. */
#pragma once
#include "sim/watch.h"

/* The counters that are checked, by their kernel names. */
#define AUDIT_COUNTERS(X)                                                                                              \
	X(ActiveOpens)                                                                                                 \
	X(PassiveOpens) X(AttemptFails) X(EstabResets) X(InSegs) X(OutSegs) X(RetransSegs) X(InErrs) X(InCsumErrors)   \
		X(OutRsts) X(TW) X(TWKilled) X(TWRecycled) X(LaFragments) X(LaInBadIP) X(LaInOtherProtocol)            \
			X(LaIcmpErrors) X(LaIcmpIgnored) X(LaTimeWaitRestored) X(LaTimeWaitReopened)                   \
				X(LaTimeWaitReset) X(LaTimeWaitRecycledFull) X(LaRepliesDropped)

struct counts {
#define X(name) uint64_t name;
	AUDIT_COUNTERS(X)
#undef X
};

void counts_read(struct counts *c, const struct la_engine *e);
void audit_counts(struct verdict *v, unsigned host, const struct counts *c, const struct seen *seen,
		  const struct la_usage *u);
void audit_edges(struct verdict *v, unsigned host, const struct la_engine *e, const struct seen *seen);
void audit_rest(struct verdict *v, unsigned host, const struct la_usage *u); /* all must be 0 */
