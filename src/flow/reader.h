/* SPDX-License-Identifier: MIT */
/*
 * reader.h - inside flow/: what the octets of a connection say, in the order in which they were sent. Whose turn it is
 * (exchanges) needs no more than directions; TLS and HTTP/2 are read as far as their records' heads, to tell handshakes and
 * farewells from data; HTTP/1 as far as messages begin and end.
 */
#pragma once
#include "model/conn.h"

enum proto { PROTO_UNKNOWN, PROTO_RAW, PROTO_HTTP, PROTO_TLS, PROTO_HTTP2 };

enum { LINE_MAX_KEPT = 128, LINE_TAIL = 9 };

enum part { /* of an HTTP/1 message */
	    PART_FIRST, /* line */
	    PART_HEADERS,
	    PART_BODY,
	    PART_CHUNK, /* its size's line */
	    PART_CHUNK_DATA, /* and what ends it */
	    PART_TRAILERS,
	    PART_TO_CLOSE, /* a body until the connection is closed */
	    PART_LOST, /* where the next message begins is not known */
};

struct voice { /* of one side */
	enum part part;
	uint64_t left; /* octets of a body, a chunk or a record */
	uint8_t line[LINE_MAX_KEPT]; /* a line's beginning, or a record's head */
	uint8_t tail[LINE_TAIL]; /* a line's end */
	uint8_t tail_n;
	uint32_t line_n; /* octets of the line so far, kept or not */
	/* the HTTP/1 message */
	bool chunked, has_length, head, connect;
	uint64_t length;
	unsigned status;
	/* the TLS or HTTP/2 record */
	uint8_t heard; /* enum heard of the record that left belongs to */
	bool changed_cipher, greeted_after, sent_data;
	uint8_t n_data; /* records of data, up to SETTINGS_WITHIN */
	bool notified; /* the newest one is an alert */
	bool settled; /* one was as long as HTTP/2's acknowledgement of settings */
};

enum heard { HEARD_CONTROL, HEARD_HANDSHAKE, HEARD_DATA }; /* the strongest in a segment counts */

struct reader {
	enum proto proto;
	bool client_spoke, client_greeted; /* data; a handshake; and the server has not answered yet */
	bool blind; /* HTTP is not to be read */
	bool begun; /* the client's first text was there */
	uint32_t lead; /* octets that a proxy says before the client's own text, not passed yet */
	bool unread; /* some message could not be read: requests and responses are not exact */
	uint64_t heads; /* requests not answered yet, oldest lowest: 1 for HEAD */
	unsigned asked; /* how many */
	struct voice voice[2];
};

struct text_span { /* text of which kept octets were captured */
	const uint8_t *at;
	uint32_t kept, len;
};

static inline void text_advance(struct text_span *t, uint32_t n) /* n is at most len */
{
	uint32_t of_kept = n < t->kept ? n : t->kept;

	if (of_kept)
		t->at += of_kept;
	t->kept -= of_kept;
	t->len -= n;
}

void reader_text(struct reader *r, struct conn *c, enum side by, nsec_t at, struct text_span t);
void reader_hole(struct reader *r, enum side by, uint32_t n); /* n octets were sent and not captured */

/* A request stands without its whole answer, when that side closes. */
bool reader_unanswered(const struct reader *r, const struct conn *c, enum side closing, bool reset);

/* ---- http.c ---- */
bool http_begins(enum side by, struct text_span t);
void http_text(struct reader *r, struct conn *c, enum side by, struct text_span t);
void http_hole(struct reader *r, enum side by, uint32_t n);

/* ---- records.c ---- */
bool tls_begins(struct text_span t);
bool http2_begins(struct text_span t);
bool tls_carries_http2(const struct reader *r);
enum heard tls_text(struct reader *r, enum side by, struct text_span t);
enum heard http2_text(struct reader *r, enum side by, struct text_span t);

/* Nothing but one alert, as long as they are in TLS 1.3 where its type is encrypted. No state is needed, so it can be told late. */
bool tls_is_alert(struct text_span t);
