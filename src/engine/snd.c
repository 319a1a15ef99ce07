/* SPDX-License-Identifier: MIT */
/* snd.c - what was sent: the buffer, acknowledgement (RFC 9293 3.4, 3.10.7.4 fifth), the send window (3.8.6), loss recovery (5681, 6582). */
#include "engine/engine.h"

#include <errno.h>

enum { DUP_THRESH = 3 };

static seq_t first_held(const struct conn *c) /* the oldest octet in the buffer */
{
	return !c->syn_acked && seq_eq(c->snd_una, c->iss) ? seq_add(c->iss, 1) : c->snd_una;
}

uint32_t snd_room(const struct conn *c)
{
	int32_t size = (int32_t)conn_snd_buf(c);
	int32_t used = seq_diff(c->snd_end, first_held(c)); /* -1 once the FIN is acknowledged */

	if (used < 0)
		used = 0;
	return used < size ? (uint32_t)(size - used) : 0; /* SO_SNDBUF may have made it smaller */
}

size_t snd_write(struct conn *c, const uint8_t *data, size_t len)
{
	uint32_t size = c->eng->cfg.send_buffer, room = snd_room(c);
	uint32_t n = len < room ? (uint32_t)len : room;
	uint32_t at = (c->snd_end.v - c->iss.v - 1) & (size - 1);
	uint32_t first = n < size - at ? n : size - at;

	if (n == 0)
		return 0;
	must(!c->fin_queued);
	c->push &= !seq_eq(c->snd_nxt, c->snd_end);
	memcpy(c->snd_buf + at, data, first);
	if (first < n)
		memcpy(c->snd_buf, data + first, n - first);
	c->snd_end = seq_add(c->snd_end, n);
	out_schedule(c);
	return n;
}

uint32_t snd_unsent(const struct conn *c)
{
	seq_t from = seq_max(c->snd_nxt, first_held(c));

	if (c->fin_sent)
		return 0;
	return (uint32_t)seq_diff(c->snd_end, from) + c->fin_queued;
}

bool snd_fin_acked(const struct conn *c) { return c->fin_sent && seq_lt(c->snd_end, c->snd_una); }

void snd_clear(struct conn *c)
{
	c->snd_end = seq_sub(c->snd_nxt, c->fin_sent);
	if (!c->syn_acked && seq_eq(c->snd_nxt, c->iss))
		c->snd_end = seq_add(c->iss, 1);
	c->fin_queued = c->fin_sent;
	c->snd_una = c->rtx_nxt = c->rtx_end = c->snd_nxt;
	timer_stop(c, TIMER_RTX);
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
	timer_set(c, TIMER_RTX, at);
}

/* ---- recovery ---- */

static uint32_t segments(const struct conn *c, uint32_t octets) { return (octets + c->snd_mss - 1) / c->snd_mss; }

/* The oldest segment is to be sent again, whatever the windows say. */
static void resend_first(struct conn *c)
{
	c->rtx_nxt = c->snd_una;
	c->rtx_end = seq_min(seq_add(c->snd_una, c->snd_mss), c->snd_nxt);
	c->fast_rtx = true;
	c->rtt_timing = false;
}

static void congestion_event(struct conn *c)
{
	c->cc.prior_cwnd = c->cc.cwnd;
	c->cc.ssthresh = c->cc.ops->ssthresh(&c->cc, c->eng->now);
	c->cc.cwnd_cnt = 0;
}

static void enter_recovery(struct conn *c)
{
	c->recover = c->snd_nxt;
	c->recover_on = c->in_recovery = true;
	c->partial_acked = false;
	congestion_event(c);
	c->cc.cwnd = c->cc.ssthresh + DUP_THRESH;
	resend_first(c);
}

static void grow_window(struct conn *c, uint32_t octets)
{
	struct cc_ack a = {
		.now = c->eng->now,
		.acked = segments(c, octets),
		.in_flight = segments(c, (uint32_t)seq_diff(c->snd_nxt, c->snd_una) + octets),
		.srtt_us = c->srtt_us,
		.snd_una = c->snd_una,
		.snd_nxt = c->snd_nxt,
		.cwnd_limited = true,
	};

	c->cc.ops->acked(&c->cc, &a);
}

