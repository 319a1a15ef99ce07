/* SPDX-License-Identifier: MIT */
/* sim_jobs.h - many runs of the simulator, in several processes. */
#pragma once
#include "sim/sim.h"
#include <stdio.h>

struct sim_jobs_result {
	struct sim_totals sum; /* of all runs that kept every rule */
	bool failed;
	struct sim_report failure; /* of the lowest seed that failed */
	int died_of; /* the signal that ended the run of failure.seed, which then has no verdict; 0: it ended by itself */
	double seconds;
};

/*
 * Runs cfg->seed and the next runs - 1 seeds. 0, or -errno: the processes cannot be made, or the wishes cannot be had
 * (then every run says so). progress: a line on stderr once it takes longer than two seconds.
 */
int sim_jobs_run(const struct sim_cfg *cfg, uint64_t runs, unsigned jobs, bool progress, struct sim_jobs_result *ret);
int sim_run_one(const struct sim_cfg *cfg, struct sim_report *ret); /* here, in this process */
