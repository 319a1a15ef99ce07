/* SPDX-License-Identifier: MIT */
#include "engine/ports.h"

#include <errno.h>

#define NONE UINT32_MAX
enum {
	LIST_MAX = 16, /* ports of a destination without a map */
	LIST_AGAIN = 8, /* with fewer than these a destination gives its map back */
	ALIGN = 64,
	RECENT = 2048,
};

/* One cache line. */
struct dest {
	struct addr raddr;
	laddr_t laddr;
	uint16_t rport;
	uint32_t next; /* with the same hash, or in the free list */
	uint32_t map; /* NONE: the list */
	uint16_t held; /* ports in use or mature */
	uint16_t mature; /* bit i: list[i] is mature; with a map: how many are */
	union {
		uint16_t list[LIST_MAX];
		/* With a map: where the next choice begins, drawn from this range when the last was made, so that its word comes meanwhile. */
		struct {
			uint16_t low, high, start;
		} next_choice;
	};
};
_Static_assert(sizeof(struct dest) == 64, "a destination is a cache line");

/* All zero while it is in the pool. */
struct map {
	/* A port is in one of them, or free. used.full counts ports of other shards as used. */
	struct port_bits used, mature;
	uint64_t some[16]; /* words with a port in either */
	uint32_t next; /* in the free list */
};

struct ports {
	struct hash_key key;
	/* Pools. What lies beyond `touched` was never used and is not initialised: large ones cost nothing until then. */
	uint32_t max_dests, n_dests, dests_touched, free_dest;
	uint32_t max_maps, n_maps, maps_touched, free_map;
	uint32_t bucket_mask;
	uint16_t shard, shards; /* shards 0: not known yet */
	uint32_t *buckets;
	struct dest *dests;
	struct map *maps;
	uint32_t recent[RECENT]; /* destinations looked for, by a mixing of theirs; NONE */
	struct port_bits foreign;
};

const struct port_bits port_bits_none;

/* ---- search ---- */

static uint64_t full_words(const struct port_search *s, unsigned group)
{
	return s->busy[0]->full[group] | s->busy[1]->full[group] | s->busy[2]->full[group] | s->busy[3]->full[group];
}

static inline uint64_t busy_ports(const struct port_search *s, unsigned w)
{
	return s->busy[0]->word[w] | s->busy[1]->word[w] | s->busy[2]->word[w] | s->busy[3]->word[w] | s->skip;
}

/* Words that are full only of two sets together are not in the summaries: eight at a time where there are many. */
static inline bool eight_full(const struct port_search *s, unsigned w)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	pair all = {UINT64_MAX, UINT64_MAX}, x, y, z, m;

	for (unsigned i = w; i < w + 8; i += 2) {
		memcpy(&x, &s->busy[0]->word[i], sizeof(x));
		memcpy(&y, &s->busy[1]->word[i], sizeof(y));
		memcpy(&z, &s->busy[2]->word[i], sizeof(z));
		memcpy(&m, &s->busy[3]->word[i], sizeof(m));
		all &= x | y | z | m;
	}
	return ((all[0] & all[1]) | s->skip) == UINT64_MAX;
}

/* The first word of the group with a free port, among those of `open`; 64: none. */
static unsigned first_word(const struct port_search *s, unsigned group, uint64_t open)
{
	while (open) {
		unsigned w = (unsigned)__builtin_ctzll(open), eight = w & ~7U;

		if (busy_ports(s, group * 64 + w) != UINT64_MAX)
			return w;
		if (eight_full(s, group * 64 + eight))
			open &= ~(UINT64_C(255) << eight);
		else
			open &= open - 1;
	}
	return 64;
}

static uint16_t port_in(uint64_t free, unsigned w, unsigned to)
{
	unsigned port = w * 64 + (unsigned)__builtin_ctzll(free);

	return port <= to ? (uint16_t)port : 0;
}

