/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/held.h"
#include "diag/rules.h"
#include "diag/worst.h"
#include <inttypes.h>

enum {
	FEW = 10, /* sockets on the port: a restart may find them gone */
};

/* Sockets whose port is taken for bind(): all but the listener itself and requests that are no sockets yet. */
static uint64_t leftovers(const struct listener *l)
{
	return state_counts_sum(&l->states) - l->states.n[ST_LISTEN] - l->states.n[ST_SYN_RECV] - l->states.n[ST_CLOSE];
}

/* An old socket lets a new one bind() only if it had the same flag itself (kernel-truth.md 7.2). */
static bool would_block(const struct listener *l)
{
	return l->listening && l->opts.known && !l->opts.reuseaddr && !l->opts.reuseport && leftovers(l) > 0;
}

static bool is_left_behind(const struct view *v, const struct listener *l)
{
	const struct listener *b;

	if (l->listening || !l->states.n[ST_TIME_WAIT])
		return false;
	b = held_listener_before(v, l);
	return !b || !b->opts.known || !(b->opts.reuseaddr || b->opts.reuseport);
}

static void say_states(struct finding *f, const struct listener *l)
{
	bool first = true;

	for (int st = 0; st < N_STATES; st++) {
		if (!l->states.n[st] || st == ST_LISTEN || st == ST_SYN_RECV || st == ST_CLOSE)
			continue;
		append(f->evidence, sizeof(f->evidence), "%s%s %s", first ? "" : ", ", num(l->states.n[st]).s,
		       state_descs[st].netstat);
		first = false;
	}
}

static void remedy_wait(struct finding *f, const struct listener *l)
{
	struct remedy *m = finding_remedy(f, "");

	SAY(m->action, "At the restart, try bind() on port %u again for 61 s, or wait that long before the start",
	    l->port);
	SAY(m->precondition, "no forked child and no other process still holds a connection of the old instance");
}

static void remedy_destroy(struct finding *f, const struct view *v, const struct listener *l)
{
	struct remedy *m;

	if (v->host->kernel_version < KV(6, 0)) /* TIME_WAIT sockets can be destroyed since then */
		return;
	m = finding_remedy(f, "Emergency: destroy the TIME_WAITs of this port only, so that the service starts now");
	SAY(m->precondition, "a person decided so, and the old instance is gone");
	SAY(m->command, "%sss -K state time-wait sport = :%u", view_prefix(v).s, l->port);
	SAY(m->risk, "TIME-WAIT assassination (RFC 1337): a late segment can reach the next connection");
}

static struct finding *say_would_block(const struct rule *self, const struct view *v, const struct listener *l,
				       struct findings *out)
{
	uint64_t n = leftovers(l);
	struct finding *f = findings_add(out, self, v, n >= FEW ? SEV_WARN : SEV_INFO,
					 n >= FEW ? STAGE_ABOUT_TO_FAIL : STAGE_CONFIG);
	struct held_text who = held_who(v, l->proc);
	struct remedy *m;

	f->weight = (double)n;
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, l->proc)).s);
	SAY(f->what,
	    "A restart of %s within 60 s fails with EADDRINUSE: %s listens without SO_REUSEADDR, and %s of its sockets "
	    "would keep the port",
	    who.s, ip_port_text(l->addr, l->port).s, num(n).s);
	SAY(f->evidence, "SO_REUSEADDR 0 and SO_REUSEPORT 0 on the listener, sockets on its port %s > 0: ", num(n).s);
	say_states(f, l);
	m = finding_remedy(f, "");
	SAY(m->action,
	    "Set SO_REUSEADDR before bind() in %s, one release ahead: "
	    "the OLD sockets must carry it, so it helps from the second restart on",
	    who.s);
	remedy_wait(f, l);
	return f;
}

static struct finding *say_left_behind(const struct rule *self, const struct view *v, const struct listener *l,
				       struct findings *out)
{
	const struct listener *before = held_listener_before(v, l);
	bool went = before && before->opts.known, outgoing = l->leftovers_well_known > 0;
	/* The flag of a listener that is gone can no longer be read: most servers set it, and were merely stopped. */
	struct finding *f =
		findings_add(out, self, v, went ? SEV_WARN : SEV_INFO, went ? STAGE_FAILING : STAGE_ABOUT_TO_FAIL);
	uint64_t n = leftovers(l);
	struct remedy *m;

	f->weight = (double)n;
	SAY(f->what,
	    "Nothing listens on port %u (%s), but %s socket%s of a former listener remain%s: a start fails "
	    "with EADDRINUSE%s",
	    l->port, ip_text(l->addr).s, num(n).s, n == 1 ? "" : "s", n == 1 ? "s" : "",
	    went ? ", the old instance ran without SO_REUSEADDR" : " if the old instance ran without SO_REUSEADDR");
	SAY(f->evidence, "no LISTEN on %s, sockets left on it %s >= 1: ", ip_port_text(l->addr, l->port).s, num(n).s);
	say_states(f, l);
	if (went)
		append(f->evidence, sizeof(f->evidence), "; it listened %s ago", seconds_text(v->interval_s).s);
	f->confidence = went ? CONF_CERTAIN : CONF_MEDIUM;
	if (!went)
		SAY(f->raise,
		    "EADDRINUSE in the service's log; a program may have chosen this port for connections out");
	if (outgoing) {
		append(f->evidence, sizeof(f->evidence), "; %s connections out to services use the port too",
		       num(l->leftovers_well_known).s);
		m = finding_remedy(f, "");
		SAY(m->action, "Keep connections out away from port %u: reserve it", l->port);
		SAY(m->precondition,
		    "what you write contains the old list too, which the command shows: a write replaces it");
		SAY(m->command, "%ssysctl net.ipv4.ip_local_reserved_ports", view_prefix(v).s);
	}
	remedy_wait(f, l);
	finding_remedy(f, "Set SO_REUSEADDR before bind() in the service, one release ahead: "
			  "the OLD sockets must carry it, so it helps from the second restart on");
	remedy_destroy(f, v, l);
	return f;
}

static void eval_RESTART001(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f = NULL;
	struct worst w = {0};

	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (would_block(l) || is_left_behind(v, l)) /* what fails now goes before what would */
			worst_add(&w, i, (double)leftovers(l) + (l->listening ? 0 : (double)UINT32_MAX));
	}
	for (size_t k = 0; k < w.n; k++) {
		const struct listener *l = &v->now->listeners[w.v[k].row];

		f = l->listening ? say_would_block(self, v, l, out) : say_left_behind(self, v, l, out);
	}
	if (f)
		finding_more(f, w.more, "port");
}

const struct rule rule_RESTART001 = {
	.id = "RESTART001",
	.title = "a restart fails with EADDRINUSE",
	.never = {"tcp_tw_reuse and tcp_fin_timeout do not help bind(): they act on connect() and on FIN_WAIT_2",
		  "SO_LINGER with time 0 avoids the TIME_WAIT by resetting connections, which loses data",
		  "SO_REUSEADDR in the new program alone fails as before: the old sockets carry the old flag",
		  "ss -K without a port filter hits the connections of everybody"},
	.eval = eval_RESTART001,
};
