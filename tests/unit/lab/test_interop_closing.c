/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "lab/interop/closing.h"
#include "tests/unit/t.h"

static unsigned steps_of(const struct closing *c)
{
	const char *at = c->steps;
	struct step s;
	unsigned n = 0;
	int more;

	while ((more = step_next(&at, &s, NULL)) == 1)
		n++;
	assert_int_equal(more, 0);
	return n;
}

TEST(every_row__has_steps_and_counters_that_can_be_read)
{
	struct counts c;

	assert_true(n_closings >= 15);
	for (size_t i = 0; i < n_closings; i++) {
		assert_true(steps_of(&closings[i]) >= 2);
		assert_true(counts_parse(closings[i].counters[0], &c));
		assert_true(counts_parse(closings[i].counters[1], &c));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(closings[i].id, closings[k].id);
	}
}

/* What is held must be let go, or the next closing would get no packet through. */
TEST(every_row__lets_go_what_it_holds__and_closes_what_it_opened)
{
	for (size_t i = 0; i < n_closings; i++) {
		const char *at = closings[i].steps;
		bool held = false, open[2] = {true, true};
		struct step s;

		while (step_next(&at, &s, NULL) == 1) {
			if (s.verb == V_HOLD || s.verb == V_FREE)
				held = s.verb == V_HOLD;
			if (s.verb == V_CLOSE)
				open[s.who] = false;
			if (s.verb == V_AGAIN)
				open[0] = open[1] = true;
		}
		assert_false(held || open[0] || open[1]);
	}
}

TEST(step__words_in_order)
{
	const char *at = "  hold a.close b=TIME_WAIT  b.linger0 free";
	struct step s;
	char word[STEP_TEXT_MAX];

	assert_int_equal(step_next(&at, &s, word), 1);
	assert_int_equal(s.verb, V_HOLD);
	assert_int_equal(step_next(&at, &s, word), 1);
	assert_true(s.verb == V_CLOSE && s.who == 0);
	assert_string_equal(word, "a.close");
	assert_int_equal(step_next(&at, &s, word), 1);
	assert_true(s.verb == V_STATE && s.who == 1 && s.state == ST_TIME_WAIT);
	assert_int_equal(step_next(&at, &s, word), 1);
	assert_true(s.verb == V_LINGER0 && s.who == 1);
	assert_int_equal(step_next(&at, &s, word), 1);
	assert_int_equal(s.verb, V_FREE);
	assert_int_equal(step_next(&at, &s, word), 0);
}

TEST(step__that_is_none__is_refused)
{
	static const char *const bad[] = {"close",
					  "c.close",
					  "a.",
					  "a",
					  "a=",
					  "a=OPEN",
					  "a=close",
					  "a.closes",
					  "a:close",
					  "holds",
					  "a.close_and_much_more_than_fits_into_a_word"};
	struct step s;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *at = bad[i];

		assert_int_equal(step_next(&at, &s, NULL), -EINVAL);
		assert_ptr_equal(at, bad[i]);
	}
}

TEST(counts__are_read__others_are_0)
{
	struct counts c;

	assert_true(counts_parse("TW=1 OutRsts=2", &c));
	assert_int_equal(c.n[COUNTED_tw], 1);
	assert_int_equal(c.n[COUNTED_out_rsts], 2);
	assert_int_equal(c.n[COUNTED_estab_resets], 0);
	assert_true(counts_parse("", &c));
	assert_int_equal(c.n[COUNTED_tw], 0);
}

TEST(counts__that_are_none__are_refused)
{
	static const char *const bad[] = {"TW", "TW=",  "TW=x", "T=1", "TWs=1", "TW=1,OutRsts=2", "TW=1  OutRsts=1",
					  "=1", "TW=11"};
	struct counts c;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(counts_parse(bad[i], &c));
}

RUN(T(every_row__has_steps_and_counters_that_can_be_read),
    T(every_row__lets_go_what_it_holds__and_closes_what_it_opened), T(step__words_in_order),
    T(step__that_is_none__is_refused), T(counts__are_read__others_are_0), T(counts__that_are_none__are_refused))
