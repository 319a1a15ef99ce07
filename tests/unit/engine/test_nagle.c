/* SPDX-License-Identifier: MIT */
/* When small segments may be sent: RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (silly windows), MSG_MORE. */
#include "tests/unit/engine/flow.h"

enum { MSS = PEER_MSS };

TEST(idle__small_text_goes_at_once)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	expect_text(&r, 0, 1);
}

TEST(octets_in_flight__small_text_waits_and_collects)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	expect_text(&r, 0, 1);
	for (int i = 0; i < 5; i++) {
		put(&r, 10);
		EXPECT_SILENCE(&r);
	}
	ack(&r, 1);
	expect_text(&r, 1, 50);
	EXPECT_SILENCE(&r);
}

TEST(octets_in_flight__a_full_segment_goes)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	expect_text(&r, 0, 1);
	put(&r, MSS - 1);
	EXPECT_SILENCE(&r);
	put(&r, 1);
	expect_text(&r, 1, MSS);
}

TEST(nodelay__every_write_goes)
{
	RIG_AT(r, ESTABLISHED);
	int on = 1;

	la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on));
	for (uint32_t i = 0; i < 5; i++) {
		put(&r, 10);
		expect_text(&r, 10 * i, 10);
	}
}

TEST(fin__does_not_wait)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	expect_text(&r, 0, 1);
	put(&r, 10);
	EXPECT_SILENCE(&r);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 2, IRS + 1, 10);
}

TEST(more__waits_for_more_and_at_most_for_the_override)
{
	RIG_AT(r, ESTABLISHED);

	assert_int_equal(la_send(r.h, r.s, "head", 4, LA_MORE), 4);
	EXPECT_SILENCE(&r);
	put(&r, 4);
	expect_text(&r, 0, 8);
	ack(&r, 8);
	assert_int_equal(la_send(r.h, r.s, "head", 4, LA_MORE), 4);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 190 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 20 * MS);
	expect_text(&r, 8, 4);
	EXPECT_COUNT(&r, win_probe, 0);
	EXPECT_COUNT(&r, timeouts, 0);
}

TEST(more__and_then_less__the_timeout_counts_from_the_sending)
{
	RIG_AT(r, ESTABLISHED);

	assert_int_equal(la_send(r.h, r.s, "head", 4, LA_MORE), 4);
	rig_pass(&r, 150 * MS);
	put(&r, 4);
	expect_text(&r, 0, 8);
	rig_pass(&r, 190 * MS); /* the override would have come after 51 */
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, timeouts, 0);
	rig_pass(&r, 12 * MS);
	expect_text(&r, 0, 8);
}

TEST(more__full_segments_go)
{
	RIG_AT(r, ESTABLISHED);
	static uint8_t text[2 * MSS];

	assert_int_equal(la_send(r.h, r.s, text, MSS + 1, LA_MORE), MSS + 1);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
}

TEST(window_opened_by_little__waits_for_half_of_it)
{
	RIG_AT(r, ESTABLISHED); /* the largest window seen is 8192 */

	put(&r, 8000);
	rig_drain(&r);
	ack_wnd(&r, 7300, 700); /* 5 segments are out, 700 octets are in flight or wait */
	rig_drain(&r);
	ack_wnd(&r, 8000, 0);
	put(&r, 5000);
	ack_wnd(&r, 8000, 500);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 8000, 1459);
	EXPECT_SILENCE(&r); /* neither a segment nor half of 8192 (MUST-38) */
	ack_wnd(&r, 8000, 1460);
	expect_text(&r, 8000, 1460);
}

TEST(window_that_never_was_large__half_of_it_is_enough)
{
	RIG_AT(r, LISTEN);
	struct seg s = {.flags = F_SYN, .seq = seq(IRS), .wnd = 1000, .opts.has_mss = true, .opts.mss = MSS};

	rig_in(&r, s);
	assert_true(rig_out(&r));
	r.shift += r.out.seg.seq.v - ISS;
	ack_wnd(&r, 0, 1000);
	r.s = la_accept(r.h, r.listener, NULL);
	put(&r, 5000);
	expect_text(&r, 0, 1000);
	ack_wnd(&r, 1000, 499);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 1000, 500);
	expect_text(&r, 1000, 500);
}

TEST(window_that_stays_small__is_used_after_a_while)
{
	RIG_AT(r, ESTABLISHED);

	ack_wnd(&r, 0, 600);
	put(&r, 5000);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 190 * MS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 20 * MS); /* the override timeout: 0.1 to 1 s */
	expect_text(&r, 0, 600);
	EXPECT_COUNT(&r, win_probe, 0);
	rig_pass(&r, 202 * MS);
	expect_text(&r, 0, 600); /* in flight now, so sent again */
}

RUN(T(idle__small_text_goes_at_once), T(octets_in_flight__small_text_waits_and_collects),
    T(octets_in_flight__a_full_segment_goes), T(nodelay__every_write_goes), T(fin__does_not_wait),
    T(more__waits_for_more_and_at_most_for_the_override), T(more__and_then_less__the_timeout_counts_from_the_sending),
    T(more__full_segments_go), T(window_opened_by_little__waits_for_half_of_it),
    T(window_that_never_was_large__half_of_it_is_enough), T(window_that_stays_small__is_used_after_a_while))
