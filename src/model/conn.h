/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one TCP connection from its first segment to its last, as plain data. flow/ fills it from captures, obs/ from
 * BPF; model/service.h counts it, diag/ judges the counts. Zeroed is a valid record of which nothing is known.
 *
 * Instants are nsec_t on the source's own clock; 0: not seen. Arrays of two are indexed by enum side. "Data" is payload
 * sent for the first time: neither a retransmission nor a keep-alive probe.
 */
#pragma once
#include "model/ip.h"
#include "model/states.h"

/* The client sent the SYN. If none was seen it is the end with the higher port: a guess, so SEEN_SYN is not set. */
enum side { SIDE_CLIENT, SIDE_SERVER, SIDE_NONE };

enum conn_end {
	END_OPEN, /* still open when the source stopped; fin[] may tell that one side has closed */
	END_FIN, /* both sent a FIN */
	END_RST, /* somebody sent a RST, with or without a FIN before it */
	END_TIMEOUT, /* retransmissions, keep-alive or a user timeout gave up */
	END_FAILED_OPEN, /* never established: `error` (live) or rst_kind RST_REFUSED tell why */
};

/* Why the first RST was sent. Live sources have the kernel's reason, captures the sequence numbers. */
enum rst_kind {
	RST_NONE, /* none was sent */
	RST_UNREAD, /* the sender closed with data unread, or while the peer was still sending */
	RST_CUT, /* the sender threw away data of its own that were not acknowledged yet */
	RST_CLEAN, /* nothing was outstanding either way, and no FIN before: captures cannot tell more */
	RST_LINGER_0, /* close() with SO_LINGER and time 0 set, and nothing unread: live only */
	RST_LATE_DATA, /* answers data that came after the sender's FIN */
	RST_NO_SOCKET, /* answers data, no FIN before: the sender does not know the connection (any more) */
	RST_REFUSED, /* answers the SYN */
	RST_OTHER, /* anything else, or unknown */
	N_RST_KINDS
};

/* How the local process ended its part; only live sources know. */
enum close_call { CALL_UNKNOWN, CALL_CLOSE, CALL_SHUTDOWN, CALL_EXIT };

enum { /* struct conn.seen */
       SEEN_SYN = 1, /* it began while we looked */
       SEEN_END = 2, /* it ended while we looked */
       SEEN_HEADERS = 4, /* HTTP/1: requests, responses and http are what was read */
       SEEN_TLS = 8,
       SEEN_HTTP2 = 16, /* many requests share it; exchanges say little */
       SEEN_HOLES = 32, /* the source lost some of its segments: exchanges and gaps are not exact */
       SEEN_VAGUE = 64, /* of those around the first FIN or RST: when it was sent, and after what, is not known */
};

enum { /* struct conn.http: said by at least one message on this connection */
       HTTP_REQUEST_CLOSE = 1, /* Connection: close */
       HTTP_RESPONSE_CLOSE = 2,
       HTTP_REQUEST_10 = 4, /* version HTTP/1.0 */
       HTTP_RESPONSE_10 = 8,
       HTTP_REQUEST_KEEP = 16, /* Connection: keep-alive */
       HTTP_RESPONSE_KEEP = 32,
       HTTP_REQUEST_CUT = 64, /* some headers were not captured to their end: what was not said may have been */
       HTTP_RESPONSE_CUT = 128,
};

enum { CONN_TOKEN = 32, CONN_COMM = 16 };

struct conn_proc { /* who owned a socket: live only. pid 0: unknown, never a guess */
	uint32_t pid;
	char comm[CONN_COMM]; /* printable */
	uint64_t cgroup; /* id */
};

struct conn {
	struct ip addr[2];
	uint16_t port[2];
	enum side local; /* whose socket a live source saw; SIDE_NONE: a capture, which sees both */
	uint64_t netns, cookie; /* live: inode of the namespace, cookie of the socket; else 0 */
	uint32_t seen; /* SEEN_... */
	nsec_t start, end; /* first and last event */
	nsec_t grain; /* times of data may be wrong by so much (a jiffy, live) */

