/* SPDX-License-Identifier: MIT */
#include "engine/cc.h"
#include "tests/unit/t.h"

#include <math.h>

#define MS NSEC_PER_MS

/* A path that is always full: cwnd segments a round trip, each acknowledged by itself. */
struct path {
	struct cc cc;
	nsec_t now, rtt;
	uint32_t una; /* segments acknowledged; a segment is one octet of sequence space here */
};

static void ack(struct path *p, uint32_t n, uint32_t rtt_us)
{
	struct cc_ack a = {.now = p->now,
			   .acked = n,
			   .rtt_us = rtt_us,
			   .srtt_us = rtt_us,
			   .snd_una = seq(p->una += n),
			   .snd_nxt = seq(p->una + p->cc.cwnd)};

	if (p->cc.ops->sampled)
		p->cc.ops->sampled(&p->cc, &a);
	p->cc.ops->acked(&p->cc, &a);
}

static void run_until(struct path *p, nsec_t end)
{
	while (p->now < end) {
		p->now += p->rtt / p->cc.cwnd;
		ack(p, 1, (uint32_t)(p->rtt / 1000));
	}
}

static void lose(struct path *p)
{
	p->cc.prior_cwnd = p->cc.cwnd;
	p->cc.ssthresh = p->cc.ops->ssthresh(&p->cc, p->now);
	p->cc.cwnd = p->cc.ssthresh;
	p->cc.cwnd_cnt = 0;
}

static struct path path(uint32_t cwnd, nsec_t rtt)
{
	struct path p = {.now = 1000 * MS, .rtt = rtt, .una = 4294967000U};

	cc_start(&p.cc, &cc_cubic, 1448);
	p.cc.cwnd = cwnd;
	return p;
}

static double near(double got, double want) { return fabs(got - want) / want; }

/* ---- RFC 9438 4.1, 4.2 ---- */

TEST(k__is_the_cube_root_of_the_formula)
{
	static const uint32_t w_max[] = {4, 10, 33, 100, 1000, 5000, 40000, 1000000, CC_CWND_MAX};

	for (size_t i = 0; i < sizeof(w_max) / sizeof(w_max[0]); i++) {
		struct path p = path(w_max[i], 50 * MS);
		double k;

		lose(&p);
		assert_int_equal(p.cc.cubic.w_max, w_max[i]);
		k = cbrt((w_max[i] - p.cc.cwnd) / 0.4);
		ack(&p, 1, 50000);
		assert_true(near(p.cc.cubic.k / 1024.0, k) < 0.002);
		assert_int_equal(p.cc.cubic.origin, w_max[i]);
	}
}

/*
 * cwnd from a loss at 1000 segments on, 100 ms a round trip: concave up to K = 9.09 s, a plateau at W_max, convex after it.
 * The window that is computed for a round trip from now is reached then, so cwnd(t) is W_cubic(t).
 */
TEST(window__follows_the_closed_form)
{
	struct path p = path(1000, 100 * MS);
	nsec_t start;

	lose(&p);
	assert_int_equal(p.cc.cwnd, 700);
	start = p.now;
	for (int t = 1; t <= 20; t++) {
		double d = t - cbrt(300 / 0.4), want = 0.4 * d * d * d + 1000;

		run_until(&p, start + (nsec_t)t * NSEC_PER_S);
		if (near(p.cc.cwnd, want) > 0.012)
			fail_msg("t %d s: cwnd %u, W_cubic %.1f", t, p.cc.cwnd, want);
	}
}

TEST(window__same_in_time_whatever_the_round_trip)
{
	struct path fast = path(4000, 20 * MS), slow = path(4000, 160 * MS);

	lose(&fast);
	lose(&slow);
	run_until(&fast, 13 * NSEC_PER_S);
	run_until(&slow, 13 * NSEC_PER_S);
	assert_true(near(fast.cc.cwnd, slow.cc.cwnd) < 0.02);
}

