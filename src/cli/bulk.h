/* SPDX-License-Identifier: MIT */
/* bulk.h - an engine that talks to itself: one connection, one end writes all it can, the other reads all there is. For lastack bench. */
#pragma once
#include "base/why.h"
#include "engine/lastack.h"

enum { BULK_BUFFER_DEFAULT = 65536, BULK_SEGMENT = 1460 };

struct bulk_cfg {
	uint32_t buffer; /* octets of the send and of the receive buffer, a power of two */
	bool ipv6;
	bool timestamps;
};

struct bulk {
	struct la_engine *e;
	void *mem;
	size_t mem_size;
	struct bulk_cfg cfg;
	la_sock listener, from, to;
	la_time now; /* virtual: a packet takes PACKET_NS */
	uint64_t written, read, packets;
	uint8_t *text, *got; /* the applications' buffers */
};

int bulk_init(struct bulk *b, const struct bulk_cfg *cfg,
	      struct why *w); /* connected; 0 or -errno, then nothing is held */
void bulk_done(struct bulk *b);
int bulk_move(struct bulk *b,
	      uint64_t octets); /* so many more are written and read; -EPROTO if they do not get through */
