/* SPDX-License-Identifier: MIT */
/*
 * Random segments, most of them near what a connection expects, random calls, random times, random knobs. Whatever
 * happens: what is counted agrees with what is there, and when all sockets are closed everything comes to rest.
 * A failure names its seed; test_storm SEED runs that one alone.
 */
#include "base/rng.h"
#include "tests/unit/engine/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 400, STEPS = 600, TEXT_MAX = 3000 };

struct storm {
	struct rng rng;
	struct rig r;
	uint64_t edges[N_EDGES];
};

static uint32_t below(struct storm *s, uint32_t n) { return rng_below(&s->rng, n); }

static void random_knobs(struct storm *s)
{
	static const char *const policies[] = {"rfc9293", "linux-2.6", "linux-4.12", "linux-6.18"};
	static const char *const full[] = {"recycle-oldest", "skip", "refuse"};
	char text[400];
	int n = snprintf(text, sizeof(text),
			 "engine.policy = %s\nengine.tw_full = %s\nengine.tw_restore = %u\nengine.time_wait_ms = %u\n"
			 "net.ipv4.tcp_tw_reuse = %u\nnet.ipv4.tcp_syncookies = %u\nnet.ipv4.tcp_fin_timeout = %u\n"
			 "net.ipv4.tcp_abort_on_overflow = %u\nnet.ipv4.tcp_tw_recycle = %u\n"
			 "net.ipv4.ip_local_port_range = 50000 %u\n",
			 policies[below(s, 4)], full[below(s, 3)], below(s, 2), below(s, 8) ? 60000 : 0, below(s, 3),
			 below(s, 3), 1 + below(s, 120), below(s, 2), below(s, 4) == 0, 50000 + below(s, 4));

	assert_true(la_knobs_load(s->r.h, text, (size_t)n, NULL) > 0);
}

static struct conn *any_conn(struct storm *s) { return &s->r.e->conns[below(s, s->r.e->n_conns)]; }

/* The numbers that the connection in the block waits for, or some way off them. */
static void aim(struct storm *s, const struct conn *c, struct seg *seg)
{
	static const int32_t off[] = {0, 0, 0, 0, 0, -1, 1, 2, -2, 100, 1000, -1000, 2048, 100000};
	uint32_t at = (uint32_t)off[below(s, ARRAY_LEN(off))], ack = (uint32_t)off[below(s, ARRAY_LEN(off))];

	if (c->state > LISTEN) {
		seg->sport = c->t.rport;
		seg->dport = c->t.lport;
	}
	seg->seq = seq_add(c->rcv_nxt, at);
	seg->ack = seq_add(c->snd_nxt, below(s, 3) ? 0 : ack);
}

static void random_segment(struct storm *s)
{
	static const uint8_t likely[] = {F_ACK,         F_ACK,         F_ACK, F_ACK | F_PSH, F_SYN,
					 F_SYN | F_ACK, F_FIN | F_ACK, F_RST, F_RST | F_ACK};
	static uint8_t text[TEXT_MAX];
	struct seg seg = {.src = s->r.at.peer, .dst = s->r.at.us, .wnd = below(s, 3) ? (uint16_t)below(s, 65536) : 0};

	seg.sport = (uint16_t)(PEER_PORT + below(s, 2));
	seg.dport = below(s, 3) ? RIG_PORT : (uint16_t)(50000 + below(s, 3));
	seg.flags = below(s, 10) ? likely[below(s, ARRAY_LEN(likely))] : (uint8_t)below(s, 64);
	aim(s, any_conn(s), &seg);
	if (below(s, 3) == 0) {
		seg.len = below(s, 1 + below(s, TEXT_MAX));
		seg.text = text;
	}
	seg.opts.has_ts = below(s, 2);
	seg.opts.tsval = s->r.peer_tsval + below(s, 10) - 3;
	seg.opts.tsecr = s->r.last_tsval - below(s, 3);
	if (seg.flags & F_SYN) {
		seg.opts.has_mss = below(s, 2);
		seg.opts.mss = (uint16_t)below(s, 2000);
		seg.opts.has_wscale = below(s, 2);
		seg.opts.wscale = (uint8_t)below(s, 20);
	}
	rig_in_raw(&s->r, &seg);
}

static void random_call(struct storm *s, struct la_engine *h, struct conn *c)
{
	struct la_linger linger = {(int)below(s, 2), (int)below(s, 3)};
	int linger2 = below(s, 2) ? -1 : (int)below(s, 130), on = (int)below(s, 2);
	uint8_t buf[TEXT_MAX] = {0};
	la_sock fd = conn_sock(c);

	if (fd == 0 || (c->state == LISTEN && below(s, 30)))
		return;
	switch (below(s, 9)) {
	case 0:
		la_close(h, fd);
		return;
	case 1:
		la_shutdown(h, fd, (int)below(s, 3));
		return;
	case 2:
		la_send(h, fd, buf, below(s, sizeof(buf)), 0);
		return;
	case 3:
		la_recv(h, fd, buf, below(s, sizeof(buf)), 0);
		return;
	case 4:
		la_abort(h, fd);
		return;
	case 5:
		la_setsockopt(h, fd, LA_TCP_LINGER2, &linger2, sizeof(linger2));
		return;
	case 6:
		la_setsockopt(h, fd, LA_SO_LINGER, &linger, sizeof(linger));
		return;
	case 7:
		la_setsockopt(h, fd, below(s, 2) ? LA_SO_REUSEADDR : LA_SO_KEEPALIVE, &on, sizeof(on));
		return;
	default:
		la_accept(h, fd, NULL);
	}
}

