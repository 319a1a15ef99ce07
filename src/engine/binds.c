/* SPDX-License-Identifier: MIT */
#include "engine/binds.h"

#include <errno.h>

enum {
	LADDR_ALL = UINT16_MAX -
		    1, /* no address has this number (la_config: at most 65534): the sum over all of a port's buckets */
	ALIGN = 64,
	CARRY = 128,
};

struct bucket {
	uint32_t n[N_BIND_CLASSES][BIND_FLAGS]; /* holders */
	uint32_t total; /* of them all; 0: in the free list */
	uint32_t next; /* with the same hash, or in the free list */
	bind_id sum; /* the LADDR_ALL bucket of the port; BIND_NONE: this is one */
	uint32_t owner; /* of the SO_REUSEPORT holders that are not records, now or most recently */
	laddr_t laddr;
	uint16_t port;
	bool v6;
	bool mixed; /* they had more than one */
};

/*
 * A number for each port. Ports come at random, so what is counted often must be small to stay in the cache: an octet for
 * each, which is 0 only if the number is; what does not fit is carried, CARRY at a time. low and high are cleared when
 * first used: many engines never do.
 */
struct tally {
	uint32_t total, carried; /* sums: of all ports, of all that was carried */
	bool low_ready, high_ready;
	uint8_t low[UINT16_MAX + 1];
	uint16_t high[UINT16_MAX + 1];
};

struct family {
	struct port_bits bound; /* ports with BIND_LISTEN or BIND_BOUND */
	struct port_bits bucketed; /* with any bucket */
	struct port_bits chosen; /* by connect() */
	uint32_t chosen_flags; /* bit i: n_chosen[i] has any: nearly always one of the four */
	struct tally n_chosen[BIND_FLAGS];
};

struct binds {
	struct hash_key key;
	uint32_t max, n; /* buckets, those of LADDR_ALL not counted */
	uint32_t touched, free; /* what lies beyond `touched` was never used and is not initialised */
	uint32_t chain_mask;
	uint32_t *chains;
	struct bucket *buckets; /* 2 * max: each may need one of LADDR_ALL */
	struct family family[2];
};

/* ---- memory ---- */

