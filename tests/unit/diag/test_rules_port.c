/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* One destination with n TIME_WAITs, evenly aged: n / 60 closes a second. */
static struct dest *client(struct rig *r, uint32_t n)
{
	struct dest *d;

	rig_init(r);
	d = rig_dest(r, "10.0.0.1", "10.0.0.2", 80);
	rig_dest_time_wait(r, d, n);
	return d;
}

/* ---- PORT001 ---- */

TEST(PORT001__no_destination__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
}

TEST(PORT001__one_burst__has_no_rate_and_no_outage_law)
{
	struct dest *d;
	struct rig r;

	rig_init(&r);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	rig_dest_time_wait(&r, d, 12000);
	memset(&d->tw_ages, 0, sizeof(d->tw_ages));
	d->tw_ages.s[8] = 12000; /* a run that ended 8 s ago */
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "after one burst of closes; they come back in 52 s unless it repeats");
	assert_text(rig_only(&r)->evidence, "closed in fewer than 3 of the last 60 s");
	assert_no_text(rig_only(&r)->evidence, "outage law");
}

TEST(PORT001__below_35_percent__silent)
{
	struct rig r;

	client(&r, 9881); /* 0.35 x 28,232 = 9,881.2 */
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
}

TEST(PORT001__at_35_percent__warns_and_spells_the_inequality)
{
	struct rig r;
	const struct finding *f;

	client(&r, 9882);
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->stage, STAGE_ABOUT_TO_FAIL);
	assert_text(f->what, "9,882 of 28,232 local ports of 10.0.0.1 towards 10.0.0.2:80 are in use (35 %)");
	assert_text(f->what, "they suffice"); /* 165/s for ever is 9,882 */
	assert_text(f->evidence, "TIME_WAIT 9,882 + live 0 = 9,882 >= 0.35 x 28,232 usable");
	assert_text(f->evidence, "closes 165/s <= (28,232 - 0 live)/60 s = 471/s sustainable");
	assert_no_text(f->evidence, "outage law");
	assert_null(rig_remedy(f, "ss -K"));
}

TEST(PORT001__at_90_percent__is_critical_but_not_yet_failing)
{
	struct rig r;
	const struct finding *f;

	client(&r, 25408); /* 0.9 x 28,232 = 25,408.8 */
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	client(&r, 25409);
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_ABOUT_TO_FAIL);
}

TEST(PORT001__at_98_percent__fails_now)
{
	struct rig r;

	client(&r, 27667); /* 0.98 x 28,232 = 27,667.4 */
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->stage, STAGE_ABOUT_TO_FAIL);
	client(&r, 27668);
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_text(rig_only(&r)->what, "connect() fails with EADDRNOTAVAIL now or within moments");
}

TEST(PORT001__all_ports_taken__fails_now_and_says_when_the_first_comes_back)
{
	struct rig r;
	struct dest *d;
	const struct finding *f;

	rig_init(&r);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	d->tw_in_range = d->states.n[ST_TIME_WAIT] = RIG_USABLE;
	d->ports_low_parity = d->ports_other_parity = RIG_USABLE / 2;
	for (unsigned s = 20; s < 48; s++) /* 28 s of churn at 1,000/s, over for 20 s */
		d->tw_ages.s[s] = RIG_USABLE / 28;
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_FAILING);
	assert_int_equal(f->confidence, CONF_CERTAIN); /* no connection was opened in the interval */
	assert_text(f->what, "connect() fails with EADDRNOTAVAIL; the first port is free in 13 s");
	assert_text(f->evidence, ">= 0.98 x 28,232 usable");
	assert_text(f->evidence, "ActiveOpens +0");
	assert_text(f->evidence, "outage law: 28 s of service, then 32 s of failures, every 60 s");
}

