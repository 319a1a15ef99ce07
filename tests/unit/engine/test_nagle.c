/* SPDX-License-Identifier: MIT */
/* When small segments may be sent: RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (silly windows), MSG_MORE. */
#include "tests/unit/engine/flow.h"
#include <errno.h>

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

/* Linux, and rule (3) of 3.8.6.2.1: segments of half of the largest window that was ever seen. */
TEST(window_that_never_was_large__segments_of_half_of_it)
{
	RIG_AT(r, LISTEN);
	struct seg s = {.flags = F_SYN, .seq = seq(IRS), .wnd = 1000, .opts.has_mss = true, .opts.mss = MSS};

	rig_in(&r, s);
	assert_true(rig_out(&r));
	r.shift += r.out.seg.seq.v - ISS;
	ack_wnd(&r, 0, 1000);
	r.s = la_accept(r.h, r.listener, NULL);
	put(&r, 5000);
	expect_text(&r, 0, 500);
	expect_text(&r, 500, 500);
	ack_wnd(&r, 1000, 499);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 1000, 500);
	expect_text(&r, 1000, 500);
}

/* ---- Minshall ---- */

TEST(full_segments_in_flight__what_is_left_goes_too)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 2 * MSS);
	rig_drain(&r);
	put(&r, 10); /* nothing short is on its way */
	expect_text(&r, 2 * MSS, 10);
	put(&r, 10);
	EXPECT_SILENCE(&r);
	ack(&r, 2 * MSS);
	EXPECT_SILENCE(&r);
	ack(&r, 2 * MSS + 10);
	expect_text(&r, 2 * MSS + 10, 10);
}

/* ---- corks ---- */

static void option(struct rig *r, enum la_opt opt, int on)
{
	assert_int_equal(la_setsockopt(r->h, r->s, opt, &on, sizeof(on)), 0);
}

static bool psh(const struct rig *r) { return r->out.seg.flags & F_PSH; }

TEST(cork__holds_until_it_is_off)
{
	RIG_AT(r, ESTABLISHED);

	option(&r, LA_TCP_CORK, 1);
	put(&r, 40);
	put(&r, 40);
	EXPECT_SILENCE(&r);
	option(&r, LA_TCP_CORK, 0);
	expect_text(&r, 0, 80);
	assert_true(psh(&r));
}

TEST(cork__full_segments_go_and_the_rest_waits)
{
	RIG_AT(r, ESTABLISHED);

	option(&r, LA_TCP_CORK, 1);
	put(&r, MSS + 10);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
	ack(&r, MSS);
	EXPECT_SILENCE(&r); /* MSG_MORE would let it go here, a cork does not */
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1 + MSS, IRS + 1, 10);
}

TEST(nodelay__set_on_what_is_corked__lets_it_go_once)
{
	RIG_AT(r, ESTABLISHED);

	option(&r, LA_TCP_CORK, 1);
	put(&r, 40);
	option(&r, LA_TCP_NODELAY, 1);
	expect_text(&r, 0, 40);
	ack(&r, 40);
	put(&r, 40);
	EXPECT_SILENCE(&r); /* the cork is still in */
	option(&r, LA_TCP_CORK, 0);
	expect_text(&r, 40, 40);
}

TEST(more__any_segment_of_the_peer__lets_it_go_without_psh)
{
	RIG_AT(r, ESTABLISHED);
	static uint8_t text[MSS + 10];

	assert_int_equal(la_send(r.h, r.s, text, MSS + 10, LA_MORE), MSS + 10);
	expect_text(&r, 0, MSS);
	EXPECT_SILENCE(&r);
	ack(&r, MSS);
	expect_text(&r, MSS, 10);
	assert_false(psh(&r));
}

TEST(more__after_text_with_psh__takes_it_back)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 1);
	expect_text(&r, 0, 1);
	put(&r, 10);
	assert_int_equal(la_send(r.h, r.s, "tail", 4, LA_MORE), 4);
	ack(&r, 1);
	expect_text(&r, 1, 14);
	assert_false(psh(&r));
}

TEST(more__half_of_the_window_unpushed__carries_psh)
{
	RIG_AT(r, ESTABLISHED); /* 8192 */
	static uint8_t text[4200];

	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), LA_MORE), sizeof(text));
	rig_drain(&r);
	ack(&r, 2 * MSS);
	expect_text(&r, 2 * MSS, 4200 - 2 * MSS);
	assert_true(psh(&r));
}

/* ---- bursts and PSH ---- */

TEST(burst__last_of_several__carries_psh)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->cc.cwnd = 4; /* Linux has two packets in flight at least: no burst is more than half of it */
	put(&r, 6000);
	for (uint32_t i = 0; i < 4; i++) {
		expect_text(&r, i * MSS, MSS);
		assert_int_equal(psh(&r), i % 2 == 1);
	}
	EXPECT_SILENCE(&r);
	ack(&r, MSS);
	expect_text(&r, 4 * MSS, 6000 - 4 * MSS);
	assert_true(psh(&r)); /* the end of what was written */
}

TEST(burst__one_segment_in_the_middle__no_psh)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->cc.cwnd = 1;
	put(&r, 3 * MSS);
	expect_text(&r, 0, MSS);
	assert_false(psh(&r));
}

/* ---- how much is taken ---- */

/* A packet is filled whatever waits; here it holds two segments, half of the peer's window. Another is begun below the mark only. */
TEST(notsent_lowat__one_packet_at_a_time)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "net.ipv4.tcp_notsent_lowat = 2000");
	static uint8_t text[10000];

	assert_int_equal(8192 / 2 / MSS, 2);
	rig_conn(&r)->cc.cwnd = 1;
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), 2 * MSS);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), -EAGAIN);
	assert_false(la_poll(r.h, r.s) & LA_OUT);
	expect_text(&r, 0, MSS);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), MSS);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), -EAGAIN);
}

