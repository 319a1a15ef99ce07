/* SPDX-License-Identifier: MIT */
/* RFC 5961 3.2 and 3.10.7.4 "Second, check the RST bit", in every state with a connection block. Records: test_tw.c. */
#include "tests/unit/engine/peer.h"

#include <errno.h>

static const struct {
	enum state state;
	enum edge_id edge;
	int err;
	bool active;
} rows[] = {
	{SYN_RECEIVED, F5_07_SYN_RCVD_RST, 0, false},      {SYN_RECEIVED, RST_SYN_RECEIVED, ECONNREFUSED, true},
	{ESTABLISHED, RST_ESTABLISHED, ECONNRESET, false}, {FIN_WAIT_1, RST_FIN_WAIT_1, ECONNRESET, false},
	{FIN_WAIT_2, RST_FIN_WAIT_2, ECONNRESET, false},   {CLOSE_WAIT, RST_CLOSE_WAIT, EPIPE, false},
	{CLOSING, RST_CLOSING, ECONNRESET, false},         {LAST_ACK, RST_LAST_ACK, ECONNRESET, false},
};

static uint32_t rcv_nxt(const struct rig *r) { return rig_conn(r)->rcv_nxt.v; }

static int so_error(struct rig *r)
{
	int err = 0;
	size_t len = sizeof(err);

	assert_int_equal(la_getsockopt(r->h, r->s, LA_SO_ERROR, &err, &len), 0);
	return err;
}

TEST(rst_at_rcv_nxt__ends_the_connection_in_every_state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, rows[i].state, .active = rows[i].active);
		IN(&r, .flags = F_RST, .seq = seq(rcv_nxt(&r)));
		EXPECT_STATE(&r, CLOSED);
		EXPECT_TOOK(&r, rows[i].edge);
		EXPECT_SILENCE(&r);
		assert_null(rig_conn(&r));
		if (r.s)
			assert_int_equal(so_error(&r), rows[i].err);
	}
}

TEST(rst_with_ack_and_text__is_a_rst_all_the_same)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, rows[i].state, .active = rows[i].active);
		IN(&r, .flags = F_RST | F_ACK, .seq = seq(rcv_nxt(&r)), .ack = seq(77), .len = 5);
		EXPECT_TOOK(&r, rows[i].edge);
		EXPECT_SILENCE(&r);
	}
}

TEST(rst_elsewhere_in_the_window__is_challenged)
{
	static const uint32_t in[] = {1, 100, 7298};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t j = 0; j < ARRAY_LEN(in); j++) {
			RIG_AT_WITH(r, rows[i].state, .active = rows[i].active);
			uint32_t nxt = rcv_nxt(&r);

			IN(&r, .flags = F_RST, .seq = seq(nxt + in[j]));
			EXPECT_ACK(&r, rig_conn(&r)->snd_nxt.v - r.shift, nxt);
			EXPECT_STATE(&r, rows[i].state);
			EXPECT_COUNT(&r, challenge_ack, 1);
		}
}

TEST(rst_outside_the_window__is_nothing)
{
	static const uint32_t out[] = {7300, 7301, 8192, 0x80000000, (uint32_t)-1, (uint32_t)-8192};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t j = 0; j < ARRAY_LEN(out); j++) {
			RIG_AT_WITH(r, rows[i].state, .active = rows[i].active);
			IN(&r, .flags = F_RST, .seq = seq(rcv_nxt(&r) + out[j]));
			EXPECT_SILENCE(&r);
			EXPECT_STATE(&r, rows[i].state);
		}
}

/* The exchange that RFC 5961 3.2 is made for: the peer really has no connection, and its answer to the challenge is exact. */
TEST(challenge__the_peer_without_a_connection__answers_exactly)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_RST, .seq = seq(IRS + 50));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	IN(&r, .flags = F_RST, .seq = r.out.seg.ack);
	EXPECT_TOOK(&r, RST_ESTABLISHED);
}

