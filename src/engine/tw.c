/* SPDX-License-Identifier: MIT */
/*
 * tw.c - between connections, the TIME_WAIT store, ports and time. What a segment does to a record is timewait.c's to
 * say; that it happens, and to everything that hangs on the record, is done here.
 *
 * A record holds what its connection held: a chosen port (ports.h, counted in binds.h), or a place in the bucket of a
 * bound one. It is given back when the record is removed.
 */
#include "engine/engine.h"

#include <errno.h>

enum { TW_COUNTED_FROM_MS = 4000 }; /* Linux: shorter ones count as TWKilled */
/*
 * A record that comes may remove two that are due, and so may one packet of eight: spread out, since each record lies somewhere
 * else, and what the next one will touch is on its way till then.
 */
enum { EXPIRE_AT_ONCE = 2, EXPIRE_EVERY = 8 };
enum { RTO_UNKNOWN_MS = 1000 }; /* a record keeps no RTO; matters to tcp_tw_recycle only */

static uint32_t records(const struct engine *e) { return twstore_count(e->tw[0]) + twstore_count(e->tw[1]); }

static bool is_full(struct engine *e, bool v6)
{
	const struct twstore *s = tw_of(e, v6);

	return records(e) >= e->k.max_tw_buckets || twstore_count(s) >= twstore_capacity(s);
}

bool tw_has_room(struct engine *e, bool v6)
{
	uint32_t capacity = twstore_capacity(tw_of(e, v6));
	int64_t limit = e->k.max_tw_buckets < capacity ? e->k.max_tw_buckets : capacity;

	if (e->k.tw_full != TW_FULL_REFUSE || (int64_t)records(e) + e->n_live < limit)
		return true;
	e->n.la_tw_refused++;
	return false;
}

/* ---- the ends of a record ---- */

static uint8_t bind_flags(const struct tw_rec *rec)
{
	return (uint8_t)((rec->reuseaddr ? BIND_REUSEADDR : 0) | (rec->reuseport ? BIND_REUSEPORT : 0));
}

static void drop_bind(struct engine *e, bool v6, const struct tw_rec *rec)
{
	bind_id bind;

	if (rec->chosen) {
		binds_chosen(e->binds, rec->t.lport, v6, bind_flags(rec), -1);
		return;
	}
	bind = binds_find(e->binds, rec->any ? LADDR_ANY : rec->t.laddr, rec->t.lport, v6);
	must(bind != BIND_NONE);
	binds_sub(e->binds, bind, BIND_RECORD, bind_flags(rec));
}

static void drop_port(struct engine *e, const struct tw_rec *rec)
{
	if (rec->chosen)
		ports_release(e->ports, &rec->t, rec->mature);
}

static void leave_store(struct engine *e, bool v6, tw_id id, const struct tw_rec *rec, enum edge_id edge)
{
	record_go(e, rec, edge);
	drop_bind(e, v6, rec);
	twstore_remove(tw_of(e, v6), id);
	e->n_unchosen[v6] -= !rec->chosen;
}

static void remove_record(struct engine *e, bool v6, tw_id id, const struct tw_rec *rec, enum edge_id edge)
{
	drop_port(e, rec);
	leave_store(e, v6, id, rec, edge);
}

static enum edge_id edge_of_age(const struct tw_rec *rec)
{
	return rec->kind == TW_TIME_WAIT ? F5_20_2MSL : TIMEOUT_FIN_WAIT_2;
}

/* A record's port is one that connect() chose, or n_unchosen counts it. */
bool tw_may_hold(const struct engine *e, bool v6, uint16_t lport)
{
	return e->n_unchosen[v6] > 0 || binds_is_chosen(e->binds, lport, v6);
}

