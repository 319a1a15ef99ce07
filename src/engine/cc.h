/* SPDX-License-Identifier: MIT */
/*
 * cc.h - congestion control behind a small interface. It counts segments, as Linux does: cwnd, ssthresh, and what is in
 * flight. Recovery says what happened and sets cwnd while it lasts; the algorithm lets cwnd grow, says how low it shall
 * fall and where it shall be when the fall was a mistake.
 */
#pragma once
#include "base/base.h"
#include "wire/seq.h"

enum { CC_CWND_MAX = 1 << 24, CC_SSTHRESH_NONE = INT32_MAX, CC_CWND_LEAST = 2, CC_IW = 10 /* RFC 6928; ADR 0026 */ };

struct cc_ops;

struct cubic { /* cc_cubic.c */
	/* An epoch goes from the first ACK in congestion avoidance to the next congestion event. Times here in 1/1024 s. */
	bool epoch_on, round_on, found; /* found: HyStart ended slow start */
	nsec_t epoch_at, last_at; /* last_at: when the pace was last computed */
	uint32_t
		w_max; /* cwnd at the last congestion event, less if it was below that of the one before; 0: none yet */
	uint32_t origin, k; /* RFC 9438 figure 2: W_max and K of this epoch */
	uint32_t pace; /* cwnd grows by one for so many acknowledged */
	uint32_t last_cwnd;
	uint32_t w_est, est_cnt; /* what Reno's cwnd would be, and segments acknowledged since it last grew */
	/* HyStart */
	nsec_t round_at, last_ack_at;
	seq_t round_end;
	uint32_t delay_min_us, round_min_us; /* of the connection, of this round; 0: unknown */
	uint8_t samples;
};

struct cc {
	const struct cc_ops *ops;
	uint32_t cwnd, ssthresh; /* segments; CC_SSTHRESH_NONE: no loss has been seen */
	uint32_t cwnd_cnt; /* acknowledged in congestion avoidance since cwnd last grew (RFC 3465) */
	uint32_t prior_cwnd; /* before the last congestion event */
	uint32_t mss;
	struct cubic cubic;
};

struct cc_ack {
	nsec_t now;
	uint32_t acked; /* segments acknowledged or tagged by this ACK */
	uint32_t rtt_us; /* 0: no sample */
	uint32_t srtt_us;
	seq_t snd_una, snd_nxt;
};

struct cc_ops {
	const char *name; /* of TCP_CONGESTION and net.ipv4.tcp_congestion_control */
	void (*start)(struct cc *cc); /* connection established, or the algorithm changed; may be NULL */
	void (*sampled)(struct cc *cc, const struct cc_ack *a); /* every ACK of something new; may be NULL */
	void (*acked)(struct cc *cc,
		      const struct cc_ack *a); /* the window may grow: not in recovery, and it was used */
	uint32_t (*ssthresh)(struct cc *cc, nsec_t now); /* a congestion event, loss or ECE: the new ssthresh */
	uint32_t (*undo_cwnd)(const struct cc *cc); /* the event was none */
	void (*timeout)(struct cc *cc); /* RTO: what was learnt of the path is forgotten; may be NULL */
	void (*idle)(struct cc *cc, nsec_t now, nsec_t last_sent_at); /* sends again after a pause; may be NULL */
};

extern const struct cc_ops cc_newreno; /* "reno": RFC 5681 */
extern const struct cc_ops cc_cubic; /* "cubic": RFC 9438 */

enum { CC_NAME_MAX = 16 }; /* TCP_CA_NAME_MAX, with its NUL */
const struct cc_ops *cc_find(const char *name); /* NULL: none of that name */
const struct cc_ops *cc_of_knob(int64_t value); /* of net.ipv4.tcp_congestion_control */

/* The connection is established: the initial window. */
void cc_start(struct cc *cc, const struct cc_ops *ops, uint32_t mss);
/* Another algorithm from now on, with the window as it is (TCP_CONGESTION). */
void cc_change(struct cc *cc, const struct cc_ops *ops);
/* What ssthresh should at least be for a window that shrinks without congestion (RFC 7661 4.4.3, as Linux: 3/4 of cwnd). */
uint32_t cc_kept_ssthresh(const struct cc *cc);
/*
 * First transmission after nothing was sent for `idle`, which is more than an RTO: cwnd is halved for each of these down
 * to the initial window (RFC 2861 3.2; RFC 5681 4.1 would go there at once). tcp_slow_start_after_idle.
 */
void cc_restart(struct cc *cc, nsec_t idle, nsec_t rto);

/* For algorithms: RFC 5681 3.1 up to ssthresh; how many of `acked` are left for congestion avoidance. */
uint32_t cc_slow_start(struct cc *cc, uint32_t acked);
void cc_avoid(struct cc *cc, uint32_t window, uint32_t acked); /* a segment for every `window` acknowledged ones */
uint32_t cc_undo_cwnd(const struct cc *cc); /* what it was before, or is by now */
