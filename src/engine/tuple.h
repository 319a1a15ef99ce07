/* SPDX-License-Identifier: MIT */
/* tuple.h - what names a connection. The local address is a number in the engine's table of addresses (addrs.h). */
#pragma once
#include "base/hash.h"
#include "wire/addr.h"

typedef uint16_t laddr_t;
#define LADDR_ANY UINT16_MAX /* 0.0.0.0 or :: */

struct tuple {
	struct addr raddr;
	laddr_t laddr;
	uint16_t lport, rport;
};

static inline bool tuple_eq(const struct tuple *a, const struct tuple *b)
{
	return a->lport == b->lport && a->rport == b->rport && a->laddr == b->laddr && a->raddr.d[0] == b->raddr.d[0] &&
	       a->raddr.d[1] == b->raddr.d[1];
}

/* Keyed (SipHash): a stranger chooses raddr and rport. The same value finds the connection and the record. */
uint64_t tuple_hash(struct hash_key key, const struct tuple *t);
