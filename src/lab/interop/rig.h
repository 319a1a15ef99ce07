/* SPDX-License-Identifier: MIT */
/*
 * rig.h - what every part of the interop run stands on: a network namespace of its own with a tun device, the engine
 * behind it, the observer that reads the kernel's side, and programs started there.
 */
#pragma once
#include "lab/interop/end.h"
#include "lab/interop/interop.h"
#include "lab/record.h"
#include "model/snapshot.h"
#include "obs/obs.h"

struct rig {
	const struct interop_cfg *cfg;
	const struct record *record; /* whose folder holds what programs need */
	int ns, tun;
	struct drive *d;
	struct obs *obs;
	char reason[240]; /* of the failure or skip */
	char note[160]; /* what a part that passed has to say */
	struct interop_sums *sums; /* it adds to these */
	nsec_t told_at; /* the progress */
};

/* In the calling process, which stays in the namespace. 0 or -errno. */
int rig_begin(struct rig *r, const struct interop_cfg *cfg, const struct record *record, struct why *w);
void rig_end(struct rig *r);

/* A sysctl or knob of the one or the other, by its kernel name, for connections from now on. false with r->reason. */
bool rig_knob(struct rig *r, enum side side, const char *name, const char *value);

struct la_endpoint rig_at(enum side side, bool ipv6, uint16_t port);
const char *rig_host(enum side side, bool ipv6); /* as a URL or nginx.conf spells it: "10.77.9.2", "[fd77:9::2]" */

/* Families asked for: for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six)) */
int rig_family(const struct rig *r, int after);

/* Fills r->reason and returns false, for `return rig_fail(r, ...)`. */
bool rig_fail(struct rig *r, const char *fmt, ...) PRINTF(2, 3);

void rig_progress(struct rig *r, uint64_t done, uint64_t of); /* of 0: the line vanishes */

bool rig_wait(struct rig *r, bool (*done)(void *arg), void *arg, unsigned ms);

/* The kernel's side, through the observer. NULL with r->reason; belongs to the caller: snapshot_done(). */
const struct netns *rig_look(struct rig *r, struct snapshot *ret);

/* The engine's counter, 0 if it has none of that name; "Tcp." in front is left out there. */
uint64_t rig_engine_counter(const struct rig *r, const char *name);

/* ---- programs ---- */

struct program {
	struct drive_fd out; /* its stdout; fd 0: closed */
	pid_t pid; /* 0: ended */
	int status; /* as of waitpid() */
	uint64_t bytes, hash; /* of what it printed */
};

/* Looks where a login shell would; NULL: not installed. */
const char *program_find(const char *name, char *ret, size_t cap);
bool program_start(struct rig *r, struct program *p, const char *path, char *const *argv);
/* Waits until it has closed its output, and ends it if that takes longer than ms. false with r->reason then. */
bool program_await(struct rig *r, struct program *p, unsigned ms);
void program_stop(struct program *p); /* SIGKILL; nothing if it has ended */
