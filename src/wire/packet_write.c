/* SPDX-License-Identifier: MIT */
#include "wire/csum.h"
#include "wire/option.h"
#include "wire/packet.h"

enum { PROTO_TCP = 6, DEFAULT_TTL = 64, IPV4_DF = 0x4000, IP_LEN_MAX = 65535 };

/* Where the next word goes, and the sum of those before: nothing is read again to be summed. */
struct cursor {
	uint8_t *at;
	uint64_t sum;
};

static inline void put(struct cursor *c, uint32_t v)
{
	uint32_t w = be32(v);

	word_put(c->at, w);
	c->at += 4;
	c->sum += w;
}

_Static_assert(offsetof(struct tcp_opts, has_ts) == 2, "OPTS_ONLY_TS");

/* The usual: timestamps and no other option. */
static inline bool has_only_ts(const struct tcp_opts *o) { return o->kinds == OPTS_ONLY_TS && !o->n_sack; }

/* Octets of all options but SACK blocks. */
static inline size_t fixed_len(const struct tcp_opts *o)
{
	return 4 * (size_t)o->has_mss + 12 * (size_t)o->has_ts + 4 * (size_t)o->has_wscale +
	       4 * (size_t)(o->sack_permitted & !o->has_ts);
}

/* SACK blocks that fit beside the rest; RFC 2018 3: the first ones are the most recent. */
static unsigned sack_blocks(const struct tcp_opts *o)
{
	size_t room = (TCP_OPTIONS_MAX - 4 - fixed_len(o)) / OPT_SACK_BLOCK_LEN;

	must(o->n_sack <= SACK_BLOCKS_MAX);
	return o->n_sack < room ? o->n_sack : (unsigned)room;
}

static APART size_t options_len(const struct tcp_opts *o)
{
	size_t len = fixed_len(o);

	if (o->n_sack)
		len += 4 + OPT_SACK_BLOCK_LEN * sack_blocks(o);
	return len;
}

size_t packet_header_len(const struct seg *s)
{
	return (addr_is_v4(&s->dst) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN) + TCP_HEADER_LEN + options_len(&s->opts);
}

/* In the order of Linux, each kind in words of its own, so that a reader finds the usual ones at once. */
static APART struct cursor put_options(struct cursor c, const struct tcp_opts *o)
{
	if (o->has_mss)
		put(&c, OPT_WORD_MSS | o->mss);
	if (o->has_ts) {
		put(&c, o->sack_permitted ? OPT_WORD_SACK_TS : OPT_WORD_TS);
		put(&c, o->tsval);
		put(&c, o->tsecr);
	} else if (o->sack_permitted) {
		put(&c, OPT_WORD_SACK_PERMITTED);
	}
	if (o->has_wscale)
		put(&c, OPT_WORD_WSCALE | o->wscale);
	if (o->n_sack) {
		unsigned n = sack_blocks(o);

		put(&c, OPT_WORD_SACK | (2 + OPT_SACK_BLOCK_LEN * n));
		for (unsigned i = 0; i < n; i++) {
			put(&c, o->sack[i].from.v);
			put(&c, o->sack[i].to.v);
		}
	}
	return c;
}

/* Two halves as they stand in memory. */
static inline uint32_t word_of(uint16_t first, uint16_t second)
{
	return WIRE_LITTLE_ENDIAN ? (uint32_t)second << 16 | first : (uint32_t)first << 16 | second;
}

/* RFC 791 3.1. The sum of the pseudo header. */
static inline uint64_t put_ipv4(uint8_t *at, const struct seg *s, uint32_t tcp_len)
{
	uint32_t src = s->src.w[3], dst = s->dst.w[3];
	uint32_t first = be32(0x45U << 24 | (uint32_t)s->tos << 16 | (IPV4_HEADER_LEN + tcp_len));
	uint32_t second =
		be32(s->may_fragment ? (uint32_t)s->id << 16 : IPV4_DF); /* DF: the id is free (RFC 6864 4.1) */
	uint32_t third = be32((uint32_t)(s->ttl ? s->ttl : DEFAULT_TTL) << 24 | PROTO_TCP << 16);
	uint64_t addresses = (uint64_t)src + dst;

	must(addr_is_v4(&s->src));
	word_put(at, first);
	word_put(at + 4, second);
	word_put(at + 8, third | word_of(0, csum_fold(addresses + first + second + third)));
	word_put(at + 12, src);
	word_put(at + 16, dst);
	return addresses + be32(PROTO_TCP << 16 | tcp_len);
}

/* RFC 8200 3. The sum of the pseudo header. */
static APART uint64_t put_ipv6(uint8_t *at, const struct seg *s, uint32_t tcp_len)
{
	must(!addr_is_v4(&s->src));
	word_put(at, be32(6U << 28 | (uint32_t)s->tos << 20));
	word_put(at + 4, be32(tcp_len << 16 | PROTO_TCP << 8 | (s->ttl ? s->ttl : DEFAULT_TTL)));
	memcpy(at + 8, &s->src, sizeof(s->src));
	memcpy(at + 24, &s->dst, sizeof(s->dst));
	return csum_pseudo(&s->src, &s->dst, PROTO_TCP, tcp_len);
}

size_t packet_write(uint8_t *buf, size_t cap, const struct seg *s, unsigned how)
{
	bool v4 = addr_is_v4(&s->dst), only_ts = has_only_ts(&s->opts);
	size_t ip_len = v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
	size_t header = TCP_HEADER_LEN + (only_ts ? 12 : options_len(&s->opts));
	size_t tcp_len = header + s->len, len = ip_len + tcp_len;
	struct cursor c = {.at = buf + ip_len};
	uint32_t urg = be32(s->urg), csum = 0;
	uint8_t *csum_at = c.at + 16;

	if (len > cap || (v4 ? len : tcp_len) > IP_LEN_MAX)
		return 0;
	c.sum = v4 ? put_ipv4(buf, s, (uint32_t)tcp_len) : put_ipv6(buf, s, (uint32_t)tcp_len);
	put(&c, (uint32_t)s->sport << 16 | s->dport);
	put(&c, s->seq.v);
	put(&c, s->ack.v);
	put(&c, (uint32_t)header << 26 | (uint32_t)s->flags << 16 | s->wnd);
	c.sum += urg;
	c.at += 4;
	if (only_ts) {
		put(&c, OPT_WORD_TS);
		put(&c, s->opts.tsval);
		put(&c, s->opts.tsecr);
	} else {
		c = put_options(c, &s->opts);
	}
	if (s->len) {
		if (s->text)
			memcpy(c.at, s->text, s->len);
		if (!(how & PACKET_NO_TCP_CSUM))
			c.sum = csum_add(c.sum, c.at, s->len);
	}
	if (!(how & PACKET_NO_TCP_CSUM))
		csum = word_of(csum_fold(c.sum), 0);
	word_put(csum_at, csum | urg);
	return len;
}
