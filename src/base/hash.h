/* SPDX-License-Identifier: MIT */
/* hash.h - a keyed hash for tables whose keys a stranger may choose (addresses, ports). The key is drawn once. */
#pragma once
#include "base/base.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-1-3 (Aumasson, Bernstein 2012; the 1-3 variant of the reference repository). */
uint64_t hash_bytes(struct hash_key key, const void *data, size_t len);

/*
 * The same in pieces, for keys of a fixed shape: sip_start(), sip_word() for each eight octets, then sip_end() with the
 * octets left over (seven at most) and the length of the whole in the highest octet.
 */
struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t sip_rotl(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

static inline struct sip sip_start(struct hash_key key)
{
	return (struct sip){key.k0 ^ UINT64_C(0x736f6d6570736575), key.k1 ^ UINT64_C(0x646f72616e646f6d),
			    key.k0 ^ UINT64_C(0x6c7967656e657261), key.k1 ^ UINT64_C(0x7465646279746573)};
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = sip_rotl(s->v1, 13) ^ s->v0;
	s->v0 = sip_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = sip_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = sip_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = sip_rotl(s->v1, 17) ^ s->v2;
	s->v2 = sip_rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t sip_end(struct sip *s, uint64_t tail)
{
	sip_word(s, tail);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}
