/* SPDX-License-Identifier: MIT */
/* RFC 9293 3.10.7.2 and 3.10.7.1; Linux's two queues (kernel-truth 8); cookies. */
#include "tests/unit/engine/peer.h"
#include <errno.h>

static void syn_from(struct rig *r, uint16_t port)
{
	r->at.peer_port = port;
	IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = PEER_MSS);
}

/* The SYN+ACK it was answered with, if it was; then the last ACK of the handshake. */
static bool open_from(struct rig *r, uint16_t port, bool finish)
{
	r->shift = 0;
	syn_from(r, port);
	if (!rig_out(r))
		return false;
	assert_int_equal(r->out.seg.flags, F_SYN | F_ACK);
	r->shift = r->out.seg.seq.v - ISS;
	if (finish)
		IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	return true;
}

static struct conn *listener(const struct rig *r) { return conn_of_sock(r->e, r->listener); }

/* ---- TCP_DEFER_ACCEPT ---- */

/* Three seconds are two SYN+ACKs: none after one second, since an ACK came, but one last after three. */
TEST(defer_accept__ack_without_text__is_ignored_until_its_time_is_over)
{
	RIG_AT(r, LISTEN);
	const int seconds = 3;

	assert_int_equal(la_setsockopt(r.h, r.listener, LA_TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)), 0);
	assert_true(open_from(&r, 5000, true));
	EXPECT_COUNT(&r, defer_accept_drop, 1);
	rig_pass(&r, 2999 * NSEC_PER_MS);
	EXPECT_SILENCE(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_COUNT(&r, defer_accept_drop, 2);
	assert_int_equal(la_accept(r.h, r.listener, NULL), -EAGAIN);
	rig_pass(&r, NSEC_PER_MS);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	assert_true(la_accept(r.h, r.listener, NULL) > 0);
	EXPECT_COUNT(&r, defer_accept_drop, 2);
}

TEST(defer_accept__text__is_accepted_at_once)
{
	RIG_AT(r, LISTEN);
	const int seconds = 3;

	assert_int_equal(la_setsockopt(r.h, r.listener, LA_TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)), 0);
	assert_true(open_from(&r, 5000, true));
	EXPECT_SILENCE(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 4);
	assert_true(la_accept(r.h, r.listener, NULL) > 0);
}

/* Whom no ACK came from is asked again as ever, and given up in the end. */
TEST(defer_accept__no_ack__is_no_exception)
{
	RIG_AT_WITH(r, LISTEN, .knobs = "net.ipv4.tcp_synack_retries = 1");
	const int seconds = 100;

	assert_int_equal(la_setsockopt(r.h, r.listener, LA_TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)), 0);
	assert_true(open_from(&r, 5000, false));
	rig_pass(&r, NSEC_PER_S);
	assert_true(rig_out(&r));
	rig_pass(&r, 2 * NSEC_PER_S);
	EXPECT_SILENCE(&r);
	assert_int_equal(listener(&r)->n_syn, 0);
}

/* ---- the steps ---- */

TEST(first__rst__is_ignored)
{
	RIG_AT(r, LISTEN);
	IN(&r, .flags = F_RST, .seq = seq(IRS));
	IN(&r, .flags = F_RST | F_ACK, .seq = seq(IRS), .ack = seq(1));
	IN(&r, .flags = F_RST | F_SYN, .seq = seq(IRS));
	EXPECT_SILENCE(&r);
	assert_null(rig_conn(&r));
}

TEST(second__ack__is_reset)
{
	static const uint8_t flags[] = {F_ACK, F_SYN | F_ACK, F_FIN | F_ACK, F_PSH | F_ACK};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		RIG_AT(r, LISTEN);
		IN(&r, .flags = flags[i], .seq = seq(IRS), .ack = seq(77), .len = 3);
		EXPECT_RST(&r, 77);
		EXPECT_SILENCE(&r);
		assert_null(rig_conn(&r));
	}
}

TEST(third__syn__makes_a_child_and_the_listener_stays)
{
	for (int v6 = 0; v6 < 2; v6++) {
		RIG_AT_WITH(r, LISTEN, .v6 = v6);
		IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = 1400);
		EXPECT_STATE(&r, SYN_RECEIVED);
		EXPECT_TOOK(&r, F5_05_LISTEN_SYN);
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
		assert_int_equal(r.out.seg.ack.v, IRS + 1);
		assert_int_equal(r.out.seg.opts.mss, v6 ? 1440 : 1460);
		assert_false(r.out.seg.opts.has_ts); /* not offered */
		assert_false(r.out.seg.opts.has_wscale);
		assert_int_equal(listener(&r)->state, LISTEN);
		assert_int_equal(listener(&r)->n_syn, 1);
		assert_int_equal(r.e->n_embryonic, 1);
	}
}

