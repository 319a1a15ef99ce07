/* SPDX-License-Identifier: MIT */
#include "sim/setup.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t draw_log(struct rng *r, uint64_t low, uint64_t high)
{
	unsigned doublings = 0;
	uint64_t v;

	while (low << doublings < high)
		doublings++;
	v = low << rng_below(r, doublings + 1);
	v += rng_u64(r) % (v + 1);
	return v > high ? high : v;
}

static uint32_t between(struct rng *r, uint32_t low, uint32_t high) { return low + rng_below(r, high - low + 1); }

/* ---- knobs ---- */

/* Knobs that are drawn: how likely it is not the default, and between which values then. */
static const struct drawn_knob {
	const char *name;
	double chance;
	uint32_t low, high;
	bool log;
} drawn_knobs[] = {
	{"engine.time_wait_ms", 0.25, 1, 120000, true},
	{"engine.tw_full", 0.4, 0, 2, false},
	{"engine.tw_restore", 0.4, 0, 1, false},
	{"engine.rto_min_ms", 0.3, 5, 1000, true},
	{"engine.rto_max_ms", 0.3, 2000, 120000, true},
	{"engine.delayed_ack_ms", 0.3, 1, 499, true},
	{"net.ipv4.tcp_tw_reuse", 0.6, 0, 2, false},
	{"net.ipv4.tcp_tw_reuse_delay", 0.3, 1, 5000, true},
	{"net.ipv4.tcp_fin_timeout", 0.4, 1, 150, true},
	{"net.ipv4.tcp_rfc1337", 0.4, 0, 1, false},
	{"net.ipv4.tcp_timestamps", 0.4, 0, 2, false},
	{"net.ipv4.tcp_sack", 0.2, 0, 1, false},
	{"net.ipv4.tcp_dsack", 0.2, 0, 1, false},
	{"net.ipv4.tcp_ecn", 0.8, 0, 2, false},
	{"net.ipv4.tcp_ecn_fallback", 0.2, 0, 1, false},
	{"net.ipv4.tcp_recovery", 0.3, 0, 7, false},
	{"net.ipv4.tcp_early_retrans", 0.3, 0, 4, false},
	{"net.ipv4.tcp_frto", 0.3, 0, 2, false},
	{"net.ipv4.tcp_reordering", 0.2, 1, 20, true},
	{"net.ipv4.tcp_max_reordering", 0.1, 1, 300, true},
	{"net.ipv4.tcp_retrans_collapse", 0.3, 0, 1, false},
	{"net.ipv4.tcp_moderate_rcvbuf", 0.2, 0, 1, false},
	{"net.ipv4.tcp_shrink_window", 0.1, 0, 1, false},
	{"net.ipv4.tcp_slow_start_after_idle", 0.3, 0, 1, false},
	{"net.ipv4.tcp_orphan_retries", 0.3, 0, 6, false},
	{"net.ipv4.tcp_retries2", 0.6, 2, 10, false},
	{"net.ipv4.tcp_syn_retries", 0.6, 1, 5, false},
	{"net.ipv4.tcp_synack_retries", 0.6, 0, 5, false},
	{"net.ipv4.tcp_syn_linear_timeouts", 0.2, 0, 5, false},
	{"net.ipv4.tcp_syncookies", 0.5, 0, 2, false},
	{"net.ipv4.tcp_max_syn_backlog", 0.2, 1, 64, true},
	{"net.ipv4.tcp_abort_on_overflow", 0.3, 0, 1, false},
	{"net.ipv4.tcp_invalid_ratelimit", 0.3, 50, 2000, false}, /* 0: two ends may answer each other for ever */
	{"net.ipv4.tcp_challenge_ack_limit", 0.2, 0, 20, false},
	{"net.ipv4.tcp_keepalive_time", 0.3, 1, 60, true},
	{"net.ipv4.tcp_keepalive_intvl", 0.3, 1, 20, true},
	{"net.ipv4.tcp_keepalive_probes", 0.3, 1, 5, false},
	{"net.ipv4.tcp_max_orphans", 0.1, 0, 8, false},
	{"net.ipv4.tcp_max_tw_buckets", 0.1, 0, 16, false},
	{"net.ipv4.ip_autobind_reuse", 0.1, 0, 1, false},
	{"net.core.somaxconn", 0.2, 1, 16, true},
};

