/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "report/parts.h"

enum {
	NAME_COLUMNS_MIN = 20,
	OTHER_COLUMNS = 56, /* what the numbers of a destination and a short process take */
};

static uint64_t connections(const struct netns *ns) { return state_counts_sum(&ns->states) - ns->states.n[ST_LISTEN]; }

/* ---- one namespace ---- */

static void put_states(struct lines *l, const struct netns *ns)
{
	char text[512] = "";

	for (unsigned st = 0; st < N_STATES; st++)
		if (ns->states.n[st])
			append(text, sizeof(text), "%s%s %s", text[0] ? ", " : "", state_descs[st].netstat,
			       num(ns->states.n[st]).s);
	if (ns->fin_wait_2_orphans)
		append(text, sizeof(text), " (FIN_WAIT2 without a process: %s)", num(ns->fin_wait_2_orphans).s);
	if (ns->torn)
		append(text, sizeof(text), " (changed while it was read: may be off)");
	lines_put(l, INK_BOLD, "%s: %s", ns->name, text[0] ? text : "no TCP sockets");
}

static int by_trouble(const void *a, const void *b)
{
	const struct listener *x = *(const struct listener *const *)a, *y = *(const struct listener *const *)b;
	bool full_x = x->queue > x->backlog, full_y = y->queue > y->backlog;
	uint64_t nx = state_counts_sum(&x->states), ny = state_counts_sum(&y->states);

	if (full_x != full_y)
		return full_x ? -1 : 1;
	if (nx != ny)
		return nx > ny ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

struct listeners_ctx {
	const struct snapshot *s;
	const struct listener **v;
};

static const struct column listener_columns[] = {
	{"LISTENER", false}, {"QUEUE", true},      {"CONNECTIONS", true},
	{"TIME_WAIT", true}, {"CLOSE_WAIT", true}, {"PROCESS", false},
};

static void fill_listener(const void *ctx, size_t i, struct row *r)
{
	const struct listeners_ctx *c = ctx;
	const struct listener *li = c->v[i];
	uint64_t all = state_counts_sum(&li->states) - li->states.n[ST_LISTEN];

	snprintf(r->cell[0], CELL_BYTES, "%s", ip_port_text(li->addr, li->port).s);
	if (li->listening)
		snprintf(r->cell[1], CELL_BYTES, "%" PRIu32 "/%" PRIu32, li->queue, li->backlog);
	else
		snprintf(r->cell[1], CELL_BYTES, "-");
	snprintf(r->cell[2], CELL_BYTES, "%s", num(all - li->states.n[ST_TIME_WAIT]).s);
	snprintf(r->cell[3], CELL_BYTES, "%s", num(li->states.n[ST_TIME_WAIT]).s);
	snprintf(r->cell[4], CELL_BYTES, "%s", num(li->states.n[ST_CLOSE_WAIT]).s);
	snprintf(r->cell[5], CELL_BYTES, "%s",
		 li->listening ? proc_text(snapshot_proc(c->s, li->proc)).s : "nobody listens any more");
}

static void put_listeners(struct lines *l, const struct snapshot *s, const struct netns *ns, size_t max_rows)
{
	struct listeners_ctx ctx = {.s = s};
	size_t shown = ns->n_listeners < max_rows ? ns->n_listeners : max_rows;

	if (!shown)
		return;
	ctx.v = xcalloc(ns->n_listeners, sizeof(struct listener *));
	for (size_t i = 0; i < ns->n_listeners; i++)
		ctx.v[i] = &ns->listeners[i];
	qsort(ctx.v, ns->n_listeners, sizeof(struct listener *), by_trouble);
	lines_table(l, &(struct table){.columns = listener_columns,
				       .n_columns = ARRAY_LEN(listener_columns),
				       .n_rows = shown,
				       .fill = fill_listener,
				       .ctx = &ctx});
	free(ctx.v);
}

struct dests_ctx {
	const struct snapshot *s;
	const struct netns *ns;
	struct port_budget budget;
	bool brief; /* no room for the number of ports beside the share */
	size_t name_columns; /* for "source -> destination" */
};

static const struct column dest_columns[] = {
	{"DESTINATION", false}, {"PORTS", true},    {"TIME_WAIT", true}, {"CLOSES/S", true},
	{"SLOW IN", true},      {"FAILS IN", true}, {"PROCESS", false},
};

static struct text until(double s) { return s <= 0 ? (struct text){"now"} : seconds_text(s); }

/* What does not fit loses its source first, then the end of the address; never the port. */
static void name_dest(char cell[CELL_BYTES], const struct dest *d, size_t columns)
{
	snprintf(cell, CELL_BYTES, "%s -> %s", ip_text(d->src).s, ip_port_text(d->dst, d->dport).s);
	if (strlen(cell) > columns)
		snprintf(cell, CELL_BYTES, "-> %s", ip_port_cut(d->dst, d->dport, columns - strlen("-> ")).s);
}

static void fill_dest(const void *ctx, size_t i, struct row *r)
{
	const struct dests_ctx *c = ctx;
	const struct dest *d = &c->ns->dests[i];
	struct forecast f = forecast(d, &c->budget);

	name_dest(r->cell[0], d, c->name_columns);
	if (c->budget.known) {
		snprintf(r->cell[1], CELL_BYTES, "%s%s%s", c->brief ? "" : num(f.used).s, c->brief ? "" : " ",
			 percent_text(f.used, f.usable).s);
		snprintf(r->cell[4], CELL_BYTES, "%s", until(f.to_cliff_s).s);
		snprintf(r->cell[5], CELL_BYTES, "%s", until(f.to_fail_s).s);
	} else {
		snprintf(r->cell[1], CELL_BYTES, "%s", num(f.used).s);
		snprintf(r->cell[4], CELL_BYTES, "?");
		snprintf(r->cell[5], CELL_BYTES, "?");
	}
	snprintf(r->cell[2], CELL_BYTES, "%s", num(d->states.n[ST_TIME_WAIT]).s);
	snprintf(r->cell[3], CELL_BYTES, "%s", rate_text(f.closes_per_s).s);
	snprintf(r->cell[6], CELL_BYTES, "%s", proc_text(snapshot_proc(c->s, d->proc)).s);
}

static void put_dests(struct lines *l, const struct snapshot *s, const struct netns *ns, size_t max_rows)
{
	struct dests_ctx ctx = {.s = s, .ns = ns, .budget = budget_of(ns), .brief = l->cut, .name_columns = CELL_BYTES};
	size_t shown = ns->n_dests < max_rows ? ns->n_dests : max_rows;

	if (!shown)
		return;
	if (l->cut)
		ctx.name_columns =
			l->width > OTHER_COLUMNS + NAME_COLUMNS_MIN ? l->width - OTHER_COLUMNS : NAME_COLUMNS_MIN;
	lines_table(l, &(struct table){.columns = dest_columns,
				       .n_columns = ARRAY_LEN(dest_columns),
				       .n_rows = shown,
				       .fill = fill_dest,
				       .ctx = &ctx});
}

static void put_more(struct lines *l, const struct netns *ns, size_t listeners, size_t dests)
{
	size_t more_l = ns->n_listeners > listeners ? ns->n_listeners - listeners : 0;
	size_t more_d = (ns->n_dests > dests ? ns->n_dests - dests : 0) + ns->dests_more_n;
	char text[160] = "";

	if (more_l)
		append(text, sizeof(text), "%s more listener%s", num(more_l).s, more_l == 1 ? "" : "s");
	if (more_d)
		append(text, sizeof(text), "%s%s more destination%s", text[0] ? ", " : "", num(more_d).s,
		       more_d == 1 ? "" : "s");
	if (text[0])
		lines_put(l, INK_DIM, "  and %s", text);
}

/* What tells how connections come and go, in the order of a connection's life. */
static const char *const key_counters[] = {
	"Tcp.ActiveOpens",   "Tcp.PassiveOpens",    "Tcp.AttemptFails",
	"Tcp.EstabResets",   "Tcp.OutRsts",         "TW",
	"TWRecycled",        "TCPTimeWaitOverflow", "ListenOverflows",
	"ListenDrops",       "TCPReqQFullDrop",     "TCPReqQFullDoCookies",
	"SyncookiesSent",    "PAWSEstab",           "PAWSTimewait",
	"TCPAbortOnData",    "TCPAbortOnClose",     "TCPAbortOnMemory",
	"TCPAbortOnTimeout", "TCPAbortOnLinger",    "TCPAbortFailed",
	"Tcp.RetransSegs",
};

static double counter_rate(const struct netns *before, const struct netns *now, const char *name, double interval_s)
{
	uint64_t a, b;

	if (!counters_get(&before->counters, name, &a) || !counters_get(&now->counters, name, &b) || b <= a)
		return 0;
	return (double)(b - a) / interval_s;
}

static void put_rates(struct lines *l, const struct observation *o, const struct netns *ns)
{
	const struct netns *before = observation_before(o, ns->inode);
	double interval_s = observation_interval_s(o);
	char text[1024] = "";

	if (!before || interval_s <= 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(key_counters); i++) {
		double rate = counter_rate(before, ns, key_counters[i], interval_s);

		if (rate > 0)
			append(text, sizeof(text), "%s%s %s", text[0] ? ", " : "", key_counters[i], rate_text(rate).s);
	}
	lines_wrap(l, &(struct paragraph){.head = "  per second: ",
					  .text = text[0] ? text : "nothing",
					  .ink = INK_DIM,
					  .indent = 14,
					  .max_lines = l->cut ? 2 : LINES_NO_LIMIT});
}

static void put_ports(struct lines *l, const struct netns *ns)
{
	struct port_budget b = budget_of(ns);

	if (b.known && ns->n_dests)
		lines_put(l, INK_DIM, "  local ports %" PRIu32 "-%" PRIu32 ": %s usable to each destination", b.low,
			  b.high, num(b.usable).s);
}

static void put_netns(struct lines *l, const struct observation *o, const struct netns *ns, unsigned budget)
{
	const struct snapshot *s = observation_now(o);
	/* states, two headings, ports, two lines of rates, the rest: what is left is for rows */
	unsigned rows = budget > 7 ? budget - 7 : 0;
	size_t dests = rows - rows / 2, listeners = rows / 2;

	put_states(l, ns);
	if (!rows)
		return;
	if (ns->n_listeners < listeners)
		dests = rows - ns->n_listeners;
	if (ns->n_dests < dests)
		listeners = rows - ns->n_dests;
	put_listeners(l, s, ns, listeners);
	put_ports(l, ns);
	put_dests(l, s, ns, dests);
	put_more(l, ns, listeners, dests);
	put_rates(l, o, ns);
}

/* ---- all of them ---- */

static int by_connections(const void *a, const void *b)
{
	const struct netns *x = *(const struct netns *const *)a, *y = *(const struct netns *const *)b;
	uint64_t nx = connections(x), ny = connections(y);

	if (nx != ny)
		return nx > ny ? -1 : 1;
	return x < y ? -1 : x > y; /* both point into one array: keep its order */
}

/* Namespaces without a connection, in one line. */
static void put_idle(struct lines *l, const struct netns *const *v, size_t n)
{
	char text[512] = "";

	if (!n)
		return;
	for (size_t i = 0; i < n && i < 20; i++)
		append(text, sizeof(text), "%s%s", i ? ", " : "", v[i]->name);
	lines_put(l, INK_DIM, "%zu without connections: %s", n, text);
}

static void put_first_screen(struct lines *l, const struct observation *o, const struct netns *const *v, size_t n)
{
	size_t active = 0, shown;
	unsigned left;

	while (active < n && connections(v[active]))
		active++;
	if (n == 1)
		active = 1;
	left = SCREEN_LINES - l->n - (active < n) - report_is_blind(o) - 1;
	shown = active < left ? active : left - 1;
	for (size_t i = 0; i < shown; i++) {
		unsigned start = l->n, share = left / (unsigned)(shown - i);

		put_netns(l, o, v[i], share);
		left -= l->n - start;
	}
	if (shown < active)
		lines_put(l, INK_DIM, "and %zu more namespaces with connections", active - shown);
	put_idle(l, v + active, n - active);
}

/* The kernel keeps these for the machine; every namespace's sockstat repeats them. */
static void put_machine(struct lines *l, const struct snapshot *s)
{
	const struct sockstat *st = s->n_netns ? &s->netns[0].sockstat : NULL;

	if (st && st->known)
		lines_put(l, INK_DIM,
			  "whole machine, not per namespace: orphans %s, sockets allocated %s, memory %s pages",
			  num(st->orphan).s, num(st->alloc).s, num(st->mem_pages).s);
}

static void put_conntrack(struct lines *l, const struct conntrack *ct)
{
	if (ct->active)
		lines_put(l, INK_PLAIN, "  connection tracking: %s of %s entries, insert failed %s, drop %s",
			  num(ct->count).s, ct->max ? num(ct->max).s : "unlimited", num(ct->insert_failed).s,
			  num(ct->drop).s);
}

void report_status_text(FILE *out, const struct observation *obs, const struct style *st)
{
	const struct snapshot *s = observation_now(obs);
	const struct netns **v = xcalloc(s->n_netns + 1, sizeof(const struct netns *));
	struct lines l = lines_of(out, st);

	for (size_t i = 0; i < s->n_netns; i++)
		v[i] = &s->netns[i];
	put_host(&l, obs);
	if (st->verbose) {
		for (size_t i = 0; i < s->n_netns; i++) {
			put_netns(&l, obs, v[i], INT32_MAX);
			put_conntrack(&l, &v[i]->conntrack);
		}
		put_machine(&l, s);
	} else {
		qsort(v, s->n_netns, sizeof(const struct netns *), by_connections);
		put_first_screen(&l, obs, v, s->n_netns);
	}
	put_missing(&l, obs, st->verbose);
	if (!st->verbose)
		lines_put(&l, INK_DIM, "next: lastack doctor (is anything wrong?), lastack status -v (everything)");
	free(v);
}
