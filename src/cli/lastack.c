/* SPDX-License-Identifier: MIT */
#include "cli/lastack.h"

#include <poll.h>
#include <stdalign.h>

#include "cli/cmds.h"
#include "cli/complain.h"

static int run_help(int argc, char **argv, FILE *out)
{
	const struct cmd *c;

	if (argc == 0) {
		cmds_help(out);
		return EXIT_FINE;
	}
	if (argc > 1)
		return complain_usage("help: one command at a time, but got '%s' too", argv[1]);
	c = cmd_find(argv[0]);
	if (!c)
		return complain_usage("help: no such command: '%s'", argv[0]);
	cmd_help(out, c);
	return EXIT_FINE;
}

static int run_cmd(const struct cmd *c, int argc, char **argv, FILE *out)
{
	alignas(max_align_t) char cfg[CMD_CFG_MAX] = {0};

	must(c->cfg_size <= sizeof(cfg));
	complain_as(c->name, complain_stream());
	switch (opt_parse(c, cfg, &argc, argv)) {
	case OPT_WRONG:
		return EXIT_USAGE;
	case OPT_HELP:
		cmd_help(out, c);
		return EXIT_FINE;
	case OPT_OK:
		break;
	}
	return c->run(cfg, argc, argv, out);
}

static int dispatch(int argc, char **argv, FILE *out)
{
	const char *first = argc > 1 ? argv[1] : "";
	const struct cmd *c;
	const char *nearest;

	if (argc <= 1)
		return run_cmd(&cmd_status, 0, argv, out);
	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
		return run_help(0, NULL, out);
	if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
		fputs("lastack " LASTACK_VERSION "\n", out);
		return EXIT_FINE;
	}
	if (strcmp(first, "help") == 0)
		return run_help(argc - 2, argv + 2, out);
	if (first[0] == '-')
		return run_cmd(&cmd_status, argc - 1, argv + 1, out);
	c = cmd_find(first);
	if (c)
		return run_cmd(c, argc - 2, argv + 2, out);
	nearest = cmd_nearest(first);
	if (nearest)
		return complain_usage("no such command: '%s' (did you mean %s?)", first, nearest);
	return complain_usage("no such command: '%s'", first);
}

/* A pipe whose reader has seen enough (head) and went away: no error. errno of the failed write may be long gone. */
static bool reader_is_gone(FILE *out)
{
	struct pollfd p = {.fd = fileno(out), .events = POLLOUT};

	return p.fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

int lastack_main(int argc, char **argv, FILE *out, FILE *err)
{
	int code;

	complain_as("", err);
	code = dispatch(argc, argv, out);
	if ((fflush(out) != 0 || ferror(out)) && !reader_is_gone(out))
		code = complain(EXIT_INTERNAL, "cannot write the output (is the disk full?)");
	complain_as("", NULL);
	return code;
}
