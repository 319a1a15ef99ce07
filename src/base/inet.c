/* SPDX-License-Identifier: MIT */
#include "base/inet.h"
#include "base/text.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

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

bool inet_parse(const char *text, uint8_t ret[16])
{
	uint8_t b[16] = {0}, a[16] = {0};
	int gap, n;

	if (parse_v4(text, b)) {
		memcpy(ret, v4_prefix, sizeof(v4_prefix));
		memcpy(ret + sizeof(v4_prefix), b, 4);
		return true;
	}
	n = parse_groups(text, b, &gap);
	if (gap == NO_GAP ? n != 16 : n < 0 || n > 14)
		return false;
	if (gap == NO_GAP)
		gap = 16;
	for (int i = 0; i < n; i++)
		a[i < gap ? i : 16 - n + i] = b[i];
	memcpy(ret, a, sizeof(a));
	return true;
}

static unsigned group(const uint8_t a[16], int i)
{
	const uint8_t *at = a + 2 * (size_t)i;

	return (unsigned)at[0] << 8 | at[1];
}

/* The longest run of at least two zero groups is written "::", the first of equals (RFC 5952 4.2). */
static void longest_zero_run(const uint8_t a[16], int *ret_at, int *ret_len)
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

struct inet_text inet_text(const uint8_t a[16])
{
	struct inet_text t = {""};
	int at, len;

	if (memcmp(a, v4_prefix, sizeof(v4_prefix)) == 0) {
		append(t.s, sizeof(t.s), "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
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
