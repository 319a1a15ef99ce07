/* SPDX-License-Identifier: MIT */
/* Path MTU: RFC 1191, 8201; whom to believe: RFC 5927; IP_MTU_DISCOVER as in Linux (DF as captured from 6.18). */
#include "tests/unit/engine/flow.h"

#include <errno.h>

enum { MSS = PEER_MSS };

static int option_of(struct rig *r, enum la_opt opt)
{
	int v = 0;
	size_t len = sizeof(v);

	assert_int_equal(la_getsockopt(r->h, r->s, opt, &v, &len), 0);
	return v;
}

static void discover(struct rig *r, int how)
{
	assert_int_equal(la_setsockopt(r->h, r->s, LA_IP_MTU_DISCOVER, &how, sizeof(how)), 0);
}

/* Another connection of the same peer, from another port; its SYN+ACK is answered. Returns its socket. */
static la_sock another(struct rig *r)
{
	r->at.peer_port++;
	rig_handshake(r);
	return la_accept(r->h, r->listener, NULL);
}

TEST(too_big__in_flight__smaller_segments_at_once_and_cwnd_stays)
{
	RIG_AT(r, ESTABLISHED);
	uint32_t cwnd = rig_conn(&r)->cc.cwnd;

	put(&r, 2 * MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS + 1));
	assert_int_equal(option_of(&r, LA_IP_MTU), 1000);
	assert_int_equal(option_of(&r, LA_TCP_MAXSEG), 960);
	expect_text(&r, 0, 960); /* in pieces: each entry of its own */
	expect_text(&r, 960, MSS - 960);
	expect_text(&r, MSS, 960);
	expect_text(&r, MSS + 960, MSS - 960);
	EXPECT_SILENCE(&r);
	assert_int_equal(rig_conn(&r)->cc.cwnd, cwnd); /* nothing was congested */
	EXPECT_COUNT(&r, la_icmp_errors, 1);
	ack(&r, 2 * MSS);
	put(&r, 2000);
	expect_text(&r, 2 * MSS, 960);
}

TEST(too_big__about_nothing_in_flight__is_not_believed) /* RFC 5927 4.1 */
{
	RIG_AT(r, ESTABLISHED);

	put(&r, MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS)); /* acknowledged */
	rig_too_big(&r, 1000, seq(ISS + 1 + MSS)); /* not sent yet */
	assert_int_equal(option_of(&r, LA_IP_MTU), 1500);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, la_icmp_ignored, 2);
}

TEST(too_big__as_large_as_before__is_not_believed)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, MSS);
	rig_drain(&r);
	rig_too_big(&r, 1500, seq(ISS + 1));
	rig_too_big(&r, 9000, seq(ISS + 1));
	EXPECT_COUNT(&r, la_icmp_ignored, 2);
	rig_too_big(&r, 1000, seq(ISS + 1));
	rig_drain(&r);
	rig_too_big(&r, 1200, seq(ISS + 1)); /* wider again: not by ICMP */
	assert_int_equal(option_of(&r, LA_IP_MTU), 1000);
	EXPECT_COUNT(&r, la_icmp_ignored, 3);
}

/* Below 552 nobody goes: WANT lets routers cut instead, DO cannot send at all. */
TEST(too_big__absurdly_small__552_and_no_df)
{
	static const uint16_t mtus[] = {0, 68, 551};

	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		RIG_AT(r, ESTABLISHED);
		put(&r, MSS);
		rig_drain(&r);
		assert_int_equal(r.buf[6], 0x40); /* DF */
		rig_too_big(&r, mtus[i], seq(ISS + 1));
		assert_int_equal(option_of(&r, LA_IP_MTU), 552);
		expect_text(&r, 0, 512);
		assert_int_equal(r.buf[6], 0);
		uint8_t id[2] = {r.buf[4], r.buf[5]};
		expect_text(&r, 512, 512);
		assert_int_not_equal(id[0] << 8 | id[1], r.buf[4] << 8 | r.buf[5]);
	}
}