TEST(PORT001__full_but_connections_still_open__is_not_certain)
{
	struct rig r;

	client(&r, RIG_USABLE);
	rig_counter(&r, "Tcp.ActiveOpens", 100, 400);
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
	client(&r, RIG_USABLE);
	rig_counter_absent(&r, "Tcp.ActiveOpens");
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
	client(&r, RIG_USABLE);
	rig_once(&r);
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

TEST(PORT001__nearly_full_and_connections_still_open__is_medium)
{
	struct rig r;

	client(&r, RIG_USABLE - 100);
	rig_counter(&r, "Tcp.ActiveOpens", 100, 400);
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->stage, STAGE_FAILING);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
}

TEST(PORT001__past_the_cliff__says_so)
{
	struct rig r;

	rig_init(&r);
	rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 15000);
	rig_eval(&r, &rule_PORT001);
	assert_text(rig_only(&r)->what, "PORT002");
	rig_init(&r);
	rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", 80), 14000);
	rig_eval(&r, &rule_PORT001);
	assert_text(rig_only(&r)->what, "they suffice");
}

TEST(PORT001__cliff_ahead__says_when)
{
	struct rig r;
	struct dest *d;

	rig_init(&r); /* 300/s for ever is 18,000: past the cliff at 14,116, below the end at 28,232 */
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	for (unsigned s = 0; s < 40; s++)
		d->tw_ages.s[s] = 300;
	d->states.n[ST_TIME_WAIT] = d->tw_in_range = d->ports_low_parity = 12000;
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "at this rate every connect() turns slow in 7.1 s (PORT002)");
}

TEST(PORT001__torn_dump__lowers_the_confidence)
{
	struct rig r;

	client(&r, RIG_USABLE);
	r.now->torn = true;
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_text(rig_only(&r)->raise, "run again");
}

static void churn_more(struct rig *r, uint32_t per_s, unsigned seconds)
{
	struct dest *d = rig_dest(r, "10.0.0.1", "10.0.0.8", 80);

	for (unsigned s = 0; s < seconds; s++)
		d->tw_ages.s[s] = per_s;
	d->tw_in_range = d->states.n[ST_TIME_WAIT] = per_s * seconds;
	rig_dest_ports(d, per_s * seconds);
}

static void churn(struct rig *r, uint32_t per_s, unsigned seconds)
{
	rig_init(r);
	churn_more(r, per_s, seconds);
}

TEST(PORT001__forecast_of_failure_within_a_minute__is_critical_at_any_share)
{
	struct rig r;
	const struct finding *f;

	churn(&r, 600, 5); /* 3,000 ports, 11 %; 25,232 left last 42 s */
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_int_equal(f->stage, STAGE_ABOUT_TO_FAIL);
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_text(f->what, "at this rate connect() fails in 42 s");
	assert_text(f->evidence, "= 3,000 < 0.35 x 28,232 usable; closes 600/s > (28,232 - 0 live)/60 s = 471/s");
	assert_text(f->evidence, "forecast 42 s < 60 s");
}

TEST(PORT001__rate_that_can_go_on_for_ever__silent)
{
	struct rig r;

	churn(&r, 470, 5);
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
}

TEST(PORT001__one_burst_of_closes__is_no_rate)
{
	struct rig r;

	churn(&r, 1000, 2);
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
	churn(&r, 1000, 3);
	rig_eval(&r, &rule_PORT001);
	rig_only(&r);
}

TEST(PORT001__tiny_range__counts_too)
{
	struct rig r;
	struct dest *d;
	const struct finding *f;

	rig_init(&r);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40199);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	d->tw_in_range = d->states.n[ST_TIME_WAIT] = 200;
	d->tw_ages.s[30] = 200;
	d->ports_low_parity = d->ports_other_parity = 100;
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_text(f->what, "200 of 200 local ports");
	assert_text(f->what, "free in 30 s");
}

TEST(PORT001__time_wait_that_may_be_reused__does_not_count)
{
	struct rig r;

	client(&r, RIG_USABLE);
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
	rig_knob(&r, KNOB_timestamps, 0); /* inert without timestamps */
	rig_eval(&r, &rule_PORT001);
	rig_only(&r);
}

