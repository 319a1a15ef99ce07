/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - hierarchical timing wheel (Varghese & Lauck, scheme 7) for very many timers of few distinct lengths.
 *
 * Sans-IO: the wheel never reads a clock and never calls back. The owner says what time it is and pulls what
 * has expired, so control flow stays with the owner and a simulator can own it too.
 *
 * Timers are embedded in the object they belong to; the wheel allocates nothing. O(1) arm, cancel, re-arm.
 * A timer never fires early, and fires at most one tick late. The order within one tick is deterministic.
 */
#pragma once
#include "base/link.h"

#define WHEEL_TICK (NSEC_PER_MS)
#define WHEEL_LEVELS 5
#define WHEEL_SLOTS 64

struct wheel_timer { /* zero-initialise; a zeroed timer is idle */
	struct link link;
	nsec_t deadline_at;
};

struct wheel {
	uint64_t tick; /* everything due before this tick has been handed out */
	uint64_t occupied[WHEEL_LEVELS]; /* exactly the slots that are not empty */
	struct link slot[WHEEL_LEVELS][WHEEL_SLOTS];
	struct link due;
	size_t armed;
};

void wheel_init(struct wheel *w, nsec_t now);
void wheel_arm(struct wheel *w, struct wheel_timer *t, nsec_t deadline_at); /* re-arming is allowed */
void wheel_cancel(struct wheel *w, struct wheel_timer *t); /* idle timer: no-op */
static inline bool wheel_is_armed(const struct wheel_timer *t) { return link_is_in(&t->link); }

/*
 * Earliest instant at which wheel_expire() could return something; NSEC_NEVER when empty. Exact for what is due within
 * 64 ticks, else the beginning of the slot: never late.
 */
nsec_t wheel_next_at(const struct wheel *w);

/* One timer due at or before now, disarmed, or NULL. now must not go backwards. Call until NULL. */
struct wheel_timer *wheel_expire(struct wheel *w, nsec_t now);
