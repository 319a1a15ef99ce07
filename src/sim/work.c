/* SPDX-License-Identifier: MIT */
/* work.c - what happens in a run: hosts begin, listen, connect; partitions, floods and restarts befall them. */
#include "sim/work.h"

#include <errno.h>

#include "wire/addr.h"

void work_timer(struct work *k, nsec_t after, enum work_timer t, uint32_t arg)
{
	must(arg < 1 << 24);
	net_at(k->net, k->net->now + after, (uint32_t)t << 24 | arg);
}

static nsec_t sometime(struct work *k) { return rng_u64(&k->rng) % (k->setup.span + 1); }

/* ---- listeners ---- */

static void listener_open(struct work *k, unsigned host, unsigned i)
{
	struct listener *l = &k->listener[host][i];
	struct la_engine *e = k->net->host[host].e;
	struct la_endpoint at = {.port = l->port};
	int one = 1;

	if (l->sock || k->over)
		return;
	l->sock = la_socket(e, l->v6 ? LA_INET6 : LA_INET);
	if (l->sock > 0) {
		if (rng_chance(&k->rng, 0.5))
			at = net_address(host, l->v6, l->port);
		else if (!l->v6)
			at.addr[10] = at.addr[11] = 0xff;
		if (rng_chance(&k->rng, 0.8))
			la_setsockopt(e, l->sock, LA_SO_REUSEADDR, &one, sizeof(one));
		if (la_bind(e, l->sock, &at) == 0 && la_listen(e, l->sock, (int)k->setup.host[host].backlog) == 0) {
			la_user_set(e, l->sock, host * HOST_LISTENERS + i);
			return;
		}
		la_close(e, l->sock);
	}
	l->sock = 0;
	work_timer(k, NSEC_PER_S, T_LISTENER_OPEN, host * HOST_LISTENERS + i); /* its TIME_WAITs may be in the way */
}

static void listener_close(struct work *k, unsigned host, unsigned i)
{
	struct listener *l = &k->listener[host][i];

	if (l->sock)
		la_close(k->net->host[host].e, l->sock);
	l->sock = 0;
}

/* The incarnation that an accepted socket belongs to; 0 if that is not certain since it has ended already. */
static uint32_t accepted_inc(struct work *k, unsigned host, la_sock s)
{
	struct la_engine *e = k->net->host[host].e;
	struct la_endpoint local, remote;
	struct la_tcp_info info;
	const struct shadow *sh;

	if (la_tcp_info(e, s, &info) || info.tcpi_state == 7 || la_getsockname(e, s, &local) ||
	    la_getpeername(e, s, &remote))
		return 0;
	sh = watch_find(k->w, host, &local, &remote);
	return sh && sh->live != CLOSED && !k->w->inc[sh->inc].flow ? sh->inc : 0;
}

static void accept_all(struct work *k, unsigned host, struct listener *l)
{
	struct la_engine *e = k->net->host[host].e;
	la_sock s;

	while (l->sock && !k->w->v->failed && (s = la_accept(e, l->sock, NULL)) > 0) {
		struct flow *f = flow_new(k, host, s);

		k->accepts++;
		if (!f) {
			la_abort(e, s);
			continue;
		}
		f->inc = accepted_inc(k, host, s);
		f->connected = true;
		if (f->inc)
			k->w->inc[f->inc].flow = (uint32_t)(f - k->flow) + 1;
		flow_go(k, f);
	}
}

static void on_event(void *arg, unsigned host, const struct la_event *ev)
{
	struct work *k = arg;
	uint64_t listeners = (uint64_t)HOSTS_MAX * HOST_LISTENERS;

	if (ev->user >= listeners) {
		must(ev->user - listeners < k->n_flows);
		flow_event(k, &k->flow[ev->user - listeners], ev->events);
		return;
	}
	if (k->setup.host[host].accept_delay) {
		struct listener *l = &k->listener[host][ev->user % HOST_LISTENERS];

		if (!l->resting)
			work_timer(k, k->setup.host[host].accept_delay, T_ACCEPT, (uint32_t)ev->user);
		l->resting = true;
	} else {
		accept_all(k, host, &k->listener[host][ev->user % HOST_LISTENERS]);
	}
}

/* ---- what is sent ---- */

enum { PROBES = 1 }; /* a tail loss probe goes whatever the window says (RFC 8985 7.3), one until something is heard */

