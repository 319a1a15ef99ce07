/* SPDX-License-Identifier: MIT */
/*
 * bind() and listen() against what has the port already, through lastack.h alone: the matrix measured on Linux 6.18
 * (kernel-truth.md 7.2), with sockets that really are in those states, for both families.
 */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>

enum { PORT = 8080 };
enum old { OLD_LISTEN, OLD_ESTABLISHED, OLD_CLOSE_WAIT, OLD_FIN_WAIT_2, OLD_TIME_WAIT, OLD_BOUND, N_OLD };
enum { RA = 1, RP = 2, N_FLAGS = 4 };

static const struct family {
	const char *any, *own, *other;
} families[] = {{"0.0.0.0", "10.0.0.2", "10.0.0.4"}, {"::", "2001:db8::2", "2001:db8::4"}};

static la_sock flagged(struct la_engine *e, const char *addr, unsigned flags)
{
	la_sock s = socket_of(e, addr);

	assert_int_equal(set_int(e, s, LA_SO_REUSEADDR, flags & RA), 0);
	assert_int_equal(set_int(e, s, LA_SO_REUSEPORT, (flags & RP) != 0), 0);
	return s;
}

static int bind_to(struct la_engine *e, la_sock s, const char *addr, uint16_t port)
{
	struct la_endpoint at = ep(addr, port);

	return la_bind(e, s, &at);
}

static int bind_and_listen(struct la_engine *e, la_sock s, const char *addr, uint16_t port)
{
	int err = bind_to(e, s, addr, port);

	return err ? err : la_listen(e, s, 1);
}

/* At b, on PORT of any address, and nothing else there. */
static void make_old(struct pair *p, const struct family *f, enum old state, unsigned flags)
{
	la_sock l = flagged(p->b, f->any, flags), client, server;

	assert_int_equal(bind_to(p->b, l, f->any, PORT), 0);
	if (state == OLD_BOUND)
		return;
	assert_int_equal(la_listen(p->b, l, 1), 0);
	if (state == OLD_LISTEN)
		return;
	client = connect_to(p->a, f->own, PORT);
	pair_run(p);
	server = accept_from(p->b, l);
	assert_int_equal(la_close(p->b, l), 0);
	if (state == OLD_CLOSE_WAIT)
		assert_int_equal(la_shutdown(p->a, client, LA_SHUT_WR), 0);
	else if (state == OLD_FIN_WAIT_2)
		assert_int_equal(la_shutdown(p->b, server, LA_SHUT_WR), 0);
	else if (state == OLD_TIME_WAIT)
		assert_int_equal(la_close(p->b, server), 0);
	pair_run(p);
	if (state == OLD_TIME_WAIT) {
		assert_int_equal(la_close(p->a, client), 0);
		pair_run(p);
		assert_int_equal(records(p->b), 1);
		return;
	}
	static const unsigned expected[N_OLD] = {
		[OLD_ESTABLISHED] = K_ESTABLISHED, [OLD_CLOSE_WAIT] = K_CLOSE_WAIT, [OLD_FIN_WAIT_2] = K_FIN_WAIT_2};
	assert_int_equal(state_of(p->b, server), expected[state]);
}

/* The table, a row for each old flags (none, RA, RP, both) and a column for each new ones. */
static bool allowed(enum old state, unsigned old, unsigned new)
{
	if (state == OLD_LISTEN)
		return old & RP && new &RP;
	return (old & RA && new &RA) || (old & RP && new &RP);
}

/* 192 pairs of engines: small ones. */
static const struct la_config small = {.max_sockets = 8,
				       .max_time_wait4 = 16,
				       .max_time_wait6 = 16,
				       .max_port_maps = 1,
				       .max_bound = 8,
				       .send_buffer = 2048,
				       .receive_buffer = 2048};

static void check_matrix(const struct family *f)
{
	for (enum old state = 0; state < N_OLD; state++)
		for (unsigned old = 0; old < N_FLAGS; old++)
			for (unsigned new = 0; new < N_FLAGS; new ++) {
				struct pair p;

				pair_init_with(&p, &small);
				make_old(&p, f, state, old);
				int err = bind_and_listen(p.b, flagged(p.b, f->any, new), f->any, PORT);
				if (err != (allowed(state, old, new) ? 0 : -EADDRINUSE))
					print_message("old state %d flags %u, new flags %u: %d\n", state, old, new,
						      err);
				assert_int_equal(err, allowed(state, old, new) ? 0 : -EADDRINUSE);
				pair_done(&p);
			}
}

