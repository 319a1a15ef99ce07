/* SPDX-License-Identifier: MIT */
/*
 * init.c - packetdrill_interface_init() and its hooks: errno for -errno, the lock around everything. Also getsockopt() and
 * close(), which packetdrill calls in libc for TCP_INFO and at the end of a script: preloaded (LD_PRELOAD), this library
 * answers for its own descriptors.
 */
#include "packetdrill/epoll.h"
#include "packetdrill/interface.h"
#include "packetdrill/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* netdev_receive() waits no longer than this for a packet that may never come. */
#define PATIENCE (3600 * NSEC_PER_S)
enum { RECEIVE_STEPS = 100000 };

static struct stack *the_stack; /* for getsockopt() and close(), which are told of none */

static struct stack *enter(void *userdata)
{
	struct stack *s = userdata;

	stack_lock(s);
	return s;
}

static ssize_t leave_with(struct stack *s, ssize_t r)
{
	stack_settle(s);
	stack_unlock(s);
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

static int leave(struct stack *s, int r) { return (int)leave_with(s, r); }

static bool is_sock(struct stack *s, int fd) { return stack_file(s, fd, FILE_SOCKET) != NULL; }

static struct file *sock_of(struct stack *s, int fd) { return stack_file(s, fd, FILE_SOCKET); }

/* ---- making and ending ---- */

static int hook_socket(void *u, int domain, int type, int protocol)
{
	struct stack *s = enter(u);

	return leave(s, sock_open(s, domain, type, protocol));
}

static int hook_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? sock_bind(s, fd, addr, len) : -EBADF);
}

static int hook_listen(void *u, int fd, int backlog)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? la_listen(s->engine, sock_of(s, fd)->sock, backlog) : -EBADF);
}

static int hook_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? sock_accept(s, fd, addr, len) : -EBADF);
}

static int hook_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? sock_connect(s, fd, addr, len) : -EBADF);
}

static int hook_close(void *u, int fd)
{
	struct stack *s = enter(u);

	if (is_sock(s, fd))
		return leave(s, sock_close(s, fd));
	if (stack_file(s, fd, FILE_EPOLL)) {
		stack_close(s, fd);
		return leave(s, 0);
	}
	return leave(s, syscall(SYS_close, fd) < 0 ? -errno : 0);
}

static int hook_shutdown(void *u, int fd, int how)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? la_shutdown(s->engine, sock_of(s, fd)->sock, how) : -EBADF);
}

/* ---- reading ---- */

/* NOLINTNEXTLINE(readability-function-size): the interface has them */
static ssize_t hook_recvfrom(void *u, int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
			     socklen_t *addr_len)
{
	struct stack *s = enter(u);

	if (addr_len)
		*addr_len = 0; /* as TCP of Linux: no name comes with a stream */
	return leave_with(s, is_sock(s, fd) ? sock_recv(s, fd, buf, len, flags) : -EBADF);
}

static ssize_t hook_recv(void *u, int fd, void *buf, size_t len, int flags)
{
	return hook_recvfrom(u, fd, buf, len, flags, NULL, NULL);
}

static ssize_t hook_read(void *u, int fd, void *buf, size_t len) { return hook_recv(u, fd, buf, len, 0); }

static ssize_t hook_readv(void *u, int fd, const struct iovec *iov, int n)
{
	struct stack *s = enter(u);

	if (n < 0 || !iov)
		return leave_with(s, n < 0 ? -EINVAL : -EFAULT);
	return leave_with(s, is_sock(s, fd) ? sock_recv_vector(s, fd, iov, (size_t)n, 0) : -EBADF);
}

static ssize_t hook_recvmsg(void *u, int fd, struct msghdr *msg, int flags)
{
	struct stack *s = enter(u);

	if (!msg)
		return leave_with(s, -EFAULT);
	return leave_with(s, is_sock(s, fd) ? sock_recvmsg(s, fd, msg, flags) : -EBADF);
}

/* ---- writing ---- */

static ssize_t hook_send(void *u, int fd, const void *buf, size_t len, int flags)
{
	struct stack *s = enter(u);

	return leave_with(s, is_sock(s, fd) ? sock_send(s, fd, buf, len, flags) : -EBADF);
}

/* NOLINTNEXTLINE(readability-function-size): the interface has them */
static ssize_t hook_sendto(void *u, int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
			   socklen_t addr_len)
{
	return hook_send(u, fd, buf, len, flags); /* a connected socket has its address */
}

static ssize_t hook_write(void *u, int fd, const void *buf, size_t len) { return hook_send(u, fd, buf, len, 0); }

static ssize_t send_vector(void *u, int fd, const struct iovec *iov, size_t n, int flags)
{
	struct stack *s = enter(u);

	return leave_with(s, is_sock(s, fd) ? sock_send_vector(s, fd, iov, n, flags) : -EBADF);
}

static ssize_t hook_writev(void *u, int fd, const struct iovec *iov, int n)
{
	return send_vector(u, fd, iov, n < 0 ? 0 : (size_t)n, 0);
}

static ssize_t hook_sendmsg(void *u, int fd, const struct msghdr *msg, int flags)
{
	return send_vector(u, fd, msg->msg_iov, msg->msg_iovlen, flags);
}

/* ---- flags and options ---- */

