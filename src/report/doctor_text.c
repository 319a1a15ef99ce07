/* SPDX-License-Identifier: MIT */
/*
 * The first screen is for somebody at 3 a.m.: the verdict, then the findings that matter with number, proof, culprit,
 * first fix and what not to do, then the next command. Findings get as many lines as the screen has: all start with
 * one line, then the first ones are told in full, in their order.
 */
#include "base/text.h"
#include "report/parts.h"

enum { INDENT = 4, LABEL = 14, SHOWN_MAX = 5, FULL_MAX = 3 };

/* LINE what; SHORT and the first fix; FULL and the proof; LONG nothing cut, and a fix with a command; ALL everything. */
enum depth { DEPTH_LINE, DEPTH_SHORT, DEPTH_FULL, DEPTH_LONG, DEPTH_ALL };

static enum ink ink_of(enum severity s)
{
	switch (s) {
	case SEV_CRIT:
		return INK_RED;
	case SEV_WARN:
		return INK_YELLOW;
	case SEV_INFO:
		return INK_BOLD;
	}
	must_not_reach("no such severity");
}

static const char *loud_name(enum severity s)
{
	switch (s) {
	case SEV_CRIT:
		return "CRIT";
	case SEV_WARN:
		return "WARN";
	case SEV_INFO:
		return "info";
	}
	must_not_reach("no such severity");
}

/* ---- one finding ---- */

static void put_label(struct lines *l, const char *label, const char *text, unsigned max_lines)
{
	char head[LABEL + 1];

	if (!text[0])
		return;
	snprintf(head, sizeof(head), "%*s%-*s", INDENT, "", LABEL - INDENT, label);
	lines_wrap(l, &(struct paragraph){
			      .head = head, .text = text, .ink = INK_DIM, .indent = LABEL, .max_lines = max_lines});
}

/* A precondition is never cut: whoever pastes the command below must have read all of it. */
static void put_remedy(struct lines *l, const struct remedy *r, const char *label, enum depth depth)
{
	char needs[256];

	put_label(l, label, r->action, depth >= DEPTH_LONG ? LINES_NO_LIMIT : 2);
	if (depth < DEPTH_FULL)
		return;
	if (r->precondition[0]) {
		snprintf(needs, sizeof(needs), "check: %s", r->precondition);
		put_label(l, "", needs, LINES_NO_LIMIT);
	}
	if (r->command[0])
		lines_command(l, LABEL, r->command);
	if (depth == DEPTH_ALL)
		put_label(l, "  risk", r->risk, LINES_NO_LIMIT);
}

static void put_all_remedies(struct lines *l, const struct finding *f)
{
	for (size_t i = 0; i < f->n_remedies; i++) {
		char label[24];

		snprintf(label, sizeof(label), "fix %zu", i + 1);
		put_remedy(l, &f->remedies[i], label, DEPTH_ALL);
	}
	for (size_t i = 0; i < NEVER_MAX && f->rule->never[i]; i++)
		put_label(l, i ? "" : "do not", f->rule->never[i], LINES_NO_LIMIT);
}

/* The best cure is often in a program's configuration; at 3 a.m. the first one that is a command helps too. */
static void put_remedies(struct lines *l, const struct finding *f, enum depth depth)
{
	if (f->n_remedies)
		put_remedy(l, &f->remedies[0], "fix", depth);
	for (size_t i = 0; depth >= DEPTH_LONG && i < f->n_remedies && !f->remedies[0].command[0]; i++) {
		if (!f->remedies[i].command[0])
			continue;
		put_remedy(l, &f->remedies[i], "or", depth);
		break;
	}
	if (depth >= DEPTH_FULL && f->rule->never[0])
		put_label(l, "do not", f->rule->never[0], LINES_NO_LIMIT);
}

static void put_confidence(struct lines *l, const struct finding *f)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", confidence_name(f->confidence), f->raise[0] ? "; surer with: " : "",
		 f->raise);
	put_label(l, "certainty", text, LINES_NO_LIMIT);
}

static unsigned most_lines(enum depth depth)
{
	switch (depth) {
	case DEPTH_LINE:
		return 1;
	case DEPTH_SHORT:
		return 2;
	case DEPTH_FULL:
		return 3;
	case DEPTH_LONG:
	case DEPTH_ALL:
		return LINES_NO_LIMIT;
	}
	must_not_reach("no such depth");
}

