/* SPDX-License-Identifier: MIT */
/* engine.h - the engine's own state, and what its files ask of each other. Private to engine/ and its tests. */
#pragma once
#include "engine/addrs.h"
#include "engine/conn.h"
#include "engine/counter.h"
#include "engine/ports.h"
#include "engine/timewait.h"
#include "knob/values.h"

/* A reply that belongs to no connection: everything of it, written when la_output() comes to it. */
struct reply {
	struct seg seg; /* len 0 */
	struct tuple t;
};

/* When this four-tuple last got an answer to an unacceptable segment: kept here, not in connections or records. */
struct oow_slot {
	uint32_t tag;
	uint32_t at_ms;
};
enum { OOW_SLOTS = 4096 };

/* What routers said of the path to a destination: pmtu.c. One takes the place of another with the same hash. */
struct pmtu_slot {
	struct addr dst;
	nsec_t until; /* it is not believed any more; 0: free */
	uint16_t mtu;
	bool locked; /* narrower than is sensible: DF is left out instead (Linux) */
};
enum { PMTU_SLOTS = 256 };

struct engine {
	nsec_t now; /* of engine_now() */
	uint32_t now_ms; /* the same in milliseconds, as timestamps count */
	struct la_config cfg;
	struct knobs k;
	struct counters n;
	uint64_t edge_count[N_EDGES];
	struct rng rng;
	struct hash_key tuple_key, secret_key, cookie_key, gap_key, pmtu_key;

	struct wheel wheel;
	struct addrs *addrs;
	struct ports *ports;
	struct binds *binds;
	struct twstore *tw[2]; /* IPv4, IPv6 */
	struct peers *peers;

	struct conn *conns; /* the pool */
	uint32_t n_conns; /* cfg.max_sockets */
	uint32_t sent_slots; /* of each connection's scoreboard */
	uint32_t number_mask; /* the bits of a handle that number the block: the fewest that tell n_conns apart */
	struct link free; /* by queue_link, last in first out */
	struct link *buckets; /* connections by tuple hash */
	uint32_t bucket_mask;
	struct conn *recent[2]; /* of the table, those that segments came for last; NULL: none */
	struct link *listen_buckets; /* listeners by port */
	uint32_t listen_mask;

	struct link out; /* connections with something to send */
	struct link events; /* sockets with something to tell */
	struct link lingered; /* by event_link: lingering closes that moved; looked at when the call ends */

	struct reply *replies; /* a ring of cfg.max_replies */
	uint32_t reply_first, reply_n;
	struct oow_slot *oow; /* OOW_SLOTS */
	struct pmtu_slot *pmtu; /* PMTU_SLOTS */
	nsec_t pmtu_known_until; /* nothing is known later */

	uint32_t challenge_n; /* challenge ACKs left in this second */
	nsec_t challenge_second;
	nsec_t tw_look_at; /* nothing is due before */
	uint32_t ticks; /* of tw_tick(), when something was due */
	nsec_t cookies_at; /* when the last cookie was sent: an ACK later than two periods after it cannot be one */

	uint64_t rcv_held; /* octets in receive buffers */
	bool rcv_pressed; /* there were more than the second number of tcp_mem, and not yet less than the first again */

	uint32_t n_sockets, n_listeners, n_live, n_embryonic, n_orphans;
	uint32_t n_unchosen
		[2]; /* records, IPv4 and IPv6, with a port that connect() did not choose: ports.h does not know them */
};

/* What the application holds is a struct la_engine; nobody ever defines it. */
static inline struct engine *engine_of(struct la_engine *e) { return (struct engine *)(void *)e; }
static inline const struct engine *engine_of_const(const struct la_engine *e)
{
	return (const struct engine *)(const void *)e;
}
static inline struct la_engine *handle_of(struct engine *e) { return (struct la_engine *)(void *)e; }

static inline struct twstore *tw_of(struct engine *e, bool v6) { return e->tw[v6]; }

/* ---- engine.c: memory, knobs, the calls with a time ---- */
void engine_now(struct engine *e, nsec_t now); /* asserts that time does not go back */

