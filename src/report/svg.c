/* SPDX-License-Identifier: MIT */
#include "report/svg.h"

#include <math.h>
#include <string.h>

/* Around the plot itself. */
enum {
	LEFT = 64,
	RIGHT = 16,
	TOP = 46,
	BOTTOM = 42,
	TITLE_SIZE = 14,
	TEXT_SIZE = 11,
	LEGEND_MARK = 22,
	LEGEND_GAP = 14
};
enum { X_TICKS = 10, Y_TICKS = 6 };
static const double CHARACTER = 0.56; /* mean width of one, of the font's size */

static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", f);
		else if (*s == '<')
			fputs("&lt;", f);
		else if (*s == '>')
			fputs("&gt;", f);
		else if (*s == '"')
			fputs("&quot;", f);
		else
			fputc(*s, f);
	}
}

void svg_begin(FILE *f, unsigned width, unsigned height)
{
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
		"font-family=\"DejaVu Sans, Verdana, sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		width, height, width, height);
}

void svg_end(FILE *f) { fputs("</svg>\n", f); }

struct label {
	double x, y;
	unsigned size;
	const char *anchor; /* start, middle, end */
	double turn; /* degrees */
	const char *text;
};

static void put_label(FILE *f, const struct label *l)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%u\" text-anchor=\"%s\" fill=\"#222222\"", l->x, l->y,
		l->size, l->anchor);
	if (l->turn != 0)
		fprintf(f, " transform=\"rotate(%.0f %.1f %.1f)\"", l->turn, l->x, l->y);
	fputc('>', f);
	put_escaped(f, l->text);
	fputs("</text>\n", f);
}

void svg_text(FILE *f, double x, double y, unsigned size, const char *text)
{
	put_label(f, &(struct label){x, y, size, "start", 0, text});
}

void svg_text_right(FILE *f, double x, double y, unsigned size, const char *text)
{
	put_label(f, &(struct label){x, y, size, "end", 0, text});
}

double svg_step(double max, unsigned ticks)
{
	double power = pow(10, floor(log10(max / ticks))), rest = max / ticks / power;

	/* a hair less, for what is rounded */
	return power * (rest <= 1 + 1e-9 ? 1 : rest <= 2 + 1e-9 ? 2 : rest <= 5 + 1e-9 ? 5 : 10);
}

/* ---- a chart ---- */

struct plot { /* where numbers are on the page */
	double x, y, width, height; /* of the plot's area */
	double x_max, y_max;
};

static double at_x(const struct plot *p, double v) { return p->x + v / p->x_max * p->width; }

static double at_y(const struct plot *p, double v)
{
	double y = v < 0 ? 0 : v > p->y_max ? p->y_max : v;

	return p->y + p->height - y / p->y_max * p->height;
}

static double highest(const struct svg_chart *c)
{
	double max = 0, step;

	for (size_t i = 0; i < c->n_lines; i++)
		for (size_t k = 0; k < c->lines[i].n; k++)
			if (c->lines[i].y[k] > max)
				max = c->lines[i].y[k];
	if (max <= 0)
		return 1;
	step = svg_step(max * 1.02, Y_TICKS);
	return ceil(max * 1.02 / step) * step;
}

static void put_grid(FILE *f, const struct plot *p)
{
	double x_step = svg_step(p->x_max, X_TICKS), y_step = svg_step(p->y_max, Y_TICKS);
	char text[32];

	for (unsigned i = 0; i * y_step <= p->y_max * (1 + 1e-9); i++) {
		double y = at_y(p, i * y_step);

		fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>\n", p->x, y,
			p->x + p->width, y);
		snprintf(text, sizeof(text), "%g", i * y_step);
		put_label(f, &(struct label){p->x - 6, y + 4, TEXT_SIZE, "end", 0, text});
	}
	for (unsigned i = 0; i * x_step <= p->x_max * (1 + 1e-9); i++) {
		double x = at_x(p, i * x_step);

		fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#888888\"/>\n", x,
			p->y + p->height, x, p->y + p->height + 4);
		snprintf(text, sizeof(text), "%g", i * x_step);
		put_label(f, &(struct label){x, p->y + p->height + 16, TEXT_SIZE, "middle", 0, text});
	}
	fprintf(f, "<path d=\"M%.1f %.1fV%.1fH%.1f\" fill=\"none\" stroke=\"#888888\"/>\n", p->x, p->y,
		p->y + p->height, p->x + p->width);
}

static void put_line(FILE *f, const struct plot *p, const struct svg_line *l)
{
	char command = 'M';

	if (l->n == 0)
		return;
	fputs("<path d=\"", f);
	if (l->width <= 0) {
		fprintf(f, "M%.1f %.1f", at_x(p, l->x[0]), at_y(p, 0));
		command = 'L';
	}
	for (size_t i = 0; i < l->n; i++, command = 'L')
		fprintf(f, "%c%.1f %.1f", command, at_x(p, l->x[i]), at_y(p, l->y[i]));
	if (l->width <= 0)
		fprintf(f, "L%.1f %.1fZ\" fill=\"%s\"/>\n", at_x(p, l->x[l->n - 1]), at_y(p, 0), l->color);
	else
		fprintf(f, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" stroke-linejoin=\"round\"%s/>\n",
			l->color, l->width, l->dashed ? " stroke-dasharray=\"6 4\"" : "");
}

static void put_legend(FILE *f, double x, double y, const struct svg_chart *c)
{
	for (size_t i = 0; i < c->n_lines; i++) {
		const struct svg_line *l = &c->lines[i];

		if (!l->name)
			continue;
		if (l->width <= 0)
			fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"9\" fill=\"%s\"/>\n", x, y - 9,
				LEGEND_MARK - 5, l->color);
		else
			fprintf(f,
				"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"%s/>\n",
				x, y - 4, x + LEGEND_MARK - 5, y - 4, l->color, l->width < 2 ? 2 : l->width,
				l->dashed ? " stroke-dasharray=\"6 4\"" : "");
		svg_text(f, x + LEGEND_MARK, y, TEXT_SIZE, l->name);
		x += LEGEND_MARK + CHARACTER * TEXT_SIZE * (double)strlen(l->name) + LEGEND_GAP;
	}
}

void svg_chart(FILE *f, const struct svg_box *at, const struct svg_chart *c)
{
	struct plot p = {.x = at->x + LEFT,
			 .y = at->y + TOP,
			 .width = at->width - LEFT - RIGHT,
			 .height = at->height - TOP - BOTTOM,
			 .x_max = c->x_max,
			 .y_max = c->y_max > 0 ? c->y_max : highest(c)};

	svg_text(f, p.x, at->y + TITLE_SIZE + 2, TITLE_SIZE, c->title);
	put_legend(f, p.x, p.y - 10, c);
	for (size_t i = 0; i < c->n_lines; i++) /* areas lie below the grid */
		if (c->lines[i].width <= 0)
			put_line(f, &p, &c->lines[i]);
	put_grid(f, &p);
	for (size_t i = 0; i < c->n_lines; i++)
		if (c->lines[i].width > 0)
			put_line(f, &p, &c->lines[i]);
	put_label(f, &(struct label){p.x + p.width / 2, at->y + at->height - 8, TEXT_SIZE, "middle", 0, c->x_name});
	put_label(f, &(struct label){at->x + 14, p.y + p.height / 2, TEXT_SIZE, "middle", -90, c->y_name});
}
