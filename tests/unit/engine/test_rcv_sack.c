/* SPDX-License-Identifier: MIT */
/* SACK and D-SACK, the receiver's side: RFC 2018 3, 4, 8; RFC 2883 4. */
#include "tests/unit/engine/flow.h"

static void join(struct rig *r, bool sack_permitted)
{
	rig_listen(r, 4);
	IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = PEER_MSS,
	   .opts.sack_permitted = sack_permitted);
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.opts.sack_permitted, sack_permitted && r->e->k.sack);
	r->shift = r->out.seg.seq.v - ISS;
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
	EXPECT_SILENCE(r);
}

#define JOINED(r, ...)                                                                                                 \
	RIG_WITH(r, __VA_ARGS__);                                                                                      \
	join(&r, true)

/* An ACK of the octets before `before` with these blocks, given as pairs of octet numbers. */
static void expect_sack(struct rig *r, uint32_t before, const uint32_t *pairs, size_t n)
{
	const struct tcp_opts *o = &r->out.seg.opts;

	EXPECT_ACK(r, ISS + 1, IRS + 1 + before);
	assert_int_equal(o->n_sack, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(o->sack[i].from.v - (IRS + 1), pairs[2 * i]);
		assert_int_equal(o->sack[i].to.v - (IRS + 1), pairs[2 * i + 1]);
	}
}

#define EXPECT_SACK(r, before, ...)                                                                                    \
	expect_sack(r, before, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 8)
#define EXPECT_NO_SACK(r, before) expect_sack(r, before, NULL, 0)

TEST(not_permitted__by_the_peer_or_the_knob__no_blocks)
{
	for (int i = 0; i < 2; i++) {
		RIG_WITH(r, .knobs = i ? "net.ipv4.tcp_sack = 0" : NULL);

		join(&r, i);
		text_in(&r, 100, 100);
		EXPECT_NO_SACK(&r, 0);
	}
}

TEST(connect__offers_it__and_the_answer_decides)
{
	for (int i = 0; i < 3; i++) {
		RIG_AT_WITH(r, SYN_SENT, .active = true, .knobs = i == 2 ? "net.ipv4.tcp_sack = 0" : NULL);

		assert_int_equal(r.out.seg.opts.sack_permitted, i != 2);
		IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1), .opts.sack_permitted = i);
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
		text_in(&r, 10, 10);
		EXPECT_ACK(&r, ISS + 1, IRS + 1);
		assert_int_equal(r.out.seg.opts.n_sack, i == 1);
	}
}

TEST(syn_ack__of_a_syn_without_it__does_not_agree)
{
	RIG(r);

	join(&r, false);
}

TEST(blocks__the_last_that_grew_first)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 10);
	EXPECT_SACK(&r, 0, 100, 110);
	text_in(&r, 200, 10);
	EXPECT_SACK(&r, 0, 200, 210, 100, 110);
	text_in(&r, 300, 10);
	EXPECT_SACK(&r, 0, 300, 310, 200, 210, 100, 110);
	text_in(&r, 110, 10);
	EXPECT_SACK(&r, 0, 100, 120, 300, 310, 200, 210);
	text_in(&r, 400, 10);
	EXPECT_SACK(&r, 0, 400, 410, 100, 120, 300, 310, 200, 210);
	text_in(&r, 500, 10); /* no fifth block: the oldest goes untold */
	EXPECT_SACK(&r, 0, 500, 510, 400, 410, 100, 120, 300, 310);
}

TEST(timestamps__leave_room_for_three)
{
	JOINED(r, .ts = true);

	for (uint32_t i = 1; i < 4; i++) {
		text_in(&r, 100 * i, 10);
		rig_drain(&r);
	}
	text_in(&r, 400, 10);
	EXPECT_SACK(&r, 0, 400, 410, 300, 310, 200, 210);
}

TEST(runs_that_grow_together__are_one_block)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 10);
	text_in(&r, 120, 10);
	rig_drain(&r);
	text_in(&r, 110, 10);
	EXPECT_SACK(&r, 0, 100, 130);
}

TEST(gap_filled__its_block_is_told_no_more)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 10);
	text_in(&r, 200, 10);
	rig_drain(&r);
	text_in(&r, 0, 100);
	EXPECT_SACK(&r, 110, 200, 210);
	text_in(&r, 110, 90);
	EXPECT_NO_SACK(&r, 210);
}

TEST(blocks__ride_on_text_that_leaves_them_room)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 10);
	put(&r, 4000);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, PEER_MSS - 12);
	assert_int_equal(r.out.seg.opts.n_sack, 1);
	assert_true(packet_header_len(&r.out.seg) + r.out.seg.len <= 1500);
}

