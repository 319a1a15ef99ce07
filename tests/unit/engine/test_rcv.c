/* SPDX-License-Identifier: MIT */
/* rcv.c alone: a connection made by hand, every overlap of runs against a map of octets. */
#include "engine/engine.h"
#include "tests/unit/t.h"

enum { BUF = 2048, SPAN = 7, MSS = 1000, RUNS = 16 };
static const seq_t irs = {UINT32_MAX - 3}; /* the octets lie across the wrap */

static struct engine e;
static struct conn c;
static uint8_t ring[BUF];
static struct run runs[RUNS];

static seq_t octet(uint32_t n) { return seq_add(irs, 1 + n); }
static uint8_t value(uint32_t n) { return (uint8_t)(n * 7 + 3); }

static void begin(uint32_t read, uint32_t wnd) /* `read` octets have come and gone before: where the ring begins */
{
	memset(&e.n, 0, sizeof(e.n));
	e.cfg.receive_buffer = BUF;
	knobs_default(&e.k);
	e.rcv_held = 0;
	link_init(&e.out);
	wheel_init(&e.wheel, 0);
	memset(&c, 0, sizeof(c));
	c.eng = &e;
	c.state = ESTABLISHED;
	c.rcv_buf = ring;
	c.gaps = runs;
	c.irs = irs;
	c.rcv_nxt = c.rcv_read = c.last_ack_sent = octet(read);
	c.rcv_adv = octet(read + wnd);
	c.rcv_mss = c.snd_mss = c.adv_mss = MSS;
	c.rcv_full = c.rcv_clamp = c.rcv_ssthresh = BUF;
	c.ato_ms = 40;
	for (int i = 0; i < N_TIMERS; i++)
		c.timer_at[i] = NSEC_NEVER;
}

static bool in(uint32_t from, uint32_t to, bool fin)
{
	static uint8_t text[BUF * 2];
	struct seg s = {.seq = octet(from), .len = to - from, .text = text, .flags = F_ACK | (fin ? F_FIN : 0)};
	bool ret;

	for (uint32_t i = from; i < to; i++)
		text[i - from] = value(i);
	c.ack_due = false;
	ret = rcv_text(&c, &s);
	rcv_ack_check(&c);
	return ret;
}

static void announce(void) /* an ACK goes out */
{
	rcv_wnd_field(&c);
	rcv_ack_sent(&c, false);
}

static void expect_read(uint32_t from, uint32_t n)
{
	uint8_t got[BUF], peeked[BUF];

	assert_int_equal(rcv_unread(&c), n);
	assert_int_equal(rcv_read(&c, peeked, sizeof(peeked), true), n);
	assert_int_equal(rcv_read(&c, got, sizeof(got), false), n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(got[i], value(from + i));
		assert_int_equal(peeked[i], value(from + i));
	}
	assert_int_equal(rcv_unread(&c), 0);
}

static void expect_runs(uint32_t present, uint32_t base, uint32_t nxt) /* a bit an octet */
{
	unsigned n = 0;

	for (uint32_t i = nxt; i <= SPAN; i++) {
		if (!(present >> i & 1))
			continue;
		assert_true(n < c.n_gaps);
		assert_int_equal(c.gaps[n].from.v, octet(base + i).v);
		while (present >> i & 1)
			i++;
		assert_int_equal(c.gaps[n].to.v, octet(base + i).v);
		n++;
	}
	assert_int_equal(c.n_gaps, n);
}

static void unlink_all(void) /* so that a copy of c may be put back */
{
	link_remove(&c.out_link);
	wheel_cancel(&e.wheel, &c.timer);
}

