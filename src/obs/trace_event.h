/* SPDX-License-Identifier: MIT */
/* trace_event.h - from what the programs of bpf/ write to records of connections. Pure: no kernel needed. Private to obs/. */
#pragma once
#include <linux/types.h>

#include "bpf/events.h"
#include "model/conn.h"
#include "obs/trace_load.h"

enum { NAMES_SLOTS = 1 << 16 };

/* pid -> name, as the ring tells them. A pid that many lower drives another out; then its name is unknown. */
struct trace_names {
	struct conn_proc slot[NAMES_SLOTS];
};
void trace_names_put(struct trace_names *n, const struct event_proc *e);
struct conn_proc trace_names_get(const struct trace_names *n, uint32_t pid); /* pid 0: unknown */

/* Local ports on which connections were accepted, in whatever namespace: whose side we are on where no SYN was seen. */
struct trace_ports {
	uint8_t bit[(UINT16_MAX + 1) / 8];
};

struct trace_source {
	nsec_t jiffy; /* how long one is */
	struct trace_parts parts;
	const struct trace_names *names;
	struct trace_ports *ports;
};

/* False: no connection (a socket that a listener made and dropped before it was established). */
bool trace_close(const struct trace_source *s, const struct event_close *e, struct conn *ret);

/* Might a RST of ours still follow, that tells what trace_close() took for one of the peer? */
bool trace_close_is_open(const struct event_close *e);

/* That RST: c is the record of its connection. */
void trace_close_amend(struct conn *c, const struct event_rst *e);

/* A RST of a connection whose record is long gone: TIME_WAIT, or FIN_WAIT_2 without a process, answered data. False: not so. */
bool trace_late_rst(const struct trace_source *s, const struct event_rst *e, struct conn *ret);
