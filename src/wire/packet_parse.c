/* SPDX-License-Identifier: MIT */
#include "wire/csum.h"
#include "wire/option.h"
#include "wire/packet.h"

enum { PROTO_HOP_BY_HOP = 0, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_ROUTING = 43, PROTO_FRAGMENT = 44, PROTO_ICMP6 = 58 };
enum { PROTO_DESTINATION = 60 };
enum { IPV4_OFFSET = 0x1fff, IPV4_MORE_OR_OFFSET = 0x3fff, IPV6_MORE_OR_OFFSET = 0xfff9 };
enum { TS_WORDS_LEN = 12 }; /* two NOPs and timestamps */
enum { ICMP_HEADER_LEN = 8, TCP_ECHOED_LEN = 8 }; /* an ICMP error carries at least 8 octets of what it is about */

/* What an IP packet carries. */
struct upper {
	const uint8_t *at;
	uint32_t len;
	uint8_t protocol;
	uint64_t pseudo; /* checksum of the pseudo header; IPv6 ICMP has it too */
};

/*
 * Steps over extension headers (RFC 8200 4). u->at and u->len are what follows the IPv6 header, u->protocol its next
 * header. WIRE_TCP: u is what is carried, of any protocol. A header that does not fit is WIRE_BAD_IP.
 */
static enum wire_verdict skip_extensions(struct upper *u)
{
	for (unsigned n = 0; n <= IPV6_EXTENSIONS_MAX; n++) {
		bool fragment = u->protocol == PROTO_FRAGMENT, routing = u->protocol == PROTO_ROUTING;
		bool hop_by_hop = u->protocol == PROTO_HOP_BY_HOP && n == 0; /* nowhere but first (4.1) */
		uint32_t len;

		if (!fragment && !routing && !hop_by_hop && u->protocol != PROTO_DESTINATION)
			return WIRE_TCP;
		if (u->len < 8)
			return WIRE_BAD_IP;
		len = fragment ? 8 : (u->at[1] + 1U) * 8;
		if (u->len < len)
			return WIRE_BAD_IP;
		if (fragment && get16(u->at + 2) & IPV6_MORE_OR_OFFSET)
			return WIRE_FRAGMENT;
		if (routing && u->at[3] != 0) /* segments left */
			return WIRE_OTHER;
		u->protocol = u->at[0];
		u->at += len;
		u->len -= len;
	}
	return WIRE_OTHER;
}

static inline void take_ipv4(struct seg *s, const uint8_t *data)
{
	s->src = addr_from_v4_word(word_at(data + 12));
	s->dst = addr_from_v4_word(word_at(data + 16));
	s->tos = data[1];
	s->ttl = data[8];
	s->may_fragment = false; /* so that what was read can be written */
}

/* The IP header. WIRE_TCP: u is what is carried, of any protocol, and the addresses are in s. */
static enum wire_verdict parse_ipv4(struct seg *s, const uint8_t *data, size_t len, struct upper *u)
{
	uint32_t header, total;

	if (len < IPV4_HEADER_LEN)
		return WIRE_BAD_IP;
	header = (data[0] & 15U) * 4;
	total = get16(data + 2);
	if (header < IPV4_HEADER_LEN || total < header || total > len)
		return WIRE_BAD_IP;
	if (!csum_is_good(csum_add(0, data, header)))
		return WIRE_BAD_IP;
	if (get16(data + 6) & IPV4_MORE_OR_OFFSET)
		return WIRE_FRAGMENT;
	take_ipv4(s, data);
	u->at = data + header;
	u->len = total - header;
	u->protocol = data[9];
	u->pseudo = csum_pseudo(&s->src, &s->dst, u->protocol, u->len);
	return WIRE_TCP;
}

static enum wire_verdict parse_ipv6(struct seg *s, const uint8_t *data, size_t len, struct upper *u)
{
	enum wire_verdict verdict;

