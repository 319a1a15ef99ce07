/* SPDX-License-Identifier: MIT */
#include "lab/interop/rig.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lab/space.h"

#define KERNEL4 "10.77.9.1"
#define ENGINE4 "10.77.9.2"
#define KERNEL6 "fd77:9::1"
#define ENGINE6 "fd77:9::2"

enum { SOCKETS = 1024, BUFFER = 256 * 1024, PROGRESS_MS = 200 };

struct la_endpoint rig_at(enum side side, bool ipv6, uint16_t port)
{
	static const struct la_endpoint at[2][N_SIDES] = {
		{[SIDE_ENGINE] = {{[10] = 0xff, 0xff, 10, 77, 9, 2}, 0},
		 [SIDE_KERNEL] = {{[10] = 0xff, 0xff, 10, 77, 9, 1}, 0}},
		{[SIDE_ENGINE] = {{0xfd, 0x77, 0, 9, [15] = 2}, 0}, [SIDE_KERNEL] = {{0xfd, 0x77, 0, 9, [15] = 1}, 0}},
	};
	struct la_endpoint p = at[ipv6][side];

	p.port = port;
	return p;
}

const char *rig_host(enum side side, bool ipv6)
{
	if (ipv6)
		return side == SIDE_ENGINE ? "[" ENGINE6 "]" : "[" KERNEL6 "]";
	return side == SIDE_ENGINE ? ENGINE4 : KERNEL4;
}

static int engine_up(struct rig *r, struct why *w)
{
	const struct interop_cfg *c = r->cfg;
	const struct la_config engine = {
		.seed = {c->seed, ~(uint64_t)c->seed},
		.max_sockets = SOCKETS,
		.send_buffer = BUFFER,
		.receive_buffer = BUFFER,
	};
	const struct drive_cfg drive = {
		.engine = &engine, .tun = r->tun, .seed = c->seed, .tap = c->tap, .tap_arg = c->tap_arg};
	int err = drive_new(&drive, &r->d, w);

	for (int six = 0; six < 2 && err == 0; six++)
		err = la_address_add(r->d->e, rig_at(SIDE_ENGINE, six, 0).addr);
	return err;
}

int rig_begin(struct rig *r, const struct interop_cfg *cfg, const struct record *record, struct why *w)
{
	const struct obs_cfg look = {.scope = OBS_NETNS_SELF, .depth = OBS_COUNTS, .root = record->dir};
	int err = space_guard(w);

	*r = (struct rig){.cfg = cfg, .record = record, .ns = -1, .tun = -1, .sums = cfg->sums};
	if (err)
		return err;
	r->ns = space_new(w);
	if (r->ns < 0)
		return r->ns;
	r->tun = space_tun((struct space_end){r->ns, "tun0", KERNEL4 "/24"}, w);
	if (r->tun < 0)
		return r->tun;
	if (!cfg->only_ipv4)
		err = space_ipv6((struct space_end){r->ns, "tun0", KERNEL6 "/64"}, w);
	if (err == 0)
		err = space_enter(r->ns, w);
	if (err == 0)
		err = obs_new(&look, &r->obs, w);
	return err ? err : engine_up(r, w);
}

void rig_end(struct rig *r)
{
	if (r->d) {
		const struct impair_stats *s[2] = {impair_stats(r->d->to_kernel), impair_stats(r->d->to_engine)};

		for (int i = 0; i < 2; i++) {
			r->sums->packets += s[i]->in;
			r->sums->lost += s[i]->lost + s[i]->overflowed;
			r->sums->duplicated += s[i]->duplicated;
			r->sums->reordered += s[i]->reordered;
		}
	}
	drive_free(r->d);
	obs_free(r->obs);
	if (r->tun >= 0)
		close(r->tun);
	if (r->ns >= 0)
		close(r->ns);
}

bool rig_knob(struct rig *r, enum side side, const char *name, const char *value)
{
	struct why w = {""};
	int err;

	if (side == SIDE_KERNEL)
		return space_sysctl(r->ns, name, value, &w) == 0 || rig_fail(r, "%s", w.text);
	err = la_knob_set(r->d->e, name, value);
	return err == 0 || rig_fail(r, "the engine refuses %s=%s: %s", name, value, strerror(-err));
}

int rig_family(const struct rig *r, int after)
{
	for (int six = after + 1; six < 2; six++)
		if (!(six ? r->cfg->only_ipv4 : r->cfg->only_ipv6))
			return six;
	return -1;
}

bool rig_fail(struct rig *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
	return false;
}

void rig_progress(struct rig *r, uint64_t done, uint64_t of)
{
	nsec_t now = drive_clock();

	if (!r->cfg->progress || (of && now - r->told_at < PROGRESS_MS * NSEC_PER_MS))
		return;
	r->told_at = now;
	fputs("\r\033[K", stderr);
	if (of)
		fprintf(stderr, "%llu of %llu", (unsigned long long)done, (unsigned long long)of);
	fflush(stderr);
}

bool rig_wait(struct rig *r, bool (*done)(void *arg), void *arg, unsigned ms)
{
	return drive_until(r->d, done, arg, drive_clock() + ms * NSEC_PER_MS);
}

const struct netns *rig_look(struct rig *r, struct snapshot *ret)
{
	struct why w = {""};
	int err = obs_snapshot(r->obs, ret, &w);

	if (err || ret->n_netns != 1) {
		rig_fail(r, "the kernel's side cannot be seen: %s", w.text);
		return NULL;
	}
	return &ret->netns[0];
}

uint64_t rig_engine_counter(const struct rig *r, const char *name)
{
	int i = la_counter_find(strncmp(name, "Tcp.", 4) == 0 ? name + 4 : name);

	return i < 0 ? 0 : la_counter(r->d->e, (unsigned)i);
}
