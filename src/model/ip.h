/* SPDX-License-Identifier: MIT */
/* ip.h - an IP address as a value. ::ffff:a.b.c.d is always held as the IPv4 address it stands for. */
#pragma once
#include "base/inet.h"

struct ip {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t b[16]; /* network order; IPv4 in the first four, the rest zero */
};

struct ip_text { /* with a port */
	char s[56];
};

struct ip ip_v4(const void *four_bytes);
struct ip ip_v6(const void *sixteen_bytes); /* v4-mapped becomes v4 */
bool ip_eq(struct ip a, struct ip b);
bool ip_is_any(struct ip a);
bool ip_is_loopback(struct ip a); /* 127.0.0.0/8, ::1 */
struct inet_text ip_text(struct ip a); /* "-" if none */
struct ip_text ip_port_text(struct ip a, uint16_t port); /* "10.0.0.1:80", "[::1]:80", "*:80" for any */
bool ip_parse(const char *s, struct ip *ret); /* either family, no port; ret untouched on failure */
