/* SPDX-License-Identifier: MIT */
/*
 * part_pmtu.c - between engine and kernel lies a link that is narrower than either knows. A router in front of it, which
 * drops what does not fit and says so, is all that tells them (RFC 1191, 8201).
 */
#include <stdio.h>

#include "lab/interop/pairs.h"
#include "lab/interop/parts.h"

enum { PER_FAMILY = 8, OCTETS = 300000, MTU4 = 1000, MTU6 = 1280 };

static struct plan plan(void *arg, uint32_t i)
{
	struct plan p = {.opener = i & 1 ? SIDE_KERNEL : SIDE_ENGINE, .ipv6 = *(const int *)arg};

	/* Both, the one, the other: once the kernel knows, it announces a lower MSS, and so tells the engine before a router does. */
	for (int side = 0; side < N_SIDES; side++)
		p.flow[side] = (struct flow_cfg){.seed = i + (uint64_t)side * PER_FAMILY,
						 .to_send = i / 2 % 3 == (unsigned)side + 1 ? 1 : OCTETS};
	return p;
}

static bool both_were_told(struct rig *r, const struct impair_stats before[2])
{
	const struct impair_stats *s[2] = {impair_stats(r->d->to_kernel), impair_stats(r->d->to_engine)};

	if (s[0]->too_big == before[0].too_big)
		return rig_fail(r, "the engine sent nothing that is too long: it knew before");
	if (s[1]->too_big == before[1].too_big)
		return rig_fail(r, "the kernel sent nothing that is too long: it knew before");
	return true;
}

bool part_pmtu(struct rig *r, bool *ret_skip)
{
	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six)) {
		const struct impair_cfg narrow = {.mtu = six ? MTU6 : MTU4, .delay = NSEC_PER_MS};
		const struct impair_stats before[2] = {*impair_stats(r->d->to_kernel), *impair_stats(r->d->to_engine)};
		const struct pairs_cfg cfg = {
			.n = PER_FAMILY, .at_once = 2, .plan = plan, .arg = &six, .patience_s = 20};

		drive_impair(r->d, &narrow);
		if (!pairs_run(r, &cfg) || !both_were_told(r, before))
			return false;
	}
	snprintf(r->note, sizeof(r->note),
		 "%llu transfers, 300 kB; packets too long: %llu of the engine, %llu of the kernel",
		 (unsigned long long)r->sums->transfers, (unsigned long long)impair_stats(r->d->to_kernel)->too_big,
		 (unsigned long long)impair_stats(r->d->to_engine)->too_big);
	return true;
}
