/* SPDX-License-Identifier: MIT */
#include "sim/sim.h"

#include <errno.h>

#include "sim/audit.h"

struct sim {
	struct verdict verdict;
	struct watch watch;
	struct net net;
	struct work work;
};

#define SIM_ALIGNED ((sizeof(struct sim) + 4095) & ~(size_t)4095)

size_t sim_size(void) { return SIM_ALIGNED + (size_t)HOSTS_MAX * HOST_MEMORY; }

static void clear_work(struct work *k)
{
	/* flow[] and buf[] are written before they are read */
	memset(k, 0, offsetof(struct work, flow));
}

static void audit(struct sim *s, unsigned host)
{
	const struct la_engine *e = s->net.host[host].e;
	const struct seen *seen = &s->watch.seen[host];
	struct counts c;
	struct la_usage u;

	counts_read(&c, e);
	la_usage(e, &u);
	audit_counts(&s->verdict, host, &c, seen, &u);
	audit_edges(&s->verdict, host, e, seen);
	audit_rest(&s->verdict, host, &u);
}

static void count(struct sim *s, struct sim_report *r)
{
	struct sim_totals *t = &r->totals;
	const struct work *k = &s->work;

	*t = (struct sim_totals){.runs = 1,
				 .events = s->net.events,
				 .packets = s->net.packets,
				 .octets = s->net.octets,
				 .delivered = s->net.delivered,
				 .connects = k->connects,
				 .accepts = k->accepts,
				 .payload = k->octets,
				 .errors = k->errors,
				 .patience_ended = k->patience_ended,
				 .no_port = k->refused_by[0],
				 .no_bind = k->refused_by[1],
				 .old_octets = k->old_octets,
				 .time = s->net.now};
	memcpy(t->closes, k->closes, sizeof(t->closes));
	memcpy(t->fault, s->net.fault, sizeof(t->fault));
	memcpy(t->ends, s->watch.ends, sizeof(t->ends));
	memcpy(t->tw_ends, s->watch.tw_ends, sizeof(t->tw_ends));
	memcpy(t->edge, s->watch.edges, sizeof(t->edge));
	r->verdict = s->verdict;
	r->hash = s->watch.hash;
}

void sim_run(void *mem, const struct sim_cfg *cfg, struct sim_report *ret)
{
	struct sim *s = mem;
	struct rng rng;

	memset(ret, 0, sizeof(*ret));
	ret->seed = cfg->seed;
	s->verdict = (struct verdict){0};
	rng_seed(&rng, cfg->seed);
	watch_init(&s->watch, &s->verdict);
	s->watch.log = cfg->log;
	s->watch.log_arg = cfg->log_arg;
	net_init(&s->net, &s->watch, &s->verdict, rng_u64(&rng));
	clear_work(&s->work);
	for (unsigned h = 0; h < HOSTS_MAX; h++) {
		s->net.host[h].mem = (char *)mem + SIM_ALIGNED + (size_t)h * HOST_MEMORY;
		s->net.host[h].size = HOST_MEMORY;
	}
	setup_draw(&s->work.setup, &s->net, &rng, &cfg->wishes);
	ret->err = work_begin(&s->work, &s->net, rng_u64(&rng));
	if (ret->err)
		return;
	s->net.ops.tap = cfg->tap;
	s->net.ops.tap_arg = cfg->tap_arg;
	while (net_step(&s->net))
		continue;
	if (!s->verdict.failed)
		watch_rest(&s->watch);
	for (unsigned h = 0; h < s->net.n_hosts && !s->verdict.failed; h++)
		audit(s, h);
	count(s, ret);
}

/* Every member of the sum is a count of 64 bits. */
void sim_add(struct sim_totals *sum, const struct sim_totals *t)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)t;

	_Static_assert(sizeof(struct sim_totals) % sizeof(uint64_t) == 0, "counts of 64 bits");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}
