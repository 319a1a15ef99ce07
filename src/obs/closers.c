/* SPDX-License-Identifier: MIT */
#include "obs/closers.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "obs/index.h"
#include "obs/procs.h"

enum { RATE_S = 5, RATE_SLOTS = RATE_S + 1 }; /* the second that is not over yet does not count */

struct counts {
	uint64_t fin, rst;
	uint64_t second; /* the newest one in latest[] */
	uint32_t latest[RATE_SLOTS]; /* closes in each second, by second % RATE_SLOTS */
};

struct close {
	uint64_t cookie;
	int32_t place;
};

struct closers {
	struct close *v;
	size_t n, cap;
	struct index ix; /* by cookie */
	struct proc *procs;
	struct counts *counts; /* of each of procs */
	size_t n_procs, cap_procs, cap_counts;
};

int closers_new(struct closers **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void closers_free(struct closers *c)
{
	if (!c)
		return;
	index_done(&c->ix);
	free(c->v);
	free(c->procs);
	free(c->counts);
	free(c);
}

/* Cookies are the kernel's own numbers: nobody can choose them so that they collide. */
static uint32_t hash_of(uint64_t cookie) { return (uint32_t)((cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 32); }

/* A pid may be another program's by now: the trace's name decides, where it has one. */
static bool is_named(const struct proc *p, const struct conn_proc *seen)
{
	return !seen->comm[0] || strncmp(p->comm, seen->comm, sizeof(seen->comm)) == 0;
}

/* The latest processes close most. One that is gone already, or another by now, has the name that the trace saw. */
static int place_of(struct closers *c, const struct conn_proc *p, int32_t *ret)
{
	struct proc now;

	for (size_t i = c->n_procs; i-- > 0;)
		if ((uint32_t)c->procs[i].pid == p->pid && is_named(&c->procs[i], p)) {
			*ret = (int32_t)i;
			return 0;
		}
	*ret = -1;
	if (c->n_procs == CLOSERS_PROCS_MAX)
		return 0;
	if (vec_reserve((void **)&c->procs, &c->cap_procs, c->n_procs + 1, sizeof(*c->procs)) < 0 ||
	    vec_reserve((void **)&c->counts, &c->cap_counts, c->n_procs + 1, sizeof(*c->counts)) < 0)
		return -ENOMEM;
	if (!proc_read((int32_t)p->pid, &now) || !is_named(&now, p)) {
		now = (struct proc){.pid = (int32_t)p->pid};
		snprintf(now.comm, sizeof(now.comm), "%s", p->comm);
	}
	c->procs[c->n_procs] = now;
	*ret = (int32_t)c->n_procs++;
	return 0;
}

/* Seconds that nothing was counted in become 0. */
static void pass_to(struct counts *k, uint64_t second)
{
	if (second <= k->second)
		return;
	for (uint64_t s = k->second + 1; s <= second && s <= k->second + RATE_SLOTS; s++)
		k->latest[s % RATE_SLOTS] = 0;
	k->second = second;
}

static void count(struct counts *k, const struct conn *conn)
{
	uint64_t second = conn->end / NSEC_PER_S;

	if (conn->how == END_RST)
		k->rst++;
	else
		k->fin++;
	pass_to(k, second);
	if (second + RATE_SLOTS > k->second)
		k->latest[second % RATE_SLOTS]++;
}

size_t closers_list(const struct closers *c, nsec_t now, struct closer *ret, size_t cap)
{
	size_t n = c->n_procs < cap ? c->n_procs : cap;

	for (size_t i = 0; i < n; i++) {
		struct counts k = c->counts[i];
		uint64_t sum = 0;

		pass_to(&k, now / NSEC_PER_S);
		for (unsigned s = 1; s <= RATE_S; s++)
			sum += k.latest[(k.second + s) % RATE_SLOTS]; /* all but the one that is not over */
		ret[i] =
			(struct closer){.proc = c->procs[i], .fin = k.fin, .rst = k.rst, .per_s = (double)sum / RATE_S};
	}
	return n;
}

int closers_add(struct closers *c, const struct conn *conn)
{
	int32_t place;

	if (!conn->closer.pid || (conn->first != conn->local && !conn->crossed))
		return 0;
	if (place_of(c, &conn->closer, &place) < 0)
		return -ENOMEM;
	if (place < 0)
		return 0;
	count(&c->counts[place], conn);
	if (conn->how != END_FIN || !conn->cookie || c->n == CLOSERS_MAX)
		return 0;
	if (vec_reserve((void **)&c->v, &c->cap, c->n + 1, sizeof(*c->v)) < 0 ||
	    index_add(&c->ix, hash_of(conn->cookie), (uint32_t)c->n) < 0)
		return -ENOMEM;
	c->v[c->n++] = (struct close){conn->cookie, place};
	return 0;
}

int32_t closers_find(const struct closers *c, uint64_t cookie)
{
	uint32_t hash = hash_of(cookie), place;

	for (size_t at = hash; (place = index_next(&c->ix, hash, &at)) != INDEX_NONE;)
		if (c->v[place].cookie == cookie)
			return c->v[place].place;
	return -1;
}

void closers_vote(struct tw_owner *o, int32_t place)
{
	o->known++;
	if (o->lead == 0 && o->proc != place) {
		o->proc = place;
		o->votes = 0;
	}
	if (o->proc == place) {
		o->lead++;
		o->votes++;
	} else {
		o->lead--;
	}
}

/* The index of that process in s; it is appended if it is new. */
static int translate(const struct closers *c, struct snapshot *s, struct tw_owner *o, int32_t *proc)
{
	const struct proc *p;
	struct proc *grown;
	size_t i = 0;

	if (tw_owner_most(o) < 0)
		return 0;
	p = &c->procs[o->proc];
	while (i < s->n_procs && !proc_is_same(&s->procs[i], p))
		i++;
	if (i == s->n_procs) {
		grown = reallocarray(s->procs, s->n_procs + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->procs = grown;
		s->procs[s->n_procs++] = *p;
	}
	o->proc = (int32_t)i;
	if (*proc < 0)
		*proc = o->proc;
	return 0;
}

int closers_apply(const struct closers *c, struct snapshot *s)
{
	int err = 0;

	for (size_t i = 0; i < s->n_netns; i++) {
		struct netns *ns = &s->netns[i];

		for (size_t k = 0; k < ns->n_dests && err == 0; k++)
			err = translate(c, s, &ns->dests[k].tw_owner, &ns->dests[k].proc);
		for (size_t k = 0; k < ns->n_listeners && err == 0; k++)
			err = translate(c, s, &ns->listeners[k].tw_owner, &ns->listeners[k].proc);
	}
	return err;
}
