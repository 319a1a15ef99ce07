/* SPDX-License-Identifier: MIT */
#include "model/counters.h"
#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct counter *)a)->name, ((const struct counter *)b)->name);
}

bool counters_get(const struct counters *c, const char *name, uint64_t *ret)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(name, c->v[mid].name);

		if (d == 0) {
			*ret = c->v[mid].value;
			return true;
		}
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

void counters_sort(struct counters *c)
{
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_name);
}
