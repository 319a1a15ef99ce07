/* SPDX-License-Identifier: MIT */
/* The receive window grows with what the application takes (tcp_moderate_rcvbuf), and what SO_RCVBUF and the knobs say of it. */
#include "tests/unit/engine/flow.h"

enum { MSS = PEER_MSS, RTT_MS = 20, RING = 1 << 20 };

#define SCALED(r, ...)                                                                                                 \
	RIG_WITH(r, __VA_ARGS__);                                                                                      \
	join(&r)

static void join(struct rig *r)
{
	rig_listen(r, 4);
	IN(r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = MSS, .opts.has_wscale = true,
	   .opts.wscale = 7);
	assert_true(rig_out(r));
	r->shift = r->out.seg.seq.v - ISS;
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
}

static uint32_t window(struct rig *r)
{
	const struct conn *c = rig_conn(r);

	return (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
}

/* The peer fills the window once a round trip; the application reads `part` of 4 quarters of it. */
static uint32_t transfer(struct rig *r, unsigned rounds, unsigned part)
{
	static uint8_t got[RING];
	uint32_t at = 0, n;

	for (unsigned i = 0; i < rounds; i++) {
		uint32_t wnd = window(r);

		for (; wnd >= MSS; wnd -= MSS, at += MSS)
			text_in(r, at, MSS);
		rig_pass(r, RTT_MS * MS);
		n = rcv_unread(rig_conn(r)) / 4 * part;
		if (n)
			assert_int_equal(la_recv(r->h, r->s, got, n, 0), n);
		rig_drain(r);
		r->kept_n = 0;
	}
	return window(r);
}

TEST(reader_keeps_up__window_grows_to_the_ring)
{
	SCALED(r, .cfg.receive_buffer = RING, .ts = false);

	assert_in_range(window(&r), 60000, 65535);
	assert_in_range(transfer(&r, 30, 4), RING - 2 * MSS, RING);
}

TEST(window_that_comes_at_once__is_a_microsecond)
{
	SCALED(r, .ts = false);
	static uint8_t got[RING];
	uint32_t at = 0, n = window(&r) / MSS;

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < n; i++, at += MSS)
			text_in(&r, at, MSS);
		la_recv(r.h, r.s, got, sizeof(got), 0);
		rig_drain(&r);
	}
	assert_int_equal(rig_conn(&r)->rcv_rtt_us8, 8); /* 0 is: nothing is known */
}

TEST(reader_keeps_up__with_timestamps_too)
{
	SCALED(r, .cfg.receive_buffer = RING, .ts = true);

	assert_in_range(transfer(&r, 30, 4), RING / 2, RING);
}

TEST(rmem__is_the_bound)
{
	SCALED(r, .cfg.receive_buffer = RING, .knobs = "net.ipv4.tcp_rmem = 4096 131072 600000");

	assert_in_range(transfer(&r, 30, 4), 290000, 300000 + (1 << 5));
}

TEST(knob_off__or_the_buffer_set__stays)
{
	for (int i = 0; i < 2; i++) {
		SCALED(r, .cfg.receive_buffer = RING, .knobs = i ? NULL : "net.ipv4.tcp_moderate_rcvbuf = 0");

		if (i)
			assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_RCVBUF, &(int){65536}, sizeof(int)), 0);
		assert_in_range(transfer(&r, 30, 4), 60000, 65536 + (1 << 5));
	}
}

TEST(reader_takes_nothing__window_closes_and_stays)
{
	SCALED(r, .cfg.receive_buffer = RING, .ts = false);

	assert_int_equal(transfer(&r, 30, 0) / MSS, 0);
	assert_int_equal(rig_conn(&r)->rcv_full, 65536);
}

