/* SPDX-License-Identifier: MIT */
#include "lab/experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "lab/harness.h"

static struct worker workers[WORKERS_MAX];
static size_t n_workers;

static void raise_fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static _Noreturn void live(struct work *w, void (*body)(struct work *, const void *), const void *cfg)
{
	alarm(WORK_LIFE_S);
	raise_fd_limit();
	body(w, cfg);
	work_say(w, EV_DONE, 0);
	_exit(0);
}

struct worker *lab_work(struct lab *l, int ns, const char *comm, void (*body)(struct work *, const void *),
			const void *cfg)
{
	struct worker *w = &workers[n_workers];
	struct why why = {0};
	int ev[2], orders[2];
	pid_t me = getpid();

	must(n_workers < WORKERS_MAX);
	if (pipe2(ev, O_CLOEXEC) || pipe2(orders, O_CLOEXEC | O_NONBLOCK))
		lab_fail(l, "pipe: %s", strerror(errno));
	*w = (struct worker){.events = ev[0], .orders = orders[1]};
	copy_printable(w->comm, sizeof(w->comm), comm);
	w->stats = mmap(NULL, sizeof(*w->stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->stats == MAP_FAILED)
		lab_fail(l, "mmap: %s", strerror(errno));
	fflush(NULL);
	w->pid = fork();
	if (w->pid < 0)
		lab_fail(l, "fork: %s", strerror(errno));
	if (w->pid == 0) {
		struct work in = {.events = ev[1], .orders = orders[0], .stats = w->stats};

		child_begin(me, w->comm, l->record);
		for (size_t i = 0; i <= n_workers; i++) { /* or no worker would see its orders end with us */
			close(workers[i].events);
			close(workers[i].orders);
		}
		if (space_enter(ns, &why))
			_exit(3);
		live(&in, body, cfg);
	}
	close(ev[1]);
	close(orders[0]);
	n_workers++;
	return w;
}

/* The next event of w, or NULL when it has ended, or the time is over. */
static const char *next_event(struct worker *w, nsec_t until, struct work_message *ret)
{
	struct pollfd p = {.fd = w->events, .events = POLLIN};
	nsec_t now = work_now();
	int ms = until > now ? (int)((until - now) / NSEC_PER_MS) + 1 : 0;
	int n = poll(&p, 1, ms);

	if (n == 0)
		return "said nothing in time";
	if (n < 0 || read(w->events, ret, sizeof(*ret)) != (ssize_t)sizeof(*ret))
		return "ended";
	return NULL;
}

int lab_await(struct lab *l, struct worker *w, enum work_event event, unsigned timeout_s)
{
	static const char *const names[] = {
		[EV_READY] = "ready", [EV_OPENED] = "opened", [EV_HANDLED] = "handled",
		[EV_ERROR] = "error", [EV_DONE] = "done",
	};
	nsec_t until = work_now() + timeout_s * NSEC_PER_S;
	struct work_message m = {0};

	for (;;) {
		const char *bad = next_event(w, until, &m);

		if (bad)
			lab_fail(l, "%s %s (awaited \"%s\"; opened %llu, failed %llu, errno %d)", w->comm, bad,
				 names[event], (unsigned long long)w->stats->opened,
				 (unsigned long long)w->stats->failed, w->stats->last_errno);
		if (m.event == event)
			break;
		if (m.event == EV_ERROR && event == EV_READY)
			lab_fail(l, "%s: %s", w->comm, strerror(m.value));
	}
	w->at = m.at;
	return m.value;
}

struct worker *lab_serve(struct lab *l, int ns, const char *comm, const struct server_cfg *cfg)
{
	struct worker *w = lab_work(l, ns, comm, work_server, cfg);

	lab_await(l, w, EV_READY, 10);
	return w;
}

struct worker *lab_client(struct lab *l, int ns, const char *comm, const struct client_cfg *cfg)
{
	struct worker *w = lab_work(l, ns, comm, work_client, cfg);

	lab_await(l, w, EV_READY, 10);
	return w;
}

void lab_order(struct lab *l, struct worker *w, enum work_order order)
{
	const char c = (char)order;

	if (write(w->orders, &c, 1) != 1)
		lab_fail(l, "%s takes no orders: %s", w->comm, strerror(errno));
}

static void bury(struct worker *w)
{
	waitpid(w->pid, NULL, 0);
	close(w->events);
	close(w->orders);
	w->events = w->orders = -1;
	w->pid = 0;
}

void lab_stop(struct lab *l, struct worker *w)
{
	const char c = (char)ORDER_STOP;

	must(w->pid > 0);
	if (write(w->orders, &c, 1) != 1 && errno != EPIPE) /* EPIPE: it ended by itself */
		lab_fail(l, "%s takes no orders: %s", w->comm, strerror(errno));
	bury(w);
}

void lab_kill(struct lab *l, struct worker *w)
{
	must(w->pid > 0);
	kill(w->pid, SIGKILL);
	bury(w);
}
