/* SPDX-License-Identifier: MIT */
/*
 * docgen.c - man pages and the bash completion, made from the same rows as the parser and --help. Runs while building:
 *   docgen man            lastack.1 on standard output
 *   docgen man doctor     lastack-doctor.1
 *   docgen bash           the completion
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/opt.h"
#include "diag/cause.h"

static const char date[] = "November 21, 2026";

static const struct exit_row {
	int code;
	const char *means;
} exit_rows[] = {
	{0, "nothing at or above --fail-on was found"},
	{1, "something was found"},
	{2, "the command line is wrong, or a given file or namespace cannot be used"},
	{3, "not everything could be seen and nothing was found, so that this is no all-clear"},
	{4, "lastack itself failed: no memory, or the output could not be written"},
};

/* Text of a man page, where some characters mean something else. */
static void roff(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\')
			fputs("\\e", stdout);
		else if (s[i] == '"')
			fputs("\\(dq", stdout);
		else if (s[i] == '-')
			fputs("\\-", stdout);
		else if (s[i] == '\'')
			fputs("\\(aq", stdout);
		else if (s[i] == '`')
			fputs("\\(ga", stdout);
		else
			putchar(s[i]);
	}
}

/* mdoc wants each sentence on its own line, and no line longer than 80. */
static void sentences(const char *s, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len;) {
		size_t word = strcspn(s + i, " "), blanks;
		bool sentence_ends;

		word = word < len - i ? word : len - i;
		sentence_ends = word && strchr(".?", s[i + word - 1]);
		if (column && column + 1 + word > 75) {
			putchar('\n');
			column = 0;
		}
		if (column)
			putchar(' ');
		if (!column && s[i] == '.')
			fputs("\\&", stdout);
		roff(s + i, word);
		column += word + 1;
		blanks = strspn(s + i + word, " ");
		i += word + blanks;
		if (sentence_ends) {
			putchar('\n');
			column = 0;
		}
	}
	if (column)
		putchar('\n');
}

static void paragraphs(const char *s)
{
	for (const char *end; *s; s = end) {
		size_t len;

		end = strstr(s, "\n\n");
		len = end ? (size_t)(end - s) : strlen(s);
		sentences(s, len);
		if (!end)
			return;
		puts(".Pp");
		end += 2;
	}
}

static void head(const char *title, const char *name, const char *summary)
{
	puts(".\\\" SPDX-License-Identifier: MIT");
	puts(".\\\" Made by tools/docgen.c from the option rows.");
	printf(".Dd %s\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", date, title, name);
	roff(summary, strlen(summary));
	putchar('\n');
}

static void put_option(const struct cmd *c, const struct opt *o)
{
	struct opt_text def = opt_default(c, o);
	char text[512];

	fputs(".It ", stdout);
	if (o->letter)
		printf("Fl %c , ", o->letter);
	printf("Fl -%s", o->name);
	if (o->type != OPT_FLAG)
		printf(" Ar %s", o->metavar);
	putchar('\n');
	snprintf(text, sizeof(text), "%s%s%s%s.", o->help, def.s[0] ? " (default " : "", def.s, def.s[0] ? ")" : "");
	text[0] = (char)toupper((unsigned char)text[0]);
	sentences(text, strlen(text));
}

static void put_options(const struct cmd *c)
{
	puts(".Sh OPTIONS\n.Bl -tag -width Ds");
	for (const struct opt *o = c->opts; o->type != OPT_END; o++)
		put_option(c, o);
	puts(".It Fl h , Fl -help\nPrint the options and exit.\n.El");
}

static void put_exit_status(void)
{
	puts(".Sh EXIT STATUS\n.Bl -tag -width Ds");
	for (size_t i = 0; i < ARRAY_LEN(exit_rows); i++) {
		printf(".It %d\n", exit_rows[i].code);
		sentences(exit_rows[i].means, strlen(exit_rows[i].means));
	}
	puts(".El\n.Pp\nInterrupted by a signal: 128 plus its number.");
}

/* Lines "command\n    what it does\n". */
static void put_examples(const char *s)
{
	if (!s[0])
		return;
	puts(".Sh EXAMPLES\n.Bl -tag -width Ds");
	while (*s) {
		size_t len = strcspn(s, "\n"), blanks = strspn(s, " ");

		if (blanks) {
			sentences(s + blanks, len - blanks);
		} else {
			fputs(".It Li \"", stdout);
			roff(s, len);
			puts("\"");
		}
		s += len + (s[len] == '\n');
	}
	puts(".El");
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct cmd *const *)a)->name, (*(const struct cmd *const *)b)->name);
}

static void put_see_also(const char *self)
{
	const struct cmd *sorted[32];

	must(n_cmds <= ARRAY_LEN(sorted));
	for (size_t i = 0; i < n_cmds; i++)
		sorted[i] = cmds[i];
	qsort(sorted, n_cmds, sizeof(const struct cmd *), by_name);
	puts(".Sh SEE ALSO");
	if (self)
		puts(".Xr lastack 1 ,");
	for (size_t i = 0; i < n_cmds; i++)
		if (!self || strcmp(sorted[i]->name, self) != 0)
			printf(".Xr lastack-%s 1 ,\n", sorted[i]->name);
	puts(".Xr tcp 7 ,\n.Xr ss 8");
}

