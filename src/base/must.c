/* SPDX-License-Identifier: MIT */
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: must(%s) failed\n", file, line, cond);
	abort();
}
