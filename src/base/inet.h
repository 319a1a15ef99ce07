/* SPDX-License-Identifier: MIT */
/* inet.h - IP addresses as text: 16 octets in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.2 and 2.5.5.2). */
#pragma once
#include "base/base.h"

/* "10.0.0.1", "2001:db8::1"; false and ret untouched if it is neither. */
bool inet_parse(const char *text, uint8_t ret[16]);

struct inet_text {
	char s[46];
};
struct inet_text inet_text(const uint8_t a[16]); /* IPv6 as RFC 5952 spells it */
