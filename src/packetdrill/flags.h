/* SPDX-License-Identifier: MIT */
/* flags.h - what --so_flags says: words with blanks or commas between. */
#pragma once
#include "base/base.h"

enum { FLAG_KNOBS_MAX = 16 };

struct flags {
	uint64_t seed; /* seed=N */
	uint32_t mtu; /* mtu=N [1500] */
	bool report; /* report: at the end, say which packets nobody expected */
	bool still; /* still: netdev_receive gives what there is and does not move the clock */
	char local[64]; /* local=ADDR: an address of ours besides packetdrill's defaults */
	char pcap[256]; /* pcap=FILE: what goes in and out */
	struct {
		char name[64], value[64];
	} knobs[FLAG_KNOBS_MAX]; /* NAME=VALUE with a dot in NAME: a tunable; it stands whatever the sysctl says */
	unsigned n_knobs;
};

bool flags_parse(struct flags *ret, const char *text); /* text may be NULL */
