/* SPDX-License-Identifier: MIT */
/* When received text is acknowledged: RFC 9293 3.8.6.3, RFC 5681 4.2. */
#include "tests/unit/engine/flow.h"

enum { MSS = PEER_MSS };

TEST(one_segment__after_the_delay)
{
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, 100);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 39 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 2 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 101);
	EXPECT_COUNT(&r, delayed_acks, 1);
	rig_pass(&r, 1000 * MS);
	EXPECT_SILENCE(&r);
}

TEST(second_full_segment__at_once)
{
	uint8_t got[MSS];
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	for (uint32_t i = 0; i < 4; i++) {
		text_in(&r, i * MSS, MSS);
		EXPECT_SILENCE(&r);
		assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), MSS);
		if (i % 2)
			EXPECT_ACK(&r, ISS + 1, IRS + 1 + (i + 1) * MSS); /* SHLD-19 */
		EXPECT_SILENCE(&r);
	}
	EXPECT_COUNT(&r, delayed_acks, 0);
}

TEST(text__is_told_once_it_is_in_order)
{
	RIG_AT(r, ESTABLISHED);
	struct la_event ev;

	while (la_event(r.h, &ev))
		;
	text_in(&r, 100, 100);
	assert_false(la_event(r.h, &ev));
	text_in(&r, 0, 100);
	assert_true(la_event(r.h, &ev));
	assert_true(ev.events & LA_IN);
}

TEST(out_of_order__at_once_each)
{
	RIG_AT(r, ESTABLISHED);

	for (uint32_t i = 3; i > 0; i--) {
		text_in(&r, i * 100, 100);
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
	}
	text_in(&r, 0, 50); /* fills part of the gap */
	EXPECT_ACK(&r, ISS + 1, IRS + 51);
	text_in(&r, 50, 50);
	EXPECT_ACK(&r, ISS + 1, IRS + 401);
	EXPECT_COUNT(&r, ofo_queue, 3);
}

TEST(answer_in_time__carries_the_acknowledgment)
{
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, 100);
	rig_pass(&r, 10 * MS);
	put(&r, 7);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 101, 7);
	rig_pass(&r, 100 * MS);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, delayed_acks, 0);
}

/* As Linux: our own FIN is likely to follow and to carry it. */
TEST(fin__waits_for_an_answer__unless_there_was_nothing_else)
{
	for (uint32_t len = 0; len < 6; len += 5) {
		RIG_AT(r, ESTABLISHED);

		IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = len);
		if (len)
			EXPECT_SILENCE(&r);
		rig_pass(&r, len ? 42 * MS : 0);
		EXPECT_ACK(&r, ISS + 1, IRS + 2 + len);
		EXPECT_STATE(&r, CLOSE_WAIT);
	}
}

TEST(fin_out_of_order__acknowledged_when_the_rest_is_here)
{
	RIG_AT(r, ESTABLISHED);

	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 101), .ack = seq(ISS + 1));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, ESTABLISHED);
	text_in(&r, 0, 100);
	EXPECT_STATE(&r, CLOSE_WAIT);
	rig_pass(&r, 42 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 102);
}

TEST(first_segments__at_once_each__then_they_wait)
{
	RIG_AT(r, ESTABLISHED);

	/* min(16, RCV.WND / 2 RCV.MSS): 7300 octets and 536 */
	for (uint32_t i = 0; i < 6; i++) {
		text_in(&r, i, 1);
		EXPECT_ACK(&r, ISS + 1, IRS + 2 + i);
	}
	text_in(&r, 6, 1);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, delayed_acks, 0);
}

TEST(quickack__off__waits_from_the_first)
{
	RIG_AT(r, ESTABLISHED);
	int off = 0;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_QUICKACK, &off, sizeof(off)), 0);
	text_in(&r, 0, 1);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 42 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
	text_in(&r, 1, 1); /* the answer did not come in time: it is no ping-pong */
	EXPECT_ACK(&r, ISS + 1, IRS + 3);
}

TEST(text_sent_while_nothing_came__is_no_quick_ack)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->quick = 2;
	put(&r, 1);
	rig_drain(&r);
	assert_int_equal(rig_conn(&r)->quick, 2);
}

TEST(answers__make_it_wait_for_the_next)
{
	RIG_AT(r, ESTABLISHED);

	text_in(&r, 0, 1);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
	put(&r, 1);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 2, 1);
	assert_false(rcv_quickack(rig_conn(&r)));
	text_in(&r, 1, 1);
	EXPECT_SILENCE(&r);
}

/* The window would have to shrink: the reader's ACK can say a better one (Linux). */
TEST(second_full_segment__nobody_reads__waits)
{
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, MSS);
	text_in(&r, MSS, MSS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 42 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + 2 * MSS);
}

/* ATO: twice as long when it was too short, at most 199 ms. */
TEST(ack_that_waited_in_vain__waits_longer__to_a_bound)
{
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, 1);
	rig_pass(&r, 42 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
	assert_int_equal(rig_conn(&r)->ato_ms, 80);
	rig_conn(&r)->ato_ms = 1000;
	rig_conn(&r)->srtt8_us = 0; /* else a round trip is the bound, if that is more than 40 ms */
	text_in(&r, 1, 1);
	rig_pass(&r, 198 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 3 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 3);
	rig_conn(&r)->ato_ms = 1000;
	rig_conn(&r)->srtt8_us = UINT64_C(8) * 90000;
	text_in(&r, 2, 1);
	rig_pass(&r, 89 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 3 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 4);
	EXPECT_COUNT(&r, delayed_acks, 3);
}