TEST(syn__window_and_scale__as_linux)
{
	static const struct {
		const char *knobs;
		uint32_t ring;
		uint16_t wnd;
		uint8_t wscale;
		bool ts;
	} rows[] = {
		{NULL, 1 << 26, 64240, 10, false}, /* as 6.18 with its defaults */
		{NULL, 1 << 26, 65160, 10, true},
		{"net.ipv4.tcp_rmem = 4096 540000 15728640", 1 << 24, 65535, 8, false},
		{"net.ipv4.tcp_rmem = 4096 131072 131072", 1 << 26, 64240, 7, false}, /* rmem_max is more */
		{"net.ipv4.tcp_rmem = 4096 20000 6291456\nnet.core.rmem_max = 212992", 1 << 26, 8760, 7, false},
		{NULL, 1 << 16, 64240, 1, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_WITH(r, .ts = rows[i].ts, .knobs = rows[i].knobs, .cfg.receive_buffer = rows[i].ring,
			 .cfg.max_sockets = 3);

		rig_listen(&r, 1);
		IN(&r, .flags = F_SYN, .seq = seq(IRS), .opts.has_mss = true, .opts.mss = MSS, .opts.has_wscale = true);
		assert_true(rig_out(&r));
		assert_int_equal(r.out.seg.wnd, rows[i].wnd);
		assert_int_equal(r.out.seg.opts.wscale, rows[i].wscale);
	}
}

/* RFC 7323 2.3, and a peer of tiny segments: each takes a slot of somebody's time, so the window stays what it was. */
/* 184 segments of 1460 in 270000; a SYN's field holds 65535 of it, the next segment all. */
TEST(rmem__larger_than_a_field__is_announced_after_the_handshake)
{
	SCALED(r, .cfg.receive_buffer = RING, .knobs = "net.ipv4.tcp_rmem = 4096 540000 15728640");

	assert_int_equal(r.out.seg.wnd, 65535);
	assert_int_equal(rig_conn(&r)->rcv_ssthresh, 184 * 1460);
	put(&r, 1);
	assert_true(rig_out(&r));
	assert_in_range(r.out.seg.wnd << rig_conn(&r)->rcv_wscale, 184 * 1460, 184 * 1460 + 31);
}

TEST(tiny_segments__do_not_open_the_window)
{
	uint8_t got[100];
	SCALED(r, .cfg.receive_buffer = RING, .ts = false);
	uint32_t before = rig_conn(&r)->rcv_ssthresh;

	for (uint32_t i = 0; i < 5000; i++) {
		text_in(&r, i * 100, 100);
		assert_int_equal(la_recv(r.h, r.s, got, sizeof(got), 0), 100);
		rig_drain(&r);
	}
	assert_int_equal(rig_conn(&r)->rcv_ssthresh, before);
}

/* Nothing was received or read since, and still the next segment says it. */
TEST(so_rcvbuf__raised__is_announced_by_the_next_segment)
{
	SCALED(r, .cfg.receive_buffer = RING, .ts = false);

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_WINDOW_CLAMP, &(int){500000}, sizeof(int)), 0);
	rig_conn(&r)->rcv_ssthresh = 500000;
	put(&r, 1);
	assert_true(rig_out(&r));
	assert_in_range(r.out.seg.wnd << 5, 60000, 65536);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_RCVBUF, &(int){500000}, sizeof(int)), 0);
	ack(&r, 1);
	put(&r, 1);
	assert_true(rig_out(&r));
	assert_in_range(r.out.seg.wnd << 5, 490000, 500000);
}

/* What counts is what a round trip brought, in however many reads. */
TEST(reader_reads_each_segment__window_grows_as_well)
{
	SCALED(r, .cfg.receive_buffer = RING, .ts = false);
	static uint8_t got[MSS];
	uint32_t at = 0;

	for (unsigned i = 0; i < 30; i++) {
		for (uint32_t wnd = window(&r); wnd >= MSS; wnd -= MSS, at += MSS) {
			text_in(&r, at, MSS);
			assert_int_equal(la_recv(r.h, r.s, got, MSS, 0), MSS);
		}
		rig_pass(&r, RTT_MS * MS);
		rig_drain(&r);
		r.kept_n = 0;
	}
	assert_in_range(window(&r), RING / 2, RING);
}

RUN(T(reader_keeps_up__window_grows_to_the_ring), T(window_that_comes_at_once__is_a_microsecond),
    T(reader_keeps_up__with_timestamps_too), T(rmem__is_the_bound), T(knob_off__or_the_buffer_set__stays),
    T(reader_takes_nothing__window_closes_and_stays), T(syn__window_and_scale__as_linux),
    T(rmem__larger_than_a_field__is_announced_after_the_handshake), T(tiny_segments__do_not_open_the_window),
    T(so_rcvbuf__raised__is_announced_by_the_next_segment), T(reader_reads_each_segment__window_grows_as_well))
