/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "tests/unit/diag/rig.h"

TEST(rules__are_sorted_and_complete)
{
	assert_true(n_rules >= 33);
	for (size_t i = 0; i < n_rules; i++) {
		assert_true(rules[i]->id[0] && rules[i]->title[0]);
		assert_non_null(rules[i]->eval);
		assert_ptr_equal(rule_find(rules[i]->id), rules[i]);
		if (i)
			assert_true(strcmp(rules[i - 1]->id, rules[i]->id) < 0);
	}
}

TEST(rule_find__ignores_case_and_knows_no_strangers)
{
	assert_ptr_equal(rule_find("tw001"), &rule_TW001);
	assert_null(rule_find("TW999"));
	assert_null(rule_find(""));
}

TEST(quiet_host__nothing_is_found)
{
	struct rig r;
	struct findings f;

	rig_init(&r);
	rig_ready(&r);
	assert_int_equal(diagnose(&r.o, NULL, &f), 0);
	if (f.n)
		fail_msg("%s: %s", f.v[0].rule->id, f.v[0].what);
	assert_int_equal(f.dropped, 0);
	findings_done(&f);
	assert_null(f.v);
}

static void sick(struct rig *r)
{
	rig_init(r);
	rig_listener_time_wait(r, rig_listener(r, NULL, 80), 100);
	rig_dest_time_wait(r, rig_dest(r, "10.0.0.1", "10.0.0.2", 80), 28200);
	rig_counter(r, "TCPTimeWaitOverflow", 1, 1);
	rig_ready(r);
}

TEST(findings__are_told_in_the_order_of_what_fails_first)
{
	struct rig r;
	struct findings f;

	sick(&r);
	assert_int_equal(diagnose(&r.o, NULL, &f), 0);
	assert_true(f.n >= 3);
	assert_string_equal(f.v[0].rule->id, "PORT001");
	for (size_t i = 1; i < f.n; i++) {
		bool remark = f.v[i].severity == SEV_INFO, remark_before = f.v[i - 1].severity == SEV_INFO;

		assert_true(remark_before <= remark);
		if (remark_before != remark)
			continue;
		assert_true(f.v[i - 1].stage <= f.v[i].stage);
		if (f.v[i - 1].stage == f.v[i].stage)
			assert_true(f.v[i - 1].severity >= f.v[i].severity);
	}
	findings_done(&f);
}

TEST(findings__a_remark_comes_after_what_asks_for_action)
{
	struct rig r;
	struct findings f;

	rig_init(&r);
	rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 1200); /* churn, ports enough */
	rig_knob(&r, KNOB_syncookies, 2);
	rig_ready(&r);
	assert_int_equal(diagnose(&r.o, NULL, &f), 0);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0].rule->id, "CFG005");
	assert_string_equal(f.v[1].rule->id, "TW003");
	assert_true(f.v[1].stage < f.v[0].stage);
	findings_done(&f);
}

TEST(only__asks_one_rule)
{
	struct rig r;
	struct findings f;

	sick(&r);
	assert_int_equal(diagnose(&r.o, "tw001", &f), 0);
	assert_int_equal(f.n, 1);
	assert_ptr_equal(f.v[0].rule, &rule_TW001);
	findings_done(&f);
}

TEST(same_observation__same_findings)
{
	struct rig r;
	struct findings a, b;

	sick(&r);
	assert_int_equal(diagnose(&r.o, NULL, &a), 0);
	assert_int_equal(diagnose(&r.o, NULL, &b), 0);
	assert_int_equal(a.n, b.n);
	for (size_t i = 0; i < a.n; i++)
		assert_string_equal(a.v[i].what, b.v[i].what);
	findings_done(&a);
	findings_done(&b);
}

TEST(no_namespace_seen__nothing_is_found)
{
	struct rig r;
	struct findings f;

	rig_init(&r);
	r.o.s[0].n_netns = r.o.s[1].n_netns = 0;
	assert_int_equal(diagnose(&r.o, NULL, &f), 0);
	assert_int_equal(f.n, 0);
	findings_done(&f);
}

TEST(every_namespace__is_asked)
{
	struct netns two[2];
	struct rig r;
	struct findings f;

	sick(&r);
	two[0] = *r.now;
	two[1] = *r.now;
	two[1].inode++;
	SAY(two[1].name, "web");
	rig_once(&r);
	r.o.s[0].netns = two;
	r.o.s[0].n_netns = 2;
	assert_int_equal(diagnose(&r.o, "PORT001", &f), 0);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0].netns, "host"); /* equal findings: by name */
	assert_string_equal(f.v[1].netns, "web");
	findings_done(&f);
}

RUN(T(rules__are_sorted_and_complete), T(rule_find__ignores_case_and_knows_no_strangers),
    T(quiet_host__nothing_is_found), T(findings__are_told_in_the_order_of_what_fails_first),
    T(findings__a_remark_comes_after_what_asks_for_action), T(only__asks_one_rule), T(same_observation__same_findings),
    T(no_namespace_seen__nothing_is_found), T(every_namespace__is_asked))