TEST(every_block__is_there_when_it_is_told__and_stays_until_it_is_acknowledged)
{
	struct rng rng;
	uint8_t have[4000] = {0};
	JOINED(r, .ts = false);

	rng_seed(&rng, 1);
	for (int i = 0; i < 3000; i++) {
		uint32_t len = 1 + rng_below(&rng, 40), at = rng_below(&rng, 3900), acked;

		text_in(&r, at, len);
		while (rig_out(&r)) {
			const struct tcp_opts *o = &r.out.seg.opts;

			acked = r.out.seg.ack.v - (IRS + 1);
			memset(have, 1, acked);
			for (size_t k = 0; k < o->n_sack; k++)
				memset(have + (o->sack[k].from.v - (IRS + 1)), 1,
				       (size_t)seq_diff(o->sack[k].to, o->sack[k].from));
			/* RFC 2018 8: what was told once is never sent again, so the ACK must have come to its end by itself */
			assert_true(acked == sizeof(have) || !have[acked]);
		}
	}
}

/* ---- RFC 2883 ---- */

TEST(dsack__old_octets__told_once)
{
	JOINED(r, .ts = false);

	text_in(&r, 0, 100);
	rig_pass(&r, 300 * MS);
	rig_drain(&r);
	text_in(&r, 0, 100);
	EXPECT_SACK(&r, 100, 0, 100);
	EXPECT_COUNT(&r, dsack_old_sent, 1);
	EXPECT_COUNT(&r, delayed_ack_lost, 1);
	text_in(&r, 200, 10);
	EXPECT_SACK(&r, 100, 200, 210);
}

TEST(dsack__partly_old__only_that_part)
{
	JOINED(r, .ts = false);

	text_in(&r, 0, 100);
	rig_pass(&r, 300 * MS);
	rig_drain(&r);
	text_in(&r, 50, 100);
	rig_pass(&r, 300 * MS);
	EXPECT_SACK(&r, 150, 50, 100);
}

/* Linux: what is told is of the last segment that came. */
TEST(dsack__new_text_before_it_is_told__not_told)
{
	JOINED(r, .ts = false);

	text_in(&r, 0, 100);
	rig_pass(&r, 300 * MS);
	rig_drain(&r);
	text_in(&r, 50, 100);
	text_in(&r, 150, 100);
	rig_pass(&r, 300 * MS);
	EXPECT_NO_SACK(&r, 250);
}

TEST(dsack__out_of_order__is_told_before_the_block_that_holds_it)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 100);
	rig_drain(&r);
	text_in(&r, 120, 30);
	EXPECT_SACK(&r, 0, 120, 150, 100, 200);
	EXPECT_COUNT(&r, dsack_ofo_sent, 1);
	EXPECT_COUNT(&r, ofo_merge, 1);
	text_in(&r, 150, 100);
	EXPECT_SACK(&r, 0, 150, 200, 100, 250);
}

TEST(dsack__in_order_over_what_is_there__told_beyond_the_ack)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 100);
	rig_drain(&r);
	text_in(&r, 0, 150);
	EXPECT_SACK(&r, 200, 100, 150);
}

TEST(dsack__knob_off__not_told)
{
	JOINED(r, .knobs = "net.ipv4.tcp_dsack = 0");

	text_in(&r, 0, 100);
	rig_pass(&r, 300 * MS);
	rig_drain(&r);
	text_in(&r, 0, 100);
	EXPECT_NO_SACK(&r, 100);
	EXPECT_COUNT(&r, dsack_old_sent, 0);
}

TEST(dsack__old_octets_with_the_fin__not_told)
{
	JOINED(r, .ts = false);

	text_in(&r, 0, 100);
	rig_out(&r);
	IN(&r, .flags = F_ACK | F_FIN, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 100,
	   .text = (const uint8_t[100]){0});
	r.now += 100 * NSEC_PER_MS;
	la_advance(r.h, r.now);
	EXPECT_NO_SACK(&r, 101);
}

/* Two parts of a segment came before: Linux tells the first. */
TEST(dsack__old_and_out_of_order_in_one__the_old)
{
	JOINED(r, .ts = false);

	text_in(&r, 0, 100);
	rig_out(&r);
	text_in(&r, 200, 100);
	EXPECT_SACK(&r, 100, 200, 300);
	text_in(&r, 50, 250);
	EXPECT_SACK(&r, 300, 50, 100);
	text_in(&r, 400, 50);
	EXPECT_SACK(&r, 300, 400, 450);
	text_in(&r, 500, 50);
	EXPECT_SACK(&r, 300, 500, 550, 400, 450);
	text_in(&r, 300, 300);
	EXPECT_SACK(&r, 600, 400, 450);
}

