/* SPDX-License-Identifier: MIT */
/*
 * Any call at any time with any argument, on a wire that loses packets: nothing breaks, no handle is given twice, and when
 * all is closed and time has gone by nothing is left. Each seed is another story; a failure prints its seed.
 */
#include "base/rng.h"
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 24, STEPS = 3000, SEEDS = 60 };

struct story {
	struct pair p;
	struct rng rng;
	la_sock s[2][HANDLES]; /* held, or was once, or never */
	la_sock lingering[2][HANDLES];
	unsigned n_lingering[2];
};

static uint32_t below(struct story *st, uint32_t n) { return rng_below(&st->rng, n); }

static la_sock *slot(struct story *st, unsigned side) { return &st->s[side][below(st, HANDLES)]; }

static struct la_endpoint anywhere(struct story *st)
{
	static const char *const addrs[] = {"10.0.0.1",  "10.0.0.2",    "10.0.0.3",    "10.0.0.4",
					    "0.0.0.0",   "127.0.0.1",   "::",          "::1",
					    "224.0.0.1", "2001:db8::1", "2001:db8::2", "192.0.2.9"};
	static const uint16_t ports[] = {0, 80, 81, 40000, 40001};

	return ep(addrs[below(st, ARRAY_LEN(addrs))], ports[below(st, ARRAY_LEN(ports))]);
}

/* A new handle is kept; where it lay another may be lost, so that one is closed. */
static void keep(struct story *st, unsigned side, la_sock s)
{
	la_sock *at = slot(st, side);

	if (s <= 0)
		return;
	for (unsigned i = 0; i < HANDLES; i++)
		assert_int_not_equal(st->s[side][i], s);
	if (*at && la_close(pair_side(&st->p, side), *at) == -EINPROGRESS)
		st->n_lingering[side]++;
	*at = s;
}

static void options(struct story *st, struct la_engine *e, la_sock s)
{
	struct la_linger l = {(int)below(st, 2), (int)below(st, 3)};
	uint8_t octets[8];
	size_t len = below(st, 9);

	if (below(st, 8) == 0)
		la_setsockopt(e, s, LA_SO_LINGER, &l, sizeof(l));
	set_int(e, s, (enum la_opt)below(st, LA_N_OPTS + 1), (int)below(st, 200) - 2);
	la_getsockopt(e, s, (enum la_opt)below(st, LA_N_OPTS + 1), octets, &len);
}

static void closing(struct story *st, unsigned side, la_sock s)
{
	struct la_engine *e = pair_side(&st->p, side);

	switch (below(st, 4)) {
	case 0:
		st->n_lingering[side] += la_close(e, s) == -EINPROGRESS;
		break;
	case 1:
		la_abort(e, s);
		break;
	case 2:
	case 3:
		la_shutdown(e, s, (int)below(st, 4));
		break;
	}
}

static void names(struct la_engine *e, la_sock s)
{
	struct la_endpoint name;
	struct la_tcp_info info;

	la_getsockname(e, s, &name);
	la_getpeername(e, s, &name);
	la_tcp_info(e, s, &info);
	la_poll(e, s);
}

static void data(struct story *st, struct la_engine *e, la_sock s)
{
	static char buf[20000];

	if (below(st, 2))
		la_send(e, s, buf, below(st, sizeof(buf)), below(st, 3) ? 0 : LA_MORE);
	else
		la_recv(e, s, buf, below(st, sizeof(buf)), below(st, 3) ? 0 : LA_PEEK);
}

static void call(struct story *st, unsigned side)
{
	struct la_engine *e = pair_side(&st->p, side);
	struct la_endpoint at = anywhere(st);
	la_sock s = *slot(st, side);

	switch (below(st, 16)) {
	case 0:
	case 1:
		keep(st, side, la_socket(e, below(st, 3) ? LA_INET : LA_INET6));
		break;
	case 2:
		la_bind(e, s, &at);
		break;
	case 3:
		la_listen(e, s, (int)below(st, 4) - 1);
		break;
	case 4:
	case 5:
	case 6:
		la_connect(e, s, &at);
		break;
	case 7:
	case 8:
		keep(st, side, la_accept(e, s, NULL));
		break;
	case 9:
		options(st, e, s);
		break;
	case 10:
		closing(st, side, s);
		break;
	case 11:
		names(e, s);
		break;
	default:
		data(st, e, s);
	}
}

