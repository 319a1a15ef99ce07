/* SPDX-License-Identifier: MIT */
/*
 * close.c - CLOSE and ABORT (3.10.4, 3.10.5), shutdown(), SO_LINGER, and connections that nobody holds any more.
 *
 * What a program may do is BSD's; what it leads to is what Linux 6.18 does (__tcp_close, tcp_disconnect), row by row as
 * measured in docs (SO_LINGER, unread data, TCP_LINGER2, tcp_max_orphans).
 */
#include "engine/engine.h"

#include <errno.h>

enum { TIME_WAIT_LEN_MS = 60000, RECORD_MAX_MS = TW_LEN_MAX_MS };

/* ---- ABORT ---- */

static enum edge_id abort_edge(enum state s)
{
	switch (s) {
	case LISTEN:
		return F5_02_LISTEN_CLOSE;
	case SYN_SENT:
		return F5_04_SYN_SENT_CLOSE;
	case SYN_RECEIVED:
		return ABORT_SYN_RECEIVED;
	case ESTABLISHED:
		return ABORT_ESTABLISHED;
	case FIN_WAIT_1:
		return ABORT_FIN_WAIT_1;
	case FIN_WAIT_2:
		return ABORT_FIN_WAIT_2;
	case CLOSE_WAIT:
		return ABORT_CLOSE_WAIT;
	case CLOSING:
		return ABORT_CLOSING;
	case LAST_ACK:
		return ABORT_LAST_ACK;
	case CLOSED:
	case TIME_WAIT: /* has no block */
	case N_STATES:
		break;
	}
	must_not_reach("ABORT of what is no connection");
}

