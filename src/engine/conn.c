/* SPDX-License-Identifier: MIT */
/*
 * conn.c - blocks, the table of connections, and the one writer of a connection's state.
 *
 * A block goes round: free list, conn_new(), a socket or a child, CLOSED again, and back when nobody holds it. The free
 * list is last in, first out, so that a busy engine works on few and warm blocks; a generation in the handle tells an old
 * holder from the new one: the block's number is in as many low bits as max_sockets needs, the generation, from 1 on, in the
 * rest. So a handle is positive.
 */
#include "engine/engine.h"

#define IS_LIVE(s) ((s) >= SYN_SENT && (s) <= LAST_ACK)
#define LIVE_BY(from, to) (int8_t)((int)IS_LIVE(to) - (int)IS_LIVE(from))
#define EMBRYONIC_BY(from, to) (int8_t)((int)((to) == SYN_RECEIVED) - (int)((from) == SYN_RECEIVED))

/* ---- state ---- */

/*
 * What a connection counts on this way, as the kernel does: of an opening that fails, those of connect() but for close(),
 * and children only when a segment ended them, not a timeout or their listener's end.
 */
enum counts_as { NOTHING, ACTIVE_OPEN, PASSIVE_OPEN, FAILS, FAILS_IF_ACTIVE, ESTAB_RESET };

#define IS_OPENING(s) ((s) == SYN_SENT || (s) == SYN_RECEIVED)
#define COUNTS_AS(from, event, to)                                                                                     \
	((event) == EV_ACTIVE_OPEN || (event) == EV_SEND ? ACTIVE_OPEN                                                 \
	 : (event) == EV_RCV_ACK_SYN                     ? PASSIVE_OPEN                                                \
	 : IS_OPENING(from) && (event) != EV_CLOSE && !IS_LIVE(to)                                                     \
		 ? ((event) == EV_RCV_RST || (event) == EV_RCV_SYN ? FAILS : FAILS_IF_ACTIVE)                          \
	 : ((from) == ESTABLISHED || (from) == CLOSE_WAIT) && (to) == CLOSED ? ESTAB_RESET                             \
									     : NOTHING)

/* An edge as conn_go() needs it, in eight octets; edges[] is for people. */
static const struct step_on {
	_Alignas(8) uint8_t from;
	uint8_t to, counts_as;
	int8_t live, embryonic; /* what it adds to n_live and n_embryonic */
} steps[N_EDGES] = {
#define EDGE(name, from, event, to, cite)                                                                              \
	[name] = {from, to, COUNTS_AS(from, event, to), LIVE_BY(from, to), EMBRYONIC_BY(from, to)},
#include "engine/edges.def"
#undef EDGE
};

static void count_edge(struct counters *n, bool passive, enum counts_as as)
{
	switch (as) {
	case NOTHING:
		return;
	case ACTIVE_OPEN:
		n->active_opens++;
		return;
	case PASSIVE_OPEN:
		n->passive_opens += passive;
		return;
	case FAILS:
		n->attempt_fails++;
		return;
	case FAILS_IF_ACTIVE:
		n->attempt_fails += !passive;
		return;
	case ESTAB_RESET:
		n->estab_resets++;
		return;
	}
	must_not_reach("an edge that counts as nothing known");
}

static struct la_endpoint endpoint(const struct addr *a, uint16_t port)
{
	struct la_endpoint ret = {.port = port};

	if (a)
		memcpy(ret.addr, a->b, sizeof(ret.addr));
	return ret;
}

static __attribute__((noinline, cold)) void trace(const struct engine *e, const struct tuple *t, enum edge_id id,
						  la_sock sock, bool record)
{
	const struct edge *edge = &edges[id];
	struct la_trace what = {
		.at = e->now,
		.edge = edge->name,
		.from = state_name(edge->from),
		.to = state_name(edge->to),
		.cite = edge->cite,
		.local = endpoint(t->laddr == LADDR_ANY ? NULL : addrs_get(e->addrs, t->laddr), t->lport),
		.remote = endpoint(&t->raddr, t->rport),
		.sock = sock,
		.in_store = record || edge->to == TIME_WAIT,
	};

	e->cfg.trace(e->cfg.trace_arg, &what);
}

