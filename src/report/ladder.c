/* SPDX-License-Identifier: MIT */
#include "report/ladder.h"
#include "base/text.h"
#include "report/svg.h"

#define PAUSE_NS (NSEC_PER_S / 5) /* longer ones are said, not drawn */
enum {
	WIDTH = 900,
	TOP = 92,
	ROW = 24,
	PAUSE_ROW = 30,
	SLANT = 10,
	CLIENT_X = 150,
	SERVER_X = 750,
	HEAD = 6,
	TEXT = 12,
	TITLE = 15
};

struct step_text {
	char s[160];
};

static struct step_text flags_text(const struct ladder_step *s)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {{STEP_SYN, "SYN"}, {STEP_FIN, "FIN"}, {STEP_RST, "RST"}};
	struct step_text t = {""};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (s->flags & names[i].flag)
			append(t.s, sizeof(t.s), "%s%s", t.s[0] ? ", " : "", names[i].name);
	if (!t.s[0] && !s->len)
		append(t.s, sizeof(t.s), "ACK");
	return t;
}

/* "FIN, 12 octets, seq 1, ack 5: GET / HTTP/1.1" */
static struct step_text step_text(const struct ladder_step *s)
{
	struct step_text t = flags_text(s);

	if (s->len)
		append(t.s, sizeof(t.s), "%s%s octet%s", t.s[0] ? ", " : "", num(s->len).s, s->len == 1 ? "" : "s");
	append(t.s, sizeof(t.s), ", seq %u", s->seq);
	if (s->flags & STEP_ACK)
		append(t.s, sizeof(t.s), ", ack %u", s->ack);
	if (s->flags & STEP_AGAIN)
		append(t.s, sizeof(t.s), ", sent again");
	if (s->says[0])
		append(t.s, sizeof(t.s), ": %s", s->says);
	return t;
}

static double since(nsec_t from, nsec_t at) { return at > from ? (double)(at - from) / 1e9 : 0; }

static struct step_text pause_text(double s)
{
	struct step_text t = {""};

	if (s < 10)
		append(t.s, sizeof(t.s), "%.3f s of silence", s);
	else
		append(t.s, sizeof(t.s), "%s of silence", seconds_text(s).s);
	return t;
}

static struct step_text gap_text(size_t n)
{
	struct step_text t = {""};

	append(t.s, sizeof(t.s), "%s segments are left out", num(n).s);
	return t;
}

/* What stands between a step and the one before it; "" nothing. */
static struct step_text between(const struct ladder *l, size_t i)
{
	if (i > 0 && l->left_out && i == l->gap_at)
		return gap_text(l->left_out);
	if (i > 0 && l->steps[i].at > l->steps[i - 1].at + PAUSE_NS)
		return pause_text(since(l->steps[i - 1].at, l->steps[i].at));
	return (struct step_text){""};
}

void ladder_text(FILE *f, const struct ladder *l)
{
	fprintf(f, "client %s, server %s\n", ip_port_text(l->conn->addr[SIDE_CLIENT], l->conn->port[SIDE_CLIENT]).s,
		ip_port_text(l->conn->addr[SIDE_SERVER], l->conn->port[SIDE_SERVER]).s);
	for (size_t i = 0; i < l->n; i++) {
		const struct ladder_step *s = &l->steps[i];
		struct step_text pause = between(l, i);

		if (pause.s[0])
			fprintf(f, "%14s  %s\n", "", pause.s);
		fprintf(f, "%12.6f s  %s  %s\n", since(l->steps[0].at, s->at),
			s->by == SIDE_CLIENT ? "client ->" : "<- server", step_text(s).s);
	}
}

/* ---- SVG ---- */

static const char *color_of(const struct ladder_step *s)
{
	if (s->flags & STEP_RST)
		return "#d62728";
	if (s->flags & STEP_FIN)
		return "#e07b00";
	if (s->flags & STEP_SYN)
		return "#2c8a2c";
	return s->len ? "#1f77b4" : "#999999";
}

static void put_arrow(FILE *f, double y, const struct ladder_step *s)
{
	bool right = s->by == SIDE_CLIENT;
	double from = right ? CLIENT_X : SERVER_X, to = right ? SERVER_X : CLIENT_X, back = right ? -HEAD : HEAD;
	const char *color = color_of(s), *dashes = s->flags & STEP_AGAIN ? " stroke-dasharray=\"6 3\"" : "";

	fprintf(f, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" stroke-width=\"1.5\"%s/>\n", from, y, to, y + SLANT,
		color, dashes);
	fprintf(f, "<path d=\"M%.1f %.1fl%.1f %.1fl0 %.1fz\" fill=\"%s\"/>\n", to, y + SLANT, back, -HEAD / 1.5,
		HEAD * 1.33, color);
}

static double put_steps(FILE *f, const struct ladder *l)
{
	double y = TOP;

	for (size_t i = 0; i < l->n; i++) {
		const struct ladder_step *s = &l->steps[i];
		struct step_text pause = between(l, i);
		char at[32];

		if (pause.s[0]) {
			fprintf(f, "<path d=\"M%d %.1fH%d\" stroke=\"#bbbbbb\" stroke-dasharray=\"2 4\"/>\n", CLIENT_X,
				y + 8, SERVER_X);
			svg_text(f, CLIENT_X + 230, y + 4, TEXT - 1, pause.s);
			y += PAUSE_ROW;
		}
		put_arrow(f, y, s);
		snprintf(at, sizeof(at), "%.6f s", since(l->steps[0].at, s->at));
		svg_text_right(f, CLIENT_X - 12, y + 4, TEXT - 1, at);
		svg_text(f, CLIENT_X + 30, y + (s->by == SIDE_CLIENT ? -3 : 3), TEXT - 1, step_text(s).s);
		y += ROW;
	}
	return y;
}

static double height_of(const struct ladder *l)
{
	double y = TOP;

	for (size_t i = 0; i < l->n; i++)
		y += between(l, i).s[0] ? ROW + PAUSE_ROW : ROW;
	return y + 24;
}

static void put_head(FILE *f, const struct ladder *l, double bottom)
{
	const struct conn *c = l->conn;
	char title[200] = "";

	append(title, sizeof(title), "%s to %s: %s", ip_port_text(c->addr[SIDE_CLIENT], c->port[SIDE_CLIENT]).s,
	       ip_port_text(c->addr[SIDE_SERVER], c->port[SIDE_SERVER]).s,
	       c->first == SIDE_NONE     ? "nobody closed it"
	       : c->first == SIDE_CLIENT ? "the client closed first"
					 : "the server closed first");
	svg_text(f, 24, 30, TITLE, title);
	svg_text_right(f, CLIENT_X + 24, TOP - 26, TITLE - 2, "client");
	svg_text(f, SERVER_X - 24, TOP - 26, TITLE - 2, "server");
	for (int side = 0; side < 2; side++)
		fprintf(f, "<path d=\"M%d %dV%.1f\" stroke=\"#444444\" stroke-width=\"1\"/>\n",
			side ? SERVER_X : CLIENT_X, TOP - 16, bottom);
}

void ladder_svg(FILE *f, const struct ladder *l)
{
	double height = height_of(l);

	svg_begin(f, WIDTH, (unsigned)height);
	put_head(f, l, height - 14);
	put_steps(f, l);
	svg_end(f);
}
