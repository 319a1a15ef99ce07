/* SPDX-License-Identifier: MIT */
/* rules_twcauses.c - TW004..TW006: what segments that meet a TIME_WAIT do to it, and it to them. */
#include "base/text.h"
#include "diag/remedy.h"

enum {
	RECYCLING_MIN = 100, /* TIME_WAITs; fewer say nothing about a rate */
	RECYCLING_PER_S = 5,
	COHORT_AGE_S = 55, /* younger ones could not expire by themselves within the interval */
	COHORT_INTERVAL_MAX_S = 4,
};

static uint64_t served_time_waits(const struct netns *ns)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].listening)
			n += ns->listeners[i].states.n[ST_TIME_WAIT];
	return n;
}

/* The listener with most TIME_WAITs; NULL if there are none. */
static const struct listener *busiest(const struct netns *ns)
{
	const struct listener *most = NULL;

	for (size_t i = 0; i < ns->n_listeners; i++) {
		const struct listener *l = &ns->listeners[i];

		if (l->listening && l->states.n[ST_TIME_WAIT] &&
		    (!most || l->states.n[ST_TIME_WAIT] > most->states.n[ST_TIME_WAIT]))
			most = l;
	}
	return most;
}

/* ---- TW004 ---- */

static void cure_tw004(struct finding *f, const struct view *v)
{
	struct ns_prefix in = view_prefix(v);
	struct remedy *m;

	if (view_knob_or(v, KNOB_rfc1337, 0) == 1) {
		m = finding_remedy(
			f,
			"Switch tcp_rfc1337 off: a refused client then clears the TIME_WAIT and gets in after 10 ms");
		SAY(m->command, "%ssysctl -w net.ipv4.tcp_rfc1337=0", in.s);
		SAY(m->risk, "a late RST can end a TIME_WAIT early, as on every host with the default");
	}
	if (view_knob_or(v, KNOB_ct_time_wait_s, 120) < 60) {
		m = finding_remedy(f, "Let conntrack keep closed connections at least as long as TIME_WAIT lasts");
		SAY(m->command, "%ssysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=120", in.s);
		SAY(m->precondition, "this host is the NAT; else do the same where the NAT is");
	}
	m = finding_remedy(f,
			   "Let the clients close first, so that the TIME_WAIT is at their end and not on this port");
	SAY(m->precondition, "the clients have ports to spare");
	m = finding_remedy(
		f, "On the clients behind the NAT, not here: timestamps without a random offset for each connection");
	SAY(m->precondition, "it is known who is behind the NAT, and all of them are set");
	SAY(m->command, "sysctl -w net.ipv4.tcp_timestamps=2");
	SAY(m->risk, "timestamps tell the clients' uptime");
	m = finding_remedy(f,
			   "Give the NAT more addresses, so that it uses a port again later than 60 s after its close");
	SAY(m->precondition, "the NAT is known");
}

static void find_refused(const struct rule *self, const struct view *v, uint64_t refused, struct findings *out)
{
	const struct listener *l = busiest(v->now);
	struct finding *f = findings_add(out, self, v, l ? SEV_WARN : SEV_INFO, l ? STAGE_FAILING : STAGE_CHURN);
	uint64_t skipped = 0, served = served_time_waits(v->now);

	f->weight = (double)refused;
	f->confidence = CONF_MEDIUM;
	view_delta(v, "TCPACKSkippedTimeWait", &skipped);
	SAY(f->evidence, "PAWSTimewait +%s > 0 in %s; TCPACKSkippedTimeWait +%s; TIME_WAIT on listening ports %s",
	    num(refused).s, seconds_text(v->interval_s).s, num(skipped).s, num(served).s);
	if (!l) {
		SAY(f->what,
		    "%s segment%s with an old timestamp met a TIME_WAIT in %s and %s refused (PAWS); no "
		    "listening port holds one",
		    num(refused).s, refused == 1 ? "" : "s", seconds_text(v->interval_s).s,
		    refused == 1 ? "was" : "were");
		SAY(f->raise,
		    "a capture: late duplicates of closed connections, or SYNs from a client port used again");
		return;
	}
	SAY(f->what,
	    "TIME_WAITs of %s refused %s segment%s in %s for an old timestamp: likely SYNs of clients behind "
	    "NAT, delayed 10 ms to seconds",
	    ip_port_text(l->addr, l->port).s, num(refused).s, refused == 1 ? "" : "s", seconds_text(v->interval_s).s);
	append(f->evidence, sizeof(f->evidence),
	       "; a NAT that gives one port to two connections mixes unrelated timestamp offsets, half of them older");
	SAY(f->raise,
	    "several hosts behind one client address (conntrack -L on the NAT), and TCPSynRetrans rising at the "
	    "clients");
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, l->proc)).s);
	cure_tw004(f, v);
}

