/* SPDX-License-Identifier: MIT */
/*
 * lines.h - text in lines of limited width. Everything report/ prints for people goes through here, so lines can be
 * counted before they are written: with out == NULL nothing is printed, only counted. Allocates nothing.
 */
#pragma once
#include "base/base.h"
#include <stdio.h>

enum {
	LINES_NO_LIMIT = INT32_MAX,
	NO_BREAK = 0x1f, /* in a paragraph: a blank at which no line ends */
};

struct lines {
	FILE *out; /* NULL: count only */
	unsigned width; /* in columns; UTF-8 characters count one each */
	bool colour;
	bool cut; /* lines_put cuts at width; else the line is as long as it is */
	unsigned n; /* lines so far */
};

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_YELLOW, INK_GREEN };

/* Columns that s takes on a terminal. */
size_t columns_of(const char *s);

/* The length in bytes of the longest beginning of s that takes at most this many columns. */
size_t cut_at(const char *s, size_t columns);

/* One line. Long ones end in "..." when l->cut. */
void lines_put(struct lines *l, enum ink ink, const char *fmt, ...) PRINTF(3, 4);

/*
 * head and text in one paragraph: head stands at the beginning and is inked, further lines are indented. At most
 * max_lines; what does not fit ends in "...".
 */
struct paragraph {
	const char *head, *text;
	enum ink ink;
	unsigned indent, max_lines;
};
void lines_wrap(struct lines *l, const struct paragraph *p);

/* A shell command that can be pasted also when it takes several lines: they end in a backslash. */
void lines_command(struct lines *l, unsigned indent, const char *command);

void lines_blank(struct lines *l);

/* ---- tables ---- */

enum { TABLE_COLUMNS = 10, CELL_BYTES = 176 };

struct column {
	const char *title;
	bool right; /* numbers */
};

struct row {
	char cell[TABLE_COLUMNS][CELL_BYTES];
};

/* As wide as its cells need; a column without any text is left out. fill is called twice for each row. */
struct table {
	const struct column *columns;
	unsigned n_columns;
	size_t n_rows;
	void (*fill)(const void *ctx, size_t i, struct row *ret);
	const void *ctx;
};
void lines_table(struct lines *l, const struct table *t);
