/* SPDX-License-Identifier: MIT */
/* track.h - inside flow/: one connection while its segments pass. */
#pragma once
#include "base/link.h"
#include "flow/flow.h"
#include "flow/reader.h"

enum stage {
	STAGE_OPENING, /* a SYN and no answer */
	STAGE_LIVE,
	STAGE_CLOSED, /* reset, or both FINs acknowledged: its record waits a moment for what still comes */
	STAGE_GONE, /* handed over: a late segment is known for what it is */
	N_STAGES
};

enum { HOLES_MAX = 4, RECENT_MAX = 8 };
enum {
	HELD_MAX = 16,
	HELD_KEPT_MAX = 2048,
	HELD_ALL_MAX = 16 << 20
}; /* segments of one side, octets of one, octets of all */

struct hole { /* numbers that were skipped: lost, overtaken, or not captured */
	seq_t from, to;
	nsec_t at;
};

struct recent { /* of a segment, to know it again when it was captured twice */
	uint32_t mark, at_us;
};

/* What one side sent. */
struct half {
	bool known; /* numbers below are valid */
	bool fin; /* sent; max is one past it */
	bool fin_unseen; /* not captured, but acknowledged */
	bool tail_unseen; /* the highest numbers were acknowledged and not captured */
	bool one_unseen; /* there was one of them: an octet or the FIN */
	bool acks; /* acked is valid */
	bool zero_wnd; /* this side announces a window of 0 */
	uint8_t n_holes, next_recent, n_held;
	uint8_t probes; /* of keep-alive, since the other side last said anything */
	uint16_t tries; /* retransmissions since the other side last acknowledged something */
	seq_t first; /* of the octets; the SYN's is one before */
	seq_t max; /* one past the highest number seen, SYN and FIN counted */
	seq_t acked; /* the other side has all before it */
	seq_t next; /* octet to be read */
	nsec_t unseen_at; /* when they were acknowledged */
	bool unseen_late; /* maybe long after they were sent: that was no mere acknowledgement */
	struct held *held; /* text that came too early to be read, in order */
	struct hole holes[HOLES_MAX];
	struct recent recent[RECENT_MAX];
};

/*
 * A RST with a number that its receiver does not wait for, and ignores (RFC 5961 3.2): of an old connection, of a stranger. It
 * may also be that what was sent before it was not captured, so it is kept until the one who seems to have sent it goes on.
 */
struct doubt {
	struct conn conn; /* as it is if that was the end */
	enum side by;
	bool went_on; /* and sent what nobody had seen before: */
	seq_t from;
};

struct record { /* what is given back when the connection is handed over */
	struct record *free_next;
	struct conn conn;
	struct reader reader;
};

struct held {
	struct held *next;
	nsec_t at;
	seq_t from;
	uint32_t len, kept;
	uint8_t text[];
};

struct flow {
	struct flow *next; /* in its bucket, or free */
	struct link in; /* the list of its stage */
	struct record *rec; /* NULL once STAGE_GONE */
	size_t *held_all; /* octets that all flows hold */
	struct addr addr[2]; /* by enum side */
	uint16_t port[2];
	uint32_t hash;
	enum stage stage;
	nsec_t listed; /* when it was put into its list */
	nsec_t last; /* segment */
	struct half half[2];
	nsec_t syn_at; /* 0: not seen, or sent twice: no round trip can be told */
	nsec_t late_at; /* text sent after the other side's FIN, not acknowledged */
	seq_t late_from;
	bool late_alert; /* a TLS alert was: it asks for nothing */
	struct doubt *doubt; /* NULL: none */
	bool timed_out; /* keep-alive gave up, and said so with a RST */
	bool unsure; /* the first FIN may have been the second: what the other side sent before it was not captured */
	struct { /* text after a silence, not acknowledged yet */
		nsec_t gap;
		enum side by;
		seq_t to;
	} trial;
};

enum track { TRACK_ON, TRACK_CLOSED, TRACK_DOUBLE, TRACK_IGNORED };

/* Begins with the segment that made it known; track_segment() with the same one follows. Everything is zero but addr and port. */
void track_begin(struct flow *f, const struct frame *fr, nsec_t at);

/* A segment sent by that side; never a SYN of a later connection. */
enum track track_segment(struct flow *f, enum side by, const struct frame *fr, nsec_t at);

/* ---- stream.c: text in order ---- */

/* Gives to the reader what now can be read, and keeps what cannot. */
void stream_text(struct flow *f, enum side by, const struct frame *fr, nsec_t at);

/* The other side has all before ack: what is still missing was not captured. */
void stream_heard(struct flow *f, enum side by, seq_t ack);

void stream_end(struct flow *f); /* gives up what is held */

/* f->rec->conn becomes what rules read. */
void track_end(struct flow *f, nsec_t now);
void track_drop(struct flow *f); /* gives up what is kept beside the record */
