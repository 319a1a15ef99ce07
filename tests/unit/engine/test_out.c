/* SPDX-License-Identifier: MIT */
/* What is sent, in which order, and what is counted; RFC 9293 3.8.6, 3.7.4, 3.9.1. */
#include "tests/unit/engine/flow.h"

static bool has_psh(const struct rig *r) { return r->out.seg.flags & F_PSH; }

TEST(syn__offers_mss_scale_timestamps_and_sack)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);
	const struct tcp_opts *o = &r.out.seg.opts;

	assert_true(o->has_mss && o->has_wscale && o->has_ts && o->sack_permitted);
	assert_int_equal(o->mss, 1460);
	assert_int_equal(o->wscale, 0); /* 8192 octets need none */
	assert_int_equal(o->tsecr, 0);
	assert_int_equal(r.out.seg.wnd, 7300); /* whole segments */
	EXPECT_COUNT(&r, out_segs, 1);
	EXPECT_COUNT(&r, retrans_segs, 0);
}

TEST(syn__large_buffer__offers_the_scale_that_announces_it)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true, .cfg.receive_buffer = 1 << 20, .v6 = true,
		    .knobs = "net.ipv4.tcp_timestamps = 0");

	assert_int_equal(r.out.seg.opts.wscale, 5);
	assert_int_equal(r.out.seg.wnd, 64800); /* never scaled; tcp_rmem[1] / 2 in whole segments */
	assert_int_equal(r.out.seg.opts.mss, 1440);
	assert_false(r.out.seg.opts.has_ts);
}

TEST(syn_ack__agrees_to_what_the_syn_offered_only)
{
	RIG_AT(r, LISTEN);

	rig_syn(&r);
	assert_true(r.out.seg.opts.has_mss && !r.out.seg.opts.has_wscale && !r.out.seg.opts.has_ts);
	IN(&r, .flags = F_RST, .seq = seq(IRS + 1));
	r.peer_ts = true;
	r.shift = 0;
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_wscale = true, .opts.wscale = 3);
	assert_true(rig_out(&r));
	assert_true(r.out.seg.opts.has_wscale && r.out.seg.opts.has_ts);
	assert_int_equal(r.out.seg.opts.tsecr, r.peer_tsval);
}

TEST(window__is_scaled_after_the_handshake)
{
	RIG_WITH(r, .cfg.receive_buffer = 1 << 20);

	rig_listen(&r, 1);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_wscale = true, .opts.wscale = 7);
	assert_true(rig_out(&r));
	r.shift = r.out.seg.seq.v - ISS;
	ack_wnd(&r, 0, 3);
	assert_int_equal(rig_conn(&r)->snd_wnd, 3 << 7);
	r.s = la_accept(r.h, r.listener, NULL);
	put(&r, 1);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 1);
	assert_int_equal(r.out.seg.wnd, (64240 + 31) >> 5); /* as the SYN+ACK said */
}

TEST(text__in_segments_of_mss__the_last_one_pushed)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 2 * PEER_MSS + 5);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, PEER_MSS);
	assert_false(has_psh(&r));
	assert_false(r.out.seg.opts.has_mss); /* MUST-65 */
	EXPECT_SEG(&r, F_ACK, ISS + 1 + PEER_MSS, IRS + 1, PEER_MSS);
	assert_false(has_psh(&r));
	EXPECT_SEG(&r, F_ACK, ISS + 1 + 2 * PEER_MSS, IRS + 1, 5);
	assert_true(has_psh(&r)); /* MUST-61 */
	EXPECT_COUNT(&r, out_segs, 4);
	assert_int_equal(rig_conn(&r)->bytes_sent, 2 * PEER_MSS + 5);
	assert_int_equal(rig_conn(&r)->segs_out, 3); /* the SYN+ACK is none of the connection's */
	assert_int_equal(rig_conn(&r)->data_segs_out, 3);
}