TEST(PORT001__range_unknown__silent)
{
	struct rig r;

	client(&r, RIG_USABLE);
	rig_knob_unknown(&r, KNOB_port_high);
	rig_eval(&r, &rule_PORT001);
	rig_silent(&r);
}

TEST(PORT001__names_the_process)
{
	struct rig r;
	struct dest *d = client(&r, RIG_USABLE);
	const struct finding *f;

	d->proc = rig_proc(&r, 812, "nginx");
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_string_equal(f->process, "nginx[812]");
	assert_text(f->remedies[0].action, "Reuse connections in nginx[812]");
}

TEST(PORT001__remedies__come_in_safe_order_with_exact_commands)
{
	struct rig r;
	const struct finding *f;

	client(&r, RIG_USABLE);
	rig_listener(&r, NULL, 8080);
	rig_listener(&r, NULL, 9090);
	rig_listener(&r, NULL, 22);
	rig_reserve(&r, 5000, 5001);
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_int_equal(f->n_remedies, 6);
	assert_text(f->remedies[0].action, "Reuse connections");
	assert_text(f->remedies[1].action, "Spread over more destination addresses");
	assert_string_equal(f->remedies[2].command, "sysctl -w net.ipv4.ip_local_reserved_ports=5000-5001,8080,9090");
	assert_string_equal(f->remedies[3].command, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
	assert_text(f->remedies[3].precondition, "reservation above");
	assert_text(f->remedies[3].precondition, "NodePort");
	assert_string_equal(f->remedies[4].command, "sysctl -w net.ipv4.tcp_tw_reuse=1");
	assert_text(f->remedies[4].precondition, "timestamps are on at 10.0.0.2 too");
	assert_string_equal(f->remedies[5].command, "ss -K state time-wait src 10.0.0.1 dst 10.0.0.2 dport = :80");
}

TEST(PORT001__remedies__leave_out_what_does_not_apply)
{
	struct rig r;
	struct dest *d = client(&r, RIG_USABLE);
	const struct finding *f;

	rig_knob(&r, KNOB_port_low, 1024);
	rig_knob(&r, KNOB_port_high, 65535);
	rig_dest_time_wait(&r, d, 64512 - RIG_USABLE);
	rig_kernel(&r, KV(5, 10));
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_null(rig_remedy(f, "ip_local_port_range="));
	assert_null(rig_remedy(f, "ss -K")); /* TIME_WAIT could not be destroyed before 6.0 */
	assert_non_null(rig_remedy(f, "tcp_tw_reuse=1"));
}

TEST(PORT001__reuse_already_on__offers_an_earlier_one)
{
	struct rig r;
	struct dest *d = client(&r, RIG_USABLE);
	const struct finding *f;

	rig_knob(&r, KNOB_tw_reuse, 1);
	d->tw_reusable = 0;
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_null(rig_remedy(f, "tcp_tw_reuse=1"));
	assert_non_null(rig_remedy(f, "net.ipv4.tcp_tw_reuse_delay=100"));
	rig_knob_unknown(&r, KNOB_tw_reuse_delay_ms); /* before 6.14 */
	rig_eval(&r, &rule_PORT001);
	assert_null(rig_remedy(rig_only(&r), "tcp_tw_reuse"));
}

TEST(PORT001__timestamps_off__switches_them_on_first)
{
	struct rig r;

	client(&r, RIG_USABLE);
	rig_knob(&r, KNOB_timestamps, 0);
	rig_eval(&r, &rule_PORT001);
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_timestamps=1 net.ipv4.tcp_tw_reuse=1"));
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_eval(&r, &rule_PORT001);
	assert_null(rig_remedy(rig_only(&r), "net.ipv4.tcp_tw_reuse=1"));
	assert_non_null(rig_remedy(rig_only(&r), "sysctl -w net.ipv4.tcp_timestamps=1"));
}

TEST(PORT001__live_connections__get_no_time_wait_cure)
{
	struct rig r;
	struct dest *d;
	const struct finding *f;

	rig_init(&r);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	rig_dest_established(&r, d, 28000);
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_text(f->evidence, "TIME_WAIT 0 + live 28,000 = 28,000 >= 0.98 x 28,232");
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_text(f->remedies[0].action, "28,000 to 10.0.0.2:80 are live");
	assert_null(rig_remedy(f, "tw_reuse"));
	assert_null(rig_remedy(f, "ss -K"));
}

TEST(PORT001__other_namespace__commands_enter_it)
{
	struct rig r;

	client(&r, RIG_USABLE);
	rig_netns(&r, "3f2c1a", 4711);
	rig_eval(&r, &rule_PORT001);
	assert_non_null(rig_remedy(rig_only(&r), "nsenter -t 4711 -n sysctl -w net.ipv4.tcp_tw_reuse=1"));
	assert_non_null(rig_remedy(rig_only(&r), "nsenter -t 4711 -n ss -K state time-wait"));
	assert_string_equal(rig_only(&r)->netns, "3f2c1a");
}

TEST(PORT001__ipv6__the_filter_is_in_brackets)
{
	struct rig r;
	struct dest *d;

	rig_init(&r);
	d = rig_dest(&r, "2001:db8::1", "2001:db8::2", 443);
	rig_dest_time_wait(&r, d, RIG_USABLE);
	rig_eval(&r, &rule_PORT001);
	assert_non_null(rig_remedy(rig_only(&r), "src '[2001:db8::1]' dst '[2001:db8::2]' dport = :443"));
}

TEST(PORT001__many_destinations__the_rest_is_summed)
{
	struct rig r;

	rig_init(&r);
	for (uint16_t i = 0; i < 12; i++)
		rig_dest_time_wait(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i)), 20000);
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_no_text(r.found.v[0].what, "more destination");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 4 more destinations)");
}

