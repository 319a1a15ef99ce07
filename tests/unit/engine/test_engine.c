/* SPDX-License-Identifier: MIT */
/* The block: how large, what is refused, that a copy of it is a copy of the engine, and that engines share nothing. */
#include "base/hash.h"
#include "base/rng.h"
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct la_config small = {
	.max_sockets = 64, .max_time_wait4 = 256, .max_time_wait6 = 256, .send_buffer = 4096, .receive_buffer = 4096};

/* ---- la_size, la_init ---- */

static void check_config(const struct la_config *cfg, bool good)
{
	size_t size = la_size(cfg);
	struct la_engine *e = NULL;
	uint8_t *mem;

	assert_int_equal(size != 0, good);
	if (!good) {
		static uint8_t some[64] __attribute__((aligned(64)));

		assert_int_equal(la_init(some, sizeof(some), cfg, &e), -EINVAL);
		assert_null(e);
		return;
	}
	assert_int_equal(size % 64, 0);
	if (size > 64 << 20)
		return;
	mem = aligned_alloc(64, size + 64);
	assert_non_null(mem);
	memset(mem, 0xa5, size); /* la_init() asks for nothing */
	assert_int_equal(la_init(mem, size - 1, cfg, &e), -ENOMEM);
	assert_int_equal(la_init(mem + 8, size, cfg, &e), -EINVAL);
	assert_int_equal(la_init(NULL, size, cfg, &e), -EINVAL);
	assert_int_equal(la_init(mem, size, cfg, NULL), -EINVAL);
	assert_null(e);
	assert_int_equal(la_init(mem, size, cfg, &e), 0);
	assert_true(is_at_rest(e));
	assert_int_equal(la_next_at(e), LA_NEVER);
	assert_int_equal(la_address_add(e, ep("10.0.0.1", 0).addr), 0);
	la_sock s = connect_to(e, "10.0.0.2", 80);
	uint8_t *packet = malloc(65535);
	assert_int_not_equal(la_output(e, cfg->now, packet, 65535), 0);
	assert_int_equal(la_output(e, cfg->now, packet, 65535), 0);
	free(packet);
	assert_int_equal(la_close(e, s), 0);
	free(mem);
}

TEST(config__null__refused)
{
	struct la_engine *e;

	assert_int_equal(la_size(NULL), 0);
	assert_int_equal(la_init(NULL, 0, NULL, &e), -EINVAL);
}

TEST(config__each_field__its_bounds)
{
#define CASE(good_, ...)                                                                                               \
	{                                                                                                              \
		good_,                                                                                                 \
		{                                                                                                      \
			.max_sockets = 8, .max_time_wait4 = 64, .max_time_wait6 = 64, .send_buffer = 2048,             \
			.receive_buffer = 2048, __VA_ARGS__                                                            \
		}                                                                                                      \
	}
	static const struct {
		bool good;
		struct la_config cfg;
	} cases[] = {
		{true, {.seed = {1, 2}}}, /* all defaults */
		CASE(true, .mtu = 576),
		CASE(false, .mtu = 575),
		CASE(true, .mtu = 65535),
		CASE(false, .mtu = 65536),
		CASE(true, .max_port_maps = 1),
		CASE(true, .max_port_maps = 5000),
		CASE(false, .max_port_maps = UINT32_MAX),
		CASE(true, .max_destinations = 1),
		CASE(false, .max_destinations = UINT32_MAX),
		CASE(true, .max_bound = 1),
		CASE(false, .max_bound = UINT32_MAX),
		CASE(true, .max_peers = 1),
		CASE(false, .max_peers = UINT32_MAX),
		CASE(true, .max_replies = 1),
		CASE(false, .max_replies = UINT32_MAX),
		CASE(true, .max_addresses = 1),
		CASE(true, .max_addresses = 65534),
		CASE(false, .max_addresses = 65535),
		CASE(true, .shard = 0, .shards = 1),
		CASE(true, .shard = 3, .shards = 4),
		CASE(false, .shard = 4, .shards = 4),
		CASE(false, .shard = 1),
		CASE(true, .shard = 65534, .shards = 65535),
		CASE(true, .now = 1),
		CASE(false, .now = UINT64_MAX),
		CASE(false, .now = UINT64_C(1) << 63),
		CASE(true, .checksums_done = true),
	};
#undef CASE
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (i == 1 || cases[i].cfg.shards < 100) /* so many shards have no port each */
			check_config(&cases[i].cfg, cases[i].good);
}

