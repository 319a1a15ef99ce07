/* SPDX-License-Identifier: MIT */
#include <ctype.h>

#include "base/json.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "cli/nearest.h"
#include "diag/cause.h"

struct explain_cfg {
	bool json;
};

static const struct explain_cfg defaults;

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct explain_cfg, json), .help = "print one JSON document"},
	{.type = OPT_END},
};

/* In the order in which an incident is looked into. An id is an area's prefix and a number. */
static const struct area {
	const char *prefix, *title;
} areas[] = {
	{"PORT", "Local ports for outgoing connections"},
	{"TW", "TIME_WAIT"},
	{"CW", "CLOSE_WAIT: the program does not close"},
	{"FW", "FIN_WAIT: the peer does not answer or does not close"},
	{"KA", "Who closes connections, and why"},
	{"RST", "Resets"},
	{"SYN", "Queues of listeners"},
	{"NAT", "Connection tracking"},
	{"RESTART", "Restarting a server"},
	{"CFG", "Settings"},
};

static bool is_in_area(const struct rule *r, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(r->id, prefix, len) == 0 && isdigit((unsigned char)r->id[len]);
}

static void list_area(FILE *out, const struct area *a)
{
	fprintf(out, "%s\n", a->title);
	for (size_t i = 0; i < known_rules(); i++)
		if (is_in_area(known_rule(i), a->prefix))
			fprintf(out, "  %-12s%s\n", known_rule(i)->id, known_rule(i)->title);
}

static int list_all(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
		list_area(out, &areas[i]);
		fputc('\n', out);
	}
	fputs("lastack explain ID tells why it happens, how it is decided and what to do.\n", out);
	return EXIT_FINE;
}

static int list_json(FILE *out)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_key(&j, "findings");
	json_array(&j);
	for (size_t i = 0; i < known_rules(); i++) {
		json_object(&j);
		json_kv_str(&j, "id", known_rule(i)->id);
		json_kv_str(&j, "title", known_rule(i)->title);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
	return EXIT_FINE;
}

static void page_json(FILE *out, const struct rule *r)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_kv_str(&j, "id", r->id);
	json_kv_str(&j, "title", r->title);
	json_kv_str(&j, "markdown", report_page(r->id));
	json_object_end(&j);
	json_end(&j);
}

static const struct area *area_find(const char *prefix)
{
	for (size_t i = 0; i < ARRAY_LEN(areas); i++)
		if (strcasecmp(areas[i].prefix, prefix) == 0)
			return &areas[i];
	return NULL;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct explain_cfg *c = cfg;
	const struct area *area;
	const struct rule *r;
	const char *near;
	struct style st = look_style(out, true);

	if (argc == 0)
		return c->json ? list_json(out) : list_all(out);
	area = area_find(argv[0]);
	if (area && !c->json) {
		list_area(out, area);
		return EXIT_FINE;
	}
	r = known_rule_find(argv[0]);
	if (!r) {
		near = nearest_rule(argv[0]);
		if (near)
			return complain_usage("no such finding: '%s' (did you mean %s?)", argv[0], near);
		return complain_usage("no such finding: '%s', lastack explain lists them", argv[0]);
	}
	if (!report_page(r->id))
		return complain(EXIT_INTERNAL, "no page for %s is built in", r->id);
	if (c->json)
		page_json(out, r);
	else
		report_page_text(out, r->id, &st);
	return EXIT_FINE;
}

const struct cmd cmd_explain = {
	.name = "explain",
	.args = "[ID]",
	.args_max = 1,
	.summary = "Explain a finding: why it happens, how it is decided, safe fixes, what never to do",
	.description =
		"Prints the page of a finding, for example PORT001. Without an ID it lists all findings by area; with "
		"the name of an area (PORT, TW, CW, FW, RST, SYN, NAT, RESTART, CFG) the findings of that area. The "
		"pages are built in, so this works without network and in a container.",
	.examples = "lastack explain\n"
		    "    all findings by area\n"
		    "lastack explain PORT001 | less\n"
		    "    why connect() fails with EADDRNOTAVAIL, and the fixes in order\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct explain_cfg),
	.run = run,
};
