/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/group.h"
#include "cli/look.h"
#include "cli/tracing.h"

enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, LINGER_TICKS = 5 };

struct run_cmd_cfg {
	bool json, each, fail_given;
	unsigned fail_on; /* enum severity */
	const char *output;
};

static const struct run_cmd_cfg defaults = {.fail_on = SEV_WARN};

static const struct opt opts[] = {
	{.name = "fail-on",
	 .letter = 'f',
	 OPT_IS_ENUM(struct run_cmd_cfg, fail_on, severity_words),
	 OPT_TELLS(struct run_cmd_cfg, fail_given),
	 .metavar = "info|warn|crit",
	 .help = "exit with 1 if a finding is at least that severe, even if the program ends well"},
	{.name = "output",
	 .letter = 'o',
	 OPT_IS_STRING(struct run_cmd_cfg, output),
	 .metavar = "FILE",
	 .help = "write the report to FILE, not to standard error"},
	{.name = "each", .letter = 'e', OPT_IS_FLAG(struct run_cmd_cfg, each), .help = "a line for each close, too"},
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct run_cmd_cfg, json), .help = "one JSON object a line"},
	{.type = OPT_END},
};

static volatile sig_atomic_t to_pass_on;

static void pass_on(int signo) { to_pass_on = signo; }

/* failed: closed if the program begins to run, else written to. */
_Noreturn static void become(const struct group *g, int priority, char *const *argv, int failed)
{
	int code, err = group_enter(g);

	(void)setpriority(PRIO_PROCESS, 0, priority);
	if (err) {
		code = complain(EXIT_CANNOT_RUN, "cannot enter the control group: %s", strerror(-err));
	} else {
		execvp(argv[0], argv);
		code = complain(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "%s: %s", argv[0], strerror(errno));
	}
	if (write(failed, "", 1) != 1)
		code = EXIT_CANNOT_RUN;
	_exit(code);
}

/* The new process; -1: none could be made (errno). *ret_began: it has become the program, which is what is waited for. */
static pid_t begin(const struct group *g, int priority, char *const *argv, bool *ret_began)
{
	int failed[2];
	char octet;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(g, priority, argv, failed[1]);
	close(failed[1]);
	*ret_began = pid > 0 && read(failed[0], &octet, 1) == 0;
	close(failed[0]);
	return pid;
}

/* Looks at what ends until the program has. What a terminal's ctrl-C stops is the program, and the report follows. */
static int wait_for(pid_t pid, struct tracing *t, int *ret_status)
{
	int code = 0;

	while (!code && waitpid(pid, ret_status, WNOHANG) == 0) {
		if (to_pass_on)
			kill(pid, to_pass_on);
		to_pass_on = 0;
		code = tracing_step(t, TRACE_TICK_MS);
	}
	/* FINs that are still on their way. */
	for (unsigned i = 0; !code && i < LINGER_TICKS; i++)
		code = tracing_step(t, TRACE_TICK_MS);
	return code;
}

static int start(const struct group *g, char *const *argv, struct tracing *t, bool *ret_began, int *ret_status)
{
	struct sigaction on = {.sa_handler = pass_on, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN}, old[3];
	pid_t pid;
	int code;

	to_pass_on = 0;
	pid = begin(g, t->priority, argv, ret_began);
	if (pid < 0)
		return complain(EXIT_INTERNAL, "fork: %s", strerror(errno));
	sigaction(SIGINT, &ignore, &old[0]);
	sigaction(SIGQUIT, &ignore, &old[1]);
	sigaction(SIGTERM, &on, &old[2]);
	code = wait_for(pid, t, ret_status);
	sigaction(SIGINT, &old[0], NULL);
	sigaction(SIGQUIT, &old[1], NULL);
	sigaction(SIGTERM, &old[2], NULL);
	return code;
}

static void tell_left(const struct group *g, FILE *to)
{
	unsigned n = group_count(g);

	if (n)
		fprintf(to, "%u process%s that it started still run%s: what %s from now on is not seen\n", n,
			n == 1 ? "" : "es", n == 1 ? "s" : "", n == 1 ? "it closes" : "they close");
}

static int run_traced(const struct run_cmd_cfg *c, char *const *argv, FILE *to)
{
	struct tracing t = {.out = to, .json = c->json, .each = c->each, .style = look_style(to, false)};
	struct group g = {""};
	struct why w = {""};
	int status = 0, worst, ended, code;
	bool began = false;

	if (group_new(&g, &w) != 0)
		return complain(EXIT_INCOMPLETE, "%s%s", w.text,
				geteuid() ? "; it needs root, as lastack trace does" : "");
	code = tracing_begin(&t, &(struct trace_cfg){.cgroup = g.id});
	if (!code) {
		code = start(&g, argv, &t, &began, &status);
		if (began && !c->json)
			tell_left(&g, to);
		t.silent = !began;
		ended = tracing_end(&t, &worst);
		code = code ? code : ended;
		if (!code && c->fail_given && worst >= (int)c->fail_on)
			code = EXIT_FINDINGS;
		if (WIFSIGNALED(status))
			code = EXIT_SIGNAL + WTERMSIG(status);
		else if (WEXITSTATUS(status))
			code = WEXITSTATUS(status);
	}
	group_free(&g);
	return code;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct run_cmd_cfg *c = cfg;
	FILE *to = complain_stream();
	int code;

	if (argc == 0)
		return complain_usage("what shall be run? lastack run -- CMD ARGS");
	if (c->output) {
		to = fopen(c->output, "we");
		if (!to)
			return complain(EXIT_INTERNAL, "--output: %s: %s", c->output, strerror(errno));
	}
	code = run_traced(c, argv, to);
	if (c->output && (ferror(to) | fclose(to)))
		code = complain(EXIT_INTERNAL, "--output: cannot write %s", c->output);
	return code;
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "[--] CMD [ARGS...]",
	.summary = "Run a program and report how its connections ended and why",
	.description =
		"Runs CMD, with all that it starts, in a control group of its own, and follows the sockets made there (as lastack trace "
		"does). When CMD has ended it says on standard error for each service who closed, why, and what would help; "
		"ports that ran out; requests that were lost; what has begun to close and is not done.\n\n"
		"Control groups that CMD makes below its own are followed, too. What it asks another process to start "
		"(docker run, systemd-run) is not below: there is lastack trace --cgroup.\n\n"
		"Exit status: that of CMD (128 and the number of the signal that ended it); if CMD ended well, 1 for a finding at "
		"or above --fail-on, so that a test suite can fail on it. 126, 127: CMD could not be started. 3: connections "
		"cannot be followed here, and CMD was not run.\n\n"
		"Needs root, like lastack trace; CMD runs as root, too, unless it says otherwise: lastack run -- setpriv --reuid=me "
		"--init-groups make test.",
	.examples = "sudo lastack run -- python3 client.py\n"
		    "    how this program's connections ended\n"
		    "sudo lastack run --fail-on warn -- make test\n"
		    "    a test suite that fails if it leaks, resets or wastes connections\n"
		    "sudo lastack run --json -o closes.ndjson --each -- ./bench\n"
		    "    every close, for a program\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct run_cmd_cfg),
	.args_max = CMD_ARGS_ANY,
	.args_run = true,
	.run = run,
};