	if (len < IPV6_HEADER_LEN)
		return WIRE_BAD_IP;
	u->at = data + IPV6_HEADER_LEN;
	u->len = get16(data + 4);
	u->protocol = data[6];
	if (u->len > len - IPV6_HEADER_LEN)
		return WIRE_BAD_IP;
	verdict = skip_extensions(u);
	if (verdict != WIRE_TCP)
		return verdict;
	s->src = addr_from_v6(data + 8);
	s->dst = addr_from_v6(data + 24);
	if (addr_is_v4(&s->src) || addr_is_v4(&s->dst))
		return WIRE_BAD_IP;
	s->tos = (uint8_t)(get16(data) >> 4);
	s->ttl = data[7];
	s->may_fragment = false; /* so that what was read can be written */
	u->pseudo = csum_pseudo(&s->src, &s->dst, u->protocol, u->len);
	return WIRE_TCP;
}

static void parse_sack(struct tcp_opts *o, const uint8_t *at, uint8_t len)
{
	o->n_sack = (uint8_t)((len - 2) / OPT_SACK_BLOCK_LEN);
	for (size_t i = 0; i < o->n_sack; i++) {
		const uint8_t *block = at + 2 + OPT_SACK_BLOCK_LEN * i;

		o->sack[i].from = seq(get32(block));
		o->sack[i].to = seq(get32(block + 4));
	}
}

static inline void parse_ts(struct tcp_opts *o, const uint8_t *at)
{
	o->has_ts = true;
	o->tsval = get32(at);
	o->tsecr = get32(at + 4);
}

/* len is what the option says and is there. Five blocks do not fit into a header: n_sack has its bound. */
static inline void parse_option(struct tcp_opts *o, const uint8_t *at, uint8_t len)
{
	uint8_t kind = at[0];

	if (kind == OPT_MSS && len == OPT_MSS_LEN) {
		o->has_mss = true;
		o->mss = get16(at + 2);
	} else if (kind == OPT_WSCALE && len == OPT_WSCALE_LEN) {
		o->has_wscale = true;
		o->wscale = at[2];
	} else if (kind == OPT_SACK_PERMITTED && len == OPT_SACK_PERMITTED_LEN) {
		o->sack_permitted = true;
	} else if (kind == OPT_SACK && len > 2 && (len - 2) % OPT_SACK_BLOCK_LEN == 0) {
		parse_sack(o, at, len);
	} else if (kind == OPT_TS && len == OPT_TS_LEN) {
		parse_ts(o, at + 2);
	}
}

/* Options in the words of option.h, as most stacks send them. How many octets it read; the caller reads the rest. */
static inline size_t parse_usual_options(struct tcp_opts *o, const uint8_t *at, size_t len)
{
	const uint8_t *start = at, *end = at + len;

	if (len >= 4 && (get32(at) & 0xffff0000) == OPT_WORD_MSS) {
		o->has_mss = true;
		o->mss = get16(at + 2);
		at += 4;
	}
	if (end - at >= 12 && (get32(at) == OPT_WORD_TS || get32(at) == OPT_WORD_SACK_TS)) {
		o->sack_permitted = get32(at) == OPT_WORD_SACK_TS;
		parse_ts(o, at + 4);
		at += 12;
	}
	if (end - at >= 4 && (get32(at) & 0xffffff00) == OPT_WORD_WSCALE) {
		o->has_wscale = true;
		o->wscale = at[3];
		at += 4;
	}
	return (size_t)(at - start);
}

/* False: an option's length is impossible. Out of line: what is not in SYNs has timestamps only, or none. */
static APART bool parse_options(struct tcp_opts *o, const uint8_t *at, size_t len)
{
	size_t usual = parse_usual_options(o, at, len);

	at += usual;
	len -= usual;
	while (len) {
		uint8_t kind = at[0], size = 1;

		if (kind == OPT_END)
			return true;
		if (kind != OPT_NOP) {
			if (len < 2 || at[1] < 2 || at[1] > len)
				return false;
			size = at[1];
			parse_option(o, at, size);
		}
		at += size;
		len -= size;
	}
	return true;
}

