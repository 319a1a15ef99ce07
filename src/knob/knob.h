/* SPDX-License-Identifier: MIT */
/* knob.h - tunables under their kernel names, made from knobs.def. Pure: reading them from a host is obs/'s work. */
#pragma once
#include "base/base.h"

enum knob_unit { UNIT_NONE, UNIT_BOOL, UNIT_MS, UNIT_S, UNIT_COUNT, UNIT_PORT };
enum knob_scope { SCOPE_NETNS, SCOPE_GLOBAL, SCOPE_CONST, SCOPE_ENGINE };

#define KV(major, minor) ((major) << 16 | (minor)) /* a kernel version; compares as a number */
#define KNOB_BOOT INT64_MIN /* computed by the kernel at boot: no fixed value */
#define KNOB_ANY (INT64_MIN + 1) /* no bound */

enum knob_id {
#define KNOB(field, ...) KNOB_##field,
#include "knob/knobs.def"
#undef KNOB
	N_KNOBS,
	N_HOST_KNOBS = KNOB_policy /* those a host can have; the rest are SCOPE_ENGINE */
};

struct knob_desc {
	const char *field; /* "port_low": unique, unlike the name */
	const char *name; /* "net.ipv4.ip_local_port_range" */
	unsigned word; /* which number of the file */
	enum knob_unit unit;
	enum knob_scope scope;
	int64_t min, max;
	int64_t def; /* or KNOB_BOOT */
	int since, until; /* KV(); 0: no bound */
	int64_t safe_min, safe_max; /* or KNOB_ANY, KNOB_BOOT */
	const char *help, *danger; /* danger "" when every value is safe */
};

extern const struct knob_desc knob_descs[N_KNOBS];

/* The row with this field name or, failing that, this kernel name (its first word); -1 if there is none. */
int knob_find(const char *name);

/*
 * What BOOT stands for: the kernel derives it from the buckets of the table of connections. host is that of the first
 * namespace (0 unknown), own what tcp_ehash_entries says in the namespace in question: negative when it shares the
 * host's table of so many, 0 unknown. KNOB_ANY if it cannot be known, and for every knob with a fixed default.
 */
int64_t knob_boot_value(enum knob_id id, uint64_t host_ehash_entries, int64_t own_ehash_entries);

/* boot is knob_boot_value(); KNOB_ANY never counts. */
bool knob_is_default(enum knob_id id, int64_t value, int64_t boot);
bool knob_is_dangerous(enum knob_id id, int64_t value, int64_t boot);

const char *knob_unit_name(enum knob_unit unit); /* "s", "ms", "" */
const char *knob_scope_name(enum knob_scope scope); /* "netns", "global", "const", "engine" */

/* "/proc/sys/net/ipv4/tcp_tw_reuse" for a sysctl, "" for a constant and for the engine's own. */
struct knob_path {
	char s[96];
};
struct knob_path knob_path(enum knob_id id);