static void random_connect(struct storm *s)
{
	struct la_endpoint to = {.port = (uint16_t)(PEER_PORT + below(s, 2))};
	la_sock fd = la_socket(s->r.h, s->r.opt.v6 ? LA_INET6 : LA_INET);

	memcpy(to.addr, s->r.at.peer.b, sizeof(to.addr));
	if (fd > 0 && la_connect(s->r.h, fd, &to) != -EINPROGRESS)
		la_close(s->r.h, fd);
}

static void take_events(struct storm *s)
{
	struct la_event ev;

	while (la_event(s->r.h, &ev))
		continue;
	rig_drain(&s->r);
}

static void step(struct storm *s)
{
	uint32_t what = below(s, 20);

	if (what < 9)
		random_segment(s);
	else if (what < 14)
		random_call(s, s->r.h, any_conn(s));
	else if (what < 15)
		random_connect(s);
	else if (what < 16)
		rig_icmp(&s->r, 3, (uint8_t)below(s, 16), any_conn(s)->snd_una);
	else if (what < 18)
		take_events(s);
	else
		rig_pass(&s->r, below(s, 3) ? below(s, 2000) * NSEC_PER_MS : below(s, 90) * NSEC_PER_S);
}

static void check(const struct rig *r)
{
	uint32_t live = 0, used = 0, orphans = 0;

	for (uint32_t n = 0; n < r->e->n_conns; n++) {
		const struct conn *c = &r->e->conns[n];
		bool waits = c->linger_over || (c->listener && link_is_in(&c->queue_link));

		live += c->state >= SYN_SENT && c->state <= LAST_ACK;
		used += c->state != CLOSED || c->is_open || waits;
		orphans += c->is_orphan;
		assert_int_not_equal(c->state, TIME_WAIT);
		if (c->state >= SYN_SENT)
			assert_true(seq_le(c->snd_una, c->snd_nxt));
	}
	assert_int_equal(r->e->n_live, live);
	assert_int_equal(r->e->n_orphans, orphans);
	assert_int_equal(r->e->n_sockets, used);
}

static void come_to_rest(struct storm *s, uint64_t seed)
{
	struct la_usage u, none = {0};
	struct rig *r = &s->r;

	for (uint32_t n = 0; n < r->e->n_conns; n++)
		if (r->e->conns[n].is_open)
			la_close(r->h, conn_sock(&r->e->conns[n]));
	rig_pass(r, UINT64_C(24) * 3600 * NSEC_PER_S);
	r->kept_n = 0;
	take_events(s);
	la_usage(r->h, &u);
	if (memcmp(&u, &none, sizeof(u)) != 0)
		fail_msg(
			"seed %llu: sockets %u, connections %u, orphans %u, records %u and %u, destinations %u, bound %u, timers %u",
			(unsigned long long)seed, u.sockets, u.connections, u.orphans, u.time_wait4, u.time_wait6,
			u.destinations, u.bound, u.timers);
	assert_int_equal(la_next_at(r->h), LA_NEVER);
}

static void run_seed(struct storm *s, uint64_t seed)
{
	struct rig_opt opt = {.active = false};

	rng_seed(&s->rng, seed);
	opt.v6 = below(s, 4) == 0;
	opt.ts = below(s, 2);
	opt.cfg.max_sockets = 4 + below(s, 12);
	opt.cfg.max_time_wait4 = 1 + below(s, 8);
	opt.cfg.max_time_wait6 = 1 + below(s, 8);
	opt.cfg.receive_buffer = 2048U << below(s, 8);
	opt.cfg.send_buffer = 2048;
	rig_init(&s->r, &opt);
	random_knobs(s);
	rig_listen(&s->r, (int)below(s, 3));
	for (int i = 0; i < STEPS; i++) {
		step(s);
		check(&s->r);
	}
	come_to_rest(s, seed);
	for (enum edge_id i = 0; i < N_EDGES; i++)
		s->edges[i] += s->r.e->edge_count[i];
	rig_done(&s->r);
}

static uint64_t only;

TEST(whatever_comes__counts_agree_and_all_comes_to_rest)
{
	struct storm *s = calloc(1, sizeof(*s));
	unsigned taken = 0;

	assert_non_null(s);
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : SEEDS); seed++)
		run_seed(s, seed);
	for (enum edge_id i = 0; i < N_EDGES; i++)
		taken += s->edges[i] > 0;
	print_message("# %u of %d edges taken\n", taken, N_EDGES);
	assert_true(only || taken > N_EDGES * 2 / 3); /* or it is no storm */
	free(s);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {T(whatever_comes__counts_agree_and_all_comes_to_rest)};

	only = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
