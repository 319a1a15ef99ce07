/* SPDX-License-Identifier: MIT */
/*
 * recovery.h - what a connection knows of loss: congestion states, RACK-TLP (RFC 8985), F-RTO (5682), undo (3522, 4015, 3708).
 * The states and what leads from one to another are Linux's (6.18); recovery.c says which. Private to engine/.
 */
#pragma once
#include "engine/prr.h"
#include "engine/sent.h"
#include "wire/packet.h"

enum rtx_kind { RTX_RTO, RTX_TLP, RTX_REO }; /* what TIMER_RTX is, when something is in flight */

enum ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS }; /* TCP_INFO has the same numbers */

/* What may be sent again, or beyond what is usual, when the engine is asked for packets. */
enum resend {
	RESEND_NOTHING,
	RESEND_HEAD, /* the timeout's: the oldest, whatever the windows say */
	RESEND_LOST, /* what is marked lost, as far as cwnd goes */
	RESEND_NEW, /* F-RTO: new segments, also short ones; if there are none, what is lost */
};

struct rack {
	nsec_t at; /* of the segment that was sent last among those the peer has taken; its end */
	seq_t end;
	uint32_t rtt_us; /* and how long it took */
	uint32_t last_delivered; /* a round is over when a segment sent after this many is taken */
	bool advanced, dsack_seen;
	uint8_t steps, persist; /* the reordering window, in quarters of the least round trip; recoveries it lasts */
};

struct recovery {
	uint8_t ca, resend; /* enum ca_state, enum resend */
	bool frto;
	bool reneged; /* the peer took back what it had SACKed; until the timeout's recovery is over */
	bool undo_on, stamp_on;
	bool tlp_on, tlp_again, tlp_due; /* a probe is out; it was a retransmission; the timer wants one sent */
	bool dsack_ok; /* a DSACK was seen: the peer sends them */
	bool cwnd_limited;
	bool in_batch,
		rearm; /* something was sent since la_output() began with this connection; the timer waits for its end */
	seq_t high; /* SND.NXT when the state began */
	seq_t tlp_high; /* SND.NXT after the probe */
	seq_t undo_from; /* SND.UNA when ssthresh was lowered */
	int32_t undo_retrans; /* retransmissions that no DSACK has answered; -1: none was sent yet */
	uint32_t prior_ssthresh; /* 0: the reduction stays */
	uint32_t stamp; /* TSval of the first retransmission */
	struct rack rack;
	struct prr prr;
	uint32_t reordering, reord_seen; /* segments; times */
	uint32_t dsack_dups; /* segments that DSACKs said came twice */
	uint32_t delivered, lost; /* in all, wrapping */
	uint32_t delivered_ce; /* of these, acknowledged with ECE */
	/* Was cwnd used (RFC 7661's question, Linux's answer)? */
	uint32_t max_out, used;
	seq_t usage_seq;
	nsec_t usage_at;
	/* SACK blocks of the last ACK, in order: what they cover was looked at. */
	uint8_t n_seen;
	struct sack_block {
		seq_t from, to;
	} seen[SACK_BLOCKS_MAX];
	seq_t piece; /* of an entry longer than the MSS now, what precedes was sent again; before the entry: nothing */
};

/* ---- one ACK on its way through ---- */

enum ack_flag {
	ACK_UNA = 1 << 0, /* SND.UNA advanced */
	ACK_TEXT = 1 << 1, /* the segment has text, SYN or FIN */
	ACK_WINDOW = 1 << 2, /* it changed the window */
	ACK_TOOK = 1 << 3, /* an entry was acknowledged whole */
	ACK_SYN = 1 << 4, /* our SYN was */
	ACK_TOOK_AGAIN = 1 << 5, /* among them one that was sent again */
	ACK_SACKED = 1 << 6, /* an entry was SACKed */
	ACK_ECE = 1 << 7,
	ACK_ORIGINAL = 1 << 8, /* a segment below `high`, never sent again, was taken */
	ACK_DSACK = 1 << 9,
	ACK_DSACK_TLP = 1 << 10, /* of the probe */
	ACK_LOST_AGAIN = 1 << 11, /* a retransmission is lost */
	ACK_RENEGES = 1 << 12, /* the oldest is SACKed and not acknowledged */
	ACK_TIMER = 1 << 13, /* the timer is to be set anew */
	ACK_SACK_TIMED = 1 << 15, /* first_sack_at, last_sack_at are set */
	ACK_ROUND = 1 << 16, /* round, round_at, round_end are */
	ACK_RUNT = 1 << 14, /* a lone short segment: its acknowledgment may have been delayed */
};
#define ACK_NOT_DUP (ACK_TEXT | ACK_WINDOW | ACK_TOOK | ACK_SYN)