/* RFC 6582 3.2 step 3: deflated by what left the network. */
static void deflate(struct conn *c, uint32_t octets)
{
	uint32_t n = segments(c, octets);

	c->cc.cwnd = c->cc.cwnd > n ? c->cc.cwnd - n + 1 : 1;
}

static void leave_recovery(struct conn *c) /* step 3, choice (1): no burst afterwards */
{
	uint32_t window = segments(c, (uint32_t)seq_diff(c->snd_nxt, c->snd_una)) + 1;

	if (window < 2)
		window = 2;
	c->cc.cwnd = c->cc.ssthresh < window ? c->cc.ssthresh : window;
	c->in_recovery = false;
}

/* New octets were acknowledged in or just after recovery. False: the retransmission timer goes on as it is. */
static bool recovery_acked(struct conn *c, uint32_t octets)
{
	bool whole = seq_le(c->recover, c->snd_una), restart = true;

	if (!c->in_recovery) {
		grow_window(c, octets);
		c->in_loss &= !whole;
	} else if (whole) {
		leave_recovery(c);
	} else {
		deflate(c, octets);
		resend_first(c);
		restart = !c->partial_acked;
		c->partial_acked = true;
	}
	if (seq_lt(c->recover, c->snd_una))
		c->recover_on = false;
	return restart;
}

void snd_dup_ack(struct conn *c, const struct seg *s)
{
	c->probes = c->keep_sent = 0; /* whoever acknowledges is there (MUST-37) */
	if (seq_eq(c->snd_una, c->snd_nxt) || !c->syn_acked)
		return;
	if (s->len || s->flags & (F_SYN | F_FIN) || (uint32_t)s->wnd << c->snd_wscale != c->snd_wnd)
		return;
	if (c->in_recovery) {
		c->cc.cwnd++;
	} else {
		if (c->recover_on) /* RFC 6582 3.2 step 1: these may be answers to what the timeout sent again */
			return;
		if (++c->dupacks == DUP_THRESH)
			enter_recovery(c);
	}
	out_schedule(c);
}

/* ---- acknowledgement ---- */

static void syn_acked(struct conn *c)
{
	c->syn_acked = true;
	c->syn_due = false;
	if (c->rexmits) { /* RFC 6298 5.7: nothing is known but that it takes long */
		uint64_t most_us = (uint64_t)c->eng->k.rto_max_ms * 1000;

		c->rto_us = most_us < 3000000 ? (uint32_t)most_us : 3000000;
		c->backoff = 0;
	}
}

static void rtt_measured(struct conn *c)
{
	nsec_t us = (c->eng->now - c->rtt_at) / 1000;

	c->rtt_timing = false;
	rtt_sample(c, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX);
}

void snd_acked(struct conn *c, const struct seg *s)
{
	uint32_t flight = (uint32_t)seq_diff(c->snd_nxt, c->snd_una), octets;
	bool restart = true;

	must(seq_lt(c->snd_una, s->ack) && seq_le(s->ack, c->snd_nxt));
	octets = (uint32_t)seq_diff(seq_min(s->ack, c->snd_end), first_held(c));
	if (!c->syn_acked)
		syn_acked(c);
	c->snd_una = s->ack;
	c->bytes_acked += octets;
	if (c->rtt_timing && seq_le(c->rtt_seq, s->ack))
		rtt_measured(c);
	c->rexmits = c->probes = c->keep_sent = c->dupacks = 0;
	c->probing = false;
	if (c->recover_on)
		restart = recovery_acked(c, octets);
	else if (2 * (uint64_t)flight >= (uint64_t)c->cc.cwnd * c->snd_mss &&
		 octets) /* a window that was not used has proved nothing */
		grow_window(c, octets);
	if (seq_lt(c->rtx_nxt, s->ack)) {
		c->rtx_nxt = s->ack;
		c->rtx_end = seq_max(c->rtx_end, s->ack);
	}
	if (seq_eq(s->ack, c->snd_nxt))
		timer_stop(c, TIMER_RTX); /* RFC 6298 5.2 */
	else if (restart)
		snd_start_rtx_timer(c); /* 5.3 */
	if (!seq_eq(c->rtx_nxt, c->rtx_end) || snd_unsent(c) > 0)
		out_schedule(c);
	if (octets && !(c->ev_seen & LA_OUT))
		event_raise(c);
}

