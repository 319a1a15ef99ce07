/* SPDX-License-Identifier: MIT */
/*
 * top.h - `lastack top`: what was observed and what the user chose, as a screen. Pure: cli/cmd_top.c looks at the host,
 * reads keys and draws.
 */
#pragma once
#include "diag/rule.h"
#include "report/screen.h"

enum { TOP_HISTORY = 120, TOP_FILTER = 48 };

/* How many sockets were in each state at the last looks, oldest first. Zero-initialise. */
struct top_history {
	uint64_t n[N_STATES][TOP_HISTORY];
	unsigned looks;
};
void top_remember(struct top_history *h, const struct snapshot *s, uint64_t netns);

/* From here on: what the lower part shows. PANE_ALL: the beginning of each. */
enum top_pane { PANE_ALL, PANE_DESTINATIONS, PANE_LISTENERS, PANE_CLOSERS, PANE_FINDINGS };
enum top_sort { SORT_PORTS, SORT_TIME_WAIT, SORT_CLOSES, SORT_NAME };

/* What the user chose. Zero-initialise. */
struct top_choice {
	enum top_pane pane;
	enum top_sort sort;
	bool reverse, paused, help;
	bool typing; /* the filter is being typed */
	char filter[TOP_FILTER]; /* rows that hold this text, case ignored; "" all */
	uint64_t netns; /* inode; 0: all namespaces */
	size_t first; /* rows scrolled past in a pane */
};

/* Keys that are no character. */
enum { TOP_UP = 0x110000, TOP_DOWN, TOP_PAGE_UP, TOP_PAGE_DOWN, TOP_HOME, TOP_ERASE };

enum top_act { ACT_NONE, ACT_REDRAW, ACT_LOOK /* now, do not wait for the interval */, ACT_QUIT };

/* What a key does: a Unicode character or one of the above. s: the latest snapshot, for `n`. page: rows of a page. */
enum top_act top_key(struct top_choice *c, const struct snapshot *s, unsigned page, int key);

struct top_view {
	const struct observation *obs;
	const struct findings *findings;
	const struct top_history *history;
	const struct top_choice *choice;
	double interval_s;
	/* where closes are followed: what each process closed first. blind: why they are not; NULL: nothing is lacking */
	const struct closer *closers;
	size_t n_closers;
	uint64_t lost; /* closes that could not be followed */
	const char *blind;
};

/* Composes the whole screen; its size was set by screen_clear(). */
void top_compose(struct screen *s, const struct top_view *v);
