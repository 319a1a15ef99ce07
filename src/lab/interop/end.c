/* SPDX-License-Identifier: MIT */
#include "lab/interop/end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/link.h"

enum { BACKLOG = 256 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct la_endpoint *p) { return memcmp(p->addr, mapped, sizeof(mapped)) == 0; }

struct sock_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

static struct sock_addr address_of(const struct la_endpoint *p)
{
	struct sock_addr a = {.len = sizeof(a.in6)};

	if (is_v4(p)) {
		a.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(p->port)};
		memcpy(&a.in.sin_addr, p->addr + 12, 4);
		a.len = sizeof(a.in);
	} else {
		a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(p->port)};
		memcpy(&a.in6.sin6_addr, p->addr, 16);
	}
	return a;
}

static uint16_t port_of(const struct sock_addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

static void fd_ready(struct drive_fd *f, uint32_t events)
{
	struct end *e = container_of(f, struct end, watch);

	if (e->ready && e->fd > 0)
		e->ready(e);
}

static void sock_ready(struct drive_sock *s, uint32_t events)
{
	struct end *e = container_of(s, struct end, hook);

	if (e->ready && e->sock > 0)
		e->ready(e);
}

/* Takes a descriptor or socket; it is closed again if that fails. */
static int adopt(struct end *e, int fd, la_sock sock)
{
	int err = 0;

	e->fd = fd;
	e->sock = sock;
	e->hook.ready = sock_ready;
	e->watch = (struct drive_fd){.fd = fd, .ready = fd_ready};
	if (e->side == SIDE_ENGINE)
		drive_hook(e->d, sock, &e->hook);
	else
		err = drive_watch(e->d, &e->watch, NULL);
	if (err)
		end_close(e);
	return err;
}

static int open_end(struct end *e, const struct la_endpoint *p)
{
	const int one = 1;

	if (e->side == SIDE_ENGINE) {
		la_sock s = la_socket(e->d->e, is_v4(p) ? LA_INET : LA_INET6);

		if (s < 0)
			return s;
		(void)la_setsockopt(e->d->e, s, LA_SO_REUSEADDR, &one, sizeof(one));
		return adopt(e, 0, s);
	}
	int fd = socket(is_v4(p) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return adopt(e, fd, 0);
}

static void set_rcvbuf(struct end *e)
{
	if (e->rcvbuf && e->side == SIDE_ENGINE)
		(void)la_setsockopt(e->d->e, e->sock, LA_SO_RCVBUF, &e->rcvbuf, sizeof(e->rcvbuf));
	else if (e->rcvbuf)
		setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &e->rcvbuf, sizeof(e->rcvbuf));
}

static int bind_end(struct end *e, const struct la_endpoint *at)
{
	struct sock_addr a = address_of(at);

	if (e->side == SIDE_ENGINE)
		return la_bind(e->d->e, e->sock, at);
	return bind(e->fd, &a.sa, a.len) ? -errno : 0;
}

int end_listen(struct end *e, const struct la_endpoint *at)
{
	int err = open_end(e, at);

	if (err)
		return err;
	err = bind_end(e, at);
	if (err == 0 && e->side == SIDE_ENGINE)
		err = la_listen(e->d->e, e->sock, BACKLOG);
	else if (err == 0 && listen(e->fd, BACKLOG))
		err = -errno;
	if (err)
		end_close(e);
	return err;
}

static int connect_end(struct end *e, const struct la_endpoint *to)
{
	struct sock_addr a = address_of(to);

	if (e->side == SIDE_ENGINE)
		return la_connect(e->d->e, e->sock, to);
	return connect(e->fd, &a.sa, a.len) ? -errno : 0;
}

int end_connect(struct end *e, const struct la_endpoint *to, uint16_t local_port)
{
	struct la_endpoint from = {.port = local_port};
	int err = open_end(e, to);

	if (err)
		return err;
	if (is_v4(to))
		memcpy(from.addr, mapped, sizeof(mapped));
	set_rcvbuf(e);
	if (local_port)
		err = bind_end(e, &from);
	if (err == 0)
		err = connect_end(e, to);
	if (err == -EINPROGRESS)
		err = 0;
	if (err)
		end_close(e);
	return err;
}

int end_accept(struct end *listener, struct end *e, uint16_t *ret_peer_port)
{
	struct sock_addr a = {.len = sizeof(a.in6)};
	struct la_endpoint peer = {.port = 0};
	la_sock s = 0;
	int fd = 0;

	if (listener->side == SIDE_ENGINE) {
		s = la_accept(listener->d->e, listener->sock, &peer);
		if (s < 0)
			return s;
	} else {
		fd = accept4(listener->fd, &a.sa, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return -errno;
		peer.port = port_of(&a);
	}
	if (ret_peer_port)
		*ret_peer_port = peer.port;
	return adopt(e, fd, s);
}

int end_move(struct end *to, const struct end *from)
{
	const int rcvbuf = to->rcvbuf;

	*to = *from;
	to->rcvbuf = rcvbuf;
	set_rcvbuf(to);
	return adopt(to, from->fd, from->sock);
}

bool end_is_open(const struct end *e) { return e->sock > 0 || e->fd > 0; }

uint16_t end_local_port(const struct end *e)
{
	struct sock_addr a = {.len = sizeof(a.in6)};
	struct la_endpoint p = {.port = 0};

	if (e->side == SIDE_ENGINE)
		return la_getsockname(e->d->e, e->sock, &p) ? 0 : p.port;
	return getsockname(e->fd, &a.sa, &a.len) ? 0 : port_of(&a);
}

int64_t end_send(struct end *e, const void *data, size_t len)
{
	ssize_t n;

	if (e->side == SIDE_ENGINE)
		return la_send(e->d->e, e->sock, data, len, 0);
	n = send(e->fd, data, len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int64_t end_recv(struct end *e, void *buf, size_t len, bool peek)
{
	ssize_t n;

	if (e->side == SIDE_ENGINE)
		return la_recv(e->d->e, e->sock, buf, len, peek ? LA_PEEK : 0);
	n = recv(e->fd, buf, len, peek ? MSG_PEEK : 0);
	return n < 0 ? -errno : n;
}

int end_error(struct end *e)
{
	int err = 0;

	if (e->side == SIDE_ENGINE) {
		size_t len = sizeof(err);

		(void)la_getsockopt(e->d->e, e->sock, LA_SO_ERROR, &err, &len);
	} else {
		socklen_t len = sizeof(err);

		(void)getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	}
	return -err;
}

int end_shutdown(struct end *e, bool both)
{
	if (e->side == SIDE_ENGINE)
		return la_shutdown(e->d->e, e->sock, both ? LA_SHUT_RDWR : LA_SHUT_WR);
	return shutdown(e->fd, both ? SHUT_RDWR : SHUT_WR) ? -errno : 0;
}

int end_linger(struct end *e, int seconds)
{
	const struct la_linger l = {1, seconds};
	const struct linger k = {1, seconds};

	if (e->side == SIDE_ENGINE)
		return la_setsockopt(e->d->e, e->sock, LA_SO_LINGER, &l, sizeof(l));
	return setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &k, sizeof(k)) ? -errno : 0;
}

int end_linger2(struct end *e, int seconds)
{
	if (e->side == SIDE_ENGINE)
		return la_setsockopt(e->d->e, e->sock, LA_TCP_LINGER2, &seconds, sizeof(seconds));
	return setsockopt(e->fd, IPPROTO_TCP, TCP_LINGER2, &seconds, sizeof(seconds)) ? -errno : 0;
}

int end_close(struct end *e)
{
	int err = 0;

	if (e->sock > 0)
		err = la_close(e->d->e, e->sock);
	if (e->fd > 0 && close(e->fd))
		err = -errno;
	e->sock = 0;
	e->fd = 0;
	return err;
}
