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
	bool json, each;
	unsigned fail_on; /* enum severity, or SEV_NEVER */
	const char *output;
};

static const struct run_cmd_cfg defaults = {.fail_on = SEV_NEVER};

static const struct opt opts[] = {
	{.name = "fail-on",
	 .letter = 'f',
	 OPT_IS_ENUM(struct run_cmd_cfg, fail_on, severity_or_never_words),
	 .metavar = "info|warn|crit|never",
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

/* From before the group is made until it is removed. SIGCHLD: where it is inherited as ignored, an exit status would be lost. */
enum { SIGNALS = 5 };
static const int signals[SIGNALS] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP};

static volatile sig_atomic_t to_pass_on;

static void pass_on(int signo) { to_pass_on = signo; }

static void take_signals(struct sigaction old[SIGNALS])
{
	const struct sigaction usual = {.sa_handler = SIG_DFL}, on = {.sa_handler = pass_on, .sa_flags = SA_RESTART};

	to_pass_on = 0;
	for (size_t i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], signals[i] == SIGCHLD ? &usual : &on, &old[i]);
		if (signals[i] != SIGCHLD && old[i].sa_handler == SIG_IGN) /* nohup */
			sigaction(signals[i], &old[i], NULL);
	}
}

static void give_signals_back(const struct sigaction old[SIGNALS])
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &old[i], NULL);
}

struct program {
	char *const *argv;
	int priority;
	struct sigaction old[SIGNALS];
};

/* failed: closed if the program begins to run, else written to. */
_Noreturn static void become(const struct group *g, const struct program *p, int failed)
{
	int code, err = group_enter(g);

	give_signals_back(p->old);
	(void)setpriority(PRIO_PROCESS, 0, p->priority);
	if (err) {
		code = complain(EXIT_CANNOT_RUN, "cannot enter the control group: %s", strerror(-err));
	} else {
		execvp(p->argv[0], p->argv);
		code = complain(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "%s: %s", p->argv[0],
				strerror(errno));
	}
	if (write(failed, "", 1) != 1)
		code = EXIT_CANNOT_RUN;
	_exit(code);
}

/* The new process; -1: none could be made (errno). *ret_began: it has become the program, which is what is waited for. */
static pid_t begin(const struct group *g, const struct program *p, bool *ret_began)
{
	int failed[2];
	char octet;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(g, p, failed[1]);
	close(failed[1]);
	*ret_began = pid > 0 && read(failed[0], &octet, 1) == 0;
	close(failed[0]);
	return pid;
}

/* Looks at what ends until the program has. What a terminal's ctrl-C stops is the program, and the report follows. */
static int wait_for(pid_t pid, struct tracing *t, int *ret_status)
{
	int code = 0;
	pid_t ended = 0;

	while (!code && (ended = waitpid(pid, ret_status, WNOHANG)) == 0) {
		if (to_pass_on)
			kill(pid, to_pass_on);
		to_pass_on = 0;
		code = tracing_step(t, TRACE_TICK_MS);
	}
	if (ended < 0)
		return complain(EXIT_INTERNAL, "waitpid: %s", strerror(errno));
	/* FINs that are still on their way. */
	for (unsigned i = 0; !code && i < LINGER_TICKS; i++)
		code = tracing_step(t, TRACE_TICK_MS);
	return code;
}

static int start(const struct group *g, const struct program *p, struct tracing *t, bool *ret_began, int *ret_status)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	pid_t pid;

	if (to_pass_on) {
		*ret_status = to_pass_on; /* as if it had ended by it */
		return 0;
	}
	pid = begin(g, p, ret_began);
	if (pid < 0)
		return complain(EXIT_INTERNAL, "fork: %s", strerror(errno));
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	return wait_for(pid, t, ret_status);
}

static void tell_left(const struct group *g, FILE *to)
{
	unsigned n = group_count(g);

	if (n)
		fprintf(to, "%u process%s that it started still run%s: what %s from now on is not seen\n", n,
			n == 1 ? "" : "es", n == 1 ? "s" : "", n == 1 ? "it closes" : "they close");
}

static int run_in(const struct group *g, const struct run_cmd_cfg *c, struct program *p, FILE *to)
{
	struct tracing t = {.out = to, .json = c->json, .each = c->each, .style = look_style(to, false)};
	int status = 0, worst, ended, code = tracing_begin(&t, &(struct trace_cfg){.cgroup = g->id});
	bool began = false;

	if (code)
		return code;
	p->priority = t.priority;
	code = start(g, p, &t, &began, &status);
	if (began && !c->json)
		tell_left(g, to);
	t.silent = !began;
	ended = tracing_end(&t, &worst);
	code = code ? code : ended;
	if (!code && worst >= (int)c->fail_on)
		code = EXIT_FINDINGS;
	if (WIFSIGNALED(status))
		code = EXIT_SIGNAL + WTERMSIG(status);
	else if (WEXITSTATUS(status))
		code = WEXITSTATUS(status);
	return code;
}

static int run_traced(const struct run_cmd_cfg *c, char *const *argv, FILE *to)
{
	struct program p = {.argv = argv};
	struct group g = {""};
	struct why w = {""};
	int code;

	take_signals(p.old);
	if (group_new(&g, &w) == 0) {
		code = run_in(&g, c, &p, to);
		group_free(&g);
	} else {
		code = complain(EXIT_INCOMPLETE, "%s%s", w.text,
				geteuid() ? "; it needs root, as lastack trace does" : "");
	}
	give_signals_back(p.old);
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
