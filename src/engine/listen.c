/* SPDX-License-Identifier: MIT */
/* listen.c - listeners: who takes a SYN, and the two queues behind it, bounded as Linux bounds them. */
#include "engine/engine.h"

static struct link *bucket_of(const struct engine *e, uint16_t port)
{
	return &e->listen_buckets[port & e->listen_mask];
}

static bool listens_on(const struct conn *l, const struct tuple *t, laddr_t laddr, bool v6)
{
	return l->t.lport == t->lport && l->t.laddr == laddr && l->is_v6 == v6;
}

/* SO_REUSEPORT: of several the hash takes one, the same one for the same peer while the group stays as it is. */
static struct conn *find_on(const struct engine *e, const struct tuple *t, uint64_t hash, laddr_t laddr)
{
	const struct link *head = bucket_of(e, t->lport);
	bool v6 = !addr_is_v4(&t->raddr);
	struct conn *first = NULL;
	uint32_t n = 0, take;

	for (struct link *i = head->next; i != head; i = i->next) {
		struct conn *l = container_of(i, struct conn, listen_link);

		if (!listens_on(l, t, laddr, v6))
			continue;
		n++;
		if (!first)
			first = l;
	}
	if (n <= 1)
		return first;
	take = (uint32_t)((hash >> 32) * n >> 32);
	for (struct link *i = &first->listen_link;; i = i->next) {
		struct conn *l = container_of(i, struct conn, listen_link);

		if (listens_on(l, t, laddr, v6) && take-- == 0)
			return l;
	}
}

struct conn *listener_find(const struct engine *e, const struct tuple *t, uint64_t hash)
{
	struct conn *l = find_on(e, t, hash, t->laddr);

	return l ? l : find_on(e, t, hash, LADDR_ANY);
}

void listener_in(struct conn *l)
{
	binds_move(l->eng->binds, l->bind, BIND_BOUND, BIND_LISTEN, conn_bind_flags(l));
	l->bind_class = BIND_LISTEN;
	link_init(&l->accept_queue);
	link_init(&l->syn_queue);
	link_append(bucket_of(l->eng, l->t.lport), &l->listen_link);
	l->eng->n_listeners++;
}

/*
 * Children die with their listener: those nobody accepted are reset. Those in SYN_RECEIVED are, too, under rfc9293; Linux
 * forgets them, and the peer's ACK is answered as one for nobody.
 */
void listener_out(struct conn *l)
{
	struct link *i;

	link_remove(&l->listen_link);
	l->eng->n_listeners--;
	binds_move(l->eng->binds, l->bind, BIND_LISTEN, BIND_BOUND, conn_bind_flags(l));
	l->bind_class = BIND_BOUND;
	while ((i = l->syn_queue.next) != &l->syn_queue) {
		struct conn *c = container_of(i, struct conn, queue_link);

		if (l->eng->k.policy == POLICY_RFC9293)
			conn_abort(c, 0);
		else
			conn_end(c, ABORT_SYN_RECEIVED, 0);
	}
	while ((i = link_pop(&l->accept_queue)) != NULL) {
		struct conn *c = container_of(i, struct conn, queue_link);

		c->listener = NULL;
		if (c->state == CLOSED)
			conn_free_if_unheld(c);
		else
			conn_abort(c, 0);
	}
}

bool listener_accept_full(const struct conn *l) { return l->n_accept > (uint32_t)l->backlog; }

bool listener_syn_full(const struct conn *l) { return l->n_syn > (uint32_t)l->backlog; }

void listener_child_born(struct conn *l, struct conn *c)
{
	must(!link_is_in(&c->queue_link));
	c->listener = l;
	c->is_young = true;
	l->n_syn++;
	l->n_young++;
	link_append(&l->syn_queue, &c->queue_link);
}

void listener_child_aged(struct conn *c)
{
	if (!c->is_young)
		return;
	c->is_young = false;
	c->listener->n_young--;
}

static void leave_syn_queue(struct conn *c)
{
	listener_child_aged(c);
	link_remove(&c->queue_link);
	c->listener->n_syn--;
}

void listener_child_ready(struct conn *c)
{
	struct conn *l = c->listener;

	leave_syn_queue(c);
	link_append(&l->accept_queue, &c->queue_link);
	l->n_accept++;
	event_raise(l);
}

/* One that reached ESTABLISHED stays in the accept queue: la_accept() gives it out, with its octets and its error. */
void listener_child_gone(struct conn *c)
{
	if (!c->connected_once)
		leave_syn_queue(c);
}
