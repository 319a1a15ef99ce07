/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "knob/knob.h"
#include "knob/values.h"
#include "report/lines.h"

struct knobs_cfg {
	bool json, changed;
	const char *netns;
};

static const struct knobs_cfg defaults;

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct knobs_cfg, json), .help = "print one JSON document"},
	{.name = "changed",
	 .letter = 'c',
	 OPT_IS_FLAG(struct knobs_cfg, changed),
	 .help = "only knobs that differ from their default or are dangerous as set"},
	{.name = "netns",
	 .letter = 'n',
	 OPT_IS_STRING(struct knobs_cfg, netns),
	 .metavar = "all|self|PID|NAME",
	 .help = "which network namespaces (default self)"},
	{.type = OPT_END},
};

/* One knob in one namespace, judged. */
struct knob_row {
	const struct knob_desc *desc;
	enum knob_id id;
	bool known, changed, dangerous;
	int64_t value;
	int64_t def; /* KNOB_ANY: computed at boot from what we cannot see */
};

static struct knob_row judge(const struct snapshot *s, const struct netns *ns, enum knob_id id)
{
	struct knob_row r = {.desc = &knob_descs[id], .id = id, .known = ns->knob_known[id], .value = ns->knob[id]};
	int64_t own = ns->knob_known[KNOB_ehash_entries] ? ns->knob[KNOB_ehash_entries] : 0;
	int64_t boot = knob_boot_value(id, s->ehash_entries, own);

	r.def = r.desc->def == KNOB_BOOT ? boot : r.desc->def;
	if (!r.known)
		return r;
	r.changed = !knob_is_default(id, r.value, boot);
	r.dangerous = knob_is_dangerous(id, r.value, boot);
	return r;
}

enum { NAME_COLUMNS = 35 };
#define ROW_FORMAT "%-*s %10s %10s %-4s %-8s %s\n"

struct version_text {
	char s[32];
};

static struct version_text version_text(const struct knob_desc *d)
{
	struct version_text t = {"always"};

	if (d->until)
		snprintf(t.s, sizeof(t.s), "%d.%d-%d.%d", d->since >> 16, d->since & 0xffff, d->until >> 16,
			 d->until & 0xffff);
	else if (d->since)
		snprintf(t.s, sizeof(t.s), "%d.%d", d->since >> 16, d->since & 0xffff);
	return t;
}

static void print_row(struct lines *l, const struct knob_row *r)
{
	FILE *out = l->out;
	char name[64], value[32] = "-", def[32] = "at boot", rest[64];

	/* Two numbers of one file are two rows. */
	snprintf(name, sizeof(name), "%s%s", r->desc->name,
		 r->id == KNOB_port_low    ? " (low)"
		 : r->id == KNOB_port_high ? " (high)"
					   : "");
	if (r->known)
		snprintf(value, sizeof(value), "%" PRId64, r->value);
	if (r->def != KNOB_ANY)
		snprintf(def, sizeof(def), "%" PRId64, r->def);
	snprintf(rest, sizeof(rest), "%s%s", knob_scope_name(r->desc->scope),
		 r->changed && !r->dangerous ? "  changed" : "");
	if (strlen(name) > NAME_COLUMNS) { /* the longest names take a line of their own, so that 80 columns suffice */
		fprintf(out, "%s\n", name);
		name[0] = 0;
	}
	fprintf(out, ROW_FORMAT, NAME_COLUMNS, name, value, def, knob_unit_name(r->desc->unit), version_text(r->desc).s,
		rest);
	if (r->dangerous)
		lines_wrap(l, &(struct paragraph){.head = "    dangerous: ",
						  .text = r->desc->danger,
						  .indent = 4,
						  .max_lines = LINES_NO_LIMIT});
}

static bool wanted(const struct knobs_cfg *c, const struct knob_row *r)
{
	return !c->changed || r->changed || r->dangerous;
}

struct range_text {
	char s[96];
};

/* "0 to 3600000", or the words it takes. */
static struct range_text range_text(enum knob_id id)
{
	const struct knob_desc *d = &knob_descs[id];
	struct range_text t = {""};

	for (int64_t i = 0; knob_word(id, i); i++)
		append(t.s, sizeof(t.s), "%s%s", i ? ", " : "", knob_word(id, i));
	if (!t.s[0])
		snprintf(t.s, sizeof(t.s), "%" PRId64 " to %" PRId64, d->min, d->max);
	return t;
}

/* The knobs of our own engine: no host has them, so that there is nothing to read. */
static void print_engine(FILE *out)
{
	fputs("\nOf the engine in lastack (no host has these; default and range):\n", out);
	for (enum knob_id id = N_HOST_KNOBS; id < N_KNOBS; id++) {
		const struct knob_desc *d = &knob_descs[id];
		const char *unit = knob_unit_name(d->unit), *word = knob_word(id, d->def);
		char def[32];

		snprintf(def, sizeof(def), "%" PRId64 "%s%s", d->def, unit[0] ? " " : "", unit);
		fprintf(out, "%-22s %-14s %s\n", d->name, word ? word : def, range_text(id).s);
	}
}

