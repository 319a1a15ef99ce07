/* SPDX-License-Identifier: MIT */
#include "packetdrill/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { PACKET_MAX = 65215 /* of Linux, without headers */ };
/* The kernel's numbers in tcpi_state. */
enum { STATE_TIME_WAIT = 6, STATE_CLOSE_WAIT = 8, STATE_LAST_ACK = 9, STATE_CLOSING = 11 };

/* ---- names ---- */

static int endpoint_of(struct la_endpoint *ret, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (!addr)
		return -EFAULT;
	if (addr->sa_family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, addr, sizeof(in));
		*ret = (struct la_endpoint){.addr = {[10] = 0xff, [11] = 0xff}, .port = ntohs(in.sin_port)};
		memcpy(ret->addr + 12, &in.sin_addr, 4);
		return 0;
	}
	if (addr->sa_family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, addr, sizeof(in6));
		ret->port = ntohs(in6.sin6_port);
		memcpy(ret->addr, &in6.sin6_addr, sizeof(ret->addr));
		return 0;
	}
	return addr->sa_family == AF_INET || addr->sa_family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
}

static void name_into(const struct la_endpoint *at, int family, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(at->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
	const void *name = family == AF_INET ? (const void *)&in : &in6;
	const socklen_t size = family == AF_INET ? sizeof(in) : sizeof(in6);

	if (!addr || !len)
		return;
	memcpy(&in.sin_addr, at->addr + 12, 4);
	memcpy(&in6.sin6_addr, at->addr, sizeof(in6.sin6_addr));
	memcpy(addr, name, *len < size ? *len : size);
	*len = size;
}

void sock_peer(struct stack *s, const struct file *f, struct sockaddr *addr, socklen_t *len)
{
	struct la_endpoint peer;

	if (la_getpeername(s->engine, f->sock, &peer) == 0)
		name_into(&peer, f->family, addr, len);
	else if (len)
		*len = 0;
}

/* ---- what is there ---- */

int sock_count(const struct stack *s, const struct file *f, enum la_ioctl what)
{
	int n;

	return la_ioctl(s->engine, f->sock, what, &n) < 0 ? 0 : n;
}

static bool sock_is_ended(const struct stack *s, const struct file *f)
{
	struct la_tcp_info info;

	if (la_tcp_info(s->engine, f->sock, &info) < 0)
		return false;
	return info.tcpi_state == STATE_TIME_WAIT || info.tcpi_state == STATE_CLOSE_WAIT ||
	       info.tcpi_state == STATE_LAST_ACK || info.tcpi_state == STATE_CLOSING;
}

uint32_t sock_ready(const struct stack *s, const struct file *f)
{
	const uint32_t r = la_poll(s->engine, f->sock);

	return (r & LA_IN ? EPOLLIN | EPOLLRDNORM : 0) | (r & LA_OUT ? EPOLLOUT | EPOLLWRNORM : 0) |
	       (r & LA_ERR ? EPOLLERR : 0) | (r & LA_HUP ? EPOLLHUP : 0) | (sock_is_ended(s, f) ? EPOLLRDHUP : 0);
}

/* ---- opening and closing ---- */

static int install(struct stack *s, la_sock sock, int family, int flags)
{
	const int fd = stack_open(s, FILE_SOCKET, flags);

	if (fd < 0) {
		la_close(s->engine, sock);
		return fd;
	}
	s->files[fd].sock = sock;
	s->files[fd].family = family;
	la_user_set(s->engine, sock, (uint64_t)fd);
	return fd;
}

int sock_open(struct stack *s, int domain, int type, int protocol)
{
	la_sock sock;

	if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM || (protocol && protocol != IPPROTO_TCP))
		return -EPROTONOSUPPORT;
	stack_first_socket(s);
	sysctls_load(s);
	sock = la_socket(s->engine, domain);
	return sock < 0 ? sock : install(s, sock, domain, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
}

/* The engine's sockets have one family (ADR 11), an AF_INET6 socket of Linux does IPv4 too. */
static int settle_family(struct stack *s, int fd, const struct la_endpoint *at)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct file *f = stack_file(s, fd, FILE_SOCKET);
	la_sock sock;

	if (f->is_settled || f->family != AF_INET6)
		return 0;
	f->is_settled = true;
	if (memcmp(at->addr, mapped, sizeof(mapped)) != 0)
		return 0;
	sock = la_socket(s->engine, LA_INET);
	if (sock < 0)
		return sock;
	la_close(s->engine, f->sock);
	f->sock = sock;
	la_user_set(s->engine, sock, (uint64_t)fd);
	for (unsigned i = 0; i < f->n_kept; i++)
		(void)la_setsockopt(s->engine, sock, f->kept[i].opt, f->kept[i].value, f->kept[i].len);
	return 0;
}

