/* SPDX-License-Identifier: MIT */
/* addr.h - an IP address of either family: 16 octets in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
#pragma once
#include "base/inet.h"
#include "wire/octets.h"

struct addr {
	union {
		uint8_t b[16];
		uint32_t w[4]; /* network order */
		uint64_t d[2]; /* network order */
	};
};

#define ADDR_V4_MARK (WIRE_LITTLE_ENDIAN ? UINT32_C(0xffff0000) : UINT32_C(0xffff)) /* w[2] of an IPv4 address */

static inline struct addr addr_from_v4_word(uint32_t w) /* network order */
{
	uint64_t low = WIRE_LITTLE_ENDIAN ? (uint64_t)w << 32 | ADDR_V4_MARK : (uint64_t)ADDR_V4_MARK << 32 | w;

	return (struct addr){.d = {0, low}}; /* stored in the size in which addr_eq() loads it */
}

struct addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct addr addr_from_v4(const void *four_octets);
struct addr addr_from_v6(const void *sixteen_octets);

static inline bool addr_is_v4(const struct addr *a) { return a->d[0] == 0 && a->w[2] == ADDR_V4_MARK; }
static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

bool addr_is_any(const struct addr *a); /* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *a); /* 127/8 or ::1 */
bool addr_is_unicast(
	const struct addr *a); /* neither any, multicast nor limited broadcast: may be the end of a connection */

/* "10.0.0.1", "2001:db8::1"; false and *ret untouched if it is neither. */
bool addr_parse(const char *text, struct addr *ret);

struct inet_text addr_text(const struct addr *a);
