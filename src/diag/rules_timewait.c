/* SPDX-License-Identifier: MIT */
/* rules_timewait.c - TW001..TW003: TIME_WAITs that cannot be made, that do no harm, and that a client piles up. */
#include "base/text.h"
#include "diag/remedy.h"
#include "diag/worst.h"
#include <math.h>

static const double NEAR_LIMIT = 0.9, WARN_SHARE = 0.35; /* R16 */

enum {
	TIME_WAIT_BYTES = 256, /* slab slot of tw_sock_TCP */
	HARMLESS_MIN = 100,
	CHURN_MIN = 100, /* closes; R6 wants ten at least and a window of ten seconds */
	CHURN_PER_S = 10,
	PILE_MIN = 1000,
	PILE_RATIO = 10, /* TIME_WAITs for each live connection */
	SERVERS_SHOWN = 4,
};

/* TIME_WAIT minis of this namespace, both sub-states: that is what tcp_max_tw_buckets counts. */
static uint64_t minis(const struct netns *ns)
{
	if (ns->sockstat.known)
		return ns->sockstat.tw;
	return (uint64_t)ns->states.n[ST_TIME_WAIT] + ns->fin_wait_2_orphans;
}

/* ---- TW001 ---- */

/* 0: cannot be known. */
static uint64_t boot_tw_buckets(const struct view *v)
{
	int64_t boot = view_boot_value(v, KNOB_max_tw_buckets);

	return boot == KNOB_ANY ? 0 : (uint64_t)boot;
}

/* A line of the configuration brings the low value back at the next boot. */
static void keep_tw001(struct finding *f, const struct view *v)
{
	const char *name = knob_descs[KNOB_max_tw_buckets].name;

	if (view_prefix(v).s[0]) /* the files are the host's */
		return;
	for (size_t i = 0; i < v->host->n_config; i++) {
		const struct config_line *c = &v->host->config[i];
		struct remedy *m;

		if (strcmp(c->name, name) != 0)
			continue;
		m = finding_remedy(f, "");
		SAY(m->action, "Raise it in line %u of %s too, which sets it to %.20s at the next boot", c->line,
		    c->file, c->value);
		return;
	}
}

static void cure_tw001(struct finding *f, const struct view *v, uint64_t held, int64_t max)
{
	uint64_t target = 2 * held > 65536 ? 2 * held : 65536;
	struct remedy *m;

	if (target < boot_tw_buckets(v))
		target = boot_tw_buckets(v);
	if (target < (uint64_t)max * 2 && (uint64_t)max >= boot_tw_buckets(v))
		target = (uint64_t)max * 2;
	if (target > INT32_MAX)
		target = INT32_MAX;
	if (target <= (uint64_t)max)
		return;
	m = finding_remedy(f, "");
	SAY(m->action, "Raise tcp_max_tw_buckets from %s to %s%s", num((uint64_t)max).s, num(target).s,
	    (uint64_t)max < boot_tw_buckets(v) ? "; it was lowered below its boot value" : "");
	SAY(m->precondition, "%s of memory is free: %d B each", bytes_text(target * TIME_WAIT_BYTES).s,
	    TIME_WAIT_BYTES);
	SAY(m->command, "%ssysctl -w net.ipv4.tcp_max_tw_buckets=%llu", view_prefix(v).s, (unsigned long long)target);
	keep_tw001(f, v);
	finding_remedy(f, "Close fewer connections: keep-alive and pools in the programs that close first (TW003 names "
			  "them)");
}

static void find_overflow(const struct rule *self, const struct view *v, uint64_t lost, struct findings *out)
{
	/* TIME_WAITs leave in bunches: the table that was full between the looks need not be so at one of them. */
	uint64_t now = minis(v->now), before = minis(v->before), held = now > before ? now : before;
	int64_t max = view_knob_or(v, KNOB_max_tw_buckets, -1);
	bool full = max >= 0 && (double)held >= NEAR_LIMIT * (double)max;
	struct finding *f = findings_add(out, self, v, SEV_CRIT, STAGE_FAILING);

	f->weight = (double)lost;
	SAY(f->what,
	    "%s connection%s closed without a TIME_WAIT in %s%s: old duplicates are let in and peers get resets",
	    num(lost).s, lost == 1 ? "" : "s", seconds_text(v->interval_s).s,
	    max < 0 ? ""
	    : full  ? ", the limit is reached"
		    : ", the limit was reached meanwhile or memory refused");
	SAY(f->evidence, "TCPTimeWaitOverflow +%s > 0 in %s", num(lost).s, seconds_text(v->interval_s).s);
	if (max < 0)
		return;
	append(f->evidence, sizeof(f->evidence), "; sockstat tw %s%s %s %g x tcp_max_tw_buckets %s", num(held).s,
	       before > now ? " before" : "", full ? ">=" : "<", NEAR_LIMIT, num((uint64_t)max).s);
	if (!full) {
		f->confidence = CONF_MEDIUM;
		SAY(f->raise, "tw of /proc/net/sockstat every 0.1 s: near the limit, or free memory and slab errors in "
			      "the kernel log");
	}
	cure_tw001(f, v, held, max);
}

