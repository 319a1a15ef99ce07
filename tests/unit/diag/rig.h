/* SPDX-License-Identifier: MIT */
/*
 * rig.h - a quiet host to spoil. rig_init() makes one namespace of a 6.18 kernel with default knobs, every counter
 * the rules read at 0 and two snapshots a second apart; a test changes what it is about and asks one rule.
 *
 *	struct rig r;
 *	rig_init(&r);
 *	rig_counter(&r, "TCPTimeWaitOverflow", 0, 3);
 *	rig_eval(&r, &rule_TW001);
 *	assert_text(rig_only(&r)->what, "3 connections");
 */
#pragma once
#include "tests/unit/t.h"

#include "diag/rules.h"
#include <math.h>
#include <stdio.h>

enum { RIG_ROWS = 48, RIG_COUNTERS = 96, RIG_LOW = 32768, RIG_HIGH = 60999, RIG_USABLE = 28232 };

struct rig {
	struct observation o; /* s[0] an interval ago, s[1] now. Never observation_done() it. */
	struct netns ns[2];
	struct netns *before, *now; /* into ns */
	struct listener listeners[RIG_ROWS];
	struct dest dests[RIG_ROWS];
	struct holder holders[RIG_ROWS];
	struct proc procs[RIG_ROWS];
	struct config_line config[RIG_ROWS];
	struct port_range reserved[RIG_ROWS];
	struct counter counters[2][RIG_COUNTERS];
	struct view view; /* made by rig_eval() */
	struct findings found;
};

static struct finding rig_findings[FINDINGS_MAX];

static inline struct ip rig_ip(const char *text)
{
	struct ip ip = {0};

	if (text)
		assert_true(ip_parse(text, &ip));
	return ip;
}

static inline void rig_knob(struct rig *r, enum knob_id id, int64_t value)
{
	for (int i = 0; i < 2; i++) {
		r->ns[i].knob[id] = value;
		r->ns[i].knob_known[id] = true;
	}
}

static inline void rig_knob_unknown(struct rig *r, enum knob_id id)
{
	r->before->knob_known[id] = r->now->knob_known[id] = false;
}

static inline void rig_counter_put(struct rig *r, int which, const char *name, uint64_t value)
{
	struct counters *c = &r->ns[which].counters;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].name, name) == 0) {
			c->v[i].value = value;
			return;
		}
	assert_true(c->n < c->cap);
	snprintf(c->v[c->n].name, sizeof(c->v[c->n].name), "%s", name);
	c->v[c->n++].value = value;
}

static inline void rig_counter(struct rig *r, const char *name, uint64_t before, uint64_t now)
{
	rig_counter_put(r, 0, name, before);
	rig_counter_put(r, 1, name, now);
}

static inline void rig_counter_absent(struct rig *r, const char *name) /* this kernel does not have it */
{
	for (int which = 0; which < 2; which++) {
		struct counters *c = &r->ns[which].counters;

		for (size_t i = 0; i < c->n; i++)
			if (strcmp(c->v[i].name, name) == 0)
				c->v[i--] = c->v[--c->n];
	}
}

static inline void rig_knobs_default(struct rig *r)
{
	static const struct {
		enum knob_id id;
		int64_t value;
	} boot[] = {
		{KNOB_max_tw_buckets, 131072}, {KNOB_max_orphans, 131072}, {KNOB_max_syn_backlog, 2048},
		{KNOB_ehash_entries, 262144},  {KNOB_ct_max, 262144},
	};

	for (int i = 0; i < N_HOST_KNOBS; i++) {
		const struct knob_desc *k = &knob_descs[i];
		bool here = k->since <= KV(6, 18) && (k->until == 0 || KV(6, 18) < k->until);

		if (here && k->def != KNOB_BOOT && i != KNOB_ipvs_conn_reuse) /* no IPVS loaded */
			rig_knob(r, (enum knob_id)i, k->def);
	}
	for (size_t i = 0; i < ARRAY_LEN(boot); i++)
		rig_knob(r, boot[i].id, boot[i].value);
}

