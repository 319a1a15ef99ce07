/* SPDX-License-Identifier: MIT */
/* rules_port.c - PORT001..PORT003: connect() finds no local port, or has to search for one. */
#include "base/text.h"
#include "diag/remedy.h"
#include "diag/worst.h"
#include <math.h>

/* Shares of the usable ports held by one (source, destination, destination port); signatures R16 and R18. */
static const double WARN_SHARE = 0.35, CRIT_SHARE = 0.90, FULL_SHARE = 0.98;
static const double SOON_S = 60; /* a forecast reaches no further: one dump holds a minute of history */

enum {
	SUSTAINED_S = 3, /* closes in so many of the newest seconds: a rate, not the one burst of a restart (R30) */
	NEWEST_S = 5, /* of which forecast() takes its rate */
	COSTLY_SEARCH = 1024, /* ports; below, walking them costs less than 60 us */
	NS_PER_LIVE_PORT = 26, /* kernel-truth 3.4: 366 us and 765 us for 14,116 ports */
	NS_PER_TIME_WAIT_PORT = 54,
	BOUND_MIN = 100,
	BOUND_WARN_PERCENT = 20,
	BOUND_CRIT_PERCENT = 90,
};

/* The arithmetic of one destination, with the words for it. */
struct use {
	struct forecast f;
	double share, rate, sustainable, life_s;
	uint32_t held, time_wait, live, reusable;
	char from[64]; /* " of 10.0.0.1" */
	struct ip_text to;
};

/*
 * Closes per second while there were any: during an outage the newest seconds are empty, but the demand is not. A busy
 * period begins and ends in the middle of a second, so its two ends are left out where that leaves one.
 */
static double busy_rate(const struct tw_ages *a)
{
	enum { PAST = AGE_SECONDS - 1 }; /* the last entry has more than its second */
	uint64_t n = 0, seconds = 0;

	for (unsigned from = 0, to; from < PAST; from = to + 1) {
		unsigned ends;

		for (to = from; to < PAST && a->s[to]; to++)
			;
		ends = to - from >= 3;
		for (unsigned i = from + ends; i + ends < to; i++) {
			n += a->s[i];
			seconds++;
		}
	}
	return seconds ? (double)n / (double)seconds : 0;
}

static bool is_sustained(const struct tw_ages *a)
{
	unsigned seconds = 0;

	for (unsigned i = 0; i < NEWEST_S; i++)
		seconds += a->s[i] > 0;
	return seconds >= SUSTAINED_S;
}

/* All of them closed within a moment or two: the end of a run or a restart (R30), no rate to extrapolate from. */
static bool is_burst(const struct tw_ages *a)
{
	unsigned seconds = 0;

	for (unsigned i = 0; i < AGE_SECONDS; i++)
		seconds += a->s[i] > 0;
	return seconds > 0 && seconds < SUSTAINED_S;
}

static struct use use_of(const struct view *v, const struct dest *d)
{
	const struct port_budget *b = &v->ports;
	bool reuse = dest_may_reuse(d, b);
	struct use u = {.f = forecast(d, b), .to = ip_port_text(d->dst, d->dport)};

	u.held = d->ports_low_parity + d->ports_other_parity;
	u.time_wait = d->tw_in_range < u.held ? d->tw_in_range : u.held;
	u.live = u.held - u.time_wait;
	u.reusable = u.held - u.f.used;
	u.share = b->usable ? u.f.used / (double)b->usable : 1;
	u.life_s = reuse ? fmin(b->reuse_delay_s, TIME_WAIT_MS / 1000.0) : TIME_WAIT_MS / 1000.0;
	u.rate = fmax(u.f.closes_per_s, busy_rate(&d->tw_ages));
	u.sustainable = b->usable > u.live ? (b->usable - u.live) / u.life_s : 0;
	if (d->src.family && !ip_is_any(d->src))
		SAY(u.from, " of %s", ip_text(d->src).s);
	return u;
}

