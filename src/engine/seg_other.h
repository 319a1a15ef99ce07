/* SPDX-License-Identifier: MIT */
/* seg_other.h - what seg_other.c and seg_ack.c, the steps of RFC 9293 3.10.7.4, have in common. */
#pragma once
#include "engine/engine.h"

enum step { NEXT, DONE };

#define PAWS_VALID (UINT64_C(24) * 24 * 3600 * NSEC_PER_S) /* RFC 7323 5.5 */

enum step fifth_check_ack(struct conn *c, struct seg *s);

/* TIME-WAIT is reached: the connection becomes a record. c may be gone. */
void seg_time_wait(struct conn *c);
