/* SPDX-License-Identifier: MIT */
/* Readiness: what poll() of Linux would say, told once each time it grows. */
#include "tests/unit/t.h"
#include "tests/unit/engine/pair.h"
#include <errno.h>
#include <string.h>

static char buf[100000];

/* The one event that there is; -1 in events if there is none. Fails if there are two. */
static struct la_event only(struct la_engine *e)
{
	struct la_event ev = {.events = UINT32_MAX}, second;

	if (!la_event(e, &ev))
		return ev;
	assert_false(la_event(e, &second));
	return ev;
}

static void none(struct la_engine *e)
{
	struct la_event ev;

	assert_false(la_event(e, &ev));
}

/* Without Nagle: each piece is on its way at once. */
static struct joint join_nodelay(struct pair *p)
{
	struct joint j = pair_join(p, 80);

	assert_int_equal(set_int(p->a, j.client, LA_TCP_NODELAY, 1), 0);
	return j;
}

static void drain(struct la_engine *e)
{
	struct la_event ev;

	while (la_event(e, &ev))
		;
}

TEST(poll__socket_without_connection__as_linux)
{
	struct pair p;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_poll(p.a, s), LA_OUT | LA_HUP);
	none(p.a); /* nothing came up */
	la_sock l = listen_at(p.a, "10.0.0.1", 80, 1);
	assert_int_equal(la_poll(p.a, l), 0);
	s = connect_to(p.a, "10.0.0.2", 80);
	assert_int_equal(la_poll(p.a, s), 0);
	assert_int_equal(la_poll(p.a, 0), 0);
	pair_done(&p);
}

TEST(connect_and_accept__out_and_in)
{
	struct pair p;
	struct la_event ev;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 4), s = socket_of(p.a, "10.0.0.1");
	struct la_endpoint to = ep("10.0.0.2", 80);
	assert_int_equal(la_user_set(p.a, s, 7), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	none(p.a);
	pair_run(&p);
	ev = only(p.a);
	assert_int_equal(ev.sock, s);
	assert_int_equal(ev.events, LA_OUT);
	assert_int_equal(ev.user, 7);
	ev = only(p.b);
	assert_int_equal(ev.sock, l);
	assert_int_equal(ev.events, LA_IN);
	none(p.b);
	la_sock t = accept_from(p.b, l);
	assert_int_equal(la_poll(p.b, l), 0);
	ev = only(p.b);
	assert_int_equal(ev.sock, t);
	assert_int_equal(ev.events, LA_OUT);
	pair_done(&p);
}

TEST(listener__one_event_until_emptied)
{
	struct pair p;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 4);
	connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	assert_int_equal(only(p.b).sock, l);
	connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	none(p.b); /* it was ready before */
	accept_from(p.b, l);
	assert_int_equal(la_poll(p.b, l), LA_IN);
	accept_from(p.b, l);
	assert_int_equal(la_poll(p.b, l), 0);
	drain(p.b);
	connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	assert_int_equal(only(p.b).sock, l);
	pair_done(&p);
}

TEST(data__in_once_until_read)
{
	struct pair p;

	pair_init(&p);
	struct joint j = join_nodelay(&p);
	drain(p.a);
	drain(p.b);
	la_send(p.a, j.client, "ab", 2, 0);
	pair_run(&p);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT);
	la_send(p.a, j.client, "cd", 2, 0);
	pair_run(&p);
	none(p.b);
	assert_int_equal(la_recv(p.b, j.server, buf, 3, 0), 3);
	la_send(p.a, j.client, "ef", 2, 0);
	pair_run(&p);
	none(p.b); /* not emptied */
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 3);
	la_send(p.a, j.client, "gh", 2, 0);
	pair_run(&p);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, LA_PEEK), 2);
	assert_int_equal(la_poll(p.b, j.server), LA_IN | LA_OUT);
	pair_done(&p);
}

TEST(data__read_before_anybody_asked__no_event)
{
	struct pair p;

	pair_init(&p);
	struct joint j = join_nodelay(&p);
	drain(p.b);
	la_send(p.a, j.client, "ab", 2, 0);
	pair_run(&p);
	assert_int_equal(la_recv(p.b, j.server, buf, 9, 0), 2);
	none(p.b);
	la_send(p.a, j.client, "cd", 2, 0);
	pair_run(&p);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT);
	pair_done(&p);
}

