/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "engine/ports.h"
#include "tests/unit/t.h"

static const struct port_range usual = {.low = 32768, .high = 60999};
static const struct port_bits nothing;

struct rig {
	struct ports *p;
	size_t size;
	struct rng rng;
	struct port_bits bound;
	struct addr peer;
};

static struct rig *new_rig(uint32_t max_dests, uint32_t max_maps)
{
	struct rig *r = calloc(1, sizeof(*r));
	void *mem;

	assert_non_null(r);
	r->size = ports_size(max_dests, max_maps);
	mem = malloc(r->size);
	assert_non_null(mem);
	memset(mem, 0xa5, r->size);
	r->p = ports_init(mem, max_dests, max_maps, (struct hash_key){3, 4});
	rng_seed(&r->rng, 11);
	r->peer = addr_v4(10, 0, 0, 1);
	return r;
}

static void free_rig(struct rig *r)
{
	assert_int_equal(ports_destinations(r->p), 0);
	assert_int_equal(ports_maps(r->p), 0);
	free(r->p);
	free(r);
}

static struct tuple to(const struct rig *r, uint16_t lport, uint16_t rport)
{
	return (struct tuple){.raddr = r->peer, .laddr = 0, .lport = lport, .rport = rport};
}

/* A port from low..high for (0, peer, rport), or the error. */
static int choose(struct rig *r, uint16_t low, uint16_t high, uint16_t rport, bool *ret_reused)
{
	struct port_range range = {.low = low, .high = high};
	struct tuple t = to(r, 0, rport);
	int e = ports_choose(r->p, &t, &range, &r->bound, &r->rng, ret_reused);

	return e ? e : t.lport;
}

static void take(struct rig *r, uint16_t port, uint16_t rport)
{
	bool reused = true;

	assert_int_equal(choose(r, port, port, rport, &reused), port);
	assert_false(reused);
}

static void release(struct rig *r, uint16_t port, uint16_t rport, bool mature)
{
	struct tuple t = to(r, port, rport);

	ports_release(r->p, &t, mature);
}

static void mature(struct rig *r, uint16_t port, uint16_t rport)
{
	struct tuple t = to(r, port, rport);

	ports_mature(r->p, &t);
}

/* Every port of the usual range is taken or bound. Each of them, given back, must be found from wherever a search starts. */
static void check_last_one_is_found(struct rig *r)
{
	bool reused;

	assert_int_equal(choose(r, usual.low, usual.high, 80, &reused), -EADDRNOTAVAIL);
	for (unsigned port = usual.low; port <= usual.high; port++) {
		if (port_bits_has(&r->bound, (uint16_t)port))
			continue;
		release(r, (uint16_t)port, 80, false);
		assert_int_equal(choose(r, usual.low, usual.high, 80, &reused), port);
	}
}

/* ---- one thing at a time ---- */

TEST(choose__gives_each_port_of_the_range_once_then_eaddrnotavail)
{
	struct rig *r = new_rig(2, 1);
	bool seen[UINT16_MAX + 1] = {false}, reused;
	unsigned n = usual.high - usual.low + 1U;

	for (unsigned i = 0; i < n; i++) {
		int port = choose(r, usual.low, usual.high, 80, &reused);

		assert_in_range(port, usual.low, usual.high);
		assert_false(seen[port]);
		assert_false(reused);
		seen[port] = true;
	}
	check_last_one_is_found(r);
	assert_int_equal(choose(r, usual.low, usual.low, 80, &reused), -EADDRNOTAVAIL);
	assert_int_equal(choose(r, 32767, usual.high, 80, &reused), 32767); /* the only one left */
	release(r, 32767, 80, false);
	for (unsigned i = usual.low; i <= usual.high; i++)
		release(r, (uint16_t)i, 80, false);
	free_rig(r);
}

