/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "model/forecast.h"
#include <math.h>

enum { LOW = 32768, HIGH = 60999, USABLE = 28232 };

static struct port_budget budget(int64_t tw_reuse, int64_t timestamps)
{
	struct netns ns = {0};

	return port_budget(&ns, LOW, HIGH, tw_reuse, 1000, timestamps);
}

/* A destination that has closed per_s connections a second for the last `seconds`. */
static struct dest churn(uint32_t per_s, unsigned seconds)
{
	struct dest d = {0};

	for (unsigned i = 0; i < seconds && i < 60; i++) {
		d.tw_ages.s[i] = per_s;
		d.states.n[ST_TIME_WAIT] += per_s;
		d.tw_reusable += i >= 1 ? per_s : 0;
	}
	d.ports_low_parity = d.tw_in_range = d.states.n[ST_TIME_WAIT];
	return d;
}

static void near(double got, double want, double tolerance)
{
	if (fabs(got - want) > tolerance)
		fail_msg("%g is not within %g of %g", got, tolerance, want);
}

TEST(port_budget__counts_parities_and_leaves_reserved_ports_out)
{
	struct port_range reserved[] = {{1, 100}, {32768, 32769}, {60999, 65535}};
	struct netns ns = {.reserved = reserved, .n_reserved = 3};
	struct port_budget b = port_budget(&ns, LOW, HIGH, 2, 1000, 1);

	assert_int_equal(b.usable, USABLE - 3);
	assert_int_equal(b.usable_low_parity, USABLE / 2 - 1);
	assert_true(b.reuse_loopback && !b.reuse_any);
	b = port_budget(&(struct netns){0}, 1001, 1003, 1, 1000, 1);
	assert_int_equal(b.usable, 3);
	assert_int_equal(b.usable_low_parity, 2);
	assert_true(b.reuse_any);
}

/* Against counting port by port. */
static void budget_is(struct port_range *reserved, size_t n, uint32_t low, uint32_t high)
{
	struct netns ns = {.reserved = reserved, .n_reserved = n};
	struct port_budget b = port_budget(&ns, low, high, 0, 1000, 1);
	uint32_t usable = 0, same = 0;

	for (uint32_t port = low; port <= high; port++) {
		bool free = true;

		for (size_t i = 0; i < n; i++)
			free &= port < reserved[i].low || port > reserved[i].high;
		usable += free;
		same += free && port % 2 == low % 2;
	}
	assert_int_equal(b.usable, usable);
	assert_int_equal(b.usable_low_parity, same);
}

TEST(port_budget__ranges_at_every_place__count_as_port_by_port)
{
	for (uint16_t low = 97; low <= 112; low++)
		for (uint16_t high = low; high <= 112; high++) {
			struct port_range one = {low, high}, two[2] = {{98, 104}, {low, high}};

			budget_is(&one, 1, 100, 109);
			budget_is(&one, 1, 101, 109);
			budget_is(&one, 1, 105, 105);
			if (low > 104)
				budget_is(two, 2, 100, 109);
		}
}

TEST(port_budget__as_many_ranges_as_there_can_be__takes_no_time)
{
	static struct port_range reserved[32767];
	struct netns ns = {.reserved = reserved, .n_reserved = ARRAY_LEN(reserved)};
	struct port_budget b = {0};

	for (uint32_t i = 0; i < ARRAY_LEN(reserved); i++)
		reserved[i].low = reserved[i].high = (uint16_t)(2 * i + 2);
	for (int i = 0; i < 100; i++) /* 1e11 comparisons if each port were looked for in the list */
		b = port_budget(&ns, 1, 65535, 0, 1000, 1);
	assert_int_equal(b.usable, 32768);
	assert_int_equal(b.usable_low_parity, 32768);
}

TEST(port_budget__unreadable_range__is_not_known)
{
	struct netns ns = {0};

	assert_false(port_budget(&ns, 0, 0, 2, 1000, 1).known);
	assert_false(port_budget(&ns, 5000, 4000, 2, 1000, 1).known);
	assert_false(port_budget(&ns, 5000, 70000, 2, 1000, 1).known);
}

TEST(port_budget__timestamps_off__reuse_is_inert)
{
	assert_false(budget(1, 0).reuse_any);
	assert_false(budget(2, 0).reuse_loopback);
}

/* The measured cases of peers.md B 2.4: range of 4000 ports, forecast after 10 s at the rate. */
TEST(forecast__replays_the_measured_cases)
{
	struct netns ns = {0};
	struct port_budget b = port_budget(&ns, 40000, 43999, 0, 1000, 1);
	struct dest at_100 = churn(100, 10), at_150 = churn(150, 10), at_60 = churn(60, 10);

	near(forecast(&at_100, &b).to_fail_s, 30, 0.01);
	near(forecast(&at_150, &b).to_fail_s, 16.7, 0.1);
	assert_true(isinf(forecast(&at_60, &b).to_fail_s));
	near(forecast(&at_60, &b).steady_used, 3600, 0.01);
}

