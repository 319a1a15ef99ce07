/* SPDX-License-Identifier: MIT */
/* top_rows.h - private to report/: the rows of the lists of `lastack top`, filtered and sorted. */
#pragma once
#include "model/forecast.h"
#include "report/top.h"

struct top_row { /* what every row begins with: rows are sorted by it */
	double weight; /* by what the user sorts by */
	char name[160];
};

/* Local ports towards a destination. */
struct top_dest {
	struct top_row row;
	const struct netns *ns;
	const struct dest *d;
	bool known; /* the port range was read: the forecast holds */
	struct forecast f;
	char process[160];
};

struct top_listener {
	struct top_row row;
	const struct listener *l;
	double closes_per_s; /* TIME_WAITs made in the newest seconds: this end closed first */
	char process[160];
};

/*
 * Who closed first: as its closes were followed; else by TIME_WAITs, which stay with the end that sent the first FIN (RFC 9293
 * 3.6), and each belongs to a listener or a destination whose process is known.
 */
struct top_closer {
	struct top_row row; /* named after the process */
	uint64_t time_waits;
	uint64_t rst; /* closes that were a RST, which leaves no TIME_WAIT */
	double per_s;
	bool followed; /* its closes were: per_s counts them all */
	uint64_t as_client; /* of the TIME_WAITs: those on ephemeral ports, which cost connect() a port */
};

struct top_rows {
	struct top_dest *dests;
	size_t n_dests;
	struct top_listener *listeners;
	size_t n_listeners;
	struct top_closer *closers;
	size_t n_closers;
	bool followed; /* closes were, of some process */
};

/* The caller owns ret: top_rows_done(). */
void top_rows(struct top_rows *ret, const struct top_view *v);
void top_rows_done(struct top_rows *r);
