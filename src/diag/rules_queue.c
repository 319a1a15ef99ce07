/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/held.h"
#include "diag/rules.h"
#include "diag/worst.h"
#include <inttypes.h>

enum {
	NEAR_PERCENT = 80, /* of the backlog */
	BACKLOG_ADVISED = 4096, /* the default of somaxconn since 5.4 */
	SYN_COOKIES_ALWAYS = 2,
	REAL_CLIENTS_PERCENT = 50, /* of the cookies sent came back: a burst, no flood */
	SUSPECTS_SHOWN = 3,
};

/* A queue of `backlog` holds one more: the test in sk_acceptq_is_full() is >. */
static bool is_full(const struct listener *l) { return l->queue > l->backlog; }
static bool is_near(const struct listener *l)
{
	return l->queue > 0 && (uint64_t)l->queue * 100 >= (uint64_t)l->backlog * NEAR_PERCENT;
}

/* Was the queue as full an interval ago? One moment of it is no news. True when nobody knows. */
static bool stays_near(const struct view *v, const struct listener *l)
{
	const struct listener *b = held_listener_before(v, l);

	return !b || is_near(b);
}

/* Where programs that are often met let their backlog be set. */
static const char *backlog_setting(const struct proc *p)
{
	static const struct {
		const char *comm, *setting;
	} known[] = {
		{"nginx", "listen ... backlog=4096;"}, {"haproxy", "backlog 4096"},
		{"redis-server", "tcp-backlog 4096"},  {"apache2", "ListenBacklog 4096"},
		{"httpd", "ListenBacklog 4096"},       {"gunicorn", "--backlog 4096"},
		{"mysqld", "back_log = 4096"},         {"mariadbd", "back_log = 4096"},
		{"uvicorn", "--backlog 4096"},
	};

	for (size_t i = 0; p && i < ARRAY_LEN(known); i++)
		if (strcmp(p->comm, known[i].comm) == 0)
			return known[i].setting;
	return NULL;
}

/* The queue holds min(backlog, somaxconn); which of the two is the smaller decides what to raise. */
static void remedy_backlog(struct finding *f, const struct view *v, const struct listener *l)
{
	const struct proc *p = snapshot_proc(v->host, l->proc);
	int64_t somaxconn = view_knob_or(v, KNOB_somaxconn, 0);
	struct remedy *m;

	if (somaxconn > 0 && l->backlog >= somaxconn) {
		int64_t to = somaxconn < BACKLOG_ADVISED ? BACKLOG_ADVISED : somaxconn * 2;

		if (to > INT32_MAX)
			return;
		m = finding_remedy(f, "");
		SAY(m->action, "Raise somaxconn, which caps the backlog at %" PRId64, somaxconn);
		SAY(m->precondition,
		    "the program asks for more; it must listen() again (restart) for the new value to count");
		SAY(m->command, "%ssysctl -w net.core.somaxconn=%" PRId64, view_prefix(v).s, to);
		SAY(m->risk, "a longer queue means longer waits when the program stays slow");
	}
	m = finding_remedy(f, "");
	SAY(m->action, "Raise the backlog that %s passes to listen()%s%s", held_program(v, l->proc).s,
	    backlog_setting(p) ? ": " : "", backlog_setting(p) ? backlog_setting(p) : "");
	SAY(m->precondition, "somaxconn allows it, since the smaller one counts: now backlog %s, somaxconn %s",
	    num(l->backlog).s, somaxconn > 0 ? num((uint64_t)somaxconn).s : "unknown");
	SAY(m->risk, "helps against bursts only: when accept() is too slow for long, any queue fills");
}

static void remedy_accept(struct finding *f, const struct view *v, const struct listener *l)
{
	struct remedy *m = finding_remedy(f, "");

	SAY(m->action, "Let %s accept faster: no blocking work in the accept loop, more workers or threads",
	    held_program(v, l->proc).s);
	SAY(m->precondition, "it is not stuck and has descriptors left (CW001, CW002)");
}

struct overflow {
	bool counted; /* the counter was read twice */
	uint64_t delta;
	double per_s;
};