static void put_finding(struct lines *l, const struct finding *f, size_t number, enum depth depth, bool named)
{
	char head[160];
	bool where = named && f->netns[0];

	snprintf(head, sizeof(head), "[%zu] %s %s%s%.*s%s ", number, loud_name(f->severity), f->rule->id,
		 where ? " (" : "", where ? 40 : 0, f->netns, where ? ")" : "");
	lines_wrap(l, &(struct paragraph){.head = head,
					  .text = f->what,
					  .ink = ink_of(f->severity),
					  .indent = INDENT,
					  .max_lines = most_lines(depth)});
	if (depth == DEPTH_LINE)
		return;
	if (depth >= DEPTH_FULL)
		put_label(l, "because", f->evidence, most_lines(depth));
	if (depth == DEPTH_ALL)
		put_confidence(l, f);
	if (depth >= DEPTH_FULL)
		put_label(l, "process", f->process, most_lines(depth));
	if (depth == DEPTH_ALL)
		put_all_remedies(l, f);
	else
		put_remedies(l, f, depth);
}

/* ---- the verdict ---- */

static const char *stage_word(enum stage s)
{
	switch (s) {
	case STAGE_FAILING:
		return "FAILING";
	case STAGE_ABOUT_TO_FAIL:
		return "AT RISK";
	case STAGE_LOSING:
		return "LOSING CONNECTIONS";
	case STAGE_LEAKING:
		return "LEAKING";
	case STAGE_CHURN:
		return "CHURN";
	case STAGE_CONFIG:
		return "SETTINGS";
	case STAGE_HARMLESS:
		return "HARMLESS";
	}
	must_not_reach("no such stage");
}

static const struct finding *first_that_matters(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].severity >= SEV_WARN)
			return &f->v[i];
	return NULL;
}

static const struct finding *first_harmless(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].stage == STAGE_HARMLESS) /* TW002 says so; nothing else may call a host harmless */
			return &f->v[i];
	return NULL;
}

static void append_where(char *text, size_t cap, const struct observation *o)
{
	const struct snapshot *s = observation_now(o);

	if (s->n_netns < 2)
		return;
	append(text, cap, " in %zu namespaces (", s->n_netns);
	for (size_t i = 0; i < s->n_netns && i < 4; i++)
		append(text, cap, "%s%s", i ? ", " : "", s->netns[i].name);
	append(text, cap, s->n_netns > 4 ? ", ...)" : ")");
}

static void put_verdict(struct lines *l, const struct observation *o, const struct findings *f)
{
	const struct finding *bad = first_that_matters(f), *harmless = first_harmless(f);
	char head[64] = "OK: ", text[512] = "nothing wrong found";
	enum ink ink = INK_GREEN;
	size_t others = f->n + f->dropped;

	if (bad) {
		ink = ink_of(bad->severity);
		others--;
		snprintf(head, sizeof(head), "%s: ", stage_word(bad->stage));
		snprintf(text, sizeof(text), "%s (%s)", bad->rule->title, bad->rule->id);
		if (others)
			append(text, sizeof(text), " and %zu more", others);
	} else if (harmless) {
		snprintf(head, sizeof(head), "HARMLESS: ");
		snprintf(text, sizeof(text), "%s", harmless->what);
	} else {
		bool blind = report_is_blind(o);

		ink = blind ? INK_YELLOW : INK_GREEN;
		if (blind) {
			snprintf(head, sizeof(head), "UNSURE: ");
			append(text, sizeof(text), " in what could be seen, but not everything could");
		} else {
			append_where(text, sizeof(text), o);
		}
		if (others)
			append(text, sizeof(text), "; %zu remark%s", others, others == 1 ? "" : "s");
	}
	lines_wrap(l, &(struct paragraph){.head = head,
					  .text = text,
					  .ink = ink,
					  .indent = INDENT,
					  .max_lines = l->cut ? 2 : LINES_NO_LIMIT});
}

static void put_sockets(struct lines *l, const struct observation *o)
{
	const struct snapshot *s = observation_now(o);
	struct state_counts sum = {{0}};
	char text[256] = "";

	for (size_t i = 0; i < s->n_netns; i++)
		state_counts_add(&sum, &s->netns[i].states);
	for (unsigned st = 0; st < N_STATES; st++)
		if (sum.n[st])
			append(text, sizeof(text), "%s%s %s", text[0] ? ", " : "", state_descs[st].netstat,
			       num(sum.n[st]).s);
	lines_put(l, INK_PLAIN, "sockets: %s", text[0] ? text : "none");
}