/* New text goes: what is in flight then, as TCP_INFO counts it, is within the congestion window. */
static void on_sent(void *arg, unsigned host, const struct seg *s)
{
	struct work *k = arg;
	struct la_endpoint local = watch_endpoint(&s->src, s->sport), remote = watch_endpoint(&s->dst, s->dport);
	struct shadow *sh = s->len ? watch_find(k->w, host, &local, &remote) : NULL;
	struct la_tcp_info info;
	uint32_t flow, in_flight;

	if (!sh || sh->live < ESTABLISHED || seq_lt(s->seq, sh->sent))
		return;
	flow = k->w->inc[sh->inc].flow;
	if (!flow || !k->flow[flow - 1].sock || la_tcp_info(k->net->host[host].e, k->flow[flow - 1].sock, &info))
		return;
	in_flight = info.tcpi_unacked - info.tcpi_sacked - info.tcpi_lost + info.tcpi_retrans;
	if (in_flight > info.tcpi_snd_cwnd && ++sh->data.beyond > PROBES)
		FAIL(k->w->v, CHECK_FLIGHT, host, &local, &remote,
		     "%u segments in flight with a congestion window of %u", in_flight, info.tcpi_snd_cwnd);
}

/* ---- connections ---- */

static void note_refusal(struct work *k, int err)
{
	k->refused_by[err == -EADDRNOTAVAIL ? 0 : err == -EADDRINUSE ? 1 : err == -ENFILE ? 2 : 3]++;
}

struct opening {
	unsigned host;
	la_sock listener; /* not 0: this one becomes the connection (RFC 9293 3.10.1; Linux refuses) */
	uint16_t bound; /* own port; 0: chosen */
	bool v6;
	struct la_endpoint to;
};

static void open_one(struct work *k, const struct opening *o)
{
	struct la_engine *e = k->net->host[o->host].e;
	struct la_endpoint at = net_address(o->host, o->v6, o->bound);
	const struct shadow *sh;
	struct flow *f;
	la_sock s;
	int one = 1, err;

	s = o->listener ? o->listener : la_socket(e, o->v6 ? LA_INET6 : LA_INET);
	if (s <= 0) {
		note_refusal(k, s);
		return;
	}
	f = flow_new(k, o->host, s);
	if (!f) {
		la_close(e, s);
		return;
	}
	err = o->bound ? la_setsockopt(e, s, LA_SO_REUSEADDR, &one, sizeof(one)) : 0;
	if (!err && o->bound)
		err = la_bind(e, s, &at);
	if (!err)
		err = la_connect(e, s, &o->to);
	if (err == -EADDRNOTAVAIL && !o->bound && !o->listener && !watch_ports_taken(k->w, o->host, &o->to))
		FAIL(k->w->v, CHECK_PORTS, o->host, NULL, &o->to, "connect() finds no port, but some are free");
	if (err != -EINPROGRESS) {
		must(err < 0);
		note_refusal(k, err);
		la_close(e, s);
		f->sock = 0;
		return;
	}
	k->connects++;
	la_getsockname(e, s, &at);
	sh = watch_find(k->w, o->host, &at, &o->to);
	if (sh && sh->live == SYN_SENT) {
		f->inc = sh->inc;
		k->w->inc[f->inc].flow = (uint32_t)(f - k->flow) + 1;
	}
}

static void open_simultaneous(struct work *k, unsigned a, unsigned b, bool v6)
{
	uint32_t pa = rng_below(&k->rng, BOUND_PORTS), pb = rng_below(&k->rng, BOUND_PORTS);
	struct opening o = {a, 0, (uint16_t)(BOUND_PORT + pa), v6, net_address(b, v6, (uint16_t)(BOUND_PORT + pb))};

	open_one(k, &o);
	work_timer(k, rng_u64(&k->rng) % (k->net->path[a][b].delay + 1), T_SIMULTANEOUS,
		   b << 16 | a << 12 | pb << 8 | pa << 4 | v6);
}

static void on_simultaneous(struct work *k, uint32_t arg)
{
	unsigned host = arg >> 16, peer = arg >> 12 & 15;
	bool v6 = arg & 1;
	struct opening o = {host, 0, (uint16_t)(BOUND_PORT + (arg >> 8 & 15)), v6,
			    net_address(peer, v6, (uint16_t)(BOUND_PORT + (arg >> 4 & 15)))};

	net_touch(k->net, host);
	open_one(k, &o);
	net_settle(k->net, host);
}

static void on_start(struct work *k)
{
	struct rng *r = &k->rng;
	unsigned a = rng_below(r, k->setup.n_hosts), b = rng_below(r, k->setup.n_hosts - 1);
	bool v6 = rng_chance(r, k->setup.v6);

	b += b >= a;
	net_touch(k->net, a);
	if (rng_chance(r, k->setup.simultaneous)) {
		open_simultaneous(k, a, b, v6);
	} else {
		uint16_t port = (uint16_t)(LISTEN_PORT + rng_below(r, k->setup.host[b].listeners));
		struct opening o = {.host = a, .v6 = v6};

		if (rng_chance(r, k->setup.refused))
			port = 7;
		if (rng_chance(r, k->setup.bound))
			o.bound = (uint16_t)(BOUND_PORT + rng_below(r, BOUND_PORTS));
		o.to = net_address(b, v6, port);
		open_one(k, &o);
	}
	net_settle(k->net, a);
}

