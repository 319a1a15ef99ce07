/* SPDX-License-Identifier: MIT */
/*
 * seg_listen.c - RFC 9293 3.10.7.2 SEGMENT ARRIVES, LISTEN STATE.
 *
 * The listener itself never leaves LISTEN: each SYN makes a child, a copy of the listener in LISTEN that goes to
 * SYN-RECEIVED at once (MUST-42). Which SYNs are let in is Linux's: two queues, cookies when the first is full
 * (RFC 4987), nothing when the second is.
 */
#include "engine/engine.h"

enum { ISS_STEP = 65537 }; /* RFC 9293 3.4.1's "larger than the largest sequence number used"; Linux: 65535 + 2 */
#define COOKIE_LIFE (128 * NSEC_PER_S) /* two periods of cookie.c */

enum admission { ADMIT, ADMIT_COOKIE, REFUSE };

/*
 * Half of all sockets: the SYN queue is full whatever the backlog, or a flood would take every block there is, also those
 * of listeners that nobody floods.
 */
static bool syn_full(const struct conn *l)
{
	const struct engine *e = l->eng;
	uint32_t most = e->n_conns / 2;

	return listener_syn_full(l) || e->n_embryonic >= (most ? most : 1);
}

/* The order is that of Linux 6.18: SYN queue, accept queue, tcp_tw_recycle or the reserve of tcp_max_syn_backlog. */
static enum admission admit(struct conn *l, const struct seg *s, bool reopens)
{
	struct engine *e = l->eng;
	enum admission ret = ADMIT;

	if (!reopens && (e->k.syncookies == 2 || syn_full(l))) {
		if (!e->k.syncookies) {
			e->n.req_q_full_drop++;
			return REFUSE;
		}
		e->n.req_q_full_cookies++;
		ret = ADMIT_COOKIE;
	}
	if (listener_accept_full(l)) {
		e->n.listen_overflows++;
		return REFUSE;
	}
	if (reopens || ret == ADMIT_COOKIE)
		return ret;
	if (timewait_recycles(&e->k)) {
		if (s->opts.has_ts && e->k.timestamps && peers_refuse(e->peers, &s->src, s->opts.tsval, e->now)) {
			e->n.paws_passive++;
			return REFUSE;
		}
	} else if (!e->k.syncookies && e->k.max_syn_backlog - l->n_syn < e->k.max_syn_backlog >> 2) {
		return REFUSE; /* the last quarter is for peers that are known, and nobody is */
	}
	return tw_has_room(e, l->is_v6) ? ADMIT : REFUSE;
}

/* SYN-RECEIVED's variables, as "Third, check for a SYN" sets them. */
static struct conn *new_child(struct conn *l, const struct seg *syn, const struct tuple *t, uint64_t hash,
			      struct secret secret)
{
	seq_t iss = secret.iss;
	struct engine *e = l->eng;
	struct conn *c = conn_new_child(l);

	if (!c) {
		e->n.la_no_socket++;
		return NULL;
	}
	c->t = *t;
	c->hash = hash;
	c->ts_offset = secret.ts_offset;
	c->iss = iss;
	c->snd_una = iss;
	c->snd_nxt = seq_add(iss, 1);
	c->snd_end = c->snd_nxt;
	recovery_start(c);
	c->ts_ok = e->k.timestamps != 0;
	c->ecn.ok = ecn_accepts(e, syn);
	c->sack_ok = e->k.sack != 0;
	c->wscale_ok = true;
	pmtu_start(c);
	conn_learn_syn(c, syn);
	rtt_init(c);
	conn_hash_in(c);
	conn_go(c, F5_05_LISTEN_SYN);
	listener_child_born(l, c);
	return c;
}

/* ---- RFC 4987: SYN cookies ---- */

/* What timestamps can bring back, the SYN+ACK agrees to; without them that is nothing but the MSS. */
static void keep_options(const struct conn *l, const struct seg *syn, uint64_t hash, struct seg *out)
{
	const struct engine *e = l->eng;
	bool ecn = ecn_accepts(e, syn);

	out->opts.has_ts = true;
	out->opts.tsval = cookie_timestamp(e, syn, ecn) + secret_of(e, hash).ts_offset;
	out->opts.tsecr = syn->opts.tsval;
	out->opts.sack_permitted = syn->opts.sack_permitted && e->k.sack;
	out->opts.has_wscale = syn->opts.has_wscale;
	out->opts.wscale = conn_wscale(e); /* the child's */
	out->flags |= ecn ? F_ECE : 0;
}

