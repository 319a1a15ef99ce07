/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include <errno.h>

enum {
	ALIGN = 64,
	BUFFER_MIN = 2048,
	BUFFER_MAX = 1 << 30, /* what a window of 65535 << 14 can announce (RFC 7323 2.3) */
	POOL_MAX = 1 << 20,
	MTU_MIN = 576, /* RFC 791 3.2: what every host must be ready to take */
	LISTEN_BUCKETS_MAX = 1 << 12,
	SENT_OCTETS_LEAST = 512,
	SENT_SLOTS_LEAST = 64,
	EXPIRE_ADVANCE = 256, /* records that one la_advance() may remove */
};

/* ---- the block: where everything is in it ---- */

struct layout {
	size_t conns, sent, buffers, runs, buckets, listen_buckets, replies, oow, pmtu, addrs, ports, binds, tw[2],
		peers, total;
	uint32_t n_buckets, n_listen_buckets;
};

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static bool take_default(uint32_t *value, uint32_t def, uint32_t max)
{
	if (*value == 0)
		*value = def;
	return *value <= max;
}

static bool buffer_ok(uint32_t *value)
{
	return take_default(value, 65536, BUFFER_MAX) && *value >= BUFFER_MIN && (*value & (*value - 1)) == 0;
}

/* The defaults filled in; false: refused. */
static bool config_fill(struct la_config *c, const struct la_config *from)
{
	bool ok;

	if (!from)
		return false;
	*c = *from;
	ok = take_default(&c->max_sockets, 1024, POOL_MAX);
	ok = take_default(&c->max_time_wait4, 65536, TW_CAPACITY_MAX) && ok;
	ok = take_default(&c->max_time_wait6, 16384, TW_CAPACITY_MAX) && ok;
	ok = take_default(&c->max_addresses, 16, 65534) && ok;
	ok = take_default(&c->max_destinations, 1024, POOL_MAX) && ok;
	ok = take_default(&c->max_port_maps, 64, POOL_MAX) && ok;
	ok = take_default(&c->max_bound, 1024, POOL_MAX) && ok;
	ok = take_default(&c->max_peers, 1024, POOL_MAX) && ok;
	ok = take_default(&c->max_replies, 256, POOL_MAX) && ok;
	ok = buffer_ok(&c->send_buffer) && buffer_ok(&c->receive_buffer) && ok;
	ok = take_default(&c->mtu, 1500, 65535) && c->mtu >= MTU_MIN && ok;
	if (c->shards == 0)
		c->shards = 1;
	if (c->max_port_maps > c->max_destinations)
		c->max_port_maps = c->max_destinations;
	return ok && c->shard < c->shards && c->now < NSEC_NEVER / 2;
}

/* Room for n octets at the end of the block. Cannot overflow: config_fill() has bounded every part of the sum. */
static size_t place(struct layout *l, size_t n)
{
	size_t at = l->total;

	l->total += (n + ALIGN - 1) / ALIGN * ALIGN;
	return at;
}

/* A connection's scoreboard: segments of half the usual size fill the buffer. With smaller ones new text waits. */
static size_t sent_slots(const struct la_config *c)
{
	uint32_t n = c->send_buffer / SENT_OCTETS_LEAST;

	return n < SENT_SLOTS_LEAST ? SENT_SLOTS_LEAST : n > SENT_MAX ? SENT_MAX : n;
}

static struct layout layout_of(const struct la_config *c)
{
	struct layout l = {0};