/* ---- the screen ---- */

/* How deep each shown finding is told; [0, n) are shown. */
struct plan {
	enum depth depth[SHOWN_MAX];
	size_t n;
};

static unsigned lines_at(const struct lines *like, const struct findings *f, size_t i, enum depth depth, bool named)
{
	struct lines count = {.width = like->width};

	put_finding(&count, &f->v[i], i + 1, depth, named);
	return count.n;
}

/* Remarks and what is harmless need no more than their line, unless there is nothing else. */
static bool is_deep(const struct findings *f, size_t i)
{
	return i < FULL_MAX && (i == 0 || f->v[i].severity > SEV_INFO);
}

/* The deepest telling of finding i that takes at most this many lines; one line it always has. */
static enum depth deepest(const struct lines *like, const struct findings *f, size_t i, unsigned room, bool named)
{
	enum depth d = is_deep(f, i) ? DEPTH_LONG : DEPTH_LINE;

	while (d > DEPTH_LINE && lines_at(like, f, i, d, named) > room)
		d--;
	return d;
}

static unsigned minus(unsigned a, unsigned b) { return a > b ? a - b : 0; }

static struct plan plan_screen(const struct lines *like, const struct findings *f, unsigned room, bool named)
{
	struct plan p = {.n = f->n < SHOWN_MAX ? f->n : SHOWN_MAX};

	for (size_t i = 0; i < p.n; i++) {
		unsigned later_short = 0, later_line = (unsigned)(p.n - i - 1);

		for (size_t k = i + 1; k < p.n; k++)
			later_short += is_deep(f, k) ? lines_at(like, f, k, DEPTH_SHORT, named) : 1;
		/* In full if those below keep their fix. The first one, and a short telling, may leave them just a line. */
		p.depth[i] = deepest(like, f, i, minus(room, later_short), named);
		if (p.depth[i] < (i ? DEPTH_SHORT : DEPTH_FULL)) {
			p.depth[i] = deepest(like, f, i, minus(room, later_line), named);
			if (p.depth[i] > DEPTH_FULL)
				p.depth[i] = DEPTH_FULL;
			if (i && p.depth[i] > DEPTH_SHORT)
				p.depth[i] = DEPTH_SHORT;
		}
		room = minus(room, lines_at(like, f, i, p.depth[i], named));
	}
	return p;
}

static void put_hidden(struct lines *l, const struct findings *f, size_t untold)
{
	if (f->dropped)
		lines_put(l, f->dropped_worst > SEV_INFO ? INK_YELLOW : INK_DIM,
			  "... and %zu more; %zu found no room here, not even with -v (worst: %s)", untold + f->dropped,
			  f->dropped, severity_name(f->dropped_worst));
	else if (untold)
		lines_put(l, INK_DIM, "... and %zu more", untold);
}

static void put_next(struct lines *l, const struct findings *f, bool verbose)
{
	const struct finding *bad = first_that_matters(f);
	const char *id = bad ? bad->rule->id : f->n ? f->v[0].rule->id : NULL;

	if (id && verbose)
		lines_put(l, INK_PLAIN, "next: lastack explain %s", id);
	else if (id)
		lines_put(l, INK_PLAIN, "next: lastack explain %s, lastack doctor -v (all findings, all fixes)", id);
	else
		lines_put(l, INK_PLAIN, "next: lastack status (connections, listeners, ports left)");
}

void report_doctor_text(FILE *out, const struct observation *obs, const struct findings *f, const struct style *st)
{
	struct lines l = lines_of(out, st);
	bool named = names_matter(obs);
	struct plan p = {.n = f->n};

	put_verdict(&l, obs, f);
	put_host(&l, obs);
	if (!first_that_matters(f))
		put_sockets(&l, obs);
	if (f->n)
		lines_blank(&l);
	if (!st->verbose) {
		/* below: what was not seen, how many more, the next command */
		p = plan_screen(&l, f, SCREEN_LINES - l.n - report_is_blind(obs) - 1 - (f->n > SHOWN_MAX || f->dropped),
				named);
	}
	for (size_t i = 0; i < p.n; i++) {
		put_finding(&l, &f->v[i], i + 1, st->verbose ? DEPTH_ALL : p.depth[i], named);
		if (st->verbose)
			lines_blank(&l);
	}
	put_hidden(&l, f, f->n - p.n);
	put_missing(&l, obs, st->verbose);
	put_next(&l, f, st->verbose);
}