static struct finding *say_queue(const struct rule *self, const struct view *v, const struct listener *l,
				 const struct overflow *o, struct findings *out)
{
	struct finding *f = findings_add(out, self, v, o->delta ? SEV_CRIT : SEV_WARN,
					 o->delta ? STAGE_FAILING : STAGE_ABOUT_TO_FAIL);

	f->weight = (double)l->queue / (l->backlog + 1.0);
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, l->proc)).s);
	SAY(f->what, "The accept queue of %s, %s, %s: %s of %s", held_who(v, l->proc).s,
	    ip_port_text(l->addr, l->port).s, is_full(l) ? "is full" : "is nearly full", num(l->queue).s,
	    num(l->backlog).s);
	if (o->delta)
		append(f->what, sizeof(f->what),
		       "; %s handshake segment%s dropped in %s, each client waits 1 s and more", num(o->delta).s,
		       o->delta == 1 ? "" : "s", seconds_text(v->interval_s).s);
	else
		append(f->what, sizeof(f->what), "; %s is dropped, its client waits 1 s and more",
		       is_full(l) ? "the next SYN" : "beyond it every SYN");
	if (is_full(l))
		SAY(f->evidence, "queue %s > backlog %s", num(l->queue).s, num(l->backlog).s);
	else
		SAY(f->evidence, "queue %s >= %d %% of backlog %s", num(l->queue).s, NEAR_PERCENT, num(l->backlog).s);
	append(f->evidence, sizeof(f->evidence), "; ListenOverflows %s%s", o->counted ? "+" : "",
	       o->counted ? num(o->delta).s : "unknown");
	if (!is_full(l)) {
		f->confidence = o->delta ? CONF_MEDIUM : CONF_HIGH;
		SAY(f->raise, "%s",
		    o->delta
			    ? "seeing it full: the counter names no listener, and this queue is not full at this instant"
		    : v->before ? "ListenOverflows that moves"
				: "a second snapshot: the queue may be this long for a moment only");
	}
	remedy_accept(f, v, l);
	remedy_backlog(f, v, l);
	return f;
}

/* Connections were dropped, and at this instant no queue tells whose. */
static void say_unnamed(const struct rule *self, const struct view *v, const struct overflow *o, struct findings *out)
{
	struct finding *f = findings_add(out, self, v, SEV_CRIT, STAGE_FAILING);
	const struct listener *smallest = NULL;
	struct remedy *m;

	f->weight = (double)o->delta;
	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (l->listening && (!smallest || l->backlog < smallest->backlog))
			smallest = l;
	}
	SAY(f->what,
	    "%s handshake segment%s dropped in %s because an accept queue was full; at this instant none is, so it fills "
	    "in bursts",
	    num(o->delta).s, o->delta == 1 ? "" : "s", seconds_text(v->interval_s).s);
	SAY(f->evidence, "ListenOverflows +%s > 0 (%s/s), every queue < %d %% of its backlog", num(o->delta).s,
	    rate_text(o->per_s).s, NEAR_PERCENT);
	if (smallest)
		append(f->evidence, sizeof(f->evidence), "; the shortest: %s, %s, backlog %s",
		       held_who(v, smallest->proc).s, ip_port_text(smallest->addr, smallest->port).s,
		       num(smallest->backlog).s);
	f->confidence = CONF_HIGH;
	SAY(f->raise, "the listener: the drop happens between two looks, so look a few times more");
	m = finding_remedy(f, "Raise the backlog (Send-Q) of the listener that meets bursts, and somaxconn with it");
	SAY(m->command, "%sss -Hltn", view_prefix(v).s);
}

static void say_history(const struct rule *self, const struct view *v, uint64_t total, struct findings *out)
{
	struct finding *f = findings_add(out, self, v, SEV_INFO, STAGE_LOSING);

	f->weight = (double)total;
	SAY(f->what, "%s handshake segment%s dropped at a full accept queue since this network namespace began, %s",
	    num(total).s, total == 1 ? "" : "s", v->before ? "none now" : "when is not known");
	SAY(f->evidence, "ListenOverflows %s > 0, %s", num(total).s, v->before ? "+0 in the interval" : "one snapshot");
	if (!v->before) {
		f->confidence = CONF_LOW;
		SAY(f->raise, "a second snapshot: --interval 10");
	}
}

static void eval_SYN001(const struct rule *self, const struct view *v, struct findings *out)
{
	struct overflow o = {0};
	struct worst full = {0}, near = {0};
	struct finding *f = NULL;
	uint64_t total = 0;

	o.counted = view_delta(v, "ListenOverflows", &o.delta);
	view_rate(v, "ListenOverflows", &o.per_s);
	view_total(v, "ListenOverflows", &total);
	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];
		double share = (double)l->queue / (l->backlog + 1.0);

		if (!l->listening)
			continue;
		if (is_near(l) && (o.delta || stays_near(v, l)))
			worst_add(is_full(l) ? &full : &near, i, share);
	}
	if (!full.n)
		full = near;
	for (size_t k = 0; k < full.n; k++)
		f = say_queue(self, v, &v->now->listeners[full.v[k].row], &o, out);
	if (f)
		finding_more(f, full.more, "listener");
	else if (o.delta)
		say_unnamed(self, v, &o, out);
	else if (total)
		say_history(self, v, total, out);
}