static void eval_TW004(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t refused;

	if (view_delta(v, "PAWSTimewait", &refused) && refused) /* 6.16; an older kernel cannot tell */
		find_refused(self, v, refused, out);
}

const struct rule rule_TW004 = {
	.id = "TW004",
	.title = "a TIME_WAIT refuses new connections (PAWS, usually NAT)",
	.never = {"tcp_rfc1337=1: clients can no longer clear the TIME_WAIT, delays grow from 10 ms to 4 s and more",
		  "tcp_timestamps=0: gives up tcp_tw_reuse and PAWS everywhere to hide one NAT",
		  "a conntrack TIME_WAIT timeout below 60 s: connects of 18 s were measured",
		  "tcp_tw_recycle: gone since 4.12, and before it dropped clients behind NAT"},
	.eval = eval_TW004,
};

/* ---- TW005 ---- */

/*
 * tcp_rfc1337=0 is the default and leaves TIME_WAITs open to assassination by a RST. No counter tells of it, so a
 * host with the default stays silent; what can be shown is the harm of 1.
 */
static void eval_TW005(const struct rule *self, const struct view *v, struct findings *out)
{
	const struct listener *l = busiest(v->now);
	uint64_t refused = 0, skipped = 0;
	struct finding *f;
	struct remedy *m;
	bool hurts;

	if (view_knob_or(v, KNOB_rfc1337, 0) != 1 || !l)
		return;
	view_delta(v, "PAWSTimewait", &refused);
	view_delta(v, "TCPACKSkippedTimeWait", &skipped);
	hurts = refused || skipped;
	f = findings_add(out, self, v, hurts ? SEV_WARN : SEV_INFO, hurts ? STAGE_LOSING : STAGE_CONFIG);
	f->weight = (double)(refused + skipped);
	SAY(f->what, "tcp_rfc1337=1: a client whose SYN a TIME_WAIT of %s refuses cannot clear it and waits seconds%s",
	    ip_port_text(l->addr, l->port).s, hurts ? "; it happens now" : "");
	SAY(f->evidence,
	    "tcp_rfc1337 = 1 (default 0); TIME_WAIT on listening ports %s > 0; PAWSTimewait +%s, "
	    "TCPACKSkippedTimeWait +%s",
	    num(served_time_waits(v->now)).s, num(refused).s, num(skipped).s);
	if (!hurts && !v->before) {
		f->confidence = CONF_HIGH;
		SAY(f->raise, "--interval: two snapshots tell whether SYNs are refused");
	}
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, l->proc)).s);
	m = finding_remedy(
		f, "Set tcp_rfc1337 back to 0: the client's RST then ends the TIME_WAIT and its next SYN gets in");
	SAY(m->command, "%ssysctl -w net.ipv4.tcp_rfc1337=0", view_prefix(v).s);
	SAY(m->risk, "a late RST can end a TIME_WAIT early, as on every host with the default");
}

