/* SPDX-License-Identifier: MIT */
/* RFC 9293 3.8.4 (MUST-24 to 29), with Linux's options and numbers (kernel-truth 9: 2 s, 1 s, 3 make 3 probes and a RST). */
#include "tests/unit/engine/flow.h"
#include <errno.h>

static void keep(struct rig *r, int idle, int intvl, int probes)
{
	int on = 1;

	assert_int_equal(la_setsockopt(r->h, r->s, LA_TCP_KEEPIDLE, &idle, sizeof(idle)), 0);
	assert_int_equal(la_setsockopt(r->h, r->s, LA_TCP_KEEPINTVL, &intvl, sizeof(intvl)), 0);
	assert_int_equal(la_setsockopt(r->h, r->s, LA_TCP_KEEPCNT, &probes, sizeof(probes)), 0);
	assert_int_equal(la_setsockopt(r->h, r->s, LA_SO_KEEPALIVE, &on, sizeof(on)), 0);
}

static int error_of(struct rig *r)
{
	int err = 0;
	size_t len = sizeof(err);

	assert_int_equal(la_getsockopt(r->h, r->s, LA_SO_ERROR, &err, &len), 0);
	return err;
}

static void expect_failure(struct rig *r, uint32_t nxt, uint32_t rcv_nxt)
{
	for (int i = 0; i < 3; i++) {
		rig_pass(r, i ? 990 * MS : 1990 * MS);
		EXPECT_SILENCE(r);
		rig_pass(r, 10 * MS);
		EXPECT_ACK(r, nxt - 1, rcv_nxt); /* SEG.SEQ = SND.NXT - 1 */
	}
	rig_pass(r, 990 * MS);
	EXPECT_SILENCE(r);
	rig_pass(r, 10 * MS);
	EXPECT_SEG(r, F_RST | F_ACK, nxt, rcv_nxt, 0);
	EXPECT_STATE(r, CLOSED);
	assert_int_equal(error_of(r), ETIMEDOUT);
	EXPECT_COUNT(r, keepalive, 3);
	EXPECT_COUNT(r, abort_on_timeout, 1);
}

TEST(off__at_first)
{
	RIG_AT(r, ESTABLISHED);

	rig_pass(&r, 100000 * NSEC_PER_S); /* MUST-25 */
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, ESTABLISHED);
}

TEST(established__dead_peer__three_probes_and_reset)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 3);
	expect_failure(&r, ISS + 1, IRS + 1);
	EXPECT_TOOK(&r, TIMEOUT_ESTABLISHED);
}

TEST(close_wait__dead_peer__three_probes_and_reset)
{
	RIG_AT(r, CLOSE_WAIT);

	keep(&r, 2, 1, 3);
	expect_failure(&r, ISS + 1, IRS + 2);
	EXPECT_TOOK(&r, TIMEOUT_CLOSE_WAIT);
}

TEST(fin_wait_2__held__dead_peer__three_probes_and_reset)
{
	RIG_AT(r, FIN_WAIT_2);

	keep(&r, 2, 1, 3);
	expect_failure(&r, ISS + 2, IRS + 1);
	EXPECT_TOOK(&r, TIMEOUT_FIN_WAIT_2);
}

TEST(live_peer__answers_for_ever)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 3);
	for (int i = 0; i < 100; i++) {
		rig_pass(&r, 2 * NSEC_PER_S);
		EXPECT_ACK(&r, ISS, IRS + 1);
		ack(&r, 0);
		EXPECT_SILENCE(&r);
	}
	EXPECT_COUNT(&r, keepalive, 100);
}

TEST(one_answer__begins_anew) /* MUST-29: not one probe alone decides */
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 3);
	rig_pass(&r, 2 * NSEC_PER_S);
	EXPECT_ACK(&r, ISS, IRS + 1);
	rig_pass(&r, NSEC_PER_S);
	EXPECT_ACK(&r, ISS, IRS + 1);
	ack(&r, 0);
	assert_int_equal(rig_conn(&r)->keep_sent, 0);
	assert_int_equal(live(&r, 3990 * MS), 2); /* 2 s of silence, and the three again */
	EXPECT_STATE(&r, ESTABLISHED);
	live(&r, 1020 * MS);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, keepalive, 5);
}

