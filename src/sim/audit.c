/* SPDX-License-Identifier: MIT */
#include "sim/audit.h"

void counts_read(struct counts *c, const struct la_engine *e)
{
#define AUDITED(name) c->name = la_counter(e, (unsigned)la_counter_find(#name));
#include "sim/audited.def"
#undef AUDITED
}

static void agree(struct verdict *v, unsigned host, const char *what, uint64_t counted, uint64_t seen)
{
	if (counted != seen)
		FAIL(v, CHECK_COUNTERS, host, NULL, NULL, "%s is %llu, but %llu were seen", what,
		     (unsigned long long)counted, (unsigned long long)seen);
}

static uint64_t taken(const struct seen *s, enum state from, enum state to)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < N_EDGES; i++)
		if (edges[i].from == from && edges[i].to == to)
			n += s->edge[i];
	return n;
}

static void audit_connections(struct verdict *v, unsigned host, const struct counts *c, const struct seen *s)
{
	agree(v, host, "ActiveOpens", c->ActiveOpens, s->edge[F5_03_ACTIVE_OPEN] + s->edge[F5_06_LISTEN_SEND]);
	agree(v, host, "PassiveOpens", c->PassiveOpens, s->passive_estab);
	agree(v, host, "AttemptFails", c->AttemptFails, s->attempt_fails);
	agree(v, host, "EstabResets", c->EstabResets, taken(s, ESTABLISHED, CLOSED) + taken(s, CLOSE_WAIT, CLOSED));
}

static void audit_time_wait(struct verdict *v, unsigned host, const struct counts *c, const struct seen *s,
			    const struct la_usage *u)
{
	agree(v, host, "TW + TWKilled + LaTimeWaitRestored", c->TW + c->TWKilled + c->LaTimeWaitRestored,
	      s->records_ended + u->time_wait4 + u->time_wait6);
	agree(v, host, "TWRecycled", c->TWRecycled, s->edge[TW_CONNECT] + s->edge[FW2_CONNECT]);
	agree(v, host, "LaTimeWaitRestored", c->LaTimeWaitRestored,
	      s->edge[TW_RESTORED] + s->edge[TW_RESTORED_TIMEOUT]);
	agree(v, host, "LaTimeWaitReopened", c->LaTimeWaitReopened, s->edge[TW_REOPEN]);
	agree(v, host, "LaTimeWaitReset", c->LaTimeWaitReset, s->edge[RST_TIME_WAIT]);
	agree(v, host, "LaTimeWaitRecycledFull", c->LaTimeWaitRecycledFull,
	      s->edge[TW_RECYCLED] + s->edge[FW2_RECYCLED]);
}

static void audit_packets(struct verdict *v, unsigned host, const struct counts *c, const struct seen *s)
{
	agree(v, host, "InNoECTPkts", c->InNoECTPkts + c->Ip6InNoECTPkts, s->in_ecn[0]);
	agree(v, host, "InECT1Pkts", c->InECT1Pkts + c->Ip6InECT1Pkts, s->in_ecn[1]);
	agree(v, host, "InECT0Pkts", c->InECT0Pkts + c->Ip6InECT0Pkts, s->in_ecn[2]);
	agree(v, host, "InCEPkts", c->InCEPkts + c->Ip6InCEPkts, s->in_ecn[3]);
	agree(v, host, "InCsumErrors", c->InCsumErrors, s->in_bad_csum);
	if (c->InErrs < s->in_tcp_bad) /* ACKs of what was never sent count too, in ESTABLISHED */
		agree(v, host, "InErrs", c->InErrs, s->in_tcp_bad);
	agree(v, host, "what came in",
	      c->InSegs + c->LaInBadIP + c->LaInOtherProtocol + c->LaFragments + c->LaIcmpErrors + c->LaIcmpIgnored,
	      s->in);
	if (c->InSegs < s->in_tcp)
		agree(v, host, "InSegs", c->InSegs, s->in_tcp);
	/* Linux makes a SYN+ACK anew each time: a repeated one counts as both, but not always after a simultaneous open. */
	if (c->OutSegs + c->RetransSegs < s->out || c->OutSegs + c->RetransSegs > s->out + s->out_syn_ack_again)
		agree(v, host, "OutSegs + RetransSegs", c->OutSegs + c->RetransSegs, s->out);
	agree(v, host, "OutRsts", c->OutRsts, s->out_rst);
}

void audit_counts(struct verdict *v, unsigned host, const struct counts *c, const struct seen *seen,
		  const struct la_usage *u)
{
	audit_connections(v, host, c, seen);
	audit_time_wait(v, host, c, seen, u);
	audit_packets(v, host, c, seen);
}

void audit_edges(struct verdict *v, unsigned host, const struct la_engine *e, const struct seen *seen)
{
	must(la_edges() == N_EDGES);
	for (unsigned i = 0; i < N_EDGES; i++)
		agree(v, host, edges[i].name, la_edge_count(e, i), seen->edge[i]);
}

void audit_rest(struct verdict *v, unsigned host, const struct la_usage *u)
{
	const struct {
		const char *what;
		uint64_t n;
	} rows[] = {
		{"sockets", u->sockets},          {"listeners", u->listeners},
		{"connections", u->connections},  {"embryonic", u->embryonic},
		{"orphans", u->orphans},          {"time_wait4", u->time_wait4},
		{"time_wait6", u->time_wait6},    {"destinations", u->destinations},
		{"port_maps", u->port_maps},      {"bound", u->bound},
		{"replies", u->replies},          {"timers", u->timers},
		{"octets received", u->received},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].n)
			FAIL(v, CHECK_LEAK, host, NULL, NULL, "%llu %s are still in use when all is over",
			     (unsigned long long)rows[i].n, rows[i].what);
}
