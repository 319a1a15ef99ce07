/* SPDX-License-Identifier: MIT */
/* RFC 9293 3.10.7.3, step by step. */
#include "tests/unit/engine/peer.h"

#include <errno.h>

static int so_error(struct rig *r)
{
	int err = 0;
	size_t len = sizeof(err);

	assert_int_equal(la_getsockopt(r->h, r->s, LA_SO_ERROR, &err, &len), 0);
	return err;
}

/* ---- TCP_DEFER_ACCEPT, and TCP_QUICKACK switched off ---- */

TEST(syn_ack__the_ack_waits_for_the_first_text)
{
	const int off = 0, on = 1;

	for (int defer = 0; defer < 2; defer++) {
		RIG_AT(r, SYN_SENT);
		assert_int_equal(defer ? la_setsockopt(r.h, r.s, LA_TCP_DEFER_ACCEPT, &on, sizeof(on))
				       : la_setsockopt(r.h, r.s, LA_TCP_QUICKACK, &off, sizeof(off)),
				 0);
		IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1));
		EXPECT_STATE(&r, ESTABLISHED);
		EXPECT_SILENCE(&r);
		if (defer)
			assert_int_equal(la_send(r.h, r.s, "x", 1, 0), 1);
		else
			rig_pass(&r, 199 * NSEC_PER_MS);
		if (!defer) {
			EXPECT_SILENCE(&r);
			rig_pass(&r, NSEC_PER_MS);
		}
		EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, defer);
		EXPECT_SILENCE(&r);
	}
}

/* ---- first ---- */

TEST(first__unacceptable_ack__is_reset_and_we_stay)
{
	static const uint32_t bad[] = {ISS, ISS - 1, ISS + 2, ISS + 100000};
	static const uint8_t flags[] = {F_ACK, F_SYN | F_ACK, F_FIN | F_ACK};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t j = 0; j < ARRAY_LEN(flags); j++) {
			RIG_AT(r, SYN_SENT);
			IN(&r, .flags = flags[j], .seq = seq(IRS), .ack = seq(bad[i]));
			EXPECT_RST(&r, bad[i]);
			EXPECT_SILENCE(&r);
			EXPECT_STATE(&r, SYN_SENT);
		}
}

TEST(first__unacceptable_ack_with_rst__is_dropped)
{
	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_RST | F_ACK, .seq = seq(IRS), .ack = seq(ISS));
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, SYN_SENT);
}

/* kernel-truth 1.4: a peer's TIME_WAIT answered; our RST ends it, and the SYN goes again at once, not after a second. */
TEST(first__unacceptable_ack__linux_sends_the_syn_again_after_8_ms)
{
	for (int rfc = 0; rfc < 2; rfc++) {
		RIG_AT_WITH(r, SYN_SENT, .knobs = rfc ? "engine.policy = rfc9293" : NULL);
		IN(&r, .flags = F_ACK, .seq = seq(IRS), .ack = seq(ISS - 500));
		EXPECT_RST(&r, ISS - 500);
		rig_pass(&r, 10 * NSEC_PER_MS);
		if (rfc)
			EXPECT_SILENCE(&r);
		else
			EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
		rig_pass(&r, 1000 * NSEC_PER_MS);
		EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
	}
}

TEST(first__echo_that_is_not_ours__counts_paws_active)
{
	RIG_AT(r, SYN_SENT);
	struct tcp_opts o = {.has_ts = true, .tsval = 1, .tsecr = r.out.seg.opts.tsval - 1};

	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts = o);
	EXPECT_RST(&r, ISS + 1);
	EXPECT_COUNT(&r, paws_active, 1);
	o.tsecr += 2; /* one that we have yet to send */
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts = o);
	EXPECT_RST(&r, ISS + 1);
	EXPECT_COUNT(&r, paws_active, 2);
	o.tsecr -= 1;
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts = o);
	EXPECT_STATE(&r, ESTABLISHED);
}

