/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/held.h"
#include "diag/rules.h"
#include "diag/worst.h"
#include <inttypes.h>

enum {
	LEAK_MIN = 10, /* sockets before a pile is worth a word */
	LEAK_AGE_S = 60, /* a program that is only slow has closed by then */
	LEAK_CRIT = 1000,
	LEAK_GROWTH_CRIT = 10, /* more in an interval; fewer can be young ones on their way through CLOSE_WAIT */
	YOUNG_MIN = 100, /* pile of young ones: late closer, or a leak that begins */
	FDS_WARN_PERCENT = 80,
	FDS_CRIT_PERCENT = 95,
	FDS_SHARE_PERCENT = 10, /* of the open descriptors must be leaked sockets, else others fill the table */
};

static bool is_close_wait(const struct holder *h)
{
	/* without an owner for certain it was never accepted: told from the listener's counts */
	return (h->kind == HOLD_CLOSE_WAIT_UNREAD || h->kind == HOLD_CLOSE_WAIT_READ) && !h->orphan;
}

static bool is_leaking_fast(const struct growth *g) { return is_growing(g) && g->now - g->before >= LEAK_GROWTH_CRIT; }

static bool is_old(const struct holder *h) { return h->oldest_ms > LEAK_AGE_S * 1000; }

static struct text age_text(const struct holder *h)
{
	struct text t = {"of unknown age"};

	if (h->oldest_ms)
		SAY(t.s, "oldest %s", seconds_text(h->oldest_ms / 1000.0).s);
	return t;
}

/* What the receive queue says about the bug: the FIN counts as one byte until the program has read end-of-file. */
static void say_bug_class(struct finding *f, const struct holder *h)
{
	uint64_t each = h->queue_bytes / h->n;

	if (h->kind == HOLD_CLOSE_WAIT_READ)
		append(f->what, sizeof(f->what), "it read end-of-file and %s close()%s",
		       is_old(h) ? "never called" : "has not called", held_fds(h).s);
	else if (each == 0)
		append(f->what, sizeof(f->what), "it never reads: Recv-Q holds 1 byte each, the FIN%s", held_fds(h).s);
	else
		append(f->what, sizeof(f->what),
		       "it never reads: Recv-Q holds 1 + %s bytes each (the FIN counts as one)%s", num(each).s,
		       held_fds(h).s);
}

static void say_evidence(struct finding *f, const struct view *v, const struct holder *h, const struct growth *g)
{
	uint64_t bound = !is_old(h) ? YOUNG_MIN : h->n >= LEAK_CRIT ? LEAK_CRIT : LEAK_MIN;

	SAY(f->evidence, "CLOSE_WAIT %s >= %s, ", num(h->n).s, num(bound).s);
	if (!h->oldest_ms)
		append(f->evidence, sizeof(f->evidence), "age unknown");
	else
		append(f->evidence, sizeof(f->evidence), "oldest %s %s %d s", seconds_text(h->oldest_ms / 1000.0).s,
		       is_old(h) ? ">" : "<=", LEAK_AGE_S);
	if (h->median_ms)
		append(f->evidence, sizeof(f->evidence), ", median %s", seconds_text(h->median_ms / 1000.0).s);
	append(f->evidence, sizeof(f->evidence), "; %s bytes unread in all; %s", num(h->queue_bytes).s,
	       held_growth_text(v, g).s);
	if (is_old(h) && is_leaking_fast(g))
		append(f->evidence, sizeof(f->evidence), " >= +%d", LEAK_GROWTH_CRIT);
	if (h->opts.known)
		append(f->evidence, sizeof(f->evidence), "; SO_KEEPALIVE %s (it ends those of dead peers only)",
		       h->opts.keepalive ? "on" : "off");
}

static void remedy_code(struct finding *f, const struct view *v, const struct holder *h)
{
	struct remedy *m = finding_remedy(f, "");

	if (h->kind == HOLD_CLOSE_WAIT_UNREAD)
		SAY(m->action, "Fix %s: keep every connection in its read loop, and close() it when read() returns 0",
		    held_program(v, h->proc).s);
	else if (h->lport)
		SAY(m->action, "Fix %s: call close() when read() returns 0, on error paths and in forked children too",
		    held_program(v, h->proc).s);
	else
		SAY(m->action,
		    "Fix %s: drain and close every response, and drop a pooled connection that the server closed",
		    held_program(v, h->proc).s);
	if (h->n_fd)
		append(m->action, sizeof(m->action), "; find where it keeps descriptor %d", h->fd[0]);
}