void conn_go(struct conn *c, enum edge_id id)
{
	struct engine *e = c->eng;
	const struct step_on *s = &steps[id];

	must(id < N_EDGES);
	must(c->state == s->from);
	c->state = s->to;
	e->n_live += (uint32_t)s->live;
	e->n_embryonic += (uint32_t)s->embryonic;
	e->edge_count[id]++;
	if (s->counts_as != NOTHING)
		count_edge(&e->n, c->passive, s->counts_as);
	if (e->cfg.trace)
		trace(e, &c->t, id, conn_sock(c), false);
	if (c->lingering)
		conn_linger_moved(c);
}

void record_go(struct engine *e, const struct tw_rec *rec, enum edge_id id)
{
	must(id < N_EDGES);
	must(edges[id].from == (rec->kind == TW_TIME_WAIT ? TIME_WAIT : FIN_WAIT_2));
	e->edge_count[id]++;
	if (e->cfg.trace)
		trace(e, &rec->t, id, 0, true);
}

/* ---- blocks ---- */

la_sock conn_sock(const struct conn *c) { return c->is_open ? c->handle : 0; }

struct conn *conn_of_sock(const struct engine *e, la_sock s)
{
	uint32_t number = (uint32_t)s & e->number_mask;
	struct conn *c;

	if (number >= e->n_conns)
		return NULL;
	c = &e->conns[number];
	return c->handle == s && c->is_open ? c : NULL;
}

uint32_t conn_rcv_buf(const struct conn *c) { return 2 * c->rcv_full; }

uint32_t conn_snd_buf(const struct conn *c)
{
	uint32_t most = c->eng->cfg.send_buffer;

	return c->opt.sndbuf && c->opt.sndbuf < most ? c->opt.sndbuf : most;
}

uint8_t conn_bind_flags(const struct conn *c)
{
	return (uint8_t)((c->opt.reuseaddr ? BIND_REUSEADDR : 0) | (c->opt.reuseport ? BIND_REUSEPORT : 0));
}

/* What must be zero at the beginning: half of the block. conn.h says why the rest need not be. */
void conn_clear(struct conn *c, bool v6)
{
	const struct la_config *cfg = &c->eng->cfg;

	memset(&c->t, 0, offsetof(struct conn, cc.cubic) - offsetof(struct conn, t));
	for (unsigned i = 0; i < N_TIMERS; i++)
		c->timer_at[i] = NSEC_NEVER;
	c->t.laddr = LADDR_ANY;
	c->bind = BIND_NONE;
	c->is_v6 = v6;
	c->adv_mss = (uint16_t)(cfg->mtu - TCP_HEADER_LEN - (v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN));
	rcv_init(c);
}

APART struct conn *conn_new(struct engine *e, bool v6)
{
	la_sock generation = (la_sock)(e->number_mask + 1);
	struct link *l = link_pop(&e->free);
	struct conn *c;

	if (!l)
		return NULL;
	c = container_of(l, struct conn, queue_link);
	conn_clear(c, v6);
	if (c->handle > INT32_MAX - generation) /* that was the last one; the first is 1, again */
		c->handle &= (la_sock)e->number_mask;
	c->handle += generation;
	e->n_sockets++;
	return c;
}

struct conn *conn_new_child(struct conn *l)
{
	struct conn *c = conn_new(l->eng, l->is_v6);

	if (!c)
		return NULL;
	c->state = LISTEN;
	c->passive = true;
	c->listener = l;
	c->opt = l->opt;
	c->adv_mss = l->adv_mss; /* TCP_MAXSEG */
	c->rcv_full = l->rcv_full; /* SO_RCVBUF */
	c->pingpong = l->pingpong; /* TCP_QUICKACK */
	rcv_begin(c);
	c->port_bound = true;
	c->bind = l->bind;
	c->bind_any = l->bind_any;
	c->bind_class = BIND_CHILD;
	binds_add_to(c->eng->binds, c->bind, BIND_CHILD, conn_bind_flags(c));
	return c;
}

void conn_free_if_unheld(struct conn *c)
{
	struct engine *e = c->eng;

	if (c->is_open || c->state != CLOSED || c->linger_over)
		return;
	if (link_is_in(&c->queue_link)) /* reset before it was accepted: la_accept() gives it out all the same */
		return;
	must(!link_is_in(&c->hash_link));
	must(!wheel_is_armed(&c->timer));
	link_remove(&c->out_link);
	link_remove(&c->event_link);
	conn_drop_port(c);
	rcv_release(c);
	e->n_sockets--;
	link_insert(&e->free, &c->queue_link);
}

