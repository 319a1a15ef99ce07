/* SPDX-License-Identifier: MIT */
/* pmtu.c - the largest segment: what the peer takes (RFC 9293 3.7.1), what the path does (3.7.2), and half of the window. */
#include "engine/engine.h"

enum { MSS_LEAST = 48 /* tcp_min_snd_mss */, WINDOW_LEAST = 68, TS_OPTION_LEN = 12, SMALL_WINDOW = 536 };

static uint32_t headers(const struct conn *c)
{
	return TCP_HEADER_LEN + (c->is_v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN);
}

/*
 * A peer that never had room for two segments would have every one of them wait for an acknowledgement: half of the
 * largest window it has shown is the most (Linux; 3.8.6.2.1).
 */
static uint32_t half_of_window(const struct conn *c)
{
	return c->max_snd_wnd > SMALL_WINDOW ? c->max_snd_wnd / 2 : c->max_snd_wnd;
}

void pmtu_sync_mss(struct conn *c)
{
	uint32_t ts = c->ts_ok ? TS_OPTION_LEN : 0, mss = c->eng->cfg.mtu - headers(c), half = half_of_window(c);

	if (mss > c->mss_clamp)
		mss = c->mss_clamp;
	if (mss < MSS_LEAST)
		mss = MSS_LEAST;
	mss -= ts;
	if (half && mss > half)
		mss = half > WINDOW_LEAST - TCP_HEADER_LEN - ts ? half : WINDOW_LEAST - TCP_HEADER_LEN - ts;
	c->snd_mss = (uint16_t)mss;
}
