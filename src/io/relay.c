/* SPDX-License-Identifier: MIT */
#include "io/relay.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "io/tun.h"

enum { BATCH = 64 };

static nsec_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

/* Up to a batch from a device into the path that leads away from it; how many, or -errno. */
static int take_in(int fd, struct impair *path, nsec_t now)
{
	uint8_t buf[IMPAIR_PACKET_MAX + 1];

	for (int i = 0; i < BATCH; i++) {
		int n = tun_read(fd, buf, sizeof(buf));

		if (n <= 0)
			return n < 0 ? n : i;
		impair_put(path, now, buf, (size_t)n);
	}
	return BATCH;
}

/* What a full or sleeping device does not take is lost, as on any link. */
static void give_out(struct impair *path, int fd, nsec_t now)
{
	const void *packet;

	for (size_t len; (len = impair_get(path, now, &packet)) != 0;)
		(void)tun_write(fd, packet, len);
}

static void await(const struct relay_cfg *c, struct impair *const path[2], nsec_t now)
{
	struct pollfd p[3] = {{.fd = c->fd[0], .events = POLLIN},
			      {.fd = c->fd[1], .events = POLLIN},
			      {.fd = c->stop_fd, .events = POLLIN}};
	nsec_t at = c->until;
	struct timespec t;

	for (int i = 0; i < 2; i++)
		if (impair_next_at(path[i]) < at)
			at = impair_next_at(path[i]);
	at = at > now ? at - now : 0;
	t = (struct timespec){.tv_sec = (time_t)(at / NSEC_PER_S), .tv_nsec = (long)(at % NSEC_PER_S)};
	ppoll(p, 3, &t, NULL);
}

static bool told_to_stop(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, 0) == 1;
}

static int carry(const struct relay_cfg *c, struct impair *const path[2], struct why *w)
{
	nsec_t now;

	do {
		int busy = 0;

		now = now_ns();

		for (int i = 0; i < 2; i++) {
			int n = take_in(c->fd[i], path[!i], now);

			if (n < 0)
				return why_errno(w, -n, "read tun device");
			busy += n;
		}
		for (int i = 0; i < 2; i++)
			give_out(path[i], c->fd[i], now);
		if (busy == 0)
			await(c, path, now);
	} while (now < c->until && !told_to_stop(c->stop_fd));
	return 0;
}

int tun_relay(const struct relay_cfg *cfg, struct impair_stats ret[2], struct why *w)
{
	struct impair *path[2] = {impair_new(&cfg->toward[0], cfg->seed),
				  impair_new(&cfg->toward[1], cfg->seed ^ UINT64_C(0x9e3779b97f4a7c15))};
	int err = path[0] && path[1] ? carry(cfg, path, w) : why_errno(w, ENOMEM, "relay");

	for (int i = 0; i < 2; i++) {
		ret[i] = path[i] ? *impair_stats(path[i]) : (struct impair_stats){0};
		impair_free(path[i]);
	}
	return err;
}
