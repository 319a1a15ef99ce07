/* SPDX-License-Identifier: MIT */
/* flow.h - an application at one end of a connection: sends so much, reads until it is over, ends in one of three ways. */
#pragma once
#include "lab/interop/end.h"

enum flow_ends {
	FLOW_SHUT, /* shutdown(SHUT_WR) once all is sent, close() after the peer has closed */
	FLOW_AFTER_PEER, /* close() once all is sent and the peer has closed */
	FLOW_WHEN_DONE, /* close() once all is sent and all that is expected has come */
	N_FLOW_ENDS
};

struct flow_cfg {
	uint64_t seed; /* of what is sent */
	uint32_t to_send, to_receive;
	enum flow_ends ends;
	bool lazy; /* reads little at a time, and not often */
	bool answers; /* sends nothing before the peer has closed its direction */
};

struct flow {
	struct end end;
	struct flow_cfg cfg;
	uint32_t sent, received;
	uint64_t hash_sent, hash_received;
	bool connected, eof, shut, closed;
	nsec_t read_at; /* a lazy one reads again; NSEC_NEVER: it need not be told */
	int error; /* negative errno; it has closed then */
};

enum { LAZY_CHUNK = 4096 };

void flow_tick(struct flow *f, nsec_t now); /* at read_at, or whenever */
void flow_start(struct flow *f, const struct flow_cfg *cfg); /* f->end is connecting or connected */
