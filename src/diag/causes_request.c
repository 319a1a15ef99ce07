/* SPDX-License-Identifier: MIT */
/* A connection for each request (signatures.md R4, R5, R6). */
#include "diag/causes.h"

#define RATE_MIN 1.0 /* connections a second: health checks and cron jobs open one now and then */
#define RTT_RACE (NSEC_PER_MS / 10) /* below it either side may send the first FIN, whoever decided */
#define REUSE_SHARE 0.5 /* of connections opened after others were closed: those could have been used again */
enum { RETURNS_MIN = 10 }; /* connections of one client address: who comes back could have kept the last one */

#define WHO_RAISE "plain HTTP to read who asked for the close, or the server's configuration"
#define WHO_RAISE_LIVE "lastack pcap with plain HTTP, to read who asked for the close; or the server's configuration"

/* Who asked for the close, as far as headers tell. */
enum asker { ASKER_UNKNOWN, ASKER_CLIENT, ASKER_HTTP_10, ASKER_SERVER };

static enum asker asker_of(const struct service *v)
{
	if (!is_share(v->headers, v->whole, 0.5))
		return ASKER_UNKNOWN;
	if (is_share(v->ask_request, v->headers, 0.5))
		return ASKER_CLIENT;
	if (is_share(v->ask_request_10, v->headers, 0.5))
		return ASKER_HTTP_10;
	return is_share(v->ask_response, v->headers, 0.5) ? ASKER_SERVER : ASKER_UNKNOWN;
}

/* What is taken for one request. */
static struct cause_text unit_text(const struct scene *c)
{
	struct cause_text r = {"one request"};

	if (c->unit > 1 && c->single == c->v->at_most)
		SAY(r.s, "%u exchanges", c->unit);
	else if (c->unit > 1)
		SAY(r.s, "2 or 3 exchanges");
	return r;
}

static void say_shares(struct finding *f, const struct scene *c, enum side side)
{
	const struct service *v = c->v;
	nsec_t gap = samples_quantile(&v->closes[side].gap, 0.5);

	SAY(f->evidence, "%s of %s connections carried %s (%s >= 90 %%); %s closed first in %s of %s (%s >= 60 %%)",
	    num(c->single).s, num(c->used).s, unit_text(c).s, percent_text((double)c->single, (double)c->used).s,
	    closer_text(c, side).s, num(c->begun[side]).s, num(c->closed).s,
	    percent_text((double)c->begun[side], (double)c->closed).s);
	if (v->closes[side].notified)
		append(f->evidence, sizeof(f->evidence), ", in %s of them by close_notify",
		       num(v->closes[side].notified).s);
	if (v->closes[side].gap.seen)
		append(f->evidence, sizeof(f->evidence), "; median %s%s after the last data",
		       gap < v->grain ? "at most " : "", gap_text(gap < v->grain ? v->grain : gap).s);
}

static void doubt_unit(struct finding *f, const struct scene *c)
{
	if (c->unit > 1 && !c->may_be_tls) {
		cause_doubt(f, CONF_LOW,
			    "a capture with readable headers: every connection has the same few exchanges, which are "
			    "requests or a handshake and one request");
	} else if (c->unit > 1) {
		append(f->what, sizeof(f->what), "; that is if %s are TLS and one request", unit_text(c).s);
		if (is_tls_port(c->v->port))
			append(f->what, sizeof(f->what), ", likely on port %u", c->v->port);
		if ((f->by_client || f->by_server) && samples_quantile(&c->v->rtt, 0.5) < RTT_RACE)
			append(f->what, sizeof(f->what), "; who closes first is a race");
		cause_doubt(f, CONF_LOW, "lastack pcap, which tells TLS handshakes from requests");
	} else if (c->may_be_tls && is_tls_port(c->v->port)) {
		cause_doubt(f, CONF_MEDIUM, "lastack pcap: on a port of TLS one exchange may be a handshake only");
	}
}

/* Who closes is told by an alert before the FIN, which may be among what was not seen. */
static void doubt_tls(struct finding *f, const struct scene *c)
{
	if (c->v->tls && is_share(c->v->holes, c->v->conns, HOLES_MANY))
		cause_doubt(f, CONF_LOW,
			    "a source that loses nothing: who said close_notify first was not always seen");
}

