/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "tests/unit/diag/rig.h"

static void eval_nothing(const struct rule *self, const struct view *v, struct findings *out) {}

static const struct rule of_a_namespace = {.id = "TEST001", .title = "test", .eval = eval_nothing};
static const struct rule of_the_host = {.id = "TEST002", .title = "test", .host = true, .eval = eval_nothing};

TEST(finding__of_a_namespace__carries_its_name)
{
	struct rig r;
	const struct finding *f;

	rig_init(&r);
	rig_netns(&r, "web", 5);
	rig_eval(&r, &of_a_namespace);
	f = findings_add(&r.found, &of_a_namespace, &r.view, SEV_WARN, STAGE_CHURN);
	assert_string_equal(f->netns, "web");
	assert_int_equal(f->netns_inode, r.now->inode);
	f = findings_add(&r.found, &of_the_host, &r.view, SEV_WARN, STAGE_CHURN);
	assert_string_equal(f->netns, "");
}

TEST(findings__past_the_limit__keep_what_matters_more)
{
	struct rig r;
	struct finding *f;
	size_t crit = 0;

	rig_init(&r);
	rig_eval(&r, &of_a_namespace);
	for (int i = 0; i < FINDINGS_MAX - 1; i++)
		findings_add(&r.found, &of_a_namespace, &r.view, SEV_INFO, STAGE_CONFIG);
	assert_int_equal(r.found.dropped, 0);
	f = findings_add(&r.found, &of_a_namespace, &r.view, SEV_INFO, STAGE_HARMLESS);
	assert_non_null(f);
	assert_int_equal(r.found.n, FINDINGS_MAX - 1);
	assert_int_equal(r.found.dropped, 1);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_CRIT, STAGE_FAILING);
	assert_int_equal(r.found.dropped, 2);
	for (size_t i = 0; i < r.found.n; i++) {
		assert_int_not_equal(r.found.v[i].stage, STAGE_HARMLESS);
		crit += r.found.v[i].severity == SEV_CRIT;
	}
	assert_int_equal(crit, 1);
}

static void fill(struct rig *r, enum severity severity, enum stage stage)
{
	rig_init(r);
	rig_eval(r, &of_a_namespace);
	while (r->found.n < FINDINGS_MAX - 1)
		findings_add(&r->found, &of_a_namespace, &r->view, severity, stage);
	assert_int_equal(r->found.dropped, 0);
}

static size_t count(const struct rig *r, enum severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < r->found.n; i++)
		n += r->found.v[i].severity == severity;
	return n;
}

TEST(findings__past_the_limit__a_remark_of_an_earlier_stage_gives_way_to_a_warning)
{
	struct rig r;

	fill(&r, SEV_INFO, STAGE_CHURN);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_WARN, STAGE_CONFIG);
	assert_int_equal(count(&r, SEV_WARN), 1);
	assert_int_equal(r.found.dropped_worst, SEV_INFO);
	fill(&r, SEV_WARN, STAGE_CONFIG);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_INFO, STAGE_FAILING);
	assert_int_equal(count(&r, SEV_WARN), r.found.n);
	assert_int_equal(r.found.dropped_worst, SEV_INFO);
}

TEST(findings__past_the_limit__the_worst_that_was_lost_is_known)
{
	struct rig r;

	fill(&r, SEV_WARN, STAGE_FAILING);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_INFO, STAGE_FAILING);
	assert_int_equal(r.found.dropped_worst, SEV_INFO);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_CRIT, STAGE_LEAKING); /* what fails now comes first */
	assert_int_equal(count(&r, SEV_CRIT), 0);
	assert_int_equal(r.found.dropped_worst, SEV_CRIT);
	findings_add(&r.found, &of_a_namespace, &r.view, SEV_CRIT, STAGE_FAILING); /* one warning makes room */
	assert_int_equal(count(&r, SEV_CRIT), 1);
	assert_int_equal(r.found.dropped, 3);
	assert_int_equal(r.found.dropped_worst, SEV_CRIT);
}

TEST(boot_value__of_a_namespace_with_its_own_table)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &of_a_namespace);
	assert_int_equal(view_boot_value(&r.view, KNOB_max_tw_buckets), 131072);
	rig_knob(&r, KNOB_ehash_entries, 1024);
	assert_int_equal(view_boot_value(&r.view, KNOB_max_tw_buckets), 512);
	rig_knob_unknown(&r, KNOB_ehash_entries); /* before 6.1 all share one */
	assert_int_equal(view_boot_value(&r.view, KNOB_max_tw_buckets), 131072);
}

