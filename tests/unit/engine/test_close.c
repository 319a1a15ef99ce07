/* SPDX-License-Identifier: MIT */
/* close(), SO_LINGER, TCP_LINGER2, orphans: kernel-truth.md 2 and 7.1, row by row. */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char buf[200000];

static void linger(struct la_engine *e, la_sock s, int onoff, int seconds)
{
	struct la_linger l = {onoff, seconds};

	assert_int_equal(la_setsockopt(e, s, LA_SO_LINGER, &l, sizeof(l)), 0);
}

static unsigned orphans(struct la_engine *e)
{
	struct la_usage u;

	la_usage(e, &u);
	return u.orphans;
}

static unsigned connections(struct la_engine *e)
{
	struct la_usage u;

	la_usage(e, &u);
	return u.connections;
}

/* The next LA_LINGERED of e; 0 if there is none. Other events are passed over. */
static la_sock lingered(struct la_engine *e)
{
	struct la_event ev;

	while (la_event(e, &ev))
		if (ev.events == LA_LINGERED)
			return ev.sock;
	return 0;
}

/* ---- linger off ---- */

TEST(close__data_unsent__goes_on_in_the_background)
{
	struct pair p;
	int64_t n, total = 0;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_send(p.a, j.client, buf, 60000, 0), 60000);
	assert_int_equal(la_close(p.a, j.client), 0);
	assert_int_equal(orphans(p.a), 1);
	while ((n = la_recv(p.b, j.server, buf, sizeof(buf), 0)) != 0) {
		if (n > 0)
			total += n;
		pair_pass(&p, 50);
	}
	assert_int_equal(total, 60000);
	assert_int_equal(orphans(p.a), 0); /* the record of FIN_WAIT_2 is none */
	assert_int_equal(records(p.a), 1);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	assert_int_equal(edge(p.a, "F5_17_FIN_WAIT_2_FIN"), 1);
	assert_int_equal(edge(p.b, "F5_19_LAST_ACK_ACKED"), 1);
	assert_int_equal(counter(p.a, "TW"), 1);
	assert_int_equal(counter(p.b, "TW"), 0);
	pair_done(&p);
}

TEST(close__both_at_once__two_time_waits)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_close(p.a, j.client), 0);
	assert_int_equal(la_close(p.b, j.server), 0);
	/* Both FINs are made before either arrives. */
	uint8_t one[1500], two[1500];
	size_t n1 = la_output(p.a, p.now, one, 1500), n2 = la_output(p.b, p.now, two, 1500);
	la_input(p.b, p.now, one, n1);
	la_input(p.a, p.now, two, n2);
	pair_run(&p);
	assert_int_equal(edge(p.a, "F5_15_SIMULTANEOUS_CLOSE"), 1);
	assert_int_equal(edge(p.b, "F5_15_SIMULTANEOUS_CLOSE"), 1);
	assert_int_equal(records(p.a), 1);
	assert_int_equal(records(p.b), 1);
	pair_done(&p);
}

TEST(close__every_socket_without_connection__gone)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 99);

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_close(p.a, s), 0);
	s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), 0);
	assert_int_equal(la_close(p.a, s), 0);
	assert_int_equal(la_close(p.a, listen_at(p.a, "10.0.0.1", 99, 1)), 0);
	assert_int_equal(la_close(p.a, connect_to(p.a, "10.0.0.2", 99)), 0);
	assert_int_equal(edge(p.a, "F5_04_SYN_SENT_CLOSE"), 1);
	assert_int_equal(la_abort(p.a, connect_to(p.a, "10.0.0.2", 99)), 0);
	assert_int_equal(la_abort(p.a, listen_at(p.a, "10.0.0.1", 99, 1)), 0);
	assert_int_equal(la_abort(p.a, socket_of(p.a, "10.0.0.1")), 0);
	pair_run(&p);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

/* ---- linger {1, 0}, unread data ---- */

