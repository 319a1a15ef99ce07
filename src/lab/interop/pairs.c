/* SPDX-License-Identifier: MIT */
#include "lab/interop/pairs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PORT = 8000, REST_MS = 30000 };

const struct whim whims[WHIMS] = {
	{"net.ipv4.tcp_timestamps", {"1", "0", "1"}},
	{"net.ipv4.tcp_sack", {"1", "0", "1"}},
	{"net.ipv4.tcp_window_scaling", {"1", "0", "1"}, .kernel_only = true},
	{"net.ipv4.tcp_ecn", {"2", "1", "0"}},
	{"net.ipv4.tcp_congestion_control",
	 {"cubic", "reno", "cubic"},
	 .engine_only = true}, /* a namespace may not choose any */
	[WHIM_COOKIES] = {"net.ipv4.tcp_syncookies", {"1", "2", "1"}},
};

struct pair {
	bool used, accepted;
	uint32_t number;
	uint16_t port; /* of the opener */
	nsec_t until;
	struct plan plan;
	struct flow flow[N_SIDES];
};

struct pairs {
	const struct pairs_cfg *cfg;
	struct rig *r;
	struct end listener[N_SIDES][2]; /* of the families */
	struct pair pair[PAIRS_AT_ONCE];
	uint32_t begun, ended;
	uint8_t whim[N_SIDES][WHIMS]; /* as they are set */
	bool failed;
};

static const char *const side_names[N_SIDES] = {[SIDE_ENGINE] = "engine", [SIDE_KERNEL] = "kernel"};

static bool listen_all(struct pairs *p)
{
	for (int side = 0; side < N_SIDES; side++)
		for (int six = rig_family(p->r, -1); six >= 0; six = rig_family(p->r, six)) {
			struct la_endpoint at = rig_at((enum side)side, six, PORT);
			struct end *l = &p->listener[side][six];
			int err;

			*l = (struct end){.side = (enum side)side, .d = p->r->d};
			err = end_listen(l, &at);
			if (err)
				return rig_fail(p->r, "the %s cannot listen: %s", side_names[side], strerror(-err));
		}
	return true;
}

static bool set_whims(struct pairs *p, const struct plan *plan)
{
	for (int side = 0; side < N_SIDES; side++)
		for (unsigned i = 0; i < WHIMS; i++) {
			const uint8_t v = plan->whim[side][i];

			if (side == SIDE_ENGINE ? whims[i].kernel_only : whims[i].engine_only)
				continue;
			if (p->whim[side][i] != v &&
			    !rig_knob(p->r, (enum side)side, whims[i].name, whims[i].values[v]))
				return false;
			p->whim[side][i] = v;
		}
	return true;
}

static bool begin_one(struct pairs *p, struct pair *one)
{
	struct plan *plan = &one->plan;
	struct la_endpoint to;
	struct end *end;
	int err;

	*one = (struct pair){.used = true,
			     .number = p->begun,
			     .until = drive_clock() + p->cfg->patience_s * NSEC_PER_S,
			     .plan = p->cfg->plan(p->cfg->arg, p->begun)};
	p->begun++;
	plan->flow[SIDE_ENGINE].to_receive = plan->flow[SIDE_KERNEL].to_send;
	plan->flow[SIDE_KERNEL].to_receive = plan->flow[SIDE_ENGINE].to_send;
	end = &one->flow[plan->opener].end;
	for (int side = 0; side < N_SIDES; side++)
		one->flow[side].end.rcvbuf = plan->rcvbuf[side];
	end->side = plan->opener;
	end->d = p->r->d;
	if (!set_whims(p, plan))
		return false;
	to = rig_at(plan->opener == SIDE_ENGINE ? SIDE_KERNEL : SIDE_ENGINE, plan->ipv6, PORT);
	err = end_connect(end, &to, 0);
	if (err)
		return rig_fail(p->r, "number %" PRIu32 ": the %s cannot connect: %s", one->number,
				side_names[plan->opener], strerror(-err));
	one->port = end_local_port(end);
	flow_start(&one->flow[plan->opener], &plan->flow[plan->opener]);
	return true;
}

static struct pair *awaited(struct pairs *p, enum side acceptor, bool ipv6, uint16_t port)
{
	for (size_t i = 0; i < PAIRS_AT_ONCE; i++) {
		struct pair *one = &p->pair[i];

		if (one->used && !one->accepted && one->plan.opener != acceptor && one->plan.ipv6 == ipv6 &&
		    one->port == port)
			return one;
	}
	return NULL;
}

static bool accept_one(struct pairs *p, struct end *e, uint16_t port, bool ipv6)
{
	struct pair *one = awaited(p, e->side, ipv6, port);

	/* A late duplicate of a first ACK is a valid cookie: a listener that kept nothing cannot know better, on Linux neither. */
	if (!one && p->whim[e->side][WHIM_COOKIES]) {
		end_close(e);
		return true;
	}
	if (!one || end_move(&one->flow[e->side].end, e)) {
		end_close(e);
		return rig_fail(p->r, "the %s accepted a connection that nobody opened", side_names[e->side]);
	}
	one->accepted = true;
	flow_start(&one->flow[e->side], &one->plan.flow[e->side]);
	return true;
}

static bool accept_all(struct pairs *p)
{
	for (int side = 0; side < N_SIDES; side++)
		for (int six = rig_family(p->r, -1); six >= 0; six = rig_family(p->r, six)) {
			struct end e = {.side = (enum side)side, .d = p->r->d};
			uint16_t port = 0;

			while (end_accept(&p->listener[side][six], &e, &port) == 0)
				if (!accept_one(p, &e, port, six))
					return false;
		}
	return true;
}

