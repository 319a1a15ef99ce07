/* SPDX-License-Identifier: MIT */
#include "report/top.h"

#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "report/parts.h"
#include "report/top_rows.h"

enum {
	WIDTH_MIN = 32,
	HEIGHT_MIN = 8,
	STATE_COLUMNS = 26, /* "CLOSE_WAIT    1,234 ", then the sparkline */
	SPARK_CELLS = 6,
	BAR_CELLS = 10,
	DEST_NUMBERS = 61, /* columns that a destination's numbers take */
	NAME_MIN = 18,
};

void top_remember(struct top_history *h, const struct snapshot *s, uint64_t netns)
{
	bool full = h->looks == TOP_HISTORY;
	unsigned at = full ? TOP_HISTORY - 1 : h->looks++;

	for (unsigned st = 0; st < N_STATES; st++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < s->n_netns; i++)
			sum += netns == 0 || netns == s->netns[i].inode ? s->netns[i].states.n[st] : 0;
		if (full)
			memmove(&h->n[st][0], &h->n[st][1], sizeof(h->n[st]) - sizeof(h->n[st][0]));
		h->n[st][at] = sum;
	}
}

/* ---- above: where, and states ---- */

static const char *netns_name(const struct top_view *v)
{
	const struct snapshot *s = observation_now(v->obs);

	for (size_t i = 0; i < s->n_netns; i++)
		if (s->netns[i].inode == v->choice->netns)
			return s->netns[i].name;
	return s->n_netns == 1 ? s->netns[0].name : "all namespaces";
}

static const char *const sort_names[] = {
	[SORT_PORTS] = "ports", [SORT_TIME_WAIT] = "TIME_WAIT", [SORT_CLOSES] = "closes", [SORT_NAME] = "name"};

static void put_title(struct screen *s, const struct top_view *v)
{
	const struct snapshot *now = observation_now(v->obs);

	screen_line(s, INK_BOLD, "lastack top");
	if (v->choice->paused)
		screen_add(s, INK_YELLOW, "  PAUSED");
	screen_add(s, INK_PLAIN, "  %s, %s, every %.3g s", now->hostname, netns_name(v), v->interval_s);
	screen_add(s, INK_DIM, "  %s", wall_text(now->wall_s).s);
}

/* What is lacking, in one line. */
static void put_blind(struct screen *s, const struct top_view *v)
{
	if (v->blind)
		screen_line(s, INK_YELLOW, "no causes, closers by TIME_WAIT only: %s", v->blind);
	else if (v->lost)
		screen_line(s, INK_YELLOW, "%s closes could not be followed: their figures are too low",
			    num(v->lost).s);
}

static enum ink state_ink(unsigned st, uint64_t n)
{
	return n == 0 ? INK_DIM : st == ST_CLOSE_WAIT ? INK_YELLOW : INK_PLAIN;
}

/* In the order of a connection's life, as many side by side as there is room for. */
static void put_states(struct screen *s, const struct top_view *v)
{
	static const uint8_t order[] = {ST_ESTABLISHED, ST_TIME_WAIT,  ST_CLOSE_WAIT, ST_LISTEN,
					ST_SYN_SENT,    ST_FIN_WAIT_1, ST_LAST_ACK,   ST_CLOSING,
					ST_SYN_RECV,    ST_FIN_WAIT_2, ST_CLOSE};
	unsigned across = s->width / STATE_COLUMNS ? s->width / STATE_COLUMNS : 1;
	const struct top_history *h = v->history;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		unsigned st = order[i];
		uint64_t n = h->looks ? h->n[st][h->looks - 1] : 0;

		if (i % across == 0)
			screen_line(s, INK_PLAIN, "%s", "");
		else
			screen_tab(s, (unsigned)(i % across) * STATE_COLUMNS);
		screen_add(s, state_ink(st, n), "%-11s %7s ", state_descs[st].netstat, num(n).s);
		screen_spark(s, INK_GREEN, h->n[st], h->looks, SPARK_CELLS);
	}
}

/* ---- below: lists ---- */

static void put_heading(struct screen *s, const char *title, size_t shown, size_t all, const char *note)
{
	screen_line(s, INK_BOLD, "%s", title);
	if (shown < all)
		screen_add(s, INK_DIM, " %zu of %zu", shown, all);
	screen_add(s, INK_DIM, "%s%s", note[0] ? "  " : "", note);
}

static size_t shown_of(size_t n, size_t first, size_t room)
{
	return n <= first ? 0 : n - first < room ? n - first : room;
}

static struct text left(double s) { return s <= 0 ? (struct text){"now"} : seconds_text(s); }

static enum ink urgency(const struct top_dest *d)
{
	return !d->known ? INK_DIM : d->f.to_fail_s <= 60 ? INK_RED : d->f.to_cliff_s <= 60 ? INK_YELLOW : INK_GREEN;
}

