/* SPDX-License-Identifier: MIT */
/*
 * sent.h - the scoreboard: what is in flight, a segment an entry, in a ring. Entries follow each other without a gap and
 * have running numbers from `first`, the oldest, to `end` - 1. A second order, by the time of the last transmission, is
 * a list through those that RACK may still call lost. Knows nothing of connections.
 *
 * in flight = all - sacked - lost + sent again (RFC 6675's pipe, as Linux counts it).
 */
#pragma once
#include "base/base.h"
#include "wire/seq.h"

enum sent_flag {
	SENT_SACKED = 1, /* the peer says it has it */
	SENT_AGAIN = 2, /* sent again, and that is in flight */
	SENT_LOST = 4,
	SENT_EVER_AGAIN = 8, /* sent again some time: what acknowledges it measures nothing (Karn) */
	SENT_PSH = 16,
	SENT_TIMED = 32, /* in the list by time */
	SENT_EOR = 64, /* a record ends there: nothing is taken along behind it */
	SENT_JOINED = 128 /* to Linux the entry before it and this are one packet */
};
#define SENT_TWICE (SENT_AGAIN | SENT_EVER_AGAIN)

enum { SENT_NONE = UINT16_MAX, SENT_MAX = 32768 };

struct sent {
	nsec_t at; /* sent, the last time */
	seq_t to; /* one past its last octet, or FIN */
	uint32_t delivered; /* how many segments the peer had taken by then */
	uint16_t len; /* of sequence numbers */
	uint16_t older, newer; /* by time: slots of the ring; SENT_NONE */
	uint8_t flags;
};

struct board {
	uint32_t first, end; /* numbers of entries */
	uint32_t mask;
	uint32_t sacked, lost, again; /* how many have the flag; without SACK `sacked` is what duplicate ACKs say */
	uint32_t ever_again; /* and that one */
	uint32_t high; /* one past the highest that is SACKed; at least first */
	uint32_t hint; /* none before is lost and waits to be sent again */
	uint16_t oldest, newest; /* the list by time */
};

void board_init(struct board *b, uint32_t slots); /* slots: a power of two, at most SENT_MAX */

static inline uint32_t board_n(const struct board *b) { return b->end - b->first; }
static inline bool board_is_full(const struct board *b) { return b->end - b->first > b->mask; }
static inline uint32_t board_left_out(const struct board *b) { return b->sacked + b->lost; }
static inline uint32_t board_in_flight(const struct board *b) { return board_n(b) - board_left_out(b) + b->again; }
static inline struct sent *board_at(struct sent *ring, const struct board *b, uint32_t i) { return &ring[i & b->mask]; }
static inline const struct sent *board_at_const(const struct sent *ring, const struct board *b, uint32_t i)
{
	return &ring[i & b->mask];
}
/* The number of the entry in this slot. */
static inline uint32_t board_number(const struct board *b, const struct sent *ring, const struct sent *s)
{
	return b->first + (((uint32_t)(s - ring) - b->first) & b->mask);
}
static inline seq_t sent_from(const struct sent *s) { return seq_sub(s->to, s->len); }
/* Later sent; of two sent at one time, the higher one (RFC 8985 6.2 step 2). */
static inline bool sent_after(nsec_t at1, nsec_t at2, seq_t to1, seq_t to2)
{
	return at1 > at2 || (at1 == at2 && seq_lt(to2, to1));
}

struct sent *board_add(struct board *b, struct sent *ring, seq_t from, uint32_t len, nsec_t now); /* it is not full */
void board_sent_again(struct board *b, struct sent *ring, uint32_t i, nsec_t now); /* the youngest now */
void board_untime(struct board *b, struct sent *ring, struct sent *s); /* out of the list by time */
void board_drop_first(struct board *b, struct sent *ring); /* acknowledged; counts go down with its flags */
/* The same for all that end at una or before, at least one, where none is SACKed, lost or was ever sent again. How many. */
uint32_t board_drop_to(struct board *b, struct sent *ring, seq_t una);
uint32_t board_find(const struct board *b, const struct sent *ring, seq_t x); /* the entry with x; `end`: none */
bool board_mark_lost(struct board *b, struct sent *ring,
		     uint32_t i); /* false: it was, or is SACKed; its retransmission may be now */
void board_forget_lost(struct board *b, struct sent *ring);
/* Entry i becomes part of the next, whose number it was goes: those before move up by one. Cost: i - first. */
void board_merge(struct board *b, struct sent *ring, uint32_t i);
