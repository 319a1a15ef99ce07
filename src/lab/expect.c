/* SPDX-License-Identifier: MIT */
#include "lab/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "obs/obs.h"

enum { LOOK_EVERY_MS = 100 };

static bool is_of(const struct finding *f, const char *comm)
{
	size_t n = strlen(comm);

	return strncmp(f->process, comm, n) == 0 && f->process[n] == '[';
}

const struct finding *lab_expect_of(struct lab *l, const struct sight *s, const char *id, const char *comm,
				    enum severity at_least)
{
	for (size_t i = 0; i < s->found.n; i++) {
		const struct finding *f = &s->found.v[i];

		if (strcmp(f->rule->id, id) != 0 || f->severity < at_least || !is_of(f, comm))
			continue;
		lab_note(l, "%s %s: %s (because %s)", severity_name(f->severity), id, f->what, f->evidence);
		return f;
	}
	lab_expect(l, s, id, at_least); /* when there is none at all, the log shows what there is */
	for (size_t i = 0; i < s->found.n; i++)
		lab_note(l, "%s %s blames \"%s\": %s", severity_name(s->found.v[i].severity), s->found.v[i].rule->id,
			 s->found.v[i].process, s->found.v[i].what);
	lab_fail(l, "doctor reported %s, but does not blame %s for it at this severity", id, comm);
}

static void pause_a_little(void)
{
	const struct timespec t = {.tv_nsec = LOOK_EVERY_MS * (long)NSEC_PER_MS};

	nanosleep(&t, NULL);
}

void lab_await_at_most(struct lab *l, int ns, enum sock_state state, uint32_t n, unsigned timeout_s)
{
	nsec_t until = work_now() + timeout_s * NSEC_PER_S;
	uint32_t seen;

	while ((seen = lab_count(l, ns, state)) > n) {
		if (work_now() > until)
			lab_fail(l, "still %u sockets in %s after %u s, at most %u were expected", seen,
				 state_descs[state].netstat, timeout_s, n);
		pause_a_little();
	}
}

uint64_t lab_sockstat(struct lab *l, int ns, const char *name)
{
	struct why w = {0};
	char line[256] = "", key[32];
	const char *at = NULL;
	FILE *f;

	if (space_enter(ns, &w))
		lab_fail(l, "%s", w.text);
	f = fopen("/proc/net/sockstat", "re");
	while (f && fgets(line, sizeof(line), f) && strncmp(line, "TCP:", 4) != 0)
		;
	if (f)
		fclose(f);
	if (space_host(&w))
		lab_fail(l, "%s", w.text);
	snprintf(key, sizeof(key), " %s ", name);
	at = strstr(line, key);
	if (!at)
		lab_fail(l, "/proc/net/sockstat has no %s", name);
	return strtoull(at + strlen(key), NULL, 10);
}

void lab_await_sockstat(struct lab *l, int ns, const char *name, uint64_t n, unsigned timeout_s)
{
	nsec_t until = work_now() + timeout_s * NSEC_PER_S;
	uint64_t seen;

	while ((seen = lab_sockstat(l, ns, name)) > n) {
		if (work_now() > until)
			lab_fail(l, "sockstat %s is still %" PRIu64 " after %u s, at most %" PRIu64 " was expected",
				 name, seen, timeout_s, n);
		pause_a_little();
	}
}

const struct sight *lab_look_from_host(struct lab *l, pid_t pid, uint32_t interval_ms)
{
	const struct obs_cfg cfg = {.scope = OBS_NETNS_PID, .pid = pid, .depth = OBS_LEAKS, .root = l->root};
	struct sight *s = xcalloc(1, sizeof(*s)); /* the process ends with the experiment */
	struct why w = {0};
	struct obs *o;

	if (space_host(&w) || obs_new(&cfg, &o, &w))
		lab_fail(l, "the doctor cannot look: %s", w.text);
	if (obs_observe(o, interval_ms, NULL, NULL, &s->obs, &w))
		lab_fail(l, "the doctor saw nothing: %s", w.text);
	obs_free(o);
	if (diagnose(&s->obs, NULL, &s->found))
		lab_fail(l, "out of memory");
	return s;
}
