/* SPDX-License-Identifier: MIT */
/*
 * service.h - records of connections (model/conn.h) counted by service: one server address and port, seen from one side.
 * Each record costs O(1) and may be forgotten afterwards; memory is bounded by SERVICES_MAX. What the rules about closes
 * (diag/causes.def) need is kept, as counts and as samples of fixed size.
 */
#pragma once
#include "base/hash.h"
#include "base/rng.h"
#include "model/conn.h"

enum {
	SERVICES_MAX =
		1024, /* kept apart; then those of a few failed opens make room, else more are counted in dropped */
	SERVICE_SLOTS = 4 * SERVICES_MAX,
	SAMPLES = 128,
	TALKERS = 4,
	CLIENTS = 16,
	REQUEST_BUCKETS = 18, /* 0, 1, 2, 3-4, 5-8, ... */
};

/* Thresholds of signatures that are counted as records come. */
#define CLOSE_PROMPT (2 * NSEC_PER_MS) /* a close that belongs to the request before it */
#define CLOSE_IDLE (NSEC_PER_S / 2) /* one that belongs to a timer */
#define RST_PROMPT (100 * NSEC_PER_MS) /* a RST that belongs to the request before it */
#define FIN_THEN_RST (NSEC_PER_MS) /* both belong to one close() */

/* A random sample of a stream of durations, every one equally likely (reservoir sampling). */
struct samples {
	uint64_t seen;
	nsec_t v[SAMPLES]; /* the first min(seen, SAMPLES) are set, in no order */
};

/* The same of connections: when it began, when it was closed. */
struct span_samples {
	uint64_t seen;
	struct {
		nsec_t start, closed;
	} v[SAMPLES];
};

struct talker { /* a process, or a program, that opened or closed */
	struct conn_proc proc;
	uint64_t n; /* times, at most; 0: the row is free */
	uint64_t over; /* at least n - over */
};

/* Who opened, or closed: most frequent first, approximately. Live only. */
struct talkers {
	struct talker pid[TALKERS]; /* by process */
	struct talker comm[TALKERS]; /* by name: a program may have many processes */
};

struct client { /* a client's address */
	struct ip addr;
	uint64_t n; /* connections, at most */
	uint64_t over; /* at least n - over */
};

/*
 * What one side did when it was the first to close. Of fin, and their gaps: who began, by a FIN or by a TLS close_notify
 * before it (conn_closer()); everything else: who sent the first FIN or RST.
 */
struct closes {
	uint64_t fin, rst; /* connections closed first by this side, with a FIN, with a RST */
	uint64_t single; /* of fin: whole ones that had carried one request */
	uint64_t prompt; /* of fin: within CLOSE_PROMPT of the last data */
	uint64_t unused; /* of fin: no request at all */
	uint64_t unanswered; /* of fin and rst: a request stood without its whole answer */
	uint64_t fin_then_rst; /* of fin: its own RST followed within FIN_THEN_RST, not because of late data */
	uint64_t cut_short; /* of fin: plain HTTP, prompt, and the peer was still sending, which met a RST */
	uint64_t notified; /* of fin: by close_notify, and the other side was quicker to send a FIN or RST */
	uint64_t half_close; /* of fin: data came after it and were taken */
	uint64_t errors; /* of fin and rst: the newest answer was read, and is an error (400 and above) */
	uint16_t error; /* the status of most of them, approximately */
	int64_t error_lead; /* as server_lead */
	uint64_t rst_kind[N_RST_KINDS]; /* of rst */
	uint64_t rst_prompt; /* of rst: RST_CLEAN or RST_CUT within RST_PROMPT of the last data */
	struct samples rst_idle; /* of rst: idle time before a RST_CLEAN, above CLOSE_IDLE and nothing due */
	struct samples gap; /* of fin: idle time before it, connections with requests only */
	struct samples idle; /* those of gap above CLOSE_IDLE */
	struct samples after; /* live, of fin: time since the other side's last data, those above CLOSE_IDLE */
	struct samples
		ignored; /* of fin: how long the peer let it stand; not where half_close or late data, nor where the answer was still due */
	struct talkers by;
};

struct service {
	struct ip addr;
	uint16_t port;
	enum side local; /* SIDE_NONE: a capture */
	uint64_t netns; /* 0: a capture */

	uint16_t index; /* in services.v */
	uint16_t partner; /* index of the service of another namespace that has most of the other ends; see paired */
	int64_t paired; /* other ends there, less those elsewhere */

	uint64_t conns; /* records */
	uint64_t open; /* not ended when the source stopped */
	uint64_t closing; /* of those: one side has closed already */
	uint64_t whole; /* began and ended meanwhile: only they tell requests a connection */
	uint64_t silent; /* of whole: no data either way */
	uint64_t holes; /* the source lost parts of them */
	uint64_t failed, refused, no_port; /* opens that failed; of those: answered with a RST, EADDRNOTAVAIL */
	uint64_t no_syn; /* of failed: here, before a SYN was sent, not for want of a port */
	uint64_t timeouts; /* ended by nobody */
	uint64_t crossed; /* both FINs at once: a TIME_WAIT on each side */
	nsec_t grain; /* the coarsest of the records */
	struct talkers no_port_by; /* who got EADDRNOTAVAIL */
	struct talkers opener;
	struct closes closes[2]; /* by side */
	struct client client[CLIENTS]; /* most frequent first, approximately */

