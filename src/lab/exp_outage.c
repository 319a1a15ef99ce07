/* SPDX-License-Identifier: MIT */
/* exp_outage.c - the classic incident, told as it happens. What it prints is the demo: 80 columns, plain text. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "lab/experiment.h"
#include "lab/lab.h"

enum { PER_S = 100, PORTS = 500, BAR = 25, TEXT_COLUMNS = 76, CALM_S = 6 };

struct story {
	struct lab *l;
	struct worker *shop;
	nsec_t began_at, ticked_at;
	uint64_t opened, failed; /* at the last tick */
	double ok_per_s, errors_per_s; /* over the last tick */
};

static void say(const struct story *t, const char *fmt, ...) PRINTF(2, 3);
static void say(const struct story *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(t->l->out, fmt, ap);
	va_end(ap);
	fflush(t->l->out);
}

/* Words wrapped at TEXT_COLUMNS behind an indent. */
static void say_wrapped(const struct story *t, unsigned indent, const char *text)
{
	size_t column = indent;

	say(t, "%*s", (int)indent, "");
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + 1 + len > TEXT_COLUMNS) {
			say(t, "\n%*s", (int)indent, "");
			column = indent;
		}
		say(t, "%s%.*s", column > indent ? " " : "", (int)len, text);
		column += len + (column > indent);
		text += len;
		text += strspn(text, " ");
	}
	say(t, "\n");
}

static double seconds_of(const struct story *t, nsec_t at) { return (double)(at - t->began_at) / (double)NSEC_PER_S; }

/* TIME_WAITs in the service's namespace, as /proc/net/sockstat of a process inside tells them. */
static unsigned time_waits(const struct story *t)
{
	char path[48], line[256];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/net/sockstat", (int)t->shop->pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		const char *tw = strncmp(line, "TCP:", 4) == 0 ? strstr(line, " tw ") : NULL;

		if (tw)
			n = (unsigned)strtoul(tw + 4, NULL, 10);
	}
	fclose(f);
	return n;
}