TEST(PORT001__more_than_eight_destinations__the_worst_are_told)
{
	struct rig r;

	rig_init(&r);
	for (uint32_t i = 0; i < PER_RULE_MAX; i++)
		rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i)), 12000u + i);
	rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.9", 443), 28000); /* fails */
	churn_more(&r, 900, 8); /* 7,200 ports, 26 %, but gone in 23 s */
	rig_eval(&r, &rule_PORT001);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[0].what, "10.0.0.9:443");
	assert_int_equal(r.found.v[0].stage, STAGE_FAILING);
	assert_text(r.found.v[1].what, "10.0.0.8:80");
	assert_int_equal(r.found.v[1].severity, SEV_CRIT);
	assert_text(r.found.v[2].what, "12,007 of 28,232");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "12,002 of 28,232");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 2 more destinations)");
}

TEST(PORT001__time_wait_outside_the_range__takes_no_port)
{
	struct rig r;
	struct dest *d;
	const struct finding *f;

	rig_init(&r);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40499);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	d->states.n[ST_ESTABLISHED] = 300;
	d->states.n[ST_TIME_WAIT] = 400; /* of a program that binds ports 50000 and up */
	d->ports_low_parity = 250;
	d->ports_other_parity = 50;
	d->ports_outside = 400;
	rig_eval(&r, &rule_PORT001);
	f = rig_only(&r);
	assert_text(f->evidence, "TIME_WAIT 0 + live 300 = 300 >= 0.35 x 500 usable");
	assert_text(f->evidence, "(500 - 300 live)/60 s = 3.3/s sustainable");
	assert_null(rig_remedy(f, "tcp_tw_reuse=1"));
}

/* Two periods at 100/s that begin and end in the middle of a second, and silence since. */
TEST(PORT001__busy_periods__are_rated_without_their_partly_filled_ends)
{
	static const uint32_t ages[] = {50, 100, 100, 100, 100, 30, 0, 0, 0, 20, 100, 100, 80};
	struct rig r;
	struct dest *d;

	rig_init(&r);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40779);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	for (size_t s = 0; s < ARRAY_LEN(ages); s++) {
		d->tw_ages.s[s + 10] = ages[s];
		d->tw_in_range += ages[s];
	}
	d->states.n[ST_TIME_WAIT] = d->tw_in_range;
	d->ports_low_parity = d->ports_other_parity = d->tw_in_range / 2;
	rig_eval(&r, &rule_PORT001);
	assert_text(rig_only(&r)->evidence, "closes 100/s > (780 - 0 live)/60 s = 13/s sustainable");
	assert_text(rig_only(&r)->evidence, "outage law: 7.8 s of service, then 52 s of failures");
}

