/* SPDX-License-Identifier: MIT */
/*
 * timer.c - the timers of a connection. They share one wheel timer, armed at the earliest of them or earlier: stopping or
 * putting off costs a store, and a wheel timer that fires too early looks again.
 */
#include "engine/engine.h"

#include <errno.h>

enum { SYN_RTO_MS = 1000 };

void timer_set(struct conn *c, enum tcp_timer which, nsec_t at)
{
	c->timer_at[which] = at;
	if (!wheel_is_armed(&c->timer) || at < c->timer.deadline_at)
		wheel_arm(&c->eng->wheel, &c->timer, at);
}

void timer_stop(struct conn *c, enum tcp_timer which) { c->timer_at[which] = NSEC_NEVER; }

void timer_stop_all(struct conn *c)
{
	for (size_t i = 0; i < N_TIMERS; i++)
		c->timer_at[i] = NSEC_NEVER;
	wheel_cancel(&c->eng->wheel, &c->timer);
}

void conn_time_out(struct conn *c, int err)
{
	switch (c->state) {
	case SYN_SENT:
		conn_end(c, TIMEOUT_SYN_SENT, err);
		return;
	case SYN_RECEIVED:
		if (!tw_restore(c, TW_RESTORED_TIMEOUT))
			conn_end(c, TIMEOUT_SYN_RECEIVED, err);
		return;
	case ESTABLISHED:
		conn_end(c, TIMEOUT_ESTABLISHED, err);
		return;
	case FIN_WAIT_1:
		conn_end(c, TIMEOUT_FIN_WAIT_1, err);
		return;
	case FIN_WAIT_2:
		conn_end(c, TIMEOUT_FIN_WAIT_2, err);
		return;
	case CLOSE_WAIT:
		conn_end(c, TIMEOUT_CLOSE_WAIT, err);
		return;
	case CLOSING:
		conn_end(c, TIMEOUT_CLOSING, err);
		return;
	case LAST_ACK:
		conn_end(c, TIMEOUT_LAST_ACK, err);
		return;
	case CLOSED:
	case LISTEN:
	case TIME_WAIT:
	case N_STATES:
		break;
	}
	must_not_reach("a timeout in a state that waits for nothing");
}

/*
 * Linux turns a number of retransmissions into the time that so many would take from the first one on, beginning with the least
 * RTO, so that a connection with long round trips is not given up later than one with short ones (tcp_model_timeout, 6.18).
 */
static uint64_t model_timeout_ms(const struct conn *c, uint32_t retries, uint64_t base_ms)
{
	uint64_t most = (uint64_t)c->eng->k.rto_max_ms;
	uint32_t doublings = most > base_ms ? (uint32_t)(63 - __builtin_clzll(most / base_ms)) : 0;

	if (retries <= doublings)
		return ((UINT64_C(2) << retries) - 1) * base_ms;
	return ((UINT64_C(2) << doublings) - 1) * base_ms + (retries - doublings) * most;
}

bool conn_user_timed_out(const struct conn *c, uint32_t retries)
{
	uint64_t limit_ms = c->opt.user_timeout_ms;

	if (c->rexmits == 0)
		return false;
	if (limit_ms == 0) {
		bool opening = c->state == SYN_SENT || c->state == SYN_RECEIVED;
		uint64_t base_ms = opening ? SYN_RTO_MS : (uint64_t)c->eng->k.rto_min_ms;

		limit_ms = model_timeout_ms(c, retries, base_ms ? base_ms : 1);
	}
	return c->eng->now - c->unacked_since >= limit_ms * NSEC_PER_MS;
}

/* ---- keepalive, RFC 9293 3.8.4 ---- */

static nsec_t keep_idle_ns(const struct conn *c)
{
	return (c->opt.keep_idle_s ? c->opt.keep_idle_s : (nsec_t)c->eng->k.keepalive_time_s) * NSEC_PER_S;
}

static nsec_t keep_intvl_ns(const struct conn *c)
{
	return (c->opt.keep_intvl_s ? c->opt.keep_intvl_s : (nsec_t)c->eng->k.keepalive_intvl_s) * NSEC_PER_S;
}

static bool is_fin_wait_2_orphan(const struct conn *c) { return c->state == FIN_WAIT_2 && c->is_orphan; }

void timer_keepalive_start(struct conn *c)
{
	must(!is_fin_wait_2_orphan(c)); /* TIMER_KEEP has other work, and nobody is there to ask */
	c->keep_sent = 0;
	if (c->opt.keepalive && c->state >= ESTABLISHED && c->state < TIME_WAIT)
		timer_set(c, TIMER_KEEP, c->eng->now + keep_idle_ns(c));
	else
		timer_stop(c, TIMER_KEEP);
}

static bool keep_failed(const struct conn *c, nsec_t silent)
{
	nsec_t user = c->opt.user_timeout_ms * NSEC_PER_MS;
	int64_t most = c->opt.keep_probes ? c->opt.keep_probes : c->eng->k.keepalive_probes;

	return user ? silent >= user && c->keep_sent > 0 : c->keep_sent >= most;
}

static bool keep_fire(struct conn *c)
{
	nsec_t now = c->eng->now, idle = keep_idle_ns(c);
	nsec_t heard_at = c->last_ack_at > c->last_rcv_at ? c->last_ack_at : c->last_rcv_at;

	if (!c->opt.keepalive)
		return true;
	if (!seq_eq(c->snd_una, c->snd_nxt) || snd_unsent(c) > 0) { /* retransmission will find out (MUST-26) */
		timer_set(c, TIMER_KEEP, now + idle);
		return true;
	}
	if (now - heard_at < idle) {
		timer_set(c, TIMER_KEEP, heard_at + idle);
		return true;
	}
	if (keep_failed(c, now - heard_at)) {
		out_reset(c);
		c->eng->n.abort_on_timeout++;
		conn_time_out(c, c->soft_error ? c->soft_error : ETIMEDOUT);
		return false;
	}
	c->keep_sent++;
	c->keepalive_due = true;
	out_schedule(c);
	timer_set(c, TIMER_KEEP, now + keep_intvl_ns(c));
	return true;
}

/* ---- the wheel's timer ---- */

/* False: the connection is over, c may be gone. */
static bool fire(struct conn *c, enum tcp_timer which)
{
	switch (which) {
	case TIMER_RTX:
		return snd_timeout(c);
	case TIMER_DELACK:
		rcv_ack_timeout(c);
		return true;
	case TIMER_KEEP:
		if (!is_fin_wait_2_orphan(c))
			return keep_fire(c);
		conn_fin_wait_2_timeout(c);
		return false;
	case TIMER_LINGER:
		conn_linger_end(c);
		return c->state != CLOSED;
	case N_TIMERS:
		break;
	}
	must_not_reach("no such timer");
}

void timer_fire(struct engine *e, struct wheel_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	nsec_t first = NSEC_NEVER;

	for (enum tcp_timer i = 0; i < N_TIMERS; i++) {
		if (c->timer_at[i] > e->now)
			continue;
		c->timer_at[i] = NSEC_NEVER;
		if (!fire(c, i))
			return;
	}
	for (size_t i = 0; i < N_TIMERS; i++)
		if (c->timer_at[i] < first)
			first = c->timer_at[i];
	if (first != NSEC_NEVER && (!wheel_is_armed(t) || first < t->deadline_at))
		wheel_arm(&e->wheel, t, first);
}
