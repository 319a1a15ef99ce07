/* SPDX-License-Identifier: MIT */
/*
 * bottleneck.h - the slowest link of a path: packets wait in a queue of octets, and one that finds no room is lost. No
 * packet is kept here: the queue is the time that the link will be busy, so a packet's departure is known when it comes.
 */
#pragma once
#include "base/base.h"

struct bottleneck {
	uint64_t rate; /* octets a second, at most 2^32; 0: there is none */
	uint32_t queue_max; /* octets that may wait, the packet that is being sent included */
	/* ECN-capable packets are marked (RFC 3168 5): none up to so many octets waiting, all from twice that on, between them a share that grows. 0: never */
	uint32_t mark_above;
	uint32_t owed; /* parts of a mark, in 65536ths: the share is kept without chance */
	nsec_t busy_until;
	uint64_t passed, dropped, marked; /* packets */
};

uint32_t bottleneck_queue(const struct bottleneck *b, nsec_t now); /* octets waiting */
/* A packet comes. False: it is lost; else it has been sent at *ret_at, and is to be marked if *ret_mark (and ect) say so. */
bool bottleneck_pass(struct bottleneck *b, nsec_t now, uint32_t len, bool ect, nsec_t *ret_at, bool *ret_mark);
