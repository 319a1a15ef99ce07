/* SPDX-License-Identifier: MIT */
/* What each call answers, state by state: the errno values that a Linux 6.18 program gets. */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <string.h>

static char buf[70000];

static int64_t get(struct la_engine *e, la_sock s) { return la_recv(e, s, buf, sizeof(buf), 0); }
static int64_t put(struct la_engine *e, la_sock s) { return la_send(e, s, "x", 1, 0); }

enum { POOL = 16384 }; /* 17 bits of a handle are left */

/* ---- handles and arguments that are none ---- */

TEST(any_call__bad_handle__ebadf)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 1);
	struct la_tcp_info info;
	size_t len = sizeof(buf);

	pair_init(&p);
	la_sock closed = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_close(p.a, closed), 0);
	const la_sock bad[] = {0, -1, INT32_MIN, INT32_MAX, 1, 63, 64, 1 << 20, closed};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		la_sock s = bad[i];

		assert_int_equal(la_bind(p.a, s, &at), -EBADF);
		assert_int_equal(la_listen(p.a, s, 1), -EBADF);
		assert_int_equal(la_connect(p.a, s, &at), -EBADF);
		assert_int_equal(la_accept(p.a, s, &at), -EBADF);
		assert_int_equal(put(p.a, s), -EBADF);
		assert_int_equal(get(p.a, s), -EBADF);
		assert_int_equal(la_shutdown(p.a, s, LA_SHUT_WR), -EBADF);
		assert_int_equal(la_close(p.a, s), -EBADF);
		assert_int_equal(la_abort(p.a, s), -EBADF);
		assert_int_equal(la_getsockname(p.a, s, &at), -EBADF);
		assert_int_equal(la_getpeername(p.a, s, &at), -EBADF);
		assert_int_equal(set_int(p.a, s, LA_TCP_NODELAY, 1), -EBADF);
		assert_int_equal(la_getsockopt(p.a, s, LA_TCP_NODELAY, buf, &len), -EBADF);
		assert_int_equal(la_tcp_info(p.a, s, &info), -EBADF);
		assert_int_equal(la_user_set(p.a, s, 1), -EBADF);
		assert_int_equal(la_poll(p.a, s), 0);
	}
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

TEST(any_call__null__efault_or_einval)
{
	struct pair p;
	size_t len = 4;
	uint64_t cursor = 0;
	struct la_connection conn;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	la_sock s = socket_of(p.a, "10.0.0.1");

	assert_int_equal(la_bind(p.a, s, NULL), -EFAULT);
	assert_int_equal(la_connect(p.a, s, NULL), -EFAULT);
	assert_int_equal(la_send(p.a, j.client, NULL, 1, 0), -EFAULT);
	assert_int_equal(la_recv(p.a, j.client, NULL, 1, 0), -EFAULT);
	assert_int_equal(la_getsockname(p.a, s, NULL), -EFAULT);
	assert_int_equal(la_getpeername(p.a, j.client, NULL), -EFAULT);
	assert_int_equal(la_setsockopt(p.a, s, LA_TCP_NODELAY, NULL, 4), -EFAULT);
	assert_int_equal(la_getsockopt(p.a, s, LA_TCP_NODELAY, NULL, &len), -EFAULT);
	assert_int_equal(la_getsockopt(p.a, s, LA_TCP_NODELAY, buf, NULL), -EFAULT);
	assert_int_equal(la_tcp_info(p.a, s, NULL), -EFAULT);
	assert_int_equal(la_address_add(p.a, NULL), -EINVAL);
	assert_int_equal(la_knob_set(p.a, NULL, "1"), -EINVAL);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.tcp_rfc1337", NULL), -EINVAL);
	assert_int_equal(la_knob_get(p.a, "net.ipv4.tcp_rfc1337", NULL), -EINVAL);
	assert_int_equal(la_knobs_load(p.a, NULL, 5, NULL), -EINVAL);
	assert_int_equal(la_knobs_load(p.a, NULL, 0, NULL), 0);
	assert_false(la_event(p.a, NULL));
	assert_false(la_connection_next(p.a, NULL, &conn));
	assert_false(la_connection_next(p.a, &cursor, NULL));
	assert_false(la_time_wait_next(p.a, &cursor, NULL));
	assert_false(la_time_wait_find(p.a, NULL, NULL, NULL));
	la_usage(p.a, NULL);
	la_input(p.a, p.now, NULL, 100);
	la_input(p.a, p.now, buf, 0);
	assert_int_equal(la_output(p.a, p.now, NULL, 1500), 0);
	assert_int_equal(put(p.a, j.client), 1);
	assert_int_equal(la_output(p.a, p.now, buf, 100), 0); /* below the MTU */
	pair_done(&p);
}