/* ---- how it ended ---- */

static bool flow_is_right(struct pairs *p, const struct pair *one, enum side side)
{
	const struct flow *f = &one->flow[side], *from = &one->flow[!side];
	const char *whole = one->plan.ipv6 ? "IPv6" : "IPv4";

	if (f->error)
		return rig_fail(p->r,
				"number %" PRIu32 ", %s, opened by the %s: the %s got %s after %" PRIu32 " of %" PRIu32
				" octets, %" PRIu32 " of %" PRIu32 " sent",
				one->number, whole, side_names[one->plan.opener], side_names[side], strerror(-f->error),
				f->received, f->cfg.to_receive, f->sent, f->cfg.to_send);
	if (f->received != from->sent || f->hash_received != from->hash_sent)
		return rig_fail(p->r,
				"number %" PRIu32 ", %s, opened by the %s: the %s received %" PRIu32
				" octets of %" PRIu32 ", hash %016" PRIx64 " of %016" PRIx64,
				one->number, whole, side_names[one->plan.opener], side_names[side], f->received,
				from->sent, f->hash_received, from->hash_sent);
	return true;
}

static bool is_over(const struct pair *one)
{
	const struct flow *opener = &one->flow[one->plan.opener];

	/* It may have sent all and closed before it is accepted. */
	return one->accepted ? one->flow[0].closed && one->flow[1].closed : opener->closed && opener->error;
}

static bool stuck(struct pairs *p, const struct pair *one)
{
	const struct flow *e = &one->flow[SIDE_ENGINE], *k = &one->flow[SIDE_KERNEL];

	return rig_fail(p->r,
			"number %" PRIu32 ", %s, opened by the %s, stands still after %u s: the engine sent %" PRIu32
			" of %" PRIu32 ", received %" PRIu32 " of %" PRIu32 "%s; the kernel sent %" PRIu32
			", received %" PRIu32 "%s%s",
			one->number, one->plan.ipv6 ? "IPv6" : "IPv4", side_names[one->plan.opener], p->cfg->patience_s,
			e->sent, e->cfg.to_send, e->received, e->cfg.to_receive, e->eof ? " and the end" : "", k->sent,
			k->received, k->eof ? " and the end" : "", one->accepted ? "" : "; it was not accepted");
}

/* false: something is wrong with it. */
static bool look_after(struct pairs *p, struct pair *one)
{
	if (is_over(one)) {
		/* An error first, at the end where one is: the other end only suffers of it. */
		const enum side first = one->flow[SIDE_KERNEL].error ? SIDE_KERNEL : SIDE_ENGINE;

		if (!flow_is_right(p, one, first) || !flow_is_right(p, one, (enum side) !first))
			return false;
		p->r->sums->transfers++;
		for (int side = 0; side < N_SIDES; side++)
			p->r->sums->octets[side] += one->flow[side].sent;
		one->used = false;
		p->ended++;
	} else if (p->r->d->now > one->until) {
		return stuck(p, one);
	}
	return true;
}

static void tick(struct pairs *p, struct flow *f)
{
	struct drive *d = p->r->d;

	if (!end_is_open(&f->end))
		return;
	flow_tick(f, d->now);
	if (f->read_at < d->wake_at)
		d->wake_at = f->read_at;
}

/* Asked after everything that happens: true ends the loop. */
static bool go_on(void *arg)
{
	struct pairs *p = arg;

	p->failed = !accept_all(p);
	p->r->d->wake_at = NSEC_NEVER;
	for (size_t i = 0; i < p->cfg->at_once && !p->failed; i++) {
		struct pair *one = &p->pair[i];

		if (one->used)
			p->failed = !look_after(p, one);
		for (int side = 0; side < N_SIDES && one->used; side++)
			tick(p, &one->flow[side]);
		if (!one->used && p->begun < p->cfg->n)
			p->failed = p->failed || !begin_one(p, one);
	}
	rig_progress(p->r, p->ended, p->cfg->n);
	return p->failed || p->ended == p->cfg->n;
}

static bool is_at_rest(void *arg)
{
	const struct rig *r = arg;
	struct la_usage use;

	la_usage(r->d->e, &use);
	return use.connections == 0;
}

bool pairs_run(struct rig *r, const struct pairs_cfg *cfg)
{
	struct pairs *p = calloc(1, sizeof(*p));
	const unsigned most_ms = cfg->patience_s * 1000 * (cfg->n / cfg->at_once + 1);
	bool ok;

	must(cfg->at_once > 0 && cfg->at_once <= PAIRS_AT_ONCE);
	if (!p)
		return rig_fail(r, "no memory");
	p->cfg = cfg;
	p->r = r;
	ok = listen_all(p);
	if (ok && !rig_wait(r, go_on, p, most_ms))
		ok = rig_fail(r, "only %" PRIu32 " of %" PRIu32 " were over after %u s", p->ended, cfg->n,
			      most_ms / 1000);
	ok = ok && !p->failed;
	for (int side = 0; side < N_SIDES; side++) {
		for (int six = 0; six < 2; six++)
			end_close(&p->listener[side][six]);
		for (size_t i = 0; i < PAIRS_AT_ONCE; i++)
			if (p->pair[i].used)
				end_close(&p->pair[i].flow[side].end);
	}
	r->d->wake_at = NSEC_NEVER;
	free(p);
	if (ok && !rig_wait(r, is_at_rest, r, REST_MS))
		ok = rig_fail(r, "connections that both sides have closed are still there after %d s", REST_MS / 1000);
	return ok;
}
