/* SPDX-License-Identifier: MIT */
/* Pages are the small part of markdown that docs/findings uses: headings, paragraphs, lists, fenced code, tables. */
#include <ctype.h>

#include "base/text.h"
#include "report/pages.h"
#include "report/parts.h"

enum { PARAGRAPH_BYTES = 4096, CODE_INDENT = 4 };

const char *report_page(const char *id)
{
	for (size_t i = 0; i < n_pages; i++)
		if (strcasecmp(pages[i].id, id) == 0)
			return pages[i].text;
	return NULL;
}

/* A paragraph is collected from its lines, then wrapped. */
struct renderer {
	struct lines l;
	char text[PARAGRAPH_BYTES];
	char head[16]; /* "- ", "1. " or "" */
	unsigned indent;
};

static size_t find(const char *s, const char *what)
{
	const char *at = strstr(s, what);

	return at ? (size_t)(at - s) : SIZE_MAX;
}

/* "[text](target)": text alone, with the target if it is an address on the web. Returns the bytes that were read. */
static size_t link_text(char *dst, size_t cap, const char *s)
{
	size_t close = find(s, "]("), end = close == SIZE_MAX ? SIZE_MAX : find(s + close, ")");

	if (s[0] != '[' || end == SIZE_MAX || memchr(s, ' ', close + end) == s + 1)
		return 0;
	append(dst, cap, "%.*s", (int)(close - 1), s + 1);
	if (strncmp(s + close + 2, "http", 4) == 0)
		append(dst, cap, " (%.*s)", (int)(end - 2), s + close + 2);
	return close + end + 1;
}

/*
 * Marks for bold and italics go; backquotes stay, they tell a name from a word also without
 * colours, and no line ends between them: what stands there is to be copied.
 */
static void add_inline(char *dst, size_t cap, const char *s, size_t len)
{
	char line[1024];
	bool code = false;

	snprintf(line, sizeof(line), "%.*s", (int)len, s);
	for (size_t i = 0; line[i];) {
		size_t n = 0;

		if (line[i] == '`')
			code = !code;
		if (!code && line[i] == '*' && line[i + 1] == '*') {
			i += 2;
			continue;
		}
		if (!code && line[i] == '[')
			n = link_text(dst, cap, line + i);
		if (!n) {
			append(dst, cap, "%c", code && line[i] == ' ' ? NO_BREAK : line[i]);
			n = 1;
		}
		i += n;
	}
}

static void flush(struct renderer *r)
{
	if (!r->text[0] && !r->head[0])
		return;
	lines_wrap(&r->l, &(struct paragraph){.head = r->head,
					      .text = r->text,
					      .ink = INK_PLAIN,
					      .indent = r->indent,
					      .max_lines = LINES_NO_LIMIT});
	r->text[0] = r->head[0] = 0;
	r->indent = 0;
}

/* "- x", "* x", "12. x", indented or not: the width of the mark with its blank and what stands before it; else 0. */
static size_t bullet_len(const char *line)
{
	size_t i = strspn(line, " "), mark = i;

	if ((line[i] == '-' || line[i] == '*') && line[i + 1] == ' ')
		return i + 2;
	while (isdigit((unsigned char)line[i]))
		i++;
	return i > mark && i - mark < 4 && line[i] == '.' && line[i + 1] == ' ' ? i + 2 : 0;
}

static void heading(struct renderer *r, const char *line, size_t len)
{
	size_t level = strspn(line, "#"), skip = level + strspn(line + level, " ");

	char title[160];

	flush(r);
	snprintf(title, sizeof(title), "%.*s", (int)(len - skip), line + skip);
	/* Sections must stand out also where nothing is bold. */
	for (char *c = title; level > 1 && *c; c++)
		*c = (char)toupper((unsigned char)*c);
	lines_put(&r->l, INK_BOLD, "%s", title);
}

static void text_line(struct renderer *r, const char *line, size_t len)
{
	size_t bullet = bullet_len(line), skip = strspn(line, " ");

	if (bullet && bullet < sizeof(r->head) && bullet <= len) {
		flush(r);
		snprintf(r->head, sizeof(r->head), "%.*s", (int)bullet, line);
		r->indent = (unsigned)bullet;
		skip = bullet;
	}
	if (r->text[0])
		append(r->text, sizeof(r->text), " ");
	if (len > skip)
		add_inline(r->text, sizeof(r->text), line + skip, len - skip);
}

void report_page_text(FILE *out, const char *id, const struct style *st)
{
	const char *text = report_page(id);
	struct renderer r = {.l = lines_of(out, st)};
	bool code = false;

	must(text);
	r.l.cut = false; /* commands, code and tables are not cut */
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (strncmp(text, "```", 3) == 0) {
			flush(&r);
			code = !code;
		} else if (code) {
			lines_put(&r.l, INK_PLAIN, "%*s%.*s", CODE_INDENT, "", (int)len, text);
		} else if (len == 0) {
			flush(&r);
			lines_blank(&r.l);
		} else if (text[0] == '#') {
			heading(&r, text, len);
		} else if (text[0] == '|') {
			flush(&r);
			lines_put(&r.l, INK_PLAIN, "%.*s", (int)len, text);
		} else {
			text_line(&r, text, len);
		}
	}
	flush(&r);
}