/* ---- conn.c: the state's one writer; blocks, the table, the end of a connection ---- */

/* The only function that writes c->state. Callers name the edge, not the target, so every change has a cite. */
void conn_go(struct conn *c, enum edge_id id);
/* The same for a record of the store: counts and traces. sock is that of the application that still reads, or 0. */
void record_go(struct engine *e, const struct tw_rec *rec, enum edge_id id);

struct conn *
conn_new(struct engine *e,
	 bool v6); /* CLOSED, is_open false; NULL: max_sockets. adv_mss and rcv_wscale are set from the configuration */
void conn_clear(struct conn *c, bool v6); /* as a block of the pool is; it must be in no queue */
struct conn *conn_new_child(
	struct
	conn *listener); /* a copy of the listener as far as a connection takes after it: in LISTEN, passive, in its bucket. NULL: max_sockets */
void conn_hash_in(struct conn *c); /* c->t is set; and c->hash, or it is 0: computed here */
void conn_hash_out(struct conn *c);
struct conn *conn_find(const struct engine *e, const struct tuple *t, uint64_t hash);
struct conn *conn_find_for_seg(struct engine *e, const struct tuple *t, uint64_t hash); /* and remembers it as recent */
/*
 * The connection is over: takes edge `id` (to CLOSED), leaves the table, stops its timers, gives port and bucket back, throws
 * unsent data away, sets so_error to err (0: none) and raises events; received data stay readable while a handle is
 * open. The block is freed if nobody holds it (then c is gone: touch it no more). Returns nothing worth having.
 */
void conn_end(struct conn *c, enum edge_id id, int err);
void conn_to_record(
	struct
	conn *c); /* its record lives on in the store, with the port; the block is CLOSED for its holder, without an edge, or gone */
void conn_free_if_unheld(struct conn *c); /* state CLOSED, not is_open, in no queue: back to the pool */
void conn_drop_port(struct conn *c); /* gives port and bucket back; conn_end() and tw_enter() do */
void conn_established(
	struct conn
		*c); /* what every way into ESTABLISHED has in common: cc start, keepalive, accept queue or LA_OUT */
const struct cc_ops *conn_cc(const struct conn *c); /* TCP_CONGESTION, or what the knob says */
uint8_t conn_bind_flags(const struct conn *c); /* BIND_REUSEADDR, BIND_REUSEPORT */
la_sock conn_sock(const struct conn *c); /* the handle, 0 if nobody holds it */
struct conn *conn_of_sock(const struct engine *e, la_sock s); /* NULL: no such socket */
uint32_t conn_rcv_buf(const struct conn *c); /* SO_RCVBUF, in Linux's measure: twice the text */
uint32_t conn_snd_buf(const struct conn *c); /* octets that may be in it: the block's, or SO_SNDBUF */

/* ---- seg_in.c: a packet comes; demultiplexing; ICMP; segments for nobody (3.10.7.1) ---- */
void seg_in(struct engine *e, const uint8_t *packet, size_t len);
void seg_arrives_closed(struct engine *e, const struct seg *s, const struct tuple *t); /* 3.10.7.1: RST */
void reply_rst(struct engine *e, const struct seg *s, const struct tuple *t); /* the RST that answers s (3.5.2) */
void reply_ack(
	const struct
	conn *c); /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> of a connection that will not be there any more when la_output() comes */
void reply_seg(struct engine *e, const struct tuple *t,
	       const struct seg *what); /* seq, ack, wnd, flags, opts are taken; addresses from t */

/* ---- seg_listen.c, seg_syn_sent.c, seg_other.c: 3.10.7.2, 3.10.7.3, 3.10.7.4 ---- */
struct listen_from { /* where a SYN's new connection begins */
	const struct tw_rec *reopen; /* the record it replaces, or NULL */
	bool keyed_gap;
};
/* True: a child was made of it. s is of tuple t; from is NULL but for a SYN that reopens a TIME_WAIT. */
bool seg_arrives_listen(struct conn *listener, struct seg *s, const struct tuple *t, uint64_t hash,
			const struct listen_from *from);
