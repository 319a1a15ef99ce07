/* SPDX-License-Identifier: MIT */
/*
 * lastack.h - a complete TCP without a system underneath: packets in, packets out, time as an argument.
 *
 *   la_size() -> memory of yours -> la_init() -> la_address_add() -> la_socket(), la_connect(), la_send() ...
 *   a packet came:      la_input(e, now, packet, len)
 *   time went by:       la_advance(e, now), at la_next_at(e) at the latest
 *   after each of them: la_output() until it returns 0; la_event() until it returns false
 *
 * The engine has no clock, makes no system call, has no global and allocates nothing after la_init(): it lives in the
 * one block it was given, and the same calls with the same configuration (its seed included) give the same packets.
 * A copy of the block put back at the same address puts the engine back. An instance is for one thread at a time;
 * several share nothing.
 *
 * Time is nanoseconds since any start and must not go backwards. Calls without a `now` use the last one told.
 *
 * Errors are negative errno values, those a Linux program would get. A call that fails has changed nothing unless it
 * says so. Addresses are in network order, ports and all other numbers in host order. "Section" below is of RFC 9293.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LA_API __attribute__((visibility("default")))

struct la_engine;
struct la_trace;
typedef uint64_t la_time; /* nanoseconds */
/* A socket; positive. A closed one's is given out again after 2^31 / max_sockets others, that rounded up to a power of two. */
typedef int32_t la_sock;

#define LA_NEVER UINT64_MAX

/* IPv4 is written as ::ffff:a.b.c.d. */
struct la_endpoint {
	uint8_t addr[16];
	uint16_t port;
};

/* How large everything may become. la_init() refuses what makes no sense; 0 takes the default in brackets. */
struct la_config {
	uint64_t seed[2]; /* of ISNs, timestamp offsets, cookies, ports, hash tables: unpredictable outside tests */
	uint32_t max_sockets; /* connections, listeners and unconnected sockets together [1024] */
	uint32_t max_time_wait4; /* entries of the TIME_WAIT store for IPv4 [65536] */
	uint32_t max_time_wait6; /* and for IPv6 [16384] */
	uint32_t max_addresses; /* own addresses, at most 65534 [16] */
	uint32_t
		max_destinations; /* (source, destination, port) triples with connections from here at one time [1024] */
	uint32_t max_port_maps; /* of those, how many may use more than a few ports at one time; 16 KiB each [64] */
	uint32_t max_bound; /* different (address, port) pairs bound by bind() at one time [1024] */
	uint32_t max_peers; /* hosts remembered for tcp_tw_recycle (engine.policy linux-2.6) [1024] */
	uint32_t max_replies; /* packets that belong to no connection waiting for la_output() [256] */
	uint32_t send_buffer, receive_buffer; /* octets a connection, powers of two, at least 2048 [65536] */
	uint32_t mtu; /* of the link, 576 to 65535 [1500] */
	bool checksums_done; /* the link verifies and fills them in: TCP checksums are neither checked nor computed */
	uint16_t shard,
		shards; /* ports of this instance when several split a host: those with hash(port) % shards == shard [0 of 1] */
	la_time now; /* when it starts */

	/* Told about every change of state; NULL: nobody is. Must not call the engine. */
	void (*trace)(void *arg, const struct la_trace *what);
	void *trace_arg;
};

/* One change of state. Strings live for ever. */
struct la_trace {
	la_time at;
	const char *edge; /* "F5_17_FIN_WAIT_2_FIN", a row of edges.def */
	const char *from, *to; /* "FIN-WAIT-2", "TIME-WAIT" */
	const char *cite; /* the section it comes from */
	struct la_endpoint local, remote;
	la_sock sock; /* 0: nobody holds it (any more) */
	bool in_store; /* the connection is a record of the TIME_WAIT store, before or after */
};

/* ---- the whole ---- */

LA_API size_t la_size(const struct la_config *cfg); /* octets la_init() needs; 0: the configuration is refused */

/* mem is size octets, aligned to 64, the caller's; it is lent until the engine is used no more. -EINVAL, -ENOMEM (too small). */
LA_API int la_init(void *mem, size_t size, const struct la_config *cfg, struct la_engine **ret);

/* An address packets for us carry. At most max_addresses. -ENOSPC, -EEXIST, -EINVAL (not unicast). */
LA_API int la_address_add(struct la_engine *e, const uint8_t addr[16]);

/*
 * A tunable by its kernel name ("net.ipv4.tcp_fin_timeout") or an engine.* name; `lastack knobs` lists them.
 * -ENOENT, -EINVAL (not a number, or not a word the knob knows), -ERANGE. Takes effect for what happens from now on.
 */