TEST(linger_0__rst_and_no_time_wait)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 0);
	assert_int_equal(la_send(p.a, j.client, "lost", 4, 0), 4);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_run(&p);
	assert_true(p.last[0].flags & F_RST);
	assert_int_equal(p.sent[0], 3); /* SYN, ACK, RST: what was not sent yet is thrown away */
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnLinger"), 0);
	assert_int_equal(counter(p.a, "EstabResets"), 1);
	assert_int_equal(records(p.a) + records(p.b), 0);
	assert_int_equal(la_recv(p.b, j.server, buf, 1, 0), -ECONNRESET);
	pair_done(&p);
}

TEST(linger_0__after_shutdown_and_in_close_wait__rst)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 0);
	linger(p.b, j.server, 1, 0);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_close(p.b, j.server), 0); /* CLOSE_WAIT */
	assert_int_equal(edge(p.b, "ABORT_CLOSE_WAIT"), 1);
	assert_int_equal(counter(p.b, "EstabResets"), 1);
	pair_run(&p);
	assert_int_equal(state_of(p.a, j.client), K_CLOSE);
	assert_int_equal(la_close(p.a, j.client), 0);

	struct joint k = pair_join(&p, 81);
	linger(p.a, k.client, 1, 0);
	assert_int_equal(la_shutdown(p.a, k.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_close(p.a, k.client), 0); /* FIN_WAIT_2 */
	assert_int_equal(edge(p.a, "ABORT_FIN_WAIT_2"), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	assert_int_equal(counter(p.a, "EstabResets"), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.b, k.server), K_CLOSE);
	pair_done(&p);
}

TEST(linger_0__syn_sent__counted_no_rst)
{
	struct pair p;

	pair_init(&p);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	linger(p.a, s, 1, 0);
	assert_int_equal(la_close(p.a, s), 0);
	pair_run(&p);
	assert_int_equal(p.sent[0], 0);
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	pair_done(&p);
}

TEST(unread_data__any_linger__rst)
{
	static const struct la_linger modes[] = {{0, 0}, {1, 0}, {1, 5}};
	struct pair p;

	for (unsigned i = 0; i < 3; i++) {
		pair_init(&p);
		struct joint j = pair_join(&p, 80);
		linger(p.b, j.server, modes[i].onoff, modes[i].linger_s);
		assert_int_equal(la_send(p.a, j.client, "ab", 2, 0), 2);
		pair_run(&p);
		assert_int_equal(la_recv(p.b, j.server, buf, 1, 0), 1);
		assert_int_equal(la_close(p.b, j.server), 0);
		pair_run(&p);
		assert_int_equal(counter(p.b, "TCPAbortOnClose"), 1);
		assert_int_equal(counter(p.b, "TCPAbortOnData"), 0);
		assert_int_equal(records(p.a) + records(p.b), 0);
		assert_int_equal(la_recv(p.a, j.client, buf, 1, 0), -ECONNRESET);
		pair_done(&p);
	}
}

TEST(clean_close__read_to_the_end_first)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_send(p.a, j.client, "ab", 2, 0), 2);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_send(p.b, j.server, "reply", 5, 0), 5);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 2);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 0);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	assert_int_equal(la_recv(p.a, j.client, buf, 9, 0), 5);
	assert_int_equal(la_recv(p.a, j.client, buf, 9, 0), 0);
	pair_done(&p);
}

TEST(linger_taken_back__close_does_not_wait)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 5);
	linger(p.a, j.client, 0, 5);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_done(&p);
}

/* ---- linger {1, N}: la_close() says EINPROGRESS where Linux blocks ---- */

TEST(linger_n__fin_acked__lingered_and_fin_wait_2)
{
	struct pair p;
	struct la_event ev;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 5);
	assert_int_equal(la_user_set(p.a, j.client, 42), 0);
	assert_int_equal(la_send(p.a, j.client, "x", 1, 0), 1);
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	assert_int_equal(la_close(p.a, j.client), -EBADF);
	assert_int_equal(la_send(p.a, j.client, "x", 1, 0), -EBADF);
	assert_false(la_event(p.a, &ev));
	pair_pass(&p, 50); /* the ACK of the FIN waits for an answer */
	assert_true(la_event(p.a, &ev));
	assert_int_equal(ev.sock, j.client);
	assert_int_equal(ev.events, LA_LINGERED);
	assert_int_equal(ev.user, 42);
	assert_false(la_event(p.a, &ev));
	assert_int_equal(records(p.a), 1); /* an orphan in FIN_WAIT_2 */
	assert_int_equal(orphans(p.a), 0);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 1);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	assert_int_equal(edge(p.a, "F5_17_FIN_WAIT_2_FIN"), 1);
	pair_done(&p);
}