/* The bits of a handle that max_sockets does not need tell its uses apart. */
TEST(socket__one_block__same_handle_after_2_to_the_31_over_max_sockets)
{
	static const uint32_t sockets[] = {POOL, POOL / 4 * 3 + 1};
	enum { USES = (1U << 31) / POOL };

	for (unsigned i = 0; i < 2; i++) {
		struct pair p;

		pair_init_with(&p, &(struct la_config){.max_sockets = sockets[i],
						       .max_time_wait4 = 16,
						       .max_time_wait6 = 16,
						       .send_buffer = 2048,
						       .receive_buffer = 2048});
		la_sock first = la_socket(p.a, LA_INET), s;

		assert_int_equal(la_close(p.a, first), 0);
		for (uint32_t n = 1; n < USES - 1; n++) {
			s = la_socket(p.a, LA_INET);
			if (s <= 0 || s == first || la_close(p.a, s))
				fail_msg("use %u: %d", n, s);
			if (la_poll(p.a, first))
				fail_msg("the old handle is good again");
		}
		assert_int_equal(la_socket(p.a, LA_INET), first); /* 0 is no generation */
		pair_done(&p);
	}
}

TEST(socket__family__afnosupport_and_enfile)
{
	struct pair p;
	la_sock s[64];

	pair_init(&p);
	assert_int_equal(la_socket(p.a, 0), -EAFNOSUPPORT);
	assert_int_equal(la_socket(p.a, 1), -EAFNOSUPPORT);
	assert_int_equal(la_socket(p.a, -1), -EAFNOSUPPORT);
	for (unsigned i = 0; i < 64; i++) {
		s[i] = la_socket(p.a, i % 2 ? LA_INET : LA_INET6);
		assert_true(s[i] > 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(s[i], s[k]);
	}
	assert_int_equal(la_socket(p.a, LA_INET), -ENFILE);
	assert_int_equal(la_close(p.a, s[7]), 0);
	la_sock again = la_socket(p.a, LA_INET);
	assert_true(again > 0);
	assert_int_not_equal(again, s[7]); /* the number is not given out again soon: see below */
	pair_done(&p);
}

/* ---- a socket that was never connected ---- */

TEST(fresh__every_call__as_linux)
{
	struct pair p;
	struct la_endpoint name;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(put(p.a, s), -EPIPE); /* measured: not ENOTCONN */
	assert_int_equal(get(p.a, s), -ENOTCONN);
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_WR), -ENOTCONN);
	assert_int_equal(la_shutdown(p.a, s, 3), -EINVAL);
	assert_int_equal(la_shutdown(p.a, s, -1), -EINVAL);
	assert_int_equal(la_getpeername(p.a, s, &name), -ENOTCONN);
	assert_int_equal(la_accept(p.a, s, NULL), -EINVAL);
	assert_int_equal(la_getsockname(p.a, s, &name), 0);
	struct la_endpoint any = ep("0.0.0.0", 0);
	assert_memory_equal(&name, &any, sizeof(any));
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(la_recv(p.a, s, buf, 1, 0x1), -EINVAL);
	assert_int_equal(la_send(p.a, s, buf, 1, 0x1), -EINVAL);
	la_sock s6 = socket_of(p.a, "::");
	assert_int_equal(la_getsockname(p.a, s6, &name), 0);
	any = ep("::", 0);
	assert_memory_equal(&name, &any, sizeof(any));
	pair_done(&p);
}

