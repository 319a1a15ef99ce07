/* SPDX-License-Identifier: MIT */
/* RFC 9293 3.10.7.4, step by step. RSTs are in test_rst.c, challenge ACKs and their limits in test_challenge.c. */
#include "tests/unit/engine/peer.h"

#include <inttypes.h>

#define ROOM 7300 /* the receive window of the rig: whole segments */

static const enum state all[] = {SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK};

/* What we have sent and received in a state, one past it. */
static uint32_t snd_nxt(enum state s)
{
	return ISS + 1 + (s == FIN_WAIT_1 || s == FIN_WAIT_2 || s == CLOSING || s == LAST_ACK);
}
static uint32_t rcv_nxt(enum state s) { return IRS + 1 + (s == CLOSE_WAIT || s == CLOSING || s == LAST_ACK); }

static uint32_t text_received(struct rig *r)
{
	uint8_t buf[9000];
	int64_t n = la_recv(r->h, r->s, buf, sizeof(buf), LA_PEEK);

	for (int64_t i = 0; i < n; i++)
		assert_int_equal(buf[i], (uint8_t)(IRS + 1 + i));
	return n > 0 ? (uint32_t)n : 0;
}

/* ---- first ---- */

TEST(first__ack_before_or_beyond_the_window__is_answered_and_dropped_in_every_state)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (int side = 0; side < 2; side++) {
			RIG_AT(r, all[i]);
			uint32_t at = side ? rcv_nxt(all[i]) + ROOM : rcv_nxt(all[i]) - 1;

			IN(&r, .flags = F_ACK, .seq = seq(at), .ack = seq(snd_nxt(all[i])));
			EXPECT_ACK(&r, snd_nxt(all[i]), rcv_nxt(all[i]));
			EXPECT_SILENCE(&r);
			EXPECT_STATE(&r, all[i]);
		}
}

TEST(first__out_of_window_without_text__is_answered_once_in_500_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		RIG_AT(r, all[i]);
		uint32_t at = rcv_nxt(all[i]) - 1;

		IN(&r, .flags = F_ACK, .seq = seq(at), .ack = seq(snd_nxt(all[i])));
		EXPECT_ACK(&r, snd_nxt(all[i]), rcv_nxt(all[i]));
		IN(&r, .flags = F_ACK, .seq = seq(at), .ack = seq(snd_nxt(all[i])));
		EXPECT_SILENCE(&r);
		EXPECT_COUNT(&r, ack_skipped_synrecv, all[i] == SYN_RECEIVED);
		EXPECT_COUNT(&r, ack_skipped_seq, all[i] != SYN_RECEIVED);
		r.now += 500 * NSEC_PER_MS;
		IN(&r, .flags = F_ACK, .seq = seq(at), .ack = seq(snd_nxt(all[i])));
		EXPECT_ACK(&r, snd_nxt(all[i]), rcv_nxt(all[i]));
	}
}

TEST(first__out_of_window_with_text__is_always_answered)
{
	RIG_AT(r, ESTABLISHED);
	for (int i = 0; i < 5; i++) {
		IN(&r, .flags = F_ACK, .seq = seq(IRS - 10), .ack = seq(ISS + 1), .len = 5);
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
	}
	EXPECT_COUNT(&r, ack_skipped_seq, 0);
}

TEST(first__retransmitted_fin__is_acked_in_every_state_that_has_taken_it)
{
	static const enum state after[] = {CLOSE_WAIT, CLOSING, LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		RIG_AT(r, after[i]);
		for (int n = 0; n < 3; n++) {
			IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
			EXPECT_ACK(&r, snd_nxt(after[i]), IRS + 2);
			EXPECT_STATE(&r, after[i]);
		}
	}
}