TEST(linger_n__time_up__background_goes_on)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 2);
	p.lost[0] = UINT8_MAX;
	assert_int_equal(la_send(p.a, j.client, "x", 1, 0), 1);
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	pair_pass(&p, 1990);
	assert_int_equal(lingered(p.a), 0);
	assert_int_equal(orphans(p.a), 0);
	pair_pass(&p, 20);
	assert_int_equal(lingered(p.a), j.client);
	assert_int_equal(orphans(p.a), 1); /* still FIN_WAIT_1, retransmitting */
	p.lost[0] = 0;
	pair_pass(&p, 5000);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 1); /* nothing was thrown away */
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 0);
	assert_int_equal(orphans(p.a), 0);
	assert_int_equal(records(p.a), 1);
	pair_done(&p);
}

TEST(linger_n__reset__lingered_and_gone)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 60);
	p.lost[0] = 1;
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	assert_int_equal(la_abort(p.b, j.server), 0);
	pair_run(&p);
	assert_int_equal(lingered(p.a), j.client);
	assert_int_equal(lingered(p.a), 0);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

TEST(linger_n__crossed_fins__lingered_at_time_wait)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 60);
	linger(p.b, j.server, 1, 60);
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	assert_int_equal(la_close(p.b, j.server), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(lingered(p.a), j.client);
	assert_int_equal(lingered(p.b), j.server);
	assert_int_equal(records(p.a) + records(p.b), 2);
	pair_pass(&p, 61000);
	assert_int_equal(la_close(p.b, j.listener), 0);
	assert_true(is_at_rest(p.a));
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

TEST(linger_n__closing__not_over_yet)
{
	struct pair p;
	uint8_t fin[1500], own[1500];

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 60);
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	assert_int_equal(la_close(p.b, j.server), 0);
	size_t n = la_output(p.a, p.now, own, sizeof(own)), m = la_output(p.b, p.now, fin, sizeof(fin));
	la_input(p.a, p.now, fin, m); /* it does not acknowledge ours */
	assert_int_equal(edge(p.a, "F5_15_SIMULTANEOUS_CLOSE"), 1);
	assert_int_equal(lingered(p.a), 0);
	la_input(p.b, p.now, own, n);
	pair_run(&p);
	assert_int_equal(lingered(p.a), j.client);
	assert_int_equal(records(p.a), 1);
	pair_done(&p);
}

TEST(linger_n__nothing_to_wait_for__closes_at_once)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	pair_run(&p);
	linger(p.a, j.client, 1, 60);
	assert_int_equal(la_close(p.a, j.client), 0); /* FIN_WAIT_2: its FIN is acknowledged */
	la_sock s = connect_to(p.a, "10.0.0.2", 81);
	linger(p.a, s, 1, 60);
	assert_int_equal(la_close(p.a, s), 0);
	linger(p.b, j.listener, 1, 60);
	assert_int_equal(la_close(p.b, j.listener), 0);
	pair_done(&p);
}

