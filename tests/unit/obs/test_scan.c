/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "obs/scan.h"

static const struct missing *noted(struct netns *ns, size_t n)
{
	assert_int_equal(note_counts(ns), 0);
	assert_int_equal(ns->n_missing, n);
	return ns->missing;
}

TEST(counts__whole_and_stable__are_not_remarked_upon)
{
	struct netns ns = {.dests_more_n = 0};

	noted(&ns, 0);
}

TEST(counts__of_a_torn_dump__are_no_answer)
{
	struct netns ns = {.torn = true};
	const struct missing *m = noted(&ns, 1);

	assert_string_equal(m->what, "a stable socket dump");
	assert_true(m->blind);
	free(ns.missing);
}

TEST(counts__with_destinations_left_over__tell_about_how_many)
{
	struct netns ns = {.dests_more_n = 20000};
	const struct missing *m = noted(&ns, 1);

	assert_string_equal(m->what, "destinations beyond 32,768");
	assert_string_equal(m->why, "about 20,000 more");
	assert_true(m->blind);
	free(ns.missing);
}

RUN(T(counts__whole_and_stable__are_not_remarked_upon), T(counts__of_a_torn_dump__are_no_answer),
    T(counts__with_destinations_left_over__tell_about_how_many))