TEST(listener__every_call__as_linux)
{
	struct pair p;
	struct la_endpoint name = ep("10.0.0.1", 9);

	pair_init(&p);
	la_sock s = listen_at(p.a, "10.0.0.1", 80, 4);
	assert_int_equal(put(p.a, s), -EPIPE);
	assert_int_equal(get(p.a, s), -ENOTCONN);
	assert_int_equal(la_getpeername(p.a, s, &name), -ENOTCONN);
	assert_int_equal(la_accept(p.a, s, NULL), -EAGAIN);
	assert_int_equal(la_connect(p.a, s, &name), -EISCONN);
	assert_int_equal(la_bind(p.a, s, &name), -EINVAL);
	assert_int_equal(la_listen(p.a, s, 1), 0); /* a new backlog */
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_WR), 0);
	assert_int_equal(state_of(p.a, s), K_LISTEN);
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_RD), 0); /* no listener any more, but still bound */
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(la_accept(p.a, s, NULL), -EINVAL);
	assert_int_equal(la_bind(p.a, s, &name), -EINVAL);
	assert_int_equal(la_getsockname(p.a, s, &name), 0);
	assert_int_equal(name.port, 80);
	assert_int_equal(la_listen(p.a, s, 1), 0);
	assert_int_equal(state_of(p.a, s), K_LISTEN);
	assert_int_equal(la_close(p.a, s), 0);
	assert_true(is_at_rest(p.a));
	pair_done(&p);
}

TEST(connect__listener_under_rfc9293__opens_actively)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	set_knob(p.a, "engine.policy", "rfc9293");
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 1), s = listen_at(p.a, "10.0.0.1", 99, 1);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	assert_int_equal(edge(p.a, "F5_06_LISTEN_SEND"), 1);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED);
	la_sock peer = accept_from(p.b, l);
	assert_int_equal(la_getpeername(p.b, peer, &to), 0);
	assert_int_equal(to.port, 99);
	pair_done(&p);
}

/* ---- connect ---- */

TEST(connect__address__family_and_route)
{
	struct pair p;
	struct la_endpoint v4 = ep("10.0.0.2", 80), v6 = ep("2001:db8::2", 80), multi = ep("224.0.0.1", 80),
			   all = ep("255.255.255.255", 80), multi6 = ep("ff02::1", 80), any = ep("0.0.0.0", 80);

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1"), s6 = socket_of(p.a, "::");
	assert_int_equal(la_connect(p.a, s, &v6), -EAFNOSUPPORT);
	assert_int_equal(la_connect(p.a, s6, &v4), -ENETUNREACH); /* an IPv6 socket is IPv6 only */
	assert_int_equal(la_connect(p.a, s, &multi), -ENETUNREACH);
	assert_int_equal(la_connect(p.a, s, &all), -ENETUNREACH);
	assert_int_equal(la_connect(p.a, s6, &multi6), -ENETUNREACH);
	assert_int_equal(la_connect(p.a, s, &any), -EINPROGRESS); /* this host */
	assert_int_equal(la_getsockname(p.a, s, &any), 0);
	v4 = ep("127.0.0.1", 0);
	assert_memory_equal(any.addr, v4.addr, 16);
	pair_done(&p);
}

TEST(connect__no_address_of_family__enetunreach)
{
	static uint8_t mem[8 << 20] __attribute__((aligned(64)));
	struct la_config cfg = {.max_sockets = 4,
				.max_time_wait4 = 16,
				.max_time_wait6 = 16,
				.send_buffer = 2048,
				.receive_buffer = 2048};
	struct la_engine *e;
	struct la_endpoint to = ep("10.0.0.2", 80);

	assert_int_equal(la_init(mem, sizeof(mem), &cfg, &e), 0);
	assert_int_equal(la_connect(e, socket_of(e, "10.0.0.1"), &to), -ENETUNREACH);
}

