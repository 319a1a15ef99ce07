/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <unistd.h>

#include "cli/complain.h"
#include "cli/opt.h"
#include "diag/cause.h"
#include "knob/knob.h"
#include "obs/saved.h"
#include "tests/unit/cli/run.h"
#include "tests/unit/report/fixture.h"

/* ---- wrong arguments ---- */

static unsigned lines_in(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

TEST(wrong_arguments__give_one_line_and_exit_2)
{
	static const struct {
		const char *args[6], *says;
	} cases[] = {
		{{"nonsense"}, "no such command: 'nonsense'"},
		{{"docter"}, "did you mean doctor?"},
		{{""}, "no such command: ''"},
		{{"help", "nonsense"}, "no such command: 'nonsense'"},
		{{"help", "doctor", "status"}, "one command at a time"},
		{{"--nonsense"}, "no such option: --nonsense"},
		{{"status", "extra"}, "takes no arguments"},
		{{"status", "--interval"}, "needs a value"},
		{{"status", "--interval", "abc"}, "'abc' is not a number of seconds (0.1 to 3600"},
		{{"status", "--interval", "0.01"}, "is not a number of seconds"},
		{{"status", "--once", "--interval", "5"}, "cannot be combined"},
		{{"status", "--states", "--json"}, "cannot be combined"},
		{{"status", "--states", "--interval", "5"}, "does not apply"},
		{{"status", "--json=yes"}, "takes no value"},
		{{"status", "--netns", "no such/name"}, "--netns"},
		{{"status", "--netns", ""}, "not empty"},
		{{"doctor", "extra"}, "takes no arguments"},
		{{"doctor", "--fail-on", "bad"}, "'bad' is not one of info, warn, crit"},
		{{"doctor", "--only", "PORT01"}, "did you mean PORT001?"},
		{{"doctor", "--only", "nonsense"}, "no such finding: 'nonsense'"},
		{{"doctor", "--once", "-i", "2"}, "cannot be combined"},
		{{"doctor", "--from", "x", "--netns", "all"}, "--netns does not apply"},
		{{"doctor", "--from", "x", "--interval", "2"}, "--interval does not apply"},
		{{"doctor", "--from", "x", "--once"}, "--once does not apply"},
		{{"doctor", "--from", "x", "--save", "y"}, "cannot be combined"},
		{{"doctor", "--save", "-", "--json"}, "standard output"},
		{{"doctor", "--from", "/nonexistent/file"}, "--from: "},
		{{"doctor", "--from", "/dev/null"}, "--from: "},
		{{"explain", "nonsense"}, "no such finding: 'nonsense'"},
		{{"explain", "tw0003"}, "did you mean TW003?"},
		{{"explain", "TW001", "TW002"}, "one argument too many"},
		{{"knobs", "extra"}, "takes no arguments"},
		{{"capabilities", "extra"}, "takes no arguments"},
		{{"lab", "run", "NONSENSE"}, "NONSENSE"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *args[8] = {"lastack"};
		struct run r;

		memcpy(args + 1, cases[i].args, sizeof(cases[i].args));
		r = run_cli(args);
		if (r.code != EXIT_USAGE || r.out[0] || lines_in(r.err) != 1 || !strstr(r.err, cases[i].says))
			fail_msg("%s %s: code %d, out '%s', err '%s'", args[1], args[2] ? args[2] : "", r.code, r.out,
				 r.err);
		run_done(&r);
	}
}

/* ---- knobs ---- */

TEST(knobs__the_engines_own__stand_apart_and_have_no_value)
{
	RUN_CLI(r, "knobs");
	RUN_CLI(changed, "knobs", "--changed");
	RUN_CLI(json, "knobs", "--json");
	const char *apart = strstr(r.out, "\nOf the engine in lastack");
	json_t *j = json_loads(json.out, 0, NULL), *netns = json_array_get(json_object_get(j, "netns"), 0), *knob;
	size_t i;

	assert_non_null(apart);
	assert_ptr_equal(strstr(r.out, "engine."), strstr(apart, "engine."));
	assert_non_null(strstr(apart, "\nengine.policy"));
	assert_null(strstr(changed.out, "engine."));
	assert_int_equal(json_array_size(json_object_get(netns, "knobs")), N_HOST_KNOBS);
	json_array_foreach(json_object_get(netns, "knobs"), i, knob)
		assert_string_not_equal(json_string_value(json_object_get(knob, "scope")), "engine");
	assert_int_equal(json_array_size(json_object_get(j, "engine")), N_KNOBS - N_HOST_KNOBS);
	knob = json_array_get(json_object_get(j, "engine"), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(knob, "words"), 0)), "rfc9293");
	json_decref(j);
	run_done(&r);
	run_done(&changed);
	run_done(&json);
}

/* ---- help and version ---- */

