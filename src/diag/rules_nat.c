/* SPDX-License-Identifier: MIT */
/* rules_nat.c - NAT001: connection tracking refuses new connections, or is about to. */
#include "base/text.h"
#include "diag/rules.h"

static const double NEAR_FULL = 0.9, FULL = 0.98;

enum {
	SEARCHED = 50, /* entries found in the way for each refused one: every NAT port was tried, signatures 2.15 b */
	CONNTRACK_ENTRY_BYTES = 320, /* slab size of struct nf_conn, rounded up */
	TIME_WAIT_LEAST_S = 60, /* not shorter than the host's own TIME_WAIT */
};

static uint64_t grown(uint64_t now, uint64_t before) { return now > before ? now - before : 0; }

/* How conntrack's counters grew; not known and all 0 without an earlier look. */
static struct conntrack growth(const struct view *v)
{
	const struct conntrack *now = &v->now->conntrack;
	bool known = v->before && v->before->conntrack.known;
	const struct conntrack *was = known ? &v->before->conntrack : now;

	return (struct conntrack){
		.known = known,
		.insert_failed = grown(now->insert_failed, was->insert_failed),
		.drop = grown(now->drop, was->drop),
		.early_drop = grown(now->early_drop, was->early_drop),
		.found = grown(now->found, was->found),
	};
}

static void cure_time_wait(struct finding *f, const struct view *v)
{
	int64_t time_wait_s;
	struct remedy *m;

	if (!view_knob(v, KNOB_ct_time_wait_s, &time_wait_s) || time_wait_s <= TIME_WAIT_LEAST_S)
		return;
	m = finding_remedy(f, "");
	SAY(m->action, "Let conntrack forget closed connections after %d s instead of %lld s", TIME_WAIT_LEAST_S,
	    (long long)time_wait_s);
	SAY(m->command, "%ssysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=%d", view_prefix(v).s,
	    TIME_WAIT_LEAST_S);
}

static void cure_full(struct finding *f, const struct view *v)
{
	uint64_t target = v->now->conntrack.max * 2;
	struct remedy *m;

	if (target <= INT32_MAX) {
		m = finding_remedy(f, "");
		SAY(m->action, "Raise nf_conntrack_max from %s to %s", num(v->now->conntrack.max).s, num(target).s);
		SAY(m->precondition, "%s of kernel memory is free", bytes_text(target * CONNTRACK_ENTRY_BYTES).s);
		/* one value for the machine, writable only outside of child namespaces */
		SAY(m->command, "sysctl -w net.netfilter.nf_conntrack_max=%llu", (unsigned long long)target);
		SAY(m->risk, "slower look-ups unless nf_conntrack_buckets grows with it");
	}
	cure_time_wait(f, v);
	m = finding_remedy(f, "Do not track what needs no NAT and no state: notrack rules for it");
	SAY(m->precondition, "no rule matches the connection state of that traffic");
}

static void cure_ports(struct finding *f, const struct view *v)
{
	struct remedy *m = finding_remedy(
		f, "Give the NAT more source addresses: each has 64,512 ports towards one destination again");

	SAY(m->precondition, "the peers accept the new addresses");
	if (v->host->kernel_version < KV(6, 5))
		finding_remedy(f,
			       "Upgrade to Linux 6.5 or later: NAT then takes over the entries of closed connections");
	cure_time_wait(f, v);
	finding_remedy(f, "Reuse connections in the clients behind the NAT");
}

static void cure_race(struct finding *f)
{
	struct remedy *m = finding_remedy(
		f, "Let NAT choose ports at random: masquerade fully-random (nft), --random-fully (iptables)");

	SAY(m->precondition,
	    "the servers behind it show no PAWSTimewait: random ports and timestamp offsets make TW004");
	SAY(m->risk, "a port is used again sooner, and a TIME_WAIT of the server may refuse it");
}

/*
 * Refused connections. insert_failed alone is none: older kernels (5.4) also count races that were resolved, and it
 * counts entries that ctnetlink could not add.
 */
