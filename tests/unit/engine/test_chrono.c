/* SPDX-License-Identifier: MIT */
/* TCP_INFO's three times: with something to send, held back by the peer's window, held back by SO_SNDBUF. */
#include "tests/unit/engine/flight.h"

static void expect_ms(struct rig *r, uint64_t busy, uint64_t rwnd, uint64_t sndbuf)
{
	struct la_tcp_info i;

	assert_int_equal(la_tcp_info(r->h, r->s, &i), 0);
	assert_int_equal(i.tcpi_busy_time, busy * 1000);
	assert_int_equal(i.tcpi_rwnd_limited, rwnd * 1000);
	assert_int_equal(i.tcpi_sndbuf_limited, sndbuf * 1000);
}

TEST(busy__from_the_first_octet_to_the_last_acknowledgement)
{
	FLIGHT(r, .sack = true);

	rig_pass(&r, 30 * MS);
	expect_ms(&r, 0, 0, 0);
	fly(&r, 0, 2);
	rig_pass(&r, 10 * MS);
	ack_segments(&r, 1);
	rig_pass(&r, 10 * MS);
	expect_ms(&r, 20, 0, 0);
	ack_segments(&r, 2);
	rig_pass(&r, 50 * MS);
	expect_ms(&r, 20, 0, 0);
	fly(&r, 2, 1);
	rig_pass(&r, 5 * MS);
	expect_ms(&r, 25, 0, 0);
}

TEST(rwnd__while_a_segment_does_not_fit)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 1);
	ack_wnd(&r, MSS, MSS - 1);
	expect_ms(&r, 0, 0, 0);
	put(&r, MSS);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 40 * MS);
	expect_ms(&r, 40, 40, 0);
	ack_wnd(&r, MSS, MSS);
	expect_segment(&r, 1);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 10 * MS);
	expect_ms(&r, 50, 40, 0);
	ack_wnd(&r, 2 * MSS, 0);
	rig_pass(&r, 10 * MS);
	expect_ms(&r, 50, 40, 0); /* nothing is there that the window could hold back */
}

TEST(rwnd__not_while_cwnd_is_full)
{
	FLIGHT(r, .sack = true);

	rig_conn(&r)->cc.cwnd = 2;
	ack_wnd(&r, 0, 2 * MSS);
	put(&r, 3 * MSS);
	expect_segment(&r, 0);
	expect_segment(&r, 1);
	EXPECT_SILENCE(&r);
	rig_pass(&r, 10 * MS);
	expect_ms(&r, 10, 0, 0);
	rig_conn(&r)->cc.cwnd = 3;
	ack_wnd(&r, 0, 2 * MSS);
	out_schedule(rig_conn(&r));
	EXPECT_SILENCE(&r);
	rig_pass(&r, 10 * MS);
	expect_ms(&r, 20, 10, 0);
}

TEST(sndbuf__while_all_of_it_is_in_flight)
{
	FLIGHT(r, .sack = true);
	static uint8_t text[200000];
	const int v = 10000;
	uint32_t n = 0;
	int64_t took;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_SNDBUF, &v, sizeof(v)), 0);
	rig_conn(&r)->cc.cwnd = 1000;
	while ((took = la_send(r.h, r.s, text, sizeof(text), 0)) > 0) {
		n += (uint32_t)took;
		while (rig_out(&r))
			;
	}
	assert_int_equal(snd_unsent(rig_conn(&r)), 0);
	rig_pass(&r, 20 * MS);
	expect_ms(&r, 20, 0, 20);
	ack_wnd(&r, n - 4000, FLIGHT_WND);
	assert_int_equal(la_send(r.h, r.s, text, 1, 0), 1);
	n++;
	rig_pass(&r, 7 * MS);
	expect_ms(&r, 27, 0, 20);
	ack_wnd(&r, n, FLIGHT_WND);
	rig_pass(&r, 7 * MS);
	expect_ms(&r, 27, 0, 20);
}

RUN(T(busy__from_the_first_octet_to_the_last_acknowledgement), T(rwnd__while_a_segment_does_not_fit),
    T(rwnd__not_while_cwnd_is_full), T(sndbuf__while_all_of_it_is_in_flight))