tw_id tw_find(struct engine *e, bool v6, const struct tuple *t, uint64_t hash)
{
	struct twstore *s = tw_of(e, v6);
	tw_id id = twstore_find(s, t, hash);
	struct tw_rec rec;

	if (id == TW_NONE || !twstore_is_due(s, id, e->now))
		return id;
	twstore_get(s, id, &rec);
	remove_record(e, v6, id, &rec, edge_of_age(&rec));
	return TW_NONE;
}

/* What the end of the record after this one will touch. */
static APART void look_ahead(struct engine *e, bool v6, tw_id id)
{
	struct tw_rec rec;

	id = twstore_after(e->tw[v6], id);
	if (id == TW_NONE)
		return;
	twstore_get(e->tw[v6], id, &rec);
	if (!rec.chosen)
		return;
	ports_prefetch(e->ports, &rec.t);
	binds_prefetch_chosen(e->binds, rec.t.lport, v6, bind_flags(&rec));
}

static unsigned expire(struct engine *e, bool v6, unsigned at_most)
{
	struct tw_rec rec;
	unsigned n = 0;
	tw_id id;

	while (n < at_most && (id = twstore_due(e->tw[v6], e->now)) != TW_NONE) {
		if (!twstore_is_small(e->tw[v6]))
			look_ahead(e, v6, id);
		twstore_get(e->tw[v6], id, &rec);
		remove_record(e, v6, id, &rec, edge_of_age(&rec));
		n++;
	}
	return n;
}

unsigned tw_mature(struct engine *e, unsigned at_most)
{
	struct tw_rec rec;
	uint32_t delay_ms;
	unsigned n = 0;
	bool loopback;

	if (!e->k.tw_reuse)
		return 0;
	delay_ms = timewait_reuse_delay_ms(&e->k);
	loopback = timewait_reuse_only_loopback(&e->k);
	for (unsigned v6 = 0; v6 < 2; v6++)
		while (n < at_most) {
			tw_id id = twstore_mature(e->tw[v6], e->now, delay_ms, loopback);

			if (id == TW_NONE)
				break;
			twstore_get(e->tw[v6], id, &rec);
			ports_mature(e->ports, &rec.t);
			n++;
		}
	return n;
}

APART void tw_expire(struct engine *e, unsigned at_most)
{
	unsigned n = expire(e, false, at_most);

	n += expire(e, true, at_most);
	n += tw_mature(e, at_most);
	e->tw_look_at = n < at_most ? e->now + NSEC_PER_MS : e->now; /* the store counts in milliseconds */
}

void tw_tick(struct engine *e)
{
	if (e->now >= e->tw_look_at && ++e->ticks % EXPIRE_EVERY == 0)
		tw_expire(e, EXPIRE_AT_ONCE);
}

nsec_t tw_next_at(const struct engine *e)
{
	nsec_t a = twstore_next_at(e->tw[0]), b = twstore_next_at(e->tw[1]);

	return a < b ? a : b;
}

/* ---- a connection becomes a record ---- */

/* engine.tw_full = recycle-oldest: of its own family if it has one. */
static bool recycle_oldest(struct engine *e, bool v6)
{
	struct tw_rec rec;
	tw_id id = twstore_oldest(tw_of(e, v6));

	if (id == TW_NONE) {
		v6 = !v6;
		id = twstore_oldest(tw_of(e, v6));
	}
	if (id == TW_NONE)
		return false;
	twstore_get(tw_of(e, v6), id, &rec);
	remove_record(e, v6, id, &rec, rec.kind == TW_TIME_WAIT ? TW_RECYCLED : FW2_RECYCLED);
	e->n.la_tw_recycled_full++;
	return true;
}

static bool make_room(struct engine *e, bool v6)
{
	if (e->now >= e->tw_look_at)
		tw_expire(e, EXPIRE_AT_ONCE);
	if (!is_full(e, v6))
		return true;
	if (e->k.tw_full != TW_FULL_RECYCLE_OLDEST || e->k.max_tw_buckets == 0 || !recycle_oldest(e, v6))
		return false;
	if (is_full(e, v6)) /* tcp_max_tw_buckets was lowered: two go for one that comes, until it is kept */
		recycle_oldest(e, v6);
	return true;
}

