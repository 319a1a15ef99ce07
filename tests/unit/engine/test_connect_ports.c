/* SPDX-License-Identifier: MIT */
/* connect() and local ports: kernel-truth.md 3, row by row, through lastack.h. */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <string.h>

static void range(struct pair *p, const char *value) { set_knob(p->a, "net.ipv4.ip_local_port_range", value); }

static uint16_t port_of(struct la_engine *e, la_sock s)
{
	struct la_endpoint name;

	assert_int_equal(la_getsockname(e, s, &name), 0);
	return name.port;
}

static int try_connect(struct la_engine *e, const char *addr, uint16_t port)
{
	struct la_endpoint to = ep(addr, port);
	la_sock s = socket_of(e, addr);
	int err = la_connect(e, s, &to);

	if (err != -EINPROGRESS)
		assert_int_equal(la_close(e, s), 0);
	return err;
}

static la_sock bound_socket(struct la_engine *e, const char *addr, uint16_t port, bool reuseaddr)
{
	la_sock s = socket_of(e, addr);
	struct la_endpoint at = ep(addr, port);

	assert_int_equal(set_int(e, s, LA_SO_REUSEADDR, reuseaddr), 0);
	assert_int_equal(la_bind(e, s, &at), 0);
	return s;
}

TEST(range_used_up__one_destination__eaddrnotavail)
{
	struct pair p;
	unsigned seen[4] = {0};

	pair_init(&p);
	range(&p, "40000 40003");
	for (unsigned dest = 0; dest < 3; dest++) { /* 4 ports carry 12 connections: the four-tuple counts */
		for (unsigned i = 0; i < 4; i++) {
			la_sock s = connect_to(p.a, "10.0.0.2", (uint16_t)(80 + dest));

			assert_in_range(port_of(p.a, s), 40000, 40003);
			seen[port_of(p.a, s) - 40000]++;
		}
		assert_int_equal(try_connect(p.a, "10.0.0.2", (uint16_t)(80 + dest)), -EADDRNOTAVAIL);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[i], 3);
	assert_int_equal(counter(p.a, "LaPortsExhausted"), 3);
	assert_int_equal(try_connect(p.a, "10.0.0.4", 80), -EINPROGRESS);
	assert_int_equal(try_connect(p.a, "2001:db8::2", 80), -EINPROGRESS);
	pair_done(&p);
}

TEST(port_given_back__after_refusal_and_abort__used_again)
{
	struct pair p;

	pair_init(&p);
	range(&p, "40000 40000");
	for (unsigned i = 0; i < 20; i++) {
		la_sock s = connect_to(p.a, "10.0.0.2", 80);

		pair_run(&p); /* refused */
		assert_int_equal(la_close(p.a, s), 0);
		s = connect_to(p.a, "10.0.0.2", 80);
		assert_int_equal(la_close(p.a, s), 0); /* in SYN_SENT */
		pair_run(&p);
	}
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

TEST(bound_port__every_destination__skipped)
{
	struct pair p;

	pair_init(&p);
	range(&p, "40000 40001");
	la_sock s = bound_socket(p.a, "10.0.0.1", 40000, false);
	assert_int_equal(port_of(p.a, connect_to(p.a, "10.0.0.2", 80)), 40001);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	assert_int_equal(port_of(p.a, connect_to(p.a, "10.0.0.4", 80)), 40001);
	assert_int_equal(la_close(p.a, s), 0); /* 6.18: the mark goes with the socket */
	assert_int_equal(port_of(p.a, connect_to(p.a, "10.0.0.2", 80)), 40000);
	pair_done(&p);
}

/* ---- bind(ip, 0) ---- */

TEST(bind_0__reserved_at_once__eaddrinuse_when_used_up)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 0), to = ep("10.0.0.2", 80);

	pair_init(&p);
	range(&p, "40000 40003");
	for (unsigned i = 0; i < 4; i++) {
		la_sock s = bound_socket(p.a, "10.0.0.1", 0, true);

		assert_in_range(port_of(p.a, s), 40000, 40003);
		if (i < 2) /* odd ones first */
			assert_int_equal(port_of(p.a, s) % 2, 1);
		to.port++;
		assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	}
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(set_int(p.a, s, LA_SO_REUSEADDR, 1), 0);
	assert_int_equal(la_bind(p.a, s, &at), -EADDRINUSE);
	assert_int_equal(port_of(p.a, s), 0);
	assert_int_equal(try_connect(p.a, "10.0.0.4", 80), -EADDRNOTAVAIL);
	pair_done(&p);
}

