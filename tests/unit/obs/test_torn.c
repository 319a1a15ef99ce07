/* SPDX-License-Identifier: MIT */
/* test_torn.c - what a snapshot says about a dump that was interrupted twice, or met more than is kept. */
#include "tests/unit/t.h"

#include "obs/diag.h"
#include "obs/obs.h"
#include "tests/unit/obs/rows.h"

int __wrap_diag_dump(struct diag *d, const struct diag_query *q, const struct diag_sink *sink, bool *ret_torn,
		     struct why *w);

static bool torn;
static uint32_t n_dests;

int __wrap_diag_dump(struct diag *d, const struct diag_query *q, const struct diag_sink *sink, bool *ret_torn,
		     struct why *w)
{
	(void)d, (void)q, (void)w;
	for (uint32_t i = 0; i < n_dests; i++)
		sink->row(sink->ctx,
			  ROW(.state = ST_TIME_WAIT, .src = IP4(10, 0, 0, 1), .sport = 40000, .dport = 80,
			      .dst = IP4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i), MINI_AGED(0)));
	*ret_torn = torn;
	return 0;
}

/* Is this said, as something that could not be seen? */
static bool is_blind_to(const char *what)
{
	const struct obs_cfg self = {.scope = OBS_NETNS_SELF, .depth = OBS_COUNTS, .root = ""};
	struct snapshot s = {0};
	struct why w = {""};
	bool found = false;
	struct obs *o;

	assert_int_equal(obs_new(&self, &o, &w), 0);
	assert_int_equal(obs_snapshot(o, &s, &w), 0);
	for (size_t i = 0; i < s.netns[0].n_missing; i++)
		found |= s.netns[0].missing[i].blind && strcmp(s.netns[0].missing[i].what, what) == 0;
	snapshot_done(&s);
	obs_free(o);
	return found;
}

TEST(snapshot__of_a_torn_dump__says_so)
{
	assert_false(is_blind_to("a stable socket dump"));
	torn = true;
	assert_true(is_blind_to("a stable socket dump"));
	torn = false;
}

TEST(snapshot__with_more_destinations_than_are_kept__says_so)
{
	n_dests = DESTS_MAX;
	assert_false(is_blind_to("destinations beyond 32,768"));
	n_dests++;
	assert_true(is_blind_to("destinations beyond 32,768"));
}

RUN(T(snapshot__of_a_torn_dump__says_so), T(snapshot__with_more_destinations_than_are_kept__says_so))
