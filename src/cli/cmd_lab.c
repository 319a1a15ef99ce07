/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "cli/nearest.h"
#include "lab/experiment.h"
#include "lab/lab.h"
#include "report/report.h"

struct lab_cmd_cfg {
	bool json, verbose;
	uint32_t jobs;
};

static const struct lab_cmd_cfg defaults;

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct lab_cmd_cfg, json), .help = "print one JSON document"},
	{.name = "jobs",
	 OPT_IS_U32(struct lab_cmd_cfg, jobs, 1, 256),
	 .metavar = "N",
	 .help = "experiments at a time (default: 4 for each processor, since most of them wait)"},
	{.name = "verbose",
	 .letter = 'v',
	 OPT_IS_FLAG(struct lab_cmd_cfg, verbose),
	 .help = "print what each experiment did and what doctor said"},
	{.type = OPT_END},
};

static void show_doctor(FILE *out, const struct observation *obs, const struct findings *f)
{
	const struct style st = look_style(out, false);

	report_doctor_text(out, obs, f, &st);
}

static int run_lab(const struct lab_cmd_cfg *c, int n, char *const *ids, FILE *out)
{
	const struct lab_cfg cfg = {.jobs = c->jobs, .json = c->json, .verbose = c->verbose, .show = show_doctor};
	struct lab_totals t = {0};
	struct why w = {""};
	int err;

	for (int i = 0; i < n; i++)
		if (strcmp(ids[i], "all") != 0 && !experiment_find(ids[i]))
			return complain_usage("no such experiment: '%s', lastack lab list lists them", ids[i]);
	err = lab_run(&cfg, ids, (size_t)n, out, &t, &w);
	if (err)
		return complain(EXIT_INTERNAL, "%s", w.text);
	if (t.signal)
		return EXIT_SIGNAL + t.signal;
	if (t.failed)
		return EXIT_FINDINGS;
	return t.not_permitted ? EXIT_INCOMPLETE : EXIT_FINE;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct lab_cmd_cfg *c = cfg;

	if (argc == 0)
		return complain_usage("say list, or run and which: lastack lab run outage");
	if (strcmp(argv[0], "list") == 0) {
		if (argc > 1)
			return complain_usage("list takes no arguments");
		lab_list(out, c->json);
		return EXIT_FINE;
	}
	if (strcmp(argv[0], "run") != 0)
		return complain_usage("no such action: '%s' (list or run)", argv[0]);
	if (argc == 1)
		return complain_usage("run which experiment? lastack lab list lists them; all runs every one");
	return run_lab(c, argc - 1, argv + 1, out);
}

const struct cmd cmd_lab = {
	.name = "lab",
	.args = "list | run ID...|all",
	.summary = "Provoke each finding on this kernel, in private network namespaces, and see doctor report it",
	.description =
		"Every finding has an experiment with the same id. It makes network namespaces of its own, runs programs in "
		"them that misbehave on purpose, and asserts that doctor names the problem there and nothing before. The host's "
		"own network is not touched. Namespaces have no name and vanish with their processes; what a killed run left "
		"behind is ended by the next one.\n\n"
		"outage is the classic incident from beginning to end, in about 80 seconds: a service fails, recovers by "
		"itself, fails again, and recovers for good once the advised fix is applied.",
	.examples = "sudo lastack lab run outage\n"
		    "    watch the classic port exhaustion, diagnosed and cured\n"
		    "sudo lastack lab run PORT001 -v\n"
		    "    one finding provoked, with what doctor said\n"
		    "sudo lastack lab run all\n"
		    "    all of them, in parallel\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct lab_cmd_cfg),
	.args_max = CMD_ARGS_ANY,
	.run = run,
};