/* The server closes of its own accord: because of its settings, or because of what it was asked. */
static void say_decision(struct finding *f, const struct scene *c)
{
	bool errors = cause_errors(f, c);

	if (errors)
		append(f->what, sizeof(f->what), ", and servers close after some errors whatever their settings are");
	remedy_settings(f, errors ? CURE_ERRORS : CURE_KEEP, c->program[SIDE_SERVER]);
}

static void judge_KA001(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	const struct closes *k = &v->closes[SIDE_SERVER];
	enum asker asker = asker_of(v);
	const char *asks;
	nsec_t rtt = samples_quantile(&v->rtt, 0.5), life = samples_quantile(&v->life, 0.5);
	struct finding *f;

	if (!is_per_request(c) || c->hides_idle[SIDE_SERVER] ||
	    !is_share(c->begun[SIDE_SERVER], c->closed, CLOSER_SHARE) || !closes_at_once(k, c->begun[SIDE_SERVER]))
		return;
	f = cause_found(c, self, SIDE_SERVER, c->used);
	say_shares(f, c, SIDE_SERVER);
	if (is_share(k->prompt, c->begun[SIDE_SERVER], 0.5))
		append(f->evidence, sizeof(f->evidence), " (prompt: 2 ms%s)", v->grain ? " and a jiffy" : "");
	else
		cause_doubt(f, CONF_MEDIUM, "a look while the server is less busy: it takes its time to close");
	SAY(f->what, "%s closes after each request%s", closer_text(c, SIDE_SERVER).s, rate_of(c, c->used).s);
	doubt_unit(f, c);
	doubt_tls(f, c);
	switch (asker) {
	case ASKER_CLIENT:
		append(f->verdict, sizeof(f->verdict), " (client asked)");
		append(f->what, sizeof(f->what), ": the client asks for it (Connection: close in %s)",
		       percent_text((double)v->ask_request, (double)v->headers).s);
		remedy_settings(f, CURE_ASK, c->program[SIDE_CLIENT]);
		break;
	case ASKER_HTTP_10:
		append(f->verdict, sizeof(f->verdict), " (HTTP/1.0)");
		append(f->what, sizeof(f->what), ": the client speaks HTTP/1.0 without keep-alive (%s)",
		       percent_text((double)v->ask_request_10, (double)v->headers).s);
		remedy_settings(f, CURE_ASK, c->program[SIDE_CLIENT]);
		break;
	case ASKER_SERVER:
		append(f->verdict, sizeof(f->verdict), " (server decides)");
		append(f->what, sizeof(f->what), ": it says so in its responses, the client did not ask");
		say_decision(f, c);
		break;
	case ASKER_UNKNOWN:
		append(f->what, sizeof(f->what), "; whether the client asked for it cannot be seen%s",
		       v->tls ? " through TLS" : "");
		cause_doubt(f, rtt >= RTT_RACE ? CONF_HIGH : CONF_MEDIUM,
			    v->local == SIDE_NONE ? WHO_RAISE : WHO_RAISE_LIVE);
		asks = remedy_asks(f, c->program[SIDE_CLIENT]);
		if (asks)
			append(f->what, sizeof(f->what), ", but %s", asks);
		remedy_settings(f, CURE_KEEP, c->program[SIDE_SERVER]);
		break;
	}
	if (life > NSEC_PER_S)
		append(f->what, sizeof(f->what), "; they last %s: for streams and long polls that is no fault",
		       gap_text(life).s);
}

const struct cause cause_KA001 = {
	.rule = {.id = "KA001",
		 .title = "a connection for each request: the server closes",
		 .never = {"TIME_WAITs on the server's port are harmless: do not tune them away",
			   "SO_LINGER with time 0 loses answers"}},
	.verdict = "CLOSE_PER_REQUEST_BY_SERVER",
	.judge = judge_KA001,
};

