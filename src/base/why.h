/* SPDX-License-Identifier: MIT */
/*
 * why.h - the sentence that goes with an error. Code that meets the operating system returns 0 or -errno and
 * fills one of these at the point that knows most; callers may prefix context; only cli/ prints it.
 */
#pragma once
#include "base/base.h"

struct why { /* zero-initialise; owned by the caller, allocates nothing */
	char text[256];
};

/* Every function accepts w == NULL. Text that does not fit is cut. */
void why_set(struct why *w, const char *fmt, ...) PRINTF(2, 3);
void why_prefix(struct why *w, const char *fmt, ...) PRINTF(2, 3); /* "prefix: old text" */

/* Fills w with "<formatted>: <strerror(err)>" and returns -err, so that a caller can return it at once. err > 0. */
int why_errno(struct why *w, int err, const char *fmt, ...) PRINTF(3, 4);
