/* SPDX-License-Identifier: MIT */
/* cwnd.c - who moves cwnd after an ACK, and whether it was used at all: what was not used has proved nothing (RFC 7661). As Linux. */
#include "engine/chrono.h"

bool cwnd_has_room(const struct conn *c) { return board_in_flight(&c->board) < c->cc.cwnd; }

/* In slow start it may grow up to twice what was out. */
static bool is_limited(const struct conn *c)
{
	if (c->rec.cwnd_limited)
		return true;
	return c->cc.cwnd < c->cc.ssthresh && c->cc.cwnd < 2 * c->rec.max_out;
}

static struct cc_ack what_it_says(const struct conn *c, uint32_t acked, uint32_t rtt_us)
{
	return (struct cc_ack){
		.now = c->eng->now,
		.acked = acked,
		.rtt_us = rtt_us,
		.srtt_us = (uint32_t)(c->srtt8_us / 8),
		.snd_una = c->snd_una,
		.snd_nxt = c->snd_nxt,
	};
}

/* With much reordering any arrival lets it grow, otherwise only those in order (RFC 5681). */
static bool may_raise(const struct conn *c, const struct ack *a)
{
	uint32_t by = ACK_TOOK;

	if (c->rec.reordering > (uint32_t)c->eng->k.reordering)
		by |= ACK_SACKED;
	return a->flags & by;
}

void cwnd_acked(struct conn *c, const struct ack *a)
{
	struct recovery *r = &c->rec;
	struct cc_ack say = what_it_says(c, r->delivered - a->prior_delivered, a->rtt_us);
	bool nothing_lost = r->lost == a->prior_lost, limited = is_limited(c);

	c->eng->n.delivered += say.acked;
	if (a->flags & ACK_ECE) {
		c->eng->n.delivered_ce += say.acked;
		r->delivered_ce += say.acked;
	}
	if (c->cc.ops->sampled && a->flags & (ACK_TOOK | ACK_SACKED))
		c->cc.ops->sampled(&c->cc, &say);
	if (recovery_reduces(r)) {
		if (say.acked)
			c->cc.cwnd = prr_ack(&r->prr, say.acked, board_in_flight(&c->board),
					     a->flags & ACK_UNA && nothing_lost);
	} else if (may_raise(c, a) && limited) {
		c->cc.ops->acked(&c->cc, &say);
	}
}

void cwnd_acked_plainly(struct conn *c, uint32_t n, uint32_t rtt_us)
{
	struct cc_ack say = what_it_says(c, n, rtt_us);
	bool limited = is_limited(c);

	c->eng->n.delivered += n;
	if (c->cc.ops->sampled)
		c->cc.ops->sampled(&c->cc, &say);
	if (limited)
		c->cc.ops->acked(&c->cc, &say);
}

/* Less was sent than allowed for a whole timeout: the window decays to what was used (RFC 2861). */
static void application_limited(struct conn *c)
{
	struct recovery *r = &c->rec;

	if (r->ca == CA_OPEN) {
		uint32_t used = r->used > CC_IW ? r->used : CC_IW;

		if (used < c->cc.cwnd) {
			c->cc.ssthresh = cc_kept_ssthresh(&c->cc);
			c->cc.cwnd = (c->cc.cwnd + used) / 2;
		}
		r->used = 0;
	}
	r->usage_at = c->eng->now;
}

void cwnd_used(struct conn *c)
{
	struct recovery *r = &c->rec;
	uint32_t out = board_n(&c->board);
	bool limited = !cwnd_has_room(c);

	if (seq_le(r->usage_seq, c->snd_una) || limited || (!r->cwnd_limited && out > r->max_out)) {
		r->cwnd_limited = limited;
		r->max_out = out;
		r->usage_seq = c->snd_nxt;
	}
	if (is_limited(c)) {
		r->used = 0;
		r->usage_at = c->eng->now;
		return;
	}
	if (c->no_space && c->chrono < CHRONO_SNDBUF && snd_unsent(c) == 0)
		chrono_set(c, CHRONO_SNDBUF);
	if (out > r->used)
		r->used = out;
	if (c->eng->k.slow_start_after_idle && c->eng->now - r->usage_at >= rtt_rto_us(c) * UINT64_C(1000))
		application_limited(c);
}

void cwnd_restart(struct conn *c)
{
	nsec_t now = c->eng->now, idle = now - c->last_sent_at, rto = rtt_rto_us(c) * UINT64_C(1000);

	if (board_n(&c->board) || !c->last_sent_at || !c->eng->k.slow_start_after_idle || idle <= rto)
		return;
	cc_restart(&c->cc, idle, rto);
	c->rec.usage_at = now;
	c->rec.used = 0;
}
