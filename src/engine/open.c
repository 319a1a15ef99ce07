/* SPDX-License-Identifier: MIT */
/*
 * open.c - OPEN (3.10.1): bind, listen and connect. Which port and which four-tuple a connection gets, and when that of a
 * TIME_WAIT is taken over, follows Linux 6.18 (__inet_hash_connect, tcp_twsk_unique) but for how a port is found (ports.h).
 */
#include "engine/engine.h"

#include <errno.h>

enum { ISS_STEP = 65537 }; /* Linux: 65535 + 2 after the last number of the connection before */
enum {
	COLLISIONS_MAX = 8
}; /* chosen ports that accepted connections or their records have, before connect() gives up */
enum { MATURE_AT_ONCE = 256 };

/* IP_LOCAL_PORT_RANGE: a bound outside the knob's range is as if it were not set (Linux). */
static COLD void narrow(struct port_range *r, uint32_t own)
{
	uint16_t low = r->low, high = r->high, own_low = (uint16_t)own, own_high = (uint16_t)(own >> 16);

	if (low <= own_low && own_low <= high)
		r->low = own_low;
	if (low <= own_high && own_high <= high)
		r->high = own_high;
}

static struct port_range range_of(const struct conn *c)
{
	const struct engine *e = c->eng;
	struct port_range r = {
		.low = (uint16_t)e->k.port_low,
		.high = (uint16_t)e->k.port_high,
		.shard = e->cfg.shard,
		.shards = e->cfg.shards,
	};

	if (c->opt.port_range)
		narrow(&r, c->opt.port_range);
	return r;
}

/* ---- bind ---- */

static struct bind_req request(const struct conn *c, laddr_t laddr, uint16_t port)
{
	return (struct bind_req){
		.laddr = laddr,
		.port = port,
		.flags = conn_bind_flags(c),
		.v6 = c->is_v6,
		.owner = c->opt.owner,
	};
}

static int bind_port(struct conn *c, laddr_t laddr, uint16_t port)
{
	struct engine *e = c->eng;
	struct bind_req req = request(c, laddr, port);
	struct port_range range = range_of(c);
	bind_id id;
	int err;

	err = port                      ? binds_check(e->binds, e->ports, &req)
	      : range.low <= range.high ? binds_choose(e->binds, e->ports, &req, &range, &e->rng)
					: -EADDRINUSE;
	if (err)
		return err;
	id = binds_add(e->binds, &req, BIND_BOUND);
	if (id == BIND_NONE)
		return -ENOBUFS;
	c->bind = id;
	c->bind_class = BIND_BOUND;
	c->bind_any = laddr == LADDR_ANY;
	c->port_bound = true;
	c->port_locked = port != 0;
	c->t.laddr = laddr;
	c->t.lport = req.port;
	return 0;
}

int sock_autobind(struct conn *c) { return bind_port(c, c->addr_bound ? c->t.laddr : LADDR_ANY, 0); }

/* The number of an address to bind to; LADDR_ANY; or an error. */
static int own_address(const struct conn *c, const struct la_endpoint *at)
{
	struct addr a = addr_from_v6(at->addr);
	int n;

	if (addr_is_any(&a))
		return LADDR_ANY;
	if (!c->is_v6 && !addr_is_v4(&a))
		return -EAFNOSUPPORT;
	if (c->is_v6 && (addr_is_v4(&a) || a.b[0] == 0xff)) /* IPv6 only; multicast */
		return -EINVAL;
	n = addrs_find(c->eng->addrs, &a);
	return n < 0 ? -EADDRNOTAVAIL : n;
}

int la_bind(struct la_engine *h, la_sock s, const struct la_endpoint *at)
{
	struct conn *c = sock_find(engine_of(h), s);
	int laddr, err;

	if (!c)
		return -EBADF;
	if (!at)
		return -EFAULT;
	laddr = own_address(c, at);
	if (laddr < 0)
		return laddr;
	if (c->state != CLOSED || c->attach == ATTACHED || c->bind != BIND_NONE)
		return -EINVAL;
	if (at->port || !c->opt.no_port) {
		err = bind_port(c, (laddr_t)laddr, at->port);
		if (err)
			return err;
	} else {
		c->t.laddr = (laddr_t)laddr;
		c->t.lport = 0;
	}
	c->addr_bound = laddr != LADDR_ANY;
	return 0;
}

/* ---- listen ---- */

int la_listen(struct la_engine *h, la_sock s, int backlog)
{
	struct engine *e = engine_of(h);
	struct conn *c = sock_find(e, s);
	struct bind_req req;
	int err;

	if (!c)
		return -EBADF;
	if (c->attach != UNATTACHED || (c->state != CLOSED && c->state != LISTEN))
		return -EINVAL;
	if (c->state == CLOSED) {
		err = c->bind == BIND_NONE ? sock_autobind(c) : 0;
		if (err)
			return err;
		req = request(c, c->t.laddr, c->t.lport);
		err = binds_check_listen(e->binds, &req, c->bind);
		if (err)
			return err;
		conn_go(c, F5_01_PASSIVE_OPEN);
		rcv_begin(c); /* its cookies say the scale that a child will have */
		listener_in(c);
		c->ev_seen = 0;
	}
	/* A negative one is the largest, as unsigned; Linux bounds it at each call. */
	c->backlog = (unsigned)backlog > e->k.somaxconn ? (int32_t)e->k.somaxconn : backlog;
	return 0;
}

