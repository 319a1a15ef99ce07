/* SPDX-License-Identifier: MIT */
#include "report/screen.h"

#include <stdarg.h>

static unsigned at_most(unsigned v, unsigned limit) { return v < limit ? v : limit; }

void screen_clear(struct screen *s, unsigned width, unsigned height, bool utf8)
{
	s->width = at_most(width, SCREEN_COLUMNS_MAX);
	s->height = at_most(height, SCREEN_ROWS_MAX);
	s->utf8 = utf8;
	s->n = 0;
}

bool screen_has_room(const struct screen *s) { return s->n < s->height; }

/* The row that text goes to; NULL past the last one. */
static struct screen_row *last(struct screen *s) { return s->n && s->n <= s->height ? &s->row[s->n - 1] : NULL; }

static void put(struct screen *s, enum ink ink, const char *text)
{
	struct screen_row *r = last(s);
	size_t used, len;

	if (!r || r->columns >= s->width)
		return;
	used = r->n_spans ? r->span[r->n_spans - 1].end : 0;
	len = cut_at(text, s->width - r->columns);
	if (len == 0 || used + len >= SCREEN_BYTES)
		return;
	if (r->n_spans == 0 || (r->span[r->n_spans - 1].ink != ink && r->n_spans < SCREEN_SPANS))
		r->span[r->n_spans++].ink = ink;
	memcpy(r->text + used, text, len);
	r->text[used + len] = 0;
	r->span[r->n_spans - 1].end = (uint16_t)(used + len);
	r->columns += (unsigned)columns_of(r->text + used);
}

static void begin(struct screen *s)
{
	if (s->n <= s->height)
		s->n++;
	if (last(s)) {
		last(s)->n_spans = last(s)->columns = 0;
		last(s)->text[0] = 0;
	}
}

void screen_line(struct screen *s, enum ink ink, const char *fmt, ...)
{
	char text[SCREEN_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	begin(s);
	put(s, ink, text);
}

void screen_add(struct screen *s, enum ink ink, const char *fmt, ...)
{
	char text[SCREEN_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(s, ink, text);
}

void screen_tab(struct screen *s, unsigned column)
{
	unsigned have = last(s) ? last(s)->columns : column;

	screen_add(s, INK_PLAIN, "%*s", have < column ? (int)(column - have) : 1, "");
}

void screen_down_to(struct screen *s, unsigned n)
{
	while (s->n < n && screen_has_room(s))
		begin(s);
}

void screen_bar(struct screen *s, enum ink ink, double share, unsigned cells)
{
	double part = share < 0 ? 0 : share > 1 ? 1 : share;
	unsigned full = (unsigned)(part * cells + 0.5);

	screen_add(s, INK_PLAIN, "[");
	for (unsigned i = 0; i < cells; i++)
		screen_add(s, ink, "%s", i < full ? "#" : " ");
	screen_add(s, INK_PLAIN, "]");
}

void screen_spark(struct screen *s, enum ink ink, const uint64_t *values, unsigned n, unsigned cells)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "%", "#"};
	const unsigned steps = ARRAY_LEN(blocks) - 1;
	unsigned shown = at_most(n, cells);
	uint64_t most = 1;

	for (unsigned i = n - shown; i < n; i++)
		most = values[i] > most ? values[i] : most;
	screen_add(s, INK_PLAIN, "%*s", (int)(cells - shown), "");
	for (unsigned i = n - shown; i < n; i++) {
		/* anything that is not zero can be seen */
		unsigned step = values[i] ? 1 + (unsigned)((double)values[i] / (double)most * (steps - 1)) : 0;

		screen_add(s, ink, "%s", s->utf8 ? blocks[step] : ascii[step]);
	}
}