TEST(connect__source_address__nearest)
{
	struct pair p;
	struct la_endpoint name;

	pair_init(&p);
	la_sock far = connect_to(p.a, "192.0.2.1", 80), near = connect_to(p.a, "127.0.0.9", 80),
		self = connect_to(p.a, "10.0.0.3", 80), far6 = connect_to(p.a, "2001:db8::99", 80);
	const struct {
		la_sock s;
		const char *from;
	} cases[] = {{far, "10.0.0.1"}, {near, "127.0.0.1"}, {self, "10.0.0.3"}, {far6, "2001:db8::1"}};
	for (size_t i = 0; i < 4; i++) {
		struct la_endpoint want = ep(cases[i].from, 0);

		assert_int_equal(la_getsockname(p.a, cases[i].s, &name), 0);
		assert_memory_equal(name.addr, want.addr, 16);
		assert_in_range(name.port, 32768, 60999);
	}
	pair_done(&p);
}

TEST(connect__step_by_step__einprogress_ealready_0_eisconn)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80), name;

	pair_init(&p);
	la_sock l = listen_at(p.b, "0.0.0.0", 80, 4), s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	assert_int_equal(la_connect(p.a, s, &to), -EALREADY);
	assert_int_equal(put(p.a, s), -EAGAIN);
	assert_int_equal(get(p.a, s), -EAGAIN);
	assert_int_equal(la_getpeername(p.a, s, &name), -ENOTCONN);
	assert_int_equal(la_listen(p.a, s, 1), -EINVAL);
	assert_int_equal(la_bind(p.a, s, &to), -EADDRNOTAVAIL); /* the address is looked at first */
	to = ep("10.0.0.1", 5);
	assert_int_equal(la_bind(p.a, s, &to), -EINVAL);
	pair_run(&p);
	assert_int_equal(la_connect(p.a, s, &to), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EISCONN);
	assert_int_equal(la_listen(p.a, s, 1), -EINVAL);
	assert_int_equal(la_accept(p.a, s, NULL), -EINVAL);
	assert_int_equal(la_getpeername(p.a, s, &name), 0);
	assert_int_equal(name.port, 80);
	la_sock c = la_accept(p.b, l, &name);
	assert_true(c > 0);
	struct la_endpoint own;
	assert_int_equal(la_getsockname(p.a, s, &own), 0);
	assert_memory_equal(&own, &name, sizeof(own));
	assert_int_equal(la_connect(p.b, c, &name), -EISCONN);
	assert_int_equal(get(p.a, s), -EAGAIN);
	assert_int_equal(la_recv(p.a, s, buf, 0, 0), -EAGAIN); /* Linux, for 0 octets too */
	assert_int_equal(la_send(p.a, s, buf, 0, 0), 0);
	pair_done(&p);
}

TEST(connect__refused__error_once_then_again)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(la_connect(p.a, s, &to), -ECONNREFUSED);
	assert_int_equal(get_int(p.a, s, LA_SO_ERROR), 0);
	assert_int_equal(get(p.a, s), -ENOTCONN); /* connect() made it new again */
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 1);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(la_connect(p.a, s, &to), 0);
	assert_true(la_accept(p.b, l, NULL) > 0);

	s = connect_to(p.a, "10.0.0.2", 81);
	pair_run(&p);
	assert_int_equal(get_int(p.a, s, LA_SO_ERROR), ECONNREFUSED);
	assert_int_equal(get_int(p.a, s, LA_SO_ERROR), 0);
	assert_int_equal(la_connect(p.a, s, &to), -ECONNABORTED); /* Linux: the error was taken already */
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);

	s = connect_to(p.a, "10.0.0.2", 81);
	pair_run(&p);
	assert_int_equal(get(p.a, s), -ECONNREFUSED);
	assert_int_equal(get(p.a, s), 0);
	assert_int_equal(put(p.a, s), -EPIPE);
	pair_done(&p);
}

TEST(connect__nobody_answers__etimedout)
{
	struct pair p;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	struct la_endpoint to = ep("192.0.2.1", 80);
	assert_int_equal(set_int(p.a, s, LA_TCP_SYNCNT, 1), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_pass(&p, 200000);
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(edge(p.a, "TIMEOUT_SYN_SENT"), 1);
	assert_int_equal(put(p.a, s), -ETIMEDOUT);
	assert_int_equal(put(p.a, s), -EPIPE);
	pair_done(&p);
}

TEST(shutdown__syn_sent__new_socket_with_econnreset)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80);

	pair_init(&p);
	la_sock s = connect_to(p.a, "10.0.0.2", 80);
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_RD), 0);
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(get_int(p.a, s, LA_SO_ERROR), ECONNRESET);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_done(&p);
}

