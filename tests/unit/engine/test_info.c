/* SPDX-License-Identifier: MIT */
/* TCP_INFO, counters, edges, iteration, usage. */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <string.h>

static char buf[70000];

static struct la_tcp_info info(struct la_engine *e, la_sock s)
{
	struct la_tcp_info i;

	assert_int_equal(la_tcp_info(e, s, &i), 0);
	return i;
}

TEST(tcp_info__each_state__kernel_number)
{
	struct pair p;

	pair_init(&p);
	assert_int_equal(state_of(p.a, socket_of(p.a, "10.0.0.1")), 7);
	assert_int_equal(state_of(p.a, listen_at(p.a, "10.0.0.1", 9, 1)), 10);
	assert_int_equal(state_of(p.a, connect_to(p.a, "192.0.2.1", 80)), 2);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(state_of(p.a, j.client), 1);
	p.lost[1] = UINT8_MAX;
	la_shutdown(p.a, j.client, LA_SHUT_WR);
	pair_run(&p);
	assert_int_equal(state_of(p.a, j.client), 4);
	assert_int_equal(state_of(p.b, j.server), 8);
	p.lost[1] = 0;
	pair_pass(&p, 1000);
	assert_int_equal(state_of(p.a, j.client), 5);
	p.lost[1] = UINT8_MAX;
	la_shutdown(p.b, j.server, LA_SHUT_WR);
	pair_run(&p);
	assert_int_equal(state_of(p.b, j.server), 9);
	p.lost[1] = 0;
	pair_pass(&p, 1000);
	assert_int_equal(state_of(p.b, j.server), 7);
	uint8_t fin[1500];
	struct joint k = pair_join(&p, 81);
	la_shutdown(p.a, k.client, LA_SHUT_WR);
	la_shutdown(p.b, k.server, LA_SHUT_WR);
	size_t n = la_output(p.b, p.now, fin, sizeof(fin));
	la_input(p.a, p.now, fin, n); /* before ours was sent */
	assert_int_equal(state_of(p.a, k.client), 11);
	assert_int_equal(state_of(p.a, j.client), 7); /* the record is in TIME_WAIT, not the socket */
	pair_done(&p);
}

TEST(tcp_info__transfer__figures_add_up)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_send(p.a, j.client, buf, 10000, 0), 10000);
	struct la_tcp_info i = info(p.a, j.client);
	assert_int_equal(i.tcpi_notsent_bytes, 10000);
	assert_int_equal(i.tcpi_unacked, 0);
	pair_run(&p);
	pair_pass(&p, 1000);
	i = info(p.a, j.client);
	assert_int_equal(i.tcpi_options, 1 | 2 | 4);
	assert_int_equal(i.tcpi_snd_wscale, 1);
	assert_int_equal(i.tcpi_rcv_wscale, 1);
	assert_int_equal(i.tcpi_advmss, 1448); /* without timestamps */
	assert_int_equal(i.tcpi_snd_mss, 1448);
	assert_int_equal(i.tcpi_pmtu, 1500);
	assert_int_equal(i.tcpi_bytes_sent, 10000);
	assert_int_equal(i.tcpi_bytes_acked, 10001); /* the SYN too */
	assert_int_equal(i.tcpi_data_segs_out, 7);
	assert_int_equal(i.tcpi_data_segs_in, 0);
	assert_int_equal(i.tcpi_pacing_rate, (uint64_t)i.tcpi_snd_mss * i.tcpi_snd_cwnd * 2000000 / i.tcpi_rtt);
	assert_int_equal(i.tcpi_notsent_bytes, 0);
	assert_int_equal(i.tcpi_unacked, 0);
	assert_int_equal(i.tcpi_total_retrans, 0);
	assert_int_equal(i.tcpi_segs_out, p.sent[0]);
	assert_int_equal(i.tcpi_segs_in, p.sent[1]);
	assert_in_range(i.tcpi_last_data_sent, 1000, 1050);
	assert_in_range(i.tcpi_rto, 200000, 1000000);
	assert_in_range(i.tcpi_snd_cwnd, 10, 20);
	i = info(p.b, j.server);
	assert_int_equal(i.tcpi_bytes_received, 10000);
	assert_int_equal(i.tcpi_data_segs_in, 7);
	assert_int_equal(i.tcpi_segs_in, p.sent[0]); /* the SYN is one */
	assert_int_equal(i.tcpi_segs_out, p.sent[1] - 1); /* the SYN+ACK is none */
	assert_in_range(i.tcpi_last_data_recv, 1000, 1050);
	assert_int_equal(i.tcpi_rcv_space, 10 * 1448); /* what one round trip is thought to bring, at first */
	pair_done(&p);
}

