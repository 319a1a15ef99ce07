/* SPDX-License-Identifier: MIT */
#include "lab/sockopt.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

socklen_t sockaddr_parse(const char *addr, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (inet_pton(AF_INET6, addr, &v6.sin6_addr) != 1)
		return 0;
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

void sockopt_int(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

void sockopt_keepalive(int fd, uint32_t every_s)
{
	if (every_s == 0)
		return;
	sockopt_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sockopt_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)every_s);
	sockopt_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)every_s);
	sockopt_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void sockopt_timeouts(int fd)
{
	const struct timeval t = {.tv_sec = 5};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

void send_bytes(int fd, uint32_t n)
{
	static const char zeros[4096];

	while (n > 0) {
		ssize_t sent = send(fd, zeros, n < sizeof(zeros) ? n : sizeof(zeros), MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		n -= (uint32_t)sent;
	}
}

bool recv_bytes(int fd, uint32_t n)
{
	char buf[4096];

	while (n > 0) {
		ssize_t got = recv(fd, buf, n < sizeof(buf) ? n : sizeof(buf), 0);

		if (got <= 0)
			return false;
		n -= (uint32_t)got;
	}
	return true;
}
