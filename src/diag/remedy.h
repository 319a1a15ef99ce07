/* SPDX-License-Identifier: MIT */
/* remedy.h - private to diag/: cures that several rules advise. Each leaves itself out where it does not apply. */
#pragma once
#include "diag/rules.h"

/*
 * The reserved list as it should be: what is reserved now and every port in [low, high] that somebody listens on.
 * Written as ip_local_reserved_ports wants it. To fit, near ports are joined into one range with those between them;
 * where that would reserve much more than is listened on, list is "" and hint says where to take it from.
 */
struct reserve {
	uint32_t added; /* listening ports that were not reserved; 0: list is "" */
	const char *hint; /* what to know about the list, begins with "; "; or "" */
	char list[176]; /* short enough for a remedy's command with view_prefix() before it */
};
struct reserve reserve_listeners(const struct view *v, uint32_t low, uint32_t high);

/* Or to hold fewer, where live connections are what takes the ports. */
void remedy_reuse_connections(struct finding *f, const struct view *v, const struct dest *d);
void remedy_more_tuples(struct finding *f, const struct dest *d);
void remedy_widen_range(struct finding *f, const struct view *v); /* two rows: reserve listening ports first */
void remedy_tw_reuse(struct finding *f, const struct view *v, const struct dest *d);
void remedy_destroy_time_wait(struct finding *f, const struct view *v, const struct dest *d);