int sock_bind(struct stack *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	struct la_endpoint at;
	int r = endpoint_of(&at, addr, len);

	if (r == 0)
		r = settle_family(s, fd, &at);
	if (r < 0)
		return r;
	stack_learn_address(s, at.addr); /* packetdrill binds to the address it gave itself */
	return la_bind(s->engine, f->sock, &at);
}

int sock_connect(struct stack *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	const la_time deadline = stack_deadline(s, f->send_for);
	struct la_endpoint to;
	int r = endpoint_of(&to, addr, len);

	if (r == 0)
		r = settle_family(s, fd, &to);
	if (r < 0)
		return r;
	r = la_connect(s->engine, f->sock, &to);
	if (r != -EINPROGRESS || f->flags & O_NONBLOCK)
		return r;
	stack_settle(s);
	while ((r = la_connect(s->engine, f->sock, &to)) == -EALREADY)
		if (!stack_wait(s, deadline))
			return -EINPROGRESS;
	return r;
}

int sock_accept(struct stack *s, int fd, struct sockaddr *addr, socklen_t *len)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	const la_time deadline = stack_deadline(s, f->recv_for);
	struct la_endpoint peer;
	la_sock sock;
	int ret;

	while ((sock = la_accept(s->engine, f->sock, &peer)) == -EAGAIN && !(f->flags & O_NONBLOCK))
		if (!stack_wait(s, deadline))
			return -EAGAIN;
	if (sock < 0)
		return sock;
	ret = install(s, sock, f->family, 0);
	if (ret < 0)
		return ret;
	s->files[ret].is_settled = true;
	name_into(&peer, f->family, addr, len);
	return ret;
}

int sock_close(struct stack *s, int fd)
{
	const la_sock sock = s->files[fd].sock;
	int r;

	s->has_lingered = false;
	r = la_close(s->engine, sock);
	stack_close(s, fd);
	if (r != -EINPROGRESS)
		return r;
	stack_settle(s);
	while (!s->has_lingered && stack_wait(s, LA_NEVER))
		;
	return 0;
}

/* ---- data ---- */

static bool may_block(const struct file *f, int flags) { return !(f->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT); }

ssize_t sock_recv(struct stack *s, int fd, void *buf, size_t len, int flags)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	const la_time deadline = stack_deadline(s, f->recv_for);
	const int how = flags & (LA_PEEK | LA_TRUNC);
	size_t got = 0;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN; /* nothing ever is in it */
	for (;;) {
		const int64_t n = la_recv(s->engine, f->sock, (char *)buf + got, len - got, how);

		if (n > 0) {
			got += (size_t)n;
			if (got == len || !(flags & MSG_WAITALL) || flags & MSG_PEEK)
				return (ssize_t)got;
			stack_settle(s);
			continue;
		}
		if (n != -EAGAIN || !may_block(f, flags) || !stack_wait(s, deadline))
			return got ? (ssize_t)got : n;
	}
}

/*
 * Linux fills a packet, of half of the peer's window at most, and sends what may go before it asks whether SO_SNDBUF has room for the
 * next; packets leave the engine between two calls only. So what is too long for it is written in pieces, with MSG_MORE.
 */
static size_t piece_of(const struct stack *s, const struct file *f, size_t len)
{
	struct la_tcp_info info;
	uint32_t sndbuf;
	size_t most, size = sizeof(sndbuf);

	if (la_getsockopt(s->engine, f->sock, LA_SO_SNDBUF, &sndbuf, &size) < 0 || len <= sndbuf ||
	    la_tcp_info(s->engine, f->sock, &info) < 0 || !info.tcpi_snd_mss)
		return len;
	most = info.tcpi_snd_wnd / 2;
	most = (most < PACKET_MAX ? most : PACKET_MAX) / info.tcpi_snd_mss * info.tcpi_snd_mss;
	return most && most < len ? most : len;
}

