/* SPDX-License-Identifier: MIT */
/* epoll.h - waiting for several sockets. With the lock held; -errno on error. */
#pragma once
#include "packetdrill/stack.h"

#include <poll.h>
#include <sys/epoll.h>

int sock_poll(struct stack *s, struct pollfd *fds, nfds_t n, int timeout_ms);
int epoll_open(struct stack *s);
int epoll_change(struct stack *s, int epfd, int op, int fd, const struct epoll_event *ev);
int epoll_await(struct stack *s, int epfd, struct epoll_event *events, int max, int timeout_ms);
