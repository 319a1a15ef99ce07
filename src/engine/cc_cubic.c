/* SPDX-License-Identifier: MIT */
/*
 * cc_cubic.c - CUBIC (RFC 9438) with the numbers and the approximations of Linux, and HyStart (Ha & Rhee, "Taming the
 * elephants") to leave slow start before it loses.
 *
 * W_cubic(t) = C (t - K)^3 + W_max, K = cbrt((W_max - cwnd_epoch) / C), t and K in 1/1024 s, everything in integers.
 */
#include "engine/cc.h"

enum {
	TICKS_PER_S = 1024,
	C_NUM = 410, /* C = 0.4 = 410 / 1024, over TICKS_PER_S^3 when times are ticks */
	C_SHIFT = 40,
	BETA_NUM = 717, /* beta_cubic = 0.7 (4.6) */
	BETA_DEN = 1024,
	FRIENDLY_ACKS = 15, /* 15 / 8 windows for a segment: alpha_cubic = 3 (1 - beta) / (1 + beta) = 0.53 (4.3), */
	/* below the window of the last loss; from there on a window for a segment */
	FRIENDLY_SHIFT = 3,
	OFFSET_MAX = 1 << 18, /* ticks; C x^3 is beyond CC_CWND_MAX / 4 there */
	PACE_UNKNOWN = 20, /* before the first congestion event growth is at least so fast */
	PACE_LEAST = 2, /* 4.2: target is at most 1.5 cwnd */
	PLATEAU = 100, /* windows for a segment where the curve does not rise */
};
#define SAME_CWND_FOR (NSEC_PER_S / 32)
#define LEAST_APART NSEC_PER_MS /* the curve is not computed twice within this (Linux: a jiffy) */

enum { HYSTART_CWND = 16, HYSTART_SAMPLES = 8 };
enum { HYSTART_ACK_APART_US = 2000, HYSTART_ACK_DELAY_US = 1000, HYSTART_BURST = 4 * 65536 };
enum { HYSTART_DELAY_LEAST_US = 4000, HYSTART_DELAY_MOST_US = 16000, HYSTART_DELAY_SHIFT = 3 };

/* ---- the curve ---- */

static uint32_t cube_root(uint64_t x) /* the largest r with r^3 <= x */
{
	uint64_t r = 0;

	for (int s = 63; s >= 0; s -= 3) {
		uint64_t next = 6 * r * (2 * r + 1) + 1; /* (2r + 1)^3 - (2r)^3 */

		r *= 2;
		if (x >> s >= next) {
			x -= next << s;
			r++;
		}
	}
	return (uint32_t)r;
}

static uint32_t ticks(nsec_t ns)
{
	return ns < (nsec_t)2 * OFFSET_MAX * (NSEC_PER_S / TICKS_PER_S) ? (uint32_t)(ns * TICKS_PER_S / NSEC_PER_S)
									: 2 * OFFSET_MAX;
}

static void epoch_start(struct cubic *b, uint32_t cwnd, uint32_t acked, nsec_t now)
{
	b->epoch_on = true;
	b->epoch_at = now;
	b->est_cnt = acked;
	b->w_est = cwnd;
	b->origin = cwnd;
	b->k = 0;
	if (b->w_max > cwnd) {
		b->origin = b->w_max;
		b->k = cube_root(((UINT64_C(1) << C_SHIFT) / C_NUM) * (b->w_max - cwnd));
	}
}

static uint32_t w_cubic(const struct cubic *b, uint32_t t)
{
	uint64_t x = t < b->k ? b->k - t : t - b->k, off;

	if (x > OFFSET_MAX)
		x = OFFSET_MAX;
	off = C_NUM * x * x * x >> C_SHIFT;
	if (t >= b->k)
		return b->origin + (uint32_t)off;
	return b->origin > off ? b->origin - (uint32_t)off : 0;
}

/* 4.4, 4.5: how many acknowledged segments make cwnd reach W_cubic a round trip from now. */
static void set_pace(struct cubic *b, uint32_t cwnd, nsec_t now)
{
	nsec_t since = now > b->epoch_at ? now - b->epoch_at : 0; /* a pause moves the epoch */
	uint32_t target = w_cubic(b, ticks(since + b->delay_min_us * UINT64_C(1000)));

	b->pace = target > cwnd ? cwnd / (target - cwnd) : PLATEAU * cwnd;
	if (b->w_max == 0 && b->pace > PACE_UNKNOWN)
		b->pace = PACE_UNKNOWN;
}

/* 4.3: never slower than Reno would be, and as fast as Reno from the window on at which it lost. */
static void be_friendly(struct cc *cc)
{
	struct cubic *b = &cc->cubic;
	uint32_t cwnd = cc->cwnd, acks = (uint32_t)((uint64_t)cwnd * FRIENDLY_ACKS >> FRIENDLY_SHIFT);

	if (b->w_max && b->w_est >= cc->prior_cwnd)
		acks = cwnd;
	if (b->est_cnt > acks) {
		uint32_t n = (b->est_cnt - 1) / acks;

		b->est_cnt -= n * acks;
		b->w_est += n;
	}
	if (b->w_est > cwnd && b->pace > cwnd / (b->w_est - cwnd))
		b->pace = cwnd / (b->w_est - cwnd);
}

/* Before the first loss Linux lets cwnd rest for a while, though W_est may have grown: the public scripts count on it. */
static bool rests(const struct cubic *b, uint32_t cwnd, nsec_t now)
{
	return b->w_max == 0 && b->last_cwnd == cwnd && now - b->last_at <= SAME_CWND_FOR;
}

