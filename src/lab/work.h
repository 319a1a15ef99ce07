/* SPDX-License-Identifier: MIT */
/*
 * work.h - programs that misbehave on purpose. Each is a child process in a namespace, with its own name (comm), a
 * pipe of events to the experiment and a pipe of orders from it, so that nobody sleeps: a body says what happened,
 * the experiment awaits it. A worker dies with its experiment (PR_SET_PDEATHSIG) and after WORK_LIFE_S at the latest.
 */
#pragma once
#include "base/base.h"
#include <stdatomic.h>
#include <sys/types.h>

enum {
	WORK_LIFE_S = 150, /* no experiment takes longer */
	WORK_SOCKETS_MAX = 19000, /* RLIMIT_NOFILE is raised to its hard limit, at most 20000 here */
};

enum work_event {
	EV_READY, /* server: listening; client: about to begin */
	EV_OPENED, /* client: `count` connections were opened and, by their policy, ended or kept */
	EV_HANDLED, /* server: `expect` connections have reached the end of what the server does with them */
	EV_ERROR, /* the first connect() or bind() that failed, or accept() without descriptors; value is errno */
	EV_DONE, /* the body is about to return */
};

enum work_order { ORDER_NONE = 0, ORDER_GO = 'g', ORDER_STOP = 's' };

struct work_message { /* written in one piece: shorter than PIPE_BUF */
	uint32_t event;
	int32_t value;
	nsec_t at; /* CLOCK_MONOTONIC */
};

/* Shared with the experiment, which may read it at any time. */
struct work_stats {
	_Atomic uint64_t opened, failed; /* client: connect() succeeded, failed; server: accepted, 0 */
	_Atomic uint64_t ended; /* connections closed, reset or given up */
	_Atomic int last_errno;
};

/* What a body gets. */
struct work {
	int events, orders; /* pipe ends */
	struct work_stats *stats;
	bool stopped; /* ORDER_STOP came or the experiment is gone */
	bool errors_said;
};

void work_say(struct work *w, enum work_event event, int value);
enum work_order work_ordered(struct work *w); /* does not wait */
void work_await_go(struct work *w); /* returns at ORDER_GO; at ORDER_STOP with w->stopped set */
bool work_sleep_until(struct work *w, nsec_t at); /* false once stopped; an order ends the wait early */
nsec_t work_now(void); /* CLOCK_MONOTONIC */

/* ---- a TCP server ---- */

enum server_does {
	SERVE, /* reads; replies once if reply_bytes; closes after the client did (the client closes first) */
	SERVE_CLOSE_FIRST, /* reads the request, replies, closes first */
	SERVE_NEVER_READ, /* accepts, then forgets the socket: CLOSE_WAIT with unread bytes */
	SERVE_NEVER_CLOSE, /* reads to the end of file and forgets close(): CLOSE_WAIT with Recv-Q 0 */
	SERVE_NEVER_ACCEPT,
	SERVE_LINGER_0, /* reads the request, replies, close() with SO_LINGER {1, 0}: RST */
	SERVE_UNREAD, /* waits for the request, replies without reading it, close(): RST */
};

struct server_cfg {
	const char *addr; /* NULL: any of IPv4; "::": any of both */
	uint16_t port;
	uint16_t n_ports; /* consecutive ones; 0 means 1 */
	int backlog; /* 0 means 4096 */
	enum server_does does;
	uint32_t expect; /* EV_HANDLED after this many; 0 never */
	uint32_t reply_bytes;
	int rcvbuf; /* SO_RCVBUF of the listener; 0 leave */
	uint32_t fd_limit; /* soft RLIMIT_NOFILE; 0: as high as it goes. At EMFILE it stops accepting. */
	uint32_t keepalive_s; /* SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL of this and TCP_KEEPCNT 3; 0 off */
	bool no_reuseaddr;
	bool linger_0; /* SO_LINGER {1, 0} on the listener, which accepted sockets inherit */
	bool wait_go; /* EV_READY, then nothing is accepted before ORDER_GO */
};
void work_server(struct work *w, const void *server_cfg); /* ends at ORDER_STOP: all sockets closed */

/* ---- a TCP client ---- */

enum client_ends {
	END_CLOSE_FIRST, /* close() after hold_ms: TIME_WAIT here */
	END_AFTER_PEER, /* waits for the peer's FIN or RST, then close() */
	END_NEVER, /* keeps every connection until ORDER_STOP */
	END_HALF, /* shutdown(SHUT_WR) after hold_ms, keeps the socket */
};

struct client_cfg {
	const char *src; /* bind() to it first; NULL no */
	const char *dst; /* "::ffff:10.0.0.1": IPv4 through an IPv6 socket */
	uint16_t dport;
	uint16_t n_dports; /* consecutive destination ports in turn; 0 means 1 */
	uint32_t count; /* connections to try; 0: until ORDER_STOP */
	uint32_t per_s; /* 0: as fast as possible */
	uint32_t hold_ms;
	uint32_t request_bytes; /* sent at once; 0 means 1 */
	uint32_t
		reply_bytes; /* awaited before hold_ms starts; the server's reply_bytes, or its close would meet unread data */
	enum client_ends ends;
	uint16_t first_port; /* fixed local ports first_port, +1, ... with SO_REUSEADDR; 0: any */
	bool bind_any_port; /* bind(src or any, 0) before connect(): takes the port from everybody */
	bool no_port; /* IP_BIND_ADDRESS_NO_PORT */
	uint32_t keepalive_s; /* as in server_cfg */
	bool wait_go; /* EV_READY, then wait for ORDER_GO */
	bool stay; /* after `count` connections wait for ORDER_STOP, keeping what is open */
};
void work_client(struct work *w, const void *client_cfg);
