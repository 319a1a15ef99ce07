/* SPDX-License-Identifier: MIT */
/*
 * timeout.c - TIMER_RTX, which is one of four at a time: retransmission (RFC 6298), loss probe, RACK's reordering timer (RFC 8985),
 * probe of a closed window (RFC 9293 3.8.6.1); and when Linux gives up.
 */
#include "engine/engine.h"

#include <errno.h>

enum { US_PER_MS = 1000 };

/* ---- setting it ---- */

void rtx_timer_set(struct conn *c, enum rtx_kind kind, uint64_t us)
{
	uint64_t ms = (us + US_PER_MS - 1) / US_PER_MS;

	c->rtx_kind = (uint8_t)kind;
	timer_set(c, TIMER_RTX, c->eng->now + ms * NSEC_PER_MS);
}

/* Once it is up without an answer: again, or the end. A user timeout ends it in time (as Linux: counted from the first repetition). */
void snd_start_rtx_timer(struct conn *c)
{
	nsec_t at = c->eng->now + rtt_rto_us(c) * UINT64_C(1000);

	if (c->opt.user_timeout_ms && (c->rexmits || c->probing)) {
		nsec_t end = c->unacked_since + c->opt.user_timeout_ms * NSEC_PER_MS;

		if (end < at)
			at = end > c->eng->now ? end : c->eng->now + NSEC_PER_MS;
	}
	c->rtx_kind = RTX_RTO;
	timer_set(c, TIMER_RTX, at);
}

/* Until the oldest has been on its way for a timeout; below 0: for longer. */
int64_t rtx_left_us(const struct conn *c)
{
	const struct sent *s = board_at_const(c->sent, &c->board, c->board.first);

	return (int64_t)rtt_rto_us(c) - (int64_t)((c->eng->now - s->at) / US_PER_MS);
}

/* As RFC 6298 5.3, but what the other timers have taken of the timeout is not given again. */
APART void rtx_timer_rearm(struct conn *c)
{
	if (board_n(&c->board) == 0) {
		timer_stop(c, TIMER_RTX);
	} else if (c->rtx_kind == RTX_REO || c->rtx_kind == RTX_TLP) {
		int64_t us = rtx_left_us(c);

		rtx_timer_set(c, RTX_RTO, us > 1 ? (uint64_t)us : 1);
	} else {
		rtx_timer_set(c, RTX_RTO, rtt_rto_us(c));
	}
}

/* ---- giving up ---- */

static bool give_up(struct conn *c) /* what snd_timeout() returns then */
{
	bool embryonic = c->state == SYN_RECEIVED && c->passive;

	if (c->has_tw_saved && embryonic && tw_restore(c, TW_RESTORED_TIMEOUT))
		return false;
	if (!embryonic) /* Linux: a request that nobody completes is no aborted connection */
		c->eng->n.abort_on_timeout++;
	conn_time_out(c, c->soft_error ? c->soft_error : ETIMEDOUT);
	return false;
}

static void once_more(struct conn *c)
{
	if (c->rexmits == 0)
		c->unacked_since = c->eng->now;
	if (c->rexmits < UINT8_MAX)
		c->rexmits++;
}

/* What TCP_INFO tells of timeouts. */
static void note_timeout(struct conn *c)
{
	c->total_rto++;
	if (c->rexmits)
		return;
	c->rto_recoveries++;
	c->rto_at = c->eng->now;
}

static void back_off(struct conn *c)
{
	if (c->backoff < UINT8_MAX)
		c->backoff++;
}

/* ---- what to do ---- */

/* As many as the knob says, fewer while old requests fill more than half of the queue: young ones shall find room (Linux). */
static int64_t synack_retries(const struct conn *c)
{
	int64_t retries = c->opt.syn_retries ? c->opt.syn_retries : c->eng->k.synack_retries;
	const struct conn *l = c->listener;
	uint32_t least = 8, young;

	if (!l)
		return retries;
	if (l->backlog > (int32_t)least)
		least = (uint32_t)l->backlog;
	if (l->n_syn * 2 <= least)
		return retries;
	for (young = l->n_young * 2; retries > 2 && l->n_syn >= young; young *= 2)
		retries--;
	return retries;
}

/* A peer whose text is waited for is not asked again, but for one last time. */
static bool is_deferred(const struct conn *c, uint8_t rexmits)
{
	return c->is_deferred && c->listener && rexmits < c->listener->opt.defer;
}

