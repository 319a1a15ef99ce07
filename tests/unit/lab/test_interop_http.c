/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lab/interop/http.h"
#include "lab/interop/octets.h"
#include "tests/unit/t.h"

static int parsed(const char *text, struct http_head *h) { return http_head_parse(text, strlen(text), h); }

TEST(request__method_target_and_how_it_goes_on)
{
	struct http_head h;
	const char *text = "GET /octets/5 HTTP/1.1\r\nHost: x\r\n\r\nGET";

	assert_int_equal(parsed(text, &h), (int)strlen(text) - 3);
	assert_string_equal(h.method, "GET");
	assert_string_equal(h.target, "/octets/5");
	assert_true(h.status == 0 && !h.close && !h.has_length && !h.encoded);
}

TEST(connection__closes_or_stays__as_version_and_header_say)
{
	static const struct {
		const char *text;
		bool close;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nconnection:upgrade ,\tClose \r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false},
		{"GET / HTTP/1.1\nConnection: close\n\n", true},
		{"GET / HTTP/1.1\r\nX-Connection: close\r\n\r\n", false},
	};
	struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(parsed(rows[i].text, &h) > 0);
		assert_int_equal(h.close, rows[i].close);
	}
}

TEST(response__status_and_length)
{
	struct http_head h;

	assert_true(parsed("HTTP/1.1 200 OK\r\nContent-Length: 12345678901\r\n\r\n", &h) > 0);
	assert_true(h.status == 200 && h.has_length && h.length == UINT64_C(12345678901));
	assert_true(parsed("HTTP/1.1 404\r\nTransfer-Encoding: chunked\r\n\r\n", &h) > 0);
	assert_true(h.status == 404 && !h.has_length && h.encoded);
}

TEST(part_of_a_head__more_is_needed)
{
	const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
	struct http_head h;

	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(http_head_parse(text, len, &h), 0);
}

TEST(nonsense__is_refused)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"G(T / HTTP/1.1\r\n\r\n",
		"LONGMETHOD / HTTP/1.1\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\n: empty\r\n\r\n",
		"GET / HTTP/1.1\r\na b: c\r\n\r\n",
		"GET / HTTP/1.1\r\n folded: c\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: \r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 OK\r\n\r\n",
	};
	struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parsed(bad[i], &h), -EBADMSG);
}

TEST(too_long__is_refused__whatever_it_is)
{
	static char text[HTTP_HEAD_MAX + 10];
	struct http_head h;

	memset(text, 'a', sizeof(text));
	assert_int_equal(http_head_parse(text, HTTP_HEAD_MAX - 1, &h), 0);
	assert_int_equal(http_head_parse(text, HTTP_HEAD_MAX, &h), -EMSGSIZE);
	snprintf(text, sizeof(text), "GET /%0200d HTTP/1.1\r\n\r\n", 0);
	assert_int_equal(parsed(text, &h), -EMSGSIZE);
}

TEST(random_octets__never_more_is_taken_than_there_is)
{
	static const char alphabet[] = "GET HTTP/1.1 :\r\n\r\n0123456789,\tclose\0";
	struct rng r;

	rng_seed(&r, 1);
	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&r, 64);
		char *text = malloc(len + 1); /* as long as it is, so that valgrind and ASan see a step too far */
		struct http_head h;

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[rng_below(&r, sizeof(alphabet))];
		assert_true(http_head_parse(text, len, &h) <= (int)len);
		free(text);
	}
}

TEST(target__of_octets)
{
	uint64_t n = 7;

	assert_true(http_octets_target("/octets/1460", &n));
	assert_int_equal(n, 1460);
	assert_false(http_octets_target("/octets/", &n));
	assert_false(http_octets_target("/octets/1x", &n));
	assert_false(http_octets_target("/octets", &n));
	assert_false(http_octets_target("/", &n));
	assert_false(http_octets_target("/octets/9999999999999999999", &n));
	assert_int_equal(n, 1460);
}

TEST(octets__are_the_same_however_they_are_cut)
{
	uint8_t whole[100], part[100];
	uint64_t hash = OCTETS_HASH;

	octets_fill(42, 0, whole, sizeof(whole));
	for (size_t at = 0, len = 1; at < sizeof(whole); at += len, len = len % 13 + 1) {
		if (len > sizeof(whole) - at)
			len = sizeof(whole) - at;
		octets_fill(42, at, part, len);
		assert_memory_equal(part, whole + at, len);
		hash = octets_hash(hash, part, len);
	}
	assert_true(hash == octets_hash(OCTETS_HASH, whole, sizeof(whole)));
	assert_true(hash == octets_hash_of(OCTETS_HASH, 42, sizeof(whole)));
	assert_true(hash != octets_hash_of(OCTETS_HASH, 43, sizeof(whole)));
	/* draft-eastlake-fnv-21, test vectors: "foobar" */
	assert_true(octets_hash(OCTETS_HASH, (const uint8_t *)"foobar", 6) == UINT64_C(0x85944171f73967e8));
}

RUN(T(request__method_target_and_how_it_goes_on), T(connection__closes_or_stays__as_version_and_header_say),
    T(response__status_and_length), T(part_of_a_head__more_is_needed), T(nonsense__is_refused),
    T(too_long__is_refused__whatever_it_is), T(random_octets__never_more_is_taken_than_there_is), T(target__of_octets),
    T(octets__are_the_same_however_they_are_cut))
