/* SPDX-License-Identifier: MIT */
#include "sim/spans.h"

void spans_add(struct spans *s, uint32_t from, uint32_t to)
{
	unsigned first = 0, end;

	if (s->spilt || from >= to)
		return;
	while (first < s->n && s->at[first].to < from)
		first++;
	for (end = first; end < s->n && s->at[end].from <= to; end++) {
		from = s->at[end].from < from ? s->at[end].from : from;
		to = s->at[end].to > to ? s->at[end].to : to;
	}
	if (first == end && s->n == SPANS_MAX) {
		s->spilt = true;
		return;
	}
	memmove(&s->at[first + 1], &s->at[end], (s->n - end) * sizeof(s->at[0]));
	s->n = (uint8_t)(s->n + 1 - (end - first));
	s->at[first] = (struct span){from, to};
}

const struct span *spans_around(const struct spans *s, uint32_t at)
{
	if (s->spilt)
		return NULL;
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].from <= at && at < s->at[i].to)
			return &s->at[i];
	return NULL;
}

bool spans_have(const struct spans *s, uint32_t from, uint32_t to)
{
	const struct span *a = spans_around(s, from);

	return s->spilt || from >= to || (a && to <= a->to);
}

void spans_forget_below(struct spans *s, uint32_t at)
{
	unsigned gone = 0;

	while (gone < s->n && s->at[gone].to <= at)
		gone++;
	memmove(&s->at[0], &s->at[gone], (s->n - gone) * sizeof(s->at[0]));
	s->n = (uint8_t)(s->n - gone);
}
