/* SPDX-License-Identifier: MIT */
#include "lab/interop/http_server.h"

#include <errno.h>
#include <stdio.h>

#include "base/link.h"
#include "lab/interop/octets.h"

static void drop(struct http_conn *c) { (void)end_close(&c->end); }

static void answer(struct http_conn *c, const char *status, uint64_t length, bool body)
{
	c->answer_len = (size_t)snprintf(c->answer, sizeof(c->answer),
					 "HTTP/1.1 %s\r\nServer: lastack\r\nContent-Type: application/octet-stream\r\n"
					 "Content-Length: %llu\r\n%s\r\n",
					 status, (unsigned long long)length, c->close ? "Connection: close\r\n" : "");
	c->answer_sent = 0;
	c->body = body ? length : 0;
	c->body_sent = 0;
	c->busy = true;
	c->server->answered++;
}

static void refuse(struct http_conn *c, int err)
{
	c->close = true; /* where the next request would begin is not known */
	answer(c, err == -EMSGSIZE ? "431 Request Header Fields Too Large" : "400 Bad Request", 0, false);
}

/* Whether a whole request was there. */
static bool take_request(struct http_conn *c)
{
	struct http_head h;
	uint64_t n;
	int used = http_head_parse(c->head, c->head_len, &h);

	if (used == 0)
		return false;
	if (used < 0 || h.status || h.encoded || h.length) {
		refuse(c, used);
		return true;
	}
	c->head_len -= (size_t)used;
	memmove(c->head, c->head + used, c->head_len);
	c->close = h.close;
	if (strcmp(h.method, "GET") != 0 && strcmp(h.method, "HEAD") != 0)
		answer(c, "405 Method Not Allowed", 0, false);
	else if (!http_octets_target(h.target, &n) || n > HTTP_OCTETS_MAX)
		answer(c, "404 Not Found", 0, false);
	else
		answer(c, "200 OK", n, h.method[0] == 'G');
	return true;
}

/* false: not now, or it is gone. */
static bool push(struct http_conn *c, const void *data, size_t len, uint64_t *sent)
{
	int64_t n = end_send(&c->end, data, len);

	if (n < 0 && n != -EAGAIN)
		drop(c);
	if (n > 0)
		*sent += (uint64_t)n;
	return n > 0;
}

static void write_some(struct http_conn *c)
{
	uint8_t buf[16384];

	while (c->busy) {
		uint64_t sent = 0;

		if (c->answer_sent < c->answer_len) {
			if (!push(c, c->answer + c->answer_sent, c->answer_len - c->answer_sent, &sent))
				return;
			c->answer_sent += (size_t)sent;
		} else if (c->body_sent < c->body) {
			size_t want =
				c->body - c->body_sent < sizeof(buf) ? (size_t)(c->body - c->body_sent) : sizeof(buf);

			octets_fill(c->body, c->body_sent, buf, want);
			if (!push(c, buf, want, &c->body_sent))
				return;
		} else {
			c->busy = false;
		}
	}
	if (c->close && !c->shut && end_is_open(&c->end)) {
		/* Not close(): what the peer still sends would be answered with a RST, which can overtake the response. */
		c->shut = true;
		if (end_shutdown(&c->end, false))
			drop(c);
	}
}

/* Whether something came; after a close it is passed over (RFC 9112 9.6). */
static bool read_some(struct http_conn *c)
{
	char rest[4096];
	char *to = c->shut ? rest : c->head + c->head_len;
	size_t room = c->shut ? sizeof(rest) : sizeof(c->head) - c->head_len;
	int64_t n;

	if (!end_is_open(&c->end) || room == 0)
		return false;
	n = end_recv(&c->end, to, room, false);
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		drop(c);
		return false;
	}
	if (!c->shut)
		c->head_len += (size_t)n;
	return true;
}

static void conn_ready(struct end *e)
{
	struct http_conn *c = container_of(e, struct http_conn, end);

	do {
		write_some(c);
		while (!c->busy && !c->shut && end_is_open(&c->end) && take_request(c))
			write_some(c);
	} while (read_some(c));
}

static struct http_conn *free_conn(struct http_server *s)
{
	for (size_t i = 0; i < HTTP_CONNECTIONS; i++)
		if (!end_is_open(&s->conn[i].end))
			return &s->conn[i];
	return NULL;
}

static void listener_ready(struct end *e)
{
	struct http_server *s = container_of(e, struct http_server, listener);
	struct http_conn *c;

	while ((c = free_conn(s)) != NULL) { /* the rest waits in the queue until one is over and another comes */
		*c = (struct http_conn){.server = s, .end = {.side = e->side, .d = e->d, .ready = conn_ready}};
		if (end_accept(e, &c->end, NULL))
			return;
		s->accepted++;
		conn_ready(&c->end);
	}
}

int http_serve(struct http_server *s, struct drive *d, const struct la_endpoint *at)
{
	memset(s, 0, sizeof(*s));
	s->listener = (struct end){.side = SIDE_ENGINE, .d = d, .ready = listener_ready};
	return end_listen(&s->listener, at);
}

void http_server_close(struct http_server *s)
{
	(void)end_close(&s->listener);
	for (size_t i = 0; i < HTTP_CONNECTIONS; i++)
		drop(&s->conn[i]);
}

unsigned http_server_open(const struct http_server *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < HTTP_CONNECTIONS; i++)
		n += end_is_open(&s->conn[i].end);
	return n;
}
