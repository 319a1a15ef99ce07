/* SPDX-License-Identifier: MIT */
/* flow.h - what tests of the data path say often, on top of peer.h. */
#pragma once
#include "tests/unit/engine/peer.h"

#define MS NSEC_PER_MS

/* The application writes n octets, of which none is refused. */
static inline void put(struct rig *r, uint32_t n)
{
	static uint8_t text[1 << 17];

	assert_int_equal(la_send(r->h, r->s, text, n, 0), n);
}

/* The connection is past the ACKs that never wait, as after a first exchange (Linux's quick ACK mode). */
static inline void settle(struct rig *r)
{
	rig_conn(r)->quick = 0;
	rig_conn(r)->ato_ms = 40;
	rig_conn(r)->rcv_mss = PEER_MSS;
}

/* The peer acknowledges our octets before that many, and says how large its window is. */
static inline void ack_wnd(struct rig *r, uint32_t before, uint16_t wnd)
{
	r->peer_wnd = wnd;
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + before));
	r->peer_wnd = WND;
}

static inline void ack(struct rig *r, uint32_t before) { ack_wnd(r, before, WND); }

/* The peer's octets from IRS + 1 + at on. */
static inline void text_in(struct rig *r, uint32_t at, uint32_t len)
{
	struct seg s = {.flags = F_ACK, .seq = seq(IRS + 1 + at), .ack = rig_conn(r)->snd_una, .len = len};

	s.ack = seq_sub(s.ack, r->shift);
	rig_in(r, s);
}

/* Our next segment has `len` octets, the first of which is number `at`. */
static inline void expect_text(struct rig *r, uint32_t at, uint32_t len)
{
	rig_expect(r, F_ACK, ISS + 1 + at, IRS + 1, len);
}

/* Time goes by, and packets go out as they are made, into nowhere. How many. */
static inline unsigned live(struct rig *r, nsec_t ns)
{
	nsec_t end = r->now + ns;
	unsigned n = 0;

	for (;;) {
		nsec_t at;

		while (rig_out(r))
			n++;
		at = la_next_at(r->h);
		if (at > end)
			break;
		rig_pass(r, at > r->now ? at - r->now : 0);
	}
	rig_pass(r, end - r->now);
	return n;
}
