/* SPDX-License-Identifier: MIT */
/* Connections that are reused, but not for long: a small pool (signatures.md R7), a cap on requests (R8). */
#include "diag/causes.h"

enum { POOL_N_MIN = 20, POOL_MOST_MIN = 3 };
#define POOL_FEW_SHARE 0.2 /* of connections with one request or none */
#define POOL_MOST_TO_MEAN 3.0 /* a pool's lucky ones carry many times the mean; sessions of a kind do not */
#define POOL_REPLACED 0.5 /* of connections opened after others were closed: else a program ended */
#define POOL_CLIENT_SHARE 0.8 /* of connections by one address: many clients have many pools */

static void judge_KA004(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	uint64_t few = v->by_requests[0] + v->by_requests[1], fins = v->closes[SIDE_CLIENT].fin;
	double mean = service_mean_requests(v);
	struct finding *f;

	if (v->whole < POOL_N_MIN || c->mass || v->http2 || !is_share(fins, c->closed, CLOSER_SHARE) ||
	    !is_share(few, v->whole, POOL_FEW_SHARE) || v->most_seen < POOL_MOST_MIN ||
	    v->most_seen < POOL_MOST_TO_MEAN * mean || c->replaced < POOL_REPLACED ||
	    samples_quantile(&v->closes[SIDE_CLIENT].gap, 0.5) > CLOSE_IDLE ||
	    !is_share(service_top_client(v), v->conns, POOL_CLIENT_SHARE))
		return;
	f = cause_found(c, self, SIDE_CLIENT, v->whole);
	SAY(f->what, "%s keeps connections but closes %s of them after one request or none%s: its pool is too small",
	    closer_text(c, SIDE_CLIENT).s, percent_text((double)few, (double)v->whole).s, rate_of(c, v->whole).s);
	SAY(f->evidence,
	    "client closed first in %s of %s (>= 60 %%); one request or none in %s (>= 20 %%) but up to %u in one, >= 3 "
	    "and >= 3 x the mean %.1f; %.0f %% opened after others were closed (>= 50 %%)",
	    num(fins).s, num(c->closed).s, num(few).s, v->most_seen, mean, c->replaced * 100);
	if (c->window_s > 0)
		append(f->evidence, sizeof(f->evidence), "; %.0f open on average", v->life_s / c->window_s);
	cause_doubt(f, CONF_MEDIUM, "one program at a time (--pid, --comm), or its pool's setting");
	remedy_settings(f, CURE_POOL, c->program[SIDE_CLIENT]);
}

const struct cause cause_KA004 = {
	.rule = {.id = "KA004",
		 .title = "the client's pool is too small",
		 .never = {"a longer keep-alive timeout does not help: surplus connections are closed at once"}},
	.verdict = "CLIENT_POOL_TOO_SMALL",
	.judge = judge_KA004,
};

/* ---- a cap ---- */

enum { CAP_BLIND_MIN = 4, CAP_MEDIUM_MIN = 20, CAP_CHEAP = 100 };
#define CAP_SHARE 0.5
#define CAP_SERVER_SHARE 0.3
enum {
	HANDSHAKE_MOST = 2
}; /* exchanges of a TLS handshake: 1.3 and resumed 1.2 one, 1.2 two, and 1.3 two if tickets come apart */

/* How many requests that may be, which came as n exchanges. */
struct cap {
	uint32_t n, least, most;
};

/* People set round numbers. */
static bool is_usual(uint32_t n, struct program p)
{
	return likely_requests(n, p).s[0] || (n >= 10 && n % 10 == 0) || (n >= 25 && n % 25 == 0) ||
	       (n >= 16 && (n & (n - 1)) == 0);
}

static struct cap cap_of(const struct scene *c)
{
	uint32_t n = c->v->most, handshake = c->may_be_tls ? HANDSHAKE_MOST : 0;
	struct cap r = {n, 0, 0};

	for (uint32_t k = n - handshake; handshake && k <= n; k++) {
		if (!is_usual(k, c->program[SIDE_SERVER]))
			continue;
		r.least = r.least ? r.least : k;
		r.most = k;
	}
	if (!r.most) {
		r.least = n - handshake;
		r.most = n;
	}
	return r;
}

/* What was counted, where it may not be requests. */
static void say_handshake(struct finding *f, const struct scene *c, struct cap cap)
{
	bool known = cap.least == cap.most && likely_requests(cap.most, c->program[SIDE_SERVER]).s[0];

	if (cap.least == cap.n && c->may_be_tls && is_tls_port(c->v->port))
		cause_doubt(f, CONF_MEDIUM, "lastack pcap, which tells TLS handshakes from requests");
	if (cap.least == cap.n)
		return;
	append(f->what, sizeof(f->what), "; %u exchanges, of which a TLS handshake takes 1 or 2", cap.n);
	cause_doubt(f, known ? CONF_MEDIUM : CONF_LOW, "lastack pcap, which tells TLS handshakes from requests");
}

static void judge_KA005(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	uint32_t n = v->most;
	bool told = is_share(v->headers, v->whole, 0.5);
	const struct closes *k = &v->closes[SIDE_SERVER];
	bool said = told && is_share(v->ask_response, v->headers, 0.5);
	struct likely as;
	struct cause_text number;
	struct finding *f;
	struct cap cap;

	if (c->used < N_MIN || v->http2 || c->hides_idle[SIDE_SERVER] || n < (told ? 2 : CAP_BLIND_MIN) ||
	    !is_share(v->at_most, c->used, CAP_SHARE) ||
	    (!said && (!is_share(k->fin, c->closed, CAP_SERVER_SHARE) || !closes_at_once(k, k->fin))))
		return;
	cap = cap_of(c);
	as = likely_requests(cap.most, c->program[SIDE_SERVER]);
	SAY(number.s, "%u", cap.least);
	if (cap.least < cap.most)
		append(number.s, sizeof(number.s), "-%u", cap.most);
	f = cause_found(c, self, SIDE_SERVER, c->used);
	f->severity = SEV_INFO;
	SAY(f->verdict, "%s %s", self->verdict, number.s);
	SAY(f->what, "%s closes after %s requests%s%s", closer_text(c, SIDE_SERVER).s, number.s,
	    rate_of(c, v->at_most).s, cap.least < cap.most ? "" : as.s);
	if (cap.least >= CAP_CHEAP)
		append(f->what, sizeof(f->what), "; that costs little: a new connection for every %s requests",
		       number.s);
	say_handshake(f, c, cap);
	SAY(f->evidence,
	    "%s of %s connections carried exactly %u %s (%s >= 50 %%) and none more; server closed first in %s of "
	    "%s (>= 30 %%), at once%s",
	    num(v->at_most).s, num(c->used).s, n, v->local == SIDE_NONE ? "requests" : "exchanges",
	    percent_text((double)v->at_most, (double)c->used).s, num(k->fin).s, num(c->closed).s,
	    said ? ", and said Connection: close" : "");
	if (!told)
		cause_doubt(f, !as.s[0] && n < CAP_MEDIUM_MIN ? CONF_LOW : CONF_MEDIUM,
			    "readable headers: a session of some protocol may always take as many exchanges");
	remedy_settings(f, CURE_CAP, c->program[SIDE_SERVER]);
}

const struct cause cause_KA005 = {
	.rule = {.id = "KA005",
		 .title = "the server closes after a number of requests",
		 .never = {"a cap of 100 or more costs little: raise it last"}},
	.verdict = "REQUEST_CAP",
	.judge = judge_KA005,
};
