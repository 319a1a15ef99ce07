/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "engine/binds.h"
#include "tests/unit/t.h"

enum { RA = BIND_REUSEADDR, RP = BIND_REUSEPORT, ALICE = 1000, BOB = 1001, MAX_BUCKETS = 200 };

struct rig {
	struct binds *b;
	struct ports *p;
	struct rng rng;
};

static struct rig *new_rig(uint32_t max_buckets)
{
	struct rig *r = calloc(1, sizeof(*r));
	void *b = malloc(binds_size(max_buckets)), *p = malloc(ports_size(64, 4));

	assert_non_null(r);
	assert_non_null(b);
	assert_non_null(p);
	memset(b, 0xa5, binds_size(max_buckets));
	r->b = binds_init(b, max_buckets, (struct hash_key){5, 6});
	r->p = ports_init(p, 64, 4, (struct hash_key){7, 8});
	rng_seed(&r->rng, 3);
	return r;
}

static void free_rig(struct rig *r)
{
	assert_int_equal(binds_count(r->b), 0);
	for (unsigned v6 = 0; v6 < 2; v6++)
		assert_memory_equal(binds_bound(r->b, v6), &port_bits_none, sizeof(port_bits_none));
	free(r->b);
	free(r->p);
	free(r);
}

static struct bind_req req(laddr_t laddr, uint16_t port, uint8_t flags)
{
	return (struct bind_req){.laddr = laddr, .port = port, .flags = flags, .owner = ALICE};
}

static bind_id add(struct rig *r, struct bind_req q, enum bind_class cls)
{
	bind_id id = binds_add(r->b, &q, cls);

	assert_int_not_equal(id, BIND_NONE);
	return id;
}

static int check(const struct rig *r, struct bind_req q) { return binds_check(r->b, r->p, &q); }

/* ---- the matrix ---- */

/*
 * kernel-truth.md 7.2, bind(0.0.0.0:P) + listen() on 6.18: a row is the old socket's flags, a column the new one's (none,
 * RA, RP, RA+RP); x is EADDRINUSE.
 */
static const char *const beside_listen[BIND_FLAGS] = {"xxxx", "xxxx", "xx..", "xx.."};
static const char *const beside_other[BIND_FLAGS] = {"xxxx", "x.x.", "xx..", "x..."};

static const struct {
	const char *state;
	enum bind_class cls;
	const char *const *rows;
} old_states[] = {
	{"LISTEN", BIND_LISTEN, beside_listen},   {"ESTABLISHED", BIND_CHILD, beside_other},
	{"CLOSE_WAIT", BIND_CHILD, beside_other}, {"FIN_WAIT_2", BIND_CHILD, beside_other},
	{"TIME_WAIT", BIND_RECORD, beside_other}, {"bound only", BIND_BOUND, beside_other},
};

/* bind() and listen() of the new socket; its places are given back. */
static int bind_and_listen(struct rig *r, struct bind_req q)
{
	int e = binds_check(r->b, r->p, &q);
	bind_id id;

	if (e)
		return e;
	id = add(r, q, BIND_BOUND);
	e = binds_check_listen(r->b, &q, id);
	binds_sub(r->b, id, BIND_BOUND, q.flags);
	return e;
}

static void check_cell(size_t s, laddr_t old_laddr, uint8_t old, laddr_t new_laddr, uint8_t new)
{
	struct rig *r = new_rig(4);
	bind_id id = add(r, req(old_laddr, 80, old), old_states[s].cls);
	int expected = old_states[s].rows[old][new] == 'x' ? -EADDRINUSE : 0;

	if (bind_and_listen(r, req(new_laddr, 80, new)) != expected)
		fail_msg("%s, old flags %u, new flags %u", old_states[s].state, old, new);
	binds_sub(r->b, id, old_states[s].cls, old);
	free_rig(r);
}

static void check_matrix(laddr_t old_laddr, laddr_t new_laddr)
{
	for (size_t s = 0; s < ARRAY_LEN(old_states); s++)
		for (unsigned flags = 0; flags < BIND_FLAGS * BIND_FLAGS; flags++)
			check_cell(s, old_laddr, (uint8_t)(flags / BIND_FLAGS), new_laddr,
				   (uint8_t)(flags % BIND_FLAGS));
}

TEST(matrix__96_cells_of_linux_6_18)
{
	check_matrix(LADDR_ANY, LADDR_ANY);
}