TEST(no_port__bind_0__choice_is_left_to_connect)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.3", 0), to = ep("10.0.0.2", 80), name;

	pair_init(&p);
	range(&p, "40000 40001");
	for (unsigned i = 0; i < 6; i++) {
		la_sock s = socket_of(p.a, "10.0.0.1");

		assert_int_equal(set_int(p.a, s, LA_IP_BIND_ADDRESS_NO_PORT, 1), 0);
		assert_int_equal(la_bind(p.a, s, &at), 0);
		assert_int_equal(la_bind(p.a, s, &at), 0); /* no port: not bound yet */
		assert_int_equal(port_of(p.a, s), 0);
		to.port = (uint16_t)(80 + i / 2);
		assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
		assert_int_equal(la_getsockname(p.a, s, &name), 0);
		assert_memory_equal(name.addr, at.addr, 16);
		assert_in_range(name.port, 40000, 40001);
	}
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(set_int(p.a, s, LA_IP_BIND_ADDRESS_NO_PORT, 1), 0);
	assert_int_equal(la_bind(p.a, s, &at), 0);
	assert_int_equal(la_listen(p.a, s, 1), -EADDRINUSE); /* a port for itself: there is none */
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	pair_done(&p);
}

TEST(no_port__port_given__no_effect)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 41000);

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(set_int(p.a, s, LA_IP_BIND_ADDRESS_NO_PORT, 1), 0);
	assert_int_equal(la_bind(p.a, s, &at), 0);
	assert_int_equal(port_of(p.a, s), 41000);
	assert_int_equal(la_bind(p.a, s, &at), -EINVAL);
	pair_done(&p);
}

/* ---- IP_LOCAL_PORT_RANGE ---- */

TEST(local_port_range__clamped_to_the_knob)
{
	static const struct {
		unsigned low, high, got_low, got_high;
	} cases[] = {
		{40002, 40003, 40002, 40003}, {40002, 0, 40002, 40007},     {0, 40001, 40000, 40001},
		{1, 40001, 40000, 40001},     {40006, 65535, 40006, 40007}, {1, 2, 40000, 40007},
		{50000, 60000, 40000, 40007},
	};
	struct pair p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned n = cases[i].got_high - cases[i].got_low + 1;
		struct la_endpoint to = ep("10.0.0.2", 80);

		pair_init(&p);
		range(&p, "40000 40007");
		for (unsigned k = 0; k <= n; k++) {
			la_sock s = socket_of(p.a, "10.0.0.1");

			assert_int_equal(
				set_int(p.a, s, LA_IP_LOCAL_PORT_RANGE, (int)(cases[i].low | cases[i].high << 16)), 0);
			assert_int_equal(la_connect(p.a, s, &to), k < n ? -EINPROGRESS : -EADDRNOTAVAIL);
			if (k < n)
				assert_in_range(port_of(p.a, s), cases[i].got_low, cases[i].got_high);
		}
		pair_done(&p);
	}
}

/* ---- tcp_tw_reuse ---- */

/* One port; a connection that ended in TIME_WAIT at a, to addr:80. Its last sequence number and TSval. */
static struct seg time_wait(struct pair *p, const char *addr)
{
	struct joint j;

	range(p, "40000 40000");
	j = pair_join_at(p, addr, 80);
	pair_close_active(p, &j);
	assert_int_equal(records(p->a), 1);
	assert_int_equal(la_close(p->b, j.listener), 0);
	return p->last[0];
}

