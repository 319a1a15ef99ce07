/* SPDX-License-Identifier: MIT */
#include "tests/unit/engine/peer.h"

#define MS NSEC_PER_MS
enum { BOTH = F_ECE | F_CWR };

/* The peer's SYN with these flags and this ECN field; returns those of the answer beside SYN and ACK. */
static uint8_t syn(struct rig *r, uint8_t flags, uint8_t tos)
{
	rig_listen(r, 5);
	IN(r, .flags = F_SYN | flags, .seq = seq(IRS), .tos = tos, .opts.has_mss = true, .opts.mss = PEER_MSS);
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.flags & (F_SYN | F_ACK), F_SYN | F_ACK);
	assert_int_equal(r->out.seg.tos & ECN_MASK, ECN_NOT_ECT); /* RFC 3168 6.1.1: MUST NOT */
	r->shift += r->out.seg.seq.v - ISS;
	return r->out.seg.flags & BOTH;
}

/* An established connection that does ECN. */
static void established(struct rig *r)
{
	assert_int_equal(syn(r, BOTH, 0), F_ECE);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .tos = 0);
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
	assert_true(rig_conn(r)->ecn.ok);
}

#define ESTABLISHED_ECN(r, ...)                                                                                        \
	RIG_WITH(r, __VA_ARGS__);                                                                                      \
	established(&r)

static void write_octets(struct rig *r, size_t n)
{
	static const uint8_t octets[20000];

	assert_int_equal(la_send(r->h, r->s, octets, n, 0), n);
}

/* A segment of one octet with this ECN field, its number as given; the flags beside ACK of what answers it at once, 0 if nothing does. */
static uint8_t text(struct rig *r, uint32_t at, uint8_t tos, uint8_t flags)
{
	IN(r, .flags = F_ACK | flags, .seq = seq(IRS + 1 + at), .ack = seq(ISS + 1), .len = 1, .tos = tos);
	return rig_out(r) ? r->out.seg.flags : 0;
}

static uint8_t info_options(const struct rig *r)
{
	struct la_tcp_info i;

	assert_int_equal(la_tcp_info(r->h, r->s, &i), 0);
	return i.tcpi_options;
}

/* ---- negotiation ---- */

TEST(syn_that_asks__is_agreed_to_by_any_but_tcp_ecn_0)
{
	static const struct {
		const char *knobs;
		uint8_t flags, tos, answer;
	} rows[] = {
		{NULL, BOTH, 0, F_ECE},
		{"net.ipv4.tcp_ecn = 1", BOTH, 0, F_ECE},
		{"net.ipv4.tcp_ecn = 0", BOTH, 0, 0},
		{NULL, F_ECE, 0, 0},
		{NULL, F_CWR, 0, 0},
		{NULL, 0, 0, 0},
		{NULL, BOTH, ECN_ECT0, 0}, /* a SYN must not be ECT: somebody on the way sets bits */
		{NULL, BOTH, ECN_CE, 0},
		{NULL, BOTH, 0x10, F_ECE}, /* DSCP is another matter */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_WITH(r, .knobs = rows[i].knobs);
		assert_int_equal(syn(&r, rows[i].flags, rows[i].tos), rows[i].answer);
	}
}

TEST(syn_ack_again__still_agrees)
{
	RIG(r);
	syn(&r, BOTH, 0);
	rig_pass(&r, 1100 * MS);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK | F_ECE);
}

TEST(connect__asks_with_tcp_ecn_1_only)
{
	for (int ecn = 0; ecn <= 2; ecn++) {
		char knobs[] = "net.ipv4.tcp_ecn = 0";

		knobs[sizeof(knobs) - 2] = (char)('0' + ecn);
		RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = knobs);
		assert_int_equal(r.out.seg.flags & BOTH, ecn == 1 ? BOTH : 0);
		assert_int_equal(r.out.seg.tos, 0);
	}
}