TEST(far_beyond_k__half_a_window_a_round_trip_at_most)
{
	struct path p = path(10, 100 * MS);
	uint32_t before;

	lose(&p);
	ack(&p, 1, 100000);
	p.now += 300 * NSEC_PER_S; /* longer than the curve is computed for */
	ack(&p, 1, 100000);
	assert_int_equal(p.cc.cubic.pace, 2);
	before = p.cc.cwnd;
	run_until(&p, p.now + 100 * MS);
	assert_in_range(p.cc.cwnd, before + before / 2 - 1, before + before / 2 + 2);
}

TEST(plateau__a_hundredth_a_round_trip)
{
	struct path p = path(10000, 10 * MS);

	lose(&p);
	ack(&p, 1, 10000);
	p.cc.cwnd = 10000;
	p.now += 1000 * MS;
	ack(&p, 1, 10000);
	assert_int_equal(p.cc.cubic.pace, 1000000);
}

/* ---- 4.3 ---- */

TEST(short_round_trip__as_fast_as_reno_with_its_beta)
{
	struct path p = path(20, 40 * MS);
	const double alpha = 3 * 0.3 / 1.7; /* alpha_cubic, 0.53 a round trip; K is 2.5 s */
	int t;

	lose(&p);
	for (t = 0; t * alpha < 6; t++) {
		const double w = 14 + t * alpha;
		if (fabs(p.cc.cwnd - w) > 1.6)
			fail_msg("round %d: cwnd %u, W_est %.1f", t, p.cc.cwnd, w);
		run_until(&p, p.now + p.rtt);
	}
	const double from = 14 + t * alpha;
	for (t = 0; t < 30; t++) { /* alpha is 1 from the window of the last loss on */
		if (fabs(p.cc.cwnd - from - t) > 2)
			fail_msg("round %d: cwnd %u, W_est %.1f", t, p.cc.cwnd, from + t);
		run_until(&p, p.now + p.rtt);
	}
}

/* RFC 9438 5.1: what AIMD(0.53, 0.7), then 1 a round trip, gives for a loss each 100 segments: sqrt(alpha (1 + beta) / (2 (1 - beta) p)). */
TEST(short_round_trip__average_window_is_that_of_the_model)
{
	struct path p = path(12, 20 * MS);
	double area = 0;

	for (int i = 0; i < 200; i++) {
		lose(&p);
		for (int k = 0; k < 100; k++) {
			nsec_t before = p.now;

			p.now += p.rtt / p.cc.cwnd;
			area += (double)(p.now - before) * p.cc.cwnd;
			ack(&p, 1, 20000);
		}
	}
	assert_true(near(area / (double)(p.now - 1000 * MS), sqrt(0.529 * 1.7 / (2 * 0.3 * 0.01))) < 0.1);
}

/* ---- 4.6, 4.7 ---- */

TEST(congestion__seven_tenths_and_at_least_two)
{
	static const uint32_t rows[][2] = {
		{1000, 700}, {100, 70}, {10, 7}, {3, 2}, {2, 2}, {1, 2}, {CC_CWND_MAX, 11747328}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path p = path(rows[i][0], 10 * MS);

		assert_int_equal(cc_cubic.ssthresh(&p.cc, p.now), rows[i][1]);
	}
}

TEST(congestion_below_w_max__fast_convergence)
{
	struct path p = path(1000, 100 * MS);

	lose(&p);
	lose(&p); /* at 700 */
	assert_int_equal(p.cc.cubic.w_max, 595); /* 700 (1 + 0.7) / 2 */
	p.cc.cwnd = 595;
	lose(&p);
	assert_int_equal(p.cc.cubic.w_max, 595);
	p.cc.cwnd = 594;
	lose(&p);
	assert_int_equal(p.cc.cubic.w_max, 504);
}

TEST(before_the_first_loss__a_segment_for_twenty)
{
	struct path p = path(100, 100 * MS);

	p.cc.ssthresh = 100;
	p.now += 100 * MS;
	for (int i = 0; i < 20; i++)
		ack(&p, 1, 100000);
	assert_int_equal(p.cc.cubic.pace, 20);
	assert_int_equal(p.cc.cwnd, 101);
}

TEST(undo__window_before_the_event)
{
	struct path p = path(100, 100 * MS);

	lose(&p);
	assert_int_equal(cc_cubic.undo_cwnd(&p.cc), 100);
}

