/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/pcap_file.h"
#include "cli/sim_plot.h"
#include "cli/sim_show.h"

enum { SETTINGS_MAX = 16, SETTINGS_LEN = 512 };

struct sim_cmd_cfg {
	bool json, verbose, has_hosts;
	uint32_t seed, runs, hosts, jobs;
	unsigned policy, faults; /* index of the word; 0: drawn */
	const char *set, *pcap, *plot;
};

static const struct sim_cmd_cfg defaults = {.seed = 1, .runs = 1};

static const char *const policy_words[] = {"drawn", "rfc9293", "linux-2.6", "linux-4.12", "linux-6.18", NULL};
static const char *const fault_words[] = {"drawn", "none", "some", "all", NULL}; /* enum sim_faults */

static const struct opt opts[] = {
	{.name = "seed",
	 .letter = 's',
	 OPT_IS_U32(struct sim_cmd_cfg, seed, 0, UINT32_MAX),
	 .metavar = "S",
	 .help = "what everything is drawn from; further runs take the seeds that follow"},
	{.name = "runs",
	 .letter = 'n',
	 OPT_IS_U32(struct sim_cmd_cfg, runs, 1, 100000000),
	 .metavar = "N",
	 .help = "how many runs"},
	{.name = "hosts",
	 OPT_IS_U32(struct sim_cmd_cfg, hosts, 2, HOSTS_MAX),
	 .metavar = "N",
	 .help = "hosts in every run (default: drawn)",
	 OPT_TELLS(struct sim_cmd_cfg, has_hosts)},
	{.name = "policy",
	 OPT_IS_ENUM(struct sim_cmd_cfg, policy, policy_words),
	 .metavar = "POLICY",
	 .help = "whose rules every host follows: drawn, rfc9293, linux-2.6, linux-4.12 or linux-6.18"},
	{.name = "faults",
	 OPT_IS_ENUM(struct sim_cmd_cfg, faults, fault_words),
	 .metavar = "HOW",
	 .help = "what befalls packets and hosts: drawn, none, some or all"},
	{.name = "set",
	 OPT_IS_STRING(struct sim_cmd_cfg, set),
	 .metavar = "NAME=VALUE,...",
	 .help = "knobs of every host, as lastack knobs names them, whatever is drawn"},
	{.name = "jobs",
	 OPT_IS_U32(struct sim_cmd_cfg, jobs, 1, 256),
	 .metavar = "N",
	 .help = "processes (default: one for each processor)"},
	{.name = "pcap",
	 OPT_IS_STRING(struct sim_cmd_cfg, pcap),
	 .metavar = "FILE",
	 .help = "write the packets of the one run, as they arrive, for Wireshark"},
	{.name = "plot",
	 OPT_IS_STRING(struct sim_cmd_cfg, plot),
	 .metavar = "FILE.svg",
	 .help = "instead: long transfers over a bottleneck, their goodput and congestion windows as a page of charts"},
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct sim_cmd_cfg, json), .help = "print one JSON document"},
	{.name = "verbose",
	 .letter = 'v',
	 OPT_IS_FLAG(struct sim_cmd_cfg, verbose),
	 .help = "print every packet and every change of state of the one run"},
	{.type = OPT_END},
};

/* ---- --set ---- */

struct settings {
	char text[SETTINGS_LEN];
	struct knob_setting row[SETTINGS_MAX];
	unsigned n;
};

/* 0, or the exit code after a complaint. */
static int take_setting(struct settings *s, char *item)
{
	struct knob_setting *row = &s->row[s->n];
	char *eq = strchr(item, '=');
	struct knobs k;

	if (!eq)
		return complain_usage("--set: '%s' is not NAME=VALUE", item);
	if (s->n == SETTINGS_MAX)
		return complain_usage("--set: more than %d knobs", SETTINGS_MAX);
	*eq = 0;
	knobs_default(&k);
	switch (knobs_set(&k, item, eq + 1)) {
	case 0:
		break;
	case -ENOENT:
		return complain_usage("--set: no such knob: '%s', lastack knobs lists them", item);
	case -ERANGE:
		return complain_usage("--set: '%s' is out of range for %s", eq + 1, item);
	default:
		return complain_usage("--set: '%s' is no value for %s", eq + 1, item);
	}
	if (strlen(eq + 1) >= sizeof(row->value))
		return complain_usage("--set: '%s' is too long", eq + 1);
	row->name = item;
	snprintf(row->value, sizeof(row->value), "%s", eq + 1);
	s->n++;
	return 0;
}

static int take_settings(struct settings *s, const char *text)
{
	char *save = NULL;
	int code = 0;

	s->n = 0;
	if (!text)
		return 0;
	if (strlen(text) >= sizeof(s->text))
		return complain_usage("--set: longer than %d characters", SETTINGS_LEN - 1);
	snprintf(s->text, sizeof(s->text), "%s", text);
	for (char *item = strtok_r(s->text, ",", &save); item && !code; item = strtok_r(NULL, ",", &save))
		code = take_setting(s, item);
	return code;
}

/* ---- one run, looked at ---- */

static void on_packet(void *arg, nsec_t at, const uint8_t *packet, size_t len) { pcap_packet(arg, at, packet, len); }

static void on_line(void *arg, nsec_t at, unsigned host, const char *line)
{
	fprintf(arg, "%12.6f host %u %s\n", (double)at / 1e9, host + 1, line);
}