uint16_t port_search(const struct port_search *s, unsigned from, unsigned to)
{
	unsigned w = from / 64, last = to / 64;
	uint64_t free = ~busy_ports(s, w) & UINT64_MAX << from % 64, open;

	if (free)
		return port_in(free, w, to);
	if (w++ == last)
		return 0;
	open = UINT64_MAX << w % 64;
	for (unsigned group = w / 64; group <= last / 64; group++) {
		w = first_word(s, group, open & ~full_words(s, group));
		if (w < 64)
			return port_in(~busy_ports(s, group * 64 + w), group * 64 + w, to);
		open = UINT64_MAX;
	}
	return 0;
}

unsigned port_shard(uint16_t port, unsigned shards)
{
	uint32_t x = port * UINT32_C(0x9e3779b1);

	x = (x ^ x >> 15) * UINT32_C(0x85ebca6b);
	return shards > 1 ? (x ^ x >> 13) % shards : 0;
}

const struct port_bits *ports_foreign(struct ports *p, const struct port_range *range)
{
	uint16_t shards = range->shards > 1 ? range->shards : 1;

	if (p->shards == 0) {
		must(shards == 1 || range->shard < shards);
		p->shards = shards;
		p->shard = range->shard;
		for (uint32_t port = 0; shards > 1 && port <= UINT16_MAX; port++)
			if (port_shard((uint16_t)port, shards) != range->shard)
				port_bits_set(&p->foreign, (uint16_t)port);
	}
	must(p->shards == shards && (shards == 1 || p->shard == range->shard));
	return shards == 1 ? &port_bits_none : &p->foreign;
}

/* ---- memory ---- */

static size_t aligned(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static size_t buckets_for(uint32_t n)
{
	size_t b = 2;

	while (b < n)
		b *= 2;
	return b;
}

size_t ports_size(uint32_t max_destinations, uint32_t max_maps)
{
	return aligned(sizeof(struct ports)) + aligned(buckets_for(max_destinations) * sizeof(uint32_t)) +
	       max_destinations * sizeof(struct dest) + max_maps * aligned(sizeof(struct map));
}

static struct map *map_at(const struct ports *p, uint32_t n)
{
	return (void *)((char *)p->maps + n * aligned(sizeof(struct map)));
}

struct ports *ports_init(void *mem, uint32_t max_destinations, uint32_t max_maps, struct hash_key key)
{
	struct ports *p = mem;
	size_t buckets = buckets_for(max_destinations);
	char *at = (char *)mem + aligned(sizeof(*p));

	must(max_destinations < NONE / 2 && max_maps < NONE);
	memset(p, 0, sizeof(*p));
	p->key = key;
	p->max_dests = max_destinations;
	p->max_maps = max_maps;
	p->free_dest = p->free_map = NONE;
	p->bucket_mask = (uint32_t)buckets - 1;
	p->buckets = (void *)at;
	memset(p->buckets, 0xff, buckets * sizeof(*p->buckets));
	memset(p->recent, 0xff, sizeof(p->recent));
	at += aligned(buckets * sizeof(*p->buckets));
	p->dests = (void *)at;
	p->maps = (void *)(at + max_destinations * sizeof(struct dest));
	return p;
}

/* ---- a destination's map ---- */

/* A bit of this word has changed. What need not be touched is not: a map is large, and seldom in the cache. */
static void map_note(const struct dest *d, struct map *m, uint16_t port)
{
	unsigned w = port / 64;
	uint64_t bit = UINT64_C(1) << w % 64, held = m->used.word[w] | (d->mature ? m->mature.word[w] : 0);

	if (held == 0)
		m->some[w / 64] &= ~bit;
	else if ((held & (held - 1)) == 0) /* perhaps the first one */
		m->some[w / 64] |= bit;
}

static void map_use(const struct ports *p, struct map *m, uint16_t port)
{
	unsigned w = port / 64;

	port_bits_set(&m->used, port);
	if (p->shards > 1 && (m->used.word[w] | p->foreign.word[w]) == UINT64_MAX)
		m->used.full[w / 64] |= UINT64_C(1) << w % 64;
}

static void map_give_back(const struct ports *p, struct map *m, uint16_t port)
{
	port_bits_clear(&m->used, port);
	if (p->shards > 1)
		m->used.full[port / 64 / 64] &= ~(UINT64_C(1) << port / 64 % 64);
}

static struct map *map_new(struct ports *p, uint32_t *ret)
{
	struct map *m;

	if (p->free_map != NONE) {
		*ret = p->free_map;
		m = map_at(p, *ret);
		p->free_map = m->next;
	} else if (p->maps_touched < p->max_maps) {
		*ret = p->maps_touched++;
		m = map_at(p, *ret);
		memset(m, 0, sizeof(*m));
	} else {
		return NULL;
	}
	p->n_maps++;
	return m;
}

static APART bool list_to_map(struct ports *p, struct dest *d)
{
	struct map *m = map_new(p, &d->map);

	if (!m)
		return false;
	for (unsigned i = 0; i < d->held; i++) {
		if (d->mature >> i & 1)
			port_bits_set(&m->mature, d->list[i]);
		else
			map_use(p, m, d->list[i]);
		map_note(d, m, d->list[i]);
	}
	d->mature = (uint16_t)__builtin_popcount(d->mature);
	return true;
}

static void word_to_list(const struct ports *p, struct dest *d, struct map *m, unsigned w)
{
	for (uint64_t left = m->used.word[w] | m->mature.word[w]; left; left &= left - 1) {
		uint16_t port = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left));
		bool mature = port_bits_has(&m->mature, port);

		if (mature)
			port_bits_clear(&m->mature, port);
		else
			map_give_back(p, m, port);
		d->mature = (uint16_t)(d->mature | mature << d->held);
		d->list[d->held++] = port;
	}
}