TEST(first__table_6_with_a_window)
{
	static const struct {
		int32_t at;
		uint32_t len, taken;
		bool ok;
	} rows[] = {
		{-1, 0, 0, false},
		{0, 0, 0, true},
		{1, 0, 0, true},
		{ROOM - 1, 0, 0, true},
		{ROOM, 0, 0, false},
		{-1, 1, 0, false},
		{-1, 2, 1, true},
		{-10, 30, 20, true},
		{0, 10, 10, true},
		{ROOM - 1, 1, 0, true},
		{ROOM, 1, 0, false},
		{ROOM - 1, 2, 0, true},
		{-1, ROOM + 2, 0, false} /* neither end in the window: by the letter */,
		{-1, ROOM + 1, ROOM, true},
		{0, ROOM + 5, ROOM, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.policy = rfc9293");
		la_send(r.h, r.s, "x", 1, 0);
		EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 1);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + (uint32_t)rows[i].at), .ack = seq(ISS + 2),
		   .len = rows[i].len);
		if (rig_conn(&r)->snd_una.v - r.shift != (rows[i].ok ? ISS + 2 : ISS + 1) ||
		    text_received(&r) != rows[i].taken)
			fail_msg("%" PRId32 " +%" PRIu32, rows[i].at, rows[i].len);
	}
}

TEST(first__text_beyond_the_window__is_cut_off_with_its_fin)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.policy = rfc9293");
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = ROOM + 1);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 1 + ROOM);
	EXPECT_COUNT(&r, beyond_window, 1);
	assert_int_equal(text_received(&r), ROOM);
}

TEST(first__fin_just_beyond_the_window__waits_for_room)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.policy = rfc9293");
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = ROOM);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 1 + ROOM);
	assert_int_equal(text_received(&r), ROOM);
}

/* What Linux 6.18 makes of the three: nothing is cut, it is all or nothing. */
TEST(first__linux__text_beyond_the_window__whole_if_nothing_waits_to_be_read)
{
	uint8_t got[9000];
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = ROOM + 100);
	rig_pass(&r, 50 * NSEC_PER_MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + ROOM + 100);
	EXPECT_COUNT(&r, beyond_window, 0);
	assert_int_equal(text_received(&r), ROOM + 100);
	assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), ROOM + 100);
	rig_drain(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + ROOM + 100), .ack = seq(ISS + 1), .len = 1);
	rig_pass(&r, 50 * NSEC_PER_MS);
	rig_drain(&r);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 1 + ROOM + 101);
	la_send(r.h, r.s, "x", 1, 0);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1 + ROOM + 101, 1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + ROOM + 101), .ack = seq(ISS + 2), .len = 8192);
	EXPECT_ACK(&r, ISS + 2, IRS + 1 + ROOM + 101); /* at once, and nothing of it is taken, nor its ACK */
	EXPECT_COUNT(&r, beyond_window, 1);
	assert_int_equal(rig_conn(&r)->snd_una.v - r.shift, ISS + 1);
	assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), 1);
}

TEST(first__linux__never_more_than_the_buffer)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 20000);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 1 + 8192);
	assert_int_equal(text_received(&r), 8192);
}

/* A peer for whom there is no window, and a reader that reads at once: never more than the ring, and tcp_mem is asked. */
TEST(first__linux__window_ignored_for_ever__costs_no_more_than_the_buffer)
{
	uint8_t got[8192];
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "net.ipv4.tcp_mem = 0 0 1");
	uint32_t at = 0;

	for (int i = 0; i < 50; i++) {
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + at), .ack = seq(ISS + 1), .len = 30000);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + at + 7300), .ack = seq(ISS + 1), .len = 30000);
		assert_true(r.e->rcv_held <= 8192);
		at += (uint32_t)la_recv(r.h, r.s, got, sizeof(got), 0);
		rig_drain(&r);
		assert_int_equal(r.e->rcv_held, 0);
	}
	assert_int_equal(at, 50 * 8192);
	assert_true(r.e->n.prune_called > 0);
}

TEST(first__linux__fin_just_beyond_the_window__is_taken)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = ROOM);
	rig_pass(&r, 50 * NSEC_PER_MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + ROOM);
	assert_int_equal(r.out.seg.wnd, 0);
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1 + ROOM), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, CLOSE_WAIT);
	rig_pass(&r, 50 * NSEC_PER_MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2 + ROOM);
	assert_int_equal(text_received(&r), ROOM);
}

