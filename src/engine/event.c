/* SPDX-License-Identifier: MIT */
/* event.c - readiness: what poll() of Linux says (tcp_poll), told once each time it grows. */
#include "engine/engine.h"

#include <errno.h>

/* tcp_stream_is_readable(): enough for SO_RCVLOWAT, or the window is so small that no more can come. */
static bool is_readable(const struct conn *c)
{
	uint32_t unread = rcv_unread(c);

	return unread && (unread >= c->opt.rcvlowat || seq_diff(c->rcv_adv, c->rcv_nxt) <= c->rcv_mss);
}

/* No connection, or not yet: the handshake is under way. */
static uint32_t ready_unconnected(const struct conn *c)
{
	switch (c->state) {
	case CLOSED: /* Linux: one that was never connected is writable and hung up */
		return LA_OUT | LA_HUP | (c->attach == UNATTACHED ? 0 : LA_IN);
	case LISTEN:
		return link_is_empty(&c->accept_queue) ? 0 : LA_IN;
	case SYN_SENT:
	case SYN_RECEIVED:
		return 0;
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("a state of a connection");
}

/* Of these events, those that are so: a caller who knows, or does not care, about some of them need not have them found out. */
static uint32_t ready_among(const struct conn *c, uint32_t events)
{
	uint32_t ready = 0;

	if (c->so_error)
		ready = LA_ERR;
	if (!state_is_synchronized(c->state))
		return (ready | ready_unconnected(c)) & events;
	if (events & LA_IN && (is_readable(c) || rcv_ended(c)))
		ready |= LA_IN;
	if (events & LA_OUT && (c->fin_queued || nagle_wants(c)))
		ready |= LA_OUT;
	if (c->fin_queued && rcv_ended(c))
		ready |= LA_HUP;
	return ready & events;
}

uint32_t event_ready(const struct conn *c) { return ready_among(c, UINT32_MAX); }

APART void event_raise(struct conn *c)
{
	if (!c->is_open || c->lingering || link_is_in(&c->event_link))
		return;
	if (ready_among(c, ~c->ev_seen))
		link_append(&c->eng->events, &c->event_link);
}

void event_lower(struct conn *c)
{
	if (c->ev_seen)
		c->ev_seen = ready_among(c, c->ev_seen);
}

static COLD void tell_lingered(struct conn *c, struct la_event *ret)
{
	*ret = (struct la_event){.sock = c->linger_sock, .events = LA_LINGERED, .user = c->user};
	c->linger_over = false;
	conn_free_if_unheld(c);
}

/* The first that is news still; of those before it, it came up and went before anybody asked. */
static APART bool tell(struct engine *e, struct la_event *ret)
{
	struct link *l;

	while ((l = link_pop(&e->events)) != NULL) {
		struct conn *c = container_of(l, struct conn, event_link);
		uint32_t seen = c->ev_seen, ready;

		if (c->linger_over) {
			tell_lingered(c, ret);
			return true;
		}
		ready = event_ready(c);
		c->ev_seen = ready;
		if (ready & ~seen) {
			*ret = (struct la_event){.sock = conn_sock(c), .events = ready, .user = c->user};
			return true;
		}
	}
	return false;
}

bool la_event(struct la_engine *h, struct la_event *ret)
{
	struct engine *e = engine_of(h);

	return ret && !link_is_empty(&e->events) && tell(e, ret);
}

uint32_t la_poll(const struct la_engine *h, la_sock s)
{
	const struct conn *c = sock_find(engine_of_const(h), s);

	return c ? event_ready(c) : 0;
}

int la_user_set(struct la_engine *h, la_sock s, uint64_t user)
{
	struct conn *c = sock_find(engine_of(h), s);

	if (!c)
		return -EBADF;
	c->user = user;
	return 0;
}
