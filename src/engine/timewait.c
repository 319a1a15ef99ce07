/* SPDX-License-Identifier: MIT */
#include "engine/timewait.h"

/*
 * "Linux" below is tcp_timewait_state_process() of 6.18 as measured (and 2.6 and 4.12 where said), the rest RFC 9293
 * 3.10.7.4 read as docs/adr/0006 to 0009 say. Letters after a colon name the row of the table in those.
 */

static bool is_linux(const struct knobs *k) { return k->policy != POLICY_RFC9293; }

/* An unacceptable segment is answered under tcp_invalid_ratelimit; Linux exempts what has sequence space but no SYN. */
static enum tw_reply ack_for(const struct seg *s, const struct knobs *k)
{
	if (k->policy == POLICY_LINUX_2_6) /* the limit came with 4.0 */
		return TW_REPLY_ACK;
	return is_linux(k) && seg_span(s) > 0 && !(s->flags & F_SYN) ? TW_REPLY_ACK : TW_REPLY_ACK_LIMITED;
}

/* Can the segment's timestamp be compared? Options of a segment count only if the connection had timestamps. */
static bool both_ts(const struct tw_rec *rec, const struct seg *s) { return rec->has_ts && s->opts.has_ts; }

/*
 * RFC 7323 5.3 R1: older than TS.Recent. It excepts RST, Linux does not (within 60 s of TS.Recent, which a record that
 * lives 60 s always is). Linux takes TS.Recent 0 as not known: some send zero in a SYN.
 */
static bool fails_paws(const struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	if (!both_ts(rec, s) || (int32_t)(rec->ts_recent - s->opts.tsval) <= 0)
		return false;
	return is_linux(k) ? rec->ts_recent != 0 : !(s->flags & F_RST);
}

/* A window of zero still admits what begins at RCV.NXT: probes, and RST. The upper edge is in for segments without length. */
static bool in_window(const struct tw_rec *rec, const struct seg *s)
{
	seq_t end = seq_add(s->seq, seg_span(s)), edge = seq_add(rec->rcv_nxt, rec->rcv_wnd);

	if (seq_eq(s->seq, rec->rcv_nxt))
		return true;
	if (seq_lt(rec->rcv_nxt, end) && seq_lt(s->seq, edge))
		return true;
	return seq_eq(s->seq, edge) && seg_span(s) == 0;
}

/* ---- FIN_WAIT_2 ---- */

/* The segment is acceptable and neither RST nor SYN. */
static struct tw_verdict fin_wait_2_text_or_fin(struct tw_rec *rec, const struct seg *s)
{
	seq_t end = seq_add(s->seq, seg_span(s));

	if (!(s->flags & F_ACK) || seg_span(s) == 0 || seq_le(end, rec->rcv_nxt))
		return (struct tw_verdict){.fate = TW_STAYS}; /* nothing new */
	/* 3.6.1 SHLD-3: nobody will read it. A FIN beyond a gap has text before it. */
	if (!(s->flags & F_FIN) || !seq_eq(end, seq_add(rec->rcv_nxt, 1)))
		return (struct tw_verdict){.fate = TW_ENDS_DATA, .reply = TW_REPLY_RST};
	rec->rcv_nxt = end;
	rec->kind = TW_TIME_WAIT;
	if (both_ts(rec, s))
		rec->ts_recent = s->opts.tsval;
	return (struct tw_verdict){.fate = TW_BECOMES_TIME_WAIT, .reply = TW_REPLY_ACK, .restart = true};
}

static struct tw_verdict fin_wait_2_linux(struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	bool paws = fails_paws(rec, s, k);

	if (paws || !in_window(rec, s)) /* RST, too, is answered here */
		return (struct tw_verdict){.fate = TW_STAYS, .reply = ack_for(s, k), .paws = paws};
	if (s->flags & F_RST)
		return (struct tw_verdict){.fate = TW_ENDS_RST};
	if (s->flags & F_SYN && seq_le(rec->rcv_nxt, s->seq))
		return (struct tw_verdict){.fate = TW_ENDS_SYN, .reply = TW_REPLY_RST};
	return fin_wait_2_text_or_fin(rec, s);
}