static void man_cmd(const struct cmd *c)
{
	char title[48], name[48];

	snprintf(name, sizeof(name), "lastack-%s", c->name);
	snprintf(title, sizeof(title), "LASTACK-%s", c->name);
	for (char *p = title; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	head(title, name, c->summary);
	printf(".Sh SYNOPSIS\n.Nm lastack %s\n.Op Ar options\n", c->name);
	if (c->args[0]) {
		fputs(".Ar ", stdout);
		putchar('"');
		roff(c->args, strlen(c->args));
		puts("\"");
	}
	puts(".Sh DESCRIPTION");
	paragraphs(c->description);
	put_options(c);
	put_exit_status();
	put_examples(c->examples);
	put_see_also(c->name);
}

static void man_all(void)
{
	head("LASTACK", "lastack", "see, explain and fix how TCP connections end");
	puts(".Sh SYNOPSIS\n.Nm\n.Op Ar command\n.Op Ar options");
	puts(".Sh DESCRIPTION\n.Nm");
	paragraphs(
		"looks at how TCP connections end on a Linux host: TIME_WAIT, ephemeral ports, CLOSE_WAIT leaks, FIN_WAIT "
		"orphans, resets and full queues. It says what is wrong, with the numbers that prove it, who causes it, "
		"and the safe fix; and it says so when a pile of TIME_WAIT is harmless. It changes nothing on the host.");
	puts(".Pp\nWithout a command it does what\n.Nm lastack status\ndoes.\nThe commands are:\n.Bl -tag -width Ds");
	for (size_t i = 0; i < n_cmds; i++) {
		printf(".It Xr lastack-%s 1\n", cmds[i]->name);
		sentences(cmds[i]->summary, strlen(cmds[i]->summary));
	}
	puts(".It Cm help Op Ar command\nPrint the commands, or the options of one.\n.El");
	puts(".Sh OPTIONS\n.Bl -tag -width Ds\n.It Fl -version\nPrint the version and exit.\n"
	     ".It Fl h , Fl -help\nPrint the commands and exit.\n.El");
	puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev NO_COLOR\nIf set and not empty, no colours.\n"
	     ".It Ev COLUMNS\nWidth of the text if standard output is not a terminal (default 80).\n.El");
	put_exit_status();
	put_examples("sudo lastack doctor\n    What is wrong on this host?\n"
		     "lastack explain PORT001\n    Why connect() fails with EADDRNOTAVAIL, and what to do.\n");
	put_see_also(NULL);
}

static void put_ids(void)
{
	for (size_t i = 0; i < known_rules(); i++)
		printf("%s%s", i ? " " : "", known_rule(i)->id);
}

/* What may follow an option that takes a value. */
static void complete_value(const struct cmd *c, const struct opt *o)
{
	printf("\t%s:--%s", c->name, o->name);
	if (o->letter)
		printf("|%s:-%c", c->name, o->letter);
	fputs(") ", stdout);
	if (o->type == OPT_ENUM) {
		fputs("COMPREPLY=($(compgen -W '", stdout);
		for (size_t i = 0; o->words[i]; i++)
			printf("%s%s", i ? " " : "", o->words[i]);
		fputs("' -- \"$cur\"))", stdout);
	} else if (strcmp(o->metavar, "FILE") == 0) {
		fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", stdout);
	} else if (strcmp(o->metavar, "ID") == 0) {
		fputs("COMPREPLY=($(compgen -W \"$ids\" -- \"$cur\"))", stdout);
	} else if (strncmp(o->metavar, "all|self", 8) == 0) {
		fputs("COMPREPLY=($(compgen -W 'all self' -- \"$cur\"))", stdout);
	} else {
		putchar(':');
	}
	puts("; return ;;");
}

/* Options and the words of the synopsis: "list | run ID..." offers list, run and the ids. */
static void complete_words(const struct cmd *c)
{
	printf("\t%s) words='", c->name);
	for (const struct opt *o = c->opts; o->type != OPT_END; o++)
		printf("--%s ", o->name);
	fputs("--help", stdout);
	for (const char *a = c->args; *a;) {
		size_t len = strspn(a, "abcdefghijklmnopqrstuvwxyz");

		if (len)
			printf(" %.*s", (int)len, a);
		a += len ? len : 1;
	}
	puts(strstr(c->args, "ID") ? "'\" $ids\" ;;" : "' ;;");
}

static void bash(void)
{
	puts("# SPDX-License-Identifier: MIT\n# Made by tools/docgen.c from the option rows.\n_lastack()\n{");
	fputs("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=status words ids='", stdout);
	put_ids();
	puts("'\n"
	     "\t# bash splits --name=value in three\n"
	     "\tif [[ $cur == '=' ]]; then cur=; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	     "\tif ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != -* ]]; then cmd=${COMP_WORDS[1]}; fi\n"
	     "\tcase $cmd:$prev in");
	for (size_t i = 0; i < n_cmds; i++)
		for (const struct opt *o = cmds[i]->opts; o->type != OPT_END; o++)
			if (o->type != OPT_FLAG)
				complete_value(cmds[i], o);
	fputs("\tesac\n\tif ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '", stdout);
	for (size_t i = 0; i < n_cmds; i++)
		printf("%s ", cmds[i]->name);
	puts("help' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $cmd in");
	for (size_t i = 0; i < n_cmds; i++)
		complete_words(cmds[i]);
	fputs("\thelp) words='", stdout);
	for (size_t i = 0; i < n_cmds; i++)
		printf("%s%s", i ? " " : "", cmds[i]->name);
	puts("' ;;\n\t*) return ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _lastack lastack");
}

int main(int argc, char **argv)
{
	const struct cmd *c = argc == 3 ? cmd_find(argv[2]) : NULL;

	if (argc == 2 && strcmp(argv[1], "bash") == 0)
		bash();
	else if (argc == 2 && strcmp(argv[1], "man") == 0)
		man_all();
	else if (c && strcmp(argv[1], "man") == 0)
		man_cmd(c);
	else
		return 2;
	return fflush(stdout) != 0;
}