void seg_arrives_syn_sent(struct conn *c, struct seg *s);
void seg_arrives_other(
	struct conn *c, struct
	seg *s); /* s becomes the "idealized segment": what lies outside the window is cut off. c may be gone afterwards */
void seg_arrives_other_sixth(struct conn *c,
			     struct seg *s); /* from the sixth step on: 3.10.7.3 goes on there. s begins at RCV.NXT */
void conn_learn_syn(
	struct conn *c, const struct
	seg *s); /* the peer's SYN: where its numbers begin, its window, and what both do of MSS, window scale, timestamps */

/* ---- tw.c: between connections, records, ports and time ---- */
/*
 * The connection becomes a record: TIME_WAIT (c->state is TIME_WAIT by now), or FIN_WAIT_2 of an orphan with len_ms. On a full store
 * engine.tw_full and tcp_max_tw_buckets decide. Afterwards c is CLOSED for its holder, or gone: touch it no more.
 */
void tw_enter(struct conn *c, enum tw_kind kind, uint32_t len_ms);
/* May there be a record of this own port? Where only others have records, nobody need look for one. */
bool tw_may_hold(const struct engine *e, bool v6, uint16_t lport);
tw_id tw_find(struct engine *e, bool v6, const struct tuple *t,
	      uint64_t hash); /* one past its deadline is removed, and not found */
void tw_seg(struct engine *e, tw_id id, struct seg *s, const struct tuple *t, uint64_t hash);
void tw_expire(struct engine *e,
	       unsigned at_most); /* removes what is due; bounded. Gives ports back too (tw_mature()) */
void tw_tick(
	struct engine *e); /* the same, a few; cheap enough for every packet: a busy engine needs no la_advance() */
unsigned tw_mature(
	struct engine *e,
	unsigned
		at_most); /* tcp_tw_reuse: gives the ports of old enough records back, how many; connect() does it before it chooses */
nsec_t tw_next_at(const struct engine *e);
bool tw_has_room(struct engine *e, bool v6); /* engine.tw_full = refuse: may a connection be opened? counts if not */
/* connect() found this record in its way: takes it over if it may (rec is what it was: ISS and timestamps go on from it), -EADDRNOTAVAIL if not. */
int tw_take_over(struct engine *e, bool v6, tw_id id, bool fixed_port, struct tw_rec *rec);
/* The SYN that reopened c's record was no good: puts it back. True if so (engine.tw_restore); then c is CLOSED or gone. */
bool tw_restore(struct conn *c, enum edge_id edge);
bool tw_ack_allowed(struct engine *e, uint64_t hash); /* tcp_invalid_ratelimit: may this four-tuple be answered now? */
bool challenge_allowed(struct engine *e, uint64_t hash); /* that, and tcp_challenge_ack_limit */

/* ---- out.c: what to send next ---- */
void out_schedule(struct conn *c); /* something may be due: la_output() will ask */
size_t out_next(struct engine *e, uint8_t *buf, size_t cap); /* la_output() */
void out_ack_now(struct conn *c); /* ack_due and schedule */
bool out_reset(
	struct conn *c); /* queues a RST for a connection about to end (3.10.5: SND.NXT); counts if it could not */
void out_challenge_ack(struct conn *c); /* RFC 5961; under its limits */

/* ---- nagle.c: how large the next segment is, whether it waits, and PSH ---- */
struct nagle_room { /* for new text */
	uint32_t mss;
	uint32_t wnd; /* octets beyond SND.NXT that the peer's window allows */
	uint32_t quota; /* segments that the congestion window allows */
	bool at_once; /* recovery sends: nothing waits for more */
};
struct nagle_write {
	bool more, ends_record; /* MSG_MORE, MSG_EOR */
	bool is_short; /* not all was taken */
};
/* Octets of the next new segment, at most room->mss; 0: there are none, or none goes now. */
uint32_t nagle_segment(struct conn *c, const struct nagle_room *room);
uint8_t nagle_psh(const struct conn *c, seq_t from, uint32_t len); /* F_PSH or 0 for the new segment that it gave */
bool nagle_is_pushed(const struct conn *c,
		     seq_t end); /* PSH that is repeated when the octets before `end` are sent again */
