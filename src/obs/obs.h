/* SPDX-License-Identifier: MIT */
/*
 * obs.h - looking at a host: sock_diag, procfs, sysctl -> model. Reads only; changes nothing on the host.
 * The one thing it alters for a moment is the calling process's own network namespace, and it comes back.
 */
#pragma once
#include "base/why.h"
#include "model/snapshot.h"

/* How much is looked at; each contains the one before. */
enum obs_depth {
	OBS_COUNTS, /* sockets, counters, knobs */
	OBS_OWNERS, /* which processes have the listeners and destinations (status) */
	OBS_LEAKS, /* sockets that wait for a program or a peer, descriptors that no dump shows, bound sockets (doctor) */
};

enum obs_scope { OBS_NETNS_ALL, OBS_NETNS_SELF, OBS_NETNS_PID, OBS_NETNS_NAME };

struct obs_cfg {
	enum obs_scope scope;
	int32_t pid; /* OBS_NETNS_PID */
	const char *name; /* OBS_NETNS_NAME: a name below /run/netns or /var/run/netns */
	enum obs_depth depth;
	const char *root; /* "" or the folder that stands for / (tests); only for plain files of /etc */
};

/* "all", "self", a pid, or a name. false: not a valid word. ret->depth and ->root are left alone. */
bool obs_scope_parse(const char *word, struct obs_cfg *ret);

struct obs; /* owns sockets and the file descriptor of its own network namespace */

/* 0, -ENOMEM, -ENOENT (no such namespace or pid), -EPERM (may not enter it), ... with w filled. */
int obs_new(const struct obs_cfg *cfg, struct obs **ret, struct why *w);
void obs_free(struct obs *o); /* NULL allowed */

/* The inode of the one namespace in scope; 0: all are. */
uint64_t obs_netns(const struct obs *o);

/* From now on snapshots tell who closed what is in TIME_WAIT. c is borrowed, and may grow meanwhile; NULL: no more. */
struct closers;
void obs_closers(struct obs *o, const struct closers *c);

/*
 * One snapshot of every namespace in scope. What cannot be read ends in `missing`, it is no error. 0 or -errno if
 * nothing at all could be seen. The caller owns ret afterwards: snapshot_done().
 */
int obs_snapshot(struct obs *o, struct snapshot *ret, struct why *w);

/*
 * Two snapshots interval_ms apart (more if the first one takes longer than half of that), or one if it is 0. In between, while the host shows destinations whose owner is
 * unknown, it looks again several times for a live socket to them, since TIME_WAIT itself has no owner.
 * tick is called about 10 times a second while waiting (NULL allowed); when it returns false the wait is cut short and
 * the result is -EINTR. The caller owns ret: observation_done().
 */
int obs_observe(struct obs *o, uint32_t interval_ms, bool (*tick)(void *ctx, double done), void *ctx,
		struct observation *ret, struct why *w);

/* What this kernel and these privileges allow. */
struct capability {
	char name[N_TEXT]; /* "sock_diag", "other users' /proc", "BPF tracing programs" */
	bool have;
	char detail[128]; /* how it was tried, or why not */
	char lost[160]; /* which answers are lost without it; "" when it is there or nothing is lost */
};
enum { CAPABILITIES_MAX = 24 };
size_t obs_capabilities(struct capability ret[CAPABILITIES_MAX]); /* how many rows were filled */
