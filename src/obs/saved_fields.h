/* SPDX-License-Identifier: MIT */
/* saved_fields.h - private to saved*.c: how each struct of model/snapshot.h looks in JSON, as tables. */
#pragma once
#include "base/why.h"
#include "model/snapshot.h"
#include "obs/procnet.h"

enum field_type {
	F_BOOL,
	F_INT, /* of 1 to 8 bytes, signed if min < 0; min..max */
	F_U64, /* any; beyond INT64_MAX as a string of digits, since JSON readers stop there */
	F_TEXT, /* char[size] */
	F_IP, /* as text; left out when the family is 0 */
	F_STATES, /* {"time_wait": n, ...}, without zeros */
	F_AGES, /* [n, n, ...], without the zeros at the end */
	F_HOLDER_KIND, /* by name; must be there */
	F_PROC, /* index into snapshot.procs; -1 when absent */
	F_FDS, /* holder.fd and n_fd */
	F_KNOWN, /* a struct that begins with `bool known`; there only if known */
	F_VEC, /* pointer at offset, size_t at n_offset; min..max elements */
	F_COUNTERS, /* {"TW": n, ...} */
	F_KNOBS, /* {"tw_reuse": n, ...} by field name, those that are known */
};

/* A value equal to `absent` is not written, and a field that is missing in the file gets it. */
struct field {
	const char *name;
	enum field_type type;
	size_t offset, size, n_offset;
	int64_t min, max, absent;
	const struct field_table *of; /* F_KNOWN, F_VEC */
};

struct field_table {
	size_t size; /* of the struct */
	size_t n;
	const struct field *v;
};

extern const struct field_table snapshot_fields, netns_fields, listener_fields, dest_fields, holder_fields, proc_fields,
	sockopts_fields, sockstat_fields, conntrack_fields, port_range_fields, missing_fields, config_line_fields;

extern const char *const holder_kind_names[N_HOLDER_KINDS];

enum {
	SAVED_DEPTH_MAX = 12, /* of brackets in a file */
	SOCKETS_MAX = 100000000, /* bound of every count of sockets, so that eleven of them fit into 32 bits */
	LISTENERS_MAX = 4 * 65536,
};
/* No sysctl of ours is wider; so sums and products of knobs with small constants cannot overflow. */
#define KNOB_VALUE_MIN INT32_MIN
#define KNOB_VALUE_MAX UINT32_MAX

/* saved_read.c: the whole file as jansson's tree. ret is zeroed; the caller frees it, also on failure. 0 or -errno. */
struct json_t;
int saved_get(struct json_t *root, struct observation *ret, struct why *w);
