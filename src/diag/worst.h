/* SPDX-License-Identifier: MIT */
/* worst.h - which rows get a finding of their own when there are more than a reader wants to see. Private to diag/. */
#pragma once
#include "diag/rule.h"

struct worst { /* zero-initialise */
	struct {
		size_t row;
		double weight;
	} v[PER_RULE_MAX]; /* heaviest first; equals in the order they came */
	size_t n;
	size_t more; /* rows that found no room */
};

void worst_add(struct worst *w, size_t row, double weight);
