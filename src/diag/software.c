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

static const struct habit server_idle[] = {
#define SERVER_IDLE(software, from, to, how) {SW_##software, (from)*NSEC_PER_MS, (to)*NSEC_PER_MS, how},
#define CLIENT_IDLE(software, from, to, how)
#define REQUESTS(software, n, how)
#include "diag/fingerprints.def"
#undef SERVER_IDLE
#undef CLIENT_IDLE
#undef REQUESTS
};

static const struct habit client_idle[] = {
#define SERVER_IDLE(software, from, to, how)
#define CLIENT_IDLE(software, from, to, how) {SW_##software, (from)*NSEC_PER_MS, (to)*NSEC_PER_MS, how},
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

enum software software_of_server(const struct service *v)
{
	const struct talker *t = &v->closes[SIDE_SERVER].by[0];

	for (int i = SW_ANY + 1; i < N_SOFTWARE; i++)
		if (begins(v->server, known[i].server))
			return (enum software)i;
	for (int i = SW_ANY + 1; t->proc.pid && i < N_SOFTWARE; i++)
		if (begins(t->proc.comm, known[i].comm))
			return (enum software)i;
	return SW_ANY;
}

enum software software_of_client(const struct service *v)
{
	/* the process first: a proxy passes on what its own clients call themselves */
	for (int i = SW_ANY + 1; v->opener[0].proc.pid && i < N_SOFTWARE; i++)
		if (begins(v->opener[0].proc.comm, known[i].comm))
			return (enum software)i;
	for (int i = SW_ANY + 1; i < N_SOFTWARE; i++)
		if (begins(v->agent, known[i].agent))
			return (enum software)i;
	return SW_ANY;
}

static struct likely likely(const struct habit *h, size_t n, uint64_t value)
{
	struct likely l = {""};

	for (size_t i = 0; i < n; i++)
		if (value >= h[i].from && value <= h[i].to)
			append(l.s, sizeof(l.s), "%s%s (%s)",
			       l.s[0] ? " or " : "; by default so: ", software_name(h[i].software), h[i].how);
	return l;
}

struct likely likely_server_idle(nsec_t t) { return likely(server_idle, ARRAY_LEN(server_idle), t); }
struct likely likely_client_idle(nsec_t t) { return likely(client_idle, ARRAY_LEN(client_idle), t); }
struct likely likely_requests(uint32_t n) { return likely(requests, ARRAY_LEN(requests), n); }

static bool has_setting(enum cure cure, enum software s)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (settings[i].cure == cure && settings[i].software == s)
			return true;
	return false;
}

void remedy_settings(struct finding *f, enum cure cure, enum software s)
{
	bool all = s == SW_ANY || !has_setting(cure, s);

	for (size_t i = 0; i < ARRAY_LEN(settings) && f->n_remedies < REMEDIES_MAX; i++) {
		const struct setting *t = &settings[i];
		struct remedy *m;

		if (t->cure != cure || (!all && t->software != s && t->software != SW_ANY))
			continue;
		/* the last place is for those whose program is not in the list */
		if (all && t->software != SW_ANY && f->n_remedies == REMEDIES_MAX - 1)
			continue;
		m = finding_remedy(f, t->action);
		SAY(m->precondition, "%s", t->precondition);
	}
}
