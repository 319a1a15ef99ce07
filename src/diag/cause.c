/* SPDX-License-Identifier: MIT */
#include "diag/causes.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const struct cause *const causes[] = {
#define CAUSE(id, verdict) &cause_##id,
#include "diag/causes.def"
#undef CAUSE
};

size_t known_rules(void) { return n_rules + ARRAY_LEN(causes); }

const struct rule *known_rule(size_t i)
{
	must(i < known_rules());
	return i < n_rules ? rules[i] : &causes[i - n_rules]->rule;
}

const struct rule *known_rule_find(const char *id)
{
	for (size_t i = 0; i < known_rules(); i++)
		if (strcasecmp(known_rule(i)->id, id) == 0)
			return known_rule(i);
	return NULL;
}

bool rule_is_cause(const struct rule *r) { return r->eval == NULL; }

const char *cause_verdict(const struct rule *cause)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (&causes[i]->rule == cause)
			return causes[i]->verdict;
	must_not_reach("a rule is no cause");
}

/* ---- the scene ---- */

/* signatures.md R30 */
#define MASS_SHARE 0.8
#define MASS_STRETCH (100 * NSEC_PER_MS)
#define MASS_REPLACED 0.1

bool is_tls_port(uint16_t port)
{
	static const uint16_t ports[] = {443, 465,  563,  636,  853,  989,  990,  992,  993,  994,
					 995, 5061, 5671, 6443, 6514, 8443, 8883, 9443, 10443};

	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* A live source reads nothing, but with a handshake there are two exchanges or more: a service of which many have one is no TLS. */
#define PLAIN_SHARE 0.1
static bool may_be_tls(const struct service *v)
{
	return v->local != SIDE_NONE &&
	       (is_tls_port(v->port) || !is_share(v->by_requests[1], service_used(v), PLAIN_SHARE));
}

/*
 * Without headers a handshake of some protocol cannot be told from a request. Where nearly all connections carry the
 * same two or three exchanges, one of them is taken for the request, and the confidence is low. Of a TLS handshake one end may
 * see one exchange more or less from time to time, as segments come.
 */
static void set_unit(struct scene *c)
{
	const struct service *v = c->v;
	bool told = v->headers || v->tls, few = v->most == 2 || v->most == 3;
	uint64_t those = v->at_most;

	if (c->may_be_tls && v->most == 3)
		those += v->by_requests[2];
	c->unit = !told && few && is_share(those, c->used, PER_REQUEST_SHARE) ? v->most : 1;
	c->single = c->unit == 1 ? v->by_requests[1] : those;
}

/* Who is known at its own end only: that service, where it is on this host. */
static const struct service *seen_from(const struct service *v, const struct service *other, enum side side)
{
	return other && other->local == side ? other : v;
}

static struct scene scene_of(const struct services *all, const struct service *v)
{
	const struct service *other = services_other_end(all, v);
	struct scene c = {
		.all = all,
		.v = v,
		.other = other,
		.window_s = services_window_s(all),
		.used = service_used(v),
		.closed = service_closed(v),
		.may_be_tls = may_be_tls(v),
		.program = {program_of(seen_from(v, other, SIDE_CLIENT), SIDE_CLIENT),
			    program_of(seen_from(v, other, SIDE_SERVER), SIDE_SERVER)},
		.opener = program_of_opener(seen_from(v, other, SIDE_CLIENT)),
	};

	set_unit(&c);
	for (int i = SIDE_CLIENT; i <= SIDE_SERVER; i++) {
		c.begun[i] = v->closes[i].fin - v->closes[i].unused;
		c.hides_idle[i] = hides_idle(&c, i);
	}
	c.replaced = spans_replaced(&v->spans);
	c.mass = v->spans.seen >= N_MIN && spans_densest(&v->spans, MASS_STRETCH) > MASS_SHARE &&
		 c.replaced < MASS_REPLACED;
	return c;
}

bool is_per_request(const struct scene *c)
{
	return c->used >= N_MIN && is_share(c->single, c->used, PER_REQUEST_SHARE) && !c->v->http2;
}

/* ---- findings ---- */

/* "nginx[812]"; "nginx": several processes; "" unknown, or several programs. */
static struct cause_text talkers_text(const struct talkers *t, uint64_t of)
{
	struct conn_proc p = talkers_most(t, of);
	struct cause_text r = {""};

	if (p.pid)
		SAY(r.s, "%.16s[%u]", p.comm, p.pid);
	else
		SAY(r.s, "%.16s", p.comm);
	return r;
}

static struct cause_text proc_of(const struct service *v, enum side side)
{
	const struct closes *k;

	if (side == SIDE_NONE)
		return (struct cause_text){""};
	k = &v->closes[side];
	if (side == SIDE_CLIENT && !k->by.pid[0].n)
		return talkers_text(&v->opener, v->conns);
	return talkers_text(&k->by, k->fin + k->rst);
}

void cause_blame_opener(struct finding *f, const struct scene *c)
{
	if (c->v->opener.pid[0].n)
		SAY(f->process, "%s", talkers_text(&c->v->opener, c->v->conns).s);
}

struct finding *cause_found(struct scene *c, const struct cause *self, enum side blame, uint64_t n)
{
	struct cause_text who = proc_of(c->v, blame);
	static const struct view nowhere;
	struct finding *f = findings_add(c->out, &self->rule, &nowhere, SEV_WARN, STAGE_CHURN);

	c->found++;
	f->confidence = CONF_HIGH;
	f->by_client = blame == SIDE_CLIENT;
	f->by_server = blame == SIDE_SERVER;
	f->netns_inode = c->v->netns;
	f->n = n;
	f->window_s = c->window_s;
	f->weight = (double)n;
	SAY(f->process, "%s", who.s);
	SAY(f->verdict, "%s", self->verdict);
	SAY(f->service, "%s", service_text(c->v).s);
	f->service_index = c->v->index;
	if (n < N_SURE)
		cause_doubt(f, CONF_MEDIUM, "50 connections or more: look for longer");
	if (is_share(c->v->holes, c->v->conns, HOLES_SHARE))
		cause_doubt(f, CONF_MEDIUM, "a source that loses nothing: parts of the connections were not seen");
	if (self->lacks && is_share(c->v->holes, c->v->conns, HOLES_MANY)) {
		char why[sizeof(f->raise)];

		SAY(why,
		    "a source that loses nothing: in %s of %s connections parts were not seen, and %s may be among them",
		    num(c->v->holes).s, num(c->v->conns).s, self->lacks);
		cause_doubt(f, CONF_LOW, why);
	}
	return f;
}

void cause_doubt(struct finding *f, enum confidence at_most, const char *raise)
{
	if (f->confidence > at_most || !f->raise[0])
		SAY(f->raise, "%s", raise);
	if (f->confidence > at_most)
		f->confidence = at_most;
}

bool cause_errors(struct finding *f, const struct scene *c)
{
	const struct closes *k = &c->v->closes[SIDE_SERVER];

	if (!is_share(k->errors, k->fin + k->rst, 0.5))
		return false;
	append(f->what, sizeof(f->what), "; before %s of these closes it answered with an error, such as %u",
	       percent_text((double)k->errors, (double)(k->fin + k->rst)).s, k->error);
	return true;
}

struct cause_text gap_text(nsec_t t)
{
	struct cause_text r;
	double us = (double)t / 1e3;

	if (us < 999.5)
		SAY(r.s, "%.0f us", us);
	else if (us < 999.5e3)
		SAY(r.s, us < 9.95e3 ? "%.1f ms" : "%.0f ms", us / 1e3);
	else
		SAY(r.s, us < 600e6 ? "%.2f s" : "%.0f s", us / 1e6);
	return r;
}

struct cause_text rate_of(const struct scene *c, uint64_t n)
{
	struct cause_text r = {""};

	if (c->window_s > 0)
		SAY(r.s, " (%s/s)", rate_text((double)n / c->window_s).s);
	return r;
}

struct cause_text closer_text(const struct scene *c, enum side side)
{
	struct cause_text r = proc_of(side == SIDE_NONE ? c->v : seen_from(c->v, c->other, side), side);
	struct program p = c->program[side];

	if (r.s[0])
		return r;
	if (p.software != SW_ANY)
		SAY(r.s, "the %s (%s: %s)", side_name(side), side == SIDE_SERVER ? "Server" : "User-Agent",
		    software_name(p.software));
	else
		SAY(r.s, "the %s", side_name(side));
	return r;
}

/* ---- all of them ---- */

/* A failed open is no close, but the record proves what the doctor can only infer: PORT001 at certainty. */
static void judge_no_port(struct scene *c)
{
	static const struct view nowhere;
	const struct service *v = c->v;
	struct finding *f;
	struct remedy *m;

	if (!v->no_port)
		return;
	f = findings_add(c->out, rule_find("PORT001"), &nowhere, SEV_CRIT, STAGE_FAILING);
	f->netns_inode = v->netns;
	f->n = v->no_port;
	f->window_s = c->window_s;
	f->weight = (double)v->no_port;
	SAY(f->service, "%s", service_text(v).s);
	f->service_index = v->index;
	SAY(f->process, "%s", talkers_text(&v->no_port_by, v->no_port).s);
	SAY(f->what, "connect() to %s failed %s times%s: no local port is left", ip_port_text(v->addr, v->port).s,
	    num(v->no_port).s, rate_of(c, v->no_port).s);
	SAY(f->evidence, "connect() returned EADDRNOTAVAIL %s times, seen by BPF", num(v->no_port).s);
	m = finding_remedy(f, "See what takes the ports and the commands in order of safety");
	SAY(m->command, "lastack doctor --only PORT001");
}

static void judge_all(struct scene *c, const char *only)
{
	if (!only || strcasecmp(only, "PORT001") == 0)
		judge_no_port(c);
	for (int last = 0; last <= 1; last++)
		for (size_t i = 0; i < ARRAY_LEN(causes); i++)
			if (causes[i]->last == last && (!only || strcasecmp(only, causes[i]->rule.id) == 0))
				causes[i]->judge(causes[i], c);
}

/* A client's reset, a server's: the one who sent it knows more of it (RST005), the other sees that one came. */
static bool is_reset(const struct rule *r)
{
	return r == &cause_RST003.rule || r == &cause_RST004.rule || r == &cause_RST005.rule;
}

static bool is_same_cause(const struct finding *f, const struct finding *g)
{
	return f->by_client == g->by_client && f->by_server == g->by_server &&
	       (f->rule == g->rule || (is_reset(f->rule) && is_reset(g->rule)));
}

static bool is_of_server(const struct finding *f) { return strncmp(f->service, "on ", 3) == 0; }

/* Of two findings on the two ends of the same connections: this one is to be told. */
static bool is_told_better(const struct finding *f, const struct finding *g)
{
	if (!f->process[0] != !g->process[0])
		return f->process[0];
	if (f->confidence != g->confidence)
		return f->confidence > g->confidence;
	return is_of_server(f) != f->by_client;
}

/* The other end may be surer of the same: then this one is, too. */
static void be_as_sure(struct finding *told, const struct finding *other)
{
	if (told->rule != other->rule || told->confidence >= other->confidence ||
	    strcmp(told->verdict, other->verdict) != 0)
		return;
	told->confidence = other->confidence;
	SAY(told->raise, "%s", other->raise);
	append(told->evidence, sizeof(told->evidence), "; surer from the other end");
}

/* What both ends tell is one problem. Nothing is worth telling of an end where the other knows a cause. */
static void mark_told_twice(const struct services *s, struct findings *in)
{
	for (size_t i = 0; i < in->n; i++) {
		struct finding *f = &in->v[i];
		const struct service *other = services_other_end(s, s->v[f->service_index]);

		for (size_t k = 0; k < in->n && other; k++) {
			struct finding *g = &in->v[k];
			bool less = f->rule == &cause_KA012.rule && g->rule != f->rule;

			if (g->service_index != other->index || g->same_as[0] ||
			    !(less || (is_same_cause(f, g) && is_told_better(g, f))))
				continue;
			SAY(f->same_as, "%s", g->service);
			be_as_sure(g, f);
		}
	}
}

int causes_diagnose(const struct services *s, const char *only, struct findings *ret)
{
	struct findings f = {.v = calloc(FINDINGS_MAX, sizeof(*f.v))};

	if (!f.v)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		struct scene c = scene_of(s, s->v[i]);

		c.out = &f;
		judge_all(&c, only);
	}
	for (size_t i = 0; i < f.n; i++)
		if (f.v[i].confidence < CONF_CERTAIN && !f.v[i].raise[0])
			SAY(f.v[i].raise, "the program's configuration or code");
	mark_told_twice(s, &f);
	findings_sort(&f);
	*ret = f;
	return 0;
}

