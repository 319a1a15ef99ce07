/* SPDX-License-Identifier: MIT */
/* group.h - control groups (cgroup2): the id of one, and one of our own for a program and all that it starts. */
#pragma once
#include "base/why.h"

/*
 * The ids of the group with that folder, or that path below the mount of cgroup2, and of all that are below it now, as many as
 * there is room for. Returns how many; 0: there is none (errno).
 */
size_t group_ids(const char *path, uint64_t *ret, size_t cap);

struct group {
	char path[512];
	uint64_t id;
};

/* Below our own group, so that limits stay as they are. 0 or -errno. */
int group_new(struct group *ret, struct why *w);
int group_enter(const struct group *g); /* the calling process does. 0 or -errno */

/* Processes that are in it or in groups below; those that have ended but were not waited for are not among them. */
unsigned group_count(const struct group *g);

/* With all groups that were made below it; whoever is left in them goes back to our own group. */
void group_free(struct group *g);
