/* SPDX-License-Identifier: MIT */
#include "cli/sim_jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { JOBS_MAX = 256, PROGRESS_AFTER_MS = 2000, PROGRESS_EVERY_MS = 200 };

struct job { /* of one process */
	struct sim_totals sum;
	struct sim_report failure;
	uint64_t at; /* which run: its seed is the first one plus this */
	bool failed;
	int err;
	pid_t pid; /* 0: over */
};

struct shared { /* by parent and children */
	_Atomic uint64_t done, first_failed; /* runs; UINT64_MAX: none yet */
	struct job job[JOBS_MAX];
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *map(size_t size, int how)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int sim_run_one(const struct sim_cfg *cfg, struct sim_report *ret)
{
	void *mem = map(sim_size(), MAP_PRIVATE);

	if (!mem)
		return -errno;
	sim_run(mem, cfg, ret);
	munmap(mem, sim_size());
	return ret->err;
}

static void failed_at(struct shared *s, uint64_t run)
{
	uint64_t first = atomic_load(&s->first_failed);

	while (run < first && !atomic_compare_exchange_weak(&s->first_failed, &first, run))
		continue;
}

/* Every jobs-th run. What comes after a failure need not be run, what comes before it must: the lowest is told. */
static void work(struct shared *s, unsigned me, unsigned jobs, const struct sim_cfg *cfg, uint64_t runs)
{
	struct job *j = &s->job[me];
	void *mem = map(sim_size(), MAP_PRIVATE);

	j->err = mem ? 0 : -errno;
	for (uint64_t i = me; i < runs && !j->err && i < atomic_load(&s->first_failed); i += jobs) {
		struct sim_cfg c = *cfg;

		c.seed += i;
		j->at = i;
		sim_run(mem, &c, &j->failure);
		j->err = j->failure.err;
		if (j->failure.verdict.failed) {
			j->failed = true;
			failed_at(s, i);
			return;
		}
		sim_add(&j->sum, &j->failure.totals);
		atomic_fetch_add(&s->done, 1);
	}
}

static int start(struct shared *s, unsigned jobs, const struct sim_cfg *cfg, uint64_t runs)
{
	pid_t parent = getpid();

	for (unsigned i = 0; i < jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent)
				work(s, i, jobs, cfg, runs);
			_exit(0);
		}
		s->job[i].pid = pid;
	}
	return 0;
}

static void stop(struct shared *s, unsigned jobs)
{
	for (unsigned i = 0; i < jobs; i++)
		if (s->job[i].pid > 0)
			kill(s->job[i].pid, SIGKILL);
	for (unsigned i = 0; i < jobs; i++)
		if (s->job[i].pid > 0)
			waitpid(s->job[i].pid, NULL, 0);
}

static void show_progress(uint64_t done, uint64_t runs, double seconds)
{
	fprintf(stderr, "\r%s of %s runs, %s/s ", num(done).s, num(runs).s, rate_text((double)done / seconds).s);
	fflush(stderr);
}

/* A process that died takes its run with it: that run failed. */
static void note_end(struct shared *s, struct job *j, int status)
{
	j->pid = 0;
	if (WIFSIGNALED(status)) {
		j->failed = true;
		j->err = -WTERMSIG(status);
		failed_at(s, j->at);
	}
}

static void wait_all(struct shared *s, unsigned jobs, uint64_t runs, bool progress)
{
	const struct timespec pause = {0, PROGRESS_EVERY_MS * 1000000L};
	double began = now_s();
	bool shown = false;

	for (unsigned left = jobs; left > 0;) {
		int status;
		pid_t pid = waitpid(-1, &status, progress ? WNOHANG : 0);

		for (unsigned i = 0; i < jobs && pid > 0; i++)
			if (s->job[i].pid == pid) {
				note_end(s, &s->job[i], status);
				left--;
			}
		if (pid != 0)
			continue;
		if ((now_s() - began) * 1000 > PROGRESS_AFTER_MS) {
			show_progress(atomic_load(&s->done), runs, now_s() - began);
			shown = true;
		}
		nanosleep(&pause, NULL);
	}
	if (shown)
		fputs("\r\033[K", stderr);
}

static int collect(const struct shared *s, unsigned jobs, uint64_t first_seed, struct sim_jobs_result *ret)
{
	uint64_t first = atomic_load(&s->first_failed);

	for (unsigned i = 0; i < jobs; i++) {
		const struct job *j = &s->job[i];

		sim_add(&ret->sum, &j->sum);
		if (j->failed && j->at == first) {
			ret->failed = true;
			ret->failure = j->failure;
			ret->failure.seed = first_seed + first;
			ret->died_of = -j->err;
		} else if (!j->failed && j->err) {
			return j->err;
		}
	}
	return 0;
}

int sim_jobs_run(const struct sim_cfg *cfg, uint64_t runs, unsigned jobs, bool progress, struct sim_jobs_result *ret)
{
	struct shared *s = map(sizeof(*s), MAP_SHARED);
	double began = now_s();
	int err;

	memset(ret, 0, sizeof(*ret));
	if (!s)
		return -errno;
	jobs = jobs > JOBS_MAX ? JOBS_MAX : jobs > runs ? (unsigned)runs : jobs;
	atomic_store(&s->first_failed, UINT64_MAX);
	err = start(s, jobs, cfg, runs);
	if (err) {
		stop(s, jobs);
	} else {
		wait_all(s, jobs, runs, progress);
		err = collect(s, jobs, cfg->seed, ret);
	}
	ret->seconds = now_s() - began;
	munmap(s, sizeof(*s));
	return err;
}
