/* SPDX-License-Identifier: MIT */
#include "lab/work.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

nsec_t work_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

void work_say(struct work *w, enum work_event event, int value)
{
	const struct work_message m = {.event = event, .value = value, .at = work_now()};

	if (write(w->events, &m, sizeof(m)) != (ssize_t)sizeof(m))
		w->stopped = true; /* nobody listens any more */
}

enum work_order work_ordered(struct work *w)
{
	char c;
	ssize_t n = read(w->orders, &c, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ORDER_NONE;
	if (n == 1 && c == ORDER_GO)
		return ORDER_GO;
	w->stopped = true;
	return ORDER_STOP;
}

bool work_sleep_until(struct work *w, nsec_t at)
{
	struct pollfd p = {.fd = w->orders, .events = POLLIN};
	nsec_t now = work_now(), wait;
	struct timespec t;

	if (w->stopped)
		return false;
	wait = at > now ? at - now : 0;
	t = (struct timespec){.tv_sec = (time_t)(wait / NSEC_PER_S), .tv_nsec = (long)(wait % NSEC_PER_S)};
	if (ppoll(&p, 1, at == NSEC_NEVER ? NULL : &t, NULL) > 0)
		work_ordered(w);
	return !w->stopped;
}

void work_await_go(struct work *w)
{
	struct pollfd p = {.fd = w->orders, .events = POLLIN};

	while (!w->stopped) {
		if (poll(&p, 1, -1) > 0 && work_ordered(w) == ORDER_GO)
			return;
	}
}
