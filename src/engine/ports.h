/* SPDX-License-Identifier: MIT */
/*
 * ports.h - which local port connect() takes, at a constant cost whatever is in use.
 *
 * Use is kept per destination: (own address, peer's address, peer's port). A destination with up to 16 ports has a
 * short list; one with more has a map of 65,536 bits with summary words, until fewer than 8 are left. A choice starts
 * at a random port of the range (RFC 6056) and takes the first free one from there, going round; with none the
 * summaries say so at once. Known weakness: a port that follows a long run of busy ones is likelier than others, so
 * someone who knows which ports are busy guesses better than one in as many as are free.
 * A port bound by bind() (binds.h) is never chosen, for no destination: Linux's rule.
 *
 * A port stays in use through TIME_WAIT. With tcp_tw_reuse a TIME_WAIT that is old enough gives its port back before it
 * ends (ports_mature): then the port counts as free, and the caller finds the record when the port comes up. Free and
 * mature ports are taken as they come (Linux). A destination lives while it has a port of either kind.
 */
#pragma once
#include "base/rng.h"
#include "engine/tuple.h"

/* A set of ports. */
struct port_bits {
	uint64_t word[1024];
	uint64_t full[16]; /* bit w % 64 of full[w / 64]: word[w] has no bit left; touched only when that changes */
};

static inline bool port_bits_has(const struct port_bits *b, uint16_t port)
{
	return b->word[port / 64] >> port % 64 & 1;
}

static inline void port_bits_set(struct port_bits *b, uint16_t port)
{
	unsigned w = port / 64;

	must(!port_bits_has(b, port));
	b->word[w] |= UINT64_C(1) << port % 64;
	if (b->word[w] == UINT64_MAX)
		b->full[w / 64] |= UINT64_C(1) << w % 64;
}

static inline void port_bits_clear(struct port_bits *b, uint16_t port)
{
	unsigned w = port / 64;

	must(port_bits_has(b, port));
	b->word[w] &= ~(UINT64_C(1) << port % 64);
	if ((b->word[w] | UINT64_C(1) << port % 64) == UINT64_MAX)
		b->full[w / 64] &= ~(UINT64_C(1) << w % 64);
}

extern const struct port_bits port_bits_none;

/* Where a port may be found: in none of four sets, and not one with bit (port % 64) of `skip`. */
struct port_search {
	const struct port_bits *busy[4]; /* port_bits_none where there are fewer */
	uint64_t skip;
};
uint16_t port_search(const struct port_search *s, unsigned from, unsigned to); /* the first of from..to, or 0 */

struct port_range {
	uint16_t low, high; /* both in; port 0 is never given */
	uint16_t shard, shards; /* only ports with port_shard() == shard; shards 0 or 1: all. The same in every call */
	bool spare_mature; /* mature ports count as in use: no record may be taken over (tcp_tw_reuse was on, and is off) */
};
unsigned port_shard(uint16_t port, unsigned shards); /* a mixing of the port's bits modulo shards */

struct ports;

size_t ports_size(uint32_t max_destinations, uint32_t max_maps); /* about 70 octets and 16.5 KiB for one */
struct ports *ports_init(void *mem, uint32_t max_destinations, uint32_t max_maps, struct hash_key key);

/*
 * Takes a port for the rest of t and puts it into t->lport. bound: ports never chosen. -EADDRNOTAVAIL: all are in use or
 * bound; -ENOBUFS: no room for another destination or map. *ret_reused says that the port is held by a mature record,
 * which the caller takes over: from now on the connection, not the record, holds the port. A caller that leaves the
 * record where it is gives the port back by ports_mature().
 */
int ports_choose(struct ports *p, struct tuple *t, const struct port_range *range, const struct port_bits *bound,
		 struct rng *rng, bool *ret_reused);

/* Brings what ports_release() will change nearer, if that costs next to nothing. */
void ports_prefetch(struct ports *p, const struct tuple *t);
/*
 * The holder of a chosen port is gone: connection closed with no record left, or record expired or removed. mature: it
 * had been given back.
 */
void ports_release(struct ports *p, const struct tuple *t, bool mature);
/* A TIME_WAIT may be taken over from now on: its port counts as free, but a record still has it. */
void ports_mature(struct ports *p, const struct tuple *t);

/*
 * Is this port in use on laddr (LADDR_ANY: anywhere) by a connection or record whose port was chosen? Ports given back
 * (mature) are seen too. Slow: goes over all destinations.
 */
bool ports_has(const struct ports *p, laddr_t laddr, uint16_t port);

/* The set of ports that belong to other shards; made at the first use with shards above 1 (about 0.2 ms, once). */
const struct port_bits *ports_foreign(struct ports *p, const struct port_range *range);

uint32_t ports_destinations(const struct ports *p);
uint32_t ports_maps(const struct ports *p);
