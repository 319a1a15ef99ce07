/* SPDX-License-Identifier: MIT */
/* Acknowledgement, retransmission and recovery: RFC 6298, 5681, 6582, 3042; RFC 9293 3.8.1-3.8.2, 3.10.7.4 fifth. */
#include "tests/unit/engine/flow.h"

enum { MSS = PEER_MSS };

/* ESTABLISHED with n segments of MSS in flight, the last octet pushed. */
static void fly(struct rig *r, uint32_t n)
{
	assert_true(n <= rig_conn(r)->cc.cwnd);
	put(r, n * MSS);
	for (uint32_t i = 0; i < n; i++)
		expect_text(r, i * MSS, MSS);
	EXPECT_SILENCE(r);
}

#define FLYING(r, n)                                                                                                   \
	RIG_AT_WITH(r, ESTABLISHED, .cfg.send_buffer = 65536);                                                         \
	ack_wnd(&r, 0, 60000);                                                                                         \
	fly(&r, n)

static void dup(struct rig *r, uint32_t before, unsigned n)
{
	while (n--)
		ack_wnd(r, before, 60000);
}

/* ---- acknowledgement ---- */

TEST(ack__frees_the_buffer_and_stops_the_timer)
{
	FLYING(r, 2);

	assert_int_equal(snd_room(rig_conn(&r)), 65536 - 2 * MSS);
	assert_int_not_equal(rig_conn(&r)->timer_at[TIMER_RTX], NSEC_NEVER);
	ack_wnd(&r, MSS, 60000);
	assert_int_equal(snd_room(rig_conn(&r)), 65536 - MSS);
	assert_int_not_equal(rig_conn(&r)->timer_at[TIMER_RTX], NSEC_NEVER);
	ack_wnd(&r, 2 * MSS, 60000);
	assert_int_equal(snd_room(rig_conn(&r)), 65536);
	assert_int_equal(rig_conn(&r)->timer_at[TIMER_RTX], NSEC_NEVER); /* (5.2) */
	assert_int_equal(rig_conn(&r)->bytes_acked, 2 * MSS);
}

TEST(ack_of_new_octets__restarts_the_timer)
{
	FLYING(r, 2);

	rig_pass(&r, 150 * MS);
	ack_wnd(&r, MSS, 60000);
	rig_pass(&r, 190 * MS); /* (5.3): it would have been over */
	EXPECT_SILENCE(&r);
}

TEST(ack__older_than_what_we_know__changes_no_window)
{
	RIG_AT(r, ESTABLISHED);

	ack_wnd(&r, 0, 100);
	assert_int_equal(rig_conn(&r)->snd_wnd, 100); /* same SEG.SEQ, same SEG.ACK: the newer one */
	text_in(&r, 10, 5);
	assert_int_equal(rig_conn(&r)->snd_wnd, WND);
	ack_wnd(&r, 0, 50); /* an older SEG.SEQ */
	assert_int_equal(rig_conn(&r)->snd_wnd, WND);
	assert_int_equal(rig_conn(&r)->max_snd_wnd, WND);
}

/* Found by the simulator: the octets it acknowledges moved the right edge of the window before. */
TEST(ack_of_new_octets_on_an_older_number__changes_the_window)
{
	FLYING(r, 2);

	text_in(&r, 10, 5);
	ack_wnd(&r, MSS, 100); /* SEG.SEQ is older than SND.WL1, as a retransmission's is */
	assert_int_equal(rig_conn(&r)->snd_wnd, 100);
	ack_wnd(&r, MSS, 50);
	assert_int_equal(rig_conn(&r)->snd_wnd, 100);
}

TEST(window_above_32767__is_not_negative) /* MUST-1 */
{
	RIG_AT_WITH(r, ESTABLISHED, .cfg.send_buffer = 65536);

	ack_wnd(&r, 0, 65535);
	assert_int_equal(rig_conn(&r)->snd_wnd, 65535);
	rig_conn(&r)->cc.cwnd = 45;
	put(&r, 65000);
	rig_drain(&r);
	assert_int_equal(snd_unsent(rig_conn(&r)), 0);
}

