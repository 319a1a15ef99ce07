/* SPDX-License-Identifier: MIT */
/* follow.h - closes for a while, counted by service: what doctor --trace adds to its snapshots. */
#pragma once
#include "base/why.h"
#include "model/service.h"

/*
 * Follows for ms. 0: ret holds what ended; free it with services_done(). Where tracing is not to be had: 0 too, ret is empty
 * and blind says why. Else an exit code, after a complaint or a signal.
 */
int follow_closes(uint32_t ms, struct services *ret, struct why *blind);
