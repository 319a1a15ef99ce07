/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* Two destinations whose connections each hold a port of their own. */
static void bound(struct rig *r, uint32_t low, uint32_t other)
{
	rig_init(r);
	for (int i = 0; i < 2; i++) {
		struct dest *d = rig_dest(r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i));

		d->ports_low_parity = i ? low / 2 : low - low / 2;
		d->ports_other_parity = i ? other / 2 : other - other / 2;
		d->states.n[ST_ESTABLISHED] = d->ports_low_parity + d->ports_other_parity;
	}
	r->now->ephemeral_ports_low_parity = low;
	r->now->ephemeral_ports_other_parity = other;
}

TEST(PORT003__few_ports_of_the_other_parity__silent)
{
	struct rig r;

	bound(&r, 0, 99);
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
}

TEST(PORT003__hundred_ports_of_the_other_parity__tells)
{
	struct rig r;
	const struct finding *f;

	bound(&r, 0, 100);
	r.dests[0].proc = rig_proc(&r, 99, "python3");
	rig_eval(&r, &rule_PORT003);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_INFO);
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_text(f->what, "100 odd local ports were chosen by bind()");
	assert_text(f->evidence, "100 odd > 2 x 0 even");
	assert_string_equal(f->process, "python3[99]");
	assert_non_null(rig_remedy(f, "IP_BIND_ADDRESS_NO_PORT"));
}

TEST(PORT003__as_many_of_the_low_parity__silent)
{
	struct rig r;

	bound(&r, 500, 1000);
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
	bound(&r, 499, 1000);
	rig_eval(&r, &rule_PORT003);
	rig_only(&r);
}

TEST(PORT003__a_fifth_of_the_range__warns)
{
	struct rig r;

	bound(&r, 0, 5646); /* 28,232 / 5 = 5,646.4 */
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	bound(&r, 0, 5647);
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

TEST(PORT003__range_taken_though_every_destination_has_few__is_critical)
{
	struct rig r;
	const struct finding *f;

	bound(&r, 11293, 14116); /* 25,409 >= 0.9 x 28,232, and 12,705 each */
	rig_eval(&r, &rule_PORT003);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(f->what, "25,409 of 28,232 local ports are taken although no destination has more than 45 %");
	bound(&r, 11292, 14116);
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
	bound(&r, 14115, 14116);
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(rig_only(&r)->what, "will fail soon");
	bound(&r, 14116, 14116);
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_text(rig_only(&r)->what, "connect() and bind() fail");
}

TEST(PORT003__shared_ports__were_not_bound)
{
	struct rig r;

	bound(&r, 11293, 14116);
	r.dests[0].ports_low_parity += 2000; /* more connections than ports: they share */
	r.dests[1].ports_low_parity += 2000;
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
}

TEST(PORT003__cliff_of_one_destination__explains_the_other_parity)
{
	struct rig r;

	bound(&r, 300, 1000);
	r.dests[0].ports_low_parity = 14116;
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
}

TEST(PORT003__one_destination__is_a_guess)
{
	struct rig r;

	bound(&r, 0, 1000);
	r.now->n_dests = 1;
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->confidence, CONF_LOW);
}

TEST(PORT003__small_range__a_fifth_is_enough)
{
	struct rig r;

	bound(&r, 0, 39);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40199);
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
	bound(&r, 0, 40);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40199);
	rig_eval(&r, &rule_PORT003);
	rig_only(&r);
}

TEST(PORT003__sockets_only_bound__hold_ports_that_no_list_shows)
{
	struct rig r;

	rig_init(&r);
	r.now->bound = 5646; /* 19.999 % of 28,232 */
	r.now->bound_known = true;
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
	r.now->bound = 5647;
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "5,647 >= 20 % of 28,232 usable");
	assert_text(rig_only(&r)->what,
		    "5,647 local ports are held by sockets that are bound but neither connected nor listening");
	r.now->bound = 25409;
	rig_eval(&r, &rule_PORT003);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_text(rig_only(&r)->evidence, "25,409 >= 90 % of 28,232 usable");
	r.now->bound_known = false;
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
}

TEST(PORT003__range_unknown__silent)
{
	struct rig r;

	bound(&r, 0, 10000);
	rig_knob_unknown(&r, KNOB_port_low);
	rig_eval(&r, &rule_PORT003);
	rig_silent(&r);
}

RUN(T(PORT003__few_ports_of_the_other_parity__silent), T(PORT003__hundred_ports_of_the_other_parity__tells),
    T(PORT003__as_many_of_the_low_parity__silent), T(PORT003__a_fifth_of_the_range__warns),
    T(PORT003__range_taken_though_every_destination_has_few__is_critical), T(PORT003__shared_ports__were_not_bound),
    T(PORT003__cliff_of_one_destination__explains_the_other_parity), T(PORT003__one_destination__is_a_guess),
    T(PORT003__small_range__a_fifth_is_enough), T(PORT003__sockets_only_bound__hold_ports_that_no_list_shows),
    T(PORT003__range_unknown__silent))