TEST(timeout__all_is_forgotten)
{
	struct path p = path(100, 100 * MS);

	lose(&p);
	ack(&p, 1, 100000);
	cc_cubic.timeout(&p.cc);
	assert_int_equal(p.cc.cubic.w_max, 0);
	assert_int_equal(p.cc.cubic.delay_min_us, 0);
	p.now += 10 * NSEC_PER_S;
	ack(&p, 1, 100000); /* an epoch of its own */
	assert_int_equal(p.cc.cubic.k, 0);
	assert_int_equal(p.cc.cubic.origin, 70);
}

TEST(pause__moves_the_epoch)
{
	struct path p = path(1000, 100 * MS), q;

	lose(&p);
	run_until(&p, p.now + 2 * NSEC_PER_S);
	q = p;
	q.now += 30 * NSEC_PER_S;
	cc_cubic.idle(&q.cc, q.now, p.now);
	run_until(&p, p.now + 2 * NSEC_PER_S);
	run_until(&q, q.now + 2 * NSEC_PER_S);
	assert_true(near(q.cc.cwnd, p.cc.cwnd) < 0.01);
}

TEST(pause_longer_than_the_epoch__it_begins_now)
{
	struct path p = path(1000, 100 * MS);

	lose(&p);
	p.now += 1000 * MS;
	ack(&p, 1, 100000);
	cc_cubic.idle(&p.cc, p.now, p.now - 5000 * MS);
	assert_int_equal(p.cc.cubic.epoch_at, p.now);
}

/* ---- HyStart ---- */

static void round_of(struct path *p, unsigned acks, uint32_t rtt_us, nsec_t apart)
{
	for (unsigned i = 0; i < acks; i++) {
		p->now += apart;
		ack(p, 1, rtt_us);
	}
}

TEST(hystart__eighth_of_the_delay_more_ends_slow_start)
{
	struct path p = path(20, 100 * MS);

	ack(&p, 1, 100000);
	p.cc.cubic.round_end = seq(p.una); /* the next ACK begins a round */
	round_of(&p, 8, 112600, 5 * MS);
	assert_int_equal(p.cc.ssthresh, CC_SSTHRESH_NONE);
	round_of(&p, 1, 112600, 5 * MS);
	assert_int_equal(p.cc.ssthresh, 29); /* what cwnd was when it came */
}