static void close_window(struct rig *r)
{
	for (uint32_t at = 0; at < ROOM; at += PEER_MSS)
		IN(r, .flags = F_ACK, .seq = seq(IRS + 1 + at), .ack = seq(ISS + 1), .len = PEER_MSS);
	EXPECT_ACK(r, ISS + 1, IRS + 1 + ROOM);
	assert_int_equal(r->out.seg.wnd, 0);
	EXPECT_SILENCE(r);
}

TEST(first__zero_window__ack_is_taken_and_text_is_not)
{
	RIG_AT(r, ESTABLISHED);
	close_window(&r);
	la_send(r.h, r.s, "x", 1, 0);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1 + ROOM, 1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + ROOM), .ack = seq(ISS + 2), .len = 1);
	EXPECT_ACK(&r, ISS + 2, IRS + 1 + ROOM); /* the probe is answered (3.8.6.1) */
	assert_int_equal(rig_conn(&r)->snd_una.v - r.shift, ISS + 2);
	assert_int_equal(text_received(&r), ROOM);
}

TEST(first__zero_window__other_numbers_are_not_acceptable)
{
	RIG_AT(r, ESTABLISHED);
	close_window(&r);
	la_send(r.h, r.s, "x", 1, 0);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1 + ROOM, 1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2 + ROOM), .ack = seq(ISS + 2));
	EXPECT_ACK(&r, ISS + 2, IRS + 1 + ROOM);
	assert_int_equal(rig_conn(&r)->snd_una.v - r.shift, ISS + 1);
}

TEST(first__zero_window__rst_and_urg_are_processed)
{
	RIG_AT(r, ESTABLISHED);
	close_window(&r);
	IN(&r, .flags = F_ACK | F_URG, .seq = seq(IRS + 1 + ROOM), .ack = seq(ISS + 1), .urg = 1);
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, ESTABLISHED);
	IN(&r, .flags = F_RST, .seq = seq(IRS + 1 + ROOM));
	EXPECT_TOOK(&r, RST_ESTABLISHED);
}

TEST(first__paws__older_timestamp_is_answered_and_dropped)
{
	static const enum state sync[] = {ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(sync); i++) {
		RIG_AT_WITH(r, sync[i], .ts = true);
		IN(&r, .flags = F_ACK, .seq = seq(rcv_nxt(sync[i])), .ack = seq(snd_nxt(sync[i])), .len = 3,
		   .opts.tsval = r.peer_tsval - 1);
		EXPECT_ACK(&r, snd_nxt(sync[i]), rcv_nxt(sync[i]));
		assert_int_equal(r.out.seg.opts.tsecr, r.peer_tsval);
		EXPECT_STATE(&r, sync[i]);
		EXPECT_COUNT(&r, paws_estab, 1);
	}
}

TEST(first__paws__answers_to_bare_acks_are_limited)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	for (int i = 0; i < 3; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .opts.tsval = r.peer_tsval - 1);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, paws_estab, 3);
	EXPECT_COUNT(&r, ack_skipped_paws, 2);
}

TEST(first__paws__does_not_hold_after_24_days_of_silence)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	r.now += UINT64_C(25) * 24 * 3600 * NSEC_PER_S;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 3, .opts.tsval = r.peer_tsval - 1);
	EXPECT_COUNT(&r, paws_estab, 0);
	assert_int_equal(text_received(&r), 3);
	assert_int_equal(rig_conn(&r)->ts_recent, r.peer_tsval - 1);
}

/* RFC 7323 4.3: only a segment that begins at or before Last.ACK.sent; so after a loss the oldest one is echoed. */
TEST(first__ts_recent__is_taken_from_segments_at_the_left_edge_only)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 11), .ack = seq(ISS + 1), .len = 10, .opts.tsval = 20000);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	assert_int_equal(r.out.seg.opts.tsecr, 10000);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 10, .opts.tsval = 20001);
	EXPECT_ACK(&r, ISS + 1, IRS + 21);
	assert_int_equal(r.out.seg.opts.tsecr, 20001);
}