/* ---- a connection, and its end ---- */

TEST(established__data__both_ways)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_send(p.a, j.client, "hello", 5, 0), 5);
	pair_run(&p);
	assert_int_equal(la_recv(p.b, j.server, buf, 3, LA_PEEK), 3);
	assert_memory_equal(buf, "hel", 3);
	assert_int_equal(la_recv(p.b, j.server, buf, 0, 0), 0);
	assert_int_equal(la_recv(p.b, j.server, buf, 3, 0), 3);
	assert_int_equal(get(p.b, j.server), 2);
	assert_memory_equal(buf, "lo", 2);
	assert_int_equal(get(p.b, j.server), -EAGAIN);
	memset(buf, 'y', sizeof(buf));
	assert_int_equal(la_send(p.b, j.server, buf, sizeof(buf), 0), 65536); /* the buffer */
	assert_int_equal(la_send(p.b, j.server, buf, 1, 0), -EAGAIN);
	pair_run(&p);
	int64_t n = get(p.a, j.client), total = 0;
	for (; n > 0; n = get(p.a, j.client)) {
		total += n;
		pair_pass(&p, 50);
	}
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(total, 65536);
	pair_done(&p);
}

TEST(reset__data_pending__data_then_error_once_then_eof)
{
	struct pair p;
	struct la_endpoint name;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_send(p.a, j.client, "bye", 3, 0), 3);
	pair_run(&p);
	assert_int_equal(la_abort(p.a, j.client), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE);
	assert_int_equal(la_getpeername(p.b, j.server, &name), -ENOTCONN);
	assert_int_equal(get(p.b, j.server), 3);
	assert_int_equal(get(p.b, j.server), -ECONNRESET);
	assert_int_equal(get(p.b, j.server), 0);
	assert_int_equal(put(p.b, j.server), -EPIPE);
	name = ep("10.0.0.1", 1);
	assert_int_equal(la_connect(p.b, j.server, &name), -EISCONN);
	assert_int_equal(la_shutdown(p.b, j.server, LA_SHUT_WR), -ENOTCONN);
	assert_int_equal(la_close(p.b, j.server), 0);
	assert_int_equal(counter(p.b, "EstabResets"), 1);
	pair_done(&p);
}

TEST(reset__send_first__econnreset_then_epipe)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_abort(p.a, j.client), 0);
	pair_run(&p);
	assert_int_equal(put(p.b, j.server), -ECONNRESET);
	assert_int_equal(put(p.b, j.server), -EPIPE);
	assert_int_equal(get(p.b, j.server), 0);
	pair_done(&p);
}

TEST(reset__close_wait__epipe_and_eof)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE_WAIT);
	assert_int_equal(la_abort(p.a, j.client), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.b, j.server), K_CLOSE);
	assert_int_equal(get(p.b, j.server), 0); /* the end of the data was there before */
	assert_int_equal(get_int(p.b, j.server, LA_SO_ERROR), EPIPE);
	assert_int_equal(put(p.b, j.server), -EPIPE);
	pair_done(&p);
}

TEST(half_close__data_the_other_way__arrives)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	assert_int_equal(put(p.a, j.client), -EPIPE);
	pair_run(&p);
	assert_int_equal(state_of(p.a, j.client), K_FIN_WAIT_2);
	assert_int_equal(get(p.b, j.server), 0);
	assert_int_equal(put(p.b, j.server), 1);
	pair_run(&p);
	assert_int_equal(get(p.a, j.client), 1);
	assert_int_equal(get(p.a, j.client), -EAGAIN);
	assert_int_equal(put(p.b, j.server), 1);
	assert_int_equal(la_close(p.b, j.server), 0);
	pair_run(&p);
	/* TIME_WAIT with the socket still open: kernel-truth 1.1 */
	assert_int_equal(records(p.a), 1);
	struct la_endpoint name;
	assert_int_equal(state_of(p.a, j.client), K_CLOSE);
	assert_int_equal(la_getpeername(p.a, j.client, &name), -ENOTCONN);
	assert_int_equal(put(p.a, j.client), -EPIPE);
	assert_int_equal(get(p.a, j.client), 1);
	assert_int_equal(get(p.a, j.client), 0);
	assert_int_equal(get(p.a, j.client), 0);
	assert_int_equal(la_close(p.a, j.client), 0);
	assert_int_equal(records(p.a), 1);
	pair_done(&p);
}

