/* SPDX-License-Identifier: MIT */
/*
 * pairs.h - inside model/: live, each end of a connection on this host gives a record. Two of different network namespaces are of one
 * connection if all agrees: addresses and ports, when it began, how many octets went either way. What comes first waits
 * here for the other, in a table of fixed size where a later one takes its place.
 */
#pragma once
#include "base/hash.h"
#include "model/conn.h"

struct pairs; /* opaque */

struct pairs *pairs_new(struct hash_key key); /* NULL: no memory */
void pairs_free(struct pairs *p); /* NULL is fine */

/* The service that the record of the other end, of another namespace, was handed over with; -1: none came yet, and c waits as one of `service`. */
int pairs_match(struct pairs *p, const struct conn *c, uint16_t service);
