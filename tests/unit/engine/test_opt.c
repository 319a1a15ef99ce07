/* SPDX-License-Identifier: MIT */
/* Socket options of buffers, marks and paths, TCP_INFO's layout and the ioctls: values as measured on Linux 6.18. */
#include "tests/unit/t.h"
#include "tests/unit/engine/pair.h"
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

static uint8_t buf[70000];

TEST(setsockopt__buffers_and_marks__as_linux)
{
	static const struct {
		enum la_opt opt;
		int value, err, got;
	} cases[] = {
		{LA_SO_SNDBUF, 1, 0, 4608},
		{LA_SO_SNDBUF, 10000, 0, 20000},
		{LA_SO_SNDBUF, -1, 0, 8 << 20},
		{LA_SO_RCVBUF, 1, 0, 2304},
		{LA_SO_RCVBUF, 10000, 0, 20000},
		{LA_SO_RCVBUF, INT32_MAX, 0, 8 << 20},
		{LA_SO_RCVLOWAT, 5000, 0, 5000},
		{LA_SO_RCVLOWAT, -1, 0, 4 << 20}, /* half of SO_RCVBUF */
		{LA_SO_RCVLOWAT, 0, 0, 1},
		{LA_SO_SNDLOWAT, 5, -ENOPROTOOPT, 1},
		{LA_TCP_CORK, 7, 0, 1},
		{LA_TCP_CORK, 0, 0, 0},
		{LA_TCP_NOTSENT_LOWAT, 4000, 0, 4000},
		{LA_TCP_NOTSENT_LOWAT, -1, 0, -1},
		{LA_TCP_NOTSENT_LOWAT, 0, 0, 0},
		{LA_TCP_WINDOW_CLAMP, 0, 0, 0},
		{LA_TCP_WINDOW_CLAMP, 1, 0, 1152},
		{LA_TCP_WINDOW_CLAMP, -1, 0, 1152},
		{LA_TCP_WINDOW_CLAMP, 5000, 0, 5000},
		{LA_TCP_DEFER_ACCEPT, 5, 0, 7}, /* 1 + 2 + 4 */
		{LA_TCP_DEFER_ACCEPT, 3, 0, 3},
		{LA_TCP_DEFER_ACCEPT, 1, 0, 1},
		{LA_TCP_DEFER_ACCEPT, 128, 0, 247}, /* no wait is longer than 120 s */
		{LA_TCP_DEFER_ACCEPT, INT32_MAX, 0, 127 + 248 * 120},
		{LA_TCP_DEFER_ACCEPT, -1, 0, 0},
		{LA_TCP_INQ, 2, -EINVAL, 0},
		{LA_TCP_INQ, -1, -EINVAL, 0},
		{LA_TCP_INQ, 1, 0, 1},
		{LA_IP_MTU_DISCOVER, -1, -EINVAL, LA_PMTUDISC_WANT},
		{LA_IP_MTU_DISCOVER, 6, -EINVAL, LA_PMTUDISC_WANT},
		{LA_IP_MTU_DISCOVER, 5, 0, LA_PMTUDISC_OMIT},
		{LA_IP_MTU_DISCOVER, 0, 0, LA_PMTUDISC_DONT},
	};
	struct pair p;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(get_int(p.a, s, LA_IP_MTU_DISCOVER), LA_PMTUDISC_WANT);
	assert_int_equal(get_int(p.a, s, LA_SO_RCVLOWAT), 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(set_int(p.a, s, cases[i].opt, cases[i].value), cases[i].err);
		assert_int_equal(get_int(p.a, s, cases[i].opt), cases[i].got);
	}
	assert_int_equal(set_int(p.a, s, LA_TCP_INFO, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(p.a, s, LA_TCP_CC_INFO, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(p.a, s, LA_IP_MTU, 1), -ENOPROTOOPT);
	pair_done(&p);
}

TEST(setsockopt__connected__clamp_keeps_and_mtu_is_known)
{
	struct pair p;
	size_t len = 4;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_getsockopt(p.a, s, LA_IP_MTU, buf, &len), -ENOTCONN);
	assert_int_equal(get_int(p.a, j.client, LA_IP_MTU), 1500);
	assert_int_equal(set_int(p.a, j.client, LA_TCP_WINDOW_CLAMP, 0), -EINVAL);
	assert_int_equal(set_int(p.a, j.client, LA_TCP_WINDOW_CLAMP, 5000), 0);
	pair_done(&p);
}

TEST(setsockopt__an_octet__enough_for_ip_only)
{
	struct pair p;
	uint8_t one = 1, two = 2;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1"), s6 = la_socket(p.a, LA_INET6);
	assert_int_equal(la_setsockopt(p.a, s, LA_IP_MTU_DISCOVER, &two, 1), 0);
	assert_int_equal(get_int(p.a, s, LA_IP_MTU_DISCOVER), 2);
	assert_int_equal(la_setsockopt(p.a, s, LA_IP_MTU_DISCOVER, &two, 0), 0);
	assert_int_equal(get_int(p.a, s, LA_IP_MTU_DISCOVER), 0);
	assert_int_equal(la_setsockopt(p.a, s6, LA_IP_MTU_DISCOVER, &two, 1), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, s, LA_TCP_CORK, &one, 1), -EINVAL);
	pair_done(&p);
}