const struct rule rule_TW005 = {
	.id = "TW005",
	.title = "tcp_rfc1337=1 keeps refused clients out",
	.never = {"tcp_timestamps=0: SYNs are then refused by sequence number instead, and PAWS is gone"},
	.eval = eval_TW005,
};

/* ---- TW006 ---- */

struct cohort {
	uint64_t before, now; /* TIME_WAITs of the same birth, an interval apart */
};

/* Counts on the side of doubt: seconds cut by the interval's edges count as still there. */
static void cohort_add(struct cohort *c, const struct tw_ages *a, bool before, unsigned from, unsigned to)
{
	uint64_t *n = before ? &c->before : &c->now;

	for (unsigned i = from; i < to && i < AGE_SECONDS; i++)
		*n += a->s[i];
}

/* TIME_WAITs on listening ports that ended before their minute was over. No counter has them. */
static uint64_t served_vanished(const struct view *v)
{
	unsigned whole = (unsigned)v->interval_s;
	unsigned to = COHORT_AGE_S + whole + (v->interval_s > whole);
	struct cohort c = {0};

	for (size_t i = 0; i < v->before->n_listeners; i++)
		if (v->before->listeners[i].listening)
			cohort_add(&c, &v->before->listeners[i].tw_ages, true, 0, COHORT_AGE_S);
	for (size_t i = 0; i < v->now->n_listeners; i++)
		if (v->now->listeners[i].listening)
			cohort_add(&c, &v->now->listeners[i].tw_ages, false, whole, to);
	return c.before > c.now ? c.before - c.now : 0;
}

static void eval_TW006(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t population = v->now->states.n[ST_TIME_WAIT], vanished = 0, resets = 0;
	double made, recycled = 0, ended = 0;
	bool client, server;
	struct finding *f;

	if (population < RECYCLING_MIN || !view_rate(v, "TW", &made) || made < RECYCLING_PER_S ||
	    made * 60 <= 1.2 * (double)population)
		return;
	view_rate(v, "TWRecycled", &recycled);
	if (v->interval_s <= COHORT_INTERVAL_MAX_S && !v->now->torn && !v->before->torn)
		vanished = served_vanished(v);
	ended = (double)vanished / v->interval_s;
	client = recycled >= RECYCLING_PER_S;
	server = ended >= RECYCLING_PER_S;
	if (!client && !server)
		return;
	f = findings_add(out, self, v, SEV_INFO, STAGE_CHURN);
	f->weight = recycled + ended;
	view_delta(v, "Tcp.OutRsts", &resets);
	if (client)
		SAY(f->what, "connect() takes over %s TIME_WAITs/s here%s: %s closes/s leave only %s of them",
		    rate_text(recycled).s, server ? ", clients of listening ports more" : "", rate_text(made).s,
		    num(population).s);
	else
		SAY(f->what,
		    "clients take over about %s TIME_WAITs/s of listening ports: %s closes/s leave only %s of them",
		    rate_text(ended).s, rate_text(made).s, num(population).s);
	SAY(f->evidence, "60 s x TW +%s/s = %s > 1.2 x population %s; TWRecycled +%s/s (connect() here)",
	    rate_text(made).s, num((uint64_t)(made * 60)).s, num(population).s, rate_text(recycled).s);
	if (server)
		append(f->evidence, sizeof(f->evidence),
		       "; %s on listening ports ended before their minute; OutRsts +%s", num(vanished).s,
		       num(resets).s);
	if (server) {
		f->confidence = client ? CONF_HIGH : resets >= vanished ? CONF_LOW : CONF_MEDIUM;
		SAY(f->raise, "no counter has it: a capture shows SYN+ACK to a SYN on a closed tuple; a RST ends a "
			      "TIME_WAIT too");
	}
}

const struct rule rule_TW006 = {
	.id = "TW006",
	.title = "TIME_WAITs are taken over before their minute ends",
	.never = {"counting TIME_WAITs to learn the rate of closes: the counter TW has it, the population does not"},
	.eval = eval_TW006,
};