/* ---- PORT001 ---- */

static bool connects_stopped(const struct view *v)
{
	uint64_t active;

	return view_delta(v, "Tcp.ActiveOpens", &active) && active == 0;
}

/* Seconds until the oldest TIME_WAIT gives its port back. */
static double first_back_s(const struct tw_ages *a)
{
	for (unsigned i = AGE_SECONDS; i-- > 0;)
		if (a->s[i])
			return i + 1 < AGE_SECONDS ? TIME_WAIT_MS / 1000 - i : 1;
	return (double)INFINITY;
}

static void say_port001(struct finding *f, const struct dest *d, const struct use *u)
{
	bool rate_known = is_sustained(&d->tw_ages);
	double first_s = fmin(first_back_s(&d->tw_ages), u->life_s);

	SAY(f->what, "%s of %s local ports%s towards %s are in use (%s): ", num(u->f.used).s, num(u->f.usable).s,
	    u->from, u->to.s, percent_text(u->f.used, u->f.usable).s);
	if (u->f.used >= u->f.usable && u->time_wait)
		append(f->what, sizeof(f->what), "connect() fails with EADDRNOTAVAIL; the first port is free in %s",
		       seconds_text(first_s).s);
	else if (u->share >= FULL_SHARE)
		append(f->what, sizeof(f->what), "connect() fails with EADDRNOTAVAIL now or within moments");
	else if (isfinite(u->f.to_fail_s) && rate_known)
		append(f->what, sizeof(f->what), "at this rate connect() fails in %s", seconds_text(u->f.to_fail_s).s);
	else if (u->f.to_cliff_s <= 0)
		append(f->what, sizeof(f->what), "every connect() searches half of the range first (PORT002)");
	else if (isfinite(u->f.to_cliff_s) && rate_known)
		append(f->what, sizeof(f->what), "at this rate every connect() turns slow in %s (PORT002)",
		       seconds_text(u->f.to_cliff_s).s);
	else if (u->time_wait && is_burst(&d->tw_ages))
		append(f->what, sizeof(f->what), "after one burst of closes; they come back in %s unless it repeats",
		       seconds_text(first_s).s);
	else
		append(f->what, sizeof(f->what), "at this rate they suffice");
}

static void prove_port001(struct finding *f, const struct dest *d, const struct use *u)
{
	double t_ok = u->rate > 0 ? (u->f.usable - (double)u->live) / u->rate : 0;
	double limit = u->share >= FULL_SHARE ? FULL_SHARE : u->share >= CRIT_SHARE ? CRIT_SHARE : WARN_SHARE;

	SAY(f->evidence, "TIME_WAIT %s + live %s", num(u->time_wait).s, num(u->live).s);
	if (u->reusable)
		append(f->evidence, sizeof(f->evidence), " - reusable %s", num(u->reusable).s);
	append(f->evidence, sizeof(f->evidence), " = %s %s %.2f x %s usable", num(u->f.used).s,
	       u->share >= limit ? ">=" : "<", limit, num(u->f.usable).s);
	if (is_burst(&d->tw_ages) && u->share < FULL_SHARE) {
		append(f->evidence, sizeof(f->evidence), "; closed in fewer than %d of the last 60 s", SUSTAINED_S);
		return;
	}
	append(f->evidence, sizeof(f->evidence), "; closes %s/s %s (%s - %s live)/%g s = %s/s sustainable",
	       rate_text(u->rate).s, u->rate > u->sustainable ? ">" : "<=", num(u->f.usable).s, num(u->live).s,
	       u->life_s, rate_text(u->sustainable).s);
	if (u->f.to_fail_s > 0 && u->f.to_fail_s < SOON_S)
		append(f->evidence, sizeof(f->evidence), "; forecast %s < %g s", seconds_text(u->f.to_fail_s).s,
		       SOON_S);
	if (u->rate > u->sustainable && u->f.usable > u->live)
		append(f->evidence, sizeof(f->evidence), "; outage law: %s of service, then %s of failures, every %g s",
		       seconds_text(t_ok).s, seconds_text(u->life_s - t_ok).s, u->life_s);
}

