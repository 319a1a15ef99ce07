/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"

struct status_cfg {
	bool json, interval_given, states, once, verbose, trace_given;
	uint32_t interval_ms, trace_ms;
	const char *netns;
};

static const struct status_cfg defaults = {.interval_ms = 1000};

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct status_cfg, json), .help = "print one JSON document"},
	{.name = "states",
	 .letter = 's',
	 OPT_IS_FLAG(struct status_cfg, states),
	 .help = "print only how many sockets are in each state, as netstat -n would count them"},
	{.name = "interval",
	 .letter = 'i',
	 OPT_IS_SECONDS(struct status_cfg, interval_ms, 100, 3600000),
	 OPT_TELLS(struct status_cfg, interval_given),
	 .or_zero = true,
	 .metavar = "SECONDS",
	 .help = "time between the two looks that rates are made from; 0 is --once"},
	{.name = "once",
	 .letter = '1',
	 OPT_IS_FLAG(struct status_cfg, once),
	 .help = "look once: no rates, no waiting"},
	{.name = "trace",
	 .letter = 't',
	 OPT_IS_SECONDS(struct status_cfg, trace_ms, 100, 3600000),
	 OPT_TELLS(struct status_cfg, trace_given),
	 .metavar = "SECONDS",
	 .help = "follow closes for this time (as lastack trace), so that TIME_WAITs have owners; instead of --interval"},
	{.name = "netns",
	 .letter = 'n',
	 OPT_IS_STRING(struct status_cfg, netns),
	 .metavar = "all|self|PID|NAME",
	 .help = "which network namespaces (default all for root, else self; always self for --states)"},
	{.name = "verbose",
	 .letter = 'v',
	 OPT_IS_FLAG(struct status_cfg, verbose),
	 .help = "print everything, not one screen"},
	{.type = OPT_END},
};

static int check(const struct status_cfg *c)
{
	if (c->once && c->interval_given && c->interval_ms)
		return complain_usage("--once and --interval cannot be combined");
	if (c->states && c->json)
		return complain_usage("--states and --json cannot be combined: --json has the states already");
	if (c->states && c->interval_given && c->interval_ms)
		return complain_usage("--states looks once: --interval does not apply");
	if (c->trace_given && (c->once || c->states || c->interval_given))
		return complain_usage("--trace looks twice itself: --once, --states and --interval do not apply");
	return 0;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct status_cfg *c = cfg;
	struct look l = {
		.netns = c->netns,
		.scope = c->states ? OBS_NETNS_SELF : look_default_scope(),
		.interval_ms = c->once || c->states ? 0
			       : c->trace_given     ? c->trace_ms
						    : c->interval_ms,
		.trace = c->trace_given,
		.depth = c->states ? OBS_COUNTS : OBS_OWNERS,
	};
	struct observation o = {.n = 0};
	struct style st = look_style(out, c->verbose);
	int code = check(c);

	if (!code)
		code = look(&l, &o);
	if (code)
		return code;
	if (c->states)
		report_states(out, &o);
	else if (c->json)
		report_status_json(out, &o);
	else
		report_status_text(out, &o, &st);
	observation_done(&o);
	return EXIT_FINE;
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "",
	.summary = "Show connections by state, listeners, destinations and ports left",
	.description =
		"Shows for every network namespace how many sockets are in each state, the busiest listeners, the "
		"destinations that hold the most local ports with the time until ports run out, and what changes per "
		"second. This is what a bare `lastack` does.\n\n"
		"With --states it prints the lines that `netstat -n | awk '/^tcp/{++S[$NF]}END{for(s in S) print s, S[s]}'` "
		"prints, without the cost: listening sockets are left out, and only the namespace of the caller counts, as "
		"in netstat, unless --netns says otherwise.",
	.examples = "lastack\n"
		    "    one screen about this host\n"
		    "lastack status --states\n"
		    "    the classic one-liner\n"
		    "sudo lastack status --trace 60s\n"
		    "    a minute later every TIME_WAIT has the process that closed it\n"
		    "lastack status --json --once\n"
		    "    for a program, without waiting for rates\n"
		    "lastack status --netns 812 -v\n"
		    "    everything about the namespace that process 812 lives in\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct status_cfg),
	.run = run,
};
