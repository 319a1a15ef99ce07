/* SPDX-License-Identifier: MIT */
/*
 * drive.h - runs an engine over a tun device, in real time: an event loop for one thread. Between the two lies a
 * stretch of bad network each way (io/impair.h), which may be none.
 *
 * Sockets of the engine and descriptors of the kernel are waited for in the same loop, so both ends of a connection can
 * live in one process: whoever waits for something calls drive_until() and everything else goes on meanwhile.
 */
#pragma once
#include "base/why.h"
#include "engine/lastack.h"
#include "io/impair.h"

struct drive_fd { /* embedded in what it belongs to */
	int fd;
	void (*ready)(struct drive_fd *f, uint32_t events); /* EPOLLIN, ... edge-triggered */
};

struct drive_sock {
	void (*ready)(struct drive_sock *s, uint32_t events); /* enum la_events */
};

struct drive_cfg {
	const struct la_config *engine; /* borrowed for the call; `now` is filled in */
	int tun; /* stays the caller's */
	struct impair_cfg impair; /* both ways */
	uint64_t seed; /* of that */
	void (*tap)(void *arg, const void *packet,
		    size_t len); /* packets the engine sends and receives; NULL: nobody */
	void *tap_arg;
};

struct drive {
	struct la_engine *e;
	struct impair *to_kernel, *to_engine;
	nsec_t now; /* of this turn */
	nsec_t wake_at; /* done() of drive_until() wants to be asked then too; the caller's, NSEC_NEVER at first */
	uint64_t device_full; /* packets the tun device did not take */
	/* private */
	struct drive_cfg cfg;
	void *mem;
	int epoll;
	uint32_t mtu; /* of the path between */
};

int drive_new(const struct drive_cfg *cfg, struct drive **ret, struct why *w); /* 0 or -errno */
void drive_free(struct drive *d); /* NULL allowed */

void drive_impair(struct drive *d, const struct impair_cfg *cfg); /* both ways, for packets from now on */
int drive_watch(struct drive *d, struct drive_fd *f, struct why *w); /* until f->fd is closed; again: f has moved */
void drive_hook(struct drive *d, la_sock s, struct drive_sock *hook); /* until the socket is closed */

/* Goes on until done(arg) or until it is time; whether it was done. done is asked after everything that happens. */
bool drive_until(struct drive *d, bool (*done)(void *arg), void *arg, nsec_t until);
nsec_t drive_clock(void); /* CLOCK_MONOTONIC */