TEST(syn_again__does_not_ask__unless_fallback_is_off)
{
	for (int fallback = 0; fallback <= 1; fallback++) {
		RIG_AT_WITH(r, SYN_SENT, .active = true,
			    .knobs = fallback ? "net.ipv4.tcp_ecn = 1"
					      : "net.ipv4.tcp_ecn = 1\nnet.ipv4.tcp_ecn_fallback = 0");
		rig_pass(&r, 1100 * MS);
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.flags & BOTH, fallback ? 0 : BOTH);
		/* an answer to the first one still counts */
		IN(&r, .flags = F_SYN | F_ACK | F_ECE, .seq = seq(IRS), .ack = seq(ISS + 1));
		assert_true(rig_conn(&r)->ecn.ok);
	}
}

TEST(syn_ack__agrees_with_ece_alone)
{
	static const uint8_t flags[] = {0, F_ECE, F_CWR, BOTH};

	for (int ecn = 1; ecn <= 2; ecn++)
		for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
			RIG_AT_WITH(r, SYN_SENT, .active = true,
				    .knobs = ecn == 1 ? "net.ipv4.tcp_ecn = 1" : "net.ipv4.tcp_ecn = 2");
			IN(&r, .flags = F_SYN | F_ACK | flags[i], .seq = seq(IRS), .ack = seq(ISS + 1));
			EXPECT_STATE(&r, ESTABLISHED);
			assert_int_equal(rig_conn(&r)->ecn.ok, ecn == 1 && flags[i] == F_ECE);
		}
}

TEST(simultaneous_open__agrees_when_both_ask)
{
	for (int asks = 0; asks <= 1; asks++) {
		RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = "net.ipv4.tcp_ecn = 1");
		IN(&r, .flags = F_SYN | (asks ? BOTH : 0), .seq = seq(IRS));
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.flags, F_SYN | F_ACK | (asks ? F_ECE : 0));
		IN(&r, .flags = F_SYN | F_ACK | (asks ? F_ECE : 0), .seq = seq(IRS), .ack = seq(ISS + 1));
		EXPECT_STATE(&r, ESTABLISHED);
		assert_int_equal(rig_conn(&r)->ecn.ok, asks);
	}
}

/* ---- sending ---- */

TEST(text__is_ect0_once__and_acks_never)
{
	ESTABLISHED_ECN(r, .v6 = false);
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, ECN_ECT0);
	assert_int_equal(r.out.seg.flags & BOTH, 0);
	rig_pass(&r, 1000 * MS); /* sent again */
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.len, 100);
	assert_int_equal(r.out.seg.tos, ECN_NOT_ECT);
	while (rig_out(&r))
		assert_int_equal(r.out.seg.tos, ECN_NOT_ECT);
	text(&r, 1, 0, 0); /* a gap: ACK at once */
	assert_int_equal(r.out.seg.len, 0);
	assert_int_equal(r.out.seg.tos, ECN_NOT_ECT);
}

TEST(dscp__stays_beside_it)
{
	ESTABLISHED_ECN(r, .v6 = true);
	int tos = 0xb8 | ECN_CE; /* these two bits are not the application's */

	assert_int_equal(la_setsockopt(r.h, r.s, LA_IP_TOS, &tos, sizeof(tos)), 0);
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, 0xb8 | ECN_ECT0);
}

TEST(fin_alone__is_not_ect)
{
	ESTABLISHED_ECN(r, .v6 = false);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_FIN | F_ACK);
	assert_int_equal(r.out.seg.tos, ECN_NOT_ECT);
}

TEST(not_negotiated__nothing_is_marked_nor_echoed)
{
	RIG_AT(r, ESTABLISHED);
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.tos, ECN_NOT_ECT);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 1), .len = 1, .tos = ECN_CE);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_ACK);
	ecn_queue_cwr(rig_conn(&r));
	write_octets(&r, 100);
	rig_pass(&r, 10 * MS);
	while (rig_out(&r))
		assert_int_equal(r.out.seg.flags & BOTH, 0);
}

TEST(reduction__cwr_on_the_next_new_octets_once)
{
	ESTABLISHED_ECN(r, .v6 = false);
	int on = 1;

	la_setsockopt(r.h, r.s, LA_TCP_NODELAY, &on, sizeof(on));
	ecn_queue_cwr(rig_conn(&r));
	assert_int_equal(text(&r, 1, 0, 0), F_ACK); /* not on a pure ACK */
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & BOTH, F_CWR);
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & BOTH, 0);
	ecn_queue_cwr(rig_conn(&r));
	ecn_withdraw_cwr(rig_conn(&r)); /* undone */
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & BOTH, 0);
}

