/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "cli/complain.h"
#include "cli/opt.h"

struct cfg {
	bool flag, other, wait_given;
	const char *text;
	uint32_t count, wait_ms;
	unsigned colour;
};

static const struct cfg defaults = {.count = 7, .wait_ms = 1500, .colour = 1, .text = "blue sky"};
static const char *const colours[] = {"red", "green", NULL};

static const struct opt opts[] = {
	{.name = "flag", .letter = 'f', OPT_IS_FLAG(struct cfg, flag), .help = "a flag"},
	{.name = "other", .letter = 'o', OPT_IS_FLAG(struct cfg, other), .help = "another"},
	{.name = "text", .letter = 't', OPT_IS_STRING(struct cfg, text), .metavar = "TEXT", .help = "some text"},
	{.name = "count", .letter = 'c', OPT_IS_U32(struct cfg, count, 1, 100), .metavar = "N", .help = "a number"},
	{.name = "wait",
	 .letter = 'w',
	 OPT_IS_SECONDS(struct cfg, wait_ms, 100, 3600000),
	 OPT_TELLS(struct cfg, wait_given),
	 .or_zero = true,
	 .metavar = "SECONDS",
	 .help = "how long"},
	{.name = "colour", OPT_IS_ENUM(struct cfg, colour, colours), .metavar = "red|green", .help = "which"},
	{.type = OPT_END},
};

static const struct cmd cmd = {
	.name = "paint",
	.args = "[WALL]",
	.args_max = 1,
	.summary = "Paint",
	.description = "Paints a wall.",
	.examples = "lastack paint\n    paints\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct cfg),
};

struct parsed {
	struct cfg cfg;
	enum opt_result res;
	int argc;
	char *argv[16], text[16][80];
	char err[256];
};

/* The result lives until the second call after this one. */
static const struct parsed *parse(const char *const *args)
{
	static struct parsed results[2];
	static unsigned turn;
	struct parsed *p = &results[turn++ % 2];
	FILE *err;

	memset(p, 0, sizeof(*p));
	err = fmemopen(p->err, sizeof(p->err), "w");
	assert_non_null(err);
	for (; args[p->argc]; p->argc++) {
		assert_true(p->argc < 16);
		snprintf(p->text[p->argc], sizeof(p->text[0]), "%s", args[p->argc]);
		p->argv[p->argc] = p->text[p->argc];
	}
	complain_as("paint", err);
	p->res = opt_parse(&cmd, &p->cfg, &p->argc, p->argv);
	complain_as("", NULL);
	fclose(err);
	return p;
}

#define PARSE(...) parse((const char *[]){__VA_ARGS__, NULL})

TEST(nothing_given__are_the_defaults)
{
	const struct parsed *p = parse((const char *[]){NULL});

	assert_int_equal(p->res, OPT_OK);
	assert_memory_equal(&p->cfg, &defaults, sizeof(defaults));
	assert_int_equal(p->argc, 0);
}

TEST(long_and_short_forms__mean_the_same)
{
	const struct parsed *a = PARSE("--flag", "--text=x y", "--count", "9", "--wait=0.5", "--colour", "red");
	const struct parsed *b = PARSE("-f", "-t", "x y", "-c9", "-w0.5", "--colour=red");

	assert_int_equal(a->res, OPT_OK);
	assert_int_equal(b->res, OPT_OK);
	assert_true(a->cfg.flag && b->cfg.flag);
	assert_string_equal(a->cfg.text, "x y");
	assert_string_equal(b->cfg.text, "x y");
	assert_int_equal(a->cfg.count, 9);
	assert_int_equal(b->cfg.count, 9);
	assert_int_equal(a->cfg.wait_ms, 500);
	assert_int_equal(b->cfg.wait_ms, 500);
	assert_true(a->cfg.wait_given);
	assert_int_equal(a->cfg.colour, 0);
	assert_int_equal(b->cfg.colour, 0);
}

TEST(grouped_letters__the_last_may_take_a_value)
{
	const struct parsed *p = PARSE("-fow", "2", "wall");

	assert_int_equal(p->res, OPT_OK);
	assert_true(p->cfg.flag && p->cfg.other);
	assert_int_equal(p->cfg.wait_ms, 2000);
	assert_int_equal(p->argc, 1);
	assert_string_equal(p->argv[0], "wall");
}

TEST(options_after_arguments__are_options_until_two_dashes)
{
	const struct parsed *p = PARSE("wall", "--flag");

	assert_true(p->cfg.flag);
	assert_string_equal(p->argv[0], "wall");
	p = PARSE("-f", "--", "--other");
	assert_int_equal(p->res, OPT_OK);
	assert_false(p->cfg.other);
	assert_string_equal(p->argv[0], "--other");
	assert_string_equal(PARSE("-")->argv[0], "-");
}

TEST(arguments__end_with_a_null)
{
	const struct parsed *p = PARSE("-f", "--", "wall");

	assert_int_equal(p->argc, 1);
	assert_string_equal(p->argv[0], "wall");
	assert_null(p->argv[1]);
	assert_null(PARSE("-f")->argv[0]);
}