	/* requests a connection, over whole ones */
	uint64_t requests, requests_whole; /* sums, over all records, over whole ones */
	uint64_t by_requests[REQUEST_BUCKETS];
	uint32_t most; /* of one connection */
	uint64_t at_most; /* connections that carried just as many */
	uint32_t most_seen; /* of one connection, of those too that were seen in part: at least so many */

	/* what was said */
	uint64_t headers, tls, http2; /* connections whose headers could all be read, TLS, HTTP/2 */
	uint64_t ask_request, ask_request_10,
		ask_response; /* of headers: who asked for the close; HTTP/1.0 by default */
	char server[CONN_TOKEN], agent[CONN_TOKEN]; /* what most said, approximately; "" nobody */
	int64_t server_lead,
		agent_lead; /* how many more said so than anything else (Boyer and Moore's majority vote) */
	uint32_t keep_alive_s; /* as last announced */

	/* times */
	uint64_t retransmits;
	double life_s; /* sum over whole ones; divided by the window: how many were open on average */
	struct samples life; /* of whole ones */
	struct samples rtt;
	uint64_t idle_failed; /* idle times after which data met no socket, or silence */
	nsec_t idle_failed_min; /* the shortest of them */
	nsec_t idle_survived; /* the longest idle time after which data were answered */
	uint64_t stale; /* requests lost on a connection that the server had closed while it was idle */
	uint64_t
		late_alone; /* data that met the server's TIME_WAIT or FIN_WAIT_2: live, whether it had been idle is not known */
	struct span_samples spans; /* of whole ones that somebody closed */
};

struct services {
	struct service *v[SERVICES_MAX]; /* in the order they came; owned */
	size_t n;
	uint64_t conns; /* records handed over */
	uint64_t dropped; /* of those: of services past SERVICES_MAX */
	size_t hand; /* the next one in v that may have to make room */
	uint64_t lost; /* connections that the source could not hand over, as it says itself */
	uint64_t unseen; /* events of connections that it did not see: some of their details may be wrong */
	bool live; /* from BPF; else from captures */
	nsec_t from, to; /* the time looked at: set by services_window(), else first start and last end */
	uint64_t netns; /* of the first live record */
	struct pairs *pairs; /* there are records of other namespaces, too; owned */
	struct hash_key key;
	struct rng rng;
	uint16_t slot[SERVICE_SLOTS]; /* 1 + index; open addressing */
};

void services_init(struct services *s, uint64_t seed); /* the seed keys the table; a capture may be hostile */
void services_done(struct services *s);

/* Counts one record, in whatever order they come. 0 or -ENOMEM. */
int services_add(struct services *s, const struct conn *c);

/* The time that was looked at, where the source knows better than the records do. */
void services_window(struct services *s, nsec_t from, nsec_t to);
double services_window_s(const struct services *s);

/* "10.0.0.2:80", with " as seen by its clients" and the like for live ones on the client's side. */
struct service_text {
	char s[96];
};
struct service_text service_text(const struct service *s);

/*
 * The other end of the same connections, which it has nearly all of: in the same namespace of this host known by the address,
 * in another by pairs of records. What a server's end has may come from many of its clients: then none of them is its other end,
 * while it is theirs. NULL: not seen.
 */
const struct service *services_other_end(const struct services *s, const struct service *v);

/*
 * The program that certainly did it in more than half of `of` cases, with its pid if one process did it in at least half.
 * comm "": nobody did, or it is not known; pid 0: several processes.
 */
struct conn_proc talkers_most(const struct talkers *t, uint64_t of);

/* Records closed first by somebody. */
uint64_t service_closed(const struct service *s);

/* How many connections the most frequent client address certainly made. */
uint64_t service_top_client(const struct service *s);

/* Whole connections that carried at least one request. */
uint64_t service_used(const struct service *s);

/* Requests a whole connection, on average. 0 when there are none. */
double service_mean_requests(const struct service *s);

/* ---- samples ---- */

void samples_add(struct samples *s, nsec_t v, struct rng *rng);
size_t samples_n(const struct samples *s);

/* Sorts into ret; returns how many. */
size_t samples_sorted(const struct samples *s, nsec_t ret[SAMPLES]);

/* The p-th quantile, 0 <= p <= 1. 0 when there are none. */
nsec_t samples_quantile(const struct samples *s, double p);

/* The greatest share of closes within any stretch of this length. 0 when there are none. */
double spans_densest(const struct span_samples *s, nsec_t length);

/* How far the middle four fifths of the closes lie apart. */
nsec_t spans_spread(const struct span_samples *s);

/*
 * The share of connections that began after the first tenth had been closed: about 0.9 when closed ones are replaced,
 * 0 when all were opened first and closed later.
 */
double spans_replaced(const struct span_samples *s);