TEST(write__more_than_fits__takes_what_fits)
{
	RIG_AT(r, ESTABLISHED);
	static uint8_t text[10000];

	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), 8192);
	assert_int_equal(la_send(r.h, r.s, text, 1, 0), -11); /* EAGAIN */
	assert_int_equal(snd_unsent(rig_conn(&r)), 8192);
	rig_drain(&r);
	ack(&r, 1460);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), 1460);
}

TEST(room_again__is_told)
{
	RIG_AT(r, ESTABLISHED);
	struct la_event ev;

	while (la_event(r.h, &ev))
		;
	put(&r, 8192);
	rig_drain(&r);
	assert_false(la_event(r.h, &ev));
	ack(&r, 1460); /* less than a third: not worth a wake-up */
	assert_false(la_event(r.h, &ev));
	ack(&r, 4380);
	assert_true(la_event(r.h, &ev));
	assert_true(ev.events & LA_OUT);
}

/* ---- round trips ---- */

TEST(round_trip__is_measured_from_each_segment)
{
	FLYING(r, 3);

	rig_pass(&r, 50 * MS);
	ack_wnd(&r, MSS, 60000);
	assert_in_range(rig_conn(&r)->srtt8_us, 50000, 50010); /* the handshake took no time */
	rig_pass(&r, 50 * MS);
	ack_wnd(&r, 3 * MSS, 60000);
	/* 100 ms for the second, 50 of them since the first ACK: from when it was sent, not from a timer of the flight. */
	assert_in_range(rig_conn(&r)->srtt8_us, 143000, 144000);
}

TEST(repeated_segment__is_not_measured)
{
	FLYING(r, 1);
	uint64_t srtt = rig_conn(&r)->srtt8_us;

	rig_pass(&r, 300 * MS);
	expect_text(&r, 0, MSS);
	rig_pass(&r, 100 * MS);
	ack_wnd(&r, MSS, 60000);
	assert_int_equal(rig_conn(&r)->srtt8_us, srtt); /* Karn */
	assert_int_equal(rig_conn(&r)->backoff, 1); /* and the timeout stays doubled */
	put(&r, MSS);
	expect_text(&r, MSS, MSS);
	rig_pass(&r, 390 * MS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 2 * MSS, 60000); /* until one is measured */
	assert_int_equal(rig_conn(&r)->backoff, 0);
}

TEST(syn_repeated__three_seconds)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);

	rig_pass(&r, 1100 * MS);
	EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	assert_int_equal(rtt_rto_us(rig_conn(&r)), 3000000); /* RFC 6298 5.7 */
	put(&r, 1);
	rig_drain(&r);
	rig_pass(&r, 2900 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 200 * MS);
	expect_text(&r, 0, 1);
}

TEST(syn_repeated_twice__one_segment_to_begin_with)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);

	for (int i = 0; i < 2; i++) {
		rig_pass(&r, 1001 * MS);
		EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
	}
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_mss = true, .opts.mss = MSS);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	put(&r, 3 * MSS);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
}

/* ---- timeout ---- */

TEST(timeout__everything_again_in_slow_start)
{
	FLYING(r, 8);
	struct conn *c = rig_conn(&r);

	rig_pass(&r, 210 * MS);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r); /* the loss window */
	assert_int_equal(c->cc.cwnd, 1);
	assert_int_equal(c->cc.ssthresh, 7);
	assert_int_equal(c->snd_nxt.v - c->snd_una.v, 8 * MSS); /* SND.NXT does not go back */
	ack_wnd(&r, MSS, 60000);
	expect_text(&r, MSS, MSS);
	expect_text(&r, 2 * MSS, MSS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 3 * MSS, 60000);
	expect_text(&r, 3 * MSS, MSS);
	expect_text(&r, 4 * MSS, MSS);
	expect_text(&r, 5 * MSS, MSS);
	expect_text(&r, 6 * MSS, MSS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 7 * MSS, 60000);
	expect_text(&r, 7 * MSS, MSS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 8 * MSS, 60000);
	assert_int_equal(c->rec.ca, CA_LOSS); /* until more is acknowledged (RFC 6582 3.2 step 1) */
	EXPECT_COUNT(&r, timeouts, 1);
	EXPECT_COUNT(&r, retrans_segs, 8);
	EXPECT_COUNT(&r, slow_start_retrans, 7); /* but for the first */
	EXPECT_COUNT(&r, fast_retrans, 0);
	assert_int_equal(c->total_retrans, 8);
	assert_int_equal(c->bytes_retrans, 8 * MSS);
	EXPECT_COUNT(&r, out_segs, 1 + 8); /* the SYN+ACK and what was new */
}