struct ack {
	const struct seg *s;
	uint32_t flags;
	seq_t prior_una, prior_high_sack;
	uint32_t prior_in_flight, prior_delivered, prior_lost;
	seq_t reord; /* the lowest that arrived late, by SACK */
	nsec_t first_sack_at, last_sack_at; /* when the first and last newly SACKed were sent */
	uint32_t round; /* rounds of RACK: `delivered` when the youngest of the taken was sent */
	nsec_t round_at;
	seq_t round_end;
	uint32_t rtt_us; /* 0: no sample */
	bool dup; /* a duplicate as RFC 5681 2 says */
};

struct conn;

static inline bool recovery_reduces(const struct recovery *r) { return r->ca == CA_CWR || r->ca == CA_RECOVERY; }

/* ---- recovery.c ---- */
void recovery_start(struct conn *c); /* nothing was sent */
void recovery_alert(struct conn *c,
		    struct ack *a); /* something is unusual: states, marking, undo, what to send again */
void recovery_mark_lost(struct conn *c, uint32_t i);
void recovery_enter(struct conn *c, bool ece);
void recovery_enter_loss(struct conn *c); /* the retransmission timer has fired */
void recovery_enter_cwr(struct conn *c); /* congestion without loss: ECE, source quench of our own */
void recovery_reduce_start(struct conn *c); /* ssthresh is lowered; PRR takes cwnd there */
void recovery_reduce_end(struct conn *c);
void recovery_keep_open(struct conn *c); /* Open, or Disorder if something is amiss */
bool recovery_any_again(const struct conn *c); /* a retransmission is in flight, or the oldest was sent again */
void recovery_reordered(struct conn *c, seq_t low, bool by_timestamp);
void recovery_reno_acked(struct conn *c, uint32_t n); /* without SACK: n entries were acknowledged */

/* ---- undo.c ---- */
void undo_init(struct conn *c);
bool undo_recovery(struct conn *c, const struct ack *a); /* `high` is reached. True: nothing more is to be done */
bool undo_partial(struct conn *c, const struct ack *a);
bool undo_dsack(struct conn *c);
bool undo_loss(struct conn *c, const struct ack *a, bool frto);
void undo_retransmitted(struct conn *c, nsec_t at); /* a segment is sent again */

/* ---- sack.c ---- */
void sack_tag(struct conn *c, struct ack *a);

/* ---- rack.c ---- */
uint32_t rack_advance(struct conn *c, const struct sent *s); /* s, sent once, has arrived: how long it took, us */
void rack_taken(struct conn *c, const struct sent *s, struct ack *a, bool by_sack); /* the peer has it */
bool rack_mark_lost(struct conn *c); /* True: some wait for the timer */
void rack_round(struct conn *c, const struct ack *a); /* the reordering window follows DSACKs */
int64_t rack_due_us(const struct conn *c, const struct sent *s,
		    uint32_t wnd_us); /* until it counts as lost; <= 0: it does */
void rack_timeout(struct conn *c);

/* ---- tlp.c ---- */
bool tlp_schedule(struct conn *c, bool rto_restarts); /* False: a probe is not for now */
void tlp_timeout(struct conn *c);
void tlp_acked(struct conn *c, const struct ack *a);
void tlp_sent(struct conn *c, bool again);

/* ---- cwnd.c ---- */
void cwnd_acked(struct conn *c, const struct ack *a); /* the last word on cwnd after an ACK */
void cwnd_acked_plainly(struct conn *c, uint32_t n, uint32_t rtt_us); /* of n segments, nothing unusual about any */
void cwnd_used(struct conn *c); /* a batch of segments was sent */
bool cwnd_has_room(const struct conn *c);
/*
 * There is new text after a while without. After an idle timeout cwnd is not what the path was last known to hold (RFC 5681 4.1, RFC 2861 3.2);
 * as in Linux it falls when the text is written and when the peer's window opens, so before anything is cut for it.
 */
void cwnd_restart(struct conn *c);