TEST(interval_longer_than_idle__answered__goes_on)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 1, 5, 2);
	rig_pass(&r, NSEC_PER_S);
	for (int i = 0; i < 20; i++) {
		EXPECT_ACK(&r, ISS, IRS + 1);
		ack(&r, 0);
		rig_pass(&r, 5 * NSEC_PER_S);
	}
	EXPECT_STATE(&r, ESTABLISHED);
}

TEST(traffic__puts_the_probe_off)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 3);
	for (uint32_t i = 0; i < 10; i++) {
		rig_pass(&r, 1500 * MS);
		text_in(&r, i * 10, 10);
		rig_drain(&r);
	}
	EXPECT_COUNT(&r, keepalive, 0);
	rig_pass(&r, 1900 * MS);
	EXPECT_COUNT(&r, keepalive, 0);
	rig_pass(&r, 110 * MS);
	rig_drain(&r);
	EXPECT_COUNT(&r, keepalive, 1);
}

TEST(octets_in_flight__retransmission_finds_out)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 1);
	put(&r, 1);
	live(&r, 100 * NSEC_PER_S);
	EXPECT_COUNT(&r, keepalive, 0); /* MUST-26: only when nothing else was sent */
	EXPECT_STATE(&r, ESTABLISHED);
	assert_true(r.e->n.timeouts > 5);
}

TEST(text_before_the_probe_is_taken__makes_it_needless)
{
	RIG_AT(r, ESTABLISHED);

	keep(&r, 2, 1, 3);
	r.now += 2 * NSEC_PER_S;
	la_advance(r.h, r.now);
	put(&r, 1);
	expect_text(&r, 0, 1);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, keepalive, 0);
}

TEST(knobs__are_what_a_socket_without_numbers_takes)
{
	RIG_WITH(
		r,
		.knobs =
			"net.ipv4.tcp_keepalive_time = 10\nnet.ipv4.tcp_keepalive_intvl = 3\nnet.ipv4.tcp_keepalive_probes = 2\n");
	int on = 1;

	rig_to(&r, ESTABLISHED);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_KEEPALIVE, &on, sizeof(on)), 0);
	assert_int_equal(live(&r, 9990 * MS), 0);
	assert_int_equal(live(&r, 3000 * MS), 1);
	assert_int_equal(live(&r, 2990 * MS), 1);
	EXPECT_STATE(&r, ESTABLISHED);
	rig_pass(&r, 20 * MS);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_SEG(&r, F_RST | F_ACK, ISS + 1, IRS + 1, 0);
}

TEST(user_timeout__in_place_of_the_count)
{
	RIG_AT(r, ESTABLISHED);
	unsigned ms = 7000;

	keep(&r, 2, 1, 3);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	live(&r, 6900 * MS);
	EXPECT_STATE(&r, ESTABLISHED);
	EXPECT_COUNT(&r, keepalive, 5);
	live(&r, 110 * MS);
	EXPECT_STATE(&r, CLOSED);
}

TEST(switched_off__no_probe)
{
	RIG_AT(r, ESTABLISHED);
	int off = 0;

	keep(&r, 2, 1, 3);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_KEEPALIVE, &off, sizeof(off)), 0);
	assert_int_equal(live(&r, 60 * NSEC_PER_S), 0);
}

RUN(T(off__at_first), T(established__dead_peer__three_probes_and_reset),
    T(close_wait__dead_peer__three_probes_and_reset), T(fin_wait_2__held__dead_peer__three_probes_and_reset),
    T(live_peer__answers_for_ever), T(one_answer__begins_anew), T(interval_longer_than_idle__answered__goes_on),
    T(traffic__puts_the_probe_off), T(octets_in_flight__retransmission_finds_out),
    T(text_before_the_probe_is_taken__makes_it_needless), T(knobs__are_what_a_socket_without_numbers_takes),
    T(user_timeout__in_place_of_the_count), T(switched_off__no_probe))