static APART void map_to_list(struct ports *p, struct dest *d)
{
	struct map *m = map_at(p, d->map);
	unsigned held = d->held;

	d->held = d->mature = 0;
	for (unsigned group = 0; group < ARRAY_LEN(m->some); group++) {
		for (; m->some[group]; m->some[group] &= m->some[group] - 1)
			word_to_list(p, d, m, group * 64 + (unsigned)__builtin_ctzll(m->some[group]));
	}
	must(d->held == held);
	m->next = p->free_map;
	p->free_map = d->map;
	p->n_maps--;
	d->map = NONE;
}

/* ---- destinations ---- */

static bool is_dest(const struct dest *d, const struct tuple *t)
{
	return d->rport == t->rport && d->laddr == t->laddr && d->raddr.d[0] == t->raddr.d[0] &&
	       d->raddr.d[1] == t->raddr.d[1];
}

/* The link that names the destination of t, or that would. lport has no say. */
static uint32_t *dest_link(const struct ports *p, const struct tuple *t)
{
	struct sip s = sip_start(p->key);
	uint32_t *link;

	sip_word(&s, t->raddr.d[0]);
	sip_word(&s, t->raddr.d[1]);
	link = &p->buckets[sip_end(&s, t->laddr | (uint64_t)t->rport << 32) & p->bucket_mask];
	while (*link != NONE) {
		struct dest *d = &p->dests[*link];

		if (is_dest(d, t))
			break;
		link = &d->next;
	}
	return link;
}

/* Where dest_find() remembers it: no key, since whoever makes others fall together only takes the short cut away. */
static uint32_t *recent_of(struct ports *p, const struct tuple *t)
{
	uint64_t x = t->raddr.d[0] + t->raddr.d[1] + (t->laddr | (uint64_t)t->rport << 16);

	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return &p->recent[x >> 53];
}
_Static_assert(RECENT == 1 << (64 - 53), "an index of p->recent");

/* The destination of t if it has been found of late; no hashing. One that is free has no ports. */
static struct dest *dest_recent(struct ports *p, const struct tuple *t)
{
	uint32_t n = *recent_of(p, t);