TEST(tcp_info__loss__retransmissions_seen)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	p.lost[0] = 3; /* the segment, a loss probe, the first of the timer */
	assert_int_equal(la_send(p.a, j.client, buf, 100, 0), 100);
	pair_pass(&p, 500);
	struct la_tcp_info i = info(p.a, j.client);
	assert_in_range(i.tcpi_retransmits, 1, 2);
	assert_int_equal(i.tcpi_unacked, 1);
	assert_int_equal(i.tcpi_ca_state, 4);
	assert_true(i.tcpi_backoff >= 1);
	pair_pass(&p, 2000);
	i = info(p.a, j.client);
	assert_int_equal(i.tcpi_retransmits, 0);
	assert_int_equal(i.tcpi_total_retrans, 3);
	assert_int_equal(i.tcpi_total_rto, 2);
	assert_int_equal(i.tcpi_total_rto_recoveries, 1);
	assert_in_range(i.tcpi_total_rto_time, 400, 450); /* from the first timeout to the ACK of the second's */
	assert_int_equal(i.tcpi_bytes_retrans, 300);
	pair_done(&p);
}

TEST(tcp_info__listener__accept_queue)
{
	struct pair p;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 5);
	connect_to(p.a, "10.0.0.2", 80);
	connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	assert_int_equal(info(p.b, l).tcpi_unacked, 2);
	assert_int_equal(info(p.b, l).tcpi_sacked, 5); /* how many it may hold */
	accept_from(p.b, l);
	assert_int_equal(info(p.b, l).tcpi_unacked, 1);
	pair_done(&p);
}

TEST(counters__names__found_and_bounded)
{
	struct pair p;

	pair_init(&p);
	assert_true(la_counters() > 40);
	for (unsigned i = 0; i < la_counters(); i++) {
		assert_non_null(la_counter_name(i));
		assert_int_equal(la_counter_find(la_counter_name(i)), i);
		assert_int_equal(la_counter(p.a, i), 0);
	}
	assert_null(la_counter_name(la_counters()));
	assert_null(la_counter_name(UINT32_MAX));
	assert_int_equal(la_counter(p.a, la_counters()), 0);
	assert_int_equal(la_counter_find("NoSuch"), -ENOENT);
	assert_int_equal(la_counter_find(NULL), -ENOENT);
	assert_null(la_edge_name(la_edges()));
	assert_int_equal(la_edge_count(p.a, UINT32_MAX), 0);
	assert_string_equal(la_edge_name(0), "F5_01_PASSIVE_OPEN");
	struct joint j = pair_join(&p, 80);
	assert_int_equal(counter(p.a, "ActiveOpens"), 1);
	assert_int_equal(counter(p.b, "PassiveOpens"), 1);
	assert_int_equal(counter(p.a, "OutSegs"), p.sent[0]);
	assert_int_equal(counter(p.b, "InSegs"), p.sent[0]);
	assert_int_equal(edge(p.a, "F5_10_SYN_ACK"), 1);
	(void)j;
	pair_done(&p);
}

TEST(time_wait__found_and_walked)
{
	struct pair p;
	struct la_time_wait tw;
	struct la_endpoint local[3], remote = ep("10.0.0.2", 80);
	uint64_t cursor = 0;

	pair_init(&p);
	assert_false(la_time_wait_next(p.a, &cursor, &tw));
	assert_false(la_time_wait_next(p.a, &cursor, &tw)); /* and stays at the end */
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 5);
	for (unsigned i = 0; i < 3; i++) {
		struct joint j = {.client = connect_to(p.a, "10.0.0.2", 80)};

		assert_int_equal(la_getsockname(p.a, j.client, &local[i]), 0);
		assert_false(la_time_wait_find(p.a, &local[i], &remote, &tw));
		pair_run(&p);
		j.server = accept_from(p.b, l);
		pair_close_active(&p, &j);
		pair_pass(&p, 10);
	}
	struct joint six = pair_join_at(&p, "2001:db8::2", 81);
	la_close(p.a, six.client); /* FIN_WAIT_2 */
	pair_run(&p);

	cursor = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(la_time_wait_next(p.a, &cursor, &tw));
		assert_memory_equal(&tw.local, &local[i], sizeof(tw.local));
		assert_memory_equal(&tw.remote, &remote, sizeof(tw.remote));
		assert_false(tw.fin_wait_2);
		assert_true(tw.has_ts);
		struct la_time_wait same;
		assert_true(la_time_wait_find(p.a, &local[i], &remote, &same));
		assert_int_equal(same.snd_nxt, tw.snd_nxt);
		assert_int_equal(same.rcv_nxt, tw.rcv_nxt);
		assert_int_equal(same.expires_at, tw.expires_at);
		assert_in_range(tw.expires_at - p.now, UINT64_C(59960000000), UINT64_C(60001000000));
	}
	assert_true(la_time_wait_next(p.a, &cursor, &tw));
	assert_true(tw.fin_wait_2);
	struct la_endpoint own6 = ep("2001:db8::1", tw.local.port);
	assert_memory_equal(&tw.local, &own6, sizeof(own6));
	assert_false(la_time_wait_next(p.a, &cursor, &tw));

	struct la_endpoint stranger = ep("192.0.2.1", 1);
	assert_false(la_time_wait_find(p.a, &stranger, &remote, &tw));
	assert_false(la_time_wait_find(p.a, &local[0], &stranger, &tw));
	pair_pass_quietly(&p, 61000); /* nobody has removed them yet */
	la_output(p.a, p.now, buf, 1500);
	assert_false(la_time_wait_find(p.a, &local[0], &remote, &tw));
	pair_done(&p);
}

