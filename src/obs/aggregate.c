/* SPDX-License-Identifier: MIT */
#include "obs/aggregate.h"
#include "base/mem.h"
#include "obs/index.h"
#include <errno.h>
#include <stdlib.h>

enum {
	PORTS = 65536,
	LEFTOVERS_MAX = 4096, /* former listeners kept apart; sockets of further ones are shown as destinations */
	WELL_KNOWN = 1024, /* ports below are services: ip_local_port_range may reach there, but nobody does that */
	KEY_MAX = 2 * 17 + 2,
	RECENT = 256,
	MORE_BITS = 1 << 22, /* to count the destinations that did not fit, see more_distinct() */
};

enum port_class { PORT_OUTSIDE, PORT_LOW_PARITY, PORT_OTHER_PARITY }; /* of ip_local_port_range; reserved is outside */

/* Who listens on one port number: places in aggregate.listeners. */
struct port_owner {
	uint32_t any4, any6; /* wildcard listeners or INDEX_NONE */
	bool any6_takes_v4;
	bool specific; /* there are also listeners on single addresses, to be found through listener_ix */
};

struct aggregate {
	struct aggregate_cfg cfg; /* .reserved is not used any more */
	struct state_counts states;
	uint32_t fin_wait_2_orphans;
	uint32_t n_bound; /* bits set in port_bound */
	bool met_bound; /* a bound socket, whatever its port */
	uint64_t n_low_parity, n_other_parity; /* bits set in port_used, by class */
	int error;

	struct listener *listeners;
	size_t n_listeners, cap_listeners, n_leftovers;
	uint32_t last_leftover; /* where the latest one went; only with n_leftovers */
	struct index listener_ix; /* by address and port, leftovers too */
	struct port_owner *owners;
	size_t n_owners, cap_owners;

	struct dest *dests;
	size_t n_dests, cap_dests;
	struct index dest_ix; /* by source, destination and destination port */
	uint32_t recent[RECENT]; /* places of dests by a cheap hash without key: a guess, tried before the real one */
	struct state_counts dests_more;
	uint64_t *more_seen; /* MORE_BITS bits, allocated when needed */
	uint32_t more_bits_set;

	uint32_t owner_of[PORTS]; /* place in owners plus 1; 0: nobody listens on this port number */
	uint16_t well_known_from[PORTS]; /* sockets out of a port outside the range to a service, saturating */
	uint64_t port_used[PORTS / 64]; /* by a connection out */
	uint64_t port_bound[PORTS / 64]; /* by a socket that is only bound */
	uint8_t port_class[PORTS]; /* enum port_class */
};

static bool in_range(const struct aggregate *a, uint16_t port)
{
	return port >= a->cfg.port_low && port <= a->cfg.port_high;
}

int aggregate_new(const struct aggregate_cfg *cfg, struct aggregate **ret)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->cfg = *cfg;
	for (uint32_t port = cfg->port_low; port <= cfg->port_high; port++)
		a->port_class[port] = ((port ^ cfg->port_low) & 1) ? PORT_OTHER_PARITY : PORT_LOW_PARITY;
	for (size_t i = 0; i < cfg->n_reserved; i++)
		for (uint32_t port = cfg->reserved[i].low; port <= cfg->reserved[i].high; port++)
			a->port_class[port] = PORT_OUTSIDE;
	a->cfg.reserved = NULL;
	a->cfg.n_reserved = 0;
	*ret = a;
	return 0;
}

static void free_tables(struct aggregate *a)
{
	free(a->listeners);
	free(a->owners);
	free(a->dests);
	free(a->more_seen);
	index_done(&a->listener_ix);
	index_done(&a->dest_ix);
}

void aggregate_free(struct aggregate *a)
{
	if (!a)
		return;
	free_tables(a);
	free(a);
}

void aggregate_reset(void *ctx)
{
	struct aggregate *a = ctx;

	free_tables(a);
	memset((char *)a + offsetof(struct aggregate, states), 0,
	       offsetof(struct aggregate, port_class) - offsetof(struct aggregate, states));
}

/* ---- keys ---- */

static size_t put_ip(uint8_t *to, const struct ip *ip)
{
	if (ip->family == 4) {
		memcpy(to, ip->b, 4);
		return 4;
	}
	memcpy(to, ip->b, sizeof(ip->b));
	return sizeof(ip->b);
}