TEST(congestion__by_name__and_the_knob_otherwise)
{
	struct pair p;
	char name[20];
	size_t len = sizeof(name);

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_getsockopt(p.a, j.client, LA_TCP_CONGESTION, name, &len), 0);
	assert_int_equal(len, 16);
	assert_string_equal(name, "cubic");
	assert_int_equal(la_setsockopt(p.a, j.client, LA_TCP_CONGESTION, "nonesuch", 8), -ENOENT);
	assert_int_equal(la_setsockopt(p.a, j.client, LA_TCP_CONGESTION, "reno", 0), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, j.client, LA_TCP_CONGESTION, "renoxx", 4), 0);
	len = 3;
	assert_int_equal(la_getsockopt(p.a, j.client, LA_TCP_CONGESTION, name, &len), 0);
	assert_memory_equal(name, "ren", 3);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.tcp_congestion_control", "reno"), 0);
	len = sizeof(name);
	assert_int_equal(la_getsockopt(p.a, socket_of(p.a, "10.0.0.1"), LA_TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "reno");
	pair_done(&p);
}

TEST(sndbuf__of_a_connection__bounds_what_is_taken)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(set_int(p.a, j.client, LA_SO_SNDBUF, 5000), 0);
	assert_in_range(la_send(p.a, j.client, buf, sizeof(buf), 0), 10000,
			10000 + (1 << 15)); /* and one large packet */
	assert_int_equal(la_send(p.a, j.client, buf, sizeof(buf), 0), -EAGAIN);
	assert_false(la_poll(p.a, j.client) & LA_OUT);
	assert_int_equal(set_int(p.a, j.client, LA_SO_SNDBUF, 1 << 20), 0);
	assert_true(la_poll(p.a, j.client) & LA_OUT);
	assert_true(la_send(p.a, j.client, buf, sizeof(buf), 0) > 0);
	pair_done(&p);
}

TEST(rcvlowat__less_than_that__is_not_readable_and_the_end_is)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(set_int(p.a, j.client, LA_TCP_NODELAY, 1), 0);
	assert_int_equal(set_int(p.b, j.server, LA_SO_RCVLOWAT, 100), 0);
	la_send(p.a, j.client, buf, 99, 0);
	pair_run(&p);
	assert_false(la_poll(p.b, j.server) & LA_IN);
	la_send(p.a, j.client, buf, 1, 0);
	pair_run(&p);
	assert_true(la_poll(p.b, j.server) & LA_IN);
	assert_int_equal(la_recv(p.b, j.server, buf, 50, 0), 50);
	assert_false(la_poll(p.b, j.server) & LA_IN);
	assert_int_equal(la_recv(p.b, j.server, buf, 100, 0), 50); /* what there is, all the same */
	la_shutdown(p.a, j.client, LA_SHUT_WR);
	pair_run(&p);
	assert_true(la_poll(p.b, j.server) & LA_IN);
	pair_done(&p);
}