TEST(timeout_again__doubles_and_keeps_ssthresh)
{
	FLYING(r, 8);
	struct conn *c = rig_conn(&r);
	nsec_t began = r.now;

	for (unsigned i = 0; i < 5; i++) {
		nsec_t due = began + ((UINT64_C(2) << i) - 1) * 201 * MS;

		rig_pass(&r, due - 2 * MS - r.now);
		EXPECT_SILENCE(&r);
		rig_pass(&r, 4 * MS);
		expect_text(&r, 0, MSS);
	}
	assert_int_equal(c->cc.ssthresh, 7);
	assert_int_equal(c->rexmits, 5);
}

TEST(new_octets_wait__until_all_was_sent_again)
{
	RIG_AT_WITH(r, ESTABLISHED, .cfg.send_buffer = 65536, .knobs = "net.ipv4.tcp_frto = 0");
	ack_wnd(&r, 0, 60000);
	fly(&r, 2);

	rig_pass(&r, 210 * MS);
	put(&r, MSS);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, MSS, 60000);
	expect_text(&r, MSS, MSS);
	expect_text(&r, 2 * MSS, MSS);
}

TEST(fin__is_sent_again_like_text)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 5);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 5);
	rig_pass(&r, 210 * MS);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 5);
	ack(&r, 5);
	EXPECT_STATE(&r, FIN_WAIT_1);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 410 * MS);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 6, IRS + 1, 0);
	EXPECT_STATE(&r, FIN_WAIT_1);
	ack(&r, 6);
	EXPECT_STATE(&r, FIN_WAIT_2);
}

/* ---- fast retransmit and fast recovery ---- */

TEST(third_duplicate__sends_the_oldest_again)
{
	FLYING(r, 10);
	struct conn *c = rig_conn(&r);

	dup(&r, 0, 2);
	EXPECT_SILENCE(&r);
	dup(&r, 0, 1);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
	assert_int_equal(c->cc.ssthresh, 7); /* CUBIC: 0.7 of the window */
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	EXPECT_COUNT(&r, fast_retrans, 1);
	EXPECT_COUNT(&r, retrans_segs, 1);
	EXPECT_COUNT(&r, reno_recovery, 1);
	EXPECT_COUNT(&r, timeouts, 0);
	put(&r, 4 * MSS);
	EXPECT_SILENCE(&r);
	dup(&r, 0, 5); /* PRR: seven for each ten that have arrived (RFC 6937) */
	for (uint32_t i = 0; i < 4; i++)
		expect_text(&r, (10 + i) * MSS, MSS);
	ack_wnd(&r, 14 * MSS, 60000);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_int_equal(c->cc.cwnd, 7);
}

TEST(partial_acknowledgment__sends_the_next_hole)
{
	FLYING(r, 8);
	struct conn *c = rig_conn(&r);

	dup(&r, 0, 3);
	expect_text(&r, 0, MSS);
	ack_wnd(&r, 3 * MSS, 60000);
	assert_int_equal(c->rec.ca, CA_RECOVERY);
	expect_text(&r, 3 * MSS, MSS);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 5 * MSS, 60000);
	expect_text(&r, 5 * MSS, MSS);
	ack_wnd(&r, 8 * MSS, 60000);
	assert_int_equal(c->rec.ca, CA_RECOVERY); /* until more is acknowledged */
	EXPECT_COUNT(&r, fast_retrans, 3);
	EXPECT_COUNT(&r, slow_start_retrans, 0);
}

/* RFC 6582 4, slow but steady: each partial acknowledgment restarts the timer, so many holes are no timeout. */
TEST(each_partial_acknowledgment__restarts_the_timer)
{
	FLYING(r, 8);

	dup(&r, 0, 3);
	expect_text(&r, 0, MSS);
	for (uint32_t i = 1; i < 5; i++) {
		rig_pass(&r, 150 * MS);
		ack_wnd(&r, i * MSS, 60000);
		expect_text(&r, i * MSS, MSS);
		EXPECT_SILENCE(&r);
	}
	EXPECT_COUNT(&r, timeouts, 0);
}

