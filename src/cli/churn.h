/* SPDX-License-Identifier: MIT */
/* churn.h - an engine talking to itself: connect, one octet, its echo, the client closes first. For lastack bench. */
#pragma once
#include "base/why.h"
#include "engine/lastack.h"

struct churn_cfg {
	uint32_t
		time_wait; /* records to hold; 0: each lasts a millisecond, and time goes on by one after each connection */
	bool ipv6;
	bool one_destination; /* every connection goes to the same address and port (bench ports) */
};

struct churn {
	struct la_engine *e;
	void *mem;
	size_t mem_size, bare_size; /* of the engine; of the same engine with next to no store, destinations and maps */
	struct churn_cfg cfg;
	la_sock listener;
	uint32_t n_servers; /* addresses that are connected to, in turn */
	uint64_t done; /* connections */
	la_time now,
		step; /* virtual; step: what passes after a connection, so that time_wait records is the steady state */
};

int churn_init(struct churn *c, const struct churn_cfg *cfg, struct why *w); /* 0 or -errno; nothing is held on error */
void churn_done(struct churn *c);

/* One connection from SYN to TIME_WAIT, virtual time stands still. 0, or what la_connect() said, or -EPROTO if it did not end as it must. */
int churn_one(struct churn *c);
/* n connections with the passing of time between them; stops at the first error. */
int churn_many(struct churn *c, uint64_t n);

/* Time goes on until there is no TIME_WAIT left, of up to 256. */
void churn_expire(struct churn *c);

/* A socket about to be connected, and where to: for timing la_connect() alone. */
la_sock churn_socket(struct churn *c);
struct la_endpoint churn_destination(const struct churn *c);
void churn_settle(struct churn *c); /* delivers what is under way */