/* ---- connect ---- */

struct way { /* the four-tuple that a connection will have */
	struct tuple t;
	uint64_t hash;
	struct secret secret;
	bool took_over;
	struct tw_rec rec; /* from this TIME_WAIT */
};

static COLD int take_over(struct engine *e, bool v6, tw_id id, bool fixed, struct way *w)
{
	int err = tw_take_over(e, v6, id, fixed, &w->rec);

	w->took_over = err == 0;
	return err;
}

/* May the connection have this four-tuple? -EADDRNOTAVAIL. chosen: ports_choose() has given the port; reused: a record's. */
static APART int way_clear(struct engine *e, bool v6, struct way *w, bool fixed, bool reused)
{
	uint64_t hash = tuple_hash(e->tuple_key, &w->t);
	/* With n_unchosen 0 every record has its port in ports.h, and this was free. */
	bool may_be_record = fixed || reused || e->n_unchosen[v6] > 0;
	tw_id id;

	twstore_prefetch(e->tw[v6], hash); /* where its own record may come to lie, too */
	w->hash = hash;
	w->secret = secret_of(e, hash); /* needed anyway; what was prefetched comes meanwhile */
	if (conn_find(e, &w->t, hash))
		return -EADDRNOTAVAIL;
	if (!may_be_record)
		return 0;
	/* A reused one's port is the connection's already: nothing must give it back. */
	id = reused ? twstore_find(e->tw[v6], &w->t, hash) : tw_find(e, v6, &w->t, hash);
	return id == TW_NONE ? 0 : take_over(e, v6, id, fixed, w);
}

/* Could a record of this destination be taken over at all? Those that are mature were so by the knobs of then. */
static bool may_reuse(const struct engine *e, const struct tuple *t)
{
	if (!e->k.tw_reuse)
		return false;
	return !timewait_reuse_only_loopback(&e->k) || addr_is_loopback(&t->raddr) ||
	       addr_is_loopback(addrs_get(e->addrs, t->laddr));
}

/* Ports of TIME_WAITs that are old enough by now may come to help; the hand that finds them wakes nobody up. */
static COLD int take_port_again(struct engine *e, struct way *w, const struct port_range *range,
				const struct port_bits *bound, bool *ret_reused)
{
	int err = -EADDRNOTAVAIL;

	while (err == -EADDRNOTAVAIL && tw_mature(e, MATURE_AT_ONCE))
		err = ports_choose(e->ports, &w->t, range, bound, &e->rng, ret_reused);
	if (err == -EADDRNOTAVAIL)
		e->n.la_ports_exhausted++;
	else if (err)
		e->n.la_port_map_none++;
	return err;
}

static int take_port(struct conn *c, struct way *w, bool *ret_reused)
{
	struct engine *e = c->eng;
	struct port_range range = range_of(c);
	const struct port_bits *bound = binds_bound(e->binds, c->is_v6);
	int err;

	if (range.low > range.high)
		return -EADDRNOTAVAIL;
	range.spare_mature = !may_reuse(e, &w->t);
	err = ports_choose(e->ports, &w->t, &range, bound, &e->rng, ret_reused);
	if (err == -EADDRNOTAVAIL)
		return take_port_again(e, w, &range, bound, ret_reused);
	e->n.la_port_map_none += err != 0;
	return err;
}

/*
 * An accepted connection, or its record, may have the four-tuple of a port that ports.h calls free: then another port. Those
 * in vain are held until there is one, so that each try is another.
 */
static COLD int choose_another(struct conn *c, struct way *w, bool reused)
{
	struct engine *e = c->eng;
	uint16_t no[COLLISIONS_MAX];
	bool no_reused[COLLISIONS_MAX];
	unsigned n = 0;
	int err;

	do {
		no[n] = w->t.lport;
		no_reused[n++] = reused;
		if (n == COLLISIONS_MAX) {
			err = -EADDRNOTAVAIL;
			break;
		}
		reused = false;
		err = take_port(c, w, &reused);
		if (err)
			break;
		err = way_clear(e, c->is_v6, w, false, reused);
	} while (err);
	while (n--) {
		struct tuple t = w->t;

		t.lport = no[n];
		if (no_reused[n])
			ports_mature(e->ports, &t);
		else
			ports_release(e->ports, &t, false);
	}
	return err;
}