TEST(matrix__96_cells__ipv4)
{
	check_matrix(&families[0]);
}
TEST(matrix__96_cells__ipv6)
{
	check_matrix(&families[1]);
}

TEST(bind__other_family__no_conflict)
{
	struct pair p;

	pair_init(&p);
	listen_at(p.b, "0.0.0.0", PORT, 1);
	listen_at(p.b, "::", PORT, 1);
	pair_done(&p);
}

TEST(bind__addresses__any_meets_all_own_meets_own)
{
	struct pair p;

	pair_init(&p);
	listen_at(p.b, "10.0.0.2", PORT, 1);
	listen_at(p.b, "10.0.0.4", PORT, 1);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "0.0.0.0", PORT), -EADDRINUSE);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "10.0.0.2", PORT), -EADDRINUSE);
	listen_at(p.b, "0.0.0.0", PORT + 1, 1);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "10.0.0.2", PORT + 1), -EADDRINUSE);
	/* SO_REUSEADDR: two bound, only one listens */
	la_sock a = flagged(p.b, "0.0.0.0", RA), b = flagged(p.b, "0.0.0.0", RA);
	assert_int_equal(bind_to(p.b, a, "0.0.0.0", PORT + 2), 0);
	assert_int_equal(bind_to(p.b, b, "10.0.0.2", PORT + 2), 0);
	assert_int_equal(la_listen(p.b, a, 1), 0);
	assert_int_equal(la_listen(p.b, b, 1), -EADDRINUSE);
	assert_int_equal(la_close(p.b, a), 0);
	assert_int_equal(la_listen(p.b, b, 1), 0);
	pair_done(&p);
}

TEST(bind__errors__as_linux)
{
	struct pair p;

	pair_init(&p);
	la_sock s = socket_of(p.b, "0.0.0.0"), s6 = socket_of(p.b, "::");
	assert_int_equal(bind_to(p.b, s, "10.9.9.9", PORT), -EADDRNOTAVAIL);
	assert_int_equal(bind_to(p.b, s, "224.0.0.1", PORT), -EADDRNOTAVAIL);
	assert_int_equal(bind_to(p.b, s, "2001:db8::2", PORT), -EAFNOSUPPORT);
	assert_int_equal(bind_to(p.b, s6, "10.0.0.2", PORT), -EINVAL);
	assert_int_equal(bind_to(p.b, s6, "ff02::1", PORT), -EINVAL);
	assert_int_equal(bind_to(p.b, s6, "2001:db8::9", PORT), -EADDRNOTAVAIL);
	assert_int_equal(bind_to(p.b, s, "::", PORT), 0); /* any is any */
	assert_int_equal(bind_to(p.b, s, "0.0.0.0", PORT + 1), -EINVAL);
	pair_done(&p);
}

TEST(reuseport__other_owner__refused)
{
	struct pair p;

	pair_init(&p);
	la_sock a = flagged(p.b, "0.0.0.0", RP), b = flagged(p.b, "0.0.0.0", RP);
	assert_int_equal(set_int(p.b, a, LA_SO_OWNER, 1000), 0);
	assert_int_equal(bind_and_listen(p.b, a, "0.0.0.0", PORT), 0);
	assert_int_equal(set_int(p.b, a, LA_SO_OWNER, 0), -EINVAL); /* too late */
	assert_int_equal(bind_to(p.b, b, "0.0.0.0", PORT), -EADDRINUSE);
	assert_int_equal(set_int(p.b, b, LA_SO_OWNER, 1000), 0);
	assert_int_equal(bind_and_listen(p.b, b, "0.0.0.0", PORT), 0);
	pair_done(&p);
}