TEST(echo__is_an_ack_with_ece_that_is_no_syn)
{
	ESTABLISHED_ECN(r, .v6 = false);
	struct conn *c = rig_conn(&r);

	assert_true(ecn_echo(c, &(struct seg){.flags = F_ACK | F_ECE}));
	assert_false(ecn_echo(c, &(struct seg){.flags = F_ACK | F_CWR}));
	assert_false(ecn_echo(c, &(struct seg){.flags = F_ACK | F_SYN | F_ECE}));
	c->ecn.ok = false;
	assert_false(ecn_echo(c, &(struct seg){.flags = F_ACK | F_ECE}));
}

static void acked(struct rig *r, uint32_t octets, uint8_t flags)
{
	IN(r, .flags = F_ACK | flags, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + octets), .wnd = 60000);
}

/* How many segments go now; cwr: how many of them have CWR. */
static uint32_t sent(struct rig *r, uint32_t *cwr)
{
	uint32_t n = 0;

	*cwr = 0;
	for (; rig_out(r); n++)
		*cwr += (r->out.seg.flags & F_CWR) != 0;
	return n;
}

TEST(ece__window_is_reduced_once_a_round_trip)
{
	ESTABLISHED_ECN(r, .cfg.send_buffer = 65536);
	struct conn *c = rig_conn(&r);
	uint32_t cwr, all = 0, n;

	acked(&r, 0, 0);
	write_octets(&r, 20000);
	assert_int_equal(sent(&r, &cwr), 10);
	assert_int_equal(cwr, 0);
	for (uint32_t i = 1; i < 10; i++) {
		acked(&r, i * PEER_MSS, F_ECE); /* until it sees CWR, the peer says so with every ACK */
		assert_int_equal(c->cc.ssthresh, 7);
		assert_int_equal(c->rec.ca, CA_CWR);
		n = sent(&r, &cwr);
		assert_int_equal(cwr, n && all == 0);
		all += n;
	}
	assert_in_range(all, 4, 7); /* RFC 6937: what goes is 7 / 10 of what comes */
	EXPECT_COUNT(&r, delivered_ce, 9);
	EXPECT_COUNT(&r, retrans_segs, 0);
	acked(&r, 11 * PEER_MSS, 0);
	assert_int_equal(c->rec.ca, CA_OPEN);
	assert_int_equal(c->cc.cwnd, 7);
	write_octets(&r, 20000);
	sent(&r, &cwr);
	acked(&r, 12 * PEER_MSS, F_ECE); /* another round, another mark */
	assert_int_equal(c->cc.ssthresh, 4);
}

TEST(ece_before_anything_is_in_flight__is_nothing)
{
	ESTABLISHED_ECN(r, .v6 = false);

	acked(&r, 0, F_ECE);
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
	assert_int_equal(rig_conn(&r)->cc.cwnd, 10);
}

TEST(ece_without_ecn__is_nothing)
{
	RIG_AT(r, ESTABLISHED);
	write_octets(&r, 100);
	rig_drain(&r);
	IN(&r, .flags = F_ACK | F_ECE, .seq = seq(IRS + 1), .ack = seq(ISS + 51));
	assert_int_equal(rig_conn(&r)->rec.ca, CA_OPEN);
	EXPECT_COUNT(&r, delivered_ce, 0);
}

TEST(loss__is_told_by_cwr_too)
{
	ESTABLISHED_ECN(r, .cfg.send_buffer = 65536);
	uint32_t cwr;

	acked(&r, 0, 0);
	write_octets(&r, 14000);
	sent(&r, &cwr);
	rig_pass(&r, 1000 * MS); /* timeout */
	rig_drain(&r);
	acked(&r, 14000, 0);
	write_octets(&r, 3000);
	assert_in_range(sent(&r, &cwr), 2, 3);
	assert_int_equal(cwr, 1);
}

/* ---- receiving ---- */

TEST(ce__is_echoed_on_everything_until_cwr)
{
	ESTABLISHED_ECN(r, .v6 = false);

	assert_int_equal(text(&r, 0, ECN_CE, 0), F_ACK | F_ECE); /* at once */
	text(&r, 1, ECN_ECT0, 0);
	rig_drain(&r);
	write_octets(&r, 100);
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags & BOTH, F_ECE);
	assert_int_equal(text(&r, 2, ECN_ECT0, F_CWR), F_ACK); /* at once too */
	assert_int_equal(r.out.seg.ack.v, IRS + 4);
}

