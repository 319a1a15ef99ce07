/* SPDX-License-Identifier: MIT */
#include "model/service.h"
#include <stdlib.h>

/* Vitter's algorithm R. */
void samples_add(struct samples *s, nsec_t v, struct rng *rng)
{
	uint64_t at = s->seen++;

	if (at >= SAMPLES)
		at = rng_u64(rng) % s->seen;
	if (at < SAMPLES)
		s->v[at] = v;
}

size_t samples_n(const struct samples *s) { return s->seen < SAMPLES ? (size_t)s->seen : SAMPLES; }

static int by_value(const void *pa, const void *pb)
{
	const nsec_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

size_t samples_sorted(const struct samples *s, nsec_t ret[SAMPLES])
{
	size_t n = samples_n(s);

	memcpy(ret, s->v, n * sizeof(*ret));
	qsort(ret, n, sizeof(*ret), by_value);
	return n;
}

nsec_t samples_quantile(const struct samples *s, double p)
{
	nsec_t v[SAMPLES];
	size_t n = samples_sorted(s, v);

	must(p >= 0 && p <= 1);
	return n ? v[(size_t)(p * (double)(n - 1) + 0.5)] : 0;
}

static size_t spans_n(const struct span_samples *s) { return s->seen < SAMPLES ? (size_t)s->seen : SAMPLES; }

static size_t spans_closed(const struct span_samples *s, nsec_t ret[SAMPLES])
{
	size_t n = spans_n(s);

	for (size_t i = 0; i < n; i++)
		ret[i] = s->v[i].closed;
	qsort(ret, n, sizeof(*ret), by_value);
	return n;
}

double spans_densest(const struct span_samples *s, nsec_t length)
{
	nsec_t closed[SAMPLES];
	size_t n = spans_closed(s, closed), first = 0, most = 0;

	for (size_t i = 0; i < n; i++) {
		while (closed[i] - closed[first] > length)
			first++;
		if (i + 1 - first > most)
			most = i + 1 - first;
	}
	return n ? (double)most / (double)n : 0;
}

nsec_t spans_spread(const struct span_samples *s)
{
	nsec_t closed[SAMPLES];
	size_t n = spans_closed(s, closed);

	return n ? closed[(n - 1) * 9 / 10] - closed[(n - 1) / 10] : 0;
}

double spans_replaced(const struct span_samples *s)
{
	nsec_t closed[SAMPLES];
	size_t n = spans_closed(s, closed), later = 0;

	for (size_t i = 0; i < n; i++)
		later += s->v[i].start > closed[n / 10];
	return n ? (double)later / (double)n : 0;
}
