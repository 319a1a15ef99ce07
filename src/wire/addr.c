/* SPDX-License-Identifier: MIT */
#include "wire/addr.h"
#include "base/text.h"

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

/* Reads "a.b.c.d" up to the end of the text. */
static bool parse_v4(const char *s, uint8_t *ret)
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		for (; *s >= '0' && *s <= '9'; s++) {
			v = v * 10 + (unsigned)(*s - '0');
			if (++digits > 3 || v > 255)
				return false;
		}
		if (digits == 0 || *s != (i < 3 ? '.' : '\0'))
			return false;
		s++;
		ret[i] = (uint8_t)v;
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

/* Reads one group of up to four digits into two octets. The octets of text it took; 0 if there is none. */
static size_t parse_group(const char *s, uint8_t *ret)
{
	unsigned v = 0;
	size_t n = 0;

	for (; hex_digit(s[n]) >= 0; n++) {
		if (n == 4)
			return 0;
		v = v << 4 | (unsigned)hex_digit(s[n]);
	}
	ret[0] = (uint8_t)(v >> 8);
	ret[1] = (uint8_t)v;
	return n;
}

enum { NO_GAP = 17 };

/*
 * Reads groups and at most one "::" (RFC 4291 2.2). Returns how many octets are in b, -1 if the text is no address;
 * *ret_gap is where the "::" stood among them.
 */
static int parse_groups(const char *s, uint8_t b[16], int *ret_gap)
{
	int n = 0;

	*ret_gap = NO_GAP;
	if (s[0] == ':' && s[1] == ':') {
		*ret_gap = 0;
		s += 2;
	}
	while (*s) {
		size_t took;

		if (n == 16)
			return -1;
		if (n <= 12 && parse_v4(s, b + n))
			return n + 4;
		took = parse_group(s, b + n);
		if (!took)
			return -1;
		n += 2;
		s += took;
		if (s[0] == ':' && s[1] == ':' && *ret_gap == NO_GAP) {
			*ret_gap = n;
			s += 2;
		} else if (s[0] == ':' && s[1] != '\0') {
			s++;
		} else if (s[0]) {
			return -1;
		}
	}
	return n;
}

bool addr_parse(const char *text, struct addr *ret)
{
	uint8_t b[16] = {0};
	struct addr a = {0};
	int gap, n;

	if (parse_v4(text, b)) {
		*ret = addr_from_v4(b);
		return true;
	}
	n = parse_groups(text, b, &gap);
	if (gap == NO_GAP ? n != 16 : n < 0 || n > 14)
		return false;
	if (gap == NO_GAP)
		gap = 16;
	for (int i = 0; i < n; i++)
		a.b[i < gap ? i : 16 - n + i] = b[i];
	*ret = a;
	return true;
}

static uint16_t group(const struct addr *a, int i) { return get16(a->b + 2 * (size_t)i); }

/* The longest run of at least two zero groups is written "::", the first of equals (RFC 5952 4.2). */
static void longest_zero_run(const struct addr *a, int *ret_at, int *ret_len)
{
	*ret_at = -1;
	*ret_len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && group(a, i + n) == 0)
			n++;
		if (n > *ret_len) {
			*ret_at = i;
			*ret_len = n;
		}
	}
}

struct addr_text addr_text(const struct addr *a)
{
	struct addr_text t = {""};
	int at, len;

	if (addr_is_v4(a)) {
		append(t.s, sizeof(t.s), "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
		return t;
	}
	longest_zero_run(a, &at, &len);
	for (int i = 0; i < 8; i++) {
		if (i == at) {
			append(t.s, sizeof(t.s), "::");
			i += len - 1;
		} else {
			append(t.s, sizeof(t.s), i && i != at + len ? ":%x" : "%x", group(a, i));
		}
	}
	return t;
}