/* Segments of 1..SPAN octets at 0..SPAN-1, four in a row: all of them, 28 to the power of 4. */
static void every_sequence(uint32_t base, uint32_t present, unsigned depth)
{
	for (uint32_t from = 0; from < SPAN; from++)
		for (uint32_t to = from + 1; to <= SPAN; to++) {
			struct conn saved = c;
			struct run saved_runs[RUNS];
			uint64_t saved_held = e.rcv_held;
			uint32_t now = present | (((UINT32_C(1) << to) - 1) & ~((UINT32_C(1) << from) - 1)), nxt = 0;
			bool was_gap = c.n_gaps > 0, advances;

			memcpy(saved_runs, runs, sizeof(runs));
			assert_false(in(base + from, base + to, false));
			while (now >> nxt & 1)
				nxt++;
			advances = !seq_eq(saved.rcv_nxt, c.rcv_nxt);
			assert_int_equal(c.rcv_nxt.v, octet(base + nxt).v);
			if (was_gap || !advances) /* else it depends on what came before */
				assert_true(c.ack_due);
			unlink_all();
			expect_runs(now, base, nxt);
			if (depth > 1)
				every_sequence(base, now, depth - 1);
			else
				expect_read(base, nxt);
			unlink_all();
			c = saved;
			e.rcv_held = saved_held;
			memcpy(runs, saved_runs, sizeof(runs));
		}
}

TEST(every_overlap_of_four_segments__agrees_with_a_map_of_octets)
{
	begin(0, SPAN);
	every_sequence(0, 0, 4);
}

TEST(every_overlap_of_three_segments__across_the_end_of_the_ring)
{
	for (uint32_t base = BUF - SPAN; base <= BUF; base++) {
		begin(base, SPAN);
		every_sequence(base, 0, 3);
	}
}

TEST(fin_out_of_order__is_remembered)
{
	begin(0, 100);
	assert_false(in(5, 10, true));
	assert_true(c.has_rcv_fin);
	assert_true(c.ack_due);
	assert_true(in(0, 5, false));
	assert_int_equal(c.rcv_nxt.v, octet(10).v);
	expect_read(0, 10);
}

TEST(fin__every_place_and_order__found_once_all_before_it_is_here)
{
	for (uint32_t cut = 0; cut <= SPAN; cut++)
		for (uint32_t from = 0; from <= SPAN; from++)
			for (uint32_t other = 0; other <= SPAN; other++) {
				bool early, late;

				begin(0, SPAN + 1);
				early = in(from, SPAN, true);
				assert_int_equal(early, from == 0);
				assert_int_equal(c.rcv_fin.v, octet(SPAN).v);
				if (early)
					continue;
				late = in(0, cut, false) || in(other < cut ? other : cut, SPAN, false);
				assert_true(late || cut >= SPAN);
				assert_int_equal(c.rcv_nxt.v, octet(SPAN).v);
				assert_int_equal(c.n_gaps, 0);
			}
}

TEST(fin_before_octets_that_are_here__is_none)
{
	begin(0, 100);
	in(10, 20, false);
	assert_false(in(0, 5, true));
	assert_false(c.has_rcv_fin);
	assert_int_equal(c.rcv_nxt.v, octet(5).v);
	assert_false(in(5, 15, false));
	assert_int_equal(c.rcv_nxt.v, octet(20).v);
}

TEST(octets_beyond_the_fin__are_not_taken)
{
	begin(0, 100);
	assert_false(in(5, 10, true));
	assert_true(in(0, 50, false));
	assert_int_equal(c.rcv_nxt.v, octet(10).v);
	assert_false(in(10, 12, true) && c.rcv_fin.v != octet(10).v); /* nor another FIN */
	expect_read(0, 10);
}

TEST(beyond_the_window__is_cut_off_with_its_fin)
{
	begin(0, 10);
	e.k.policy = POLICY_RFC9293; /* Linux looks at that in the first step */
	assert_false(in(4, 15, true));
	assert_false(c.has_rcv_fin);
	assert_int_equal(c.gaps[0].to.v, octet(10).v);
	assert_int_equal(e.n.rcv_q_drop, 1);
	assert_false(in(0, 15, true));
	assert_int_equal(c.rcv_nxt.v, octet(10).v);
	assert_false(in(10, 11, false));
	assert_int_equal(c.rcv_nxt.v, octet(10).v);
	assert_true(c.ack_due);
	expect_read(0, 10);
}

TEST(announced_more_than_there_is_room__the_room_counts)
{
	begin(0, BUF * 2);
	in(0, BUF + 5, false);
	assert_int_equal(c.rcv_nxt.v, octet(BUF).v);
	expect_read(0, BUF);
}

