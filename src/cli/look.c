/* SPDX-License-Identifier: MIT */
#include "cli/look.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/complain.h"
#include "obs/closers.h"
#include "obs/trace.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 40, WIDTH_MAX = 500, PROGRESS_FROM_MS = 2000 };

const char *const severity_words[] = {
	[SEV_INFO] = "info",
	[SEV_WARN] = "warn",
	[SEV_CRIT] = "crit",
	NULL,
};

const char *const severity_or_never_words[] = {
	[SEV_INFO] = "info", [SEV_WARN] = "warn", [SEV_CRIT] = "crit", [SEV_NEVER] = "never", NULL,
};

static volatile sig_atomic_t stopped_by;

static void stop(int signo) { stopped_by = signo; }

enum obs_scope look_default_scope(void) { return geteuid() == 0 ? OBS_NETNS_ALL : OBS_NETNS_SELF; }

struct progress {
	struct trace *trace; /* NULL: closes are not followed */
	struct closers *closers;
	struct services *services;
	int error; /* of remembering them */
	struct why blind; /* why they are not followed, though that was wanted */
	FILE *err;
	double seconds;
	bool show, shown;
};

static void on_conn(void *ctx, const struct conn *c)
{
	struct progress *p = ctx;
	int err = closers_add(p->closers, c);

	if (!err && p->services)
		err = services_add(p->services, c);
	if (err)
		p->error = err;
}

static bool tick(void *ctx, double done)
{
	struct progress *p = ctx;

	if (p->trace && trace_poll(p->trace, 0, on_conn, p) < 0)
		p->error = -EIO;

	if (p->show) {
		fprintf(p->err, "\rlooking for %.0f s: %3.0f %%", p->seconds, done * 100);
		fflush(p->err);
		p->shown = true;
	}
	return !stopped_by;
}

static int complain_observe(int err, const struct why *w)
{
	const char *text = w->text[0] ? w->text : strerror(-err);

	if (err == -ENOMEM)
		return complain(EXIT_INTERNAL, "%s", text);
	return complain(EXIT_INCOMPLETE, "%s", text);
}

static int begin_trace(const struct look *l, struct obs *o, struct progress *p)
{
	struct why w = {""};
	int err;

	if (!l->trace)
		return 0;
	err = closers_new(&p->closers);
	if (!err)
		err = trace_new(&(struct trace_cfg){.netns = obs_netns(o)}, &p->trace, &w);
	if (err == -ENOMEM)
		return complain(EXIT_INTERNAL, "out of memory");
	if (err) {
		why_set(&p->blind, "%s", w.text[0] ? w.text : strerror(-err));
		return 0;
	}
	p->services = l->services;
	obs_closers(o, p->closers);
	return 0;
}

/* The last of the closes, and what is to be said of them. 0 or -errno. */
static int end_trace(struct progress *p, struct observation *o)
{
	struct missing m = {.what = "closes", .lost = "who closes connections first, and why", .blind = true};
	struct snapshot *now = &o->s[o->n - 1];

	if (p->blind.text[0]) {
		snprintf(m.why, sizeof(m.why), "%s", p->blind.text);
		return missing_add(&now->missing, &now->n_missing, &m);
	}
	if (!p->services)
		return 0;
	for (int again = 0; again < 2; again++) /* some ends are understood only a moment later */
		tick(p, 1);
	p->services->lost = trace_lost_conns(p->trace);
	services_window(p->services, o->s[0].taken_at, now->taken_at);
	return 0;
}

static int observe(struct obs *o, uint32_t interval_ms, struct progress *p, struct observation *ret)
{
	/* Once: who reads slowly loses nothing of a line, and a second signal ends a wait for who does not read at all. */
	struct sigaction on = {.sa_handler = stop, .sa_flags = SA_RESTART | (int)SA_RESETHAND}, old_int, old_term;
	struct why w = {""};
	int err;

	p->show = interval_ms > PROGRESS_FROM_MS && isatty(fileno(p->err));
	stopped_by = 0;
	sigaction(SIGINT, &on, &old_int);
	sigaction(SIGTERM, &on, &old_term);
	err = obs_observe(o, interval_ms, tick, p, ret, &w);
	if (!err && !p->error)
		p->error = end_trace(p, ret);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	if (p->shown)
		fputs("\r\033[K", p->err);
	if (p->error) {
		if (!err)
			observation_done(ret);
		return complain(EXIT_INTERNAL, "--trace: %s", strerror(-p->error));
	}
	if (stopped_by) {
		if (!err)
			observation_done(ret);
		return EXIT_SIGNAL + stopped_by;
	}
	return err ? complain_observe(err, &w) : 0;
}

int look(const struct look *l, struct observation *ret)
{
	struct obs_cfg cfg = {.scope = l->scope, .root = ""};
	struct progress p = {.err = complain_stream(), .seconds = l->interval_ms / 1000.0};
	struct obs *o = NULL;
	struct why w = {""};
	int err;

	if (l->netns && !obs_scope_parse(l->netns, &cfg))
		return complain_usage("--netns: '%s' is neither all, self, a process id nor a name", l->netns);
	cfg.depth = l->depth;
	err = obs_new(&cfg, &o, &w);
	if (err == -ENOENT || err == -ESRCH)
		return complain_usage("--netns: %s", w.text[0] ? w.text : "no such namespace");
	if (err)
		return complain_observe(err, &w);
	err = begin_trace(l, o, &p);
	if (!err)
		err = observe(o, l->interval_ms, &p, ret);
	trace_free(p.trace);
	closers_free(p.closers);
	obs_free(o);
	return err;
}

static unsigned width_of(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	long width = 0;

	if (fileno(out) >= 0 && ioctl(fileno(out), TIOCGWINSZ, &ws) == 0)
		width = ws.ws_col;
	if (width == 0 && columns)
		width = strtol(columns, NULL, 10);
	if (width <= 0)
		return WIDTH_DEFAULT;
	return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : (unsigned)width;
}

struct style look_style(FILE *out, bool verbose)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool tty = fileno(out) >= 0 && isatty(fileno(out));

	return (struct style){
		.colour = tty && !(no_colour && no_colour[0]) && !(term && strcmp(term, "dumb") == 0),
		.verbose = verbose,
		.width = width_of(out),
	};
}
