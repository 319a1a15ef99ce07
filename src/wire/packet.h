/* SPDX-License-Identifier: MIT */
/*
 * packet.h - bytes <-> segments. Parsing trusts nothing: every length is checked against what is there, options are
 * bounded, and what is malformed is a verdict, never an error. Writing always gives a well-formed packet.
 *
 * IPv4 (RFC 791), IPv6 (RFC 8200, hop-by-hop, routing and destination options headers skipped), TCP (RFC 9293 3.1),
 * ICMP (792) and ICMPv6 (4443). Fragments are not put together: WIRE_FRAGMENT.
 */
#pragma once
#include "wire/addr.h"
#include "wire/seq.h"

enum { F_FIN = 0x01, F_SYN = 0x02, F_RST = 0x04, F_PSH = 0x08, F_ACK = 0x10, F_URG = 0x20, F_ECE = 0x40, F_CWR = 0x80 };

enum { SACK_BLOCKS_MAX = 4, TCP_OPTIONS_MAX = 40, TCP_HEADER_LEN = 20, IPV4_HEADER_LEN = 20, IPV6_HEADER_LEN = 40 };
enum { IPV6_EXTENSIONS_MAX = 8 }; /* headers before TCP; with more the packet is WIRE_OTHER */
enum { WIRE_HEADERS_MAX = IPV6_HEADER_LEN + TCP_HEADER_LEN + TCP_OPTIONS_MAX };

struct tcp_opts {
	union {
		struct {
			bool has_mss, has_wscale, has_ts, sack_permitted;
		};
		uint32_t kinds; /* these at once: 0, OPTS_ONLY_TS */
	};
	uint8_t n_sack;
	uint8_t wscale; /* as sent; the reader caps it at 14 (RFC 7323 2.3) */
	uint16_t mss;
	uint32_t tsval, tsecr;
	struct {
		seq_t from, to;
	} sack[SACK_BLOCKS_MAX];
};

enum { OPTS_ONLY_TS = WIRE_LITTLE_ENDIAN ? 1 << 16 : 1 << 8 };

/* A TCP segment with its addresses. */
struct seg {
	struct addr src, dst;
	uint16_t sport, dport; /* host order, as all numbers here */
	seq_t seq, ack;
	uint16_t wnd; /* the field, not scaled */
	uint16_t urg;
	uint8_t flags;
	uint8_t tos; /* traffic class; its low two bits are ECN (RFC 3168) */
	uint8_t ttl; /* read: as it came. written: 0 means 64 */
	bool may_fragment; /* written over IPv4: without DF, and with an identification */
	uint16_t id; /* that */
	uint32_t len; /* octets of text; SYN and FIN are counted by seg_span() */
	const uint8_t *text; /* borrowed from the packet; NULL if len is 0 */
	struct tcp_opts opts;
};

/* What an ICMP error says about a segment that we sent. */
struct icmp_error {
	struct addr src, dst; /* of the embedded packet: src is ours */
	uint16_t sport, dport;
	seq_t seq;
	uint8_t type, code;
	uint32_t mtu; /* fragmentation needed, packet too big; else 0 */
};

enum wire_verdict {
	WIRE_TCP,
	WIRE_ICMP_ERROR, /* about TCP; any other ICMP message is WIRE_OTHER, source quench too (RFC 6633) */
	WIRE_OTHER, /* well-formed, but another protocol, or on its way to another host (routing header) */
	WIRE_FRAGMENT, /* an IPv6 fragment that is all of its packet is none (RFC 6946) */
	WIRE_BAD_IP, /* version, length, header checksum; ::ffff:a.b.c.d over IPv6, which would pass for IPv4 */
	WIRE_BAD_TCP, /* too short, data offset, or an option's length: below 2, or past the header (MUST-7) */
	WIRE_BAD_CSUM, /* TCP or ICMP checksum, or an ICMP message too short for one */
	N_WIRE_VERDICTS
};

struct packet {
	enum wire_verdict verdict;
	union {
		struct seg seg; /* WIRE_TCP */
		struct icmp_error icmp; /* WIRE_ICMP_ERROR */
	};
};

/* For `how` below, or-ed. The host has checked, or will fill in, what is left out here (checksum offload). */
enum {
	PACKET_NO_TCP_CSUM = 1, /* parse: not verified; write: the field is 0 */
};

/*
 * p->verdict is returned too. p borrows from data. Octets after the IP total length (padding) are ignored.
 * Nothing is cleared: only the member of the union that the verdict names is valid, opts.mss only with has_mss and so
 * on, and opts.sack up to n_sack. Options are read in every segment; which of them count only in a SYN is the reader's
 * affair. One whose length is not that of its kind is skipped as if unknown; of two of a kind the last counts.
 */
enum wire_verdict packet_parse(struct packet *p, const uint8_t *data, size_t len, unsigned how);

static inline uint32_t seg_span(const struct seg *s) /* SEG.LEN of RFC 9293 3.4 */
{
	return s->len + !!(s->flags & F_SYN) + !!(s->flags & F_FIN);
}

/*
 * The length of IP header, TCP header and options that packet_write() will produce for s, without text. Options that do
 * not fit 40 octets: SACK blocks are left out from the last on.
 */
size_t packet_header_len(const struct seg *s);

/*
 * Writes s as an IPv4 or IPv6 packet (by the family of s->dst; both must agree), all checksums filled in. The text is
 * taken from s->text unless text is already in place: with s->text == NULL and s->len > 0 the caller has put it at
 * buf + packet_header_len(s). Returns the length, 0 if that is more than cap or more than a packet can be.
 */
size_t packet_write(uint8_t *buf, size_t cap, const struct seg *s, unsigned how);

/* One line as tcpdump would print it: "10.0.0.1:80 > 10.0.0.2:4000 [S.] seq 1 ack 2 win 3 len 0 <mss 1460,sackOK>". */
struct seg_text {
	char s[352];
};
struct seg_text seg_text(const struct seg *s);