/* Of local end (b.family 0) or destination. Families need not be in the key: the length tells them apart. */
static uint32_t hash_key_of(const struct aggregate *a, const struct ip *x, const struct ip *y, uint16_t port)
{
	uint8_t key[KEY_MAX];
	size_t n = put_ip(key, x);

	if (y)
		n += put_ip(key + n, y);
	memcpy(key + n, &port, sizeof(port));
	return (uint32_t)hash_bytes(a->cfg.key, key, n + sizeof(port));
}

static bool same_ip(const struct ip *x, const struct ip *y)
{
	if (x->family != y->family)
		return false;
	return x->family == 4 ? memcmp(x->b, y->b, 4) == 0 : memcmp(x->b, y->b, sizeof(x->b)) == 0;
}

/* ---- listeners ---- */

static uint32_t listener_at(const struct aggregate *a, const struct ip *addr, uint16_t port)
{
	uint32_t hash = hash_key_of(a, addr, NULL, port), place;

	for (size_t at = hash; (place = index_next(&a->listener_ix, hash, &at)) != INDEX_NONE;)
		if (a->listeners[place].port == port && same_ip(&a->listeners[place].addr, addr))
			break;
	return place;
}

static struct listener *listener_add(struct aggregate *a, const struct ip *addr, uint16_t port, bool listening)
{
	void *v = a->listeners;
	int err = vec_reserve(&v, &a->cap_listeners, a->n_listeners + 1, sizeof(*a->listeners));

	a->listeners = v;
	if (!err)
		err = index_add(&a->listener_ix, hash_key_of(a, addr, NULL, port), (uint32_t)a->n_listeners);
	if (err) {
		a->error = err;
		return NULL;
	}
	a->listeners[a->n_listeners] =
		(struct listener){.addr = *addr, .port = port, .listening = listening, .proc = -1};
	return &a->listeners[a->n_listeners++];
}

static struct port_owner *owner_add(struct aggregate *a, uint16_t port)
{
	void *v = a->owners;

	if (a->owner_of[port])
		return &a->owners[a->owner_of[port] - 1];
	if (vec_reserve(&v, &a->cap_owners, a->n_owners + 1, sizeof(*a->owners)) < 0) {
		a->error = -ENOMEM;
		return NULL;
	}
	a->owners = v;
	a->owners[a->n_owners] = (struct port_owner){.any4 = INDEX_NONE, .any6 = INDEX_NONE};
	a->owner_of[port] = (uint32_t)++a->n_owners;
	return &a->owners[a->n_owners - 1];
}

static void listen_row(struct aggregate *a, const struct diag_row *r)
{
	uint32_t place = listener_at(a, &r->src, r->sport);
	struct listener *l = place == INDEX_NONE ? listener_add(a, &r->src, r->sport, true) : &a->listeners[place];
	struct port_owner *o = l ? owner_add(a, r->sport) : NULL;

	if (!o)
		return;
	place = (uint32_t)(l - a->listeners);
	if (!ip_is_any(r->src)) {
		o->specific = true;
	} else if (r->src.family == 4) {
		o->any4 = place;
	} else {
		o->any6 = place;
		o->any6_takes_v4 |= !r->v6only;
	}
	/* The fullest: queue / (backlog + 1), since backlog + 1 connections fit. */
	if (!l->sockets ||
	    (uint64_t)r->rqueue * (l->backlog + UINT64_C(1)) > (uint64_t)l->queue * (r->wqueue + UINT64_C(1))) {
		l->queue = r->rqueue;
		l->backlog = r->wqueue;
		l->inode = r->inode;
	}
	l->sockets++;
	l->states.n[ST_LISTEN]++;
}

/* In the kernel's order: the address itself, then the wildcard of its family, then an IPv6 wildcard for IPv4. */
static uint32_t listener_for(const struct aggregate *a, const struct ip *local, uint16_t port)
{
	const struct port_owner *o;

	if (!a->owner_of[port])
		return INDEX_NONE;
	o = &a->owners[a->owner_of[port] - 1];
	if (o->specific) {
		uint32_t place = listener_at(a, local, port);

		if (place != INDEX_NONE && a->listeners[place].listening)
			return place;
	}
	if (local->family == 6)
		return o->any6;
	if (o->any4 != INDEX_NONE)
		return o->any4;
	return o->any6_takes_v4 ? o->any6 : INDEX_NONE;
}