TEST(reuseport__group__hash_picks_and_stays)
{
	struct pair p;
	la_sock l[3];
	unsigned got[3] = {0};

	pair_init_with(&p, &(struct la_config){.max_sockets = 512,
					       .max_time_wait4 = 256,
					       .max_time_wait6 = 256,
					       .send_buffer = 2048,
					       .receive_buffer = 2048});
	for (unsigned i = 0; i < 3; i++) {
		l[i] = flagged(p.b, "0.0.0.0", RP);
		assert_int_equal(bind_to(p.b, l[i], "0.0.0.0", PORT), 0);
		assert_int_equal(la_listen(p.b, l[i], 300), 0);
	}
	for (unsigned n = 0; n < 150; n++)
		connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	for (unsigned i = 0; i < 3; i++)
		while (la_accept(p.b, l[i], NULL) > 0)
			got[i]++;
	assert_int_equal(got[0] + got[1] + got[2], 150);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 25, 80);
	/* the same peer comes to the same one */
	la_sock s = flagged(p.a, "0.0.0.0", RA);
	struct la_endpoint at = ep("10.0.0.1", 7777), to = ep("10.0.0.2", PORT);
	assert_int_equal(la_bind(p.a, s, &at), 0);
	int first = -1;
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
		pair_run(&p);
		for (int i = 0; i < 3; i++) {
			la_sock c = la_accept(p.b, l[i], NULL);
			if (c < 0)
				continue;
			if (first < 0)
				first = i;
			assert_int_equal(i, first);
			la_abort(p.b, c);
		}
		pair_run(&p);
		assert_int_equal(la_close(p.a, s), 0);
		s = flagged(p.a, "0.0.0.0", RA);
		assert_int_equal(la_bind(p.a, s, &at), 0);
	}
	assert_true(first >= 0);
	pair_done(&p);
}

TEST(listen__exact_address__before_any)
{
	struct pair p;

	pair_init(&p);
	la_sock any = flagged(p.b, "0.0.0.0", RP), own = flagged(p.b, "0.0.0.0", RP);
	assert_int_equal(bind_and_listen(p.b, any, "0.0.0.0", PORT), 0);
	assert_int_equal(bind_and_listen(p.b, own, "10.0.0.4", PORT), 0);
	connect_to(p.a, "10.0.0.4", PORT);
	connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	accept_from(p.b, own);
	accept_from(p.b, any);
	assert_int_equal(la_accept(p.b, own, NULL), -EAGAIN);
	assert_int_equal(la_accept(p.b, any, NULL), -EAGAIN);
	pair_done(&p);
}

TEST(bind__port_of_a_client__blocked_also_in_time_wait)
{
	struct pair p;
	struct la_endpoint name;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_getsockname(p.a, j.client, &name), 0);
	assert_int_equal(bind_to(p.a, flagged(p.a, "0.0.0.0", RA), "0.0.0.0", name.port), -EADDRINUSE);
	pair_close_active(&p, &j);
	assert_int_equal(records(p.a), 1);
	assert_int_equal(bind_to(p.a, flagged(p.a, "0.0.0.0", RA), "0.0.0.0", name.port), -EADDRINUSE);
	assert_int_equal(bind_to(p.a, flagged(p.a, "0.0.0.0", RA), "10.0.0.3", name.port),
			 0); /* a different address is fine */
	pair_pass(&p, 61000);
	assert_int_equal(bind_to(p.a, flagged(p.a, "0.0.0.0", RA), "10.0.0.1", name.port), 0);
	pair_done(&p);
}

TEST(setsockopt__reuse_after_bind__counts)
{
	struct pair p;

	pair_init(&p);
	la_sock a = socket_of(p.b, "0.0.0.0"), b = flagged(p.b, "0.0.0.0", RA);
	assert_int_equal(bind_to(p.b, a, "0.0.0.0", PORT), 0);
	assert_int_equal(bind_to(p.b, b, "0.0.0.0", PORT), -EADDRINUSE);
	assert_int_equal(set_int(p.b, a, LA_SO_REUSEADDR, 1), 0);
	assert_int_equal(bind_to(p.b, b, "0.0.0.0", PORT), 0);
	assert_int_equal(set_int(p.b, a, LA_SO_REUSEADDR, 0), 0);
	assert_int_equal(bind_to(p.b, flagged(p.b, "0.0.0.0", RA), "0.0.0.0", PORT), -EADDRINUSE);
	assert_int_equal(la_close(p.b, a), 0);
	assert_int_equal(la_close(p.b, b), 0);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "0.0.0.0", PORT), 0);
	pair_done(&p);
}

