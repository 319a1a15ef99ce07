/* SPDX-License-Identifier: MIT */
/* tracing.h - what trace and run share: connections as they end, filtered, shown, counted by service, judged. */
#pragma once
#include "diag/rule.h"
#include "model/conn.h"
#include "model/service.h"
#include "obs/trace.h"
#include "report/report.h"

struct tracing_filter { /* zero: everything */
	uint32_t pid; /* who opened or who closed */
	const char *comm;
	uint64_t *cgroups; /* of either, or of the socket; owned, freed by tracing_end() */
	size_t n_cgroups;
	uint16_t port; /* of either end */
	struct ip dst; /* the server; family 0: any */
};

bool tracing_wants(const struct tracing_filter *f, const struct conn *c);

struct tracing {
	struct tracing_filter filter;
	struct style style, line; /* of the summary, of a line for a close */
	FILE *out;
	bool json, each; /* each: a line for each close */
	bool silent; /* there is nothing to sum up */
	int64_t wall; /* ns: add it to a time of a record for the wall clock */

	struct trace *trace;
	struct services services;
	nsec_t from;
	bool failed; /* no memory */
	int priority; /* what the process had before, and a program that it starts shall have */
};

/* 0, or the exit code after a complaint. */
int tracing_begin(struct tracing *t, const struct trace_cfg *cfg);

/* What ended since the last time, after waiting for ms at most. 0, or the exit code after a complaint. */
int tracing_step(struct tracing *t, unsigned ms);

/* Prints the summary; detaches and frees everything. ret_worst: the gravest finding, -1 none. 0, or an exit code. */
int tracing_end(struct tracing *t, int *ret_worst);
