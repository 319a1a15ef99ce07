/* SPDX-License-Identifier: MIT */
/* pairs.h - connections between engine and kernel, several at a time: each carries two flows, and what arrives must be what was sent. */
#pragma once
#include "lab/interop/flow.h"
#include "lab/interop/rig.h"

enum { WHIM_COOKIES = 5, WHIMS };
extern const struct whim { /* a knob that both TCPs have, and what it is set to */
	const char *name, *values[3];
	bool kernel_only, engine_only; /* the engine has no such knob */
} whims[WHIMS];

struct plan { /* of one connection */
	enum side opener;
	bool ipv6;
	int rcvbuf[N_SIDES]; /* SO_RCVBUF; 0: as it is */
	uint8_t whim[N_SIDES][WHIMS]; /* which of its values, when it connects; 0: as it is by default */
	struct flow_cfg flow[N_SIDES]; /* to_receive is filled in */
};

struct pairs_cfg {
	uint32_t n; /* connections in all */
	unsigned at_once; /* at most PAIRS_AT_ONCE */
	struct plan (*plan)(void *arg, uint32_t i);
	void *arg;
	unsigned patience_s; /* one connection may take */
};

enum { PAIRS_AT_ONCE = 32 };

/* All of them, and then the engine has come to rest. false with r->reason. */
bool pairs_run(struct rig *r, const struct pairs_cfg *cfg);