	return n != NONE && p->dests[n].held > 0 && is_dest(&p->dests[n], t) ? &p->dests[n] : NULL;
}

static struct dest *dest_find(struct ports *p, const struct tuple *t)
{
	struct dest *d = dest_recent(p, t);
	uint32_t n;

	if (d)
		return d;
	n = *dest_link(p, t);
	if (n == NONE)
		return NULL;
	*recent_of(p, t) = n;
	return &p->dests[n];
}

static APART struct dest *dest_new(struct ports *p, uint32_t *link, const struct tuple *t)
{
	uint32_t n = p->free_dest;

	must(p->dests);
	if (n != NONE)
		p->free_dest = p->dests[n].next;
	else if (p->dests_touched < p->max_dests)
		n = p->dests_touched++;
	else
		return NULL;
	p->dests[n] = (struct dest){.raddr = t->raddr, .laddr = t->laddr, .rport = t->rport, .next = NONE, .map = NONE};
	*link = n;
	p->n_dests++;
	return &p->dests[n];
}

static APART void dest_free(struct ports *p, uint32_t *link)
{
	uint32_t n = *link;

	*link = p->dests[n].next;
	p->dests[n].next = p->free_dest;
	p->free_dest = n;
	p->n_dests--;
}

static unsigned list_find(const struct dest *d, uint16_t port) /* d->held: not there */
{
	unsigned i = 0;

	while (i < d->held && d->list[i] != port)
		i++;
	return i;
}

static bool list_uses(const struct dest *d, uint16_t port, bool spare_mature)
{
	unsigned i = list_find(d, port);

	return i < d->held && (spare_mature || !(d->mature >> i & 1));
}

static void list_remove(struct dest *d, unsigned i)
{
	unsigned last = --d->held;

	d->list[i] = d->list[last];
	d->mature = (uint16_t)((d->mature & ~(1U << i)) | (d->mature >> last & 1U) << i);
	d->mature = (uint16_t)(d->mature & ~(1U << last));
}

/* ---- choice ---- */

/* d may be NULL. A list is not in the search's sets; it holds up no more than LIST_MAX rounds. */
static uint16_t first_free(const struct port_search *s, const struct dest *d, bool spare_mature, unsigned from,
			   unsigned to)
{
	for (;;) {
		uint16_t port = port_search(s, from, to);

		if (port == 0 || !d || d->map != NONE || !list_uses(d, port, spare_mature))
			return port;
		if (port == to)
			return 0;
		from = port + 1U;
	}
}

static unsigned draw(unsigned low, unsigned high, struct rng *rng) { return low + rng_below(rng, high - low + 1); }

/* Where a choice begins (RFC 6056). */
static unsigned start_of(const struct dest *d, unsigned low, unsigned high, struct rng *rng)
{
	if (d && d->map != NONE && d->next_choice.low == low && d->next_choice.high == high)
		return d->next_choice.start;
	return draw(low, high, rng);
}

static void prepare_next(const struct ports *p, struct dest *d, const struct port_range *range, struct rng *rng)
{
	uint16_t low = range->low ? range->low : 1;

	if (d->map == NONE)
		return;
	d->next_choice.low = low;
	d->next_choice.high = range->high;
	d->next_choice.start = (uint16_t)draw(low, range->high, rng);
	prefetch(&map_at(p, d->map)->used.word[d->next_choice.start / 64]);
}

static uint16_t pick(const struct port_search *s, const struct dest *d, const struct port_range *range, struct rng *rng)
{
	unsigned low = range->low ? range->low : 1, start;
	uint16_t port;

	if (low > range->high)
		return 0;
	start = start_of(d, low, range->high, rng);
	port = first_free(s, d, range->spare_mature, start, range->high);
	if (port == 0 && start > low)
		port = first_free(s, d, range->spare_mature, low, start - 1);
	return port;
}

