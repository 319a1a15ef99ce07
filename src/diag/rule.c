/* SPDX-License-Identifier: MIT */
#include "diag/rule.h"
#include "base/text.h"
#include "diag/rules.h"

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEV_INFO:
		return "info";
	case SEV_WARN:
		return "warn";
	case SEV_CRIT:
		return "crit";
	}
	must_not_reach("severity");
}

const char *confidence_name(enum confidence c)
{
	switch (c) {
	case CONF_LOW:
		return "low";
	case CONF_MEDIUM:
		return "medium";
	case CONF_HIGH:
		return "high";
	case CONF_CERTAIN:
		return "certain";
	}
	must_not_reach("confidence");
}

static int64_t knob_or(const struct netns *ns, enum knob_id id, int64_t otherwise)
{
	return ns->knob_known[id] ? ns->knob[id] : otherwise;
}

struct port_budget budget_of(const struct netns *ns)
{
	/* The delay was fixed to a second before 6.14; timestamps have been on by default since 2.1. */
	return port_budget(ns, knob_or(ns, KNOB_port_low, 0), knob_or(ns, KNOB_port_high, 0),
			   knob_or(ns, KNOB_tw_reuse, 0), knob_or(ns, KNOB_tw_reuse_delay_ms, 1000),
			   knob_or(ns, KNOB_timestamps, 1));
}

struct view view_of(const struct observation *o, const struct netns *now)
{
	struct view v = {
		.host = observation_now(o),
		.now = now,
		.before = observation_before(o, now->inode),
		.ports = budget_of(now),
	};

	v.interval_s = v.before ? observation_interval_s(o) : 0;
	return v;
}

int telling_rank(enum severity severity, enum stage stage)
{
	enum { SEVERITIES = SEV_CRIT + 1, STAGES = STAGE_HARMLESS + 1 };

	return ((severity == SEV_INFO ? STAGES : 0) + (int)stage) * SEVERITIES + (SEV_CRIT - (int)severity);
}

static int rank_of(const struct finding *f) { return telling_rank(f->severity, f->stage); }

/* The place of the finding that would be told last if the new one comes before it; else the spare at the end. */
static struct finding *make_room(struct findings *out, enum severity sev, enum stage stage)
{
	struct finding *last = &out->v[0];
	enum severity lost = sev;
	bool fits;

	for (size_t i = 1; i < out->n; i++)
		if (rank_of(&out->v[i]) > rank_of(last))
			last = &out->v[i];
	fits = telling_rank(sev, stage) < rank_of(last);
	if (fits)
		lost = last->severity;
	if (!out->dropped++ || lost > out->dropped_worst)
		out->dropped_worst = lost;
	return fits ? last : &out->v[FINDINGS_MAX - 1];
}

struct finding *findings_add(struct findings *out, const struct rule *rule, const struct view *v, enum severity sev,
			     enum stage stage)
{
	struct finding *f;

	if (out->n < FINDINGS_MAX - 1)
		f = &out->v[out->n++];
	else
		f = make_room(out, sev, stage);
	*f = (struct finding){.rule = rule, .severity = sev, .stage = stage, .confidence = CONF_CERTAIN};
	if (!rule->host && v->now) {
		copy_printable(f->netns, sizeof(f->netns), v->now->name);
		f->netns_inode = v->now->inode;
	}
	return f;
}

struct remedy *finding_remedy(struct finding *f, const char *action)
{
	struct remedy *m;

	must(f->n_remedies < REMEDIES_MAX);
	m = &f->remedies[f->n_remedies++];
	SAY(m->action, "%s", action);
	return m;
}

void finding_more(struct finding *last, size_t n, const char *noun)
{
	if (n)
		append(last->what, sizeof(last->what), " (and %s more %s%s)", num(n).s, noun, n == 1 ? "" : "s");
}

bool view_knob(const struct view *v, enum knob_id id, int64_t *ret)
{
	must(id < N_KNOBS);
	if (!v->now || !v->now->knob_known[id])
		return false;
	*ret = v->now->knob[id];
	return true;
}

int64_t view_knob_or(const struct view *v, enum knob_id id, int64_t otherwise)
{
	int64_t value = otherwise;

	view_knob(v, id, &value);
	return value;
}

int64_t view_boot_value(const struct view *v, enum knob_id id)
{
	return knob_boot_value(id, v->host->ehash_entries, view_knob_or(v, KNOB_ehash_entries, 0));
}

bool view_total(const struct view *v, const char *counter, uint64_t *ret)
{
	return v->now && counters_get(&v->now->counters, counter, ret);
}

bool view_delta(const struct view *v, const char *counter, uint64_t *ret)
{
	uint64_t now, before;

	if (!v->before || !view_total(v, counter, &now) || !counters_get(&v->before->counters, counter, &before))
		return false;
	*ret = now > before ? now - before : 0;
	return true;
}

bool view_rate(const struct view *v, const char *counter, double *ret_per_s)
{
	uint64_t delta;

	if (!(v->interval_s > 0) || !view_delta(v, counter, &delta))
		return false;
	*ret_per_s = (double)delta / v->interval_s;
	return true;
}

/* Names come from outside; one that a shell would read differently must not reach a command line. */
static bool is_plain_word(const char *s)
{
	return *s && *s != '-' &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

struct ns_prefix view_prefix(const struct view *v)
{
	const struct netns *ns = v->now;
	struct ns_prefix p = {""};

	if (!ns || strcmp(ns->name, "host") == 0)
		return p;
	if (ns->pid > 0)
		SAY(p.s, "nsenter -t %d -n ", ns->pid);
	else if (is_plain_word(ns->name)) /* without a process it is known by its name below /run/netns */
		SAY(p.s, "ip netns exec %s ", ns->name);
	else
		SAY(p.s, "# in that namespace: ");
	return p;
}
