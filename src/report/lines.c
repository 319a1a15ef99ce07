/* SPDX-License-Identifier: MIT */
#include "report/lines.h"

#include <stdarg.h>

#include "base/text.h"

static const char *const inks[] = {
	[INK_PLAIN] = "",         [INK_BOLD] = "\033[1m",      [INK_DIM] = "\033[2m",
	[INK_RED] = "\033[1;31m", [INK_YELLOW] = "\033[1;33m", [INK_GREEN] = "\033[1;32m",
};

static const char *on(const struct lines *l, enum ink ink) { return l->colour ? inks[ink] : ""; }

static const char *off(const struct lines *l, enum ink ink) { return l->colour && ink != INK_PLAIN ? "\033[0m" : ""; }

static bool is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

size_t columns_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += !is_continuation(*s);
	return n;
}

size_t cut_at(const char *s, size_t columns)
{
	size_t i = 0;

	for (; s[i]; i++) {
		if (is_continuation(s[i]))
			continue;
		if (columns-- == 0)
			break;
	}
	return i;
}

/* The buffer must have room for the dots. */
static void cut_line(char *line, size_t columns)
{
	if (columns_of(line) <= columns)
		return;
	line[cut_at(line, columns > 3 ? columns - 3 : 0)] = 0;
	memcpy(line + strlen(line), "...", 4);
}

void lines_put(struct lines *l, enum ink ink, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 4, fmt, ap);
	va_end(ap);
	if (l->cut)
		cut_line(line, l->width);
	for (size_t end = strlen(line); end && line[end - 1] == ' ';)
		line[--end] = 0;
	l->n++;
	if (l->out)
		fprintf(l->out, "%s%s%s\n", on(l, ink), line, off(l, ink));
}

void lines_blank(struct lines *l)
{
	l->n++;
	if (l->out)
		fputc('\n', l->out);
}

/* How many bytes of text go on a line of this many columns, broken at a blank if there is one. */
static size_t fit(const char *text, size_t columns)
{
	size_t most = cut_at(text, columns), at = most;

	if (!text[most] || text[most] == ' ')
		return most;
	while (at > 0 && text[at] != ' ')
		at--;
	return at ? at : most; /* a word longer than the line is broken */
}

static void print_text(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fputc(text[i] == NO_BREAK ? ' ' : (unsigned char)text[i], out);
}

void lines_wrap(struct lines *l, const struct paragraph *p)
{
	const char *text = p->text;
	size_t head = columns_of(p->head), used = head;
	unsigned left = p->max_lines;

	if (used + 10 > l->width)
		used = l->width - 10;
	for (bool first = true; *text || first; first = false) {
		size_t room = l->width > used + 1 ? l->width - used : 1, n = fit(text, room);
		bool last = --left == 0 && text[n] != 0;

		if (last)
			n = cut_at(text, room > 3 ? room - 3 : 0);
		while (last && n && text[n - 1] == ' ')
			n--;
		l->n++;
		if (l->out) {
			if (first)
				fprintf(l->out, "%s%s%s", on(l, p->ink), p->head, off(l, p->ink));
			else
				fprintf(l->out, "%*s", (int)p->indent, "");
			print_text(l->out, text, n);
			fputs(last ? "...\n" : "\n", l->out);
		}
		if (last)
			return;
		used = p->indent;
		text += n + strspn(text + n, " ");
	}
}

/* The last blank outside quotes within the first columns; 0 if there is none. */
static size_t shell_break(const char *s, size_t columns)
{
	size_t most = cut_at(s, columns), at = 0;
	char quote = 0;

	for (size_t i = 0; i < most; i++) {
		if (quote && s[i] == quote)
			quote = 0;
		else if (quote)
			continue;
		else if (s[i] == '\'' || s[i] == '"')
			quote = s[i];
		else if (s[i] == ' ' && i)
			at = i;
	}
	return at;
}

void lines_command(struct lines *l, unsigned indent, const char *command)
{
	size_t room = l->width > indent + 12 ? l->width - indent : 12;

	for (bool first = true; *command; first = false) {
		size_t rest = columns_of(command), n;

		n = rest <= room ? 0 : shell_break(command, room - 2);
		l->n++;
		if (l->out)
			fprintf(l->out, "%*s%s%.*s%s%s\n", (int)indent, "", on(l, INK_BOLD),
				n ? (int)n : (int)strlen(command), command, n ? " \\" : "", off(l, INK_BOLD));
		if (!n)
			return;
		command += n + strspn(command + n, " ");
		if (first) {
			indent += 2;
			room -= 2;
		}
	}
}

static void print_cells(struct lines *l, const struct table *t, const struct row *r, const size_t *widths, enum ink ink)
{
	char line[2048] = " ";
	size_t len = 1;

	for (unsigned c = 0; c < t->n_columns; c++) {
		size_t pad = widths[c] - columns_of(r->cell[c]);

		if (!widths[c])
			continue;
		len = append(line, sizeof(line), " %*s%s%*s", t->columns[c].right ? (int)pad : 0, "", r->cell[c],
			     t->columns[c].right ? 0 : (int)pad, "");
	}
	while (len && line[len - 1] == ' ')
		line[--len] = 0;
	lines_put(l, ink, "%s", line);
}

void lines_table(struct lines *l, const struct table *t)
{
	size_t widths[TABLE_COLUMNS] = {0};
	struct row r;

	must(t->n_columns <= TABLE_COLUMNS);
	for (size_t i = 0; i < t->n_rows; i++) {
		t->fill(t->ctx, i, &r);
		for (unsigned c = 0; c < t->n_columns; c++)
			if (columns_of(r.cell[c]) > widths[c])
				widths[c] = columns_of(r.cell[c]);
	}
	for (unsigned c = 0; c < t->n_columns; c++) {
		size_t title = columns_of(t->columns[c].title);

		snprintf(r.cell[c], sizeof(r.cell[c]), "%s", t->columns[c].title);
		if (widths[c] && title > widths[c])
			widths[c] = title;
	}
	print_cells(l, t, &r, widths, INK_DIM);
	for (size_t i = 0; i < t->n_rows; i++) {
		t->fill(t->ctx, i, &r);
		print_cells(l, t, &r, widths, INK_PLAIN);
	}
}
