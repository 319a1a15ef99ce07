/* SPDX-License-Identifier: MIT */
#include "lab/work_odd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab/sockopt.h"

enum { SNDBUF = 8192 };

static int start_one(const char *dst, uint16_t dport, int flags)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(dport)};
	int fd, err = 0;

	if (inet_pton(AF_INET, dst, &a.sin_addr) != 1)
		return -EINVAL;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	sockopt_timeouts(fd);
	sockopt_int(fd, SOL_SOCKET, SO_SNDBUF, SNDBUF);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
	}
	return err ? err : fd;
}

static bool note_outcome(struct work *w, int fd)
{
	if (fd >= 0) {
		w->stats->opened++;
		return true;
	}
	w->stats->failed++;
	w->stats->last_errno = -fd;
	work_say(w, EV_ERROR, -fd);
	return false;
}

void work_knock(struct work *w, const void *knock_cfg)
{
	const struct knock_cfg *cfg = knock_cfg;

	work_say(w, EV_READY, 0);
	if (cfg->wait_go)
		work_await_go(w);
	for (uint32_t i = 0; i < cfg->count && !w->stopped; i++)
		if (!note_outcome(w, start_one(cfg->dst, cfg->dport, SOCK_NONBLOCK)))
			break;
	work_say(w, EV_OPENED, (int)w->stats->opened);
	while (work_sleep_until(w, NSEC_NEVER))
		;
}

static void fill(int fd)
{
	static const char zeros[4096];

	while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

void work_abandon(struct work *w, const void *abandon_cfg)
{
	const struct abandon_cfg *cfg = abandon_cfg;
	int *fds = xcalloc(cfg->count, sizeof(*fds));
	uint32_t n = 0;

	work_say(w, EV_READY, 0);
	for (; n < cfg->count && !w->stopped; n++) {
		fds[n] = start_one(cfg->dst, cfg->dport, 0);
		if (!note_outcome(w, fds[n]))
			break;
		if (cfg->fill)
			fill(fds[n]);
	}
	work_say(w, EV_OPENED, (int)n);
	work_await_go(w);
	for (uint32_t i = 0; i < n; i++)
		close(fds[i]);
	w->stats->ended += n;
	free(fds);
}