/* ms after the TIME_WAIT began connect() succeeds first, to 1 ms; -1: not within 59 s. */
static int first_success_ms(struct pair *p, const char *addr)
{
	for (int ms = 0; ms < 59000; ms++) {
		int err = try_connect(p->a, addr, 80);

		if (err == -EINPROGRESS)
			return ms;
		assert_int_equal(err, -EADDRNOTAVAIL);
		pair_pass_quietly(p, 1); /* connect() looks by itself: no la_advance() needed */
		la_advance(p->b, p->now);
		la_output(p->a, p->now, (uint8_t[1500]){0}, 1500); /* tells the time */
	}
	return -1;
}

TEST(tw_reuse__value_and_address__who_may)
{
	static const struct {
		const char *reuse, *addr;
		int at_ms;
	} cases[] = {
		{"0", "10.0.0.2", -1},      {"1", "10.0.0.2", 1000},  {"2", "10.0.0.2", -1},
		{"0", "127.0.0.2", -1},     {"1", "127.0.0.2", 1000}, {"2", "127.0.0.2", 1000},
		{"1", "2001:db8::2", 1000}, {"2", "2001:db8::2", -1},
	};
	struct pair p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pair_init(&p);
		set_knob(p.a, "net.ipv4.tcp_tw_reuse", cases[i].reuse);
		time_wait(&p, cases[i].addr);
		int at_ms = first_success_ms(&p, cases[i].addr);
		if (cases[i].at_ms < 0)
			assert_int_equal(at_ms, -1);
		else
			assert_in_range(at_ms, cases[i].at_ms, cases[i].at_ms + 2);
		assert_int_equal(counter(p.a, "TWRecycled"), cases[i].at_ms >= 0);
		assert_int_equal(edge(p.a, "TW_CONNECT"), cases[i].at_ms >= 0);
		pair_done(&p);
	}
}

TEST(tw_reuse__delay__to_the_millisecond)
{
	static const struct {
		const char *delay;
		int ms;
	} cases[] = {{"100", 100}, {"1000", 1000}, {"3000", 3000}};
	struct pair p;

	for (size_t i = 0; i < 3; i++) {
		pair_init(&p);
		set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
		set_knob(p.a, "net.ipv4.tcp_tw_reuse_delay", cases[i].delay);
		time_wait(&p, "10.0.0.2");
		assert_in_range(first_success_ms(&p, "10.0.0.2"), cases[i].ms, cases[i].ms + 2);
		pair_done(&p);
	}
}

TEST(tw_reuse__no_timestamps__never)
{
	struct pair p;

	for (unsigned side = 0; side < 2; side++) {
		pair_init(&p);
		set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
		set_knob(pair_side(&p, side), "net.ipv4.tcp_timestamps", "0");
		time_wait(&p, "10.0.0.2");
		assert_int_equal(first_success_ms(&p, "10.0.0.2"), -1);
		pair_done(&p);
	}
}

TEST(tw_reuse__new_syn__goes_on_where_the_old_one_ended)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	struct seg last = time_wait(&p, "10.0.0.2");
	listen_at(p.b, "10.0.0.2", 80, 1);
	pair_pass(&p, 1200);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	uint8_t packet[1500];
	struct packet syn;
	packet_parse(&syn, packet, la_output(p.a, p.now, packet, sizeof(packet)), 0);
	assert_int_equal(syn.seg.flags, F_SYN);
	assert_int_equal(seq_diff(syn.seg.seq, last.seq), 65537);
	assert_in_range(syn.seg.opts.tsval - last.opts.tsval, 1200, 1201);
	assert_int_equal(records(p.a), 0);
	la_input(p.b, p.now, packet, packet_header_len(&syn.seg));
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED);
	pair_done(&p);
}

TEST(tw_reuse__fin_wait_2_record__not_for_a_chosen_port)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	range(&p, "40000 40000");
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_run(&p);
	assert_int_equal(records(p.a), 1);
	pair_pass(&p, 5000);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	/* the delay counts from the FIN */
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	pair_pass(&p, 1001);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EINPROGRESS);
	pair_done(&p);
}

TEST(tw_reuse__switched_off_after_maturity__record_stays)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	time_wait(&p, "10.0.0.2");
	pair_pass(&p, 2000);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "0");
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	assert_int_equal(records(p.a), 1);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EINPROGRESS);
	assert_int_equal(records(p.a), 0);
	pair_done(&p);
}