static size_t aligned(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static size_t chains_for(uint32_t max)
{
	size_t n = 2;

	while (n < 2 * (size_t)max)
		n *= 2;
	return n;
}

size_t binds_size(uint32_t max_buckets)
{
	return aligned(sizeof(struct binds)) + aligned(chains_for(max_buckets) * sizeof(uint32_t)) +
	       2 * (size_t)max_buckets * sizeof(struct bucket);
}

struct binds *binds_init(void *mem, uint32_t max_buckets, struct hash_key key)
{
	struct binds *b = mem;
	size_t chains = chains_for(max_buckets);

	must(max_buckets < BIND_NONE / 4);
	memset(b, 0, offsetof(struct binds, family));
	for (unsigned v6 = 0; v6 < 2; v6++) {
		memset(&b->family[v6], 0, offsetof(struct family, n_chosen));
		for (unsigned flags = 0; flags < BIND_FLAGS; flags++)
			memset(&b->family[v6].n_chosen[flags], 0, offsetof(struct tally, low));
	}
	b->key = key;
	b->max = max_buckets;
	b->free = BIND_NONE;
	b->chain_mask = (uint32_t)chains - 1;
	b->chains = (void *)((char *)mem + aligned(sizeof(*b)));
	memset(b->chains, 0xff, chains * sizeof(*b->chains));
	b->buckets = (void *)((char *)b->chains + aligned(chains * sizeof(*b->chains)));
	return b;
}

/* ---- tallies ---- */

static bool tally_has(const struct tally *t, uint16_t port) { return t->total > 0 && t->low[port] > 0; }

static COLD void carry(struct tally *t, uint16_t port)
{
	if (!t->high_ready)
		memset(t->high, 0, sizeof(t->high));
	t->high_ready = true;
	must(t->high[port] < UINT16_MAX);
	t->high[port]++;
	t->carried++;
	t->low[port] -= CARRY;
}

static COLD void first_of(struct tally *t)
{
	memset(t->low, 0, sizeof(t->low));
	t->low_ready = true;
}

static void tally_add(struct tally *t, uint16_t port)
{
	if (!t->low_ready)
		first_of(t);
	if (t->low[port] == UINT8_MAX)
		carry(t, port);
	t->low[port]++;
	t->total++;
}

static void tally_sub(struct tally *t, uint16_t port)
{
	must(tally_has(t, port));
	t->total--;
	if (--t->low[port] > 0 || t->carried == 0 || t->high[port] == 0)
		return;
	t->high[port]--;
	t->carried--;
	t->low[port] = CARRY;
}

/* ---- buckets ---- */

static uint32_t *bucket_link(const struct binds *b, laddr_t laddr, uint16_t port, bool v6)
{
	struct sip s = sip_start(b->key);
	uint32_t *link = &b->chains[sip_end(&s, laddr | (uint64_t)port << 16 | (uint64_t)v6 << 32) & b->chain_mask];

	while (*link != BIND_NONE) {
		struct bucket *k = &b->buckets[*link];

		if (k->port == port && k->laddr == laddr && k->v6 == v6)
			break;
		link = &k->next;
	}
	return link;
}

bind_id binds_find(const struct binds *b, laddr_t laddr, uint16_t port, bool v6)
{
	return *bucket_link(b, laddr, port, v6);
}

static const struct bucket *bucket_find(const struct binds *b, laddr_t laddr, uint16_t port, bool v6)
{
	bind_id id = binds_find(b, laddr, port, v6);

	return id == BIND_NONE ? NULL : &b->buckets[id];
}

/* Finds or makes it. The pool is large enough: binds_add() has looked. */
static bind_id bucket_get(struct binds *b, const struct bind_req *req, laddr_t laddr, bind_id sum)
{
	uint32_t *link = bucket_link(b, laddr, req->port, req->v6);
	bind_id id = *link;

	if (id != BIND_NONE)
		return id;
	id = b->free;
	if (id != BIND_NONE) {
		b->free = b->buckets[id].next;
	} else {
		must(b->touched < 2 * b->max);
		id = b->touched++;
	}
	b->buckets[id] = (struct bucket){
		.next = BIND_NONE, .sum = sum, .owner = req->owner, .laddr = laddr, .port = req->port, .v6 = req->v6};
	*link = id;
	return id;
}

static void bucket_free(struct binds *b, bind_id id)
{
	struct bucket *k = &b->buckets[id];
	uint32_t *link = bucket_link(b, k->laddr, k->port, k->v6);

	must(*link == id);
	*link = k->next;
	k->next = b->free;
	b->free = id;
}

static uint32_t class_count(const struct bucket *k, enum bind_class cls)
{
	return k->n[cls][0] + k->n[cls][1] + k->n[cls][2] + k->n[cls][3];
}

/* SO_REUSEPORT holders whose owner counts */
static uint32_t owned_count(const struct bucket *k)
{
	uint32_t n = 0;

	for (unsigned cls = 0; cls < BIND_RECORD; cls++)
		n += k->n[cls][BIND_REUSEPORT] + k->n[cls][BIND_REUSEPORT | BIND_REUSEADDR];
	return n;
}

static void note_owner(struct bucket *k, uint32_t owner)
{
	if (owned_count(k) == 0) {
		k->owner = owner;
		k->mixed = false;
	} else if (k->owner != owner) {
		k->mixed = true;
	}
}

static void note_bound(struct binds *b, const struct bucket *sum)
{
	struct port_bits *bound = &b->family[sum->v6].bound;
	bool is = class_count(sum, BIND_LISTEN) + class_count(sum, BIND_BOUND) > 0;

	if (is && !port_bits_has(bound, sum->port))
		port_bits_set(bound, sum->port);
	else if (!is && port_bits_has(bound, sum->port))
		port_bits_clear(bound, sum->port);
}

static struct bucket *bucket_at(struct binds *b, bind_id id)
{
	must(id < b->touched);
	must(b->buckets[id].sum != BIND_NONE);
	return &b->buckets[id];
}

bind_id binds_add(struct binds *b, const struct bind_req *req, enum bind_class cls)
{
	bind_id id = binds_find(b, req->laddr, req->port, req->v6), sum;

	must(req->port != 0 && req->laddr != LADDR_ALL);
	if (id == BIND_NONE) {
		if (b->n == b->max)
			return BIND_NONE;
		b->n++;
		sum = bucket_get(b, req, LADDR_ALL, BIND_NONE);
		id = bucket_get(b, req, req->laddr, sum);
		if (b->buckets[sum].total == 0)
			port_bits_set(&b->family[req->v6].bucketed, req->port);
	}
	if ((req->flags & BIND_REUSEPORT) && cls != BIND_RECORD) {
		note_owner(&b->buckets[id], req->owner);
		note_owner(&b->buckets[b->buckets[id].sum], req->owner);
	}
	binds_add_to(b, id, cls, req->flags);
	return id;
}

void binds_add_to(struct binds *b, bind_id id, enum bind_class cls, uint8_t flags)
{
	struct bucket *k = bucket_at(b, id), *sum = &b->buckets[k->sum];

	must(flags < BIND_FLAGS);
	k->n[cls][flags]++;
	k->total++;
	sum->n[cls][flags]++;
	sum->total++;
	if (cls <= BIND_BOUND)
		note_bound(b, sum);
}

void binds_move(struct binds *b, bind_id id, enum bind_class from, enum bind_class to, uint8_t flags)
{
	struct bucket *k = bucket_at(b, id), *sum = &b->buckets[k->sum];

	must(flags < BIND_FLAGS);
	must(k->n[from][flags] > 0);
	k->n[from][flags]--;
	k->n[to][flags]++;
	sum->n[from][flags]--;
	sum->n[to][flags]++;
	if (from <= BIND_BOUND || to <= BIND_BOUND)
		note_bound(b, sum);
}

void binds_sub(struct binds *b, bind_id id, enum bind_class cls, uint8_t flags)
{
	struct bucket *k = bucket_at(b, id), *sum = &b->buckets[k->sum];

	must(flags < BIND_FLAGS);
	must(k->n[cls][flags] > 0);
	k->n[cls][flags]--;
	k->total--;
	sum->n[cls][flags]--;
	sum->total--;
	if (cls <= BIND_BOUND)
		note_bound(b, sum);
	if (k->total > 0)
		return;
	b->n--;
	if (sum->total == 0) {
		port_bits_clear(&b->family[k->v6].bucketed, k->port);
		bucket_free(b, k->sum);
	}
	bucket_free(b, id);
}

/* ---- the matrix ---- */

/* May a new socket share with an old one of this class and these flags? same_owner is that of SO_REUSEPORT. */
static bool may_share(enum bind_class cls, unsigned old, unsigned new, bool same_owner)
{
	unsigned both = old & new;

	if ((both & BIND_REUSEADDR) && cls != BIND_LISTEN)
		return true;
	return (both & BIND_REUSEPORT) && (cls == BIND_RECORD || same_owner);
}

/* Classes first to last of the bucket (NULL: there is none). */
static bool conflicts(const struct bucket *k, const struct bind_req *req, enum bind_class last)
{
	if (!k)
		return false;
	for (unsigned cls = BIND_LISTEN; cls <= last; cls++) {
		for (unsigned flags = 0; flags < BIND_FLAGS; flags++) {
			if (k->n[cls][flags] > 0 &&
			    !may_share(cls, flags, req->flags, !k->mixed && k->owner == req->owner))
				return true;
		}
	}
	return false;
}

/* Any address meets all addresses; a specific one meets itself and any. */
static bool conflicts_anywhere(const struct binds *b, const struct bind_req *req, enum bind_class last)
{
	if (req->laddr == LADDR_ANY)
		return conflicts(bucket_find(b, LADDR_ALL, req->port, req->v6), req, last);
	return conflicts(bucket_find(b, req->laddr, req->port, req->v6), req, last) ||
	       conflicts(bucket_find(b, LADDR_ANY, req->port, req->v6), req, last);
}

static bool chosen_conflicts(const struct binds *b, const struct ports *p, const struct bind_req *req)
{
	const struct family *f = &b->family[req->v6];

	if (!port_bits_has(&f->chosen, req->port))
		return false;
	for (unsigned flags = 0; flags < BIND_FLAGS; flags++) {
		if (tally_has(&f->n_chosen[flags], req->port) && !may_share(BIND_CHILD, flags, req->flags, true))
			return req->laddr == LADDR_ANY || ports_has(p, req->laddr, req->port);
	}
	return false;
}

int binds_check(const struct binds *b, const struct ports *p, const struct bind_req *req)
{
	must(req->port != 0 && req->flags < BIND_FLAGS);
	return conflicts_anywhere(b, req, BIND_RECORD) || chosen_conflicts(b, p, req) ? -EADDRINUSE : 0;
}

int binds_check_listen(const struct binds *b, const struct bind_req *req, bind_id self)
{
	must(self == BIND_NONE || (self < b->touched && class_count(&b->buckets[self], BIND_BOUND) > 0));
	return conflicts_anywhere(b, req, BIND_LISTEN) ? -EADDRINUSE : 0;
}

int binds_choose(const struct binds *b, struct ports *p, struct bind_req *req, const struct port_range *range,
		 struct rng *rng)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	const struct family *f = &b->family[req->v6];
	struct port_search s = {.busy = {&f->bucketed, &f->chosen, ports_foreign(p, range), &port_bits_none}};
	unsigned low = range->low ? range->low : 1, start;

	if (low > range->high)
		return -EADDRINUSE;
	start = low + rng_below(rng, range->high - low + 1);
	for (unsigned pass = 0; pass < 2; pass++) {
		uint16_t port;

		s.skip = low % 2 == pass ? even : ~even; /* first those of low's own parity are skipped */
		port = port_search(&s, start, range->high);
		if (port == 0 && start > low)
			port = port_search(&s, low, start - 1);
		if (port == 0)
			continue;
		req->port = port;
		return 0;
	}
	return -EADDRINUSE;
}