TEST(choose__all_65535_ports_but_never_0)
{
	struct rig *r = new_rig(1, 1);
	bool reused;

	for (unsigned i = 0; i < UINT16_MAX; i++)
		assert_in_range(choose(r, 0, UINT16_MAX, 80, &reused), 1, UINT16_MAX);
	assert_int_equal(choose(r, 0, UINT16_MAX, 80, &reused), -EADDRNOTAVAIL);
	assert_int_equal(choose(r, 0, 0, 80, &reused), -EADDRNOTAVAIL);
	assert_int_equal(choose(r, 9, 8, 80, &reused), -EADDRNOTAVAIL);
	for (unsigned i = 1; i <= UINT16_MAX; i++)
		release(r, (uint16_t)i, 80, false);
	free_rig(r);
}

/* kernel-truth 3.3: 4 ports gave 12 connections to 3 destinations. */
TEST(choose__destinations_do_not_share)
{
	struct rig *r = new_rig(8, 0);
	bool reused;

	for (uint16_t rport = 80; rport < 83; rport++) {
		for (int i = 0; i < 4; i++)
			assert_in_range(choose(r, 40000, 40003, rport, &reused), 40000, 40003);
		assert_int_equal(choose(r, 40000, 40003, rport, &reused), -EADDRNOTAVAIL);
	}
	assert_int_equal(ports_destinations(r->p), 3);
	for (uint16_t port = 40000; port < 40004; port++) {
		for (uint16_t rport = 80; rport < 83; rport++)
			release(r, port, rport, false);
	}
	free_rig(r);
}

TEST(choose__own_address_and_peer_are_part_of_the_destination)
{
	struct rig *r = new_rig(8, 0);
	struct port_range one = {.low = 5000, .high = 5000};
	struct addr other = addr_v4(10, 0, 0, 2), v6 = {.b = {0x20, 1, [12] = 10, [15] = 1}};
	struct tuple t[4] = {to(r, 5000, 80), to(r, 5000, 80), to(r, 5000, 80), to(r, 5000, 80)};
	struct tuple again;
	bool reused;

	t[1].laddr = 1;
	t[2].raddr = other;
	t[3].raddr = v6;
	for (int i = 0; i < 4; i++) {
		t[i].lport = 0;
		assert_int_equal(ports_choose(r->p, &t[i], &one, &nothing, &r->rng, &reused), 0);
		assert_int_equal(t[i].lport, 5000);
	}
	again = t[1];
	assert_int_equal(ports_choose(r->p, &again, &one, &nothing, &r->rng, &reused), -EADDRNOTAVAIL);
	for (int i = 0; i < 4; i++)
		ports_release(r->p, &t[i], false);
	free_rig(r);
}

/* kernel-truth 3.3: 4 ports held by bind, and connect() to another destination fails. */
TEST(choose__bound_ports_are_for_nobody)
{
	struct rig *r = new_rig(1, 1);
	bool reused;

	for (uint16_t port = 40000; port < 40004; port++)
		port_bits_set(&r->bound, port);
	assert_int_equal(choose(r, 40000, 40003, 80, &reused), -EADDRNOTAVAIL);
	assert_int_equal(ports_destinations(r->p), 0);
	port_bits_clear(&r->bound, 40002);
	assert_int_equal(choose(r, 40000, 40003, 80, &reused), 40002);
	release(r, 40002, 80, false);
	free_rig(r);
}

/* Neither set is full of itself in any word: the summaries say nothing. */
TEST(choose__bound_and_used_together_fill_the_range)
{
	struct rig *r = new_rig(1, 1);

	for (unsigned port = usual.low; port <= usual.high; port++) {
		if (port % 3 == 0)
			port_bits_set(&r->bound, (uint16_t)port);
		else
			take(r, (uint16_t)port, 80);
	}
	check_last_one_is_found(r);
	for (unsigned port = usual.low; port <= usual.high; port++) {
		if (port % 3)
			release(r, (uint16_t)port, 80, false);
	}
	free_rig(r);
}