/* ---- hostile peers ---- */

/* Overlapping segments whose octets differ: a middle box and we must see the same, so what came first stays. */
TEST(octets_that_differ__those_that_came_first_are_read)
{
	uint8_t text[300], got[300];
	struct seg s = {.flags = F_ACK, .ack = seq(ISS + 1), .text = text};
	JOINED(r, .ts = false);

	memset(text, 'a', sizeof(text));
	s.seq = seq(IRS + 1 + 100);
	s.len = 50;
	rig_in(&r, s);
	memset(text, 'b', sizeof(text));
	s.seq = seq(IRS + 1 + 50);
	s.len = 150;
	rig_in(&r, s);
	memset(text, 'c', sizeof(text));
	s.seq = seq(IRS + 1);
	s.len = 250;
	rig_in(&r, s);
	assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), 250);
	for (size_t i = 0; i < 250; i++)
		assert_int_equal(got[i], i < 50 || i >= 200 ? 'c' : i >= 100 && i < 150 ? 'a' : 'b');
}

/* CVE-2018-5390 (SegmentSmack): one octet, one gap, and so on. */
TEST(tiny_gaps__bounded__and_the_rest_arrives_when_it_is_sent_again)
{
	enum { OCTETS = 4000 };
	uint8_t got[OCTETS];
	uint32_t most;
	JOINED(r, .ts = false);

	most = rcv_runs_max(&r.e->cfg);
	for (uint32_t i = 1; i < OCTETS; i += 2) {
		text_in(&r, i, 1);
		rig_drain(&r);
	}
	assert_int_equal(rig_conn(&r)->n_gaps, most);
	EXPECT_COUNT(&r, ofo_drop, OCTETS / 2 - most);
	for (uint32_t i = 0; i < OCTETS; i += 100)
		text_in(&r, i, 100);
	assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), OCTETS);
	for (uint32_t i = 0; i < OCTETS; i++)
		assert_int_equal(got[i], (uint8_t)(IRS + 1 + i));
}

/* Memory is short, and what came last out of order goes: it is told no more. */
TEST(pruned__is_told_no_more)
{
	JOINED(r, .ts = false);

	text_in(&r, 100, 10);
	text_in(&r, 200, 10);
	rig_drain(&r);
	r.e->k.mem_max = 1;
	r.e->rcv_held = 4096 - 5; /* others hold the rest */
	text_in(&r, 0, 10);
	EXPECT_COUNT(&r, ofo_pruned, 1);
	EXPECT_SACK(&r, 10, 100, 110);
}

/* 12 octets of timestamps and three blocks: a fourth would leave less room than the segment takes. */
TEST(blocks_beside_timestamps__text_fills_the_rest)
{
	JOINED(r, .ts = true);

	for (uint32_t i = 1; i <= 4; i++) {
		text_in(&r, 100 * i, 10);
		rig_drain(&r);
	}
	put(&r, 4000);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 1, PEER_MSS - 12 - 28);
	assert_int_equal(r.out.seg.opts.n_sack, 3);
}

RUN(T(not_permitted__by_the_peer_or_the_knob__no_blocks), T(connect__offers_it__and_the_answer_decides),
    T(syn_ack__of_a_syn_without_it__does_not_agree), T(blocks__the_last_that_grew_first),
    T(timestamps__leave_room_for_three), T(runs_that_grow_together__are_one_block),
    T(gap_filled__its_block_is_told_no_more), T(blocks__ride_on_text_that_leaves_them_room),
    T(every_block__is_there_when_it_is_told__and_stays_until_it_is_acknowledged), T(dsack__old_octets__told_once),
    T(dsack__partly_old__only_that_part), T(dsack__new_text_before_it_is_told__not_told),
    T(dsack__out_of_order__is_told_before_the_block_that_holds_it),
    T(dsack__in_order_over_what_is_there__told_beyond_the_ack), T(dsack__knob_off__not_told),
    T(dsack__old_octets_with_the_fin__not_told), T(dsack__old_and_out_of_order_in_one__the_old),
    T(octets_that_differ__those_that_came_first_are_read),
    T(tiny_gaps__bounded__and_the_rest_arrives_when_it_is_sent_again), T(pruned__is_told_no_more),
    T(blocks_beside_timestamps__text_fills_the_rest))
