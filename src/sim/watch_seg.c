/* SPDX-License-Identifier: MIT */
/* watch_seg.c - what must be true of segments. */
#include "sim/watch.h"

#include <stdio.h>

enum { STREAM_MAX = 1 << 24 }; /* no connection carries more */

static void log_seg(const struct watch *w, unsigned host, const char *how, const struct seg *s)
{
	char line[400];

	snprintf(line, sizeof(line), "%s %s", how, seg_text(s).s);
	w->log(w->log_arg, w->v->now, host, line);
}

static bool synchronized(const struct shadow *s) { return s->live >= ESTABLISHED && s->live < TIME_WAIT; }

static uint32_t window_of(const struct shadow *s, const struct seg *g, unsigned scale)
{
	return g->flags & F_SYN || !s->scaled_in || !s->scaled_out ? g->wnd : (uint32_t)g->wnd << scale;
}

/* ---- outgoing ---- */

static void check_syn(struct watch *w, struct shadow *s, const struct seg *g)
{
	struct incarnation *inc = &w->inc[s->inc];

	w->seen[s->host].out_syn_ack_again += inc->has_iss && g->flags & F_ACK;
	if (!inc->has_iss) {
		if (s->took_over && seq_le(g->seq, s->tw_sent))
			FAIL(w->v, CHECK_SEQUENCE, s->host, &s->local, &s->remote,
			     "ISS %u, but the connection before it, just in TIME_WAIT, had sent up to %u", g->seq.v,
			     s->tw_sent.v);
		inc->iss = g->seq;
		inc->has_iss = true;
		s->sent = seq_add(g->seq, 1);
		s->scaled_out = g->opts.has_wscale;
		s->scale_out = watch_scale(g);
	} else if (!seq_eq(inc->iss, g->seq)) {
		FAIL(w->v, CHECK_SEQUENCE, s->host, &s->local, &s->remote,
		     "a SYN with sequence number %u after one with %u", g->seq.v, inc->iss.v);
	}
}

static void check_sequence(struct watch *w, struct shadow *s, const struct seg *g)
{
	const struct incarnation *inc = &w->inc[s->inc];
	seq_t past = seq_add(g->seq, seg_span(g));

	if (!inc->has_iss)
		return;
	if (seq_lt(g->seq, inc->iss))
		FAIL(w->v, CHECK_SEQUENCE, s->host, &s->local, &s->remote, "sends sequence number %u before its ISS %u",
		     g->seq.v, inc->iss.v);
	/* One octet more may go: the probe of a closed window (3.8.6.1), and the FIN. */
	if (s->has_right && seg_span(g) && seq_lt(seq_add(s->right, 1), past))
		FAIL(w->v, CHECK_SEQUENCE, s->host, &s->local, &s->remote, "sends %u octets beyond the peer's window",
		     past.v - s->right.v);
	s->sent = seq_max(s->sent, past);
	s->fin_out |= (g->flags & F_FIN) != 0;
}

static void check_ack(struct watch *w, struct shadow *s, const struct seg *g)
{
	const struct incarnation *inc = &w->inc[s->inc];
	seq_t edge;

	if (!inc->has_irs || !s->has_rcv)
		return;
	if (seq_le(g->ack, inc->irs) || seq_lt(s->rcv, g->ack))
		FAIL(w->v, CHECK_ACK, s->host, &s->local, &s->remote, "acknowledges %u, but %u to %u is what arrived",
		     g->ack.v, inc->irs.v + 1, s->rcv.v);
	/* An orphan in FIN_WAIT_2 is a record, and a record rounds its window down. */
	if (!synchronized(s) || g->flags & F_SYN || s->live == FIN_WAIT_2)
		return;
	if (s->scale_unknown)
		return;
	edge = seq_add(g->ack, window_of(s, g, s->scale_out));
	if (s->has_adv && !w->rules[s->host].shrinks && seq_lt(seq_add(edge, 1U << s->scale_out), s->adv))
		FAIL(w->v, CHECK_WINDOW, s->host, &s->local, &s->remote, "takes %u octets of window back",
		     s->adv.v - edge.v);
	s->adv = s->has_adv ? seq_max(s->adv, edge) : edge;
	s->adv_last = edge;
	s->has_adv = true;
}

