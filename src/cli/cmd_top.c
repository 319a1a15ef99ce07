/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/follow.h"
#include "cli/look.h"
#include "report/top.h"

enum { LOOK_NOW_MS = 100, PAUSED_WAIT_MS = 100, ESC_MS = 25 };

struct top_cfg {
	uint32_t interval_ms;
	bool no_trace;
	const char *netns;
};

static const struct top_cfg defaults = {.interval_ms = 2000};

static const struct opt opts[] = {
	{.name = "interval",
	 .letter = 'i',
	 OPT_IS_SECONDS(struct top_cfg, interval_ms, 200, 3600000),
	 .metavar = "SECONDS",
	 .help = "time from one look to the next"},
	{.name = "netns",
	 .letter = 'n',
	 OPT_IS_STRING(struct top_cfg, netns),
	 .metavar = "all|self|PID|NAME",
	 .help = "which network namespaces (default all for root, else self)"},
	{.name = "no-trace",
	 OPT_IS_FLAG(struct top_cfg, no_trace),
	 .help = "do not follow closes (BPF): it costs each some 4 us"},
	{.type = OPT_END},
};

/* The terminal and what is on it. */
struct live {
	struct screen *screen;
	bool colour, utf8;
	uint32_t interval_ms;
	struct top_choice choice;
	struct observation obs; /* what is shown */
	struct findings findings;
	struct follow follow;
	struct closer *closers; /* CLOSERS_PROCS_MAX of them */
	size_t n_closers;
	uint64_t lost;
	struct top_history history;
	int error; /* of following closes */
	enum top_act act; /* what the keys since the last look asked for */
};

static volatile sig_atomic_t stopped_by;

static void stop(int signo) { stopped_by = signo; }

/* ---- the terminal ---- */

static void set_colours(struct live *t)
{
	const char *no_colour = getenv("NO_COLOR");

	t->colour = has_colors() && !(no_colour && no_colour[0]);
	if (!t->colour)
		return;
	start_color();
	use_default_colors();
	init_pair(INK_RED, COLOR_RED, -1);
	init_pair(INK_YELLOW, COLOR_YELLOW, -1);
	init_pair(INK_GREEN, COLOR_GREEN, -1);
}

/* Without colour what is urgent stands out in bold. */
static attr_t attributes_of(const struct live *t, enum ink ink)
{
	switch (ink) {
	case INK_PLAIN:
		return A_NORMAL;
	case INK_BOLD:
		return A_BOLD;
	case INK_DIM:
		return A_DIM;
	case INK_RED:
	case INK_YELLOW:
		return A_BOLD | (t->colour ? COLOR_PAIR(ink) : 0);
	case INK_GREEN:
		return t->colour ? COLOR_PAIR(ink) : A_NORMAL;
	}
	return A_NORMAL;
}

static void draw(struct live *t)
{
	struct top_view v = {.obs = &t->obs,
			     .findings = &t->findings,
			     .history = &t->history,
			     .choice = &t->choice,
			     .interval_s = t->interval_ms / 1000.0,
			     .closers = t->closers,
			     .n_closers = t->n_closers,
			     .lost = t->lost,
			     .blind = t->follow.why.text[0] ? t->follow.why.text : NULL};
	struct screen *s = t->screen;

	screen_clear(s, (unsigned)COLS, (unsigned)LINES, t->utf8);
	top_compose(s, &v);
	erase();
	for (unsigned y = 0; y < s->n; y++) {
		const struct screen_row *r = &s->row[y];

		move((int)y, 0);
		for (unsigned i = 0, at = 0; i < r->n_spans; at = r->span[i++].end) {
			attrset(attributes_of(t, r->span[i].ink));
			addnstr(r->text + at, (int)(r->span[i].end - at));
		}
	}
	refresh();
}

