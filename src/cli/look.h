/* SPDX-License-Identifier: MIT */
/* look.h - what commands share: observing the host with progress and ctrl-C, and how text should look on a stream. */
#pragma once
#include "model/service.h"
#include "model/snapshot.h"
#include "obs/obs.h"
#include "report/report.h"

struct look {
	const char *netns; /* as the user wrote it; NULL: scope */
	enum obs_scope scope;
	uint32_t interval_ms; /* 0: one snapshot */
	enum obs_depth depth;
	/*
	 * Follow closes meanwhile: TIME_WAITs have owners then. interval_ms is not 0. Where that is not to be had, a row of
	 * `missing` says why.
	 */
	bool trace;
	struct services
		*services; /* from services_init(): what else closes tell is counted here, if trace; NULL: not wanted */
};

/* For --fail-on: indexes are enum severity; NULL-terminated. The second for commands whose findings count only if asked. */
extern const char *const severity_words[], *const severity_or_never_words[];
enum { SEV_NEVER = SEV_CRIT + 1 };

/* OBS_NETNS_ALL for root, who may enter them, else OBS_NETNS_SELF. */
enum obs_scope look_default_scope(void);

/* 0, or the exit code after a complaint (or a signal). The caller owns ret: observation_done(). */
int look(const struct look *l, struct observation *ret);

/* Colour only on a terminal; width of the terminal, else COLUMNS, else 80. */
struct style look_style(FILE *out, bool verbose);
