/* SPDX-License-Identifier: MIT */
/* watch_data.c - what must be true of the data path: SACK (RFC 2018, 2883), ECN (3168), the first flight (6928), RTO (6298). */
#include "sim/middlebox.h"
#include "sim/watch.h"

enum { STREAM_MAX = 1 << 24 }; /* no connection carries more */
enum { FIRST_FLIGHT_MAX = 10 + 1 /* RFC 6928; a tail loss probe may send one more (8985 7.3) */ };
enum { ECN_MASK = 3 };

/* Clocks differ by an eighth, timers fire by the millisecond: so many parts of 1000 are as good as the whole. */
enum { NEARLY = 840 };

/* Counted from the IRS. False: too far off to be of this connection. */
static bool place(const struct watch *w, const struct shadow *s, seq_t x, uint32_t *ret)
{
	*ret = x.v - w->inc[s->inc].irs.v;
	return w->inc[s->inc].has_irs && *ret < STREAM_MAX;
}

/* ---- SACK ---- */

static void check_block(struct watch *w, struct shadow *s, const struct seg *g, unsigned i)
{
	seq_t from = g->opts.sack[i].from, to = g->opts.sack[i].to;
	uint32_t a, b, ack;

	if (i == 0 && seq_lt(from, g->ack) && seq_lt(from, to) && !place(w, s, from, &a))
		return; /* what came twice is of an earlier connection */
	if (!place(w, s, from, &a) || !place(w, s, to, &b) || !place(w, s, g->ack, &ack) || a >= b) {
		FAIL(w->v, CHECK_SACK, s->host, &s->local, &s->remote, "a SACK block %u to %u that cannot be", from.v,
		     to.v);
		return;
	}
	if (!spans_have(&s->data.arrived, a, b))
		FAIL(w->v, CHECK_SACK, s->host, &s->local, &s->remote,
		     "SACK tells of %u to %u, but not all of it arrived", from.v, to.v);
	if (a > ack) /* else it is what came twice (RFC 2883 4) */
		spans_add(&s->data.told, a, b);
}

/* "The data receiver ... SHOULD NOT" drop what it told of (RFC 2018 8), and ours never does: the acknowledgement passes over it at once. */
static void check_sack(struct watch *w, struct shadow *s, const struct seg *g)
{
	const struct span *told;
	uint32_t ack;

	for (unsigned i = 0; i < g->opts.n_sack; i++)
		check_block(w, s, g, i);
	if (!place(w, s, g->ack, &ack))
		return;
	told = spans_around(&s->data.told, ack);
	if (told && !w->rules[s->host].reneges)
		FAIL(w->v, CHECK_SACK, s->host, &s->local, &s->remote,
		     "acknowledges up to %u octets after the IRS, but had told of %u to %u", ack, told->from, told->to);
	spans_forget_below(&s->data.told, ack);
}

/* ---- ECN ---- */

static bool both_do_ecn(const struct watch *w, const struct shadow *s)
{
	const struct data_shadow *d = &s->data;

	return w->inc[s->inc].by_cookie || (d->asked_out && d->agreed_in) || (d->asked_in && d->agreed_out);
}

static void note_ecn_syn(const struct seg *g, bool *asked, bool *agreed)
{
	*asked |= (g->flags & (F_SYN | F_ACK | F_ECE | F_CWR)) == (F_SYN | F_ECE | F_CWR);
	*agreed |= (g->flags & (F_SYN | F_ACK | F_ECE | F_CWR)) == (F_SYN | F_ACK | F_ECE);
}

static void check_ecn(struct watch *w, struct shadow *s, const struct seg *g)
{
	unsigned field = g->tos & ECN_MASK;
	const char *wrong = NULL;

	if (g->flags & F_SYN)
		note_ecn_syn(g, &s->data.asked_out, &s->data.agreed_out);
	if (field == IP_ECT_1 || field == IP_CE)
		wrong = "another codepoint than ECT(0)";
	else if (field && (g->flags & F_SYN || g->len == 0))
		wrong = "ECT without text";
	else if (field && seq_lt(g->seq, s->sent))
		wrong = "ECT on what is sent again";
	else if (field && !both_do_ecn(w, s))
		wrong = "ECT, but ECN was not agreed on";
	else if (!(g->flags & F_SYN) && g->flags & F_ECE && !s->data.ce_in)
		wrong = "ECE, but no CE came";
	else if (!(g->flags & F_SYN) && g->flags & F_CWR && !both_do_ecn(w, s))
		wrong = "CWR, but ECN was not agreed on";
	else if (s->data.echo_due && s->live == ESTABLISHED && !(g->flags & F_ECE) && both_do_ecn(w, s))
		wrong = "no ECE, though CE came and CWR did not";
	if (wrong)
		FAIL(w->v, CHECK_ECN, s->host, &s->local, &s->remote, "sends %s", wrong);
}

