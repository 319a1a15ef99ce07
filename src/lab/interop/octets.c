/* SPDX-License-Identifier: MIT */
#include "lab/interop/octets.h"

static uint64_t word(uint64_t seed, uint64_t i) /* splitmix64 at a place */
{
	uint64_t z = seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void octets_fill(uint64_t seed, uint64_t at, uint8_t *buf, size_t len)
{
	while (len > 0) {
		uint64_t w = word(seed, at / 8);
		size_t skip = at % 8, n = 8 - skip < len ? 8 - skip : len;

		for (size_t i = 0; i < n; i++)
			buf[i] = (uint8_t)(w >> (8 * (skip + i)));
		buf += n;
		at += n;
		len -= n;
	}
}

uint64_t octets_hash(uint64_t hash, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ buf[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t octets_hash_of(uint64_t hash, uint64_t seed, uint64_t n)
{
	uint8_t buf[4096];

	for (uint64_t at = 0; at < n; at += sizeof(buf)) {
		size_t len = n - at < sizeof(buf) ? (size_t)(n - at) : sizeof(buf);

		octets_fill(seed, at, buf, len);
		hash = octets_hash(hash, buf, len);
	}
	return hash;
}