static void set_knob(struct host_setup *h, const char *name, const char *value)
{
	struct knob_setting *k = &h->knob[h->n_knobs];

	must(h->n_knobs < HOST_KNOBS_MAX);
	h->n_knobs++;
	k->name = name;
	snprintf(k->value, sizeof(k->value), "%s", value);
}

static void set_number(struct host_setup *h, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	set_knob(h, name, text);
}

/* Little memory for all that is received, in pages: windows stop growing, and what came out of order may be dropped again. */
static void draw_memory(struct host_setup *h, struct rng *r)
{
	uint32_t most = (uint32_t)draw_log(r, 4, 128), first = (uint32_t)draw_log(r, 2048, 131072);
	char text[32];

	if (rng_chance(r, 0.1)) {
		snprintf(text, sizeof(text), "%u %u %u", most / 2, most * 3 / 4, most);
		set_knob(h, "net.ipv4.tcp_mem", text);
	}
	if (rng_chance(r, 0.2)) {
		snprintf(text, sizeof(text), "2048 %u %u", first, first * between(r, 1, 8));
		set_knob(h, "net.ipv4.tcp_rmem", text);
	}
}

static void draw_knobs(struct host_setup *h, struct rng *r, unsigned policy)
{
	uint32_t ports = (uint32_t)draw_log(r, 2, 256), low = 40000 + rng_below(r, 8192);
	char range[32];

	set_knob(h, "engine.policy", knob_word(KNOB_policy, policy));
	for (size_t i = 0; i < ARRAY_LEN(drawn_knobs); i++) {
		const struct drawn_knob *d = &drawn_knobs[i];

		if (rng_chance(r, d->chance))
			set_number(h, d->name, d->log ? draw_log(r, d->low, d->high) : between(r, d->low, d->high));
	}
	if (rng_chance(r, 0.05))
		set_number(h, "engine.time_wait_ms", 0);
	draw_memory(h, r);
	set_knob(h, "net.ipv4.tcp_congestion_control", rng_chance(r, 0.6) ? "cubic" : "reno");
	if (policy == POLICY_LINUX_2_6) /* had no such limit: there, two ends did answer each other for ever */
		set_number(h, "net.ipv4.tcp_invalid_ratelimit", 500);
	if (policy == POLICY_LINUX_2_6 && rng_chance(r, 0.4))
		set_number(h, "net.ipv4.tcp_tw_recycle", 1);
	snprintf(range, sizeof(range), "%u %u", low, low + ports - 1);
	set_knob(h, "net.ipv4.ip_local_port_range", range);
}

/* The last value set for a knob; its default if none was. */
static int64_t knob_of(const struct host_setup *h, const char *name, int64_t def)
{
	for (unsigned i = h->n_knobs; i-- > 0;)
		if (strcmp(h->knob[i].name, name) == 0) {
			int64_t v = 0;

			for (const char *p = h->knob[i].value; *p >= '0' && *p <= '9'; p++)
				v = v * 10 + (*p - '0');
			return v;
		}
	return def;
}

/* ---- hosts ---- */

static void draw_sizes(struct la_config *c, struct rng *r)
{
	*c = (struct la_config){
		.max_sockets = (uint32_t)draw_log(r, 12, 160),
		.max_time_wait4 = rng_chance(r, 0.3) ? between(r, 1, 20) : 512,
		.max_time_wait6 = rng_chance(r, 0.3) ? between(r, 1, 20) : 512,
		.max_addresses = 2,
		.max_destinations = rng_chance(r, 0.1) ? between(r, 1, 6) : 64,
		.max_port_maps = rng_chance(r, 0.1) ? 1 : 8,
		.max_bound = rng_chance(r, 0.1) ? between(r, 3, 8) : 64,
		.max_peers = 16,
		.max_replies = rng_chance(r, 0.2) ? between(r, 1, 8) : 64,
		.send_buffer = 2048U << rng_below(r, 8),
		.receive_buffer = 2048U << rng_below(r, 8),
		.mtu = rng_chance(r, 0.6) ? 1500 : between(r, 576, 1500),
	};
	while (la_size(c) > HOST_MEMORY && c->max_sockets > 1)
		c->max_sockets /= 2;
}

