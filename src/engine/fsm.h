/* SPDX-License-Identifier: MIT */
/* fsm.h - states, events and edges of RFC 9293 Figure 5, as data. */
#pragma once
#include "base/base.h"

enum state {
	CLOSED,
	LISTEN,
	SYN_SENT,
	SYN_RECEIVED,
	ESTABLISHED,
	FIN_WAIT_1,
	FIN_WAIT_2,
	CLOSE_WAIT,
	CLOSING,
	LAST_ACK,
	TIME_WAIT,
	N_STATES
};

/* The states are in this order for comparisons: from ESTABLISHED on both ends are synchronized, from CLOSE_WAIT on the peer's FIN was taken. */
static inline bool state_is_synchronized(enum state s) { return s >= ESTABLISHED; }
static inline bool state_has_fin(enum state s) { return s >= CLOSE_WAIT; }

enum event {
	EV_PASSIVE_OPEN,
	EV_ACTIVE_OPEN,
	EV_SEND,
	EV_CLOSE,
	EV_ABORT, /* ABORT call, SO_LINGER 0, unread data, an orphan that must not stay */
	EV_RCV_SYN,
	EV_RCV_SYN_ACK,
	EV_RCV_ACK_SYN,
	EV_RCV_FIN,
	EV_RCV_ACK_FIN,
	EV_RCV_RST,
	EV_RCV_DATA, /* new data for an orphan: RFC 9293 MUST-36's "received after CLOSE" */
	EV_ICMP, /* a hard error while opening */
	EV_2MSL,
	EV_USER_TIMEOUT, /* also: retransmissions used up, keepalive failed, FIN_WAIT_2 timed out */
	EV_CONNECT, /* an active open takes a TIME_WAIT over (tcp_tw_reuse) */
	EV_RECYCLE, /* the store is full: the oldest entry makes room */
	N_EVENTS
};

enum edge_id {
#define EDGE(name, from, event, to, cite) name,
#include "engine/edges.def"
#undef EDGE
	N_EDGES
};

struct edge {
	const char *name, *cite;
	enum state from, to;
	enum event event;
};

extern const struct edge edges[N_EDGES];
const char *state_name(enum state s); /* "FIN-WAIT-1" */
const char *event_name(enum event e); /* "RCV_FIN" */
