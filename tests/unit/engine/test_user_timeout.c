/* SPDX-License-Identifier: MIT */
/*
 * When retransmission gives up: tcp_syn_retries, tcp_synack_retries, tcp_retries2, tcp_orphan_retries, TCP_USER_TIMEOUT; RFC 9293
 * 3.8.3. Numbers as Linux 6.18 gives them (kernel-truth 2, 9). The round trip is none, so the least timeout is 201 ms, where
 * a kernel at 250 Hz has 204 or more.
 */
#include "tests/unit/engine/flow.h"
#include <errno.h>

static int error_of(struct rig *r)
{
	int err = 0;
	size_t len = sizeof(err);

	assert_int_equal(la_getsockopt(r->h, r->s, LA_SO_ERROR, &err, &len), 0);
	return err;
}

/* The connection is there until `ms` from now and gone a tick later; how many packets went out. */
static unsigned expect_end(struct rig *r, enum state st, nsec_t ms)
{
	unsigned n = live(r, ms * MS - MS);

	EXPECT_STATE(r, st);
	n += live(r, 3 * MS);
	EXPECT_STATE(r, CLOSED);
	assert_false(rig_out(r)); /* no RST: whoever does not answer does not hear */
	return n;
}

TEST(syn_sent__six_and_four_linear_ones)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);

	assert_int_equal(expect_end(&r, SYN_SENT, 131000), 10); /* at 1 2 3 4 5 7 11 19 35 67 s */
	assert_int_equal(error_of(&r), ETIMEDOUT);
	EXPECT_TOOK(&r, TIMEOUT_SYN_SENT);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
	EXPECT_COUNT(&r, syn_retrans, 10);
	EXPECT_COUNT(&r, timeouts, 11);
}

TEST(syn_sent__no_linear_ones__doubles_from_the_first)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = "net.ipv4.tcp_syn_linear_timeouts = 0");

	assert_int_equal(expect_end(&r, SYN_SENT, 127000),
			 6); /* 1 3 7 15 31 63: R2 at least 3 minutes is MUST-23's, the knob's to give */
}

TEST(syn_sent__tcp_syncnt)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = "net.ipv4.tcp_syn_linear_timeouts = 0");

	rig_conn(&r)->opt.syn_retries = 2;
	assert_int_equal(expect_end(&r, SYN_SENT, 7000), 2);
}

TEST(syn_sent__user_timeout__from_the_first_repetition)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);

	rig_conn(&r)->opt.user_timeout_ms = 2500;
	assert_int_equal(expect_end(&r, SYN_SENT, 3500), 3);
}

TEST(syn_sent__soft_error__is_what_the_timeout_reports)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = "engine.policy = rfc9293\nnet.ipv4.tcp_syn_retries = 1");

	rig_conn(&r)->soft_error = EHOSTUNREACH;
	live(&r, 200 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
	assert_int_equal(error_of(&r), EHOSTUNREACH);
}

TEST(syn_received__five_and_then_silently_gone)
{
	RIG_AT(r, SYN_RECEIVED);

	assert_int_equal(expect_end(&r, SYN_RECEIVED, 63000), 5);
	EXPECT_TOOK(&r, TIMEOUT_SYN_RECEIVED);
	EXPECT_COUNT(&r, abort_on_timeout, 0);
	EXPECT_COUNT(&r, retrans_segs, 5);
	EXPECT_COUNT(&r, timeouts, 6);
}

/* Linux: while old ones fill more than half of the queue they get fewer tries, down to two. */
TEST(syn_received__crowded_queue__fewer_tries)
{
	RIG_AT(r, LISTEN);

	for (uint16_t i = 0; i < 5; i++) {
		r.at.peer_port = (uint16_t)(PEER_PORT + i);
		IN(&r, .flags = F_SYN, .seq = seq(IRS));
	}
	assert_int_equal(r.e->n_embryonic, 5);
	live(&r, 6900 * MS);
	assert_int_equal(r.e->n_embryonic, 5);
	live(&r, 200 * MS);
	assert_true(r.e->n_embryonic < 5); /* 2 tries: at 1 and 3 s, over at 7 s */
	live(&r, 60 * NSEC_PER_S);
	assert_int_equal(r.e->n_embryonic, 0);
}

TEST(established__tcp_retries2__a_quarter_of_an_hour)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	/* 201 ms ... 102.9 s make 205.6 s, then every 120 s: gone at the first one that is 924.6 s after the first repetition. */
	live(&r, 920 * NSEC_PER_S);
	EXPECT_STATE(&r, ESTABLISHED);
	live(&r, 10 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, TIMEOUT_ESTABLISHED);
	assert_int_equal(error_of(&r), ETIMEDOUT);
	EXPECT_COUNT(&r, retrans_segs, 15);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
}

TEST(established__tcp_retries2_3)
{
	RIG_AT_WITH(r, ESTABLISHED, .active = false, .knobs = "net.ipv4.tcp_retries2 = 3");

	put(&r, 1);
	/* Linux's time for 3 is 3 s from the first repetition on: the fourth comes at 3015 - 201 ms, just before. */
	assert_int_equal(expect_end(&r, ESTABLISHED, UINT64_C(31) * 201), 1 + 4);
}