static int choose_way(struct conn *c, struct way *w)
{
	bool reused = false;
	int err = take_port(c, w, &reused);

	if (!err && way_clear(c->eng, c->is_v6, w, false, reused))
		err = choose_another(c, w, reused);
	return err;
}

static COLD struct addr loopback(bool v6)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};

	return v6 ? addr_from_v6(v6_loopback) : addr_v4(127, 0, 0, 1);
}

/* Where to, and from which address. */
static int route(const struct conn *c, const struct la_endpoint *to, struct tuple *t)
{
	struct engine *e = c->eng;
	struct addr a = addr_from_v6(to->addr);
	int laddr;

	if (addr_is_any(&a)) /* Linux: this host */
		a = loopback(c->is_v6);
	if (!c->is_v6 && !addr_is_v4(&a))
		return -EAFNOSUPPORT;
	if ((c->is_v6 && addr_is_v4(&a)) || !addr_is_unicast(&a))
		return -ENETUNREACH;
	laddr = c->t.laddr;
	if (!c->addr_bound) {
		laddr = addrs_find(e->addrs, &a); /* one of ours: from itself */
		if (laddr < 0)
			laddr = addrs_first(e->addrs, c->is_v6, addr_is_loopback(&a));
		if (laddr < 0)
			return -ENETUNREACH;
	}
	*t = (struct tuple){.raddr = a, .laddr = (laddr_t)laddr, .rport = to->port};
	return 0;
}

void sock_adv_mss(struct conn *c)
{
	const struct engine *e = c->eng;
	uint32_t header = TCP_HEADER_LEN + (c->is_v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN), mss = e->cfg.mtu - header;

	c->adv_mss = (uint16_t)(c->opt.maxseg && c->opt.maxseg < mss ? c->opt.maxseg : mss);
}

static void begin(struct conn *c, const struct way *w)
{
	struct engine *e = c->eng;

	c->t = w->t;
	c->hash = w->hash;
	conn_hash_in(c);
	pmtu_start(c);
	/* "An initial send sequence number (ISS) is selected." */
	c->iss = w->took_over ? seq_add(w->rec.snd_nxt, ISS_STEP) : w->secret.iss;
	c->snd_una = c->iss;
	c->snd_nxt = seq_add(c->iss, 1);
	c->snd_end = c->snd_nxt;
	recovery_start(c);
	c->ts_offset = w->secret.ts_offset;
	c->syn_tsval = ts_clock_ms(e) + c->ts_offset;
	c->ecn.ok = e->k.ecn == ECN_ASKS;
	c->ts_ok = e->k.timestamps != 0; /* offered; conn_learn_syn() sees whether the peer does it too */
	rcv_begin(c);
	c->syn_wnd = conn_syn_wnd(c, false);
	c->sack_ok = e->k.sack != 0;
	c->wscale_ok = true;
	c->so_error = 0;
	c->soft_error = 0;
	c->ev_seen = 0;
	c->attach = ATTACHING;
	rtt_init(c);
	if (c->state == LISTEN) {
		listener_out(c);
		conn_go(c, F5_06_LISTEN_SEND);
	} else {
		conn_go(c, F5_03_ACTIVE_OPEN);
	}
	c->syn_due = true;
	out_schedule(c);
}

static int open_active(struct conn *c, const struct la_endpoint *to)
{
	struct engine *e = c->eng;
	bool fixed = c->bind != BIND_NONE;
	struct way w;
	int err;

	w.took_over = false;
	err = route(c, to, &w.t);
	if (err)
		return err;
	if (!tw_has_room(e, c->is_v6))
		return -ENOBUFS;
	if (fixed)
		w.t.lport = c->t.lport;
	err = fixed ? way_clear(e, c->is_v6, &w, true, false) : choose_way(c, &w);
	if (err)
		return err;
	if (!fixed) {
		c->port_chosen = true;
		binds_chosen(e->binds, w.t.lport, c->is_v6, conn_bind_flags(c), 1);
	}
	begin(c, &w);
	return -EINPROGRESS;
}

/* A connect() that was under way: how does it stand? */
static COLD int opening(struct conn *c)
{
	int err;

	if (c->state == SYN_SENT || c->state == SYN_RECEIVED)
		return -EALREADY;
	if (c->state != CLOSED) {
		c->attach = ATTACHED;
		return 0;
	}
	err = c->so_error ? c->so_error : ECONNABORTED;
	c->so_error = 0;
	sock_forget(c);
	return -err;
}

int la_connect(struct la_engine *h, la_sock s, const struct la_endpoint *to)
{
	struct conn *c = sock_find(engine_of(h), s);

	if (!c)
		return -EBADF;
	if (!to)
		return -EFAULT;
	switch (c->attach) {
	case UNATTACHED:
		break;
	case ATTACHING:
		return opening(c);
	case ATTACHED:
		return -EISCONN;
	}
	if (c->state == LISTEN && c->eng->k.policy != POLICY_RFC9293)
		return -EISCONN;
	return open_active(c, to);
}