/* RFC 5961 3.2: exactly RCV.NXT resets, elsewhere in the window asks for another, outside nothing. */
static struct tw_verdict reset_rfc(const struct tw_rec *rec, const struct seg *s)
{
	if (seq_eq(s->seq, rec->rcv_nxt))
		return (struct tw_verdict){.fate = TW_ENDS_RST};
	return (struct tw_verdict){.fate = TW_STAYS, .reply = in_window(rec, s) ? TW_REPLY_ACK_LIMITED : TW_REPLY_NONE};
}

static struct tw_verdict fin_wait_2_rfc(struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	bool paws = fails_paws(rec, s, k), acks_too_much = s->flags & F_ACK && seq_lt(rec->snd_nxt, s->ack);

	if (s->flags & F_RST)
		return reset_rfc(rec, s);
	if (paws || !in_window(rec, s) || s->flags & F_SYN || acks_too_much) /* first, fourth, fifth check */
		return (struct tw_verdict){.fate = TW_STAYS, .reply = TW_REPLY_ACK_LIMITED, .paws = paws};
	return fin_wait_2_text_or_fin(rec, s);
}

/* ---- TIME_WAIT ---- */

static bool is_opening(const struct seg *s) { return (s->flags & (F_SYN | F_ACK | F_RST)) == F_SYN; }

static struct tw_verdict time_wait_linux(const struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	bool ts = both_ts(rec, s), paws = fails_paws(rec, s, k), rst = s->flags & F_RST;
	bool newer_ts = ts && (int32_t)(s->opts.tsval - rec->ts_recent) > 0;

	if (!paws && seq_eq(s->seq, rec->rcv_nxt) && (rst || seg_span(s) == 0)) {
		if (rst && !k->rfc1337)
			return (struct tw_verdict){.fate = TW_ENDS_RST};
		/* A RST that is ignored began the time again before 4.19. */
		return (struct tw_verdict){
			.fate = TW_STAYS, .restart = !rst || k->policy != POLICY_LINUX_6_18, .update_ts = ts};
	}
	if (is_opening(s) && !paws && (seq_lt(rec->rcv_nxt, s->seq) || newer_ts))
		return (struct tw_verdict){.fate = TW_REOPENS, .refused_reply = TW_REPLY_ACK};
	if (rst)
		return (struct tw_verdict){.fate = TW_STAYS, .paws = paws};
	return (struct tw_verdict){
		.fate = TW_STAYS,
		.reply = ack_for(s, k),
		.restart = paws || s->flags & F_ACK,
		.paws = paws,
	};
}

/* RFC 6191 2, and RFC 1122 4.2.2.13 where timestamps do not decide: may this SYN begin another connection? */
static bool is_newer_syn(const struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	bool would_ts = s->opts.has_ts && k->timestamps != 0; /* will the new connection have timestamps? */
	bool newer_seq = seq_lt(rec->rcv_nxt, s->seq);

	if (!would_ts || !rec->has_ts)
		return newer_seq;
	return (int32_t)(s->opts.tsval - rec->ts_recent) > 0 || (s->opts.tsval == rec->ts_recent && newer_seq);
}

/* The retransmission of the peer's FIN, and perhaps of text before it: ends at RCV.NXT, and acks nothing we did not send. */
static bool is_fin_again(const struct tw_rec *rec, const struct seg *s)
{
	return (s->flags & (F_FIN | F_ACK | F_SYN)) == (F_FIN | F_ACK) &&
	       seq_eq(seq_add(s->seq, seg_span(s)), rec->rcv_nxt) && seq_le(s->ack, rec->snd_nxt);
}