TEST(matrix__same_on_one_address_and_with_any_on_either_side)
{
	check_matrix(2, 2);
	check_matrix(LADDR_ANY, 2);
	check_matrix(2, LADDR_ANY);
}

TEST(check__other_port_other_address_other_family_do_not_meet)
{
	struct rig *r = new_rig(4);
	struct bind_req v6 = req(LADDR_ANY, 80, 0);
	bind_id id = add(r, req(1, 80, 0), BIND_LISTEN);

	v6.v6 = true;
	assert_int_equal(check(r, req(1, 80, 0)), -EADDRINUSE);
	assert_int_equal(check(r, req(LADDR_ANY, 80, 0)), -EADDRINUSE);
	assert_int_equal(check(r, req(1, 81, 0)), 0);
	assert_int_equal(check(r, req(2, 80, 0)), 0);
	assert_int_equal(check(r, v6), 0);
	binds_sub(r->b, id, BIND_LISTEN, 0);
	assert_int_equal(check(r, req(1, 80, 0)), 0);
	free_rig(r);
}

/* ---- SO_REUSEPORT and its owner ---- */

TEST(reuseport__needs_the_same_owner_except_for_records)
{
	static const enum bind_class classes[] = {BIND_LISTEN, BIND_BOUND, BIND_CHILD};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct rig *r = new_rig(4);
		struct bind_req bob = req(LADDR_ANY, 80, RP);
		bind_id id = add(r, req(LADDR_ANY, 80, RP), classes[i]);

		bob.owner = BOB;
		assert_int_equal(check(r, bob), -EADDRINUSE);
		assert_int_equal(check(r, req(LADDR_ANY, 80, RP)), 0);
		assert_int_equal(check(r, req(3, 80, RP)), 0);
		bob.laddr = 3;
		assert_int_equal(check(r, bob), -EADDRINUSE);
		binds_move(r->b, id, classes[i], BIND_RECORD, RP);
		assert_int_equal(check(r, bob), 0);
		binds_sub(r->b, id, BIND_RECORD, RP);
		free_rig(r);
	}
}

TEST(reuseport__two_owners_share_with_nobody_until_both_are_gone)
{
	struct rig *r = new_rig(4);
	struct bind_req alice = req(4, 80, RA | RP), bob = alice;
	bind_id id = add(r, alice, BIND_BOUND);

	bob.owner = BOB;
	assert_int_equal(check(r, bob), 0); /* by SO_REUSEADDR */
	assert_int_equal(add(r, bob, BIND_BOUND), id);
	alice.flags = RP;
	assert_int_equal(check(r, alice), -EADDRINUSE);
	binds_sub(r->b, id, BIND_BOUND, RA | RP);
	assert_int_equal(check(r, alice), -EADDRINUSE);
	binds_sub(r->b, id, BIND_BOUND, RA | RP);
	assert_int_equal(check(r, alice), 0);
	bob.flags = RP;
	id = add(r, bob, BIND_BOUND);
	assert_int_equal(check(r, bob), 0);
	binds_sub(r->b, id, BIND_BOUND, RP);
	free_rig(r);
}

/* Two owners on different addresses: each of them may share with its own, nobody may have all. */
TEST(reuseport__owners_are_those_of_the_address)
{
	struct rig *r = new_rig(4);
	struct bind_req alice = req(1, 80, RP), bob = req(2, 80, RP);
	bind_id a = add(r, alice, BIND_LISTEN), b;

	bob.owner = BOB;
	assert_int_equal(check(r, bob), 0);
	b = add(r, bob, BIND_LISTEN);
	assert_int_equal(check(r, alice), 0);
	assert_int_equal(check(r, bob), 0);
	alice.laddr = bob.laddr = LADDR_ANY;
	assert_int_equal(check(r, alice), -EADDRINUSE);
	assert_int_equal(check(r, bob), -EADDRINUSE);
	binds_sub(r->b, a, BIND_LISTEN, RP);
	binds_sub(r->b, b, BIND_LISTEN, RP);
	free_rig(r);
}

/* ---- listen() ---- */

