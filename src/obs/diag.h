/* SPDX-License-Identifier: MIT */
/*
 * diag.h - TCP sockets of one network namespace through NETLINK_SOCK_DIAG, streamed: one buffer, one row at a time,
 * nothing kept. Private to obs/.
 */
#pragma once
#include "base/why.h"
#include "model/ip.h"
#include "model/states.h"

/* idiag_timer, net/ipv4/inet_diag.c */
enum diag_timer {
	DIAG_TIMER_OFF = 0,
	DIAG_TIMER_ON = 1, /* retransmission, loss probe */
	DIAG_TIMER_KEEPALIVE = 2, /* also the wait of an orphan in FIN_WAIT_2 when tcp_fin_timeout > 60 */
	DIAG_TIMER_TIMEWAIT = 3,
	DIAG_TIMER_PERSIST = 4, /* zero window probe */
};

struct diag_row {
	struct ip src, dst; /* v4-mapped addresses are IPv4 */
	uint16_t sport, dport;
	uint64_t cookie; /* a TIME_WAIT has that of the socket that it was */
	uint8_t state; /* enum sock_state; meaningless if bound */
	bool bound; /* BOUND_INACTIVE: bound, neither connected nor listening */
	bool mini; /* a timewait mini: state is TIME_WAIT or FIN_WAIT_2, no process has it */
	bool v6only; /* LISTEN rows of IPv6 */
	uint8_t timer; /* enum diag_timer, or a number newer than this program */
	uint8_t retransmits; /* or probes, if timer is persist */
	uint32_t expires_ms;
	uint32_t rqueue,
		wqueue; /* LISTEN: accept queue and backlog; else bytes unread and bytes unacknowledged, FIN is 1 */
	uint32_t inode; /* 0: no process has it (mini, orphan, SYN_RECV, not yet accepted) */
	bool has_info; /* the next two are known */
	uint32_t last_data_recv_ms, last_ack_recv_ms; /* ago */
	bool has_snd_wnd; /* the next is known (5.4) */
	uint32_t snd_wnd; /* bytes the peer's window allows beyond what it has acknowledged */
};

#define DIAG_STATE(st) (1u << (st)) /* bit of an enum sock_state */
#define DIAG_STATES_ALL (DIAG_STATE(N_STATES) - 1)

struct diag_query {
	uint32_t states; /* DIAG_STATE bits */
	bool bound; /* BOUND_INACTIVE rows too; kernels before 6.8 send none */
	bool info; /* ask for tcp_info: has_info */
};

struct diag_sink {
	void (*row)(void *ctx, const struct diag_row *r); /* r lives until it returns */
	void (*reset)(void *ctx); /* forget all rows so far: the dump starts again */
	void *ctx;
};

struct diag; /* a socket that belongs to the namespace it was opened in, whatever the caller enters later */

/* In the calling thread's network namespace. 0 or -errno. */
int diag_open(struct diag **ret, struct why *w);
void diag_close(struct diag *d); /* NULL allowed */

/*
 * Sends every matching row to the sink; LISTEN rows come before all others. A dump that the kernel interrupted is
 * retried once after sink->reset; when that is interrupted too, what it gave stands and *ret_torn is true.
 * 0 or -errno (then the sink has seen some rows or none, and d can only be closed).
 */
int diag_dump(struct diag *d, const struct diag_query *q, const struct diag_sink *sink, bool *ret_torn, struct why *w);

/* ---- the decoder: bytes in, rows out. Pure. ---- */

struct diag_stream { /* one dump; zero-initialise, then fill the first four */
	void (*row)(void *ctx, const struct diag_row *r);
	void *ctx;
	uint32_t seq, portid; /* messages with another sequence number or port are not for us; 0: any */
	bool done; /* NLMSG_DONE came */
	bool interrupted; /* NLM_F_DUMP_INTR was set, or messages were lost */
	uint64_t n_rows; /* given to row(); a state, family or message type newer than this program is passed over */
};

/*
 * One datagram; buf is aligned as malloc aligns. 0; -EBADMSG when it is no well-formed netlink (rows before the fault
 * were given); or the error the kernel reported, negative.
 */
int diag_decode(struct diag_stream *s, const void *buf, size_t len);
