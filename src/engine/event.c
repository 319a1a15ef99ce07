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

uint32_t event_ready(const struct conn *c)
{
	uint32_t ready = c->so_error ? LA_ERR : 0;

	switch (c->state) {
	case CLOSED: /* Linux: one that was never connected is writable and hung up */
		ready |= LA_OUT | LA_HUP;
		return c->attach == UNATTACHED ? ready : ready | LA_IN;
	case LISTEN:
		return ready | (link_is_empty(&c->accept_queue) ? 0 : LA_IN);
	case SYN_SENT:
	case SYN_RECEIVED:
		return ready;
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
	case TIME_WAIT:
		break;
	case N_STATES:
		must_not_reach("no state");
	}
	if (is_readable(c) || rcv_ended(c))
		ready |= LA_IN;
	if (c->fin_queued || nagle_wants(c))
		ready |= LA_OUT;
	if (c->fin_queued && rcv_ended(c))
		ready |= LA_HUP;
	return ready;
}

void event_raise(struct conn *c)
{
	if (!c->is_open || c->lingering || link_is_in(&c->event_link))
		return;
	if (event_ready(c) & ~c->ev_seen)
		link_append(&c->eng->events, &c->event_link);
}

void event_lower(struct conn *c) { c->ev_seen &= event_ready(c); }

bool la_event(struct la_engine *h, struct la_event *ret)
{
	struct engine *e = engine_of(h);
	struct link *l;

	while (ret && (l = link_pop(&e->events)) != NULL) {
		struct conn *c = container_of(l, struct conn, event_link);
		uint32_t ready;

		if (c->linger_over) {
			*ret = (struct la_event){.sock = c->linger_sock, .events = LA_LINGERED, .user = c->user};
			c->linger_over = false;
			conn_free_if_unheld(c);
			return true;
		}
		ready = event_ready(c);
		if (!(ready & ~c->ev_seen)) { /* it came up, and went before anybody asked */
			c->ev_seen = ready;
			continue;
		}
		c->ev_seen = ready;
		*ret = (struct la_event){.sock = conn_sock(c), .events = ready, .user = c->user};
		return true;
	}
	return false;
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
