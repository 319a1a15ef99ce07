/* SPDX-License-Identifier: MIT */
/* When received text is acknowledged: RFC 9293 3.8.6.3, RFC 5681 4.2. */
#include "tests/unit/engine/flow.h"

enum { MSS = PEER_MSS };

TEST(one_segment__after_the_delay)
{
	RIG_AT(r, ESTABLISHED);

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
	RIG_AT(r, ESTABLISHED);

	for (uint32_t i = 0; i < 4; i += 2) {
		text_in(&r, i * MSS, MSS);
		EXPECT_SILENCE(&r);
		text_in(&r, (i + 1) * MSS, MSS);
		EXPECT_ACK(&r, ISS + 1, IRS + 1 + (i + 2) * MSS); /* SHLD-19 */
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

	text_in(&r, 0, 100);
	rig_pass(&r, 10 * MS);
	put(&r, 7);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 101, 7);
	rig_pass(&r, 100 * MS);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, delayed_acks, 0);
}

TEST(fin__at_once)
{
	RIG_AT(r, ESTABLISHED);

	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 5);
	EXPECT_ACK(&r, ISS + 1, IRS + 7);
	EXPECT_STATE(&r, CLOSE_WAIT);
}

TEST(fin_out_of_order__acknowledged_when_the_rest_is_here)
{
	RIG_AT(r, ESTABLISHED);

	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 101), .ack = seq(ISS + 1));
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	EXPECT_STATE(&r, ESTABLISHED);
	text_in(&r, 0, 100);
	EXPECT_ACK(&r, ISS + 1, IRS + 102);
	EXPECT_STATE(&r, CLOSE_WAIT);
}

TEST(quickack__at_once_each)
{
	RIG_AT(r, ESTABLISHED);
	int on = 1;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_QUICKACK, &on, sizeof(on)), 0);
	text_in(&r, 0, 1);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

TEST(knob__says_how_long)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.delayed_ack_ms = 300");

	text_in(&r, 0, 1);
	rig_pass(&r, 299 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 2 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

TEST(knob__0__due_now_and_not_before)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "engine.delayed_ack_ms = 0");

	r.now += 5 * MS + 1;
	text_in(&r, 0, 1);
	assert_in_range(la_next_at(r.h), r.now, r.now + 2 * MS);
	rig_pass(&r, 2 * MS);
	EXPECT_ACK(&r, ISS + 1, IRS + 2);
}

/* RFC 7323 4.3 asks where a segment really begins, and what it begins before is the last ACK sent, not RCV.NXT. */
TEST(overlap_while_it_is_pending__its_timestamp_is_echoed)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	uint32_t sent;

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

RUN(T(one_segment__after_the_delay), T(second_full_segment__at_once), T(text__is_told_once_it_is_in_order),
    T(out_of_order__at_once_each), T(answer_in_time__carries_the_acknowledgment), T(fin__at_once),
    T(fin_out_of_order__acknowledged_when_the_rest_is_here), T(quickack__at_once_each), T(knob__says_how_long),
    T(knob__0__due_now_and_not_before), T(overlap_while_it_is_pending__its_timestamp_is_echoed))
