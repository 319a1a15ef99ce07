/* SPDX-License-Identifier: MIT */
/*
 * prr.h - proportional rate reduction (RFC 6937, and 6937bis as Linux has it): how cwnd goes from what it was to ssthresh
 * while a window is in recovery or CWR. Pure. All in segments.
 */
#pragma once
#include "base/base.h"

struct prr {
	uint32_t ssthresh, prior_cwnd;
	uint32_t delivered, out; /* since prr_start(): taken by the peer; sent, new or again */
};

/* cwnd, ssthresh: before, and where it is to end. Neither may be 0. */
void prr_start(struct prr *p, uint32_t cwnd, uint32_t ssthresh);
/*
 * The new cwnd. delivered: segments that this ACK says have arrived, by SACK or cumulatively; not 0: with nothing delivered
 * cwnd stays as it is. in_flight: after the ACK was taken, what it marked lost not counted. safe: SND.UNA advanced and
 * the ACK marked nothing lost.
 */
uint32_t prr_ack(struct prr *p, uint32_t delivered, uint32_t in_flight, bool safe);
static inline void prr_sent(struct prr *p, uint32_t n) { p->out += n; } /* in recovery or CWR; retransmissions too */