/* ---- what is sent when ---- */

static void check_first_flight(struct watch *w, struct shadow *s, const struct seg *g)
{
	if (g->len == 0 || s->data.heard || seq_lt(g->seq, s->sent))
		return;
	if (++s->data.first_flight > FIRST_FLIGHT_MAX)
		FAIL(w->v, CHECK_FLIGHT, s->host, &s->local, &s->remote, "%u segments before anything is acknowledged",
		     (unsigned)s->data.first_flight);
}

/*
 * The same octets a third time and more, and nothing came meanwhile, no ICMP error either: that is the timer's doing, and it waits at least as
 * long as the last time, and RTO's minimum (RFC 6298 5.5).
 */
static void check_pace(struct watch *w, struct shadow *s, const struct seg *g)
{
	struct data_shadow *d = &s->data;
	nsec_t gap = w->v->now - d->again_at;

	if (seg_span(g) == 0 || g->flags & F_SYN || !seq_lt(g->seq, s->sent))
		return;
	if (d->again == 0 || !seq_eq(d->again_seq, g->seq) || d->again_icmp != w->seen[s->host].in_icmp) {
		d->again = 1;
		d->again_gap = 0;
	} else {
		if (d->again > 1 &&
		    gap < (d->again_gap > w->rules[s->host].rto_min ? d->again_gap : w->rules[s->host].rto_min) / 1000 *
				    NEARLY)
			FAIL(w->v, CHECK_PACE, s->host, &s->local, &s->remote,
			     "sent again after %u us, but the time before that was %u us and the least RTO is %u us",
			     (unsigned)(gap / 1000), (unsigned)(d->again_gap / 1000),
			     (unsigned)(w->rules[s->host].rto_min / 1000));
		d->again++;
		d->again_gap = gap;
	}
	d->again_seq = g->seq;
	d->again_at = w->v->now;
	d->again_icmp = w->seen[s->host].in_icmp;
}

void watch_data_out(struct watch *w, struct shadow *s, const struct seg *g)
{
	check_ecn(w, s, g);
	if (s->live < ESTABLISHED || s->live >= TIME_WAIT)
		return;
	if (g->flags & F_ACK)
		check_sack(w, s, g);
	check_first_flight(w, s, g);
	check_pace(w, s, g);
}

/* Text that is certainly taken: next in order, in the window, not older by its timestamp than what came before. */
static bool is_taken(const struct watch *w, const struct shadow *s, const struct seg *g, uint32_t from)
{
	const struct data_shadow *d = &s->data;
	bool old = d->has_ts && g->opts.has_ts && (int32_t)(g->opts.tsval - d->newest_ts) < 0;

	return g->len && s->live == ESTABLISHED && !(g->flags & F_CWR) && !old && !w->rules[s->host].reneges &&
	       d->arrived.n == 1 && d->arrived.at[0].to == from && s->has_adv &&
	       seq_le(seq_add(g->seq, g->len), s->adv_last);
}

void watch_data_in(struct watch *w, struct shadow *s, const struct seg *g)
{
	struct data_shadow *d = &s->data;
	uint32_t from, to;

	if (g->flags & F_SYN)
		note_ecn_syn(g, &d->asked_in, &d->agreed_in);
	d->again = d->beyond = 0;
	d->heard |= d->first_flight > 0;
	d->ce_in |= (g->tos & ECN_MASK) == IP_CE;
	if (g->flags & F_CWR)
		d->echo_due = false;
	if (!place(w, s, g->seq, &from) || !place(w, s, seq_add(g->seq, seg_span(g)), &to))
		return;
	if ((g->tos & ECN_MASK) == IP_CE && is_taken(w, s, g, from))
		d->echo_due = true;
	if (g->opts.has_ts && (!d->has_ts || (int32_t)(g->opts.tsval - d->newest_ts) > 0)) {
		d->has_ts = true;
		d->newest_ts = g->opts.tsval;
	}
	spans_add(&d->arrived, from, to);
}