static void find_near_limit(const struct rule *self, const struct view *v, uint64_t total, struct findings *out)
{
	uint64_t held = minis(v->now);
	int64_t max = view_knob_or(v, KNOB_max_tw_buckets, 0);
	struct finding *f = findings_add(out, self, v, SEV_WARN, STAGE_ABOUT_TO_FAIL);

	f->weight = (double)held / (double)max;
	SAY(f->what, "%s of %s TIME_WAIT buckets are taken (%s): beyond it closes silently lose their TIME_WAIT",
	    num(held).s, num((uint64_t)max).s, percent_text((double)held, (double)max).s);
	SAY(f->evidence, "sockstat tw %s >= %g x tcp_max_tw_buckets %s", num(held).s, NEAR_LIMIT, num((uint64_t)max).s);
	if (total)
		append(f->evidence, sizeof(f->evidence), "; TCPTimeWaitOverflow %s since boot", num(total).s);
	cure_tw001(f, v, held, max);
}

static void find_past_overflow(const struct rule *self, const struct view *v, uint64_t total, struct findings *out)
{
	int64_t max = view_knob_or(v, KNOB_max_tw_buckets, -1);
	struct finding *f = findings_add(out, self, v, SEV_INFO, STAGE_CONFIG);

	f->weight = (double)total;
	SAY(f->what, "%s connection%s closed without a TIME_WAIT since this namespace began%s", num(total).s,
	    total == 1 ? "" : "s", v->before ? ", none of them now" : "");
	SAY(f->evidence, "TCPTimeWaitOverflow %s > 0%s", num(total).s, v->before ? ", +0 in the interval" : "");
	if (max >= 0)
		append(f->evidence, sizeof(f->evidence), "; sockstat tw %s of %s", num(minis(v->now)).s,
		       num((uint64_t)max).s);
	if (!v->before) {
		f->confidence = CONF_HIGH;
		SAY(f->raise, "--interval: two snapshots tell whether it still happens");
	}
	if (max >= 0)
		cure_tw001(f, v, minis(v->now), max);
}

static void eval_TW001(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t lost = 0, total = 0;
	int64_t max = 0;

	view_delta(v, "TCPTimeWaitOverflow", &lost);
	view_total(v, "TCPTimeWaitOverflow", &total);
	view_knob(v, KNOB_max_tw_buckets, &max);
	if (lost)
		find_overflow(self, v, lost, out);
	else if (max > 0 && (double)minis(v->now) >= NEAR_LIMIT * (double)max)
		find_near_limit(self, v, total, out);
	else if (total)
		find_past_overflow(self, v, total, out);
}

const struct rule rule_TW001 = {
	.id = "TW001",
	.title = "no bucket left for a TIME_WAIT",
	.never = {"a smaller tcp_max_tw_buckets: the overflow is what loses data, the TIME_WAITs are not",
		  "SO_LINGER 0 to avoid TIME_WAIT: the reset throws away undelivered data"},
	.eval = eval_TW001,
};

/* ---- TW002 ---- */

static bool something_fails(const struct view *v)
{
	static const char *const signs[] = {"TCPTimeWaitOverflow", "PAWSTimewait"};
	int64_t max = view_knob_or(v, KNOB_max_tw_buckets, INT32_MAX);

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		uint64_t delta;

		if (view_delta(v, signs[i], &delta) && delta)
			return true;
	}
	for (size_t i = 0; v->ports.known && i < v->now->n_dests; i++)
		if (dest_ports_used(&v->now->dests[i], &v->ports) >= WARN_SHARE * v->ports.usable)
			return true;
	return (double)minis(v->now) >= NEAR_LIMIT * (double)max;
}

static void list_servers(struct finding *f, const struct view *v)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (!l->listening || !l->states.n[ST_TIME_WAIT])
			continue;
		if (shown == SERVERS_SHOWN) {
			more++;
			continue;
		}
		append(f->evidence, sizeof(f->evidence), "%s%s %s", shown++ ? " + " : "",
		       ip_port_text(l->addr, l->port).s, num(l->states.n[ST_TIME_WAIT]).s);
	}
	if (more)
		append(f->evidence, sizeof(f->evidence), " + %zu more", more);
}

