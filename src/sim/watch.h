/* SPDX-License-Identifier: MIT */
/*
 * watch.h - looks over the engines' shoulders: every change of state they trace, every segment that leaves or arrives.
 *
 * For each four-tuple of each host there is a shadow, with the state the connection must be in and the numbers it may
 * use; for each connection there ever was, an incarnation, which tells later where octets came from and how it ended. Knows
 * nothing of an engine but what it is told, so a test can tell it lies.
 */
#pragma once
#include "engine/fsm.h"
#include "sim/spans.h"
#include "sim/verdict.h"
#include "wire/packet.h"

enum { HOSTS_MAX = 6, SHADOWS_MAX = 4096, INCARNATIONS_MAX = 4096, FRESH_MAX = 64 };
enum { ENDED_NOT = N_EDGES, ENDED_RESTART, ENDED_LOST, N_ENDS }; /* beside edges; LOST: reopened in vain */

struct watch_rules { /* of one host; what its knobs say */
	nsec_t tw_len; /* NSEC_NEVER: not known, not checked */
	nsec_t reuse_delay;
	unsigned tw_reuse; /* tcp_tw_reuse */
	bool rfc1337, recycles; /* engine.tw_full = recycle-oldest */
	uint16_t port_low, port_high;
	nsec_t rto_min;
	bool shrinks; /* tcp_shrink_window */
	bool reneges; /* tcp_mem is so low that what was received may be dropped */
};

/* One connection at one host, from its first state to its last. Number 0 is nobody. */
struct incarnation {
	uint32_t before; /* on the same four-tuple of the same host; 0: none */
	uint32_t peer; /* at the other host: who sent the SYN that this one knows; 0: not known (yet) */
	uint32_t mate; /* the first at the other host that was established with this one's SYN; 0: none */
	uint32_t flow; /* the application's, number + 1; 0: none */
	uint32_t shadow;
	seq_t iss, irs;
	bool has_iss, has_irs;
	bool passive; /* came from a listener */
	bool by_cookie; /* made by the ACK of a SYN cookie, which knows no earlier connection: it may be an old one */
	bool cookie_twice; /* a cookie it had made two connections of its one, the second after the first was gone */
	bool passive_close; /* the peer's FIN came before our close */
	bool had_time_wait;
	unsigned ended_by, tw_ended_by; /* an edge, or ENDED_ */
	uint8_t host;
};

struct data_shadow { /* of the data path */
	struct spans arrived, told; /* octets from the IRS on; told: by SACK, beyond what was acknowledged */
	bool asked_out, asked_in, agreed_out, agreed_in; /* for ECN, by SYN and SYN+ACK */
	bool ce_in, echo_due; /* CE came; and no CWR since */
	bool has_ts;
	uint32_t newest_ts; /* of what came: older ones may be dropped (RFC 7323 5) */
	bool heard; /* anything, since text was sent */
	uint8_t first_flight; /* segments of text before that */
	uint8_t beyond; /* new segments beyond the congestion window since anything was heard */
	uint32_t again; /* times that the same octets went again in a row, and nothing came */
	seq_t again_seq;
	nsec_t again_at, again_gap;
	uint64_t again_icmp; /* ICMP errors that had come to the host by then: one may tell of a narrower link */
};

struct shadow { /* of a four-tuple at a host */
	uint32_t epoch; /* 0: free, else only valid in that run */
	uint32_t inc, tw_inc;
	struct la_endpoint local, remote;
	uint8_t host, live; /* enum state, without TIME_WAIT */
	bool time_wait;
	bool reopening; /* a SYN took a TIME_WAIT over, and the record's own edge is still to come */
	bool fin_out; /* this incarnation's FIN was on the wire */
	bool has_right, has_adv, has_rcv;
	bool scaled_in, scaled_out; /* the SYN that came, that went had a window scale option */
	bool scale_unknown; /* made by the ACK of a cookie, and the other end has gone on */
	uint8_t scale_in, scale_out; /* for windows that come, that we announce */
	seq_t sent; /* one past the highest number sent */
	seq_t right; /* the peer lets us send up to here */
	seq_t rcv; /* one past the highest number that arrived */
	seq_t adv; /* the right edge we announced, at its furthest */
	seq_t adv_last; /* and in the last segment: before the other where tcp_shrink_window allows it */
	seq_t tw_sent; /* one past what the connection in TIME_WAIT, or the last one there, had sent */
	bool took_over; /* this incarnation began out of that TIME_WAIT */
	/* Of the host's clock: when it entered TIME_WAIT, and when the peer's FIN last came again; the length counts from then. */
	nsec_t tw_entered_at, tw_at;
	bool fin_again, fin_has_ts; /* it came in the call under way, with that timestamp */
	uint32_t fin_ts;
	seq_t fin_past; /* one past it */
	struct data_shadow data;
};