TEST(tw_reuse__switched_off_after_maturity__record_expires)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	time_wait(&p, "10.0.0.2");
	pair_pass(&p, 2000);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "0");
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	pair_pass(&p, 61000);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

/* 89 of 100 ports belong to records that were mature and may not be taken any more: the 11 free ones are all found. */
TEST(tw_reuse__switched_off_after_maturity__free_ports_are_all_found)
{
	struct pair p;
	enum { N = 89, FREE = 11 };

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	range(&p, "40000 40099");
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 4);
	for (unsigned i = 0; i < N; i++) {
		struct joint j = {.listener = l, .client = connect_to(p.a, "10.0.0.2", 80)};

		pair_run(&p);
		j.server = accept_from(p.b, l);
		pair_close_active(&p, &j);
	}
	pair_pass(&p, 2000);
	for (unsigned value = 0; value <= 2; value += 2) { /* 2: loopback only, and these are not */
		la_sock s[FREE];

		set_knob(p.a, "net.ipv4.tcp_tw_reuse", value ? "2" : "0");
		for (unsigned i = 0; i < FREE; i++)
			s[i] = connect_to(p.a, "10.0.0.2", 80);
		assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
		assert_int_equal(records(p.a), N);
		for (unsigned i = 0; i < FREE; i++)
			assert_int_equal(la_abort(p.a, s[i]), 0);
	}
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EINPROGRESS);
	assert_in_range(records(p.a), N - 60, N - 60 + FREE);
	pair_done(&p);
}

/* Older records of another destination stand before it, and nobody has called la_advance(). */
TEST(tw_reuse__record_behind_many__found_by_connect)
{
	struct pair p;
	uint8_t packet[1500];

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	la_sock l[2] = {listen_at(p.b, "10.0.0.2", 80, 4), listen_at(p.b, "10.0.0.2", 81, 4)};
	for (unsigned i = 0; i < 31; i++) {
		unsigned last = i == 30;

		if (last)
			range(&p, "40000 40000");
		struct joint j = {.listener = l[last], .client = connect_to(p.a, "10.0.0.2", (uint16_t)(80 + last))};

		pair_run(&p);
		j.server = accept_from(p.b, j.listener);
		pair_close_active(&p, &j);
	}
	pair_pass_quietly(&p, 1100);
	la_output(p.a, p.now, packet, sizeof(packet));
	assert_int_equal(try_connect(p.a, "10.0.0.2", 81), -EINPROGRESS);
	assert_int_equal(records(p.a), 30);
	pair_done(&p);
}

TEST(tw_reuse__many_records__every_port_again)
{
	struct pair p;
	enum { N = 200 };

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "1");
	range(&p, "40000 40199");
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 4);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < N; i++) {
			struct joint j = {.listener = l, .client = connect_to(p.a, "10.0.0.2", 80)};

			pair_run(&p);
			j.server = accept_from(p.b, l);
			pair_close_active(&p, &j);
		}
		assert_int_equal(records(p.a), N);
		assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
		pair_pass(&p, 1100);
	}
	assert_int_equal(counter(p.a, "TWRecycled"), 2 * N);
	pair_pass(&p, 61000);
	la_close(p.b, l);
	assert_true(is_at_rest(p.a));
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

/* ---- a fixed port: kernel-truth 3.2 ---- */

static struct joint join_from(struct pair *p, uint16_t port)
{
	struct la_endpoint to = ep("10.0.0.2", 80);
	struct joint j = {.listener = listen_at(p->b, "10.0.0.2", 80, 4)};

	j.client = bound_socket(p->a, "10.0.0.1", port, true);
	assert_int_equal(la_connect(p->a, j.client, &to), -EINPROGRESS);
	pair_run(p);
	j.server = accept_from(p->b, j.listener);
	return j;
}

