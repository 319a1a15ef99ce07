/* SPDX-License-Identifier: MIT */
/*
 * chrono.h - what a connection with something to send waits for, for TCP_INFO's three times (Linux's tcp_chrono): the network,
 * the peer's window, or room in the send buffer. Busy while there is text that is not acknowledged.
 */
#pragma once
#include "engine/engine.h"

/* Out of line and in .text.unlikely: only busy begins and ends often. */
#define CHRONO_RARE __attribute__((noinline, cold))
CHRONO_RARE void chrono_set(struct conn *c, enum chrono to);
CHRONO_RARE void chrono_held(struct conn *c); /* there is text, and none of it went */
CHRONO_RARE void chrono_no_space(struct conn *c, size_t taken,
				 bool is_short); /* la_send() took part of it, or did so before */
uint64_t chrono_us(const struct conn *c, enum chrono what); /* of busy time, what neither of the others is */

/* Text is in the buffer. */
static inline void chrono_written(struct conn *c)
{
	if (c->chrono)
		return;
	c->chrono = CHRONO_BUSY;
	c->chrono_at = c->eng->now;
}

/* The right edge of the peer's window has moved: if that is not enough, chrono_held() says so at the same time. */
static inline void chrono_window(struct conn *c)
{
	if (c->chrono == CHRONO_RWND)
		chrono_set(c, CHRONO_BUSY);
}

/* SND.UNA has advanced. */
static inline void chrono_acked(struct conn *c)
{
	if (seq_lt(c->snd_una, c->snd_end)) {
		chrono_window(c);
	} else if (c->chrono) {
		c->chrono_ns[c->chrono] += c->eng->now - c->chrono_at;
		c->chrono = CHRONO_NONE;
	}
}