TEST(ce_with_cwr__begins_anew)
{
	ESTABLISHED_ECN(r, .v6 = false);

	text(&r, 0, ECN_CE, 0);
	assert_int_equal(text(&r, 1, ECN_CE, F_CWR), F_ACK | F_ECE);
}

TEST(ce_out_of_order__counts)
{
	ESTABLISHED_ECN(r, .v6 = false);
	assert_int_equal(text(&r, 100, ECN_CE, 0), F_ACK | F_ECE);
}

TEST(no_ect_after_ect__is_acknowledged_at_once)
{
	ESTABLISHED_ECN(r, .v6 = false);

	assert_int_equal(info_options(&r) & (8 | 16), 8); /* TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN */
	text(&r, 0, ECN_ECT1, 0);
	assert_int_equal(info_options(&r) & (8 | 16), 8 | 16);
	rig_pass(&r, 100 * MS);
	rig_drain(&r);
	assert_int_equal(text(&r, 1, ECN_NOT_ECT, 0), F_ACK);
}

TEST(packets_received__are_counted_by_their_field)
{
	for (int v6 = 0; v6 <= 1; v6++) {
		ESTABLISHED_ECN(r, .v6 = v6);

		for (uint8_t field = 0; field < 4; field++)
			for (uint8_t n = 0; n <= field; n++)
				text(&r, field * 4U + n, field | 0x20, 0);
		assert_int_equal(v6 ? r.e->n.in6_no_ect : r.e->n.in_no_ect, 2 + 1); /* SYN and ACK */
		assert_int_equal(v6 ? r.e->n.in6_ect1 : r.e->n.in_ect1, 2);
		assert_int_equal(v6 ? r.e->n.in6_ect0 : r.e->n.in_ect0, 3);
		assert_int_equal(v6 ? r.e->n.in6_ce : r.e->n.in_ce, 4);
		assert_int_equal(v6 ? r.e->n.in_ce + r.e->n.in_no_ect : r.e->n.in6_ce + r.e->n.in6_no_ect, 0);
	}
}

/* The peer sends ECT, and this is not: it is sent again, by one that has a small window now. Linux does not let it wait. */
TEST(what_is_not_ect_after_what_was__is_acknowledged_at_once)
{
	ESTABLISHED_ECN(r, .v6 = false);

	for (uint32_t i = 0; i < 2; i++) {
		rig_conn(&r)->quick = 0;
		rig_conn(&r)->ato_ms = 40;
		rig_conn(&r)->rcv_mss = PEER_MSS;
		assert_int_equal(text(&r, i, i ? ECN_NOT_ECT : ECN_ECT0, 0), i ? F_ACK : 0);
		rig_pass(&r, 100 * MS);
		rig_drain(&r);
	}
}

RUN(T(syn_that_asks__is_agreed_to_by_any_but_tcp_ecn_0), T(syn_ack_again__still_agrees),
    T(connect__asks_with_tcp_ecn_1_only), T(syn_again__does_not_ask__unless_fallback_is_off),
    T(syn_ack__agrees_with_ece_alone), T(simultaneous_open__agrees_when_both_ask),
    T(text__is_ect0_once__and_acks_never), T(dscp__stays_beside_it), T(fin_alone__is_not_ect),
    T(not_negotiated__nothing_is_marked_nor_echoed), T(reduction__cwr_on_the_next_new_octets_once),
    T(echo__is_an_ack_with_ece_that_is_no_syn), T(ece__window_is_reduced_once_a_round_trip),
    T(ece_before_anything_is_in_flight__is_nothing), T(ece_without_ecn__is_nothing), T(loss__is_told_by_cwr_too),
    T(ce__is_echoed_on_everything_until_cwr), T(ce_with_cwr__begins_anew), T(ce_out_of_order__counts),
    T(no_ect_after_ect__is_acknowledged_at_once), T(packets_received__are_counted_by_their_field),
    T(what_is_not_ect_after_what_was__is_acknowledged_at_once))