TEST(send_buffer__full_then_a_third_free__out_again)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	drain(p.a);
	assert_int_equal(la_send(p.a, j.client, buf, sizeof(buf), 0), 65536);
	assert_int_equal(la_poll(p.a, j.client), 0);
	pair_run(&p);
	pair_pass(&p, 100);
	struct la_event ev = only(p.a);
	assert_int_equal(ev.sock, j.client);
	assert_int_equal(ev.events, LA_OUT);
	none(p.a);
	pair_done(&p);
}

TEST(fin__in_then_hup)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	drain(p.a);
	drain(p.b);
	la_shutdown(p.a, j.client, LA_SHUT_WR);
	none(p.a); /* LA_OUT was told: send() will say EPIPE at once, as poll() of Linux has it */
	pair_run(&p);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT);
	assert_int_equal(la_poll(p.a, j.client), LA_OUT);
	la_close(p.b, j.server);
	pair_run(&p);
	assert_int_equal(only(p.a).events, LA_IN | LA_OUT | LA_HUP);
	none(p.b);
	pair_done(&p);
}

TEST(last_ack__hup_when_both_are_closed)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	la_shutdown(p.a, j.client, LA_SHUT_WR);
	pair_run(&p);
	drain(p.b);
	la_shutdown(p.b, j.server, LA_SHUT_WR);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT | LA_HUP);
	pair_run(&p);
	none(p.b);
	assert_int_equal(la_poll(p.b, j.server), LA_IN | LA_OUT | LA_HUP);
	pair_done(&p);
}

TEST(reset__err_once)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	drain(p.b);
	la_abort(p.a, j.client);
	pair_run(&p);
	assert_int_equal(only(p.b).events, LA_IN | LA_OUT | LA_ERR | LA_HUP);
	assert_int_equal(get_int(p.b, j.server, LA_SO_ERROR), ECONNRESET);
	assert_int_equal(la_poll(p.b, j.server), LA_IN | LA_OUT | LA_HUP);
	none(p.b);
	pair_done(&p);
}

TEST(refused__all_four_and_again_after_a_second_try)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	for (unsigned i = 0; i < 2; i++) {
		pair_run(&p);
		assert_int_equal(only(p.a).events, LA_IN | LA_OUT | LA_ERR | LA_HUP);
		assert_int_equal(la_connect(p.a, s, &to), -ECONNREFUSED);
		assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
		none(p.a);
	}
	pair_done(&p);
}

TEST(connect__after_disconnect_was_told__out_again)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	listen_at(p.b, "10.0.0.2", 80, 4);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_WR), 0);
	assert_int_equal(only(p.a).events, LA_OUT | LA_ERR | LA_HUP);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(only(p.a).events, LA_OUT);
	pair_done(&p);
}

TEST(close__before_its_event_was_fetched__none)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	la_send(p.a, j.client, "ab", 2, 0);
	pair_run(&p);
	la_close(p.b, j.server);
	la_close(p.b, j.listener);
	none(p.b);
	pair_run(&p);
	la_close(p.a, j.client);

	struct joint k = pair_join(&p, 81); /* and one that lives on as an orphan */
	la_close(p.b, k.server);
	la_close(p.a, k.client);
	none(p.a);
	none(p.b);
	pair_done(&p);
}

TEST(events__order__first_up_first_told)
{
	struct pair p;
	struct la_event ev;
	la_sock s[4];

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 8);
	for (unsigned i = 0; i < 4; i++)
		s[i] = connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(la_event(p.a, &ev));
		assert_int_equal(ev.sock, s[i]);
	}
	none(p.a);
	assert_int_equal(only(p.b).sock, l);
	pair_done(&p);
}

RUN(T(connect__after_disconnect_was_told__out_again), T(poll__socket_without_connection__as_linux),
    T(connect_and_accept__out_and_in), T(listener__one_event_until_emptied), T(data__in_once_until_read),
    T(data__read_before_anybody_asked__no_event), T(send_buffer__full_then_a_third_free__out_again),
    T(fin__in_then_hup), T(last_ack__hup_when_both_are_closed), T(reset__err_once),
    T(refused__all_four_and_again_after_a_second_try), T(close__before_its_event_was_fetched__none),
    T(events__order__first_up_first_told))