bool nagle_is_joined(const struct conn *c, seq_t from); /* the new segment follows another in its burst: SENT_JOINED */
/* F_PSH or 0, beside that which is repeated: entry i was just sent again whole. What follows it may begin a packet of its own. */
uint8_t nagle_again_psh(struct conn *c, uint32_t i);
void nagle_sent(struct conn *c, seq_t end, uint32_t len, uint32_t mss); /* new text has gone: SND.NXT is `end` */
void nagle_written(struct conn *c, uint32_t taken, const struct nagle_write *w); /* they are in the buffer */
bool nagle_may_end_record(const struct conn *c);
bool nagle_ends_record(const struct conn *c, seq_t end); /* of those not yet sent, the first ends there */
uint32_t nagle_takes(const struct conn *c, uint32_t used, uint32_t room); /* octets of the room that may be used now */
bool nagle_wants_beside(const struct conn *c);
/* LA_OUT, where no FIN is queued: what is in the buffer leaves room for more. */
static inline bool nagle_wants(const struct conn *c) { return seq_eq(c->snd_una, c->snd_end) || nagle_wants_beside(c); }
void nagle_segment_came(struct conn *c); /* c->more: what MSG_MORE kept back is free to go (Linux) */

/* ---- pmtu.c ---- */
void pmtu_start(struct conn *c); /* c->t is set: what is known of the path */
void pmtu_renew(struct conn *c); /* pmtu_until is over */
bool pmtu_too_big(struct conn *c, uint32_t mtu); /* ICMP says so, about something in flight. False: not believed */
bool pmtu_may_fragment(const struct conn *c); /* no DF */
void pmtu_sync_mss(struct conn *c); /* SND.MSS anew: the peer's MSS, its window or the path has changed */

/* ---- snd.c: what was sent: acknowledgement, window, retransmission, recovery ---- */
size_t snd_write(struct conn *c, const uint8_t *data, size_t len); /* into the buffer; how much fitted */
uint32_t snd_room(const struct conn *c);
uint32_t snd_unsent(const struct conn *c); /* octets and FIN not yet sent once */
void snd_syn_acked(struct conn *c, const struct seg *s); /* SEG.ACK is ISS + 1: takes it; the round trip */
void snd_ack(struct conn *c, const struct seg *s); /* SEG.ACK <= SND.NXT: acknowledgement, SACK, window, cwnd, timers */
bool snd_fin_acked(const struct conn *c);
seq_t snd_right_edge(const struct conn *c); /* of the peer's window: the first number that it does not want */
seq_t snd_high_sack(const struct conn *c); /* one past the highest number that was SACKed; SND.UNA: none was */
uint32_t snd_tsval_at(const struct conn *c, nsec_t at); /* our TSval then */
bool snd_echo_before(const struct conn *c, const struct seg *s, uint32_t tsval); /* it echoes an older TSval (Eifel) */
void snd_clear(struct conn *c); /* throws unsent and unacknowledged octets away */

/* ---- rcv.c: what was received ---- */
/* Seventh and part of eighth step. True: the peer's FIN is at rcv_nxt now. */
bool rcv_text(struct conn *c, const struct seg *s);
size_t rcv_read(struct conn *c, uint8_t *buf, size_t len, bool peek); /* buf NULL: thrown away */
uint32_t rcv_unread(const struct conn *c);

void rcv_release(struct conn *c); /* nobody will read what is left: it is held no more */

/* ---- rcv_ack.c: when to acknowledge ---- */
void rcv_ack_check(struct conn *c); /* all of a segment was taken: an ACK now, or in a while */
void rcv_ack_fin(struct conn *c); /* the peer's FIN is taken; before the state changes */
void rcv_ack_syn(struct conn *c); /* in SYN_SENT the SYN+ACK came */
void rcv_ack_again(
	struct conn *c); /* something came that is not new, or that cannot be taken: the peer is to hear it soon */
void rcv_ack_sent(struct conn *c, bool with_text); /* a segment with our ACK goes out */
void rcv_ack_read(
	struct conn *c); /* the application has read: an ACK that waited for this, or a window worth telling */