TEST(shutdown_rd__later_data__still_delivered)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_shutdown(p.b, j.server, LA_SHUT_RD), 0);
	assert_int_equal(get(p.b, j.server), 0);
	assert_int_equal(put(p.a, j.client), 1);
	pair_run(&p);
	assert_int_equal(get(p.b, j.server), 1); /* kernel-truth 7.1: Linux delivers it */
	assert_int_equal(get(p.b, j.server), 0);
	pair_done(&p);
}

/* ---- options ---- */

TEST(setsockopt__ranges__as_linux)
{
	static const struct {
		enum la_opt opt;
		int value, err, got;
	} cases[] = {
		{LA_SO_REUSEADDR, 5, 0, 1},
		{LA_SO_REUSEADDR, 0, 0, 0},
		{LA_SO_REUSEPORT, -1, 0, 1},
		{LA_SO_KEEPALIVE, 1, 0, 1},
		{LA_TCP_NODELAY, 7, 0, 1},
		{LA_TCP_MAXSEG, 87, -EINVAL, 536},
		{LA_TCP_MAXSEG, 88, 0, 88},
		{LA_TCP_MAXSEG, 32768, -EINVAL, 88},
		{LA_TCP_MAXSEG, 32767, 0, 32767},
		{LA_TCP_MAXSEG, 0, 0, 536},
		{LA_TCP_KEEPIDLE, 0, -EINVAL, 7200},
		{LA_TCP_KEEPIDLE, 32767, 0, 32767},
		{LA_TCP_KEEPIDLE, 32768, -EINVAL, 32767},
		{LA_TCP_KEEPINTVL, -1, -EINVAL, 75},
		{LA_TCP_KEEPINTVL, 1, 0, 1},
		{LA_TCP_KEEPCNT, 128, -EINVAL, 9},
		{LA_TCP_KEEPCNT, 127, 0, 127},
		{LA_TCP_SYNCNT, 0, -EINVAL, 6},
		{LA_TCP_SYNCNT, 127, 0, 127},
		{LA_TCP_LINGER2, 121, 0, 120},
		{LA_TCP_LINGER2, 5, 0, 5},
		{LA_TCP_LINGER2, -9, 0, -1},
		{LA_TCP_LINGER2, 0, 0, 60},
		{LA_TCP_USER_TIMEOUT, -1, -EINVAL, 0},
		{LA_TCP_USER_TIMEOUT, 30000, 0, 30000},
		{LA_IP_BIND_ADDRESS_NO_PORT, 1, 0, 1},
		{LA_IP_LOCAL_PORT_RANGE, 2 | 1 << 16, -EINVAL, 0},
		{LA_IP_LOCAL_PORT_RANGE, 1 | 2 << 16, 0, 1 | 2 << 16},
		{LA_IP_LOCAL_PORT_RANGE, 9, 0, 9},
		{LA_SO_OWNER, 1000, 0, 1000},
		{LA_IP_TTL, 0, -EINVAL, 64},
		{LA_IP_TTL, 256, -EINVAL, 64},
		{LA_IP_TTL, 9, 0, 9},
		{LA_IP_TTL, -1, 0, 64},
		{LA_IP_TOS, 0xff, 0, 0xfc},
		{LA_SO_ERROR, 1, -ENOPROTOOPT, 0},
		{LA_SO_ACCEPTCONN, 1, -ENOPROTOOPT, 0},
	};
	struct pair p;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(set_int(p.a, s, cases[i].opt, cases[i].value), cases[i].err);
		assert_int_equal(get_int(p.a, s, cases[i].opt), cases[i].got);
	}
	pair_done(&p);
}

