/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connection, or one socket that is none yet: the TCB of RFC 9293 3.3.1. Private to engine/ and its tests.
 *
 * A block comes from a pool and is known by number. The application's handle is number and generation. A connection
 * that nobody holds (is_open false) is an orphan; in TIME_WAIT, and as an orphan in FIN_WAIT_2, it has no block at all.
 *
 * Sequence space of our octets:    snd_una .. snd_nxt .. snd_end [FIN]     snd_una <= snd_nxt <= snd_end + fin_queued
 * and of the peer's:               rcv_read .. rcv_nxt .. gaps .. rcv_read + receive buffer
 * Buffers are rings indexed by sequence number: octet x of ours is at snd_buf[(x - iss - 1) & mask].
 */
#pragma once
#include "base/link.h"
#include "engine/binds.h"
#include "engine/cc.h"
#include "engine/ecn.h"
#include "engine/fsm.h"
#include "engine/lastack.h"
#include "engine/recovery.h"
#include "engine/twstore.h"
#include "engine/wheel.h"
#include "wire/packet.h"

enum tcp_timer {
	TIMER_RTX, /* one of those of timeout.c */
	TIMER_DELACK,
	TIMER_KEEP, /* keepalive, or FIN_WAIT_2 of an orphan with tcp_fin_timeout above 60 */
	TIMER_LINGER, /* a close() that waits */
	N_TIMERS
};

enum ack_pending {
	ACK_SCHEDULED = 1, /* something came: there will be an ACK */
	ACK_PUSHED = 2, /* a segment that was not full, or with PSH: the last of a write? */
	ACK_PUSHED_TWICE = 4,
	ACK_NOW = 8
};

struct run { /* octets from .. to - 1 */
	seq_t from, to;
};

enum { EOR_MAX = 16 }; /* records of MSG_EOR that wait to be sent */

struct sockopts {
	bool reuseaddr, reuseport, keepalive, nodelay, no_port /* IP_BIND_ADDRESS_NO_PORT */, linger;
	uint8_t syn_retries; /* TCP_SYNCNT; 0: the knob */
	uint8_t keep_probes; /* 0: the knob */
	uint8_t defer; /* TCP_DEFER_ACCEPT as times a SYN+ACK is sent again; 0: not */
	int32_t linger_s;
	int32_t linger2_s; /* TCP_LINGER2: 0: the knob, below 0: no FIN_WAIT_2 */
	uint32_t keep_idle_s, keep_intvl_s; /* 0: the knob */
	uint32_t user_timeout_ms; /* 0: none */
	uint32_t port_range; /* low | high << 16, 0 for either: the knob's */
	uint32_t owner;
	uint16_t maxseg; /* TCP_MAXSEG; 0: from the MTU */
	uint8_t tos, ttl; /* IP_TOS, IP_TTL; ttl 0: 64 */
	const struct cc_ops *cc; /* TCP_CONGESTION; NULL: the knob */
	bool cork, inq; /* TCP_CORK, TCP_INQ */
	uint8_t pmtudisc; /* IP_MTU_DISCOVER; la_socket() begins with LA_PMTUDISC_WANT */
	uint32_t sndbuf, rcvbuf; /* SO_SNDBUF, SO_RCVBUF as Linux keeps them, doubled; 0: never set */
	uint32_t rcvlowat; /* SO_RCVLOWAT; 0: 1 */
	uint32_t notsent_lowat; /* TCP_NOTSENT_LOWAT; 0: the knob */
	uint32_t window_clamp; /* TCP_WINDOW_CLAMP; 0: none */
};

enum chrono { CHRONO_NONE, CHRONO_BUSY, CHRONO_RWND, CHRONO_SNDBUF, N_CHRONOS }; /* chrono.h */

enum attach { UNATTACHED, ATTACHING, ATTACHED }; /* connect() not called or failed; under way; it said 0 */

struct engine;

struct conn {
	/*
	 * What the way of a segment reads and writes most stands first: up to 127 octets from the beginning an instruction is three octets
	 * shorter, and these are two lines of the cache. (More about some of them where their like are, below.)
	 */
	struct link out_link; /* something to send */
	struct engine *eng; /* the two above all: conn_clear() begins behind them */
	struct tuple t;
	uint64_t hash; /* tuple_hash() of t */
	enum state state; /* written by conn_go() only */
	seq_t snd_una, snd_nxt, iss;
	seq_t snd_end; /* one past the last octet the application gave us */
	seq_t rcv_nxt;
	seq_t rcv_read; /* next octet the application reads */
	uint32_t ts_recent, ts_offset;
	uint32_t ev_seen; /* readiness at the last la_event() */
	bool is_open,
		lingering; /* is_open: the application has a handle. lingering: but la_close() returned -EINPROGRESS, and no call takes it */
	bool is_v6, ts_ok, sack_ok; /* ts_ok, sack_ok, wscale_ok: both ends do it; a SYN offers what the knobs say */
	bool syn_acked; /* our SYN is acknowledged (snd_acked()): before, only SYN, ACK and RST are sent */
	bool fin_queued; /* CLOSE or shutdown(): our FIN follows snd_end */
	bool fin_sent; /* at least once: snd_nxt is past it */
	bool ack_due, syn_due, probe_due, keepalive_due; /* what the next segment is for; out.c clears them */
	bool has_rcv_fin;
	uint8_t ack_pending, quick, pingpong; /* when to acknowledge, below */
	uint8_t rcv_wscale, backoff;
	uint16_t rcv_mss, snd_mss, adv_mss;