/* Found by the short cut once, gone, and its place taken by another: the short cut must not find it, nor the other. */
TEST(destination__gone_and_its_place_taken__is_told_from_the_new_one)
{
	struct rig *r = new_rig(1, 1);

	for (uint16_t rport = 1; rport <= 2000; rport++) {
		struct tuple t = to(r, 1000, rport), before = to(r, 1000, (uint16_t)(rport - 1));

		take(r, 1000, rport);
		ports_prefetch(r->p, &t);
		ports_prefetch(r->p, &before);
		take(r, 1001, rport);
		ports_release(r->p, &t, false);
		t.lport = 1001;
		ports_release(r->p, &t, false);
		assert_int_equal(ports_destinations(r->p), 0);
	}
	free_rig(r);
}

TEST(room__another_destination_or_map_is_enobufs_and_changes_nothing)
{
	struct rig *r = new_rig(2, 1);
	bool reused;

	for (uint16_t port = 1; port <= 17; port++)
		take(r, port, 80);
	assert_int_equal(ports_maps(r->p), 1);
	for (uint16_t port = 1; port <= 16; port++)
		take(r, port, 81);
	assert_int_equal(choose(r, 17, 17, 81, &reused), -ENOBUFS);
	assert_int_equal(choose(r, 17, 17, 82, &reused), -ENOBUFS);
	assert_int_equal(choose(r, 1, 16, 81, &reused), -EADDRNOTAVAIL);
	assert_int_equal(ports_destinations(r->p), 2);
	for (uint16_t port = 1; port <= 17; port++)
		release(r, port, 80, false);
	take(r, 17, 81); /* the map is free now */
	assert_int_equal(ports_maps(r->p), 1);
	for (uint16_t port = 1; port <= 17; port++)
		release(r, port, 81, false);
	free_rig(r);
}

TEST(map__goes_back_below_8_ports_and_not_before)
{
	struct rig *r = new_rig(1, 1);
	bool reused;

	for (uint16_t port = 1000; port < 1017; port++)
		take(r, port, 80);
	mature(r, 1000, 80);
	for (uint16_t port = 1008; port < 1017; port++)
		release(r, port, 80, false);
	assert_int_equal(ports_maps(r->p), 1);
	release(r, 1007, 80, false);
	assert_int_equal(ports_maps(r->p), 0); /* 1000 to 1006 are in the list now */
	for (uint16_t port = 1001; port < 1007; port++)
		assert_int_equal(choose(r, port, port, 80, &reused), -EADDRNOTAVAIL);
	assert_int_equal(choose(r, 1000, 1000, 80, &reused), 1000);
	assert_true(reused);
	for (uint16_t port = 1000; port < 1007; port++)
		release(r, port, 80, false);
	free_rig(r);
}

/* The same with few ports (a list) and with many (a map). */
static void check_mature(uint16_t others)
{
	struct rig *r = new_rig(1, 1);
	bool reused;

	for (uint16_t i = 0; i < others; i++)
		take(r, 2000 + i, 80);
	take(r, 1000, 80);
	take(r, 1001, 80);
	assert_int_equal(choose(r, 1000, 1001, 80, &reused), -EADDRNOTAVAIL);
	mature(r, 1000, 80);
	assert_true(ports_has(r->p, 0, 1000));
	assert_int_equal(choose(r, 1000, 1001, 80, &reused), 1000);
	assert_true(reused);
	assert_int_equal(choose(r, 1000, 1001, 80, &reused), -EADDRNOTAVAIL);
	mature(r, 1000, 80); /* the caller thought better of it */
	mature(r, 1001, 80);
	release(r, 1000, 80, true);
	assert_false(ports_has(r->p, 0, 1000));
	assert_int_equal(choose(r, 1000, 1000, 80, &reused), 1000);
	assert_false(reused);
	release(r, 1000, 80, false);
	for (uint16_t i = 0; i < others; i++)
		release(r, 2000 + i, 80, false);
	assert_int_equal(ports_destinations(r->p), 1); /* 1001 is mature */
	release(r, 1001, 80, true);
	free_rig(r);
}

TEST(mature__counts_as_free_and_is_told_when_taken)
{
	check_mature(0);
	check_mature(14); /* the list is full */
	check_mature(15); /* the second of the two needs a map */
	check_mature(100);
}