TEST(notsent_lowat__all_is_sent__writable_without_an_ack)
{
	RIG_AT_WITH(r, ESTABLISHED, .knobs = "net.ipv4.tcp_notsent_lowat = 2000");
	static uint8_t text[10000];
	struct la_event ev;

	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), 2 * MSS);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), -EAGAIN);
	while (la_event(r.h, &ev))
		assert_false(ev.events & LA_OUT);
	expect_text(&r, 0, MSS);
	expect_text(&r, MSS, MSS);
	assert_true(la_event(r.h, &ev));
	assert_true(ev.events & LA_OUT);
}

TEST(sndbuf__full_packets_beyond_it__then_no_more)
{
	RIG_AT(r, ESTABLISHED);
	static uint8_t text[30000];
	const int v = 2000; /* becomes 4608, the least */

	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_SNDBUF, &v, sizeof(v)), 0);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), 4 * MSS);
	assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), -EAGAIN);
}

/* ---- records ---- */

TEST(eor__sent_again__still_ends_there)
{
	RIG_AT(r, ESTABLISHED);

	assert_int_equal(la_send(r.h, r.s, "first", 5, LA_EOR), 5);
	assert_int_equal(la_send(r.h, r.s, "second", 6, LA_EOR), 6);
	expect_text(&r, 0, 5);
	expect_text(&r, 5, 6);
	rig_pass(&r, 3000 * NSEC_PER_MS);
	rig_drain(&r);
	rig_pass(&r, 3000 * NSEC_PER_MS);
	expect_text(&r, 0, 5);
}

TEST(eor__a_segment_ends_there)
{
	RIG_AT(r, ESTABLISHED);

	assert_int_equal(la_send(r.h, r.s, "first", 5, LA_MORE), 5);
	assert_int_equal(la_send(r.h, r.s, "second", 6, LA_EOR), 6);
	assert_int_equal(la_send(r.h, r.s, "third", 5, LA_EOR), 5);
	put(&r, 7);
	expect_text(&r, 0, 11);
	assert_true(psh(&r));
	expect_text(&r, 11, 5); /* no end of a record waits for more: there will be none */
	assert_true(psh(&r));
	EXPECT_SILENCE(&r); /* but what is no record does */
	ack(&r, 16);
	expect_text(&r, 16, 7);
}

TEST(eor__too_many__eagain_until_one_is_sent)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->cc.cwnd = EOR_MAX;
	ack_wnd(&r, 0, 0);
	for (unsigned i = 0; i < EOR_MAX; i++)
		assert_int_equal(la_send(r.h, r.s, "r", 1, LA_EOR), 1);
	assert_int_equal(la_send(r.h, r.s, "r", 1, LA_EOR), -EAGAIN);
	assert_false(la_poll(r.h, r.s) & LA_OUT);
	assert_int_equal(la_send(r.h, r.s, "r", 1, 0), 1);
	ack_wnd(&r, 0, 8192);
	for (uint32_t i = 0; i < EOR_MAX; i++)
		expect_text(&r, i, 1);
	assert_true(la_poll(r.h, r.s) & LA_OUT);
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

TEST(long_write__is_pushed_within_once_half_of_the_window_is_full)
{
	RIG_AT_WITH(r, ESTABLISHED, .cfg.send_buffer = 65536);
	struct conn *c = rig_conn(&r);

	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .wnd = 20000);
	c->cc.cwnd = c->cc.ssthresh = 2; /* bursts of one segment: these are not pushed by themselves */
	put(&r, 20 * MSS);
	for (uint32_t i = 1; i <= 12; i++) {
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.len, MSS);
		/* six fill half of the window, two are let go meanwhile */
		assert_int_equal((r.out.seg.flags & F_PSH) != 0, i == 8);
		c->cc.cwnd = 2;
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + i * MSS), .wnd = 20000);
	}
}

RUN(T(idle__small_text_goes_at_once), T(long_write__is_pushed_within_once_half_of_the_window_is_full),
    T(octets_in_flight__small_text_waits_and_collects), T(octets_in_flight__a_full_segment_goes),
    T(nodelay__every_write_goes), T(fin__does_not_wait), T(more__waits_for_more_and_at_most_for_the_override),
    T(more__and_then_less__the_timeout_counts_from_the_sending), T(more__full_segments_go),
    T(window_opened_by_little__waits_for_half_of_it), T(window_that_never_was_large__segments_of_half_of_it),
    T(full_segments_in_flight__what_is_left_goes_too), T(cork__holds_until_it_is_off),
    T(cork__full_segments_go_and_the_rest_waits), T(nodelay__set_on_what_is_corked__lets_it_go_once),
    T(more__any_segment_of_the_peer__lets_it_go_without_psh), T(more__after_text_with_psh__takes_it_back),
    T(more__half_of_the_window_unpushed__carries_psh), T(burst__last_of_several__carries_psh),
    T(burst__one_segment_in_the_middle__no_psh), T(notsent_lowat__one_packet_at_a_time),
    T(notsent_lowat__all_is_sent__writable_without_an_ack), T(sndbuf__full_packets_beyond_it__then_no_more),
    T(eor__sent_again__still_ends_there), T(eor__a_segment_ends_there), T(eor__too_many__eagain_until_one_is_sent),
    T(window_that_stays_small__is_used_after_a_while))