TEST(first__echo_of_the_first_syn__is_good_after_a_second_one)
{
	RIG_AT(r, SYN_SENT);
	uint32_t first = r.out.seg.opts.tsval;

	rig_pass(&r, 1500 * NSEC_PER_MS);
	EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
	assert_int_equal(r.out.seg.opts.tsval - first, 1000);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_ts = true, .opts.tsval = 1,
	   .opts.tsecr = first);
	EXPECT_STATE(&r, ESTABLISHED);
}

/* ---- second ---- */

TEST(second__rst_with_acceptable_ack__refuses)
{
	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_RST | F_ACK, .seq = seq(0), .ack = seq(ISS + 1));
	EXPECT_TOOK(&r, RST_SYN_SENT);
	EXPECT_SILENCE(&r);
	assert_int_equal(so_error(&r), ECONNREFUSED);
	EXPECT_COUNT(&r, attempt_fails, 1);
}

TEST(second__rst_without_ack__is_dropped)
{
	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_RST, .seq = seq(0));
	IN(&r, .flags = F_RST | F_SYN, .seq = seq(IRS));
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, SYN_SENT);
}

/* ---- fourth ---- */

TEST(fourth__syn_ack__establishes_and_is_acked)
{
	for (int v6 = 0; v6 < 2; v6++) {
		RIG_AT_WITH(r, SYN_SENT, .v6 = v6);
		IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .wnd = 5000);
		EXPECT_STATE(&r, ESTABLISHED);
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
		EXPECT_TOOK(&r, F5_10_SYN_ACK);
		assert_int_equal(rig_conn(&r)->snd_wnd, 5000);
		assert_int_equal(rig_conn(&r)->snd_mss, v6 ? 1220 : 536); /* MUST-15: without the option */
		assert_true(la_poll(r.h, r.s) & LA_OUT);
		assert_int_equal(so_error(&r), 0);
	}
}

TEST(fourth__syn_ack__options_are_learned)
{
	RIG_AT(r, SYN_SENT);
	struct tcp_opts o = {
		.has_mss = true, .mss = 1000, .has_wscale = true, .wscale = 200, .has_ts = true, .tsval = 77};
	const struct conn *c = rig_conn(&r);

	o.tsecr = r.out.seg.opts.tsval;
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .wnd = 5000, .opts = o);
	assert_int_equal(c->snd_wscale, 14); /* RFC 7323 2.3 */
	assert_int_equal(c->snd_wnd, 5000); /* that of a SYN is never scaled */
	assert_int_equal(c->snd_mss, 1000 - 12);
	assert_int_equal(c->ts_recent, 77);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	assert_true(r.out.seg.opts.has_ts);
	assert_int_equal(r.out.seg.opts.tsecr, 77);
}

TEST(fourth__mss_0__does_not_make_us_send_empty_segments)
{
	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_mss = true);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	assert_int_equal(rig_conn(&r)->snd_mss, 48);
	la_send(r.h, r.s, "hello", 5, 0);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 5);
}

TEST(fourth__no_timestamps__none_is_sent_or_believed)
{
	RIG_AT_WITH(r, SYN_SENT, .knobs = "net.ipv4.tcp_timestamps = 0");
	assert_false(r.out.seg.opts.has_ts);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_ts = true, .opts.tsval = 5,
	   .opts.tsecr = 5);
	EXPECT_STATE(&r, ESTABLISHED);
	EXPECT_ACK(&r, ISS + 1, IRS + 1);
	assert_false(r.out.seg.opts.has_ts);
}