bool aggregate_listener(const struct aggregate *a, struct ip local, uint16_t port, struct ip *ret_addr)
{
	uint32_t place = listener_for(a, &local, port);

	if (place == INDEX_NONE)
		return false;
	*ret_addr = a->listeners[place].addr;
	return true;
}

/* ---- rows ---- */

static uint32_t tw_age_ms(const struct diag_row *r)
{
	/* The timer wheel fires up to 2 s late; expires_ms stays 0 then, and never exceeds the 60 s but by a hostile row. */
	return r->expires_ms < TIME_WAIT_MS ? TIME_WAIT_MS - r->expires_ms : 0;
}

static uint32_t tw_age_s(const struct diag_row *r)
{
	uint32_t s = tw_age_ms(r) / 1000;

	return s < AGE_SECONDS ? s : AGE_SECONDS - 1;
}

static bool is_keepalive(const struct diag_row *r)
{
	return r->timer == DIAG_TIMER_KEEPALIVE && (r->state == ST_ESTABLISHED || r->state == ST_CLOSE_WAIT);
}

static void tw_owner_row(const struct aggregate *a, struct tw_owner *o, const struct diag_row *r)
{
	int32_t place = a->cfg.closers ? closers_find(a->cfg.closers, r->cookie) : -1;

	if (place >= 0)
		closers_vote(o, place);
}

static void listener_row(const struct aggregate *a, struct listener *l, const struct diag_row *r)
{
	l->states.n[r->state]++;
	if (r->state == ST_TIME_WAIT) {
		tw_owner_row(a, &l->tw_owner, r);
		l->tw_ages.s[tw_age_s(r)]++;
		return;
	}
	l->fin_wait_2_orphans += r->mini;
	l->keepalive_timers += is_keepalive(r);
	if (!r->inode && (r->state == ST_ESTABLISHED || r->state == ST_CLOSE_WAIT)) {
		l->unaccepted++;
		l->close_wait_unaccepted += r->state == ST_CLOSE_WAIT;
	}
}

static bool is_at(const struct aggregate *a, uint32_t place, const struct diag_row *r)
{
	return place < a->n_listeners && a->listeners[place].port == r->sport &&
	       ip_eq(a->listeners[place].addr, r->src);
}

/* False: r is no leftover, or there are too many kinds of them. The rules stand at aggregate_row(). */
static bool leftover_row(struct aggregate *a, const struct diag_row *r)
{
	if (a->port_class[r->sport] != PORT_OUTSIDE || r->dport < WELL_KNOWN)
		return false;
	if (!a->n_leftovers || !is_at(a, a->last_leftover, r)) {
		uint32_t place = listener_at(a, &r->src, r->sport);

		if (place == INDEX_NONE) {
			if (!in_range(a, r->dport) || a->n_leftovers == LEFTOVERS_MAX ||
			    !listener_add(a, &r->src, r->sport, false))
				return false;
			a->n_leftovers++;
			place = (uint32_t)a->n_listeners - 1;
		}
		a->last_leftover = place;
	}
	listener_row(a, &a->listeners[a->last_leftover], r);
	return true;
}

static void more_row(struct aggregate *a, const struct diag_row *r, uint32_t hash)
{
	uint64_t bit = UINT64_C(1) << (hash % 64);
	size_t word = hash / 64 % (MORE_BITS / 64);

	a->dests_more.n[r->state]++;
	if (!a->more_seen)
		a->more_seen = calloc(MORE_BITS / 64, sizeof(*a->more_seen));
	if (!a->more_seen) {
		a->error = -ENOMEM;
		return;
	}
	a->more_bits_set += !(a->more_seen[word] & bit);
	a->more_seen[word] |= bit;
}

static bool is_dest(const struct dest *d, const struct diag_row *r)
{
	return d->dport == r->dport && same_ip(&d->src, &r->src) && same_ip(&d->dst, &r->dst);
}

static uint32_t cheap_hash(const struct diag_row *r)
{
	uint32_t src, dst;

	memcpy(&src, r->src.b + (r->src.family == 4 ? 0 : 12), sizeof(src));
	memcpy(&dst, r->dst.b + (r->dst.family == 4 ? 0 : 12), sizeof(dst));
	return (src * 0x9e3779b1u ^ (dst + r->dport) * 0x85ebca6bu) >> 24;
}

