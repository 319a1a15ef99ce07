/* SPDX-License-Identifier: MIT */
#include "lab/work.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab/sockopt.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct conn {
	int fd;
	nsec_t end_at;
};

struct client {
	struct work *w;
	const struct client_cfg *cfg;
	struct conn *held; /* ring of those that wait for their end, oldest first */
	size_t head, n_held;
	uint32_t tried, kept;
	nsec_t next_at;
	bool failed;
};

static int set_source(const struct client_cfg *cfg, int fd, int family, uint32_t nth)
{
	const char *any = family == AF_INET6 ? "::" : "0.0.0.0";
	uint16_t port = cfg->first_port ? (uint16_t)(cfg->first_port + nth) : 0;
	struct sockaddr_storage a;
	socklen_t len;

	if (!cfg->src && !cfg->bind_any_port && !cfg->first_port)
		return 0;
	len = sockaddr_parse(cfg->src ? cfg->src : any, port, &a);
	if (!len)
		return -EINVAL;
	if (cfg->no_port)
		sockopt_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (cfg->first_port)
		sockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return bind(fd, (struct sockaddr *)&a, len) ? -errno : 0;
}

/* A connected socket whose request is sent and whose reply has come, or -errno. */
static int open_one(const struct client_cfg *cfg, uint32_t nth)
{
	uint16_t dport = (uint16_t)(cfg->dport + (cfg->n_dports ? nth % cfg->n_dports : 0));
	struct sockaddr_storage a;
	socklen_t len = sockaddr_parse(cfg->dst, dport, &a);
	int fd, err;

	if (!len)
		return -EINVAL;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	sockopt_timeouts(fd);
	sockopt_keepalive(fd, cfg->keepalive_s);
	err = set_source(cfg, fd, a.ss_family, nth);
	if (err == 0 && connect(fd, (struct sockaddr *)&a, len))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	send_bytes(fd, cfg->request_bytes ? cfg->request_bytes : 1);
	recv_bytes(fd, cfg->reply_bytes);
	return fd;
}

static void await_peer(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void end_one(struct client *c, int fd)
{
	switch (c->cfg->ends) {
	case END_NEVER:
		c->kept++;
		return;
	case END_HALF:
		shutdown(fd, SHUT_WR);
		c->kept++;
		return;
	case END_AFTER_PEER:
		await_peer(fd);
		break;
	case END_CLOSE_FIRST:
		break;
	}
	close(fd);
	c->w->stats->ended++;
}

static void try_one(struct client *c, nsec_t now)
{
	int fd = open_one(c->cfg, c->tried++);

	if (fd < 0) {
		c->w->stats->last_errno = -fd;
		c->w->stats->failed++;
		c->failed = true;
		if (!c->w->errors_said)
			work_say(c->w, EV_ERROR, -fd);
		c->w->errors_said = true;
		return;
	}
	c->w->stats->opened++;
	if (c->cfg->hold_ms == 0 || c->n_held == WORK_SOCKETS_MAX) {
		end_one(c, fd);
		return;
	}
	c->held[(c->head + c->n_held++) % WORK_SOCKETS_MAX] =
		(struct conn){.fd = fd, .end_at = now + c->cfg->hold_ms * NSEC_PER_MS};
}

/* Another connection may be tried. A client without a pace stops at its first failure: it would only spin. */
static bool has_more(const struct client *c)
{
	const struct client_cfg *cfg = c->cfg;

	if (c->failed && cfg->per_s == 0)
		return false;
	return (cfg->count == 0 || c->tried < cfg->count) && c->kept + c->n_held < WORK_SOCKETS_MAX;
}

/* Does what is due, or waits for it. */
static void step(struct client *c)
{
	nsec_t now = work_now(), gap = c->cfg->per_s ? NSEC_PER_S / c->cfg->per_s : 0;
	nsec_t end_at = c->n_held ? c->held[c->head].end_at : NSEC_NEVER;
	nsec_t open_at = has_more(c) ? c->next_at : NSEC_NEVER;

	if (end_at <= now) {
		end_one(c, c->held[c->head].fd);
		c->head = (c->head + 1) % WORK_SOCKETS_MAX;
		c->n_held--;
	} else if (open_at <= now) {
		try_one(c, now);
		/* After a stall (a busy machine) it goes on at its pace instead of catching up in a burst. */
		c->next_at = c->next_at + NSEC_PER_S / 5 < now ? now : c->next_at + gap;
		if (gap == 0 && c->tried % 64 == 0)
			work_ordered(c->w);
	} else {
		work_sleep_until(c->w, end_at < open_at ? end_at : open_at);
	}
}

void work_client(struct work *w, const void *client_cfg)
{
	struct client c = {.w = w, .cfg = client_cfg};

	c.held = xcalloc(WORK_SOCKETS_MAX, sizeof(*c.held));
	work_say(w, EV_READY, 0);
	if (c.cfg->wait_go)
		work_await_go(w);
	c.next_at = work_now();
	while (!w->stopped && (has_more(&c) || c.n_held > 0))
		step(&c);
	work_say(w, EV_OPENED, (int)w->stats->opened);
	while (c.cfg->stay && work_sleep_until(w, NSEC_NEVER))
		;
	free(c.held);
}