static inline void take_tcp(struct seg *s, const uint8_t *at)
{
	uint32_t ports = get32(at), flags = get32(at + 12);

	s->sport = (uint16_t)(ports >> 16);
	s->dport = (uint16_t)ports;
	s->seq = seq(get32(at + 4));
	s->ack = seq(get32(at + 8));
	s->flags = (uint8_t)(flags >> 16);
	s->wnd = (uint16_t)flags;
	s->urg = get16(at + 18);
	s->opts.kinds = 0;
	s->opts.n_sack = 0;
}

/*
 * RFC 9293 3.1. What follows the part of fixed length is options_len octets of options, then text. Of segments that are no SYN nearly
 * all have timestamps only, in the usual form, or no options: these are not searched. The checksum is told of before options
 * that are none.
 */
static inline enum wire_verdict parse_tcp(struct seg *s, const struct upper *u, unsigned how)
{
	const uint8_t *at = u->at, *options = at + TCP_HEADER_LEN, *rest = options;
	uint32_t options_len = (at[12] >> 4) * 4U - TCP_HEADER_LEN, left = u->len - TCP_HEADER_LEN;
	uint64_t sum = u->pseudo;

	if (options_len > left) /* or a header of less than its 20 octets: below 0 */
		return WIRE_BAD_TCP;
	take_tcp(s, at);
	sum += (uint64_t)word_at(at) + word_at(at + 4) + word_at(at + 8) + word_at(at + 12) + word_at(at + 16);
	s->len = left - options_len;
	s->text = s->len ? options + options_len : NULL;
	if (options_len == TS_WORDS_LEN && word_at(options) == be32(OPT_WORD_TS)) {
		sum += (uint64_t)word_at(options) + word_at(options + 4) + word_at(options + 8);
		parse_ts(&s->opts, options + 4);
		rest += TS_WORDS_LEN;
		left -= TS_WORDS_LEN;
		options_len = 0; /* none that are still to be read */
	}
	if (!(how & PACKET_NO_TCP_CSUM)) {
		if (left)
			sum = csum_add(sum, rest, left);
		if (!csum_is_good(sum))
			return WIRE_BAD_CSUM;
	}
	return options_len == 0 || parse_options(&s->opts, options, options_len) ? WIRE_TCP : WIRE_BAD_TCP;
}

/* Errors about a packet (RFC 1122 3.2.2, RFC 4443 3); redirects are routing's. */
static bool is_icmp4_error(uint8_t type) { return type == 3 || type == 11 || type == 12; }
static bool is_icmp6_error(uint8_t type) { return type >= 1 && type <= 4; }

/* The packet an error is about: cut short, its checksums maybe no longer true. False: not TCP, or too little of it. */
static bool parse_echoed(struct icmp_error *e, const uint8_t *data, size_t len, bool v6)
{
	struct upper u = {.at = data + IPV6_HEADER_LEN};
	uint32_t header;

	if (len < (v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) || data[0] >> 4 != (v6 ? 6 : 4))
		return false;
	if (v6) {
		u.len = (uint32_t)(len - IPV6_HEADER_LEN);
		u.protocol = data[6];
		if (skip_extensions(&u) != WIRE_TCP)
			return false;
		e->src = addr_from_v6(data + 8);
		e->dst = addr_from_v6(data + 24);
		if (addr_is_v4(&e->src) || addr_is_v4(&e->dst))
			return false;
	} else {
		header = (data[0] & 15U) * 4;
		if (header < IPV4_HEADER_LEN || header > len || get16(data + 6) & IPV4_OFFSET)
			return false;
		u = (struct upper){.at = data + header, .len = (uint32_t)len - header, .protocol = data[9]};
		e->src = addr_from_v4(data + 12);
		e->dst = addr_from_v4(data + 16);
	}
	if (u.protocol != PROTO_TCP || u.len < TCP_ECHOED_LEN)
		return false;
	e->sport = get16(u.at);
	e->dport = get16(u.at + 2);
	e->seq = seq(get32(u.at + 4));
	return true;
}