TEST(more_runs_than_can_be_remembered__are_dropped_and_counted)
{
	begin(0, 1000);
	for (uint32_t i = 1; i <= RUNS + 3; i++)
		in(i * 10, i * 10 + 5, false);
	assert_int_equal(c.n_gaps, RUNS);
	assert_int_equal(e.n.ofo_queue, RUNS);
	assert_int_equal(e.n.ofo_drop, 3);
	in(12, 18, false); /* touches one: needs no more room */
	assert_int_equal(e.n.ofo_merge, 0);
	in(13, 17, false); /* nothing new */
	assert_int_equal(e.n.ofo_merge, 1);
	assert_int_equal(e.n.ofo_queue, RUNS + 2);
	in(15, 30, false);
	assert_int_equal(c.n_gaps, RUNS - 2);
	in(0, 1000, false);
	assert_int_equal(c.n_gaps, 0);
	expect_read(0, 1000);
}

TEST(runs_that_touch__become_one)
{
	begin(0, 100);
	in(10, 20, false);
	in(30, 40, false);
	in(20, 30, false);
	assert_int_equal(c.n_gaps, 1);
	assert_int_equal(c.gaps[0].from.v, octet(10).v);
	assert_int_equal(c.gaps[0].to.v, octet(40).v);
	assert_int_equal(e.n.ofo_merge, 0); /* no octet came twice */
}

TEST(text_in_order__acknowledged_by_the_timer_or_the_second_segment)
{
	begin(0, MSS + 1);
	e.now = c.last_rcv_at = 5 * NSEC_PER_S;
	in(0, MSS, false);
	assert_false(c.ack_due);
	assert_int_equal(c.timer_at[TIMER_DELACK], e.now + 40 * NSEC_PER_MS);
	assert_int_equal(c.ack_pending, 1);
	e.now += NSEC_PER_MS;
	in(MSS, MSS + 1, false);
	assert_true(c.ack_due);
	assert_true(link_is_in(&c.out_link));
	assert_int_equal(c.timer_at[TIMER_DELACK], 5 * NSEC_PER_S + 40 * NSEC_PER_MS);
	assert_int_equal(c.bytes_received, MSS + 1);
	assert_int_equal(c.last_rcv_at, e.now);
}

TEST(quickack__acknowledges_every_segment)
{
	begin(0, BUF);
	c.quick = 16;
	in(0, 1, false);
	assert_true(c.ack_due);
	assert_int_equal(c.timer_at[TIMER_DELACK], NSEC_NEVER);
}

TEST(old_text__is_acknowledged_and_not_read_again)
{
	begin(0, BUF);
	in(0, 10, false);
	in(3, 10, false);
	assert_true(c.ack_due);
	in(3, 12, false);
	expect_read(0, 12);
}

TEST(read__in_small_pieces__keeps_the_order)
{
	uint8_t b[3];
	uint32_t n = 0;

	begin(BUF - 5, BUF);
	in(BUF - 5, BUF + 9, false);
	while (rcv_unread(&c)) {
		size_t got = rcv_read(&c, b, sizeof(b), false);

		for (size_t i = 0; i < got; i++)
			assert_int_equal(b[i], value(BUF - 5 + n++));
	}
	assert_int_equal(n, 14);
	assert_int_equal(rcv_read(&c, b, sizeof(b), false), 0);
}

TEST(fin_taken__is_no_octet_to_read)
{
	begin(0, BUF);
	assert_true(in(0, 4, true));
	assert_int_equal(rcv_unread(&c), 4);
	c.rcv_nxt = seq_add(c.rcv_nxt, 1); /* the eighth step */
	assert_int_equal(rcv_unread(&c), 4);
	expect_read(0, 4);
}

/* RFC 9293 3.8.6.2.2 and, for an ACK of its own, Linux's "at least twice". */
TEST(window__grows_by_whole_segments_or_not_at_all)
{
	begin(0, BUF);
	assert_int_equal(rcv_window(&c), BUF);
	in(0, 1500, false);
	assert_int_equal(rcv_window(&c), BUF - 1500); /* the edge stays */
	announce();
	c.rcv_read = octet(999);
	assert_int_equal(rcv_window(&c), BUF - 1500);
	c.rcv_read = octet(1000);
	assert_int_equal(rcv_window(&c), MSS);
}

