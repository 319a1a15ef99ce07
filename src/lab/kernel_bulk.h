/* SPDX-License-Identifier: MIT */
/*
 * kernel_bulk.h - how much this kernel's TCP carries over a bad network, in real time: two network namespaces, a tun
 * device in each, and io/relay.h between them. The peer of what the engine does in simulation over the same network.
 */
#pragma once
#include "base/why.h"

enum { KERNEL_FLOWS_MAX = 16, KERNEL_BULK_SECONDS_MAX = 120 };

struct kernel_bulk_cfg {
	double loss; /* probability, towards the receiver; the way back is clean */
	nsec_t rtt; /* half of it each way */
	uint64_t rate_bps; /* of the bottleneck; 0: none */
	uint32_t queue_bytes; /* in front of it; 0: what it carries in one rtt */
	unsigned seconds; /* how long it sends */
	uint64_t seed;
	unsigned flows; /* at the same time; 0 means 1 */
	const char *congestion; /* "cubic"; NULL: the kernel's default */
};

struct kernel_bulk_result {
	double goodput_bps; /* octets that the receiver's programs have read */
	double flow_bps[KERNEL_FLOWS_MAX];
	uint64_t packets, lost, overflowed; /* towards the receiver */
	uint64_t retrans; /* segments, all flows */
};

/* Blocks for cfg->seconds. 0; -EPERM: not root; -errno. Nothing is left behind. */
int kernel_bulk(const struct kernel_bulk_cfg *cfg, struct kernel_bulk_result *ret, struct why *w);