TEST(established__user_timeout__ends_it_in_time)
{
	RIG_AT(r, ESTABLISHED);
	unsigned ms = 1000;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	put(&r, 1);
	assert_int_equal(expect_end(&r, ESTABLISHED, 201 + 1000), 1 + 2); /* at 201, 603; not only at 1407 */
	assert_int_equal(error_of(&r), ETIMEDOUT);
}

TEST(established__user_timeout_shorter_than_a_timeout__one_repetition)
{
	RIG_AT(r, ESTABLISHED);
	unsigned ms = 100;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	put(&r, 1);
	assert_int_equal(expect_end(&r, ESTABLISHED, 201 + 100), 1 + 1);
}

TEST(established__user_timeout_longer_than_tcp_retries2__outlasts_it)
{
	RIG_AT_WITH(r, ESTABLISHED, .active = false, .knobs = "net.ipv4.tcp_retries2 = 3");
	unsigned ms = 60000;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	put(&r, 1);
	expect_end(&r, ESTABLISHED, 201 + 60000);
}

TEST(acknowledgment_of_new_octets__begins_the_count_anew)
{
	RIG_AT_WITH(r, ESTABLISHED, .active = false, .knobs = "net.ipv4.tcp_retries2 = 3");

	put(&r, 100);
	live(&r, 1500 * MS);
	assert_int_equal(rig_conn(&r)->rexmits, 3);
	ack(&r, 50);
	assert_int_equal(rig_conn(&r)->rexmits, 0);
	live(&r, 3000 * MS);
	EXPECT_STATE(&r, ESTABLISHED);
}

static void expect_orphan_end(enum state st, enum edge_id edge)
{
	RIG_AT_WITH(r, st, .orphan = true);

	assert_int_equal(expect_end(&r, st, UINT64_C(511) * 201), 8); /* eight, and gone after (2^9 - 1) timeouts */
	assert_int_equal(r.e->edge_count[edge], 1);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
	assert_int_equal(r.e->n_orphans, 0);
	EXPECT_COUNT(&r, tw, 0);
}

TEST(fin_wait_1__orphan__eight_times)
{
	expect_orphan_end(FIN_WAIT_1, TIMEOUT_FIN_WAIT_1);
}
TEST(last_ack__orphan__eight_times)
{
	expect_orphan_end(LAST_ACK, TIMEOUT_LAST_ACK);
}
TEST(closing__orphan__eight_times)
{
	expect_orphan_end(CLOSING, TIMEOUT_CLOSING);
}

TEST(fin_wait_1__tcp_orphan_retries_1)
{
	RIG_AT_WITH(r, FIN_WAIT_1, .orphan = true, .knobs = "net.ipv4.tcp_orphan_retries = 1");

	assert_int_equal(expect_end(&r, FIN_WAIT_1, UINT64_C(7) * 201), 2); /* kernel-truth: gone after 1.5 s */
}

TEST(fin_wait_1__held__tcp_retries2_counts)
{
	RIG_AT(r, FIN_WAIT_1);

	live(&r, 200 * NSEC_PER_S);
	EXPECT_STATE(&r, FIN_WAIT_1);
	live(&r, 800 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
	assert_int_equal(error_of(&r), ETIMEDOUT);
}

/* A peer that took its window back is there as long as it answers. */
TEST(window_taken_back__ends_only_in_silence)
{
	RIG_AT_WITH(r, ESTABLISHED, .active = false, .knobs = "net.ipv4.tcp_retries2 = 3");

	put(&r, 100);
	rig_drain(&r);
	for (int i = 0; i < 50; i++) {
		ack_wnd(&r, 0, 0);
		live(&r, 30 * NSEC_PER_S);
		EXPECT_STATE(&r, ESTABLISHED);
	}
	live(&r, 400 * NSEC_PER_S); /* twice the greatest timeout, and the timer must come round */
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, timeouts, 0);
}

RUN(T(syn_sent__six_and_four_linear_ones), T(syn_sent__no_linear_ones__doubles_from_the_first), T(syn_sent__tcp_syncnt),
    T(syn_sent__user_timeout__from_the_first_repetition), T(syn_sent__soft_error__is_what_the_timeout_reports),
    T(syn_received__five_and_then_silently_gone), T(syn_received__crowded_queue__fewer_tries),
    T(established__tcp_retries2__a_quarter_of_an_hour), T(established__tcp_retries2_3),
    T(established__user_timeout__ends_it_in_time), T(established__user_timeout_shorter_than_a_timeout__one_repetition),
    T(established__user_timeout_longer_than_tcp_retries2__outlasts_it),
    T(acknowledgment_of_new_octets__begins_the_count_anew), T(fin_wait_1__orphan__eight_times),
    T(last_ack__orphan__eight_times), T(closing__orphan__eight_times), T(fin_wait_1__tcp_orphan_retries_1),
    T(fin_wait_1__held__tcp_retries2_counts), T(window_taken_back__ends_only_in_silence))
