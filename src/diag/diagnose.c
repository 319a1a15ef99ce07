/* SPDX-License-Identifier: MIT */
#include "diag/rule.h"
#include "diag/rules.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

const struct rule *const rules[] = {
#define RULE(id) &rule_##id,
#include "diag/rules.def"
#undef RULE
};
const size_t n_rules = ARRAY_LEN(rules);

const struct rule *rule_find(const char *id)
{
	for (size_t i = 0; i < n_rules; i++)
		if (strcasecmp(rules[i]->id, id) == 0)
			return rules[i];
	return NULL;
}

/* Ties are broken by text so that equal input gives equal output. */
static int told_before(const void *pa, const void *pb)
{
	const struct finding *a = pa, *b = pb;
	int d = telling_rank(a->severity, a->stage) - telling_rank(b->severity, b->stage);

	if (d)
		return d;
	if (a->weight > b->weight || a->weight < b->weight)
		return a->weight > b->weight ? -1 : 1;
	d = strcmp(a->rule->id, b->rule->id);
	if (d == 0)
		d = strcmp(a->netns, b->netns);
	return d ? d : strcmp(a->what, b->what);
}

void findings_sort(struct findings *f) { qsort(f->v, f->n, sizeof(*f->v), told_before); }

int diagnose(const struct observation *o, const char *only, struct findings *ret)
{
	const struct snapshot *s = observation_now(o);
	struct findings f = {.v = calloc(FINDINGS_MAX, sizeof(*f.v))};

	if (!f.v)
		return -ENOMEM;
	for (size_t n = 0; n < s->n_netns; n++) {
		struct view v = view_of(o, &s->netns[n]);

		for (size_t i = 0; i < n_rules; i++) {
			if (only && strcasecmp(rules[i]->id, only) != 0)
				continue;
			if (!rules[i]->host || n == 0)
				rules[i]->eval(rules[i], &v, &f);
		}
	}
	findings_sort(&f);
	*ret = f;
	return 0;
}

void findings_done(struct findings *f)
{
	free(f->v);
	*f = (struct findings){0};
}

void findings_merge(struct findings *to, const struct findings *more)
{
	static const struct view nowhere;

	for (size_t i = 0; i < more->n; i++)
		*findings_add(to, more->v[i].rule, &nowhere, more->v[i].severity, more->v[i].stage) = more->v[i];
	if (more->dropped && (!to->dropped || more->dropped_worst > to->dropped_worst))
		to->dropped_worst = more->dropped_worst;
	to->dropped += more->dropped;
	findings_sort(to);
}
