/* SPDX-License-Identifier: MIT */
/* records.c - TLS and HTTP/2: both are sent in records with a length, which is all that is read of them. */
#include "flow/reader.h"
#include "wire/octets.h"

enum {
	TLS_HEAD = 5,
	TLS_RECORD_MAX = 16384 + 2048,
	TLS_CHANGE_CIPHER = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_DATA = 23
};
enum { TLS_CLIENT_HELLO = 1 };
enum {
	TLS13_ALERT_LEN = 2 + 1 + 16
}; /* level and description, content type, tag of the usual ciphers (RFC 8446 5.2) */
enum { HTTP2_HEAD = 9, HTTP2_DATA = 0, HTTP2_HEADERS = 1, SETTINGS_WITHIN = 8 };

bool tls_begins(struct text_span t)
{
	return t.kept > TLS_HEAD && t.at[0] == TLS_HANDSHAKE && t.at[1] == 3 && t.at[TLS_HEAD] == TLS_CLIENT_HELLO;
}

bool http2_begins(struct text_span t)
{
	static const char preface[] = "PRI * HTTP/2.0";

	return t.kept >= sizeof(preface) - 1 && memcmp(t.at, preface, sizeof(preface) - 1) == 0;
}

/* False: it does not fit what was captured. True: the head, or what there is of it so far, is in v->line. */
static bool take_head(struct voice *v, struct text_span *t, uint32_t size)
{
	uint32_t want = size - v->line_n, n = want < t->len ? want : t->len;

	if (n > t->kept)
		return false;
	memcpy(v->line + v->line_n, t->at, n);
	v->line_n += n;
	text_advance(t, n);
	return true;
}

/*
 * Under TLS HTTP/2 is known by the empty frame with which each side must acknowledge the other's settings (RFC 9113 6.5.3),
 * in a record of its own among the first. What encryption adds: type and tag in 1.3, nonce and tag or tag alone in 1.2.
 */
static void note_settings(struct voice *v, bool is_13, uint32_t len)
{
	if (v->n_data == SETTINGS_WITHIN)
		return;
	v->n_data++;
	v->settled |= is_13 ? len == HTTP2_HEAD + 17 : len == HTTP2_HEAD + 24 || len == HTTP2_HEAD + 16;
}

bool tls_carries_http2(const struct reader *r)
{
	return r->voice[SIDE_CLIENT].settled && r->voice[SIDE_SERVER].settled;
}

/*
 * What a record of application data is. In TLS 1.3 the rest of the handshake is one too (RFC 8446 5.1): the server's before
 * the client sent any, the client's first. In 1.2 a client sends a handshake record after its ChangeCipherSpec.
 */
static enum heard data_heard(struct reader *r, enum side by, uint32_t len)
{
	struct voice *v = &r->voice[by];
	const struct voice *client = &r->voice[SIDE_CLIENT];
	bool is_13 = !client->greeted_after;

	if (!is_13 || client->sent_data)
		note_settings(v, is_13, len);
	if (!is_13)
		return HEARD_DATA;
	if (by == SIDE_SERVER && !client->sent_data)
		return HEARD_HANDSHAKE;
	if (by == SIDE_CLIENT && !v->sent_data) {
		v->sent_data = true;
		return HEARD_HANDSHAKE;
	}
	return len == TLS13_ALERT_LEN ? HEARD_CONTROL : HEARD_DATA;
}

bool tls_is_alert(struct text_span t)
{
	uint32_t len;

	if (t.kept < TLS_HEAD || t.at[1] != 3)
		return false;
	len = get16(t.at + 3);
	return t.len == TLS_HEAD + len && (t.at[0] == TLS_ALERT || (t.at[0] == TLS_DATA && len == TLS13_ALERT_LEN));
}

/* False: no head of a record. */
static bool tls_head(struct reader *r, enum side by)
{
	struct voice *v = &r->voice[by];
	uint32_t len = get16(v->line + 3);

	if (v->line[1] != 3 || len > TLS_RECORD_MAX)
		return false;
	v->left = len;
	v->notified = false;
	switch (v->line[0]) {
	case TLS_CHANGE_CIPHER:
		v->changed_cipher = true;
		v->heard = HEARD_HANDSHAKE;
		return true;
	case TLS_HANDSHAKE:
		v->greeted_after |= v->changed_cipher;
		v->heard = HEARD_HANDSHAKE;
		return true;
	case TLS_ALERT:
		v->notified = true;
		v->heard = HEARD_CONTROL;
		return true;
	case TLS_DATA:
		v->heard = (uint8_t)data_heard(r, by, len);
		v->notified = v->heard == HEARD_CONTROL;
		return true;
	default:
		return false;
	}
}

static bool http2_head(struct reader *r, enum side by)
{
	struct voice *v = &r->voice[by];

	v->left = get32(v->line) >> 8;
	v->heard = v->line[3] == HTTP2_DATA || v->line[3] == HTTP2_HEADERS ? HEARD_DATA : HEARD_CONTROL;
	return true;
}

static enum heard records_text(struct reader *r, enum side by, struct text_span t, uint32_t size,
			       bool (*head)(struct reader *, enum side))
{
	struct voice *v = &r->voice[by];
	enum heard most = HEARD_CONTROL;

	while (t.len) {
		if (v->left) {
			uint32_t n = v->left < t.len ? (uint32_t)v->left : t.len;

			if (v->heard > most)
				most = v->heard;
			v->left -= n;
			text_advance(&t, n);
			continue;
		}
		if (!take_head(v, &t, size)) {
			r->proto = PROTO_RAW; /* where the next record begins is not known any more */
			return HEARD_DATA;
		}
		if (v->line_n < size)
			break;
		v->line_n = 0;
		if (!head(r, by)) {
			r->proto = PROTO_RAW;
			return HEARD_DATA;
		}
	}
	return most;
}

enum heard tls_text(struct reader *r, enum side by, struct text_span t)
{
	return records_text(r, by, t, TLS_HEAD, tls_head);
}

enum heard http2_text(struct reader *r, enum side by, struct text_span t)
{
	return records_text(r, by, t, HTTP2_HEAD, http2_head);
}