/* ---- the table ---- */

static void note_recent(struct engine *e, struct conn *c)
{
	e->recent[1] = e->recent[0];
	e->recent[0] = c;
}

void conn_hash_in(struct conn *c)
{
	struct engine *e = c->eng;

	if (!c->hash) /* who has had it computed already has set it */
		c->hash = tuple_hash(e->tuple_key, &c->t);
	link_insert(&e->buckets[c->hash & e->bucket_mask], &c->hash_link);
	note_recent(e, c);
}

void conn_hash_out(struct conn *c)
{
	struct engine *e = c->eng;

	for (size_t i = 0; i < ARRAY_LEN(e->recent); i++)
		if (e->recent[i] == c)
			e->recent[i] = NULL;
	link_remove(&c->hash_link);
	c->hash = 0;
}

struct conn *conn_find(const struct engine *e, const struct tuple *t, uint64_t hash)
{
	const struct link *head = &e->buckets[hash & e->bucket_mask];

	for (struct link *l = head->next; l != head; l = l->next) {
		struct conn *c = container_of(l, struct conn, hash_link);

		if (c->hash == hash && tuple_eq(&c->t, t))
			return c;
	}
	return NULL;
}

struct conn *conn_find_for_seg(struct engine *e, const struct tuple *t, uint64_t hash)
{
	struct conn *c = conn_find(e, t, hash);

	if (c)
		note_recent(e, c);
	return c;
}

/* ---- the end ---- */

void conn_drop_port(struct conn *c)
{
	struct engine *e = c->eng;

	if (c->port_chosen) {
		ports_release(e->ports, &c->t, false);
		binds_chosen(e->binds, c->t.lport, c->is_v6, conn_bind_flags(c), -1);
		c->port_chosen = false;
	}
	if (c->bind != BIND_NONE) {
		binds_sub(e->binds, c->bind, c->bind_class, conn_bind_flags(c));
		c->bind = BIND_NONE;
		c->port_bound = false;
	}
}

/* Out of everything a connection may be in, but for what its holder still wants: received octets and events. */
static void leave(struct conn *c)
{
	conn_hash_out(c);
	link_remove(&c->out_link);
	timer_stop_all(c);
	if (c->listener)
		listener_child_gone(c);
	if (!link_is_in(&c->queue_link))
		c->listener = NULL;
	if (c->is_orphan) {
		c->is_orphan = false;
		c->eng->n_orphans--;
	}
	c->state = CLOSED; /* a child may have gone back to LISTEN: it was the listener's copy, and is no more */
	if (c->is_open) {
		snd_clear(c);
		event_raise(c);
	}
	conn_free_if_unheld(c);
}

void conn_end(struct conn *c, enum edge_id id, int err)
{
	conn_go(c, id);
	must(c->state == CLOSED || c->state == LISTEN);
	if (!c->port_locked || !c->is_open)
		conn_drop_port(c);
	if (err)
		c->so_error = err;
	leave(c);
}

void conn_to_record(struct conn *c)
{
	must(c->state == TIME_WAIT || c->state == FIN_WAIT_2);
	must(!c->port_chosen && (c->bind == BIND_NONE || c->port_locked)); /* they are the record's now */
	c->eng->n_live -= IS_LIVE(c->state);
	c->state = CLOSED;
	leave(c);
}

/* ---- the beginning ---- */

const struct cc_ops *conn_cc(const struct conn *c) { return c->opt.cc ? c->opt.cc : cc_of_knob(c->eng->k.congestion); }

void conn_established(struct conn *c)
{
	c->connected_once = true;
	rcv_established(c);
	c->snd_sml = c->snd_una;
	c->pushed_seq = c->snd_end;
	c->last_sent_at = c->eng->now; /* TCP_INFO counts from here, as Linux */
	cc_start(&c->cc, conn_cc(c), c->snd_mss);
	c->ecn.next = seq_add(c->iss, 1);
	if (c->total_retrans > 1) /* RFC 5681 3.1; Linux: one SYN alone says little when the timeout is only 1 s */
		c->cc.cwnd = 1;
	timer_keepalive_start(c);
	if (c->listener)
		listener_child_ready(c);
	else
		event_raise(c);
}
