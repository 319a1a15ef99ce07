/* SPDX-License-Identifier: MIT */
/* Requirements of RFC 9293 that no other test needs by itself; docs/rfc/9293.tsv says which test is for which. */
#include "tests/unit/engine/flow.h"

#include <errno.h>

static struct la_endpoint endpoint(const struct addr *a, uint16_t port)
{
	struct la_endpoint ret = {.port = port};

	memcpy(ret.addr, a->b, sizeof(ret.addr));
	return ret;
}

/* A socket of this host, with SO_REUSEADDR, bound to its first address. */
static la_sock bound(struct rig *r, uint16_t port)
{
	struct la_endpoint at = endpoint(&r->at.us, port);
	la_sock s = la_socket(r->h, LA_INET);
	int on = 1;

	assert_int_equal(la_setsockopt(r->h, s, LA_SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(la_bind(r->h, s, &at), 0);
	return s;
}

/* ---- 3.1 ---- */

TEST(window__above_32767__is_a_large_one_and_scaled_needs_32_bits)
{
	RIG(r);

	rig_listen(&r, 1);
	IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_wscale = true, .opts.wscale = 14);
	assert_true(rig_out(&r));
	r.shift = r.out.seg.seq.v - ISS;
	ack_wnd(&r, 0, 0xffff);
	assert_int_equal(rig_conn(&r)->snd_wnd, 0xffffU << 14);
	ack_wnd(&r, 0, 0xfffe);
	assert_int_equal(rig_conn(&r)->snd_wnd, 0xfffeU << 14);
	r.s = la_accept(r.h, r.listener, NULL);
	put(&r, 10);
	expect_text(&r, 0, 10);
}

TEST(options_of_a_syn__in_another_segment__are_passed_over)
{
	RIG_AT(r, ESTABLISHED);
	uint16_t mss = rig_conn(&r)->snd_mss;

	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 5, .opts.has_mss = true,
	   .opts.mss = 100, .opts.has_wscale = true, .opts.wscale = 9, .opts.sack_permitted = true);
	assert_int_equal(rcv_unread(rig_conn(&r)), 5);
	assert_int_equal(rig_conn(&r)->snd_mss, mss);
	assert_int_equal(rig_conn(&r)->snd_wnd, WND);
}

/* Every set of options: each has its length, and after an end mark, if there is one, come zeros. */
TEST(options_sent__have_lengths_and_nothing_after_the_end)
{
	for (unsigned set = 0; set < 64; set++) {
		struct seg s = {.src = addr_v4(1, 0, 0, 1), .dst = addr_v4(1, 0, 0, 2), .flags = F_ACK};
		uint8_t buf[128], *at = buf + IPV4_HEADER_LEN + TCP_HEADER_LEN;
		size_t len;

		s.opts.has_mss = set & 1;
		s.opts.has_wscale = set & 2;
		s.opts.has_ts = set & 4;
		s.opts.sack_permitted = set & 8;
		s.opts.n_sack = (uint8_t)(set >> 4);
		memset(buf, 0xff, sizeof(buf));
		len = packet_write(buf, sizeof(buf), &s, 0);
		assert_int_not_equal(len, 0);
		while (at < buf + len && *at != 0) {
			size_t step = *at == 1 ? 1 : at[1];

			assert_true(step == 1 || (step >= 2 && *at <= 8));
			at += step;
		}
		while (at < buf + len)
			assert_int_equal(*at++, 0);
		assert_ptr_equal(at, buf + len);
	}
}

/* ---- 3.2 ---- */

TEST(mss__sent_in_syn_segments_only)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 3);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	text_in(&r, 50, 1);
	while (rig_out(&r))
		assert_false(r.out.seg.opts.has_mss);
	la_abort(r.h, r.s);
	assert_true(rig_out(&r));
	assert_true(r.out.seg.flags & F_RST);
	assert_false(r.out.seg.opts.has_mss);
}

/* ---- 3.6.1, 3.8.3: what engine.policy = rfc9293 presets ---- */

TEST(rfc9293__time_wait__lasts_two_msl_of_two_minutes)
{
	RIG_AT_WITH(r, TIME_WAIT, .knobs = "engine.policy = rfc9293\n");

	rig_pass(&r, 239 * NSEC_PER_S);
	EXPECT_STATE(&r, TIME_WAIT);
	rig_pass(&r, 2 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
}

TEST(rfc9293__syn__is_tried_for_three_minutes)
{
	RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = "engine.policy = rfc9293\n");

	live(&r, 180 * NSEC_PER_S);
	EXPECT_STATE(&r, SYN_SENT);
	live(&r, 80 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, syn_retrans, 7);
}

/* ---- 3.9.1.1 ---- */