TEST(listen__two_bound_with_reuseaddr_and_only_the_first_may)
{
	struct rig *r = new_rig(4);
	struct bind_req q = req(LADDR_ANY, 80, RA), specific = req(6, 80, RA);
	bind_id id = add(r, q, BIND_BOUND), one;

	assert_int_equal(check(r, q), 0);
	assert_int_equal(add(r, q, BIND_BOUND), id);
	assert_int_equal(check(r, specific), 0);
	one = add(r, specific, BIND_BOUND);
	assert_int_equal(binds_check_listen(r->b, &q, id), 0);
	binds_move(r->b, id, BIND_BOUND, BIND_LISTEN, RA);
	assert_int_equal(binds_check_listen(r->b, &q, id), -EADDRINUSE);
	assert_int_equal(binds_check_listen(r->b, &specific, one), -EADDRINUSE);
	binds_move(r->b, id, BIND_LISTEN, BIND_BOUND, RA); /* shutdown() of the listener */
	assert_int_equal(binds_check_listen(r->b, &specific, one), 0);
	binds_move(r->b, one, BIND_BOUND, BIND_LISTEN, RA);
	assert_int_equal(binds_check_listen(r->b, &q, id), -EADDRINUSE);
	binds_sub(r->b, one, BIND_LISTEN, RA);
	binds_sub(r->b, id, BIND_BOUND, RA);
	binds_sub(r->b, id, BIND_BOUND, RA);
	free_rig(r);
}

TEST(listen__beside_another_with_reuseport_and_on_another_address)
{
	struct rig *r = new_rig(4);
	struct bind_req q = req(1, 80, RP), other = req(2, 80, 0);
	bind_id id = add(r, q, BIND_LISTEN);

	assert_int_equal(add(r, q, BIND_BOUND), id);
	assert_int_equal(binds_check_listen(r->b, &q, id), 0);
	assert_int_equal(binds_check_listen(r->b, &other, BIND_NONE), 0);
	binds_sub(r->b, id, BIND_LISTEN, RP);
	binds_sub(r->b, id, BIND_BOUND, RP);
	free_rig(r);
}

/* ---- life of a bucket ---- */

/* kernel-truth 3.3: on 6.18 the mark goes with the bound socket; what descends from it stays. */
TEST(bound_mark__goes_with_the_bound_socket_while_children_and_records_remain)
{
	struct rig *r = new_rig(1);
	bind_id id = add(r, req(LADDR_ANY, 80, RA), BIND_BOUND);

	assert_true(port_bits_has(binds_bound(r->b, false), 80));
	assert_false(port_bits_has(binds_bound(r->b, true), 80));
	binds_move(r->b, id, BIND_BOUND, BIND_LISTEN, RA);
	assert_true(port_bits_has(binds_bound(r->b, false), 80));
	binds_add_to(r->b, id, BIND_CHILD, RA);
	binds_add_to(r->b, id, BIND_CHILD, RA);
	binds_move(r->b, id, BIND_CHILD, BIND_RECORD, RA);
	binds_sub(r->b, id, BIND_LISTEN, RA);
	assert_false(port_bits_has(binds_bound(r->b, false), 80));
	assert_int_equal(binds_count(r->b), 1);
	assert_int_equal(binds_find(r->b, LADDR_ANY, 80, false), id);
	assert_int_equal(check(r, req(LADDR_ANY, 80, 0)), -EADDRINUSE);
	assert_int_equal(check(r, req(LADDR_ANY, 80, RA)), 0); /* the restarted server */
	binds_sub(r->b, id, BIND_CHILD, RA);
	binds_sub(r->b, id, BIND_RECORD, RA);
	assert_int_equal(binds_find(r->b, LADDR_ANY, 80, false), BIND_NONE);
	assert_int_equal(check(r, req(LADDR_ANY, 80, 0)), 0);
	free_rig(r);
}

/* bind() and connect(): the mark goes when the connection becomes a record. */
TEST(bound_mark__goes_when_its_last_holder_becomes_a_record)
{
	struct rig *r = new_rig(2);
	bind_id a = add(r, req(1, 90, 0), BIND_BOUND), b = add(r, req(2, 90, 0), BIND_BOUND);

	binds_move(r->b, a, BIND_BOUND, BIND_RECORD, 0);
	assert_true(port_bits_has(binds_bound(r->b, false), 90)); /* that of the other address */
	binds_move(r->b, b, BIND_BOUND, BIND_RECORD, 0);
	assert_false(port_bits_has(binds_bound(r->b, false), 90));
	binds_move(r->b, b, BIND_RECORD, BIND_BOUND, 0);
	assert_true(port_bits_has(binds_bound(r->b, false), 90));
	binds_sub(r->b, a, BIND_RECORD, 0);
	binds_sub(r->b, b, BIND_BOUND, 0);
	free_rig(r);
}

