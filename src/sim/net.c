/* SPDX-License-Identifier: MIT */
#include "sim/net.h"

#include "sim/middlebox.h"
#include "sim/path.h"
#include "wire/addr.h"

#define WHAT_USER (UINT32_C(1) << 31) /* in the agenda; others are packets */
enum { IDLE_WAKES_MAX = 1000, ROUNDS_MAX = 10000 };

void net_init(struct net *n, struct watch *w, struct verdict *v, uint64_t seed)
{
	n->now = v->now = 0;
	n->v = v;
	n->w = w;
	n->ops = (struct net_ops){0};
	rng_seed(&n->rng, seed);
	n->n_hosts = 0;
	n->lifetime = 30 * NSEC_PER_S;
	n->packets = n->octets = n->delivered = n->events = 0;
	n->events_max = 1000000;
	memset(n->fault, 0, sizeof(n->fault));
	memset(n->path, 0, sizeof(n->path));
	memset(n->host, 0, sizeof(n->host));
	for (unsigned h = 0; h < HOSTS_MAX; h++)
		n->host[h] = (struct host){.clock.rate = CLOCK_TRUE, .wake_at = NSEC_NEVER};
	agenda_init(&n->agenda);
	n->n_used = n->n_free = 0;
}

/* ---- hosts ---- */

struct la_endpoint net_address(unsigned host, bool v6, uint16_t port)
{
	static const uint8_t v6_prefix[8] = {0x20, 0x01, 0x0d, 0xb8};
	struct la_endpoint e = {.port = port};

	if (v6) {
		memcpy(e.addr, v6_prefix, sizeof(v6_prefix));
	} else {
		e.addr[10] = e.addr[11] = 0xff;
		e.addr[12] = 10;
	}
	e.addr[15] = (uint8_t)(host + 1);
	return e;
}

unsigned net_owner(const struct net *n, const uint8_t addr[16])
{
	unsigned host = addr[15] - 1U;
	struct la_endpoint e;

	if (host >= n->n_hosts)
		return NOBODY;
	e = net_address(host, addr[0] != 0, 0);
	return memcmp(e.addr, addr, sizeof(e.addr)) == 0 ? host : NOBODY;
}

static void on_trace(void *arg, const struct la_trace *t)
{
	struct host *h = arg;
	struct net *n = h->net;

	if (n->w)
		watch_edge(n->w, (unsigned)(h - n->host), t);
}

int net_start(struct net *n, unsigned host, const struct la_config *cfg)
{
	struct host *h = &n->host[host];
	struct la_config c = *cfg;
	int err;

	h->net = n;
	c.now = net_local(n, host);
	c.trace = on_trace;
	c.trace_arg = h;
	err = la_init(h->mem, h->size, &c, &h->e);
	if (err)
		return err;
	h->wake_at = NSEC_NEVER;
	if (host >= n->n_hosts)
		n->n_hosts = host + 1;
	err = la_address_add(h->e, net_address(host, false, 0).addr);
	return err ? err : la_address_add(h->e, net_address(host, true, 0).addr);
}

nsec_t net_local(const struct net *n, unsigned host) { return clock_local(&n->host[host].clock, n->now); }

void net_touch(struct net *n, unsigned host) { la_advance(n->host[host].e, net_local(n, host)); }

static void set_wake(struct net *n, unsigned host)
{
	struct host *h = &n->host[host];
	la_time next = la_next_at(h->e);

	h->wake_at = next == LA_NEVER ? NSEC_NEVER : clock_true(&h->clock, next);
	if (h->wake_at > n->now) {
		h->idle_wakes = 0;
		return;
	}
	h->wake_at = n->now;
	if (++h->idle_wakes > IDLE_WAKES_MAX)
		FAIL(n->v, CHECK_PROGRESS, host, NULL, NULL,
		     "la_next_at() stays in the past, whatever la_advance() does");
}

static bool send_one(struct net *n, unsigned host)
{
	struct packet_slot *p = path_slot(n);
	size_t len;

	len = la_output(n->host[host].e, net_local(n, host), p->octets, sizeof(p->octets));
	if (len == 0) {
		path_slot_free(n, p);
		return false;
	}
	p->len = (uint16_t)len;
	path_send(n, host, p);
	return true;
}