TEST(text__with_timestamps__leaves_room_for_them)
{
	RIG_AT_WITH(r, LISTEN, .ts = true);

	rig_handshake(&r);
	r.s = la_accept(r.h, r.listener, NULL);
	put(&r, PEER_MSS);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, PEER_MSS - 12);
	assert_true(r.out.seg.opts.has_ts);
	assert_int_equal(r.out.seg.opts.tsecr, r.peer_tsval);
	assert_int_equal(r.out.seg.opts.tsval, (uint32_t)(r.now / NSEC_PER_MS) + rig_conn(&r)->ts_offset);
}

/* The ring is 8192: the octets of one segment lie at its end and its beginning. */
TEST(text__across_the_end_of_the_ring__is_what_was_given)
{
	RIG_AT(r, ESTABLISHED);
	uint32_t acked = 0, sent = 0;
	uint8_t text[1000], next = 0;

	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (uint8_t)(acked + i);
		assert_int_equal(la_send(r.h, r.s, text, sizeof(text), 0), sizeof(text));
		while (rig_out(&r)) {
			for (uint32_t i = 0; i < r.out.seg.len; i++)
				assert_int_equal(r.out.seg.text[i], next++);
			sent += r.out.seg.len;
			next = (uint8_t)sent;
		}
		acked += sizeof(text);
		ack(&r, acked);
	}
	assert_int_equal(sent, 40000);
}

TEST(fin__rides_on_the_last_text)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, PEER_MSS + 7);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, PEER_MSS);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1 + PEER_MSS, IRS + 1, 7); /* Nagle has nothing to wait for */
	EXPECT_SILENCE(&r);
}

TEST(fin__window_full_of_text__waits_for_its_octet)
{
	RIG_AT(r, ESTABLISHED);

	ack_wnd(&r, 0, 10);
	put(&r, 10);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 10);
	EXPECT_SILENCE(&r);
	ack_wnd(&r, 10, 1);
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 11, IRS + 1, 0);
}

TEST(ack__rides_on_text)
{
	RIG_AT(r, ESTABLISHED);

	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 3000);
	assert_true(rig_conn(&r)->ack_due);
	put(&r, 1);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 3001, 1);
	assert_int_equal(rig_conn(&r)->last_ack_sent.v, IRS + 3001);
	assert_int_equal(rig_conn(&r)->ack_pending, 0);
	assert_int_equal(rig_conn(&r)->timer_at[TIMER_DELACK], NSEC_NEVER);
	EXPECT_SILENCE(&r);
}

TEST(many_segments_in__one_ack_out) /* MUST-58, MUST-59 */
{
	RIG_AT(r, ESTABLISHED);

	for (uint32_t i = 0; i < 5; i++)
		text_in(&r, i * PEER_MSS, PEER_MSS);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + 5 * PEER_MSS);
	EXPECT_SILENCE(&r);
}

TEST(replies_first__then_connections_in_turn)
{
	RIG_AT(r, LISTEN);
	la_sock s[2];
	uint16_t port[2] = {PEER_PORT, PEER_PORT + 1};

	for (int i = 0; i < 2; i++) {
		r.at.peer_port = port[i];
		r.shift = 0;
		rig_handshake(&r);
		s[i] = la_accept(r.h, r.listener, NULL);
		assert_true(s[i] > 0);
	}
	for (int i = 0; i < 2; i++) {
		r.s = s[i];
		put(&r, 3 * PEER_MSS);
	}
	r.at.peer_port = 9;
	IN(&r, .flags = F_ACK, .seq = seq(7), .ack = seq(9)); /* for nobody */
	assert_true(rig_out(&r));
	assert_true(r.out.seg.flags & F_RST);
	for (int i = 0; i < 6; i++) {
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.dport, port[i % 2]);
		assert_int_equal(r.out.seg.len, PEER_MSS);
	}
	EXPECT_SILENCE(&r);
}

