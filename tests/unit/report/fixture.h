/* SPDX-License-Identifier: MIT */
/* fixture.h - observations and findings made by hand, for what is printed about them. They live until the next call. */
#pragma once
#include "diag/rule.h"
#include "model/snapshot.h"

struct fixture {
	struct observation obs; /* must not be given to observation_done() */
	struct findings findings; /* must not be given to findings_done() */
};

/* One namespace with a listener; nothing is wrong. */
void fixture_quiet(struct fixture *f);

/* A service in a container has used up its ports, another leaks CLOSE_WAIT; two looks, idle namespaces. */
void fixture_outage(struct fixture *f);

/* 12,345 TIME_WAIT on port 80 and nothing else. */
void fixture_harmless(struct fixture *f);

/* Nothing found, but owners of sockets could not be seen. */
void fixture_blind(struct fixture *f);

/* 40 namespaces with connections, 30 findings, texts as long as they may be. */
void fixture_crowd(struct fixture *f);

/* The outage with seven findings. */
void fixture_busy(struct fixture *f);