TEST(help__is_on_stdout_and_lists_every_option)
{
	for (size_t i = 0; i < n_cmds; i++) {
		RUN_CLI(r, cmds[i]->name, "--help");
		RUN_CLI(same, "help", cmds[i]->name);

		assert_int_equal(r.code, 0);
		assert_string_equal(r.err, "");
		assert_string_equal(r.out, same.out);
		for (const struct opt *o = cmds[i]->opts; o->type != OPT_END; o++)
			assert_non_null(strstr(r.out, opt_synopsis(o).s));
		run_done(&r);
		run_done(&same);
	}
}

TEST(help__of_all__lists_every_command_and_fits_80_columns)
{
	RUN_CLI(r, "--help");
	RUN_CLI(same, "help");

	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, same.out);
	for (size_t i = 0; i < n_cmds; i++)
		assert_non_null(strstr(r.out, cmds[i]->name));
	for (const char *p = r.out; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 80);
	run_done(&r);
	run_done(&same);
}

TEST(version__is_told)
{
	RUN_CLI(r, "--version");

	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "lastack " LASTACK_VERSION "\n");
	run_done(&r);
}

/* ---- explain ---- */

TEST(explain__without_an_id__lists_every_finding_once)
{
	RUN_CLI(r, "explain");

	assert_int_equal(r.code, 0);
	for (size_t i = 0; i < known_rules(); i++) {
		char row[32];
		const char *at;

		snprintf(row, sizeof(row), "  %s ", known_rule(i)->id);
		at = strstr(r.out, row);
		assert_non_null(at);
		assert_null(strstr(at + 1, row));
	}
	run_done(&r);
}

TEST(explain__every_id__has_a_page)
{
	for (size_t i = 0; i < known_rules(); i++) {
		RUN_CLI(r, "explain", known_rule(i)->id);

		if (r.code != 0 || strncmp(r.out, known_rule(i)->id, strlen(known_rule(i)->id)) != 0)
			fail_msg("%s: code %d: %s", known_rule(i)->id, r.code, r.err);
		run_done(&r);
	}
}

TEST(explain__an_area__lists_its_findings)
{
	RUN_CLI(r, "explain", "tw");

	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "TW001"));
	assert_null(strstr(r.out, "PORT001"));
	run_done(&r);
}

TEST(explain_json__is_valid)
{
	RUN_CLI(list, "explain", "--json");
	RUN_CLI(page, "explain", "PORT001", "--json");
	json_t *a = json_loads(list.out, 0, NULL), *b = json_loads(page.out, 0, NULL);

	assert_int_equal(json_array_size(json_object_get(a, "findings")), known_rules());
	assert_string_equal(json_string_value(json_object_get(b, "id")), "PORT001");
	json_decref(a);
	json_decref(b);
	run_done(&list);
	run_done(&page);
}

/* ---- doctor --from ---- */

static char saved_path[] = "/tmp/lastack-test-XXXXXX";

static const char *save(void (*make)(struct fixture *f))
{
	struct fixture f;
	struct why w = {""};

	make(&f);
	if (saved_write_file(saved_path, &f.obs, &w) != 0)
		fail_msg("%s", w.text);
	return saved_path;
}

static int make_file(void **state)
{
	int fd = mkstemp(saved_path);

	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) { return unlink(saved_path); }

TEST(doctor_from__an_outage__finds_it_and_exits_1)
{
	const char *path = save(fixture_outage);
	RUN_CLI(r, "doctor", "--from", path);
	RUN_CLI(only, "doctor", "--from", path, "--only", "port001", "-v");

	assert_int_equal(r.code, EXIT_FINDINGS);
	assert_string_equal(r.err, "");
	assert_non_null(strstr(r.out, "FAILING: "));
	assert_non_null(strstr(r.out, "[1] CRIT PORT001 (shop)"));
	assert_true(lines_in(r.out) <= 24);
	assert_int_equal(only.code, EXIT_FINDINGS);
	assert_null(strstr(only.out, "[2]"));
	assert_non_null(strstr(only.out, "only PORT001 was looked for"));
	run_done(&r);
	run_done(&only);
}

TEST(doctor_from__a_quiet_host__exits_0)
{
	RUN_CLI(r, "doctor", "--from", save(fixture_quiet));

	assert_string_equal(r.err, "");
	assert_non_null(strstr(r.out, "OK: nothing wrong found"));
	assert_int_equal(r.code, EXIT_FINE);
	run_done(&r);
}

TEST(doctor_from__blind_and_nothing_found__exits_3)
{
	RUN_CLI(r, "doctor", "--from", save(fixture_blind));

	assert_int_equal(r.code, EXIT_INCOMPLETE);
	assert_non_null(strstr(r.out, "not seen: socket owners"));
	run_done(&r);
}

TEST(doctor_fail_on__decides_what_counts)
{
	const char *path = save(fixture_harmless);
	RUN_CLI(warn, "doctor", "--from", path);
	RUN_CLI(info, "doctor", "--from", path, "--fail-on", "info");

	assert_non_null(strstr(warn.out, "HARMLESS: "));
	assert_int_equal(warn.code, EXIT_FINE);
	assert_int_equal(info.code, EXIT_FINDINGS);
	run_done(&warn);
	run_done(&info);
}