static struct tw_verdict time_wait_rfc(const struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	bool ts = both_ts(rec, s), paws = fails_paws(rec, s, k);

	if (s->flags & F_RST)
		return k->rfc1337 ? (struct tw_verdict){.fate = TW_STAYS} : reset_rfc(rec, s);
	if (is_opening(s) && is_newer_syn(rec, s, k))
		return (struct tw_verdict){
			.fate = TW_REOPENS, .keyed_gap = true, .refused_reply = TW_REPLY_ACK_LIMITED};
	if (paws || s->flags & F_SYN)
		return (struct tw_verdict){.fate = TW_STAYS, .reply = TW_REPLY_ACK_LIMITED, .paws = paws};
	if (is_fin_again(rec, s))
		return (struct tw_verdict){.fate = TW_STAYS, .reply = TW_REPLY_ACK, .restart = true, .update_ts = ts};
	/* An acknowledgment in the window, or at its left edge when it is closed, is the last thing a peer says. */
	if (seg_span(s) == 0 && in_window(rec, s) && !(s->flags & F_ACK && seq_lt(rec->snd_nxt, s->ack)))
		return (struct tw_verdict){.fate = TW_STAYS, .update_ts = ts && seq_eq(s->seq, rec->rcv_nxt)};
	return (struct tw_verdict){.fate = TW_STAYS, .reply = TW_REPLY_ACK_LIMITED};
}

struct tw_verdict timewait_judge(struct tw_rec *rec, const struct seg *s, const struct knobs *k)
{
	switch (rec->kind) {
	case TW_FIN_WAIT_2:
		return is_linux(k) ? fin_wait_2_linux(rec, s, k) : fin_wait_2_rfc(rec, s, k);
	case TW_TIME_WAIT:
		return is_linux(k) ? time_wait_linux(rec, s, k) : time_wait_rfc(rec, s, k);
	}
	must_not_reach("a record of no kind");
}

/* ---- lengths and ages ---- */

bool timewait_recycles(const struct knobs *k) { return k->policy == POLICY_LINUX_2_6 && k->tw_recycle; }

uint32_t timewait_len_ms(const struct knobs *k, bool has_ts, uint32_t rto_ms)
{
	uint64_t recycled = (uint64_t)rto_ms * 7 / 2;

	if (timewait_recycles(k) && has_ts)
		return recycled < TW_LEN_MAX_MS ? (uint32_t)recycled : TW_LEN_MAX_MS;
	return (uint32_t)k->tw_ms;
}

uint32_t timewait_reuse_delay_ms(const struct knobs *k)
{
	/* A knob since 6.14; before, more than one second by a clock of seconds. */
	return k->policy == POLICY_LINUX_2_6 || k->policy == POLICY_LINUX_4_12 ? 1000 : (uint32_t)k->tw_reuse_delay_ms;
}

bool timewait_reuse_only_loopback(const struct knobs *k)
{
	/* Value 2 is of 4.18 or 4.19; before, anything but 0 was 1. */
	return k->tw_reuse == 2 && k->policy != POLICY_LINUX_2_6 && k->policy != POLICY_LINUX_4_12;
}

bool timewait_reusable(const struct tw_rec *rec, nsec_t age_ms, bool fixed_port, const struct knobs *k)
{
	if (!rec->has_ts) /* only timestamps tell the peer for sure that the new SYN is newer */
		return false;
	if (fixed_port && is_linux(k))
		return true;
	/* FIN_WAIT_2 is spared since 6.12; RFC 9293 3.10.1: a connection in it exists. */
	if (rec->kind == TW_FIN_WAIT_2 && (!is_linux(k) || k->policy == POLICY_LINUX_6_18))
		return false;
	if (k->tw_reuse == 0 || (timewait_reuse_only_loopback(k) && !rec->loopback))
		return false;
	return rec->mature || age_ms >= timewait_reuse_delay_ms(k);
}