TEST(PORT001__busy_periods_of_one_or_two_seconds__count_whole)
{
	struct rig r;
	struct dest *d;

	rig_init(&r);
	rig_knob(&r, KNOB_port_low, 40000);
	rig_knob(&r, KNOB_port_high, 40199);
	d = rig_dest(&r, "10.0.0.1", "10.0.0.2", 80);
	d->tw_ages.s[20] = 90;
	d->tw_ages.s[21] = 70;
	d->tw_ages.s[30] = 40;
	d->states.n[ST_TIME_WAIT] = d->tw_in_range = 200;
	d->ports_low_parity = d->ports_other_parity = 100;
	rig_eval(&r, &rule_PORT001);
	assert_text(rig_only(&r)->evidence, "closes 67/s >");
}

/* ---- PORT002 ---- */

TEST(PORT002__more_than_eight_destinations__the_worst_are_told)
{
	struct rig r;

	rig_init(&r);
	for (uint32_t i = 0; i <= PER_RULE_MAX; i++)
		rig_dest_established(&r, rig_dest(&r, "10.0.0.1", "10.0.0.2", (uint16_t)(80 + i)), 15000u + i);
	rig_eval(&r, &rule_PORT002);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[0].what, "10.0.0.2:88");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "10.0.0.2:81");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more destination)");
}

static struct dest *cliff(struct rig *r, uint32_t low, uint32_t other)
{
	struct dest *d;

	rig_init(r);
	d = rig_dest(r, "10.0.0.1", "10.0.0.2", 80);
	d->states.n[ST_ESTABLISHED] = low + other;
	d->ports_low_parity = low;
	d->ports_other_parity = other;
	return d;
}

TEST(PORT002__low_parity_below_99_percent__silent)
{
	struct rig r;

	cliff(&r, 13974, 1); /* 0.99 x 14,116 = 13,974.8 */
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
}

TEST(PORT002__low_parity_used_up__warns)
{
	struct rig r;
	const struct finding *f;

	cliff(&r, 13975, 1);
	rig_eval(&r, &rule_PORT002);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_text(f->what, "13,975 of 14,116 even local ports of 10.0.0.1 towards 10.0.0.2:80 are taken");
	assert_text(f->evidence, "13,975 >= 0.99 x 14,116");
	assert_text(f->evidence, "0.36 to 0.75 ms");
	assert_non_null(rig_remedy(f, "IP_LOCAL_PORT_RANGE"));
	assert_null(rig_remedy(f, "tcp_tw_reuse")); /* there is no TIME_WAIT */
}

TEST(PORT002__no_port_of_the_other_parity__silent)
{
	struct rig r;

	cliff(&r, 14116, 0);
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
}

TEST(PORT002__full_range__is_left_to_PORT001)
{
	struct rig r;

	cliff(&r, 14116, 13551); /* 0.98 x 28,232 = 27,667.4 */
	rig_eval(&r, &rule_PORT002);
	rig_only(&r);
	cliff(&r, 14116, 13552);
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
}

TEST(PORT002__reusable_time_wait__hides_the_cliff)
{
	struct rig r;
	struct dest *d = cliff(&r, 14116, 1000);

	d->tw_in_range = d->states.n[ST_TIME_WAIT] = 142;
	d->tw_reusable = 142;
	rig_eval(&r, &rule_PORT002);
	assert_non_null(rig_remedy(rig_only(&r), "tcp_tw_reuse=1"));
	rig_knob(&r, KNOB_tw_reuse, 1);
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
	d->tw_reusable = 141; /* too few: the search is long before it meets one */
	rig_eval(&r, &rule_PORT002);
	rig_only(&r);
}

