/* SPDX-License-Identifier: MIT */
#include "cli/follow.h"
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli/complain.h"
#include "obs/trace.h"

enum { PROGRESS_FROM_MS = 2000 };

static volatile sig_atomic_t stopped_by;

static void stop(int signo) { stopped_by = signo; }

static nsec_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

struct following {
	struct services *services;
	bool failed; /* no memory */
};

static void on_conn(void *ctx, const struct conn *c)
{
	struct following *f = ctx;

	f->failed |= services_add(f->services, c) != 0;
}

/* 0, or -errno. */
static int poll_until(struct trace *t, nsec_t end, struct following *f)
{
	int err = 0;

	while (!err && !stopped_by && monotonic() < end)
		err = trace_poll(t, TRACE_TICK_MS, on_conn, f);
	for (int again = 0; !err && again < 2; again++) /* for ends that are understood only a moment later */
		err = trace_poll(t, 0, on_conn, f);
	return f->failed ? -ENOMEM : err;
}

static int run(struct trace *t, uint32_t ms, struct services *ret)
{
	struct sigaction on = {.sa_handler = stop}, old_int, old_term;
	struct following f = {.services = ret};
	FILE *progress = complain_stream();
	nsec_t from = monotonic();
	struct trace_lost lost;
	int err;

	stopped_by = 0;
	sigaction(SIGINT, &on, &old_int);
	sigaction(SIGTERM, &on, &old_term);
	if (ms > PROGRESS_FROM_MS && isatty(fileno(progress))) {
		fprintf(progress, "\rfollowing closes for %u s", ms / 1000);
		fflush(progress);
	}
	err = poll_until(t, from + ms * NSEC_PER_MS, &f);
	if (ms > PROGRESS_FROM_MS && isatty(fileno(progress)))
		fputs("\r\033[K", progress);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	lost = trace_lost(t);
	ret->lost = lost.records + lost.sockets + lost.events;
	services_window(ret, from, monotonic());
	if (stopped_by)
		return EXIT_SIGNAL + stopped_by;
	return err ? complain(EXIT_INTERNAL, "%s", err == -ENOMEM ? "out of memory" : strerror(-err)) : 0;
}

int follow_closes(uint32_t ms, struct services *ret, struct why *blind)
{
	struct trace_cfg cfg = {0};
	struct trace *t = NULL;
	int err, code;

	services_init(ret, monotonic() ^ (uint64_t)getpid());
	ret->live = true;
	err = trace_new(&cfg, &t, blind);
	if (err == -ENOMEM)
		return complain(EXIT_INTERNAL, "out of memory");
	if (err) {
		if (!blind->text[0])
			why_set(blind, "%s", strerror(-err));
		return 0;
	}
	code = run(t, ms, ret);
	trace_free(t);
	if (code)
		services_done(ret);
	return code;
}
