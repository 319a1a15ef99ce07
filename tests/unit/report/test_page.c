/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "diag/rule.h"
#include "report/lines.h"
#include "report/pages.h"
#include "report/report.h"
#include "tests/unit/report/render.h"

/* The pages under test are the ones below: the test does not link those of docs/findings. */
const struct page pages[] = {
	{"ALL001",
	 "# ALL001: everything\n\nA paragraph with **bold**, `a command with blanks` and a\nsecond line.\n\n## A section\n"
	 "- first point that is so long that it takes more than one line of output\n  and goes on\n- second\n"
	 "10. tenth\n\n```\n$ sysctl -w x=1   # code is never wrapped, whatever its length may be\n```\n"
	 "| a | table |\nSee [PORT002](PORT002.md) and [RFC](https://www.rfc-editor.org/rfc/rfc9293), not [this.\n"},
	{"BAD001", "```\nnever closed"},
};
const size_t n_pages = 2;

TEST(markdown__becomes_text_for_a_terminal)
{
	const struct style st = {.width = 60};

	RENDER(text, out, report_page_text(out, "ALL001", &st));
	assert_string_equal(text, "ALL001: everything\n"
				  "\n"
				  "A paragraph with bold, `a command with blanks` and a second\n"
				  "line.\n"
				  "\n"
				  "A SECTION\n"
				  "- first point that is so long that it takes more than one\n"
				  "  line of output and goes on\n"
				  "- second\n"
				  "10. tenth\n"
				  "\n"
				  "    $ sysctl -w x=1   # code is never wrapped, whatever its length may be\n"
				  "| a | table |\n"
				  "See PORT002 and RFC\n"
				  "(https://www.rfc-editor.org/rfc/rfc9293), not [this.\n");
	free(text);
}

TEST(an_open_code_block__ends_with_the_page)
{
	const struct style st = {.width = 60};

	RENDER(text, out, report_page_text(out, "BAD001", &st));
	assert_string_equal(text, "    never closed\n");
	free(text);
}

TEST(case_does_not_matter__and_an_unknown_id_has_no_page)
{
	assert_non_null(report_page("all001"));
	assert_null(report_page("ALL00"));
	assert_null(report_page(""));
}

RUN(T(markdown__becomes_text_for_a_terminal), T(an_open_code_block__ends_with_the_page),
    T(case_does_not_matter__and_an_unknown_id_has_no_page))