TEST(setsockopt__lengths_and_numbers__refused)
{
	struct pair p;
	struct la_linger l = {1, -5};
	uint8_t octets[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	size_t len = 2;
	int one = 1;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_setsockopt(p.a, s, LA_TCP_NODELAY, &one, 3), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, s, LA_TCP_NODELAY, &one, 0), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, s, LA_IP_LOCAL_PORT_RANGE, octets, 8), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, s, LA_SO_LINGER, &l, sizeof(l) - 1), -EINVAL);
	assert_int_equal(la_setsockopt(p.a, s, (enum la_opt)LA_N_OPTS, &one, sizeof(one)), -ENOPROTOOPT);
	assert_int_equal(la_setsockopt(p.a, s, (enum la_opt) - 1, &one, sizeof(one)), -ENOPROTOOPT);
	assert_int_equal(la_getsockopt(p.a, s, (enum la_opt)LA_N_OPTS, &one, &len), -ENOPROTOOPT);
	assert_int_equal(la_setsockopt(p.a, s, LA_SO_LINGER, &l, sizeof(l)), 0);
	len = sizeof(l);
	assert_int_equal(la_getsockopt(p.a, s, LA_SO_LINGER, &l, &len), 0);
	assert_int_equal(len, sizeof(l));
	assert_int_equal(l.onoff, 1);
	assert_int_equal(l.linger_s, INT32_MAX);
	len = 2;
	assert_int_equal(la_getsockopt(p.a, s, LA_SO_ACCEPTCONN, octets, &len), 0); /* cut, as Linux */
	assert_int_equal(len, 2);
	assert_int_equal(octets[0], 0);
	assert_int_equal(octets[2], 0xff);
	pair_done(&p);
}

TEST(setsockopt__keepalive__on_a_connection_at_once)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	pair_pass(&p, 2000);
	assert_int_equal(la_next_at(p.a), LA_NEVER);
	assert_int_equal(set_int(p.a, j.client, LA_SO_KEEPALIVE, 1), 0);
	assert_in_range(la_next_at(p.a) - p.now, UINT64_C(7000000000000), UINT64_C(7200100000000));
	assert_int_equal(set_int(p.a, j.client, LA_TCP_KEEPIDLE, 5), 0);
	pair_pass(&p, 5100);
	assert_int_equal(counter(p.a, "TCPKeepAlive"), 1);
	assert_int_equal(set_int(p.a, j.client, LA_SO_KEEPALIVE, 0), 0);
	pair_pass(&p, 20000000);
	assert_int_equal(counter(p.a, "TCPKeepAlive"), 1);
	assert_int_equal(state_of(p.a, j.client), K_ESTABLISHED);
	pair_done(&p);
}

TEST(setsockopt__nodelay__sends_what_nagle_kept)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(set_int(p.b, j.server, LA_TCP_QUICKACK, 0), 0);
	assert_int_equal(put(p.a, j.client), 1);
	pair_run(&p);
	assert_int_equal(put(p.a, j.client), 1);
	pair_run(&p);
	assert_int_equal(get(p.b, j.server), 1);
	assert_int_equal(set_int(p.a, j.client, LA_TCP_NODELAY, 1), 0);
	pair_run(&p);
	assert_int_equal(get(p.b, j.server), 1);
	pair_done(&p);
}

TEST(setsockopt__quickack__sends_what_was_delayed)
{
	struct pair p;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(get_int(p.b, j.server, LA_TCP_QUICKACK), 1);
	assert_int_equal(set_int(p.b, j.server, LA_TCP_QUICKACK, 0), 0);
	assert_int_equal(get_int(p.b, j.server, LA_TCP_QUICKACK), 0);
	assert_int_equal(put(p.a, j.client), 1);
	pair_run(&p);
	assert_int_equal(get(p.b, j.server), 1);
	pair_run(&p);
	unsigned before = p.sent[1];
	assert_int_equal(set_int(p.b, j.server, LA_TCP_QUICKACK, 1), 0);
	pair_run(&p);
	assert_int_equal(p.sent[1], before + 1);
	assert_int_equal(get_int(p.b, j.server, LA_TCP_QUICKACK), 1);
	pair_done(&p);
}

