/* SPDX-License-Identifier: MIT */
/* seg_other.h - what the steps of RFC 9293 3.10.7.3 (seg_syn_sent.c) and 3.10.7.4 (seg_other.c, seg_ack.c) have in common. */
#pragma once
#include "engine/engine.h"

enum step { NEXT, DONE };

/* RFC 7323 5.3 R1: a timestamp older than TS.Recent; with 5.5, one that was noted 24 days ago says nothing. */
static inline bool seg_is_old(const struct conn *c, const struct seg *s)
{
	return c->ts_ok && s->opts.has_ts && (int32_t)(s->opts.tsval - c->ts_recent) < 0 &&
	       c->eng->now - c->ts_recent_at <= UINT64_C(24) * 24 * 3600 * NSEC_PER_S;
}

/* Security and compartment are labels of RFC 791's option that no host has; there is nothing to compare. */
static inline enum step third_check_security(struct conn *c, struct seg *s) { return NEXT; }

enum step fifth_check_ack(struct conn *c, struct seg *s);

/* TIME-WAIT is reached: the connection becomes a record. c may be gone. */
void seg_time_wait(struct conn *c);