TEST(first__ts_recent__is_not_taken_from_a_segment_whose_ack_is_bad)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 5), .opts.tsval = 4000000);
	assert_int_equal(rig_conn(&r)->ts_recent, 10000);
}

/* ---- fourth ---- */

TEST(fourth__syn_received__the_syn_again__gets_the_syn_ack_again)
{
	RIG_AT(r, SYN_RECEIVED);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = 1460);
	EXPECT_SEG(&r, F_SYN | F_ACK, ISS, IRS + 1, 0);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = 1460);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, ack_skipped_synrecv, 1);
	EXPECT_STATE(&r, SYN_RECEIVED);
}

/* As measured on Linux 6.18. */
TEST(fourth__syn_received__another_syn__linux_resets_it)
{
	RIG_AT(r, SYN_RECEIVED);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + ROOM + 1)); /* outside the window: a plain ACK */
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, SYN_RECEIVED);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_RST_ACK(&r, IRS + 101);
	EXPECT_SILENCE(&r);
	EXPECT_TOOK(&r, SYN_RCVD_SYN);
	EXPECT_STATE(&r, CLOSED);
	assert_int_equal(r.e->n_embryonic, 0);
	EXPECT_COUNT(&r, embryonic_rsts, 1);
	EXPECT_COUNT(&r, attempt_fails, 1);
	EXPECT_COUNT(&r, syn_challenge, 0);
	EXPECT_COUNT(&r, challenge_ack, 0);
}

TEST(fourth__syn_received__another_syn_of_the_past__is_acked_and_dropped)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .ts = true);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100), .opts.tsval = r.peer_tsval - 1000);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, SYN_RECEIVED);
	EXPECT_COUNT(&r, paws_estab, 1);
	EXPECT_COUNT(&r, embryonic_rsts, 0);
}

/* No listener to go back to: RFC 5961 4. */
TEST(fourth__syn_received__another_syn__simultaneous_open_challenges_it)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, SYN_RECEIVED);
	EXPECT_COUNT(&r, syn_challenge, 1);
	EXPECT_COUNT(&r, challenge_ack, 1);
}

TEST(fourth__syn_received__another_syn__rfc9293_goes_back_to_listen)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .knobs = "engine.policy = rfc9293");
	IN(&r, .flags = F_SYN, .seq = seq(IRS + ROOM + 1)); /* outside the window: step one */
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, SYN_RECEIVED);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100));
	EXPECT_SILENCE(&r);
	EXPECT_TOOK(&r, SYN_RCVD_SYN);
	EXPECT_STATE(&r, CLOSED);
	assert_int_equal(r.e->n_embryonic, 0);
	EXPECT_COUNT(&r, embryonic_rsts, 1);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100)); /* it comes again, to the listener */
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
	assert_int_equal(r.out.seg.ack.v, IRS + 101);
}

/* Figure 7: both ends send SYN, both answer with SYN,ACK, and that is enough. */
TEST(fourth__simultaneous_open__syn_ack_establishes)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, ESTABLISHED);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_TOOK(&r, F5_08_SIMULTANEOUS_OPEN);
	EXPECT_TOOK(&r, F5_09_SYN_ACKED);
	EXPECT_COUNT(&r, passive_opens, 0);
}

TEST(fourth__simultaneous_open__the_window_of_a_syn_ack__is_not_scaled)
{
	const struct tcp_opts opts = {.has_mss = true, .mss = PEER_MSS, .has_wscale = true, .wscale = 7};
	RIG_AT_WITH(r, SYN_SENT, .active = true);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts = opts);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .wnd = 8 * 128, .opts = opts);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->snd_wnd, 8 * 128);
}

TEST(fourth__simultaneous_open__bare_ack_establishes_too)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, ESTABLISHED);
}

