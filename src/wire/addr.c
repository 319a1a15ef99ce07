/* SPDX-License-Identifier: MIT */
#include "wire/addr.h"

struct addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) { return addr_from_v4((const uint8_t[]){a, b, c, d}); }
struct addr addr_from_v4(const void *four_octets) { return addr_from_v4_word(word_at(four_octets)); }

struct addr addr_from_v6(const void *sixteen_octets)
{
	struct addr a;

	memcpy(&a, sixteen_octets, sizeof(a));
	return a;
}

bool addr_is_any(const struct addr *a) { return (addr_is_v4(a) && a->w[3] == 0) || (a->d[0] == 0 && a->d[1] == 0); }

bool addr_is_loopback(const struct addr *a)
{
	return addr_is_v4(a) ? a->b[12] == 127 : a->d[0] == 0 && a->w[2] == 0 && a->w[3] == be32(1);
}

bool addr_is_unicast(const struct addr *a)
{
	bool multicast = addr_is_v4(a) ? a->b[12] >= 224 && a->b[12] <= 239 : a->b[0] == 0xff;

	return !multicast && !addr_is_any(a) && !(addr_is_v4(a) && a->w[3] == UINT32_MAX);
}

bool addr_parse(const char *text, struct addr *ret) { return inet_parse(text, ret->b); }
struct inet_text addr_text(const struct addr *a) { return inet_text(a->b); }
