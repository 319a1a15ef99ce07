/* SPDX-License-Identifier: MIT */
#include "lab/interop/drive.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "io/toobig.h"
#include "io/tun.h"

enum { BATCH = 64, READY_MAX = 64 };

nsec_t drive_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

static int begin(struct drive *d, struct why *w)
{
	struct la_config c = *d->cfg.engine;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}; /* NULL: the device */
	size_t size;

	c.now = d->now = drive_clock();
	size = la_size(&c);
	if (size == 0) {
		why_set(w, "the engine refuses its configuration");
		return -EINVAL;
	}
	d->mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
	d->to_kernel = impair_new(&d->cfg.impair, d->cfg.seed);
	d->to_engine = impair_new(&d->cfg.impair, ~d->cfg.seed);
	if (!d->mem || !d->to_kernel || !d->to_engine || la_init(d->mem, size, &c, &d->e))
		return why_errno(w, ENOMEM, "engine");
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->cfg.tun, &ev))
		return why_errno(w, errno, "epoll");
	return 0;
}

void drive_impair(struct drive *d, const struct impair_cfg *cfg)
{
	impair_set(d->to_kernel, cfg);
	impair_set(d->to_engine, cfg);
	d->mtu = cfg->mtu;
}

int drive_new(const struct drive_cfg *cfg, struct drive **ret, struct why *w)
{
	struct drive *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return why_errno(w, ENOMEM, "engine");
	d->cfg = *cfg;
	d->epoll = -1;
	d->wake_at = NSEC_NEVER;
	d->mtu = cfg->impair.mtu;
	err = begin(d, w);
	if (err)
		drive_free(d);
	else
		*ret = d;
	return err;
}

void drive_free(struct drive *d)
{
	if (!d)
		return;
	if (d->epoll >= 0)
		close(d->epoll);
	impair_free(d->to_kernel);
	impair_free(d->to_engine);
	free(d->mem);
	free(d);
}

int drive_watch(struct drive *d, struct drive_fd *f, struct why *w)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = f};

	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, f->fd, &ev) == 0)
		return 0;
	if (errno == EEXIST && epoll_ctl(d->epoll, EPOLL_CTL_MOD, f->fd, &ev) == 0)
		return 0;
	return why_errno(w, errno, "epoll");
}

void drive_hook(struct drive *d, la_sock s, struct drive_sock *hook)
{
	(void)la_user_set(d->e, s, (uint64_t)(uintptr_t)hook);
}

static void tap(const struct drive *d, const void *packet, size_t len)
{
	if (d->cfg.tap)
		d->cfg.tap(d->cfg.tap_arg, packet, len);
}

/* A packet onto its path, or the answer to it onto the path back. */
static void put(struct drive *d, struct impair *path, const void *packet, size_t len)
{
	uint8_t answer[TOOBIG_MAX];

	if (impair_fits(path, len)) {
		impair_put(path, d->now, packet, len);
		return;
	}
	len = toobig_write(answer, packet, len, d->mtu);
	if (len)
		impair_put(path == d->to_kernel ? d->to_engine : d->to_kernel, d->now, answer, len);
}

static void from_kernel(struct drive *d)
{
	uint8_t buf[IMPAIR_PACKET_MAX + 1];
	const void *packet;

	for (int i = 0; i < BATCH; i++) {
		int n = tun_read(d->cfg.tun, buf, sizeof(buf));

		if (n <= 0)
			break;
		put(d, d->to_engine, buf, (size_t)n);
	}
	for (size_t len; (len = impair_get(d->to_engine, d->now, &packet)) != 0;) {
		tap(d, packet, len);
		la_input(d->e, d->now, packet, len);
	}
}

static void to_kernel(struct drive *d)
{
	uint8_t buf[IMPAIR_PACKET_MAX];
	const void *packet;

	for (size_t len; (len = la_output(d->e, d->now, buf, sizeof(buf))) != 0;) {
		tap(d, buf, len);
		put(d, d->to_kernel, buf, len);
	}
	for (size_t len; (len = impair_get(d->to_kernel, d->now, &packet)) != 0;)
		if (tun_write(d->cfg.tun, packet, len))
			d->device_full++;
}

static void tell_events(struct drive *d)
{
	for (struct la_event ev; la_event(d->e, &ev);) {
		struct drive_sock *hook = (struct drive_sock *)(uintptr_t)ev.user; // NOLINT(performance-no-int-to-ptr)

		if (hook)
			hook->ready(hook, ev.events);
	}
}

/* Everything that can be done now. */
static void turn(struct drive *d)
{
	d->now = drive_clock();
	la_advance(d->e, d->now);
	from_kernel(d);
	tell_events(d);
	to_kernel(d);
}

static nsec_t earliest(nsec_t a, nsec_t b) { return a < b ? a : b; }

static void wait_until(struct drive *d, nsec_t until)
{
	struct epoll_event ev[READY_MAX];
	nsec_t at = earliest(earliest(impair_next_at(d->to_engine), impair_next_at(d->to_kernel)), la_next_at(d->e)),
	       ns;
	struct timespec t;
	int n;

	at = earliest(at, earliest(until, d->wake_at));
	ns = at > d->now ? at - d->now : 0;
	t = (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_S), .tv_nsec = (long)(ns % NSEC_PER_S)};
	n = epoll_pwait2(d->epoll, ev, READY_MAX, &t, NULL);
	if (n > 0) {
		d->now = drive_clock();
		la_advance(d->e, d->now);
	}
	for (int i = 0; i < n; i++) {
		struct drive_fd *f = ev[i].data.ptr;

		if (f)
			f->ready(f, ev[i].events);
	}
}

bool drive_until(struct drive *d, bool (*done)(void *arg), void *arg, nsec_t until)
{
	for (;;) {
		turn(d);
		if (done(arg))
			return true;
		if (d->now >= until)
			return false;
		wait_until(d, until);
	}
}