static void rate_port001(struct finding *f, const struct view *v, const struct dest *d, const struct use *u)
{
	bool stopped = u->share >= FULL_SHARE && connects_stopped(v), full = u->f.used >= u->f.usable;

	f->weight = u->share;
	f->confidence = full || stopped || u->share < FULL_SHARE ? CONF_HIGH : CONF_MEDIUM;
	SAY(f->raise, "the program's own errors: EADDRNOTAVAIL (99), \"Cannot assign requested address\"");
	if (stopped)
		append(f->evidence, sizeof(f->evidence), "; ActiveOpens +0 in %s", seconds_text(v->interval_s).s);
	if (full && stopped) {
		f->confidence = CONF_CERTAIN;
		f->raise[0] = '\0';
	} else if (u->share < WARN_SHARE) {
		f->confidence = CONF_MEDIUM;
		SAY(f->raise, "the same answer some seconds later: the forecast extends the newest %d s", NEWEST_S);
	}
	if (v->now->torn) {
		f->confidence = CONF_MEDIUM;
		SAY(f->raise, "a dump that was not interrupted; run again");
	}
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, d->proc)).s);
}

static void cure_port001(struct finding *f, const struct view *v, const struct dest *d, const struct use *u)
{
	bool time_waits = u->time_wait >= u->held / 10;

	remedy_reuse_connections(f, v, d);
	remedy_more_tuples(f, d);
	remedy_widen_range(f, v);
	if (time_waits)
		remedy_tw_reuse(f, v, d);
	if (time_waits && u->share >= CRIT_SHARE)
		remedy_destroy_time_wait(f, v, d);
}

/* false: nothing to say about this destination. */
static bool severity_port001(const struct dest *d, const struct use *u, enum severity *ret)
{
	bool soon = u->f.to_fail_s < SOON_S && is_sustained(&d->tw_ages);

	*ret = soon || u->share >= CRIT_SHARE ? SEV_CRIT : SEV_WARN;
	return u->f.used && (u->share >= WARN_SHARE || soon);
}

static struct finding *find_shortage(const struct rule *self, const struct view *v, const struct dest *d,
				     struct findings *out)
{
	struct use u = use_of(v, d);
	enum severity severity;
	struct finding *f;

	severity_port001(d, &u, &severity);
	f = findings_add(out, self, v, severity, u.share >= FULL_SHARE ? STAGE_FAILING : STAGE_ABOUT_TO_FAIL);
	say_port001(f, d, &u);
	prove_port001(f, d, &u);
	rate_port001(f, v, d, &u);
	cure_port001(f, v, d, &u);
	return f;
}

static void eval_PORT001(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *last = NULL;
	struct worst w = {.n = 0};

	if (!v->ports.known)
		return;
	for (size_t i = 0; i < v->now->n_dests; i++) {
		struct use u = use_of(v, &v->now->dests[i]);
		enum severity severity;

		if (severity_port001(&v->now->dests[i], &u, &severity))
			worst_add(&w, i, 2 * (double)severity + fmin(u.share, 1));
	}
	for (size_t i = 0; i < w.n; i++)
		last = find_shortage(self, v, &v->now->dests[w.v[i].row], out);
	if (last)
		finding_more(last, w.more, "destination");
}

const struct rule rule_PORT001 = {
	.id = "PORT001",
	.title = "local ports towards one destination run out",
	.never = {"tcp_fin_timeout: it limits orphans in FIN_WAIT_2, a TIME_WAIT lasts 60 s whatever it says",
		  "a small tcp_max_tw_buckets: closes lose their TIME_WAIT silently and peers get resets",
		  "SO_LINGER 0: the reset throws away data that was not delivered yet",
		  "tcp_tw_recycle: gone since 4.12, and before it dropped clients behind NAT"},
	.eval = eval_PORT001,
};

