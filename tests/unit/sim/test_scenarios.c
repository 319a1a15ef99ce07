/* SPDX-License-Identifier: MIT */
/* What textbooks and incident reports tell of, on two engines and a net, every rule of the simulator watching. */
#include <errno.h>

#include "tests/unit/sim/rig.h"
#include "tests/unit/t.h"

enum { TIME_WAIT_MS = 60000 };

static const char *const plain[] = {NULL};
static const char *const rfc[] = {"engine.policy=rfc9293", NULL};
static const char *const with_1337[] = {"net.ipv4.tcp_rfc1337=1", NULL};
static const char *const no_timestamps[] = {"net.ipv4.tcp_timestamps=0", NULL};

/* ---- opening ---- */

TEST(simultaneous_open__makes_one_connection)
{
	struct rig *r = rig_begin(plain);
	la_sock a = rig_connect(r, 0, PORT_A, 9000), b = rig_connect(r, 1, 9000, PORT_A);

	rig_run(r, 100);
	assert_int_equal(rig_edge(r, 0, F5_08_SIMULTANEOUS_OPEN) + rig_edge(r, 1, F5_08_SIMULTANEOUS_OPEN), 2);
	rig_send(r, 0, a, "to b");
	rig_send(r, 1, b, "to a");
	rig_run(r, 100);
	rig_expect(r, 0, a, "to a");
	rig_expect(r, 1, b, "to b");
	rig_close(r, 0, a);
	rig_run(r, 100);
	rig_close(r, 1, b);
	rig_end(r);
}

/* ---- closing ---- */

TEST(simultaneous_close__leaves_time_wait_on_both_sides)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	rig_close(r, 0, a);
	rig_close(r, 1, b);
	rig_run(r, 100);
	for (unsigned h = 0; h < 2; h++) {
		assert_int_equal(rig_edge(r, h, F5_15_SIMULTANEOUS_CLOSE), 1);
		assert_int_equal(rig_edge(r, h, F5_18_CLOSING_ACKED), 1);
		assert_int_equal(rig_time_waits(r, h), 1);
	}
	rig_end(r);
}

TEST(close__leaves_time_wait_on_the_first_side_only)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	rig_close(r, 1, b);
	rig_run(r, 100);
	rig_close(r, 0, a);
	rig_run(r, 100);
	assert_int_equal(rig_time_waits(r, 0), 0);
	assert_int_equal(rig_time_waits(r, 1), 1);
	rig_run(r, TIME_WAIT_MS - 300);
	assert_int_equal(rig_time_waits(r, 1), 1);
	rig_run(r, 400);
	assert_int_equal(rig_time_waits(r, 1), 0);
	rig_end(r);
}

static bool loses_first_ack_of_time_wait(struct rig *r, unsigned from, const struct seg *s)
{
	return from == 0 && rig_edge(r, 0, F5_17_FIN_WAIT_2_FIN) == 1 && r->count++ == 0 && s->len == 0;
}

TEST(last_ack_lost__is_repeated_by_time_wait_which_begins_again)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	r->loses = loses_first_ack_of_time_wait;
	rig_close(r, 0, a);
	rig_run(r, 30000);
	rig_close(r, 1, b); /* FIN, FIN again: its first ACK was lost */
	rig_run(r, 3000);
	assert_true(r->count > 1);
	assert_int_equal(rig_edge(r, 1, F5_19_LAST_ACK_ACKED), 1);
	assert_int_equal(rig_time_waits(r, 0), 1);
	rig_end(r);
}

static bool loses_five_fins(struct rig *r, unsigned from, const struct seg *s)
{
	return from == 0 && s->flags & F_FIN && r->count++ < 5;
}

TEST(fin_lost_five_times__arrives_the_sixth_time)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	r->loses = loses_five_fins;
	rig_close(r, 0, a);
	rig_run(r, 60000);
	assert_int_equal(r->count, 6);
	assert_int_equal(rig_edge(r, 1, F5_13_ESTAB_FIN), 1);
	rig_close(r, 1, b);
	rig_end(r);
}

TEST(partition_during_close__heals_and_both_end)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	rig_send(r, 0, a, "last words");
	net_cut(r->n, 0, 1, true);
	rig_close(r, 0, a);
	rig_run(r, 20000);
	assert_int_equal(rig_edge(r, 0, F5_14_FIN_ACKED), 0);
	net_cut(r->n, 0, 1, false);
	rig_run(r, 60000);
	rig_expect(r, 1, b, "last words");
	rig_close(r, 1, b);
	rig_run(r, 1000);
	assert_int_equal(rig_edge(r, 1, F5_19_LAST_ACK_ACKED), 1);
	rig_end(r);
}

TEST(partition_for_ever_during_close__times_out)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	net_cut(r->n, 0, 1, true);
	rig_close(r, 0, a);
	rig_close(r, 1, b);
	rig_run(r, 600000);
	assert_int_equal(rig_edge(r, 0, TIMEOUT_FIN_WAIT_1), 1);
	assert_int_equal(rig_edge(r, 1, TIMEOUT_FIN_WAIT_1), 1);
	rig_end(r);
}

TEST(restart_during_close__the_new_engine_resets_what_it_does_not_know)
{
	struct rig *r = rig_begin(plain);
	la_sock a, b;

	rig_opened(r, &a, &b);
	rig_close(r, 0, a);
	rig_run(r, 100);
	rig_restart(r, 0, plain);
	rig_close(r, 1, b); /* its FIN meets nobody */
	rig_run(r, 1000);
	assert_int_equal(rig_edge(r, 1, RST_LAST_ACK), 1);
	assert_int_equal(rig_counter(r, 0, "OutRsts"), 1);
	rig_end(r);
}