	l.n_buckets = power_of_two(c->max_sockets);
	l.n_listen_buckets = l.n_buckets < LISTEN_BUCKETS_MAX ? l.n_buckets : LISTEN_BUCKETS_MAX;
	place(&l, sizeof(struct engine));
	l.conns = place(&l, c->max_sockets * sizeof(struct conn));
	l.buckets = place(&l, l.n_buckets * sizeof(struct link));
	l.listen_buckets = place(&l, l.n_listen_buckets * sizeof(struct link));
	l.replies = place(&l, c->max_replies * sizeof(struct reply));
	l.oow = place(&l, OOW_SLOTS * sizeof(struct oow_slot));
	l.pmtu = place(&l, PMTU_SLOTS * sizeof(struct pmtu_slot));
	l.addrs = place(&l, addrs_size(c->max_addresses));
	l.ports = place(&l, ports_size(c->max_destinations, c->max_port_maps));
	l.binds = place(&l, binds_size(c->max_bound));
	l.peers = place(&l, peers_size(c->max_peers));
	l.tw[0] = place(&l, twstore_size(false, c->max_time_wait4));
	l.tw[1] = place(&l, twstore_size(true, c->max_time_wait6));
	l.runs = place(&l, (size_t)c->max_sockets * rcv_runs_max(c) * sizeof(struct run));
	l.sent = place(&l, c->max_sockets * sent_slots(c) * sizeof(struct sent));
	l.buffers = place(&l, c->max_sockets * ((size_t)c->send_buffer + c->receive_buffer));
	return l;
}

size_t la_size(const struct la_config *cfg)
{
	struct la_config filled;

	return config_fill(&filled, cfg) ? layout_of(&filled).total : 0;
}

/* One secret, several uses: a key for each, and none tells about another. */
static struct hash_key key_for(const struct la_config *c, const char *use)
{
	struct hash_key seed = {c->seed[0], c->seed[1]}, half;
	size_t len = strlen(use);

	half.k0 = hash_bytes(seed, use, len);
	half.k1 = hash_bytes(seed, use, len + 1); /* with its NUL: another message */
	return half;
}

static void init_pool(struct engine *e, uint8_t *base, const struct layout *l)
{
	size_t each = (size_t)e->cfg.send_buffer + e->cfg.receive_buffer;

	e->conns = (void *)(base + l->conns);
	e->n_conns = e->cfg.max_sockets;
	e->sent_slots = (uint32_t)sent_slots(&e->cfg);
	e->number_mask = power_of_two(e->n_conns) - 1;
	memset(e->conns, 0, e->n_conns * sizeof(*e->conns));
	link_init(&e->free);
	for (uint32_t i = 0; i < e->n_conns; i++) {
		struct conn *c = &e->conns[i];

		c->eng = e;
		c->handle = (la_sock)i;
		c->snd_buf = base + l->buffers + i * each;
		c->rcv_buf = c->snd_buf + e->cfg.send_buffer;
		c->sent = (struct sent *)(void *)(base + l->sent) + (size_t)i * e->sent_slots;
		c->gaps = (struct run *)(void *)(base + l->runs) + (size_t)i * rcv_runs_max(&e->cfg);
		link_append(&e->free, &c->queue_link);
	}
}

static void init_links(struct link *heads, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		link_init(&heads[i]);
}

static void init_parts(struct engine *e, uint8_t *base, const struct layout *l)
{
	const struct la_config *c = &e->cfg;

	init_pool(e, base, l);
	e->buckets = (void *)(base + l->buckets);
	e->bucket_mask = l->n_buckets - 1;
	init_links(e->buckets, l->n_buckets);
	e->listen_buckets = (void *)(base + l->listen_buckets);
	e->listen_mask = l->n_listen_buckets - 1;
	init_links(e->listen_buckets, l->n_listen_buckets);
	e->replies = (void *)(base + l->replies);
	e->oow = (void *)(base + l->oow);
	memset(e->oow, 0, OOW_SLOTS * sizeof(*e->oow));
	e->pmtu = (void *)(base + l->pmtu);
	memset(e->pmtu, 0, PMTU_SLOTS * sizeof(*e->pmtu));
	link_init(&e->out);
	link_init(&e->events);
	link_init(&e->lingered);
	wheel_init(&e->wheel, e->now);
	e->addrs = addrs_init(base + l->addrs, c->max_addresses);
	e->ports = ports_init(base + l->ports, c->max_destinations, c->max_port_maps, key_for(c, "ports"));
	e->binds = binds_init(base + l->binds, c->max_bound, key_for(c, "binds"));
	e->peers = peers_init(base + l->peers, c->max_peers, key_for(c, "peers"));
	e->tw[0] = twstore_init(base + l->tw[0], false, c->max_time_wait4, key_for(c, "tw4"), e->now);
	e->tw[1] = twstore_init(base + l->tw[1], true, c->max_time_wait6, key_for(c, "tw6"), e->now);
}

