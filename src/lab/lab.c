/* SPDX-License-Identifier: MIT */
#include "lab/lab.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "lab/harness.h"

enum { JOBS_PER_CPU = 4 };

struct job {
	const struct experiment *exp;
	struct outcome *outcome;
	pid_t pid; /* 0: not started, -1: ended */
	int log; /* memfd */
	nsec_t began_at, ended_at;
};

struct run {
	const struct lab_cfg *cfg;
	FILE *out;
	struct record record;
	struct job *jobs;
	size_t n_jobs, next, running;
	bool live; /* one experiment that may write to out itself */
	struct json json;
	struct lab_totals totals;
};

void lab_list(FILE *out, bool json)
{
	struct json j;

	if (!json) {
		for (size_t i = 0; i < n_experiments; i++)
			fprintf(out, "%-11s %3u s  %s\n", experiments[i]->id, experiments[i]->seconds,
				experiments[i]->title);
		return;
	}
	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_key(&j, "experiments");
	json_array(&j);
	for (size_t i = 0; i < n_experiments; i++) {
		json_object(&j);
		json_kv_str(&j, "id", experiments[i]->id);
		json_kv_str(&j, "title", experiments[i]->title);
		json_kv_str(&j, "does", experiments[i]->does);
		json_kv_uint(&j, "seconds", experiments[i]->seconds);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}

/* ---- one job ---- */

static void show_log(const struct run *r, const struct job *j)
{
	char line[512];
	FILE *f;

	if (!r->cfg->verbose || lseek(j->log, 0, SEEK_SET) != 0)
		return;
	f = fdopen(dup(j->log), "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		fprintf(r->out, "      %s", line);
	fclose(f);
}

static void tell_json(struct run *r, const struct job *j, const char *result)
{
	json_object(&r->json);
	json_kv_str(&r->json, "id", j->exp->id);
	json_kv_str(&r->json, "result", result);
	json_kv_real(&r->json, "seconds", (double)(j->ended_at - j->began_at) / (double)NSEC_PER_S);
	json_kv_str(&r->json, "reason", j->outcome->reason);
	json_object_end(&r->json);
}

static void tell(struct run *r, const struct job *j)
{
	static const char *const words[] = {"FAIL", "PASS", "FAIL", "SKIP"};
	static const char *const results[] = {"failed", "passed", "failed", "skipped"};
	enum verdict v = j->outcome->verdict;

	r->totals.passed += v == VERDICT_PASS;
	r->totals.skipped += v == VERDICT_SKIP;
	r->totals.failed += v == VERDICT_FAIL || v == VERDICT_NONE;
	if (r->cfg->json) {
		tell_json(r, j, results[v]);
	} else {
		fprintf(r->out, "%s  %-11s %5.1f s  %s\n", words[v], j->exp->id,
			(double)(j->ended_at - j->began_at) / (double)NSEC_PER_S,
			v == VERDICT_PASS ? j->exp->title : j->outcome->reason);
		show_log(r, j);
	}
	fflush(r->out);
}

/*
 * veth hands segments to the processor of whoever sends them, so two processors reorder them. An ACK that comes after the
 * FIN which it was sent before is answered from TIME_WAIT, the client has closed, and its RST ends the TIME_WAIT (RFC 1337;
 * seen on 6.18: one of 300, in one run of 30). The experiments are about other things.
 */
static void stay_on_one_processor(size_t nth)
{
	cpu_set_t may, one;
	unsigned cpu = 0;

	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	nth %= (size_t)CPU_COUNT(&may);
	while (!CPU_ISSET(cpu, &may) || nth-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static int start(struct run *r, struct job *j)
{
	pid_t me = getpid();

	fflush(NULL);
	j->began_at = work_now();
	j->pid = fork();
	if (j->pid < 0)
		return -errno;
	if (j->pid == 0) {
		struct lab l = {
			.exp = j->exp,
			.client = -1,
			.server = -1,
			.middle = -1,
			.root = r->record.dir, /* there is no etc/ in it */
			.outcome = j->outcome,
			.cfg = r->cfg,
			.record = &r->record,
		};

		l.log = fdopen(j->log, "w");
		l.out = r->live ? r->out : l.log;
		must(l.log != NULL);
		if (!j->exp->alone)
			stay_on_one_processor((size_t)(j - r->jobs));
		experiment_process(&l, me);
	}
	r->running++;
	return 0;
}

static void finish(struct run *r, struct job *j, int status)
{
	j->ended_at = work_now();
	j->pid = -1;
	r->running--;
	if (j->outcome->verdict == VERDICT_NONE && WIFSIGNALED(status))
		snprintf(j->outcome->reason, sizeof(j->outcome->reason), "ended by %s%s", strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGALRM ? ": it took too long" : "");
	else if (j->outcome->verdict == VERDICT_NONE)
		snprintf(j->outcome->reason, sizeof(j->outcome->reason), "ended without a verdict");
	tell(r, j);
}

/* ---- all of them ---- */

static void reap(struct run *r)
{
	for (size_t i = 0; i < r->n_jobs; i++) {
		struct job *j = &r->jobs[i];
		int status;

		if (j->pid > 0 && waitpid(j->pid, &status, WNOHANG) == j->pid)
			finish(r, j, status);
	}
}

static void end_all(struct run *r)
{
	for (size_t i = 0; i < r->n_jobs; i++) {
		if (r->jobs[i].pid <= 0)
			continue;
		kill(r->jobs[i].pid, SIGKILL); /* its workers follow: PR_SET_PDEATHSIG */
		waitpid(r->jobs[i].pid, NULL, 0);
	}
}

static unsigned default_jobs(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (unsigned)(cpus > 0 ? cpus : 1) * JOBS_PER_CPU;
}

/* One that must be alone waits for all others; they stand before it, so none is held up by it. */
static bool may_start(const struct run *r, unsigned jobs)
{
	if (r->next == r->n_jobs || r->running >= jobs)
		return false;
	return r->running == 0 || !r->jobs[r->next].exp->alone;
}

static int supervise(struct run *r)
{
	unsigned jobs = r->cfg->jobs ? r->cfg->jobs : default_jobs();
	sigset_t set, old;
	int err = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* workers of an ended experiment become ours, to be waited for */
	while (err == 0 && (r->next < r->n_jobs || r->running > 0)) {
		int sig;

		while (err == 0 && may_start(r, jobs))
			err = start(r, &r->jobs[r->next++]);
		if (err)
			break;
		sig = sigwaitinfo(&set, NULL);
		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) {
			r->totals.signal = sig;
			break;
		}
		reap(r);
	}
	end_all(r);
	record_await(&r->record);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int longest_first(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	if (x->exp->alone != y->exp->alone)
		return x->exp->alone ? 1 : -1;
	if (x->exp->seconds != y->exp->seconds)
		return x->exp->seconds > y->exp->seconds ? -1 : 1;
	return strcmp(x->exp->id, y->exp->id);
}

static void add_job(struct run *r, const struct experiment *e)
{
	for (size_t i = 0; i < r->n_jobs; i++)
		if (r->jobs[i].exp == e)
			return;
	r->jobs[r->n_jobs++] = (struct job){.exp = e, .log = -1};
}

static int choose(struct run *r, char *const *ids, size_t n_ids, struct why *w)
{
	r->jobs = xcalloc(n_experiments, sizeof(*r->jobs));
	for (size_t i = 0; i < n_ids; i++) {
		const struct experiment *e = experiment_find(ids[i]);

		if (strcasecmp(ids[i], "all") == 0) {
			for (size_t k = 0; k < n_experiments; k++)
				add_job(r, experiments[k]);
		} else if (e) {
			add_job(r, e);
		} else {
			why_set(w, "no such experiment: %s", ids[i]);
			return -EINVAL;
		}
	}
	qsort(r->jobs, r->n_jobs, sizeof(*r->jobs), longest_first);
	return 0;
}

static int prepare(struct run *r, struct why *w)
{
	int err = space_guard(w);

	for (size_t i = 0; err == 0 && i < r->n_jobs; i++) {
		r->jobs[i].log = memfd_create("lab-log", MFD_CLOEXEC);
		if (r->jobs[i].log < 0)
			err = why_errno(w, errno, "memfd_create");
	}
	return err ? err : record_open(&r->record, w);
}

static void skip_all(struct run *r)
{
	for (size_t i = 0; i < r->n_jobs; i++) {
		struct job *j = &r->jobs[i];

		j->outcome->verdict = VERDICT_SKIP;
		snprintf(j->outcome->reason, sizeof(j->outcome->reason), "needs root");
		tell(r, j);
	}
	r->totals.not_permitted = true;
}

static void json_head(struct run *r)
{
	json_begin(&r->json, r->out, true);
	json_object(&r->json);
	json_kv_int(&r->json, "schema", 1);
	json_key(&r->json, "experiments");
	json_array(&r->json);
}

static void json_foot(struct run *r)
{
	json_array_end(&r->json);
	json_kv_uint(&r->json, "passed", r->totals.passed);
	json_kv_uint(&r->json, "failed", r->totals.failed);
	json_kv_uint(&r->json, "skipped", r->totals.skipped);
	json_object_end(&r->json);
	json_end(&r->json);
}

static int run_jobs(struct run *r, struct why *w)
{
	struct outcome *outcomes = mmap(NULL, n_experiments * sizeof(*outcomes), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool root = geteuid() == 0;
	int err;

	if (outcomes == MAP_FAILED)
		return why_errno(w, errno, "mmap");
	for (size_t i = 0; i < r->n_jobs; i++)
		r->jobs[i].outcome = &outcomes[i];
	err = root ? prepare(r, w) : 0;
	if (err == 0) {
		if (r->cfg->json)
			json_head(r);
		if (!root)
			skip_all(r);
		else
			err = supervise(r);
		if (err)
			why_errno(w, -err, "start an experiment");
		if (r->cfg->json)
			json_foot(r);
		else
			fprintf(r->out, "%u passed, %u failed, %u skipped%s\n", r->totals.passed, r->totals.failed,
				r->totals.skipped, r->totals.signal ? " (interrupted)" : "");
		if (root)
			record_close(&r->record);
	}
	for (size_t i = 0; i < r->n_jobs; i++)
		if (r->jobs[i].log >= 0)
			close(r->jobs[i].log);
	munmap(outcomes, n_experiments * sizeof(*outcomes));
	return err;
}

int lab_run(const struct lab_cfg *cfg, char *const *ids, size_t n_ids, FILE *out, struct lab_totals *ret, struct why *w)
{
	struct run r = {.cfg = cfg, .out = out};
	int err = choose(&r, ids, n_ids, w);

	r.live = r.n_jobs == 1 && !cfg->json;
	if (err == 0)
		err = run_jobs(&r, w);
	free(r.jobs);
	if (err == 0)
		*ret = r.totals;
	return err;
}