void watch_out(struct watch *w, unsigned host, const struct seg *g)
{
	struct la_endpoint local = watch_endpoint(&g->src, g->sport), remote = watch_endpoint(&g->dst, g->dport);
	struct shadow *s = watch_find(w, host, &local, &remote);

	w->seen[host].out++;
	w->seen[host].out_rst += (g->flags & F_RST) != 0;
	watch_mix(w, (uint64_t)g->seq.v << 32 | g->ack.v);
	watch_mix(w, (uint64_t)g->flags << 32 | g->len << 16 | g->wnd);
	if (w->log)
		log_seg(w, host, "sends", g);
	if (g->flags & F_RST)
		return;
	if ((!s || s->live == CLOSED) && (g->len || g->flags & F_FIN || (g->flags & (F_SYN | F_ACK)) == F_SYN))
		FAIL(w->v, CHECK_SILENCE, host, &local, &remote, "%s from a connection that is over", seg_text(g).s);
	if (!s || (s->live == CLOSED && !s->time_wait))
		return; /* the last ACK of one that has ended, a cookie */
	watch_data_out(w, s, g);
	if (g->flags & F_SYN && s->live != CLOSED)
		check_syn(w, s, g);
	if (synchronized(s))
		check_sequence(w, s, g);
	if (g->flags & F_ACK && !s->reopening)
		check_ack(w, s, g);
}

/* ---- incoming ---- */

void watch_in_begin(struct watch *w, unsigned host, nsec_t at, enum input_kind kind, const struct seg *s)
{
	w->in_at = at;
	w->in_kind = kind;
	w->in_host = host;
	w->in = kind == IN_TCP || kind == IN_FORGED ? s : NULL;
	if (w->log && w->in)
		log_seg(w, host, kind == IN_FORGED ? "gets (forged)" : "gets", s);
	else if (w->log)
		w->log(w->log_arg, w->v->now, host, kind == IN_ICMP ? "gets an ICMP error" : "gets a damaged packet");
}

/* What the segment that was just taken allows from now on. Never makes a check stricter than the segment does. */
void watch_in_end(struct watch *w)
{
	const struct seg *g = w->in;
	enum input_kind kind = w->in_kind;
	struct la_endpoint local, remote;
	struct shadow *s;
	seq_t past;

	w->in_kind = IN_NONE;
	w->in = NULL;
	if (kind != IN_TCP)
		return;
	local = watch_endpoint(&g->dst, g->dport);
	remote = watch_endpoint(&g->src, g->sport);
	s = watch_find(w, w->in_host, &local, &remote);
	if (!s)
		return;
	if (s->reopening)
		FAIL(w->v, CHECK_FOUR_TUPLE, s->host, &local, &remote,
		     "a SYN made a connection beside one in TIME_WAIT");
	watch_data_in(w, s, g);
	past = seq_add(g->seq, seg_span(g));
	if (s->time_wait && (g->flags & (F_FIN | F_SYN | F_RST)) == F_FIN)
		watch_fin_again(w, s, g);
	/* Octets of an earlier incarnation may be anywhere: what is too far off is not of this one. */
	if (s->has_rcv && seq_lt(s->rcv, past) && past.v - w->inc[s->inc].irs.v < STREAM_MAX)
		s->rcv = past;
	if (!(g->flags & F_ACK) || g->flags & F_RST || !w->inc[s->inc].has_iss)
		return;
	if (seq_le(g->ack, w->inc[s->inc].iss) || seq_lt(s->sent, g->ack))
		return;
	if (s->scale_unknown)
		return;
	past = seq_add(g->ack, window_of(s, g, s->scale_in));
	s->right = s->has_right ? seq_max(s->right, past) : past;
	s->has_right = true;
}
