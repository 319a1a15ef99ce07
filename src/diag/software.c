/* SPDX-License-Identifier: MIT */
#include "diag/software.h"
#include "base/text.h"
#include "diag/rules.h"
#include <strings.h>

static const struct {
	const char *name, *server, *agent, *comm;
} known[N_SOFTWARE] = {
	[SW_ANY] = {"", NULL, NULL, NULL},
#define SOFTWARE(id, name_, server_, agent_, comm_) [SW_##id] = {name_, server_, agent_, comm_},
#include "diag/software.def"
#undef SOFTWARE
};

static const struct setting {
	enum cure cure;
	enum software software;
	const char *action, *precondition;
} settings[] = {
#define SETTING(cure, software, action, precondition) {CURE_##cure, SW_##software, action, precondition},
#include "diag/settings.def"
#undef SETTING
};

struct habit {
	enum software software;
	uint64_t from, to; /* nanoseconds, or requests */
	const char *how;
};

/* Live, both ends of an idle time are wrong by a jiffy, at 100 Hz as here. */
#define FUZZ (20 * NSEC_PER_MS)

static const struct habit server_idle[] = {
#define SERVER_IDLE(software, from, to, how) {SW_##software, (from)*NSEC_PER_MS - FUZZ, (to)*NSEC_PER_MS + FUZZ, how},
#define CLIENT_IDLE(software, from, to, how)
#define REQUESTS(software, n, how)
#include "diag/fingerprints.def"
#undef SERVER_IDLE
#undef CLIENT_IDLE
#undef REQUESTS
};

static const struct habit client_idle[] = {
#define SERVER_IDLE(software, from, to, how)
#define CLIENT_IDLE(software, from, to, how) {SW_##software, (from)*NSEC_PER_MS - FUZZ, (to)*NSEC_PER_MS + FUZZ, how},
#define REQUESTS(software, n, how)
#include "diag/fingerprints.def"
#undef SERVER_IDLE
#undef CLIENT_IDLE
#undef REQUESTS
};

static const struct habit requests[] = {
#define SERVER_IDLE(software, from, to, how)
#define CLIENT_IDLE(software, from, to, how)
#define REQUESTS(software, n, how) {SW_##software, n, n, how},
#include "diag/fingerprints.def"
#undef SERVER_IDLE
#undef CLIENT_IDLE
#undef REQUESTS
};

const char *software_name(enum software s)
{
	must(s < N_SOFTWARE);
	return known[s].name;
}

static bool begins(const char *s, const char *with) { return with && strncasecmp(s, with, strlen(with)) == 0; }

static enum software by_comm(const struct conn_proc *p)
{
	for (int i = SW_ANY + 1; p->comm[0] && i < N_SOFTWARE; i++)
		if (begins(p->comm, known[i].comm))
			return (enum software)i;
	return SW_ANY;
}

static enum software by_word(const char *said, enum side side)
{
	for (int i = SW_ANY + 1; i < N_SOFTWARE; i++)
		if (begins(said, side == SIDE_SERVER ? known[i].server : known[i].agent))
			return (enum software)i;
	return SW_ANY;
}

/* A process of that name runs programs of many kinds, some of them of the list. */
static bool is_interpreter(const char *comm)
{
	size_t n = strlen(comm);

	return begins(comm, "python") || (n > 3 && strcmp(comm + n - 3, ".py") == 0);
}

/* first, else second: a process of that end; said: its word. */
static struct program recognise(const struct conn_proc *first, const struct conn_proc *second, const char *said,
				enum side side)
{
	const struct conn_proc *own = first->comm[0] ? first : second;
	struct program p = {.software = by_comm(first), .sure = true, .python = is_interpreter(own->comm)};

	if (p.software == SW_ANY)
		p.software = by_comm(second);
	if (p.software == SW_ANY) {
		p.software = by_word(said, side);
		p.sure = false;
		p.own = p.software == SW_ANY && own->comm[0] && !p.python;
		p.stranger = p.software == SW_ANY && (said[0] || (own->comm[0] && !is_interpreter(own->comm)));
	}
	return p;
}

