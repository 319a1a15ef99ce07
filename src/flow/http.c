/* SPDX-License-Identifier: MIT */
/* http.c - HTTP/1 messages as far as they must be read to know where each ends (RFC 9112), and a few fields of theirs. */
#include <strings.h>

#include "flow/reader.h"

enum { ASKED_MAX = 64, METHOD_MAX = 16 };
#define LENGTH_MAX (UINT64_MAX / 16) /* room for one digit more */

static void lose(struct reader *r, struct voice *v)
{
	r->unread = true;
	v->part = PART_LOST;
}

/* ---- words ---- */

struct word { /* of a line; not terminated */
	const char *at;
	size_t len;
};

static bool is_space(char ch) { return ch == ' ' || ch == '\t'; }

static struct word trim(struct word w)
{
	while (w.len && is_space(w.at[0])) {
		w.at++;
		w.len--;
	}
	while (w.len && is_space(w.at[w.len - 1]))
		w.len--;
	return w;
}

static bool word_is(struct word w, const char *lower)
{
	return w.len == strlen(lower) && strncasecmp(w.at, lower, w.len) == 0;
}

/* The word before the next separator; *rest is what follows it. */
static struct word next_word(struct word *rest, char separator)
{
	const char *end = memchr(rest->at, separator, rest->len);
	size_t n = end ? (size_t)(end - rest->at) : rest->len;
	struct word w = {rest->at, n};

	rest->at += end ? n + 1 : n;
	rest->len -= end ? n + 1 : n;
	return trim(w);
}

/* Digits at the beginning; what follows them is not looked at. */
static uint64_t number(struct word w, unsigned base)
{
	uint64_t v = 0;

	for (size_t i = 0; i < w.len && v < LENGTH_MAX; i++) {
		char ch = w.at[i];
		unsigned digit = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
				 : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10
				 : ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A') + 10
							  : 16;

		if (digit >= base)
			break;
		v = v * base + digit;
	}
	return v;
}

/* The first word of a product list, as "nginx/1.22.1"; printable ASCII only. */
static void take_token(char *to, struct word w)
{
	size_t n = 0;

	while (n < w.len && n < CONN_TOKEN - 1 && w.at[n] > ' ' && w.at[n] < 127) {
		to[n] = w.at[n];
		n++;
	}
	to[n] = 0;
}

/* ---- lines ---- */

/* True: a line is whole; v->line and v->tail have what was kept of it, without CR and LF. Else more is needed, or t is at its cut. */
static bool take_line(struct voice *v, struct text_span *t)
{
	const uint8_t *end = t->kept ? memchr(t->at, '\n', t->kept) : NULL;
	uint32_t n = end ? (uint32_t)(end - t->at) : t->kept;
	uint32_t tail = n < LINE_TAIL ? n : LINE_TAIL;

	if (v->line_n < LINE_MAX_KEPT && n) {
		uint32_t room = LINE_MAX_KEPT - v->line_n;

		memcpy(v->line + v->line_n, t->at, n < room ? n : room);
	}
	if (tail) {
		uint32_t stays = v->tail_n + tail > LINE_TAIL ? LINE_TAIL - tail : v->tail_n;

		memmove(v->tail, v->tail + v->tail_n - stays, stays);
		memcpy(v->tail + stays, t->at + n - tail, tail);
		v->tail_n = (uint8_t)(stays + tail);
	}
	v->line_n = v->line_n + n < v->line_n ? UINT32_MAX : v->line_n + n;
	text_advance(t, end ? n + 1 : n);
	return end != NULL;
}

/* The line as far as it was kept. */
static struct word line_word(const struct voice *v)
{
	size_t n = v->line_n < LINE_MAX_KEPT ? v->line_n : LINE_MAX_KEPT;

	if (n && n == v->line_n && v->line[n - 1] == '\r')
		n--;
	return (struct word){(const char *)v->line, n};
}

static void line_done(struct voice *v)
{
	v->line_n = 0;
	v->tail_n = 0;
}

/* The version at a request line's end. 0: there is none. */
static unsigned tail_version(const struct voice *v)
{
	struct word w = {(const char *)v->tail, v->tail_n};

	if (w.len && w.at[w.len - 1] == '\r')
		w.len--;
	if (w.len < 8)
		return 0;
	w.at += w.len - 8;
	return strncmp(w.at, "HTTP/1.", 7) == 0 && (w.at[7] == '0' || w.at[7] == '1') ? 10 + (unsigned)(w.at[7] - '0')
										      : 0;
}

/* ---- messages ---- */

static bool request_line(struct conn *c, struct voice *v)
{
	struct word rest = line_word(v), method = next_word(&rest, ' ');
	unsigned version = tail_version(v);

	if (!version)
		return false;
	v->head = word_is(method, "HEAD");
	v->connect = word_is(method, "CONNECT");
	if (version == 10)
		c->http |= HTTP_REQUEST_10;
	return true;
}