TEST(too_big__do__soft_error_and_df_stays)
{
	RIG_AT(r, ESTABLISHED);

	discover(&r, LA_PMTUDISC_DO);
	put(&r, MSS);
	rig_drain(&r);
	rig_too_big(&r, 500, seq(ISS + 1));
	expect_text(&r, 0, 512);
	assert_int_equal(r.buf[6], 0x40);
	assert_int_equal(option_of(&r, LA_SO_ERROR), EMSGSIZE);
}

TEST(discover__each_value__df_and_belief_as_linux)
{
	static const struct {
		bool df, believes;
	} rows[] = {[LA_PMTUDISC_DONT] = {false, false},      [LA_PMTUDISC_WANT] = {true, true},
		    [LA_PMTUDISC_DO] = {true, true},          [LA_PMTUDISC_PROBE] = {false, true},
		    [LA_PMTUDISC_INTERFACE] = {false, false}, [LA_PMTUDISC_OMIT] = {false, false}};

	for (int how = LA_PMTUDISC_DONT; how <= LA_PMTUDISC_OMIT; how++) {
		RIG_AT(r, ESTABLISHED);
		discover(&r, how);
		put(&r, MSS);
		rig_drain(&r);
		assert_int_equal(r.buf[6], rows[how].df ? 0x40 : 0);
		rig_too_big(&r, 1000, seq(ISS + 1));
		assert_int_equal(option_of(&r, LA_IP_MTU), rows[how].believes ? 1000 : 1500);
	}
}

TEST(known__the_next_connection_begins_with_it_for_ten_minutes)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS + 1));
	rig_drain(&r);
	ack(&r, MSS);
	la_sock first = r.s;
	r.s = another(&r);
	assert_int_equal(option_of(&r, LA_TCP_MAXSEG), 960);
	put(&r, 1000);
	expect_text(&r, 0, 960);
	rig_drain(&r);
	ack(&r, 1000);
	r.now += 599 * NSEC_PER_S;
	la_advance(r.h, r.now);
	put(&r, 960);
	rig_drain(&r);
	assert_int_equal(option_of(&r, LA_IP_MTU), 1000);
	ack(&r, 1960);
	r.now += 2 * NSEC_PER_S;
	la_advance(r.h, r.now);
	put(&r, MSS);
	expect_text(&r, 1960, MSS);
	assert_int_equal(option_of(&r, LA_IP_MTU), 1500);
	la_close(r.h, first);
}

/* Both had long segments out when the first of them was told: what is known by then is news to the second. */
TEST(too_big__two_connections__each_takes_it)
{
	static const uint16_t mtus[] = {1400, 500 /* 552, without DF */};

	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		RIG_AT(r, ESTABLISHED);
		uint32_t least = mtus[i] == 1400 ? 1360 : 512, shift = r.shift;
		la_sock first = r.s, second;

		put(&r, MSS);
		expect_text(&r, 0, MSS);
		second = r.s = another(&r);
		put(&r, MSS);
		expect_text(&r, 0, MSS);
		rig_too_big(&r, mtus[i], seq(ISS + 1));
		expect_text(&r, 0, least);
		rig_drain(&r);
		r.at.peer_port--;
		r.shift = shift;
		r.s = first;
		rig_too_big(&r, mtus[i], seq(ISS + 1));
		expect_text(&r, 0, least);
		assert_int_equal(r.buf[6], mtus[i] == 1400 ? 0x40 : 0);
		assert_int_equal(option_of(&r, LA_IP_MTU), least + 40);
		EXPECT_COUNT(&r, la_icmp_errors, 2);
		rig_too_big(&r, mtus[i], seq(ISS + 1)); /* no news to anybody */
		EXPECT_COUNT(&r, la_icmp_ignored, 1);
		la_close(r.h, second);
	}
}

/* A piece of it is the one segment of cwnd: nothing new goes beside it, though the whole is not in flight yet. */
TEST(timeout__of_a_segment_longer_than_the_mss__sends_a_piece_and_nothing_new)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->cc.cwnd = 2;
	put(&r, 3 * MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS + 1));
	rig_drain(&r);
	while (rig_conn(&r)->rexmits == 0) {
		r.now = la_next_at(r.h);
		la_advance(r.h, r.now);
	}
	expect_text(&r, 0, 960);
	EXPECT_SILENCE(&r);
}

