/* SPDX-License-Identifier: MIT */
/* sim_show.h - what came out of the simulator, for people and for programs. */
#pragma once
#include "cli/sim_jobs.h"

void sim_show_text(FILE *out, const struct sim_cfg *cfg, uint64_t runs, const struct sim_jobs_result *r);
void sim_show_json(FILE *out, const struct sim_cfg *cfg, uint64_t runs, const struct sim_jobs_result *r);