static void print_text(FILE *out, const struct knobs_cfg *c, const struct snapshot *s)
{
	struct lines l = {.out = out, .width = look_style(out, false).width};

	for (size_t i = 0; i < s->n_netns; i++) {
		const struct netns *ns = &s->netns[i];
		unsigned shown = 0;

		if (s->n_netns > 1)
			fprintf(out, "%s%s:\n", i ? "\n" : "", ns->name);
		for (enum knob_id id = 0; id < N_HOST_KNOBS; id++) {
			struct knob_row r = judge(s, ns, id);

			if (!wanted(c, &r))
				continue;
			if (!shown++)
				fprintf(out, ROW_FORMAT, NAME_COLUMNS, "NAME", "VALUE", "DEFAULT", "UNIT", "SINCE",
					"SCOPE");
			print_row(&l, &r);
		}
		if (!shown)
			fputs("every knob has its default value\n", out);
	}
	if (!c->changed)
		print_engine(out);
}

static void kv_known(struct json *j, const char *key, bool known, int64_t v)
{
	json_key(j, key);
	if (known)
		json_int(j, v);
	else
		json_null(j);
}

static void kv_version(struct json *j, const char *key, int kv)
{
	char text[16];

	snprintf(text, sizeof(text), "%d.%d", kv >> 16, kv & 0xffff);
	json_kv_str(j, key, kv ? text : NULL);
}

static void row_json(struct json *j, const struct knob_row *r)
{
	const struct knob_desc *d = r->desc;

	json_object(j);
	json_kv_str(j, "name", d->name);
	json_kv_str(j, "field", d->field);
	kv_known(j, "value", r->known, r->value);
	kv_known(j, "default", r->def != KNOB_ANY, r->def);
	json_kv_str(j, "unit", knob_unit_name(d->unit));
	json_kv_str(j, "scope", knob_scope_name(d->scope));
	kv_version(j, "since", d->since);
	kv_version(j, "until", d->until);
	json_kv_bool(j, "changed", r->changed);
	json_kv_bool(j, "dangerous", r->dangerous);
	json_kv_str(j, "danger", r->dangerous ? d->danger : NULL);
	json_kv_str(j, "help", d->help);
	json_object_end(j);
}

static void engine_json(struct json *j)
{
	json_key(j, "engine");
	json_array(j);
	for (enum knob_id id = N_HOST_KNOBS; id < N_KNOBS; id++) {
		const struct knob_desc *d = &knob_descs[id];

		json_object(j);
		json_kv_str(j, "name", d->name);
		json_kv_str(j, "field", d->field);
		json_kv_int(j, "default", d->def);
		json_kv_int(j, "min", d->min);
		json_kv_int(j, "max", d->max);
		json_kv_str(j, "unit", knob_unit_name(d->unit));
		json_key(j, "words");
		json_array(j);
		for (int64_t i = 0; knob_word(id, i); i++)
			json_str(j, knob_word(id, i));
		json_array_end(j);
		json_kv_str(j, "help", d->help);
		json_object_end(j);
	}
	json_array_end(j);
}

static void print_json(FILE *out, const struct knobs_cfg *c, const struct snapshot *s)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_kv_str(&j, "kernel", s->kernel);
	json_key(&j, "netns");
	json_array(&j);
	for (size_t i = 0; i < s->n_netns; i++) {
		json_object(&j);
		json_kv_str(&j, "name", s->netns[i].name);
		json_kv_uint(&j, "inode", s->netns[i].inode);
		json_key(&j, "knobs");
		json_array(&j);
		for (enum knob_id id = 0; id < N_HOST_KNOBS; id++) {
			struct knob_row r = judge(s, &s->netns[i], id);

			if (wanted(c, &r))
				row_json(&j, &r);
		}
		json_array_end(&j);
		json_object_end(&j);
	}
	json_array_end(&j);
	if (!c->changed)
		engine_json(&j);
	json_object_end(&j);
	json_end(&j);
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct knobs_cfg *c = cfg;
	struct look l = {.netns = c->netns, .scope = OBS_NETNS_SELF};
	struct observation o = {.n = 0};
	int code = look(&l, &o);

	if (code)
		return code;
	if (c->json)
		print_json(out, c, observation_now(&o));
	else
		print_text(out, c, observation_now(&o));
	observation_done(&o);
	return EXIT_FINE;
}

const struct cmd cmd_knobs = {
	.name = "knobs",
	.args = "",
	.summary = "Show the sysctls that shape how connections end, and which are dangerous as set",
	.description =
		"Shows every kernel setting that matters for connection teardown: its value in this network "
		"namespace, its default on this machine (some are computed from memory at boot), its unit, since (and "
		"until) which kernel it exists, and whether it belongs to the namespace or to the whole machine. A "
		"value that is known to harm is marked with the reason. A '-' means that this kernel does not have "
		"the setting, or that it could not be read. At the end, without --changed, stand the knobs of lastack's "
		"own engine with their defaults and ranges; no host has those.",
	.examples = "lastack knobs\n"
		    "    all settings\n"
		    "lastack knobs --changed --netns all\n"
		    "    what somebody changed, in every network namespace\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct knobs_cfg),
	.run = run,
};