/* F5_11: the FIN waits until the SYN is acknowledged. */
TEST(fourth__simultaneous_open__closed_before_it_is_established__fin_follows)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);
	assert_int_equal(la_shutdown(r.h, r.s, LA_SHUT_WR), 0);
	EXPECT_STATE(&r, FIN_WAIT_1);
	EXPECT_SILENCE(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	EXPECT_ACK(&r, ISS + 2, IRS + 2);
	EXPECT_STATE(&r, TIME_WAIT);
}

/* ---- fifth ---- */

TEST(fifth__no_ack_bit__is_dropped_in_every_state)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		RIG_AT(r, all[i]);
		IN(&r, .flags = 0, .seq = seq(rcv_nxt(all[i])), .len = 10);
		IN(&r, .flags = F_FIN, .seq = seq(rcv_nxt(all[i])));
		EXPECT_SILENCE(&r);
		EXPECT_STATE(&r, all[i]);
		assert_int_equal(rig_conn(&r)->rcv_nxt.v, rcv_nxt(all[i]));
	}
}

TEST(fifth__syn_received__bad_ack__is_reset_and_the_connection_stays)
{
	static const uint32_t bad[] = {ISS, ISS - 1, ISS + 2};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		RIG_AT(r, SYN_RECEIVED);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(bad[i]));
		EXPECT_RST(&r, bad[i]);
		EXPECT_STATE(&r, SYN_RECEIVED);
	}
}

TEST(fifth__syn_received__good_ack__sets_the_window_and_goes_on_with_the_text)
{
	RIG_AT(r, SYN_RECEIVED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 5, .wnd = 1234);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->snd_wnd, 1234);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 6);
	EXPECT_COUNT(&r, passive_opens, 1);
}

TEST(fifth__syn_received__ack_with_fin__goes_to_close_wait)
{
	RIG_AT(r, SYN_RECEIVED);
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, CLOSE_WAIT);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

TEST(fifth__ack_of_what_was_not_sent__is_answered_and_dropped)
{
	for (size_t i = 1; i < ARRAY_LEN(all); i++) {
		RIG_AT(r, all[i]);
		IN(&r, .flags = F_ACK | F_FIN, .seq = seq(rcv_nxt(all[i])), .ack = seq(snd_nxt(all[i]) + 1), .len = 3);
		EXPECT_ACK(&r, snd_nxt(all[i]), rcv_nxt(all[i]));
		EXPECT_STATE(&r, all[i]);
		EXPECT_COUNT(&r, challenge_ack, 1);
	}
}

TEST(fifth__old_ack__is_good_as_far_back_as_the_largest_window_ever)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 - WND), .len = 3);
	assert_int_equal(text_received(&r), 3);
	EXPECT_COUNT(&r, challenge_ack, 0);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 4), .ack = seq(ISS - WND), .len = 3);
	assert_int_equal(text_received(&r), 3);
	EXPECT_COUNT(&r, challenge_ack, 1);
}

TEST(fifth__window__is_not_taken_from_older_segments)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 10, .wnd = 500);
	assert_int_equal(rig_conn(&r)->snd_wnd, 500);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 11), .ack = seq(ISS + 1), .wnd = 600);
	assert_int_equal(rig_conn(&r)->snd_wnd, 600);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 5), .ack = seq(ISS + 1), .len = 10, .wnd = 700);
	assert_int_equal(rig_conn(&r)->snd_wnd, 700); /* cut to begin at RCV.NXT: as new as the last */
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 15), .ack = seq(ISS), .wnd = 800);
	assert_int_equal(rig_conn(&r)->snd_wnd, 700);
}

TEST(fifth__fin_wait_1__ack_of_the_fin__to_fin_wait_2)
{
	RIG_AT(r, FIN_WAIT_1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, FIN_WAIT_1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	EXPECT_STATE(&r, FIN_WAIT_2);
	EXPECT_SILENCE(&r);
}

TEST(fifth__fin_wait_1__ack_of_text_but_not_of_the_fin__stays)
{
	RIG_AT(r, ESTABLISHED);
	la_send(r.h, r.s, "abc", 3, 0);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 3);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 4));
	EXPECT_STATE(&r, FIN_WAIT_1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 5));
	EXPECT_STATE(&r, FIN_WAIT_2);
}

