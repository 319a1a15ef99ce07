/* SPDX-License-Identifier: MIT */
/*
 * http_server.h - a small web server on the engine: GET or HEAD /octets/N gives N octets (octets_fill() with seed N),
 * anything else 404, nonsense 400. Connections are kept as HTTP/1.1 says.
 */
#pragma once
#include "lab/interop/end.h"
#include "lab/interop/http.h"

enum { HTTP_CONNECTIONS = 32, HTTP_OCTETS_MAX = 1 << 30 };

struct http_conn {
	struct end end;
	struct http_server *server;
	char head[HTTP_HEAD_MAX]; /* of the request, and what came after it */
	size_t head_len;
	char answer[256]; /* head of the response */
	size_t answer_len, answer_sent;
	uint64_t body, body_sent;
	bool busy; /* answering */
	bool close; /* afterwards */
	bool shut; /* waits for the peer to close */
};

struct http_server {
	struct end listener;
	struct http_conn conn[HTTP_CONNECTIONS];
	uint64_t accepted, answered;
};

/* s is large and must stay where it is. 0 or -errno. */
int http_serve(struct http_server *s, struct drive *d, const struct la_endpoint *at);
void http_server_close(struct http_server *s);
unsigned http_server_open(const struct http_server *s); /* connections */