TEST(add__no_more_than_max_buckets_and_their_places_are_used_again)
{
	struct rig *r = new_rig(3);
	struct bind_req q = req(LADDR_ANY, 0, 0);
	bind_id id[3];

	for (int round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < 3; i++)
			id[i] = add(r, req(LADDR_ANY, (uint16_t)(100 * round + i + 1), 0), BIND_BOUND);
		q.port = 9;
		assert_int_equal(binds_add(r->b, &q, BIND_BOUND), BIND_NONE);
		q.port = (uint16_t)(100 * round + 1);
		assert_int_equal(binds_add(r->b, &q, BIND_CHILD), id[0]); /* that bucket is there */
		assert_int_equal(binds_count(r->b), 3);
		binds_sub(r->b, id[0], BIND_CHILD, 0);
		for (int i = 0; i < 3; i++)
			binds_sub(r->b, id[i], BIND_BOUND, 0);
	}
	free_rig(r);
}

/* ---- ports chosen by connect() ---- */

static struct tuple connect_from(struct rig *r, laddr_t laddr, uint16_t port, uint8_t flags)
{
	struct port_range one = {.low = port, .high = port};
	struct tuple t = {.raddr = addr_v4(10, 0, 0, 1), .laddr = laddr, .rport = 443};
	bool reused;

	assert_int_equal(ports_choose(r->p, &t, &one, binds_bound(r->b, false), &r->rng, &reused), 0);
	binds_chosen(r->b, port, false, flags, 1);
	return t;
}

static void disconnect(struct rig *r, const struct tuple *t, uint8_t flags)
{
	ports_release(r->p, t, false);
	binds_chosen(r->b, t->lport, false, flags, -1);
}

/* kernel-truth 7.2: a client's port blocks a later server on it; a different local address is fine. */
TEST(chosen__stands_in_the_way_of_bind_as_a_child_does)
{
	for (unsigned old = 0; old < BIND_FLAGS; old++) {
		struct rig *r = new_rig(2);
		struct tuple t = connect_from(r, 1, 40000, (uint8_t)old);

		for (unsigned new = 0; new < BIND_FLAGS; new ++) {
			int expected = beside_other[old][new] == 'x' ? -EADDRINUSE : 0;

			assert_int_equal(check(r, req(LADDR_ANY, 40000, (uint8_t) new)), expected);
			assert_int_equal(check(r, req(1, 40000, (uint8_t) new)), expected);
			assert_int_equal(check(r, req(2, 40000, (uint8_t) new)), 0);
			assert_int_equal(check(r, req(1, 40001, (uint8_t) new)), 0);
		}
		disconnect(r, &t, (uint8_t)old);
		assert_int_equal(check(r, req(LADDR_ANY, 40000, 0)), 0);
		free_rig(r);
	}
}

TEST(chosen__is_of_its_family)
{
	struct rig *r = new_rig(2);
	struct bind_req q = req(LADDR_ANY, 40000, 0);

	binds_chosen(r->b, 40000, true, 0, 1);
	assert_int_equal(check(r, q), 0);
	q.v6 = true;
	assert_int_equal(check(r, q), -EADDRINUSE);
	binds_chosen(r->b, 40000, true, 0, -1);
	assert_int_equal(check(r, q), 0);
	free_rig(r);
}

/* More than an octet counts, up and down, past every place where a counter may carry. */
TEST(chosen__a_thousand_from_one_port__in_use_until_the_last)
{
	struct rig *r = new_rig(2);

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++)
			binds_chosen(r->b, 40000, false, round ? BIND_REUSEPORT : 0, 1);
		for (unsigned i = 0; i < 1000; i++) {
			assert_int_equal(check(r, req(LADDR_ANY, 40000, 0)), -EADDRINUSE);
			assert_int_equal(check(r, req(LADDR_ANY, 40001, 0)), 0);
			binds_chosen(r->b, 40000, false, round ? BIND_REUSEPORT : 0, -1);
		}
		assert_int_equal(check(r, req(LADDR_ANY, 40000, 0)), 0);
	}
	free_rig(r);
}

/* ---- bind(port 0) ---- */

static int choose(struct rig *r, struct bind_req *q, uint16_t low, uint16_t high)
{
	struct port_range range = {.low = low, .high = high};

	return binds_choose(r->b, r->p, q, &range, &r->rng);
}

