/* SPDX-License-Identifier: MIT */
/*
 * aggregate.h - rows of a dump become the counts of a struct netns, in memory that depends on how many listeners and
 * destinations there are, not on how many sockets. Private to obs/.
 */
#pragma once
#include "base/hash.h"
#include "model/snapshot.h"
#include "obs/closers.h"
#include "obs/diag.h"

struct aggregate_cfg {
	uint16_t port_low, port_high; /* ip_local_port_range; low > high: unknown, then all are outside, no leftovers */
	const struct port_range *reserved; /* ip_local_reserved_ports; only read by aggregate_new() */
	size_t n_reserved;
	uint32_t tw_reuse_delay_ms;
	bool knows_bound; /* the kernel has BOUND_INACTIVE (6.8) */
	struct hash_key key; /* drawn at random once */
	const struct closers *closers; /* who closed what is in TIME_WAIT; NULL: nobody watched */
};

struct aggregate;

int aggregate_new(const struct aggregate_cfg *cfg, struct aggregate **ret); /* 0 or -ENOMEM */
void aggregate_free(struct aggregate *a); /* NULL allowed */

/* Both fit struct diag_sink; ctx is the struct aggregate. LISTEN rows must come before all others. */
void aggregate_row(void *ctx, const struct diag_row *r);
void aggregate_reset(void *ctx);

/* DIAG_STATE bits of the states a second dump, with tcp_info, should ask for to find suspects; 0: none is needed. */
uint32_t aggregate_suspect_states(const struct aggregate *a);

/* The address of the listener that owns connections with this local end; false: nobody listens there. */
bool aggregate_listener(const struct aggregate *a, struct ip local, uint16_t port, struct ip *ret_addr);

/*
 * Fills ret's states, fin_wait_2_orphans, bound, bound_known, listeners, dests, dests_more, ephemeral_ports_*; what
 * was there is overwritten, not freed. Every proc is -1. Empties a, which may then only be freed or reset.
 * 0, or -ENOMEM if memory ran out in any row (ret is untouched then).
 */
int aggregate_finish(struct aggregate *a, struct netns *ret);