TEST(fifth__closing__ack_of_the_fin__to_time_wait)
{
	RIG_AT(r, CLOSING);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, CLOSING);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 2));
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_SILENCE(&r);
	EXPECT_TOOK(&r, F5_18_CLOSING_ACKED);
}

/* The ACK of the peer's FIN was still to be sent when the connection became a record. */
TEST(fifth__closing__ack_before_ours_was_sent__ours_is_not_lost)
{
	RIG_AT(r, FIN_WAIT_1);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 2));
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_ACK(&r, ISS + 2, IRS + 2);
	EXPECT_SILENCE(&r);
}

TEST(fifth__last_ack__ack_of_the_fin__to_closed_without_a_record)
{
	RIG_AT(r, LAST_ACK);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 2));
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, F5_19_LAST_ACK_ACKED);
	EXPECT_COUNT(&r, tw, 0);
	EXPECT_SILENCE(&r);
}

/* ---- sixth ---- */

TEST(sixth__urg__changes_nothing_in_any_state)
{
	for (size_t i = 1; i < ARRAY_LEN(all); i++) {
		RIG_AT(r, all[i]);
		IN(&r, .flags = F_ACK | F_URG, .seq = seq(rcv_nxt(all[i])), .ack = seq(ISS + 1), .urg = 100);
		EXPECT_SILENCE(&r);
		EXPECT_STATE(&r, all[i]);
	}
}

TEST(sixth__urgent_text__is_read_in_line)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK | F_URG, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .urg = 5, .len = 10);
	assert_int_equal(text_received(&r), 10);
}

/* ---- seventh ---- */

TEST(seventh__text__is_taken_in_the_three_states_that_may_receive)
{
	static const enum state open[] = {ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2};

	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		RIG_AT(r, open[i]);
		IN(&r, .flags = F_ACK | F_PSH, .seq = seq(IRS + 1),
		   .ack = seq(snd_nxt(open[i]) - (open[i] == FIN_WAIT_1)), .len = 100);
		assert_int_equal(text_received(&r), 100);
		EXPECT_STATE(&r, open[i]);
	}
}

TEST(seventh__text_after_the_fin__is_ignored)
{
	static const enum state after[] = {CLOSE_WAIT, CLOSING, LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		RIG_AT(r, after[i]);
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 1), .len = 100);
		assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 2);
		assert_int_equal(rcv_unread(rig_conn(&r)), 0);
		EXPECT_STATE(&r, after[i]);
		EXPECT_SILENCE(&r);
	}
}

TEST(seventh__text_out_of_order__is_held_and_the_fin_with_it)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 11), .ack = seq(ISS + 1), .len = 10);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 10);
	EXPECT_ACK(&r, ISS + 1, IRS + 22);
	EXPECT_STATE(&r, CLOSE_WAIT);
	assert_int_equal(text_received(&r), 20);
}

TEST(seventh__orphan__new_text__is_reset)
{
	RIG_AT_WITH(r, FIN_WAIT_1, .orphan = true);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 1);
	EXPECT_RST(&r, ISS + 1);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, DATA_FIN_WAIT_1);
	EXPECT_COUNT(&r, abort_on_data, 1);
	assert_int_equal(r.e->n_orphans, 0);
}

TEST(seventh__orphan__text_that_acks_the_fin__is_reset_from_fin_wait_2)
{
	RIG_AT_WITH(r, FIN_WAIT_1, .orphan = true);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2), .len = 1);
	EXPECT_RST(&r, ISS + 2);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, F5_14_FIN_ACKED);
	EXPECT_TOOK(&r, DATA_FIN_WAIT_2);
	EXPECT_COUNT(&r, tw, 0);
}

