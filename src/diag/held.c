/* SPDX-License-Identifier: MIT */
#include "diag/held.h"
#include "base/text.h"
#include "diag/rules.h"
#include <inttypes.h>

static bool is_same_group(const struct holder *a, const struct holder *b)
{
	return a->kind == b->kind && a->lport == b->lport && a->pport == b->pport &&
	       (a->lport ? ip_eq(a->local, b->local) : ip_eq(a->peer, b->peer));
}

static uint64_t group_sum(const struct netns *ns, const struct holder *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ns->n_holders; i++)
		if (is_same_group(&ns->holders[i], h))
			n += ns->holders[i].n;
	return n;
}

struct growth held_growth(const struct view *v, const struct holder *h)
{
	struct growth g = {0};

	if (!v->before || !(v->interval_s > 0) || v->before->torn || v->now->torn)
		return g;
	g.before = group_sum(v->before, h);
	g.now = group_sum(v->now, h);
	g.known = g.before > 0;
	g.per_s = ((double)g.now - (double)g.before) / v->interval_s;
	return g;
}

bool is_growing(const struct growth *g) { return g->known && g->now > g->before; }

struct held_text held_who(const struct view *v, int32_t proc)
{
	const struct proc *p = snapshot_proc(v->host, proc);
	struct held_text t;

	if (p)
		SAY(t.s, "%s[%" PRId32 "]", p->comm, p->pid);
	else
		SAY(t.s, "an unknown process");
	return t;
}

struct held_text held_program(const struct view *v, int32_t proc)
{
	struct held_text t = {"the program"};

	return proc < 0 ? t : held_who(v, proc);
}

struct held_text held_place(const struct holder *h)
{
	struct held_text t = {""};

	if (h->lport)
		SAY(t.s, "on %s", ip_port_text(h->local, h->lport).s);
	else if (h->pport)
		SAY(t.s, "to %s", ip_port_text(h->peer, h->pport).s);
	return t;
}

struct held_text held_fds(const struct holder *h)
{
	struct held_text t = {""};

	for (uint32_t i = 0; i < h->n_fd && i < FDS_SHOWN; i++)
		append(t.s, sizeof(t.s), "%s%d", i ? ", " : " (fd ", h->fd[i]);
	if (t.s[0])
		append(t.s, sizeof(t.s), h->n > h->n_fd ? ", ...)" : ")");
	return t;
}

struct held_text held_growth_text(const struct view *v, const struct growth *g)
{
	struct held_text t;

	if (!g->known)
		SAY(t.s, "growth unknown");
	else if (g->now > g->before)
		SAY(t.s, "+%s in %s (%s/h)", num(g->now - g->before).s, seconds_text(v->interval_s).s,
		    num((uint64_t)(g->per_s * 3600)).s);
	else
		SAY(t.s, "not growing in %s", seconds_text(v->interval_s).s);
	return t;
}

struct held_text held_descriptors(const struct proc *p)
{
	struct held_text t;

	if (p->fds > p->fd_limit)
		SAY(t.s, "%s descriptors, limit %s", num(p->fds).s, num(p->fd_limit).s);
	else
		SAY(t.s, "%s of %s descriptors", num(p->fds).s, num(p->fd_limit).s);
	return t;
}

static bool listens(const struct netns *ns, struct ip addr, uint16_t port)
{
	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].listening && ns->listeners[i].port == port && ip_eq(ns->listeners[i].addr, addr))
			return true;
	return false;
}

const struct listener *held_listener_before(const struct view *v, const struct listener *l)
{
	const struct listener *any = NULL;

	for (size_t i = 0; v->before && i < v->before->n_listeners; i++) {
		const struct listener *b = &v->before->listeners[i];
		bool same_family = b->addr.family == l->addr.family;

		if (!b->listening || b->port != l->port)
			continue;
		if (ip_eq(b->addr, l->addr))
			return b;
		if (!ip_is_any(b->addr) || (any && !same_family))
			continue;
		/* [::] takes IPv4 too unless it is IPV6_V6ONLY; if it still listens beside l's row, it is. */
		if (same_family || (b->addr.family == 6 && !listens(v->now, b->addr, b->port)))
			any = b;
	}
	return any;
}

/* A name that a shell reads as one plain word. Names come from outside. */
static bool is_plain(const char *s, size_t len)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@:._-";

	return len > 0 && s[0] != '-' && strspn(s, plain) >= len;
}

/* "systemctl restart nginx.service" if that is what the cgroup says; else buf stays as it is. */
static void restart_command(char *buf, size_t cap, const struct proc *p)
{
	static const char suffix[] = ".service";
	const char *name = strrchr(p->cgroup, '/');
	size_t len;

	if (p->container[0]) {
		len = strlen(p->container);
		if (strstr(p->cgroup, "docker") && is_plain(p->container, len))
			append(buf, cap, "docker restart %s", p->container);
		return;
	}
	if (!name || !strstr(p->cgroup, "system.slice/"))
		return;
	name++;
	len = strlen(name);
	if (len >= sizeof(suffix) && strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0 && is_plain(name, len))
		append(buf, cap, "systemctl restart %s", name);
}

void remedy_restart(struct finding *f, const struct proc *p, const char *risk)
{
	struct remedy *m;

	if (!p)
		return;
	m = finding_remedy(f, "");
	SAY(m->action, "As a stopgap restart %s[%" PRId32 "]: its descriptors and sockets go with it", p->comm, p->pid);
	SAY(m->precondition, "its connections may be cut");
	restart_command(m->command, sizeof(m->command), p);
	SAY(m->risk, "%s", risk);
}

void remedy_more_fds(struct finding *f, const struct proc *p)
{
	uint64_t limit;
	struct remedy *m;

	if (!p || !p->fd_limit)
		return;
	limit = (uint64_t)p->fd_limit * 2;
	m = finding_remedy(f, "");
	SAY(m->action, "To gain time raise the descriptor limit of %s[%" PRId32 "] from %s to %s", p->comm, p->pid,
	    num(p->fd_limit).s, num(limit).s);
	SAY(m->precondition,
	    "the hard limit allows it (prlimit --pid %" PRId32
	    " --nofile), and it does not use select(), whose sets end at descriptor 1023",
	    p->pid);
	/* the soft limit only: a hard one that was lowered cannot be raised again without CAP_SYS_RESOURCE */
	SAY(m->command, "prlimit --pid %" PRId32 " --nofile=%" PRIu64 ":", p->pid, limit);
	SAY(m->risk, "postpones the failure, and costs kernel memory for each leaked socket");
}