static struct finding *say_leak(const struct rule *self, const struct view *v, const struct holder *h,
				struct findings *out)
{
	struct growth g = held_growth(v, h);
	const struct proc *p = snapshot_proc(v->host, h->proc);
	enum severity sev = SEV_INFO;
	struct finding *f;

	if (is_old(h))
		sev = h->n >= LEAK_CRIT || is_leaking_fast(&g) ? SEV_CRIT : SEV_WARN;
	f = findings_add(out, self, v, sev, STAGE_LEAKING);
	f->weight = h->n;
	SAY(f->process, "%s", proc_text(p).s);
	SAY(f->what, "%s holds %s sockets in CLOSE_WAIT %s%s%s: ", held_who(v, h->proc).s, num(h->n).s, held_place(h).s,
	    held_place(h).s[0] ? ", " : "", age_text(h).s);
	say_bug_class(f, h);
	say_evidence(f, v, h, &g);
	if (!is_old(h))
		f->confidence = CONF_LOW;
	else if (is_leaking_fast(&g) && p)
		f->confidence = CONF_CERTAIN;
	else
		f->confidence = CONF_HIGH;
	if (!p)
		SAY(f->raise, "root (CAP_SYS_PTRACE) would show which process has them");
	else if (f->confidence != CONF_CERTAIN)
		SAY(f->raise,
		    "a longer look: lastack doctor --only CW001 --interval 60; a leak grows, a slow close does not");
	remedy_code(f, v, h);
	remedy_restart(f, p, "the leak comes back until the program is fixed");
	return f;
}

/* Closed by the client before the program called accept(): the program is stuck, too slow or out of descriptors. */
static struct finding *say_unaccepted(const struct rule *self, const struct view *v, const struct listener *l,
				      enum severity sev, struct findings *out)
{
	const struct proc *p = snapshot_proc(v->host, l->proc);
	struct finding *f = findings_add(out, self, v, sev, STAGE_LEAKING);
	bool no_fds = p && p->fd_limit && (uint64_t)p->fds * 100 >= (uint64_t)p->fd_limit * FDS_CRIT_PERCENT;
	struct held_text who = held_who(v, l->proc);
	struct remedy *m;

	f->weight = l->close_wait_unaccepted;
	SAY(f->process, "%s", proc_text(p).s);
	SAY(f->what, "%s connection%s to %s in CLOSE_WAIT that %s never accepted: ", num(l->close_wait_unaccepted).s,
	    l->close_wait_unaccepted == 1 ? "" : "s", ip_port_text(l->addr, l->port).s, who.s);
	if (no_fds)
		append(f->what, sizeof(f->what), "it is %sout of descriptors (%s)",
		       p->fds < p->fd_limit ? "nearly " : "", held_descriptors(p).s);
	else
		append(f->what, sizeof(f->what), "it is stuck or too slow, the clients gave up");
	append(f->what, sizeof(f->what), "; accept queue %s of %s", num(l->queue).s, num(l->backlog).s);
	SAY(f->evidence, "CLOSE_WAIT without inode %s > 0, of %s not accepted; queue %s %s backlog %s",
	    num(l->close_wait_unaccepted).s, num(l->unaccepted).s, num(l->queue).s,
	    l->queue > l->backlog ? ">" : "<=", num(l->backlog).s);
	f->confidence = CONF_HIGH;
	SAY(f->raise, "a stack trace would tell what it waits for instead of calling accept()");
	if (no_fds)
		remedy_more_fds(f, p);
	m = finding_remedy(f, "");
	SAY(m->action, "Find out what %s waits for: it does not call accept()", held_program(v, l->proc).s);
	if (p)
		SAY(m->command,
		    "cat /proc/%" PRId32 "/wchan; ls /proc/%" PRId32 "/fd | wc -l; grep 'open files' /proc/%" PRId32
		    "/limits",
		    p->pid, p->pid, p->pid);
	remedy_restart(f, p, "it gets stuck again until the cause is found");
	return f;
}

/* A few that were not there an interval ago are clients that came and went while the program was about to accept. */
static bool is_passing(const struct view *v, const struct listener *l)
{
	const struct listener *b = held_listener_before(v, l);

	return l->close_wait_unaccepted < LEAK_MIN && v->before && (!b || b->close_wait_unaccepted == 0);
}

static enum severity unaccepted_severity(const struct view *v, const struct listener *l)
{
	if (l->queue > l->backlog || l->close_wait_unaccepted >= LEAK_CRIT)
		return SEV_CRIT;
	return l->close_wait_unaccepted < LEAK_MIN && !v->before ? SEV_INFO : SEV_WARN;
}

