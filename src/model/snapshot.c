/* SPDX-License-Identifier: MIT */
#include "model/snapshot.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void netns_done(struct netns *ns)
{
	free(ns->listeners);
	free(ns->dests);
	free(ns->holders);
	free(ns->counters.v);
	free(ns->reserved);
	free(ns->missing);
}

void snapshot_done(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_netns; i++)
		netns_done(&s->netns[i]);
	free(s->netns);
	free(s->procs);
	free(s->config);
	free(s->missing);
	*s = (struct snapshot){0};
}

void observation_done(struct observation *o)
{
	for (unsigned i = 0; i < ARRAY_LEN(o->s); i++)
		snapshot_done(&o->s[i]);
	o->n = 0;
}

bool proc_is_same(const struct proc *a, const struct proc *b)
{
	return a->pid == b->pid && strcmp(a->comm, b->comm) == 0;
}

int32_t tw_owner_most(const struct tw_owner *o) { return o->votes > o->known / 2 ? o->proc : -1; }

const struct snapshot *observation_now(const struct observation *o)
{
	must(o->n >= 1 && o->n <= ARRAY_LEN(o->s));
	return &o->s[o->n - 1];
}

const struct netns *observation_before(const struct observation *o, uint64_t inode)
{
	if (o->n < 2)
		return NULL;
	for (size_t i = 0; i < o->s[0].n_netns; i++)
		if (o->s[0].netns[i].inode == inode)
			return &o->s[0].netns[i];
	return NULL;
}

double observation_interval_s(const struct observation *o)
{
	if (o->n < 2 || o->s[1].taken_at <= o->s[0].taken_at)
		return 0;
	return (double)(o->s[1].taken_at - o->s[0].taken_at) / (double)NSEC_PER_S;
}

int missing_add(struct missing **v, size_t *n, const struct missing *m)
{
	struct missing *grown;

	for (size_t i = 0; i < *n; i++)
		if (strcmp((*v)[i].what, m->what) == 0)
			return 0;
	grown = reallocarray(*v, *n + 1, sizeof(**v));
	if (!grown)
		return -ENOMEM;
	grown[(*n)++] = *m;
	*v = grown;
	return 0;
}

const struct proc *snapshot_proc(const struct snapshot *s, int32_t proc)
{
	if (proc < 0)
		return NULL;
	must((size_t)proc < s->n_procs);
	return &s->procs[proc];
}

struct proc_text proc_text(const struct proc *p)
{
	struct proc_text t = {""};

	if (p)
		snprintf(t.s, sizeof(t.s), p->container[0] ? "%s[%d] in %s" : "%s[%d]", p->comm, p->pid, p->container);
	return t;
}