static void update(struct cc *cc, uint32_t acked, nsec_t now)
{
	struct cubic *b = &cc->cubic;

	b->est_cnt += acked;
	if (rests(b, cc->cwnd, now))
		return;
	if (!b->epoch_on || now - b->last_at >= LEAST_APART) {
		b->last_cwnd = cc->cwnd;
		b->last_at = now;
		if (!b->epoch_on)
			epoch_start(b, cc->cwnd, acked, now);
		set_pace(b, cc->cwnd, now);
	}
	be_friendly(cc);
	if (b->pace < PACE_LEAST)
		b->pace = PACE_LEAST;
}

static void cubic_acked(struct cc *cc, const struct cc_ack *a)
{
	uint32_t left = cc_slow_start(cc, a->acked);

	if (left == 0)
		return;
	update(cc, left, a->now);
	cc_avoid(cc, cc->cubic.pace, left);
}

/* ---- congestion ---- */

static uint32_t cubic_ssthresh(struct cc *cc, nsec_t now)
{
	struct cubic *b = &cc->cubic;
	uint32_t least = CC_CWND_LEAST, ssthresh = (uint32_t)((uint64_t)cc->cwnd * BETA_NUM / BETA_DEN);

	b->epoch_on = false;
	if (cc->cwnd < b->w_max) /* 4.7: fast convergence, others want room */
		b->w_max = (uint32_t)((uint64_t)cc->cwnd * (BETA_DEN + BETA_NUM) / (UINT64_C(2) * BETA_DEN));
	else
		b->w_max = cc->cwnd;
	return ssthresh > least ? ssthresh : least;
}

/* After a timeout too, as Linux: the path may have changed. The next slow start may end by HyStart again. */
static void cubic_forget(struct cc *cc) { cc->cubic = (struct cubic){0}; }

static void cubic_idle(struct cc *cc, nsec_t now, nsec_t last_sent_at) /* 5.8: idle time does not let the window grow */
{
	struct cubic *b = &cc->cubic;

	if (!b->epoch_on || last_sent_at >= now)
		return;
	b->epoch_at += now - last_sent_at;
	if (b->epoch_at > now)
		b->epoch_at = now;
}

/* ---- HyStart ---- */

static void round_start(struct cubic *b, const struct cc_ack *a)
{
	b->round_on = true;
	b->round_at = b->last_ack_at = a->now;
	b->round_end = a->snd_nxt;
	b->round_min_us = UINT32_MAX;
	b->samples = 0;
}

/* What the peer may take to acknowledge a large burst, at the rate that a paced slow start has (2 cwnd a round trip). */
static uint32_t ack_delay_us(const struct cc *cc, const struct cc_ack *a)
{
	uint64_t octets = 2 * (uint64_t)cc->cwnd * cc->mss, us = (uint64_t)HYSTART_BURST * a->srtt_us / octets;

	return us < HYSTART_ACK_DELAY_US ? (uint32_t)us : HYSTART_ACK_DELAY_US;
}

/* ACKs that follow each other closely for half of the least round trip: the path is full. */
static bool train_is_long(const struct cc *cc, const struct cc_ack *a)
{
	const struct cubic *b = &cc->cubic;
	uint64_t threshold_us = (b->delay_min_us + ack_delay_us(cc, a)) / 2;

	return a->now - b->round_at > threshold_us * 1000;
}

static bool delay_has_grown(struct cubic *b, uint32_t rtt_us)
{
	uint32_t more = b->delay_min_us >> HYSTART_DELAY_SHIFT;

	if (rtt_us < b->round_min_us)
		b->round_min_us = rtt_us;
	if (b->samples < HYSTART_SAMPLES) {
		b->samples++;
		return false;
	}
	if (more < HYSTART_DELAY_LEAST_US)
		more = HYSTART_DELAY_LEAST_US;
	if (more > HYSTART_DELAY_MOST_US)
		more = HYSTART_DELAY_MOST_US;
	return b->round_min_us > b->delay_min_us + more;
}

static void hystart(struct cc *cc, const struct cc_ack *a)
{
	struct cubic *b = &cc->cubic;
	bool full = false;

	if (!b->round_on || seq_lt(b->round_end, a->snd_una))
		round_start(b, a);
	if (cc->cwnd < HYSTART_CWND)
		return;
	if (a->now - b->last_ack_at <= HYSTART_ACK_APART_US * UINT64_C(1000)) {
		b->last_ack_at = a->now;
		full = train_is_long(cc, a);
	}
	full |= delay_has_grown(b, a->rtt_us);
	if (full) {
		b->found = true;
		cc->ssthresh = cc->cwnd;
	}
}

static void cubic_sampled(struct cc *cc, const struct cc_ack *a)
{
	struct cubic *b = &cc->cubic;

	if (a->rtt_us == 0 || (b->epoch_on && a->now - b->epoch_at < NSEC_PER_S)) /* just after recovery */
		return;
	if (b->delay_min_us == 0 || a->rtt_us < b->delay_min_us)
		b->delay_min_us = a->rtt_us;
	if (!b->found && cc->cwnd < cc->ssthresh)
		hystart(cc, a);
}

const struct cc_ops cc_cubic = {
	.name = "cubic",
	.start = cubic_forget,
	.sampled = cubic_sampled,
	.acked = cubic_acked,
	.ssthresh = cubic_ssthresh,
	.undo_cwnd = cc_undo_cwnd,
	.timeout = cubic_forget,
	.idle = cubic_idle,
};