TEST(reset__goes_out_with_snd_nxt_and_counts)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 10);
	rig_drain(&r);
	la_abort(r.h, r.s);
	EXPECT_SEG(&r, F_RST | F_ACK, ISS + 11, IRS + 1, 0);
	EXPECT_COUNT(&r, out_rsts, 1);
	EXPECT_COUNT(&r, abort_failed, 0);
}

TEST(reset__has_timestamps_as_any_segment)
{
	RIG_AT_WITH(r, ESTABLISHED, .ts = true);
	uint32_t tsval, tsecr = rig_conn(&r)->ts_recent;

	rig_pass(&r, 50 * MS);
	tsval = snd_tsval_at(rig_conn(&r), r.now);
	la_abort(r.h, r.s);
	EXPECT_SEG(&r, F_RST | F_ACK, ISS + 1, IRS + 1, 0);
	assert_true(r.out.seg.opts.has_ts);
	assert_int_equal(r.out.seg.opts.tsval, tsval);
	assert_int_equal(r.out.seg.opts.tsecr, tsecr);
}

TEST(reset__no_room_for_it__counts_that)
{
	RIG_AT_WITH(r, ESTABLISHED, .cfg.max_replies = 2);

	r.at.peer_port = 9;
	for (int i = 0; i < 3; i++)
		IN(&r, .flags = F_ACK, .seq = seq(7), .ack = seq(9));
	EXPECT_COUNT(&r, la_replies_dropped, 1);
	la_abort(r.h, r.s);
	EXPECT_COUNT(&r, abort_failed, 1);
}

TEST(zero_window__to_and_from__counted)
{
	RIG_AT(r, ESTABLISHED);
	uint8_t got[8192];

	for (uint32_t at = 0; at < 7300; at += 1460)
		IN(&r, .flags = F_ACK, .seq = seq(IRS + 1 + at), .ack = seq(ISS + 1), .len = 1460);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + 7300);
	assert_int_equal(r.out.seg.wnd, 0); /* 892 octets are free, but no segment fits */
	EXPECT_COUNT(&r, to_zero_window, 1);
	assert_int_equal(la_recv(r.h, r.s, got, 567, 0), 567);
	EXPECT_SILENCE(&r); /* less than a segment: silly (MUST-39) */
	assert_int_equal(la_recv(r.h, r.s, got, 1, 0), 1);
	EXPECT_ACK(&r, ISS + 1, IRS + 1 + 7300);
	assert_int_equal(r.out.seg.wnd, 1460);
	EXPECT_COUNT(&r, from_zero_window, 1);
	EXPECT_COUNT(&r, to_zero_window, 1);
}

/* The right edge of every segment that is sent, through text of odd lengths and reads of odd lengths. */
TEST(right_edge__never_moves_left)
{
	RIG_AT_WITH(r, ESTABLISHED, .cfg.receive_buffer = 4096);
	uint32_t nxt = IRS + 1, edge = IRS + 1 + 2920;
	uint8_t got[4096];

	for (uint32_t i = 0; i < 300; i++) {
		uint32_t room = edge - nxt, len = 1 + i * 37 % 700;

		len = len < room ? len : room;
		if (len)
			IN(&r, .flags = F_ACK, .seq = seq(nxt), .ack = seq(ISS + 1), .len = len);
		nxt += len;
		if (i % 3 == 2)
			la_recv(r.h, r.s, got, 1 + i * 91 % 1500, 0);
		while (rig_out(&r)) {
			uint32_t now = r.out.seg.ack.v + r.out.seg.wnd;

			assert_true((int32_t)(now - edge) >= 0);
			edge = now;
		}
	}
	assert_true(nxt > IRS + 40000);
}