void snd_window(struct conn *c, const struct seg *s)
{
	uint32_t wnd = (uint32_t)s->wnd << (s->flags & F_SYN ? 0 : c->snd_wscale), old = c->snd_wnd;

	/*
	 * Older than what we know. But an ACK that is news is taken from an older sequence number too, that of a retransmission
	 * (Linux): otherwise the old window, counted from the new SEG.ACK, would reach beyond the right edge we were given.
	 */
	if (seq_le(s->ack, c->snd_wl2) &&
	    (seq_lt(s->seq, c->snd_wl1) || (seq_eq(s->seq, c->snd_wl1) && seq_lt(s->ack, c->snd_wl2))))
		return;
	c->snd_wl1 = seq_max(c->snd_wl1, s->seq);
	c->snd_wl2 = s->ack;
	c->snd_wnd = wnd;
	if (wnd > c->max_snd_wnd)
		c->max_snd_wnd = wnd;
	if (wnd <= old || snd_unsent(c) == 0 || !c->syn_acked)
		return;
	if (seq_eq(c->snd_una, c->snd_nxt)) /* nothing in flight: the timer was the probes' */
		timer_stop(c, TIMER_RTX);
	if (c->probing)
		c->backoff = c->probes = 0;
	c->probing = false;
	out_schedule(c);
}

/* ---- TIMER_RTX ---- */

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
	c->rtt_timing = false;
}

static void back_off(struct conn *c)
{
	if (c->backoff < UINT8_MAX)
		c->backoff++;
}

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

static bool syn_timeout(struct conn *c)
{
	const struct knobs *k = &c->eng->k;
	int64_t linear = c->state == SYN_SENT ? k->syn_linear_timeouts : 0;

	if (c->passive) {
		if (c->rexmits >= synack_retries(c))
			return give_up(c);
	} else {
		int64_t retries = c->opt.syn_retries ? c->opt.syn_retries : k->syn_retries;

		if (c->rexmits >= retries + linear || conn_user_timed_out(c, (uint32_t)retries))
			return give_up(c);
	}
	listener_child_aged(c);
	once_more(c);
	if (c->rexmits > linear)
		back_off(c);
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

static bool rtx_timeout(struct conn *c)
{
	if (!is_window_taken_back(c))
		c->eng->n.timeouts++;
	if (rtx_is_over(c))
		return give_up(c);
	if (c->rexmits == 0) /* RFC 5681 3.1: ssthresh stays if the timer had sent it before */
		congestion_event(c);
	c->cc.cwnd = 1;
	if (c->cc.ops->timeout)
		c->cc.ops->timeout(&c->cc);
	once_more(c);
	back_off(c); /* RFC 6298 5.5 */
	c->in_recovery = c->fast_rtx = false;
	c->in_loss = c->recover_on = true;
	c->recover = c->snd_nxt; /* RFC 6582 3.2 step 4 */
	c->dupacks = 0;
	c->rtx_nxt = c->snd_una;
	c->rtx_end = c->snd_nxt;
	out_schedule(c);
	return true;
}

bool snd_timeout(struct conn *c)
{
	if (!c->syn_acked && seq_eq(c->snd_una, c->iss)) {
		c->eng->n.timeouts++;
		return syn_timeout(c);
	}
	return seq_eq(c->snd_una, c->snd_nxt) ? probe_timeout(c) : rtx_timeout(c);
}