TEST(delta__needs_two_snapshots_and_a_known_counter)
{
	struct rig r;
	uint64_t delta = 99;
	double rate = 99;

	rig_init(&r);
	rig_interval(&r, 2);
	rig_counter(&r, "TW", 10, 30);
	rig_eval(&r, &of_a_namespace);
	assert_true(view_delta(&r.view, "TW", &delta));
	assert_int_equal(delta, 20);
	assert_true(view_rate(&r.view, "TW", &rate));
	assert_true(rate > 9.99 && rate < 10.01);
	assert_true(view_total(&r.view, "TW", &delta));
	assert_int_equal(delta, 30);
	delta = 99;
	assert_false(view_delta(&r.view, "NoSuchCounter", &delta));
	assert_false(view_total(&r.view, "NoSuchCounter", &delta));
	rig_once(&r);
	rig_eval(&r, &of_a_namespace);
	assert_false(view_delta(&r.view, "TW", &delta));
	assert_false(view_rate(&r.view, "TW", &rate));
	assert_int_equal(delta, 99);
}

TEST(delta__counter_that_went_back__is_zero)
{
	struct rig r;
	uint64_t delta = 99;

	rig_init(&r);
	rig_counter(&r, "TW", 30, 10);
	rig_eval(&r, &of_a_namespace);
	assert_true(view_delta(&r.view, "TW", &delta));
	assert_int_equal(delta, 0);
}

TEST(rate__no_time_passed__is_unknown)
{
	struct rig r;
	double rate;

	rig_init(&r);
	rig_interval(&r, 0);
	rig_counter(&r, "TW", 10, 30);
	rig_eval(&r, &of_a_namespace);
	assert_false(view_rate(&r.view, "TW", &rate));
}

TEST(knob__unknown__leaves_the_result_alone)
{
	struct rig r;
	int64_t value = 7;

	rig_init(&r);
	rig_knob_unknown(&r, KNOB_tw_reuse);
	rig_eval(&r, &of_a_namespace);
	assert_false(view_knob(&r.view, KNOB_tw_reuse, &value));
	assert_int_equal(value, 7);
	assert_int_equal(view_knob_or(&r.view, KNOB_tw_reuse, 5), 5);
	assert_int_equal(view_knob_or(&r.view, KNOB_rfc1337, 5), 0);
}

TEST(namespace_without_an_earlier_look__has_no_interval)
{
	struct rig r;

	rig_init(&r);
	r.before->inode = 1;
	rig_eval(&r, &of_a_namespace);
	assert_null(r.view.before);
	assert_true(r.view.interval_s <= 0);
}

TEST(prefix__enters_the_namespace_and_never_carries_shell_words)
{
	static const struct {
		const char *name;
		int32_t pid;
		const char *prefix;
	} rows[] = {
		{"host", 1, ""},
		{"web", 5, "nsenter -t 5 -n "},
		{"$(reboot)", 5, "nsenter -t 5 -n "},
		{"web", 0, "ip netns exec web "},
		{"a;b", 0, "# in that namespace: "},
		{"-x", 0, "# in that namespace: "},
	};
	struct rig r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_init(&r);
		rig_netns(&r, rows[i].name, rows[i].pid);
		rig_eval(&r, &of_a_namespace);
		assert_string_equal(view_prefix(&r.view).s, rows[i].prefix);
	}
}

TEST(budget__comes_from_the_knobs)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &of_a_namespace);
	assert_int_equal(r.view.ports.usable, RIG_USABLE);
	assert_false(r.view.ports.reuse_any);
	assert_true(r.view.ports.reuse_loopback);
	rig_knob_unknown(&r, KNOB_port_high);
	rig_eval(&r, &of_a_namespace);
	assert_false(r.view.ports.known);
}

TEST(more__is_said_only_if_there_is_more)
{
	struct finding f = {.what = "one"};

	finding_more(&f, 0, "destination");
	assert_string_equal(f.what, "one");
	finding_more(&f, 1, "destination");
	assert_string_equal(f.what, "one (and 1 more destination)");
	finding_more(&f, 12, "listener");
	assert_text(f.what, "(and 12 more listeners)");
}

TEST(names)
{
	assert_string_equal(severity_name(SEV_INFO), "info");
	assert_string_equal(severity_name(SEV_WARN), "warn");
	assert_string_equal(severity_name(SEV_CRIT), "crit");
	assert_string_equal(confidence_name(CONF_LOW), "low");
	assert_string_equal(confidence_name(CONF_MEDIUM), "medium");
	assert_string_equal(confidence_name(CONF_HIGH), "high");
	assert_string_equal(confidence_name(CONF_CERTAIN), "certain");
}

RUN(T(finding__of_a_namespace__carries_its_name), T(findings__past_the_limit__keep_what_matters_more),
    T(findings__past_the_limit__a_remark_of_an_earlier_stage_gives_way_to_a_warning),
    T(findings__past_the_limit__the_worst_that_was_lost_is_known), T(boot_value__of_a_namespace_with_its_own_table),
    T(delta__needs_two_snapshots_and_a_known_counter), T(delta__counter_that_went_back__is_zero),
    T(rate__no_time_passed__is_unknown), T(knob__unknown__leaves_the_result_alone),
    T(namespace_without_an_earlier_look__has_no_interval),
    T(prefix__enters_the_namespace_and_never_carries_shell_words), T(budget__comes_from_the_knobs),
    T(more__is_said_only_if_there_is_more), T(names))
