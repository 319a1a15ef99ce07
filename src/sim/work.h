/* SPDX-License-Identifier: MIT */
/*
 * work.h - the applications: who opens, listens, sends, reads and closes, well-behaved or rude; and what befalls their
 * hosts. They are driven by events alone, so an event that is not told leaves one standing, and that is seen.
 */
#pragma once
#include "sim/setup.h"

enum {
	FLOWS_MAX = 1024,
	LISTENERS_MAX = 2,
	HOST_LISTENERS = 2 * LISTENERS_MAX /* both families */,
	LISTEN_PORT = 80,
	BOUND_PORT = 9000,
	BOUND_PORTS = 4,
	READ_MAX = 4096
};

enum ending {
#define ENDING(id, name) END_##id,
#include "sim/endings.def"
#undef ENDING
	N_ENDINGS
};
extern const char *const ending_names[N_ENDINGS];

struct flow { /* an application's side of one connection */
	uint8_t host;
	enum ending ending;
	la_sock sock; /* 0: closed */
	uint32_t inc; /* 0: not known, nothing is checked */
	uint32_t to_send, sent, received;
	uint16_t chunk, read_chunk;
	nsec_t read_delay, hold; /* between reads; from the last octet written to the end */
	bool connected, wr_closed, rd_closed, eof, held, resting; /* resting: until it reads again */
	bool poisoned; /* octets came that nothing could have kept out: not checked any more */
	bool lingering;
	nsec_t linger_until; /* it must be over by then */
};

struct listener {
	la_sock sock; /* 0: closed */
	uint16_t port;
	bool v6, resting;
};

struct work {
	struct net *net;
	struct watch *w;
	struct setup setup;
	struct rng rng;
	bool over; /* nothing new is begun */
	uint32_t n_flows;
	uint64_t connects, accepts, refused_by[4]; /* EADDRNOTAVAIL, EADDRINUSE, ENFILE, others */
	uint64_t octets, closes[N_ENDINGS], errors, patience_ended, old_octets;
	uint64_t restarts;
	struct listener listener[HOSTS_MAX][HOST_LISTENERS];
	struct flow flow[FLOWS_MAX];
	uint8_t buf[READ_MAX];
};

int work_begin(struct work *k, struct net *n,
	       uint64_t seed); /* k->setup is drawn; -errno: an engine refuses its configuration or a knob */

/* ---- between work.c and flow.c ---- */
enum work_timer {
	T_START, /* open a connection */
	T_SIMULTANEOUS, /* the other half of a simultaneous open; arg: host, peer, port, family */
	T_READ, /* arg: flow, as in the next two */
	T_HOLD,
	T_PATIENCE,
	T_ACCEPT, /* arg: host and listener, as in the next two */
	T_LISTENER_CLOSE,
	T_LISTENER_OPEN,
	T_CUT, /* arg: two hosts, as in the next */
	T_JOIN,
	T_RESTART, /* arg: host, as in the next */
	T_FLOOD,
	T_FORGE,
	T_OVER
};
void work_timer(struct work *k, nsec_t after, enum work_timer t, uint32_t arg);

struct flow *flow_new(struct work *k, unsigned host, la_sock sock); /* NULL: too many */
void flow_event(struct work *k, struct flow *f, uint32_t events);
void flow_go(struct work *k, struct flow *f); /* does what can be done now */
void flow_timer(struct work *k, struct flow *f, enum work_timer t);