TEST(duplicates_after_a_timeout__start_no_recovery)
{
	FLYING(r, 4);

	rig_pass(&r, 210 * MS);
	expect_text(&r, 0, MSS);
	ack_wnd(&r, 4 * MSS, 60000); /* all were there: only the first was late */
	put(&r, MSS);
	expect_text(&r, 4 * MSS, MSS);
	dup(&r, 4 * MSS, 5); /* they answer what was sent again */
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, fast_retrans, 0);
	ack_wnd(&r, 5 * MSS, 60000);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
}

TEST(no_duplicates__text_or_another_window)
{
	FLYING(r, 6);

	for (uint16_t i = 1; i <= 5; i++)
		ack_wnd(&r, 0, 60000 - i);
	for (uint32_t i = 0; i < 5; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + i), .ack = seq(ISS + 1), .len = 1);
	assert_int_equal(rig_conn(&r)->board.sacked, 0);
	EXPECT_COUNT(&r, fast_retrans, 0);
}

TEST(first_two_duplicates__let_new_segments_go)
{
	FLYING(r, 10); /* all that the initial window allows */

	put(&r, 3 * MSS);
	EXPECT_SILENCE(&r);
	dup(&r, 0, 1);
	expect_text(&r, 10 * MSS, MSS); /* RFC 3042 */
	EXPECT_SILENCE(&r);
	dup(&r, 0, 1);
	expect_text(&r, 11 * MSS, MSS);
	EXPECT_SILENCE(&r);
	dup(&r, 0, 1);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
}

TEST(window_taken_back__is_endured)
{
	FLYING(r, 4);

	ack_wnd(&r, MSS, 100); /* three segments are beyond it (MUST-34) */
	put(&r, MSS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 210 * MS);
	expect_text(&r, MSS, 100); /* what the window takes of the oldest */
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 4 * MSS, 60000);
	expect_text(&r, 4 * MSS, MSS);
}

TEST(window_of_the_application__unused_grows_no_cwnd)
{
	RIG_AT(r, ESTABLISHED);
	uint32_t cwnd = rig_conn(&r)->cc.cwnd;

	for (uint32_t i = 0; i < 50; i++) {
		put(&r, 100);
		expect_text(&r, 100 * i, 100);
		ack(&r, 100 * (i + 1));
	}
	assert_int_equal(rig_conn(&r)->cc.cwnd, cwnd);
}

TEST(idle_for_a_timeout__restart_window)
{
	FLYING(r, 10);
	struct conn *c = rig_conn(&r);

	for (uint32_t i = 1; i <= 10; i++)
		ack_wnd(&r, i * MSS, 60000);
	assert_true(c->cc.cwnd > 10);
	rig_pass(&r, 150 * MS);
	put(&r, 1);
	expect_text(&r, 10 * MSS, 1);
	assert_true(c->cc.cwnd > 10);
	ack_wnd(&r, 10 * MSS + 1, 60000);
	rig_pass(&r, 250 * MS);
	put(&r, 1);
	expect_text(&r, 10 * MSS + 1, 1);
	assert_int_equal(c->cc.cwnd, 10);
}

RUN(T(ack__frees_the_buffer_and_stops_the_timer), T(ack_of_new_octets__restarts_the_timer),
    T(ack__older_than_what_we_know__changes_no_window), T(ack_of_new_octets_on_an_older_number__changes_the_window),
    T(window_above_32767__is_not_negative), T(write__more_than_fits__takes_what_fits), T(room_again__is_told),
    T(round_trip__is_measured_from_each_segment), T(repeated_segment__is_not_measured), T(syn_repeated__three_seconds),
    T(syn_repeated_twice__one_segment_to_begin_with), T(timeout__everything_again_in_slow_start),
    T(timeout_again__doubles_and_keeps_ssthresh), T(new_octets_wait__until_all_was_sent_again),
    T(fin__is_sent_again_like_text), T(third_duplicate__sends_the_oldest_again),
    T(partial_acknowledgment__sends_the_next_hole), T(each_partial_acknowledgment__restarts_the_timer),
    T(duplicates_after_a_timeout__start_no_recovery), T(no_duplicates__text_or_another_window),
    T(first_two_duplicates__let_new_segments_go), T(window_taken_back__is_endured),
    T(window_of_the_application__unused_grows_no_cwnd), T(idle_for_a_timeout__restart_window))