/* Those that this project's rules ask for, as 6.18 has them. */
static const char *const rig_counter_names[] = {
	"TW",
	"TWRecycled",
	"TWKilled",
	"PAWSActive",
	"PAWSEstab",
	"PAWSTimewait",
	"TCPTimeWaitOverflow",
	"ListenOverflows",
	"ListenDrops",
	"SyncookiesSent",
	"SyncookiesRecv",
	"SyncookiesFailed",
	"TCPReqQFullDoCookies",
	"TCPReqQFullDrop",
	"TCPAbortOnData",
	"TCPAbortOnClose",
	"TCPAbortOnMemory",
	"TCPAbortOnTimeout",
	"TCPAbortOnLinger",
	"TCPAbortFailed",
	"TCPACKSkippedTimeWait",
	"TCPACKSkippedFinWait2",
	"TCPSynRetrans",
	"TCPTimeouts",
	"TCPKeepAlive",
	"TCPFromZeroWindowAdv",
	"TCPToZeroWindowAdv",
	"TCPWantZeroWindowAdv",
	"EmbryonicRsts",
	"BeyondWindow",
	"TSEcrRejected",
	"Tcp.ActiveOpens",
	"Tcp.PassiveOpens",
	"Tcp.AttemptFails",
	"Tcp.EstabResets",
	"Tcp.CurrEstab",
	"Tcp.InSegs",
	"Tcp.OutSegs",
	"Tcp.RetransSegs",
	"Tcp.InErrs",
	"Tcp.OutRsts",
};

static inline void rig_init_netns(struct rig *r, int which)
{
	struct netns *ns = &r->ns[which];

	snprintf(ns->name, sizeof(ns->name), "host");
	ns->inode = 4026531840;
	ns->pid = 1;
	ns->bound_known = true;
	ns->sockstat.known = true;
	ns->listeners = r->listeners;
	ns->dests = r->dests;
	ns->holders = r->holders;
	ns->reserved = r->reserved;
	ns->counters = (struct counters){.v = r->counters[which], .cap = RIG_COUNTERS};
	for (size_t k = 0; k < ARRAY_LEN(rig_counter_names); k++)
		rig_counter_put(r, which, rig_counter_names[k], 0);
}

static inline void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->before = &r->ns[0];
	r->now = &r->ns[1];
	r->o.n = 2;
	for (int i = 0; i < 2; i++) {
		struct snapshot *s = &r->o.s[i];

		s->taken_at = (100 + (nsec_t)i) * NSEC_PER_S;
		s->wall_s = 1767225600 + i;
		s->kernel_version = KV(6, 18);
		s->ehash_entries = 262144;
		snprintf(s->kernel, sizeof(s->kernel), "6.18.44");
		snprintf(s->hostname, sizeof(s->hostname), "rig");
		s->netns = &r->ns[i];
		s->n_netns = 1;
		s->procs = r->procs;
		s->config = r->config;
		rig_init_netns(r, i);
	}
	rig_knobs_default(r);
	r->found.v = rig_findings;
}

static inline void rig_once(struct rig *r) /* only one snapshot: no rates */
{
	if (r->o.n == 2)
		r->o.s[0] = r->o.s[1];
	r->o.n = 1;
}

static inline void rig_interval(struct rig *r, double s)
{
	r->o.s[1].taken_at = r->o.s[0].taken_at + (nsec_t)(s * (double)NSEC_PER_S);
}

static inline void rig_kernel(struct rig *r, int version)
{
	for (int i = 0; i < 2; i++) {
		r->o.s[i].kernel_version = version;
		snprintf(r->o.s[i].kernel, sizeof(r->o.s[i].kernel), "%d.%d.0", version >> 16, version & 0xffff);
	}
}

static inline void rig_netns(struct rig *r, const char *name, int32_t pid)
{
	for (int i = 0; i < 2; i++) {
		snprintf(r->ns[i].name, sizeof(r->ns[i].name), "%s", name);
		r->ns[i].pid = pid;
	}
}

/* ---- rows: they appear in both snapshots, since before and now share the arrays ---- */