LA_API int la_knob_set(struct la_engine *e, const char *name, const char *value);
LA_API int la_knob_get(const struct la_engine *e, const char *name, int64_t *ret);
/* A whole sysctl.conf(5) text. Returns the number of knobs set; lines for other sysctls are passed over. On error nothing is set and *ret_line, if not NULL, is the line. */
LA_API int la_knobs_load(struct la_engine *e, const char *text, size_t len, unsigned *ret_line);

/* ---- packets and time ---- */

LA_API void la_input(struct la_engine *e, la_time now, const void *packet, size_t len); /* an IP packet */
LA_API size_t la_output(struct la_engine *e, la_time now, void *buf,
			size_t cap); /* the next packet to send; 0: none. cap at least mtu */
/* When la_advance() may next have something to do: never before the last time told, which it is if something is due; LA_NEVER: nothing. */
LA_API la_time la_next_at(const struct la_engine *e);
LA_API void la_advance(struct la_engine *e, la_time now); /* LA_NEVER is no time: look at la_next_at() before */

/* ---- readiness ---- */

enum la_events {
	LA_IN = 1, /* something to read, to accept, or the end of the peer's data */
	LA_OUT = 2, /* connected; room to send again */
	LA_ERR = 4, /* SO_ERROR is set */
	LA_HUP = 8, /* closed in both directions */
	LA_LINGERED = 16, /* a la_close() that returned -EINPROGRESS is over; the socket is gone */
};

struct la_event {
	la_sock sock;
	uint32_t events; /* what is true now */
	uint64_t user;
};

LA_API bool la_event(struct la_engine *e,
		     struct la_event *ret); /* the next socket on which something came up; false: none */
LA_API uint32_t la_poll(const struct la_engine *e, la_sock s); /* what is true now; 0 for an unknown socket too */
LA_API int la_user_set(struct la_engine *e, la_sock s, uint64_t user); /* comes back with every event */

/* ---- sockets: the calls of BSD, never blocking ---- */

enum { LA_INET = 2, LA_INET6 = 10 };
enum { LA_SHUT_RD = 0, LA_SHUT_WR = 1, LA_SHUT_RDWR = 2 };
/* MSG_ of Linux with its numbers. LA_TRUNC: received octets are thrown away, not copied. DONTWAIT and NOSIGNAL change nothing. */
enum {
	LA_PEEK = 2,
	LA_TRUNC = 0x20,
	LA_DONTWAIT = 0x40,
	LA_EOR = 0x80,
	LA_WAITALL = 0x100,
	LA_NOSIGNAL = 0x4000,
	LA_MORE = 0x8000
};

LA_API la_sock la_socket(struct la_engine *e, int family); /* -EAFNOSUPPORT, -ENFILE */
/* -EADDRINUSE, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EINVAL; -ENOBUFS: max_bound. */
LA_API int la_bind(struct la_engine *e, la_sock s, const struct la_endpoint *at);
LA_API int la_listen(struct la_engine *e, la_sock s, int backlog); /* -EADDRINUSE, -EINVAL; -ENOBUFS: max_bound */
/*
 * -EINPROGRESS when under way; again then -EALREADY, 0 once when connected, or why it failed; -EISCONN. At first
 * -EADDRNOTAVAIL: no port left, or the four-tuple is in use; -ENOBUFS: max_destinations, max_port_maps, or no room for
 * its TIME_WAIT (engine.tw_full refuse); -EAFNOSUPPORT; -ENETUNREACH: not unicast, IPv4 for an IPv6 socket, or no
 * address of ours to go from.
 */
LA_API int la_connect(struct la_engine *e, la_sock s, const struct la_endpoint *to);
LA_API la_sock la_accept(struct la_engine *e, la_sock listener,
			 struct la_endpoint *ret_peer); /* -EAGAIN; ret_peer may be NULL */
/*
 * How many octets were taken: fewer than len if there is no room for all; then LA_MORE and LA_EOR count for nothing, since
 * the caller has more to send, and LA_OUT says when. LA_MORE: what does not fill a segment waits for more, at most until the
 * retransmission timer fires. LA_EOR: a record ends here, and no segment will hold octets of two; 16 such ends may wait to be sent.
 * -EAGAIN: no room, 16 ends, or not connected yet; -EPIPE: not connected, or shut down; the socket's error, once; -EINVAL: other flags; -EFAULT.
 */
LA_API int64_t la_send(struct la_engine *e, la_sock s, const void *data, size_t len, int flags);
/*
 * 0: the peer has closed, or la_shutdown() for reading was called, and all is read; or len is 0. -EAGAIN: nothing yet; -ENOTCONN;
 * the socket's error, once; -EINVAL: flags other than LA_PEEK, LA_TRUNC, LA_WAITALL (which changes nothing) and the harmless two;
 * -EFAULT: no buffer, but for LA_TRUNC.
 */