static uint64_t refused(const struct conntrack *d) { return d->insert_failed < d->drop ? d->insert_failed : d->drop; }

static void find_refused(const struct rule *self, const struct view *v, const struct conntrack *d, struct findings *out)
{
	const struct conntrack *ct = &v->now->conntrack;
	uint64_t n = refused(d);
	bool exhausted = d->found >= n * SEARCHED;
	struct finding *f = findings_add(out, self, v, exhausted ? SEV_CRIT : SEV_WARN, STAGE_FAILING);

	f->weight = (double)n;
	f->confidence = exhausted ? CONF_HIGH : CONF_MEDIUM;
	SAY(f->what,
	    "conntrack refused %s new connection%s in %s: %s, their SYNs are dropped silently and clients time out",
	    num(n).s, n == 1 ? "" : "s", seconds_text(v->interval_s).s,
	    exhausted ? "the NAT has no free port towards a destination" : "two connections raced for one NAT port");
	SAY(f->evidence, "insert_failed +%s > 0, drop +%s > 0", num(d->insert_failed).s, num(d->drop).s);
	if (ct->max) /* 0: no limit */
		append(f->evidence, sizeof(f->evidence), " while count %s < %g x max %s", num(ct->count).s, NEAR_FULL,
		       num(ct->max).s);
	append(f->evidence, sizeof(f->evidence), "; found +%s %s %d x %s", num(d->found).s, exhausted ? ">=" : "<",
	       SEARCHED, num(n).s);
	SAY(f->raise,
	    exhausted ? "clients hang in SYN_SENT to one address and port only; another port works at once"
		      : "a few percent of SYNs to all destinations are lost; to one destination only, ports are "
			"exhausted");
	if (exhausted)
		cure_ports(f, v);
	else
		cure_race(f);
}

static void find_full(const struct rule *self, const struct view *v, const struct conntrack *d, struct findings *out)
{
	const struct conntrack *ct = &v->now->conntrack;
	bool full = (double)ct->count >= FULL * (double)ct->max;
	bool dropping = d->drop || d->early_drop || d->insert_failed;
	struct finding *f = findings_add(out, self, v, full ? SEV_CRIT : SEV_WARN,
					 full && dropping ? STAGE_FAILING : STAGE_ABOUT_TO_FAIL);

	f->weight = (double)ct->count / (double)ct->max;
	SAY(f->what, "the connection tracking table is %s full: %s of %s entries%s",
	    percent_text((double)ct->count, (double)ct->max).s, num(ct->count).s, num(ct->max).s,
	    full && dropping ? "; packets of new connections are dropped" : "; when full, new connections are dropped");
	SAY(f->evidence, "nf_conntrack_count %s >= %g x nf_conntrack_max %s", num(ct->count).s, full ? FULL : NEAR_FULL,
	    num(ct->max).s);
	if (d->known)
		append(f->evidence, sizeof(f->evidence), "; drop +%s, early_drop +%s, insert_failed +%s",
		       num(d->drop).s, num(d->early_drop).s, num(d->insert_failed).s);
	else
		append(f->evidence, sizeof(f->evidence), "; whether it drops now is unknown");
	cure_full(f, v);
}

static void eval_NAT001(const struct rule *self, const struct view *v, struct findings *out)
{
	const struct conntrack *ct = &v->now->conntrack;
	struct conntrack d;

	if (!ct->known || !ct->active)
		return;
	d = growth(v);
	if (ct->max && (double)ct->count >= NEAR_FULL * (double)ct->max)
		find_full(self, v, &d, out);
	else if (refused(&d))
		find_refused(self, v, &d, out);
}

const struct rule rule_NAT001 = {
	.id = "NAT001",
	.title = "connection tracking refuses new connections",
	.never = {"a conntrack TIME_WAIT timeout below 60 s: ports come again while servers hold TIME_WAIT, "
		  "connects of 18 s were measured",
		  "conntrack -F on a live NAT: it cuts every established connection"},
	.eval = eval_NAT001,
};