void net_settle(struct net *n, unsigned host)
{
	for (unsigned round = 0; !n->v->failed; round++) {
		struct la_engine *e = n->host[host].e;
		struct la_event ev;
		bool any = false;

		while (la_event(e, &ev)) {
			any = true;
			if (n->ops.event)
				n->ops.event(n->ops.arg, host, &ev);
		}
		while (send_one(n, host))
			any = true;
		if (!any)
			break;
		if (round > ROUNDS_MAX)
			FAIL(n->v, CHECK_PROGRESS, host, NULL, NULL, "events and packets without end");
	}
	if (n->v->failed)
		return;
	if (n->w)
		watch_settle(n->w, host, n->host[host].e);
	set_wake(n, host);
}

/* ---- what happens ---- */

bool net_at(struct net *n, nsec_t at, uint32_t what)
{
	return agenda_add(&n->agenda, at < n->now ? n->now : at, what | WHAT_USER);
}

static void count_input(struct seen *s, enum wire_verdict v, const uint8_t *packet)
{
	s->in++;
	if (v != WIRE_BAD_IP)
		s->in_ecn[middlebox_ecn(packet)]++;
	s->in_tcp += v == WIRE_TCP;
	s->in_tcp_bad += v == WIRE_BAD_TCP || v == WIRE_BAD_CSUM;
	s->in_bad_csum += v == WIRE_BAD_CSUM;
	s->in_bad_ip += v == WIRE_BAD_IP;
	s->in_other += v == WIRE_OTHER || v == WIRE_FRAGMENT;
	s->in_icmp += v == WIRE_ICMP_ERROR;
}

static void deliver(struct net *n, struct packet_slot *p)
{
	struct packet parsed;
	enum wire_verdict v = packet_parse(&parsed, p->octets, p->len, 0);
	enum input_kind kind = p->icmp ? IN_ICMP : v != WIRE_TCP ? IN_DAMAGED : p->forged ? IN_FORGED : IN_TCP;
	unsigned to = p->to;

	if (n->ops.tap)
		n->ops.tap(n->ops.tap_arg, n->now, p->octets, p->len);
	n->delivered++;
	if (n->w) {
		count_input(&n->w->seen[to], v, p->octets);
		watch_in_begin(n->w, to, net_local(n, to), kind,
			       kind == IN_TCP || kind == IN_FORGED ? &parsed.seg : NULL);
	}
	la_input(n->host[to].e, net_local(n, to), p->octets, p->len);
	if (n->w)
		watch_in_end(n->w);
	path_slot_free(n, p);
	net_settle(n, to);
}

static unsigned first_to_wake(const struct net *n)
{
	unsigned first = 0;

	for (unsigned h = 1; h < n->n_hosts; h++)
		if (n->host[h].wake_at < n->host[first].wake_at)
			first = h;
	return first;
}

static bool step(struct net *n, nsec_t until)
{
	unsigned h = first_to_wake(n);
	nsec_t agenda_at = agenda_next_at(&n->agenda);
	nsec_t at = n->host[h].wake_at < agenda_at ? n->host[h].wake_at : agenda_at;
	uint32_t what;

	if (at == NSEC_NEVER || at > until || n->v->failed)
		return false;
	if (++n->events > n->events_max)
		FAIL(n->v, CHECK_PROGRESS, h, NULL, NULL, "more than %u events", (unsigned)n->events_max);
	if (at > n->now)
		n->now = n->v->now = at;
	if (n->w)
		watch_mix(n->w, n->now);
	if (agenda_at > at) {
		net_touch(n, h);
		net_settle(n, h);
		return true;
	}
	what = agenda_take(&n->agenda);
	if (!(what & WHAT_USER))
		deliver(n, &n->slot[what]);
	else if (n->ops.timer)
		n->ops.timer(n->ops.arg, what & ~WHAT_USER);
	return true;
}

bool net_step(struct net *n) { return step(n, CLOCK_END - 1); }

void net_run(struct net *n, nsec_t until)
{
	while (step(n, until))
		continue;
	if (!n->v->failed && n->now < until)
		n->now = n->v->now = until;
}