/* Linux wakes a writer when there is plenty of room, not with the first octet. */
static bool wait_for_room(struct stack *s, const struct file *f, la_time deadline)
{
	do {
		if (!stack_wait(s, deadline))
			return false;
	} while (!(la_poll(s->engine, f->sock) & (LA_OUT | LA_ERR | LA_HUP)));
	return true;
}

ssize_t sock_send(struct stack *s, int fd, const void *buf, size_t len, int flags)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	const la_time deadline = stack_deadline(s, f->send_for);
	const int how = flags & (LA_MORE | LA_EOR);
	size_t put = 0;

	if (flags & MSG_FASTOPEN)
		return -EOPNOTSUPP; /* ADR 32 */
	for (;;) {
		const size_t piece = piece_of(s, f, len - put);
		const int64_t n = la_send(s->engine, f->sock, buf ? (const char *)buf + put : NULL, piece,
					  piece == len - put ? how : (how | LA_MORE) & ~LA_EOR);

		if (n >= 0) {
			put += (size_t)n;
			if (put == len)
				return (ssize_t)put;
			stack_settle(s); /* the packets leave and take room with them: try again */
			continue;
		}
		if (n != -EAGAIN || !may_block(f, flags) || !wait_for_room(s, f, deadline))
			return put ? (ssize_t)put : n;
	}
}

static size_t total(const struct iovec *iov, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* One call is one write to TCP, whatever the number of pieces. */
ssize_t sock_send_vector(struct stack *s, int fd, const struct iovec *iov, size_t n, int flags)
{
	const size_t len = total(iov, n);
	char *whole = malloc(len + 1);
	size_t at = 0;
	ssize_t ret;

	if (!whole)
		return -ENOMEM;
	for (size_t i = 0; i < n; at += iov[i++].iov_len)
		if (iov[i].iov_len)
			memcpy(whole + at, iov[i].iov_base, iov[i].iov_len);
	ret = sock_send(s, fd, whole, len, flags);
	free(whole);
	return ret;
}

ssize_t sock_recv_vector(struct stack *s, int fd, const struct iovec *iov, size_t n, int flags)
{
	const size_t len = total(iov, n);
	char *whole = malloc(len + 1);
	ssize_t ret, left;

	if (!whole)
		return -ENOMEM;
	ret = left = sock_recv(s, fd, whole, len, flags);
	for (size_t i = 0, at = 0; i < n && left > 0; i++) {
		const size_t part = (size_t)left < iov[i].iov_len ? (size_t)left : iov[i].iov_len;

		if (part)
			memcpy(iov[i].iov_base, whole + at, part);
		at += part;
		left -= (ssize_t)part;
	}
	free(whole);
	return ret;
}

static void put_inq(const struct stack *s, const struct file *f, struct msghdr *msg, size_t room)
{
	const int inq = sock_count(s, f, LA_CM_INQ);
	struct cmsghdr *c;

	if (room < CMSG_SPACE(sizeof(inq)) || !msg->msg_control) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	c = msg->msg_control;
	c->cmsg_level = IPPROTO_TCP;
	c->cmsg_type = 36; /* TCP_CM_INQ */
	c->cmsg_len = CMSG_LEN(sizeof(inq));
	memcpy(CMSG_DATA(c), &inq, sizeof(inq));
	msg->msg_controllen = CMSG_SPACE(sizeof(inq));
}

static bool wants_inq(const struct stack *s, const struct file *f)
{
	int on = 0;
	size_t len = sizeof(on);

	return la_getsockopt(s->engine, f->sock, LA_TCP_INQ, &on, &len) == 0 && on;
}

ssize_t sock_recvmsg(struct stack *s, int fd, struct msghdr *msg, int flags)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	const size_t room = msg->msg_controllen;
	const ssize_t n = sock_recv_vector(s, fd, msg->msg_iov, msg->msg_iovlen, flags);

	if (n < 0)
		return n;
	msg->msg_flags = 0;
	msg->msg_controllen = 0;
	msg->msg_namelen = 0;
	if (n > 0 && wants_inq(s, f))
		put_inq(s, f, msg, room);
	return n;
}
