/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

static void tracked(struct rig *r, uint64_t count, uint64_t max)
{
	rig_init(r);
	for (int i = 0; i < 2; i++)
		r->ns[i].conntrack = (struct conntrack){.known = true, .active = true, .count = count, .max = max};
}

TEST(NAT001__quiet_table__silent)
{
	struct rig r;

	tracked(&r, 1000, 262144);
	r.before->conntrack.insert_failed = r.now->conntrack.insert_failed = 50;
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
}

TEST(NAT001__refused_after_a_long_search__ports_are_exhausted)
{
	struct rig r;
	const struct finding *f;

	tracked(&r, 1000, 262144);
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 20;
	r.now->conntrack.found = 1000;
	rig_eval(&r, &rule_NAT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_FAILING);
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_text(f->what, "conntrack refused 20 new connections in 1.0 s: the NAT has no free port");
	assert_text(
		f->evidence,
		"insert_failed +20 > 0, drop +20 > 0 while count 1,000 < 0.9 x max 262,144; found +1,000 >= 50 x 20");
	assert_non_null(rig_remedy(f, "more source addresses"));
	assert_non_null(rig_remedy(f, "nf_conntrack_tcp_timeout_time_wait=60"));
	assert_null(rig_remedy(f, "Upgrade"));
	assert_null(rig_remedy(f, "fully-random"));
}

TEST(NAT001__refused_at_once__is_the_snat_race)
{
	struct rig r;
	const struct finding *f;

	tracked(&r, 1000, 262144);
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 20;
	r.now->conntrack.found = 999;
	rig_eval(&r, &rule_NAT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_text(f->what, "raced");
	assert_non_null(rig_remedy(f, "fully-random"));
	assert_text(f->remedies[0].precondition, "PAWSTimewait");
}

TEST(NAT001__no_limit__is_not_compared_with)
{
	struct rig r;

	tracked(&r, 5000, 0);
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 7;
	rig_eval(&r, &rule_NAT001);
	assert_text(rig_only(&r)->evidence, "insert_failed +7 > 0, drop +7 > 0; found +0 < 50 x 7");
	assert_no_text(rig_only(&r)->evidence, "max");
}

TEST(NAT001__failed_without_a_drop__was_resolved_and_is_silent)
{
	struct rig r;

	tracked(&r, 1000, 262144);
	r.now->conntrack.insert_failed = 20;
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
	r.now->conntrack.drop = 1;
	rig_eval(&r, &rule_NAT001);
	assert_text(rig_only(&r)->what, "conntrack refused 1 new connection in");
}

TEST(NAT001__old_kernel__is_told_to_upgrade)
{
	struct rig r;

	tracked(&r, 1000, 262144);
	rig_kernel(&r, KV(6, 4));
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 1;
	r.now->conntrack.found = 500;
	rig_eval(&r, &rule_NAT001);
	assert_non_null(rig_remedy(rig_only(&r), "Upgrade"));
}

TEST(NAT001__table_nine_tenths_full__warns)
{
	struct rig r;

	tracked(&r, 8999, 10000);
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
	tracked(&r, 9000, 10000);
	rig_eval(&r, &rule_NAT001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(rig_only(&r)->what, "is 90 % full: 9,000 of 10,000 entries");
	assert_non_null(rig_remedy(rig_only(&r), "nf_conntrack_max=20000"));
	assert_text(rig_only(&r)->evidence, "drop +0, early_drop +0, insert_failed +0");
	rig_once(&r);
	rig_eval(&r, &rule_NAT001);
	assert_no_text(rig_only(&r)->evidence, "+0");
	assert_text(rig_only(&r)->evidence, "whether it drops now is unknown");
}

TEST(NAT001__limit_that_cannot_be_doubled__is_not_raised)
{
	struct rig r;

	tracked(&r, 2000000000, 2000000000);
	rig_eval(&r, &rule_NAT001);
	assert_null(rig_remedy(rig_only(&r), "nf_conntrack_max="));
	assert_non_null(rig_remedy(rig_only(&r), "timeout_time_wait"));
}

TEST(NAT001__table_98_percent_full__is_critical)
{
	struct rig r;

	tracked(&r, 9800, 10000);
	rig_eval(&r, &rule_NAT001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	r.now->conntrack.drop = 1;
	rig_eval(&r, &rule_NAT001);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
}

TEST(NAT001__global_limit__is_not_set_inside_a_namespace)
{
	struct rig r;

	tracked(&r, 9800, 10000);
	rig_netns(&r, "router", 33);
	rig_eval(&r, &rule_NAT001);
	assert_string_equal(rig_only(&r)->remedies[0].command, "sysctl -w net.netfilter.nf_conntrack_max=20000");
	assert_text(rig_only(&r)->remedies[1].command, "nsenter -t 33 -n sysctl");
}

TEST(NAT001__timeout_short_already__is_not_lowered)
{
	struct rig r;

	tracked(&r, 9800, 10000);
	rig_knob(&r, KNOB_ct_time_wait_s, 60);
	rig_eval(&r, &rule_NAT001);
	assert_null(rig_remedy(rig_only(&r), "timeout_time_wait"));
}

TEST(NAT001__no_conntrack__silent)
{
	struct rig r;

	tracked(&r, 9900, 10000);
	r.now->conntrack.active = false;
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
	tracked(&r, 9900, 10000);
	r.now->conntrack.known = false;
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
	tracked(&r, 9900, 0);
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
}

TEST(NAT001__one_snapshot__cannot_see_growth)
{
	struct rig r;

	tracked(&r, 1000, 262144);
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 20;
	rig_once(&r);
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
}

TEST(NAT001__earlier_snapshot_without_conntrack__shows_no_growth)
{
	struct rig r;

	tracked(&r, 1000, 262144);
	r.now->conntrack.insert_failed = r.now->conntrack.drop = 20;
	r.before->conntrack.known = false;
	rig_eval(&r, &rule_NAT001);
	rig_silent(&r);
}

RUN(T(NAT001__quiet_table__silent), T(NAT001__refused_after_a_long_search__ports_are_exhausted),
    T(NAT001__refused_at_once__is_the_snat_race), T(NAT001__no_limit__is_not_compared_with),
    T(NAT001__failed_without_a_drop__was_resolved_and_is_silent),
    T(NAT001__limit_that_cannot_be_doubled__is_not_raised), T(NAT001__old_kernel__is_told_to_upgrade),
    T(NAT001__table_nine_tenths_full__warns), T(NAT001__table_98_percent_full__is_critical),
    T(NAT001__global_limit__is_not_set_inside_a_namespace), T(NAT001__timeout_short_already__is_not_lowered),
    T(NAT001__no_conntrack__silent), T(NAT001__one_snapshot__cannot_see_growth),
    T(NAT001__earlier_snapshot_without_conntrack__shows_no_growth))