	/* Send sequence variables. */
	seq_t snd_wl1, snd_wl2;
	uint32_t snd_wnd, max_snd_wnd; /* octets, scaled */
	/* nagle.c: */
	seq_t snd_sml; /* one past the last segment that was sent short */
	seq_t pushed_seq; /* one past the last octet marked with PSH */
	seq_t burst_from, burst_end; /* what goes out as one packet of Linux would */
	nsec_t burst_at;
	seq_t packet_from; /* where the last one in the buffer begins */
	/* Receive sequence variables. */
	seq_t irs;
	seq_t rcv_adv; /* right edge we announced: never moves left (SHLD-14), but for tcp_shrink_window. RCV.NXT may be past it (seg_other.c) */
	seq_t last_ack_sent; /* RFC 7323 4.3 */
	seq_t seg_seq; /* SEG.SEQ of the segment in hand as it came, before what is old was cut off: compared with the former */
	seq_t rcv_fin; /* where the peer's FIN is, if has_rcv_fin */
	/* How much the peer may send (rcv_wnd.c, rcv_tune.c), octets of text. */
	uint32_t rcv_full; /* what may be buffered: at most the ring */
	uint32_t rcv_clamp; /* what may be announced; and at present: */
	uint32_t rcv_ssthresh;
	uint32_t rcv_held; /* in the ring, in order and not: this connection's part of engine.rcv_held */
	uint16_t syn_wnd; /* what our SYN announced */
	uint16_t wnd_field; /* what the last segment announced, when the application had read so far: */
	seq_t wnd_read;
	uint32_t drs_space; /* octets the application took in one round trip */
	seq_t drs_seq; /* measured since it had read so far, */
	nsec_t drs_at; /* at this time */
	uint32_t rcv_rtt_us8; /* the receiver's estimate, times eight; 0: none */
	uint32_t rcv_rtt_tsecr; /* the echo that was used for it last */
	seq_t rcv_rtt_seq; /* without echoes: the window that began then ends here */
	nsec_t rcv_rtt_at;
	nsec_t ts_recent_at;

	/* Flags, each true or false for long. */
	bool passive; /* came from a listener */
	bool is_orphan; /* counted in n_orphans: close.c sets it when the handle goes and the connection stays; conn.c clears it */
	bool port_chosen, port_bound; /* how lport was got: ports.h or binds.h */
	bool wscale_ok, rcv_shutdown;
	bool connected_once; /* reached ESTABLISHED */
	uint8_t snd_wscale;
	bool of_cookie; /* the timestamp that the first ACK echoes was made for a cookie: it measures nothing */
	uint16_t pmtu; /* of the path: the link's, or less */
	bool pmtu_locked; /* it is narrower still: without DF */
	nsec_t pmtu_until; /* 0: it is the link's */
	uint16_t mss_clamp; /* the peer's MSS option, at most ours */

	bool more; /* MSG_MORE on the last send */
	bool push; /* what is unsent goes, corked or not: TCP_NODELAY was set, or the buffer is full */
	bool pushed; /* the last octet in the buffer carries PSH */
	bool push_inside; /* and so does the one before push_at, within a long write */
	seq_t push_at;
	/* When to acknowledge (rcv_ack.c, Linux's icsk_ack). */
	/* ack_pending: of enum ack_pending; 0: nothing came that no ACK was sent for. quick: so many ACKs at once before they begin to wait.
	 * pingpong: answers sent with the ACK on them, in a row. */
	uint16_t ato_ms; /* how long an ACK may wait; 0: no text came yet */
	uint16_t last_seg_size;
	bool probing; /* TIMER_RTX probes a closed window, since unacked_since */

