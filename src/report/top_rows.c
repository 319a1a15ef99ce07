/* SPDX-License-Identifier: MIT */
#include "report/top_rows.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

enum { NEWEST_S = 5 }; /* as forecast(): the rate of closes is that of the newest five seconds */

static double newest_per_s(const struct tw_ages *a)
{
	double n = 0;

	for (unsigned s = 0; s < NEWEST_S; s++)
		n += a->s[s];
	return n / NEWEST_S;
}

static bool holds(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; *text; text++)
		if (strncasecmp(text, part, len) == 0)
			return true;
	return len == 0;
}

static bool passes(const struct top_choice *c, const char *name, const char *process)
{
	return holds(name, c->filter) || holds(process, c->filter);
}

static bool is_chosen(const struct top_choice *c, const struct netns *ns)
{
	return c->netns == 0 || c->netns == ns->inode;
}

/* ---- order ---- */

static int by_weight(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_weight_reversed(const void *a, const void *b) { return by_weight(b, a); }

static double weight(enum top_sort by, double ports, double time_waits, double closes_per_s)
{
	switch (by) {
	case SORT_PORTS:
		return ports;
	case SORT_TIME_WAIT:
		return time_waits;
	case SORT_CLOSES:
		return closes_per_s;
	case SORT_NAME:
		break;
	}
	return 0; /* all alike: the name decides */
}

/* ---- rows of one namespace ---- */

static void add_dests(struct top_rows *r, const struct top_view *v, const struct netns *ns)
{
	const struct snapshot *s = observation_now(v->obs);
	struct port_budget budget = budget_of(ns);

	for (size_t i = 0; i < ns->n_dests; i++) {
		struct top_dest *row = &r->dests[r->n_dests];
		const struct dest *d = &ns->dests[i];

		*row = (struct top_dest){.ns = ns, .d = d, .known = budget.known, .f = forecast(d, &budget)};
		row->row.weight = weight(v->choice->sort, (double)row->f.used / (row->f.usable + 1.0),
					 d->states.n[ST_TIME_WAIT], row->f.closes_per_s);
		snprintf(row->row.name, sizeof(row->row.name), "%s", ip_port_text(d->dst, d->dport).s);
		snprintf(row->process, sizeof(row->process), "%s", proc_text(snapshot_proc(s, d->proc)).s);
		r->n_dests += passes(v->choice, row->row.name, row->process);
	}
}

static void add_listeners(struct top_rows *r, const struct top_view *v, const struct netns *ns)
{
	const struct snapshot *s = observation_now(v->obs);

	for (size_t i = 0; i < ns->n_listeners; i++) {
		struct top_listener *row = &r->listeners[r->n_listeners];
		const struct listener *l = &ns->listeners[i];

		*row = (struct top_listener){.l = l, .closes_per_s = newest_per_s(&l->tw_ages)};
		row->row.weight = weight(v->choice->sort, (double)state_counts_sum(&l->states),
					 l->states.n[ST_TIME_WAIT], row->closes_per_s);
		snprintf(row->row.name, sizeof(row->row.name), "%s", ip_port_text(l->addr, l->port).s);
		snprintf(row->process, sizeof(row->process), "%s",
			 l->listening ? proc_text(snapshot_proc(s, l->proc)).s : "nobody listens any more");
		r->n_listeners += passes(v->choice, row->row.name, row->process);
	}
}

/* ---- who closes first ---- */

/* The row of a process, or of -1: closers has room for every process, one more, and those that were followed. */
static struct top_closer *closer_of(struct top_rows *r, const struct snapshot *s, int32_t proc)
{
	return &r->closers[proc < 0 ? s->n_procs : (size_t)proc];
}

/* Who closed most of them, where that was watched; else who has such sockets now. */
static int32_t owner_of(const struct tw_owner *o, int32_t proc)
{
	const int32_t most = tw_owner_most(o);

	return most >= 0 ? most : proc;
}

static void count_time_waits(struct top_rows *r, const struct snapshot *s)
{
	for (size_t i = 0; i < r->n_dests; i++) {
		const struct dest *d = r->dests[i].d;
		struct top_closer *c = closer_of(r, s, owner_of(&d->tw_owner, d->proc));
		uint64_t n = d->states.n[ST_TIME_WAIT];

		c->time_waits += n;
		c->as_client += n;
		c->per_s += r->dests[i].f.closes_per_s;
	}
	for (size_t i = 0; i < r->n_listeners; i++) {
		const struct listener *l = r->listeners[i].l;
		struct top_closer *c = closer_of(r, s, owner_of(&l->tw_owner, l->proc));

		c->time_waits += l->states.n[ST_TIME_WAIT];
		c->per_s += r->listeners[i].closes_per_s;
	}
}

/* The row of a process whose closes were followed; it has one to itself if it left no TIME_WAIT. */
static struct top_closer *row_of(struct top_rows *r, const struct snapshot *s, const struct proc *p, size_t *n)
{
	for (size_t i = 0; i < s->n_procs; i++)
		if (proc_is_same(&s->procs[i], p))
			return &r->closers[i];
	return &r->closers[(*n)++];
}

/* The filter and the namespace choose listeners and destinations; a process without TIME_WAITs of theirs, by its own name. */
static bool is_shown(const struct top_view *v, const struct top_closer *c, const struct closer *k)
{
	if (c->time_waits)
		return true;
	if (v->choice->netns && k->proc.netns && v->choice->netns != k->proc.netns)
		return false;
	return holds(proc_text(&k->proc).s, v->choice->filter);
}

/* Returns how many rows there are now, empty ones among them. */
static size_t count_followed(struct top_rows *r, const struct top_view *v, const struct snapshot *s)
{
	size_t n = s->n_procs + 1;

	r->followed = v->n_closers > 0;
	for (size_t i = 0; i < v->n_closers; i++) {
		const struct closer *k = &v->closers[i];
		struct top_closer *c = row_of(r, s, &k->proc, &n);

		if (!is_shown(v, c, k))
			continue;
		c->rst = k->rst;
		c->per_s = k->per_s;
		c->followed = true;
		snprintf(c->row.name, sizeof(c->row.name), "%s", proc_text(&k->proc).s);
	}
	return n;
}

static void count_closers(struct top_rows *r, const struct top_view *v)
{
	const struct snapshot *s = observation_now(v->obs);
	size_t n;

	count_time_waits(r, s);
	n = count_followed(r, v, s);
	for (size_t i = 0; i < n; i++) {
		struct top_closer *c = &r->closers[i];

		if (c->time_waits == 0 && !c->followed)
			continue;
		c->row.weight = weight(v->choice->sort, (double)c->as_client, (double)c->time_waits, c->per_s);
		if (!c->followed)
			snprintf(c->row.name, sizeof(c->row.name), "%s",
				 i >= s->n_procs ? "unknown" : proc_text(&s->procs[i]).s);
		r->closers[r->n_closers++] = *c;
	}
}

void top_rows(struct top_rows *ret, const struct top_view *v)
{
	int (*order)(const void *, const void *) = v->choice->reverse ? by_weight_reversed : by_weight;
	const struct snapshot *s = observation_now(v->obs);
	size_t dests = 0, listeners = 0;

	for (size_t i = 0; i < s->n_netns; i++) {
		dests += s->netns[i].n_dests;
		listeners += s->netns[i].n_listeners;
	}
	*ret = (struct top_rows){.dests = xcalloc(dests + 1, sizeof(struct top_dest)),
				 .listeners = xcalloc(listeners + 1, sizeof(struct top_listener)),
				 .closers = xcalloc(s->n_procs + 1 + v->n_closers, sizeof(struct top_closer))};
	for (size_t i = 0; i < s->n_netns; i++) {
		if (!is_chosen(v->choice, &s->netns[i]))
			continue;
		add_dests(ret, v, &s->netns[i]);
		add_listeners(ret, v, &s->netns[i]);
	}
	count_closers(ret, v);
	qsort(ret->dests, ret->n_dests, sizeof(*ret->dests), order);
	qsort(ret->listeners, ret->n_listeners, sizeof(*ret->listeners), order);
	qsort(ret->closers, ret->n_closers, sizeof(*ret->closers), order);
}

void top_rows_done(struct top_rows *r)
{
	free(r->dests);
	free(r->listeners);
	free(r->closers);
}