/* Waits for the next full second of the story and takes the rates since the last one. */
static void tick(struct story *t)
{
	nsec_t now = work_now(), due = t->began_at;
	struct timespec until;
	uint64_t opened, failed;
	double s;

	due += (1 + (now - t->began_at) / NSEC_PER_S) * NSEC_PER_S;
	until = (struct timespec){.tv_sec = (time_t)(due / NSEC_PER_S), .tv_nsec = (long)(due % NSEC_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	now = work_now();
	opened = t->shop->stats->opened;
	failed = t->shop->stats->failed;
	s = (double)(now - t->ticked_at) / (double)NSEC_PER_S;
	t->ok_per_s = (double)(opened - t->opened) / s;
	t->errors_per_s = (double)(failed - t->failed) / s;
	t->opened = opened;
	t->failed = failed;
	t->ticked_at = now;
}

static void say_head(const struct story *t)
{
	say(t, "\n   time    ok/s  errors/s  TIME_WAIT  each sign is 4 requests/s: + ok, x failed\n");
}

static void say_tick(const struct story *t)
{
	int ok = (int)(t->ok_per_s * BAR / PER_S + 0.5), bad = (int)(t->errors_per_s * BAR / PER_S + 0.5);

	ok = ok > BAR ? BAR : ok;
	bad = bad > BAR ? BAR : bad;
	say(t, "%5.0f s  %6.0f  %8.0f  %9u  %.*s%.*s\n", seconds_of(t, t->ticked_at), t->ok_per_s, t->errors_per_s,
	    time_waits(t), ok, "+++++++++++++++++++++++++", bad, "xxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* Ports come back in bunches of about two seconds, so that single errors are no outage yet. */
enum until { UNTIL_TIME, UNTIL_ERRORS, UNTIL_OUTAGE, UNTIL_CALM };

static bool holds(const struct story *t, enum until until)
{
	switch (until) {
	case UNTIL_TIME:
		return false;
	case UNTIL_ERRORS:
		return t->errors_per_s > 0;
	case UNTIL_OUTAGE:
		return t->errors_per_s > 10 * t->ok_per_s;
	case UNTIL_CALM:
		return t->errors_per_s <= 0 && t->ok_per_s > 0;
	}
	must_not_reach("a way to end a watch");
}

/* A line every so many seconds (the last one always) until it holds or limit_s have passed; did it hold? */
static bool watch(struct story *t, enum until until, unsigned limit_s, unsigned every_s)
{
	nsec_t end = work_now() + limit_s * NSEC_PER_S;

	while (work_now() < end) {
		bool end_now;

		tick(t);
		end_now = holds(t, until);
		if (end_now || (unsigned)seconds_of(t, t->ticked_at) % every_s == 0)
			say_tick(t);
		if (end_now)
			return true;
	}
	return until == UNTIL_TIME;
}

/* ---- the doctor ---- */

static const struct finding *ask(struct story *t, const struct sight **ret)
{
	const struct sight *s = lab_look(t->l, t->l->client, 1000);

	*ret = s;
	return lab_expect(t->l, s, "PORT001", SEV_CRIT);
}

static void say_finding(const struct story *t, const struct finding *f)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s: %s", f->rule->id, severity_name(f->severity), f->what);
	say_wrapped(t, 4, text);
	snprintf(text, sizeof(text), "because %s", f->evidence);
	say_wrapped(t, 6, text);
	if (f->process[0])
		say(t, "      process %s\n", f->process);
}

/* ---- the cure ---- */

struct setting {
	char name[96], value[96];
};

/* The first K=V or K="V W" of text; returns what follows, NULL if there is none. */
static const char *next_setting(const char *text, struct setting *ret)
{
	const char *eq, *end;
	bool quoted;

	text += strspn(text, " ");
	eq = strchr(text, '=');
	if (!eq || (size_t)(eq - text) >= sizeof(ret->name))
		return NULL;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(eq - text), text);
	quoted = eq[1] == '"' || eq[1] == '\'';
	text = eq + 1 + quoted;
	end = quoted ? strchr(text, eq[1]) : text + strcspn(text, " ");
	if (!end || (size_t)(end - text) >= sizeof(ret->value))
		return NULL;
	snprintf(ret->value, sizeof(ret->value), "%.*s", (int)(end - text), text);
	return end + quoted;
}

/* Where the settings of a `sysctl -w K=V ...` begin, whatever enters the namespace before it; NULL: another command. */
static const char *sysctl_settings(const char *command)
{
	static const char word[] = "sysctl -w ";
	const char *p = strstr(command, word);

	return p && (p == command || isspace((unsigned char)p[-1])) ? p + strlen(word) : NULL;
}

static void apply(struct story *t, const struct remedy *m)
{
	struct setting s;

	for (const char *p = sysctl_settings(m->command); p && (p = next_setting(p, &s));)
		lab_sysctl(t->l, t->l->client, s.name, s.value);
}

/* The safest remedy that is a sysctl; a reservation only prepares the next one, so that follows. */
static void cure(struct story *t, const struct finding *f)
{
	for (size_t i = 0; i < f->n_remedies; i++) {
		const struct remedy *m = &f->remedies[i];

		if (!sysctl_settings(m->command))
			continue;
		say_wrapped(t, 4, m->action);
		say(t, "      # %s\n", sysctl_settings(m->command) - strlen("sysctl -w "));
		if (m->precondition[0])
			say_wrapped(t, 6, m->precondition);
		apply(t, m);
		if (!strstr(m->command, "ip_local_reserved_ports"))
			return;
	}
	lab_fail(t->l, "PORT001 advises no sysctl that could be applied");
}

/* ---- the story ---- */

static void begin(struct story *t)
{
	struct lab *l = t->l;

	lab_pair(l);
	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", "40000 40499");
	lab_serve(l, l->server, "payments", &(struct server_cfg){.port = 443, .reply_bytes = 300});
	say(t, "A service, \"shop\", calls \"payments\" at " LAB_SERVER ":443 a hundred times a second\n"
	       "and opens a connection for each call. It has 500 local ports, and a closed\n"
	       "connection keeps its port in TIME_WAIT for 60 s. (A small copy of the usual\n"
	       "28,232 ports at 5,000 calls/s, in private network namespaces.)\n");
	t->shop = lab_client(l, l->client, "shop",
			     &(struct client_cfg){.dst = LAB_SERVER,
						  .dport = 443,
						  .per_s = PER_S,
						  .hold_ms = 20,
						  .request_bytes = 200,
						  .reply_bytes = 300});
	t->began_at = t->ticked_at = work_now();
	say_head(t);
}

static void first_outage(struct story *t)
{
	const struct finding *f;
	const struct sight *s;

	if (!watch(t, UNTIL_ERRORS, 2, 1)) {
		f = ask(t, &s);
		say(t, "\nIt still works. `lastack doctor`, asked now:\n");
		say_finding(t, f);
		lab_expect_text(t->l, "the process", f->process, "shop");
		say_head(t);
	}
	if (!watch(t, UNTIL_ERRORS, 15, 1))
		lab_fail(t->l, "the ports did not run out");
	lab_expect_that(t->l, lab_await(t->l, t->shop, EV_ERROR, 1) == EADDRNOTAVAIL, "failed with another error");
	say(t, "\nFirst error after %.1f s: connect(): Cannot assign requested address.\n", seconds_of(t, t->shop->at));
	f = ask(t, &s);
	lab_expect_that(t->l, f->stage == STAGE_FAILING, "PORT001 should fail now: %s", f->what);
	say(t, "`lastack doctor`, asked during the outage:\n\n");
	if (t->l->cfg->show)
		t->l->cfg->show(t->l->out, &s->obs, &s->found);
	else
		say_finding(t, f);
	say_head(t);
	if (!watch(t, UNTIL_CALM, 70, 5))
		lab_fail(t->l, "it did not recover within 70 s");
	say(t, "\nIt recovered by itself after %.0f s: the oldest TIME_WAITs are over. \"Fixed\"?\n",
	    seconds_of(t, t->ticked_at));
}

/* Errors per second over the next seconds, which are shown. */
static double errors_over(struct story *t, unsigned s)
{
	uint64_t failed = t->failed;
	nsec_t from = t->ticked_at;

	watch(t, UNTIL_TIME, s, 1);
	return (double)(t->failed - failed) * (double)NSEC_PER_S / (double)(t->ticked_at - from);
}

static void second_outage(struct story *t)
{
	const struct finding *f;
	const struct sight *s;
	double before, after;

	say_head(t);
	if (!watch(t, UNTIL_OUTAGE, 20, 1))
		lab_fail(t->l, "it did not fail a second time");
	f = ask(t, &s);
	tick(t);
	say_tick(t);
	before = t->errors_per_s;
	say(t, "\nNo: it fails again, as it would every 60 s. `lastack doctor`:\n");
	say_finding(t, f);
	say(t, "\nIts first remedy is the program's: reuse connections. Until that is released,\n"
	       "its safest sysctl, applied in this namespace:\n");
	cure(t, f);
	say_head(t);
	tick(t); /* the second in which the cure came is neither before nor after */
	after = errors_over(t, CALM_S);
	lab_expect_without(t->l, lab_look(t->l, t->l->client, 1000), "PORT001");
	say(t, "\n`lastack doctor` does not report PORT001 any more.\n");
	say(t, "errors per second before the fix: %.1f, after it: %.1f\n", before, after);
	lab_expect_that(t->l, before > PER_S / 10.0 && after < 1, "errors/s before the fix %.1f, after it %.1f", before,
			after);
}

static void run_outage(struct lab *l)
{
	struct story t = {.l = l};
	uint64_t failed;

	begin(&t);
	first_outage(&t);
	second_outage(&t);
	failed = t.shop->stats->failed;
	lab_stop(l, t.shop);
	say(&t, "outage: doctor named it before, during and again; %s calls ok, %s failed\n",
	    num(t.shop->stats->opened).s, num(failed).s);
}

const struct experiment experiment_outage = {
	.id = "outage",
	.title = "the classic outage: fails, recovers, fails, is cured",
	.does = "Runs a service out of local ports, shows doctor naming it while it happens, lets it recover and fail "
		"again, applies the advised fix in that namespace and measures errors per second before and after.",
	.seconds = 80,
	.run = run_outage,
};
