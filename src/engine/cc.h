/* SPDX-License-Identifier: MIT */
/*
 * cc.h - congestion control behind a small interface. The connection tells what happened; the algorithm owns cwnd and
 * ssthresh. Loss recovery (which segment to send again) is snd.c's work.
 */
#pragma once
#include "base/base.h"

struct cc {
	uint32_t cwnd, ssthresh; /* octets */
	uint32_t mss;
	uint32_t acked; /* octets acknowledged in congestion avoidance since cwnd last grew (RFC 3465) */
};

struct cc_ops {
	const char *name;
	void (*start)(struct cc *cc, uint32_t mss); /* connection established: initial window (RFC 5681 3.1, 6928) */
	void (*acked)(struct cc *cc, uint32_t octets, nsec_t now); /* new data acknowledged, not in recovery */
	void (*enter_recovery)(struct cc *cc, uint32_t flight, nsec_t now); /* third duplicate ACK */
	void (*dup_ack)(struct cc *cc); /* a further one, in recovery: the window is inflated */
	void (*partial_ack)(struct cc *cc, uint32_t octets); /* RFC 6582 3.2 step 3 */
	void (*exit_recovery)(struct cc *cc, uint32_t flight);
	void (*timeout)(struct cc *cc, uint32_t flight); /* RTO: one segment (RFC 5681 3.1 eq. 4) */
	void (*idle)(struct cc *cc); /* nothing sent for more than an RTO: restart window (RFC 5681 4.1) */
};

extern const struct cc_ops cc_newreno; /* RFC 5681, 6582 */
