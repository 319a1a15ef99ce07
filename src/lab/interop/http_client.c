/* SPDX-License-Identifier: MIT */
#include "lab/interop/http_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/link.h"
#include "lab/interop/octets.h"

PRINTF(2, 3) static void fail(struct http_client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	c->done = true;
	(void)end_close(&c->end);
}

static bool is_last(const struct http_client *c) { return c->asked == c->n_sizes; }

static void ask(struct http_client *c)
{
	const uint64_t n = c->sizes[c->asked++];

	c->request_len =
		(size_t)snprintf(c->request, sizeof(c->request),
				 "GET /octets/%" PRIu64 " HTTP/1.1\r\nHost: %s\r\nUser-Agent: lastack\r\n%s\r\n", n,
				 c->host, is_last(c) && c->last_closes ? "Connection: close\r\n" : "");
	c->request_sent = 0;
	c->hash = OCTETS_HASH;
}

static void write_some(struct http_client *c)
{
	while (!c->done && c->request_sent < c->request_len) {
		int64_t n = end_send(&c->end, c->request + c->request_sent, c->request_len - c->request_sent);

		if (n == -EAGAIN || (n == -ENOTCONN && !c->connected))
			return;
		if (n < 0)
			fail(c, "send: %s", strerror((int)-n));
		else
			c->request_sent += (size_t)n;
		c->connected = true;
	}
}

static void got_all(struct http_client *c)
{
	const uint64_t n = c->sizes[c->got];

	c->in_body = false;
	if (c->hash != octets_hash_of(OCTETS_HASH, n, n)) {
		fail(c, "the file of %" PRIu64 " octets has another hash", n);
		return;
	}
	c->got++;
	if (!is_last(c)) {
		ask(c);
	} else if (!c->last_closes) {
		c->done = true;
		(void)end_close(&c->end);
	}
}

static size_t take_body(struct http_client *c, const char *data, size_t len)
{
	size_t n = len < c->body_left ? len : (size_t)c->body_left;

	c->hash = octets_hash(c->hash, (const uint8_t *)data, n);
	c->body_left -= n;
	if (c->body_left == 0)
		got_all(c);
	return n;
}

/* Octets used; 0: more are needed, or it has failed. */
static size_t take_head(struct http_client *c)
{
	struct http_head h;
	int used = http_head_parse(c->head, c->head_len, &h);

	if (used < 0)
		fail(c, "the response is no HTTP: %s", strerror(-used));
	else if (used > 0 && (h.status != 200 || !h.has_length || h.encoded || h.length != c->sizes[c->got]))
		fail(c, "the answer is %u with %" PRIu64 " octets", h.status, h.length);
	if (used <= 0 || c->done)
		return 0;
	c->in_body = true;
	c->body_left = h.length;
	return (size_t)used;
}

/* What is in c->head: the end of one message, a whole one, the beginning of another. */
static void digest(struct http_client *c)
{
	size_t used;

	do {
		if (c->got == c->asked && c->head_len && !c->done)
			fail(c, "octets came that nobody asked for");
		if (c->done)
			return;
		used = c->in_body ? take_body(c, c->head, c->head_len) : take_head(c);
		if (c->in_body && c->body_left == 0 && !c->done)
			got_all(c); /* an empty file */
		c->head_len -= used;
		memmove(c->head, c->head + used, c->head_len);
	} while (used && c->head_len);
}

static void read_some(struct http_client *c)
{
	while (!c->done) {
		int64_t n = end_recv(&c->end, c->head + c->head_len, sizeof(c->head) - c->head_len, false);

		if (n == -EAGAIN || (n == -ENOTCONN && !c->connected))
			return;
		if (n < 0) {
			fail(c, "receive: %s", strerror((int)-n));
		} else if (n == 0 && c->got == c->n_sizes) {
			c->done = true;
			(void)end_close(&c->end);
		} else if (n == 0) {
			fail(c, "the server closed after %zu of %zu files", c->got, c->n_sizes);
		} else {
			c->head_len += (size_t)n;
			digest(c);
			write_some(c);
		}
	}
}

static void ready(struct end *e)
{
	struct http_client *c = container_of(e, struct http_client, end);

	write_some(c);
	read_some(c);
}

int http_fetch(struct http_client *c, struct drive *d, const struct la_endpoint *to)
{
	int err;

	must(c->n_sizes > 0);
	c->end = (struct end){.side = SIDE_ENGINE, .d = d, .ready = ready};
	err = end_connect(&c->end, to, 0);
	if (err == 0)
		ask(c);
	return err;
}
