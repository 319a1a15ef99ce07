/* SPDX-License-Identifier: MIT */
/*
 * interop.h - facade: the engine behind a tun device, in a network namespace of its own, against this kernel and the
 * programs on it. parts.def lists what is tried.
 */
#pragma once
#include "base/why.h"
#include "io/impair.h"
#include <stdio.h>

enum interop_part {
#define PART(id, name, title, life_s) PART_##id,
#include "lab/interop/parts.def"
#undef PART
	N_PARTS
};
const char *interop_part_name(unsigned part);
const char *interop_part_title(unsigned part);

struct interop_sums {
	uint64_t packets, lost, duplicated, reordered; /* both ways; lost: on purpose */
	uint64_t transfers, octets[2]; /* whole, with equal hashes; sent by the engine, by the kernel */
	uint64_t closings;
};

struct interop_cfg {
	uint32_t seed, transfers;
	struct impair_cfg impair; /* of the transfers */
	bool only_ipv4, only_ipv6, json;
	bool progress; /* on stderr, for a terminal */
	unsigned parts; /* bit i: part i is wanted */
	void (*tap)(void *arg, const void *packet, size_t len);
	void *tap_arg;
	struct interop_sums *sums; /* private */
};

struct interop_totals {
	unsigned passed, failed, skipped;
	bool not_permitted; /* all were skipped because this is not root */
	int signal; /* it was cut short by this one; 0: no */
};

/* A line for each part as it ends. 0 with ret filled, or -errno. The tap is called in another process. */
int interop_run(const struct interop_cfg *cfg, FILE *out, struct interop_totals *ret, struct why *w);
