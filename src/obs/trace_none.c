/* SPDX-License-Identifier: MIT */
/* trace_none.c - in the place of trace_load.c where clang and bpftool were missing. */
#include "obs/trace_load.h"
#include <errno.h>

int trace_load_new(const struct trace_load_cfg *cfg, struct trace_load **ret, struct why *w)
{
	why_set(w, "this lastack was built without BPF: clang or bpftool was missing");
	return -ENOTSUP;
}

int trace_load_attach(struct trace_load *l, struct why *w) { return -ENOTSUP; }

void trace_load_free(struct trace_load *l) { must(!l); }

struct trace_parts trace_load_parts(const struct trace_load *l) { return (struct trace_parts){false}; }

int trace_load_rest(const struct trace_load *l) { return -ENOTSUP; }

uint64_t trace_load_gone(const struct trace_load *l, nsec_t before) { return 0; }

int trace_load_ring(const struct trace_load *l) { return -1; }

struct trace_lost trace_load_lost(const struct trace_load *l) { return (struct trace_lost){0}; }
