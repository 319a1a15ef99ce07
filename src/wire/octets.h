/* SPDX-License-Identifier: MIT */
/*
 * octets.h - numbers as they stand in packets. A "word" here is 32 bits as loaded from memory, in network order: sums
 * of words need no swapping (RFC 1071 2.B), and loads of the size that was stored are forwarded by the processor.
 */
#pragma once
#include "base/base.h"

#define WIRE_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Network order from host order, and back. */
static inline uint16_t be16(uint16_t v) { return WIRE_LITTLE_ENDIAN ? __builtin_bswap16(v) : v; }
static inline uint32_t be32(uint32_t v) { return WIRE_LITTLE_ENDIAN ? __builtin_bswap32(v) : v; }

static inline uint32_t word_at(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline void word_put(uint8_t *p, uint32_t w) { memcpy(p, &w, sizeof(w)); }

/* In host order. */
static inline uint32_t get32(const uint8_t *p) { return be32(word_at(p)); }
static inline uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