static bool syn_timeout(struct conn *c)
{
	const struct knobs *k = &c->eng->k;
	int64_t linear = c->state == SYN_SENT ? k->syn_linear_timeouts : 0;

	if (c->passive) {
		if (c->rexmits >= synack_retries(c) && !is_deferred(c, c->rexmits))
			return give_up(c);
	} else {
		int64_t retries = c->opt.syn_retries ? c->opt.syn_retries : k->syn_retries;

		if (c->rexmits >= retries + linear || conn_user_timed_out(c, (uint32_t)retries))
			return give_up(c);
	}
	listener_child_aged(c);
	note_timeout(c);
	once_more(c);
	if (c->rexmits > linear)
		back_off(c);
	if (is_deferred(c, c->rexmits)) {
		snd_start_rtx_timer(c);
		return true;
	}
	c->syn_due = true;
	out_schedule(c);
	return true;
}

static uint32_t orphan_retries(const struct conn *c, bool alive)
{
	int64_t retries = c->eng->k.orphan_retries;

	if (c->soft_error && !alive)
		return 0;
	return retries == 0 && alive ? 8 : (uint32_t)retries; /* 8: more than 100 s from the least RTO on */
}

static bool is_alive(const struct conn *c) { return rtt_rto_us(c) / 1000 < (uint64_t)c->eng->k.rto_max_ms; }

static bool probe_timeout(struct conn *c)
{
	struct engine *e = c->eng;
	uint64_t user_ns = c->opt.user_timeout_ms * NSEC_PER_MS;
	uint32_t most = (uint32_t)e->k.retries2;

	if (snd_unsent(c) == 0)
		return true;
	if (!c->probing) {
		c->probing = true;
		c->unacked_since = e->now;
	} else if (user_ns && e->now - c->unacked_since >= user_ns) {
		return give_up(c);
	}
	if (c->is_orphan) { /* nobody is there to give up on a peer that answers and never reads (Linux) */
		most = orphan_retries(c, is_alive(c));
		if (!is_alive(c) && c->backoff >= most)
			return give_up(c);
	}
	if (c->probes >= most)
		return give_up(c);
	if (c->probes < UINT8_MAX)
		c->probes++;
	if (c->backoff < e->k.retries2)
		back_off(c);
	c->probe_due = true;
	out_schedule(c);
	return true;
}

/* The peer took its window back with octets of ours on the way: these now probe it, and that ends only when nothing is heard. */
static bool is_window_taken_back(const struct conn *c) { return c->snd_wnd == 0 && !c->is_orphan; }

static bool rtx_is_over(const struct conn *c)
{
	const struct knobs *k = &c->eng->k;
	uint32_t retries = (uint32_t)k->retries2;

	if (is_window_taken_back(c)) {
		nsec_t user_ns = c->opt.user_timeout_ms * NSEC_PER_MS;
		nsec_t most_ns = user_ns ? user_ns : 2 * (nsec_t)k->rto_max_ms * NSEC_PER_MS;

		return c->rexmits > 0 && c->eng->now - c->last_ack_at >= most_ns;
	}
	if (c->is_orphan)
		retries = orphan_retries(c, is_alive(c));
	return conn_user_timed_out(c, retries);
}

/* Which recovery the timeout ended. */
static void count_failure(struct conn *c)
{
	struct counters *n = &c->eng->n;

	switch ((enum ca_state)c->rec.ca) {
	case CA_RECOVERY:
		*(c->sack_ok ? &n->sack_recovery_fail : &n->reno_recovery_fail) += 1;
		return;
	case CA_LOSS:
		n->loss_failures++;
		return;
	case CA_OPEN:
	case CA_CWR:
		if (c->board.sacked == 0)
			return;
		break;
	case CA_DISORDER:
		break;
	}
	*(c->sack_ok ? &n->sack_failures : &n->reno_failures) += 1;
}

static bool rtx_timeout(struct conn *c)
{
	bool taken_back = is_window_taken_back(c);

	if (!taken_back)
		c->eng->n.timeouts++;
	if (rtx_is_over(c))
		return give_up(c);
	if (c->rexmits == 0 && !taken_back)
		count_failure(c);
	recovery_enter_loss(c);
	if (!taken_back)
		note_timeout(c);
	once_more(c);
	back_off(c); /* RFC 6298 5.5 */
	c->rec.resend = RESEND_HEAD;
	snd_start_rtx_timer(c);
	out_schedule(c);
	return true;
}

bool snd_timeout(struct conn *c)
{
	if (!c->syn_acked && seq_eq(c->snd_una, c->iss)) {
		c->eng->n.timeouts++;
		return syn_timeout(c);
	}
	if (board_n(&c->board) == 0)
		return probe_timeout(c);
	switch ((enum rtx_kind)c->rtx_kind) {
	case RTX_RTO:
		return rtx_timeout(c);
	case RTX_TLP:
		tlp_timeout(c);
		return true;
	case RTX_REO:
		rack_timeout(c);
		return true;
	}
	must_not_reach("no such retransmission timer");
}
