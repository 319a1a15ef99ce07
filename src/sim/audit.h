/* SPDX-License-Identifier: MIT */
/* audit.h - whether an engine's counters and its usage agree with what was seen of it. */
#pragma once
#include "sim/watch.h"

struct counts {
#define AUDITED(name) uint64_t name;
#include "sim/audited.def"
#undef AUDITED
};

void counts_read(struct counts *c, const struct la_engine *e);
void audit_counts(struct verdict *v, unsigned host, const struct counts *c, const struct seen *seen,
		  const struct la_usage *u);
void audit_edges(struct verdict *v, unsigned host, const struct la_engine *e, const struct seen *seen);
void audit_rest(struct verdict *v, unsigned host, const struct la_usage *u); /* all must be 0 */
