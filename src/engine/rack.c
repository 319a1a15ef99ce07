/* SPDX-License-Identifier: MIT */
/*
 * rack.c - RFC 8985: a segment is lost when one that was sent later has arrived and a little more than a round trip has passed
 * since it was sent. The steps of section 6.2; the reordering window as Linux has it.
 */
#include "engine/engine.h"

enum { PERSIST = 16, STEPS_MAX = UINT8_MAX, TIMER_SLACK_US = 2000, US = 1000 };
enum { RACK_STATIC_WINDOW = 2, RACK_NO_DUPTHRESH = 4 }; /* bits of tcp_recovery */

static uint32_t us_since(const struct conn *c, nsec_t at)
{
	nsec_t us = (c->eng->now - at) / US;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* Steps 1 and 2. */
uint32_t rack_advance(struct conn *c, const struct sent *s)
{
	struct rack *k = &c->rec.rack;

	k->advanced = true;
	k->rtt_us = us_since(c, s->at);
	if (sent_after(s->at, k->at, s->to, k->end)) {
		k->at = s->at;
		k->end = s->to;
	}
	return k->rtt_us;
}

/* Faster than light: what came was the original. */
static bool is_too_fast(const struct conn *c, const struct sent *s)
{
	return s->flags & SENT_TWICE && us_since(c, s->at) < rtt_min_us(c);
}

/* RFC 8985 6.2 step 2, with Eifel's test: the echo is older than the retransmission. */
static bool is_spurious(const struct conn *c, const struct sent *s, const struct ack *a)
{
	return s->flags & SENT_TWICE && snd_echo_before(c, a->s, snd_tsval_at(c, s->at));
}

void rack_taken(struct conn *c, const struct sent *s, struct ack *a, bool by_sack)
{
	if (!(a->flags & ACK_ROUND) || sent_after(s->at, a->round_at, s->to, a->round_end)) {
		a->flags |= ACK_ROUND;
		a->round = s->delivered;
		a->round_at = s->at;
		a->round_end = s->to;
	}
	if ((by_sack || !is_spurious(c, s, a)) && !is_too_fast(c, s))
		rack_advance(c, s);
}

/* Step 4. */
static uint32_t reo_wnd_us(const struct conn *c)
{
	const struct recovery *r = &c->rec;
	uint64_t wnd;

	if (!r->reord_seen) {
		if (r->ca >= CA_RECOVERY)
			return 0;
		if (c->board.sacked >= r->reordering && !(c->eng->k.recovery & RACK_NO_DUPTHRESH))
			return 0;
	}
	wnd = (uint64_t)(rtt_min_us(c) / 4) * r->rack.steps;
	return (uint32_t)(wnd < c->srtt8_us / 8 ? wnd : c->srtt8_us / 8);
}

int64_t rack_due_us(const struct conn *c, const struct sent *s, uint32_t wnd_us)
{
	return (int64_t)c->rec.rack.rtt_us + wnd_us - us_since(c, s->at);
}

/* Step 5. How long until the last of those that are not lost yet would be; 0: none waits. */
static uint32_t detect(struct conn *c)
{
	const struct rack *k = &c->rec.rack;
	struct board *b = &c->board;
	uint32_t wnd_us = reo_wnd_us(c), wait_us = 0;

	for (uint16_t slot = b->oldest; slot != SENT_NONE;) {
		struct sent *s = &c->sent[slot];
		int64_t due;

		slot = s->newer;
		if (s->flags & SENT_LOST && !(s->flags & SENT_AGAIN))
			continue;
		if (!sent_after(k->at, s->at, k->end, s->to))
			break;
		due = rack_due_us(c, s, wnd_us);
		if (due <= 0) {
			recovery_mark_lost(c, board_number(b, c->sent, s));
			board_untime(b, c->sent, s);
		} else if (due > wait_us) {
			wait_us = (uint32_t)due;
		}
	}
	return wait_us;
}

bool rack_mark_lost(struct conn *c)
{
	uint32_t wait_us;

	if (!c->rec.rack.advanced)
		return false;
	c->rec.rack.advanced = false;
	wait_us = detect(c);
	if (wait_us == 0)
		return false;
	rtx_timer_set(c, RTX_REO, (uint64_t)wait_us + TIMER_SLACK_US);
	return true;
}

void rack_round(struct conn *c, const struct ack *a)
{
	struct recovery *r = &c->rec;
	struct rack *k = &r->rack;

	if (c->eng->k.recovery & RACK_STATIC_WINDOW || !(a->flags & ACK_ROUND))
		return;
	if ((int32_t)(a->round - k->last_delivered) < 0) /* no round trip since it was changed */
		k->dsack_seen = false;
	if (k->dsack_seen) {
		k->steps = k->steps < STEPS_MAX ? (uint8_t)(k->steps + 1) : STEPS_MAX;
		k->dsack_seen = false;
		k->last_delivered = r->delivered;
		k->persist = PERSIST;
	} else if (k->persist == 0) {
		k->steps = 1;
	}
}

void rack_timeout(struct conn *c)
{
	struct recovery *r = &c->rec;
	uint32_t in_flight = board_in_flight(&c->board);

	detect(c);
	if (in_flight != board_in_flight(&c->board)) {
		if (r->ca != CA_RECOVERY) {
			recovery_enter(c, false);
			c->cc.cwnd = prr_ack(&r->prr, 1, board_in_flight(&c->board), false);
		}
		r->resend = RESEND_LOST;
		out_schedule(c);
	}
	rtx_timer_rearm(c);
}
