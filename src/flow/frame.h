/* SPDX-License-Identifier: MIT */
/*
 * frame.h - a captured frame as a TCP segment. Unlike packet_parse(), which is for packets that arrived: captures are cut
 * (snap length), their checksums are often not filled in yet (offload), and lengths may be larger than what was kept.
 * Whatever is read was captured; lengths say how long it was on the wire.
 */
#pragma once
#include "wire/packet.h"

/* How frames begin, after the registry of link-layer header types (www.tcpdump.org/linktypes.html). */
enum link_type { LINK_ETHERNET, LINK_SLL, LINK_SLL2, LINK_IP, LINK_NULL, N_LINK_TYPES };

struct raw_frame {
	nsec_t at;
	const uint8_t *data;
	uint32_t kept, len; /* octets captured, octets there were */
};

enum frame_verdict {
	FRAME_TCP,
	FRAME_OTHER, /* another protocol */
	FRAME_FRAGMENT, /* not the whole packet: its text is not put together */
	FRAME_CUT, /* captured too little to know ports and numbers */
	FRAME_BAD, /* impossible lengths */
	N_FRAME_VERDICTS
};

struct frame {
	struct addr src, dst;
	uint16_t sport, dport; /* host order, as all numbers here */
	seq_t seq, ack;
	uint16_t wnd;
	uint8_t flags;
	uint16_t id; /* of the IPv4 header; else 0 */
	uint32_t tsval; /* 0: no timestamps option captured */
	uint32_t len; /* octets of text there were */
	uint32_t kept; /* of them captured, from the first on */
	const uint8_t *text; /* borrowed; valid for kept octets */
};

/* Anything but FRAME_TCP leaves *f undefined. */
enum frame_verdict frame_parse(struct frame *f, enum link_type type, const struct raw_frame *raw);

static inline uint32_t frame_span(const struct frame *f)
{
	return f->len + !!(f->flags & F_SYN) + !!(f->flags & F_FIN);
}