TEST(port_0__odd_distance_first_then_even_then_eaddrinuse)
{
	static const uint16_t lows[] = {32768, 32769};

	for (size_t k = 0; k < ARRAY_LEN(lows); k++) {
		struct rig *r = new_rig(MAX_BUCKETS);
		uint16_t low = lows[k], high = (uint16_t)(low + MAX_BUCKETS - 1);
		bind_id id[MAX_BUCKETS];
		struct bind_req q;

		for (unsigned i = 0; i < MAX_BUCKETS; i++) {
			q = req(1, 0, RA); /* SO_REUSEADDR does not help (3.3) */
			assert_int_equal(choose(r, &q, low, high), 0);
			assert_in_range(q.port, low, high);
			assert_int_equal((q.port - low) % 2, i < MAX_BUCKETS / 2);
			assert_int_equal(check(r, q), 0);
			id[i] = add(r, q, i % 2 ? BIND_BOUND : BIND_RECORD);
		}
		q = req(2, 0, RA | RP);
		assert_int_equal(choose(r, &q, low, high), -EADDRINUSE);
		assert_int_equal(q.port, 0);
		q.v6 = true;
		assert_int_equal(choose(r, &q, low, high), 0);
		for (unsigned i = 0; i < MAX_BUCKETS; i++)
			binds_sub(r->b, id[i], i % 2 ? BIND_BOUND : BIND_RECORD, RA);
		free_rig(r);
	}
}

TEST(port_0__not_one_that_connect_chose_nor_of_another_shard)
{
	struct rig *r = new_rig(4);
	struct bind_req q = req(LADDR_ANY, 0, 0);
	struct port_range range = {500, 563, 2, 4};

	binds_chosen(r->b, 700, false, 0, 1);
	binds_chosen(r->b, 703, false, RA, 1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(binds_choose(r->b, r->p, &q, &range, &r->rng), 0);
		assert_int_equal(port_shard(q.port, 4), 2);
		assert_in_range(q.port, 500, 563);
	}
	free(r->p);
	r->p = malloc(ports_size(1, 1));
	assert_non_null(r->p);
	r->p = ports_init(r->p, 1, 1, (struct hash_key){1, 1});
	for (int i = 0; i < 50; i++) {
		assert_int_equal(choose(r, &q, 700, 703), 0);
		assert_int_equal(q.port, 701);
	}
	assert_int_equal(choose(r, &q, 703, 703), -EADDRINUSE);
	assert_int_equal(choose(r, &q, 0, 0), -EADDRINUSE);
	binds_chosen(r->b, 700, false, 0, -1);
	binds_chosen(r->b, 703, false, RA, -1);
	assert_int_equal(choose(r, &q, 703, 703), 0);
	free_rig(r);
}

/* ---- against a naive model ---- */

enum { HOLDERS = 200, MODEL_BUCKETS = 24 };

struct holder {
	struct bind_req q; /* port 0: not in use */
	enum bind_class cls;
	bind_id id;
	bool chosen; /* by connect() */
	struct tuple t;
};

struct owner { /* of SO_REUSEPORT holders since there was none */
	uint32_t id;
	bool mixed;
};

struct model {
	struct holder h[HOLDERS];
	struct owner one[2][4][4], all[2][4]; /* [is IPv6][port][address], [is IPv6][port] */
};

/* Addresses are 0 to 2 (IPv4), 4 to 6 (IPv6) and any, which is 3 here. Ports are 1000 to 1003. */
static unsigned slot(laddr_t laddr) { return laddr % 4; }

static struct owner *owner_of(struct model *m, const struct bind_req *q)
{
	return &m->one[q->v6][q->port % 4][slot(q->laddr)];
}

static bool overlap(laddr_t a, laddr_t b) { return a == b || a == LADDR_ANY || b == LADDR_ANY; }
static bool same_port(const struct bind_req *a, const struct bind_req *b)
{
	return a->port == b->port && a->v6 == b->v6;
}
static bool is_owned(uint8_t flags, enum bind_class cls) { return flags & RP && cls != BIND_RECORD; }

static void note_owner(struct owner *o, uint32_t id, bool begins, bool owned)
{
	if (begins)
		*o = (struct owner){.id = id};
	else if (owned)
		o->mixed |= o->id != id;
}