/* What connect() found is what all SYNs of the connection offer, and what a SYN+ACK is read against. */
TEST(fourth__timestamps_switched_after_connect__the_syn_offers_what_connect_found)
{
	const struct tcp_opts opts = {.has_mss = true, .mss = PEER_MSS, .has_ts = true, .tsval = 7};

	for (int on = 0; on < 2; on++) {
		RIG_WITH(r, .active = true,
			 .knobs = on ? "net.ipv4.tcp_timestamps = 1" : "net.ipv4.tcp_timestamps = 0");
		struct la_endpoint to = {.port = PEER_PORT};

		memcpy(to.addr, r.at.peer.b, sizeof(to.addr));
		r.s = la_socket(r.h, LA_INET);
		assert_int_equal(la_connect(r.h, r.s, &to), -EINPROGRESS);
		rig_knob(&r, "net.ipv4.tcp_timestamps", on ? "0" : "1");
		for (int i = 0; i < 2; i++) { /* the second is sent again */
			assert_true(rig_out(&r));
			assert_int_equal(r.out.seg.flags, F_SYN);
			assert_int_equal(r.out.seg.opts.has_ts, on);
			assert_true(r.out.seg.opts.has_wscale);
			if (i == 0)
				rig_pass(&r, 1100 * NSEC_PER_MS);
		}
		r.at.our_port = r.out.seg.sport;
		r.shift = 0;
		IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq_add(r.out.seg.seq, 1), .opts = opts);
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.flags, F_ACK);
		assert_int_equal(r.out.seg.opts.has_ts, on);
	}
}

TEST(fourth__syn_ack_with_text_and_fin__goes_on_at_the_sixth_step)
{
	uint8_t buf[10];

	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_SYN | F_ACK | F_FIN, .seq = seq(IRS), .ack = seq(ISS + 1), .len = 3);
	EXPECT_STATE(&r, CLOSE_WAIT);
	EXPECT_ACK(&r, ISS + 1, IRS + 5);
	assert_int_equal(la_recv(r.h, r.s, buf, sizeof(buf), 0), 3);
	assert_int_equal(la_recv(r.h, r.s, buf, sizeof(buf), 0), 0);
}

TEST(fourth__syn_alone__is_a_simultaneous_open)
{
	RIG_AT(r, SYN_SENT);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = 1460);
	EXPECT_STATE(&r, SYN_RECEIVED);
	EXPECT_SEG(&r, F_SYN | F_ACK, ISS, IRS + 1, 0);
	EXPECT_TOOK(&r, F5_08_SIMULTANEOUS_OPEN);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	EXPECT_STATE(&r, ESTABLISHED);
	assert_int_equal(la_send(r.h, r.s, "x", 1, 0), 1);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 1);
}

/* ---- fifth ---- */

TEST(fifth__neither_syn_nor_rst__is_dropped)
{
	static const uint8_t flags[] = {0, F_ACK, F_FIN, F_FIN | F_ACK, F_PSH | F_ACK, F_URG};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		RIG_AT(r, SYN_SENT);
		IN(&r, .flags = flags[i], .seq = seq(IRS), .ack = seq(ISS + 1), .len = 4);
		EXPECT_SILENCE(&r);
		EXPECT_STATE(&r, SYN_SENT);
	}
}

RUN(T(syn_ack__the_ack_waits_for_the_first_text), T(first__unacceptable_ack__is_reset_and_we_stay),
    T(first__unacceptable_ack_with_rst__is_dropped), T(first__unacceptable_ack__linux_sends_the_syn_again_after_8_ms),
    T(first__echo_that_is_not_ours__counts_paws_active), T(first__echo_of_the_first_syn__is_good_after_a_second_one),
    T(second__rst_with_acceptable_ack__refuses), T(second__rst_without_ack__is_dropped),
    T(fourth__syn_ack__establishes_and_is_acked), T(fourth__syn_ack__options_are_learned),
    T(fourth__mss_0__does_not_make_us_send_empty_segments), T(fourth__no_timestamps__none_is_sent_or_believed),
    T(fourth__timestamps_switched_after_connect__the_syn_offers_what_connect_found),
    T(fourth__syn_ack_with_text_and_fin__goes_on_at_the_sixth_step), T(fourth__syn_alone__is_a_simultaneous_open),
    T(fifth__neither_syn_nor_rst__is_dropped))
