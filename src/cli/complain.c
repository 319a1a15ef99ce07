/* SPDX-License-Identifier: MIT */
#include "cli/complain.h"

#include <stdarg.h>

/* The only state of the command line: errors come from deep inside a command, and one process runs one at a time. */
static struct {
	const char *command;
	FILE *err;
} who = {.command = ""};

void complain_as(const char *command, FILE *err)
{
	who.command = command;
	who.err = err;
}

FILE *complain_stream(void) { return who.err ? who.err : stderr; }

/* Arguments and file names may hold anything; a complaint stays one line and cannot move the cursor. */
static void print_line(const char *text, const char *hint)
{
	char clean[512];

	for (size_t i = 0; i < sizeof(clean); i++) {
		unsigned char c = (unsigned char)text[i];

		clean[i] = (char)(c != 0 && (c < 0x20 || c == 0x7f) ? '?' : c);
		if (c == 0)
			break;
	}
	clean[sizeof(clean) - 1] = 0;
	fprintf(complain_stream(), "lastack%s%s: %s%s\n", who.command[0] ? " " : "", who.command, clean, hint);
}

int complain(int code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_line(text, "");
	return code;
}

int complain_usage(const char *fmt, ...)
{
	char text[512], hint[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(hint, sizeof(hint), "; see lastack%s%s --help", who.command[0] ? " " : "", who.command);
	print_line(text, hint);
	return EXIT_USAGE;
}
