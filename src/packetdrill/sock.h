/* SPDX-License-Identifier: MIT */
/* sock.h - the BSD calls that block, on top of the engine's that do not. All with the lock held; -errno on error. */
#pragma once
#include "packetdrill/stack.h"

#include <sys/socket.h>
#include <sys/uio.h>

int sock_open(struct stack *s, int domain, int type, int protocol);
int sock_bind(struct stack *s, int fd, const struct sockaddr *addr, socklen_t len);
int sock_connect(struct stack *s, int fd, const struct sockaddr *addr, socklen_t len);
int sock_accept(struct stack *s, int fd, struct sockaddr *addr, socklen_t *len);
int sock_close(struct stack *s, int fd);
ssize_t sock_recv(struct stack *s, int fd, void *buf, size_t len, int flags);
ssize_t sock_send(struct stack *s, int fd, const void *buf, size_t len, int flags);
ssize_t sock_recv_vector(struct stack *s, int fd, const struct iovec *iov, size_t n, int flags);
ssize_t sock_send_vector(struct stack *s, int fd, const struct iovec *iov, size_t n, int flags);
ssize_t sock_recvmsg(struct stack *s, int fd, struct msghdr *msg, int flags);

void sock_peer(struct stack *s, const struct file *f, struct sockaddr *addr,
	       socklen_t *len); /* its name, if it is wanted */
uint32_t sock_ready(const struct stack *s, const struct file *f); /* EPOLLIN | ... */
int sock_count(const struct stack *s, const struct file *f, enum la_ioctl what); /* 0 if there is no connection */

int sock_set(struct stack *s, int fd, int level, int name, const void *value, socklen_t len);
int sock_get(struct stack *s, int fd, int level, int name, void *value, socklen_t *len);
int sock_ioctl(struct stack *s, int fd, unsigned long request, void *arg);
