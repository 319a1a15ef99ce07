/* SPDX-License-Identifier: MIT */
/* part_half.c - the one side says all it has to say and closes its direction, the other answers to that. */
#include <stdio.h>

#include "base/text.h"
#include "lab/interop/pairs.h"
#include "lab/interop/parts.h"

static const struct {
	uint32_t question, answer;
} sizes[] = {{0, 1}, {1, 0}, {100, 100000}, {300000, 1}, {1000000, 1000000}};

enum { WAYS = 4 }; /* who opens, who closes first */

struct half {
	const struct rig *r;
	bool both;
};

enum { ROUND = WAYS * ARRAY_LEN(sizes) }; /* one for each family, then the same with cookies */

static struct plan plan(void *arg, uint32_t i)
{
	const struct half *h = arg;
	const enum side first = i & 1 ? SIDE_KERNEL : SIDE_ENGINE, other = (enum side) !first;
	struct plan p = {.opener = i & 2 ? SIDE_KERNEL : SIDE_ENGINE};
	const size_t size = i / WAYS % ARRAY_LEN(sizes);

	p.ipv6 = h->both ? i / ROUND % 2 : rig_family(h->r, -1) == 1;
	p.whim[SIDE_ENGINE][WHIM_COOKIES] = p.whim[SIDE_KERNEL][WHIM_COOKIES] = i >= (h->both ? 2 : 1) * ROUND;
	p.flow[first] = (struct flow_cfg){.seed = i, .to_send = sizes[size].question, .ends = FLOW_SHUT};
	p.flow[other] =
		(struct flow_cfg){.seed = ~i, .to_send = sizes[size].answer, .ends = FLOW_AFTER_PEER, .answers = true};
	return p;
}

bool part_half(struct rig *r, bool *ret_skip)
{
	struct half h = {.r = r, .both = rig_family(r, rig_family(r, -1)) >= 0};
	const uint32_t n = (h.both ? 4 : 2) * ROUND;
	const struct pairs_cfg cfg = {.n = n, .at_once = 8, .plan = plan, .arg = &h, .patience_s = 20};

	if (!pairs_run(r, &cfg))
		return false;
	/* Some more when the SYN of an earlier one is late. */
	if (rig_engine_counter(r, "SyncookiesRecv") < n / 4)
		return rig_fail(r, "the engine took %llu connections by cookie, not at least %u",
				(unsigned long long)rig_engine_counter(r, "SyncookiesRecv"), n / 4);
	snprintf(r->note, sizeof(r->note),
		 "%u of %u, up to 1 MB each way, either side first; half of them by SYN cookies", n, n);
	return true;
}
