/* SPDX-License-Identifier: MIT */
/* watch.c - shadows and incarnations, and what must be true of changes of state. */
#include "sim/watch.h"

#include <stdio.h>

#include "knob/values.h"
#include "wire/addr.h"

void watch_init(struct watch *w, struct verdict *v)
{
	w->v = v;
	w->log = NULL;
	if (++w->epoch == 0 || w->epoch >= 1 << 18) {
		memset(w->slot, 0, sizeof(w->slot));
		w->epoch = 1;
	}
	w->n_shadows = w->n_fresh = 0;
	w->n_incs = 1;
	memset(&w->inc[0], 0, sizeof(w->inc[0]));
	memset(w->rules, 0, sizeof(w->rules));
	memset(w->seen, 0, sizeof(w->seen));
	memset(w->edges, 0, sizeof(w->edges));
	memset(w->ends, 0, sizeof(w->ends));
	memset(w->tw_ends, 0, sizeof(w->tw_ends));
	memset(w->edge_name, 0, sizeof(w->edge_name));
	w->hash = 0;
	w->in_kind = IN_NONE;
	w->in = NULL;
}

void watch_mix(struct watch *w, uint64_t x)
{
	w->hash = (w->hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	w->hash ^= w->hash >> 29;
}

enum { PLENTY_PAGES = 4096 };

void watch_learn(struct watch *w, unsigned host, const struct la_engine *e)
{
	struct watch_rules *r = &w->rules[host];
	int64_t v = 0;

	la_knob_get(e, "engine.time_wait_ms", &v);
	r->tw_len = (nsec_t)v * NSEC_PER_MS;
	la_knob_get(e, "net.ipv4.tcp_tw_recycle", &v);
	if (v)
		r->tw_len = NSEC_NEVER;
	la_knob_get(e, "net.ipv4.tcp_tw_reuse", &v);
	r->tw_reuse = (unsigned)v;
	la_knob_get(e, "net.ipv4.tcp_tw_reuse_delay", &v);
	r->reuse_delay = (nsec_t)v * NSEC_PER_MS;
	la_knob_get(e, "engine.policy", &v);
	if (v == POLICY_LINUX_2_6 || v == POLICY_LINUX_4_12) /* the delay could not be set then */
		r->reuse_delay = NSEC_PER_S;
	la_knob_get(e, "net.ipv4.tcp_rfc1337", &v);
	r->rfc1337 = v != 0;
	la_knob_get(e, "engine.tw_full", &v);
	r->recycles = v == TW_FULL_RECYCLE_OLDEST;
	la_knob_get(e, "port_low", &v);
	r->port_low = (uint16_t)v;
	la_knob_get(e, "port_high", &v);
	r->port_high = (uint16_t)v;
	la_knob_get(e, "engine.rto_min_ms", &v);
	r->rto_min = (nsec_t)v * NSEC_PER_MS;
	la_knob_get(e, "net.ipv4.tcp_shrink_window", &v);
	r->shrinks = v != 0;
	la_knob_get(e, "mem_max", &v);
	r->reneges = v < PLENTY_PAGES;
}

struct la_endpoint watch_endpoint(const struct addr *a, uint16_t port)
{
	struct la_endpoint e = {.port = port};

	memcpy(e.addr, a->b, sizeof(e.addr));
	return e;
}

static bool same(const struct la_endpoint *a, const struct la_endpoint *b)
{
	return a->port == b->port && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static uint32_t slot_of(unsigned host, const struct la_endpoint *local, const struct la_endpoint *remote)
{
	uint64_t l[2], r[2], x;

	memcpy(l, local->addr, sizeof(l));
	memcpy(r, remote->addr, sizeof(r));
	x = (l[0] ^ l[1]) * 3 + (r[0] ^ r[1]) * 5 + ((uint64_t)local->port << 16 | remote->port) +
	    ((uint64_t)host << 40);
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 51); /* 13 bits */
}

_Static_assert(2 * SHADOWS_MAX == 1 << 13, "slot_of() gives 13 bits");
_Static_assert(SHADOWS_MAX <= 1 << 14, "a slot has 14 bits for the number");

/* The shadow, or with `make` a new one; NULL: there is none, or no room. */
static struct shadow *look_up(struct watch *w, unsigned host, const struct la_endpoint *local,
			      const struct la_endpoint *remote, bool make)
{
	uint32_t i = slot_of(host, local, remote);

	for (;; i = (i + 1) % (2 * SHADOWS_MAX)) {
		struct shadow *s;

		if (w->slot[i] >> 14 != w->epoch)
			break;
		s = &w->shadow[w->slot[i] & 0x3fff];
		if (s->host == host && same(&s->local, local) && same(&s->remote, remote))
			return s;
	}
	if (!make || w->n_shadows == SHADOWS_MAX)
		return NULL;
	w->slot[i] = w->epoch << 14 | w->n_shadows;
	w->shadow[w->n_shadows] =
		(struct shadow){.epoch = w->epoch, .host = (uint8_t)host, .local = *local, .remote = *remote};
	return &w->shadow[w->n_shadows++];
}

struct shadow *watch_find(struct watch *w, unsigned host, const struct la_endpoint *local,
			  const struct la_endpoint *remote)
{
	return look_up(w, host, local, remote, false);
}

/* Which row of edges.def has this name? Names live for ever, so the address is looked up first. */
static unsigned edge_of(struct watch *w, const char *name)
{
	unsigned i = (unsigned)((uintptr_t)name >> 3) % ARRAY_LEN(w->edge_name), tried = 0;

	for (; w->edge_name[i] && tried < ARRAY_LEN(w->edge_name); i = (i + 1) % ARRAY_LEN(w->edge_name), tried++)
		if (w->edge_name[i] == name)
			return w->edge_number[i];
	for (unsigned e = 0; e < N_EDGES; e++)
		if (strcmp(edges[e].name, name) == 0) {
			if (!w->edge_name[i]) {
				w->edge_name[i] = name;
				w->edge_number[i] = (uint8_t)e;
			}
			return e;
		}
	must_not_reach("an edge that edges.def does not have");
}

/* ---- incarnations ---- */

/* Whose SYN was that? The incarnation at the other end whose ISS we have as IRS; 0: nobody's. */
static uint32_t find_peer(struct watch *w, const struct shadow *s, seq_t irs)
{
	for (unsigned h = 0; h < HOSTS_MAX; h++) {
		const struct shadow *other = watch_find(w, h, &s->remote, &s->local);

		if (!other)
			continue;
		for (uint32_t i = other->inc; i; i = w->inc[i].before)
			if (w->inc[i].has_iss && seq_eq(w->inc[i].iss, irs))
				return i;
	}
	return 0;
}

/*
 * The ACK of a cookie has no window scale option, and what it echoes only the host can read. But the other end knows what its
 * SYN said and what the SYN+ACK did.
 */
static void learn_cookie_scale(struct watch *w, struct shadow *s)
{
	uint32_t peer = w->inc[s->inc].peer;
	const struct shadow *other = &w->shadow[w->inc[peer].shadow];

	s->scale_unknown = !peer || other->inc != peer || other->scale_unknown;
	if (s->scale_unknown)
		return;
	s->scaled_in = other->scaled_out;
	s->scale_in = other->scale_out;
	s->scaled_out = other->scaled_in;
	s->scale_out = other->scale_in;
}

static void learn_irs(struct watch *w, struct shadow *s)
{
	struct incarnation *inc = &w->inc[s->inc];

	if (!w->in || !s->inc)
		return;
	inc->irs = w->in->flags & F_SYN ? w->in->seq : seq_sub(w->in->seq, 1); /* without SYN: the ACK of a cookie */
	inc->has_irs = true;
	inc->by_cookie = !(w->in->flags & F_SYN);
	inc->peer = find_peer(w, s, inc->irs);
	if (inc->by_cookie && inc->peer && !w->inc[inc->peer].peer) { /* it could not know us: we were none */
		w->inc[inc->peer].peer = s->inc;
		inc->mate = inc->peer;
	} else if (inc->by_cookie && inc->peer) {
		w->inc[inc->peer].cookie_twice = true;
	}
	s->rcv = seq_add(inc->irs, 1);
	s->has_rcv = true;
	if (inc->by_cookie) {
		learn_cookie_scale(w, s);
	} else {
		s->scaled_in = w->in->opts.has_wscale;
		s->scale_in = watch_scale(w->in);
	}
	if (!inc->has_iss && w->in->flags & F_ACK && !(w->in->flags & F_SYN)) {
		inc->iss = seq_sub(w->in->ack, 1);
		inc->has_iss = true;
		s->sent = w->in->ack;
	}
}

/* The last TIME_WAIT ended since a SYN, ours or the peer's, made a new connection of it. */
static bool is_taken_over(const struct watch *w, const struct shadow *s)
{
	unsigned by = w->inc[s->tw_inc].tw_ended_by;

	return s->tw_inc == s->inc && (by == TW_REOPEN || by == TW_CONNECT);
}

static void begin(struct watch *w, struct shadow *s, bool passive)
{
	struct incarnation *inc;

	if (s->live != CLOSED)
		FAIL(w->v, CHECK_FOUR_TUPLE, s->host, &s->local, &s->remote, "a connection begins while another is %s",
		     state_name(s->live));
	if (s->time_wait) {
		if (!passive)
			FAIL(w->v, CHECK_FOUR_TUPLE, s->host, &s->local, &s->remote,
			     "connect() took a four-tuple that is in TIME_WAIT");
		s->reopening = true;
	}
	s->took_over = s->tw_inc && w->inc[s->tw_inc].has_iss && (s->time_wait || is_taken_over(w, s));
	s->fin_out = s->has_right = s->has_adv = s->has_rcv = s->scaled_in = s->scaled_out = s->scale_unknown = false;
	s->scale_in = s->scale_out = 0;
	s->data = (struct data_shadow){0};
	if (w->n_incs == INCARNATIONS_MAX) {
		s->inc = 0;
		return;
	}
	inc = &w->inc[w->n_incs];
	*inc = (struct incarnation){.before = s->inc,
				    .shadow = (uint32_t)(s - w->shadow),
				    .passive = passive,
				    .ended_by = ENDED_NOT,
				    .tw_ended_by = ENDED_NOT,
				    .host = s->host};
	s->inc = w->n_incs++;
	if (passive)
		learn_irs(w, s);
}

static void end(struct watch *w, struct shadow *s, unsigned by)
{
	struct incarnation *old = &w->inc[s->tw_inc];

	w->inc[s->inc].ended_by = by;
	w->ends[by]++;
	/* The handshake that took a TIME_WAIT over came to nothing, and the TIME_WAIT is gone. */
	if (by < N_EDGES && edges[by].from == SYN_RECEIVED && edges[by].to != TIME_WAIT &&
	    s->tw_inc == w->inc[s->inc].before && old->tw_ended_by == TW_REOPEN)
		old->tw_ended_by = ENDED_LOST;
}

bool watch_was_protected(const struct watch *w, uint32_t n)
{
	const struct incarnation *i = &w->inc[n], *p = &w->inc[i->peer];
	const struct incarnation *with[2] = {i, p};
	bool kept = false;

	if (!n || !i->peer)
		return false;
	for (unsigned k = 0; k < 2; k++) {
		unsigned by = with[k]->ended_by, tw = with[k]->tw_ended_by;

		if (by != F5_17_FIN_WAIT_2_FIN && by != F5_18_CLOSING_ACKED && by != F5_19_LAST_ACK_ACKED &&
		    by != ENDED_NOT)
			return false;
		if (with[k]->had_time_wait &&
		    (tw == F5_20_2MSL || tw == TW_REOPEN || tw == TW_CONNECT || tw == ENDED_NOT))
			kept = true;
		else if (with[k]->had_time_wait)
			return false;
	}
	return kept;
}

/* ---- TIME_WAIT ---- */

static void tw_enter(struct watch *w, struct shadow *s, unsigned id, nsec_t at)
{
	struct incarnation *inc = &w->inc[s->inc];
	const struct incarnation *peer = &w->inc[inc->peer];

	if (s->time_wait && !s->reopening)
		FAIL(w->v, CHECK_FOUR_TUPLE, s->host, &s->local, &s->remote, "enters TIME_WAIT, but is in it already");
	s->time_wait = true;
	if (id == TW_RESTORED || id == TW_RESTORED_TIMEOUT) {
		w->inc[s->tw_inc].tw_ended_by = ENDED_NOT;
		end(w, s, id);
		s->inc = s->tw_inc; /* its numbers count again */
		s->has_right = s->has_adv = s->has_rcv = false;
		return;
	}
	s->tw_at = s->tw_entered_at = at;
	s->tw_inc = s->inc;
	s->tw_sent = s->sent;
	inc->had_time_wait = true;
	if (!s->fin_out)
		FAIL(w->v, CHECK_TW_SIDE, s->host, &s->local, &s->remote, "enters TIME_WAIT, but never sent a FIN");
	if (inc->passive_close || (peer->had_time_wait && peer->passive_close))
		FAIL(w->v, CHECK_TW_SIDE, s->host, &s->local, &s->remote, "TIME_WAIT on the side that closed second");
	if (w->n_fresh < FRESH_MAX)
		w->fresh[w->n_fresh++] = (uint32_t)(s - w->shadow);
}

static bool connect_may_take(const struct watch_rules *r, const struct shadow *s, nsec_t age)
{
	bool chosen = s->local.port >= r->port_low && s->local.port <= r->port_high;

	/* A bound port may be taken whatever tcp_tw_reuse says (Linux). A port once given back stays so. Milliseconds count. */
	return !chosen || (r->tw_reuse && age + NSEC_PER_MS >= r->reuse_delay);
}

static void tw_over(struct watch *w, struct shadow *s, unsigned id, nsec_t at)
{
	const struct watch_rules *r = &w->rules[s->host];
	nsec_t age = at - s->tw_at;

	if (!s->time_wait) {
		FAIL(w->v, CHECK_CHAIN, s->host, &s->local, &s->remote, "%s, but is not in TIME_WAIT", edges[id].name);
		return;
	}
	s->time_wait = s->reopening = false;
	w->inc[s->tw_inc].tw_ended_by = id;
	w->tw_ends[id]++;
	if (id == F5_20_2MSL && r->tw_len != NSEC_NEVER && age < r->tw_len)
		FAIL(w->v, CHECK_TW_LENGTH, s->host, &s->local, &s->remote, "TIME_WAIT ended after %u ms instead of %u",
		     (unsigned)(age / NSEC_PER_MS), (unsigned)(r->tw_len / NSEC_PER_MS));
	if (id == RST_TIME_WAIT && r->rfc1337)
		FAIL(w->v, CHECK_TW_END, s->host, &s->local, &s->remote, "a RST ended a TIME_WAIT despite tcp_rfc1337");
	if (id == TW_CONNECT && !connect_may_take(r, s, at - s->tw_entered_at))
		FAIL(w->v, CHECK_TW_END, s->host, &s->local, &s->remote,
		     "connect() took a TIME_WAIT of %u ms (tcp_tw_reuse %u, delay %u ms)",
		     (unsigned)(age / NSEC_PER_MS), r->tw_reuse, (unsigned)(r->reuse_delay / NSEC_PER_MS));
	if (id == TW_RECYCLED && !r->recycles)
		FAIL(w->v, CHECK_TW_END, s->host, &s->local, &s->remote,
		     "a TIME_WAIT was recycled, but engine.tw_full is not recycle-oldest");
}

/* The peer sent its FIN again: "Restart the 2 MSL time-wait timeout." (RFC 9293 3.10.7.4 eighth) */
void watch_fin_again(struct watch *w, struct shadow *s, const struct seg *g)
{
	s->fin_again = true;
	s->fin_past = seq_add(g->seq, seg_span(g));
	s->fin_has_ts = g->opts.has_ts;
	s->fin_ts = g->opts.has_ts ? g->opts.tsval : 0;
	if (w->n_fresh < FRESH_MAX)
		w->fresh[w->n_fresh++] = (uint32_t)(s - w->shadow);
}

/* Unless it was another connection's, or failed PAWS: then it was an old copy. */
void watch_restarted(const struct watch *w, struct shadow *s, const struct la_time_wait *tw)
{
	if (s->fin_again && s->fin_past.v == tw->rcv_nxt &&
	    !(tw->has_ts && s->fin_has_ts && (int32_t)(s->fin_ts - tw->ts_recent) < 0))
		s->tw_at = w->in_at;
	s->fin_again = false;
}

void watch_settle(struct watch *w, unsigned host, const struct la_engine *e)
{
	for (uint32_t i = 0; i < w->n_fresh; i++) {
		struct shadow *s = &w->shadow[w->fresh[i]];
		nsec_t len = w->rules[host].tw_len;
		struct la_time_wait tw;

		if (!s->time_wait || s->host != host || len == 0)
			continue;
		if (!la_time_wait_find(e, &s->local, &s->remote, &tw)) {
			FAIL(w->v, CHECK_TW_STORED, host, &s->local, &s->remote,
			     "entered TIME_WAIT, but is not in the store");
			continue;
		}
		watch_restarted(w, s, &tw);
		if (len != NSEC_NEVER && tw.expires_at < s->tw_at + len)
			FAIL(w->v, CHECK_TW_STORED, host, &s->local, &s->remote, "in TIME_WAIT for less than %u ms",
			     (unsigned)(len / NSEC_PER_MS));
	}
	w->n_fresh = 0;
}

/* ---- a change of state ---- */

/* Events that only a segment of this four-tuple can cause. */
static void check_cause(struct watch *w, const struct shadow *s, unsigned id)
{
	enum event ev = edges[id].event;
	const struct seg *in = w->in;
	bool ours = in && w->in_host == s->host && in->dport == s->local.port && in->sport == s->remote.port;
	uint8_t flags = ours ? in->flags : 0;
	bool fine = false;

	switch (ev) {
	case EV_RCV_SYN:
		fine = ours && (flags & (F_SYN | F_ACK)); /* without SYN: the ACK of a cookie */
		break;
	case EV_RCV_SYN_ACK:
		fine = ours && (flags & F_SYN) && (flags & F_ACK) && w->in_kind == IN_TCP;
		break;
	case EV_RCV_RST:
		fine = ours && (flags & F_RST) && w->in_kind == IN_TCP;
		if (id == TW_RESTORED || edges[id].from == SYN_RECEIVED) /* a SYN on its place ends it too */
			fine = fine || (ours && (flags & F_SYN));
		break;
	case EV_RCV_ACK_SYN:
	case EV_RCV_ACK_FIN:
	case EV_RCV_FIN:
	case EV_RCV_DATA:
		fine = ours && w->in_kind == IN_TCP;
		break;
	case EV_ICMP:
		fine = w->in_kind == IN_ICMP;
		break;
	case EV_PASSIVE_OPEN:
	case EV_ACTIVE_OPEN:
	case EV_SEND:
	case EV_CLOSE:
	case EV_ABORT:
	case EV_2MSL:
	case EV_USER_TIMEOUT:
	case EV_CONNECT:
	case EV_RECYCLE:
		fine = true;
		break;
	case N_EVENTS:
		must_not_reach("no such event");
	}
	if (!fine)
		FAIL(w->v, CHECK_CAUSE, s->host, &s->local, &s->remote, "%s without a genuine segment that means it",
		     edges[id].name);
}

static bool is_attempt_failed(const struct edge *e, bool passive)
{
	bool opening = e->from == SYN_SENT || e->from == SYN_RECEIVED;

	if (!opening || (e->to != CLOSED && e->to != LISTEN && e->to != TIME_WAIT) || e->event == EV_CLOSE)
		return false;
	return e->event == EV_RCV_RST || e->event == EV_RCV_SYN || !passive;
}

static void go(struct watch *w, struct shadow *s, unsigned id, const struct la_trace *t)
{
	const struct edge *e = &edges[id];

	if (s->live != e->from)
		FAIL(w->v, CHECK_CHAIN, s->host, &s->local, &s->remote, "%s, but the connection is %s", e->name,
		     state_name(s->live));
	s->live = (uint8_t)e->to;
	if (id == F5_08_SIMULTANEOUS_OPEN || id == F5_10_SYN_ACK)
		learn_irs(w, s);
	if (id == F5_13_ESTAB_FIN)
		w->inc[s->inc].passive_close = true;
	if (id == F5_09_SYN_ACKED && w->inc[s->inc].passive)
		w->seen[s->host].passive_estab++;
	w->seen[s->host].attempt_fails += is_attempt_failed(e, w->inc[s->inc].passive);
	if (e->to == TIME_WAIT) {
		s->live = CLOSED;
		tw_enter(w, s, id, t->at);
	} else if (e->to == LISTEN) { /* a child that is no more */
		s->live = CLOSED;
	}
	if (e->to == ESTABLISHED && !w->inc[w->inc[s->inc].peer].mate)
		w->inc[w->inc[s->inc].peer].mate = s->inc;
	if (s->live == CLOSED && id != TW_RESTORED && id != TW_RESTORED_TIMEOUT)
		end(w, s, id);
}

static void log_edge(const struct watch *w, unsigned host, const struct la_trace *t)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s %s%s", endpoint_text(&t->local).s, endpoint_text(&t->remote).s, t->edge,
		 t->in_store ? " (record)" : "");
	w->log(w->log_arg, w->v->now, host, line);
}

