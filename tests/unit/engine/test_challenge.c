/* SPDX-License-Identifier: MIT */
/* Challenge ACKs (RFC 5961) and the limits of answers to what is unacceptable. */
#include "tests/unit/engine/peer.h"

static const enum state sync[] = {ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK};

TEST(syn__is_challenged_in_every_synchronized_state_whatever_its_number)
{
	static const int32_t at[] = {-1000, -1, 0, 1, 100, 8192, 100000};

	for (size_t i = 0; i < ARRAY_LEN(sync); i++)
		for (size_t j = 0; j < ARRAY_LEN(at); j++)
			for (int ack = 0; ack < 2; ack++) {
				RIG_AT(r, sync[i]);
				const struct conn *c = rig_conn(&r);

				IN(&r, .flags = ack ? F_SYN | F_ACK : F_SYN, .seq = seq(c->rcv_nxt.v + (uint32_t)at[j]),
				   .ack = seq(ISS + 1));
				EXPECT_ACK(&r, c->snd_nxt.v - r.shift, c->rcv_nxt.v);
				EXPECT_STATE(&r, sync[i]);
				EXPECT_COUNT(&r, syn_challenge, 1);
				EXPECT_COUNT(&r, challenge_ack, 1);
				EXPECT_COUNT(&r, in_errs, sync[i] == ESTABLISHED);
			}
}

TEST(challenges__are_limited_for_each_connection)
{
	RIG_AT(r, ESTABLISHED);
	for (int i = 0; i < 4; i++)
		IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, challenge_ack, 1);
	EXPECT_COUNT(&r, syn_challenge, 4);
	EXPECT_COUNT(&r, ack_skipped_chall, 3);
	r.now += 500 * NSEC_PER_MS;
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
}

TEST(challenges__text_does_not_lift_the_limit)
{
	RIG_AT(r, ESTABLISHED);
	for (int i = 0; i < 4; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 100), .len = 10);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_SILENCE(&r);
}

TEST(invalid_ratelimit_0__lifts_the_limit)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "net.ipv4.tcp_invalid_ratelimit = 0");
	for (int i = 0; i < 4; i++) {
		IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
	}
}

TEST(challenge_ack_limit__holds_for_all_connections_together)
{
	RIG_WITH(r, .knobs = "net.ipv4.tcp_challenge_ack_limit = 10\nnet.ipv4.tcp_invalid_ratelimit = 0");
	unsigned sent = 0;

	rig_to(&r, ESTABLISHED);
	for (int i = 0; i < 100; i++) {
		IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
		sent += rig_out(&r);
	}
	assert_in_range(sent, 5, 14); /* Linux: half of it, and something up to all of it, by chance */
	EXPECT_COUNT(&r, challenge_ack, sent);
	EXPECT_COUNT(&r, ack_skipped_chall, 100 - sent);
	r.now += NSEC_PER_S;
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
}

TEST(challenge_ack_limit_0__sends_none)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "net.ipv4.tcp_challenge_ack_limit = 0");
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, challenge_ack, 0);
}

TEST(limit_table__others_do_not_use_up_a_connections_answer)
{
	RIG(r);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(tw_ack_allowed(r.e, (uint64_t)i << 33 | i));
	for (uint32_t i = 0; i < 100; i++)
		assert_false(tw_ack_allowed(r.e, (uint64_t)i << 33 | i));
	assert_true(tw_ack_allowed(r.e, (uint64_t)1000 << 33 | 5)); /* the same slot, another tuple */
}

RUN(T(syn__is_challenged_in_every_synchronized_state_whatever_its_number),
    T(challenges__are_limited_for_each_connection), T(challenges__text_does_not_lift_the_limit),
    T(invalid_ratelimit_0__lifts_the_limit), T(challenge_ack_limit__holds_for_all_connections_together),
    T(challenge_ack_limit_0__sends_none), T(limit_table__others_do_not_use_up_a_connections_answer))