static void put_dest(struct screen *s, const struct top_dest *d)
{
	unsigned name = s->width > DEST_NUMBERS + NAME_MIN ? s->width - DEST_NUMBERS : NAME_MIN;

	screen_line(s, INK_PLAIN, "%s", ip_port_cut(d->d->dst, d->d->dport, name - 1).s);
	screen_tab(s, name);
	screen_bar(s, urgency(d), d->known ? (double)d->f.used / (d->f.usable ? d->f.usable : 1) : 0, BAR_CELLS);
	screen_add(s, INK_PLAIN, "%6s %8s %6s", d->known ? percent_text(d->f.used, d->f.usable).s : "?",
		   num(d->d->states.n[ST_TIME_WAIT]).s, rate_text(d->f.closes_per_s).s);
	screen_add(s, urgency(d), " %8s", d->known ? left(d->f.to_fail_s).s : "?");
	screen_add(s, INK_DIM, " %s", d->process);
}

static void put_dests(struct screen *s, const struct top_rows *r, size_t first, size_t room)
{
	size_t shown = shown_of(r->n_dests, first, room);
	unsigned name = s->width > DEST_NUMBERS + NAME_MIN ? s->width - DEST_NUMBERS : NAME_MIN;

	put_heading(s, "DESTINATION", shown, r->n_dests, "");
	screen_tab(s, name);
	screen_add(s, INK_DIM, "%-12s%6s %8s %6s %8s PROCESS", "local ports", "used", "TIME_W.", "cl./s", "fails in");
	for (size_t i = first; i < first + shown; i++)
		put_dest(s, &r->dests[i]);
}

static void put_listeners(struct screen *s, const struct top_rows *r, size_t first, size_t room)
{
	size_t shown = shown_of(r->n_listeners, first, room);
	unsigned name = s->width > 100 ? 30 : 20;

	put_heading(s, "LISTENER", shown, r->n_listeners, "");
	screen_tab(s, name);
	screen_add(s, INK_DIM, "%11s %8s %8s %7s %6s PROCESS", "queue", "connect.", "TIME_W.", "CLOSE_W", "cl./s");
	for (size_t i = first; i < first + shown; i++) {
		const struct listener *l = r->listeners[i].l;
		uint64_t all = state_counts_sum(&l->states) - l->states.n[ST_LISTEN] - l->states.n[ST_TIME_WAIT];

		screen_line(s, INK_PLAIN, "%s", ip_port_cut(l->addr, l->port, name - 1).s);
		screen_tab(s, name);
		screen_add(s, l->queue > l->backlog ? INK_RED : INK_PLAIN, "%5" PRIu32 "/%-5" PRIu32, l->queue,
			   l->backlog);
		screen_add(s, INK_PLAIN, " %8s %8s", num(all).s, num(l->states.n[ST_TIME_WAIT]).s);
		screen_add(s, l->states.n[ST_CLOSE_WAIT] ? INK_YELLOW : INK_PLAIN, " %7s",
			   num(l->states.n[ST_CLOSE_WAIT]).s);
		screen_add(s, INK_PLAIN, " %6s ", rate_text(r->listeners[i].closes_per_s).s);
		screen_add(s, INK_DIM, "%s", r->listeners[i].process);
	}
}

static void put_closers(struct screen *s, const struct top_rows *r, size_t first, size_t room)
{
	size_t shown = shown_of(r->n_closers, first, room);

	put_heading(s, "CLOSES FIRST", shown, r->n_closers, "");
	screen_tab(s, 34);
	screen_add(s, INK_DIM, "%8s %9s %12s %8s", "closes/s", "TIME_WAIT", "hold a port", r->followed ? "by RST" : "");
	for (size_t i = first; i < first + shown; i++) {
		const struct top_closer *c = &r->closers[i];

		screen_line(s, INK_PLAIN, "%.*s", (int)cut_at(c->row.name, 33), c->row.name);
		screen_tab(s, 34);
		screen_add(s, INK_PLAIN, "%8s %9s %12s", rate_text(c->per_s).s, num(c->time_waits).s,
			   num(c->as_client).s);
		if (r->followed)
			screen_add(s, c->rst ? INK_YELLOW : INK_DIM, " %8s", c->followed ? num(c->rst).s : "?");
	}
}

static enum ink severity_ink(enum severity sev)
{
	switch (sev) {
	case SEV_CRIT:
		return INK_RED;
	case SEV_WARN:
		return INK_YELLOW;
	case SEV_INFO:
		break;
	}
	return INK_DIM;
}

