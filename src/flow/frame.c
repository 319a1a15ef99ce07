/* SPDX-License-Identifier: MIT */
#include "flow/frame.h"
#include "wire/option.h"

enum { ETHER_IPV4 = 0x0800, ETHER_IPV6 = 0x86dd, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8, ETHER_QINQ_OLD = 0x9100 };
enum { ETHERNET_LEN = 14, SLL_LEN = 16, SLL2_LEN = 20, NULL_LEN = 4, VLAN_LEN = 4, VLAN_MAX = 4 };
enum { NEXT_HOP_BY_HOP = 0, NEXT_TCP = 6, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_DESTINATION = 60 };
enum { IPV4_MORE_OR_OFFSET = 0x3fff, IPV6_MORE_OR_OFFSET = 0xfff9 };
enum { TEXT_MAX = 1 << 20 }; /* twice what segmentation offload of any kernel makes */

/* What is left of a frame: octets captured and octets there were, from at on. */
struct rest {
	const uint8_t *at;
	uint32_t kept, len;
};

/* False: not so much was captured. */
static bool skip(struct rest *r, uint32_t n)
{
	if (r->kept < n)
		return false;
	r->at += n;
	r->kept -= n;
	r->len -= n;
	return true;
}

static bool is_vlan(uint16_t type) { return type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD; }

/* BSD's AF_INET is 2 everywhere; AF_INET6 is 24, 28 or 30, and 10 in what Linux writes. In the writer's byte order. */
static uint16_t null_protocol(const uint8_t *at)
{
	uint32_t family = get32(at);

	if (family >= 1U << 16)
		family = __builtin_bswap32(family);
	if (family == 2)
		return ETHER_IPV4;
	return family == 10 || family == 24 || family == 28 || family == 30 ? ETHER_IPV6 : 0;
}

/* Steps over the link-layer header and its VLAN tags. */
static enum frame_verdict skip_link(struct rest *r, enum link_type type, uint16_t *protocol)
{
	static const struct {
		uint8_t len, protocol_at;
	} heads[N_LINK_TYPES] = {
		[LINK_ETHERNET] = {ETHERNET_LEN, 12},
		[LINK_SLL] = {SLL_LEN, 14},
		[LINK_SLL2] = {SLL2_LEN, 0},
		[LINK_NULL] = {NULL_LEN, 0},
	};
	const uint8_t *head = r->at;

	must(type < N_LINK_TYPES);
	if (!skip(r, heads[type].len))
		return FRAME_CUT;
	if (type == LINK_IP) {
		if (!r->kept)
			return FRAME_CUT;
		*protocol = r->at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4;
		return FRAME_TCP;
	}
	*protocol = type == LINK_NULL ? null_protocol(head) : get16(head + heads[type].protocol_at);
	for (unsigned n = 0; n < VLAN_MAX && is_vlan(*protocol); n++) {
		head = r->at;
		if (!skip(r, VLAN_LEN))
			return FRAME_CUT;
		*protocol = get16(head + 2);
	}
	return FRAME_TCP;
}

/*
 * r->len becomes what the header says: less, for frames are padded; more never. A total length of 0 is what segmentation
 * offload leaves for packets that do not fit 16 bits (or that it did not fill in): then the frame says.
 */
static enum frame_verdict parse_ipv4(struct frame *f, struct rest *r)
{
	const uint8_t *head = r->at;
	uint32_t header, total;

	if (r->kept < IPV4_HEADER_LEN)
		return FRAME_CUT;
	header = (head[0] & 15U) * 4;
	total = get16(head + 2);
	if (head[0] >> 4 != 4 || header < IPV4_HEADER_LEN || (total && total < header))
		return FRAME_BAD;
	if (total && total < r->len)
		r->len = total;
	if (r->kept > r->len)
		r->kept = r->len;
	if (head[9] != NEXT_TCP)
		return FRAME_OTHER;
	if (get16(head + 6) & IPV4_MORE_OR_OFFSET)
		return FRAME_FRAGMENT;
	if (!skip(r, header))
		return r->len < header ? FRAME_BAD : FRAME_CUT;
	f->src = addr_from_v4_word(word_at(head + 12));
	f->dst = addr_from_v4_word(word_at(head + 16));
	f->id = get16(head + 4);
	return FRAME_TCP;
}