/* ---- ports chosen by connect() ---- */

static bool any_chosen(const struct family *f, uint16_t port)
{
	for (uint32_t left = f->chosen_flags; left; left &= left - 1)
		if (f->n_chosen[__builtin_ctz(left)].low[port] > 0)
			return true;
	return false;
}

void binds_chosen(struct binds *b, uint16_t port, bool v6, uint8_t flags, int delta)
{
	struct family *f = &b->family[v6];

	must(flags < BIND_FLAGS && (delta == 1 || delta == -1));
	if (delta > 0) {
		if (!port_bits_has(&f->chosen, port))
			port_bits_set(&f->chosen, port);
		tally_add(&f->n_chosen[flags], port);
		f->chosen_flags |= 1U << flags;
		return;
	}
	tally_sub(&f->n_chosen[flags], port);
	if (f->n_chosen[flags].total == 0)
		f->chosen_flags &= ~(1U << flags);
	if (!any_chosen(f, port))
		port_bits_clear(&f->chosen, port);
}

bool binds_is_chosen(const struct binds *b, uint16_t port, bool v6)
{
	return port_bits_has(&b->family[v6].chosen, port);
}

void binds_prefetch_chosen(const struct binds *b, uint16_t port, bool v6, uint8_t flags)
{
	prefetch(&b->family[v6].n_chosen[flags].low[port]);
	prefetch(&b->family[v6].chosen.word[port / 64]);
}

const struct port_bits *binds_bound(const struct binds *b, bool v6) { return &b->family[v6].bound; }
uint32_t binds_count(const struct binds *b) { return b->n; }