void rcv_ack_timeout(struct conn *c); /* TIMER_DELACK */
void rcv_quick(struct conn *c,
	       uint32_t most); /* at most so many ACKs from now on do not wait (Linux's quick ACK mode) */
void rcv_quickack_set(struct conn *c, int v); /* TCP_QUICKACK */
bool rcv_quickack(const struct conn *c);

/* ---- rcv_wnd.c: the receive window ---- */
void rcv_init(struct conn *c); /* of a block that is given out: the buffer by the knobs */
void rcv_begin(struct conn *c); /* its SYN comes next, or the answer to one */
void rcv_established(struct conn *c);
void rcv_clamp_set(struct conn *c, uint32_t octets); /* TCP_WINDOW_CLAMP of a connection */
void rcv_buf_set(struct conn *c, uint32_t buffer); /* SO_RCVBUF in Linux's measure: twice the text it is to hold */
uint8_t conn_wscale(const struct engine *e); /* the window scale that we offer */
uint16_t
conn_syn_wnd(const struct conn *c,
	     bool ts); /* what a SYN announces, never scaled (RFC 7323 2.2). ts: segments will carry timestamps */
uint32_t rcv_window(const struct conn *c); /* what a segment sent now would announce, octets (3.8.6.2.2) */
uint16_t rcv_wnd_field(struct conn *c); /* that, as the field of a segment that is sent; remembers it */

/* ---- rcv_sack.c: out of order ---- */
uint32_t rcv_runs_max(const struct la_config *cfg); /* room in conn.gaps */
void rcv_dsack(struct conn *c, struct run r); /* octets of r came again (RFC 2883): the next ACK says so */
void rcv_sack_blocks(const struct conn *c, struct tcp_opts *o); /* what the next segment says */
uint32_t conn_mss_beside_sacks(const struct conn *c);
/* The most text that fits beside the SACK blocks which the next segment has to carry. */
static inline uint32_t conn_mss_now(const struct conn *c)
{
	return c->n_gaps || c->dsack_due ? conn_mss_beside_sacks(c) : c->snd_mss;
}

/* ---- timeout.c: TIMER_RTX ---- */
bool snd_timeout(struct conn *c); /* it fired. False: that was the end, c may be gone */
void snd_start_rtx_timer(struct conn *c); /* a whole timeout from now on; of SYNs and window probes too */
void rtx_timer_set(struct conn *c, enum rtx_kind kind, uint64_t us); /* rounded up to a millisecond */
void rtx_timer_rearm(struct conn *c); /* RTX_RTO; nothing in flight: off */
int64_t rtx_left_us(const struct conn *c); /* something is in flight: when its timeout is over; below 0: was */

/* ---- rtt.c: RFC 6298 ---- */
void rtt_init(struct conn *c);
void rtt_sample(struct conn *c, uint32_t us);
void rtt_fall_back(struct conn *c); /* the handshake gave no sample (5.7) */
void rtt_min_sample(struct conn *c, uint32_t us);
uint32_t rtt_min_us(const struct conn *c); /* the least of the last five minutes; UINT32_MAX: none */
uint32_t rtt_rto_us(const struct conn *c); /* with its backoff, within engine.rto_min_ms and engine.rto_max_ms */

/* ---- timer.c ---- */
void timer_set(struct conn *c, enum tcp_timer which, nsec_t at);
void timer_stop(struct conn *c, enum tcp_timer which);
void timer_stop_all(struct conn *c);
void timer_fire(struct engine *e, struct wheel_timer *t); /* does what is due for its connection */
void timer_keepalive_start(struct conn *c); /* (re)starts TIMER_KEEP if SO_KEEPALIVE and the state want it */
void conn_time_out(struct conn *c,
		   int err); /* the end by EV_USER_TIMEOUT: edge TIMEOUT_* of its state. c may be gone */
bool conn_user_timed_out(
	const struct conn *c,
	uint32_t retries); /* RFC 9293 3.8.3 R2 as Linux counts it: retries times, or TCP_USER_TIMEOUT */

