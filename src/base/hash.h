/* SPDX-License-Identifier: MIT */
/* hash.h - a keyed hash for tables whose keys a stranger may choose (addresses, ports). The key is drawn once. */
#pragma once
#include "base/base.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-1-3 (Aumasson, Bernstein 2012; the 1-3 variant of the reference repository). */
uint64_t hash_bytes(struct hash_key key, const void *data, size_t len);
