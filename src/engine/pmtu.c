/* SPDX-License-Identifier: MIT */
/*
 * pmtu.c - the largest segment: what the peer takes (RFC 9293 3.7.1), half of the window, and what the path does (3.7.2; RFC
 * 1191, 8201). What routers say is believed when it is about something in flight (5927 4.1, 7; seg_in.c has looked), only if
 * it makes the path narrower, and for ten minutes. It is kept for the destination, so that the next connection knows.
 */
#include "engine/engine.h"

#include <errno.h>

enum { MSS_LEAST = 48 /* tcp_min_snd_mss */, WINDOW_LEAST = 68, TS_OPTION_LEN = 12, SMALL_WINDOW = 536 };
enum { V4_LEAST = 552 /* net.ipv4.route.min_pmtu */, V6_LEAST = 1280 };
#define PMTU_LIFE (600 * NSEC_PER_S) /* net.ipv4.route.mtu_expires */

static uint32_t headers(const struct conn *c)
{
	return TCP_HEADER_LEN + (c->is_v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN);
}

/* ---- destinations ---- */

static struct pmtu_slot *slot_of(const struct engine *e, const struct addr *dst)
{
	return &e->pmtu[hash_bytes(e->pmtu_key, dst, sizeof(*dst)) & (PMTU_SLOTS - 1)];
}

/* NULL: nothing is known, or no longer. */
static const struct pmtu_slot *known(const struct engine *e, const struct addr *dst)
{
	const struct pmtu_slot *s = slot_of(e, dst);

	return s->until > e->now && addr_eq(&s->dst, dst) ? s : NULL;
}

/* ---- a connection ---- */

static bool heeds_routers(const struct conn *c)
{
	return c->opt.pmtudisc != LA_PMTUDISC_DONT && c->opt.pmtudisc != LA_PMTUDISC_INTERFACE &&
	       c->opt.pmtudisc != LA_PMTUDISC_OMIT;
}

static void take_known(struct conn *c)
{
	const struct pmtu_slot *s = c->eng->pmtu_known_until > c->eng->now ? known(c->eng, &c->t.raddr) : NULL;

	c->pmtu = s ? s->mtu : (uint16_t)c->eng->cfg.mtu;
	c->pmtu_until = s ? s->until : 0;
	c->pmtu_locked = s && s->locked;
}

void pmtu_start(struct conn *c) { take_known(c); }

COLD void pmtu_renew(struct conn *c)
{
	take_known(c);
	pmtu_sync_mss(c);
}

/* Linux: WANT gives up where a path is too narrow for it; PROBE and those after it never ask for DF on a stream. */
bool pmtu_may_fragment(const struct conn *c)
{
	if (c->opt.pmtudisc == LA_PMTUDISC_WANT)
		return c->pmtu_locked;
	return c->opt.pmtudisc != LA_PMTUDISC_DO;
}

/*
 * A peer that never had room for two segments would have every one of them wait for an acknowledgement: half of the
 * largest window it has shown is the most (Linux; 3.8.6.2.1).
 */
static uint32_t half_of_window(const struct conn *c)
{
	return c->max_snd_wnd > SMALL_WINDOW ? c->max_snd_wnd / 2 : c->max_snd_wnd;
}

APART void pmtu_sync_mss(struct conn *c)
{
	uint32_t ts = c->ts_ok ? TS_OPTION_LEN : 0, mss = c->pmtu - headers(c), half = half_of_window(c);

	if (mss > c->mss_clamp)
		mss = c->mss_clamp;
	if (mss < MSS_LEAST)
		mss = MSS_LEAST;
	mss -= ts;
	if (half && mss > half)
		mss = half > WINDOW_LEAST - TCP_HEADER_LEN - ts ? half : WINDOW_LEAST - TCP_HEADER_LEN - ts;
	c->snd_mss = (uint16_t)mss;
}

/* ---- packet too big ---- */

/*
 * What is longer than the path takes will not arrive: it counts as lost, but not as congestion (Linux's
 * tcp_simple_retransmit()): cwnd stays, and the retransmissions are paced by it.
 */
static void send_long_ones_again(struct conn *c)
{
	struct board *b = &c->board;
	struct recovery *r = &c->rec;
	uint32_t waiting = b->lost - b->again; /* what was sent again already may be too long once more */

	for (uint32_t i = b->first; i != b->end; i++) {
		const struct sent *s = board_at(c->sent, b, i);

		if (seq_diff(seq_min(s->to, c->snd_end), sent_from(s)) > c->snd_mss)
			recovery_mark_lost(c, i);
	}
	if (b->lost - b->again == waiting)
		return;
	if (!c->sack_ok && b->sacked + b->lost > board_n(b)) /* what duplicate ACKs said */
		b->sacked = board_n(b) - b->lost;
	if (r->ca != CA_LOSS) {
		r->high = c->snd_nxt;
		if (!recovery_reduces(r))
			c->cc.ssthresh = cc_kept_ssthresh(&c->cc);
		r->prior_ssthresh = 0;
		r->undo_on = false;
		r->ca = CA_LOSS;
	}
	r->resend = RESEND_LOST;
	out_schedule(c);
}

static void learn(struct engine *e, const struct addr *dst, uint32_t mtu)
{
	struct pmtu_slot *s = slot_of(e, dst);
	uint32_t least = addr_is_v4(dst) ? V4_LEAST : V6_LEAST;
	bool locked = mtu < least;

	*s = (struct pmtu_slot){
		.dst = *dst,
		.until = e->now + PMTU_LIFE,
		.mtu = (uint16_t)(locked ? least : mtu),
		.locked = locked,
	};
	e->pmtu_known_until = s->until;
}

bool pmtu_too_big(struct conn *c, uint32_t mtu)
{
	struct engine *e = c->eng;
	const struct pmtu_slot *s = known(e, &c->t.raddr);
	uint32_t before = c->pmtu;

	/* No IPv6 link is narrower than that (RFC 8200 5); and nothing sent from here is larger than the link's. */
	if ((c->is_v6 && mtu < V6_LEAST) || mtu >= e->cfg.mtu)
		return false;
	if (!s || (mtu < s->mtu && !s->locked))
		learn(e, &c->t.raddr, mtu);
	else if (c->pmtu <= s->mtu &&
		 c->pmtu_locked == s->locked) /* else another connection was told first, and this one has yet to hear */
		return false;
	if (!heeds_routers(c))
		return true;
	take_known(c);
	if (mtu < c->pmtu && !pmtu_may_fragment(c))
		c->soft_error = EMSGSIZE;
	if (c->pmtu >= before || c->state == SYN_SENT || c->state == SYN_RECEIVED)
		return true;
	pmtu_sync_mss(c);
	send_long_ones_again(c);
	return true;
}