static struct tw_rec record_of(const struct conn *c, enum tw_kind kind)
{
	const struct addr *local = addrs_get(c->eng->addrs, c->t.laddr);

	return (struct tw_rec){
		.t = c->t,
		.snd_nxt = c->snd_nxt,
		.rcv_nxt = c->rcv_nxt,
		.ts_recent = c->ts_recent,
		.rcv_wnd = (uint32_t)seq_diff(seq_max(c->rcv_adv, c->rcv_nxt), c->rcv_nxt),
		.kind = kind,
		.has_ts = c->ts_ok,
		.reuseaddr = c->opt.reuseaddr,
		.reuseport = c->opt.reuseport,
		.chosen = c->port_chosen,
		.any = c->bind_any,
		.loopback = addr_is_loopback(local) || addr_is_loopback(&c->t.raddr),
	};
}

/* The record takes the connection's place in its bucket over, or the port that was chosen for it. */
static void hand_port_over(struct conn *c)
{
	c->port_chosen = false;
	if (c->bind == BIND_NONE)
		return;
	if (c->is_open && c->port_locked) { /* the socket keeps what its bind() named, beside its record */
		binds_add_to(c->eng->binds, c->bind, BIND_RECORD, conn_bind_flags(c));
		return;
	}
	binds_move(c->eng->binds, c->bind, c->bind_class, BIND_RECORD, conn_bind_flags(c));
	c->bind = BIND_NONE;
	c->port_bound = false;
}

static bool insert(struct conn *c, const struct tw_rec *rec, uint32_t len_ms)
{
	struct engine *e = c->eng;

	if (!make_room(e, c->is_v6))
		return false;
	if (twstore_insert(tw_of(e, c->is_v6), rec, c->hash, c->tw_place, e->now, len_ms) == TW_NONE)
		return false;
	e->n_unchosen[c->is_v6] += !rec->chosen;
	return true;
}

void tw_enter(struct conn *c, enum tw_kind kind, uint32_t len_ms)
{
	struct engine *e = c->eng;
	struct tw_rec rec = record_of(c, kind);

	must(c->state == (kind == TW_TIME_WAIT ? TIME_WAIT : FIN_WAIT_2));
	must(c->port_chosen || c->bind != BIND_NONE);
	if (c->ack_due || c->ack_pending)
		reply_ack(c);
	if (len_ms == 0) {
		conn_end(c, kind == TW_TIME_WAIT ? F5_20_2MSL : TIMEOUT_FIN_WAIT_2, 0);
		return;
	}
	if (!insert(c, &rec, len_ms)) {
		e->n.tw_overflow++;
		e->n.la_tw_skipped += e->k.tw_full == TW_FULL_SKIP;
		conn_end(c, kind == TW_TIME_WAIT ? ABORT_TIME_WAIT : ABORT_FIN_WAIT_2, 0);
		return;
	}
	if (len_ms > TW_COUNTED_FROM_MS)
		e->n.tw++;
	else
		e->n.tw_killed++;
	if (timewait_recycles(&e->k) && c->ts_ok)
		peers_note(e->peers, &c->t.raddr, c->ts_recent, e->now);
	hand_port_over(c);
	conn_to_record(c);
}

static uint32_t len_again_ms(const struct engine *e, const struct tw_rec *rec)
{
	return timewait_len_ms(&e->k, rec->has_ts, RTO_UNKNOWN_MS);
}