static void events(struct story *st, unsigned side)
{
	struct la_event ev;

	while (la_event(pair_side(&st->p, side), &ev)) {
		assert_true(ev.sock > 0);
		if (ev.events != LA_LINGERED)
			continue;
		assert_int_not_equal(st->n_lingering[side], 0);
		st->n_lingering[side]--;
	}
}

static void environment(struct story *st)
{
	static const char *const policies[] = {"rfc9293", "linux-2.6", "linux-4.12", "linux-6.18"};
	struct la_engine *e = pair_side(&st->p, below(st, 2));

	switch (below(st, 40)) {
	case 0:
		st->p.lost[below(st, 2)] = (uint8_t)below(st, 4);
		break;
	case 1:
		set_knob(e, "engine.policy", policies[below(st, 4)]);
		set_knob(e, "net.ipv4.ip_local_port_range", "40000 40007");
		break;
	case 2:
		set_knob(e, "net.ipv4.tcp_tw_reuse", below(st, 2) ? "0" : "1");
		break;
	case 3:
		set_knob(e, "net.ipv4.tcp_max_orphans", below(st, 2) ? "2" : "100");
		break;
	case 4:
		set_knob(e, "net.ipv4.tcp_syncookies", below(st, 2) ? "2" : "0");
		break;
	case 5:
		set_knob(e, "engine.tw_full", below(st, 2) ? "skip" : "refuse");
		break;
	case 6:
		set_knob(e, "net.ipv4.tcp_timestamps", below(st, 3) ? "1" : "0");
		break;
	case 7:
		pair_pass(&st->p, below(st, 5000));
		break;
	case 8:
		set_knob(e, "engine.time_wait_ms", below(st, 3) ? "3000" : "0");
		break;
	case 9:
		set_knob(e, "engine.tw_restore", below(st, 2) ? "1" : "0");
		break;
	default:
		break;
	}
	if (below(st, 3) == 0)
		pair_run(&st->p);
}

static bool end_of(struct story *st)
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < HANDLES; i++)
			st->n_lingering[side] += la_close(pair_side(&st->p, side), st->s[side][i]) == -EINPROGRESS;
		st->p.lost[side] = 0;
	}
	pair_pass(&st->p, 1000000);
	for (unsigned side = 0; side < 2; side++) {
		events(st, side);
		if (st->n_lingering[side] || !is_at_rest(pair_side(&st->p, side)))
			return false;
	}
	return true;
}

TEST(any_call_at_any_time__ends_at_rest)
{
	static const struct la_config cfg = {.max_sockets = 20,
					     .max_time_wait4 = 8,
					     .max_time_wait6 = 4,
					     .max_destinations = 6,
					     .max_port_maps = 1,
					     .max_bound = 6,
					     .max_peers = 2,
					     .max_replies = 4,
					     .send_buffer = 4096,
					     .receive_buffer = 2048};
	const char *one = getenv("SEED");

	for (unsigned seed = one ? (unsigned)strtoul(one, NULL, 10) : 0; seed < SEEDS; seed++) {
		struct story st = {.n_lingering = {0}};

		pair_init_with(&st.p, &cfg);
		rng_seed(&st.rng, seed);
		set_knob(st.p.a, "net.ipv4.ip_local_port_range", "40000 40007");
		set_knob(st.p.b, "net.ipv4.ip_local_port_range", "40000 40007");
		for (unsigned n = 0; n < STEPS; n++) {
			call(&st, below(&st, 2));
			environment(&st);
			if (below(&st, 4) == 0) {
				events(&st, 0);
				events(&st, 1);
			}
		}
		bool ended = end_of(&st);
		if (!ended)
			print_message("SEED=%u\n", seed);
		assert_true(ended);
		pair_done(&st.p);
		if (one)
			break;
	}
}

RUN(T(any_call_at_any_time__ends_at_rest))