TEST(PORT002__scattered_search__has_no_cliff)
{
	struct rig r;

	cliff(&r, 14116, 1000);
	rig_knob(&r, KNOB_port_step_width, 8);
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
	rig_knob(&r, KNOB_port_step_width, 0);
	rig_eval(&r, &rule_PORT002);
	rig_only(&r);
}

TEST(PORT002__small_range__costs_little)
{
	struct rig r;

	cliff(&r, 500, 10);
	rig_knob(&r, KNOB_port_low, 40001);
	rig_knob(&r, KNOB_port_high, 41000);
	rig_eval(&r, &rule_PORT002);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "500 of 500 odd local ports");
}

TEST(PORT002__range_unknown__silent)
{
	struct rig r;

	cliff(&r, 14116, 1000);
	rig_knob_unknown(&r, KNOB_port_low);
	rig_eval(&r, &rule_PORT002);
	rig_silent(&r);
}

TEST(PORT002__old_kernel__has_no_socket_range)
{
	struct rig r;

	cliff(&r, 14116, 1000);
	rig_kernel(&r, KV(6, 1));
	rig_eval(&r, &rule_PORT002);
	assert_null(rig_remedy(rig_only(&r), "IP_LOCAL_PORT_RANGE"));
}

RUN(T(PORT001__no_destination__silent), T(PORT001__one_burst__has_no_rate_and_no_outage_law),
    T(PORT001__below_35_percent__silent), T(PORT001__at_35_percent__warns_and_spells_the_inequality),
    T(PORT001__at_90_percent__is_critical_but_not_yet_failing), T(PORT001__at_98_percent__fails_now),
    T(PORT001__all_ports_taken__fails_now_and_says_when_the_first_comes_back),
    T(PORT001__full_but_connections_still_open__is_not_certain),
    T(PORT001__nearly_full_and_connections_still_open__is_medium), T(PORT001__past_the_cliff__says_so),
    T(PORT001__cliff_ahead__says_when), T(PORT001__torn_dump__lowers_the_confidence),
    T(PORT001__forecast_of_failure_within_a_minute__is_critical_at_any_share),
    T(PORT001__rate_that_can_go_on_for_ever__silent), T(PORT001__one_burst_of_closes__is_no_rate),
    T(PORT001__tiny_range__counts_too), T(PORT001__time_wait_that_may_be_reused__does_not_count),
    T(PORT001__range_unknown__silent), T(PORT001__names_the_process),
    T(PORT001__remedies__come_in_safe_order_with_exact_commands), T(PORT001__remedies__leave_out_what_does_not_apply),
    T(PORT001__reuse_already_on__offers_an_earlier_one), T(PORT001__timestamps_off__switches_them_on_first),
    T(PORT001__live_connections__get_no_time_wait_cure), T(PORT001__other_namespace__commands_enter_it),
    T(PORT001__ipv6__the_filter_is_in_brackets), T(PORT001__many_destinations__the_rest_is_summed),
    T(PORT001__more_than_eight_destinations__the_worst_are_told),
    T(PORT001__time_wait_outside_the_range__takes_no_port),
    T(PORT001__busy_periods__are_rated_without_their_partly_filled_ends),
    T(PORT001__busy_periods_of_one_or_two_seconds__count_whole),
    T(PORT002__more_than_eight_destinations__the_worst_are_told), T(PORT002__low_parity_below_99_percent__silent),
    T(PORT002__low_parity_used_up__warns), T(PORT002__no_port_of_the_other_parity__silent),
    T(PORT002__full_range__is_left_to_PORT001), T(PORT002__reusable_time_wait__hides_the_cliff),
    T(PORT002__scattered_search__has_no_cliff), T(PORT002__small_range__costs_little),
    T(PORT002__range_unknown__silent), T(PORT002__old_kernel__has_no_socket_range))
