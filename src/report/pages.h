/* SPDX-License-Identifier: MIT */
/* pages.h - the pages of docs/findings, built in. pages.c is made by tools/embed.py. */
#pragma once
#include <stddef.h>

struct page {
	const char *id, *text; /* markdown: "# ID: title", then "## " sections */
};

extern const struct page pages[]; /* sorted by id */
extern const size_t n_pages;
