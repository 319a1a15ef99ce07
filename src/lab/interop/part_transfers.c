/* SPDX-License-Identifier: MIT */
/* part_transfers.c - random sizes both ways over a bad network; every octet is hashed where it is sent and where it arrives. */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "base/text.h"
#include "lab/interop/pairs.h"
#include "lab/interop/parts.h"

enum { SIZE_MAX_BYTES = 1 << 20, LAZY_MAX_BYTES = 1 << 18, PATIENCE_S = 150 };

struct draw {
	struct rng rng;
	const struct rig *r;
};

/* As many small ones as large ones: evenly by logarithm; one in twenty is nothing at all. */
static uint32_t draw_size(struct rng *r)
{
	if (rng_below(r, 20) == 0)
		return 0;
	return (uint32_t)exp((double)(rng_u64(r) >> 11) * 0x1p-53 * log(SIZE_MAX_BYTES));
}

/* Most connections are ordinary; some lack an option, have a small window, or a reader that takes its time. */
static void draw_whims(struct rng *r, struct plan *p, int side)
{
	struct flow_cfg *other = &p->flow[!side];

	/* Not by cookies: a listener that keeps nothing resets a peer whose first octets come after others. */
	for (unsigned i = 0; i < WHIM_COOKIES; i++)
		p->whim[side][i] = rng_below(r, 4) == 0 ? (uint8_t)rng_below(r, ARRAY_LEN(whims[i].values)) : 0;
	/*
	 * Not so small that one segment fills it: a full-sized one with SACK blocks leaves 12 octets of such a window, and
	 * Linux 6.18 then announces 12 for ever (__tcp_select_window() raises it only by a whole MSS).
	 */
	if (rng_below(r, 8) == 0)
		p->rcvbuf[side] = 8192 << rng_below(r, 4);
	if (rng_below(r, 8) == 0) {
		p->flow[side].lazy = true;
		if (other->to_send > LAZY_MAX_BYTES)
			other->to_send = LAZY_MAX_BYTES;
	}
}

static struct plan plan(void *arg, uint32_t i)
{
	struct draw *d = arg;
	struct rng *r = &d->rng;
	struct plan p = {.opener = (enum side)rng_below(r, N_SIDES), .ipv6 = rng_below(r, 2)};
	const bool politely = rng_below(r, 3) == 0;

	if (p.ipv6 ? d->r->cfg->only_ipv4 : d->r->cfg->only_ipv6)
		p.ipv6 = !p.ipv6;
	for (int side = 0; side < N_SIDES; side++)
		p.flow[side] = (struct flow_cfg){.seed = rng_u64(r),
						 .to_send = draw_size(r),
						 .ends = rng_below(r, 2) ? FLOW_SHUT : FLOW_WHEN_DONE};
	for (int side = 0; side < N_SIDES; side++)
		draw_whims(r, &p, side);
	if (politely) /* one of the two must begin to close */
		p.flow[rng_below(r, N_SIDES)].ends = FLOW_AFTER_PEER;
	return p;
}

bool part_transfers(struct rig *r, bool *ret_skip)
{
	struct draw d = {.r = r};
	const struct pairs_cfg cfg = {
		.n = r->cfg->transfers, .at_once = PAIRS_AT_ONCE, .plan = plan, .arg = &d, .patience_s = PATIENCE_S};
	uint64_t octets = r->sums->octets[0] + r->sums->octets[1];
	const struct impair_stats *s[2] = {impair_stats(r->d->to_kernel), impair_stats(r->d->to_engine)};

	rng_seed(&d.rng, r->cfg->seed);
	drive_impair(r->d, &r->cfg->impair);
	if (!pairs_run(r, &cfg))
		return false;
	octets = r->sums->octets[0] + r->sums->octets[1] - octets;
	snprintf(r->note, sizeof(r->note), "%s with equal hashes, %s; of %s packets %s lost, %s doubled, %s reordered",
		 num(cfg.n).s, bytes_text(octets).s, num(s[0]->in + s[1]->in).s, num(s[0]->lost + s[1]->lost).s,
		 num(s[0]->duplicated + s[1]->duplicated).s, num(s[0]->reordered + s[1]->reordered).s);
	return true;
}
