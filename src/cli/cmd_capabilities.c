/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "obs/obs.h"
#include "report/lines.h"

struct capabilities_cfg {
	bool json;
};

static const struct capabilities_cfg defaults;

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct capabilities_cfg, json), .help = "print one JSON document"},
	{.type = OPT_END},
};

static void print_json(FILE *out, const struct capability *v, size_t n)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_key(&j, "capabilities");
	json_array(&j);
	for (size_t i = 0; i < n; i++) {
		json_object(&j);
		json_kv_str(&j, "name", v[i].name);
		json_kv_bool(&j, "have", v[i].have);
		json_kv_str(&j, "detail", v[i].detail);
		json_kv_str(&j, "lost", v[i].lost[0] ? v[i].lost : NULL);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}

static void print_text(FILE *out, const struct capability *v, size_t n)
{
	struct lines l = {.out = out, .width = look_style(out, false).width};

	for (size_t i = 0; i < n; i++) {
		char text[sizeof(v->name) + sizeof(v->detail) + 2];

		snprintf(text, sizeof(text), "%s%s%s", v[i].name, v[i].detail[0] ? ": " : "", v[i].detail);
		lines_wrap(&l, &(struct paragraph){.head = v[i].have ? "yes  " : "no   ",
						   .text = text,
						   .indent = 5,
						   .max_lines = LINES_NO_LIMIT});
		if (v[i].lost[0])
			lines_wrap(&l, &(struct paragraph){.head = "     lost without it: ",
							   .text = v[i].lost,
							   .indent = 5,
							   .max_lines = LINES_NO_LIMIT});
	}
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct capabilities_cfg *c = cfg;
	struct capability v[CAPABILITIES_MAX];
	size_t n = obs_capabilities(v);

	if (c->json)
		print_json(out, v, n);
	else
		print_text(out, v, n);
	return EXIT_FINE;
}

const struct cmd cmd_capabilities = {
	.name = "capabilities",
	.args = "",
	.summary = "Show what this kernel and these privileges allow to be seen, and which answers are lost",
	.description =
		"Tries each source of information that lastack uses and says whether it works here, how that was "
		"tried, and which answers are lost without it. Run it with and without root to see the difference.",
	.examples = "sudo lastack capabilities\n"
		    "    what can be seen at best\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct capabilities_cfg),
	.run = run,
};