static int run_one(const struct sim_cmd_cfg *c, struct sim_cfg *cfg, FILE *out, struct sim_jobs_result *r)
{
	FILE *f = NULL;
	bool written = true;
	int err;

	memset(r, 0, sizeof(*r));
	if (c->pcap) {
		f = fopen(c->pcap, "wb");
		if (!f)
			return complain(EXIT_INTERNAL, "--pcap: %s: %s", c->pcap, strerror(errno));
		pcap_begin(f);
		cfg->tap = on_packet;
		cfg->tap_arg = f;
	}
	if (c->verbose) {
		cfg->log = on_line;
		cfg->log_arg = out;
	}
	err = sim_run_one(cfg, &r->failure);
	r->sum = r->failure.totals;
	r->failed = r->failure.verdict.failed;
	if (f)
		written = (!ferror(f) && fflush(f) == 0);
	if (f)
		fclose(f);
	if (!written)
		return complain(EXIT_INTERNAL, "--pcap: cannot write %s", c->pcap);
	return err ? complain(EXIT_INTERNAL, "a host refuses its configuration: %s", strerror(-err)) : EXIT_FINE;
}

static int run_many(const struct sim_cmd_cfg *c, const struct sim_cfg *cfg, struct sim_jobs_result *r)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = c->jobs ? c->jobs : online > 0 ? (unsigned)online : 1;
	int err = sim_jobs_run(cfg, c->runs, jobs, isatty(STDERR_FILENO), r);

	return err ? complain(EXIT_INTERNAL, "cannot run: %s", strerror(-err)) : EXIT_FINE;
}

static int run_plot(const struct sim_cmd_cfg *c, const struct settings *set, FILE *out)
{
	struct transfer_cfg wishes = {.seed = c->seed, .n_set = set->n};
	bool written;
	FILE *f;
	int code;

	if (c->runs > 1 || c->pcap || c->verbose || c->has_hosts || c->policy || c->faults)
		return complain_usage("--plot goes with --seed, --set and --json only");
	if (set->n > TRANSFER_KNOBS_MAX)
		return complain_usage("--plot: more than %d knobs", TRANSFER_KNOBS_MAX);
	memcpy(wishes.set, set->row, set->n * sizeof(set->row[0]));
	f = fopen(c->plot, "w");
	if (!f)
		return complain(EXIT_INTERNAL, "--plot: %s: %s", c->plot, strerror(errno));
	code = sim_plot(f, out, c->json, &wishes);
	written = !ferror(f);
	if (fclose(f) || !written)
		return complain(EXIT_INTERNAL, "--plot: cannot write %s", c->plot);
	return code;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct sim_cmd_cfg *c = cfg;
	struct settings set;
	struct sim_jobs_result r;
	struct sim_cfg sim = {.seed = c->seed,
			      .wishes = {.hosts = c->hosts,
					 .policy = (int)c->policy - 1,
					 .faults = (enum sim_faults)c->faults,
					 .set = set.row}};
	int code = take_settings(&set, c->set);

	if (code)
		return code;
	if (c->plot)
		return run_plot(c, &set, out);
	if (c->runs > 1 && (c->pcap || c->verbose))
		return complain_usage("%s is for one run: leave --runs out", c->pcap ? "--pcap" : "--verbose");
	if (c->verbose && c->json)
		return complain_usage("--verbose and --json cannot be combined");
	sim.wishes.n_set = set.n;
	code = c->pcap || c->verbose ? run_one(c, &sim, out, &r) : run_many(c, &sim, &r);
	if (code)
		return code;
	if (c->json)
		sim_show_json(out, &sim, c->runs, &r);
	else
		sim_show_text(out, &sim, c->runs, &r);
	return r.failed ? EXIT_FINDINGS : EXIT_FINE;
}

const struct cmd cmd_sim = {
	.name = "sim",
	.args = "",
	.summary = "Run the engine against itself in virtual time, with every fault, and check every rule",
	.description =
		"Virtual hosts, an engine each, are connected by paths that delay, lose, duplicate, reorder, damage and replay "
		"packets; applications connect, send, read and close on them, politely and not; hosts restart. All of it, also "
		"the engines' knobs, is drawn from the seed, so a run is the same wherever and whenever it is made.\n\n"
		"Everything is watched: every octet is traced to the connection that sent it, TIME_WAIT must be where it belongs "
		"and last as long as it must, counters must add up and nothing may be left in the end. The first rule that does "
		"not hold ends a run, and lastack prints what it was and the command that plays it again.\n\n"
		"With --plot nothing is drawn or watched: one, two and ten connections send all they can over a bottleneck with a "
		"queue, random loss or ECN marks. The page shows congestion windows, the queue and goodput; the figures that are "
		"printed are of what comes after the first 15 s.\n\n"
		"Exit status: 0 every rule held, 1 one did not, 2 wrong usage.",
	.examples = "lastack sim --runs 2000\n"
		    "    2,000 runs, seeds 1 to 2000\n"
		    "lastack sim --seed 17 --pcap run.pcap\n"
		    "    one run again, for Wireshark\n"
		    "lastack sim --runs 500 --policy linux-6.18 --set net.ipv4.tcp_tw_reuse=1\n"
		    "    every host reuses TIME_WAITs\n"
		    "lastack sim --plot page.svg\n"
		    "    goodput and congestion windows, for a browser\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct sim_cmd_cfg),
	.run = run,
};