TEST(rst__paws_does_not_matter)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	struct seg s = {.src = r.at.peer, .dst = r.at.us, .sport = PEER_PORT, .dport = RIG_PORT, .flags = F_RST};

	s.seq = seq(IRS + 1);
	s.opts.has_ts = true;
	s.opts.tsval = 1;
	rig_in_raw(&r, &s);
	EXPECT_TOOK(&r, RST_ESTABLISHED);
	EXPECT_COUNT(&r, paws_estab, 0);
}

TEST(rst_with_syn__is_a_rst)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_RST | F_SYN, .seq = seq(IRS + 1));
	EXPECT_TOOK(&r, RST_ESTABLISHED);
	EXPECT_SILENCE(&r);
}

TEST(rst_in_syn_received__counts_and_gives_the_place_back)
{
	RIG_AT(r, SYN_RECEIVED);
	IN(&r, .flags = F_RST, .seq = seq(IRS + 1));
	EXPECT_COUNT(&r, embryonic_rsts, 1);
	EXPECT_COUNT(&r, attempt_fails, 1);
	assert_int_equal(r.e->n_embryonic, 0);
	assert_int_equal(conn_of_sock(r.e, r.listener)->n_syn, 0);
	assert_int_equal(r.e->n_sockets, 1);
}

TEST(rst_in_established__counts_estab_resets)
{
	static const enum state st[] = {ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1};

	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		RIG_AT(r, st[i]);
		IN(&r, .flags = F_RST, .seq = seq(rcv_nxt(&r)));
		EXPECT_COUNT(&r, estab_resets, st[i] != FIN_WAIT_1);
	}
}

TEST(rst__what_was_received_can_still_be_read__then_the_error)
{
	uint8_t buf[10];

	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 4);
	IN(&r, .flags = F_RST, .seq = seq(IRS + 5));
	assert_int_equal(la_recv(r.h, r.s, buf, sizeof(buf), 0), 4);
	assert_int_equal(la_recv(r.h, r.s, buf, sizeof(buf), 0), -ECONNRESET);
	assert_int_equal(la_recv(r.h, r.s, buf, sizeof(buf), 0), 0);
}

TEST(rst__orphans_are_gone_with_everything)
{
	static const enum state st[] = {FIN_WAIT_1, CLOSING, LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		RIG_AT_WITH(r, st[i], .orphan = true);
		assert_int_equal(r.e->n_orphans, 1);
		IN(&r, .flags = F_RST, .seq = seq(rcv_nxt(&r)));
		assert_int_equal(r.e->n_orphans, 0);
		assert_int_equal(r.e->n_sockets, 1); /* the listener */
		assert_int_equal(r.e->wheel.armed, 0);
	}
}

/* 3.10.4 sends a RST; Linux waits for the ACK, which is then one for nobody. */
TEST(listener_closed__syn_received__reset_at_once_or_when_it_answers)
{
	static const char *const knobs[] = {NULL, "engine.policy = rfc9293"};

	for (int i = 0; i < 2; i++) {
		RIG_AT_WITH(r, SYN_RECEIVED, .knobs = knobs[i]);

		assert_int_equal(la_close(r.h, r.listener), 0);
		if (i)
			rig_expect(&r, F_RST | F_ACK, ISS + 1, IRS + 1, 0);
		EXPECT_SILENCE(&r);
		assert_int_equal(r.e->n_sockets, 0);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
		EXPECT_RST(&r, ISS + 1);
	}
}

RUN(T(rst_at_rcv_nxt__ends_the_connection_in_every_state), T(rst_with_ack_and_text__is_a_rst_all_the_same),
    T(rst_elsewhere_in_the_window__is_challenged), T(rst_outside_the_window__is_nothing),
    T(challenge__the_peer_without_a_connection__answers_exactly), T(rst__paws_does_not_matter),
    T(rst_with_syn__is_a_rst), T(rst_in_syn_received__counts_and_gives_the_place_back),
    T(rst_in_established__counts_estab_resets), T(rst__what_was_received_can_still_be_read__then_the_error),
    T(rst__orphans_are_gone_with_everything), T(listener_closed__syn_received__reset_at_once_or_when_it_answers))
