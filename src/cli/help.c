/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "cli/opt.h"

enum { HELP_WIDTH = 80, OPTION_COLUMN = 28, COMMAND_COLUMN = 16 };

struct opt_text opt_synopsis(const struct opt *o)
{
	struct opt_text t = {""};

	if (o->type == OPT_FLAG)
		snprintf(t.s, sizeof(t.s), "--%s", o->name);
	else
		snprintf(t.s, sizeof(t.s), "--%s %s", o->name, o->metavar);
	return t;
}

struct opt_text opt_default(const struct cmd *c, const struct opt *o)
{
	const char *at = (const char *)c->defaults + o->offset;
	struct opt_text t = {""};

	switch (o->type) {
	case OPT_STRING:
		if (*(const char *const *)at)
			snprintf(t.s, sizeof(t.s), "%s", *(const char *const *)at);
		return t;
	case OPT_U32:
		if (*(const uint32_t *)at < o->min && !o->or_zero)
			return t; /* not a value that a user could give: the help text tells what happens */
		snprintf(t.s, sizeof(t.s), "%" PRIu32, *(const uint32_t *)at);
		return t;
	case OPT_SECONDS:
		snprintf(t.s, sizeof(t.s), "%g", *(const uint32_t *)at / 1000.0);
		return t;
	case OPT_ENUM:
		snprintf(t.s, sizeof(t.s), "%s", o->words[*(const unsigned *)at]);
		return t;
	case OPT_FLAG:
	case OPT_END:
		return t;
	}
	must_not_reach("a row of no type");
}

/* Words of text from a column on; further lines begin there too. The cursor stands at column already. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
	size_t x = column;

	while (*text) {
		size_t word = strcspn(text, " \n");

		if (text[0] == '\n') {
			fprintf(out, text[1] == '\n' ? "\n\n%*s" : "\n%*s", (int)column, "");
			text += strspn(text, "\n");
			x = column;
			continue;
		}
		if (x > column && x + 1 + word > HELP_WIDTH) {
			fprintf(out, "\n%*s", (int)column, "");
			x = column;
		}
		fprintf(out, "%s%.*s", x > column ? " " : "", (int)word, text);
		x += word + (x > column);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void print_option(FILE *out, char letter, const char *synopsis, const char *help, const char *def)
{
	char text[512];
	int n;

	snprintf(text, sizeof(text), "%s%s%s%s", help, def[0] ? " (default " : "", def, def[0] ? ")" : "");
	if (letter)
		n = fprintf(out, "  -%c, %s", letter, synopsis);
	else
		n = fprintf(out, "      %s", synopsis);
	if (n >= 0 && n < OPTION_COLUMN - 1)
		fprintf(out, "%*s", OPTION_COLUMN - n, "");
	else
		fprintf(out, "\n%*s", OPTION_COLUMN, "");
	print_wrapped(out, text, OPTION_COLUMN);
}

void cmd_help(FILE *out, const struct cmd *c)
{
	fprintf(out, "usage: lastack %s [options]%s%s\n\n", c->name, c->args[0] ? " " : "", c->args);
	print_wrapped(out, c->description, 0);
	fputs("\noptions:\n", out);
	for (const struct opt *o = c->opts; o->type != OPT_END; o++)
		print_option(out, o->letter, opt_synopsis(o).s, o->help, opt_default(c, o).s);
	print_option(out, 'h', "--help", "print this and exit", "");
	if (c->examples[0]) {
		fputs("\nexamples:\n", out);
		for (const char *line = c->examples; *line;) {
			size_t len = strcspn(line, "\n");

			fprintf(out, "  %.*s\n", (int)len, line);
			line += len + (line[len] == '\n');
		}
	}
}

void cmds_help(FILE *out)
{
	fputs("usage: lastack [command] [options]\n\n"
	      "Looks at how TCP connections end on this host: TIME_WAIT, ephemeral ports,\n"
	      "CLOSE_WAIT leaks, FIN_WAIT orphans, resets and full queues. Changes nothing.\n\n"
	      "commands:\n",
	      out);
	for (size_t i = 0; i < n_cmds; i++) {
		fprintf(out, "  %-14s", cmds[i]->name);
		print_wrapped(out, cmds[i]->summary, COMMAND_COLUMN);
	}
	fputs("\nWithout a command: lastack status. `lastack COMMAND --help` tells the options.\n"
	      "Something is wrong right now? `sudo lastack doctor`\n",
	      out);
}