static void draw_host(struct host_setup *h, struct rng *r, unsigned policy)
{
	h->n_knobs = 0;
	draw_sizes(&h->cfg, r);
	draw_knobs(h, r, policy);
	h->clock.offset = rng_chance(r, 0.3) ? 0 : rng_u64(r) >> (2 + rng_below(r, 40));
	h->clock.rate = rng_chance(r, 0.6) ? CLOCK_TRUE : between(r, CLOCK_RATE_MIN, CLOCK_RATE_MAX);
	h->listeners = between(r, 1, 2);
	h->backlog = rng_chance(r, 0.3) ? between(r, 0, 3) : 64;
	h->accept_delay = rng_chance(r, 0.2) ? draw_log(r, NSEC_PER_MS, NSEC_PER_S) : 0;
}

/*
 * How long a segment may be under way: half of the shortest TIME_WAIT, as every clock sees it. Without a TIME_WAIT
 * that long, or where a knob cuts it short, nothing is promised.
 */
static void draw_lifetime(struct setup *s, struct rng *r)
{
	nsec_t least = NSEC_NEVER;

	s->strict = true;
	for (unsigned i = 0; i < s->n_hosts; i++) {
		const struct host_setup *h = &s->host[i];
		nsec_t tw = (nsec_t)knob_of(h, "engine.time_wait_ms", 60000) * NSEC_PER_MS * CLOCK_TRUE / h->clock.rate;

		if (tw < 200 * NSEC_PER_MS || knob_of(h, "net.ipv4.tcp_tw_recycle", 0))
			s->strict = false;
		else if (tw < least)
			least = tw;
	}
	s->lifetime = least == NSEC_NEVER ? draw_log(r, NSEC_PER_MS, 30 * NSEC_PER_S) : least / 2 - least / 64;
}

/* ---- paths ---- */

static uint16_t share(struct rng *r, double chance, uint32_t high)
{
	return (uint16_t)(rng_chance(r, chance) ? draw_log(r, 16, high) : 0);
}

/* A link that is slow, so that a queue grows: from a modem's to one that a few connections fill. */
static struct bottleneck draw_bottleneck(struct rng *r)
{
	struct bottleneck b = {.rate = draw_log(r, 20000, 5000000), .queue_max = (uint32_t)draw_log(r, 3000, 100000)};

	if (rng_chance(r, 0.5))
		b.mark_above = (uint32_t)draw_log(r, 1, b.queue_max / 4);
	return b;
}

/* Links narrower than IPv6 allows are rare: there nothing of it gets through that is longer. */
static void draw_width(struct path *p, struct rng *r)
{
	p->mtu = (uint16_t)(rng_chance(r, 0.9) ? between(r, 1280, 1499) : between(r, 576, 1279));
	p->too_big = rng_chance(r, 0.7) ? UINT16_MAX : (uint16_t)draw_log(r, 16, 60000);
}

static void draw_path(struct path *p, struct rng *r, nsec_t lifetime, enum sim_faults faults)
{
	double c = faults == SIM_FAULTS_NONE ? 0 : faults == SIM_FAULTS_SOME ? 0.35 : 0.8;

	*p = (struct path){.delay = draw_log(r, 10000, 100 * NSEC_PER_MS)};
	if (p->delay > lifetime / 4)
		p->delay = lifetime / 4;
	p->jitter = rng_chance(r, c) ? p->delay * rng_below(r, 3) / 2 : 0;
	p->in_order = rng_chance(r, 0.5);
	p->loss = share(r, c, 16000);
	p->duplicate = share(r, c, 8000);
	p->late = share(r, c, 8000);
	p->damage = share(r, c, 6000);
	p->replay = share(r, c, 8000);
	p->icmp = share(r, c / 2, 65000);
	p->lie = share(r, c / 4, 3000);
	if (rng_chance(r, c / 2))
		p->neck = draw_bottleneck(r);
	if (rng_chance(r, c / 4))
		draw_width(p, r);
	p->bleaches = rng_chance(r, c / 8);
	p->strips = rng_chance(r, c / 8);
	if (faults == SIM_FAULTS_ALL)
		p->stale = share(r, 0.3, 3000);
}