static void put_findings(struct screen *s, const struct findings *f, size_t first, size_t room)
{
	size_t shown = shown_of(f->n, first, room);

	put_heading(s, "FINDINGS", shown, f->n, f->n ? "lastack explain ID tells more" : "nothing wrong");
	for (size_t i = first; i < first + shown; i++) {
		const struct finding *x = &f->v[i];

		screen_line(s, severity_ink(x->severity), "%-5s%-9s", severity_name(x->severity), x->rule->id);
		screen_add(s, INK_PLAIN, "%s", x->what);
	}
}

/* The beginning of every list: findings first, for they say what to look at; destinations get what is left. */
static void put_all(struct screen *s, const struct top_view *v, const struct top_rows *r)
{
	unsigned room = s->height - s->n - 1; /* the last row is for keys */
	unsigned findings = room / 4, closers = room / 5, listeners = room / 5;

	if (v->findings->n < findings)
		findings = (unsigned)v->findings->n;
	if (r->n_closers < closers)
		closers = (unsigned)r->n_closers;
	if (r->n_listeners < listeners)
		listeners = (unsigned)r->n_listeners;
	put_findings(s, v->findings, 0, findings);
	if (s->n + closers + listeners + 4 > s->height)
		listeners = 0;
	put_dests(s, r, 0, room - findings - 2 - (closers ? closers + 1 : 0) - (listeners ? listeners + 1 : 0));
	if (closers)
		put_closers(s, r, 0, closers);
	if (listeners)
		put_listeners(s, r, 0, listeners);
}

static void put_pane(struct screen *s, const struct top_view *v, const struct top_rows *r)
{
	size_t room = s->height - s->n - 2, first = v->choice->first;

	switch (v->choice->pane) {
	case PANE_ALL:
		put_all(s, v, r);
		break;
	case PANE_DESTINATIONS:
		put_dests(s, r, first < r->n_dests ? first : 0, room);
		break;
	case PANE_LISTENERS:
		put_listeners(s, r, first < r->n_listeners ? first : 0, room);
		break;
	case PANE_CLOSERS:
		put_closers(s, r, first < r->n_closers ? first : 0, room);
		break;
	case PANE_FINDINGS:
		put_findings(s, v->findings, first < v->findings->n ? first : 0, room);
		break;
	}
}

/* ---- help and the last row ---- */

static void put_help(struct screen *s)
{
	static const char *const keys[][2] = {
		{"q", "quit"},
		{"space, p", "pause, and go on"},
		{"Enter", "look now"},
		{"o d l c f", "overview; destinations, listeners, closers, findings"},
		{"arrows PgUp PgDn Home", "scroll a list"},
		{"s, r", "sort by the next column; the other way round"},
		{"/", "show only rows with this text; Enter keeps, Esc ends it"},
		{"n", "next network namespace"},
		{"?", "this help"},
	};

	screen_line(s, INK_BOLD, "Keys");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		screen_line(s, INK_GREEN, "  %s", keys[i][0]);
		screen_tab(s, 25);
		screen_add(s, INK_PLAIN, "%s", keys[i][1]);
	}
	screen_line(s, INK_PLAIN, "%s", "");
	screen_line(s, INK_DIM, "The bar is the share of local ports in use towards a destination. From half");
	screen_line(s, INK_DIM, "of them on connect() is slow (yellow: within a minute); at all of them it");
	screen_line(s, INK_DIM, "fails (red). Who closed first is seen as it happens (BPF), and why is among the");
	screen_line(s, INK_DIM, "findings, over the last minute or two. Without BPF TIME_WAITs tell, which stay");
	screen_line(s, INK_DIM, "with who sent the first FIN, but not why.");
}

static void put_keys(struct screen *s, const struct top_view *v)
{
	const struct top_choice *c = v->choice;

	screen_down_to(s, s->height - 1);
	if (c->typing) {
		screen_line(s, INK_BOLD, "/%s_", c->filter);
		return;
	}
	screen_line(s, INK_DIM, "q quit  ? help  / filter%s%s  s sort: %s%s", c->filter[0] ? ": " : "", c->filter,
		    sort_names[c->sort], c->reverse ? " reversed" : "");
	screen_add(s, INK_DIM, "  d l c f lists  n namespace  p pause");
}

void top_compose(struct screen *s, const struct top_view *v)
{
	struct top_rows rows;

	if (s->width < WIDTH_MIN || s->height < HEIGHT_MIN) {
		screen_line(s, INK_PLAIN, "too small: %dx%d needed", WIDTH_MIN, HEIGHT_MIN);
		return;
	}
	put_title(s, v);
	put_blind(s, v);
	if (v->choice->help) {
		put_help(s);
	} else {
		if (s->height >= 16)
			put_states(s, v);
		top_rows(&rows, v);
		put_pane(s, v, &rows);
		top_rows_done(&rows);
	}
	put_keys(s, v);
}
