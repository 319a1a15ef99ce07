/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(void)
{
	fputs("lastack: out of memory\n", stderr);
	exit(4);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		out_of_memory();
	return p;
}

void free_p(void *p)
{
	void *what;

	memcpy(&what, p, sizeof(what));
	free(what);
}

int vec_reserve(void **v, size_t *cap, size_t need, size_t size)
{
	size_t grown = *cap ? *cap : 8;
	void *p;

	if (need <= *cap)
		return 0;
	while (grown < need)
		if (__builtin_mul_overflow(grown, (size_t)2, &grown))
			return -ENOMEM;
	p = reallocarray(*v, grown, size);
	if (!p)
		return -ENOMEM;
	memset((char *)p + *cap * size, 0, (grown - *cap) * size);
	*v = p;
	*cap = grown;
	return 0;
}
