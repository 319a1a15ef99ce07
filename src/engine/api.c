/* SPDX-License-Identifier: MIT */
/*
 * api.c - the calls of BSD on a socket that is there: accept, send, recv, names. They answer as Linux does, never block,
 * and a handle that is none is -EBADF.
 */
#include "engine/chrono.h"

#include <errno.h>

struct conn *sock_find(const struct engine *e, la_sock s)
{
	struct conn *c = conn_of_sock(e, s);

	return c && !c->lingering ? c : NULL;
}

/* Linux's sock_error(): told once. */
static int take_error(struct conn *c)
{
	int err = c->so_error;

	c->so_error = 0;
	event_lower(c);
	return -err;
}

la_sock la_socket(struct la_engine *h, int family)
{
	struct conn *c;

	if (family != LA_INET && family != LA_INET6)
		return -EAFNOSUPPORT;
	c = conn_new(engine_of(h), family == LA_INET6);
	if (!c)
		return -ENFILE;
	c->is_open = true;
	c->opt.pmtudisc = LA_PMTUDISC_WANT;
	return conn_sock(c);
}

void sock_forget(struct conn *c)
{
	const struct conn old = *c;

	must(c->state == CLOSED && c->is_open);
	link_remove(&c->event_link);
	rcv_release(c);
	conn_clear(c, old.is_v6);
	c->is_open = true;
	c->opt = old.opt;
	c->pingpong = old.pingpong;
	if (c->opt.rcvbuf)
		c->rcv_full = old.rcv_full;
	c->user = old.user;
	c->so_error = old.so_error;
	sock_adv_mss(c);
	if (old.addr_bound) {
		c->addr_bound = true;
		c->t.laddr = old.t.laddr;
	}
	if (old.bind != BIND_NONE) {
		c->port_bound = true;
		c->port_locked = old.port_locked;
		c->bind = old.bind;
		c->bind_any = old.bind_any;
		c->bind_class = old.bind_class;
		c->t.lport = old.t.lport;
	}
	event_raise(c);
}

la_sock la_accept(struct la_engine *h, la_sock listener, struct la_endpoint *ret_peer)
{
	struct conn *l = sock_find(engine_of(h), listener), *c;
	struct link *first;

	if (!l)
		return -EBADF;
	if (l->state != LISTEN)
		return -EINVAL;
	first = link_pop(&l->accept_queue);
	if (!first)
		return -EAGAIN;
	l->n_accept--;
	event_lower(l);
	c = container_of(first, struct conn, queue_link);
	c->listener = NULL;
	c->is_open = true;
	c->attach = ATTACHED;
	event_raise(c);
	if (ret_peer) {
		memcpy(ret_peer->addr, c->t.raddr.b, sizeof(ret_peer->addr));
		ret_peer->port = c->t.rport;
	}
	return conn_sock(c);
}

/* ---- data ---- */

enum { LA_HARMLESS = LA_DONTWAIT | LA_NOSIGNAL }; /* flags that ask for what is so anyway */

static bool can_send(const struct conn *c) { return c->state == ESTABLISHED || c->state == CLOSE_WAIT; }

/* Linux says EPIPE for a socket that was never connected, too. */
static int send_error(struct conn *c)
{
	if (c->so_error)
		return take_error(c);
	return c->state == SYN_SENT || c->state == SYN_RECEIVED ? -EAGAIN : -EPIPE;
}

int64_t la_send(struct la_engine *h, la_sock s, const void *data, size_t len, int flags)
{
	struct conn *c = sock_find(engine_of(h), s);
	struct nagle_write w;
	size_t n;

	if (!c)
		return -EBADF;
	if (flags & ~(LA_MORE | LA_EOR | LA_HARMLESS))
		return -EINVAL;
	if (!data && len)
		return -EFAULT;
	if (!can_send(c) || c->so_error)
		return send_error(c);
	if (!len)
		return 0;
	if (flags & LA_EOR && !nagle_may_end_record(c))
		return -EAGAIN;
	n = snd_write(c, data, len);
	if (n < len || c->no_space)
		chrono_no_space(c, n, n < len);
	if (!n) {
		event_lower(c); /* what was told may not hold any more: the windows decide it, too */
		return -EAGAIN;
	}
	if (snd_unsent(c) == n)
		cwnd_restart(c);
	w = (struct nagle_write){.more = flags & LA_MORE, .ends_record = flags & LA_EOR, .is_short = n < len};
	nagle_written(c, (uint32_t)n, &w);
	chrono_written(c);
	out_schedule(c);
	event_lower(c);
	return (int64_t)n;
}

/* The peer's FIN was taken; not one that waits for what goes before it. */
static bool fin_taken(const struct conn *c)
{
	if (c->state == CLOSED)
		return c->has_rcv_fin && seq_lt(c->rcv_fin, c->rcv_nxt);
	return state_has_fin(c->state);
}

bool rcv_ended(const struct conn *c) { return c->rcv_shutdown || fin_taken(c); }

/* Nothing to read: why? */
static int recv_nothing(struct conn *c)
{
	if (c->state == LISTEN)
		return -ENOTCONN;
	if (fin_taken(c))
		return 0;
	if (c->so_error)
		return take_error(c);
	if (c->rcv_shutdown)
		return 0;
	if (c->state == CLOSED)
		return c->attach == UNATTACHED ? -ENOTCONN : 0;
	return -EAGAIN;
}

int64_t la_recv(struct la_engine *h, la_sock s, void *buf, size_t len, int flags)
{
	struct conn *c = sock_find(engine_of(h), s);
	size_t n;

	if (!c)
		return -EBADF;
	if (flags & ~(LA_PEEK | LA_TRUNC | LA_WAITALL | LA_HARMLESS))
		return -EINVAL;
	if (!buf && len && !(flags & LA_TRUNC))
		return -EFAULT;
	if (c->state == LISTEN || !rcv_unread(c))
		return recv_nothing(c);
	if (!len)
		return 0;
	n = rcv_read(c, flags & LA_TRUNC ? NULL : buf, len, flags & LA_PEEK);
	event_lower(c);
	return (int64_t)n;
}

/* ---- names ---- */

static struct addr any_of(bool v6) { return v6 ? (struct addr){{{0}}} : addr_v4(0, 0, 0, 0); }

int la_getsockname(const struct la_engine *h, la_sock s, struct la_endpoint *ret)
{
	const struct engine *e = engine_of_const(h);
	const struct conn *c = sock_find(e, s);
	struct addr a;

	if (!c)
		return -EBADF;
	if (!ret)
		return -EFAULT;
	a = c->t.laddr == LADDR_ANY ? any_of(c->is_v6) : *addrs_get(e->addrs, c->t.laddr);
	memcpy(ret->addr, a.b, sizeof(ret->addr));
	ret->port = c->t.lport;
	return 0;
}

int la_getpeername(const struct la_engine *h, la_sock s, struct la_endpoint *ret)
{
	const struct conn *c = sock_find(engine_of_const(h), s);

	if (!c)
		return -EBADF;
	if (!ret)
		return -EFAULT;
	if (c->state == CLOSED || c->state == LISTEN || c->state == SYN_SENT)
		return -ENOTCONN;
	memcpy(ret->addr, c->t.raddr.b, sizeof(ret->addr));
	ret->port = c->t.rport;
	return 0;
}