TEST(window__grows_with_full_segments__not_with_tiny_ones)
{
	begin(0, BUF);
	c.rcv_ssthresh = 200;
	in(0, 127, false);
	assert_int_equal(c.rcv_ssthresh, 200);
	in(127, 127 + 128, false);
	assert_int_equal(c.rcv_ssthresh, BUF - 255); /* two segments at once, as far as there is room */
}

TEST(window__little_room__is_none)
{
	uint8_t b[BUF];

	begin(0, BUF);
	c.rcv_mss = 100;
	in(0, BUF, false);
	announce();
	c.rcv_mss = 100;
	rcv_read(&c, b, 127, false); /* less than a sixteenth */
	assert_int_equal(rcv_window(&c), 0);
	rcv_read(&c, b, 1, false);
	assert_int_equal(rcv_window(&c), 100);
}

TEST(shrink_window__knob__gives_octets_back_that_were_announced)
{
	for (int on = 0; on < 2; on++) {
		begin(0, BUF);
		e.k.shrink_window = on;
		c.rcv_wscale = 3;
		c.rcv_ssthresh = 1200;
		assert_int_equal(rcv_wnd_field(&c), on ? 1200 >> 3 : BUF >> 3);
		assert_int_equal(c.rcv_adv.v, octet(on ? 1200 : BUF).v);
	}
}

TEST(read__that_opens_the_window_much__is_told)
{
	uint8_t b[BUF];

	begin(0, BUF);
	in(0, BUF, false);
	announce();
	rcv_read(&c, b, MSS - 1, false);
	assert_false(c.ack_due);
	rcv_read(&c, b, 1, false);
	assert_true(c.ack_due);

	begin(0, BUF);
	in(0, 500, false);
	announce();
	rcv_read(&c, b, 500, false); /* the peer knows of 1548, it could be 2048 */
	assert_false(c.ack_due);
	begin(0, BUF);
	in(0, MSS, false);
	announce();
	rcv_read(&c, b, MSS, false); /* 1048 and 2048: not twice */
	assert_false(c.ack_due);
	begin(0, BUF);
	in(0, 1100, false);
	announce();
	rcv_read(&c, b, 1100, false);
	assert_true(c.ack_due);
	begin(0, BUF);
	in(0, 1100, false);
	announce();
	c.state = CLOSED;
	rcv_read(&c, b, BUF, false);
	assert_false(c.ack_due);
}

TEST(window__with_a_scale__is_rounded_up_while_there_is_room)
{
	begin(0, 1000);
	c.rcv_wscale = 3;
	c.rcv_ssthresh = 1101;
	assert_int_equal(rcv_window(&c), 1104);
	c.rcv_ssthresh = BUF;
	c.rcv_adv = octet(BUF - 1); /* as after an odd number of octets */
	assert_int_equal(rcv_window(&c), BUF);
	c.rcv_nxt = octet(3);
	c.rcv_adv = octet(BUF);
	assert_int_equal(rcv_window(&c), BUF - 8); /* 2045 cannot be said, 2048 is not there */
}

/* ---- tcp_mem ---- */

static void begin_short_of_memory(uint32_t octets)
{
	begin(0, BUF);
	e.k.mem_max = 1;
	e.rcv_held = 4096 - octets; /* others have the rest */
}

TEST(no_memory__out_of_order_is_dropped)
{
	begin_short_of_memory(10);
	in(5, 15, false);
	assert_int_equal(c.n_gaps, 1);
	in(20, 21, false);
	assert_int_equal(c.n_gaps, 1);
	assert_true(c.ack_due);
	assert_int_equal(e.n.ofo_drop, 1);
}

