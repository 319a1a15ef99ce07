/* SPDX-License-Identifier: MIT */
/* What is left: a program that ended (signatures.md R30), and what cannot be told. These come last. */
#include "diag/causes.h"

#define MASS_WINDOW_S 10.0

static void judge_KA011(const struct cause *self, struct scene *c)
{
	struct finding *f;

	if (!c->mass || c->found || c->window_s < MASS_WINDOW_S)
		return;
	f = cause_found(c, self, SIDE_NONE, c->v->spans.seen);
	f->severity = SEV_INFO;
	SAY(f->what, "%s connections were closed at once, as when a program ends, reloads or is deployed",
	    num(c->v->spans.seen).s);
	SAY(f->evidence,
	    "%.0f %% of closes within 100 ms (> 80 %%) in a look of %s (>= 10 s); %.0f %% opened after (< 10 %%)",
	    spans_densest(&c->v->spans, 100 * NSEC_PER_MS) * 100, seconds_text(c->window_s).s,
	    spans_replaced(&c->v->spans) * 100);
	cause_doubt(f, CONF_MEDIUM, "whether a program ended or was reloaded just then");
}

const struct cause cause_KA011 = {
	.rule = {.id = "KA011",
		 .title = "many connections closed at once",
		 .never = {"do not judge a service by the moment it is stopped"}},
	.verdict = "MASS_CLOSE",
	.last = true,
	.judge = judge_KA011,
};

static void say_closers(struct finding *f, const struct scene *c)
{
	const struct closes *client = &c->v->closes[SIDE_CLIENT], *server = &c->v->closes[SIDE_SERVER];
	double closed = (double)c->closed;

	SAY(f->evidence, "no inequality held: one request in %s; of %s closes the client began %s, the server %s",
	    percent_text((double)c->v->by_requests[1], (double)c->used).s, num(c->closed).s,
	    percent_text((double)(client->fin + client->rst), closed).s,
	    percent_text((double)(server->fin + server->rst), closed).s);
	if (client->rst + server->rst)
		append(f->evidence, sizeof(f->evidence), "; %s by RST",
		       percent_text((double)(client->rst + server->rst), closed).s);
	if (c->mass)
		append(f->evidence, sizeof(f->evidence), "; closed together, as when a program ends");
}

#define FAILED_SHARE 0.5 /* of connections: what was opened is the lesser part */

static void judge_KA013(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	uint64_t silent = v->failed - v->refused - v->no_port - v->no_syn;
	struct finding *f;

	if (v->failed < N_MIN || !is_share(v->failed, v->conns, FAILED_SHARE))
		return;
	f = cause_found(c, self, SIDE_CLIENT, v->failed);
	cause_blame_opener(f, c);
	f->stage = STAGE_FAILING;
	if (v->failed < N_SURE || !is_share(v->failed, v->conns, PER_REQUEST_SHARE))
		f->severity = SEV_INFO; /* a client that waits for its server to start */
	SAY(f->what, "%s of %s connections could not be opened", num(v->failed).s, num(v->conns).s);
	if (v->refused)
		append(f->what, sizeof(f->what), "; %s refused by a RST: nothing listens there, or a firewall says so",
		       num(v->refused).s);
	if (v->no_port)
		append(f->what, sizeof(f->what), "; %s found no local port (PORT001)", num(v->no_port).s);
	if (v->no_syn)
		append(f->what, sizeof(f->what), "; %s failed here before a SYN was sent", num(v->no_syn).s);
	if (silent)
		append(f->what, sizeof(f->what), "; %s got no answer or were given up", num(silent).s);
	SAY(f->evidence, "%s failed to open (>= 10, and %s >= 50 %%)", num(v->failed).s,
	    percent_text((double)v->failed, (double)v->conns).s);
	f->confidence = CONF_CERTAIN;
	f->raise[0] = '\0';
	if (v->refused) {
		struct remedy *m = finding_remedy(f, "Start the service, at that address and port");

		SAY(m->precondition, "ss -Hltn on that host does not list it");
	}
	if (v->no_syn)
		finding_remedy(f,
			       "See the error of its connect(): a port that it binds itself may be taken towards this "
			       "address (EADDRNOTAVAIL); without bind() the kernel takes a free one");
	if (silent)
		finding_remedy(f, "Look at what drops its SYNs: a firewall, the route, a full accept queue "
				  "(lastack doctor on that host)");
}

const struct cause cause_KA013 = {
	.rule = {.id = "KA013",
		 .title = "connections cannot be opened",
		 .never = {"more retries without a pause make the pile of failed opens larger"}},
	.verdict = "OPENS_FAIL",
	.judge = judge_KA013,
};

static void judge_KA012(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	const char *of = c->may_be_tls && c->used ? "exchanges" : "requests";
	struct finding *f;

	if (c->found || !v->conns)
		return;
	f = cause_found(c, self, SIDE_NONE, v->whole);
	f->severity = SEV_INFO;
	f->confidence = CONF_CERTAIN;
	f->raise[0] = '\0';
	if (v->whole < N_MIN) {
		SAY(f->what,
		    "%s connection%s began and ended while we looked: too few to tell a cause; up to %u %s in one",
		    num(v->whole).s, v->whole == 1 ? "" : "s", v->most, of);
		SAY(f->evidence, "%s < 10 connections (%s seen in part)", num(v->whole).s,
		    num(v->conns - v->whole - v->failed).s);
		if (v->failed)
			append(f->evidence, sizeof(f->evidence), "; %s failed to open, %s of them refused",
			       num(v->failed).s, num(v->refused).s);
		SAY(f->raise, "a longer look");
		return;
	}
	if (c->used)
		SAY(f->what, "no cause stands out among %s connections; they carried %.1f %s on average, %u at most",
		    num(v->whole).s, service_mean_requests(v), of, v->most);
	else if (is_share(v->silent, v->whole, 0.5))
		SAY(f->what, "%s connections ended without an answered request, as health checks and port scans do",
		    num(v->whole).s);
	else
		SAY(f->what, "%s connections ended without an answered request; %s of them carried data",
		    num(v->whole).s, num(v->whole - v->silent).s);
	say_closers(f, c);
	if (v->http2)
		append(f->evidence, sizeof(f->evidence),
		       "; HTTP/2 shares a connection among requests, which were not counted");
	if (is_share(v->holes, v->conns, HOLES_MANY))
		SAY(f->raise, "a source that loses nothing: parts of %s connections were not seen", num(v->holes).s);
	else if (is_tls_port(v->port) && c->may_be_tls)
		SAY(f->raise, "lastack pcap, which tells TLS handshakes from requests");
	else
		SAY(f->raise, "%s",
		    c->window_s < MASS_WINDOW_S ? "a look of 10 s or more" : "one client or program at a time");
}

const struct cause cause_KA012 = {
	.rule = {.id = "KA012", .title = "not enough to tell why connections close", .never = {NULL}},
	.verdict = "INSUFFICIENT",
	.last = true,
	.judge = judge_KA012,
};