/* With a scale of 1 an odd window cannot be said: what is announced may be an octet less, what is kept is not. */
TEST(right_edge__that_the_field_cannot_say__is_kept)
{
	RIG_WITH(r, .cfg.receive_buffer = 65536);
	seq_t edge = seq(IRS + 1);
	uint32_t at = 0;

	rig_listen(&r, 1);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_wscale = true, .opts.wscale = 7);
	assert_true(rig_out(&r));
	r.shift = r.out.seg.seq.v - ISS;
	ack(&r, 0);
	rig_conn(&r)->quick = 16;
	while (at < 65536) {
		struct conn *c = rig_conn(&r);
		uint32_t room = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt), len = room < 777 ? room : 777;

		assert_true(seq_le(edge, c->rcv_adv));
		edge = c->rcv_adv;
		if (len == 0)
			break;
		text_in(&r, at, len);
		at += len;
		rig_drain(&r);
	}
	assert_in_range(at, 65535, 65536);
	assert_true(seq_eq(rig_conn(&r)->rcv_nxt, seq(IRS + 1 + at)));
}

TEST(syn__repeated__counted_as_linux_does)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true);

	rig_pass(&r, 1100 * NSEC_PER_MS);
	EXPECT_SEG(&r, F_SYN, ISS, 0, 0);
	assert_true(r.out.seg.opts.has_mss);
	EXPECT_COUNT(&r, out_segs, 1);
	EXPECT_COUNT(&r, retrans_segs, 1);
	EXPECT_COUNT(&r, syn_retrans, 1);
	EXPECT_COUNT(&r, timeouts, 1);
}

TEST(syn_ack__repeated__counted_as_linux_does)
{
	RIG_AT(r, SYN_RECEIVED);

	rig_pass(&r, 1100 * NSEC_PER_MS);
	EXPECT_SEG(&r, F_SYN | F_ACK, ISS, IRS + 1, 0);
	EXPECT_COUNT(&r, out_segs, 2);
	EXPECT_COUNT(&r, retrans_segs, 1);
	EXPECT_COUNT(&r, syn_retrans, 1);
}

TEST(syn_ack_of_a_simultaneous_open__is_no_repetition)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);

	EXPECT_COUNT(&r, retrans_segs, 0);
	EXPECT_COUNT(&r, out_segs, 2);
}

TEST(tos_and_ttl__are_the_sockets)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->opt.tos = 0x28;
	rig_conn(&r)->opt.ttl = 9;
	put(&r, 1);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, 0x28);
	assert_int_equal(r.out.seg.ttl, 9);
}

TEST(buffer_too_small__nothing_is_lost)
{
	RIG_AT(r, ESTABLISHED);
	uint8_t small[1000];

	put(&r, 1);
	assert_int_equal(la_output(r.h, r.now, small, sizeof(small)), 0);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, 1);
}

RUN(T(syn__offers_mss_scale_timestamps_and_sack), T(syn__large_buffer__offers_the_scale_that_announces_it),
    T(syn_ack__agrees_to_what_the_syn_offered_only), T(window__is_scaled_after_the_handshake),
    T(text__in_segments_of_mss__the_last_one_pushed), T(text__with_timestamps__leaves_room_for_them),
    T(text__across_the_end_of_the_ring__is_what_was_given), T(fin__rides_on_the_last_text),
    T(fin__window_full_of_text__waits_for_its_octet), T(ack__rides_on_text), T(many_segments_in__one_ack_out),
    T(replies_first__then_connections_in_turn), T(reset__goes_out_with_snd_nxt_and_counts),
    T(reset__has_timestamps_as_any_segment), T(reset__no_room_for_it__counts_that),
    T(zero_window__to_and_from__counted), T(right_edge__never_moves_left),
    T(right_edge__that_the_field_cannot_say__is_kept), T(syn__repeated__counted_as_linux_does),
    T(syn_ack__repeated__counted_as_linux_does), T(syn_ack_of_a_simultaneous_open__is_no_repetition),
    T(tos_and_ttl__are_the_sockets), T(buffer_too_small__nothing_is_lost))