/* Time begins anew: the SYN was one more segment that came in TIME_WAIT. Its port is that of the listener, whatever it was. */
bool tw_restore(struct conn *c, enum edge_id edge)
{
	struct engine *e = c->eng;
	struct tw_rec rec = c->tw_saved;
	uint32_t len_ms = len_again_ms(e, &rec);

	if (!c->has_tw_saved || len_ms == 0)
		return false;
	rec.chosen = false;
	rec.mature = false;
	rec.any = c->bind_any;
	rec.reuseaddr = c->opt.reuseaddr;
	rec.reuseport = c->opt.reuseport;
	if (!insert(c, &rec, len_ms))
		return false;
	conn_go(c, edge);
	e->n.la_tw_restored++;
	hand_port_over(c);
	conn_to_record(c);
	return true;
}

/* ---- a segment for a record ---- */

/* Whether a scale was agreed on is not kept: nearly always it was, and nothing may be sent into this window but a FIN. */
static void send_ack(struct engine *e, const struct tw_rec *rec, uint64_t hash)
{
	uint32_t wnd = rec->rcv_wnd >> conn_wscale(e);
	struct seg ack = {.flags = F_ACK, .seq = rec->snd_nxt, .ack = rec->rcv_nxt};

	ack.wnd = (uint16_t)(wnd > UINT16_MAX ? UINT16_MAX : wnd);
	ack.opts.has_ts = rec->has_ts;
	ack.opts.tsval = ts_clock_ms(e) + secret_of(e, hash).ts_offset;
	ack.opts.tsecr = rec->ts_recent;
	reply_seg(e, &rec->t, &ack);
}

static void answer(struct engine *e, enum tw_reply how, const struct tw_rec *rec, const struct seg *s, uint64_t hash)
{
	switch (how) {
	case TW_REPLY_NONE:
		return;
	case TW_REPLY_ACK_LIMITED:
		if (!tw_ack_allowed(e, hash)) {
			if (rec->kind == TW_TIME_WAIT)
				e->n.ack_skipped_tw++;
			else
				e->n.ack_skipped_fw2++;
			return;
		}
		send_ack(e, rec, hash);
		return;
	case TW_REPLY_ACK:
		send_ack(e, rec, hash);
		return;
	case TW_REPLY_RST:
		reply_rst(e, s, &rec->t);
		return;
	}
	must_not_reach("a reply that is none");
}

/* A listener there, but no room: the SYN is dropped and comes again; the record stays. */
static void reopen(struct engine *e, tw_id id, const struct tw_rec *rec, struct seg *s, const struct tw_verdict *v,
		   uint64_t hash)
{
	struct conn *l = listener_find(e, &rec->t, hash);

	if (!l) {
		answer(e, v->refused_reply, rec, s, hash);
		return;
	}
	if (!seg_arrives_listen(l, s, &rec->t, hash, &(struct listen_from){.reopen = rec, .keyed_gap = v->keyed_gap}))
		return;
	e->n.la_tw_reopened++;
	remove_record(e, l->is_v6, id, rec, TW_REOPEN);
}

/* FIN_WAIT_2 and the peer's FIN came. It is counted as TW already. */
static void becomes_time_wait(struct engine *e, bool v6, tw_id id, struct tw_rec *rec)
{
	uint32_t len_ms = len_again_ms(e, rec);

	rec->kind = TW_FIN_WAIT_2; /* whatever the judge made of it: the edge begins there */
	record_go(e, rec, F5_17_FIN_WAIT_2_FIN);
	rec->kind = TW_TIME_WAIT;
	if (timewait_recycles(&e->k) && rec->has_ts)
		peers_note(e->peers, &rec->t.raddr, rec->ts_recent, e->now);
	if (len_ms == 0) {
		remove_record(e, v6, id, rec, F5_20_2MSL);
		return;
	}
	twstore_update(tw_of(e, v6), id, rec);
	twstore_restart(tw_of(e, v6), id, e->now, len_ms);
}