	/* Round trip and retransmission, RFC 6298. Microseconds. */
	uint64_t srtt8_us, mdev4_us, mdev4_max_us,
		rttvar_us; /* eight and four times what they say; rttvar: four times RTTVAR */
	uint32_t rto_us;
	seq_t rtt_seq; /* a round of samples is over when this is acknowledged */
	bool syn_timed; /* our SYN was sent at syn_at, once */
	nsec_t syn_at;
	uint8_t rtx_kind; /* enum rtx_kind */
	uint8_t rexmits, probes, keep_sent; /* rexmits: of the same segment, in a row */
	nsec_t unacked_since; /* when the first of these rexmits, or of the window probes, was sent: R2 and the user timeout count from it (Linux) */
	nsec_t last_sent_at, last_rcv_at, last_ack_at; /* data sent, data received, any segment received */
	tw_id tw_place; /* twstore_place() when our FIN was sent */

	/* What is in flight, how it gets there after all, and how much of it may be. */
	struct board board;
	struct recovery rec;
	struct ecn ecn;

	/* Received out of order: runs, in order and apart from each other; the octets are in the ring already (rcv_sack.c). */
	uint16_t n_gaps;
	uint8_t n_recent, n_eor; /* of recent, of eor */
	bool dsack_due;

	uint64_t user;

	/* A listener: */
	uint32_t n_accept, n_syn; /* in the queue; children in SYN_RECEIVED */
	uint32_t n_young; /* of these, those that never retransmitted their SYN+ACK */
	int32_t backlog; /* min(listen(), somaxconn) */
	/* A child until it is accepted: */
	bool is_young; /* counted in its n_young */
	bool is_deferred; /* TCP_DEFER_ACCEPT: our SYN is acknowledged, but its text has not come */
	struct conn *listener; /* NULL: accepted, or it was an active open, or the listener is gone */

	bind_id bind; /* BIND_NONE: none */
	bool bind_any; /* its bucket is that of any address */
	enum bind_class bind_class;
	struct sockopts opt;
	int32_t so_error; /* positive errno, cleared by reading */
	int32_t soft_error; /* what ICMP said last: a timeout reports it in place of ETIMEDOUT (RFC 5461; Linux's sk_err_soft); 0: nothing */
	uint32_t syn_tsval; /* TSval of our first SYN: an echo of an older one is not of this connection (PAWSActive) */

	enum attach attach; /* the handle's side of the story (Linux's sock->state); accepted: ATTACHED */
	bool addr_bound; /* bind() named an address: connect() goes from it */
	bool port_locked; /* bind() named the port: a socket that ended keeps it until close() (Linux: SOCK_BINDPORT_LOCK) */
	la_sock linger_sock; /* lingering: the handle it had */
	bool linger_over; /* that ended: an orphan or CLOSED, kept in e->events until LA_LINGERED is told */

	bool has_tw_saved; /* reopened from a record: engine.tw_restore */

	/* For TCP_INFO. */
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans;
	uint32_t rcv_ooo; /* segments that came out of order */
	uint16_t total_rto, rto_recoveries; /* timeouts, and how many were the first of a row */
	uint64_t rto_ns; /* how long these rows took; the present one began */
	nsec_t rto_at; /* 0: there is none */
	uint64_t chrono_ns[N_CHRONOS];
	nsec_t chrono_at; /* the present one began */
	uint8_t chrono; /* enum chrono */
	bool no_space; /* the last la_send() did not take all */

	struct cc cc; /* the last that conn_clear() clears, up to cc.cubic, which is the algorithm's to clear */

	/* Written before they are read, for something above says whether they hold anything. */
	seq_t eor[EOR_MAX]; /* ends of records not yet sent, in order: n_eor */
	seq_t recent[SACK_BLOCKS_MAX]; /* an octet of each of the runs that grew last, the last first: n_recent */
	struct run dsack; /* what came twice, if dsack_due */
	struct rtt_at {
		uint32_t us;
		nsec_t at;
	} min_rtt[3]; /* rtt.c; srtt8_us */
	struct tw_rec tw_saved; /* has_tw_saved: the record */
	/* In LISTEN: */
	struct link accept_queue; /* ESTABLISHED and later, not yet accepted */
	struct link syn_queue; /* children in SYN_RECEIVED, by queue_link too */
	struct link listen_link; /* table of listeners */

	nsec_t timer_at[N_TIMERS]; /* NSEC_NEVER: off */

	/* What the engine has linked this into, if anything. A block that is given out is in none. */
	struct wheel_timer timer; /* at the earliest of timer_at, or earlier */
	struct link hash_link; /* in the table of connections (CLOSED and LISTEN: in none) */
	struct link event_link; /* something came up */
	struct link queue_link; /* listener's accept queue, or the engine's free list */

	/* Fixed to the block: rings, and room for rcv_runs_max() runs. */
	uint8_t *snd_buf, *rcv_buf;
	struct run *gaps;
	struct sent *sent; /* the scoreboard's ring: engine.sent_slots */
	la_sock handle; /* its number and generation: the present holder's, or the last one's */
};