/* Before q is added. */
static void model_owner(struct model *m, const struct bind_req *q, enum bind_class cls)
{
	unsigned one = 0, one_owned = 0, all = 0, all_owned = 0;
	bool owned = is_owned(q->flags, cls);

	for (unsigned i = 0; i < HOLDERS; i++) {
		const struct holder *h = &m->h[i];

		if (h->chosen || !same_port(&h->q, q))
			continue;
		all++;
		all_owned += is_owned(h->q.flags, h->cls);
		one += h->q.laddr == q->laddr;
		one_owned += h->q.laddr == q->laddr && is_owned(h->q.flags, h->cls);
	}
	note_owner(owner_of(m, q), q->owner, one == 0 || (owned && one_owned == 0), owned);
	note_owner(&m->all[q->v6][q->port % 4], q->owner, all == 0 || (owned && all_owned == 0), owned);
}

static bool model_conflict(struct model *m, const struct bind_req *q, const struct holder *h)
{
	bool ra = q->flags & h->q.flags & RA, rp = q->flags & h->q.flags & RP;
	const struct owner *o = q->laddr == LADDR_ANY ? &m->all[q->v6][q->port % 4] : owner_of(m, &h->q);

	if (h->chosen)
		return !ra && !rp;
	if (ra && h->cls != BIND_LISTEN)
		return false;
	return !rp || (h->cls != BIND_RECORD && (o->mixed || o->id != q->owner));
}

/* Of chosen ports flags are counted by port, presence by address. */
static int model_check(struct model *m, const struct bind_req *q, bool listen)
{
	bool conflict = false, chosen_conflict = false, chosen_here = false;

	for (unsigned i = 0; i < HOLDERS; i++) {
		const struct holder *h = &m->h[i];

		if (!same_port(&h->q, q) || (listen && (h->chosen || h->cls != BIND_LISTEN)))
			continue;
		if (h->chosen) {
			chosen_conflict |= model_conflict(m, q, h);
			chosen_here |= overlap(h->q.laddr, q->laddr);
		} else if (overlap(h->q.laddr, q->laddr)) {
			conflict |= model_conflict(m, q, h);
		}
	}
	return conflict || (chosen_conflict && chosen_here) ? -EADDRINUSE : 0;
}

static struct bind_req random_req(struct rng *rng)
{
	bool v6 = rng_chance(rng, 0.3);
	laddr_t laddr = (laddr_t)(rng_below(rng, 4) + (v6 ? 4 : 0));

	return (struct bind_req){.laddr = slot(laddr) == 3 ? LADDR_ANY : laddr,
				 .port = (uint16_t)(1000 + rng_below(rng, 4)),
				 .flags = (uint8_t)rng_below(rng, BIND_FLAGS),
				 .v6 = v6,
				 .owner = ALICE + (rng_below(rng, 4) == 0)};
}

static unsigned model_buckets(const struct model *m)
{
	uint32_t seen = 0;

	for (unsigned i = 0; i < HOLDERS; i++) {
		const struct bind_req *q = &m->h[i].q;

		if (q->port && !m->h[i].chosen)
			seen |= UINT32_C(1) << (q->v6 * 16 + q->port % 4 * 4 + slot(q->laddr));
	}
	return (unsigned)__builtin_popcount(seen);
}

/* Half the time as an application would, after binds_check(); otherwise whatever comes. */
static void model_add(struct model *m, struct rig *r, struct holder *h)
{
	struct bind_req q = random_req(&r->rng);
	enum bind_class cls = rng_below(&r->rng, N_BIND_CLASSES);
	unsigned n = model_buckets(m);
	bind_id id = binds_find(r->b, q.laddr, q.port, q.v6);

	if (rng_chance(&r->rng, 0.5) && binds_check(r->b, r->p, &q))
		return;
	if (id == BIND_NONE && n == MODEL_BUCKETS) {
		assert_int_equal(binds_add(r->b, &q, cls), BIND_NONE);
		return;
	}
	model_owner(m, &q, cls);
	*h = (struct holder){.q = q, .cls = cls, .id = binds_add(r->b, &q, cls)};
	assert_int_not_equal(h->id, BIND_NONE);
	assert_true(id == BIND_NONE || h->id == id);
}

