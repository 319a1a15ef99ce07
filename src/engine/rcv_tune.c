/* SPDX-License-Identifier: MIT */
/*
 * rcv_tune.c - how much a connection may buffer (tcp_moderate_rcvbuf): as Linux 6.18, "dynamic right-sizing". What the
 * application took in one round trip, doubled since the sender may double, is what the window has to be; the round trip is
 * that of the echo of our timestamps, or the time one window takes to come. It never gets smaller, nor larger than the
 * third number of tcp_rmem allows, and is left alone once SO_RCVBUF was set.
 */
#include "engine/rcv.h"

/* Times eight, smoothed as RFC 6298 does; of samples that are windows the least. */
static APART void update(struct conn *c, nsec_t ns, bool of_window)
{
	uint64_t us = ns / 1000;
	uint32_t sample = us < UINT32_MAX / 8 ? (uint32_t)us : UINT32_MAX / 8;

	if (!sample)
		sample = 1;
	if (!c->rcv_rtt_us8 || (of_window && sample * 8 < c->rcv_rtt_us8))
		c->rcv_rtt_us8 = sample * 8;
	else if (!of_window)
		c->rcv_rtt_us8 += sample - c->rcv_rtt_us8 / 8;
}

static void by_window(struct conn *c)
{
	if (c->rcv_rtt_at && seq_lt(c->rcv_nxt, c->rcv_rtt_seq))
		return;
	if (c->rcv_rtt_at)
		update(c, c->eng->now - c->rcv_rtt_at, true);
	c->rcv_rtt_at = c->eng->now;
	c->rcv_rtt_seq = seq_max(c->rcv_adv, c->rcv_nxt);
}

static void by_echo(struct conn *c, const struct seg *s)
{
	uint32_t ago_ms = ts_clock_ms(c->eng) + c->ts_offset - s->opts.tsecr;

	if (s->opts.tsecr == c->rcv_rtt_tsecr || s->len < c->rcv_mss)
		return;
	c->rcv_rtt_tsecr = s->opts.tsecr;
	if (ago_ms < INT32_MAX)
		update(c, ago_ms * NSEC_PER_MS, false);
}

void rcv_tune_text(struct conn *c, const struct seg *s, uint32_t len)
{
	by_window(c);
	if (c->ts_ok && s->opts.has_ts && s->opts.tsecr)
		by_echo(c, s);
}

/* copied: what one round trip brought. */
static APART void grow(struct conn *c, uint32_t copied)
{
	const struct engine *e = c->eng;
	uint64_t before = c->drs_space, wnd = 2 * (uint64_t)copied;
	uint32_t most = rcv_text_of(e, e->k.rmem_max);

	c->drs_space = copied;
	if (!e->k.moderate_rcvbuf || c->opt.rcvbuf)
		return;
	wnd += wnd * (copied - before) / (before ? before : 1) * 2;
	if (c->n_gaps)
		wnd += (uint32_t)seq_diff(c->gaps[c->n_gaps - 1].to, c->rcv_nxt);
	if (wnd > most)
		wnd = most;
	if (wnd <= c->rcv_full)
		return;
	c->rcv_full = c->rcv_clamp = (uint32_t)wnd;
}

void rcv_tune_aside(struct conn *c)
{
	if (c->is_open)
		grow(c, c->drs_space);
}

void rcv_tune_read(struct conn *c)
{
	uint32_t took = (uint32_t)seq_diff(c->rcv_read, c->drs_seq),
		 waits = (uint32_t)seq_diff(c->rcv_nxt, c->rcv_read);

	if (!c->rcv_rtt_us8 || c->eng->now - c->drs_at < c->rcv_rtt_us8 / 8 * UINT64_C(1000))
		return;
	if (took > waits && took - waits > c->drs_space)
		grow(c, took - waits);
	c->drs_seq = c->rcv_read;
	c->drs_at = c->eng->now;
}