/* ICMP: host unreachable. It ends nothing that is established; SO_ERROR tells it once (Linux: sk_err_soft). */
TEST(getsockopt__error__soft_one_too)
{
	struct pair p;
	uint8_t icmp[28 + 40] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1, 3, 1}, packet[1500];

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(put(p.a, j.client), 1);
	assert_true(la_output(p.a, p.now, packet, sizeof(packet)) > 28);
	memcpy(icmp + 28, packet, 28);
	for (unsigned part = 0; part < 2; part++) { /* both checksums */
		uint8_t *at = part ? icmp : icmp + 20;
		uint32_t sum = 0;

		for (unsigned i = 0; i < (part ? 20 : 36); i += 2)
			sum += (uint32_t)(at[i] << 8 | at[i + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~((sum & 0xffff) + (sum >> 16));
		at[part ? 10 : 2] = (uint8_t)(sum >> 8);
		at[part ? 11 : 3] = (uint8_t)sum;
	}
	la_input(p.a, p.now, icmp, 56);
	assert_int_equal(counter(p.a, "LaIcmpErrors"), 1);
	assert_int_equal(state_of(p.a, j.client), K_ESTABLISHED);
	assert_int_equal(get(p.a, j.client), -EAGAIN);
	assert_int_equal(get_int(p.a, j.client, LA_SO_ERROR), EHOSTUNREACH);
	assert_int_equal(get_int(p.a, j.client, LA_SO_ERROR), 0);
	pair_done(&p);
}

TEST(setsockopt__maxseg__announced_by_both_ends)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.2", 80);

	pair_init(&p);
	la_sock l = socket_of(p.b, "10.0.0.2"), s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(set_int(p.b, l, LA_TCP_MAXSEG, 500), 0);
	assert_int_equal(set_int(p.a, s, LA_TCP_MAXSEG, 600), 0);
	assert_int_equal(la_bind(p.b, l, &at), 0);
	assert_int_equal(la_listen(p.b, l, 1), 0);
	assert_int_equal(la_connect(p.a, s, &at), -EINPROGRESS);
	uint8_t packet[1500];
	struct packet parsed;
	size_t len = la_output(p.a, p.now, packet, sizeof(packet));
	packet_parse(&parsed, packet, len, 0);
	assert_int_equal(parsed.seg.opts.mss, 600);
	la_input(p.b, p.now, packet, len);
	len = la_output(p.b, p.now, packet, sizeof(packet));
	packet_parse(&parsed, packet, len, 0);
	assert_int_equal(parsed.seg.opts.mss, 500);
	pair_done(&p);
}

RUN(T(any_call__bad_handle__ebadf), T(any_call__null__efault_or_einval), T(socket__family__afnosupport_and_enfile),
    T(socket__one_block__same_handle_after_2_to_the_31_over_max_sockets), T(fresh__every_call__as_linux),
    T(listener__every_call__as_linux), T(connect__listener_under_rfc9293__opens_actively),
    T(connect__address__family_and_route), T(connect__no_address_of_family__enetunreach),
    T(connect__source_address__nearest), T(connect__step_by_step__einprogress_ealready_0_eisconn),
    T(connect__refused__error_once_then_again), T(connect__nobody_answers__etimedout),
    T(shutdown__syn_sent__new_socket_with_econnreset), T(established__data__both_ways),
    T(reset__data_pending__data_then_error_once_then_eof), T(reset__send_first__econnreset_then_epipe),
    T(reset__close_wait__epipe_and_eof), T(half_close__data_the_other_way__arrives),
    T(shutdown_rd__later_data__still_delivered), T(setsockopt__ranges__as_linux),
    T(setsockopt__lengths_and_numbers__refused), T(setsockopt__maxseg__announced_by_both_ends),
    T(setsockopt__keepalive__on_a_connection_at_once), T(setsockopt__nodelay__sends_what_nagle_kept),
    T(setsockopt__quickack__sends_what_was_delayed), T(getsockopt__error__soft_one_too))