/* ---- what befalls hosts ---- */

static int start_host(struct work *k, unsigned host)
{
	const struct host_setup *h = &k->setup.host[host];
	struct la_config cfg = h->cfg;
	struct la_engine *e;
	int err;

	cfg.seed[0] = rng_u64(&k->rng);
	cfg.seed[1] = rng_u64(&k->rng);
	err = net_start(k->net, host, &cfg);
	e = k->net->host[host].e;
	for (unsigned i = 0; i < h->n_knobs && !err; i++)
		err = la_knob_set(e, h->knob[i].name, h->knob[i].value);
	return err;
}

static void on_restart(struct work *k, unsigned host)
{
	must(start_host(k, host) == 0);
	watch_restart(k->w, host);
	k->net->fault[FAULT_RESTART]++;
	for (uint32_t i = 0; i < k->n_flows; i++)
		if (k->flow[i].host == host)
			k->flow[i].sock = 0;
	for (unsigned i = 0; i < HOST_LISTENERS; i++) {
		k->listener[host][i].sock = 0;
		k->listener[host][i].resting = false;
		if (k->listener[host][i].port)
			listener_open(k, host, i);
	}
	net_settle(k->net, host);
}

static void on_flood(struct work *k, unsigned host)
{
	struct rng *r = &k->rng;
	uint32_t n = (uint32_t)draw_log(r, 4, 200);
	struct la_endpoint to = net_address(host, false, LISTEN_PORT);

	for (uint32_t i = 0; i < n; i++) {
		struct seg s = {.flags = F_SYN, .wnd = 65535, .opts = {.has_mss = true, .mss = 1460}};

		s.src = addr_v4(10, 9, (uint8_t)rng_below(r, 256), (uint8_t)rng_below(r, 256));
		s.sport = (uint16_t)(1024 + rng_below(r, 60000));
		s.dst = addr_from_v6(to.addr);
		s.dport = to.port;
		s.seq = seq((uint32_t)rng_u64(r));
		net_forge(k->net, k->net->now + rng_below(r, 20000000), &s);
	}
}

/* One in the state, from a random place on; NULL: none. */
static const struct shadow *some_shadow(struct work *k, enum state state)
{
	uint32_t n = k->w->n_shadows, first = rng_below(&k->rng, n);

	for (uint32_t i = 0; i < n; i++)
		if (k->w->shadow[(first + i) % n].live == state)
			return &k->w->shadow[(first + i) % n];
	return NULL;
}

/*
 * Somebody on the outside who knows the four-tuples, but not the numbers; or knows them, and sends a SYN that would be
 * the next octet, or a RST that is in the window, but not there.
 */
static void on_forge(struct work *k)
{
	static const uint8_t flags[] = {F_RST, F_RST, F_RST | F_ACK, F_SYN, F_SYN | F_ACK, F_ACK, F_ACK | F_PSH};
	static const enum state victims[] = {SYN_RECEIVED, SYN_RECEIVED, FIN_WAIT_2, ESTABLISHED, CLOSE_WAIT};
	struct rng *r = &k->rng;
	bool knows = rng_chance(r, 0.3);
	const struct shadow *to;
	struct seg s = {.wnd = 65535, .flags = flags[rng_below(r, ARRAY_LEN(flags))]};

	if (k->w->n_shadows == 0)
		return;
	to = knows ? some_shadow(k, victims[rng_below(r, ARRAY_LEN(victims))])
		   : &k->w->shadow[rng_below(r, k->w->n_shadows)];
	if (!to || net_owner(k->net, to->remote.addr) == NOBODY)
		return;
	s.src = addr_from_v6(to->remote.addr);
	s.dst = addr_from_v6(to->local.addr);
	s.sport = to->remote.port;
	s.dport = to->local.port;
	s.seq = seq((uint32_t)rng_u64(r));
	s.ack = seq((uint32_t)rng_u64(r));
	if (knows && to->has_rcv) {
		s.flags = to->live == FIN_WAIT_2 || rng_chance(r, 0.5) ? F_SYN : F_RST; /* there Linux takes any RST */
		s.seq = s.flags == F_SYN ? to->rcv : seq_add(to->rcv, 1 + rng_below(r, 1500));
	}
	net_forge(k->net, k->net->now, &s);
}

static void on_over(struct work *k)
{
	k->over = true;
	for (unsigned h = 0; h < k->setup.n_hosts; h++) {
		net_touch(k->net, h);
		for (unsigned i = 0; i < HOST_LISTENERS; i++)
			listener_close(k, h, i);
		net_settle(k->net, h);
	}
}