/* Text beyond was received before the close, so a FIN here cannot be; and the orphan must not be left without a timer. */
TEST(seventh__orphan__impossible_fin__becomes_a_record)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 11), .ack = seq(ISS + 1), .len = 10);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	la_close(r.h, r.s);
	r.s = 0;
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	EXPECT_STATE(&r, FIN_WAIT_2);
	assert_true(rig_record(&r, &(struct tw_rec){.chosen = false}));
}

TEST(seventh__orphan_with_keepalive__becomes_a_record_at_once)
{
	int on = 1;

	RIG_AT(r, ESTABLISHED);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_KEEPALIVE, &on, sizeof(on)), 0);
	la_close(r.h, r.s);
	r.s = 0;
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	assert_true(rig_record(&r, &(struct tw_rec){.chosen = false}));
}

TEST(seventh__orphan__old_text__is_only_acked)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 10);
	uint8_t buf[10];
	assert_int_equal(la_recv(r.h, r.s, buf, 10, 0), 10);
	la_close(r.h, r.s);
	r.s = 0;
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 11, 0);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 10);
	EXPECT_ACK(&r, ISS + 2, IRS + 11);
	EXPECT_STATE(&r, FIN_WAIT_1);
}

TEST(seventh__shutdown_of_both_directions__new_text__is_reset_and_the_holder_told)
{
	RIG_AT(r, FIN_WAIT_1);
	assert_int_equal(la_shutdown(r.h, r.s, LA_SHUT_RD), 0);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 1);
	EXPECT_RST(&r, ISS + 1);
	EXPECT_TOOK(&r, DATA_FIN_WAIT_1);
	assert_true(la_poll(r.h, r.s) & LA_ERR);
}

/* ---- eighth ---- */

TEST(eighth__established__fin__to_close_wait)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, CLOSE_WAIT);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
	assert_true(la_poll(r.h, r.s) & LA_IN);
}

TEST(eighth__fin_wait_1__fin_before_ack_of_ours__is_simultaneous_close)
{
	RIG_AT(r, FIN_WAIT_1);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, CLOSING);
	EXPECT_ACK(&r, ISS + 2, IRS + 2);
}

TEST(eighth__fin_wait_1__fin_that_acks_ours__goes_straight_to_time_wait)
{
	for (int orphan = 0; orphan < 2; orphan++) {
		RIG_AT_WITH(r, FIN_WAIT_1, .orphan = orphan);
		IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
		EXPECT_STATE(&r, TIME_WAIT);
		EXPECT_ACK(&r, ISS + 2, IRS + 2);
		EXPECT_SILENCE(&r);
		EXPECT_COUNT(&r, tw, 1);
		assert_int_equal(r.e->n_orphans, 0);
	}
}

TEST(eighth__fin_wait_2__fin__to_time_wait)
{
	for (int orphan = 0; orphan < 2; orphan++) {
		RIG_AT_WITH(r, FIN_WAIT_2, .orphan = orphan);
		IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
		EXPECT_STATE(&r, TIME_WAIT);
		EXPECT_ACK(&r, ISS + 2, IRS + 2);
		EXPECT_COUNT(&r, tw, 1);
		EXPECT_TOOK(&r, F5_17_FIN_WAIT_2_FIN);
	}
}

TEST(eighth__text_and_fin__are_both_taken)
{
	RIG_AT(r, ESTABLISHED);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 20);
	EXPECT_STATE(&r, CLOSE_WAIT);
	rig_pass(&r, 42 * NSEC_PER_MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 22);
	assert_int_equal(text_received(&r), 20);
}

TEST(eighth__fin_wait_2_held__text_and_fin__can_be_read_beside_the_record)
{
	RIG_AT(r, FIN_WAIT_2);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2), .len = 20);
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_ACK(&r, ISS + 2, IRS + 22);
	assert_null(rig_conn(&r));
	assert_int_equal(text_received(&r), 20);
}

