/* SPDX-License-Identifier: MIT */
/*
 * cc.h - congestion control behind a small interface. It counts segments, as Linux does: cwnd, ssthresh, and what is in
 * flight. Recovery says what happened and sets cwnd while it lasts; the algorithm lets cwnd grow, says how low it shall
 * fall and where it shall be when the fall was a mistake.
 */
#pragma once
#include "base/base.h"
#include "wire/seq.h"

enum { CC_CWND_MAX = 1 << 24, CC_SSTHRESH_NONE = INT32_MAX };

struct cc_ops;

struct cc {
	const struct cc_ops *ops;
	uint32_t cwnd, ssthresh; /* segments; CC_SSTHRESH_NONE: no loss has been seen */
	uint32_t cwnd_cnt; /* acknowledged in congestion avoidance since cwnd last grew (RFC 3465) */
	uint32_t prior_cwnd; /* before the last congestion event */
	uint32_t mss;
};

struct cc_ack {
	nsec_t now;
	uint32_t acked, in_flight; /* segments: acknowledged or tagged by this ACK; in flight before it */
	uint32_t rtt_us; /* 0: no sample */
	uint32_t srtt_us, min_rtt_us;
	seq_t snd_una, snd_nxt;
	bool cwnd_limited;
};

struct cc_ops {
	const char *name;
	void (*start)(struct cc *cc, uint32_t mss, nsec_t now); /* connection established: initial window (RFC 6928) */
	void (*sampled)(struct cc *cc, const struct cc_ack *a); /* every ACK of something new; may be NULL */
	void (*acked)(struct cc *cc,
		      const struct cc_ack *a); /* the window may grow: not in recovery, and it was used */
	uint32_t (*ssthresh)(struct cc *cc, nsec_t now); /* a congestion event, loss or ECE: the new ssthresh */
	uint32_t (*undo_cwnd)(const struct cc *cc); /* the event was none */
	void (*timeout)(struct cc *cc); /* RTO: what was learnt of the path is forgotten; may be NULL */
	void (*idle)(struct cc *cc, nsec_t idle); /* first transmission after a pause; may be NULL */
};

extern const struct cc_ops cc_newreno; /* RFC 5681 */

/* For algorithms: RFC 5681 3.1 up to ssthresh; how many of `acked` are left for congestion avoidance. */
uint32_t cc_slow_start(struct cc *cc, uint32_t acked);
void cc_avoid(struct cc *cc, uint32_t window, uint32_t acked); /* a segment for every `window` acknowledged ones */
