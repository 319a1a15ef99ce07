/* SPDX-License-Identifier: MIT */
/*
 * rcv_ack.c - when received text is acknowledged (RFC 9293 3.8.6.3, RFC 5681 4.2), by the rules of Linux 6.18: the first
 * segments at once, so that the peer's window opens; later every second full-sized one, when the window need not shrink,
 * and a lone one after a while (ATO) that follows the gaps between segments. A connection whose application answers at
 * once (ping-pong) lets the ACK wait for the answer.
 */
#include "engine/rcv.h"

enum { QUICK_MAX = 16, MSS_LEAST = 88, HEADERS_LEAST = 20, MSS_DEFAULT = 536 };
enum { LONGEST = 5 }; /* times engine.delayed_ack_ms: Linux's 40 and 200 ms */

static uint32_t least_ms(const struct conn *c) { return (uint32_t)c->eng->k.delayed_ack_ms; }
static uint32_t rto_ms(const struct conn *c) { return rtt_rto_us(c) / 1000; }
static bool is_pingpong(const struct conn *c) { return c->pingpong >= c->eng->k.pingpong_thresh; }

static uint32_t min32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* ---- how many at once ---- */

static APART void more_quick_acks(struct conn *c, uint32_t most)
{
	uint32_t n = rcv_announced(c) / (2U * c->rcv_mss);

	n = min32(n ? n : 2, most);
	if (n > c->quick)
		c->quick = (uint8_t)n;
}

void rcv_quick(struct conn *c, uint32_t most)
{
	more_quick_acks(c, most);
	c->pingpong = 0;
	c->ato_ms = (uint16_t)least_ms(c);
}

static void enter_pingpong(struct conn *c) { c->pingpong = (uint8_t)c->eng->k.pingpong_thresh; }

/* ---- a segment came ---- */

/*
 * RCV.MSS, the size of the peer's full segments: the largest seen; smaller when two in a row say so and look as if they
 * had been filled, with no PSH, or of a usual size.
 */
static void measure_mss(struct conn *c, const struct seg *s)
{
	bool filled = s->len >= MSS_DEFAULT || (s->len >= MSS_LEAST && !(s->flags & (F_PSH | F_FIN | F_URG | F_SYN)));
	uint16_t before = c->last_seg_size;

	c->last_seg_size = 0;
	if (s->len >= c->rcv_mss) {
		c->rcv_mss = (uint16_t)min32(s->len, c->adv_mss);
		if (s->flags & F_PSH)
			c->ack_pending |= ACK_PUSHED;
		return;
	}
	if (filled) {
		c->last_seg_size = (uint16_t)s->len;
		if (s->len == before) {
			c->rcv_mss = before;
			return;
		}
	}
	if (c->ack_pending & ACK_PUSHED)
		c->ack_pending |= ACK_PUSHED_TWICE;
	c->ack_pending |= ACK_PUSHED;
}

/* The time an ACK may wait, from the time between segments. */
static void measure_gap(struct conn *c)
{
	uint64_t gap_ms = (c->eng->now - c->last_rcv_at) / NSEC_PER_MS;
	uint32_t least = least_ms(c);

	if (!c->ato_ms) {
		more_quick_acks(c, QUICK_MAX);
		c->ato_ms = (uint16_t)least;
	} else if (gap_ms <= least / 2) {
		c->ato_ms = (uint16_t)(c->ato_ms / 2 + least / 2);
	} else if (gap_ms < c->ato_ms) {
		c->ato_ms = (uint16_t)min32(c->ato_ms / 2 + (uint32_t)gap_ms, rto_ms(c));
	} else if (gap_ms > rto_ms(c)) {
		more_quick_acks(c, QUICK_MAX); /* the peer did not begin anew after a pause, or lost something */
	}
	c->last_rcv_at = c->eng->now;
}

void rcv_ack_text(struct conn *c, const struct seg *s, uint32_t len)
{
	c->ack_pending |= ACK_SCHEDULED;
	measure_mss(c, s);
	rcv_tune_text(c, s, len);
	measure_gap(c);
	rcv_wnd_grow(c, len);
}

void rcv_ack_fin(struct conn *c)
{
	c->ack_pending |= ACK_SCHEDULED;
	if (c->state == ESTABLISHED)
		enter_pingpong(c); /* the answer is likely to be our FIN */
	if (c->state != ESTABLISHED || rcv_free(c) == 0)
		c->ack_pending |= ACK_NOW;
}

void rcv_ack_again(struct conn *c)
{
	c->ack_pending |= ACK_SCHEDULED;
	rcv_quick(c, QUICK_MAX);
}

/* ---- now or later ---- */