TEST(recv__trunc__is_thrown_away)
{
	struct pair p;
	uint8_t got[8] = "-------";

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	la_send(p.a, j.client, "abcdefgh", 8, LA_NOSIGNAL | LA_DONTWAIT);
	pair_run(&p);
	assert_int_equal(la_recv(p.b, j.server, got, 3, LA_TRUNC), 3);
	assert_int_equal(la_recv(p.b, j.server, NULL, 2, LA_TRUNC), 2);
	assert_int_equal(got[0], '-');
	assert_int_equal(la_recv(p.b, j.server, got, 8, LA_WAITALL), 3);
	assert_memory_equal(got, "fgh", 3);
	assert_int_equal(la_recv(p.b, j.server, got, 8, 1 /* MSG_OOB */), -EINVAL);
	pair_done(&p);
}

static int asked(struct la_engine *e, la_sock s, enum la_ioctl what)
{
	int n = -1, err = la_ioctl(e, s, what, &n);

	return err ? err : n;
}

TEST(ioctl__queues__count_as_linux)
{
	struct pair p;

	pair_init(&p);
	la_sock fresh = socket_of(p.a, "10.0.0.1"), l = listen_at(p.a, "10.0.0.1", 9, 1);
	for (enum la_ioctl i = LA_SIOCINQ; i <= LA_CM_INQ; i++) {
		assert_int_equal(asked(p.a, fresh, i), 0);
		assert_int_equal(asked(p.a, l, i), -EINVAL);
		assert_int_equal(asked(p.a, 12345, i), -EBADF);
	}
	assert_int_equal(asked(p.a, fresh, (enum la_ioctl)(LA_CM_INQ + 1)), -EINVAL);
	assert_int_equal(la_ioctl(p.a, fresh, LA_SIOCINQ, NULL), -EFAULT);

	struct joint j = pair_join(&p, 80);
	la_send(p.a, j.client, buf, 1000, 0);
	assert_int_equal(asked(p.a, j.client, LA_SIOCOUTQ), 1000);
	assert_int_equal(asked(p.a, j.client, LA_SIOCOUTQNSD), 1000);
	la_shutdown(p.a, j.client, LA_SHUT_WR);
	assert_int_equal(asked(p.a, j.client, LA_SIOCOUTQ), 1001); /* with its FIN */
	pair_pass(&p, 50); /* the ACK of a FIN waits for an answer */
	assert_int_equal(asked(p.a, j.client, LA_SIOCOUTQ), 0);
	assert_int_equal(asked(p.a, j.client, LA_SIOCOUTQNSD), 0);
	assert_int_equal(asked(p.b, j.server, LA_SIOCINQ), 1000); /* without it */
	assert_int_equal(asked(p.b, j.server, LA_CM_INQ), 1000);
	la_recv(p.b, j.server, buf, 1000, 0);
	assert_int_equal(asked(p.b, j.server, LA_SIOCINQ), 0);
	assert_int_equal(asked(p.b, j.server, LA_CM_INQ), 1); /* the end is there to be read */
	pair_done(&p);
}

/* ---- TCP_INFO ---- */

