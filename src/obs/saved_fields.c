/* SPDX-License-Identifier: MIT */
#include "obs/saved_fields.h"

#define SIZEOF(s, member) sizeof(((struct s *)NULL)->member)
#define AT(s, member) .offset = offsetof(struct s, member), .size = SIZEOF(s, member)

#define BOOL(s, m)                                                                                                     \
	{                                                                                                              \
		.name = #m, .type = F_BOOL, AT(s, m)                                                                   \
	}
#define INT(s, m, lo, hi)                                                                                              \
	{                                                                                                              \
		.name = #m, .type = F_INT, AT(s, m), .min = (lo), .max = (hi)                                          \
	}
#define INT_OR(s, m, lo, hi, none)                                                                                     \
	{                                                                                                              \
		.name = #m, .type = F_INT, AT(s, m), .min = (lo), .max = (hi), .absent = (none)                        \
	}
#define COUNT(s, m) INT(s, m, 0, SOCKETS_MAX)
#define U32(s, m) INT(s, m, 0, UINT32_MAX)
#define TW_OWNER(s) /* the rest of it was used up when the snapshot was made */                                        \
	{                                                                                                              \
		.name = "tw_closer_known", .type = F_INT, AT(s, tw_owner.known), .max = SOCKETS_MAX                    \
	}
#define U64(s, m)                                                                                                      \
	{                                                                                                              \
		.name = #m, .type = F_U64, AT(s, m)                                                                    \
	}
#define TEXT(s, m)                                                                                                     \
	{                                                                                                              \
		.name = #m, .type = F_TEXT, AT(s, m)                                                                   \
	}
#define IP(s, m)                                                                                                       \
	{                                                                                                              \
		.name = #m, .type = F_IP, AT(s, m)                                                                     \
	}
#define STATES(s, m)                                                                                                   \
	{                                                                                                              \
		.name = #m, .type = F_STATES, AT(s, m)                                                                 \
	}
#define AGES(s, m)                                                                                                     \
	{                                                                                                              \
		.name = #m, .type = F_AGES, AT(s, m)                                                                   \
	}
#define PROC(s, m)                                                                                                     \
	{                                                                                                              \
		.name = #m, .type = F_PROC, AT(s, m), .absent = -1                                                     \
	}
#define KNOWN(s, m, table)                                                                                             \
	{                                                                                                              \
		.name = #m, .type = F_KNOWN, AT(s, m), .of = &(table)                                                  \
	}
#define VEC(s, json, m, n_m, lo, hi, table)                                                                            \
	{                                                                                                              \
		.name = (json), .type = F_VEC, .offset = offsetof(struct s, m), .size = sizeof(void *),                \
		.n_offset = offsetof(struct s, n_m), .min = (lo), .max = (hi), .of = &(table)                          \
	}
#define TABLE(s, rows)                                                                                                 \
	{                                                                                                              \
		.size = sizeof(struct s), .n = ARRAY_LEN(rows), .v = (rows)                                            \
	}

const char *const holder_kind_names[N_HOLDER_KINDS] = {
	[HOLD_CLOSE_WAIT_UNREAD] = "close_wait_unread",
	[HOLD_CLOSE_WAIT_READ] = "close_wait_read",
	[HOLD_FIN_WAIT_1_WINDOW] = "fin_wait_1_window",
	[HOLD_FIN_WAIT_1_PATH] = "fin_wait_1_path",
	[HOLD_FIN_WAIT_2] = "fin_wait_2",
	[HOLD_INVISIBLE] = "invisible",
};

static const struct field sockopts_rows[] = {
	BOOL(sockopts, reuseaddr),
	BOOL(sockopts, reuseport),
	BOOL(sockopts, keepalive),
	BOOL(sockopts, bind_address_no_port),
	INT_OR(sockopts, linger_s, -1, INT32_MAX, -1),
	U32(sockopts, user_timeout_ms),
};
const struct field_table sockopts_fields = TABLE(sockopts, sockopts_rows);

static const struct field listener_rows[] = {
	IP(listener, addr),
	INT(listener, port, 0, UINT16_MAX),
	BOOL(listener, listening),
	COUNT(listener, sockets),
	U32(listener, queue),
	U32(listener, backlog),
	U64(listener, inode),
	STATES(listener, states),
	COUNT(listener, fin_wait_2_orphans),
	COUNT(listener, unaccepted),
	COUNT(listener, close_wait_unaccepted),
	COUNT(listener, keepalive_timers),
	COUNT(listener, leftovers_well_known),
	AGES(listener, tw_ages),
	TW_OWNER(listener),
	KNOWN(listener, opts, sockopts_fields),
	PROC(listener, proc),
};
const struct field_table listener_fields = TABLE(listener, listener_rows);

static const struct field dest_rows[] = {
	IP(dest, src),
	IP(dest, dst),
	INT(dest, dport, 0, UINT16_MAX),
	BOOL(dest, loopback),
	STATES(dest, states),
	COUNT(dest, fin_wait_2_orphans),
	INT(dest, ports_low_parity, 0, UINT16_MAX),
	INT(dest, ports_other_parity, 0, UINT16_MAX),
	INT(dest, ports_outside, 0, UINT16_MAX),
	COUNT(dest, tw_in_range),
	COUNT(dest, tw_reusable),
	COUNT(dest, keepalive_timers),
	AGES(dest, tw_ages),
	TW_OWNER(dest),
	U64(dest, inode),
	PROC(dest, proc),
};
const struct field_table dest_fields = TABLE(dest, dest_rows);