	/* how it ended */
	enum conn_end how;
	enum side first; /* who sent the first FIN or RST; SIDE_NONE: nobody, or unknown */
	bool crossed; /* each sent its FIN before it had the other's: both keep a TIME_WAIT */
	nsec_t fin[2], rst[2]; /* when that side sent its first FIN, its first RST */
	enum rst_kind rst_kind; /* of the earliest RST */
	nsec_t notify
		[2]; /* when that side told by a TLS alert that it will say no more (close_notify). 0: it did not, or unknown */

	/* what it carried */
	uint64_t bytes[2]; /* data sent by that side */
	uint32_t retransmits[2]; /* segments of that side */
	uint32_t exchanges; /* times the server's data began after data of the client; before the first FIN or RST */
	uint32_t tls_exchanges; /* those among them that were the TLS handshake, as far as the source could tell */
	uint32_t requests, responses; /* HTTP/1 messages, 1xx not counted; before the first FIN or RST */
	nsec_t last_data[2]; /* newest data of that side before the first FIN or RST */
	bool unanswered; /* when the first FIN or RST was sent a request stood without its whole answer */
	/* of the other side after the first FIN, a TLS alert not counted; 0: none, or it is not known that it was no alert */
	nsec_t half_close_data; /* its newest data, accepted by the FIN's sender */
	nsec_t late_data; /* its first data, answered with a RST */
	nsec_t rtt; /* of the handshake, as seen where the source stood; 0: unknown */

	/* idle times: nothing sent by either side, then data. Durations. */
	nsec_t idle_survived; /* the longest after which data were still answered */
	nsec_t idle_failed; /* the one after which data met a RST of no socket, or silence; no FIN before. 0: none */

	/* what was said (SEEN_HEADERS) */
	uint32_t http; /* HTTP_... */
	uint16_t status; /* of the newest response; 0: none was read */
	uint32_t keep_alive_s; /* Keep-Alive: timeout= of a response; 0: not said */
	char server[CONN_TOKEN], agent[CONN_TOKEN]; /* first word of Server:, User-Agent:, printable; "" unknown */

	/* live only */
	struct conn_proc opener, closer; /* of the local socket */
	enum close_call call;
	int error; /* errno of a failed open (EADDRNOTAVAIL, ...); 0: none or unknown */
	bool no_syn; /* the open failed before a SYN was sent */
	nsec_t in_state[N_STATES]; /* time spent in each state; zero for captures */
};

/* The other side. side must not be SIDE_NONE. */
enum side side_other(enum side side);

/* It began and ended while the source looked: only such connections tell how many requests one carries. */
bool conn_is_whole(const struct conn *c);

/* When the first FIN or RST was sent; 0 if none was, or it is not known by whom. */
nsec_t conn_closed_at(const struct conn *c);

/*
 * Who began to close: the one who said so before anybody sent a FIN or RST (close_notify), else c->first. Under TLS the
 * other side hears of it and may be the quicker one to send a FIN.
 */
enum side conn_closer(const struct conn *c);

/*
 * The idle time before the first FIN or RST: since the newest data of either side, or since the beginning if there were
 * none. false: it cannot be known.
 */
bool conn_gap(const struct conn *c, nsec_t *ret);

/* Requests answered: HTTP/1 responses where headers were read, else exchanges without those of the TLS handshake. */
uint32_t conn_requests(const struct conn *c);
bool conn_requests_known(const struct conn *c); /* false, and 0 of them: live, and it began before we looked */

/* How long the side that did not close first let the FIN stand. Open at the end: a lower bound. false: no FIN, or unknown. */
bool conn_fin_ignored(const struct conn *c, nsec_t *ret);

/* The server's address and port: what connections are grouped by. */
struct ip_text conn_service_text(const struct conn *c);

const char *side_name(enum side side); /* "client", "server", "nobody" */
const char *conn_end_name(enum conn_end end); /* "open", "fin", "rst", "timeout", "failed_open" */
const char *rst_kind_name(enum rst_kind kind); /* "none", "unread", ... */
const char *close_call_name(enum close_call call); /* "unknown", "close", "shutdown", "exit" */