TEST(segments_close_to_each_other__it_may_wait_less)
{
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, 1);
	rig_conn(&r)->ato_ms = 100;
	rig_pass(&r, 10 * MS);
	text_in(&r, 1, 1);
	assert_int_equal(rig_conn(&r)->ato_ms, 70); /* half of it and half of the least */
	rig_pass(&r, 25 * MS);
	text_in(&r, 2, 1);
	assert_int_equal(rig_conn(&r)->ato_ms, 60); /* half of it and the gap */
}

/* A tiny segment and the reader has all of it: it may have been a whole request, so the ACK does not wait (Linux). */
TEST(two_short_segments_read__acknowledged_at_once)
{
	uint8_t got[10];
	RIG_AT(r, ESTABLISHED);

	settle(&r);
	text_in(&r, 0, 1);
	EXPECT_SILENCE(&r);
	assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), 1);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

/* ---- RCV.MSS ---- */

TEST(rcv_mss__of_large_segments_the_largest__of_small_ones_two_that_agree)
{
	RIG_AT(r, ESTABLISHED);

	assert_int_equal(rig_conn(&r)->rcv_mss, 536);
	text_in(&r, 0, 700);
	assert_int_equal(rig_conn(&r)->rcv_mss, 700);
	text_in(&r, 700, 100);
	assert_int_equal(rig_conn(&r)->rcv_mss, 700);
	text_in(&r, 800, 100);
	assert_int_equal(rig_conn(&r)->rcv_mss, 100);
	text_in(&r, 900, 1460);
	assert_int_equal(rig_conn(&r)->rcv_mss, 1460);
	text_in(&r, 2360, 50); /* less than any MSS may be */
	text_in(&r, 2410, 50);
	assert_int_equal(rig_conn(&r)->rcv_mss, 1460);
}

TEST(rcv_mss__pushed_small_segments__say_nothing)
{
	RIG_AT(r, ESTABLISHED);

	text_in(&r, 0, 700);
	for (uint32_t i = 0; i < 3; i++)
		IN(&r, .flags = F_ACK | F_PSH, .seq = seq(IRS + 701 + i * 100), .ack = seq(ISS + 1), .len = 100);
	assert_int_equal(rig_conn(&r)->rcv_mss, 700);
}

TEST(knob__says_how_long)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.delayed_ack_ms = 100");

	settle(&r);
	rig_conn(&r)->ato_ms = 100;
	text_in(&r, 0, 1);
	rig_pass(&r, 99 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 2 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

TEST(knob__0__none_waits)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.delayed_ack_ms = 0");

	for (uint32_t i = 0; i < 40; i++) {
		text_in(&r, i, 1);
		EXPECT_ACK(&r, ISS + 1, IRS + 2 + i);
	}
}

/* RFC 7323 4.3 asks where a segment really begins, and what it begins before is the last ACK sent, not RCV.NXT. */
TEST(overlap_while_it_is_pending__its_timestamp_is_echoed)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	uint32_t sent;

	settle(&r);
	text_in(&r, 0, 10);
	EXPECT_SILENCE(&r);
	r.peer_tsval += 7;
	text_in(&r, 0, 20); /* sent again with more: what is old is cut off */
	sent = r.peer_tsval;
	rig_pass(&r, 100 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 21);
	assert_int_equal(r.out.seg.opts.tsecr, sent);
	r.peer_tsval += 7;
	sent = r.peer_tsval;
	text_in(&r, 20, 10);
	r.peer_tsval += 7;
	text_in(&r, 25, 20); /* begins beyond the last ACK sent */
	rig_pass(&r, 100 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 46);
	assert_int_equal(r.out.seg.opts.tsecr, sent);
}

/* RFC 5681 4.2: at once, as long as something is missing. */
TEST(in_order__and_more_is_missing__at_once)
{
	RIG_AT(r, ESTABLISHED);
	settle(&r);
	text_in(&r, 2000, 1000);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	settle(&r);
	text_in(&r, 0, 1000);
	EXPECT_ACK(&r, ISS + 1, IRS + 1001);
	EXPECT_SILENCE(&r);
}

/* RFC 5681 4.2: what fills a gap is acknowledged at once, however little it is. */
TEST(gap_is_filled__at_once)
{
	RIG_AT(r, ESTABLISHED);
	settle(&r);
	text_in(&r, 100, 100);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	settle(&r);
	text_in(&r, 0, 100);
	EXPECT_ACK(&r, ISS + 1, IRS + 201);
}

RUN(T(one_segment__after_the_delay), T(second_full_segment__at_once), T(text__is_told_once_it_is_in_order),
    T(out_of_order__at_once_each), T(answer_in_time__carries_the_acknowledgment),
    T(fin__waits_for_an_answer__unless_there_was_nothing_else), T(fin_out_of_order__acknowledged_when_the_rest_is_here),
    T(first_segments__at_once_each__then_they_wait), T(quickack__off__waits_from_the_first),
    T(text_sent_while_nothing_came__is_no_quick_ack), T(answers__make_it_wait_for_the_next),
    T(second_full_segment__nobody_reads__waits), T(segments_close_to_each_other__it_may_wait_less),
    T(ack_that_waited_in_vain__waits_longer__to_a_bound), T(two_short_segments_read__acknowledged_at_once),
    T(rcv_mss__of_large_segments_the_largest__of_small_ones_two_that_agree),
    T(rcv_mss__pushed_small_segments__say_nothing), T(knob__says_how_long), T(knob__0__none_waits),
    T(overlap_while_it_is_pending__its_timestamp_is_echoed), T(in_order__and_more_is_missing__at_once),
    T(gap_is_filled__at_once))
