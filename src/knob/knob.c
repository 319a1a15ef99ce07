/* SPDX-License-Identifier: MIT */
#include "knob/knob.h"
#include <stdio.h>

#include "knob/values.h" /* the words that knobs.def names */

#define ANY KNOB_ANY
#define BOOT KNOB_BOOT
const struct knob_desc knob_descs[N_KNOBS] = {
#define KNOB(f, n, w, u, lo, hi, d, sc, since_, until_, slo, shi, h, dg)                                               \
	[KNOB_##f] = {                                                                                                 \
		.field = #f,                                                                                           \
		.name = n,                                                                                             \
		.word = w,                                                                                             \
		.unit = UNIT_##u,                                                                                      \
		.scope = SCOPE_##sc,                                                                                   \
		.min = lo,                                                                                             \
		.max = hi,                                                                                             \
		.def = d,                                                                                              \
		.since = since_,                                                                                       \
		.until = until_,                                                                                       \
		.safe_min = slo,                                                                                       \
		.safe_max = shi,                                                                                       \
		.help = h,                                                                                             \
		.danger = dg,                                                                                          \
	},
#include "knob/knobs.def"
#undef KNOB
};
#undef ANY
#undef BOOT

int knob_find(const char *name)
{
	for (int i = 0; i < N_KNOBS; i++)
		if (strcmp(knob_descs[i].field, name) == 0)
			return i;
	for (int i = 0; i < N_KNOBS; i++)
		if (strcmp(knob_descs[i].name, name) == 0)
			return i;
	return -1;
}

int64_t knob_boot_value(enum knob_id id, uint64_t host_ehash_entries, int64_t own_ehash_entries)
{
	int64_t host = host_ehash_entries > 1 && host_ehash_entries <= INT32_MAX ? (int64_t)host_ehash_entries : 0;
	bool shared = own_ehash_entries < 0, sane = own_ehash_entries >= -INT32_MAX && own_ehash_entries <= INT32_MAX;
	int64_t own = !sane ? 0 : shared ? -own_ehash_entries : own_ehash_entries;

	must(id < N_KNOBS);
	if (knob_descs[id].def != KNOB_BOOT)
		return KNOB_ANY;
	if (own <= 1)
		own = host;
	if (id == KNOB_ehash_entries && host)
		return shared ? -host : host;
	if (id == KNOB_max_orphans && host) /* one for the machine: tcp_init() */
		return host / 2;
	if (id == KNOB_max_tw_buckets && own) /* tcp_set_hashinfo(), net/ipv4/tcp_ipv4.c */
		return own / 2;
	if (id == KNOB_max_syn_backlog && own)
		return own / 128 > 128 ? own / 128 : 128;
	return KNOB_ANY;
}

bool knob_is_default(enum knob_id id, int64_t value, int64_t boot)
{
	must(id < N_KNOBS);
	if (knob_descs[id].def == KNOB_BOOT)
		return boot == KNOB_ANY || value == boot;
	return value == knob_descs[id].def;
}

static int64_t bound(int64_t b, int64_t boot) { return b == KNOB_BOOT ? boot : b; }

bool knob_is_dangerous(enum knob_id id, int64_t value, int64_t boot)
{
	int64_t lo, hi;

	must(id < N_KNOBS);
	lo = bound(knob_descs[id].safe_min, boot);
	hi = bound(knob_descs[id].safe_max, boot);
	return (lo != KNOB_ANY && value < lo) || (hi != KNOB_ANY && value > hi);
}

const char *knob_unit_name(enum knob_unit unit)
{
	switch (unit) {
	case UNIT_MS:
		return "ms";
	case UNIT_S:
		return "s";
	case UNIT_NONE:
	case UNIT_BOOL:
	case UNIT_COUNT:
	case UNIT_PORT:
		return "";
	}
	must_not_reach("knob unit");
}

const char *knob_scope_name(enum knob_scope scope)
{
	switch (scope) {
	case SCOPE_NETNS:
		return "netns";
	case SCOPE_GLOBAL:
		return "global";
	case SCOPE_CONST:
		return "const";
	case SCOPE_ENGINE:
		return "engine";
	}
	must_not_reach("knob scope");
}

struct knob_path knob_path(enum knob_id id)
{
	struct knob_path p = {""};

	must(id < N_KNOBS);
	if (knob_descs[id].scope == SCOPE_CONST || knob_descs[id].scope == SCOPE_ENGINE)
		return p;
	snprintf(p.s, sizeof(p.s), "/proc/sys/%s", knob_descs[id].name);
	for (char *c = p.s + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	return p;
}
