/* SPDX-License-Identifier: MIT */
/*
 * follow.h - closes followed for as long as a live screen runs: who closed, and why, over the last minute or two. Counts are
 * kept twice, begun a minute apart, and the younger ones take over when the older ones have become too old.
 */
#pragma once
#include "diag/rule.h"
#include "model/service.h"
#include "obs/closers.h"
#include "obs/trace.h"

enum { FOLLOW_S = 64 }; /* a TIME_WAIT lasts 60 s, and up to 2 s more: the older counts know who closed it */

struct follow_counts {
	struct services services;
	struct closers *closers;
	nsec_t since;
	uint64_t lost_before;
};

struct follow {
	struct trace *trace; /* NULL: closes are not followed */
	struct why why; /* then: why not; "" nobody asked for it */
	struct follow_counts counts[2]; /* the older first */
	int error; /* of counting */
};

/* netns: inode, 0 all. That it cannot be done is no error: then why says so. 0 or -ENOMEM. */
int follow_begin(struct follow *f, uint64_t netns);
void follow_end(struct follow *f); /* also of a zeroed one */

/* Counts what ended since the last time: many times a second, or records are lost. 0 or -errno. */
int follow_step(struct follow *f);

/* Between two looks: the younger counts take over if it is time. 0 or -ENOMEM. */
int follow_turn(struct follow *f);

/* The closers of what is shown, until the next follow_turn(); NULL: closes are not followed. */
const struct closers *follow_closers(const struct follow *f);

/* Adds the causes to what the rules found on snapshot s. 0 or -ENOMEM. */
int follow_judge(struct follow *f, const struct snapshot *s, struct findings *to);

/* Closes that could not be followed, of those that are shown. */
uint64_t follow_lost(const struct follow *f);