static void eval_CW001(const struct rule *self, const struct view *v, struct findings *out)
{
	const struct netns *ns = v->now;
	struct worst w = {0};
	struct finding *f = NULL;

	for (size_t i = 0; i < ns->n_holders; i++)
		if (is_close_wait(&ns->holders[i]) &&
		    ns->holders[i].n >= (is_old(&ns->holders[i]) ? LEAK_MIN : YOUNG_MIN))
			worst_add(&w, i, ns->holders[i].n);
	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].close_wait_unaccepted && !is_passing(v, &ns->listeners[i]))
			worst_add(&w, ns->n_holders + i, ns->listeners[i].close_wait_unaccepted);
	for (size_t k = 0; k < w.n; k++) {
		size_t i = w.v[k].row;

		if (i < ns->n_holders) {
			f = say_leak(self, v, &ns->holders[i], out);
		} else {
			const struct listener *l = &ns->listeners[i - ns->n_holders];

			f = say_unaccepted(self, v, l, unaccepted_severity(v, l), out);
		}
	}
	if (f)
		finding_more(f, w.more, "group");
}

const struct rule rule_CW001 = {
	.id = "CW001",
	.title = "sockets stay in CLOSE_WAIT",
	.never = {"no sysctl shortens CLOSE_WAIT: it has no timer, only the program can end it",
		  "ss -K frees the socket but not the descriptor: the leak goes on, unseen by ss",
		  "a lower tcp_keepalive_time does nothing without SO_KEEPALIVE, and a living peer answers for ever",
		  "tcp_fin_timeout acts on orphans in FIN_WAIT_2, never on CLOSE_WAIT"},
	.eval = eval_CW001,
};

/* Descriptors of process number proc that are dead weight; *ret_biggest is its greatest group. */
static uint64_t leaked_by(const struct netns *ns, int32_t proc, const struct holder **ret_biggest)
{
	uint64_t n = 0;

	*ret_biggest = NULL;
	for (size_t i = 0; i < ns->n_holders; i++) {
		const struct holder *h = &ns->holders[i];

		if (h->proc != proc || !(is_close_wait(h) || h->kind == HOLD_INVISIBLE))
			continue;
		n += h->n;
		if (!*ret_biggest || h->n > (*ret_biggest)->n)
			*ret_biggest = h;
	}
	return n;
}

/* What the descriptors of p open now mean; biggest is its greatest group of leaked ones, which grew by g. */
static void say_limit(struct finding *f, const struct proc *p, const struct holder *biggest, const struct growth *g)
{
	if (p->fds > p->fd_limit)
		append(f->what, sizeof(f->what), ": EMFILE as soon as every number below the limit is taken");
	else if (p->fds == p->fd_limit)
		append(f->what, sizeof(f->what), ": accept(), connect() and open() fail with EMFILE now");
	else if (is_growing(g)) /* other processes may share the growth of the group */
		append(f->what, sizeof(f->what), ": at this rate EMFILE comes in %s",
		       seconds_text((p->fd_limit - p->fds) / (g->per_s * biggest->n / (double)g->now)).s);
}

static struct finding *say_fds(const struct rule *self, const struct view *v, int32_t proc, struct findings *out)
{
	const struct proc *p = snapshot_proc(v->host, proc);
	const struct holder *biggest;
	uint64_t leaked = leaked_by(v->now, proc, &biggest);
	bool crit = (uint64_t)p->fds * 100 >= (uint64_t)p->fd_limit * FDS_CRIT_PERCENT;
	struct finding *f = findings_add(out, self, v, crit ? SEV_CRIT : SEV_WARN, STAGE_LEAKING);
	struct held_text who = held_who(v, proc);
	struct growth g;
	struct remedy *m;