static bool blocks_restart(const struct netns *ns)
{
	for (size_t i = 0; i < ns->n_listeners; i++) {
		const struct listener *l = &ns->listeners[i];

		if (l->listening && l->states.n[ST_TIME_WAIT] && l->opts.known && !l->opts.reuseaddr &&
		    !l->opts.reuseport)
			return true;
	}
	return false;
}

static void eval_TW002(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t total = v->now->states.n[ST_TIME_WAIT], served = 0;
	const struct listener *most = NULL;
	struct finding *f;

	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (!l->listening)
			continue;
		served += l->states.n[ST_TIME_WAIT];
		if (!most || l->states.n[ST_TIME_WAIT] > most->states.n[ST_TIME_WAIT])
			most = l;
	}
	if (!most || total < HARMLESS_MIN || served * 100 < total * 99 || something_fails(v))
		return;
	f = findings_add(out, self, v, SEV_INFO, STAGE_HARMLESS);
	f->weight = (double)total;
	SAY(f->what,
	    "%s TIME_WAIT are harmless, do nothing: they are on listening ports, cost %s of memory and no port%s",
	    num(total).s, bytes_text(total * TIME_WAIT_BYTES).s,
	    blocks_restart(v->now) ? "; only a restart would mind them (RESTART001)" : "");
	list_servers(f, v);
	append(f->evidence, sizeof(f->evidence),
	       " = %s of %s >= 99 %%; %s x %d B = %s; no descriptor, no thread, no accept() is held", num(served).s,
	       num(total).s, num(total).s, TIME_WAIT_BYTES, bytes_text(total * TIME_WAIT_BYTES).s);
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, most->proc)).s);
	if (!v->before || v->now->torn) {
		f->confidence = v->now->torn ? CONF_MEDIUM : CONF_HIGH;
		SAY(f->raise, "%s",
		    v->now->torn ? "a dump that was not interrupted; run again"
				 : "--interval: two snapshots show that no counter of refused SYNs moves");
	}
}

const struct rule rule_TW002 = {
	.id = "TW002",
	.title = "TIME_WAIT only on listening ports: harmless",
	.never = {"tcp_tw_reuse for a server: it acts on connections this host opens, never on those it accepts",
		  "tcp_fin_timeout: it does not shorten TIME_WAIT",
		  "a small tcp_max_tw_buckets: clients get resets and old duplicates are let in",
		  "tcp_tw_recycle: gone since 4.12, and before it dropped clients behind NAT"},
	.eval = eval_TW002,
};

/* ---- TW003 ---- */

/* Nearly all closes in one second: a restart or the end of a load test, not churn (R30). */
static bool is_one_burst(const struct tw_ages *a)
{
	uint64_t n = 0, most = 0;

	for (unsigned i = 0; i < AGE_SECONDS; i++) {
		n += a->s[i];
		if (a->s[i] > most)
			most = a->s[i];
	}
	return most * 5 > n * 4;
}

/* Where connect() takes TIME_WAITs over, they never grow old: then a single second is all there is to see of churn. */
static bool is_recycled(const struct view *v, const struct dest *d)
{
	uint64_t recycled;

	return dest_may_reuse(d, &v->ports) && view_delta(v, "TWRecycled", &recycled) && recycled;
}

struct churn {
	uint32_t time_wait, live;
	double per_s, share;
	double life_s; /* until connect() may take the port again */
	bool burst;
};

static bool churn_of(const struct view *v, const struct dest *d, struct churn *ret)
{
	struct forecast f = forecast(d, &v->ports);
	uint64_t all = state_counts_sum(&d->states);
	struct churn c = {.time_wait = d->states.n[ST_TIME_WAIT], .per_s = f.closes_per_s};
	bool reuse = dest_may_reuse(d, &v->ports);

	c.life_s = reuse ? fmin(v->ports.reuse_delay_s, TIME_WAIT_MS / 1000.0) : TIME_WAIT_MS / 1000.0;
	c.live = (uint32_t)(all - c.time_wait);
	c.share = v->ports.known && v->ports.usable ? f.used / (double)v->ports.usable : 0;
	c.burst = is_one_burst(&d->tw_ages) && !is_recycled(v, d);
	*ret = c;
	if (c.time_wait < CHURN_MIN)
		return false;
	return c.per_s >= CHURN_PER_S || (c.time_wait >= PILE_MIN && (uint64_t)c.live * PILE_RATIO <= c.time_wait);
}