static int key_of(int c)
{
	static const struct {
		int curses, key;
	} keys[] = {{KEY_UP, TOP_UP},     {KEY_DOWN, TOP_DOWN}, {KEY_PPAGE, TOP_PAGE_UP},  {KEY_NPAGE, TOP_PAGE_DOWN},
		    {KEY_HOME, TOP_HOME}, {KEY_ENTER, '\n'},    {KEY_BACKSPACE, TOP_ERASE}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].curses == c)
			return keys[i].key;
	return c < KEY_MIN ? c : 0;
}

/* To getch() its end looks like nobody typing, at once and for ever. */
static bool is_terminal_gone(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) > 0 && in.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/* Takes what was typed, waiting wait_ms for the first of it. */
static void take_keys(struct live *t, int wait_ms)
{
	const struct snapshot *now = observation_now(&t->obs);
	uint64_t netns = t->choice.netns;
	bool changed = false;
	int c;

	timeout(wait_ms);
	while (!stopped_by && (c = getch()) != ERR) {
		enum top_act act =
			c == KEY_RESIZE ? ACT_REDRAW : top_key(&t->choice, now, t->screen->height / 2, key_of(c));

		changed = true;
		if (act > t->act)
			t->act = act;
		timeout(0);
	}
	if (is_terminal_gone())
		stopped_by = SIGHUP;
	if (netns != t->choice.netns) /* the past of another namespace is not known */
		t->history = (struct top_history){.looks = 0};
	if (netns != t->choice.netns)
		top_remember(&t->history, now, t->choice.netns);
	if (changed)
		draw(t);
}

/* ---- looking ---- */

static bool tick(void *ctx, double done)
{
	struct live *t = ctx;

	t->error = follow_step(&t->follow);
	take_keys(t, 0);
	return !t->error && !stopped_by && t->act < ACT_LOOK && !t->choice.paused;
}

/* What was seen becomes what is shown. Takes o over. */
static int show(struct live *t, struct observation *o)
{
	struct findings f = {.v = NULL};
	int err = diagnose(o, NULL, &f);

	if (!err)
		err = follow_judge(&t->follow, observation_now(o), &f);
	if (err) {
		observation_done(o);
		findings_done(&f);
		return err;
	}
	if (follow_closers(&t->follow))
		t->n_closers = closers_list(follow_closers(&t->follow), observation_now(o)->taken_at, t->closers,
					    CLOSERS_PROCS_MAX);
	t->lost = follow_lost(&t->follow);
	observation_done(&t->obs);
	findings_done(&t->findings);
	t->obs = *o;
	t->findings = f;
	top_remember(&t->history, observation_now(&t->obs), t->choice.netns);
	draw(t);
	return 0;
}

static int look_again(struct live *t, struct obs *o, struct why *w)
{
	uint32_t interval_ms = t->act == ACT_LOOK ? LOOK_NOW_MS : t->interval_ms;
	struct observation next;
	int err = follow_turn(&t->follow);

	if (err)
		return err;
	t->act = ACT_NONE;
	obs_closers(o, follow_closers(&t->follow));
	err = obs_observe(o, interval_ms, tick, t, &next, w);
	if (t->error) {
		if (!err)
			observation_done(&next);
		return t->error;
	}
	if (err == -EINTR) /* a key asked for something else */
		return 0;
	return err ? err : show(t, &next);
}

static int watch_host(struct live *t, struct obs *o, bool trace, struct why *w)
{
	struct observation first = {.n = 1};
	int err = obs_snapshot(o, &first.s[0], w);

	if (!err)
		err = show(t, &first);
	if (!err && trace)
		err = follow_begin(&t->follow, obs_netns(o));
	while (!err && !stopped_by && t->act != ACT_QUIT) {
		if (t->choice.paused && t->act != ACT_LOOK) {
			err = follow_step(&t->follow);
			take_keys(t, PAUSED_WAIT_MS);
		} else {
			err = look_again(t, o, w);
		}
	}
	return err;
}

