/* SPDX-License-Identifier: MIT */
/* epoll.c - poll() and epoll over the engine's sockets, level and edge. */
#include "packetdrill/epoll.h"
#include "packetdrill/sock.h"

#include <errno.h>
#include <stdlib.h>

static la_time until(const struct stack *s, int timeout_ms)
{
	return timeout_ms < 0 ? LA_NEVER : s->now + (la_time)timeout_ms * NSEC_PER_MS;
}

/* ---- poll ---- */

static int look_at_all(const struct stack *s, struct pollfd *fds, nfds_t n)
{
	int ready = 0;

	for (nfds_t i = 0; i < n; i++) {
		const int fd = fds[i].fd;
		const struct file *f = fd >= 0 && fd < FILES_MAX ? &s->files[fd] : NULL;

		fds[i].revents = 0;
		if (f && f->kind == FILE_SOCKET)
			fds[i].revents = (short)(sock_ready(s, f) & ((uint32_t)fds[i].events | POLLERR | POLLHUP));
		else if (fd >= 0)
			fds[i].revents = POLLNVAL;
		ready += fds[i].revents != 0;
	}
	return ready;
}

int sock_poll(struct stack *s, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	const la_time deadline = until(s, timeout_ms);
	int ready;

	while ((ready = look_at_all(s, fds, n)) == 0 && timeout_ms)
		if (!stack_wait(s, deadline))
			return look_at_all(s, fds, n);
	return ready;
}

/* ---- epoll ---- */

/* Linux wakes for every arrival; the engine tells of a socket that became readable. What arrived tells the rest. */
static uint64_t received(const struct stack *s, int fd)
{
	struct la_tcp_info info;

	return la_tcp_info(s->engine, s->files[fd].sock, &info) < 0 ? 0 : info.tcpi_bytes_received;
}

static struct epoll_item *item_of(const struct file *ep, int fd)
{
	for (unsigned i = 0; i < ep->n_items; i++)
		if (ep->items[i].fd == fd)
			return &ep->items[i];
	return NULL;
}

void epoll_raise(struct stack *s, int fd)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct epoll_item *item = s->files[i].kind == FILE_EPOLL ? item_of(&s->files[i], fd) : NULL;

		if (item)
			item->has_edge = true;
	}
}

void epoll_forget(struct stack *s, int fd)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct file *ep = &s->files[i];
		struct epoll_item *item = ep->kind == FILE_EPOLL ? item_of(ep, fd) : NULL;

		if (item)
			*item = ep->items[--ep->n_items];
	}
}

int epoll_open(struct stack *s)
{
	const int fd = stack_open(s, FILE_EPOLL, 0);

	if (fd < 0)
		return fd;
	s->files[fd].items = calloc(EPOLL_ITEMS_MAX, sizeof(struct epoll_item));
	if (s->files[fd].items)
		return fd;
	stack_close(s, fd);
	return -ENOMEM;
}

static void set_item(const struct stack *s, struct epoll_item *item, int fd, const struct epoll_event *ev)
{
	*item = (struct epoll_item){
		.fd = fd, .events = ev->events, .data = ev->data.u64, .has_edge = true, .received = received(s, fd)};
}

int epoll_change(struct stack *s, int epfd, int op, int fd, const struct epoll_event *ev)
{
	struct file *ep = stack_file(s, epfd, FILE_EPOLL);
	struct epoll_item *item;

	if (!ep || !stack_file(s, fd, FILE_SOCKET))
		return ep ? -EBADF : -EINVAL;
	if (op != EPOLL_CTL_DEL && !ev)
		return -EFAULT;
	item = item_of(ep, fd);
	if (op == EPOLL_CTL_ADD) {
		if (item || ep->n_items == EPOLL_ITEMS_MAX)
			return item ? -EEXIST : -ENOSPC;
		set_item(s, &ep->items[ep->n_items++], fd, ev);
		return 0;
	}
	if (!item)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL)
		*item = ep->items[--ep->n_items];
	else if (op == EPOLL_CTL_MOD)
		set_item(s, item, fd, ev);
	else
		return -EINVAL;
	return 0;
}

/* What this item has to tell now. */
static uint32_t item_look(const struct stack *s, struct epoll_item *item)
{
	const uint32_t events = sock_ready(s, &s->files[item->fd]) & (item->events | EPOLLERR | EPOLLHUP);
	const uint64_t n = received(s, item->fd);

	if (n != item->received)
		item->has_edge = true;
	item->received = n;
	if (item->is_off || (item->events & EPOLLET && !item->has_edge))
		return 0;
	if (events) {
		item->has_edge = false;
		item->is_off = item->events & EPOLLONESHOT;
	}
	return events;
}

static int take_ready(const struct stack *s, struct file *ep, struct epoll_event *events, int max)
{
	int n = 0;

	for (unsigned i = 0; i < ep->n_items && n < max; i++) {
		const uint32_t what = item_look(s, &ep->items[i]);

		if (what)
			events[n++] = (struct epoll_event){.events = what, .data.u64 = ep->items[i].data};
	}
	return n;
}

int epoll_await(struct stack *s, int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct file *ep = stack_file(s, epfd, FILE_EPOLL);
	const la_time deadline = until(s, timeout_ms);
	int n;

	if (!ep || max <= 0)
		return -EINVAL;
	while ((n = take_ready(s, ep, events, max)) == 0 && timeout_ms)
		if (!stack_wait(s, deadline))
			return take_ready(s, ep, events, max);
	return n;
}