/* What was seen at one host since its engine was made. */
struct seen {
	uint64_t edge[N_EDGES];
	uint64_t in, in_bad_ip, in_other, in_icmp, in_tcp_bad, in_bad_csum, in_tcp;
	uint64_t in_ecn[4]; /* packets by their ECN field */
	uint64_t out, out_rst, out_syn_ack_again;
	uint64_t attempt_fails; /* as Linux counts: a passive handshake that times out does not */
	uint64_t passive_estab; /* F5_09 of connections from a listener */
	uint64_t records_ended;
};

enum input_kind { IN_NONE, IN_TCP, IN_FORGED, IN_DAMAGED, IN_ICMP };

struct watch {
	struct verdict *v;
	void (*log)(void *arg, nsec_t at, unsigned host, const char *line); /* what is seen; NULL: nobody reads it */
	void *log_arg;
	uint32_t epoch;
	uint32_t n_shadows, n_incs, n_fresh;
	struct watch_rules rules[HOSTS_MAX];
	struct seen seen[HOSTS_MAX];
	uint64_t hash; /* of everything told */
	uint64_t edges[N_EDGES]; /* taken, by all hosts */
	uint64_t ends[N_ENDS]; /* how connections ended */
	uint64_t tw_ends[N_ENDS];
	/* what an engine is handling now */
	enum input_kind in_kind;
	unsigned in_host;
	nsec_t in_at; /* host's clock */
	const struct seg *in;

	const char *edge_name[256]; /* cache: the names' addresses, for edge_of() */
	uint8_t edge_number[256];
	uint32_t fresh[FRESH_MAX]; /* shadows that entered TIME_WAIT, or began it again, in the call under way */
	struct incarnation inc[INCARNATIONS_MAX];
	uint32_t slot[2 * SHADOWS_MAX]; /* hash table: number of a shadow + 1 with the epoch above it */
	struct shadow shadow[SHADOWS_MAX];
};

/* mem was zeroed once, or used by watch_init() before. */
void watch_init(struct watch *w, struct verdict *v);
void watch_learn(struct watch *w, unsigned host, const struct la_engine *e); /* its rules, from its knobs */
void watch_edge(struct watch *w, unsigned host, const struct la_trace *t);
void watch_out(struct watch *w, unsigned host, const struct seg *g);
/* An engine is handed a segment (s only for IN_TCP and IN_FORGED); all it does until watch_in_end() is its answer. */
void watch_in_begin(struct watch *w, unsigned host, nsec_t at, enum input_kind kind, const struct seg *s);
void watch_in_end(struct watch *w);
void watch_fin_again(struct watch *w, struct shadow *s, const struct seg *g); /* watch_in_end()'s */
void watch_restarted(const struct watch *w, struct shadow *s, const struct la_time_wait *tw); /* watch_settle()'s */
void watch_data_out(struct watch *w, struct shadow *s,
		    const struct seg *g); /* watch_out()'s, before the shadow learns of it */
void watch_data_in(struct watch *w, struct shadow *s, const struct seg *g); /* watch_in_end()'s */
/* After every call: are those that entered TIME_WAIT in the store? */
void watch_settle(struct watch *w, unsigned host, const struct la_engine *e);
void watch_restart(struct watch *w, unsigned host); /* its memory is lost */
void watch_rest(struct watch *w); /* all is over: is every connection? */

/* NULL: never seen. */
struct shadow *watch_find(struct watch *w, unsigned host, const struct la_endpoint *local,
			  const struct la_endpoint *remote);
/* Did this connection and its TIME_WAIT come to an end that keeps old octets out? */
bool watch_was_protected(const struct watch *w, uint32_t inc);
/* All ports of the host's range are taken towards this peer: live, or TIME_WAIT. */
bool watch_ports_taken(const struct watch *w, unsigned host, const struct la_endpoint *remote);
/* The shift of a SYN's window scale option (RFC 7323 2.3); 0 if it has none. */
static inline uint8_t watch_scale(const struct seg *s)
{
	return (uint8_t)(!s->opts.has_wscale ? 0 : s->opts.wscale > 14 ? 14 : s->opts.wscale);
}

void watch_mix(struct watch *w, uint64_t x); /* into the hash */
struct la_endpoint watch_endpoint(const struct addr *a, uint16_t port);