static void send_cookie(struct conn *l, const struct seg *syn, const struct tuple *t, uint64_t hash)
{
	struct engine *e = l->eng;
	bool ts = syn->opts.has_ts && e->k.timestamps;
	struct seg out = {.flags = F_SYN | F_ACK, .ack = seq_add(syn->seq, 1), .wnd = conn_syn_wnd(l, ts)};
	uint16_t peer_mss;

	out.seq = cookie_make(e, t, syn, &peer_mss);
	out.opts.has_mss = true;
	out.opts.mss = l->adv_mss;
	if (ts)
		keep_options(l, syn, hash, &out);
	reply_seg(e, t, &out);
	e->n.syncookies_sent++;
	e->cookies_at = e->now;
}

static bool may_be_cookie(const struct engine *e)
{
	return e->k.syncookies && e->cookies_at != NSEC_NEVER && e->now - e->cookies_at <= COOKIE_LIFE;
}

/* The SYN that the cookie in this ACK stands for. */
static bool syn_of_cookie(struct engine *e, const struct seg *ack, const struct tuple *t, uint64_t hash,
			  struct seg *ret_syn)
{
	struct seg syn = {.flags = F_SYN, .seq = seq_sub(ack->seq, 1), .wnd = ack->wnd};

	if (!cookie_check(e, t, ack, &syn.opts.mss)) {
		e->n.syncookies_failed++;
		return false;
	}
	e->n.syncookies_recv++;
	syn.opts.has_mss = true;
	syn.opts.has_ts = ack->opts.has_ts;
	syn.opts.tsval = ack->opts.tsval;
	if (syn.opts.has_ts)
		cookie_options(ack->opts.tsecr - secret_of(e, hash).ts_offset, &syn);
	*ret_syn = syn;
	return true;
}

/* The ACK carried a valid cookie: a child in SYN-RECEIVED, and the ACK again, through the steps of 3.10.7.4. */
static bool take_cookie(struct conn *l, struct seg *ack, const struct seg *syn, const struct tuple *t, uint64_t hash)
{
	struct engine *e = l->eng;
	struct secret secret = secret_of(e, hash);
	struct conn *c;

	if (listener_accept_full(l)) {
		e->n.listen_overflows++;
		e->n.listen_drops++;
		return false;
	}
	secret.iss = seq_sub(ack->ack, 1);
	c = tw_has_room(e, l->is_v6) ? new_child(l, syn, t, hash, secret) : NULL;
	if (!c) {
		e->n.listen_drops++;
		return false;
	}
	c->of_cookie = true;
	seg_arrives_other(c, ack);
	return true;
}

/* ---- 3.10.7.2 ---- */

/* "Second, check for an ACK: any acknowledgment is bad", unless we asked for it with a cookie. */
static bool second_check_ack(struct conn *l, struct seg *s, const struct tuple *t, uint64_t hash)
{
	struct engine *e = l->eng;
	struct seg syn;

	if (!(s->flags & F_SYN) && may_be_cookie(e) && syn_of_cookie(e, s, t, hash, &syn))
		return take_cookie(l, s, &syn, t, hash);
	reply_rst(e, s, t);
	return false;
}

/* Nobody can have sent this but somebody who forged it: from our own address and port (land), or SYN and FIN (Linux). */
static bool is_absurd(const struct engine *e, const struct seg *s)
{
	if (s->sport == s->dport && addr_eq(&s->src, &s->dst))
		return true;
	return s->flags & F_FIN && e->k.policy != POLICY_RFC9293;
}

/* Text and FIN beside the SYN are not acknowledged, so they come again when the connection is ESTABLISHED. */
static bool third_check_syn(struct conn *l, const struct seg *s, const struct tuple *t, uint64_t hash,
			    const struct listen_from *from)
{
	struct engine *e = l->eng;
	struct conn *c = NULL;
	struct secret secret;

	if (is_absurd(e, s))
		return false;
	switch (admit(l, s, from)) {
	case ADMIT_COOKIE:
		send_cookie(l, s, t, hash);
		return false;
	case ADMIT:
		secret = secret_of(e, hash);
		if (from)
			secret.iss =
				seq_add(from->reopen->snd_nxt, ISS_STEP + (from->keyed_gap ? secret_gap(e, t) : 0));
		c = new_child(l, s, t, hash, secret);
		break;
	case REFUSE:
		break;
	}
	if (!c) {
		e->n.listen_drops++;
		return false;
	}
	if (from && e->k.tw_restore) {
		c->has_tw_saved = true;
		c->tw_saved = *from->reopen;
	}
	c->syn_due = true;
	out_schedule(c);
	return true;
}

bool seg_arrives_listen(struct conn *l, struct seg *s, const struct tuple *t, uint64_t hash,
			const struct listen_from *from)
{
	if (s->flags & F_RST) /* "First, check for a RST": ignored */
		return false;
	if (s->flags & F_ACK)
		return second_check_ack(l, s, t, hash);
	if (s->flags & F_SYN)
		return third_check_syn(l, s, t, hash, from);
	return false; /* "Fourth": neither, so nothing */
}
