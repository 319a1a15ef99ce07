/* SPDX-License-Identifier: MIT */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MTU_MAX = 65535, FOR_EVER = 100000 };

struct la_engine *pair_side(struct pair *p, unsigned side) { return side ? p->b : p->a; }

static struct la_engine *engine_new(struct pair *p, unsigned side, const struct la_config *from)
{
	static const char *const addrs[2][6] = {
		{"10.0.0.1", "10.0.0.3", "127.0.0.1", "2001:db8::1", "2001:db8::3", "::1"},
		{"10.0.0.2", "10.0.0.4", "127.0.0.2", "2001:db8::2", "2001:db8::4", "::1"},
	};
	struct la_config cfg = *from;
	struct la_engine *e;

	cfg.seed[0] = side + 1;
	cfg.now = p->now;
	p->size[side] = la_size(&cfg);
	assert_int_not_equal(p->size[side], 0);
	p->mem[side] = aligned_alloc(64, p->size[side]);
	assert_non_null(p->mem[side]);
	assert_int_equal(la_init(p->mem[side], p->size[side], &cfg, &e), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(la_address_add(e, ep(addrs[side][i], 0).addr), 0);
	return e;
}

void pair_init_with(struct pair *p, const struct la_config *cfg)
{
	*p = (struct pair){.now = cfg->now ? cfg->now : UINT64_C(1000000000000)};
	p->a = engine_new(p, 0, cfg);
	p->b = engine_new(p, 1, cfg);
}

void pair_init(struct pair *p)
{
	pair_init_with(p, &(struct la_config){
				  .max_sockets = 64, .max_time_wait4 = 256, .max_time_wait6 = 256, .max_port_maps = 4});
}

void pair_done(struct pair *p)
{
	free(p->mem[0]);
	free(p->mem[1]);
}

static void note(struct pair *p, unsigned from, const uint8_t *packet, size_t len)
{
	struct packet parsed;

	assert_int_equal(packet_parse(&parsed, packet, len, 0), WIRE_TCP);
	p->sent[from]++;
	p->last[from] = parsed.seg;
	p->last[from].text = NULL;
	if (p->tap)
		p->tap(p, from, &parsed.seg);
}

static bool is_lost(struct pair *p, unsigned from)
{
	if (!p->lost[from])
		return false;
	if (p->lost[from] != UINT8_MAX)
		p->lost[from]--;
	return true;
}

void pair_run(struct pair *p)
{
	uint8_t packet[MTU_MAX]; /* not static: pairs run on several threads */
	unsigned n = 0;
	size_t len;

	for (bool moved = true; moved;) {
		moved = false;
		for (unsigned from = 0; from < 2; from++)
			while ((len = la_output(pair_side(p, from), p->now, packet, sizeof(packet))) != 0) {
				assert_true(++n < FOR_EVER);
				moved = true;
				note(p, from, packet, len);
				if (!is_lost(p, from))
					la_input(pair_side(p, !from), p->now, packet, len);
			}
	}
}

void pair_pass(struct pair *p, uint64_t ms)
{
	la_time end = p->now + ms * UINT64_C(1000000);

	pair_run(p);
	for (unsigned n = 0;; n++) {
		la_time a = la_next_at(p->a), b = la_next_at(p->b), next = a < b ? a : b;

		assert_true(n < FOR_EVER);
		if (next > end)
			break;
		p->now = next > p->now ? next : p->now + 1000;
		if (p->now > end)
			p->now = end;
		la_advance(p->a, p->now);
		la_advance(p->b, p->now);
		pair_run(p);
		if (p->now == end && la_next_at(p->a) <= end)
			break;
	}
	p->now = end;
	la_advance(p->a, p->now);
	la_advance(p->b, p->now);
	pair_run(p);
}

void pair_pass_quietly(struct pair *p, uint64_t ms) { p->now += ms * UINT64_C(1000000); }

void pair_inject(struct pair *p, unsigned to, const struct seg *s)
{
	uint8_t packet[2048];
	size_t len = packet_write(packet, sizeof(packet), s, 0);

	assert_int_not_equal(len, 0);
	la_input(pair_side(p, to), p->now, packet, len);
}

struct la_endpoint ep(const char *addr, uint16_t port)
{
	struct la_endpoint ret = {.port = port};
	struct addr a;

