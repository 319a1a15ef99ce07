/* SPDX-License-Identifier: MIT */
/*
 * csum.h - the Internet checksum (RFC 1071). Sums are carried as 64 bits and folded once at the end. They are of words
 * in network order; words of 16 and 32 bits may be added to a sum directly: what csum_add() adds is below 2^36.
 */
#pragma once
#include "wire/addr.h"

uint64_t csum_add(uint64_t sum, const void *data, size_t len); /* len may be odd only for the last part */

/* The complement, in network order as it stands in memory. A number plus its own rotation has the carry in place. */
static inline uint16_t csum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum >> 32 | sum << 32;
	half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return (uint16_t) ~(half >> 16);
}

/*
 * What is right adds up to a multiple of ffff, the zero of ones' complement: with a constant a compiler needs no division for it.
 * The sum is not of zeros only: a version or a protocol is in it.
 */
static inline bool csum_is_good(uint64_t sum) { return sum % 0xffff == 0; }

/*
 * RFC 9293 3.1, RFC 8200 8.1. One for both families: the mark of an IPv4 address, ffff, is a zero in ones' complement,
 * and with a protocol the sum is not empty, so it changes nothing.
 */
static inline uint64_t csum_pseudo(const struct addr *src, const struct addr *dst, uint8_t protocol, uint32_t len)
{
	uint64_t sum = (uint64_t)be32(protocol) + be32(len) + src->w[3] + dst->w[3];

	if (src->d[0] == 0 && src->w[2] == ADDR_V4_MARK)
		return sum;
	sum += (uint64_t)src->w[0] + src->w[1] + src->w[2];
	return sum + dst->w[0] + dst->w[1] + dst->w[2];
}
