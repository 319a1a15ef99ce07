/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/group.h"
#include "cli/look.h"
#include "cli/tracing.h"

enum { GROUPS_MAX = 4096 };

struct trace_cmd_cfg {
	bool json, summary;
	unsigned fail_on; /* enum severity, or SEV_NEVER */
	uint32_t for_ms, pid, port;
	const char *netns, *comm, *cgroup, *dst;
};

static const struct trace_cmd_cfg defaults = {.fail_on = SEV_NEVER};

static const struct opt opts[] = {
	{.name = "for",
	 .letter = 't',
	 OPT_IS_SECONDS(struct trace_cmd_cfg, for_ms, 100, 86400000),
	 .or_zero = true,
	 .metavar = "SECONDS",
	 .help = "stop after this time; 0 waits for ctrl-C"},
	{.name = "summary",
	 .letter = 's',
	 OPT_IS_FLAG(struct trace_cmd_cfg, summary),
	 .help = "no line for each close, only the summary at the end"},
	{.name = "json",
	 .letter = 'j',
	 OPT_IS_FLAG(struct trace_cmd_cfg, json),
	 .help = "one JSON object a line: each close, at last the summary"},
	{.name = "pid",
	 .letter = 'p',
	 OPT_IS_U32(struct trace_cmd_cfg, pid, 1, INT32_MAX),
	 .metavar = "PID",
	 .help = "only what this process opened or closed"},
	{.name = "comm",
	 .letter = 'c',
	 OPT_IS_STRING(struct trace_cmd_cfg, comm),
	 .metavar = "NAME",
	 .help = "only what processes of this name opened or closed"},
	{.name = "cgroup",
	 OPT_IS_STRING(struct trace_cmd_cfg, cgroup),
	 .metavar = "PATH",
	 .help = "only sockets of this control group (cgroup2) and those below it now, or what their processes closed"},
	{.name = "port",
	 OPT_IS_U32(struct trace_cmd_cfg, port, 1, UINT16_MAX),
	 .metavar = "PORT",
	 .help = "only connections with this port at either end"},
	{.name = "dst",
	 .letter = 'd',
	 OPT_IS_STRING(struct trace_cmd_cfg, dst),
	 .metavar = "ADDRESS",
	 .help = "only connections to this server"},
	{.name = "netns",
	 .letter = 'n',
	 OPT_IS_STRING(struct trace_cmd_cfg, netns),
	 .metavar = "all|self|PID|NAME",
	 .help = "which network namespaces (default all)"},
	{.name = "fail-on",
	 .letter = 'f',
	 OPT_IS_ENUM(struct trace_cmd_cfg, fail_on, severity_or_never_words),
	 .metavar = "info|warn|crit|never",
	 .help = "exit with 1 if a finding is at least that severe"},
	{.type = OPT_END},
};

static volatile sig_atomic_t stopped;

static void stop(int signo) { stopped = signo; }

static int find_netns(const char *word, uint64_t *ret)
{
	struct obs_cfg cfg = {.scope = OBS_NETNS_ALL, .root = ""};
	struct obs *o = NULL;
	struct why w = {""};
	int err;

	if (!word || strcmp(word, "all") == 0)
		return 0;
	if (!obs_scope_parse(word, &cfg))
		return complain_usage("--netns: '%s' is neither all, self, a process id nor a name", word);
	err = obs_new(&cfg, &o, &w);
	if (err)
		return complain_usage("--netns: %s", w.text[0] ? w.text : strerror(-err));
	*ret = obs_netns(o);
	obs_free(o);
	return 0;
}

static int make_filter(const struct trace_cmd_cfg *c, struct tracing_filter *f, struct trace_cfg *cfg)
{
	*f = (struct tracing_filter){.pid = c->pid, .comm = c->comm, .port = (uint16_t)c->port};
	if (c->pid && kill((pid_t)c->pid, 0) < 0 && errno == ESRCH)
		return complain_usage("--pid: there is no process %" PRIu32, c->pid);
	if (c->dst && !ip_parse(c->dst, &f->dst))
		return complain_usage("--dst: '%s' is not an IP address", c->dst);
	if (c->cgroup) {
		f->cgroups = xcalloc(GROUPS_MAX, sizeof(*f->cgroups));
		f->n_cgroups = group_ids(c->cgroup, f->cgroups, GROUPS_MAX);
		if (!f->n_cgroups)
			return complain_usage("--cgroup: '%s' is not a control group: %s", c->cgroup, strerror(errno));
	}
	return find_netns(c->netns, &cfg->netns);
}

/* Until the time is over, a signal comes, or nobody reads any more. */
static int watch(struct tracing *t, uint32_t for_ms)
{
	/* Once: who reads slowly loses nothing of a line, and a second signal ends a wait for who does not read at all. */
	struct sigaction on = {.sa_handler = stop, .sa_flags = SA_RESTART | (int)SA_RESETHAND}, old_int, old_term;
	struct timespec now;
	nsec_t end = for_ms ? t->from + for_ms * NSEC_PER_MS : NSEC_NEVER;
	int code = 0;

	stopped = 0;
	sigaction(SIGINT, &on, &old_int);
	sigaction(SIGTERM, &on, &old_term);
	while (!code && !stopped && !ferror(t->out)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((nsec_t)now.tv_sec * NSEC_PER_S + (nsec_t)now.tv_nsec >= end)
			break;
		code = tracing_step(t, TRACE_TICK_MS);
	}
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	return code;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct trace_cmd_cfg *c = cfg;
	struct tracing t = {.out = out, .json = c->json, .each = !c->summary, .style = look_style(out, false)};
	struct trace_cfg source = {0};
	int worst, ended, code = make_filter(c, &t.filter, &source);

	if (!code)
		code = tracing_begin(&t, &source);
	if (code) {
		free(t.filter.cgroups);
		return code;
	}
	if (!c->json && !c->for_ms)
		fprintf(complain_stream(), "tracing; ctrl-C ends it and prints the summary\n");
	code = watch(&t, c->for_ms);
	ended = tracing_end(&t, &worst);
	if (code || ended)
		return code ? code : ended;
	return worst >= (int)c->fail_on ? EXIT_FINDINGS : EXIT_FINE;
}

const struct cmd cmd_trace = {
	.name = "trace",
	.args = "",
	.summary = "Show who closes each connection first, how and why, as it happens",
	.description =
		"Follows TCP sockets in the kernel (BPF) and prints a line whenever one ends: which side closed first, which process, "
		"by close(), shutdown() or its own end, with a FIN or a RST, after how many requests and how long an idle time. "
		"At the end, or on ctrl-C, it says for each service why its connections end and what would help, as lastack doctor does. "
		"What has begun to close and is not done then is counted as still closing.\n\n"
		"Works under TLS and for any protocol: a request is data that are answered. A process is named only where it "
		"is certain: where a segment that came in ended a connection, nobody is.\n\n"
		"Needs root, Linux 5.12 and BTF (lastack capabilities says what is missing). Everything is detached when it ends, in whatever way. "
		"What could not be followed is counted and said.",
	.examples = "sudo lastack trace\n"
		    "    every close as it happens; ctrl-C for the summary\n"
		    "sudo lastack trace --summary --for 10s\n"
		    "    only why connections end, over ten seconds\n"
		    "sudo lastack trace --comm nginx --port 8080\n"
		    "    one service\n"
		    "sudo lastack trace --json | jq -c 'select(.call == \"exit\")'\n"
		    "    for a program\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct trace_cmd_cfg),
	.run = run,
};
