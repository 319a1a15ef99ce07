/* SPDX-License-Identifier: MIT */
#include "model/ip.h"
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip ip_v4(const void *four_bytes)
{
	struct ip a = {.family = 4};

	memcpy(a.b, four_bytes, 4);
	return a;
}

struct ip ip_v6(const void *sixteen_bytes)
{
	const uint8_t *b = sixteen_bytes;
	struct ip a = {.family = 6};

	if (memcmp(b, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return ip_v4(b + sizeof(mapped_prefix));
	memcpy(a.b, b, 16);
	return a;
}

bool ip_eq(struct ip a, struct ip b) { return a.family == b.family && memcmp(a.b, b.b, sizeof(a.b)) == 0; }

bool ip_is_any(struct ip a)
{
	static const uint8_t zero[16];

	return memcmp(a.b, zero, sizeof(zero)) == 0;
}

bool ip_is_loopback(struct ip a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a.family == 4 ? a.b[0] == 127 : a.family == 6 && memcmp(a.b, one, sizeof(one)) == 0;
}

struct inet_text ip_text(struct ip a)
{
	uint8_t mapped[16];

	if (a.family == 6)
		return inet_text(a.b);
	if (a.family != 4)
		return (struct inet_text){"-"};
	memcpy(mapped, mapped_prefix, sizeof(mapped_prefix));
	memcpy(mapped + sizeof(mapped_prefix), a.b, 4);
	return inet_text(mapped);
}

struct ip_text ip_port_text(struct ip a, uint16_t port)
{
	struct inet_text ip = ip_text(a);
	struct ip_text t;

	if (ip_is_any(a))
		snprintf(t.s, sizeof(t.s), a.family == 6 ? "[::]:%u" : "*:%u", port);
	else
		snprintf(t.s, sizeof(t.s), a.family == 6 ? "[%s]:%u" : "%s:%u", ip.s, port);
	return t;
}

bool ip_parse(const char *s, struct ip *ret)
{
	uint8_t b[16];

	if (!inet_parse(s, b))
		return false;
	*ret = ip_v6(b);
	return true;
}