static const struct field holder_rows[] = {
	{.name = "kind", .type = F_HOLDER_KIND, AT(holder, kind)},
	PROC(holder, proc),
	BOOL(holder, orphan),
	IP(holder, local),
	INT(holder, lport, 0, UINT16_MAX),
	IP(holder, peer),
	INT(holder, pport, 0, UINT16_MAX),
	COUNT(holder, n),
	U64(holder, queue_bytes),
	U32(holder, oldest_ms),
	U32(holder, median_ms),
	{.name = "fd", .type = F_FDS, AT(holder, fd), .n_offset = offsetof(struct holder, n_fd), .max = INT32_MAX},
	U64(holder, inode),
	KNOWN(holder, opts, sockopts_fields),
};
const struct field_table holder_fields = TABLE(holder, holder_rows);

static const struct field proc_rows[] = {
	INT(proc, pid, 0, INT32_MAX), U64(proc, netns), TEXT(proc, comm),    TEXT(proc, cgroup),
	TEXT(proc, container),        U32(proc, fds),   U32(proc, fd_limit), U32(proc, sockets),
};
const struct field_table proc_fields = TABLE(proc, proc_rows);

static const struct field port_range_rows[] = {
	INT(port_range, low, 0, UINT16_MAX),
	INT(port_range, high, 0, UINT16_MAX),
};
const struct field_table port_range_fields = TABLE(port_range, port_range_rows);

static const struct field sockstat_rows[] = {
	U64(sockstat, inuse), U64(sockstat, tw), U64(sockstat, orphan), U64(sockstat, alloc), U64(sockstat, mem_pages),
};
const struct field_table sockstat_fields = TABLE(sockstat, sockstat_rows);

static const struct field conntrack_rows[] = {
	BOOL(conntrack, active), U64(conntrack, count),      U64(conntrack, max),   U64(conntrack, insert_failed),
	U64(conntrack, drop),    U64(conntrack, early_drop), U64(conntrack, found),
};
const struct field_table conntrack_fields = TABLE(conntrack, conntrack_rows);

static const struct field missing_rows[] = {
	TEXT(missing, what),
	TEXT(missing, why),
	TEXT(missing, lost),
	BOOL(missing, blind),
};
const struct field_table missing_fields = TABLE(missing, missing_rows);

static const struct field netns_rows[] = {
	TEXT(netns, name),
	U64(netns, inode),
	INT(netns, pid, 0, INT32_MAX),
	BOOL(netns, torn),
	STATES(netns, states),
	COUNT(netns, fin_wait_2_orphans),
	COUNT(netns, bound),
	BOOL(netns, bound_known),
	VEC(netns, "listeners", listeners, n_listeners, 0, LISTENERS_MAX, listener_fields),
	VEC(netns, "destinations", dests, n_dests, 0, DESTS_MAX, dest_fields),
	STATES(netns, dests_more),
	COUNT(netns, dests_more_n),
	VEC(netns, "holders", holders, n_holders, 0, SUSPECTS_MAX, holder_fields),
	INT(netns, ephemeral_ports_low_parity, 0, UINT16_MAX),
	INT(netns, ephemeral_ports_other_parity, 0, UINT16_MAX),
	{.name = "counters", .type = F_COUNTERS, AT(netns, counters), .max = COUNTERS_MAX},
	KNOWN(netns, sockstat, sockstat_fields),
	KNOWN(netns, conntrack, conntrack_fields),
	{.name = "knobs",
	 .type = F_KNOBS,
	 AT(netns, knob),
	 .n_offset = offsetof(struct netns, knob_known),
	 .min = KNOB_VALUE_MIN,
	 .max = KNOB_VALUE_MAX},
	VEC(netns, "reserved", reserved, n_reserved, 0, 65536, port_range_fields),
	VEC(netns, "missing", missing, n_missing, 0, 65536, missing_fields),
};
const struct field_table netns_fields = TABLE(netns, netns_rows);

static const struct field config_line_rows[] = {
	TEXT(config_line, file),
	U32(config_line, line),
	TEXT(config_line, name),
	TEXT(config_line, value),
};
const struct field_table config_line_fields = TABLE(config_line, config_line_rows);

/* procs stand before netns, because the indices into them are checked. */
static const struct field snapshot_rows[] = {
	{.name = "taken_at_ns", .type = F_INT, AT(snapshot, taken_at), .max = INT64_MAX},
	INT(snapshot, wall_s, 0, INT64_C(253402300799)), /* the end of the year 9999 */
	TEXT(snapshot, kernel),
	INT(snapshot, kernel_version, 0, INT32_MAX),
	TEXT(snapshot, hostname),
	U64(snapshot, ehash_entries),
	VEC(snapshot, "procs", procs, n_procs, 0, 1000000, proc_fields),
	VEC(snapshot, "netns", netns, n_netns, 1, 65536, netns_fields),
	VEC(snapshot, "config", config, n_config, 0, 65536, config_line_fields),
	VEC(snapshot, "missing", missing, n_missing, 0, 65536, missing_fields),
};
const struct field_table snapshot_fields = TABLE(snapshot, snapshot_rows);