TEST(has__sees_what_is_there_on_its_address_and_on_any)
{
	struct rig *r = new_rig(3, 1);
	struct port_range one = {.low = 7000, .high = 7000};
	struct tuple t = {.raddr = r->peer, .laddr = 5, .lport = 7000, .rport = 80};
	bool reused;

	assert_false(ports_has(r->p, LADDR_ANY, 7000));
	assert_int_equal(ports_choose(r->p, &t, &one, &nothing, &r->rng, &reused), 0);
	for (uint16_t i = 1; i < 40; i++)
		take(r, i, 80);
	assert_true(ports_has(r->p, 5, 7000));
	assert_true(ports_has(r->p, LADDR_ANY, 7000));
	assert_false(ports_has(r->p, 0, 7000));
	assert_false(ports_has(r->p, 5, 7001));
	assert_true(ports_has(r->p, 0, 39));
	assert_false(ports_has(r->p, 5, 39));
	ports_release(r->p, &t, false);
	assert_false(ports_has(r->p, LADDR_ANY, 7000));
	for (uint16_t i = 1; i < 40; i++)
		release(r, i, 80, false);
	free_rig(r);
}

TEST(start__is_spread_over_the_range)
{
	struct rig *r = new_rig(1, 0);
	unsigned n[8] = {0};
	bool reused;

	for (int i = 0; i < 8000; i++) {
		int port = choose(r, 1024, 1024 + 8 * 64 - 1, 80, &reused);

		n[(port - 1024) / 64]++;
		release(r, (uint16_t)port, 80, false);
	}
	for (int i = 0; i < 8; i++)
		assert_in_range(n[i], 850, 1150); /* 1000 expected, sigma 30 */
	free_rig(r);
}

/* ---- shards ---- */

TEST(shards__share_the_ports_out_evenly)
{
	unsigned n[7] = {0};

	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		assert_int_equal(port_shard((uint16_t)port, 0), 0);
		assert_int_equal(port_shard((uint16_t)port, 1), 0);
		n[port_shard((uint16_t)port, 7)]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(n[i], 9000, 9700); /* 9362 expected, sigma 90 */
}

TEST(shards__each_gives_exactly_its_own_ports)
{
	static const uint16_t counts[] = {2, 3, 200};

	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		struct rig *r = new_rig(1, 1);
		struct port_range range = {1000, 20000, 1, counts[k]};
		unsigned left = 0;
		struct tuple t = to(r, 0, 80);
		bool reused;

		for (unsigned i = range.low; i <= range.high; i++)
			left += port_shard((uint16_t)i, counts[k]) == 1;
		for (; left; left--) {
			assert_int_equal(ports_choose(r->p, &t, &range, &nothing, &r->rng, &reused), 0);
			assert_int_equal(port_shard(t.lport, counts[k]), 1);
			assert_in_range(t.lport, range.low, range.high);
		}
		assert_int_equal(ports_choose(r->p, &t, &range, &nothing, &r->rng, &reused), -EADDRNOTAVAIL);
		for (unsigned i = range.low; i <= range.high; i++) {
			if (port_shard((uint16_t)i, counts[k]) == 1)
				release(r, (uint16_t)i, 80, false);
		}
		free_rig(r);
	}
}

/* ---- against a naive model ---- */

enum { DESTS = 6, MODEL_MAPS = 3, FREE = 0, USED, MATURE };

struct model {
	uint8_t port[DESTS][UINT16_MAX + 1];
	unsigned held[DESTS], mapped[DESTS];
	struct {
		uint16_t low, high, start; /* where the next choice of one with a map begins; of this range only */
	} next[DESTS];
};

static const struct port_range ranges[] = {
	{32768, 33100}, {32768, 32771}, {32760, 32775}, {65400, 65535},
	{1, 70},        {33000, 33000}, {32768, 60999}, {33, 4200},
};