static void model_connect(struct rig *r, struct holder *h)
{
	struct bind_req q = random_req(&r->rng);
	struct port_range one = {.low = q.port, .high = q.port};
	struct tuple t = {.raddr = addr_v4(10, 0, 0, 1), .laddr = q.laddr, .rport = (uint16_t)rng_below(&r->rng, 8)};
	bool bound = port_bits_has(binds_bound(r->b, q.v6), q.port), reused;

	if (q.laddr == LADDR_ANY)
		return;
	if (ports_choose(r->p, &t, &one, binds_bound(r->b, q.v6), &r->rng, &reused))
		return;
	assert_false(bound);
	binds_chosen(r->b, q.port, q.v6, q.flags, 1);
	*h = (struct holder){.q = q, .chosen = true, .t = t};
}

static void model_remove(struct rig *r, struct holder *h)
{
	if (h->chosen) {
		ports_release(r->p, &h->t, false);
		binds_chosen(r->b, h->q.port, h->q.v6, h->q.flags, -1);
	} else {
		binds_sub(r->b, h->id, h->cls, h->q.flags);
	}
	h->q.port = 0;
	h->chosen = false;
}

static void model_step(struct model *m, struct rig *r, bool grow)
{
	struct holder *h = &m->h[rng_below(&r->rng, HOLDERS)];

	if (h->q.port == 0) {
		if (grow && rng_chance(&r->rng, 0.8))
			model_add(m, r, h);
		else if (grow)
			model_connect(r, h);
	} else if (!h->chosen && rng_chance(&r->rng, 0.4)) {
		enum bind_class cls = rng_below(&r->rng, N_BIND_CLASSES);

		binds_move(r->b, h->id, h->cls, cls, h->q.flags);
		h->cls = cls;
	} else if (!grow || rng_chance(&r->rng, 0.3)) {
		model_remove(r, h);
	}
}

static void model_compare(struct model *m, struct rig *r)
{
	struct bind_req q = random_req(&r->rng), any = q;
	struct port_range one = {.low = q.port, .high = q.port};
	bool bound = false, held = false;

	assert_int_equal(binds_check(r->b, r->p, &q), model_check(m, &q, false));
	assert_int_equal(binds_check_listen(r->b, &q, BIND_NONE), model_check(m, &q, true));
	for (unsigned i = 0; i < HOLDERS; i++) {
		const struct holder *h = &m->h[i];

		held |= same_port(&h->q, &q);
		bound |= same_port(&h->q, &q) && !h->chosen && h->cls <= BIND_BOUND;
	}
	assert_int_equal(port_bits_has(binds_bound(r->b, q.v6), q.port), bound);
	assert_int_equal(binds_choose(r->b, r->p, &any, &one, &r->rng), held ? -EADDRINUSE : 0);
	assert_int_equal(binds_count(r->b), model_buckets(m));
}

TEST(random_operations__are_those_of_a_naive_model)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct rig *r = new_rig(MODEL_BUCKETS);
		struct model *m = calloc(1, sizeof(*m));
		bool grow = true;

		assert_non_null(m);
		rng_seed(&r->rng, seed);
		for (int i = 0; i < 40000; i++) {
			if (i % 400 == 0)
				grow = rng_chance(&r->rng, 0.5);
			model_step(m, r, grow);
			model_compare(m, r);
		}
		for (unsigned i = 0; i < HOLDERS; i++) {
			if (m->h[i].q.port)
				model_remove(r, &m->h[i]);
		}
		assert_int_equal(ports_destinations(r->p), 0);
		free(m);
		free_rig(r);
	}
}

RUN(T(matrix__96_cells_of_linux_6_18), T(matrix__same_on_one_address_and_with_any_on_either_side),
    T(check__other_port_other_address_other_family_do_not_meet), T(reuseport__needs_the_same_owner_except_for_records),
    T(reuseport__two_owners_share_with_nobody_until_both_are_gone), T(reuseport__owners_are_those_of_the_address),
    T(listen__two_bound_with_reuseaddr_and_only_the_first_may),
    T(listen__beside_another_with_reuseport_and_on_another_address),
    T(bound_mark__goes_with_the_bound_socket_while_children_and_records_remain),
    T(bound_mark__goes_when_its_last_holder_becomes_a_record),
    T(add__no_more_than_max_buckets_and_their_places_are_used_again),
    T(chosen__stands_in_the_way_of_bind_as_a_child_does), T(chosen__is_of_its_family),
    T(chosen__a_thousand_from_one_port__in_use_until_the_last), T(port_0__odd_distance_first_then_even_then_eaddrinuse),
    T(port_0__not_one_that_connect_chose_nor_of_another_shard), T(random_operations__are_those_of_a_naive_model))
