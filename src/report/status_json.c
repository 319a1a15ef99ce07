/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "report/parts.h"

static void json_proc(struct json *j, const struct proc *p)
{
	json_key(j, "process");
	if (!p) {
		json_null(j);
		return;
	}
	json_object(j);
	json_kv_int(j, "pid", p->pid);
	json_kv_str(j, "comm", p->comm);
	json_kv_str(j, "cgroup", p->cgroup);
	json_kv_str(j, "container", p->container[0] ? p->container : NULL);
	json_kv_uint(j, "fds", p->fds);
	json_kv_uint(j, "fd_limit", p->fd_limit);
	json_object_end(j);
}

static void json_listener(struct json *j, const struct snapshot *s, const struct listener *li)
{
	json_object(j);
	json_kv_str(j, "addr", ip_text(li->addr).s);
	json_kv_uint(j, "port", li->port);
	json_kv_bool(j, "listening", li->listening);
	json_kv_uint(j, "sockets", li->sockets);
	json_kv_uint(j, "queue", li->queue);
	json_kv_uint(j, "backlog", li->backlog);
	json_key(j, "states");
	json_states(j, &li->states);
	json_kv_uint(j, "fin_wait_2_orphans", li->fin_wait_2_orphans);
	json_kv_uint(j, "unaccepted", li->unaccepted);
	json_proc(j, snapshot_proc(s, li->proc));
	json_object_end(j);
}

static void json_budget(struct json *j, const struct port_budget *b)
{
	json_key(j, "ports_usable");
	if (b->known)
		json_uint(j, b->usable);
	else
		json_null(j);
}

static void json_dest(struct json *j, const struct snapshot *s, const struct dest *d, const struct port_budget *b)
{
	struct forecast f = forecast(d, b);

	json_object(j);
	json_kv_str(j, "src", ip_text(d->src).s);
	json_kv_str(j, "dst", ip_text(d->dst).s);
	json_kv_uint(j, "dport", d->dport);
	json_kv_bool(j, "loopback", d->loopback);
	json_key(j, "states");
	json_states(j, &d->states);
	json_kv_uint(j, "fin_wait_2_orphans", d->fin_wait_2_orphans);
	json_kv_uint(j, "ports_used", f.used);
	json_budget(j, b);
	json_kv_uint(j, "ports_low_parity", d->ports_low_parity);
	json_kv_uint(j, "ports_other_parity", d->ports_other_parity);
	json_kv_uint(j, "ports_outside", d->ports_outside);
	json_kv_uint(j, "tw_in_range", d->tw_in_range);
	json_kv_uint(j, "tw_reusable", d->tw_reusable);
	json_kv_uint(j, "tw_closer_known", d->tw_owner.known);
	json_kv_real(j, "closes_per_s", f.closes_per_s);
	json_kv_real(j, "closes_per_s_minute", f.closes_per_s_minute);
	json_kv_real(j, "to_cliff_s", f.to_cliff_s);
	json_kv_real(j, "to_fail_s", f.to_fail_s);
	json_kv_real(j, "steady_used", f.steady_used);
	json_proc(j, snapshot_proc(s, d->proc));
	json_object_end(j);
}

/* Both are sorted by name, so one walk finds the pairs. A counter that went back (a reset) has no rate. */
static void json_rates(struct json *j, const struct observation *o, const struct netns *ns)
{
	const struct netns *before = observation_before(o, ns->inode);
	double interval_s = observation_interval_s(o);
	size_t k = 0;

	if (!before || interval_s <= 0)
		return;
	json_key(j, "rates");
	json_object(j);
	for (size_t i = 0; i < ns->counters.n; i++) {
		const struct counter *now = &ns->counters.v[i];

		while (k < before->counters.n && strcmp(before->counters.v[k].name, now->name) < 0)
			k++;
		if (k == before->counters.n || strcmp(before->counters.v[k].name, now->name) != 0)
			continue;
		if (now->value > before->counters.v[k].value)
			json_kv_real(j, now->name, (double)(now->value - before->counters.v[k].value) / interval_s);
	}
	json_object_end(j);
}

/* What sockstat counts for the whole machine stands apart, so that nobody adds it up over namespaces. */
static void json_sockstat(struct json *j, const struct sockstat *st)
{
	json_key(j, "sockstat");
	if (!st->known) {
		json_null(j);
		return;
	}
	json_object(j);
	json_kv_uint(j, "inuse", st->inuse);
	json_kv_uint(j, "tw", st->tw);
	json_key(j, "machine");
	json_object(j);
	json_kv_uint(j, "orphan", st->orphan);
	json_kv_uint(j, "alloc", st->alloc);
	json_kv_uint(j, "mem_pages", st->mem_pages);
	json_object_end(j);
	json_object_end(j);
}

static void json_conntrack(struct json *j, const struct conntrack *ct)
{
	json_key(j, "conntrack");
	if (!ct->known) {
		json_null(j);
		return;
	}
	json_object(j);
	json_kv_uint(j, "count", ct->count);
	json_kv_uint(j, "max", ct->max);
	json_kv_uint(j, "insert_failed", ct->insert_failed);
	json_kv_uint(j, "drop", ct->drop);
	json_kv_uint(j, "early_drop", ct->early_drop);
	json_object_end(j);
}

static void json_netns(struct json *j, const struct observation *o, const struct netns *ns)
{
	const struct snapshot *s = observation_now(o);
	struct port_budget b = budget_of(ns);

	json_object(j);
	json_kv_str(j, "name", ns->name);
	json_kv_uint(j, "inode", ns->inode);
	json_kv_int(j, "pid", ns->pid);
	json_kv_bool(j, "torn", ns->torn);
	json_key(j, "states");
	json_states(j, &ns->states);
	json_kv_uint(j, "fin_wait_2_orphans", ns->fin_wait_2_orphans);
	json_key(j, "listeners");
	json_array(j);
	for (size_t i = 0; i < ns->n_listeners; i++)
		json_listener(j, s, &ns->listeners[i]);
	json_array_end(j);
	json_key(j, "destinations");
	json_array(j);
	for (size_t i = 0; i < ns->n_dests; i++)
		json_dest(j, s, &ns->dests[i], &b);
	json_array_end(j);
	json_kv_uint(j, "destinations_more", ns->dests_more_n);
	json_sockstat(j, &ns->sockstat);
	json_conntrack(j, &ns->conntrack);
	json_rates(j, o, ns);
	json_key(j, "missing");
	json_array(j);
	json_missing(j, ns->missing, ns->n_missing, ns->name);
	json_array_end(j);
	json_object_end(j);
}

void report_status_json(FILE *out, const struct observation *obs)
{
	const struct snapshot *s = observation_now(obs);
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_header(&j, obs);
	json_key(&j, "netns");
	json_array(&j);
	for (size_t i = 0; i < s->n_netns; i++)
		json_netns(&j, obs, &s->netns[i]);
	json_array_end(&j);
	json_key(&j, "missing");
	json_array(&j);
	json_missing(&j, s->missing, s->n_missing, NULL);
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}