static bool status_line(struct conn *c, struct voice *v)
{
	struct word rest = line_word(v), version = next_word(&rest, ' ');

	if (version.len != 8 || strncmp(version.at, "HTTP/1.", 7) != 0)
		return false;
	v->status = (unsigned)number(next_word(&rest, ' '), 10);
	if (version.at[7] == '0')
		c->http |= HTTP_RESPONSE_10;
	if (v->status < 100 || v->status >= 1000)
		return false;
	if (v->status >= 200)
		c->status = (uint16_t)v->status;
	return true;
}

static void connection_field(struct conn *c, enum side by, struct word value)
{
	while (value.len) {
		struct word w = next_word(&value, ',');

		if (word_is(w, "close"))
			c->http |= by == SIDE_CLIENT ? HTTP_REQUEST_CLOSE : HTTP_RESPONSE_CLOSE;
		else if (word_is(w, "keep-alive"))
			c->http |= by == SIDE_CLIENT ? HTTP_REQUEST_KEEP : HTTP_RESPONSE_KEEP;
	}
}

static uint32_t number32(struct word w)
{
	uint64_t v = number(w, 10);

	return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static void keep_alive_field(struct conn *c, struct word value)
{
	while (value.len) {
		struct word rest = next_word(&value, ','), name = next_word(&rest, '=');

		if (word_is(name, "timeout"))
			c->keep_alive_s = number32(rest);
	}
}

static void field(struct conn *c, enum side by, struct voice *v)
{
	struct word value = line_word(v), name = next_word(&value, ':');

	value = trim(value);
	if (word_is(name, "connection")) {
		connection_field(c, by, value);
	} else if (word_is(name, "content-length")) {
		v->has_length = true;
		v->length = number(value, 10);
	} else if (word_is(name, "transfer-encoding")) {
		v->chunked = value.len >= 7 && word_is((struct word){value.at + value.len - 7, 7}, "chunked");
	} else if (by == SIDE_SERVER && word_is(name, "server")) {
		take_token(c->server, value);
	} else if (by == SIDE_SERVER && word_is(name, "keep-alive")) {
		keep_alive_field(c, value);
	} else if (by == SIDE_CLIENT && word_is(name, "user-agent")) {
		take_token(c->agent, value);
	}
}

static void message_done(struct conn *c, enum side by, struct voice *v)
{
	v->part = PART_FIRST;
	if (by == SIDE_SERVER)
		c->responses++;
}

/* What follows the fields, where the message has a body. */
static void body_begins(struct conn *c, enum side by, struct voice *v)
{
	v->left = v->chunked ? 0 : v->length;
	if (v->chunked)
		v->part = PART_CHUNK;
	else if (v->left)
		v->part = PART_BODY;
	else
		message_done(c, by, v);
}

static void note_request(struct reader *r, struct conn *c, const struct voice *v)
{
	c->requests++;
	if (r->asked == ASKED_MAX) {
		r->unread = true; /* more requests ahead of their answers than are remembered */
	} else {
		r->heads &= ~(UINT64_C(1) << r->asked);
		r->heads |= (uint64_t)v->head << r->asked++;
	}
}

static void request_read(struct reader *r, struct conn *c, struct voice *v)
{
	note_request(r, c, v);
	body_begins(c, SIDE_CLIENT, v);
}

static bool opens_tunnel(const struct reader *r, const struct voice *server)
{
	return server->status == 101 || (r->voice[SIDE_CLIENT].connect && server->status / 100 == 2);
}

/* From here on it is another protocol: after CONNECT TLS more often than not. HTTP in there is not read: it is another's. */
static void open_tunnel(struct reader *r, unsigned status)
{
	r->proto = status == 101 ? PROTO_RAW : PROTO_UNKNOWN;
	r->blind = true;
	memset(r->voice, 0, sizeof(r->voice));
}

static void response_read(struct reader *r, struct conn *c, struct voice *v)
{
	bool head = r->heads & 1, tunnel = opens_tunnel(r, v);

	if (v->status / 100 == 1 && !tunnel) { /* the answer proper follows */
		v->part = PART_FIRST;
		return;
	}
	if (r->asked) {
		r->asked--;
		r->heads >>= 1;
	}
	if (tunnel) {
		c->responses++;
		open_tunnel(r, v->status);
	} else if (head || v->status == 204 || v->status == 304) {
		message_done(c, SIDE_SERVER, v);
	} else if (v->chunked || v->has_length) {
		body_begins(c, SIDE_SERVER, v);
	} else {
		c->responses++;
		v->part = PART_TO_CLOSE;
	}
}

/*
 * The capture has no more of this line. What was read of the message counts; where it ends is not known, so the next one is
 * looked for at the beginning of segments.
 */
static void cut(struct reader *r, struct conn *c, enum side by)
{
	struct voice *v = &r->voice[by];
	bool in_head = v->part == PART_FIRST || v->part == PART_HEADERS;

	if (v->part == PART_FIRST && !(by == SIDE_CLIENT || status_line(c, v))) {
		lose(r, v);
		return;
	}
	c->http |= by == SIDE_CLIENT ? HTTP_REQUEST_CUT : HTTP_RESPONSE_CUT;
	v->part = PART_LOST;
	if (by == SIDE_CLIENT) {
		if (in_head)
			note_request(r, c, v);
		return;
	}
	if (in_head && opens_tunnel(r, v))
		open_tunnel(r, v->status);
	else if (in_head && v->status / 100 == 1)
		return;
	if (in_head && r->asked) {
		r->asked--;
		r->heads >>= 1;
	}
	c->responses++;
}

/* A line of a message's head. */
static void head_line(struct reader *r, struct conn *c, enum side by)
{
	struct voice *v = &r->voice[by];
	struct word w = line_word(v);

	if (v->part == PART_FIRST) {
		/* An empty line before a request (RFC 9112 2.2); a line of the PROXY protocol that came in pieces. */
		if (w.len == 0 || (w.len > 6 && strncmp(w.at, "PROXY ", 6) == 0))
			return;
		v->chunked = v->has_length = false;
		v->length = 0;
		if (by == SIDE_CLIENT ? request_line(c, v) : status_line(c, v))
			v->part = PART_HEADERS;
		else
			lose(r, v);
	} else if (w.len) {
		field(c, by, v);
	} else if (by == SIDE_CLIENT) {
		request_read(r, c, v);
	} else {
		response_read(r, c, v);
	}
}

static void body_line(struct conn *c, enum side by, struct voice *v)
{
	struct word w = line_word(v);

	if (v->part == PART_CHUNK) {
		uint64_t size = number(w, 16);

		v->left = size + 2; /* CR and LF */
		v->part = size ? PART_CHUNK_DATA : PART_TRAILERS;
	} else if (w.len == 0) {
		message_done(c, by, v);
	}
}

static void whole_line(struct reader *r, struct conn *c, enum side by)
{
	struct voice *v = &r->voice[by];

	if (v->part == PART_FIRST || v->part == PART_HEADERS)
		head_line(r, c, by);
	else
		body_line(c, by, v);
	line_done(v);
}

/* Octets of a body, which need not be there. */
static void skip_body(struct conn *c, enum side by, struct voice *v, struct text_span *t)
{
	uint32_t n = v->left < t->len ? (uint32_t)v->left : t->len;

	text_advance(t, n);
	v->left -= n;
	if (v->left)
		return;
	if (v->part == PART_CHUNK_DATA)
		v->part = PART_CHUNK;
	else
		message_done(c, by, v);
}

/* After a loss: messages begin with segments, more often than not. */
static bool found_again(struct reader *r, enum side by, struct text_span t)
{
	if (!http_begins(by, t))
		return false;
	r->voice[by].part = PART_FIRST;
	line_done(&r->voice[by]);
	return true;
}

void http_text(struct reader *r, struct conn *c, enum side by, struct text_span t)
{
	struct voice *v = &r->voice[by];

	if (v->part == PART_LOST && !found_again(r, by, t))
		return;
	while (t.len && r->proto == PROTO_HTTP) {
		switch (v->part) {
		case PART_BODY:
		case PART_CHUNK_DATA:
			skip_body(c, by, v, &t);
			break;
		case PART_TO_CLOSE:
		case PART_LOST:
			return;
		case PART_FIRST:
		case PART_HEADERS:
		case PART_CHUNK:
		case PART_TRAILERS:
			if (take_line(v, &t))
				whole_line(r, c, by);
			else if (t.len)
				cut(r, c, by);
			break;
		}
	}
}

void http_hole(struct reader *r, enum side by, uint32_t n)
{
	struct voice *v = &r->voice[by];

	if ((v->part == PART_BODY || v->part == PART_CHUNK_DATA) && v->left > n)
		v->left -= n;
	else if (v->part != PART_TO_CLOSE)
		lose(r, v);
}

bool http_begins(enum side by, struct text_span t)
{
	const char *p = (const char *)t.at;
	uint32_t n = 0;

	if (by == SIDE_SERVER)
		return t.kept >= 8 && strncmp(p, "HTTP/1.", 7) == 0;
	while (n < t.kept && n < METHOD_MAX && p[n] >= 'A' && p[n] <= 'Z')
		n++;
	if (n < 3 || t.kept < n + 2 || p[n] != ' ')
		return false;
	if (strncmp(p, "CONNECT ", 8) == 0 || strncmp(p, "PROXY ", 6) == 0)
		return true;
	return p[n + 1] == '/' || p[n + 1] == '*' || strncmp(p + n + 1, "h", 1) == 0;
}
