/* SPDX-License-Identifier: MIT */
/* What is printed about observations made by hand, against files of tests/golden. */
#include "tests/unit/t.h"

#include <jansson.h>

#include "base/text.h"
#include "report/report.h"
#include "tests/unit/report/fixture.h"
#include "tests/unit/report/golden.h"
#include "tests/unit/report/render.h"

static const struct style brief = {.width = 80}, verbose = {.width = 80, .verbose = true};

static json_t *parse(const char *text)
{
	json_error_t err;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &err);

	if (!root)
		fail_msg("line %d: %s", err.line, err.text);
	return root;
}

static void check_texts(const char *name, const struct fixture *f)
{
	char file[64];
	RENDER(status, a, report_status_text(a, &f->obs, &brief));
	RENDER(doctor, b, report_doctor_text(b, &f->obs, &f->findings, &brief));

	check_fits_a_screen(status);
	check_fits_a_screen(doctor);
	snprintf(file, sizeof(file), "status-%s.txt", name);
	check(file, status);
	snprintf(file, sizeof(file), "doctor-%s.txt", name);
	check(file, doctor);
	free(status);
	free(doctor);
}

TEST(a_quiet_host__says_ok)
{
	struct fixture f;

	fixture_quiet(&f);
	check_texts("quiet", &f);
}

TEST(an_outage__names_what_fails_first)
{
	struct fixture f;

	fixture_outage(&f);
	check_texts("outage", &f);
}

TEST(more_findings_than_fit__the_first_is_told_in_full)
{
	struct fixture f;

	fixture_busy(&f);
	RENDER(doctor, out, report_doctor_text(out, &f.obs, &f.findings, &brief));
	check_fits_a_screen(doctor);
	check("doctor-busy.txt", doctor);
	free(doctor);
}

TEST(a_harmless_pile__says_do_nothing)
{
	struct fixture f;

	fixture_harmless(&f);
	check_texts("harmless", &f);
}

TEST(nothing_found_but_not_everything_seen__is_no_all_clear)
{
	struct fixture f;

	fixture_blind(&f);
	check_texts("blind", &f);
}

TEST(a_crowd_of_namespaces_and_findings__still_fits_one_screen)
{
	struct fixture f;

	fixture_crowd(&f);
	check_texts("crowd", &f);
}

TEST(any_number_of_findings_and_namespaces__fits_one_screen)
{
	struct fixture f;

	fixture_crowd(&f);
	for (size_t n = 0; n <= 30; n++) {
		f.findings.n = n;
		f.obs.s[0].n_netns = f.obs.s[1].n_netns = n + 1;
		RENDER(status, a, report_status_text(a, &f.obs, &brief));
		RENDER(doctor, b, report_doctor_text(b, &f.obs, &f.findings, &brief));
		check_fits_a_screen(status);
		check_fits_a_screen(doctor);
		free(status);
		free(doctor);
	}
}

TEST(verbose__tells_everything)
{
	struct fixture f;

	fixture_outage(&f);
	RENDER(status, a, report_status_text(a, &f.obs, &verbose));
	RENDER(doctor, b, report_doctor_text(b, &f.obs, &f.findings, &verbose));
	check("status-outage-verbose.txt", status);
	check("doctor-outage-verbose.txt", doctor);
	free(status);
	free(doctor);
}

TEST(states__are_those_of_netstat_without_listeners)
{
	struct fixture f;

	fixture_outage(&f);
	RENDER(text, out, report_states(out, &f.obs));
	check("states-outage.txt", text);
	assert_null(strstr(text, "LISTEN"));
	free(text);
}