TEST(fixed_port__time_wait__taken_over_at_once)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_tw_reuse", "0");
	struct joint j = join_from(&p, 5000);
	pair_close_active(&p, &j);
	assert_int_equal(records(p.a), 1);
	la_sock s = bound_socket(p.a, "10.0.0.1", 5000, true);
	pair_pass(&p, 50);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	assert_int_equal(counter(p.a, "TWRecycled"), 1);
	assert_int_equal(records(p.a), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED);
	pair_done(&p);
}

TEST(fixed_port__no_timestamps__eaddrnotavail)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_timestamps", "0");
	struct joint j = join_from(&p, 5000);
	pair_close_active(&p, &j);
	la_sock s = bound_socket(p.a, "10.0.0.1", 5000, true);
	assert_int_equal(la_connect(p.a, s, &to), -EADDRNOTAVAIL);
	assert_int_equal(records(p.a), 1);
	to = ep("10.0.0.2", 81);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS); /* the socket is as it was */
	pair_done(&p);
}

TEST(fixed_port__fin_wait_2_record__taken_too_and_peer_reset)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);
	char c;

	pair_init(&p);
	struct joint j = join_from(&p, 5000);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_run(&p);
	assert_int_equal(records(p.a), 1);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE_WAIT);
	la_sock s = bound_socket(p.a, "10.0.0.1", 5000, true);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	assert_int_equal(edge(p.a, "FW2_CONNECT"), 1);
	pair_pass(&p, 100);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED); /* challenge ACK, RST, SYN again */
	assert_int_equal(state_of(p.b, j.server), K_CLOSE);
	assert_int_equal(la_recv(p.b, j.server, &c, 1, 0), 0);
	assert_int_equal(la_send(p.b, j.server, &c, 1, 0), -EPIPE);
	pair_done(&p);
}

TEST(fixed_port__four_tuple_in_use__eaddrnotavail)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	join_from(&p, 5000);
	la_sock s = bound_socket(p.a, "10.0.0.1", 5000, true);
	assert_int_equal(la_connect(p.a, s, &to), -EADDRNOTAVAIL);
	pair_done(&p);
}

TEST(fixed_port__reuseaddr_missing_on_either__bind_eaddrinuse)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 5000);

	pair_init(&p);
	struct joint j = join_from(&p, 5000);
	pair_close_active(&p, &j);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), -EADDRINUSE);
	assert_int_equal(set_int(p.a, s, LA_SO_REUSEADDR, 1), 0);
	assert_int_equal(la_bind(p.a, s, &at), 0);
	pair_done(&p);
}

/* The port of a connection whose port was chosen: free for a fixed one too, if both said SO_REUSEADDR. */
TEST(fixed_port__record_of_a_chosen_port__its_port_is_given_back)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	range(&p, "40000 40000");
	struct joint j = {.listener = listen_at(p.b, "10.0.0.2", 80, 4), .client = socket_of(p.a, "10.0.0.1")};
	assert_int_equal(set_int(p.a, j.client, LA_SO_REUSEADDR, 1), 0);
	assert_int_equal(la_connect(p.a, j.client, &to), -EINPROGRESS);
	pair_run(&p);
	j.server = accept_from(p.b, j.listener);
	pair_close_active(&p, &j);
	la_sock s = bound_socket(p.a, "10.0.0.1", 40000, true);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	assert_int_equal(la_close(p.a, s), 0);
	assert_int_equal(la_close(p.b, j.listener), 0);
	pair_pass(&p, 1000);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

/* ---- accepted connections in the way ---- */

TEST(chosen_port__four_tuple_of_an_accepted_one__another_port)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.2", 80), to = ep("10.0.0.1", 40000);

	pair_init(&p);
	range(&p, "40000 40001");
	la_sock l = listen_at(p.a, "10.0.0.1", 40000, 4);
	la_sock peer = socket_of(p.b, "10.0.0.2");
	assert_int_equal(la_bind(p.b, peer, &at), 0);
	assert_int_equal(la_connect(p.b, peer, &to), -EINPROGRESS);
	pair_run(&p);
	accept_from(p.a, l);
	assert_int_equal(la_close(p.a, l), 0);
	/* 10.0.0.1:40000 to 10.0.0.2:80 is there, by a port that is nobody's now */
	assert_int_equal(port_of(p.a, connect_to(p.a, "10.0.0.2", 80)), 40001);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EADDRNOTAVAIL);
	assert_int_equal(port_of(p.a, connect_to(p.a, "10.0.0.4", 80)) / 2, 20000);
	pair_done(&p);
}

