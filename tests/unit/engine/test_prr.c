/* SPDX-License-Identifier: MIT */
#include "engine/prr.h"
#include "tests/unit/t.h"

/*
 * A window of n segments, of which those in lost (bits) never arrive; each ACK of another is one SACK, lets go what fits cwnd,
 * the lost ones first. What was sent in answer to each ACK is written to sent[].
 */
struct run {
	uint32_t n, ssthresh;
	uint64_t lost;
	uint32_t first; /* ACKs before the third duplicate */
};

static uint32_t bits(uint64_t x)
{
	uint32_t n = 0;

	for (; x; x &= x - 1)
		n++;
	return n;
}

static uint32_t recover(const struct run *r, uint8_t sent[64])
{
	struct prr p;
	uint32_t lost = bits(r->lost), acks = r->n - lost, in_flight, cwnd, total = 0;

	prr_start(&p, r->n, r->ssthresh);
	in_flight = r->n - r->first - lost; /* RACK has found all of them by now */
	for (uint32_t i = r->first; i < acks; i++) {
		in_flight--;
		cwnd = prr_ack(&p, i == r->first ? r->first + 1 : 1, in_flight, false);
		sent[i] = 0;
		while (in_flight < cwnd) {
			in_flight++;
			sent[i]++;
			prr_sent(&p, 1);
		}
		total += sent[i];
	}
	return total;
}

TEST(one_lost_of_twenty__every_other_ack_lets_one_go_and_half_are_out_at_the_end)
{
	uint8_t sent[64] = {0};
	uint32_t total = recover(&(struct run){.n = 20, .ssthresh = 10, .lost = 1, .first = 2}, sent);

	assert_int_equal(total, 10); /* 19 delivered * 10 / 20, rounded up */
	assert_int_equal(sent[2], 2); /* three delivered at once */
	for (uint32_t i = 3; i < 16; i++) /* then ssthresh is reached: one for each */
		assert_int_equal(sent[i], i % 2 == 0);
}

TEST(cubic__seven_tenths_of_what_arrives)
{
	uint8_t sent[64] = {0};

	assert_int_equal(recover(&(struct run){.n = 50, .ssthresh = 35, .lost = 1, .first = 2}, sent), 35);
}

TEST(many_lost__no_burst_one_for_each_that_arrives)
{
	uint8_t sent[64] = {0};

	/* RFC 6937 4: 20 sent, 15 lost in the middle: conservation of packets while in flight is below ssthresh. */
	recover(&(struct run){.n = 20, .ssthresh = 10, .lost = 0x7fff, .first = 2}, sent);
	assert_int_equal(sent[2], 3);
	assert_int_equal(sent[3], 1);
	assert_int_equal(sent[4], 1);
}

TEST(below_ssthresh__a_safe_ack_grows_by_one_more)
{
	struct prr p;

	prr_start(&p, 20, 10);
	prr_sent(&p, 5);
	p.delivered = 5;
	assert_int_equal(prr_ack(&p, 1, 4, true), 6);
	prr_sent(&p, 2);
	assert_int_equal(prr_ack(&p, 1, 5, false), 6);
}

TEST(below_ssthresh__what_was_not_sent_before_is_made_up_for)
{
	struct prr p;

	prr_start(&p, 20, 10);
	prr_sent(&p, 1);
	p.delivered = 5;
	assert_int_equal(prr_ack(&p, 1, 3, false), 8); /* 6 delivered, 1 out */
}

TEST(below_ssthresh__never_beyond_it)
{
	struct prr p;

	prr_start(&p, 20, 10);
	p.delivered = 15;
	assert_int_equal(prr_ack(&p, 3, 8, true), 10);
	assert_int_equal(prr_ack(&p, 3, 10, true), 11); /* nothing is out yet: the first retransmission goes always */
	prr_sent(&p, 1);
	assert_int_equal(prr_ack(&p, 3, 10, true), 10);
}

TEST(start__first_retransmission_is_forced_with_everything_in_flight)
{
	struct prr p;

	prr_start(&p, 100, 1);
	assert_int_equal(prr_ack(&p, 1, 99, false), 100);
	prr_sent(&p, 1);
	assert_int_equal(prr_ack(&p, 1, 98, false), 98); /* the next at 1 / 100 */
}

TEST(more_was_sent_than_allowed__waits)
{
	struct prr p;

	prr_start(&p, 10, 5);
	prr_sent(&p, 4);
	assert_int_equal(prr_ack(&p, 1, 8, false), 8);
	assert_int_equal(prr_ack(&p, 2, 4, false), 5); /* below ssthresh: what was delivered, at most the room */
}

/* RFC 6937 3: while in flight is above ssthresh, out is delivered * ssthresh / prior_cwnd rounded up, whatever the ACKs bring. */
TEST(proportion__holds_for_any_ack_pattern)
{
	uint32_t x = 1;

	for (int i = 0; i < 2000; i++) {
		uint32_t n = 4 + i % 500, ssthresh = 2 + n / 2, in_flight = n, delivered = 0, out = 0;
		struct prr p;

		prr_start(&p, n, ssthresh);
		for (;;) {
			uint32_t d, cwnd;

			x = x * 1103515245 + 12345;
			d = 1 + x / 65536 % 3;
			if (in_flight <= ssthresh + d)
				break;
			in_flight -= d;
			delivered += d;
			cwnd = prr_ack(&p, d, in_flight, false);
			assert_true(cwnd >= in_flight);
			prr_sent(&p, cwnd - in_flight);
			out += cwnd - in_flight;
			in_flight = cwnd;
			assert_int_equal(out, (delivered * ssthresh + n - 1) / n);
		}
	}
}

RUN(T(one_lost_of_twenty__every_other_ack_lets_one_go_and_half_are_out_at_the_end),
    T(cubic__seven_tenths_of_what_arrives), T(many_lost__no_burst_one_for_each_that_arrives),
    T(below_ssthresh__a_safe_ack_grows_by_one_more), T(below_ssthresh__what_was_not_sent_before_is_made_up_for),
    T(below_ssthresh__never_beyond_it), T(start__first_retransmission_is_forced_with_everything_in_flight),
    T(more_was_sent_than_allowed__waits), T(proportion__holds_for_any_ack_pattern))
