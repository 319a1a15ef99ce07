/* SPDX-License-Identifier: MIT */
#include "lab/interop/http.h"

#include <errno.h>
#include <strings.h>

/* A run of octets in the head. */
struct span {
	const char *at;
	size_t len;
};

static bool is_token(char c) /* RFC 9110 5.6.2, as far as methods and field names use it */
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_!#$%&'*+.^`|~", c));
}

/* Up to `until`, which is passed over; false: it is not there. */
static bool cut(struct span *from, char until, struct span *ret)
{
	const char *p = from->len ? memchr(from->at, until, from->len) : NULL;

	if (!p)
		return false;
	*ret = (struct span){from->at, (size_t)(p - from->at)};
	from->len -= ret->len + 1;
	from->at = p + 1;
	return true;
}

static bool is(struct span s, const char *word) { return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0; }

static bool copy(struct span s, char *ret, size_t cap)
{
	if (s.len == 0 || s.len >= cap)
		return false;
	memcpy(ret, s.at, s.len);
	ret[s.len] = 0;
	return true;
}

static struct span trimmed(struct span s)
{
	while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len && strchr(" \t", s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool number(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.at[i] - '0');
	}
	*ret = v;
	return true;
}

/* HTTP/1.0 ends its connection by default, HTTP/1.1 keeps it (RFC 9112 9.3). */
static bool version(struct span s, struct http_head *h)
{
	h->close = is(s, "HTTP/1.0");
	return h->close || is(s, "HTTP/1.1");
}

static int first_line(struct span line, struct http_head *h)
{
	struct span a, b;
	uint64_t status;

	if (!cut(&line, ' ', &a))
		return -EBADMSG;
	if (version(a, h)) {
		if (!cut(&line, ' ', &b))
			b = line;
		if (b.len != 3 || !number(b, &status) || status < 100)
			return -EBADMSG;
		h->status = (unsigned)status;
		return 0;
	}
	for (size_t i = 0; i < a.len; i++)
		if (!is_token(a.at[i]))
			return -EBADMSG;
	if (!cut(&line, ' ', &b) || !version(line, h) || b.len == 0 || !copy(a, h->method, sizeof(h->method)))
		return -EBADMSG;
	return copy(b, h->target, sizeof(h->target)) ? 0 : -EMSGSIZE;
}

static void connection(struct span value, struct http_head *h)
{
	struct span one;

	do {
		if (!cut(&value, ',', &one)) {
			one = value;
			value.len = 0;
		}
		one = trimmed(one);
		if (is(one, "close"))
			h->close = true;
		else if (is(one, "keep-alive"))
			h->close = false;
	} while (value.len);
}

static int field(struct span line, struct http_head *h)
{
	struct span name;
	uint64_t length;

	if (!cut(&line, ':', &name) || name.len == 0)
		return -EBADMSG;
	for (size_t i = 0; i < name.len; i++)
		if (!is_token(name.at[i]))
			return -EBADMSG;
	line = trimmed(line);
	if (is(name, "connection")) {
		connection(line, h);
	} else if (is(name, "transfer-encoding")) {
		h->encoded = true;
	} else if (is(name, "content-length")) {
		if (!number(line, &length) || (h->has_length && length != h->length))
			return -EBADMSG; /* RFC 9112 6.3: a recipient must not guess */
		h->has_length = true;
		h->length = length;
	}
	return 0;
}

/* A line without its end; a bare LF ends one too (RFC 9112 2.2). */
static bool cut_line(struct span *from, struct span *ret)
{
	if (!cut(from, '\n', ret))
		return false;
	if (ret->len && ret->at[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

int http_head_parse(const char *buf, size_t len, struct http_head *ret)
{
	struct span rest = {buf, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX}, line;
	struct http_head h = {.status = 0};
	bool first = true;

	while (cut_line(&rest, &line)) {
		int err;

		if (line.len == 0 && !first) {
			*ret = h;
			return (int)(rest.at - buf);
		}
		err = first ? first_line(line, &h) : field(line, &h);
		if (err)
			return err;
		first = false;
	}
	return len >= HTTP_HEAD_MAX ? -EMSGSIZE : 0;
}

bool http_octets_target(const char *target, uint64_t *ret)
{
	static const char prefix[] = "/octets/";

	if (strncmp(target, prefix, strlen(prefix)) != 0)
		return false;
	target += strlen(prefix);
	return number((struct span){target, strlen(target)}, ret);
}