TEST(linger_n__fin_wait_2_with_linger2_below_0__rst)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	linger(p.a, j.client, 1, 60);
	set_int(p.a, j.client, LA_TCP_LINGER2, -1);
	assert_int_equal(la_close(p.a, j.client), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(lingered(p.a), j.client);
	assert_int_equal(counter(p.a, "TCPAbortOnLinger"), 1); /* not an orphan until close() returned */
	pair_run(&p);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

/* ---- orphans in FIN_WAIT_2 ---- */

/* How long an orphan in FIN_WAIT_2 is there, block and record together; the peer says nothing. */
static unsigned fin_wait_2_ms(struct pair *p, int linger2)
{
	struct joint j = pair_join(p, 80);
	unsigned ms = 0;

	if (linger2)
		assert_int_equal(set_int(p->a, j.client, LA_TCP_LINGER2, linger2), 0);
	assert_int_equal(la_close(p->a, j.client), 0);
	pair_run(p);
	for (; connections(p->a) + records(p->a); ms += 100)
		pair_pass(p, 100);
	return ms;
}

TEST(linger2__seconds__as_measured)
{
	static const struct {
		int linger2;
		unsigned ms, tw, killed;
	} cases[] = {
		/* kernel-truth 2; 61 to 89 make it shorter than 60 */
		{1, 1000, 0, 1},    {2, 2000, 0, 1},     {30, 30000, 1, 0},   {60, 60000, 1, 0},
		{61, 2000, 0, 1},   {64, 8000, 0, 1},    {70, 20000, 1, 0},   {80, 40000, 1, 0},
		{100, 80000, 1, 0}, {120, 120000, 1, 0}, {500, 120000, 1, 0},
	};
	struct pair p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pair_init(&p);
		unsigned ms = fin_wait_2_ms(&p, cases[i].linger2);
		assert_in_range(ms, cases[i].ms, cases[i].ms + 200);
		assert_int_equal(counter(p.a, "TW"), cases[i].tw);
		assert_int_equal(counter(p.a, "TWKilled"), cases[i].killed);
		assert_int_equal(edge(p.a, "TIMEOUT_FIN_WAIT_2"), 1);
		pair_done(&p);
	}
}

TEST(linger2__shorter_than_3_5_rto__that)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "engine.rto_min_ms", "1000");
	assert_in_range(fin_wait_2_ms(&p, 1), 3500, 3700);
	pair_done(&p);
}

TEST(fin_timeout__knob__same_rules_and_rfc9293_has_t)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "3");
	assert_in_range(fin_wait_2_ms(&p, 0), 3000, 3200);
	pair_done(&p);
	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "100");
	assert_in_range(fin_wait_2_ms(&p, 0), 80000, 80200);
	pair_done(&p);
	pair_init(&p);
	set_knob(p.a, "engine.policy", "rfc9293");
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "100");
	assert_in_range(fin_wait_2_ms(&p, 0), 100000, 100200);
	pair_done(&p);
}

TEST(fin_timeout__held_socket__no_limit)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "3");
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	pair_pass(&p, 600000);
	assert_int_equal(state_of(p.a, j.client), K_FIN_WAIT_2);
	assert_int_equal(la_send(p.b, j.server, "late", 4, 0), 4);
	pair_run(&p);
	assert_int_equal(la_recv(p.a, j.client, buf, 9, 0), 4);
	pair_done(&p);
}

TEST(fin_timeout__fin_after_expiry__rst)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "3");
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_pass(&p, 4000);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	assert_true(p.last[0].flags & F_RST);
	assert_int_equal(connections(p.b), 0);
	pair_done(&p);
}

TEST(fin_before_expiry__whole_time_wait)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_fin_timeout", "3");
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_pass(&p, 2000);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_pass(&p, 59990);
	assert_int_equal(records(p.a), 1);
	pair_pass(&p, 20);
	assert_int_equal(records(p.a), 0);
	pair_done(&p);
}

TEST(linger2_below_0__who_was_first__which_counter)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	set_int(p.a, j.client, LA_TCP_LINGER2, -1);
	assert_int_equal(la_close(p.a, j.client), 0); /* close() first: the orphan's FIN is acknowledged */
	pair_run(&p);
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnLinger"), 0);
	assert_int_equal(records(p.a), 0);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE);

	struct joint k = pair_join(&p, 81);
	set_int(p.a, k.client, LA_TCP_LINGER2, -1);
	assert_int_equal(la_shutdown(p.a, k.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_close(p.a, k.client), 0); /* close() in FIN_WAIT_2 */
	pair_run(&p);
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnLinger"), 1);
	assert_int_equal(state_of(p.b, k.server), K_CLOSE);
	pair_done(&p);
}