static bool draw_paths(struct setup *s, struct net *n, struct rng *r, enum sim_faults faults)
{
	bool stale = false;

	for (unsigned a = 0; a < s->n_hosts; a++)
		for (unsigned b = 0; b < s->n_hosts; b++) {
			draw_path(&n->path[a][b], r, s->lifetime, faults);
			stale |= n->path[a][b].stale > 0;
		}
	return stale;
}

/* ---- the whole ---- */

enum {
	WORK_MAX = 4000000
}; /* octets of all connections: a run shall not last longer than some hundredths of a second */

static void draw_work(struct setup *s, struct rng *r, enum sim_faults faults)
{
	bool some = faults != SIM_FAULTS_NONE;

	s->n_starts = (unsigned)draw_log(r, 2, 120);
	s->span = draw_log(r, NSEC_PER_MS, 200 * NSEC_PER_S);
	s->patience = draw_log(r, 2 * NSEC_PER_S, 200 * NSEC_PER_S);
	s->v6 = rng_chance(r, 0.4) ? 0 : rng_below(r, 101) / 100.0;
	s->bound = rng_chance(r, 0.4) ? 0 : rng_below(r, 61) / 100.0;
	s->simultaneous = rng_chance(r, 0.6) ? 0.02 : 0.3;
	s->refused = 0.03;
	s->rude = rng_chance(r, 0.3) ? 0 : rng_below(r, 101) / 100.0;
	s->bytes_max = (uint32_t)draw_log(r, 16, rng_chance(r, 0.25) ? 800000 : 8000);
	if ((uint64_t)s->n_starts * s->bytes_max > WORK_MAX)
		s->bytes_max = WORK_MAX / s->n_starts;
	s->n_listener_closes = rng_chance(r, 0.2) ? between(r, 1, 3) : 0;
	s->n_cuts = some && rng_chance(r, 0.3) ? between(r, 1, 4) : 0;
	s->n_restarts = some && rng_chance(r, 0.25) ? between(r, 1, 3) : 0;
	s->n_floods = some && rng_chance(r, 0.15) ? between(r, 1, 2) : 0;
	s->n_forged = some && rng_chance(r, 0.3) ? between(r, 1, 40) : 0;
}

void setup_draw(struct setup *s, struct net *n, struct rng *r, const struct setup_wishes *wishes)
{
	static const uint8_t likely[] = {POLICY_LINUX_6_18, POLICY_LINUX_6_18, POLICY_LINUX_6_18, POLICY_RFC9293,
					 POLICY_RFC9293,    POLICY_LINUX_4_12, POLICY_LINUX_2_6};
	enum sim_faults faults =
		wishes->faults != SIM_FAULTS_DRAWN ? wishes->faults : (enum sim_faults)between(r, 1, 3);
	unsigned policy = likely[rng_below(r, ARRAY_LEN(likely))];
	bool mixed = rng_chance(r, 0.2);

	s->n_hosts = rng_chance(r, 0.6) ? 2 : between(r, 3, HOSTS_MAX);
	if (wishes->hosts)
		s->n_hosts = wishes->hosts;
	for (unsigned i = 0; i < s->n_hosts; i++) {
		unsigned p = mixed ? likely[rng_below(r, ARRAY_LEN(likely))] : policy;

		draw_host(&s->host[i], r, wishes->policy >= 0 ? (unsigned)wishes->policy : p);
		for (unsigned k = 0; k < wishes->n_set; k++)
			set_knob(&s->host[i], wishes->set[k].name, wishes->set[k].value);
	}
	draw_lifetime(s, r);
	n->lifetime = s->lifetime;
	if (draw_paths(s, n, r, faults))
		s->strict = false;
	draw_work(s, r, faults);
}
