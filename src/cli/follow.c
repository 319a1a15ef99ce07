/* SPDX-License-Identifier: MIT */
#include "cli/follow.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "diag/cause.h"

static nsec_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

static int counts_begin(const struct follow *f, struct follow_counts *k)
{
	*k = (struct follow_counts){.since = monotonic(), .lost_before = trace_lost_conns(f->trace)};
	services_init(&k->services, k->since ^ (uint64_t)getpid());
	k->services.live = true;
	return closers_new(&k->closers);
}

static void counts_end(struct follow_counts *k)
{
	services_done(&k->services);
	closers_free(k->closers);
	k->closers = NULL;
}

int follow_begin(struct follow *f, uint64_t netns)
{
	int err;

	*f = (struct follow){.trace = NULL};
	err = trace_new(&(struct trace_cfg){.netns = netns}, &f->trace, &f->why);
	if (err == -ENOMEM)
		return err;
	if (err) {
		if (!f->why.text[0])
			why_set(&f->why, "%s", strerror(-err));
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_LEN(f->counts) && err == 0; i++)
		err = counts_begin(f, &f->counts[i]);
	return err;
}

void follow_end(struct follow *f)
{
	trace_free(f->trace);
	for (unsigned i = 0; i < ARRAY_LEN(f->counts); i++)
		counts_end(&f->counts[i]);
	f->trace = NULL;
}

static void on_conn(void *ctx, const struct conn *c)
{
	struct follow *f = ctx;

	for (unsigned i = 0; i < ARRAY_LEN(f->counts) && !f->error; i++) {
		f->error = closers_add(f->counts[i].closers, c);
		if (!f->error)
			f->error = services_add(&f->counts[i].services, c);
	}
}

int follow_turn(struct follow *f)
{
	if (!f->trace || monotonic() - f->counts[1].since < FOLLOW_S * NSEC_PER_S)
		return 0;
	counts_end(&f->counts[0]);
	f->counts[0] = f->counts[1];
	return counts_begin(f, &f->counts[1]);
}

int follow_step(struct follow *f)
{
	int err;

	if (!f->trace)
		return 0;
	err = trace_poll(f->trace, 0, on_conn, f);
	return err ? err : f->error;
}

const struct closers *follow_closers(const struct follow *f) { return f->trace ? f->counts[0].closers : NULL; }

uint64_t follow_lost(const struct follow *f)
{
	return f->trace ? trace_lost_conns(f->trace) - f->counts[0].lost_before : 0;
}

int follow_judge(struct follow *f, const struct snapshot *s, struct findings *to)
{
	struct findings causes = {.v = NULL};
	struct follow_counts *k = &f->counts[0];
	int err;

	if (!f->trace)
		return 0;
	services_window(&k->services, k->since, monotonic());
	k->services.lost = follow_lost(f);
	err = causes_diagnose(&k->services, NULL, &causes);
	if (!err)
		causes_fold(to, &causes, s);
	findings_done(&causes);
	return err;
}
