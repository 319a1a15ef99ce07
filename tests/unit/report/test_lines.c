/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "report/lines.h"
#include "tests/unit/report/render.h"

TEST(columns__count_characters_not_bytes)
{
	assert_int_equal(columns_of(""), 0);
	assert_int_equal(columns_of("abc"), 3);
	assert_int_equal(columns_of("5 µs"), 4);
	assert_int_equal(cut_at("µµµ", 2), 4);
	assert_int_equal(cut_at("ab", 9), 2);
}

TEST(put__a_long_line__ends_in_dots_when_cut)
{
	struct lines l = {.width = 10, .cut = true};

	RENDER(text, out, l.out = out; lines_put(&l, INK_PLAIN, "0123456789"); lines_put(&l, INK_PLAIN, "0123456789a");
	       l.cut = false; lines_put(&l, INK_PLAIN, "0123456789a  "));
	assert_string_equal(text, "0123456789\n0123456...\n0123456789a\n");
	assert_int_equal(l.n, 3);
	free(text);
}

static void wrap(struct lines *l, FILE *out, const char *words, unsigned max)
{
	l->out = out;
	lines_wrap(l, &(struct paragraph){.head = "head: ", .text = words, .indent = 2, .max_lines = max});
}

TEST(wrap__breaks_at_blanks_and_indents)
{
	struct lines l = {.width = 16};

	RENDER(text, out, wrap(&l, out, "one two three four five", LINES_NO_LIMIT));
	assert_string_equal(text, "head: one two\n  three four\n  five\n");
	assert_int_equal(l.n, 3);
	free(text);
}

TEST(wrap__past_its_last_line__ends_in_dots)
{
	struct lines l = {.width = 16};

	RENDER(text, out, wrap(&l, out, "one two three four five", 2));
	assert_string_equal(text, "head: one two\n  three four...\n");
	free(text);
}

TEST(wrap__a_word_longer_than_the_line__is_broken)
{
	struct lines l = {.width = 17};

	RENDER(text, out, wrap(&l, out, "0123456789abcdefghijklmnop", LINES_NO_LIMIT));
	assert_string_equal(text, "head: 0123456789a\n  bcdefghijklmnop\n");
	free(text);
}

TEST(wrap__no_break_blanks__hold_words_together)
{
	struct lines l = {.width = 16};

	RENDER(text, out, wrap(&l, out, "a `ls\x1f-l\x1f/` b", LINES_NO_LIMIT));
	assert_string_equal(text, "head: a\n  `ls -l /` b\n");
	free(text);
}

TEST(wrap__empty_text__is_its_head)
{
	struct lines l = {.width = 16};

	RENDER(text, out, wrap(&l, out, "", 1));
	assert_string_equal(text, "head: \n");
	free(text);
}

TEST(command__of_several_lines__can_be_pasted)
{
	struct lines l = {.width = 24};

	RENDER(text, out, l.out = out; lines_command(&l, 2, "sysctl -w name=\"1024 65535\" other"));
	assert_string_equal(text, "  sysctl -w \\\n    name=\"1024 65535\" \\\n    other\n");
	assert_int_equal(l.n, 3);
	free(text);
}

TEST(command__with_one_long_quoted_word__is_not_broken)
{
	struct lines l = {.width = 20};

	RENDER(text, out, l.out = out; lines_command(&l, 0, "'a b c d e f g h i j k l m n o p'"));
	assert_string_equal(text, "'a b c d e f g h i j k l m n o p'\n");
	free(text);
}

static void fill_cells(const void *ctx, size_t i, struct row *r)
{
	const char *const *names = ctx;

	snprintf(r->cell[0], CELL_BYTES, "%s", names[i]);
	r->cell[1][0] = 0;
	snprintf(r->cell[2], CELL_BYTES, "%zu", i * 100);
}

TEST(table__is_as_wide_as_its_cells_and_drops_empty_columns)
{
	static const char *const names[] = {"a", "longer"};
	static const struct column columns[] = {{"N", false}, {"EMPTY", false}, {"X", true}};
	const struct table t = {.columns = columns, .n_columns = 3, .n_rows = 2, .fill = fill_cells, .ctx = names};
	struct lines l = {.width = 80};

	RENDER(text, out, l.out = out; lines_table(&l, &t));
	assert_string_equal(text, "  N        X\n  a        0\n  longer 100\n");
	assert_int_equal(l.n, 3);
	free(text);
}

TEST(counting__prints_nothing_and_gives_the_same_number)
{
	struct lines count = {.width = 16}, l = {.width = 16};

	wrap(&count, NULL, "one two three four five", 2);
	RENDER(text, out, wrap(&l, out, "one two three four five", 2));
	assert_int_equal(count.n, l.n);
	free(text);
}

RUN(T(columns__count_characters_not_bytes), T(put__a_long_line__ends_in_dots_when_cut),
    T(wrap__breaks_at_blanks_and_indents), T(wrap__past_its_last_line__ends_in_dots),
    T(wrap__a_word_longer_than_the_line__is_broken), T(wrap__no_break_blanks__hold_words_together),
    T(wrap__empty_text__is_its_head), T(command__of_several_lines__can_be_pasted),
    T(command__with_one_long_quoted_word__is_not_broken), T(table__is_as_wide_as_its_cells_and_drops_empty_columns),
    T(counting__prints_nothing_and_gives_the_same_number))