/* NULL: it cannot place the cursor. */
static SCREEN *open_terminal(FILE *out, struct why *w)
{
	SCREEN *terminal = newterm(NULL, out, stdin);
	const char *term = getenv("TERM");

	if (terminal && tigetstr("cup"))
		return terminal;
	if (terminal) {
		endwin();
		delscreen(terminal);
	}
	why_set(w, "this terminal (TERM=%s) cannot place the cursor; there is lastack status", term ? term : "");
	return NULL;
}

static int on_terminal(struct live *t, struct obs *o, bool trace, FILE *out, struct why *w)
{
	struct sigaction on = {.sa_handler = stop, .sa_flags = SA_RESTART}, old_int, old_term;
	SCREEN *terminal = open_terminal(out, w);
	int err;

	if (!terminal)
		return -ENOTTY;
	set_escdelay(ESC_MS);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	set_colours(t);
	stopped_by = 0;
	sigaction(SIGINT, &on, &old_int);
	sigaction(SIGTERM, &on, &old_term);
	err = watch_host(t, o, trace, w);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	endwin();
	delscreen(terminal);
	return err;
}

static int open_host(const struct top_cfg *c, struct obs **ret)
{
	struct obs_cfg cfg = {.scope = look_default_scope(), .depth = OBS_LEAKS, .root = ""};
	struct why w = {""};
	int err;

	if (c->netns && !obs_scope_parse(c->netns, &cfg))
		return complain_usage("--netns: '%s' is neither all, self, a process id nor a name", c->netns);
	err = obs_new(&cfg, ret, &w);
	if (err == -ENOENT || err == -ESRCH)
		return complain_usage("--netns: %s", w.text[0] ? w.text : "no such namespace");
	return err ? complain(EXIT_INCOMPLETE, "%s", w.text[0] ? w.text : strerror(-err)) : 0;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct top_cfg *c = cfg;
	struct live t = {.interval_ms = c->interval_ms};
	struct obs *o = NULL;
	struct why w = {""};
	int code, err;

	if (!isatty(STDIN_FILENO) || fileno(out) < 0 || !isatty(fileno(out)))
		return complain_usage("needs a terminal; for a pipe there is lastack status --json");
	code = open_host(c, &o);
	if (code)
		return code;
	setlocale(LC_CTYPE, "");
	t.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	t.screen = xcalloc(1, sizeof(*t.screen));
	t.closers = xcalloc(CLOSERS_PROCS_MAX, sizeof(*t.closers));
	err = on_terminal(&t, o, !c->no_trace, out, &w);
	follow_end(&t.follow);
	free(t.closers);
	free(t.screen);
	observation_done(&t.obs);
	findings_done(&t.findings);
	obs_free(o);
	if (stopped_by)
		return EXIT_SIGNAL + stopped_by;
	return err ? complain(EXIT_INCOMPLETE, "%s", w.text[0] ? w.text : strerror(-err)) : EXIT_FINE;
}

const struct cmd cmd_top = {
	.name = "top",
	.args = "",
	.summary = "Watch connections end: a live screen of states, ports left, closers and findings",
	.description =
		"Looks at the host every two seconds and shows how many sockets are in each state and how that changed, "
		"what is wrong, how many local ports are taken towards each destination and when connect() fails there, "
		"who closes first, and the listeners. As root it follows closes as they happen, as lastack trace does: then each is "
		"its process's own, RSTs are counted, and why connections end is among the findings.\n\n"
		"Keys: q quits, ? explains the others. Lists can be sorted (s, r), filtered (/), scrolled and seen alone "
		"(d, l, c, f; o goes back); n goes through the network namespaces; p pauses. It reads only, as status and "
		"doctor do.\n\n"
		"It needs a terminal, of any size from 32 columns and 8 rows; without colour or UTF-8 it does without.",
	.examples = "lastack top\n"
		    "    everything on this host\n"
		    "lastack top --netns web --interval 1\n"
		    "    one namespace, every second\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct top_cfg),
	.run = run,
};