	assert_true(addr_parse(addr, &a));
	memcpy(ret.addr, a.b, sizeof(ret.addr));
	return ret;
}

la_sock socket_of(struct la_engine *e, const char *addr)
{
	la_sock s = la_socket(e, strchr(addr, ':') ? LA_INET6 : LA_INET);

	assert_true(s > 0);
	return s;
}

la_sock listen_at(struct la_engine *e, const char *addr, uint16_t port, int backlog)
{
	la_sock s = socket_of(e, addr);
	struct la_endpoint at = ep(addr, port);

	assert_int_equal(la_bind(e, s, &at), 0);
	assert_int_equal(la_listen(e, s, backlog), 0);
	return s;
}

la_sock connect_to(struct la_engine *e, const char *addr, uint16_t port)
{
	la_sock s = socket_of(e, addr);
	struct la_endpoint to = ep(addr, port);

	assert_int_equal(la_connect(e, s, &to), -EINPROGRESS);
	return s;
}

la_sock accept_from(struct la_engine *e, la_sock listener)
{
	la_sock s = la_accept(e, listener, NULL);

	assert_true(s > 0);
	return s;
}

struct joint pair_join_at(struct pair *p, const char *addr, uint16_t port)
{
	struct joint j;

	j.listener = listen_at(p->b, addr, port, 16);
	j.client = connect_to(p->a, addr, port);
	pair_run(p);
	j.server = accept_from(p->b, j.listener);
	assert_int_equal(state_of(p->a, j.client), K_ESTABLISHED);
	assert_int_equal(state_of(p->b, j.server), K_ESTABLISHED);
	return j;
}

struct joint pair_join(struct pair *p, uint16_t port) { return pair_join_at(p, "10.0.0.2", port); }

void pair_close_active(struct pair *p, struct joint *j)
{
	assert_int_equal(la_close(p->a, j->client), 0);
	pair_run(p);
	assert_int_equal(la_close(p->b, j->server), 0);
	pair_run(p);
}

int set_int(struct la_engine *e, la_sock s, enum la_opt opt, int value)
{
	return la_setsockopt(e, s, opt, &value, sizeof(value));
}

int get_int(struct la_engine *e, la_sock s, enum la_opt opt)
{
	int value = -1;
	size_t len = sizeof(value);

	assert_int_equal(la_getsockopt(e, s, opt, &value, &len), 0);
	assert_int_equal(len, sizeof(value));
	return value;
}

void set_knob(struct la_engine *e, const char *name, const char *value)
{
	assert_int_equal(la_knob_set(e, name, value), 0);
}

unsigned state_of(struct la_engine *e, la_sock s)
{
	struct la_tcp_info info;

	assert_int_equal(la_tcp_info(e, s, &info), 0);
	return info.tcpi_state;
}

uint64_t counter(struct la_engine *e, const char *name)
{
	int i = la_counter_find(name);

	if (i < 0)
		print_message("no counter %s\n", name);
	assert_true(i >= 0);
	return la_counter(e, (unsigned)i);
}

uint64_t edge(struct la_engine *e, const char *name)
{
	for (unsigned i = 0; i < la_edges(); i++)
		if (strcmp(la_edge_name(i), name) == 0)
			return la_edge_count(e, i);
	print_message("no edge %s\n", name);
	assert_true(false);
	return 0;
}

unsigned records(struct la_engine *e)
{
	struct la_usage u;

	la_usage(e, &u);
	return u.time_wait4 + u.time_wait6;
}

bool is_at_rest(struct la_engine *e)
{
	static const struct la_usage none;
	struct la_usage u;

	la_usage(e, &u);
	return memcmp(&u, &none, sizeof(u)) == 0;
}
