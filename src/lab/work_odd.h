/* SPDX-License-Identifier: MIT */
/* work_odd.h - private to lab/: bodies for lab_work() that one or two experiments need. All say EV_READY first. */
#pragma once
#include "lab/work.h"

/* Starts `count` connections without waiting for any (so full queues do not stop it): EV_OPENED, then keeps them. */
struct knock_cfg {
	const char *dst;
	uint16_t dport;
	uint32_t count;
	bool wait_go;
};
void work_knock(struct work *w, const void *knock_cfg);

/*
 * Opens `count` connections: EV_OPENED. At ORDER_GO it closes them all and ends, EV_DONE: what it sent and its FINs
 * are left to the kernel, as orphans.
 */
struct abandon_cfg {
	const char *dst;
	uint16_t dport;
	uint32_t count;
	bool fill; /* first send into each until the peer's window and the buffer here are full */
};
void work_abandon(struct work *w, const void *abandon_cfg);

/* SYNs from `count` addresses 10.78.0.1, .2, ... that nobody has; then it ends, EV_DONE. */
struct flood_cfg {
	const char *dst;
	uint16_t dport;
	uint32_t count, per_s; /* count: at most 60,000 */
	bool wait_go;
};
void work_flood(struct work *w, const void *flood_cfg);