LA_API int64_t la_recv(struct la_engine *e, la_sock s, void *buf, size_t len, int flags);
LA_API int la_shutdown(struct la_engine *e, la_sock s, int how);
/*
 * The socket's number is no longer valid afterwards, also on error, with one exception: with SO_LINGER and a time, where
 * Linux would block, it returns -EINPROGRESS and LA_LINGERED ends it.
 */
LA_API int la_close(struct la_engine *e, la_sock s);
LA_API int la_abort(struct la_engine *e, la_sock s); /* ABORT of section 3.10.5: RST, and nothing stays */

LA_API int la_getsockname(const struct la_engine *e, la_sock s, struct la_endpoint *ret);
LA_API int la_getpeername(const struct la_engine *e, la_sock s, struct la_endpoint *ret);

/* An int, unless it says otherwise. */
enum la_opt {
	LA_SO_REUSEADDR,
	LA_SO_REUSEPORT,
	LA_SO_KEEPALIVE,
	LA_SO_LINGER, /* struct la_linger */
	LA_SO_ERROR, /* get only; reading clears it */
	LA_SO_SNDBUF, /* doubled when set, as Linux does; what is beyond send_buffer is never used */
	LA_SO_RCVBUF, /* the same with receive_buffer */
	LA_SO_ACCEPTCONN, /* get only */
	LA_TCP_NODELAY,
	LA_TCP_MAXSEG,
	LA_TCP_KEEPIDLE, /* s */
	LA_TCP_KEEPINTVL, /* s */
	LA_TCP_KEEPCNT,
	LA_TCP_LINGER2, /* s */
	LA_TCP_SYNCNT,
	LA_TCP_USER_TIMEOUT, /* ms */
	LA_TCP_QUICKACK,
	LA_IP_BIND_ADDRESS_NO_PORT,
	LA_IP_LOCAL_PORT_RANGE, /* uint32_t: low | high << 16 */
	LA_SO_OWNER, /* uint32_t; the euid that SO_REUSEPORT compares; 0 at first */
	LA_IP_TOS, /* the octet of DSCP and ECN; the ECN bits are ours and stay as they are. IPV6_TCLASS too */
	LA_IP_TTL, /* 1 to 255; -1: the default, 64. IPV6_UNICAST_HOPS too */
	LA_SO_RCVLOWAT, /* LA_IN from so many octets on; at most half of the buffer */
	LA_SO_SNDLOWAT, /* get only: 1 */
	LA_TCP_CORK,
	LA_TCP_NOTSENT_LOWAT, /* uint32_t; 0: the knob. la_send() takes no more than this beyond what is sent, up to a whole packet; LA_OUT below half of it */
	LA_TCP_WINDOW_CLAMP, /* 0: none */
	LA_TCP_INQ, /* kept for the program's own use: la_ioctl() with LA_CM_INQ says what the control message would */
	LA_TCP_INFO, /* get only: struct la_tcp_info */
	LA_TCP_CONGESTION, /* a word, at most 15 letters, not terminated when set: "cubic", "reno"; -ENOENT. Got: 16 octets */
	LA_TCP_CC_INFO, /* get only: of no octets, as for reno and cubic in Linux */
	LA_IP_MTU_DISCOVER, /* enum la_pmtudisc; IPV6_MTU_DISCOVER too */
	LA_IP_MTU, /* get only: of the path; -ENOTCONN */
	LA_TCP_DEFER_ACCEPT, /* s; rounded up to the time that so many SYN+ACKs take. On a socket that connects: ACK with the first text */
	LA_N_OPTS
};

enum la_pmtudisc {
	LA_PMTUDISC_DONT, /* no DF, and what ICMP says of the MTU is ignored */
	LA_PMTUDISC_WANT, /* at first */
	LA_PMTUDISC_DO,
	LA_PMTUDISC_PROBE,
	LA_PMTUDISC_INTERFACE, /* the link's MTU, whatever ICMP says */
	LA_PMTUDISC_OMIT
};

struct la_linger {
	int onoff, linger_s;
};

/* -ENOPROTOOPT: none such, or get only; -EINVAL: len too short, or a value out of range; -ENOENT: no such congestion control; -EFAULT. */
LA_API int la_setsockopt(struct la_engine *e, la_sock s, enum la_opt opt, const void *value, size_t len);
/* *len: how much room, then how much was given; what does not fit is cut. -ENOPROTOOPT; -ENOTCONN (LA_IP_MTU); -EFAULT. */
LA_API int la_getsockopt(struct la_engine *e, la_sock s, enum la_opt opt, void *ret, size_t *len);

