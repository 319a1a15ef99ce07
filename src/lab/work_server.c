/* SPDX-License-Identifier: MIT */
#include "lab/work.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab/sockopt.h"

enum fd_role { ROLE_NONE, ROLE_LISTENER, ROLE_CONN, ROLE_REPLIED, N_FDS = 20001, EVENTS = 64 };

struct server {
	struct work *w;
	const struct server_cfg *cfg;
	int epoll;
	uint32_t handled;
	unsigned char role[N_FDS]; /* by descriptor */
};

static void handled(struct server *s)
{
	if (++s->handled == s->cfg->expect)
		work_say(s->w, EV_HANDLED, (int)s->handled);
}

static void forget(struct server *s, int fd) { epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL); }

static void end(struct server *s, int fd)
{
	s->role[fd] = ROLE_NONE;
	close(fd);
	s->w->stats->ended++;
	handled(s);
}

static int watch(struct server *s, int fd, enum fd_role role)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= N_FDS)
		return -EMFILE;
	s->role[fd] = (unsigned char)role;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int listener(const struct server_cfg *cfg, uint16_t port)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};
	struct sockaddr_storage a;
	socklen_t len = sockaddr_parse(cfg->addr ? cfg->addr : "0.0.0.0", port, &a);
	int fd, err;

	if (!len)
		return -EINVAL;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	sockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, !cfg->no_reuseaddr);
	if (cfg->rcvbuf)
		sockopt_int(fd, SOL_SOCKET, SO_RCVBUF, cfg->rcvbuf);
	sockopt_keepalive(fd, cfg->keepalive_s);
	if (cfg->linger_0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, cfg->backlog ? cfg->backlog : 4096)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void accept_one(struct server *s, int on)
{
	int fd = accept4(on, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE) {
			work_say(s->w, EV_ERROR, errno);
			forget(s, on); /* else epoll would spin on it */
		}
		return;
	}
	s->w->stats->opened++;
	sockopt_timeouts(fd);
	if (s->cfg->does == SERVE_NEVER_READ)
		handled(s);
	else if (watch(s, fd, ROLE_CONN))
		close(fd);
}

/* Reads what is there. >0 something came, 0 end of file, -1 reset. */
static int drain(int fd)
{
	char buf[4096];
	ssize_t n;
	int got = 0;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		got = 1;
	if (n == 0)
		return 0;
	return errno == EAGAIN ? got : -1;
}

static void reply(struct server *s, int fd)
{
	if (s->role[fd] == ROLE_REPLIED)
		return;
	s->role[fd] = ROLE_REPLIED;
	send_bytes(fd, s->cfg->reply_bytes);
}

static void serve_request(struct server *s, int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	reply(s, fd);
	switch (s->cfg->does) {
	case SERVE_CLOSE_FIRST:
		end(s, fd);
		break;
	case SERVE_LINGER_0:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		end(s, fd);
		break;
	case SERVE:
	case SERVE_NEVER_READ:
	case SERVE_NEVER_CLOSE:
	case SERVE_NEVER_ACCEPT:
	case SERVE_UNREAD:
		break;
	}
}

static void serve(struct server *s, int fd)
{
	int got;

	if (s->cfg->does == SERVE_UNREAD) {
		reply(s, fd);
		end(s, fd);
		return;
	}
	got = drain(fd);
	if (got > 0) {
		serve_request(s, fd);
	} else if (got == 0 && s->cfg->does == SERVE_NEVER_CLOSE) {
		forget(s, fd);
		handled(s);
	} else {
		end(s, fd);
	}
}

static void limit_fds(uint32_t n)
{
	struct rlimit r;

	if (n == 0 || getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = n;
	setrlimit(RLIMIT_NOFILE, &r);
}

static void loop(struct server *s)
{
	struct epoll_event e[EVENTS], orders = {.events = EPOLLIN, .data.fd = s->w->orders};

	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->w->orders, &orders);
	while (!s->w->stopped) {
		int n = epoll_wait(s->epoll, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = e[i].data.fd;

			if (fd == s->w->orders)
				work_ordered(s->w);
			else if (s->role[fd] == ROLE_LISTENER)
				accept_one(s, fd);
			else
				serve(s, fd);
		}
	}
}

void work_server(struct work *w, const void *server_cfg)
{
	const struct server_cfg *cfg = server_cfg;
	struct server *s = xcalloc(1, sizeof(*s));

	*s = (struct server){.w = w, .cfg = cfg, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	limit_fds(cfg->fd_limit);
	for (unsigned i = 0; i < (cfg->n_ports ? cfg->n_ports : 1U); i++) {
		int fd = listener(cfg, (uint16_t)(cfg->port + i));

		if (fd < 0) {
			work_say(w, EV_ERROR, -fd);
			w->stopped = true;
			break;
		}
		if (cfg->does != SERVE_NEVER_ACCEPT)
			watch(s, fd, ROLE_LISTENER);
	}
	if (!w->stopped)
		work_say(w, EV_READY, 0);
	if (cfg->wait_go)
		work_await_go(w);
	loop(s);
	close(s->epoll);
	free(s);
}