/* ---- listen.c: listeners and their queues (Linux's rules) ---- */
struct conn *listener_find(const struct engine *e, const struct tuple *t,
			   uint64_t hash); /* exact address first; SO_REUSEPORT groups by hash */
void listener_in(struct conn *l);
void listener_out(struct conn *l); /* resets the children in its queues */
void listener_child_born(struct conn *l, struct conn *c); /* c is in SYN_RECEIVED: c->listener, counts, queue */
void listener_child_aged(struct conn *c); /* its SYN+ACK is sent again; any other connection: nothing */
bool listener_accept_full(const struct conn *l);
bool listener_syn_full(const struct conn *l);
void listener_child_gone(struct conn *c); /* a child in SYN_RECEIVED or in the accept queue ends: counts and queue */
void listener_child_ready(
	struct conn *c); /* SYN_RECEIVED to ESTABLISHED: into the accept queue, LA_IN for the listener */

/* ---- secret.c: RFC 6528, 7323 5.4, 4987 ---- */
struct secret {
	seq_t iss; /* for a connection that begins now */
	uint32_t ts_offset; /* 0 with tcp_timestamps = 2 */
};
struct secret secret_of(const struct engine *e, uint64_t hash); /* of the four-tuple with this tuple_hash() */
static inline uint32_t ts_clock_ms(const struct engine *e) /* TSval without the offset */ { return e->now_ms; }
uint32_t secret_gap(const struct engine *e, const struct tuple *t); /* 0..65535 */
seq_t cookie_make(const struct engine *e, const struct tuple *t, const struct seg *syn, uint16_t *ret_mss);
bool cookie_check(const struct engine *e, const struct tuple *t, const struct seg *ack, uint16_t *ret_mss);
/* TSval, without the offset, that keeps the options of a SYN; and these of an echo of it, without the offset too. */
uint32_t cookie_timestamp(const struct engine *e, const struct seg *syn, bool ecn);
void cookie_options(uint32_t ts, struct seg *ret_syn);

/* ---- close.c: CLOSE, ABORT, shutdown (3.10.4, 3.10.5), orphans ---- */
void conn_close(
	struct conn *c); /* the application's handle is gone (is_open is false by now): FIN, RST or nothing, as Linux */
void conn_abort(struct conn *c, int err);
void conn_shutdown_write(struct conn *c); /* queues the FIN and changes the state */
void conn_linger_end(struct conn *c); /* TIMER_LINGER fired: c is an orphan from now on */
void conn_linger_moved(struct conn *c); /* conn_go() says so when c->lingering: it may have what it waited for */
void conn_linger_look(struct conn *c); /* has it? When the call that moved it ends */
void conn_fin_wait_2_timeout(
	struct conn *c); /* TIMER_KEEP fired for an orphan in FIN_WAIT_2: the rest of its time is a record's */
void conn_fin_wait_2_orphan(struct conn *c); /* an orphan is in FIN_WAIT_2: tcp_fin_timeout, TCP_LINGER2 */

/* ---- event.c ---- */
void event_raise(struct conn *c); /* readiness may have changed */
uint32_t event_ready(const struct conn *c); /* LA_IN | ... */
void event_lower(
	struct conn *c); /* the application has read, written or accepted: what is ready no more may be told again */

/* ---- info.c ---- */
void info_of(const struct conn *c, struct la_tcp_info *ret);

/* ---- opt_get.c, opt.c ---- */
bool opt_is_connected(const struct conn *c);
int64_t opt_defer_s(uint8_t repeats); /* how long a SYN+ACK that is sent again so often waits for its ACK */

/* ---- api.c ---- */
struct conn *sock_find(const struct engine *e,
		       la_sock s); /* NULL: no such socket, or one that la_close() was called for */
bool rcv_ended(const struct conn *c); /* nothing more will come: the peer's FIN was taken, or shutdown(RD) */
void sock_forget(
	struct
	conn *c); /* a connection that is over: the socket is as new, with its options, and its port if bind() named it */
void sock_adv_mss(struct conn *c); /* TCP_MAXSEG has changed */
int sock_autobind(struct conn *c); /* listen() without bind(): any port. -EADDRINUSE, -ENOBUFS */