static struct tuple model_tuple(const struct rig *r, unsigned dest, uint16_t port)
{
	struct tuple t = to(r, port, (uint16_t)(80 + dest / 2));

	t.laddr = dest % 2 ? 3 : 0;
	return t;
}

/* The first free or mature port from start on, going round. */
static uint16_t model_pick(const struct model *m, const struct rig *r, unsigned dest, const struct port_range *range,
			   uint16_t start)
{
	unsigned n = range->high - range->low + 1U;

	for (unsigned i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(range->low + (start - range->low + i) % n);

		if (m->port[dest][port] != USED && !(range->spare_mature && m->port[dest][port] == MATURE) &&
		    !port_bits_has(&r->bound, port) && port_shard(port, range->shards) == range->shard)
			return port;
	}
	return 0;
}

static unsigned model_count(const unsigned *v, unsigned above)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DESTS; i++)
		n += v[i] > above;
	return n;
}

static uint16_t model_draw(const struct port_range *range, struct rng *rng)
{
	return (uint16_t)(range->low + rng_below(rng, range->high - range->low + 1U));
}

static void model_choose(struct model *m, struct rig *r, uint16_t shards)
{
	unsigned dest = rng_below(&r->rng, DESTS);
	struct port_range range = ranges[rng_below(&r->rng, ARRAY_LEN(ranges))];
	struct tuple t = model_tuple(r, dest, 0);
	struct rng copy = r->rng;
	bool reused = false;
	uint16_t expected;
	bool drawn;
	int e;

	range.shards = shards;
	range.shard = shards ? shards - 1 : 0;
	range.spare_mature = rng_below(&copy, 4) == 0;
	copy = r->rng;
	drawn = m->mapped[dest] && m->next[dest].low == range.low && m->next[dest].high == range.high;
	expected = model_pick(m, r, dest, &range, drawn ? m->next[dest].start : model_draw(&range, &copy));
	e = ports_choose(r->p, &t, &range, &r->bound, &r->rng, &reused);
	if (expected == 0) {
		assert_int_equal(e, -EADDRNOTAVAIL);
		return;
	}
	if (m->port[dest][expected] == FREE && m->held[dest] == 16 && !m->mapped[dest] &&
	    model_count(m->mapped, 0) == MODEL_MAPS) {
		assert_int_equal(e, -ENOBUFS);
		return;
	}
	assert_int_equal(e, 0);
	assert_int_equal(t.lport, expected);
	assert_int_equal(reused, m->port[dest][expected] == MATURE);
	m->held[dest] += m->port[dest][expected] == FREE;
	m->mapped[dest] |= m->held[dest] > 16;
	m->port[dest][expected] = USED;
	if (m->mapped[dest]) {
		m->next[dest].low = range.low;
		m->next[dest].high = range.high;
		m->next[dest].start = model_draw(&range, &copy);
	}
}

/* A held port, near a random place. */
static uint16_t model_held(const struct model *m, struct rig *r, unsigned dest)
{
	uint16_t port = (uint16_t)rng_u64(&r->rng);

	while (m->port[dest][port] == FREE)
		port++;
	return port;
}

static void model_give_back(struct model *m, struct rig *r, bool keep)
{
	unsigned dest = rng_below(&r->rng, DESTS);
	struct tuple t;
	uint16_t port;

	if (m->held[dest] == 0)
		return;
	port = model_held(m, r, dest);
	t = model_tuple(r, dest, port);
	if (keep && m->port[dest][port] == USED) {
		ports_mature(r->p, &t);
		m->port[dest][port] = MATURE;
		return;
	}
	ports_release(r->p, &t, m->port[dest][port] == MATURE);
	m->port[dest][port] = FREE;
	if (--m->held[dest] < 8)
		m->mapped[dest] = 0;
}

static void model_bind(struct rig *r)
{
	const struct port_range *range = &ranges[rng_below(&r->rng, ARRAY_LEN(ranges))];
	uint16_t port = (uint16_t)(range->low + rng_below(&r->rng, range->high - range->low + 1U));

	if (port_bits_has(&r->bound, port))
		port_bits_clear(&r->bound, port);
	else
		port_bits_set(&r->bound, port);
}

