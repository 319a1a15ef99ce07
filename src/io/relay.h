/* SPDX-License-Identifier: MIT */
/* relay.h - two tun devices joined through a stretch of bad network each way, in real time. */
#pragma once
#include "base/why.h"
#include "io/impair.h"

struct relay_cfg {
	int fd[2]; /* tun_open() */
	struct impair_cfg toward[2]; /* what befalls packets on their way to fd[0], to fd[1] */
	uint64_t seed;
	nsec_t until; /* CLOCK_MONOTONIC */
	int stop_fd; /* readable, or its other end closed: stop; -1 none */
};

/* Carries packets, those that are there already at least, until it is time or told to stop. 0 or -errno; ret is filled either way. */
int tun_relay(const struct relay_cfg *cfg, struct impair_stats ret[2], struct why *w);