enum la_ioctl {
	LA_SIOCINQ, /* octets that la_recv() would give */
	LA_SIOCOUTQ, /* octets not acknowledged yet */
	LA_SIOCOUTQNSD, /* of these, never sent */
	LA_CM_INQ, /* what TCP_CM_INQ says after a read: SIOCINQ, or 1 if nothing but the end is left */
};
LA_API int
la_ioctl(const struct la_engine *e, la_sock s, enum la_ioctl what,
	 int *ret); /* -EINVAL: a listener, or none of these; -EFAULT. 0 octets for a socket without a connection */

/*
 * The kernel's struct tcp_info, that of Linux 6.18: names, units, order and padding, so that a program that reads one reads
 * the other. What has no meaning here (fast open, accurate ECN, rehashing) or is not measured (delivery rate) is 0; the
 * pacing rate is what Linux would pace with, and UINT64_MAX before there is a connection.
 */
struct la_tcp_info {
	uint8_t tcpi_state; /* ESTABLISHED 1, SYN_SENT 2, ... TIME_WAIT 6, CLOSE 7 */
	uint8_t tcpi_ca_state; /* open 0, disorder 1, CWR 2, recovery 3, loss 4 */
	uint8_t tcpi_retransmits, tcpi_probes, tcpi_backoff;
	uint8_t tcpi_options; /* 1 timestamps, 2 SACK, 4 window scale, 8 ECN, 16 ECN seen */
	unsigned tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
	unsigned tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;

	uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss; /* us, us, octets, octets */
	uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans,
		tcpi_fackets; /* segments; of a listener: queue, backlog */
	uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv; /* ms ago */
	uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar; /* us */
	uint32_t tcpi_snd_ssthresh, tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering;
	uint32_t tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
	uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
	uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in, tcpi_data_segs_out;
	uint64_t tcpi_delivery_rate; /* octets a second */
	uint64_t tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited; /* us */
	uint32_t tcpi_delivered, tcpi_delivered_ce;
	uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
	uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd, tcpi_rcv_wnd, tcpi_rehash;
	uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
	uint32_t tcpi_total_rto_time; /* ms */
	uint32_t tcpi_received_ce, tcpi_delivered_e1_bytes, tcpi_delivered_e0_bytes, tcpi_delivered_ce_bytes;
	uint32_t tcpi_received_e1_bytes, tcpi_received_e0_bytes, tcpi_received_ce_bytes;
	uint16_t tcpi_accecn_fail_mode, tcpi_accecn_opt_seen;
};
LA_API int la_tcp_info(const struct la_engine *e, la_sock s, struct la_tcp_info *ret);

/* ---- what can be seen ---- */

/* Counters under the kernel's names ("TCPTimeWaitOverflow", "TWRecycled", ...), with the kernel's meaning; engine-only ones begin with "La". */
LA_API unsigned la_counters(void); /* how many there are */
LA_API const char *la_counter_name(unsigned i); /* NULL beyond the last */
LA_API uint64_t la_counter(const struct la_engine *e, unsigned i);
LA_API int la_counter_find(const char *name); /* -ENOENT */

LA_API unsigned la_edges(void); /* rows of edges.def */
LA_API const char *la_edge_name(unsigned i);
LA_API uint64_t la_edge_count(const struct la_engine *e, unsigned i); /* times it was taken */

/* Records of the store: TIME_WAIT, and FIN_WAIT_2 that nobody holds. */
struct la_time_wait {
	struct la_endpoint local, remote;
	la_time expires_at;
	uint32_t snd_nxt, rcv_nxt, ts_recent;
	bool fin_wait_2, has_ts;
};
LA_API bool la_time_wait_find(const struct la_engine *e, const struct la_endpoint *local,
			      const struct la_endpoint *remote, struct la_time_wait *ret);
/* All of them, oldest first within a kind: *cursor is 0 at first. The engine must not be used in between. */
LA_API bool la_time_wait_next(const struct la_engine *e, uint64_t *cursor, struct la_time_wait *ret);

struct la_usage { /* what is in use now; all 0 in an engine that has come to rest */
	uint32_t sockets, listeners, connections, embryonic, orphans; /* connections: SYN_SENT to LAST_ACK */
	uint32_t time_wait4, time_wait6; /* records, FIN_WAIT_2 too */
	uint32_t destinations, port_maps, bound, replies, timers;
	uint64_t received; /* octets in receive buffers */
};
LA_API void la_usage(const struct la_engine *e, struct la_usage *ret);

/* Connections that exist, held or orphan, listeners too: *cursor is 0 at first. */
struct la_connection {
	la_sock sock; /* 0: orphan */
	const char *state;
	struct la_endpoint local, remote;
	uint32_t snd_una, snd_nxt, rcv_nxt;
	uint32_t to_send, to_read; /* octets in the buffers */
};
LA_API bool la_connection_next(const struct la_engine *e, uint64_t *cursor, struct la_connection *ret);

#ifdef __cplusplus
}
#endif
