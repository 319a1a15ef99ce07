/* SPDX-License-Identifier: MIT */
/* bench.h - what the engine's benchmarks share. */
#pragma once
#include "engine/lastack.h"

/* 10.0.0.0 or fd00:: plus n. */
static inline struct la_endpoint bench_endpoint(bool v6, uint32_t n, uint16_t port)
{
	struct la_endpoint at = {.port = port};

	if (v6) {
		at.addr[0] = 0xfd;
	} else {
		at.addr[10] = at.addr[11] = 0xff;
		at.addr[12] = 10;
	}
	at.addr[13] = (uint8_t)(n >> 16);
	at.addr[14] = (uint8_t)(n >> 8);
	at.addr[15] = (uint8_t)n;
	return at;
}
