/* SPDX-License-Identifier: MIT */
/*
 * flow.h - frames of a capture in, records of connections out. Pure: frames carry their time, records go to a function of
 * the caller's. Memory is that of the connections that are open at a time: a record is handed over soon after both FINs or
 * a reset; what is remembered for a minute longer, so that late segments are not taken for a new connection, is small and
 * has a bound.
 */
#pragma once
#include "base/hash.h"
#include "flow/frame.h"
#include "model/conn.h"

struct flows; /* opaque */

struct flows_cfg {
	struct hash_key key; /* of the table: four-tuples are chosen by strangers */
	size_t live_max; /* connections at a time; 0: LIVE_MAX. Past it the one that was silent longest is handed over as it is */
	bool no_headers; /* HTTP is not read: as if all of it were encrypted */
	void (*done)(void *arg, const struct conn *c); /* c is valid during the call */
	void *arg;
};

enum { LIVE_MAX = 500000 };

struct flows_counts {
	uint64_t frames[N_FRAME_VERDICTS];
	uint64_t octets; /* of frames, as they were on the wire */
	uint64_t conns; /* handed over */
	uint64_t live_most; /* open at a time */
	uint64_t late; /* segments of connections handed over already */
	uint64_t stray; /* resets and empty segments of connections never seen */
	uint64_t doubles; /* segments captured twice */
	uint64_t evicted; /* handed over before their end: live_max */
	nsec_t first, last; /* frames, of any kind */
};

struct flows *flows_new(const struct flows_cfg *cfg); /* NULL: no memory */
void flows_free(struct flows *fs); /* hands nothing over; NULL is fine */

/* 0 or -ENOMEM: then this frame is not counted. */
int flows_frame(struct flows *fs, enum link_type type, const struct raw_frame *raw);

/* The capture is over: hands over what is left, in the order in which it was last seen to begin or close. */
void flows_end(struct flows *fs);

const struct flows_counts *flows_counts(const struct flows *fs);