static void model_compare(const struct model *m, struct rig *r)
{
	uint16_t port = (uint16_t)(32768 + rng_below(&r->rng, 340));
	bool on_0 = m->port[0][port] || m->port[2][port] || m->port[4][port];
	bool on_3 = m->port[1][port] || m->port[3][port] || m->port[5][port];

	assert_int_equal(ports_has(r->p, 0, port), on_0);
	assert_int_equal(ports_has(r->p, 3, port), on_3);
	assert_int_equal(ports_has(r->p, LADDR_ANY, port), on_0 || on_3);
	assert_int_equal(ports_destinations(r->p), model_count(m->held, 0));
	assert_int_equal(ports_maps(r->p), model_count(m->mapped, 0));
}

static void run_model(uint64_t seed, uint16_t shards)
{
	struct rig *r = new_rig(DESTS, MODEL_MAPS);
	struct model *m = calloc(1, sizeof(*m));
	unsigned grow = 5;

	assert_non_null(m);
	rng_seed(&r->rng, seed);
	for (int i = 0; i < 60000; i++) {
		unsigned what;

		if (i % 1000 == 0)
			grow = rng_below(&r->rng, 9) +
			       1; /* times of growth and of decline, to cross the limits often */
		what = rng_below(&r->rng, 12);
		if (what < grow)
			model_choose(m, r, shards);
		else if (what < 11)
			model_give_back(m, r, what % 3 == 0);
		else
			model_bind(r);
		if (i % 16 == 0)
			model_compare(m, r);
	}
	for (unsigned dest = 0; dest < DESTS; dest++) {
		for (unsigned port = 0; port <= UINT16_MAX; port++) {
			struct tuple t = model_tuple(r, dest, (uint16_t)port);

			if (m->port[dest][port])
				ports_release(r->p, &t, m->port[dest][port] == MATURE);
		}
	}
	free(m);
	free_rig(r);
}

TEST(random_operations__are_those_of_a_naive_model)
{
	for (uint64_t seed = 1; seed <= 6; seed++)
		run_model(seed, seed % 3 == 0 ? 3 : 0);
}

TEST(memory__copied_out_and_back_is_the_same)
{
	struct rig *r = new_rig(4, 2);
	void *saved = malloc(r->size);
	struct rng rng;
	int first[200];
	bool reused;

	assert_non_null(saved);
	for (uint16_t i = 0; i < 300; i++)
		take(r, 1000 + i, 80);
	memcpy(saved, r->p, r->size);
	rng = r->rng;
	for (int i = 0; i < 200; i++)
		first[i] = choose(r, 1000, 1600, i % 3 ? 80 : 81, &reused);
	memcpy(r->p, saved, r->size);
	r->rng = rng;
	for (int i = 0; i < 200; i++)
		assert_int_equal(choose(r, 1000, 1600, i % 3 ? 80 : 81, &reused), first[i]);
	free(saved);
	free(r->p);
	free(r);
}

RUN(T(choose__gives_each_port_of_the_range_once_then_eaddrnotavail), T(choose__all_65535_ports_but_never_0),
    T(choose__destinations_do_not_share), T(choose__own_address_and_peer_are_part_of_the_destination),
    T(choose__bound_ports_are_for_nobody), T(choose__bound_and_used_together_fill_the_range),
    T(destination__gone_and_its_place_taken__is_told_from_the_new_one),
    T(room__another_destination_or_map_is_enobufs_and_changes_nothing), T(map__goes_back_below_8_ports_and_not_before),
    T(mature__counts_as_free_and_is_told_when_taken), T(has__sees_what_is_there_on_its_address_and_on_any),
    T(start__is_spread_over_the_range), T(shards__share_the_ports_out_evenly),
    T(shards__each_gives_exactly_its_own_ports), T(random_operations__are_those_of_a_naive_model),
    T(memory__copied_out_and_back_is_the_same))
