/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "cli/nearest.h"
#include "diag/cause.h"
#include "obs/saved.h"
#include <unistd.h>

struct doctor_cfg {
	bool json, interval_given, once, verbose;
	unsigned fail_on; /* enum severity */
	uint32_t interval_ms, trace_ms;
	const char *netns, *only, *save, *from;
};

static const struct doctor_cfg defaults = {.interval_ms = 1000, .fail_on = SEV_WARN};

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct doctor_cfg, json), .help = "print one JSON document"},
	{.name = "fail-on",
	 .letter = 'f',
	 OPT_IS_ENUM(struct doctor_cfg, fail_on, severity_words),
	 .metavar = "info|warn|crit",
	 .help = "least severity that makes the exit code 1"},
	{.name = "interval",
	 .letter = 'i',
	 OPT_IS_SECONDS(struct doctor_cfg, interval_ms, 100, 3600000),
	 OPT_TELLS(struct doctor_cfg, interval_given),
	 .or_zero = true,
	 .metavar = "SECONDS",
	 .help = "time between the two looks that rates are made from; 0 is --once"},
	{.name = "once",
	 .letter = '1',
	 OPT_IS_FLAG(struct doctor_cfg, once),
	 .help = "look once: no rates, so what only a growing counter shows is not found"},
	{.name = "trace",
	 .letter = 't',
	 OPT_IS_SECONDS(struct doctor_cfg, trace_ms, 1000, 3600000),
	 .metavar = "SECONDS",
	 .help = "follow closes for so long (BPF), instead of --interval: who closes connections, and why (10 or more are useful)"},
	{.name = "netns",
	 .letter = 'n',
	 OPT_IS_STRING(struct doctor_cfg, netns),
	 .metavar = "all|self|PID|NAME",
	 .help = "which network namespaces (default all for root, else self)"},
	{.name = "only",
	 .letter = 'o',
	 OPT_IS_STRING(struct doctor_cfg, only),
	 .metavar = "ID",
	 .help = "look for this finding only, for example PORT001"},
	{.name = "save",
	 OPT_IS_STRING(struct doctor_cfg, save),
	 .metavar = "FILE",
	 .help = "also write what was seen to FILE, for --from; with - to standard output instead of the report"},
	{.name = "from",
	 OPT_IS_STRING(struct doctor_cfg, from),
	 .metavar = "FILE",
	 .help = "diagnose a saved file (- is standard input) instead of this host; needs no privileges"},
	{.name = "verbose",
	 .letter = 'v',
	 OPT_IS_FLAG(struct doctor_cfg, verbose),
	 .help = "print all findings with every fix and its precondition, not one screen"},
	{.type = OPT_END},
};

static int check(const struct doctor_cfg *c)
{
	if (c->once && c->interval_given && c->interval_ms)
		return complain_usage("--once and --interval cannot be combined");
	if (c->from && (c->interval_given || c->once))
		return complain_usage("--from reads a saved file: %s does not apply",
				      c->once ? "--once" : "--interval");
	if (c->from && c->netns)
		return complain_usage("--from reads a saved file: --netns does not apply");
	if (c->from && c->save)
		return complain_usage("--from and --save cannot be combined: the file is there already");
	if (c->save && strcmp(c->save, "-") == 0 && c->json)
		return complain_usage("--save - and --json would both write to standard output");
	if (c->trace_ms && (c->once || c->interval_given))
		return complain_usage("--trace looks twice itself: --once and --interval do not apply");
	if (c->from && c->trace_ms)
		return complain_usage("--from reads a saved file: --trace does not apply");
	if (c->only && !rule_find(c->only) && !(c->trace_ms && known_rule_find(c->only))) {
		const char *near = nearest_rule(c->only);

		if (known_rule_find(c->only))
			return complain_usage("--only: %s is found by --trace SECONDS", near);
		if (near)
			return complain_usage("--only: no such finding: '%s' (did you mean %s?)", c->only, near);
		return complain_usage("--only: no such finding: '%s', lastack explain lists them", c->only);
	}
	return 0;
}