static void judge_KA002(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	double per_s = c->window_s > 0 ? (double)c->used / c->window_s : 0;
	nsec_t gap = samples_quantile(&v->closes[SIDE_CLIENT].gap, 0.5);
	struct finding *f;

	if (!is_per_request(c) || c->hides_idle[SIDE_CLIENT] ||
	    !is_share(c->begun[SIDE_CLIENT], c->closed, CLOSER_SHARE) || v->most_seen > c->unit + 1 ||
	    gap > CLOSE_IDLE || per_s <= RATE_MIN || service_top_client(v) < RETURNS_MIN || c->mass ||
	    c->replaced < REUSE_SHARE)
		return;
	f = cause_found(c, self, SIDE_CLIENT, c->used);
	say_shares(f, c, SIDE_CLIENT);
	append(f->evidence, sizeof(f->evidence),
	       "; no connection%s carried more than %u; %.0f %% opened after others were closed (>= 50 %%); %s/s > 1/s",
	       v->local == SIDE_NONE ? "" : " that ended", v->most_seen, c->replaced * 100, rate_text(per_s).s);
	SAY(f->what, "%s opens a connection for each request and closes it%s: each keeps a local port for 60 s",
	    closer_text(c, SIDE_CLIENT).s, rate_of(c, c->used).s);
	if (asker_of(v) == ASKER_UNKNOWN && v->headers)
		append(f->what, sizeof(f->what), "; neither side had asked for the close");
	doubt_unit(f, c);
	doubt_tls(f, c);
	if (c->program[SIDE_CLIENT].software == SW_ANY || c->program[SIDE_CLIENT].software == SW_GO)
		cause_doubt(f, CONF_HIGH,
			    "the client's code: a response that is not read to its end looks the same (Go)");
	if (v->local != SIDE_NONE)
		cause_doubt(f, CONF_MEDIUM,
			    "connections that stay open, which have no record: a pool would show there");
	remedy_settings(f, CURE_REUSE, c->program[SIDE_CLIENT]);
}

const struct cause cause_KA002 = {
	.rule = {.id = "KA002",
		 .title = "a connection for each request: the client closes",
		 .never = {"tcp_fin_timeout does not shorten TIME_WAIT", "SO_LINGER with time 0 loses answers"}},
	.verdict = "CLOSE_PER_REQUEST_BY_CLIENT",
	.judge = judge_KA002,
};

static void judge_KA003(const struct cause *self, struct scene *c)
{
	uint64_t client = c->begun[SIDE_CLIENT], server = c->begun[SIDE_SERVER];
	struct finding *f;

	if (!is_per_request(c) || c->hides_idle[SIDE_CLIENT] || c->hides_idle[SIDE_SERVER] ||
	    is_share(client, c->closed, CLOSER_SHARE) || is_share(server, c->closed, CLOSER_SHARE) ||
	    !is_share(client + server, c->closed, PER_REQUEST_SHARE) ||
	    samples_quantile(&c->v->closes[SIDE_SERVER].gap, 0.5) > CLOSE_IDLE ||
	    samples_quantile(&c->v->closes[SIDE_CLIENT].gap, 0.5) > CLOSE_IDLE)
		return;
	f = cause_found(c, self, SIDE_NONE, c->used);
	say_shares(f, c, client > server ? SIDE_CLIENT : SIDE_SERVER);
	SAY(f->evidence,
	    "%s in at least 90 %% of %s connections; first FIN by the client in %s, by the server in %s of %s: "
	    "neither >= 60 %%",
	    unit_text(c).s, num(c->used).s, num(client).s, num(server).s, num(c->closed).s);
	SAY(f->what, "a connection for each request%s; both ends know that it is over and race to close it",
	    rate_of(c, c->used).s);
	doubt_unit(f, c);
	doubt_tls(f, c);
	cause_doubt(f, CONF_MEDIUM, "a round trip above 0.1 ms: then the one who decides closes first");
	remedy_settings(f, asker_of(c->v) == ASKER_SERVER ? CURE_KEEP : CURE_ASK,
			asker_of(c->v) == ASKER_SERVER ? c->program[SIDE_SERVER] : c->program[SIDE_CLIENT]);
}

const struct cause cause_KA003 = {
	.rule = {.id = "KA003",
		 .title = "a connection for each request: either side closes",
		 .never = {"SO_LINGER with time 0 loses answers"}},
	.verdict = "CLOSE_PER_REQUEST_MIXED",
	.judge = judge_KA003,
};
