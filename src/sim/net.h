/* SPDX-License-Identifier: MIT */
/*
 * net.h - virtual hosts, an engine each, and the paths between them. Time is virtual and jumps to what happens next.
 *
 * Who uses the engines directly (la_connect() ...) calls net_touch() before, which tells the engine the time, and
 * net_settle() afterwards, which takes out what there is to send and to tell.
 */
#pragma once
#include "base/rng.h"
#include "sim/agenda.h"
#include "sim/bottleneck.h"
#include "sim/clock.h"
#include "sim/watch.h"

enum { PACKETS_MAX = 8192, PACKET_CAP = 1528, NOBODY = 255 };

enum fault {
#define FAULT(id, name, what) FAULT_##id,
#include "sim/faults.def"
#undef FAULT
	N_FAULTS
};
extern const char *const fault_names[N_FAULTS];

struct path { /* from one host to another */
	nsec_t delay, jitter; /* jitter: up to so much more */
	nsec_t last_at; /* in_order: when the last packet arrives */
	struct bottleneck neck;
	uint16_t mtu; /* of its narrowest link; 0: no packet is too large */
	uint16_t loss, duplicate, late, damage, replay, stale, icmp, lie; /* of 65,536 packets */
	uint16_t too_big; /* of those that are: an ICMP message tells */
	bool in_order; /* jitter does not reorder */
	bool cut; /* partition */
	bool bleaches, strips; /* the ECN field; SACK options */
};

struct net;

struct host {
	struct net *net;
	struct la_engine *e;
	void *mem; /* lent for ever; size octets */
	size_t size;
	struct clock clock;
	nsec_t wake_at; /* true time; NSEC_NEVER */
	unsigned idle_wakes; /* in a row, without time going on */
};

struct packet_slot {
	uint16_t len;
	uint8_t from, to;
	bool forged, damaged, icmp;
	uint8_t octets[PACKET_CAP];
};

struct net_ops { /* each may be NULL */
	void *arg;
	void (*event)(void *arg, unsigned host, const struct la_event *ev);
	void (*timer)(void *arg, uint32_t what); /* of net_at() */
	void (*sent)(void *arg, unsigned from, const struct seg *s); /* before the watch learns of it */
	bool (*filter)(void *arg, unsigned from, const struct seg *s); /* false: the packet is lost */
	void *tap_arg;
	void (*tap)(void *tap_arg, nsec_t at, const uint8_t *packet, size_t len); /* every packet as it arrives */
};

struct net {
	nsec_t now;
	struct verdict *v;
	struct watch *w; /* NULL: nobody looks */
	struct rng rng;
	struct net_ops ops;
	unsigned n_hosts;
	nsec_t lifetime; /* of a segment in the network */
	uint64_t packets, octets, delivered, events, events_max;
	uint64_t fault[N_FAULTS];
	struct path path[HOSTS_MAX][HOSTS_MAX];
	struct host host[HOSTS_MAX];
	struct agenda agenda;
	uint32_t n_used, n_free; /* packets: the first n_used have been used; of those, n_free are free */
	uint16_t free[PACKETS_MAX];
	struct packet_slot spare, slot[PACKETS_MAX];
};

void net_init(struct net *n, struct watch *w, struct verdict *v, uint64_t seed); /* w may be NULL */
/* Makes (again) the engine of a host, with its addresses 10.0.0.h+1 and 2001:db8::h+1. cfg.trace is set here. */
int net_start(struct net *n, unsigned host, const struct la_config *cfg);
struct la_endpoint net_address(unsigned host, bool v6, uint16_t port);
unsigned net_owner(const struct net *n, const uint8_t addr[16]); /* which host has it; NOBODY */

nsec_t net_local(const struct net *n, unsigned host); /* what its clock shows */
void net_touch(struct net *n, unsigned host);
void net_settle(struct net *n, unsigned host);
bool net_at(struct net *n, nsec_t at,
	    uint32_t what); /* calls ops.timer; what is below 2^31. false: the agenda is full */
void net_forge(struct net *n, nsec_t at, const struct seg *s); /* a packet from nowhere */
void net_replay(struct net *n, nsec_t at, const void *packet,
		size_t len); /* one that was sent once; as genuine as it was then */
void net_cut(struct net *n, unsigned a, unsigned b, bool cut); /* a partition begins or ends */

bool net_step(struct net *n); /* the next thing that happens; false: nothing ever, or the run failed */
void net_run(struct net *n, nsec_t until); /* all that happens before then; afterwards it is then */