static void stays(struct engine *e, bool v6, tw_id id, struct tw_rec *rec, const struct seg *s,
		  const struct tw_verdict *v)
{
	if (v->update_ts) {
		rec->ts_recent = s->opts.tsval;
		twstore_update(tw_of(e, v6), id, rec);
	}
	if (v->restart)
		twstore_restart(tw_of(e, v6), id, e->now, len_again_ms(e, rec));
}

static void count_paws(struct engine *e)
{
	if (e->k.policy == POLICY_RFC9293 || e->k.policy == POLICY_LINUX_6_18)
		e->n.paws_tw++;
	else
		e->n.paws_estab++; /* until 6.16 */
}

void tw_seg(struct engine *e, tw_id id, struct seg *s, const struct tuple *t, uint64_t hash)
{
	bool v6 = !addr_is_v4(&t->raddr);
	struct tw_verdict v;
	struct tw_rec rec;

	twstore_get(tw_of(e, v6), id, &rec);
	v = timewait_judge(&rec, s, &e->k);
	if (v.paws)
		count_paws(e);
	switch (v.fate) {
	case TW_STAYS:
		stays(e, v6, id, &rec, s, &v);
		break;
	case TW_BECOMES_TIME_WAIT:
		becomes_time_wait(e, v6, id, &rec);
		break;
	case TW_ENDS_RST:
		e->n.la_tw_reset += rec.kind == TW_TIME_WAIT;
		remove_record(e, v6, id, &rec, rec.kind == TW_TIME_WAIT ? RST_TIME_WAIT : RST_FIN_WAIT_2);
		break;
	case TW_ENDS_DATA:
		remove_record(e, v6, id, &rec, DATA_FIN_WAIT_2);
		break;
	case TW_ENDS_SYN:
		remove_record(e, v6, id, &rec, SYN_FIN_WAIT_2);
		break;
	case TW_REOPENS:
		reopen(e, id, &rec, s, &v, hash);
		break;
	}
	answer(e, v.reply, &rec, s, hash);
}

/* ---- connect() meets a record ---- */

int tw_take_over(struct engine *e, bool v6, tw_id id, bool fixed_port, struct tw_rec *rec)
{
	struct twstore *s = tw_of(e, v6);

	twstore_get(s, id, rec);
	if (!timewait_reusable(rec, twstore_age_ms(s, id, e->now), fixed_port, &e->k))
		return -EADDRNOTAVAIL;
	e->n.tw_recycled++;
	if (fixed_port) /* otherwise ports_choose() has made it the connection's */
		drop_port(e, rec);
	leave_store(e, v6, id, rec, rec->kind == TW_TIME_WAIT ? TW_CONNECT : FW2_CONNECT);
	return 0;
}

/* ---- limits of answers, kept here so that a connection or a record need not remember ---- */

bool tw_ack_allowed(struct engine *e, uint64_t hash)
{
	struct oow_slot *slot = &e->oow[hash % OOW_SLOTS];
	uint32_t tag = (uint32_t)(hash >> 32) | 1; /* 0: nobody yet */
	uint32_t now_ms = (uint32_t)(e->now / NSEC_PER_MS);

	if (slot->tag == tag && now_ms - slot->at_ms < e->k.invalid_ratelimit_ms)
		return false;
	slot->tag = tag;
	slot->at_ms = now_ms;
	return true;
}

bool challenge_allowed(struct engine *e, uint64_t hash)
{
	uint32_t limit = (uint32_t)e->k.challenge_ack_limit;

	if (!tw_ack_allowed(e, hash))
		return false;
	if (limit == INT32_MAX)
		return true;
	if (e->now - e->challenge_second >= NSEC_PER_S || !e->challenge_second) {
		/* Not the limit itself: a stranger must not learn from it what others were sent (CVE-2016-5696). */
		e->challenge_second = e->now;
		e->challenge_n = limit ? (limit + 1) / 2 + rng_below(&e->rng, limit) : 0;
	}
	if (e->challenge_n == 0)
		return false;
	e->challenge_n--;
	return true;
}