struct program program_of(const struct service *v, enum side side)
{
	const struct closes *k = &v->closes[side];
	const struct conn_proc closer = talkers_most(&k->by, k->fin + k->rst),
			       opener = talkers_most(&v->opener, v->conns);

	return recognise(&closer, side == SIDE_CLIENT ? &opener : &closer, side == SIDE_SERVER ? v->server : v->agent,
			 side);
}

struct program program_of_opener(const struct service *v)
{
	const struct closes *k = &v->closes[SIDE_CLIENT];
	const struct conn_proc opener = talkers_most(&v->opener, v->conns),
			       own = opener.comm[0] ? opener : talkers_most(&k->by, k->fin + k->rst);

	return recognise(&own, &own, v->agent, SIDE_CLIENT);
}

static struct likely likely(const struct habit *h, size_t n, uint64_t value, struct program p)
{
	static const char others[] = " or others";
	struct likely l = {""};
	const size_t room = sizeof(l.s) - strlen(others);

	for (size_t i = 0; i < n && !p.stranger; i++) {
		struct likely next = l;

		if (value < h[i].from || value > h[i].to || (p.software != SW_ANY && p.software != h[i].software))
			continue;
		if (append(next.s, room, "%s%s (%s)", l.s[0] ? " or " : "; the default of ",
			   software_name(h[i].software), h[i].how) +
			    1 >=
		    room) {
			append(l.s, sizeof(l.s), "%s", others);
			break;
		}
		l = next;
	}
	return l;
}

struct likely likely_server_idle(nsec_t t, struct program p)
{
	return likely(server_idle, ARRAY_LEN(server_idle), t, p);
}

struct likely likely_client_idle(nsec_t t, struct program p)
{
	return likely(client_idle, ARRAY_LEN(client_idle), t, p);
}

struct likely likely_requests(uint32_t n, struct program p) { return likely(requests, ARRAY_LEN(requests), n, p); }

static bool has_setting(enum cure cure, enum software s)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (settings[i].cure == cure && settings[i].software == s)
			return true;
	return false;
}

static bool is_of_python(enum software s)
{
	return s == SW_REQUESTS || s == SW_URLLIB || s == SW_AIOHTTP || s == SW_HTTPX || s == SW_PYTHON_HTTP ||
	       s == SW_GUNICORN || s == SW_UVICORN;
}

static bool is_proxy(enum software s) { return s == SW_NGINX || s == SW_HAPROXY; }

static void add_setting(struct finding *f, const struct setting *t)
{
	struct remedy *m = finding_remedy(f, t->action);

	SAY(m->precondition, "%s", t->precondition);
}

static void add_rows(struct finding *f, enum cure cure, enum software s)
{
	for (size_t i = 0; i < ARRAY_LEN(settings) && f->n_remedies < REMEDIES_MAX; i++)
		if (settings[i].cure == cure && settings[i].software == s)
			add_setting(f, &settings[i]);
}

void remedy_settings(struct finding *f, enum cure cure, struct program p)
{
	bool named = p.software != SW_ANY && has_setting(cure, p.software);
	size_t room = named ? REMEDIES_MAX - 1 : REMEDIES_MAX;

	add_rows(f, cure, named ? p.software : SW_ANY);
	if (!named && p.own)
		add_rows(f, cure, SW_GO);
	for (size_t i = 0; i < ARRAY_LEN(settings) && f->n_remedies < room; i++) {
		const struct setting *t = &settings[i];

		if (t->cure != cure || t->software == SW_ANY || t->software == p.software ||
		    (p.python && !is_of_python(t->software)) || (!named && p.own && t->software == SW_GO))
			continue;
		if (!named || (!p.sure && is_proxy(t->software)))
			add_setting(f, t);
	}
	if (named)
		add_rows(f, cure, SW_ANY);
}

const char *remedy_asks(struct finding *f, struct program p)
{
	const char *who = p.software == SW_NGINX ? "nginx does so as a proxy by default, before 1.29.7"
			  : p.software == SW_AB  ? "ab does so by default"
						 : NULL;

	if (p.sure && who)
		add_rows(f, CURE_ASK, p.software);
	return p.sure ? who : NULL;
}