TEST(status_json__has_the_promised_fields)
{
	struct fixture f;
	json_t *root, *ns, *d;

	fixture_outage(&f);
	RENDER(text, out, report_status_json(out, &f.obs));
	check("status-outage.json", text);
	root = parse(text);
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	assert_string_equal(json_string_value(json_object_get(root, "kernel")), "6.18.44");
	ns = json_array_get(json_object_get(root, "netns"), 1);
	assert_string_equal(json_string_value(json_object_get(ns, "name")), "shop");
	for (unsigned st = 0; st < N_STATES; st++)
		assert_true(json_is_integer(json_object_get(json_object_get(ns, "states"), state_descs[st].json)));
	assert_true(json_is_array(json_object_get(ns, "listeners")));
	assert_true(json_is_array(json_object_get(ns, "missing")));
	assert_true(json_is_true(json_object_get(ns, "torn")));
	d = json_array_get(json_object_get(ns, "destinations"), 0);
	assert_string_equal(json_string_value(json_object_get(d, "src")), "10.0.0.1");
	assert_string_equal(json_string_value(json_object_get(d, "dst")), "10.0.0.2");
	assert_int_equal(json_integer_value(json_object_get(d, "dport")), 443);
	assert_int_equal(json_integer_value(json_object_get(d, "ports_used")), 28232);
	assert_int_equal(json_integer_value(json_object_get(d, "ports_usable")), 28232);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "states"), "time_wait")), 28100);
	json_decref(root);
	free(text);
}

TEST(doctor_json__has_the_promised_fields)
{
	struct fixture f;
	json_t *root, *fi, *remedy;

	fixture_outage(&f);
	RENDER(text, out, report_doctor_json(out, &f.obs, &f.findings));
	check("doctor-outage.json", text);
	root = parse(text);
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	assert_true(json_is_array(json_object_get(root, "missing")));
	fi = json_array_get(json_object_get(root, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(fi, "id")), "PORT001");
	assert_string_equal(json_string_value(json_object_get(fi, "severity")), "crit");
	assert_string_equal(json_string_value(json_object_get(fi, "netns")), "shop");
	assert_string_equal(json_string_value(json_object_get(fi, "confidence")), "high");
	assert_string_equal(json_string_value(json_object_get(fi, "process")), "shop \"api\\\"[4711] in 3f2c1a");
	assert_true(json_is_string(json_object_get(fi, "what")));
	assert_true(json_is_string(json_object_get(fi, "evidence")));
	assert_int_equal(json_array_size(json_object_get(fi, "never")), 2);
	remedy = json_array_get(json_object_get(fi, "remedies"), 1);
	assert_true(json_is_string(json_object_get(remedy, "action")));
	assert_true(json_is_string(json_object_get(remedy, "command")));
	assert_true(json_is_string(json_object_get(remedy, "risk")));
	assert_non_null(json_object_get(remedy, "precondition"));
	json_decref(root);
	free(text);
}

TEST(json_of_the_crowd__is_valid)
{
	struct fixture f;

	fixture_crowd(&f);
	RENDER(status, a, report_status_json(a, &f.obs));
	RENDER(doctor, b, report_doctor_json(b, &f.obs, &f.findings));
	json_decref(parse(status));
	json_decref(parse(doctor));
	free(status);
	free(doctor);
}

TEST(colours__appear_only_when_asked_for)
{
	struct style colourful = brief;
	struct fixture f;

	colourful.colour = true;
	fixture_outage(&f);
	RENDER(plain, a, report_doctor_text(a, &f.obs, &f.findings, &brief));
	RENDER(coloured, b, report_doctor_text(b, &f.obs, &f.findings, &colourful));
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[1;31mFAILING: \033[0m"));
	free(plain);
	free(coloured);
}

TEST(blind__only_when_a_question_could_not_be_asked)
{
	struct fixture f;

	fixture_quiet(&f);
	assert_false(report_is_blind(&f.obs));
	fixture_outage(&f); /* this kernel has no conntrack: that is no blindness */
	assert_false(report_is_blind(&f.obs));
	fixture_blind(&f);
	assert_true(report_is_blind(&f.obs));
}

RUN(T(a_quiet_host__says_ok), T(an_outage__names_what_fails_first),
    T(more_findings_than_fit__the_first_is_told_in_full), T(a_harmless_pile__says_do_nothing),
    T(nothing_found_but_not_everything_seen__is_no_all_clear),
    T(a_crowd_of_namespaces_and_findings__still_fits_one_screen),
    T(any_number_of_findings_and_namespaces__fits_one_screen), T(verbose__tells_everything),
    T(states__are_those_of_netstat_without_listeners), T(status_json__has_the_promised_fields),
    T(doctor_json__has_the_promised_fields), T(json_of_the_crowd__is_valid), T(colours__appear_only_when_asked_for),
    T(blind__only_when_a_question_could_not_be_asked))