RUN(T(first__ack_before_or_beyond_the_window__is_answered_and_dropped_in_every_state),
    T(first__out_of_window_without_text__is_answered_once_in_500_ms),
    T(first__out_of_window_with_text__is_always_answered),
    T(first__retransmitted_fin__is_acked_in_every_state_that_has_taken_it), T(first__table_6_with_a_window),
    T(first__text_beyond_the_window__is_cut_off_with_its_fin),
    T(first__linux__text_beyond_the_window__whole_if_nothing_waits_to_be_read),
    T(first__linux__never_more_than_the_buffer),
    T(first__linux__window_ignored_for_ever__costs_no_more_than_the_buffer),
    T(first__linux__fin_just_beyond_the_window__is_taken), T(first__fin_just_beyond_the_window__waits_for_room),
    T(first__zero_window__ack_is_taken_and_text_is_not), T(first__zero_window__other_numbers_are_not_acceptable),
    T(first__zero_window__rst_and_urg_are_processed), T(first__paws__older_timestamp_is_answered_and_dropped),
    T(first__paws__answers_to_bare_acks_are_limited), T(first__paws__does_not_hold_after_24_days_of_silence),
    T(first__ts_recent__is_taken_from_segments_at_the_left_edge_only),
    T(first__ts_recent__is_not_taken_from_a_segment_whose_ack_is_bad),
    T(fourth__syn_received__the_syn_again__gets_the_syn_ack_again),
    T(fourth__syn_received__another_syn__linux_resets_it),
    T(fourth__syn_received__another_syn_of_the_past__is_acked_and_dropped),
    T(fourth__syn_received__another_syn__simultaneous_open_challenges_it),
    T(fourth__syn_received__another_syn__rfc9293_goes_back_to_listen),
    T(fourth__simultaneous_open__syn_ack_establishes), T(fourth__simultaneous_open__bare_ack_establishes_too),
    T(fourth__simultaneous_open__the_window_of_a_syn_ack__is_not_scaled),
    T(fourth__simultaneous_open__closed_before_it_is_established__fin_follows),
    T(fifth__no_ack_bit__is_dropped_in_every_state), T(fifth__syn_received__bad_ack__is_reset_and_the_connection_stays),
    T(fifth__syn_received__good_ack__sets_the_window_and_goes_on_with_the_text),
    T(fifth__syn_received__ack_with_fin__goes_to_close_wait),
    T(fifth__ack_of_what_was_not_sent__is_answered_and_dropped),
    T(fifth__old_ack__is_good_as_far_back_as_the_largest_window_ever),
    T(fifth__window__is_not_taken_from_older_segments), T(fifth__fin_wait_1__ack_of_the_fin__to_fin_wait_2),
    T(fifth__fin_wait_1__ack_of_text_but_not_of_the_fin__stays), T(fifth__closing__ack_of_the_fin__to_time_wait),
    T(fifth__closing__ack_before_ours_was_sent__ours_is_not_lost),
    T(fifth__last_ack__ack_of_the_fin__to_closed_without_a_record), T(sixth__urg__changes_nothing_in_any_state),
    T(sixth__urgent_text__is_read_in_line), T(seventh__text__is_taken_in_the_three_states_that_may_receive),
    T(seventh__text_after_the_fin__is_ignored), T(seventh__text_out_of_order__is_held_and_the_fin_with_it),
    T(seventh__orphan__new_text__is_reset), T(seventh__orphan__text_that_acks_the_fin__is_reset_from_fin_wait_2),
    T(seventh__orphan__impossible_fin__becomes_a_record), T(seventh__orphan_with_keepalive__becomes_a_record_at_once),
    T(seventh__orphan__old_text__is_only_acked),
    T(seventh__shutdown_of_both_directions__new_text__is_reset_and_the_holder_told),
    T(eighth__established__fin__to_close_wait), T(eighth__fin_wait_1__fin_before_ack_of_ours__is_simultaneous_close),
    T(eighth__fin_wait_1__fin_that_acks_ours__goes_straight_to_time_wait), T(eighth__fin_wait_2__fin__to_time_wait),
    T(eighth__text_and_fin__are_both_taken), T(eighth__fin_wait_2_held__text_and_fin__can_be_read_beside_the_record))