/* ---- limits of the engine ---- */

TEST(destinations__used_up__enobufs)
{
	struct pair p;

	pair_init_with(&p,
		       &(struct la_config){
			       .max_sockets = 64, .max_destinations = 2, .max_time_wait4 = 16, .max_time_wait6 = 16});
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EINPROGRESS);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 81), -EINPROGRESS);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 82), -ENOBUFS);
	assert_int_equal(counter(p.a, "LaPortMapNone"), 1);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 81), -EINPROGRESS);
	pair_done(&p);
}

TEST(tw_full_refuse__no_room_for_its_time_wait__enobufs)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "engine.tw_full", "refuse");
	set_knob(p.a, "net.ipv4.tcp_max_tw_buckets", "2");
	struct joint j = pair_join(&p, 80);
	pair_close_active(&p, &j);
	la_close(p.b, j.listener);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -EINPROGRESS);
	assert_int_equal(try_connect(p.a, "10.0.0.2", 80), -ENOBUFS);
	assert_int_equal(counter(p.a, "LaTimeWaitRefused"), 1);
	pair_done(&p);
}

TEST(shards__each_takes_its_own_ports)
{
	struct pair p;
	bool seen[40] = {false};

	for (uint16_t shard = 0; shard < 2; shard++) {
		unsigned n = 0;

		pair_init_with(&p, &(struct la_config){.max_sockets = 64,
						       .max_time_wait4 = 16,
						       .max_time_wait6 = 16,
						       .shard = shard,
						       .shards = 2});
		range(&p, "40000 40039");
		for (;; n++) {
			la_sock s = socket_of(p.a, "10.0.0.1");
			struct la_endpoint to = ep("10.0.0.2", 80);

			if (la_connect(p.a, s, &to) != -EINPROGRESS)
				break;
			assert_false(seen[port_of(p.a, s) - 40000]);
			seen[port_of(p.a, s) - 40000] = true;
		}
		assert_in_range(n, 8, 32);
		pair_done(&p);
	}
	for (unsigned i = 0; i < 40; i++)
		assert_true(seen[i]);
}

RUN(T(range_used_up__one_destination__eaddrnotavail), T(port_given_back__after_refusal_and_abort__used_again),
    T(bound_port__every_destination__skipped), T(bind_0__reserved_at_once__eaddrinuse_when_used_up),
    T(no_port__bind_0__choice_is_left_to_connect), T(no_port__port_given__no_effect),
    T(local_port_range__clamped_to_the_knob), T(tw_reuse__value_and_address__who_may),
    T(tw_reuse__delay__to_the_millisecond), T(tw_reuse__no_timestamps__never),
    T(tw_reuse__new_syn__goes_on_where_the_old_one_ended), T(tw_reuse__fin_wait_2_record__not_for_a_chosen_port),
    T(tw_reuse__switched_off_after_maturity__record_stays), T(tw_reuse__switched_off_after_maturity__record_expires),
    T(tw_reuse__switched_off_after_maturity__free_ports_are_all_found),
    T(tw_reuse__record_behind_many__found_by_connect), T(tw_reuse__many_records__every_port_again),
    T(fixed_port__time_wait__taken_over_at_once), T(fixed_port__no_timestamps__eaddrnotavail),
    T(fixed_port__fin_wait_2_record__taken_too_and_peer_reset), T(fixed_port__four_tuple_in_use__eaddrnotavail),
    T(fixed_port__reuseaddr_missing_on_either__bind_eaddrinuse),
    T(fixed_port__record_of_a_chosen_port__its_port_is_given_back),
    T(chosen_port__four_tuple_of_an_accepted_one__another_port), T(destinations__used_up__enobufs),
    T(tw_full_refuse__no_room_for_its_time_wait__enobufs), T(shards__each_takes_its_own_ports))