TEST(third__syn_with_text__text_is_left_to_come_again)
{
	RIG_AT(r, LISTEN);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .len = 10);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.ack.v, IRS + 1);
}

TEST(third__syn_and_fin__linux_drops_it)
{
	for (int rfc = 0; rfc < 2; rfc++) {
		RIG_AT_WITH(r, LISTEN, .knobs = rfc ? "engine.policy = rfc9293" : NULL);
		IN(&r, .flags = F_SYN | F_FIN, .seq = seq(IRS));
		assert_int_equal(rig_out(&r), rfc);
		EXPECT_COUNT(&r, listen_drops, 0);
	}
}

TEST(fourth__neither__is_dropped)
{
	RIG_AT(r, LISTEN);
	IN(&r, .flags = 0, .seq = seq(IRS), .len = 10);
	IN(&r, .flags = F_FIN, .seq = seq(IRS));
	EXPECT_SILENCE(&r);
}

TEST(land__syn_from_our_own_address_and_port__is_dropped)
{
	RIG_AT(r, LISTEN);
	struct seg s = {.src = r.at.us, .dst = r.at.us, .sport = RIG_PORT, .dport = RIG_PORT, .flags = F_SYN};

	rig_in_raw(&r, &s);
	EXPECT_SILENCE(&r);
	assert_int_equal(r.e->n_sockets, 1);
}

TEST(syn_from_another_port_of_our_own__is_answered)
{
	RIG_AT(r, LISTEN);
	struct seg s = {.src = r.at.us, .dst = r.at.us, .sport = RIG_PORT + 1, .dport = RIG_PORT, .flags = F_SYN};

	rig_in_raw(&r, &s);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
}

TEST(syn_from_what_cannot_be_an_end__is_dropped)
{
	RIG_AT(r, LISTEN);
	static const uint8_t first[] = {0, 224, 239, 255};
	struct seg s = {.dst = r.at.us, .sport = 5, .dport = RIG_PORT, .flags = F_SYN};

	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		s.src = first[i] == 255 ? addr_v4(255, 255, 255, 255) : addr_v4(first[i], 0, 0, first[i] ? 1 : 0);
		rig_in_raw(&r, &s);
	}
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, la_in_bad_ip, 4);
	EXPECT_COUNT(&r, in_segs, 0);
}

/* ---- 3.10.7.1 ---- */

TEST(closed__what_is_for_nobody__is_reset)
{
	RIG(r);
	IN(&r, .flags = F_SYN, .seq = seq(IRS));
	EXPECT_RST_ACK(&r, IRS + 1);
	IN(&r, .flags = F_SYN | F_FIN, .seq = seq(IRS), .len = 10);
	EXPECT_RST_ACK(&r, IRS + 12);
	IN(&r, .flags = F_ACK, .seq = seq(IRS), .ack = seq(99));
	EXPECT_RST(&r, 99);
	IN(&r, .flags = F_RST, .seq = seq(IRS));
	IN(&r, .flags = F_RST | F_ACK, .seq = seq(IRS), .ack = seq(99));
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, out_rsts, 3);
	EXPECT_COUNT(&r, in_segs, 5);
}

TEST(replies__beyond_the_queue__are_dropped_and_counted)
{
	RIG(r);
	for (int i = 0; i < 12; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS), .ack = seq((uint32_t)i));
	for (uint32_t i = 0; i < 8; i++)
		EXPECT_RST(&r, i);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, la_replies_dropped, 4);
	for (uint32_t i = 0; i < 5; i++) { /* round the ring */
		IN(&r, .flags = F_ACK, .seq = seq(IRS), .ack = seq(100 + i));
		EXPECT_RST(&r, 100 + i);
	}
}

/* ---- queues ---- */