	must(biggest);
	g = held_growth(v, biggest);
	f->weight = (double)p->fds / p->fd_limit;
	SAY(f->process, "%s", proc_text(p).s);
	if (p->fds > p->fd_limit) /* those were open before the limit was lowered, or inherited */
		SAY(f->what, "%s is beyond its limit of %s descriptors with %s open", who.s, num(p->fd_limit).s,
		    num(p->fds).s);
	else
		SAY(f->what, "%s has %s open", who.s, held_descriptors(p).s);
	append(f->what, sizeof(f->what), ", %s of them sockets it failed to close", num(leaked).s);
	say_limit(f, p, biggest, &g);
	SAY(f->evidence, "descriptors %s >= %d %% of RLIMIT_NOFILE %s; leaked sockets %s >= %d %% of them; %s",
	    num(p->fds).s, crit ? FDS_CRIT_PERCENT : FDS_WARN_PERCENT, num(p->fd_limit).s, num(leaked).s,
	    FDS_SHARE_PERCENT, held_growth_text(v, &g).s);
	if (!is_growing(&g)) {
		f->confidence = CONF_HIGH;
		SAY(f->raise, "a longer --interval would show whether the leak grows, and when the limit is reached");
	}
	m = finding_remedy(f, "");
	SAY(m->action, "Fix the leak in %s: CW001 and CW003 tell which sockets and which bug", who.s);
	remedy_restart(f, p, "the leak comes back until the program is fixed");
	remedy_more_fds(f, p);
	return f;
}

static void eval_CW002(const struct rule *self, const struct view *v, struct findings *out)
{
	struct worst w = {0};
	struct finding *f = NULL;

	for (size_t i = 0; i < v->host->n_procs; i++) {
		const struct proc *p = &v->host->procs[i];
		const struct holder *biggest;
		uint64_t leaked;

		if (!p->fd_limit || (uint64_t)p->fds * 100 < (uint64_t)p->fd_limit * FDS_WARN_PERCENT)
			continue;
		leaked = leaked_by(v->now, (int32_t)i, &biggest);
		if (biggest && leaked * 100 >= (uint64_t)p->fds * FDS_SHARE_PERCENT)
			worst_add(&w, i, (double)p->fds / p->fd_limit);
	}
	for (size_t k = 0; k < w.n; k++)
		f = say_fds(self, v, (int32_t)w.v[k].row, out);
	if (f)
		finding_more(f, w.more, "program");
}

const struct rule rule_CW002 = {
	.id = "CW002",
	.title = "leaked sockets use up the descriptors of a process",
	.never = {"a higher limit alone only postpones the failure, and the leak then costs more kernel memory",
		  "ss -K gives no descriptor back: only the program's close(), or its end, does"},
	.eval = eval_CW002,
};

static struct finding *say_invisible(const struct rule *self, const struct view *v, const struct holder *h,
				     struct findings *out)
{
	const struct proc *p = snapshot_proc(v->host, h->proc);
	struct finding *f = findings_add(out, self, v, SEV_WARN, STAGE_LEAKING);
	struct remedy *m;

	f->weight = h->n;
	SAY(f->process, "%s", proc_text(p).s);
	SAY(f->what, "%s keeps %s descriptors of dead TCP sockets%s%s: ss shows them no more, /proc/PID/fd does%s",
	    held_who(v, h->proc).s, num(h->n).s, held_place(h).s[0] ? " " : "", held_place(h).s, held_fds(h).s);
	SAY(f->evidence, "descriptors of TCP sockets in CLOSE, in no dump: %s >= %d", num(h->n).s, LEAK_MIN);
	if (p && p->fd_limit)
		append(f->evidence, sizeof(f->evidence), "; it has %s open", held_descriptors(p).s);
	f->confidence = CONF_HIGH;
	SAY(f->raise, "strace -f -e trace=close,accept4,socket shows whether they are ever closed");
	m = finding_remedy(f, "");
	SAY(m->action, "Fix %s: close() the descriptor when read() or epoll reports an error or end-of-file",
	    held_program(v, h->proc).s);
	if (p)
		SAY(m->command, "ls -l /proc/%" PRId32 "/fd | grep socket:", p->pid);
	remedy_restart(f, p, "the leak comes back until the program is fixed");
	return f;
}

static void eval_CW003(const struct rule *self, const struct view *v, struct findings *out)
{
	struct worst w = {0};
	struct finding *f = NULL;

	for (size_t i = 0; i < v->now->n_holders; i++)
		if (v->now->holders[i].kind == HOLD_INVISIBLE && v->now->holders[i].n >= LEAK_MIN)
			worst_add(&w, i, v->now->holders[i].n);
	for (size_t k = 0; k < w.n; k++)
		f = say_invisible(self, v, &v->now->holders[w.v[k].row], out);
	if (f)
		finding_more(f, w.more, "group");
}

const struct rule rule_CW003 = {
	.id = "CW003",
	.title = "leaked sockets vanished from ss, their descriptors stay",
	.never =
		{"do not call a leak cured because CLOSE_WAIT disappeared: keepalive or a reset ends the socket, not the "
		 "descriptor",
		 "no sysctl closes a descriptor"},
	.eval = eval_CW003,
};