TEST(time_wait_next__hostile_cursor__no_crash)
{
	static const uint64_t cursors[] = {1,
					   2,
					   255,
					   256,
					   UINT32_MAX,
					   UINT64_C(1) << 32,
					   UINT64_C(1) << 62,
					   UINT64_C(1) << 63,
					   UINT64_MAX - 1,
					   UINT64_MAX};
	struct pair p;
	struct la_time_wait tw;
	struct la_connection conn;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	pair_close_active(&p, &j);
	for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		uint64_t cursor = cursors[i];

		for (unsigned n = 0; n < 1000 && la_time_wait_next(p.a, &cursor, &tw); n++)
			;
		cursor = cursors[i];
		for (unsigned n = 0; n < 1000 && la_connection_next(p.a, &cursor, &conn); n++)
			;
	}
	pair_done(&p);
}

TEST(connection_next__all_with_state)
{
	struct pair p;
	struct la_connection c;
	unsigned listeners = 0, held = 0, orphans = 0;
	uint64_t cursor = 0;

	pair_init(&p);
	struct joint j = pair_join(&p, 80), k = pair_join(&p, 81);
	socket_of(p.b, "::"); /* no connection */
	la_send(p.a, j.client, "abc", 3, 0);
	pair_run(&p);
	p.lost[1] = UINT8_MAX;
	la_close(p.b, k.server);
	pair_run(&p);
	while (la_connection_next(p.b, &cursor, &c)) {
		if (strcmp(c.state, "LISTEN") == 0) {
			listeners++;
			assert_true(c.sock == j.listener || c.sock == k.listener);
			assert_int_equal(c.remote.port, 0);
		} else if (c.sock) {
			held++;
			assert_int_equal(c.sock, j.server);
			assert_string_equal(c.state, "ESTABLISHED");
			assert_int_equal(c.to_read, 3);
			assert_int_equal(c.local.port, 80);
		} else {
			orphans++;
			assert_string_equal(c.state, "FIN-WAIT-1");
			assert_int_equal(c.snd_nxt - c.snd_una, 1);
		}
	}
	assert_int_equal(listeners, 2);
	assert_int_equal(held, 1);
	assert_int_equal(orphans, 1);
	pair_done(&p);
}

TEST(usage__each_field__counts_and_returns_to_0)
{
	struct pair p;
	struct la_usage u;

	pair_init(&p);
	assert_true(is_at_rest(p.a));
	struct joint j = pair_join(&p, 80), six = pair_join_at(&p, "2001:db8::2", 81);
	la_usage(p.a, &u);
	assert_int_equal(u.sockets, 2);
	assert_int_equal(u.connections, 2);
	assert_int_equal(u.destinations, 2);
	assert_int_equal(u.bound, 0);
	la_usage(p.b, &u);
	assert_int_equal(u.sockets, 4);
	assert_int_equal(u.listeners, 2);
	assert_int_equal(u.bound, 2);
	assert_int_equal(u.connections, 2);
	pair_close_active(&p, &j);
	pair_close_active(&p, &six);
	la_usage(p.a, &u);
	assert_int_equal(u.sockets, 0);
	assert_int_equal(u.time_wait4, 1);
	assert_int_equal(u.time_wait6, 1);
	assert_int_equal(u.destinations, 2);
	la_close(p.b, j.listener);
	la_close(p.b, six.listener);
	assert_true(is_at_rest(p.b));
	pair_pass(&p, 61000);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

RUN(T(tcp_info__each_state__kernel_number), T(tcp_info__transfer__figures_add_up),
    T(tcp_info__loss__retransmissions_seen), T(tcp_info__listener__accept_queue), T(counters__names__found_and_bounded),
    T(time_wait__found_and_walked), T(time_wait_next__hostile_cursor__no_crash), T(connection_next__all_with_state),
    T(usage__each_field__counts_and_returns_to_0))