TEST(accept_queue__holds_backlog_and_one__then_syns_are_dropped)
{
	RIG_WITH(r, .cfg.max_sockets = 64);
	rig_listen(&r, 4);
	for (uint16_t i = 0; i < 5; i++)
		assert_true(open_from(&r, (uint16_t)(1000 + i), true));
	assert_int_equal(listener(&r)->n_accept, 5);
	assert_false(open_from(&r, 2000, true));
	EXPECT_COUNT(&r, listen_overflows, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
	assert_true(la_accept(r.h, r.listener, NULL) > 0);
	assert_true(open_from(&r, 2001, true));
}

TEST(syn_queue__holds_five_with_backlog_4__then_a_cookie)
{
	RIG_WITH(r, .cfg.max_sockets = 64);
	rig_listen(&r, 4);
	for (uint16_t i = 0; i < 5; i++)
		assert_true(open_from(&r, (uint16_t)(1000 + i), false));
	EXPECT_COUNT(&r, syncookies_sent, 0);
	assert_true(open_from(&r, 2000, false));
	EXPECT_COUNT(&r, syncookies_sent, 1);
	EXPECT_COUNT(&r, req_q_full_cookies, 1);
	assert_int_equal(listener(&r)->n_syn, 5);
	assert_null(rig_conn(&r));
}

TEST(syn_queue__full_without_cookies__drops)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_syncookies = 0");
	rig_listen(&r, 4);
	for (uint16_t i = 0; i < 5; i++)
		assert_true(open_from(&r, (uint16_t)(1000 + i), false));
	assert_false(open_from(&r, 2000, false));
	EXPECT_COUNT(&r, req_q_full_drop, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
	EXPECT_COUNT(&r, listen_overflows, 0);
}

/* kernel-truth 8: limit 8, 7 of 20 answered. */
TEST(max_syn_backlog__keeps_its_last_quarter__without_cookies_only)
{
	for (int cookies = 0; cookies < 2; cookies++) {
		RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_max_syn_backlog = 8");
		unsigned answered = 0;

		rig_knob(&r, "net.ipv4.tcp_syncookies", cookies ? "1" : "0");
		rig_listen(&r, 128);
		for (uint16_t i = 0; i < 20; i++)
			answered += open_from(&r, (uint16_t)(1000 + i), false);
		assert_int_equal(answered, cookies ? 20 : 7);
	}
}

TEST(last_ack__accept_queue_full__is_ignored)
{
	RIG_WITH(r, .cfg.max_sockets = 64);
	rig_listen(&r, 0);
	assert_true(open_from(&r, 1000, false));
	uint32_t shift = r.shift;
	assert_true(open_from(&r, 1001, true));
	r.at.peer_port = 1000;
	r.shift = shift;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, SYN_RECEIVED);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, listen_overflows, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
	rig_pass(&r, 1100 * NSEC_PER_MS);
	EXPECT_SEG(&r, F_SYN | F_ACK, ISS, IRS + 1, 0); /* it comes again */
	assert_true(la_accept(r.h, r.listener, NULL) > 0);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, ESTABLISHED);
}

TEST(last_ack__accept_queue_full__abort_on_overflow_resets)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_abort_on_overflow = 1");
	rig_listen(&r, 0);
	assert_true(open_from(&r, 1000, false));
	uint32_t shift = r.shift;
	assert_true(open_from(&r, 1001, true));
	r.at.peer_port = 1000;
	r.shift = shift;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_RST(&r, ISS + 1);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, ABORT_SYN_RECEIVED);
	EXPECT_COUNT(&r, embryonic_rsts, 1);
	EXPECT_COUNT(&r, listen_overflows, 1);
}

TEST(max_sockets__syn_is_dropped_and_counted)
{
	RIG_WITH(r, .cfg.max_sockets = 3);
	rig_listen(&r, 128);
	assert_true(open_from(&r, 1000, true));
	assert_true(open_from(&r, 1001, true));
	assert_false(open_from(&r, 1002, false));
	EXPECT_COUNT(&r, la_no_socket, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
}

/* ---- cookies ---- */

TEST(cookie__its_ack_establishes__with_the_options_it_could_keep)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_syncookies = 2", .ts = true);
	rig_listen(&r, 4);
	assert_true(open_from(&r, 1000, false));
	assert_true(r.out.seg.opts.has_ts);
	assert_int_equal(r.out.seg.opts.mss, 1460);
	assert_null(rig_conn(&r));
	assert_int_equal(r.e->n_sockets, 1);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 3);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(rig_conn(&r)->snd_mss, 1460 - 12);
	assert_int_equal(rig_conn(&r)->rcv_nxt.v, IRS + 4);
	EXPECT_COUNT(&r, syncookies_recv, 1);
	EXPECT_COUNT(&r, passive_opens, 1);
	EXPECT_TOOK(&r, F5_05_LISTEN_SYN);
	EXPECT_TOOK(&r, F5_09_SYN_ACKED);
	r.s = la_accept(r.h, r.listener, NULL);
	assert_true(r.s > 0);
	assert_int_equal(la_send(r.h, r.s, "hi", 2, 0), 2);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 4, 2);
}

