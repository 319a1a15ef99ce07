/* SPDX-License-Identifier: MIT */
/*
 * rule.h - a rule looks at what was observed and says what is wrong, why it thinks so, and what to do about it.
 * Rules are pure. Ids are stable: rule, unit tests, lab experiment and docs/findings page carry the same one.
 */
#pragma once
#include "knob/knob.h"
#include "model/forecast.h"
#include "model/snapshot.h"

enum severity { SEV_INFO, SEV_WARN, SEV_CRIT };
enum confidence { CONF_LOW, CONF_MEDIUM, CONF_HIGH, CONF_CERTAIN };

/* The order in which findings are told: what fails now comes first, what is harmless last; remarks (info) after all. */
enum stage {
	STAGE_FAILING,
	STAGE_ABOUT_TO_FAIL,
	STAGE_LOSING,
	STAGE_LEAKING,
	STAGE_CHURN,
	STAGE_CONFIG,
	STAGE_HARMLESS
};

enum { REMEDIES_MAX = 6, NEVER_MAX = 4, FINDINGS_MAX = 256, PER_RULE_MAX = 8 };

struct remedy {
	char action[200]; /* imperative, one sentence */
	char precondition[200]; /* what must hold first; "" nothing */
	char command[240]; /* exact, can be pasted; "" when the cure is in a program's configuration or code */
	char risk[160]; /* what it can cost; "" nothing known */
};

struct finding {
	const struct rule *rule;
	enum severity severity;
	enum stage stage;
	enum confidence confidence;
	char raise[160]; /* what would raise the confidence; "" when certain */
	char netns[N_TEXT]; /* "" for a finding about the whole host */
	uint64_t netns_inode;
	char what[288]; /* one sentence, with the numbers in it */
	char evidence[400]; /* the inequality that held, so that a reader can redo it */
	char process[160]; /* proc_text() of the one to blame; "" unknown */
	double weight; /* among equals the greater one is told first: a share, a rate, a count */
	struct remedy remedies[REMEDIES_MAX]; /* safest first */
	size_t n_remedies;
	/* of a cause (diag/cause.h): */
	char verdict[N_TEXT]; /* "REQUEST_CAP 100"; "" for a rule's finding */
	char service[96]; /* service_text() */
	uint16_t service_index; /* struct service.index */
	bool by_client, by_server; /* who does it; neither: nobody, or both */
	char same_as
		[96]; /* the same cause is told better of this service, the other end of the same connections; "" it is not */
	uint64_t n; /* connections that were judged */
	double window_s; /* the time looked at */
};

struct findings {
	struct finding *v; /* FINDINGS_MAX of them, owned by this struct */
	size_t n;
	size_t dropped; /* did not fit */
	enum severity dropped_worst; /* the greatest severity among those; only when there are any */
};

/* What a rule sees of one namespace. */
struct view {
	const struct snapshot *host; /* the latest snapshot */
	const struct netns *now; /* the first namespace, for a host rule */
	const struct netns *before; /* the same namespace an interval ago, or NULL */
	double interval_s; /* 0 when before is NULL */
	struct port_budget ports;
};

struct rule {
	const char *id, *title;
	bool host; /* asked once, with the first namespace */
	const char *never[NEVER_MAX]; /* what looks like a cure and harms, with the reason; NULL-terminated if fewer */
	void (*eval)(const struct rule *self, const struct view *v, struct findings *out);
};

extern const struct rule *const rules[]; /* every rule, sorted by id; made from diag/rules.def */
extern const size_t n_rules;
const struct rule *rule_find(const char *id); /* case does not matter; NULL if unknown */

/* Runs all rules (or the one with the id `only`) over the observation; sorts what they found. 0 or -ENOMEM. */
int diagnose(const struct observation *o, const char *only, struct findings *ret);
void findings_done(struct findings *f);

/* Adds those of `more` to `to`, which is sorted again; `more` is left as it is. */
void findings_merge(struct findings *to, const struct findings *more);

/* What connect() can choose from in this namespace, from its knobs. */
struct port_budget budget_of(const struct netns *ns);

const char *severity_name(enum severity s); /* "info", "warn", "crit" */
const char *confidence_name(enum confidence c); /* "low", ... */

/* ---- for rules ---- */

/* A new finding of this rule with netns filled in. Never NULL: past the limit a spare one is counted as dropped. */
struct finding *findings_add(struct findings *out, const struct rule *rule, const struct view *v, enum severity sev,
			     enum stage stage);
struct remedy *finding_remedy(struct finding *f, const char *action); /* next free row; must not exceed REMEDIES_MAX */

/* A knob's value in this namespace; false if it could not be read or this kernel lacks it. */
bool view_knob(const struct view *v, enum knob_id id, int64_t *ret);
int64_t view_knob_or(const struct view *v, enum knob_id id, int64_t otherwise);

/* How much a counter grew over the interval; false with one snapshot or an unknown counter. A reset counts as 0. */
bool view_delta(const struct view *v, const char *counter, uint64_t *ret);
bool view_rate(const struct view *v, const char *counter, double *ret_per_s);
bool view_total(const struct view *v, const char *counter, uint64_t *ret);