#define SAME(field)                                                                                                    \
	_Static_assert(offsetof(struct la_tcp_info, field) == offsetof(struct tcp_info, field), #field);               \
	_Static_assert(sizeof(((struct la_tcp_info *)0)->field) == sizeof(((struct tcp_info *)0)->field), #field)
SAME(tcpi_state);
SAME(tcpi_ca_state);
SAME(tcpi_retransmits);
SAME(tcpi_probes);
SAME(tcpi_backoff);
SAME(tcpi_options);
SAME(tcpi_rto);
SAME(tcpi_ato);
SAME(tcpi_snd_mss);
SAME(tcpi_rcv_mss);
SAME(tcpi_unacked);
SAME(tcpi_sacked);
SAME(tcpi_lost);
SAME(tcpi_retrans);
SAME(tcpi_fackets);
SAME(tcpi_last_data_sent);
SAME(tcpi_last_ack_sent);
SAME(tcpi_last_data_recv);
SAME(tcpi_last_ack_recv);
SAME(tcpi_pmtu);
SAME(tcpi_rcv_ssthresh);
SAME(tcpi_rtt);
SAME(tcpi_rttvar);
SAME(tcpi_snd_ssthresh);
SAME(tcpi_snd_cwnd);
SAME(tcpi_advmss);
SAME(tcpi_reordering);
SAME(tcpi_rcv_rtt);
SAME(tcpi_rcv_space);
SAME(tcpi_total_retrans);
SAME(tcpi_pacing_rate);
SAME(tcpi_max_pacing_rate);
SAME(tcpi_bytes_acked);
SAME(tcpi_bytes_received);
SAME(tcpi_segs_out);
SAME(tcpi_segs_in);
SAME(tcpi_notsent_bytes);
SAME(tcpi_min_rtt);
SAME(tcpi_data_segs_in);
SAME(tcpi_data_segs_out);
SAME(tcpi_delivery_rate);
SAME(tcpi_busy_time);
SAME(tcpi_rwnd_limited);
SAME(tcpi_sndbuf_limited);
SAME(tcpi_delivered);
SAME(tcpi_delivered_ce);
SAME(tcpi_bytes_sent);
SAME(tcpi_bytes_retrans);
SAME(tcpi_dsack_dups);
SAME(tcpi_reord_seen);
SAME(tcpi_rcv_ooopack);
SAME(tcpi_snd_wnd);
/* Debian 12's header ends here; the rest is from the BTF of 6.18. */
_Static_assert(offsetof(struct la_tcp_info, tcpi_rcv_wnd) == 232, "6.2");
_Static_assert(offsetof(struct la_tcp_info, tcpi_rehash) == 236, "6.2");
_Static_assert(offsetof(struct la_tcp_info, tcpi_total_rto) == 240, "6.7");
_Static_assert(offsetof(struct la_tcp_info, tcpi_total_rto_recoveries) == 242, "6.7");
_Static_assert(offsetof(struct la_tcp_info, tcpi_total_rto_time) == 244, "6.7");
_Static_assert(offsetof(struct la_tcp_info, tcpi_received_ce) == 248, "6.18");
_Static_assert(offsetof(struct la_tcp_info, tcpi_accecn_opt_seen) == 278, "6.18");
_Static_assert(sizeof(struct la_tcp_info) == 280, "6.18");

TEST(tcp_info__bit_fields__lie_as_in_the_kernel)
{
	struct la_tcp_info ours = {0};
	struct tcp_info theirs = {0};

	ours.tcpi_snd_wscale = theirs.tcpi_snd_wscale = 7;
	ours.tcpi_rcv_wscale = theirs.tcpi_rcv_wscale = 10;
	ours.tcpi_delivery_rate_app_limited = theirs.tcpi_delivery_rate_app_limited = 1;
	ours.tcpi_fastopen_client_fail = theirs.tcpi_fastopen_client_fail = 2;
	assert_memory_equal(&ours, &theirs, sizeof(theirs));
}

TEST(tcp_info__new_socket__what_linux_says_of_one)
{
	struct pair p;
	struct la_tcp_info i;
	uint8_t part[10];
	size_t len = sizeof(i);

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_getsockopt(p.a, s, LA_TCP_INFO, &i, &len), 0);
	assert_int_equal(len, 280);
	assert_int_equal(i.tcpi_state, 7);
	assert_int_equal(i.tcpi_rto, 1000000);
	assert_int_equal(i.tcpi_rttvar, 250000);
	assert_int_equal(i.tcpi_snd_mss, 536);
	assert_int_equal(i.tcpi_snd_cwnd, 10);
	assert_int_equal(i.tcpi_snd_ssthresh, INT32_MAX);
	assert_int_equal(i.tcpi_reordering, 3);
	assert_int_equal(i.tcpi_pmtu, 0);
	assert_true(i.tcpi_pacing_rate == UINT64_MAX);
	len = sizeof(part);
	assert_int_equal(la_getsockopt(p.a, s, LA_TCP_INFO, part, &len), 0); /* cut */
	assert_int_equal(len, 10);
	assert_int_equal(part[0], 7);
	len = 100;
	assert_int_equal(la_getsockopt(p.a, s, LA_TCP_CC_INFO, buf, &len), 0);
	assert_int_equal(len, 0);
	pair_done(&p);
}

RUN(T(setsockopt__buffers_and_marks__as_linux), T(setsockopt__connected__clamp_keeps_and_mtu_is_known),
    T(setsockopt__an_octet__enough_for_ip_only), T(congestion__by_name__and_the_knob_otherwise),
    T(sndbuf__of_a_connection__bounds_what_is_taken), T(rcvlowat__less_than_that__is_not_readable_and_the_end_is),
    T(recv__trunc__is_thrown_away), T(ioctl__queues__count_as_linux), T(tcp_info__bit_fields__lie_as_in_the_kernel),
    T(tcp_info__new_socket__what_linux_says_of_one))