TEST(passive_open__of_a_port_that_has_one__is_an_error_and_changes_nothing)
{
	RIG_AT(r, LISTEN);
	struct la_endpoint at = endpoint(&r.at.us, RIG_PORT);
	la_sock s = la_socket(r.h, LA_INET);

	assert_int_equal(la_bind(r.h, s, &at), -EADDRINUSE);
	rig_handshake(&r);
	assert_true(la_accept(r.h, r.listener, NULL) > 0);
}

TEST(passive_open__of_the_port_of_an_opening_connection__is_possible)
{
	RIG(r);
	struct la_endpoint to = endpoint(&r.at.peer, PEER_PORT);
	la_sock client = bound(&r, 7000), server;
	struct seg s;

	assert_int_equal(la_connect(r.h, client, &to), -EINPROGRESS);
	assert_true(rig_out(&r));
	server = bound(&r, 7000);
	assert_int_equal(la_listen(r.h, server, 1), 0);
	s = (struct seg){.src = r.at.peer, .dst = r.at.us, .sport = PEER_PORT, .dport = 7000, .flags = F_SYN | F_ACK};
	s.ack = seq_add(r.out.seg.seq, 1);
	rig_in_raw(&r, &s);
	assert_true(la_poll(r.h, client) & LA_OUT); /* connected */
}

TEST(local_address__that_was_bound__is_in_every_segment)
{
	RIG(r);
	struct addr second = addr_v4(10, 9, 9, 9);
	struct la_endpoint from = endpoint(&second, 0), to = endpoint(&r.at.peer, PEER_PORT);
	la_sock c = la_socket(r.h, LA_INET);
	struct seg s = {.src = r.at.peer, .dst = second, .sport = PEER_PORT, .flags = F_SYN | F_ACK, .wnd = WND};

	assert_int_equal(la_address_add(r.h, second.b), 0);
	assert_int_equal(la_bind(r.h, c, &from), 0);
	assert_int_equal(la_connect(r.h, c, &to), -EINPROGRESS);
	assert_true(rig_out(&r));
	assert_true(addr_eq(&r.out.seg.src, &second));
	s.dport = r.out.seg.sport;
	s.ack = seq_add(r.out.seg.seq, 1);
	rig_in_raw(&r, &s);
	assert_true(rig_out(&r)); /* ACK */
	assert_true(addr_eq(&r.out.seg.src, &second));
	assert_int_equal(la_send(r.h, c, "x", 1, 0), 1);
	assert_int_equal(la_shutdown(r.h, c, LA_SHUT_WR), 0);
	while (rig_out(&r))
		assert_true(addr_eq(&r.out.seg.src, &second));
	la_abort(r.h, c);
	assert_true(rig_out(&r));
	assert_true(addr_eq(&r.out.seg.src, &second));
}

/* ---- 3.9.1.9, 3.9.2 ---- */

TEST(diffserv_and_ttl__set_while_connected__are_in_what_follows)
{
	RIG_AT(r, ESTABLISHED);
	int tos = 0xb8, ttl = 3;

	put(&r, 1);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, 0);
	assert_int_equal(r.out.seg.ttl, 64);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_IP_TOS, &tos, sizeof(tos)), 0);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_IP_TTL, &ttl, sizeof(ttl)), 0);
	ack(&r, 1);
	put(&r, 1);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, 0xb8);
	assert_int_equal(r.out.seg.ttl, 3);
}

/* ---- 3.9.2.3 ---- */

TEST(syn_to_what_is_no_host__is_dropped)
{
	RIG_AT(r, LISTEN);
	const struct addr to[] = {addr_v4(255, 255, 255, 255), addr_v4(224, 0, 0, 1), addr_v4(10, 255, 255, 255)};
	struct seg s = {.src = r.at.peer, .sport = 5, .dport = RIG_PORT, .flags = F_SYN};

	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		s.dst = to[i];
		rig_in_raw(&r, &s);
	}
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, la_in_bad_ip, 3);
}

RUN(T(window__above_32767__is_a_large_one_and_scaled_needs_32_bits),
    T(options_of_a_syn__in_another_segment__are_passed_over), T(options_sent__have_lengths_and_nothing_after_the_end),
    T(mss__sent_in_syn_segments_only), T(rfc9293__time_wait__lasts_two_msl_of_two_minutes),
    T(rfc9293__syn__is_tried_for_three_minutes),
    T(passive_open__of_a_port_that_has_one__is_an_error_and_changes_nothing),
    T(passive_open__of_the_port_of_an_opening_connection__is_possible),
    T(local_address__that_was_bound__is_in_every_segment),
    T(diffserv_and_ttl__set_while_connected__are_in_what_follows), T(syn_to_what_is_no_host__is_dropped))