/* More warnings about ports than there is room for, and a critical leak, which is told after them. */
static void make_full(struct fixture *f)
{
	static struct netns spaces[FINDINGS_MAX + 1];
	static struct holder leak = {.kind = HOLD_CLOSE_WAIT_READ, .proc = -1, .n = 5000, .oldest_ms = 3600000};

	fixture_quiet(f);
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		struct netns *ns = &spaces[i];

		*ns = f->obs.s[0].netns[0];
		ns->n_listeners = 0;
		snprintf(ns->name, sizeof(ns->name), "c%zu", i);
		ns->inode = i + 1;
		ns->bound_known = true;
		ns->bound = 10000;
	}
	spaces[FINDINGS_MAX].holders = &leak;
	spaces[FINDINGS_MAX].n_holders = 1;
	f->obs.s[0].netns = spaces;
	f->obs.s[0].n_netns = ARRAY_LEN(spaces);
}

TEST(doctor_fail_on__counts_also_what_found_no_room)
{
	const char *path = save(make_full);
	RUN_CLI(text, "doctor", "--from", path, "--fail-on", "crit");
	RUN_CLI(json, "doctor", "--from", path, "--json");
	json_t *root = json_loads(json.out, JSON_REJECT_DUPLICATES, NULL);

	assert_null(strstr(json.out, "CW001"));
	assert_int_equal(json_integer_value(json_object_get(root, "dropped")), 3);
	assert_string_equal(json_string_value(json_object_get(root, "dropped_worst")), "crit");
	assert_non_null(strstr(text.out, "(worst: crit)"));
	assert_int_equal(text.code, EXIT_FINDINGS);
	json_decref(root);
	run_done(&text);
	run_done(&json);
}

TEST(doctor_json__says_the_same_and_is_valid)
{
	RUN_CLI(r, "doctor", "--json", "--from", save(fixture_outage));
	json_t *root = json_loads(r.out, JSON_REJECT_DUPLICATES, NULL);
	json_t *first = json_array_get(json_object_get(root, "findings"), 0);

	assert_int_equal(r.code, EXIT_FINDINGS);
	assert_string_equal(json_string_value(json_object_get(first, "id")), "PORT001");
	json_decref(root);
	run_done(&r);
}

TEST(doctor_from__a_torn_file__is_a_clear_error)
{
	const char *path = save(fixture_outage);
	struct run r;

	assert_int_equal(truncate(path, 1000), 0);
	r = run_cli((const char *[]){"lastack", "doctor", "--from", path, NULL});
	assert_int_equal(r.code, EXIT_USAGE);
	assert_int_equal(lines_in(r.err), 1);
	assert_string_equal(r.out, "");
	run_done(&r);
}

/* ---- the output itself ---- */

static int run_into(FILE *out, char **ret_err)
{
	char lastack[] = "lastack", explain[] = "explain";
	char *argv[] = {lastack, explain, NULL};
	size_t len;
	FILE *err = open_memstream(ret_err, &len);
	int code = lastack_main(2, argv, out, err);

	fclose(err);
	return code;
}

TEST(output__to_a_full_disk__exits_4_with_a_line)
{
	FILE *out = fopen("/dev/full", "w");
	char *err = NULL;

	assert_non_null(out);
	assert_int_equal(run_into(out, &err), EXIT_INTERNAL);
	assert_int_equal(lines_in(err), 1);
	fclose(out);
	free(err);
}

TEST(output__to_a_reader_that_left__is_no_error)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN); /* as main() does */
	char *err = NULL;
	FILE *out;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	close(fd[0]);
	out = fdopen(fd[1], "w");
	assert_non_null(out);
	assert_int_equal(run_into(out, &err), EXIT_FINE);
	assert_string_equal(err, "");
	fclose(out);
	free(err);
	signal(SIGPIPE, old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(wrong_arguments__give_one_line_and_exit_2),
		T(knobs__the_engines_own__stand_apart_and_have_no_value),
		T(help__is_on_stdout_and_lists_every_option),
		T(help__of_all__lists_every_command_and_fits_80_columns),
		T(version__is_told),
		T(explain__without_an_id__lists_every_finding_once),
		T(explain__every_id__has_a_page),
		T(explain__an_area__lists_its_findings),
		T(explain_json__is_valid),
		T(doctor_from__an_outage__finds_it_and_exits_1),
		T(doctor_from__a_quiet_host__exits_0),
		T(doctor_from__blind_and_nothing_found__exits_3),
		T(doctor_fail_on__decides_what_counts),
		T(doctor_fail_on__counts_also_what_found_no_room),
		T(doctor_json__says_the_same_and_is_valid),
		T(doctor_from__a_torn_file__is_a_clear_error),
		T(output__to_a_full_disk__exits_4_with_a_line),
		T(output__to_a_reader_that_left__is_no_error),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
