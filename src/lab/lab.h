/* SPDX-License-Identifier: MIT */
/*
 * lab.h - facade: experiments that provoke each finding on the real kernel, in network namespaces of their own, and
 * assert that the doctor reports it.
 */
#pragma once
#include "base/why.h"
#include "diag/rule.h"
#include <stdio.h>

struct lab_cfg {
	unsigned jobs; /* experiments at a time; 0: four for each processor, since most of them wait */
	bool json, verbose;
	/* How a doctor's answer is printed by an experiment that shows it (report_doctor_text); borrowed. */
	void (*show)(FILE *out, const struct observation *obs, const struct findings *f);
};

struct lab_totals {
	unsigned passed, failed, skipped;
	bool not_permitted; /* all were skipped because this is not root */
	int signal; /* the run was cut short by this one; 0 no */
};

void lab_list(FILE *out, bool json);

/*
 * Runs the experiments with these ids ("all": every one), in parallel, a line each as it ends and a closing line.
 * First reaps what a killed run left behind. 0 with ret filled; -EINVAL: an id is unknown (w tells); or -errno.
 */
int lab_run(const struct lab_cfg *cfg, char *const *ids, size_t n_ids, FILE *out, struct lab_totals *ret,
	    struct why *w);
