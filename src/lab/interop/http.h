/* SPDX-License-Identifier: MIT */
/*
 * http.h - as much of HTTP/1.1 (RFC 9112) as two programs need that fetch files from each other: the head of a message.
 * Pure; what it reads is hostile.
 */
#pragma once
#include "base/base.h"

enum { HTTP_HEAD_MAX = 8192, HTTP_TARGET_MAX = 128 };

struct http_head {
	char method[8], target[HTTP_TARGET_MAX]; /* of a request */
	unsigned status; /* of a response; 0: a request */
	bool close; /* the connection ends after this message */
	bool has_length;
	uint64_t length; /* Content-Length */
	bool encoded; /* Transfer-Encoding, which is not understood */
};

/*
 * Reads a head from buf. Returns the octets it takes with its empty line; 0: more are needed; -EMSGSIZE: it is longer
 * than HTTP_HEAD_MAX, or its target is too long; -EBADMSG: it is no HTTP/1 message. ret is valid only with the first.
 */
int http_head_parse(const char *buf, size_t len, struct http_head *ret);

/* "/octets/1460" -> 1460; false if it is not that. */
bool http_octets_target(const char *target, uint64_t *ret);
