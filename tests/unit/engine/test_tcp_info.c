/* SPDX-License-Identifier: MIT */
/* TCP_INFO while something is in flight: the numbers are Linux's, field by field. */
#include "tests/unit/engine/flight.h"

static struct la_tcp_info info(const struct rig *r)
{
	struct la_tcp_info i;

	assert_int_equal(la_tcp_info(r->h, r->s, &i), 0);
	return i;
}

TEST(in_recovery__scoreboard_and_times)
{
	FLIGHT(r, .sack = true);
	struct la_tcp_info i;

	fly(&r, 0, 10);
	put(&r, 2 * MSS);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 1, 4);
	i = info(&r);
	assert_int_equal(i.tcpi_ca_state, CA_RECOVERY);
	assert_int_equal(i.tcpi_unacked, 10);
	assert_int_equal(i.tcpi_sacked, 3);
	assert_int_equal(i.tcpi_lost, 1);
	assert_int_equal(i.tcpi_retrans, 0);
	assert_int_equal(i.tcpi_notsent_bytes, 2 * MSS);
	assert_int_equal(i.tcpi_snd_ssthresh, 7);
	assert_int_equal(i.tcpi_rtt, RTT_MS * 1000);
	assert_int_equal(i.tcpi_min_rtt, RTT_MS * 1000);
	assert_int_equal(i.tcpi_rttvar, 37500); /* the mean deviation, not what the timeout takes for it */
	assert_int_equal(i.tcpi_rto, 300000);
	assert_int_equal(i.tcpi_delivered, 1 + 3); /* the SYN counts */
	expect_segment(&r, 0);
	i = info(&r);
	assert_int_equal(i.tcpi_retrans, 1);
	assert_int_equal(i.tcpi_total_retrans, 1);
	assert_int_equal(i.tcpi_bytes_retrans, MSS);
	assert_int_equal(i.tcpi_bytes_sent, 11 * MSS);
	assert_int_equal(i.tcpi_rcv_wnd, r.out.seg.wnd);
	rig_drain(&r);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 10, 0, 1);
	i = info(&r);
	assert_int_equal(i.tcpi_retrans, 0);
	assert_int_equal(i.tcpi_total_retrans, 1);
	assert_int_equal(i.tcpi_dsack_dups, 1);
	assert_int_equal(i.tcpi_lost, 0);
	assert_int_equal(i.tcpi_sacked, 0);
	assert_int_equal(i.tcpi_bytes_acked, 10 * MSS);
	assert_int_equal(i.tcpi_delivered, 1 + 10 + 1);
}

TEST(all_is_usual__each_ack_counts)
{
	FLIGHT(r, .sack = true);

	fly(&r, 0, 4);
	rig_pass(&r, RTT_MS * MS);
	for (uint32_t n = 1; n <= 4; n++) {
		ack_segments(&r, n);
		assert_int_equal(info(&r).tcpi_delivered, 1 + n);
		assert_int_equal(info(&r).tcpi_unacked, 4 - n);
		assert_int_equal(info(&r).tcpi_bytes_acked, n * MSS);
	}
}

TEST(reordering__seen_and_how_far)
{
	FLIGHT(r, .sack = true);
	struct la_tcp_info i;

	fly(&r, 0, 10);
	assert_int_equal(info(&r).tcpi_reordering, 3);
	rig_pass(&r, RTT_MS * MS);
	SACK_IN(&r, 0, 5, 6);
	rig_pass(&r, 10 * MS);
	ack_segments(&r, 6);
	i = info(&r);
	assert_int_equal(i.tcpi_reord_seen, 1);
	assert_int_equal(i.tcpi_reordering, 6);
}

TEST(marked_path__what_was_delivered_with_ece)
{
	FLIGHT(r, .sack = true, .ecn = true);

	fly(&r, 0, 10);
	rig_pass(&r, RTT_MS * MS);
	ack_segments(&r, 2);
	assert_int_equal(info(&r).tcpi_delivered_ce, 0);
	IN(&r, .flags = F_ACK | F_ECE, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + 5 * MSS));
	assert_int_equal(info(&r).tcpi_delivered_ce, 3);
	assert_int_equal(info(&r).tcpi_ca_state, CA_CWR);
}

TEST(timeout__the_rto_is_the_doubled_one)
{
	FLIGHT_KNOBS(r, "net.ipv4.tcp_early_retrans = 0", .sack = true);
	struct la_tcp_info i;

	fly(&r, 0, 1);
	rig_pass(&r, 310 * MS);
	i = info(&r);
	assert_int_equal(i.tcpi_retransmits, 1);
	assert_int_equal(i.tcpi_backoff, 1);
	assert_int_equal(i.tcpi_rto, 600000);
	assert_int_equal(i.tcpi_ca_state, CA_LOSS);
}

RUN(T(in_recovery__scoreboard_and_times), T(all_is_usual__each_ack_counts), T(reordering__seen_and_how_far),
    T(marked_path__what_was_delivered_with_ece), T(timeout__the_rto_is_the_doubled_one))
