/* SPDX-License-Identifier: MIT */
/* svg.h - charts of lines over time, as one SVG page. Sizes are pixels, from the top left. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct svg_box {
	double x, y, width, height;
};

struct svg_line {
	const char *name; /* in the legend; NULL: not there */
	const char *color; /* "#1f77b4" */
	const double *x, *y;
	size_t n;
	double width; /* 0: filled down to the axis */
	bool dashed;
};

struct svg_chart {
	const char *title, *x_name, *y_name; /* with their units */
	double x_max, y_max; /* axes begin at 0; y_max 0: what the lines need */
	const struct svg_line *lines;
	size_t n_lines;
};

void svg_begin(FILE *f, unsigned width, unsigned height);
void svg_end(FILE *f);
void svg_text(FILE *f, double x, double y, unsigned size, const char *text); /* its left end, on the base line */
void svg_text_right(FILE *f, double x, double y, unsigned size, const char *text); /* its right end */
/* Everything of it stays in the box: title, legend, axes, what is drawn. */
void svg_chart(FILE *f, const struct svg_box *at, const struct svg_chart *c);
double svg_step(double max, unsigned ticks); /* 1, 2 or 5 times a power of ten: at most so many of it are max */
