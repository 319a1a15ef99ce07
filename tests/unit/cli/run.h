/* SPDX-License-Identifier: MIT */
/* run.h - the whole command line in this process: RUN_CLI(r, "doctor", "--json"); ... run_done(&r) */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lastack.h"

struct run {
	int code;
	char *out, *err; /* owned */
};

#define RUN_CLI(r, ...) struct run r = run_cli((const char *[]){"lastack", __VA_ARGS__, NULL})

static inline struct run run_cli(const char *const *args)
{
	struct run r = {.code = -1};
	char *argv[32];
	size_t len[2];
	int argc = 0;
	FILE *out = open_memstream(&r.out, &len[0]), *err = open_memstream(&r.err, &len[1]);

	for (; args[argc] && argc < 31; argc++)
		argv[argc] = strdup(args[argc]);
	argv[argc] = NULL;
	{
		char *moved[32]; /* lastack_main may reorder its own copy */

		memcpy(moved, argv, sizeof(moved));
		r.code = lastack_main(argc, moved, out, err);
	}
	while (argc > 0)
		free(argv[--argc]);
	fclose(out);
	fclose(err);
	return r;
}

static inline void run_done(struct run *r)
{
	free(r->out);
	free(r->err);
}
