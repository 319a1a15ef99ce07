/* SPDX-License-Identifier: MIT */
/* counter.h - the counters of counters.def. */
#pragma once
#include "base/base.h"

struct counters {
#define COUNTER(field, ...) uint64_t field;
#include "engine/counters.def"
#undef COUNTER
};

enum {
#define COUNTER(field, ...) COUNTER_##field,
#include "engine/counters.def"
#undef COUNTER
	N_COUNTERS
};

struct counter_desc {
	const char *name, *help;
};
extern const struct counter_desc counter_descs[N_COUNTERS];
uint64_t counter_get(const struct counters *c, unsigned i); /* in the order of the table */
