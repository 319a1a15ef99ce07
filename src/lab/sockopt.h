/* SPDX-License-Identifier: MIT */
/* sockopt.h - private to lab/: addresses and socket options that workers share. What fails here shows in what the doctor sees. */
#pragma once
#include "base/base.h"
#include <sys/socket.h>

void sockopt_int(int fd, int level, int name, int value);
void sockopt_keepalive(int fd, uint32_t every_s); /* 0: off */
void sockopt_timeouts(int fd); /* no blocking call on it may last longer than 5 s */
void send_bytes(int fd, uint32_t n); /* n zero bytes; stops at an error */
/* Either family; "::ffff:10.0.0.1" is IPv6 here. The length, or 0 when addr is no address. */
socklen_t sockaddr_parse(const char *addr, uint16_t port, struct sockaddr_storage *ret);
bool recv_bytes(int fd, uint32_t n); /* waits for them; false: end of file, reset or timeout before */
