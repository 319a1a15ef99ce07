/* SPDX-License-Identifier: MIT */
/* render.h - what a report prints, as a string. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

/* RENDER(text, out, report_x(out, ...)); free(text) */
#define RENDER(text, out, call)                                                                                        \
	char *text = NULL;                                                                                             \
	do {                                                                                                           \
		size_t len_;                                                                                           \
		FILE *out = open_memstream(&text, &len_);                                                              \
                                                                                                                       \
		assert_non_null(out);                                                                                  \
		call;                                                                                                  \
		assert_int_equal(fclose(out), 0);                                                                      \
	} while (0)
