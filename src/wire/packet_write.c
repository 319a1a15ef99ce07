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

static inline bool has_only_ts(const struct tcp_opts *o)
{
	return o->has_ts & !(o->has_mss | o->has_wscale | o->sack_permitted | o->n_sack);
}

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

static inline size_t options_len(const struct tcp_opts *o)
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
static void put_options(struct cursor *c, const struct tcp_opts *o)
{
	if (o->has_mss)
		put(c, OPT_WORD_MSS | o->mss);
	if (o->has_ts) {
		put(c, o->sack_permitted ? OPT_WORD_SACK_TS : OPT_WORD_TS);
		put(c, o->tsval);
		put(c, o->tsecr);
	} else if (o->sack_permitted) {
		put(c, OPT_WORD_SACK_PERMITTED);
	}
	if (o->has_wscale)
		put(c, OPT_WORD_WSCALE | o->wscale);
	if (o->n_sack) {
		unsigned n = sack_blocks(o);

		put(c, OPT_WORD_SACK | (2 + OPT_SACK_BLOCK_LEN * n));
		for (unsigned i = 0; i < n; i++) {
			put(c, o->sack[i].from.v);
			put(c, o->sack[i].to.v);
		}
	}
}

/* The sum is checksummed and starts anew with the pseudo header. */
static inline void put_ipv4(struct cursor *c, const struct seg *s, uint32_t tcp_len)
{
	uint32_t ttl = s->ttl ? s->ttl : DEFAULT_TTL, src = s->src.w[3], dst = s->dst.w[3];
	uint32_t first = be32(0x45U << 24 | (uint32_t)s->tos << 16 | (IPV4_HEADER_LEN + tcp_len));
	uint32_t third = ttl << 24 | PROTO_TCP << 16;
	uint32_t second =
		be32(s->may_fragment ? (uint32_t)s->id << 16 : IPV4_DF); /* DF: the id is free (RFC 6864 4.1) */
	uint64_t addresses = (uint64_t)src + dst;

	word_put(c->at, first);
	word_put(c->at + 4, second);
	word_put(c->at + 8, be32(third | be16(csum_fold(addresses + first + second + be32(third)))));
	word_put(c->at + 12, src);
	word_put(c->at + 16, dst);
	c->at += IPV4_HEADER_LEN;
	c->sum = addresses + be32(PROTO_TCP << 16 | tcp_len);
}

static void put_ipv6(struct cursor *c, const struct seg *s, uint32_t tcp_len)
{
	uint32_t ttl = s->ttl ? s->ttl : DEFAULT_TTL;

	put(c, 6U << 28 | (uint32_t)s->tos << 20);
	put(c, tcp_len << 16 | PROTO_TCP << 8 | ttl);
	memcpy(c->at, &s->src, sizeof(s->src));
	memcpy(c->at + 16, &s->dst, sizeof(s->dst));
	c->at += 32;
	c->sum = csum_pseudo(&s->src, &s->dst, PROTO_TCP, tcp_len);
}

size_t packet_write(uint8_t *buf, size_t cap, const struct seg *s, unsigned how)
{
	bool v4 = addr_is_v4(&s->dst), ts = has_only_ts(&s->opts);
	size_t ip_len = v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
	size_t header = TCP_HEADER_LEN + (ts ? 12 : options_len(&s->opts));
	size_t tcp_len = header + s->len, limit = v4 ? IP_LEN_MAX - IPV4_HEADER_LEN : IP_LEN_MAX;
	struct cursor c;
	uint16_t csum = 0;
	uint8_t *last;

	must(v4 == addr_is_v4(&s->src));
	if (tcp_len > limit || ip_len + tcp_len > cap)
		return 0;
	c.at = buf;
	c.sum = 0;
	if (v4)
		put_ipv4(&c, s, (uint32_t)tcp_len);
	else
		put_ipv6(&c, s, (uint32_t)tcp_len);
	put(&c, (uint32_t)s->sport << 16 | s->dport);
	put(&c, s->seq.v);
	put(&c, s->ack.v);
	put(&c, (uint32_t)header << 26 | (uint32_t)s->flags << 16 | s->wnd);
	last = c.at;
	c.sum += be32(s->urg);
	c.at += 4;
	if (ts) {
		put(&c, OPT_WORD_TS);
		put(&c, s->opts.tsval);
		put(&c, s->opts.tsecr);
	} else {
		put_options(&c, &s->opts);
	}
	if (s->len && s->text)
		memcpy(c.at, s->text, s->len);
	if (!(how & PACKET_NO_TCP_CSUM))
		csum = csum_fold(s->len ? csum_add(c.sum, s->text ? s->text : c.at, s->len) : c.sum);
	word_put(last, be32((uint32_t)be16(csum) << 16 | s->urg));
	return ip_len + tcp_len;
}
