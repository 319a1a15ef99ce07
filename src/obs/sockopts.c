/* SPDX-License-Identifier: MIT */
#include "obs/sockopts.h"
#include <errno.h>
#include <linux/tcp.h> /* struct tcp_info with tcpi_segs_in; netinet/tcp.h of glibc stops before it */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KERNEL_TCP_CLOSE = 7 }; /* include/net/tcp_states.h */

int pidfd(int32_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

static bool int_opt(int sock, int level, int name, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(sock, level, name, ret, &len) == 0;
}

int tcp_borrow(int pidfd, int fd)
{
	int sock = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), protocol;

	if (sock < 0)
		return -errno;
	if (int_opt(sock, SOL_SOCKET, SO_PROTOCOL, &protocol) && protocol == IPPROTO_TCP)
		return sock;
	close(sock);
	return -ENOTSOCK;
}

static bool flag(int sock, int level, int name)
{
	int v = 0;

	return int_opt(sock, level, name, &v) && v;
}

static struct sockopts ask(int sock)
{
	struct sockopts o = {.known = true, .linger_s = -1};
	struct linger linger = {0};
	socklen_t len = sizeof(linger);
	int ms = 0;

	o.reuseaddr = flag(sock, SOL_SOCKET, SO_REUSEADDR);
	o.reuseport = flag(sock, SOL_SOCKET, SO_REUSEPORT);
	o.keepalive = flag(sock, SOL_SOCKET, SO_KEEPALIVE);
	o.bind_address_no_port = flag(sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	if (getsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff)
		o.linger_s = linger.l_linger;
	if (int_opt(sock, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms) && ms > 0)
		o.user_timeout_ms = (uint32_t)ms;
	return o;
}

int sockopts_read(int32_t pid, int fd, uint64_t inode, struct sockopts *ret)
{
	int process = pidfd(pid), sock, err = 0;
	struct stat st;

	if (process < 0)
		return process;
	sock = tcp_borrow(process, fd);
	close(process);
	if (sock < 0)
		return sock;
	if (inode && (fstat(sock, &st) < 0 || st.st_ino != inode))
		err = -ESTALE;
	else
		*ret = ask(sock);
	close(sock);
	return err;
}

static void address(const struct sockaddr_storage *a, struct ip *ip, uint16_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	if (a->ss_family == AF_INET) {
		*ip = ip_v4(&v4->sin_addr);
		*port = ntohs(v4->sin_port);
	} else if (a->ss_family == AF_INET6) {
		*ip = ip_v6(&v6->sin6_addr);
		*port = ntohs(v6->sin6_port);
	}
}

struct sock_facts sock_facts(int sock)
{
	struct sock_facts f = {.dead = false};
	struct sockaddr_storage a = {0};
	struct tcp_info info = {0};
	socklen_t len = sizeof(a), info_len = sizeof(info);

	if (getsockname(sock, (struct sockaddr *)&a, &len) == 0)
		address(&a, &f.local, &f.lport);
	len = sizeof(a);
	if (getpeername(sock, (struct sockaddr *)&a, &len) == 0)
		address(&a, &f.peer, &f.pport);
	/*
	 * A socket that was never connected is in CLOSE too, but no segment was ever counted for it: not even the RST
	 * that refuses a connect().
	 */
	if (getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &info_len) == 0 && info.tcpi_state == KERNEL_TCP_CLOSE)
		f.dead = info.tcpi_segs_in || info.tcpi_bytes_received || info.tcpi_bytes_acked;
	return f;
}
