/* SPDX-License-Identifier: MIT */
#include "flow/reader.h"
#include "wire/octets.h"

enum { PROXY_LINE_MAX = 107, PROXY_2_HEAD = 16 };

/* What a proxy says of the client before the client's own text: PROXY protocol, a line (version 1) or octets (version 2). */
static uint32_t proxy_lead(struct text_span t)
{
	static const char mark[] = "\r\n\r\n\0\r\nQUIT\n";
	const uint8_t *end;

	if (t.kept >= PROXY_2_HEAD && memcmp(t.at, mark, sizeof(mark) - 1) == 0)
		return PROXY_2_HEAD + get16(t.at + PROXY_2_HEAD - 2);
	if (t.kept < 6 || memcmp(t.at, "PROXY ", 6) != 0)
		return 0;
	end = memchr(t.at, '\n', t.kept < PROXY_LINE_MAX ? t.kept : PROXY_LINE_MAX);
	return end ? (uint32_t)(end + 1 - t.at) : 0;
}

/* Passes it; false: nothing else is there. */
static bool pass_lead(struct reader *r, struct text_span *t)
{
	uint32_t n;

	if (!r->begun)
		r->lead = proxy_lead(*t);
	r->begun = true;
	n = r->lead < t->len ? r->lead : t->len;
	r->lead -= n;
	text_advance(t, n);
	return t->len != 0;
}

/* By the first text of either side. */
static void guess(struct reader *r, struct conn *c, enum side by, struct text_span t)
{
	r->proto = PROTO_RAW;
	if (http2_begins(t)) {
		r->proto = PROTO_HTTP2;
		c->seen |= SEEN_HTTP2;
		r->voice[SIDE_CLIENT].left = 24; /* its preface (RFC 9113 3.4), then frames */
	} else if (tls_begins(t)) {
		r->proto = PROTO_TLS;
		c->seen |= SEEN_TLS;
	} else if (!r->blind && http_begins(by, t)) {
		r->proto = PROTO_HTTP;
	}
}

static enum heard read_text(struct reader *r, struct conn *c, enum side by, struct text_span t)
{
	switch (r->proto) {
	case PROTO_HTTP:
		http_text(r, c, by, t);
		return HEARD_DATA;
	case PROTO_TLS:
		return tls_text(r, by, t);
	case PROTO_HTTP2:
		return http2_text(r, by, t);
	case PROTO_UNKNOWN:
	case PROTO_RAW:
		return HEARD_DATA;
	}
	must_not_reach("no such protocol");
}

static void client_says(struct reader *r, enum heard what)
{
	if (what == HEARD_DATA)
		r->client_spoke = true;
	else
		r->client_greeted = true;
}

static void server_says(struct reader *r, struct conn *c)
{
	if (r->client_spoke || r->client_greeted)
		c->exchanges++;
	if (r->client_greeted && !r->client_spoke)
		c->tls_exchanges++;
	r->client_spoke = r->client_greeted = false;
}

/* Where the next record begins is not known any more once parts were not captured, but an alert is sent by itself. */
static void note_alert(const struct reader *r, struct conn *c, enum side by, nsec_t at, struct text_span t)
{
	bool notified = r->proto == PROTO_TLS ? r->voice[by].notified : tls_is_alert(t);

	if (!notified)
		c->notify[by] = 0;
	else if (!c->notify[by])
		c->notify[by] = at;
}

void reader_text(struct reader *r, struct conn *c, enum side by, nsec_t at, struct text_span t)
{
	enum heard what;

	if (by == SIDE_CLIENT && (!r->begun || r->lead) && !pass_lead(r, &t))
		return;
	if (r->proto == PROTO_UNKNOWN)
		guess(r, c, by, t);
	what = read_text(r, c, by, t);
	if (tls_carries_http2(r))
		c->seen |= SEEN_HTTP2;
	if (c->seen & SEEN_TLS)
		note_alert(r, c, by, at, t);
	if (what == HEARD_CONTROL)
		return;
	if (c->first == SIDE_NONE)
		c->last_data[by] = at;
	if (by == SIDE_CLIENT)
		client_says(r, what);
	else
		server_says(r, c);
	if (r->proto == PROTO_HTTP && !r->unread && c->requests + c->responses)
		c->seen |= SEEN_HEADERS;
	else
		c->seen &= ~(uint32_t)SEEN_HEADERS;
}

void reader_hole(struct reader *r, enum side by, uint32_t n)
{
	struct voice *v = &r->voice[by];

	if (by == SIDE_CLIENT && (!r->begun || r->lead)) { /* where the client's own text begins is not known */
		r->begun = true;
		r->lead = 0;
	}
	if (r->proto == PROTO_HTTP) {
		http_hole(r, by, n);
	} else if (r->proto == PROTO_UNKNOWN) {
		r->proto = PROTO_RAW;
	} else if (r->proto == PROTO_TLS || r->proto == PROTO_HTTP2) {
		if (v->line_n == 0 && v->left >= n)
			v->left -= n;
		else
			r->proto = PROTO_RAW;
	}
}

bool reader_unanswered(const struct reader *r, const struct conn *c, enum side closing, bool reset)
{
	const struct voice *server = &r->voice[SIDE_SERVER];

	if (r->proto != PROTO_HTTP || r->unread || c->http & (HTTP_REQUEST_CUT | HTTP_RESPONSE_CUT) ||
	    c->seen & SEEN_HOLES)
		return r->client_spoke;
	if (server->part == PART_TO_CLOSE)
		return closing == SIDE_CLIENT || reset;
	return r->asked > 0 || (server->part != PART_FIRST && server->part != PART_LOST);
}
