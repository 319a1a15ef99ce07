/* SPDX-License-Identifier: MIT */
/*
 * screen.h - a full-screen page as rows of inked text, before any terminal is involved: report/ composes it, cli/ draws
 * it. Rows and columns are bounded; what does not fit is cut. Allocates nothing.
 */
#pragma once
#include "base/base.h"
#include "report/lines.h"

enum { SCREEN_ROWS_MAX = 200, SCREEN_COLUMNS_MAX = 300, SCREEN_SPANS = 24, SCREEN_BYTES = 2 * SCREEN_COLUMNS_MAX };

struct screen_row {
	struct {
		enum ink ink;
		uint16_t end; /* the span's octets end here in text */
	} span[SCREEN_SPANS];
	unsigned n_spans;
	unsigned columns;
	char text[SCREEN_BYTES];
};

struct screen {
	unsigned width, height; /* of the terminal, at most the limits above */
	bool utf8; /* may use characters outside ASCII */
	unsigned n; /* rows used */
	struct screen_row row[SCREEN_ROWS_MAX];
};

/* Starts anew with this size, clamped to the limits. */
void screen_clear(struct screen *s, unsigned width, unsigned height, bool utf8);

/* True if another row fits. */
bool screen_has_room(const struct screen *s);

/* Begins a row; past the height it goes nowhere, and so do the screen_add() that follow. */
void screen_line(struct screen *s, enum ink ink, const char *fmt, ...) PRINTF(3, 4);

/* More text on the last row. */
void screen_add(struct screen *s, enum ink ink, const char *fmt, ...) PRINTF(3, 4);

/* Blanks until the last row has this many columns; at least one if it is longer already. */
void screen_tab(struct screen *s, unsigned column);

/* Empty rows until n are used, so that the next row stands at a fixed place. */
void screen_down_to(struct screen *s, unsigned n);

/* How full something is, in cells columns between brackets: "[###   ]". share is clamped to 0..1. */
void screen_bar(struct screen *s, enum ink ink, double share, unsigned cells);

/* The last values as bars of eight heights, scaled to the greatest of them; fewer than cells are right-aligned. */
void screen_spark(struct screen *s, enum ink ink, const uint64_t *values, unsigned n, unsigned cells);