static inline int32_t rig_proc(struct rig *r, int32_t pid, const char *comm)
{
	size_t i = r->o.s[1].n_procs;
	struct proc *p = &r->procs[i];

	assert_true(i < RIG_ROWS);
	p->pid = pid;
	p->netns = r->now->inode;
	p->fds = 20;
	p->fd_limit = 1024;
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
	r->o.s[0].n_procs = r->o.s[1].n_procs = i + 1;
	return (int32_t)i;
}

/* A listener without connections. addr NULL or "0.0.0.0": any. */
static inline struct listener *rig_listener(struct rig *r, const char *addr, uint16_t port)
{
	struct listener *l = &r->listeners[r->now->n_listeners];

	assert_true(r->now->n_listeners < RIG_ROWS);
	l->addr = rig_ip(addr ? addr : "0.0.0.0");
	l->port = port;
	l->listening = true;
	l->sockets = 1;
	l->backlog = 4096;
	l->proc = -1;
	l->states.n[ST_LISTEN] = 1;
	r->before->n_listeners = ++r->now->n_listeners;
	return l;
}

/* A destination without connections. */
static inline struct dest *rig_dest(struct rig *r, const char *src, const char *dst, uint16_t dport)
{
	struct dest *d = &r->dests[r->now->n_dests];

	assert_true(r->now->n_dests < RIG_ROWS);
	d->src = rig_ip(src);
	d->dst = rig_ip(dst);
	d->dport = dport;
	d->loopback = ip_is_loopback(d->src) || ip_is_loopback(d->dst);
	d->proc = -1;
	r->before->n_dests = ++r->now->n_dests;
	return d;
}

static inline struct holder *rig_holder(struct rig *r, enum holder_kind kind, uint32_t n)
{
	struct holder *h = &r->holders[r->now->n_holders];

	assert_true(r->now->n_holders < RIG_ROWS);
	h->kind = kind;
	h->n = n;
	h->proc = -1;
	r->before->n_holders = ++r->now->n_holders;
	return h;
}

static inline void rig_reserve(struct rig *r, uint16_t low, uint16_t high)
{
	assert_true(r->now->n_reserved < RIG_ROWS);
	r->reserved[r->now->n_reserved] = (struct port_range){low, high};
	r->before->n_reserved = ++r->now->n_reserved;
}

static inline void rig_config(struct rig *r, const char *file, uint32_t line, const char *name, const char *value)
{
	struct config_line *c = &r->config[r->o.s[1].n_config];

	assert_true(r->o.s[1].n_config < RIG_ROWS);
	snprintf(c->file, sizeof(c->file), "%s", file);
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->value, sizeof(c->value), "%s", value);
	c->line = line;
	r->o.s[0].n_config = ++r->o.s[1].n_config;
}

/* n TIME_WAITs that entered evenly over the last minute. */
static inline void rig_ages(struct tw_ages *a, uint32_t n)
{
	for (uint32_t s = 0; s < 60; s++)
		a->s[s] += n / 60 + (s < n % 60);
}

static inline void rig_listener_time_wait(struct rig *r, struct listener *l, uint32_t n)
{
	l->states.n[ST_TIME_WAIT] += n;
	rig_ages(&l->tw_ages, n);
	r->now->states.n[ST_TIME_WAIT] += n;
	r->now->sockstat.tw += n;
}

/* Ports of the low parity are taken first, as connect() does; those beyond half the default range are of the other. */
static inline void rig_dest_ports(struct dest *d, uint32_t n)
{
	uint32_t room = RIG_USABLE / 2 - d->ports_low_parity, low = n < room ? n : room;

	d->ports_low_parity += low;
	d->ports_other_parity += n - low;
}

/* n connections to d in TIME_WAIT, spread evenly over the last minute, each with a port of its own. */
static inline void rig_dest_time_wait(struct rig *r, struct dest *d, uint32_t n)
{
	uint32_t young;

	d->states.n[ST_TIME_WAIT] += n;
	rig_ages(&d->tw_ages, n);
	rig_dest_ports(d, n);
	d->tw_in_range += n;
	young = d->tw_ages.s[0];
	d->tw_reusable = d->tw_in_range - young;
	r->now->states.n[ST_TIME_WAIT] += n;
	r->now->sockstat.tw += n;
}

