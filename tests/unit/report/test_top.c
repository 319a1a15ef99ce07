/* SPDX-License-Identifier: MIT */
/* The live screen of `lastack top`, without a terminal. */
#include "tests/unit/t.h"

#include "base/mem.h"
#include "report/top.h"
#include "tests/unit/report/fixture.h"
#include "tests/unit/report/golden.h"

struct rig {
	struct fixture f;
	struct top_history history;
	struct top_choice choice;
	const struct closer *closers;
	size_t n_closers;
	uint64_t lost;
	const char *blind;
	struct screen *screen;
	char text[SCREEN_ROWS_MAX * SCREEN_BYTES];
};

static struct rig *rig(void (*make)(struct fixture *f))
{
	static struct rig r;

	free(r.screen);
	r = (struct rig){.screen = xcalloc(1, sizeof(struct screen))};
	make(&r.f);
	top_remember(&r.history, observation_now(&r.f.obs), 0);
	return &r;
}

static const char *compose(struct rig *r, unsigned width, unsigned height)
{
	struct top_view v = {.obs = &r->f.obs,
			     .findings = &r->f.findings,
			     .history = &r->history,
			     .choice = &r->choice,
			     .interval_s = 2,
			     .closers = r->closers,
			     .n_closers = r->n_closers,
			     .lost = r->lost,
			     .blind = r->blind};
	size_t at = 0;

	screen_clear(r->screen, width, height, false);
	top_compose(r->screen, &v);
	for (unsigned i = 0; i < r->screen->n; i++) {
		size_t len = r->screen->row[i].columns ? strlen(r->screen->row[i].text) : 0;

		while (len && r->screen->row[i].text[len - 1] == ' ')
			len--;
		memcpy(r->text + at, r->screen->row[i].text, len);
		at += len;
		r->text[at++] = '\n';
	}
	r->text[at] = 0;
	return r->text;
}

static enum top_act press(struct rig *r, int key) { return top_key(&r->choice, observation_now(&r->f.obs), 10, key); }

static void type(struct rig *r, const char *text)
{
	for (; *text; text++)
		assert_int_equal(press(r, *text), ACT_REDRAW);
}

TEST(top__an_outage__one_screen_tells_it)
{
	check_fits_a_screen(compose(rig(fixture_outage), 80, 24));
	check("top-outage.txt", compose(rig(fixture_outage), 80, 24));
}

TEST(top__much_of_everything__the_beginning_of_each_list)
{
	check_fits_a_screen(compose(rig(fixture_crowd), 80, 24));
	check("top-crowd.txt", compose(rig(fixture_crowd), 80, 24));
}

TEST(top__help__all_keys_in_one_screen)
{
	struct rig *r = rig(fixture_quiet);

	assert_int_equal(press(r, '?'), ACT_REDRAW);
	check_fits_a_screen(compose(r, 80, 24));
	check("top-help.txt", compose(r, 80, 24));
	press(r, '?');
	assert_null(strstr(compose(r, 80, 24), "Keys"));
}

TEST(top__any_size__nothing_outside_of_it)
{
	static void (*const make[])(struct fixture *) = {fixture_quiet, fixture_crowd, fixture_blind};
	static const int panes[] = {'o', 'd', 'l', 'c', 'f'};

	for (unsigned i = 0; i < ARRAY_LEN(make); i++) {
		struct rig *r = rig(make[i]);

		for (unsigned n = 0; n < 5 * 64 * 32; n++) {
			unsigned width = n / 5 % 64 * 3, height = n / 5 / 64;

			press(r, panes[n % 5]);
			compose(r, width, height);
			assert_in_range(r->screen->n, 0, height + 1);
			for (unsigned y = 0; y < r->screen->n && y < height; y++)
				assert_in_range(r->screen->row[y].columns, 0, width);
		}
	}
}

TEST(top__too_small__says_so)
{
	assert_string_equal(compose(rig(fixture_quiet), 31, 24), "too small: 32x8 needed\n");
	assert_string_equal(compose(rig(fixture_quiet), 80, 7), "too small: 32x8 needed\n");
	assert_non_null(strstr(compose(rig(fixture_quiet), 32, 8), "lastack top"));
}

