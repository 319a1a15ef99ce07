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

/* The longest run of at least two zero groups is written "::", the first of equals (RFC 5952 section 4.2). */
static void longest_zero_run(const uint16_t g[8], int *ret_at, int *ret_len)
{
	*ret_at = -1;
	*ret_len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && g[i + n] == 0)
			n++;
		if (n > *ret_len) {
			*ret_at = i;
			*ret_len = n;
		}
	}
}

struct ip_text ip_text(struct ip a)
{
	struct ip_text t = {"-"};
	uint16_t g[8];
	int at, len;
	size_t n = 0;

	if (a.family == 4)
		snprintf(t.s, sizeof(t.s), "%u.%u.%u.%u", a.b[0], a.b[1], a.b[2], a.b[3]);
	if (a.family != 6)
		return t;
	for (size_t i = 0; i < 8; i++)
		g[i] = (uint16_t)(a.b[2 * i] << 8 | a.b[2 * i + 1]);
	longest_zero_run(g, &at, &len);
	for (int i = 0; i < 8; i++) {
		if (i == at) {
			n += (size_t)snprintf(t.s + n, sizeof(t.s) - n, "::");
			i += len - 1;
		} else {
			bool colon = i && !(at >= 0 && i == at + len);

			n += (size_t)snprintf(t.s + n, sizeof(t.s) - n, colon ? ":%x" : "%x", g[i]);
		}
	}
	return t;
}

struct ip_text ip_port_text(struct ip a, uint16_t port)
{
	struct ip_text t, ip = ip_text(a);

	if (ip_is_any(a))
		snprintf(t.s, sizeof(t.s), a.family == 6 ? "[::]:%u" : "*:%u", port);
	else
		snprintf(t.s, sizeof(t.s), a.family == 6 ? "[%s]:%u" : "%s:%u", ip.s, port);
	return t;
}

static bool parse_v4(const char *s, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		for (; *s >= '0' && *s <= '9'; s++, digits++)
			if (digits >= 3 || (v = v * 10 + (unsigned)(*s - '0')) > 255)
				return false;
		if (digits == 0 || *s != (i < 3 ? '.' : '\0'))
			return false;
		s++;
		out[i] = (uint8_t)v;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct groups {
	uint8_t b[16];
	size_t n; /* groups read */
	size_t gap; /* how many stood before "::"; NO_GAP */
};
#define NO_GAP SIZE_MAX

/* One group at *s, or an IPv4 tail that counts as two. False: neither. */
static bool parse_group(const char **s, struct groups *g)
{
	unsigned v = 0;
	int digits = 0;

	if (g->n <= 6 && parse_v4(*s, g->b + 2 * g->n)) {
		g->n += 2;
		*s += strlen(*s);
		return true;
	}
	for (; hex_digit(**s) >= 0; (*s)++, digits++)
		if (digits >= 4)
			return false;
		else
			v = v << 4 | (unsigned)hex_digit(**s);
	if (!digits || g->n >= 8)
		return false;
	g->b[2 * g->n] = (uint8_t)(v >> 8);
	g->b[2 * g->n + 1] = (uint8_t)v;
	g->n++;
	return true;
}

static bool parse_v6(const char *s, uint8_t out[16])
{
	struct groups g = {.gap = NO_GAP};

	if (s[0] == ':' && s[1] != ':')
		return false;
	while (*s) {
		if (s[0] == ':' && s[1] == ':') {
			if (g.gap != NO_GAP)
				return false;
			g.gap = g.n;
			s += 2;
			continue;
		}
		if (g.n && *s == ':')
			s++;
		if (!parse_group(&s, &g) || (*s && *s != ':') || (s[0] == ':' && s[1] == '\0'))
			return false;
	}
	if (g.gap == NO_GAP ? g.n != 8 : g.n > 7)
		return false;
	memset(out, 0, 16);
	if (g.gap == NO_GAP)
		g.gap = g.n;
	memcpy(out, g.b, 2 * g.gap);
	memcpy(out + 16 - 2 * (g.n - g.gap), g.b + 2 * g.gap, 2 * (g.n - g.gap));
	return true;
}

bool ip_parse(const char *s, struct ip *ret)
{
	uint8_t b[16];

	if (parse_v4(s, b))
		*ret = ip_v4(b);
	else if (parse_v6(s, b))
		*ret = ip_v6(b);
	else
		return false;
	return true;
}