static int obtain(const struct doctor_cfg *c, struct services *closes, struct observation *ret)
{
	struct look l = {
		.netns = c->netns,
		.scope = look_default_scope(),
		.interval_ms = c->once       ? 0
			       : c->trace_ms ? c->trace_ms
					     : c->interval_ms,
		.depth = OBS_LEAKS,
		.trace = c->trace_ms > 0,
		.services = closes,
	};
	struct why w = {""};
	int err;

	if (!c->from)
		return look(&l, ret);
	err = saved_read_file(c->from, ret, &w);
	if (err)
		return complain(EXIT_USAGE, "--from: %s", w.text[0] ? w.text : strerror(-err));
	return 0;
}

static int save(const struct doctor_cfg *c, const struct observation *o, FILE *out)
{
	struct why w = {""};
	int err;

	if (!c->save)
		return 0;
	err = strcmp(c->save, "-") == 0 ? saved_write(out, o, &w) : saved_write_file(c->save, o, &w);
	if (err)
		return complain(EXIT_INTERNAL, "--save: %s", w.text[0] ? w.text : strerror(-err));
	return 0;
}

static int fold(const struct services *closes, const char *only, const struct snapshot *s, struct findings *f)
{
	struct findings causes = {.v = NULL};
	int err = causes_diagnose(closes, only, &causes);

	if (!err)
		causes_fold(f, &causes, s);
	findings_done(&causes);
	return err;
}

static int verdict(const struct doctor_cfg *c, const struct observation *o, const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if ((unsigned)f->v[i].severity >= c->fail_on)
			return EXIT_FINDINGS;
	if (f->dropped && (unsigned)f->dropped_worst >= c->fail_on)
		return EXIT_FINDINGS;
	return report_is_blind(o) ? EXIT_INCOMPLETE : EXIT_FINE;
}

static int judge(const struct doctor_cfg *c, const struct observation *o, const struct services *closes, FILE *out)
{
	struct style st = look_style(out, c->verbose);
	struct findings f = {.v = NULL};
	bool silent = c->save && strcmp(c->save, "-") == 0;
	int code;

	if (diagnose(o, c->only, &f) != 0 || fold(closes, c->only, observation_now(o), &f) != 0) {
		findings_done(&f);
		return complain(EXIT_INTERNAL, "out of memory");
	}
	if (c->json) {
		report_doctor_json(out, o, &f);
	} else if (!silent) {
		report_doctor_text(out, o, &f, &st);
		if (c->only)
			fprintf(out, "only %s was looked for\n", known_rule_find(c->only)->id);
	}
	code = verdict(c, o, &f);
	findings_done(&f);
	return code;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct doctor_cfg *c = cfg;
	struct observation o = {.n = 0};
	struct services closes;
	int code = check(c);

	if (code)
		return code;
	services_init(&closes, (uint64_t)getpid());
	closes.live = true;
	code = obtain(c, &closes, &o);
	if (!code)
		code = save(c, &o, out);
	if (!code)
		code = judge(c, &o, &closes, out);
	observation_done(&o);
	services_done(&closes);
	return code;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Say what is wrong with how connections end, who causes it and how to fix it safely",
	.description =
		"Looks twice at the host, an interval apart, and reports what is wrong or about to go wrong: local ports "
		"running out, leaked CLOSE_WAIT sockets, stuck FIN_WAIT sockets, resets that lose data, full accept and SYN "
		"queues, settings that harm. Each finding comes with the numbers that prove it, the process to blame, the safe "
		"fix and what not to do. A pile of TIME_WAIT that hurts nobody is called harmless. Nothing on the host is "
		"changed.\n\n"
		"With --trace it follows closes from one look to the next, as lastack trace does, and says which side closes each "
		"service's connections and why: a connection for each request, small pools, idle timeouts, lost requests.\n\n"
		"Root sees all processes and network namespaces; without root the rest still works and what could not be seen "
		"is said.",
	.examples = "sudo lastack doctor\n"
		    "    what is wrong on this host, on one screen\n"
		    "lastack doctor --json --fail-on crit\n"
		    "    for monitoring: exit code 1 only if something fails now\n"
		    "lastack doctor --save host.json; lastack doctor --from host.json\n"
		    "    look on one machine, diagnose on another\n"
		    "sudo lastack doctor --trace 10\n"
		    "    who closes connections, and why, too\n"
		    "lastack doctor --only PORT001 -v\n"
		    "    one finding, everything about it\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct doctor_cfg),
	.run = run,
};