static struct dest *dest_add(struct aggregate *a, const struct diag_row *r, uint32_t hash)
{
	void *v = a->dests;
	int err = vec_reserve(&v, &a->cap_dests, a->n_dests + 1, sizeof(*a->dests));

	a->dests = v;
	if (!err)
		err = index_add(&a->dest_ix, hash, (uint32_t)a->n_dests);
	if (err) {
		a->error = err;
		return NULL;
	}
	/* tcp_twsk_unique() with tcp_tw_reuse=2: either end on a loopback address is enough. */
	a->dests[a->n_dests] = (struct dest){.src = r->src,
					     .dst = r->dst,
					     .dport = r->dport,
					     .loopback = ip_is_loopback(r->src) || ip_is_loopback(r->dst),
					     .proc = -1};
	return &a->dests[a->n_dests++];
}

/*
 * NULL: no room. Rows come in the order of a hash over all four of address and port, so a destination with many
 * sockets meets the dump early and is among the first DESTS_MAX; what is left over are small ones.
 */
static struct dest *dest_for(struct aggregate *a, const struct diag_row *r)
{
	uint32_t *guess = &a->recent[cheap_hash(r) % RECENT], hash, place;

	if (*guess < a->n_dests && is_dest(&a->dests[*guess], r))
		return &a->dests[*guess];
	hash = hash_key_of(a, &r->src, &r->dst, r->dport);
	for (size_t at = hash; (place = index_next(&a->dest_ix, hash, &at)) != INDEX_NONE;)
		if (is_dest(&a->dests[place], r)) {
			*guess = place;
			return &a->dests[place];
		}
	if (a->n_dests == DESTS_MAX) {
		more_row(a, r, hash);
		return NULL;
	}
	return dest_add(a, r, hash);
}

/* Puts a port of the range into a set; false: it is outside, or in there already. */
static bool port_add(uint64_t set[PORTS / 64], uint16_t port, enum port_class class)
{
	uint64_t bit = UINT64_C(1) << (port % 64);

	if (class == PORT_OUTSIDE || (set[port / 64] & bit))
		return false;
	set[port / 64] |= bit;
	return true;
}

static void time_wait_row(struct aggregate *a, struct dest *d, const struct diag_row *r)
{
	d->tw_in_range++;
	d->tw_ages.s[tw_age_s(r)]++;
	d->tw_reusable += tw_age_ms(r) >= a->cfg.tw_reuse_delay_ms;
}

static void dest_row(struct aggregate *a, const struct diag_row *r)
{
	enum port_class class = a->port_class[r->sport];
	struct dest *d = dest_for(a, r);

	if (port_add(a->port_used, r->sport, class)) {
		a->n_low_parity += class == PORT_LOW_PARITY;
		a->n_other_parity += class == PORT_OTHER_PARITY;
	}
	if (class == PORT_OUTSIDE && a->well_known_from[r->sport] < UINT16_MAX)
		a->well_known_from[r->sport]++;
	if (!d)
		return;
	d->states.n[r->state]++;
	d->ports_low_parity += class == PORT_LOW_PARITY;
	d->ports_other_parity += class == PORT_OTHER_PARITY;
	d->ports_outside += class == PORT_OUTSIDE;
	if (r->state == ST_TIME_WAIT) {
		tw_owner_row(a, &d->tw_owner, r);
		if (class != PORT_OUTSIDE)
			time_wait_row(a, d, r);
		return;
	}
	d->fin_wait_2_orphans += r->mini;
	d->keepalive_timers += is_keepalive(r);
	if (r->inode)
		d->inode = r->inode;
}

/*
 * Whose is a socket? (signatures.md R1)
 *   1. Somebody listens on its local end: the listener's.
 *   2. Its local port can have been chosen by connect() (in ip_local_port_range and not reserved): a connection out.
 *   3. Its remote port is below 1024: a service there, so a connection out from a port that the program chose itself.
 *   4. Else a fixed port here. If the remote port lies in our ip_local_port_range (the best guess of the peer's), or
 *      such a leftover was seen on this local end already: accepted by a listener that is gone. A leftover.
 *   5. Else a connection out.
 * Both ends of a connection inside one namespace have a row: one falls under 1, the other under 2.
 * A former listener inside the ephemeral range is taken for a connection out: nothing in a row tells them apart.
 */
