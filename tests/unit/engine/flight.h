/* SPDX-License-Identifier: MIT */
/* flight.h - a connection with a round trip of RTT_MS and segments of MSS octets in flight, for tests of recovery, on top of flow.h. */
#pragma once
#include "tests/unit/engine/flow.h"

enum { MSS = 1000, RTT_MS = 100, FLIGHT_WND = 60000 };

struct flight_opt {
	bool sack, ts, ecn;
};

/* ESTABLISHED from a handshake that took a round trip. */
static inline void flight_join(struct rig *r, struct flight_opt o)
{
	rig_listen(r, 1);
	r->peer_wnd = FLIGHT_WND;
	r->peer_ts = o.ts;
	IN(r, .flags = F_SYN | (o.ecn ? F_ECE | F_CWR : 0), .seq = seq(IRS), .opts.has_mss = true,
	   .opts.mss = MSS + (o.ts ? 12 : 0), .opts.sack_permitted = o.sack);
	assert_true(rig_out(r));
	r->shift = r->out.seg.seq.v - ISS;
	rig_pass(r, RTT_MS * MS);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
	rig_drain(r);
}

#define FLIGHT(r, ...)                                                                                                 \
	RIG_WITH(r, .cfg.send_buffer = 65536);                                                                         \
	flight_join(&r, (struct flight_opt){__VA_ARGS__})
#define FLIGHT_KNOBS(r, text, ...)                                                                                     \
	RIG_WITH(r, .cfg.send_buffer = 65536, .knobs = text);                                                          \
	flight_join(&r, (struct flight_opt){__VA_ARGS__})

/* n segments go, the first of them number `from`. */
static inline void fly(struct rig *r, uint32_t from, uint32_t n)
{
	put(r, n * MSS);
	for (uint32_t i = 0; i < n; i++)
		expect_text(r, (from + i) * MSS, MSS);
	EXPECT_SILENCE(r);
}

static inline seq_t at_segment(const struct rig *r, uint32_t n) { return seq(ISS + 1 + r->shift + n * MSS); }

/* The peer acknowledges segments before `before`, and has SACK blocks of segments from..to, the first of them first. */
static inline void sack_in(struct rig *r, uint32_t before, const uint32_t *pairs, size_t n)
{
	struct seg s = {
		.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + before * MSS), .opts.n_sack = (uint8_t)n};

	for (size_t i = 0; i < n; i++) {
		s.opts.sack[i].from = at_segment(r, pairs[2 * i]);
		s.opts.sack[i].to = at_segment(r, pairs[2 * i + 1]);
	}
	rig_in(r, s);
}

#define SACK_IN(r, before, ...)                                                                                        \
	sack_in(r, before, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 8)

/* With timestamps: the peer acknowledges segments before `before`, and what had that TSval was the last it took. */
static inline void echo_in(struct rig *r, uint32_t before, uint32_t tsecr)
{
	struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + before * MSS)};

	s.opts.has_ts = true;
	s.opts.tsval = ++r->peer_tsval;
	s.opts.tsecr = tsecr;
	rig_in(r, s);
}

static inline void ack_segments(struct rig *r, uint32_t before) { sack_in(r, before, NULL, 0); }
static inline void expect_segment(struct rig *r, uint32_t n) { expect_text(r, n * MSS, MSS); }

/* What the counts say of entries is what the entries say. */
static inline void check_board(const struct rig *r)
{
	const struct conn *c = rig_conn(r);
	const struct board *b = &c->board;
	uint32_t sacked = 0, lost = 0, again = 0;
	seq_t at = board_n(b) ? sent_from(board_at_const(c->sent, b, b->first)) : c->snd_una;

	assert_true(seq_le(at, c->snd_una));
	for (uint32_t i = b->first; i != b->end; i++) {
		const struct sent *s = board_at_const(c->sent, b, i);

		assert_true(seq_eq(sent_from(s), at));
		at = s->to;
		sacked += !!(s->flags & SENT_SACKED);
		lost += !!(s->flags & SENT_LOST);
		again += !!(s->flags & SENT_AGAIN);
		assert_false(s->flags & SENT_SACKED && s->flags & SENT_LOST);
	}
	assert_true(seq_eq(at, c->snd_nxt));
	if (c->sack_ok)
		assert_int_equal(b->sacked, sacked);
	assert_int_equal(b->lost, lost);
	assert_int_equal(b->again, again);
	assert_true(board_left_out(b) <= board_n(b));
}