TEST(cookie__wrong_one__is_reset_and_counted)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_syncookies = 2");
	rig_listen(&r, 4);
	assert_true(open_from(&r, 1000, false));
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	EXPECT_RST(&r, ISS + 2);
	EXPECT_COUNT(&r, syncookies_failed, 1);
}

TEST(cookie__none_was_sent__an_ack_is_not_even_looked_at)
{
	RIG_AT(r, LISTEN);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_RST(&r, ISS + 1);
	EXPECT_COUNT(&r, syncookies_failed, 0);
}

TEST(cookie__too_old__is_reset)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_syncookies = 2");
	rig_listen(&r, 4);
	assert_true(open_from(&r, 1000, false));
	r.now += 300 * NSEC_PER_S;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_RST(&r, ISS + 1);
	EXPECT_COUNT(&r, syncookies_failed, 0); /* none that is believed can be under way: not looked at */
}

TEST(cookie__accept_queue_full__is_dropped_in_silence)
{
	RIG_WITH(r, .cfg.max_sockets = 64, .knobs = "net.ipv4.tcp_syncookies = 2");
	rig_listen(&r, 0);
	assert_true(open_from(&r, 1000, false));
	uint32_t shift = r.shift;
	assert_true(open_from(&r, 1001, true));
	r.at.peer_port = 1000;
	r.shift = shift;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_SILENCE(&r);
	assert_null(rig_conn(&r));
	EXPECT_COUNT(&r, listen_overflows, 1);
}

/* ---- tcp_tw_recycle ---- */

TEST(tw_recycle__kernels_without_it__nothing_is_refused)
{
	static const char *const knobs[] = {"engine.policy = rfc9293\nnet.ipv4.tcp_tw_recycle = 1",
					    "engine.policy = linux-4.12\nnet.ipv4.tcp_tw_recycle = 1",
					    "engine.policy = linux-6.18\nnet.ipv4.tcp_tw_recycle = 1"};

	for (size_t i = 0; i < ARRAY_LEN(knobs); i++) {
		RIG_WITH(r, .ts = true, .knobs = knobs[i]);
		rig_to(&r, TIME_WAIT);
		r.at.peer_port++;
		IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.tsval = r.peer_tsval - 1000);
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
		EXPECT_COUNT(&r, paws_passive, 0);
	}
}

TEST(tw_recycle__older_timestamp_of_the_same_host__is_dropped)
{
	RIG_WITH(r, .ts = true, .knobs = "engine.policy = linux-2.6\nnet.ipv4.tcp_tw_recycle = 1");
	rig_to(&r, TIME_WAIT);
	IN(&r, .flags = F_SYN, .seq = seq(IRS + 100000), .opts.tsval = r.peer_tsval + 1); /* the same tuple: reopens */
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
	r.at.peer_port++; /* another one behind the same NAT, whose clock is behind */
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.tsval = r.peer_tsval - 1000);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, paws_passive, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.tsval = r.peer_tsval + 1000);
	assert_true(rig_out(&r));
}

RUN(T(defer_accept__ack_without_text__is_ignored_until_its_time_is_over), T(defer_accept__text__is_accepted_at_once),
    T(defer_accept__no_ack__is_no_exception), T(first__rst__is_ignored), T(second__ack__is_reset),
    T(third__syn__makes_a_child_and_the_listener_stays), T(third__syn_with_text__text_is_left_to_come_again),
    T(third__syn_and_fin__linux_drops_it), T(fourth__neither__is_dropped),
    T(land__syn_from_our_own_address_and_port__is_dropped), T(syn_from_another_port_of_our_own__is_answered),
    T(syn_from_what_cannot_be_an_end__is_dropped), T(closed__what_is_for_nobody__is_reset),
    T(replies__beyond_the_queue__are_dropped_and_counted),
    T(accept_queue__holds_backlog_and_one__then_syns_are_dropped),
    T(syn_queue__holds_five_with_backlog_4__then_a_cookie), T(syn_queue__full_without_cookies__drops),
    T(max_syn_backlog__keeps_its_last_quarter__without_cookies_only), T(last_ack__accept_queue_full__is_ignored),
    T(last_ack__accept_queue_full__abort_on_overflow_resets), T(max_sockets__syn_is_dropped_and_counted),
    T(cookie__its_ack_establishes__with_the_options_it_could_keep), T(cookie__wrong_one__is_reset_and_counted),
    T(cookie__none_was_sent__an_ack_is_not_even_looked_at), T(cookie__too_old__is_reset),
    T(cookie__accept_queue_full__is_dropped_in_silence), T(tw_recycle__older_timestamp_of_the_same_host__is_dropped),
    T(tw_recycle__kernels_without_it__nothing_is_refused))