/* 3.10.5 sends one from these states; from CLOSING and LAST-ACK Linux does while its FIN has not been sent. */
static bool abort_sends_rst(const struct conn *c)
{
	switch (c->state) {
	case SYN_RECEIVED:
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
		return true;
	case CLOSING:
	case LAST_ACK:
		return !c->fin_sent;
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	return false;
}

static void reset(struct conn *c, bool rst, int err)
{
	if (rst)
		out_reset(c);
	conn_end(c, abort_edge(c->state), err);
}

void conn_abort(struct conn *c, int err) { reset(c, abort_sends_rst(c), err); }

/* ---- FIN ---- */

void conn_shutdown_write(struct conn *c)
{
	switch (c->state) {
	case SYN_RECEIVED:
		conn_go(c, F5_11_SYN_RCVD_CLOSE);
		break;
	case ESTABLISHED:
		conn_go(c, F5_12_ESTAB_CLOSE);
		break;
	case CLOSE_WAIT:
		conn_go(c, F5_16_CLOSE_WAIT_CLOSE);
		break;
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSING:
	case LAST_ACK:
		return; /* done before */
	case CLOSED:
	case LISTEN:
	case SYN_SENT:
	case TIME_WAIT:
	case N_STATES:
		must_not_reach("a FIN in a state that has none");
	}
	c->fin_queued = true;
	if (c->state != LAST_ACK) /* a place for its record is looked for when the FIN is sent */
		twstore_prefetch(tw_of(c->eng, c->is_v6), c->hash);
	out_schedule(c);
}

/* ---- FIN_WAIT_2 of an orphan ---- */

static uint64_t fin_wait_2_ms(const struct conn *c)
{
	int64_t s = c->opt.linger2_s ? c->opt.linger2_s : c->eng->k.fin_timeout_s;
	uint64_t ms = (uint64_t)s * 1000, least = (uint64_t)rtt_rto_us(c) * 7 / 2 / 1000; /* 3.5 RTO */

	return ms > least ? ms : least;
}

static void fin_wait_2_record(struct conn *c, uint64_t ms)
{
	tw_enter(c, TW_FIN_WAIT_2, ms < RECORD_MAX_MS ? (uint32_t)ms : RECORD_MAX_MS);
}

/*
 * Not in the RFC; Linux: up to 60 s a record waits for the peer's FIN. Above, the block waits T - 60 s and then a record
 * T - 60 s again: 61 s make 2. Under rfc9293 a record waits T.
 */
static void fin_wait_2(struct conn *c)
{
	uint64_t ms = fin_wait_2_ms(c);

	if (c->eng->k.policy != POLICY_RFC9293 && ms > TIME_WAIT_LEN_MS)
		timer_set(c, TIMER_KEEP, c->eng->now + (ms - TIME_WAIT_LEN_MS) * NSEC_PER_MS);
	else
		fin_wait_2_record(c, ms);
}

void conn_fin_wait_2_orphan(struct conn *c)
{
	if (c->opt.linger2_s >= 0) {
		fin_wait_2(c);
		return;
	}
	c->eng->n.abort_on_data++;
	reset(c, true, 0);
}

void conn_fin_wait_2_timeout(struct conn *c)
{
	uint64_t ms = c->opt.linger2_s < 0 ? 0 : fin_wait_2_ms(c);

	must(c->state == FIN_WAIT_2 && !c->is_open);
	if (ms > TIME_WAIT_LEN_MS)
		fin_wait_2_record(c, ms - TIME_WAIT_LEN_MS);
	else /* the knob was lowered in between */
		reset(c, true, 0);
}

/* ---- CLOSE ---- */

/* The connection goes on without a holder, if it may. */
static void orphan(struct conn *c)
{
	struct engine *e = c->eng;

	if (c->state == FIN_WAIT_2 && c->opt.linger2_s < 0) {
		e->n.abort_on_linger++;
		reset(c, true, 0);
		return;
	}
	if (c->state == FIN_WAIT_2 && (e->k.policy == POLICY_RFC9293 || fin_wait_2_ms(c) <= TIME_WAIT_LEN_MS)) {
		fin_wait_2(c); /* a record is no orphan */
		return;
	}
	c->is_orphan = true;
	e->n_orphans++;
	if (e->n_orphans > e->k.max_orphans) {
		e->n.abort_on_memory++;
		reset(c, true, 0);
	} else if (c->state == FIN_WAIT_2) {
		fin_wait_2(c);
	}
}

/* CLOSE as far as it ends at once; false: the connection is still there, and its FIN is queued or sent. */
static bool close_ends(struct conn *c)
{
	struct engine *e = c->eng;

	switch (c->state) {
	case CLOSED:
		conn_free_if_unheld(c);
		return true;
	case LISTEN:
		listener_out(c);
		conn_end(c, F5_02_LISTEN_CLOSE, 0);
		return true;
	case SYN_SENT:
		e->n.abort_on_data += c->opt.linger && c->opt.linger_s == 0; /* Linux counts this one too */
		conn_end(c, F5_04_SYN_SENT_CLOSE, 0);
		return true;
	case SYN_RECEIVED:
	case ESTABLISHED:
	case FIN_WAIT_1:
	case FIN_WAIT_2:
	case CLOSE_WAIT:
	case CLOSING:
	case LAST_ACK:
		break;
	case TIME_WAIT:
	case N_STATES:
		must_not_reach("TIME_WAIT has no block");
	}
	if (rcv_unread(c)) { /* 3.6.1 SHLD-3, RFC 2525 2.17: the peer must learn that it was not read */
		e->n.abort_on_close++;
		reset(c, true, 0);
		return true;
	}
	if (c->opt.linger && c->opt.linger_s == 0) {
		e->n.abort_on_data++;
		conn_abort(c, 0);
		return true;
	}
	conn_shutdown_write(c);
	return false;
}

void conn_close(struct conn *c)
{
	if (!close_ends(c))
		orphan(c);
}

/* ---- SO_LINGER with a time ---- */

static bool awaits_ack(enum state s) { return s == FIN_WAIT_1 || s == CLOSING || s == LAST_ACK; }

/* The last a handle is good for: LA_LINGERED will bear its number. Linux's close() returns here. */
void conn_linger_end(struct conn *c)
{
	timer_stop(c, TIMER_LINGER);
	link_remove(&c->event_link);
	c->linger_sock = conn_sock(c);
	c->lingering = false;
	c->linger_over = true;
	c->is_open = false;
	link_append(&c->eng->events, &c->event_link);
	if (c->state != CLOSED)
		orphan(c);
}

void conn_linger_moved(struct conn *c)
{
	if (!link_is_in(&c->event_link))
		link_append(&c->eng->lingered, &c->event_link);
}

void conn_linger_look(struct conn *c)
{
	if (c->lingering && !awaits_ack(c->state))
		conn_linger_end(c);
}

static bool linger_begins(struct conn *c)
{
	if (!awaits_ack(c->state))
		return false;
	link_remove(&c->event_link);
	c->lingering = true;
	timer_set(c, TIMER_LINGER, c->eng->now + (uint64_t)c->opt.linger_s * NSEC_PER_S);
	return true;
}

/* ---- the calls ---- */

/* The handle is no more: nobody is told anything about it. */
static void let_go(struct conn *c)
{
	c->is_open = false;
	link_remove(&c->event_link);
}

int la_close(struct la_engine *h, la_sock s)
{
	struct conn *c = sock_find(engine_of(h), s);
	bool may_linger;

	if (!c)
		return -EBADF;
	may_linger = c->opt.linger && c->opt.linger_s > 0 && c->state != CLOSED && c->state != LISTEN &&
		     c->state != SYN_SENT && rcv_unread(c) == 0;
	if (may_linger) {
		conn_shutdown_write(c);
		if (linger_begins(c))
			return -EINPROGRESS;
	}
	let_go(c);
	conn_close(c);
	return 0;
}

int la_abort(struct la_engine *h, la_sock s)
{
	struct conn *c = sock_find(engine_of(h), s);

	if (!c)
		return -EBADF;
	let_go(c);
	if (c->state == CLOSED)
		conn_free_if_unheld(c);
	else if (c->state == LISTEN)
		conn_close(c);
	else
		conn_abort(c, 0);
	return 0;
}

/* What shutdown() of Linux calls disconnect: the opening, or the listening, ends and the socket stays. */
static void disconnect(struct conn *c)
{
	if (c->state == LISTEN) {
		listener_out(c);
		conn_end(c, F5_02_LISTEN_CLOSE, 0);
	} else {
		conn_end(c, F5_04_SYN_SENT_CLOSE, ECONNRESET);
	}
	sock_forget(c);
}

int la_shutdown(struct la_engine *h, la_sock s, int how)
{
	struct conn *c = sock_find(engine_of(h), s);

	if (!c)
		return -EBADF;
	if (how != LA_SHUT_RD && how != LA_SHUT_WR && how != LA_SHUT_RDWR)
		return -EINVAL;
	if (c->state == CLOSED)
		return -ENOTCONN;
	if (c->state == SYN_SENT || (c->state == LISTEN && how != LA_SHUT_WR)) {
		disconnect(c);
		return 0;
	}
	if (c->state == LISTEN)
		return 0;
	if (how != LA_SHUT_WR)
		c->rcv_shutdown = true;
	if (how != LA_SHUT_RD)
		conn_shutdown_write(c);
	event_raise(c);
	return 0;
}