TEST(forecast__cliff_is_at_half_the_range)
{
	struct port_budget b = budget(0, 1);
	struct dest d = churn(1000, 10);
	struct forecast f = forecast(&d, &b);

	near(f.to_cliff_s, (USABLE / 2.0 - 10000) / 1000, 0.01);
	near(f.to_fail_s, (USABLE - 10000) / 1000.0, 0.01);
}

TEST(forecast__ports_that_come_back_in_time__are_counted)
{
	struct port_budget b = budget(0, 1);
	struct dest d = churn(450, 60); /* 27,000 in use and steady */
	struct forecast f = forecast(&d, &b);

	assert_int_equal(f.used, 27000);
	assert_true(isinf(f.to_fail_s));
	near(f.closes_per_s, 450, 0.01);
	near(f.steady_used, 27000, 0.01);
}

TEST(forecast__exhausted__is_zero_seconds_away)
{
	struct port_budget b = budget(0, 1);
	struct dest d = churn(USABLE, 1);

	assert_true(forecast(&d, &b).to_fail_s == 0);
	assert_true(forecast(&d, &b).to_cliff_s == 0);
}

TEST(forecast__reuse__counts_only_what_is_younger_than_the_delay)
{
	struct port_budget any = budget(1, 1), loopback_only = budget(2, 1);
	struct dest d = churn(500, 60);

	assert_int_equal(dest_ports_used(&d, &any), 500);
	assert_int_equal(dest_ports_used(&d, &loopback_only), 30000);
	assert_true(isinf(forecast(&d, &any).to_fail_s));
	d.loopback = true;
	assert_int_equal(dest_ports_used(&d, &loopback_only), 500);
	d = churn(40000, 1); /* 40,000 a second outrun 28,232 ports that rest a second each */
	d.ports_low_parity = 10000;
	assert_false(isinf(forecast(&d, &any).to_fail_s));
}

TEST(forecast__young_burst__is_rated_over_its_own_length)
{
	struct port_budget b = budget(0, 1);
	struct dest d = churn(300, 2);

	near(forecast(&d, &b).closes_per_s, 300, 0.01);
}

TEST(forecast__late_entries__are_expected_back_at_once)
{
	struct dest d = {.ports_low_parity = 100, .states.n[ST_TIME_WAIT] = 100, .tw_in_range = 100};
	struct netns ns = {0};
	struct port_budget b = port_budget(&ns, 40000, 40101, 0, 1000, 1);

	d.tw_ages.s[AGE_SECONDS - 1] = 100; /* all of them older than 60 s */
	assert_true(isinf(forecast(&d, &b).to_fail_s));
}

TEST(forecast__time_wait_outside_the_range__leaves_the_live_ports_alone)
{
	struct netns ns = {0};
	struct port_budget b = port_budget(&ns, 40000, 40499, 1, 1000, 1);
	struct dest d = {.ports_low_parity = 250, .ports_other_parity = 50, .ports_outside = 400};

	d.states.n[ST_ESTABLISHED] = 300;
	d.states.n[ST_TIME_WAIT] = 400;
	near(forecast(&d, &b).steady_used, 300, 0.01);
}

TEST(dest_may_reuse__where_tcp_tw_reuse_says)
{
	struct port_budget never = budget(0, 1), any = budget(1, 1), loopback = budget(2, 1);
	struct dest here = {.loopback = true}, there = {.loopback = false};

	assert_false(dest_may_reuse(&here, &never) || dest_may_reuse(&there, &never));
	assert_true(dest_may_reuse(&here, &any) && dest_may_reuse(&there, &any));
	assert_true(dest_may_reuse(&here, &loopback));
	assert_false(dest_may_reuse(&there, &loopback));
}

RUN(T(port_budget__counts_parities_and_leaves_reserved_ports_out), T(port_budget__unreadable_range__is_not_known),
    T(port_budget__ranges_at_every_place__count_as_port_by_port),
    T(port_budget__as_many_ranges_as_there_can_be__takes_no_time),
    T(forecast__time_wait_outside_the_range__leaves_the_live_ports_alone), T(dest_may_reuse__where_tcp_tw_reuse_says),
    T(port_budget__timestamps_off__reuse_is_inert), T(forecast__replays_the_measured_cases),
    T(forecast__cliff_is_at_half_the_range), T(forecast__ports_that_come_back_in_time__are_counted),
    T(forecast__exhausted__is_zero_seconds_away), T(forecast__reuse__counts_only_what_is_younger_than_the_delay),
    T(forecast__young_burst__is_rated_over_its_own_length), T(forecast__late_entries__are_expected_back_at_once))