TEST(hystart__less_than_an_eighth_goes_on)
{
	struct path p = path(20, 100 * MS);

	ack(&p, 1, 100000);
	p.cc.cubic.round_end = seq(p.una);
	round_of(&p, 20, 112500, 5 * MS);
	assert_int_equal(p.cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST(hystart__threshold_is_4_to_16_ms)
{
	static const struct {
		uint32_t least_us, more_us;
	} rows[] = {{1000, 4000}, {32000, 4000}, {40000, 5000}, {128000, 16000}, {400000, 16000}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t over = 0; over < 2; over++) {
			struct path p = path(20, 100 * MS);

			ack(&p, 1, rows[i].least_us);
			p.cc.cubic.round_end = seq(p.una);
			round_of(&p, 12, rows[i].least_us + rows[i].more_us + over, 5 * MS);
			assert_int_equal(p.cc.cubic.found, over);
		}
}

TEST(hystart__least_delay_of_the_round_counts)
{
	struct path p = path(20, 100 * MS);

	ack(&p, 1, 100000);
	p.cc.cubic.round_end = seq(p.una);
	round_of(&p, 1, 100100, 5 * MS);
	round_of(&p, 12, 150000, 5 * MS);
	assert_false(p.cc.cubic.found);
}

TEST(hystart__train_of_acks_longer_than_half_the_delay)
{
	struct path p = path(20, 40 * MS);
	int n = 0;

	ack(&p, 1, 40000);
	p.cc.cubic.round_end = seq(p.una);
	while (!p.cc.cubic.found && n < 100) {
		round_of(&p, 1, 40000, MS);
		n++;
	}
	/* the first ACK begins the round; (40 ms + the 1 ms of a burst at this rate) / 2 later */
	assert_int_equal(n, 22);
	assert_int_equal(p.cc.ssthresh, p.cc.cwnd);
}

TEST(hystart__acks_far_apart_are_no_train)
{
	struct path p = path(20, 40 * MS);

	ack(&p, 1, 40000);
	p.cc.cubic.round_end = seq(p.una);
	round_of(&p, 18, 40000, 2 * MS + 1);
	assert_false(p.cc.cubic.found);
}

TEST(hystart__small_window_is_let_alone)
{
	struct path p = path(10, 40 * MS);

	round_of(&p, 6, 40000, MS);
	assert_int_equal(p.cc.cwnd, 16);
	p.cc.cwnd = 9;
	round_of(&p, 6, 90000, 15 * MS);
	assert_false(p.cc.cubic.found);

	p = path(10, 4 * MS); /* nor do ACKs that follow each other for half of a short round trip end it */
	ack(&p, 1, 4000);
	p.cc.cubic.round_end = seq(p.una);
	round_of(&p, 4, 4000, MS);
	assert_int_equal(p.cc.cwnd, 15);
	assert_false(p.cc.cubic.found);
}

TEST(samples__not_taken_in_the_second_after_recovery)
{
	struct path p = path(100, 100 * MS);

	lose(&p);
	ack(&p, 1, 100000);
	p.now += 999 * MS;
	ack(&p, 1, 50000);
	assert_int_equal(p.cc.cubic.delay_min_us, 100000);
	p.now += 1 * MS;
	ack(&p, 1, 60000);
	assert_int_equal(p.cc.cubic.delay_min_us, 60000);
}

TEST(growth__ends_before_it_wraps)
{
	struct path p = path(CC_CWND_MAX - 1, 100 * MS);

	p.cc.cubic.found = true;
	ack(&p, 5, 100000);
	assert_int_equal(p.cc.cwnd, CC_CWND_MAX);
	lose(&p);
	p.cc.cwnd = CC_CWND_MAX;
	p.now += 200 * NSEC_PER_S;
	ack(&p, UINT32_MAX / 4, 100000);
	assert_int_equal(p.cc.cwnd, CC_CWND_MAX);
}

/* 4.2, 4.4: the target is W_cubic a round trip from now, for that is when what is sent now is acknowledged. */
TEST(target__is_that_of_a_round_trip_ahead)
{
	struct path p = path(100, 1000 * MS);

	p.cc.ssthresh = 100;
	ack(&p, 1, 1000000);
	p.cc.cwnd = 100;
	lose(&p);
	assert_int_equal(p.cc.cwnd, 70);
	ack(&p, 1, 0);
	assert_int_equal(p.cc.cubic.pace, 70 / (86 - 70)); /* 100 - 0.4 (4.22 - 1)^3 = 86.7 */
}

RUN(T(k__is_the_cube_root_of_the_formula), T(window__follows_the_closed_form),
    T(window__same_in_time_whatever_the_round_trip), T(far_beyond_k__half_a_window_a_round_trip_at_most),
    T(plateau__a_hundredth_a_round_trip), T(short_round_trip__as_fast_as_reno_with_its_beta),
    T(short_round_trip__average_window_is_that_of_the_model), T(congestion__seven_tenths_and_at_least_two),
    T(congestion_below_w_max__fast_convergence), T(before_the_first_loss__a_segment_for_twenty),
    T(undo__window_before_the_event), T(timeout__all_is_forgotten), T(pause__moves_the_epoch),
    T(pause_longer_than_the_epoch__it_begins_now), T(hystart__eighth_of_the_delay_more_ends_slow_start),
    T(hystart__less_than_an_eighth_goes_on), T(hystart__threshold_is_4_to_16_ms),
    T(hystart__least_delay_of_the_round_counts), T(hystart__train_of_acks_longer_than_half_the_delay),
    T(hystart__acks_far_apart_are_no_train), T(hystart__small_window_is_let_alone),
    T(samples__not_taken_in_the_second_after_recovery), T(growth__ends_before_it_wraps),
    T(target__is_that_of_a_round_trip_ahead))