/* ---- PORT002 ---- */

static bool reuse_hides_cliff(const struct view *v, const struct dest *d)
{
	/* One reusable TIME_WAIT in a hundred ports ends the search after a hundred probes: a few microseconds. */
	return dest_may_reuse(d, &v->ports) && (uint64_t)d->tw_reusable * 100 >= v->ports.usable_low_parity;
}

static bool on_cliff(const struct view *v, const struct dest *d)
{
	return d->ports_other_parity > 0 && v->ports.usable_low_parity > 0 &&
	       (uint64_t)d->ports_low_parity * 100 >= (uint64_t)v->ports.usable_low_parity * 99 &&
	       !reuse_hides_cliff(v, d) &&
	       dest_ports_used(d, &v->ports) < FULL_SHARE * v->ports.usable; /* else PORT001 says all there is */
}

static void cure_port002(struct finding *f, const struct view *v, const struct dest *d)
{
	struct remedy *m;

	remedy_reuse_connections(f, v, d);
	remedy_more_tuples(f, d);
	if (v->host->kernel_version >= KV(6, 3)) {
		m = finding_remedy(f, "");
		SAY(m->action,
		    "Set IP_LOCAL_PORT_RANGE on the socket before connect(), even to the whole range (%u | %u << 16)",
		    v->ports.low, v->ports.high);
		SAY(m->precondition, "the program can be changed%s",
		    v->host->kernel_version < KV(6, 8) ? "; the search has no cliff from Linux 6.8 on" : "");
	}
	if (d->tw_in_range && !dest_may_reuse(d, &v->ports))
		remedy_tw_reuse(f, v, d);
	remedy_widen_range(f, v);
}

static struct finding *find_cliff(const struct rule *self, const struct view *v, const struct dest *d,
				  struct findings *out)
{
	uint32_t low = d->ports_low_parity, usable = v->ports.usable_low_parity;
	double ms = low * 1e-6;
	struct use u = use_of(v, d);
	struct finding *f =
		findings_add(out, self, v, usable >= COSTLY_SEARCH ? SEV_WARN : SEV_INFO, STAGE_ABOUT_TO_FAIL);

	f->weight = u.share;
	f->confidence = v->now->torn ? CONF_MEDIUM : CONF_HIGH;
	SAY(f->raise, "strace -T -e trace=connect -p PID: connect() takes over 0.3 ms; perf shows __inet_hash_connect");
	SAY(f->what, "%s of %s %s local ports%s towards %s are taken: every connect() searches them all first, %s",
	    num(low).s, num(usable).s, v->ports.low & 1 ? "odd" : "even", u.from, u.to.s,
	    usable >= COSTLY_SEARCH ? "a half-range cliff without any error"
				    : "cheap as long as the range is this small");
	SAY(f->evidence,
	    "ports of the low end's parity %s >= 0.99 x %s, and %s of the other parity are in use; the search "
	    "costs about "
	    "%s ports x %d to %d ns = %.2f to %.2f ms instead of 5 us",
	    num(low).s, num(usable).s, num(d->ports_other_parity).s, num(low).s, NS_PER_LIVE_PORT,
	    NS_PER_TIME_WAIT_PORT, ms * NS_PER_LIVE_PORT, ms * NS_PER_TIME_WAIT_PORT);
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, d->proc)).s);
	cure_port002(f, v, d);
	return f;
}

static void eval_PORT002(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *last = NULL;
	struct worst w = {.n = 0};

	if (!v->ports.known || view_knob_or(v, KNOB_port_step_width, 0) > 0) /* the search is scattered, 7.1 */
		return;
	for (size_t i = 0; i < v->now->n_dests; i++)
		if (on_cliff(v, &v->now->dests[i])) /* all of one namespace are equally severe */
			worst_add(&w, i, dest_ports_used(&v->now->dests[i], &v->ports));
	for (size_t i = 0; i < w.n; i++)
		last = find_cliff(self, v, &v->now->dests[w.v[i].row], out);
	if (last)
		finding_more(last, w.more, "destination");
}