static enum wire_verdict parse_icmp(struct icmp_error *e, struct upper u, bool v6)
{
	uint8_t type, code;

	if (u.len < ICMP_HEADER_LEN || csum_fold(csum_add(v6 ? u.pseudo : 0, u.at, u.len)) != 0)
		return WIRE_BAD_CSUM;
	type = u.at[0];
	code = u.at[1];
	if (!(v6 ? is_icmp6_error(type) : is_icmp4_error(type)))
		return WIRE_OTHER;
	if (!parse_echoed(e, u.at + ICMP_HEADER_LEN, u.len - ICMP_HEADER_LEN, v6))
		return WIRE_OTHER;
	e->type = type;
	e->code = code;
	e->mtu = 0;
	if (v6 && type == 2)
		e->mtu = get32(u.at + 4);
	else if (!v6 && type == 3 && code == 4) /* RFC 1191 4; 0 from routers older than it */
		e->mtu = get16(u.at + 6);
	return WIRE_ICMP_ERROR;
}

static enum wire_verdict parse_ipv4_packet(struct packet *p, const uint8_t *data, size_t len, unsigned how)
{
	struct upper u;
	enum wire_verdict verdict = parse_ipv4(&p->seg, data, len, &u);

	if (verdict != WIRE_TCP)
		return verdict;
	if (u.protocol == PROTO_TCP)
		return u.len < TCP_HEADER_LEN ? WIRE_BAD_TCP : parse_tcp(&p->seg, &u, how);
	return u.protocol == PROTO_ICMP ? parse_icmp(&p->icmp, u, false) : WIRE_OTHER;
}

static enum wire_verdict parse_ipv6_packet(struct packet *p, const uint8_t *data, size_t len, unsigned how)
{
	struct upper u;
	enum wire_verdict verdict = parse_ipv6(&p->seg, data, len, &u);

	if (verdict != WIRE_TCP)
		return verdict;
	if (u.protocol == PROTO_TCP)
		return u.len < TCP_HEADER_LEN ? WIRE_BAD_TCP : parse_tcp(&p->seg, &u, how);
	return u.protocol == PROTO_ICMP6 ? parse_icmp(&p->icmp, u, true) : WIRE_OTHER;
}

static APART enum wire_verdict parse_any(struct packet *p, const uint8_t *data, size_t len, unsigned how)
{
	unsigned version = len ? data[0] >> 4 : 0;

	if (version == 4)
		return parse_ipv4_packet(p, data, len, how);
	return version == 6 ? parse_ipv6_packet(p, data, len, how) : WIRE_BAD_IP;
}

/*
 * TCP in IPv4 without options, in one piece, undamaged: what nearly every packet is. False: it is something else, and nothing
 * has been said of it; parse_any() finds out what.
 */
static inline bool is_usual(const uint8_t *data, size_t len)
{
	enum { VERSION_4_NO_OPTIONS = 0x45 };
	uint32_t total;

	if (len < IPV4_HEADER_LEN || data[0] != VERSION_4_NO_OPTIONS || data[9] != PROTO_TCP)
		return false;
	total = get16(data + 2);
	if (total < IPV4_HEADER_LEN + TCP_HEADER_LEN || total > len || word_at(data + 4) & be32(IPV4_MORE_OR_OFFSET))
		return false;
	return csum_is_good((uint64_t)word_at(data) + word_at(data + 4) + word_at(data + 8) + word_at(data + 12) +
			    word_at(data + 16));
}

enum wire_verdict packet_parse(struct packet *p, const uint8_t *data, size_t len, unsigned how)
{
	if (is_usual(data, len)) {
		struct upper u = {.at = data + IPV4_HEADER_LEN, .len = get16(data + 2) - IPV4_HEADER_LEN};

		u.pseudo = (uint64_t)word_at(data + 12) + word_at(data + 16) + be32(PROTO_TCP << 16 | u.len);
		take_ipv4(&p->seg, data);
		p->verdict = parse_tcp(&p->seg, &u, how);
	} else {
		p->verdict = parse_any(p, data, len, how);
	}
	return p->verdict;
}
