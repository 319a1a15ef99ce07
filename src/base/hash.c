/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

static uint64_t rotl(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

struct sip {
	uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

uint64_t hash_bytes(struct hash_key key, const void *data, size_t len)
{
	struct sip s = {key.k0 ^ UINT64_C(0x736f6d6570736575), key.k1 ^ UINT64_C(0x646f72616e646f6d),
			key.k0 ^ UINT64_C(0x6c7967656e657261), key.k1 ^ UINT64_C(0x7465646279746573)};
	const unsigned char *p = data;
	uint64_t tail = (uint64_t)len << 56, word;

	for (size_t left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	for (size_t i = 0; i < len % 8; i++)
		tail |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= tail;
	sip_round(&s);
	s.v0 ^= tail;
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
