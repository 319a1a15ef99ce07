/* SPDX-License-Identifier: MIT */
/* http_client.h - the engine asks a web server for files, one after the other over one connection. */
#pragma once
#include "lab/interop/end.h"
#include "lab/interop/http.h"

struct http_client {
	struct end end;
	const uint64_t *sizes; /* "GET /octets/N" for each */
	size_t n_sizes, asked, got;
	bool last_closes; /* the last request says "Connection: close": then the server closes first */
	const char *host;
	char head[HTTP_HEAD_MAX];
	size_t head_len;
	char request[256];
	size_t request_len, request_sent;
	bool in_body, connected;
	uint64_t body_left, hash; /* of the file that comes */
	bool done;
	char error[160]; /* "" */
};

/* c->sizes, n_sizes, last_closes and host are the caller's. 0 or -errno; it is over when c->done. */
int http_fetch(struct http_client *c, struct drive *d, const struct la_endpoint *to);
