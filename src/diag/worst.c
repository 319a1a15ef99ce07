/* SPDX-License-Identifier: MIT */
#include "diag/worst.h"

void worst_add(struct worst *w, size_t row, double weight)
{
	size_t at = w->n;

	while (at > 0 && weight > w->v[at - 1].weight)
		at--;
	w->more += w->n == PER_RULE_MAX;
	if (at == PER_RULE_MAX)
		return;
	w->n += w->n < PER_RULE_MAX;
	memmove(&w->v[at + 1], &w->v[at], (w->n - at - 1) * sizeof(w->v[0]));
	w->v[at].row = row;
	w->v[at].weight = weight;
}
