/* SPDX-License-Identifier: MIT */
/*
 * sim.h - a whole run from one seed: hosts with an engine each, paths with faults, applications, and the rules of
 * checkers.def over everything. The same seed and wishes give the same run, packet for packet; report.hash tells.
 */
#pragma once
#include "sim/work.h"

struct sim_cfg {
	uint64_t seed;
	struct setup_wishes wishes;
	void (*tap)(void *arg, nsec_t at, const uint8_t *packet,
		    size_t len); /* every packet as it arrives; may be NULL */
	void *tap_arg;
	void (*log)(void *arg, nsec_t at, unsigned host, const char *line); /* all that is seen; may be NULL */
	void *log_arg;
};

/* Counts of one run, or of many: a sum. */
struct sim_totals {
	uint64_t runs, events, packets, octets, delivered;
	uint64_t connects, accepts, payload, errors, patience_ended, no_port, no_bind, old_octets;
	uint64_t closes[N_ENDINGS], fault[N_FAULTS], edge[N_EDGES];
	uint64_t ends[N_ENDS], tw_ends[N_ENDS];
	nsec_t time; /* virtual */
};

struct sim_report {
	int err; /* -errno: the wishes cannot be had; then nothing else is valid */
	struct verdict verdict;
	uint64_t seed, hash;
	struct sim_totals totals;
};

size_t sim_size(void); /* octets sim_run() needs; most of them are not touched in most runs */
/* mem: zeroed once before the first run, then used for one run after the other. Aligned to 64. */
void sim_run(void *mem, const struct sim_cfg *cfg, struct sim_report *ret);
void sim_add(struct sim_totals *sum, const struct sim_totals *t);