const struct rule rule_SYN001 = {
	.id = "SYN001",
	.title = "accept queue overflows",
	.never = {"tcp_abort_on_overflow=1 turns a burst into connection resets where a retry would have succeeded",
		  "somaxconn alone changes nothing until the program listens again, and never above its own backlog",
		  "tcp_max_syn_backlog is about the SYN queue, and only with tcp_syncookies=0"},
	.eval = eval_SYN001,
};

/* The listeners with most half-open connections, in words; the greatest is returned. */
static const struct listener *say_half_open(struct finding *f, const struct view *v)
{
	const struct netns *ns = v->now;
	struct worst w = {0};

	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].listening && ns->listeners[i].states.n[ST_SYN_RECV])
			worst_add(&w, i, ns->listeners[i].states.n[ST_SYN_RECV]);
	for (size_t k = 0; k < w.n && k < SUSPECTS_SHOWN; k++) {
		const struct listener *l = &ns->listeners[w.v[k].row];

		append(f->evidence, sizeof(f->evidence), "%s%s on %s has %s of backlog %s",
		       k ? ", " : "; half-open: ", held_who(v, l->proc).s, ip_port_text(l->addr, l->port).s,
		       num(l->states.n[ST_SYN_RECV]).s, num(l->backlog).s);
	}
	return w.n ? &ns->listeners[w.v[0].row] : NULL;
}

static struct text growth_text(const struct view *v, const char *counter)
{
	struct text t = {"unknown"};
	uint64_t delta;

	if (view_delta(v, counter, &delta))
		SAY(t.s, "+%s", num(delta).s);
	return t;
}

static void eval_SYN002(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t cookies = 0, sent = 0, dropped = 0, valid = 0;
	int64_t mode = view_knob_or(v, KNOB_syncookies, 1);
	const struct listener *l;
	struct finding *f;
	struct remedy *m;

	view_delta(v, "TCPReqQFullDoCookies", &cookies);
	view_delta(v, "SyncookiesSent", &sent);
	view_delta(v, "TCPReqQFullDrop", &dropped);
	if (mode == SYN_COOKIES_ALWAYS) /* then every SYN gets a cookie and moves both counters: CFG005 */
		cookies = sent = 0;
	if (!cookies && !sent && !dropped)
		return;
	f = findings_add(out, self, v, dropped ? SEV_CRIT : SEV_WARN, STAGE_FAILING);
	f->weight = (double)(dropped ? dropped : sent);
	SAY(f->evidence,
	    "in %s: TCPReqQFullDrop %s, TCPReqQFullDoCookies %s, SyncookiesSent %s; tcp_syncookies %" PRId64,
	    seconds_text(v->interval_s).s, growth_text(v, "TCPReqQFullDrop").s,
	    growth_text(v, "TCPReqQFullDoCookies").s, growth_text(v, "SyncookiesSent").s, mode);
	if (dropped)
		SAY(f->what, "A SYN queue is full: %s SYN%s dropped in %s, each client waits 1 s and more",
		    num(dropped).s, dropped == 1 ? "" : "s", seconds_text(v->interval_s).s);
	else
		SAY(f->what, "A SYN queue is full: %s SYN%s answered with a cookie in %s", num(sent ? sent : cookies).s,
		    (sent ? sent : cookies) == 1 ? "" : "s", seconds_text(v->interval_s).s);
	f->confidence = CONF_HIGH;
	if (sent && view_delta(v, "SyncookiesRecv", &valid)) {
		bool real = (double)valid * 100 >= (double)sent * REAL_CLIENTS_PERCENT;

		append(f->what, sizeof(f->what), "; %s came back valid: %s", num(valid).s,
		       real ? "real clients, a burst" : "mostly a SYN flood, or lost answers");
		SAY(f->raise, "a longer --interval: cookies come back a round trip later");
	} else {
		SAY(f->raise, "%swhether the cookies come back (SyncookiesRecv): real clients or a flood",
		    cookies || sent ? "" : "with SYN cookies on, ");
	}
	l = say_half_open(f, v);
	if (dropped && mode == 0) {
		m = finding_remedy(f, "Switch SYN cookies on: with them no SYN is dropped at a full SYN queue");
		SAY(m->command, "%ssysctl -w net.ipv4.tcp_syncookies=1", view_prefix(v).s);
	}
	if (!l) {
		m = finding_remedy(f, "Raise the backlog of the listener that meets bursts, and somaxconn with it");
		SAY(m->precondition, "its clients are real ones");
		return;
	}
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, l->proc)).s);
	remedy_backlog(f, v, l);
}

const struct rule rule_SYN002 = {
	.id = "SYN002",
	.title = "SYN queue full",
	.never = {"tcp_max_syn_backlog does nothing unless tcp_syncookies=0: the queue holds min(backlog, somaxconn)",
		  "tcp_syncookies=0 drops what a cookie would have saved",
		  "tcp_syncookies=2 gives every connection a cookie: no window scaling or SACK without timestamps"},
	.eval = eval_SYN002,
};