/* A second narrow link on the way: what was sent again is too long once more, and goes before anything new. */
TEST(too_big__twice__what_was_sent_again_is_sent_again)
{
	RIG_AT(r, ESTABLISHED);

	rig_conn(&r)->cc.cwnd = 1;
	put(&r, 2 * MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS + 1));
	rig_drain(&r);
	rig_too_big(&r, 700, seq(ISS + 1));
	expect_text(&r, 0, 660);
	expect_text(&r, 660, 660);
	expect_text(&r, 1320, MSS - 1320);
	EXPECT_SILENCE(&r);
}

TEST(too_big__ipv6__nothing_below_1280)
{
	RIG_AT_WITH(r, ESTABLISHED, .v6 = true);

	put(&r, MSS - 20);
	rig_drain(&r);
	rig_too_big(&r, 1279, seq(ISS + 1));
	assert_int_equal(option_of(&r, LA_IP_MTU), 1500);
	EXPECT_COUNT(&r, la_icmp_ignored, 1);
	rig_too_big(&r, 1280, seq(ISS + 1));
	assert_int_equal(option_of(&r, LA_IP_MTU), 1280);
	expect_text(&r, 0, 1220);
}

TEST(too_big__on_a_syn__the_segments_after_it_are_smaller)
{
	RIG_AT(r, SYN_SENT);

	rig_too_big(&r, 1000, seq(ISS));
	EXPECT_STATE(&r, SYN_SENT); /* no error: Linux */
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.has_mss = true, .opts.mss = MSS);
	rig_drain(&r);
	put(&r, MSS);
	expect_text(&r, 0, 960);
}

/* A hostile router costs one look at what is in flight a step, and there are as many steps as octets between two MTUs. */
TEST(too_big__ever_smaller__ends_at_the_least)
{
	RIG_AT(r, ESTABLISHED);

	put(&r, 5 * MSS);
	rig_drain(&r);
	for (uint16_t mtu = 1499; mtu > 60; mtu--)
		rig_too_big(&r, mtu, seq(ISS + 1));
	assert_int_equal(rig_conn(&r)->snd_mss, 512);
	EXPECT_COUNT(&r, la_icmp_errors, 1500 - 551);
	while (rig_out(&r))
		assert_true(r.out.seg.len <= 512);
}

/* Two destinations may share a slot of the table; what is known is known of one. */
TEST(known__of_another_destination_of_the_slot__is_not_believed)
{
	RIG_AT(r, ESTABLISHED);
	struct addr other = r.at.peer;
	uint64_t slot = hash_bytes(r.e->pmtu_key, &other, sizeof(other)) % PMTU_SLOTS;

	put(&r, MSS);
	rig_drain(&r);
	rig_too_big(&r, 1000, seq(ISS + 1));
	assert_int_equal(rig_conn(&r)->pmtu, 1000);
	rig_drain(&r);
	for (unsigned i = 3; i < 65000; i++) {
		other = addr_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i);
		if (hash_bytes(r.e->pmtu_key, &other, sizeof(other)) % PMTU_SLOTS == slot)
			break;
	}
	r.at.peer = other;
	r.shift = 0;
	rig_handshake(&r);
	assert_int_equal(rig_conn(&r)->pmtu, 1500);
}

RUN(T(too_big__in_flight__smaller_segments_at_once_and_cwnd_stays),
    T(too_big__about_nothing_in_flight__is_not_believed), T(too_big__as_large_as_before__is_not_believed),
    T(too_big__absurdly_small__552_and_no_df), T(too_big__do__soft_error_and_df_stays),
    T(discover__each_value__df_and_belief_as_linux), T(known__the_next_connection_begins_with_it_for_ten_minutes),
    T(timeout__of_a_segment_longer_than_the_mss__sends_a_piece_and_nothing_new),
    T(too_big__two_connections__each_takes_it), T(too_big__twice__what_was_sent_again_is_sent_again),
    T(too_big__ipv6__nothing_below_1280), T(too_big__on_a_syn__the_segments_after_it_are_smaller),
    T(too_big__ever_smaller__ends_at_the_least), T(known__of_another_destination_of_the_slot__is_not_believed))