/* The SYN+ACK has come: what the application is about to send will have the ACK on it, or the timer sends it (Linux). */
void rcv_ack_syn(struct conn *c)
{
	if (!c->opt.defer && !is_pingpong(c)) {
		out_ack_now(c);
		return;
	}
	rcv_ack_again(c);
	timer_set(c, TIMER_DELACK, c->eng->now + (nsec_t)LONGEST * least_ms(c) * NSEC_PER_MS);
}

static bool is_second_segment(const struct conn *c)
{
	return (uint32_t)seq_diff(c->rcv_nxt, c->last_ack_sent) > c->rcv_mss;
}

/* The application waits for more (SO_RCVLOWAT): no read of it will send the ACK. */
static bool is_below_lowat(const struct conn *c) { return rcv_unread(c) < c->opt.rcvlowat; }

static APART void ack_later(struct conn *c)
{
	uint32_t least = least_ms(c), most = LONGEST * least, ato = c->ato_ms, rtt_ms = (uint32_t)(c->srtt8_us / 8000);
	nsec_t at, due = c->timer_at[TIMER_DELACK];

	if (c->srtt8_us && rtt_ms < most)
		most = rtt_ms > least ? rtt_ms : least;
	ato = min32(min32(ato, most), (uint32_t)c->eng->k.rto_min_ms - 1);
	at = c->eng->now + ato * NSEC_PER_MS;
	if (ato == 0 || (due != NSEC_NEVER && due <= c->eng->now + (ato / 4) * NSEC_PER_MS))
		out_ack_now(c);
	else if (at < due)
		timer_set(c, TIMER_DELACK, at);
}

APART void rcv_ack_check(struct conn *c)
{
	if (!(c->ack_pending & ACK_SCHEDULED))
		return;
	if (c->ack_pending & ACK_NOW || (c->quick && !is_pingpong(c)) || c->n_gaps ||
	    (is_second_segment(c) && (is_below_lowat(c) || rcv_wnd_choose(c) >= rcv_announced(c))))
		out_ack_now(c);
	else
		ack_later(c);
}

void rcv_ack_timeout(struct conn *c)
{
	if (!(c->ack_pending & ACK_SCHEDULED))
		return;
	if (is_pingpong(c)) {
		c->pingpong = 0;
		c->ato_ms = (uint16_t)least_ms(c);
	} else {
		c->ato_ms = (uint16_t)min32(min32(2U * c->ato_ms, rto_ms(c)), UINT16_MAX);
	}
	c->eng->n.delayed_acks++;
	out_ack_now(c);
}

/* ---- an ACK goes out ---- */

void rcv_ack_sent(struct conn *c, bool with_text)
{
	if (with_text && c->ato_ms && c->pingpong < UINT8_MAX && c->eng->now - c->last_rcv_at < c->ato_ms * NSEC_PER_MS)
		c->pingpong++;
	if (c->quick && c->ack_pending & ACK_SCHEDULED && --c->quick == 0)
		c->ato_ms = (uint16_t)least_ms(c);
	c->ack_pending = 0;
	c->ack_due = false;
	c->last_ack_sent = c->rcv_nxt;
	timer_stop(c, TIMER_DELACK);
}

/* ---- the application reads ---- */

/* Linux: an ACK of its own only when the window grows to twice what the peer knows of. */
static bool is_update_worth(const struct conn *c)
{
	uint32_t known = seq_lt(c->rcv_nxt, c->rcv_adv) ? (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt) : 0, wnd;

	if (c->rcv_shutdown || c->state == CLOSE_WAIT || 2 * (uint64_t)known > c->rcv_clamp)
		return false;
	wnd = rcv_window(c);
	return wnd && wnd >= 2 * (uint64_t)known;
}

static bool is_owed(const struct conn *c)
{
	bool pushed = c->ack_pending & ACK_PUSHED_TWICE || (c->ack_pending & ACK_PUSHED && !is_pingpong(c));

	if (!(c->ack_pending & ACK_SCHEDULED))
		return false;
	return is_second_segment(c) || (pushed && rcv_unread(c) == 0 && !c->n_gaps);
}

void rcv_ack_read(struct conn *c)
{
	if (c->state < ESTABLISHED || c->state > CLOSE_WAIT || c->ack_due)
		return;
	if (is_owed(c) || is_update_worth(c))
		out_ack_now(c);
}

/* ---- TCP_QUICKACK ---- */

/* As Linux: 0 lets ACKs wait for text of ours, 1 not, an even number sends the one that waits and no more than that. */
void rcv_quickack_set(struct conn *c, int v)
{
	c->pingpong = 0;
	if (v && (c->state == ESTABLISHED || c->state == CLOSE_WAIT) && c->ack_pending & ACK_SCHEDULED) {
		c->ack_pending |= ACK_PUSHED;
		rcv_ack_read(c);
	}
	if (!(v & 1))
		enter_pingpong(c);
}

bool rcv_quickack(const struct conn *c) { return !is_pingpong(c); }