const struct rule rule_PORT002 = {
	.id = "PORT002",
	.title = "half of the port range is used up: every connect() is slow",
	.never = {"more CPU or more threads: each connect() still walks the same ports",
		  "tcp_fin_timeout: it does not shorten TIME_WAIT"},
	.eval = eval_PORT002,
};

/* ---- PORT003 ---- */

/* How this namespace's connections out share their local ports. */
struct sharing {
	uint64_t low, other, distinct, connections;
	double fullest; /* greatest share of any one destination */
	const struct dest *biggest; /* with most ports of the other parity */
	bool cliff; /* some destination has used up the low parity: connect() itself went on to the other */
};

static struct sharing sharing_of(const struct view *v)
{
	struct sharing s = {.low = v->now->ephemeral_ports_low_parity, .other = v->now->ephemeral_ports_other_parity};

	s.distinct = s.low + s.other;
	for (size_t i = 0; i < v->now->n_dests; i++) {
		const struct dest *d = &v->now->dests[i];
		uint32_t held = d->ports_low_parity + d->ports_other_parity;

		s.connections += held;
		s.fullest = fmax(s.fullest, held / (double)v->ports.usable);
		s.cliff |= (uint64_t)d->ports_low_parity * 100 >= (uint64_t)v->ports.usable_low_parity * 99;
		if (!s.biggest || d->ports_other_parity > s.biggest->ports_other_parity)
			s.biggest = d;
	}
	return s;
}

static bool is_skewed(const struct view *v, const struct sharing *s)
{
	return s->other > 2 * s->low && s->low * 2 < v->ports.usable_low_parity;
}

/* Everything is taken although no destination has even half: connect() would have shared the ports. */
static bool is_poisoned(const struct view *v, const struct sharing *s)
{
	return s->distinct * 10 >= (uint64_t)v->ports.usable * 9 && s->fullest <= 0.5 &&
	       s->connections * 10 <= s->distinct * 11;
}

static void say_port003(struct finding *f, const struct view *v, const struct sharing *s, bool poisoned)
{
	const char *parity = v->ports.low & 1 ? "even" : "odd";

	if (poisoned)
		SAY(f->what,
		    "%s of %s local ports are taken although no destination has more than %s: bind() before connect() "
		    "takes ports from every program, so connect() and bind() %s",
		    num(s->distinct).s, num(v->ports.usable).s, percent_text(s->fullest, 1).s,
		    s->distinct < v->ports.usable ? "will fail soon" : "fail");
	else
		SAY(f->what,
		    "%s %s local ports were chosen by bind(), not by connect(): each is taken from every "
		    "program and every destination",
		    num(s->other).s, parity);
	if (poisoned)
		SAY(f->evidence,
		    "%s distinct ports >= 0.9 x %s usable; fullest destination %s <= 50 %%; %s connections <= "
		    "1.1 x %s ports: "
		    "connect() would share a port between destinations",
		    num(s->distinct).s, num(v->ports.usable).s, percent_text(s->fullest, 1).s, num(s->connections).s,
		    num(s->distinct).s);
	else
		SAY(f->evidence,
		    "connect() takes %s ports first, bind(port 0) %s ones: %s %s > 2 x %s %s; %s connections to %zu "
		    "destinations hold %s distinct ports, %s of %s usable",
		    v->ports.low & 1 ? "odd" : "even", parity, num(s->other).s, parity, num(s->low).s,
		    v->ports.low & 1 ? "odd" : "even", num(s->connections).s, v->now->n_dests, num(s->distinct).s,
		    percent_text((double)s->distinct, v->ports.usable).s, num(v->ports.usable).s);
}