void aggregate_row(void *ctx, const struct diag_row *r)
{
	struct aggregate *a = ctx;
	uint32_t place;

	if (r->bound) {
		a->met_bound = true;
		a->n_bound += port_add(a->port_bound, r->sport, a->port_class[r->sport]);
		return;
	}
	must(r->state < N_STATES);
	a->states.n[r->state]++;
	if (r->state == ST_LISTEN) {
		listen_row(a, r);
		return;
	}
	a->fin_wait_2_orphans += r->mini && r->state == ST_FIN_WAIT_2;
	place = listener_for(a, &r->src, r->sport);
	if (place != INDEX_NONE)
		listener_row(a, &a->listeners[place], r);
	else if (!leftover_row(a, r))
		dest_row(a, r);
}

uint32_t aggregate_suspect_states(const struct aggregate *a)
{
	uint32_t mask = 0;

	if (a->states.n[ST_CLOSE_WAIT])
		mask |= DIAG_STATE(ST_CLOSE_WAIT);
	if (a->states.n[ST_FIN_WAIT_1])
		mask |= DIAG_STATE(ST_FIN_WAIT_1);
	if (a->states.n[ST_FIN_WAIT_2] > a->fin_wait_2_orphans)
		mask |= DIAG_STATE(ST_FIN_WAIT_2);
	return mask;
}

/* ---- finish ---- */

/*
 * How many keys set k of the m bits: -m ln(1 - k/m) (linear counting, Whang 1990), here as its series, which is
 * within 1 % up to a third of the bits, that is 1.7 million destinations.
 */
static uint32_t more_distinct(uint32_t bits_set)
{
	double x = (double)bits_set / MORE_BITS, sum = 0, power = 1;

	for (int i = 1; i <= 8; i++) {
		power *= x;
		sum += power / i;
	}
	return (uint32_t)(sum * MORE_BITS + 0.5);
}

static uint32_t ports_of(const struct dest *d)
{
	return d->ports_low_parity + d->ports_other_parity + d->ports_outside;
}

static int by_ports_used(const void *x_, const void *y_)
{
	const struct dest *x = x_, *y = y_;
	int c;

	if (ports_of(x) != ports_of(y))
		return ports_of(x) < ports_of(y) ? 1 : -1;
	c = memcmp(&x->dst, &y->dst, sizeof(x->dst));
	if (!c)
		c = memcmp(&x->src, &y->src, sizeof(x->src));
	return c ? c : (int)x->dport - (int)y->dport;
}

static int by_port(const void *x_, const void *y_)
{
	const struct listener *x = x_, *y = y_;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

static void *trimmed(void *v, size_t n, size_t size)
{
	void *smaller = n ? realloc(v, n * size) : NULL;

	if (!n)
		free(v);
	return smaller || !n ? smaller : v;
}

int aggregate_finish(struct aggregate *a, struct netns *ret)
{
	if (a->error)
		return a->error;
	for (size_t i = 0; i < a->n_listeners; i++)
		if (!a->listeners[i].listening)
			a->listeners[i].leftovers_well_known = a->well_known_from[a->listeners[i].port];
	if (a->n_listeners)
		qsort(a->listeners, a->n_listeners, sizeof(*a->listeners), by_port);
	if (a->n_dests)
		qsort(a->dests, a->n_dests, sizeof(*a->dests), by_ports_used);
	ret->states = a->states;
	ret->fin_wait_2_orphans = a->fin_wait_2_orphans;
	ret->bound = a->n_bound;
	ret->bound_known = a->cfg.knows_bound || a->met_bound;
	ret->listeners = trimmed(a->listeners, a->n_listeners, sizeof(*a->listeners));
	ret->n_listeners = a->n_listeners;
	ret->dests = trimmed(a->dests, a->n_dests, sizeof(*a->dests));
	ret->n_dests = a->n_dests;
	ret->dests_more = a->dests_more;
	ret->dests_more_n = more_distinct(a->more_bits_set);
	ret->ephemeral_ports_low_parity = a->n_low_parity;
	ret->ephemeral_ports_other_parity = a->n_other_parity;
	a->listeners = NULL;
	a->dests = NULL;
	aggregate_reset(a);
	return 0;
}
