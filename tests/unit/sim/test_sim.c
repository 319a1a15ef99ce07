/* SPDX-License-Identifier: MIT */
/* Whole runs. Thousands of seeds are run by `lastack sim`; here is what a run promises to who calls it. */
#include "tests/unit/t.h"

#include <errno.h>
#include <stdlib.h>

#include "sim/sim.h"

static void *memory(void)
{
	static void *mem;

	if (!mem) {
		mem = aligned_alloc(64, (sim_size() + 63) / 64 * 64);
		memset(mem, 0, sim_size());
	}
	return mem;
}

static struct sim_report run_seed(uint64_t seed, struct setup_wishes wishes)
{
	struct sim_cfg cfg = {.seed = seed, .wishes = wishes};
	struct sim_report r;

	sim_run(memory(), &cfg, &r);
	return r;
}

static const struct setup_wishes anything = {.policy = -1};

TEST(a_seed__gives_the_same_run_whatever_ran_before)
{
	uint64_t hash[50];

	for (uint64_t i = 0; i < ARRAY_LEN(hash); i++)
		hash[i] = run_seed(i, anything).hash;
	for (uint64_t i = ARRAY_LEN(hash); i-- > 0;)
		assert_int_equal(run_seed(i, anything).hash, hash[i]);
	for (uint64_t i = 1; i < ARRAY_LEN(hash); i++)
		assert_int_not_equal(hash[i], hash[i - 1]);
}

TEST(a_seed__gives_the_same_run_in_other_memory)
{
	struct sim_cfg cfg = {.seed = 5, .wishes = anything};
	struct sim_report here = run_seed(5, anything), there;
	void *other = aligned_alloc(64, (sim_size() + 63) & ~(size_t)63);

	memset(other, 0, sim_size());
	sim_run(other, &cfg, &there);
	assert_int_equal(here.hash, there.hash);
	assert_memory_equal(&here.totals, &there.totals, sizeof(here.totals));
	free(other);
}

TEST(two_hundred_seeds__keep_every_rule)
{
	for (uint64_t i = 1000; i < 1200; i++) {
		struct sim_report r = run_seed(i, anything);

		assert_int_equal(r.err, 0);
		if (r.verdict.failed)
			fail_msg("seed %u: %s: %s", (unsigned)i, checkers[r.verdict.checker].name, r.verdict.why.text);
	}
}

TEST(without_faults__none_is_counted)
{
	for (uint64_t i = 0; i < 20; i++) {
		struct sim_report r = run_seed(i, (struct setup_wishes){.policy = -1, .faults = SIM_FAULTS_NONE});

		for (unsigned f = 0; f < N_FAULTS; f++)
			assert_int_equal(r.totals.fault[f], 0);
	}
}

TEST(every_policy_and_number_of_hosts__runs)
{
	for (int policy = 0; policy < N_POLICIES; policy++)
		for (unsigned hosts = 2; hosts <= HOSTS_MAX; hosts++) {
			struct sim_report r = run_seed(hosts, (struct setup_wishes){.policy = policy, .hosts = hosts});

			assert_int_equal(r.err, 0);
			assert_false(r.verdict.failed);
			assert_true(r.totals.connects > 0);
		}
}

TEST(a_setting__wins_over_what_is_drawn)
{
	static const struct knob_setting none[] = {{"engine.time_wait_ms", "0"}}, bad[] = {{"nonsense", "1"}};

	for (uint64_t i = 0; i < 20; i++) {
		struct sim_report r = run_seed(i, (struct setup_wishes){.policy = -1, .set = none, .n_set = 1});

		assert_false(r.verdict.failed);
		assert_int_equal(r.totals.tw_ends[TW_REOPEN] + r.totals.tw_ends[TW_CONNECT], 0);
	}
	assert_int_equal(run_seed(1, (struct setup_wishes){.policy = -1, .set = bad, .n_set = 1}).err, -ENOENT);
}

struct taps {
	uint64_t packets, lines;
	nsec_t last;
};

static void on_packet(void *arg, nsec_t at, const uint8_t *packet, size_t len)
{
	struct taps *t = arg;

	assert_true(at >= t->last && len >= 40);
	t->last = at;
	t->packets++;
}

static void on_line(void *arg, nsec_t at, unsigned host, const char *line) { ((struct taps *)arg)->lines++; }

TEST(watching__changes_nothing)
{
	struct taps t = {0};
	struct sim_cfg cfg = {
		.seed = 9, .wishes = anything, .tap = on_packet, .tap_arg = &t, .log = on_line, .log_arg = &t};
	struct sim_report plain = run_seed(9, anything), watched;

	sim_run(memory(), &cfg, &watched);
	assert_int_equal(plain.hash, watched.hash);
	assert_int_equal(t.packets, watched.totals.delivered);
	assert_true(t.lines > t.packets);
}

TEST(totals__add_up)
{
	struct sim_report one = run_seed(1, anything), two = run_seed(2, anything);
	struct sim_totals sum = {0};

	sim_add(&sum, &one.totals);
	sim_add(&sum, &two.totals);
	assert_int_equal(sum.runs, 2);
	assert_int_equal(sum.packets, one.totals.packets + two.totals.packets);
	assert_int_equal(sum.time, one.totals.time + two.totals.time);
}

RUN(T(a_seed__gives_the_same_run_whatever_ran_before), T(a_seed__gives_the_same_run_in_other_memory),
    T(two_hundred_seeds__keep_every_rule), T(without_faults__none_is_counted),
    T(every_policy_and_number_of_hosts__runs), T(a_setting__wins_over_what_is_drawn), T(watching__changes_nothing),
    T(totals__add_up))