/* The listener gives up listening and calls somebody itself, or is closed where that is not allowed. */
static void listener_connect(struct work *k, unsigned host, unsigned i)
{
	struct listener *l = &k->listener[host][i];
	unsigned peer = (host + 1) % k->setup.n_hosts;
	struct opening o = {
		.host = host, .listener = l->sock, .v6 = l->v6, .to = net_address(peer, l->v6, LISTEN_PORT)};

	l->sock = 0;
	if (o.listener)
		open_one(k, &o);
}

static void on_listener(struct work *k, enum work_timer t, uint32_t arg)
{
	unsigned host = arg / HOST_LISTENERS, i = arg % HOST_LISTENERS;

	net_touch(k->net, host);
	if (t == T_LISTENER_OPEN) {
		listener_open(k, host, i);
	} else if (t == T_LISTENER_CLOSE) {
		if (rng_chance(&k->rng, 0.3))
			listener_connect(k, host, i);
		else
			listener_close(k, host, i);
		work_timer(k, draw_log(&k->rng, NSEC_PER_MS, NSEC_PER_S), T_LISTENER_OPEN, arg);
	} else {
		k->listener[host][i].resting = false;
		accept_all(k, host, &k->listener[host][i]);
	}
	net_settle(k->net, host);
}

static void on_timer(void *arg, uint32_t what)
{
	struct work *k = arg;
	enum work_timer t = (enum work_timer)(what >> 24);

	what &= 0xffffff;
	switch (t) {
	case T_START:
		on_start(k);
		return;
	case T_SIMULTANEOUS:
		on_simultaneous(k, what);
		return;
	case T_READ:
	case T_HOLD:
	case T_PATIENCE:
		flow_timer(k, &k->flow[what], t);
		return;
	case T_ACCEPT:
	case T_LISTENER_CLOSE:
	case T_LISTENER_OPEN:
		on_listener(k, t, what);
		return;
	case T_CUT:
	case T_JOIN:
		net_cut(k->net, what >> 4, what & 15, t == T_CUT);
		return;
	case T_RESTART:
		on_restart(k, what);
		return;
	case T_FLOOD:
		on_flood(k, what);
		return;
	case T_FORGE:
		on_forge(k);
		return;
	case T_OVER:
		on_over(k);
		return;
	}
	must_not_reach("a timer of no kind");
}

/* ---- the plan ---- */

static void plan_disasters(struct work *k)
{
	struct setup *s = &k->setup;
	struct rng *r = &k->rng;

	for (unsigned i = 0; i < s->n_cuts; i++) {
		unsigned a = rng_below(r, s->n_hosts), b = (a + 1 + rng_below(r, s->n_hosts - 1)) % s->n_hosts;
		nsec_t at = sometime(k);

		work_timer(k, at, T_CUT, a << 4 | b);
		work_timer(k, at + draw_log(r, NSEC_PER_MS, 100 * NSEC_PER_S), T_JOIN, a << 4 | b);
	}
	for (unsigned i = 0; i < s->n_restarts; i++)
		work_timer(k, sometime(k), T_RESTART, rng_below(r, s->n_hosts));
	for (unsigned i = 0; i < s->n_floods; i++)
		work_timer(k, sometime(k), T_FLOOD, rng_below(r, s->n_hosts));
	for (unsigned i = 0; i < s->n_forged; i++)
		work_timer(k, sometime(k), T_FORGE, 0);
	for (unsigned i = 0; i < s->n_listener_closes; i++)
		work_timer(k, sometime(k), T_LISTENER_CLOSE, rng_below(r, s->n_hosts) * HOST_LISTENERS);
}

int work_begin(struct work *k, struct net *n, uint64_t seed)
{
	rng_seed(&k->rng, seed);
	k->net = n;
	k->w = n->w;
	n->ops.arg = k;
	n->ops.event = on_event;
	n->ops.timer = on_timer;
	n->ops.sent = on_sent;
	for (unsigned h = 0; h < k->setup.n_hosts; h++) {
		int err;

		n->host[h].clock = k->setup.host[h].clock;
		err = start_host(k, h);
		if (err)
			return err;
		watch_learn(k->w, h, n->host[h].e);
		for (unsigned i = 0; i < 2 * k->setup.host[h].listeners; i++) {
			k->listener[h][i].port = (uint16_t)(LISTEN_PORT + i / 2);
			k->listener[h][i].v6 = i % 2;
			listener_open(k, h, i);
		}
		net_settle(n, h);
	}
	for (unsigned i = 0; i < k->setup.n_starts; i++)
		work_timer(k, sometime(k), T_START, 0);
	plan_disasters(k);
	/* By then every application has given up, at the latest. */
	work_timer(k, k->setup.span + 3 * k->setup.patience + 10 * NSEC_PER_S, T_OVER, 0);
	return 0;
}