TEST(config__sizes__as_given)
{
	static const struct {
		struct la_config cfg;
		bool good;
	} cases[] = {
		{{.max_sockets = 1,
		  .max_time_wait4 = 1,
		  .max_time_wait6 = 1,
		  .send_buffer = 2048,
		  .receive_buffer = 2048},
		 true},
		{{.max_sockets = 3, .max_time_wait4 = 100000, .send_buffer = 4096, .receive_buffer = 8192}, true},
		{{.send_buffer = 2047}, false},
		{{.send_buffer = 1024}, false},
		{{.send_buffer = 3000}, false},
		{{.receive_buffer = 1}, false},
		{{.receive_buffer = UINT32_MAX}, false},
		{{.receive_buffer = 1U << 31}, false},
		{{.receive_buffer = 1 << 30, .send_buffer = 1 << 30}, true},
		{{.max_sockets = 1 << 20}, true},
		{{.max_sockets = (1 << 20) + 1}, false},
		{{.max_sockets = UINT32_MAX}, false},
		{{.max_time_wait4 = 1 << 26}, true},
		{{.max_time_wait4 = (1 << 26) + 1}, false},
		{{.max_time_wait6 = UINT32_MAX}, false},
		/* the largest of everything is still a size */
		{{.max_sockets = 1 << 20,
		  .max_time_wait4 = 1 << 26,
		  .max_time_wait6 = 1 << 26,
		  .max_destinations = 1 << 20,
		  .max_port_maps = 1 << 20,
		  .max_bound = 1 << 20,
		  .max_peers = 1 << 20,
		  .max_replies = 1 << 20,
		  .max_addresses = 65534,
		  .send_buffer = 1 << 30,
		  .receive_buffer = 1 << 30},
		 true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_config(&cases[i].cfg, cases[i].good);
	assert_true(la_size(&cases[ARRAY_LEN(cases) - 1].cfg) > UINT64_C(1) << 51); /* not wrapped */
}

static uint32_t wild(struct rng *r) { return rng_below(r, 4) ? 0 : (uint32_t)(rng_u64(r) >> rng_below(r, 64)); }

TEST(config__nonsense__a_size_or_refused)
{
	struct rng r;
	unsigned good = 0;

	rng_seed(&r, 1);
	for (unsigned i = 0; i < 20000; i++) {
		struct la_config cfg = {
			.max_sockets = wild(&r),
			.max_time_wait4 = wild(&r),
			.max_time_wait6 = wild(&r),
			.max_addresses = wild(&r),
			.max_destinations = wild(&r),
			.max_port_maps = wild(&r),
			.max_bound = wild(&r),
			.max_peers = wild(&r),
			.max_replies = wild(&r),
			.send_buffer = rng_below(&r, 2) ? wild(&r) : 1U << rng_below(&r, 32),
			.receive_buffer = 1U << (11 + rng_below(&r, 21)),
			.mtu = wild(&r),
			.now = rng_u64(&r) >> rng_below(&r, 64),
		};
		size_t size = la_size(&cfg);

		good += size != 0;
		if (size && size < 4 << 20)
			check_config(&cfg, true);
	}
	assert_in_range(good, 10, 10000);
}

TEST(memory__exactly_la_size__never_beyond)
{
	struct pair p; /* its blocks are exactly la_size(): a sanitizer watches their ends */

	pair_init_with(&p, &(struct la_config){.max_sockets = 4,
					       .max_time_wait4 = 1,
					       .max_time_wait6 = 1,
					       .max_addresses = 6,
					       .max_destinations = 1,
					       .max_port_maps = 1,
					       .max_bound = 1,
					       .max_peers = 1,
					       .max_replies = 1,
					       .send_buffer = 2048,
					       .receive_buffer = 2048});
	for (unsigned i = 0; i < 20; i++) {
		struct joint j = pair_join(&p, 80);
		char buf[5000];

		memset(buf, 'x', sizeof(buf));
		assert_int_equal(la_send(p.a, j.client, buf, sizeof(buf), 0), 2048);
		pair_run(&p);
		while (la_recv(p.b, j.server, buf, sizeof(buf), 0) > 0)
			pair_pass(&p, 300);
		pair_close_active(&p, &j);
		la_close(p.b, j.listener);
	}
	pair_pass(&p, 61000);
	assert_true(is_at_rest(p.a));
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

/* ---- addresses, knobs ---- */

TEST(address_add__errors)
{
	struct pair p;

	pair_init_with(&p, &(struct la_config){
				   .max_sockets = 4, .max_addresses = 7, .max_time_wait4 = 16, .max_time_wait6 = 16});
	static const char *const bad[] = {"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(la_address_add(p.a, ep(bad[i], 0).addr), -EINVAL);
	assert_int_equal(la_address_add(p.a, ep("10.0.0.1", 0).addr), -EEXIST);
	assert_int_equal(la_address_add(p.a, ep("10.0.0.77", 0).addr), 0);
	assert_int_equal(la_address_add(p.a, ep("10.0.0.78", 0).addr), -ENOSPC);
	pair_done(&p);
}

TEST(knobs__set_get_load)
{
	static const char text[] =
		"# comment\nnet.ipv4.tcp_fin_timeout = 7\nvm.swappiness = 1\nnet.ipv4.ip_local_port_range = 1024 2048\n";
	static const char bad[] = "net.ipv4.tcp_rfc1337 = 1\n\nnet.ipv4.tcp_fin_timeout = soon\n";
	struct pair p;
	int64_t v;
	unsigned line = 0;

	pair_init(&p);
	assert_int_equal(la_knob_get(p.a, "net.ipv4.tcp_fin_timeout", &v), 0);
	assert_int_equal(v, 60);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.tcp_fin_timeout", "5"), 0);
	la_knob_get(p.a, "net.ipv4.tcp_fin_timeout", &v);
	assert_int_equal(v, 5);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.no_such", "5"), -ENOENT);
	assert_int_equal(la_knob_get(p.a, "net.ipv4.no_such", &v), -ENOENT);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.tcp_fin_timeout", "x"), -EINVAL);
	assert_int_equal(la_knob_set(p.a, "net.ipv4.tcp_rfc1337", "2"), -ERANGE);
	assert_int_equal(la_knob_set(p.a, "engine.policy", "solaris"), -EINVAL);
	assert_int_equal(la_knobs_load(p.a, text, sizeof(text) - 1, &line), 2);
	la_knob_get(p.a, "net.ipv4.tcp_fin_timeout", &v);
	assert_int_equal(v, 7);
	assert_int_equal(la_knobs_load(p.a, bad, sizeof(bad) - 1, &line), -EINVAL);
	assert_int_equal(line, 3);
	assert_int_equal(la_knobs_load(p.a, bad, sizeof(bad) - 1, NULL), -EINVAL);
	la_knob_get(p.a, "net.ipv4.tcp_rfc1337", &v);
	assert_int_equal(v, 0);
	assert_int_equal(la_knob_get(p.b, "net.ipv4.tcp_fin_timeout", &v), 0);
	assert_int_equal(v, 60);
	pair_done(&p);
}

TEST(next_at__timers_and_records)
{
	struct pair p;

	pair_init(&p);
	la_sock s = connect_to(p.a, "192.0.2.1", 80);
	assert_int_equal(la_next_at(p.a), LA_NEVER); /* its SYN is not sent yet */
	pair_run(&p);
	assert_in_range(la_next_at(p.a), p.now, p.now + 1000000000);
	la_close(p.a, s);
	struct joint j = pair_join(&p, 80);
	pair_close_active(&p, &j);
	pair_pass(&p, 5000);
	assert_in_range(la_next_at(p.a), p.now + UINT64_C(54900000000), p.now + UINT64_C(55100000000));
	pair_pass(&p, 56000);
	assert_int_equal(la_next_at(p.a), LA_NEVER);
	pair_done(&p);
}

/* Time must not go backwards, and a program's next time is what it is told here. */
TEST(next_at__overdue__is_now)
{
	struct pair p;
	uint8_t packet[1500];

	pair_init(&p);
	connect_to(p.a, "192.0.2.1", 80);
	pair_run(&p);
	pair_pass_quietly(&p, 5000); /* its SYN is to be sent again for seconds */
	assert_int_equal(la_output(p.a, p.now, packet, sizeof(packet)), 0);
	assert_int_equal(la_next_at(p.a), p.now);
	la_advance(p.a, la_next_at(p.a));
	assert_int_not_equal(la_output(p.a, p.now, packet, sizeof(packet)), 0);
	assert_true(la_next_at(p.a) > p.now);
	pair_done(&p);
}

/* ---- traces ---- */

struct seen {
	char text[2000];
	la_sock sock;
	unsigned in_store;
};

static void on_trace(void *arg, const struct la_trace *what)
{
	struct seen *seen = arg;

	assert_true(strlen(seen->text) + 40 < sizeof(seen->text));
	strcat(strcat(strcat(strcat(seen->text, what->from), ">"), what->to), " ");
	assert_non_null(what->cite);
	seen->in_store += what->in_store;
	if (what->sock)
		seen->sock = what->sock;
}

TEST(trace__a_life__every_edge)
{
	struct seen seen = {.text = ""};
	struct pair p;

	pair_init_with(&p, &(struct la_config){.max_sockets = 8,
					       .max_time_wait4 = 16,
					       .max_time_wait6 = 16,
					       .trace = on_trace,
					       .trace_arg = &seen});
	struct joint j = pair_join(&p, 80);
	seen.text[0] = '\0';
	assert_int_equal(la_shutdown(p.a, j.client, LA_SHUT_WR), 0);
	assert_int_equal(seen.sock, j.client);
	pair_run(&p);
	la_close(p.b, j.server);
	pair_pass(&p, 61000);
	assert_string_equal(seen.text,
			    "ESTABLISHED>FIN-WAIT-1 ESTABLISHED>CLOSE-WAIT FIN-WAIT-1>FIN-WAIT-2 CLOSE-WAIT>LAST-ACK "
			    "FIN-WAIT-2>TIME-WAIT LAST-ACK>CLOSED TIME-WAIT>CLOSED ");
	assert_int_equal(seen.in_store, 2);
	pair_done(&p);
}

/* ---- determinism, snapshots, threads ---- */

static void digest(struct pair *p, unsigned from, const struct seg *s)
{
	uint64_t *d = p->tap_arg;
	struct seg_text text = seg_text(s);
	struct hash_key key = {*d, from};

	*d = hash_bytes(key, text.s, strlen(text.s)) ^ p->now;
}

/* Connections, data, loss, both ends closing first, aborts: ports are drawn, timers run. */
static uint64_t traffic(struct pair *p, unsigned rounds)
{
	uint64_t d = 1;
	char buf[3000] = {0};

	p->tap = digest;
	p->tap_arg = &d;
	la_sock l = listen_at(p->b, "10.0.0.2", 90, 8);
	for (unsigned i = 0; i < rounds; i++) {
		la_sock s = connect_to(p->a, "10.0.0.2", 90), t;

		pair_run(p);
		t = accept_from(p->b, l);
		p->lost[i % 2] = (uint8_t)(i % 3);
		la_send(p->a, s, buf, sizeof(buf), 0);
		pair_pass(p, 700);
		while (la_recv(p->b, t, buf, sizeof(buf), 0) > 0)
			;
		if (i % 5 == 4)
			la_abort(p->a, s);
		else
			la_close(p->a, s);
		pair_pass(p, 10);
		la_close(p->b, t);
		pair_pass(p, 300);
	}
	la_close(p->b, l);
	p->tap = NULL;
	return d;
}

TEST(same_calls__other_memory__same_packets)
{
	struct pair p, q;
	char *gap = malloc(12345);

	pair_init_with(&p, &small);
	uint64_t d = traffic(&p, 30);
	pair_init_with(&q, &small);
	assert_int_equal(traffic(&q, 30), d);
	pair_done(&p);
	pair_done(&q);
	free(gap);
	struct la_config other = small;
	other.seed[1] = 1;
	pair_init_with(&p, &other);
	assert_int_not_equal(traffic(&p, 30), d);
	pair_done(&p);
}

TEST(snapshot__copied_back__same_packets)
{
	struct pair p, saved;
	void *copy[2];

	pair_init_with(&p, &small);
	struct joint j = pair_join(&p, 80);
	traffic(&p, 10);
	p.lost[0] = p.lost[1] = 0;
	la_send(p.a, j.client, "under way", 9, 0);
	saved = p;
	for (unsigned i = 0; i < 2; i++) {
		copy[i] = malloc(p.size[i]);
		memcpy(copy[i], p.mem[i], p.size[i]);
	}
	uint64_t first = traffic(&p, 20), then = traffic(&p, 20);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(p.mem[i], copy[i], p.size[i]);
		free(copy[i]);
	}
	p = saved;
	assert_int_equal(traffic(&p, 20), first);
	assert_int_equal(traffic(&p, 20), then);
	pair_done(&p);
}

/* One of several engines of a host, with its own share of the ports, on its own thread. */
struct core {
	struct pair p;
	uint64_t digest;
	uint64_t ports[1024]; /* a set */
};

static void note_ports(struct pair *p, unsigned from, const struct seg *s)
{
	struct core *core = (struct core *)(void *)p;

	if (from == 0)
		core->ports[s->sport / 64] |= UINT64_C(1) << s->sport % 64;
}

static void *work(void *arg)
{
	struct core *core = arg;

	core->digest = traffic(&core->p, 200);
	core->p.tap = note_ports;
	la_sock l = listen_at(core->p.b, "10.0.0.2", 91, 500);
	for (unsigned i = 0; i < 40; i++) {
		la_sock s = connect_to(core->p.a, "10.0.0.2", 91);

		pair_run(&core->p);
		la_abort(core->p.a, s);
		la_abort(core->p.b, accept_from(core->p.b, l));
		pair_run(&core->p);
	}
	return NULL;
}

static void core_init(struct core *core, uint16_t shard)
{
	struct la_config cfg = small;

	cfg.shard = shard;
	cfg.shards = 2;
	memset(core, 0, sizeof(*core));
	pair_init_with(&core->p, &cfg);
}

TEST(two_threads__ports_split__as_if_alone)
{
	static struct core together[2], alone;
	pthread_t thread[2];

	for (uint16_t i = 0; i < 2; i++)
		core_init(&together[i], i);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, &together[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (uint16_t i = 0; i < 2; i++) {
		core_init(&alone, i);
		work(&alone);
		assert_int_equal(alone.digest, together[i].digest);
		assert_memory_equal(alone.ports, together[i].ports, sizeof(alone.ports));
		pair_done(&alone.p);
		pair_done(&together[i].p);
	}
	unsigned n = 0;
	for (unsigned w = 0; w < 1024; w++) {
		assert_int_equal(together[0].ports[w] & together[1].ports[w], 0);
		n += (unsigned)__builtin_popcountll(together[0].ports[w] | together[1].ports[w]);
	}
	assert_true(n > 60);
}

/* ---- hostile packets ---- */

TEST(input__noise__counted_and_nothing_else)
{
	struct pair p;
	struct rng r;
	uint8_t packet[200];

	pair_init_with(&p, &small);
	struct joint j = pair_join(&p, 80);
	rng_seed(&r, 7);
	for (unsigned i = 0; i < 50000; i++) {
		size_t len = rng_below(&r, sizeof(packet));

		for (size_t k = 0; k < len; k++)
			packet[k] = (uint8_t)rng_u64(&r);
		if (len && i % 2)
			packet[0] = i % 4 == 1 ? 0x45 : 0x60;
		la_input(p.b, p.now, packet, len);
	}
	assert_int_equal(state_of(p.b, j.server), K_ESTABLISHED);
	assert_true(counter(p.b, "LaInBadIP") > 1000);
	pair_done(&p);
}

RUN(T(config__null__refused), T(config__each_field__its_bounds), T(config__sizes__as_given),
    T(config__nonsense__a_size_or_refused), T(memory__exactly_la_size__never_beyond), T(address_add__errors),
    T(knobs__set_get_load), T(next_at__timers_and_records), T(next_at__overdue__is_now), T(trace__a_life__every_edge),
    T(same_calls__other_memory__same_packets), T(snapshot__copied_back__same_packets),
    T(two_threads__ports_split__as_if_alone), T(input__noise__counted_and_nothing_else))
