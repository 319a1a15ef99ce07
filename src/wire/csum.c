/* SPDX-License-Identifier: MIT */
#include "wire/csum.h"

static inline uint64_t double_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* And the last 0 to 7 octets; an odd one counts as if a zero followed it. */
static inline uint64_t add_tail(uint64_t sum, const uint8_t *at, size_t len)
{
	if (len & 4) {
		sum += word_at(at);
		at += 4;
	}
	if (len & 2) {
		sum += be16(get16(at));
		at += 2;
	}
	if (len & 1)
		sum += WIRE_LITTLE_ENDIAN ? *at : (uint32_t)*at << 8;
	return sum;
}

/* Eights of octets: two chains of additions, each carry a 1 (RFC 1071 2.C, 2.D). Below 2^34 and the carries, of which there are as many as eights. */
static inline uint64_t eights(const uint8_t *at, size_t n)
{
	uint64_t sum = 0, other = 0, carries = 0;

	for (; n >= 4; n -= 4, at += 32) {
		uint64_t a = double_at(at), b = double_at(at + 8), c = double_at(at + 16), d = double_at(at + 24);

		sum += a;
		carries += sum < a;
		other += b;
		carries += other < b;
		sum += c;
		carries += sum < c;
		other += d;
		carries += other < d;
	}
	for (; n; n--, at += 8) {
		uint64_t a = double_at(at);

		sum += a;
		carries += sum < a;
	}
	return (sum & UINT32_MAX) + (sum >> 32) + (other & UINT32_MAX) + (other >> 32) + carries;
}

APART uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;

	if (len >= 8) {
		sum += eights(at, len / 8);
		at += len & ~(size_t)7;
	}
	return add_tail(sum, at, len);
}
