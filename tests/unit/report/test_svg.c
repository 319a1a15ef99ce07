/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/svg.h"

static const double xs[] = {0, 1, 2, 3, 10}, ys[] = {0, 40, 35, -5, 97};

static char *chart(double y_max)
{
	const struct svg_line lines[] = {
		{.name = "area & more", .color = "#dddddd", .x = xs, .y = ys, .n = 5},
		{.name = "line <1>", .color = "#1f77b4", .x = xs, .y = ys, .n = 5, .width = 1.5},
		{.color = "#222222", .x = xs, .y = ys, .n = 5, .width = 1, .dashed = true},
		{.name = "nothing yet", .color = "#d62728", .width = 1},
	};
	const struct svg_chart c = {.title = "A \"title\"",
				    .x_name = "time, s",
				    .y_name = "segments",
				    .x_max = 10,
				    .y_max = y_max,
				    .lines = lines,
				    .n_lines = 4};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	svg_begin(f, 800, 400);
	svg_chart(f, &(struct svg_box){100, 50, 600, 300}, &c);
	svg_end(f);
	fclose(f);
	return text;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

/* Every number after that, of those that are places on the page. */
static void expect_within(const char *text, const char *what, double low, double high)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, what)); n++) {
		double v = strtod(p += strlen(what), NULL);

		if (v < low || v > high)
			fail_msg("%s%g is not within %g and %g", what, v, low, high);
	}
	assert_true(n > 0);
}

TEST(chart__stays_in_its_box)
{
	char *text = chart(0);

	for (size_t i = 0; i < 4; i++)
		expect_within(text, (const char *[]){" x=\"", " x1=\"", " x2=\"", "<path d=\"M"}[i], 100, 700);
	for (size_t i = 0; i < 3; i++)
		expect_within(text, (const char *[]){" y=\"", " y1=\"", " y2=\""}[i], 50, 350);
	for (const char *p = text; (p = strstr(p, "<path d=\"M")); p++)
		for (const char *c = p + 10; *c && *c != '"' && *c != 'V'; c += 1 + strcspn(c + 1, "L\"V")) {
			char *end;
			double x = strtod(c + (*c == 'L'), &end), y = strtod(end, NULL);

			if (*c == 'L' && (x < 100 || x > 700 || y < 50 || y > 350))
				fail_msg("a line goes to %g %g", x, y);
		}
	free(text);
}

TEST(chart__has_ticks_names_and_a_legend_and_is_well_formed)
{
	char *text = chart(100);

	for (size_t i = 0; i < 8; i++) {
		const char *wanted =
			(const char *[]){">A &quot;title&quot;<", ">time, s<",     ">segments<", ">area &amp; more<",
					 ">line &lt;1&gt;<",      ">nothing yet<", ">100<",      ">80<"}[i];

		if (!strstr(text, wanted))
			fail_msg("no %s", wanted);
	}
	assert_int_equal(count(text, "<text"), count(text, "</text>"));
	assert_int_equal(count(text, "<svg "), 1);
	assert_int_equal(count(text, "</svg>"), 1);
	assert_int_equal(count(text, "<path"), 4); /* the axes and three lines: one has no points */
	assert_int_equal(count(text, "stroke-dasharray"), 1);
	free(text);
}

TEST(steps__are_one_two_or_five)
{
	static const struct {
		double max, step;
	} cases[] = {{10, 1}, {10.5, 2}, {60, 10}, {100, 10}, {3, 0.5}, {0.07, 0.01}, {1234, 200}, {5001, 1000}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (fabs(svg_step(cases[i].max, 10) - cases[i].step) > 1e-9 * cases[i].step)
			fail_msg("%g: %g", cases[i].max, svg_step(cases[i].max, 10));
}

RUN(T(chart__stays_in_its_box), T(chart__has_ticks_names_and_a_legend_and_is_well_formed),
    T(steps__are_one_two_or_five))
