/* SPDX-License-Identifier: MIT */
#include "tests/unit/sim/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/audit.h"
#include "tests/unit/t.h"

static const struct la_config config = {
	.max_sockets = 16, .max_time_wait4 = 64, .max_time_wait6 = 16, .max_destinations = 16, .max_port_maps = 1};

static bool on_packet(void *arg, unsigned from, const struct seg *s)
{
	struct rig *r = arg;

	if (r->n_saved < RIG_SAVED && s->len <= sizeof(r->saved[0].text)) {
		struct saved *to = &r->saved[r->n_saved++];

		to->from = from;
		to->seg = *s;
		if (s->len)
			memcpy(to->text, s->text, s->len);
		to->seg.text = to->text;
	}
	return !r->loses || !r->loses(r, from, s);
}

static void set_knobs(struct rig *r, unsigned host, const char *const *knobs)
{
	for (; knobs && *knobs; knobs++) {
		char name[64];
		const char *eq = strchr(*knobs, '=');

		snprintf(name, sizeof(name), "%.*s", (int)(eq - *knobs), *knobs);
		assert_int_equal(la_knob_set(r->e[host], name, eq + 1), 0);
	}
	watch_learn(r->w, host, r->e[host]);
}

static void start(struct rig *r, unsigned host, uint64_t seed, const char *const *knobs)
{
	struct la_config c = config;

	c.seed[0] = seed;
	assert_int_equal(net_start(r->n, host, &c), 0);
	r->e[host] = r->n->host[host].e;
	set_knobs(r, host, knobs);
}

struct rig *rig_begin(const char *const *knobs)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->w = calloc(1, sizeof(*r->w));
	r->n = calloc(1, sizeof(*r->n));
	watch_init(r->w, &r->v);
	net_init(r->n, r->w, &r->v, 1);
	r->n->ops.arg = r;
	r->n->ops.filter = on_packet;
	for (unsigned h = 0; h < 2; h++) {
		r->n->host[h].size = (la_size(&config) + 63) & ~(size_t)63;
		r->n->host[h].mem = aligned_alloc(64, r->n->host[h].size);
		r->n->path[h][1 - h].delay = (nsec_t)5 * RIG_MS;
		start(r, h, h + 1, knobs);
	}
	return r;
}

void rig_restart(struct rig *r, unsigned host, const char *const *knobs)
{
	start(r, host, 99, knobs);
	watch_restart(r->w, host);
}

void rig_end(struct rig *r)
{
	while (net_step(r->n))
		continue;
	if (!r->v.failed)
		watch_rest(r->w);
	for (unsigned h = 0; h < 2; h++) {
		struct la_usage u;
		struct counts c;

		la_usage(r->e[h], &u);
		counts_read(&c, r->e[h]);
		audit_rest(&r->v, h, &u);
		audit_counts(&r->v, h, &c, &r->w->seen[h], &u);
	}
	if (r->v.failed)
		fail_msg("%s at host %u: %s", checkers[r->v.checker].name, r->v.host, r->v.why.text);
	for (unsigned h = 0; h < 2; h++)
		free(r->n->host[h].mem);
	free(r->n);
	free(r->w);
	free(r);
}

void rig_run(struct rig *r, unsigned ms) { net_run(r->n, r->n->now + (nsec_t)ms * RIG_MS); }

la_sock rig_listen(struct rig *r, unsigned host, uint16_t port)
{
	const struct la_endpoint at = net_address(host, false, port);
	la_sock s = la_socket(r->e[host], LA_INET);
	int one = 1;

	la_setsockopt(r->e[host], s, LA_SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(la_bind(r->e[host], s, &at), 0);
	assert_int_equal(la_listen(r->e[host], s, 8), 0);
	return s;
}

la_sock rig_connect(struct rig *r, unsigned host, uint16_t own_port, uint16_t port)
{
	const struct la_endpoint at = net_address(host, false, own_port), to = net_address(1 - host, false, port);
	la_sock s = la_socket(r->e[host], LA_INET);
	int one = 1;

	net_touch(r->n, host);
	la_setsockopt(r->e[host], s, LA_SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(la_bind(r->e[host], s, &at), 0);
	assert_int_equal(la_connect(r->e[host], s, &to), -EINPROGRESS);
	net_settle(r->n, host);
	return s;
}

la_sock rig_accept(struct rig *r, unsigned host, la_sock listener)
{
	la_sock s = la_accept(r->e[host], listener, NULL);

	assert_true(s > 0);
	return s;
}

void rig_send(struct rig *r, unsigned host, la_sock s, const char *text)
{
	net_touch(r->n, host);
	assert_int_equal(la_send(r->e[host], s, text, strlen(text), 0), strlen(text));
	net_settle(r->n, host);
}

void rig_expect(struct rig *r, unsigned host, la_sock s, const char *text)
{
	char buf[256] = "";
	int64_t n = la_recv(r->e[host], s, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	assert_string_equal(buf, text);
}

void rig_close(struct rig *r, unsigned host, la_sock s)
{
	net_touch(r->n, host);
	assert_int_equal(la_close(r->e[host], s), 0);
	net_settle(r->n, host);
}

void rig_opened(struct rig *r, la_sock *a, la_sock *b)
{
	la_sock l = rig_listen(r, 1, PORT_B);

	*a = rig_connect(r, 0, PORT_A, PORT_B);
	rig_run(r, 100);
	*b = rig_accept(r, 1, l);
	rig_close(r, 1, l);
}

const struct saved *rig_find(const struct rig *r, unsigned from, uint8_t flags, bool with_text)
{
	for (unsigned i = 0; i < r->n_saved; i++) {
		const struct seg *s = &r->saved[i].seg;

		if (r->saved[i].from == from && (s->flags & flags) == flags && (s->len > 0) == with_text)
			return &r->saved[i];
	}
	fail_msg("host %u sent no such segment", from);
	return NULL;
}

void rig_replay(struct rig *r, const struct saved *s)
{
	uint8_t buf[256];
	size_t len = packet_write(buf, sizeof(buf), &s->seg, 0);

	net_replay(r->n, r->n->now, buf, len);
	net_run(r->n, r->n->now);
}

uint64_t rig_edge(const struct rig *r, unsigned host, unsigned edge) { return la_edge_count(r->e[host], edge); }

uint64_t rig_counter(const struct rig *r, unsigned host, const char *name)
{
	return la_counter(r->e[host], (unsigned)la_counter_find(name));
}

uint32_t rig_time_waits(const struct rig *r, unsigned host)
{
	struct la_usage u;

	la_usage(r->e[host], &u);
	return u.time_wait4 + u.time_wait6;
}