int la_init(void *mem, size_t size, const struct la_config *cfg, struct la_engine **ret)
{
	struct engine *e = mem;
	struct la_config filled;
	struct layout l;

	if (!mem || !ret || (uintptr_t)mem % ALIGN || !config_fill(&filled, cfg))
		return -EINVAL;
	l = layout_of(&filled);
	if (size < l.total)
		return -ENOMEM;
	*e = (struct engine){.cfg = filled, .cookies_at = NSEC_NEVER};
	engine_now(e, filled.now);
	e->tuple_key = key_for(&filled, "tuple");
	e->secret_key = key_for(&filled, "secret");
	e->cookie_key = key_for(&filled, "cookies");
	e->gap_key = key_for(&filled, "gap");
	e->pmtu_key = key_for(&filled, "pmtu");
	rng_seed(&e->rng, key_for(&filled, "rng").k0);
	knobs_default(&e->k);
	init_parts(e, mem, &l);
	*ret = handle_of(e);
	return 0;
}

int la_address_add(struct la_engine *h, const uint8_t addr[16])
{
	struct addr a;
	int n;

	if (!addr)
		return -EINVAL;
	a = addr_from_v6(addr);
	if (!addr_is_unicast(&a))
		return -EINVAL;
	n = addrs_add(engine_of(h)->addrs, &a);
	return n < 0 ? n : 0;
}

/* ---- knobs ---- */

int la_knob_set(struct la_engine *h, const char *name, const char *value)
{
	return name && value ? knobs_set(&engine_of(h)->k, name, value) : -EINVAL;
}

int la_knob_get(const struct la_engine *h, const char *name, int64_t *ret)
{
	int id;

	if (!name || !ret)
		return -EINVAL;
	id = knob_find(name);
	if (id < 0)
		return -ENOENT;
	*ret = knobs_get(&engine_of_const(h)->k, (enum knob_id)id);
	return 0;
}

int la_knobs_load(struct la_engine *h, const char *text, size_t len, unsigned *ret_line)
{
	return text || !len ? knobs_load(&engine_of(h)->k, text ? text : "", len, ret_line) : -EINVAL;
}

/* ---- packets and time ---- */

static APART void time_goes_on(struct engine *e, nsec_t now)
{
	must(now >= e->now);
	must(now < NSEC_NEVER / 2); /* every deadline is a sum */
	e->now = now;
	e->now_ms = (uint32_t)(now / NSEC_PER_MS);
}

void engine_now(struct engine *e, nsec_t now)
{
	if (now != e->now) /* many calls come at one time */
		time_goes_on(e, now);
}

/* What lingering closes waited for may have come (close.c). */
static COLD void see_lingered(struct engine *e)
{
	struct link *l;

	while ((l = link_pop(&e->lingered)) != NULL)
		conn_linger_look(container_of(l, struct conn, event_link));
}

void la_input(struct la_engine *h, la_time now, const void *packet, size_t len)
{
	struct engine *e = engine_of(h);

	engine_now(e, now);
	if (packet && len)
		seg_in(e, packet, len);
	tw_tick(e);
	if (!link_is_empty(&e->lingered))
		see_lingered(e);
}

size_t la_output(struct la_engine *h, la_time now, void *buf, size_t cap)
{
	struct engine *e = engine_of(h);

	engine_now(e, now);
	return buf && cap >= e->cfg.mtu ? out_next(e, buf, cap) : 0;
}

la_time la_next_at(const struct la_engine *h)
{
	const struct engine *e = engine_of_const(h);
	nsec_t timer = wheel_next_at(&e->wheel), record = tw_next_at(e), next = timer < record ? timer : record;

	return next > e->now ? next : e->now; /* what is overdue is due now: time must not go backwards */
}

void la_advance(struct la_engine *h, la_time now)
{
	struct engine *e = engine_of(h);
	struct wheel_timer *t;

	engine_now(e, now);
	while ((t = wheel_expire(&e->wheel, now)) != NULL)
		timer_fire(e, t);
	tw_expire(e, EXPIRE_ADVANCE);
	see_lingered(e);
}