static void say_tw003(struct finding *f, const struct dest *d, const struct churn *c)
{
	struct ip_text to = ip_port_text(d->dst, d->dport);
	const char *who = f->process[0] ? f->process : "this host";

	if (c->burst)
		SAY(f->what,
		    "%s closed %s connections to %s within a second: a restart or the end of a run, or churn that has "
		    "just begun",
		    who, num(c->time_wait).s, to.s);
	else if (c->per_s >= CHURN_PER_S)
		SAY(f->what,
		    "%s closes %s connections/s to %s first: each takes a local port away from it for %g s; %s TIME_WAITs now",
		    who, rate_text(c->per_s).s, to.s, c->life_s, num(c->time_wait).s);
	else
		SAY(f->what,
		    "%s closed %s connections to %s first in the last minute: each takes a local port away from it for "
		    "%g s",
		    who, num(c->time_wait).s, to.s, c->life_s);
	if (c->per_s >= CHURN_PER_S)
		SAY(f->evidence, "TIME_WAIT towards %s %s >= %d; entered %s/s >= %d/s over the newest 5 s", to.s,
		    num(c->time_wait).s, CHURN_MIN, rate_text(c->per_s).s, CHURN_PER_S);
	else
		SAY(f->evidence, "TIME_WAIT towards %s %s >= %s and >= %d x %s live", to.s, num(c->time_wait).s,
		    num(PILE_MIN).s, PILE_RATIO, num(c->live).s);
	append(f->evidence, sizeof(f->evidence), "; the side that sends the first FIN has the TIME_WAIT");
	if (c->share > 0)
		append(f->evidence, sizeof(f->evidence), "; %s of the local ports in use %s 35 %%",
		       percent_text(c->share, 1).s, c->share >= WARN_SHARE ? ">=" : "<");
}

static enum severity severity_of(const struct churn *c)
{
	return c->share >= WARN_SHARE && !c->burst ? SEV_WARN : SEV_INFO;
}

static double weight_of(const struct churn *c) { return fmax(c->per_s, c->time_wait / 60.0); }

static void cure_tw003(struct finding *f, const struct view *v, const struct dest *d, const struct churn *c)
{
	struct remedy *m;

	if (c->share >= WARN_SHARE) {
		finding_remedy(f, "Follow PORT001 for this destination: its remedies cure the cause");
		return;
	}
	remedy_reuse_connections(f, v, d);
	if (d->loopback)
		return;
	m = finding_remedy(
		f, "Or let the server close first: its TIME_WAIT then is on its listening port and costs no port");
	SAY(m->precondition, "no NAT in between that gives ports anew (TW004), and a round trip above 0.1 ms");
}

static void tell_churn(struct finding *f, const struct view *v, const struct dest *d, const struct churn *c)
{
	f->weight = weight_of(c);
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, d->proc)).s);
	f->confidence = c->burst ? CONF_LOW : CONF_HIGH;
	if (c->burst)
		SAY(f->raise, "run again after ten seconds: churn goes on, the end of a run does not");
	else if (d->proc < 0)
		SAY(f->raise, "a TIME_WAIT has no owner: the program is named when a live connection is seen, as root");
	else
		SAY(f->raise, "a capture shows which side asked for the close (Connection: close, idle timeout)");
	say_tw003(f, d, c);
	cure_tw003(f, v, d, c);
}

static void eval_TW003(const struct rule *self, const struct view *v, struct findings *out)
{
	static const double MOST = 1e12; /* more than any weight: severity decides first */
	struct finding *f = NULL;
	struct worst w = {.n = 0};

	for (size_t i = 0; i < v->now->n_dests; i++) {
		struct churn c;

		if (churn_of(v, &v->now->dests[i], &c))
			worst_add(&w, i, (double)severity_of(&c) * MOST + weight_of(&c));
	}
	for (size_t i = 0; i < w.n; i++) {
		const struct dest *d = &v->now->dests[w.v[i].row];
		struct churn c;

		churn_of(v, d, &c);
		f = findings_add(out, self, v, severity_of(&c), STAGE_CHURN);
		tell_churn(f, v, d, &c);
	}
	if (f)
		finding_more(f, w.more, "destination");
}

const struct rule rule_TW003 = {
	.id = "TW003",
	.title = "a client here closes connections first and collects TIME_WAIT",
	.never = {"SO_LINGER 0 or haproxy's option nolinger: peers lose the end of their data (27 to 57 % arrived)",
		  "tcp_fin_timeout: it does not shorten TIME_WAIT",
		  "restarting the program to clear TIME_WAIT: they outlive the process"},
	.eval = eval_TW003,
};
