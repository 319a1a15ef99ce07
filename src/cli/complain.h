/* SPDX-License-Identifier: MIT */
/* complain.h - the one place that writes errors. A complaint is one line on the error stream. */
#pragma once
#include "base/why.h"
#include <stdio.h>

enum exit_code {
	EXIT_FINE = 0, /* nothing at or above --fail-on */
	EXIT_FINDINGS = 1,
	EXIT_USAGE = 2,
	EXIT_INCOMPLETE = 3, /* not everything could be seen, and nothing was found */
	EXIT_INTERNAL = 4,
	EXIT_SIGNAL = 128, /* plus the number of the signal */
};

/* Who complains and where, until the next call. command "" before a command is known. Both borrowed. */
void complain_as(const char *command, FILE *err);
FILE *complain_stream(void);

/* "lastack doctor: text". Returns code, so that a caller can return it at once. */
int complain(int code, const char *fmt, ...) PRINTF(2, 3);

/* "lastack doctor: text; see lastack doctor --help". Returns EXIT_USAGE. */
int complain_usage(const char *fmt, ...) PRINTF(1, 2);