TEST(no_memory__in_order__what_is_out_of_order_goes_for_it)
{
	begin_short_of_memory(10);
	in(20, 24, false);
	in(30, 34, false);
	in(0, 6, false);
	assert_int_equal(c.rcv_nxt.v, octet(6).v);
	assert_int_equal(c.n_gaps, 1); /* the last went, the first stays */
	assert_int_equal(c.gaps[0].from.v, octet(20).v);
	assert_int_equal(e.n.prune_called, 1);
	assert_int_equal(e.n.ofo_pruned, 1);
	assert_int_equal(e.n.rcv_pruned, 0);
	in(24, 34, false);
	in(6, 34, false); /* no longer: there are octets to read */
	assert_int_equal(c.rcv_nxt.v, octet(6).v);
	assert_int_equal(e.n.rcv_pruned, 1);
	expect_read(0, 6);
	in(6, 30, false); /* nothing to read: a segment is taken in any case, or it would never go on */
	assert_int_equal(c.rcv_nxt.v, octet(30).v);
	expect_read(6, 24);
	assert_int_equal(e.rcv_held, 4096 - 10);
	assert_int_equal(c.rcv_held, 0);
}

TEST(memory_pressure__a_connection_has_its_share_or_the_least)
{
	begin(0, BUF);
	e.k.mem_pressure = 1;
	e.k.mem_max = 2;
	e.k.rmem_min = 200;
	e.rcv_held = 5000; /* of others */
	e.n_live = 50; /* 163 octets for each */
	in(0, 100, false);
	assert_int_equal(c.rcv_nxt.v, octet(100).v);
	in(100, 170, false); /* beyond both */
	assert_int_equal(c.rcv_nxt.v, octet(100).v);
	assert_int_equal(e.n.rcv_pruned, 1);
	e.n_live = 40;
	in(100, 170, false);
	assert_int_equal(c.rcv_nxt.v, octet(170).v);
	e.n_live = 0;
}

TEST(memory_pressure__windows_stop_growing_until_it_is_over)
{
	uint8_t b[BUF];

	begin(0, BUF);
	e.k.mem_min = 1;
	e.k.mem_pressure = 2;
	c.rcv_ssthresh = 300;
	e.rcv_held = 8192;
	in(0, 200, false);
	assert_int_equal(c.rcv_ssthresh, 300);
	assert_int_equal(e.n.memory_pressures, 1);
	e.rcv_held -= 4000;
	in(200, 400, false);
	assert_int_equal(c.rcv_ssthresh, 300);
	e.rcv_held -= 1000;
	in(400, 600, false);
	assert_int_equal(c.rcv_ssthresh, BUF - 600);
	assert_int_equal(e.n.memory_pressures, 1);
	assert_int_equal(rcv_read(&c, b, 600, false), 600);
}

TEST(window__after_a_fin_on_a_full_buffer__is_zero)
{
	begin(0, BUF);
	in(0, BUF, true);
	c.rcv_nxt = seq_add(c.rcv_nxt, 1);
	assert_int_equal(rcv_window(&c), 0);
}

RUN(T(every_overlap_of_four_segments__agrees_with_a_map_of_octets),
    T(every_overlap_of_three_segments__across_the_end_of_the_ring), T(fin_out_of_order__is_remembered),
    T(fin__every_place_and_order__found_once_all_before_it_is_here), T(fin_before_octets_that_are_here__is_none),
    T(octets_beyond_the_fin__are_not_taken), T(beyond_the_window__is_cut_off_with_its_fin),
    T(announced_more_than_there_is_room__the_room_counts), T(more_runs_than_can_be_remembered__are_dropped_and_counted),
    T(runs_that_touch__become_one), T(text_in_order__acknowledged_by_the_timer_or_the_second_segment),
    T(quickack__acknowledges_every_segment), T(old_text__is_acknowledged_and_not_read_again),
    T(read__in_small_pieces__keeps_the_order), T(fin_taken__is_no_octet_to_read),
    T(window__grows_by_whole_segments_or_not_at_all), T(window__grows_with_full_segments__not_with_tiny_ones),
    T(window__little_room__is_none), T(shrink_window__knob__gives_octets_back_that_were_announced),
    T(read__that_opens_the_window_much__is_told), T(window__with_a_scale__is_rounded_up_while_there_is_room),
    T(no_memory__out_of_order_is_dropped), T(no_memory__in_order__what_is_out_of_order_goes_for_it),
    T(memory_pressure__a_connection_has_its_share_or_the_least),
    T(memory_pressure__windows_stop_growing_until_it_is_over), T(window__after_a_fin_on_a_full_buffer__is_zero))
