/* SPDX-License-Identifier: MIT */
#include "cli/tracing.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/complain.h"
#include "diag/cause.h"

static nsec_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

static bool of_cgroup(const struct tracing_filter *f, uint64_t id)
{
	for (size_t i = 0; i < f->n_cgroups; i++)
		if (f->cgroups[i] == id)
			return true;
	return !f->n_cgroups;
}

static bool of_proc(const struct tracing_filter *f, const struct conn_proc *p)
{
	return (!f->pid || p->pid == f->pid) && (!f->comm || strncmp(f->comm, p->comm, CONN_COMM - 1) == 0) &&
	       of_cgroup(f, p->cgroup);
}

bool tracing_wants(const struct tracing_filter *f, const struct conn *c)
{
	if (!of_proc(f, &c->opener) && !of_proc(f, &c->closer))
		return false;
	if (f->port && c->port[SIDE_CLIENT] != f->port && c->port[SIDE_SERVER] != f->port)
		return false;
	return !f->dst.family || ip_eq(f->dst, c->addr[SIDE_SERVER]);
}

static void on_conn(void *ctx, const struct conn *c)
{
	struct tracing *t = ctx;

	if (!tracing_wants(&t->filter, c))
		return;
	t->failed |= services_add(&t->services, c) != 0;
	if (!t->each)
		return;
	if (t->json) {
		struct json j;

		json_begin(&j, t->out, false);
		report_close_json(&j, c, t->wall);
		json_end(&j);
	} else {
		report_close_text(t->out, c, t->wall, &t->line);
	}
}

int tracing_begin(struct tracing *t, const struct trace_cfg *cfg)
{
	nsec_t now = clock_ns(CLOCK_MONOTONIC), wall = clock_ns(CLOCK_REALTIME);
	struct why w = {""};
	int err = trace_new(cfg, &t->trace, &w);

	if (err == -ENOMEM)
		return complain(EXIT_INTERNAL, "out of memory");
	if (err)
		return complain(EXIT_INCOMPLETE, "%s; lastack status and doctor work without it",
				w.text[0] ? w.text : strerror(-err));
	/* When a thousand processes close at once the reader must not be one among them, or the ring overflows. */
	t->priority = getpriority(PRIO_PROCESS, 0);
	(void)setpriority(PRIO_PROCESS, 0, PRIO_MIN);
	t->line = t->style;
	t->line.verbose = fileno(t->out) < 0 || !isatty(fileno(t->out)); /* a file takes lines of any length */
	services_init(&t->services, wall ^ (uint64_t)getpid());
	t->services.live = true;
	t->wall = (int64_t)(wall - now);
	t->from = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

/* What is to be done after records were handed over. 0, or an exit code. */
static int after(const struct tracing *t, int err)
{
	if (t->each)
		fflush(t->out);
	if (t->failed)
		return complain(EXIT_INTERNAL, "out of memory");
	return err ? complain(EXIT_INTERNAL, "BPF ring buffer: %s", strerror(-err)) : 0;
}

int tracing_step(struct tracing *t, unsigned ms) { return after(t, trace_poll(t->trace, ms, on_conn, t)); }

static void summary_json(struct tracing *t, const struct findings *f, struct trace_lost lost)
{
	struct json j;

	json_begin(&j, t->out, false);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_kv_uint(&j, "lost_records", lost.records);
	json_kv_uint(&j, "lost_sockets", lost.sockets);
	json_kv_uint(&j, "lost_ends", lost.ends);
	json_kv_uint(&j, "lost_events", lost.events);
	report_services_json(&j, &t->services, f);
	json_object_end(&j);
	json_end(&j);
}

static int summarise(struct tracing *t, int *ret_worst)
{
	struct trace_lost lost = trace_lost(t->trace);
	struct findings f = {.v = NULL};

	services_window(&t->services, t->from, clock_ns(CLOCK_MONOTONIC));
	t->services.lost = trace_lost_conns(t->trace);
	t->services.unseen = lost.events;
	if (causes_diagnose(&t->services, NULL, &f) != 0)
		return complain(EXIT_INTERNAL, "out of memory");
	if (t->json)
		summary_json(t, &f, lost);
	else
		report_services_text(t->out, &t->services, &f, &t->style);
	for (size_t i = 0; i < f.n; i++)
		if ((int)f.v[i].severity > *ret_worst)
			*ret_worst = (int)f.v[i].severity;
	findings_done(&f);
	return 0;
}

int tracing_end(struct tracing *t, int *ret_worst)
{
	int code = tracing_step(t, 0);

	/* Once more, for ends that are understood only a moment later. */
	if (!code)
		code = tracing_step(t, 0);
	if (!code)
		code = after(t, trace_rest(t->trace, on_conn, t));
	*ret_worst = -1;
	if (!code && !t->silent)
		code = summarise(t, ret_worst);
	trace_free(t->trace);
	services_done(&t->services);
	free(t->filter.cgroups);
	(void)setpriority(PRIO_PROCESS, 0, t->priority);
	return code;
}