/* Extension headers (RFC 8200 4). */
static enum frame_verdict skip_extensions(struct rest *r, uint8_t next)
{
	for (unsigned n = 0; next != NEXT_TCP; n++) {
		const uint8_t *head = r->at;

		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_FRAGMENT &&
		    next != NEXT_DESTINATION)
			return FRAME_OTHER;
		if (n == IPV6_EXTENSIONS_MAX)
			return FRAME_OTHER;
		if (r->kept < 8)
			return FRAME_CUT;
		if (next == NEXT_FRAGMENT && get16(head + 2) & IPV6_MORE_OR_OFFSET)
			return FRAME_FRAGMENT;
		if (!skip(r, next == NEXT_FRAGMENT ? 8 : (head[1] + 1U) * 8))
			return FRAME_CUT;
		next = head[0];
	}
	return FRAME_TCP;
}

static enum frame_verdict parse_ipv6(struct frame *f, struct rest *r)
{
	const uint8_t *head = r->at;
	uint32_t payload;

	if (!skip(r, IPV6_HEADER_LEN))
		return FRAME_CUT;
	if (head[0] >> 4 != 6)
		return FRAME_BAD;
	payload = get16(head + 4); /* 0: a jumbogram (RFC 2675), as Linux's BIG TCP makes them: the frame says */
	if (payload && payload < r->len)
		r->len = payload;
	if (r->kept > r->len)
		r->kept = r->len;
	f->src = addr_from_v6(head + 8);
	f->dst = addr_from_v6(head + 24);
	f->id = 0;
	return skip_extensions(r, head[6]);
}

/* TSval of the timestamps option, as far as options were captured. */
static uint32_t find_tsval(const uint8_t *at, uint32_t len)
{
	if (len >= 12 && get32(at) == OPT_WORD_TS)
		return get32(at + 4);
	while (len >= 2 && at[0] != OPT_END) {
		uint32_t size = at[0] == OPT_NOP ? 1 : at[1];

		if (at[0] == OPT_TS && size == OPT_TS_LEN && len >= OPT_TS_LEN)
			return get32(at + 2);
		if (size == 0 || size > len)
			return 0;
		at += size;
		len -= size;
	}
	return 0;
}

static enum frame_verdict parse_tcp(struct frame *f, const struct rest *r)
{
	const uint8_t *head = r->at;
	uint32_t header, options;

	if (r->kept < TCP_HEADER_LEN)
		return r->len < TCP_HEADER_LEN ? FRAME_BAD : FRAME_CUT;
	header = (head[12] >> 4) * 4U;
	if (header < TCP_HEADER_LEN || header > r->len || r->len - header > TEXT_MAX)
		return FRAME_BAD;
	options = (header < r->kept ? header : r->kept) - TCP_HEADER_LEN;
	f->sport = get16(head);
	f->dport = get16(head + 2);
	f->seq = seq(get32(head + 4));
	f->ack = seq(get32(head + 8));
	f->flags = head[13];
	f->wnd = get16(head + 14);
	f->tsval = find_tsval(head + TCP_HEADER_LEN, options);
	f->len = r->len - header;
	f->kept = r->kept > header ? r->kept - header : 0;
	f->text = f->kept ? head + header : NULL;
	return FRAME_TCP;
}

enum frame_verdict frame_parse(struct frame *f, enum link_type type, const struct raw_frame *raw)
{
	struct rest r = {raw->data, raw->kept, raw->len > raw->kept ? raw->len : raw->kept};
	enum frame_verdict verdict;
	uint16_t protocol;

	verdict = skip_link(&r, type, &protocol);
	if (verdict != FRAME_TCP)
		return verdict;
	if (protocol == ETHER_IPV4)
		verdict = parse_ipv4(f, &r);
	else if (protocol == ETHER_IPV6)
		verdict = parse_ipv6(f, &r);
	else
		return FRAME_OTHER;
	return verdict == FRAME_TCP ? parse_tcp(f, &r) : verdict;
}