/* 70 s under Linux's rules: block, record; in either the late FIN is answered and TIME_WAIT is whole. */
TEST(linger2_70__fin_while_block_or_record__time_wait)
{
	static const uint64_t after_ms[] = {5000, 15000};
	struct pair p;

	for (unsigned i = 0; i < 2; i++) {
		pair_init(&p);
		struct joint j = pair_join(&p, 80);
		set_int(p.a, j.client, LA_TCP_LINGER2, 70);
		assert_int_equal(la_close(p.a, j.client), 0);
		pair_pass(&p, after_ms[i]);
		assert_int_equal(orphans(p.a), i == 0);
		assert_int_equal(records(p.a), i);
		assert_int_equal(la_close(p.b, j.server), 0);
		pair_run(&p);
		assert_int_equal(edge(p.a, "F5_17_FIN_WAIT_2_FIN"), 1);
		assert_int_equal(orphans(p.a), 0);
		pair_pass(&p, 59000);
		assert_int_equal(records(p.a), 1);
		pair_done(&p);
	}
}

TEST(orphan__data_comes__rst)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	p.lost[1] = UINT8_MAX; /* FIN_WAIT_1: no ACK comes */
	assert_int_equal(la_close(p.a, j.client), 0);
	pair_run(&p);
	p.lost[1] = 0;
	assert_int_equal(orphans(p.a), 1);
	assert_int_equal(la_send(p.b, j.server, "data", 4, 0), 4);
	pair_run(&p);
	assert_int_equal(counter(p.a, "TCPAbortOnData"), 1);
	assert_int_equal(orphans(p.a), 0);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE);

	struct joint k = pair_join(&p, 81);
	assert_int_equal(la_close(p.a, k.client), 0);
	pair_run(&p);
	assert_int_equal(records(p.a), 1);
	assert_int_equal(la_send(p.b, k.server, "data", 4, 0), 4);
	pair_run(&p);
	assert_int_equal(records(p.a), 0);
	assert_int_equal(state_of(p.b, k.server), K_CLOSE);
	assert_int_equal(edge(p.a, "DATA_FIN_WAIT_2"), 2); /* the first one's data acknowledged its FIN, too */
	pair_done(&p);
}

TEST(orphan_retries__default_8__about_107_s)
{
	struct pair p;
	unsigned ms = 0;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	p.lost[0] = UINT8_MAX;
	unsigned before = p.sent[0];
	assert_int_equal(la_close(p.a, j.client), 0);
	for (; orphans(p.a) && ms < 300000; ms += 100)
		pair_pass(&p, 100);
	assert_int_equal(p.sent[0] - before, 10); /* the FIN, a loss probe, and eight times more */
	assert_in_range(ms, 100000, 115000);
	assert_int_equal(edge(p.a, "TIMEOUT_FIN_WAIT_1"), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnTimeout"), 1);
	pair_done(&p);
}

TEST(max_orphans__one_too_many__rst)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.a, "net.ipv4.tcp_max_orphans", "1");
	struct joint j = pair_join(&p, 80), k = pair_join(&p, 81);
	p.lost[1] = UINT8_MAX;
	assert_int_equal(la_close(p.a, j.client), 0);
	assert_int_equal(la_close(p.a, k.client), 0);
	assert_int_equal(orphans(p.a), 1);
	assert_int_equal(counter(p.a, "TCPAbortOnMemory"), 1);
	p.lost[1] = 0;
	pair_run(&p);
	assert_int_equal(state_of(p.b, k.server), K_CLOSE);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE_WAIT);
	pair_done(&p);
}

/* ---- ABORT ---- */