static const char *line_with(struct rig *r, const char *part)
{
	static char line[200];
	const char *text = compose(r, 80, 24), *at = strstr(text, part);

	if (!at)
		return "";
	while (at > text && at[-1] != '\n')
		at--;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

TEST(top__closes_followed__each_process_has_its_own)
{
	struct rig *r = rig(fixture_harmless);
	struct snapshot *s = &r->f.obs.s[r->f.obs.n - 1];
	struct closer two[2] = {{.proc = s->procs[0], .fin = 900, .rst = 7, .per_s = 12},
				{.proc = {.pid = 4242, .comm = "resetter", .netns = s->netns[0].inode}, .rst = 55}};

	press(r, 'c');
	assert_string_equal(line_with(r, "by RST"), "");
	r->closers = two;
	r->n_closers = 2;
	assert_non_null(strstr(line_with(r, proc_text(&s->procs[0]).s), " 12 "));
	assert_string_equal(line_with(r, "resetter"),
			    "resetter[4242]                         0.0         0            0       55");
	type(r, "/resett\n");
	assert_string_not_equal(line_with(r, "resetter"), "");
	r->choice.filter[0] = 'y';
	assert_string_equal(line_with(r, "resetter"), "");
	r->choice.filter[0] = 0;
	r->choice.netns = s->netns[0].inode + 1;
	assert_string_equal(line_with(r, "resetter"), "");
}

TEST(top__time_waits__are_of_who_was_seen_to_close)
{
	struct rig *r = rig(fixture_outage);
	struct snapshot *s = &r->f.obs.s[r->f.obs.n - 1];

	press(r, 'c');
	assert_null(strstr(line_with(r, "nginx[812]"), "28,100"));
	for (size_t n = 0; n < s->n_netns; n++)
		for (size_t i = 0; i < s->netns[n].n_dests; i++) {
			struct dest *d = &s->netns[n].dests[i];

			for (int32_t p = 0; p < (int32_t)s->n_procs; p++)
				if (s->procs[p].pid == 812)
					d->tw_owner = (struct tw_owner){.known = 10, .votes = 6, .proc = p};
		}
	assert_non_null(strstr(line_with(r, "nginx[812]"), "28,100"));
}

TEST(top__not_followed__says_why_in_one_line)
{
	struct rig *r = rig(fixture_harmless);

	r->blind = "may not load BPF programs (needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)";
	assert_string_equal(line_with(r, "no causes"),
			    "no causes, closers by TIME_WAIT only: may not load BPF programs (needs root, or");
	check_fits_a_screen(compose(r, 80, 24));
	r->blind = NULL;
	r->lost = 1234;
	assert_string_equal(line_with(r, "1,234"), "1,234 closes could not be followed: their figures are too low");
}

TEST(top__history__keeps_the_newest)
{
	struct rig *r = rig(fixture_harmless);
	struct snapshot *s = &r->f.obs.s[r->f.obs.n - 1];

	for (unsigned i = 0; i < TOP_HISTORY + 5; i++) {
		s->netns[0].states.n[ST_SYN_SENT] = i;
		top_remember(&r->history, s, 0);
	}
	assert_int_equal(r->history.looks, TOP_HISTORY);
	assert_int_equal(r->history.n[ST_SYN_SENT][TOP_HISTORY - 1], TOP_HISTORY + 4);
	assert_int_equal(r->history.n[ST_SYN_SENT][0], 5);
}

TEST(top__history__of_one_namespace_only)
{
	struct rig *r = rig(fixture_outage);
	const struct snapshot *s = observation_now(&r->f.obs);
	struct top_history one = {.looks = 0};
	uint64_t all = 0;

	assert_true(s->n_netns > 1);
	top_remember(&one, s, s->netns[0].inode);
	assert_int_equal(one.n[ST_TIME_WAIT][0], s->netns[0].states.n[ST_TIME_WAIT]);
	for (size_t i = 0; i < s->n_netns; i++)
		all += s->netns[i].states.n[ST_TIME_WAIT];
	assert_int_equal(r->history.n[ST_TIME_WAIT][0], all);
}

TEST(screen__sparkline__scaled_to_the_greatest)
{
	static const uint64_t values[] = {0, 1, 50, 100};
	struct rig *r = rig(fixture_quiet);

	screen_clear(r->screen, 80, 24, false);
	screen_line(r->screen, INK_PLAIN, "%s", "");
	screen_spark(r->screen, INK_PLAIN, values, 4, 6);
	assert_string_equal(r->screen->row[0].text, "   .=#");
	screen_line(r->screen, INK_PLAIN, "%s", "");
	screen_spark(r->screen, INK_PLAIN, values, 4, 2); /* the newest two */
	assert_string_equal(r->screen->row[1].text, "=#");
}

TEST(screen__bar__clamped)
{
	static const struct {
		double share;
		const char *bar;
	} t[] = {{-1, "[    ]"}, {0, "[    ]"}, {0.5, "[##  ]"}, {1, "[####]"}, {7, "[####]"}};
	struct rig *r = rig(fixture_quiet);

	screen_clear(r->screen, 80, 24, false);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
		screen_line(r->screen, INK_PLAIN, "%s", "");
		screen_bar(r->screen, INK_RED, t[i].share, 4);
		assert_string_equal(r->screen->row[i].text, t[i].bar);
	}
}

