/* SPDX-License-Identifier: MIT */
/* harness.h - private to lab/: what the process of an experiment and the supervisor share. */
#pragma once
#include "lab/experiment.h"
#include "lab/lab.h"
#include "lab/record.h"

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_SKIP };

struct outcome { /* in memory that both map */
	enum verdict verdict;
	char reason[240];
};

enum { WORKERS_MAX = 16, EXPERIMENT_LIFE_S = 170 };

/* The rest of the calling process's life: it dies with the supervisor, is on record, runs the experiment, ends. */
_Noreturn void experiment_process(struct lab *l, pid_t supervisor);

/* Common to experiments and workers: die with the parent, be on record, ignore what the supervisor handles. */
void child_begin(pid_t parent, const char *comm, const struct record *r);
