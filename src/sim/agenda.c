/* SPDX-License-Identifier: MIT */
#include "sim/agenda.h"

static bool before(const struct agenda_item *x, const struct agenda_item *y)
{
	return x->at != y->at ? x->at < y->at : x->order < y->order;
}

void agenda_init(struct agenda *a) { a->n = a->order = 0; }

bool agenda_add(struct agenda *a, nsec_t at, uint32_t what)
{
	struct agenda_item it = {at, a->order, what};
	uint32_t i = a->n;

	if (a->n == AGENDA_MAX)
		return false;
	a->order++;
	a->n++;
	for (uint32_t up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(&it, &a->item[up]))
			break;
		a->item[i] = a->item[up];
	}
	a->item[i] = it;
	return true;
}

nsec_t agenda_next_at(const struct agenda *a) { return a->n ? a->item[0].at : NSEC_NEVER; }

uint32_t agenda_take(struct agenda *a)
{
	struct agenda_item last;
	uint32_t what, i = 0;

	must(a->n > 0);
	what = a->item[0].what;
	last = a->item[--a->n];
	for (uint32_t down; (down = 2 * i + 1) < a->n; i = down) {
		if (down + 1 < a->n && before(&a->item[down + 1], &a->item[down]))
			down++;
		if (!before(&a->item[down], &last))
			break;
		a->item[i] = a->item[down];
	}
	a->item[i] = last;
	return what;
}
