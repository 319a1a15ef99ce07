/* SPDX-License-Identifier: MIT */
/* text.h - numbers and durations as people read them. Results live in the value: `num(28232).s` is "28,232". */
#pragma once
#include "base/base.h"

struct text {
	char s[32];
};

struct text num(uint64_t v); /* 28232 -> "28,232" */
struct text rate_text(double per_s); /* 0.4 -> "0.4", 12.3 -> "12", 28232.4 -> "28,232" */
struct text percent_text(double part, double whole); /* "47 %", "0.4 %"; whole 0 -> "- %" */
struct text seconds_text(double s); /* "0.8 s", "12 s", "3 min", "2 h 10 min", "5 d"; infinite -> "never" */
struct text bytes_text(uint64_t bytes); /* "512 B", "12 KiB", "3.4 MiB" */

/*
 * Appends to a fixed buffer and never past it; what does not fit is cut. Returns the new length.
 * buf must hold a string already ("" to start with).
 */
size_t append(char *buf, size_t cap, const char *fmt, ...) PRINTF(3, 4);

/* Copies src, cut to fit; all but printable ASCII becomes '?', so a hostile comm cannot move the cursor. */
void copy_printable(char *dst, size_t cap, const char *src);
