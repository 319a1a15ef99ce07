/* SPDX-License-Identifier: MIT */
/*
 * mem.h - memory for the tools. xcalloc ends the process with one clear line when memory is gone, for code
 * that runs once and exits (cli/, report/, lab/). obs/ uses calloc and returns -ENOMEM: it may become a daemon.
 */
#pragma once
#include "base/base.h"

void *xcalloc(size_t n, size_t size);

void free_p(void *p); /* for CLEANUP(free_p): p is the address of the pointer that is freed */

/*
 * Grows *v (elements of the given size, *cap of them) so that need fit. Doubles. 0 or -ENOMEM; on failure nothing
 * has changed. The new elements are zero.
 */
int vec_reserve(void **v, size_t *cap, size_t need, size_t size);