/* The port is free or mature. False: a map was needed. */
static bool dest_take(struct ports *p, struct dest *d, uint16_t port, bool *ret_reused)
{
	struct map *m;

	if (d->map == NONE) {
		unsigned i = list_find(d, port);

		*ret_reused = i < d->held;
		if (*ret_reused) {
			d->mature = (uint16_t)(d->mature & ~(1U << i));
			return true;
		}
		if (d->held < LIST_MAX) {
			d->list[d->held++] = port;
			return true;
		}
		if (!list_to_map(p, d))
			return false;
	}
	m = map_at(p, d->map);
	*ret_reused = d->mature && port_bits_has(&m->mature, port);
	if (*ret_reused) {
		port_bits_clear(&m->mature, port);
		d->mature--;
	} else {
		d->held++;
	}
	map_use(p, m, port);
	map_note(d, m, port);
	return true;
}

int ports_choose(struct ports *p, struct tuple *t, const struct port_range *range, const struct port_bits *bound,
		 struct rng *rng, bool *ret_reused)
{
	struct port_search s = {.busy = {&port_bits_none, bound, ports_foreign(p, range), &port_bits_none}};
	struct dest *d = dest_find(p, t);
	bool reused;
	uint16_t port;

	if (d && d->map != NONE) {
		s.busy[0] = &map_at(p, d->map)->used;
		if (range->spare_mature && d->mature)
			s.busy[3] = &map_at(p, d->map)->mature;
	}
	port = pick(&s, d, range, rng);
	if (port == 0)
		return -EADDRNOTAVAIL;
	if (!d)
		d = dest_new(p, dest_link(p, t), t);
	if (!d || !dest_take(p, d, port, &reused))
		return -ENOBUFS;
	prepare_next(p, d, range, rng);
	t->lport = port;
	*ret_reused = reused;
	return 0;
}

void ports_prefetch(struct ports *p, const struct tuple *t)
{
	const struct dest *d = dest_recent(p, t);

	if (d && d->map != NONE)
		prefetch(&map_at(p, d->map)->used.word[t->lport / 64]);
}

void ports_release(struct ports *p, const struct tuple *t, bool mature)
{
	struct dest *d = dest_find(p, t);

	must(d);
	if (d->map == NONE) {
		unsigned i = list_find(d, t->lport);

		must(i < d->held);
		must((d->mature >> i & 1) == mature);
		list_remove(d, i);
		if (d->held == 0)
			dest_free(p, dest_link(p, t));
	} else {
		struct map *m = map_at(p, d->map);

		if (mature) {
			port_bits_clear(&m->mature, t->lport);
			d->mature--;
		} else {
			map_give_back(p, m, t->lport);
		}
		map_note(d, m, t->lport);
		if (--d->held < LIST_AGAIN)
			map_to_list(p, d);
	}
}

void ports_mature(struct ports *p, const struct tuple *t)
{
	struct dest *d = dest_find(p, t);

	must(d);
	if (d->map == NONE) {
		unsigned i = list_find(d, t->lport);

		must(i < d->held);
		must(!(d->mature >> i & 1));
		d->mature = (uint16_t)(d->mature | 1U << i);
	} else {
		struct map *m = map_at(p, d->map);

		map_give_back(p, m, t->lport);
		port_bits_set(&m->mature, t->lport);
		d->mature++;
	}
}

bool ports_has(const struct ports *p, laddr_t laddr, uint16_t port)
{
	for (uint32_t i = 0; i < p->dests_touched; i++) {
		const struct dest *d = &p->dests[i];

		if (d->held == 0 || (laddr != LADDR_ANY && d->laddr != laddr))
			continue;
		if (d->map == NONE ? list_find(d, port) < d->held
				   : port_bits_has(&map_at(p, d->map)->used, port) ||
					     port_bits_has(&map_at(p, d->map)->mature, port))
			return true;
	}
	return false;
}

uint32_t ports_destinations(const struct ports *p) { return p->n_dests; }
uint32_t ports_maps(const struct ports *p) { return p->n_maps; }