/* n connections to d in ESTABLISHED. */
static inline void rig_dest_established(struct rig *r, struct dest *d, uint32_t n)
{
	d->states.n[ST_ESTABLISHED] += n;
	rig_dest_ports(d, n);
	r->now->states.n[ST_ESTABLISHED] += n;
}

/* ---- asking ---- */

#define assert_text(haystack, needle)                                                                                  \
	do {                                                                                                           \
		if (!strstr(haystack, needle))                                                                         \
			fail_msg("\"%s\" is not in \"%s\"", needle, haystack);                                         \
	} while (0)
#define assert_no_text(haystack, needle)                                                                               \
	do {                                                                                                           \
		if (strstr(haystack, needle))                                                                          \
			fail_msg("\"%s\" is in \"%s\"", needle, haystack);                                             \
	} while (0)

/* tcp_fin_timeout may be lowered for what it is about (orphans in FIN_WAIT_2), and set back. */
static inline bool rig_may(const struct finding *f, const char *text)
{
	return strcmp(text, "tcp_fin_timeout=") == 0 &&
	       (strcmp(f->rule->id, "FW001") == 0 || strcmp(f->rule->id, "CFG001") == 0);
}

/* Of every finding: says something, nothing was cut, and no remedy advises what design.md forbids. */
static inline void rig_check(const struct finding *f)
{
	static const char *const forbidden[] = {"tcp_tw_recycle=1", "tcp_timestamps=0", "tcp_syncookies=2",
						"tcp_rfc1337=1",    "nolinger",         "tcp_fin_timeout="};

	assert_true(f->what[0] && f->evidence[0]);
	assert_true(strlen(f->what) < sizeof(f->what) - 1);
	assert_true(strlen(f->evidence) < sizeof(f->evidence) - 1);
	assert_true(strlen(f->raise) < sizeof(f->raise) - 1);
	assert_int_equal(f->confidence == CONF_CERTAIN, f->raise[0] == '\0');
	assert_true(isfinite(f->weight));
	for (size_t i = 0; i < f->n_remedies; i++) {
		const struct remedy *m = &f->remedies[i];

		assert_true(m->action[0]);
		assert_true(strlen(m->action) < sizeof(m->action) - 1);
		assert_true(strlen(m->precondition) < sizeof(m->precondition) - 1);
		assert_true(strlen(m->command) < sizeof(m->command) - 1);
		assert_true(strlen(m->risk) < sizeof(m->risk) - 1);
		for (size_t k = 0; k < ARRAY_LEN(forbidden); k++)
			if (!rig_may(f, forbidden[k]))
				assert_no_text(m->command, forbidden[k]);
	}
}

/* Before r->o is looked at by other means than rig_eval(). */
static inline void rig_ready(struct rig *r)
{
	counters_sort(&r->before->counters);
	counters_sort(&r->now->counters);
}

static inline void rig_eval(struct rig *r, const struct rule *rule)
{
	rig_ready(r);
	r->found.n = r->found.dropped = 0;
	r->view = view_of(&r->o, r->now);
	rule->eval(rule, &r->view, &r->found);
	for (size_t i = 0; i < r->found.n; i++)
		rig_check(&r->found.v[i]);
}

/* The one finding there is. */
static inline const struct finding *rig_only(const struct rig *r)
{
	assert_int_equal(r->found.n, 1);
	return &r->found.v[0];
}

#define rig_silent(r) assert_int_equal((r)->found.n, 0)

/* The remedy whose action, precondition or command mentions the text; NULL: none. */
static inline const struct remedy *rig_remedy(const struct finding *f, const char *text)
{
	for (size_t i = 0; i < f->n_remedies; i++) {
		const struct remedy *m = &f->remedies[i];

		if (strstr(m->action, text) || strstr(m->precondition, text) || strstr(m->command, text))
			return m;
	}
	return NULL;
}
