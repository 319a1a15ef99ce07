/* SPDX-License-Identifier: MIT */
/* causes.h - private to diag/: the causes' declarations, made from causes.def, and what several of them need. */
#pragma once
#include "base/text.h"
#include "diag/cause.h"
#include "diag/rules.h"
#include "diag/software.h"

/* What a cause sees. */
struct scene {
	const struct services *all;
	const struct service *v;
	const struct service *other; /* the other end of the same connections; NULL: a capture, or not on this host */
	double window_s;
	uint64_t used; /* whole connections with at least one request */
	uint64_t closed; /* connections that somebody closed */
	uint64_t begun[2]; /* closed first by that side with a FIN; those without any request not counted */
	uint32_t unit; /* exchanges that one request takes, at most: more than 1 where a handshake may be among them */
	uint64_t single; /* of used: those with one request of so many exchanges */
	bool may_be_tls; /* a handshake would be among the exchanges, and what came after a FIN may have been an alert */
	bool hides_idle[2]; /* by side: may_be_tls, and its closes follow the other's last data as a timer does */
	bool mass; /* closed together, and not replaced: a program ended */
	double replaced; /* spans_replaced() */
	struct program program[2]; /* by side: who closes, else who opens */
	struct program opener; /* where the server closed: clients that close first may be others */
	size_t found; /* verdicts on this service so far */
	struct findings *out;
};

struct cause {
	struct rule rule; /* eval is NULL: a cause judges a service, not a namespace */
	const char *verdict;
	bool last; /* judges what the others left */
	const char *lacks; /* what it argues from not having seen; NULL: nothing. A source with losses tells little */
	void (*judge)(const struct cause *self, struct scene *c);
};

#define CAUSE(id, verdict) extern const struct cause cause_##id;
#include "diag/causes.def"
#undef CAUSE

enum {
	N_MIN = 10, /* fewer connections tell nothing */
	N_SURE = 50, /* fewer are never more than medium */
};
#define PER_REQUEST_SHARE 0.9 /* of connections with one request: signatures.md R4, R6 */
#define CLOSER_SHARE 0.6 /* of first FINs by one side */

/* Of connections with parts that were not seen: what is there is doubted, what is not there says next to nothing. */
#define HOLES_SHARE 0.05
#define HOLES_MANY 0.1

static inline bool is_share(uint64_t part, uint64_t whole, double least)
{
	return whole && (double)part >= least * (double)whole;
}

/*
 * A new finding about this service, confidence high, or medium below N_SURE. n: the connections that were judged; blame: whose
 * process is named, where it is known.
 */
struct finding *cause_found(struct scene *c, const struct cause *self, enum side blame, uint64_t n);

/* The client that opened most is meant, not the one that closed most. */
void cause_blame_opener(struct finding *f, const struct scene *c);

/* Lowers the confidence to at most `at_most` and says what would raise it; the first such word stands. */
void cause_doubt(struct finding *f, enum confidence at_most, const char *raise);

/* Says so if errors were the newest answers before at least half of the server's closes. false: no, or it was not read. */
bool cause_errors(struct finding *f, const struct scene *c);

/* Closes that belong to the request before them. Where the machine is busy half of them may come later than CLOSE_PROMPT. */
#define CLOSE_LATE (50 * NSEC_PER_MS)
static inline bool closes_at_once(const struct closes *k, uint64_t of)
{
	return is_share(k->prompt, of, 0.5) || (k->gap.seen && samples_quantile(&k->gap, 0.5) <= CLOSE_LATE);
}

/* Nine in ten connections carry one request (of c->unit exchanges). */
bool is_per_request(const struct scene *c);

/*
 * Through TLS, live, close_notify comes between an idle time and the FIN, and may hide it; but a timer follows the
 * other side's last data by the same time on every connection.
 */
bool hides_idle(const struct scene *c, enum side side);

/* TLS as a rule: the IANA registry, and what is usual. A hint, no proof. */
bool is_tls_port(uint16_t port);

struct cause_text {
	char s[128];
};
struct cause_text gap_text(nsec_t t); /* "2.00 s", "65 ms", "4 us" */
struct cause_text rate_of(const struct scene *c, uint64_t n); /* "12/s"; "" when no time is known */
struct cause_text closer_text(const struct scene *c,
			      enum side side); /* "nginx[812]", "the server (Server: nginx)", "the server" */
