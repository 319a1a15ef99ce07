/* SPDX-License-Identifier: MIT */
#include "report/parts.h"

static const char *const stage_names[] = {
	[STAGE_FAILING] = "failing",   [STAGE_ABOUT_TO_FAIL] = "about_to_fail",
	[STAGE_LOSING] = "losing",     [STAGE_LEAKING] = "leaking",
	[STAGE_CHURN] = "churn",       [STAGE_CONFIG] = "config",
	[STAGE_HARMLESS] = "harmless",
};

static const char *or_null(const char *s) { return s[0] ? s : NULL; }

static void json_remedies(struct json *j, const struct finding *f)
{
	json_key(j, "remedies");
	json_array(j);
	for (size_t i = 0; i < f->n_remedies; i++) {
		json_object(j);
		json_kv_str(j, "action", f->remedies[i].action);
		json_kv_str(j, "precondition", or_null(f->remedies[i].precondition));
		json_kv_str(j, "command", or_null(f->remedies[i].command));
		json_kv_str(j, "risk", or_null(f->remedies[i].risk));
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "never");
	json_array(j);
	for (size_t i = 0; i < NEVER_MAX && f->rule->never[i]; i++)
		json_str(j, f->rule->never[i]);
	json_array_end(j);
}

static void json_finding(struct json *j, const struct finding *f)
{
	json_object(j);
	json_kv_str(j, "id", f->rule->id);
	json_kv_str(j, "severity", severity_name(f->severity));
	json_kv_str(j, "stage", stage_names[f->stage]);
	json_kv_str(j, "netns", or_null(f->netns));
	json_kv_uint(j, "netns_inode", f->netns_inode);
	json_kv_str(j, "title", f->rule->title);
	json_kv_str(j, "what", f->what);
	json_kv_str(j, "evidence", f->evidence);
	json_kv_str(j, "confidence", confidence_name(f->confidence));
	json_kv_str(j, "raise", or_null(f->raise));
	json_kv_str(j, "process", or_null(f->process));
	if (f->verdict[0]) {
		json_kv_str(j, "verdict", f->verdict);
		json_kv_str(j, "service", f->service);
		json_kv_uint(j, "n", f->n);
		json_kv_real(j, "window_s", f->window_s);
		json_kv_str(j, "same_as", or_null(f->same_as));
	}
	json_remedies(j, f);
	json_object_end(j);
}

void json_findings(struct json *j, const struct findings *f)
{
	json_key(j, "findings");
	json_array(j);
	for (size_t i = 0; i < f->n; i++)
		json_finding(j, &f->v[i]);
	json_array_end(j);
	json_kv_uint(j, "dropped", f->dropped);
	json_kv_str(j, "dropped_worst", f->dropped ? severity_name(f->dropped_worst) : NULL);
}

void report_doctor_json(FILE *out, const struct observation *obs, const struct findings *f)
{
	const struct snapshot *s = observation_now(obs);
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_header(&j, obs);
	json_findings(&j, f);
	json_key(&j, "missing");
	json_array(&j);
	json_missing(&j, s->missing, s->n_missing, NULL);
	for (size_t i = 0; i < s->n_netns; i++)
		json_missing(&j, s->netns[i].missing, s->netns[i].n_missing, s->netns[i].name);
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}