static const struct netns *netns_by_inode(const struct snapshot *s, uint64_t inode)
{
	for (size_t i = 0; i < s->n_netns; i++)
		if (s->netns[i].inode == inode)
			return &s->netns[i];
	return NULL;
}

/* By the other end, in a namespace that was looked at. */
static bool is_told(const struct findings *in, const struct finding *f, const struct snapshot *s)
{
	for (size_t i = 0; i < in->n && f->same_as[0]; i++) {
		const struct finding *g = &in->v[i];

		if (!g->same_as[0] && strcmp(g->service, f->same_as) == 0 && netns_by_inode(s, g->netns_inode))
			return true;
	}
	return false;
}

void causes_fold(struct findings *to, struct findings *closes, const struct snapshot *s)
{
	bool out[FINDINGS_MAX];
	size_t kept = 0;

	for (size_t i = 0; i < closes->n; i++) {
		const struct finding *f = &closes->v[i];

		out[i] = !netns_by_inode(s, f->netns_inode) || f->rule == &cause_KA012.rule || is_told(closes, f, s);
	}
	for (size_t i = 0; i < closes->n; i++) {
		struct finding *f = &closes->v[i];
		char what[sizeof(f->what)];

		if (out[i])
			continue;
		SAY(f->netns, "%s", netns_by_inode(s, f->netns_inode)->name);
		if (rule_is_cause(f->rule)) {
			SAY(what, "%s: %s", f->service, f->what);
			SAY(f->what, "%s", what);
		}
		closes->v[kept++] = *f;
	}
	closes->n = kept;
	findings_merge(to, closes);
}