TEST(a_command_to_run__its_options_are_its_own)
{
	struct cmd run = cmd;
	struct cfg cfg;
	char words[6][8] = {"-f", "wall", "-o", "--", "x", "-t"}, *argv[7] = {NULL};
	int argc = 6;

	for (int i = 0; i < argc; i++)
		argv[i] = words[i];
	run.args_run = true;
	run.args_max = CMD_ARGS_ANY;
	assert_int_equal(opt_parse(&run, &cfg, &argc, argv), OPT_OK);
	assert_true(cfg.flag);
	assert_false(cfg.other);
	assert_int_equal(argc, 5);
	assert_string_equal(argv[0], "wall");
	assert_string_equal(argv[1], "-o");
	assert_string_equal(argv[2], "--");
	assert_string_equal(argv[4], "-t");
	assert_null(argv[5]);
}

TEST(help__wins_over_what_follows)
{
	assert_int_equal(PARSE("--help", "--nonsense")->res, OPT_HELP);
	assert_int_equal(PARSE("-fh")->res, OPT_HELP);
}

TEST(seconds__are_plain_decimals_within_bounds)
{
	static const char *const good[] = {"0", "0.0", "0.1", "1", "3600", ".5", "1.", "1s", "0.5s"};
	static const char *const bad[] = {
		"",    ".",   "abc", "0.05", "3600.1", "-1",  "1e3",   "0x10",
		"inf", "nan", " 1",  "1ms",  "s",      "1 s", "1.2.3", "99999999999999999999999999999999"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(PARSE("--wait", good[i])->res, OPT_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(PARSE("--wait", bad[i])->res, OPT_WRONG);
}

TEST(numbers__are_digits_within_bounds)
{
	static const char *const bad[] = {"",   "0",  "101", "-1",  "+1",
					  " 1", "1 ", "1.0", "0x1", "99999999999999999999999"};

	assert_int_equal(PARSE("--count", "100")->cfg.count, 100);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(PARSE("--count", bad[i])->res, OPT_WRONG);
}

static void check_complaint(const struct parsed *p, const char *expected)
{
	assert_int_equal(p->res, OPT_WRONG);
	assert_string_equal(p->err, expected);
}

TEST(complaints__say_what_where_and_what_would_be_right)
{
	check_complaint(PARSE("--wait", "abc"),
			"lastack paint: --wait: 'abc' is not a number of seconds (0.1 to 3600, or 0); "
			"see lastack paint --help\n");
	check_complaint(PARSE("-c", "x"),
			"lastack paint: -c: 'x' is not a number (1 to 100); see lastack paint --help\n");
	check_complaint(PARSE("--colour=blue"),
			"lastack paint: --colour: 'blue' is not one of red, green; see lastack paint --help\n");
	check_complaint(PARSE("--flga"),
			"lastack paint: no such option: --flga (did you mean --flag?); see lastack paint --help\n");
	check_complaint(PARSE("-x"), "lastack paint: no such option: -x; see lastack paint --help\n");
	check_complaint(PARSE("--flag=yes"), "lastack paint: --flag: takes no value; see lastack paint --help\n");
	check_complaint(PARSE("--count"),
			"lastack paint: --count: needs a value: --count N; see lastack paint --help\n");
	check_complaint(PARSE("-t"), "lastack paint: -t: needs a value: -t TEXT; see lastack paint --help\n");
	check_complaint(PARSE("--text="),
			"lastack paint: --text: needs a TEXT that is not empty; see lastack paint --help\n");
	check_complaint(PARSE("a", "b"), "lastack paint: one argument too many: 'b'; see lastack paint --help\n");
	check_complaint(
		PARSE("--co\nlour=\033[2J"),
		"lastack paint: no such option: --co?lour (did you mean --colour?); see lastack paint --help\n");
}

TEST(help__lists_every_option_with_its_default)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cmd_help(out, &cmd);
	fclose(out);
	assert_string_equal(text, "usage: lastack paint [options] [WALL]\n"
				  "\n"
				  "Paints a wall.\n"
				  "\n"
				  "options:\n"
				  "  -f, --flag                a flag\n"
				  "  -o, --other               another\n"
				  "  -t, --text TEXT           some text (default blue sky)\n"
				  "  -c, --count N             a number (default 7)\n"
				  "  -w, --wait SECONDS        how long (default 1.5)\n"
				  "      --colour red|green    which (default green)\n"
				  "  -h, --help                print this and exit\n"
				  "\n"
				  "examples:\n"
				  "  lastack paint\n"
				  "      paints\n");
	free(text);
}

TEST(edit_distance__counts_changed_letters)
{
	assert_int_equal(edit_distance("doctor", "doctor"), 0);
	assert_int_equal(edit_distance("doctor", "docter"), 1);
	assert_int_equal(edit_distance("doctor", "dotor"), 1);
	assert_int_equal(edit_distance("dotor", "doctor"), 1);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
	assert_int_equal(edit_distance("", "abc"), 3);
	assert_int_equal(edit_distance("a", "0123456789012345678901234567890123456789x"), UINT32_MAX);
}

RUN(T(nothing_given__are_the_defaults), T(long_and_short_forms__mean_the_same),
    T(grouped_letters__the_last_may_take_a_value), T(options_after_arguments__are_options_until_two_dashes),
    T(arguments__end_with_a_null), T(a_command_to_run__its_options_are_its_own), T(help__wins_over_what_follows),
    T(seconds__are_plain_decimals_within_bounds), T(numbers__are_digits_within_bounds),
    T(complaints__say_what_where_and_what_would_be_right), T(help__lists_every_option_with_its_default),
    T(edit_distance__counts_changed_letters))
