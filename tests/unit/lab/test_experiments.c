/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "lab/experiment.h"
#include "lab/harness.h"
#include "tests/unit/t.h"

TEST(experiments__are_sorted_by_id_without_doubles)
{
	for (size_t i = 1; i < n_experiments; i++)
		assert_true(strcmp(experiments[i - 1]->id, experiments[i]->id) < 0);
}

TEST(experiment__tells_what_it_does_and_ends_before_its_workers_must)
{
	for (size_t i = 0; i < n_experiments; i++) {
		const struct experiment *e = experiments[i];

		assert_non_null(e->run);
		assert_true(strlen(e->title) > 10 && strlen(e->title) <= 53);
		assert_true(strlen(e->does) > 20);
		assert_true(e->does[strlen(e->does) - 1] == '.');
		assert_true(e->seconds > 0 && e->seconds * 3 / 2 < WORK_LIFE_S);
	}
}

TEST(find__ignores_case__and_knows_no_strangers)
{
	const struct experiment *e = experiment_find("port001");

	assert_non_null(e);
	assert_string_equal(e->id, "PORT001");
	assert_null(experiment_find("PORT"));
	assert_null(experiment_find(""));
}

TEST(list__has_a_line_for_each)
{
	char *text;
	size_t len, lines = 0;
	FILE *f = open_memstream(&text, &len);

	lab_list(f, false);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, n_experiments);
	free(text);
}

RUN(T(experiments__are_sorted_by_id_without_doubles),
    T(experiment__tells_what_it_does_and_ends_before_its_workers_must), T(find__ignores_case__and_knows_no_strangers),
    T(list__has_a_line_for_each))
