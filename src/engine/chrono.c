/* SPDX-License-Identifier: MIT */
/* chrono.c - the rare turns of chrono.h. */
#include "engine/chrono.h"

void chrono_set(struct conn *c, enum chrono to)
{
	if (c->chrono)
		c->chrono_ns[c->chrono] += c->eng->now - c->chrono_at;
	c->chrono = (uint8_t)to;
	c->chrono_at = c->eng->now;
}

void chrono_held(struct conn *c)
{
	uint32_t mss = conn_mss_now(c), unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
	bool by_window = seq_diff(snd_right_edge(c), c->snd_nxt) < (int32_t)(unsent < mss ? unsent : mss);

	if (!cwnd_has_room(c))
		by_window = false;
	if (by_window && c->chrono < CHRONO_RWND)
		chrono_set(c, CHRONO_RWND);
	else if (!by_window && c->chrono == CHRONO_RWND)
		chrono_set(c, CHRONO_BUSY);
}

void chrono_no_space(struct conn *c, size_t taken, bool is_short)
{
	c->no_space = is_short;
	if (taken && c->chrono == CHRONO_SNDBUF)
		chrono_set(c, CHRONO_BUSY);
}

uint64_t chrono_us(const struct conn *c, enum chrono what)
{
	uint64_t ns = c->chrono_ns[what];

	if (c->chrono == what)
		ns += c->eng->now - c->chrono_at;
	return ns / 1000;
}