TEST(screen__wide_characters__count_one_column_each)
{
	struct rig *r = rig(fixture_quiet);

	screen_clear(r->screen, 4, 1, true);
	screen_line(r->screen, INK_PLAIN, "▁▂▃▄▅▆");
	assert_int_equal(r->screen->row[0].columns, 4);
	assert_string_equal(r->screen->row[0].text, "▁▂▃▄");
}

TEST(top_key__filter__typed_kept_and_dropped)
{
	struct rig *r = rig(fixture_outage);

	type(r, "/q1"); /* q is a letter here */
	press(r, TOP_ERASE);
	assert_string_equal(r->choice.filter, "q");
	assert_non_null(strstr(compose(r, 80, 24), "/q_"));
	press(r, '\n');
	assert_false(r->choice.typing);
	assert_non_null(strstr(compose(r, 80, 24), "filter: q"));
	press(r, 27);
	assert_string_equal(r->choice.filter, "");
	for (int i = 0; i < 2 * TOP_FILTER; i++)
		press(r, i ? 'x' : '/');
	assert_int_equal(strlen(r->choice.filter), TOP_FILTER - 1);
}

TEST(top_key__filter__only_matching_rows)
{
	struct rig *r = rig(fixture_outage);
	size_t all, some;

	press(r, 'd');
	all = strlen(compose(r, 80, 24));
	type(r, "/no such thing\n");
	some = strlen(compose(r, 80, 24));
	assert_true(some < all);
	assert_null(strstr(compose(r, 80, 24), "["));
}

TEST(top_key__sort__goes_round_and_turns)
{
	struct rig *r = rig(fixture_outage);
	char first[SCREEN_BYTES];

	press(r, 'd');
	compose(r, 100, 30);
	for (int i = 0; i < 3; i++)
		press(r, 's');
	assert_int_equal(r->choice.sort, SORT_NAME);
	compose(r, 100, 30);
	snprintf(first, sizeof(first), "%s", r->screen->row[6].text);
	press(r, 'r');
	compose(r, 100, 30);
	assert_string_not_equal(first, r->screen->row[6].text);
	press(r, 's');
	assert_int_equal(r->choice.sort, SORT_PORTS);
}

TEST(top_key__namespaces__each_then_all)
{
	struct rig *r = rig(fixture_outage);
	const struct snapshot *s = observation_now(&r->f.obs);

	for (size_t i = 0; i < s->n_netns; i++) {
		press(r, 'n');
		assert_int_equal(r->choice.netns, s->netns[i].inode);
		assert_non_null(strstr(compose(r, 80, 24), s->netns[i].name));
	}
	press(r, 'n');
	assert_int_equal(r->choice.netns, 0);
}

TEST(top_key__scroll__never_above_the_first)
{
	struct rig *r = rig(fixture_crowd);

	press(r, 'f');
	press(r, TOP_UP);
	assert_int_equal(r->choice.first, 0);
	press(r, TOP_PAGE_DOWN);
	press(r, TOP_DOWN);
	assert_int_equal(r->choice.first, 11);
	press(r, TOP_PAGE_UP);
	assert_int_equal(r->choice.first, 1);
	press(r, TOP_HOME);
	assert_int_equal(r->choice.first, 0);
	press(r, TOP_DOWN);
	press(r, 'd'); /* another list begins at its top */
	assert_int_equal(r->choice.first, 0);
}

TEST(top_key__acts)
{
	static const struct {
		int key;
		enum top_act act;
	} t[] = {{'q', ACT_QUIT},   {'\n', ACT_LOOK}, {'p', ACT_REDRAW}, {'p', ACT_LOOK},
		 {' ', ACT_REDRAW}, {' ', ACT_LOOK},  {'y', ACT_NONE},   {0, ACT_NONE}};
	struct rig *r = rig(fixture_quiet);

	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(press(r, t[i].key), t[i].act);
}

RUN(T(top__an_outage__one_screen_tells_it), T(top__much_of_everything__the_beginning_of_each_list),
    T(top__help__all_keys_in_one_screen), T(top__any_size__nothing_outside_of_it), T(top__too_small__says_so),
    T(top__closes_followed__each_process_has_its_own), T(top__time_waits__are_of_who_was_seen_to_close),
    T(top__not_followed__says_why_in_one_line), T(top__history__keeps_the_newest),
    T(top__history__of_one_namespace_only), T(screen__sparkline__scaled_to_the_greatest), T(screen__bar__clamped),
    T(screen__wide_characters__count_one_column_each), T(top_key__filter__typed_kept_and_dropped),
    T(top_key__filter__only_matching_rows), T(top_key__sort__goes_round_and_turns),
    T(top_key__namespaces__each_then_all), T(top_key__scroll__never_above_the_first), T(top_key__acts))
