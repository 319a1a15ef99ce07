/* SPDX-License-Identifier: MIT */
#include "engine/counter.h"

const struct counter_desc counter_descs[N_COUNTERS] = {
#define COUNTER(field, name_, help_) [COUNTER_##field] = {.name = name_, .help = help_},
#include "engine/counters.def"
#undef COUNTER
};

static const size_t offsets[N_COUNTERS] = {
#define COUNTER(field, ...) [COUNTER_##field] = offsetof(struct counters, field),
#include "engine/counters.def"
#undef COUNTER
};

uint64_t counter_get(const struct counters *c, unsigned i)
{
	uint64_t value;

	must(i < N_COUNTERS);
	memcpy(&value, (const char *)c + offsets[i], sizeof(value));
	return value;
}