static int hook_fcntl(void *u, int fd, int cmd, ...)
{
	struct stack *s = enter(u);
	struct file *f = stack_file(s, fd, FILE_SOCKET);
	va_list ap;
	int arg;

	va_start(ap, cmd);
	arg = va_arg(ap, int);
	va_end(ap);
	if (!f)
		return leave(s, -EBADF);
	if (cmd == F_GETFL)
		return leave(s, O_RDWR | f->flags);
	if (cmd != F_SETFL)
		return leave(s, (int)syscall(SYS_fcntl, fd, cmd, arg));
	f->flags = arg & O_NONBLOCK;
	return leave(s, 0);
}

static int hook_ioctl(void *u, int fd, unsigned long request, ...)
{
	struct stack *s = enter(u);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return leave(s, is_sock(s, fd) ? sock_ioctl(s, fd, request, arg) : -EBADF);
}

static int hook_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? sock_get(s, fd, level, name, value, len) : -EBADF);
}

static int hook_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len)
{
	struct stack *s = enter(u);

	return leave(s, is_sock(s, fd) ? sock_set(s, fd, level, name, value, len) : -EBADF);
}

/* ---- waiting ---- */

static int hook_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct stack *s = enter(u);

	return leave(s, sock_poll(s, fds, n, timeout_ms));
}

static int hook_epoll_create(void *u, int size)
{
	struct stack *s = enter(u);

	return leave(s, size > 0 ? epoll_open(s) : -EINVAL);
}

static int hook_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event)
{
	struct stack *s = enter(u);

	return leave(s, epoll_change(s, epfd, op, fd, event));
}

static int hook_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct stack *s = enter(u);

	return leave(s, epoll_await(s, epfd, events, max, timeout_ms));
}

static int hook_pipe(void *u, int fds[2]) { return pipe(fds); }

/* It is a call for files of the kernel: ours are none. */
/* NOLINTNEXTLINE(readability-function-size): the interface has them */
static int hook_splice(void *u, int in, loff_t *off_in, int out, loff_t *off_out, size_t len, unsigned flags)
{
	errno = EINVAL;
	return -1;
}

/* ---- the wire and the clock ---- */

/* packetdrill chose our address before it loaded us; what it sends is for it. */
static void learn_destination(struct stack *s, const uint8_t *packet, size_t len)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (len >= 20 && packet[0] >> 4 == 4)
		memcpy(addr + 12, packet + 16, 4);
	else if (len >= 40 && packet[0] >> 4 == 6)
		memcpy(addr, packet + 24, sizeof(addr));
	else
		return;
	stack_learn_address(s, addr);
}

static int hook_netdev_send(void *u, const void *packet, size_t len)
{
	struct stack *s = enter(u);

	learn_destination(s, packet, len);
	stack_input(s, packet, len);
	return leave(s, 0);
}

static int hook_netdev_receive(void *u, void *packet, size_t *len, long long *time_us)
{
	struct stack *s = enter(u);
	const la_time last = s->now + (s->flags.still ? 0 : PATIENCE);

	for (unsigned i = 0; !s->first && i < RECEIVE_STEPS && s->now < last; i++)
		if (!stack_step(s, last - s->now))
			break;
	*len = stack_take(s, packet, *len, time_us);
	return leave(s, 0);
}

static int hook_usleep(void *u, useconds_t us)
{
	struct stack *s = enter(u);

	stack_run(s, s->now + (la_time)us * 1000);
	return leave(s, 0);
}

static int hook_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
	struct stack *s = u;

	pthread_mutex_lock(&s->lock);
	stack_look(s);
	tv->tv_sec = (time_t)(s->now / NSEC_PER_S);
	tv->tv_usec = (suseconds_t)(s->now % NSEC_PER_S / 1000);
	stack_unlock(s);
	return 0;
}

static void hook_free(void *u)
{
	the_stack = NULL;
	stack_free(u);
}

LA_API void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ret)
{
	the_stack = stack_new(flags);
	*ret = (struct packetdrill_interface){
		.userdata = the_stack,
		.free = hook_free,
		.socket = hook_socket,
		.bind = hook_bind,
		.listen = hook_listen,
		.accept = hook_accept,
		.connect = hook_connect,
		.read = hook_read,
		.readv = hook_readv,
		.recv = hook_recv,
		.recvfrom = hook_recvfrom,
		.recvmsg = hook_recvmsg,
		.write = hook_write,
		.writev = hook_writev,
		.send = hook_send,
		.sendto = hook_sendto,
		.sendmsg = hook_sendmsg,
		.fcntl = hook_fcntl,
		.ioctl = hook_ioctl,
		.close = hook_close,
		.shutdown = hook_shutdown,
		.getsockopt = hook_getsockopt,
		.setsockopt = hook_setsockopt,
		.poll = hook_poll,
		.netdev_send = hook_netdev_send,
		.netdev_receive = hook_netdev_receive,
		.usleep = hook_usleep,
		.gettimeofday = hook_gettimeofday,
		.epoll_create = hook_epoll_create,
		.epoll_ctl = hook_epoll_ctl,
		.epoll_wait = hook_epoll_wait,
		.pipe = hook_pipe,
		.splice = hook_splice,
	};
}

/* ---- instead of libc's ---- */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc names them __level and so on */
LA_API int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	if (the_stack && fd >= 0 && fd < FILES_MAX && the_stack->files[fd].kind == FILE_SOCKET)
		return hook_getsockopt(the_stack, fd, level, name, value, len);
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

LA_API int close(int fd)
{
	if (the_stack && fd >= 0 && fd < FILES_MAX && the_stack->files[fd].kind != FILE_NONE)
		return hook_close(the_stack, fd);
	return (int)syscall(SYS_close, fd);
}
