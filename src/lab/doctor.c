/* SPDX-License-Identifier: MIT */
#include "lab/experiment.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "lab/harness.h"
#include "obs/obs.h"

enum { LOOK_EVERY_MS = 25 };

static struct obs *open_obs(struct lab *l, int ns, bool processes)
{
	const struct obs_cfg cfg = {
		.scope = OBS_NETNS_SELF, .depth = processes ? OBS_LEAKS : OBS_COUNTS, .root = l->root};
	struct why w = {0};
	struct obs *o;

	if (space_enter(ns, &w) || obs_new(&cfg, &o, &w))
		lab_fail(l, "the doctor cannot look: %s", w.text);
	return o;
}

static void close_obs(struct lab *l, struct obs *o)
{
	struct why w = {0};

	obs_free(o);
	if (space_host(&w))
		lab_fail(l, "%s", w.text);
}

struct starter {
	struct lab *l;
	struct worker *w; /* NULL: nobody to start */
};

static bool tick(void *ctx, double done)
{
	struct starter *s = ctx;

	if (s->w)
		lab_order(s->l, s->w, ORDER_GO);
	s->w = NULL;
	return true;
}

const struct sight *lab_look_while(struct lab *l, int ns, uint32_t interval_ms, struct worker *worker)
{
	struct starter starter = {l, worker};
	struct sight *s = xcalloc(1, sizeof(*s)); /* freed by the end of the process */
	struct obs *o = open_obs(l, ns, true);
	struct why w = {0};

	if (obs_observe(o, interval_ms, tick, &starter, &s->obs, &w))
		lab_fail(l, "the doctor saw nothing: %s", w.text);
	close_obs(l, o);
	must(starter.w == NULL); /* or it would never have begun */
	if (diagnose(&s->obs, NULL, &s->found))
		lab_fail(l, "out of memory");
	return s;
}

const struct sight *lab_look(struct lab *l, int ns, uint32_t interval_ms)
{
	return lab_look_while(l, ns, interval_ms, NULL);
}

const struct netns *sight_netns(const struct sight *s)
{
	const struct snapshot *now = observation_now(&s->obs);

	must(now->n_netns == 1);
	return &now->netns[0];
}

uint32_t lab_count(struct lab *l, int ns, enum sock_state state)
{
	struct obs *o = open_obs(l, ns, false);
	struct snapshot s = {0};
	struct why w = {0};
	uint32_t n;

	if (obs_snapshot(o, &s, &w))
		lab_fail(l, "the doctor saw nothing: %s", w.text);
	close_obs(l, o);
	n = s.netns[0].states.n[state];
	snapshot_done(&s);
	return n;
}

void lab_await_state(struct lab *l, int ns, enum sock_state state, uint32_t n, unsigned timeout_s)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * (long)NSEC_PER_MS};
	nsec_t until = work_now() + timeout_s * NSEC_PER_S;
	uint32_t seen = 0;

	while (work_now() < until) {
		seen = lab_count(l, ns, state);
		if (seen >= n)
			return;
		nanosleep(&pause, NULL);
	}
	lab_fail(l, "%u sockets in %s after %u s, %u were expected", seen, state_descs[state].netstat, timeout_s, n);
}

/* ---- judging ---- */

static void note_finding(struct lab *l, const struct finding *f)
{
	lab_note(l, "%s %s: %s", severity_name(f->severity), f->rule->id, f->what);
	lab_note(l, "    because %s", f->evidence);
	if (f->process[0])
		lab_note(l, "    process %s", f->process);
	for (size_t i = 0; i < f->n_remedies; i++)
		lab_note(l, "    %zu. %s%s%s", i + 1, f->remedies[i].action, f->remedies[i].command[0] ? ": " : "",
			 f->remedies[i].command);
}

static void note_all(struct lab *l, const struct sight *s)
{
	const struct netns *ns = sight_netns(s);

	lab_note(l, "doctor said %zu things:", s->found.n);
	for (size_t i = 0; i < s->found.n; i++)
		note_finding(l, &s->found.v[i]);
	for (size_t i = 0; i < ns->n_missing; i++)
		lab_note(l, "missing %s: %s", ns->missing[i].what, ns->missing[i].why);
	for (int i = 0; i < N_STATES; i++)
		if (ns->states.n[i])
			lab_note(l, "%u %s", ns->states.n[i], state_descs[i].netstat);
}

const struct finding *sight_find(const struct sight *s, const char *id)
{
	for (size_t i = 0; i < s->found.n; i++)
		if (strcmp(s->found.v[i].rule->id, id) == 0)
			return &s->found.v[i];
	return NULL;
}

const struct finding *lab_expect(struct lab *l, const struct sight *s, const char *id, enum severity at_least)
{
	const struct finding *best = NULL;

	for (size_t i = 0; i < s->found.n; i++) {
		const struct finding *f = &s->found.v[i];

		if (strcmp(f->rule->id, id) == 0 && (!best || f->severity > best->severity))
			best = f;
	}
	if (!best) {
		note_all(l, s);
		lab_fail(l, "doctor did not report %s (it said %zu other things)", id, s->found.n);
	}
	if (best->severity < at_least) {
		note_all(l, s);
		lab_fail(l, "%s is only \"%s\": %s", id, severity_name(best->severity), best->what);
	}
	lab_expect_that(l, best->what[0] && best->evidence[0], "%s has no words or no evidence", id);
	note_finding(l, best);
	return best;
}

void lab_expect_without(struct lab *l, const struct sight *s, const char *id)
{
	const struct finding *f = sight_find(s, id);

	if (!f)
		return;
	note_all(l, s);
	lab_fail(l, "doctor reported %s without cause: %s", id, f->what);
}

void lab_expect_silent(struct lab *l, const struct sight *s, enum severity from)
{
	for (size_t i = 0; i < s->found.n; i++) {
		const struct finding *f = &s->found.v[i];

		if (f->severity < from)
			continue;
		note_all(l, s);
		lab_fail(l, "doctor should be silent but says %s %s: %s", severity_name(f->severity), f->rule->id,
			 f->what);
	}
}

void lab_expect_text(struct lab *l, const char *which, const char *text, const char *part)
{
	if (!strstr(text, part))
		lab_fail(l, "%s does not say \"%s\": %s", which, part, text);
}

void lab_expect_that(struct lab *l, bool holds, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (holds)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	lab_fail(l, "%s", text);
}