void watch_edge(struct watch *w, unsigned host, const struct la_trace *t)
{
	unsigned id = edge_of(w, t->edge);
	struct shadow *s;

	w->seen[host].edge[id]++;
	w->edges[id]++;
	watch_mix(w, (uint64_t)id << 8 | host);
	if (w->log)
		log_edge(w, host, t);
	if (id == F5_01_PASSIVE_OPEN || id == F5_02_LISTEN_CLOSE)
		return;
	if (t->in_store && (edges[id].to == CLOSED || id == TW_REOPEN))
		w->seen[host].records_ended++; /* FIN_WAIT_2 of orphans too */
	s = look_up(w, host, &t->local, &t->remote, true);
	if (!s)
		return;
	check_cause(w, s, id);
	if (edges[id].from == TIME_WAIT) {
		tw_over(w, s, id, t->at);
		return;
	}
	if (id == F5_03_ACTIVE_OPEN || id == F5_05_LISTEN_SYN || id == F5_06_LISTEN_SEND) {
		begin(w, s, id == F5_05_LISTEN_SYN);
		s->live = (uint8_t)edges[id].to;
		return;
	}
	go(w, s, id, t);
}

void watch_restart(struct watch *w, unsigned host)
{
	for (uint32_t i = 0; i < w->n_shadows; i++) {
		struct shadow *s = &w->shadow[i];

		if (s->host != host)
			continue;
		if (s->live != CLOSED)
			end(w, s, ENDED_RESTART);
		if (s->time_wait)
			w->inc[s->tw_inc].tw_ended_by = ENDED_RESTART;
		s->live = CLOSED;
		s->time_wait = s->reopening = false;
	}
	memset(&w->seen[host], 0, sizeof(w->seen[host]));
}

void watch_rest(struct watch *w)
{
	for (uint32_t i = 0; i < w->n_shadows; i++) {
		const struct shadow *s = &w->shadow[i];

		if (s->live != CLOSED || s->time_wait)
			FAIL(w->v, CHECK_ENDED, s->host, &s->local, &s->remote, "still %s when everything is over",
			     state_name(s->live != CLOSED ? s->live : TIME_WAIT));
	}
}

bool watch_ports_taken(const struct watch *w, unsigned host, const struct la_endpoint *remote)
{
	const struct watch_rules *r = &w->rules[host];
	unsigned taken = 0;

	for (uint32_t i = 0; i < w->n_shadows; i++) {
		const struct shadow *s = &w->shadow[i];

		taken += s->host == host && (s->live != CLOSED || s->time_wait) && same(&s->remote, remote) &&
			 s->local.port >= r->port_low && s->local.port <= r->port_high;
	}
	return taken > (unsigned)(r->port_high - r->port_low);
}
