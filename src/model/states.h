/* SPDX-License-Identifier: MIT */
/* states.h - socket states and counts of them. The numbering is ours; kernel numbers are translated at the edge. */
#pragma once
#include "base/base.h"

enum sock_state {
#define STATE(id, number, json, netstat) ST_##id,
#include "model/states.def"
#undef STATE
	N_STATES
};

struct state_desc {
	const char *json, *netstat;
	unsigned kernel; /* include/net/tcp_states.h */
};
extern const struct state_desc state_descs[N_STATES];

struct state_counts {
	uint32_t n[N_STATES];
};

uint64_t state_counts_sum(const struct state_counts *c);
void state_counts_add(struct state_counts *to, const struct state_counts *what);

/* TCP_NEW_SYN_RECV (12) is SYN_RECV; -1 for a number that is no state of a connection. */
int state_from_kernel(unsigned number);