TEST(abort__each_state__rst_or_nothing)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_abort(p.a, j.client), 0); /* ESTABLISHED */
	assert_int_equal(la_abort(p.a, j.client), -EBADF);
	pair_run(&p);
	assert_int_equal(counter(p.a, "OutRsts"), 1);
	assert_int_equal(edge(p.a, "ABORT_ESTABLISHED"), 1);

	struct joint k = pair_join(&p, 81);
	p.lost[0] = UINT8_MAX;
	assert_int_equal(la_shutdown(p.a, k.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_abort(p.a, k.client), 0); /* FIN_WAIT_1 */
	pair_run(&p);
	assert_int_equal(edge(p.a, "ABORT_FIN_WAIT_1"), 1);
	assert_int_equal(counter(p.a, "OutRsts"), 2);
	p.lost[0] = 0;

	struct joint m = pair_join(&p, 82);
	assert_int_equal(la_shutdown(p.b, m.server, LA_SHUT_WR), 0);
	pair_run(&p);
	p.lost[0] = UINT8_MAX;
	assert_int_equal(la_shutdown(p.a, m.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.a, m.client), K_LAST_ACK);
	assert_int_equal(la_abort(p.a, m.client), 0);
	pair_run(&p);
	assert_int_equal(edge(p.a, "ABORT_LAST_ACK"), 1);
	assert_int_equal(counter(p.a, "OutRsts"), 2); /* its FIN was sent: none (3.10.5) */
	pair_done(&p);
}

TEST(close__simultaneous_open_in_syn_received__fin_after_the_handshake)
{
	struct pair p;
	struct la_endpoint a = ep("10.0.0.1", 1000), b = ep("10.0.0.2", 2000);
	uint8_t one[1500], two[1500];

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1"), t = socket_of(p.b, "10.0.0.2");
	assert_int_equal(la_bind(p.a, s, &a), 0);
	assert_int_equal(la_bind(p.b, t, &b), 0);
	assert_int_equal(la_connect(p.a, s, &b), -EINPROGRESS);
	assert_int_equal(la_connect(p.b, t, &a), -EINPROGRESS);
	size_t n1 = la_output(p.a, p.now, one, 1500), n2 = la_output(p.b, p.now, two, 1500);
	la_input(p.a, p.now, two, n2);
	assert_int_equal(state_of(p.a, s), K_SYN_RECV);
	assert_int_equal(la_connect(p.a, s, &b), -EALREADY);
	assert_int_equal(la_send(p.a, s, "x", 1, 0), -EAGAIN);
	assert_int_equal(la_close(p.a, s), 0);
	assert_int_equal(edge(p.a, "F5_11_SYN_RCVD_CLOSE"), 1);
	la_input(p.b, p.now, one, n1);
	pair_pass(&p, 3000);
	assert_int_equal(state_of(p.b, t), K_CLOSE_WAIT);
	assert_int_equal(la_close(p.b, t), 0);
	pair_run(&p);
	assert_int_equal(records(p.a), 1);
	assert_int_equal(connections(p.a) + connections(p.b), 0);
	pair_done(&p);
}

RUN(T(close__data_unsent__goes_on_in_the_background), T(close__both_at_once__two_time_waits),
    T(close__every_socket_without_connection__gone), T(linger_0__rst_and_no_time_wait),
    T(linger_0__after_shutdown_and_in_close_wait__rst), T(linger_0__syn_sent__counted_no_rst),
    T(unread_data__any_linger__rst), T(linger_taken_back__close_does_not_wait), T(clean_close__read_to_the_end_first),
    T(linger_n__fin_acked__lingered_and_fin_wait_2), T(linger_n__time_up__background_goes_on),
    T(linger_n__reset__lingered_and_gone), T(linger_n__crossed_fins__lingered_at_time_wait),
    T(linger_n__nothing_to_wait_for__closes_at_once), T(linger_n__fin_wait_2_with_linger2_below_0__rst),
    T(linger2__seconds__as_measured), T(linger2__shorter_than_3_5_rto__that), T(linger_n__closing__not_over_yet),
    T(fin_timeout__knob__same_rules_and_rfc9293_has_t), T(fin_timeout__held_socket__no_limit),
    T(fin_timeout__fin_after_expiry__rst), T(fin_before_expiry__whole_time_wait),
    T(linger2_below_0__who_was_first__which_counter), T(linger2_70__fin_while_block_or_record__time_wait),
    T(orphan__data_comes__rst), T(orphan_retries__default_8__about_107_s), T(max_orphans__one_too_many__rst),
    T(abort__each_state__rst_or_nothing), T(close__simultaneous_open_in_syn_received__fin_after_the_handshake))
