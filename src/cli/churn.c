/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/base.h"
#include "cli/bench.h"
#include "cli/churn.h"

/*
 * Each destination holds this many TIME_WAITs at most: four fifths of the ports of the widened range, so that choosing
 * a port is neither free of charge nor the bottleneck.
 */
enum { PORT_LOW = 1024, PORT_HIGH = 65535, PER_DESTINATION = 51000, SERVER_PORT = 80 };
enum { CLIENT = 1, SERVER = 2 }; /* la_user_set(): who the socket is */
#define TIME_WAIT_MS 60000

static struct la_config config(const struct churn_cfg *cfg, uint32_t n_servers)
{
	uint32_t room = cfg->time_wait + cfg->time_wait / 10000 + 64; /* those that end within the same millisecond */

	return (struct la_config){
		.seed = {UINT64_C(0x6c61737461636b21), 2026},
		.max_sockets = 64,
		.max_time_wait4 = cfg->ipv6 ? 64 : room,
		.max_time_wait6 = cfg->ipv6 ? room : 64,
		.max_addresses = n_servers + 1,
		.max_destinations = 2 * n_servers + 16,
		.max_port_maps = n_servers + 1,
		.max_bound = 16,
		.send_buffer = 4096,
		.receive_buffer = 4096,
	};
}

static int set_up(struct churn *c, struct why *w)
{
	static const char *const sets[][2] = {
		{"net.ipv4.ip_local_port_range", "1024 65535"},
		{"net.ipv4.tcp_tw_reuse", "0"},
	};
	struct la_endpoint any = {.port = SERVER_PORT};

	if (!c->cfg.ipv6)
		any.addr[10] = any.addr[11] = 0xff;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (la_knob_set(c->e, sets[i][0], sets[i][1]))
			return why_errno(w, EINVAL, "%s", sets[i][0]);
	if (la_knob_set(c->e, "engine.time_wait_ms", "60000"))
		return why_errno(w, EINVAL, "engine.time_wait_ms");
	for (uint32_t i = 0; i <= c->n_servers; i++)
		if (la_address_add(c->e, bench_endpoint(c->cfg.ipv6, i + 1, 0).addr))
			return why_errno(w, EINVAL, "address %u", i);
	c->listener = la_socket(c->e, c->cfg.ipv6 ? LA_INET6 : LA_INET);
	if (c->listener < 0 || la_bind(c->e, c->listener, &any) || la_listen(c->e, c->listener, 16))
		return why_errno(w, EINVAL, "listener");
	return 0;
}

int churn_init(struct churn *c, const struct churn_cfg *cfg, struct why *w)
{
	struct churn_cfg none = {.ipv6 = cfg->ipv6};
	struct la_config lc, bare = config(&none, 1);
	int err;

	*c = (struct churn){.cfg = *cfg, .now = NSEC_PER_S};
	c->n_servers = cfg->one_destination ? 1 : cfg->time_wait / PER_DESTINATION + 1;
	if (cfg->time_wait && !cfg->one_destination)
		c->step = (la_time)TIME_WAIT_MS * NSEC_PER_MS / cfg->time_wait;
	lc = config(cfg, c->n_servers);
	c->bare_size = la_size(&bare);
	c->mem_size = la_size(&lc);
	c->mem = mmap(NULL, c->mem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->mem == MAP_FAILED)
		return why_errno(w, errno, "%zu octets for the engine", c->mem_size);
	madvise(c->mem, c->mem_size, MADV_HUGEPAGE); /* only makes it faster */
	err = la_init(c->mem, c->mem_size, &lc, &c->e);
	if (err)
		why_errno(w, -err, "la_init");
	else
		err = set_up(c, w);
	if (err)
		churn_done(c);
	return err;
}

void churn_done(struct churn *c) { munmap(c->mem, c->mem_size); }

struct la_endpoint churn_destination(const struct churn *c)
{
	uint32_t server = c->n_servers > 1 ? 1 + (uint32_t)(c->done % c->n_servers) : 1;

	return bench_endpoint(c->cfg.ipv6, server + 1, SERVER_PORT);
}

la_sock churn_socket(struct churn *c)
{
	la_sock s = la_socket(c->e, c->cfg.ipv6 ? LA_INET6 : LA_INET);

	if (s > 0)
		la_user_set(c->e, s, CLIENT);
	return s;
}

static void on_listener(struct churn *c)
{
	la_sock s = la_accept(c->e, c->listener, NULL);

	if (s > 0)
		la_user_set(c->e, s, SERVER);
}

/* The server echoes and closes when the client has; the client sends one octet and closes when it is back. */
static void on_socket(struct churn *c, const struct la_event *ev)
{
	uint8_t octet = 'x';
	int64_t n = ev->events & LA_IN ? la_recv(c->e, ev->sock, &octet, 1, 0) : -EAGAIN;

	if ((ev->user == SERVER && n == 1) || (ev->user == CLIENT && n == -EAGAIN && ev->events & LA_OUT))
		la_send(c->e, ev->sock, &octet, 1, 0);
	else if (n == 0 || (ev->user == CLIENT && n == 1))
		la_close(c->e, ev->sock);
}

void churn_settle(struct churn *c)
{
	uint8_t packet[2048];
	struct la_event ev;
	size_t len;

	while ((len = la_output(c->e, c->now, packet, sizeof(packet))) > 0) {
		la_input(c->e, c->now, packet, len);
		while (la_event(c->e, &ev)) {
			if (ev.sock == c->listener)
				on_listener(c);
			else
				on_socket(c, &ev);
		}
	}
}

int churn_one(struct churn *c)
{
	struct la_endpoint to = churn_destination(c);
	la_sock s = churn_socket(c);
	int err = s < 0 ? s : la_connect(c->e, s, &to);

	if (err != -EINPROGRESS) {
		la_close(c->e, s);
		return err;
	}
	churn_settle(c);
	c->done++;
	return la_poll(c->e, s) ? -EPROTO : 0; /* a closed socket is no socket */
}

void churn_expire(struct churn *c)
{
	c->now += (la_time)TIME_WAIT_MS * NSEC_PER_MS + NSEC_PER_S;
	la_advance(c->e, c->now);
}

int churn_many(struct churn *c, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		int err = churn_one(c);

		if (err)
			return err;
		c->now += c->step;
		if (i % 1024 == 0) /* for what la_input() does not do by itself: it removes records that are due */
			la_advance(c->e, c->now);
	}
	return 0;
}