TEST(setsockopt__reuse_on_a_client__counts_for_its_chosen_port)
{
	struct pair p;
	struct la_endpoint name;

	pair_init(&p);
	struct joint j = pair_join(&p, 80);
	assert_int_equal(la_getsockname(p.a, j.client, &name), 0);
	assert_int_equal(bind_to(p.a, flagged(p.a, "0.0.0.0", RA), "0.0.0.0", name.port), -EADDRINUSE);
	assert_int_equal(set_int(p.a, j.client, LA_SO_REUSEADDR, 1), 0);
	la_sock s = flagged(p.a, "0.0.0.0", RA);
	assert_int_equal(bind_to(p.a, s, "0.0.0.0", name.port), 0);
	assert_int_equal(set_int(p.a, j.client, LA_SO_OWNER, 5), -EINVAL);
	la_close(p.a, s);
	pair_close_active(&p, &j);
	pair_pass(&p, 61000); /* the record gives back what it was counted with */
	assert_int_equal(bind_to(p.a, socket_of(p.a, "0.0.0.0"), "0.0.0.0", name.port), 0);
	pair_done(&p);
}

/* SOCK_BINDPORT_LOCK: a port that bind() named stays with the socket, one that was chosen goes with the connection. */
TEST(bound__connection_over__keeps_its_port_until_close)
{
	struct pair p;
	struct la_endpoint to = ep("10.0.0.2", 80), name;

	pair_init(&p);
	la_sock s = socket_of(p.a, "0.0.0.0");
	assert_int_equal(bind_to(p.a, s, "10.0.0.1", 4000), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(bind_to(p.a, socket_of(p.a, "0.0.0.0"), "10.0.0.1", 4000), -EADDRINUSE);
	assert_int_equal(la_connect(p.a, s, &to), -ECONNREFUSED);
	la_sock l = listen_at(p.b, "10.0.0.2", 80, 1);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(la_getsockname(p.a, s, &name), 0);
	assert_int_equal(name.port, 4000);
	la_sock c = accept_from(p.b, l);
	assert_int_equal(la_shutdown(p.a, s, LA_SHUT_WR), 0);
	pair_run(&p);
	assert_int_equal(la_close(p.b, c), 0);
	pair_run(&p);
	assert_int_equal(records(p.a), 1); /* and the socket is still open */
	pair_pass(&p, 61000);
	assert_int_equal(records(p.a), 0);
	assert_int_equal(bind_to(p.a, socket_of(p.a, "0.0.0.0"), "10.0.0.1", 4000), -EADDRINUSE);
	assert_int_equal(la_close(p.a, s), 0);
	assert_int_equal(bind_to(p.a, socket_of(p.a, "0.0.0.0"), "10.0.0.1", 4000), 0);
	pair_done(&p);
}

TEST(bind__max_bound__enobufs)
{
	struct pair p;

	pair_init_with(
		&p, &(struct la_config){.max_sockets = 16, .max_bound = 2, .max_time_wait4 = 16, .max_time_wait6 = 16});
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "0.0.0.0", 1), 0);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "0.0.0.0", 2), 0);
	assert_int_equal(bind_to(p.b, socket_of(p.b, "0.0.0.0"), "0.0.0.0", 3), -ENOBUFS);
	la_sock s = socket_of(p.b, "0.0.0.0");
	assert_int_equal(la_listen(p.b, s, 1), -ENOBUFS);
	assert_int_equal(state_of(p.b, s), K_CLOSE);
	pair_done(&p);
}

RUN(T(matrix__96_cells__ipv4), T(matrix__96_cells__ipv6), T(bind__other_family__no_conflict),
    T(bind__addresses__any_meets_all_own_meets_own), T(bind__errors__as_linux), T(reuseport__other_owner__refused),
    T(reuseport__group__hash_picks_and_stays), T(listen__exact_address__before_any),
    T(bind__port_of_a_client__blocked_also_in_time_wait), T(setsockopt__reuse_after_bind__counts),
    T(setsockopt__reuse_on_a_client__counts_for_its_chosen_port), T(bound__connection_over__keeps_its_port_until_close),
    T(bind__max_bound__enobufs))