static void cure_port003(struct finding *f)
{
	struct remedy *m = finding_remedy(f, "");

	SAY(m->action,
	    "Set IP_BIND_ADDRESS_NO_PORT before bind(address, port 0)%s%s: connect() then chooses and shares the port",
	    f->process[0] ? " in " : "", f->process);
	SAY(m->precondition, "the program chooses only its source address, not a fixed source port (Linux 4.2)");
	m = finding_remedy(f, "Or leave out bind() before connect() where the source address does not matter");
	SAY(m->precondition, "routing gives the same source address");
}

/* Ports of sockets after bind() and before connect() or listen() are in no list of connections. */
static void find_bound(const struct rule *self, const struct view *v, struct findings *out)
{
	uint32_t bound = v->now->bound, usable = v->ports.usable;
	uint64_t percents = (uint64_t)bound * 100;
	bool crit = percents >= (uint64_t)usable * BOUND_CRIT_PERCENT;
	struct finding *f;

	if (!v->now->bound_known || bound < BOUND_MIN || percents < (uint64_t)usable * BOUND_WARN_PERCENT)
		return;
	f = findings_add(out, self, v, crit ? SEV_CRIT : SEV_WARN, STAGE_ABOUT_TO_FAIL);
	f->confidence = CONF_HIGH;
	f->weight = bound / (double)usable;
	SAY(f->raise, "ss (iproute2 6.8) lists them: ss -tanp state bound-inactive");
	SAY(f->what,
	    "%s local ports are held by sockets that are bound but neither connected nor listening: nobody else gets "
	    "them",
	    num(bound).s);
	SAY(f->evidence,
	    "ports of sockets that are only bound %s >= %d %% of %s usable; they stand in no list of connections",
	    num(bound).s, crit ? BOUND_CRIT_PERCENT : BOUND_WARN_PERCENT, num(usable).s);
	cure_port003(f);
}

static void eval_PORT003(const struct rule *self, const struct view *v, struct findings *out)
{
	struct sharing s;
	struct finding *f;
	bool poisoned, sharing_known;

	if (!v->ports.known || !v->ports.usable)
		return;
	find_bound(self, v, out);
	s = sharing_of(v);
	if (!s.biggest || (s.other < BOUND_MIN && s.other * 5 < v->ports.usable))
		return;
	poisoned = v->now->n_dests >= 2 && is_poisoned(v, &s);
	if (s.cliff || (!poisoned && !is_skewed(v, &s)))
		return;
	f = findings_add(out, self, v,
			 poisoned                            ? SEV_CRIT
			 : s.distinct * 5 >= v->ports.usable ? SEV_WARN
							     : SEV_INFO,
			 poisoned ? STAGE_ABOUT_TO_FAIL : STAGE_CHURN);
	if (s.distinct >= v->ports.usable && poisoned)
		f->stage = STAGE_FAILING;
	sharing_known = v->now->n_dests >= 2 && s.connections * 10 <= s.distinct * 11;
	f->confidence = sharing_known ? CONF_MEDIUM : CONF_LOW;
	SAY(f->raise, "strace -f -e trace=bind,connect,setsockopt -p PID shows bind() with port 0 and no "
		      "IP_BIND_ADDRESS_NO_PORT (24) before connect()");
	f->weight = (double)s.distinct / v->ports.usable;
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, s.biggest->proc)).s);
	say_port003(f, v, &s, poisoned);
	cure_port003(f);
}

const struct rule rule_PORT003 = {
	.id = "PORT003",
	.title = "bind() before connect() takes local ports from everybody",
	.never = {"ip_autobind_reuse=1: bind() then returns a shared port and connect() fails without a retry",
		  "tcp_tw_reuse for this: a bound port stays taken while its TIME_WAIT lasts",
		  "SO_REUSEADDR: bind(port 0) still gives every socket a port of its own"},
	.eval = eval_PORT003,
};
