/* SPDX-License-Identifier: MIT */
/* rig.h - packets for the tests of wire/: written by the code under test, then bent by hand; sums made the slow way. */
#pragma once
#include "tests/unit/t.h"
#include "tests/unit/wire/seg_same.h"
#include <stdio.h>
#include <stdlib.h>

struct bytes {
	uint8_t b[70000];
	size_t len;
};

/* RFC 1071 1, word for word: 16-bit big-endian words, a zero after an odd octet. */
static inline uint32_t slow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline void set16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void set_csum(uint8_t *field, uint32_t pseudo, const uint8_t *p, size_t len)
{
	set16(field, 0);
	set16(field, ~slow_sum(pseudo, p, len));
}

/* Makes all checksums of an IPv4 packet right that may have been changed, or added to, by hand; its length too. */
static inline void mend4(struct bytes *k)
{
	size_t header = (k->b[0] & 15U) * (size_t)4, upper = k->len - header;
	uint32_t pseudo = slow_sum(0, k->b + 12, 8) + k->b[9] + (uint32_t)upper;

	set16(k->b + 2, (uint32_t)k->len);
	set_csum(k->b + 10, 0, k->b, header);
	if (k->b[9] == 6 && upper >= 18)
		set_csum(k->b + header + 16, pseudo, k->b + header, upper);
	if (k->b[9] == 1 && upper >= 4)
		set_csum(k->b + header + 2, 0, k->b + header, upper);
}

/* The same for IPv6; what is carried starts at `at` and is of this protocol. */
static inline void mend6(struct bytes *k, size_t at, uint8_t protocol)
{
	size_t upper = k->len - at;
	uint32_t pseudo = slow_sum(0, k->b + 8, 32) + protocol + (uint32_t)upper;

	set16(k->b + 4, (uint32_t)k->len - 40);
	if (protocol == 6)
		set_csum(k->b + at + 16, pseudo, k->b + at, upper);
	if (protocol == 58)
		set_csum(k->b + at + 2, pseudo, k->b + at, upper);
}

static inline void insert(struct bytes *k, size_t at, const void *octets, size_t len)
{
	memmove(k->b + at + len, k->b + at, k->len - at);
	memcpy(k->b + at, octets, len);
	k->len += len;
}

static inline struct seg seg4(void)
{
	return (struct seg){.src = addr_v4(192, 0, 2, 1),
			    .dst = addr_v4(198, 51, 100, 2),
			    .sport = 40001,
			    .dport = 80,
			    .seq = seq(0xfedcba98),
			    .ack = seq(0x12345678),
			    .wnd = 0xfff0,
			    .flags = F_ACK,
			    .tos = 0xb9,
			    .ttl = 7};
}

static inline struct seg seg6(void)
{
	struct seg s = seg4();

	assert_true(addr_parse("2001:db8::1", &s.src));
	assert_true(addr_parse("2001:db8:ffff:1:2:3:4:5", &s.dst));
	return s;
}

static inline struct bytes written(const struct seg *s)
{
	struct bytes k;

	k.len = packet_write(k.b, sizeof(k.b), s, 0);
	assert_int_not_equal(k.len, 0);
	return k;
}

/* From memory that is exactly as long, so that a sanitizer sees what is read past it. text and sums are looked at. */
static inline enum wire_verdict parse_exactly(struct packet *p, const uint8_t *data, size_t len, unsigned how)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum wire_verdict verdict;

	assert_non_null(copy);
	memcpy(copy, data, len);
	memset(p, 0xa5, sizeof(*p));
	verdict = packet_parse(p, len ? copy : copy + 1, len, how);
	assert_int_equal(p->verdict, verdict);
	if (verdict == WIRE_TCP && p->seg.len) {
		assert_true(p->seg.text >= copy && p->seg.text + p->seg.len <= copy + len);
		p->seg.text = data + (p->seg.text - copy);
	}
	free(copy);
	return verdict;
}

static inline enum wire_verdict verdict_of(const struct bytes *k)
{
	struct packet p;

	return parse_exactly(&p, k->b, k->len, 0);
}