/* ---- old segments ---- */

/* Host 1 closes first: it has the TIME_WAIT, and its listener can be called again. */
static void closed_by_server(struct rig *r, const char *text, la_sock *ret_listener)
{
	la_sock l = rig_listen(r, 1, PORT_B), a = rig_connect(r, 0, PORT_A, PORT_B), b;

	rig_run(r, 100);
	b = rig_accept(r, 1, l);
	rig_send(r, 0, a, text);
	rig_run(r, 100);
	rig_expect(r, 1, b, text);
	rig_close(r, 1, b);
	rig_run(r, 100);
	rig_close(r, 0, a);
	rig_run(r, 100);
	assert_int_equal(rig_time_waits(r, 1), 1);
	*ret_listener = l;
}

static void old_syn_in_time_wait(const char *const *knobs)
{
	struct rig *r = rig_begin(knobs);
	la_sock l;

	closed_by_server(r, "hello", &l);
	rig_replay(r, rig_find(r, 0, F_SYN, false));
	rig_run(r, 100);
	assert_int_equal(rig_edge(r, 1, TW_REOPEN), 0);
	assert_int_equal(rig_edge(r, 1, F5_05_LISTEN_SYN), 1);
	rig_close(r, 1, l);
	rig_end(r);
}

TEST(old_duplicate_syn_in_time_wait__opens_nothing)
{
	old_syn_in_time_wait(plain);
	old_syn_in_time_wait(rfc);
	old_syn_in_time_wait(no_timestamps);
}

static void old_data_into_new(const char *const *knobs)
{
	struct rig *r = rig_begin(knobs);
	const struct saved *old;
	la_sock l, a, b;

	closed_by_server(r, "of the first", &l);
	old = rig_find(r, 0, F_PSH, true);
	a = rig_connect(r, 0, PORT_A, PORT_B); /* the same four-tuple: a SYN reopens the TIME_WAIT */
	rig_run(r, 100);
	assert_int_equal(rig_edge(r, 1, TW_REOPEN), 1);
	b = rig_accept(r, 1, l);
	rig_replay(r, old);
	rig_run(r, 100);
	rig_send(r, 0, a, "of the second");
	rig_replay(r, old);
	rig_run(r, 100);
	rig_expect(r, 1, b, "of the second");
	rig_close(r, 0, a);
	rig_close(r, 1, b);
	rig_close(r, 1, l);
	rig_end(r);
}

TEST(old_data_segment_into_a_new_incarnation__is_rejected)
{
	old_data_into_new(plain);
	old_data_into_new(rfc);
	old_data_into_new(no_timestamps);
}

/* ---- RST ---- */

TEST(rst_storm__out_of_place_resets_nothing)
{
	struct rig *r = rig_begin(plain);
	struct seg s;
	la_sock a, b;

	rig_opened(r, &a, &b);
	rig_send(r, 0, a, "still here");
	s = rig_find(r, 0, F_PSH, true)->seg;
	s.flags = F_RST;
	s.len = 0;
	s.text = NULL;
	s.opts = (struct tcp_opts){0};
	rig_run(r, 100);
	for (uint32_t i = 0; i < 1000; i++) { /* before, inside and beyond the window, but never its left edge */
		s.seq = seq_add(rig_find(r, 0, F_PSH, true)->seg.seq, 100 + i * 4000017);
		net_forge(r->n, r->n->now + (nsec_t)i * 1000, &s);
	}
	rig_run(r, 1000);
	assert_int_equal(rig_edge(r, 1, RST_ESTABLISHED), 0);
	assert_true(rig_counter(r, 1, "TCPChallengeACK") <= 3); /* one in half a second */
	rig_expect(r, 1, b, "still here");
	rig_close(r, 0, a);
	rig_run(r, 100);
	rig_close(r, 1, b);
	rig_end(r);
}

/* RFC 1337, hazard: an old segment makes TIME_WAIT answer, and the peer, who knows nothing any more, resets it. */
static uint64_t assassinated(const char *const *knobs)
{
	struct rig *r = rig_begin(knobs);
	la_sock l;
	uint64_t n;

	closed_by_server(r, "old", &l);
	rig_replay(r, rig_find(r, 0, F_PSH, true));
	rig_run(r, 100);
	n = rig_edge(r, 1, RST_TIME_WAIT);
	assert_int_equal(rig_time_waits(r, 1), 1 - n);
	rig_close(r, 1, l);
	rig_end(r);
	return n;
}

TEST(assassination__is_what_tcp_rfc1337_says)
{
	assert_int_equal(assassinated(plain), 1);
	assert_int_equal(assassinated(with_1337), 0);
	assert_int_equal(assassinated(rfc), 0);
}

RUN(T(simultaneous_open__makes_one_connection), T(simultaneous_close__leaves_time_wait_on_both_sides),
    T(close__leaves_time_wait_on_the_first_side_only), T(last_ack_lost__is_repeated_by_time_wait_which_begins_again),
    T(fin_lost_five_times__arrives_the_sixth_time), T(partition_during_close__heals_and_both_end),
    T(partition_for_ever_during_close__times_out), T(restart_during_close__the_new_engine_resets_what_it_does_not_know),
    T(old_duplicate_syn_in_time_wait__opens_nothing), T(old_data_segment_into_a_new_incarnation__is_rejected),
    T(rst_storm__out_of_place_resets_nothing), T(assassination__is_what_tcp_rfc1337_says))
