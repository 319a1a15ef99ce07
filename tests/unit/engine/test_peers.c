/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "engine/timewait.h"
#include <stdlib.h>

static const nsec_t start = 1000 * NSEC_PER_S;

static struct addr host(uint32_t i) { return addr_from_v4_word(0x0a000000 + i); }

static struct peers *new_peers(uint32_t n)
{
	void *mem = malloc(peers_size(n));

	assert_non_null(mem);
	return peers_init(mem, n, (struct hash_key){3, 4});
}

TEST(peers__unknown_host__is_not_refused)
{
	struct peers *p = new_peers(8);
	struct addr a = host(1), b = host(2);

	assert_false(peers_refuse(p, &a, 0, start));
	peers_note(p, &a, 5000, start);
	assert_false(peers_refuse(p, &b, 1, start));
	free(p);
}

TEST(peers__older_timestamp__refused_for_60_s)
{
	struct peers *p = new_peers(8);
	struct addr a = host(1);

	peers_note(p, &a, 5000, start);
	assert_true(peers_refuse(p, &a, 4998, start));
	assert_true(peers_refuse(p, &a, 1, start + 60 * NSEC_PER_S - 1));
	assert_false(peers_refuse(p, &a, 1, start + 60 * NSEC_PER_S));
	free(p);
}

TEST(peers__timestamp_one_tick_older_or_newer__not_refused)
{
	struct peers *p = new_peers(8);
	struct addr a = host(1);

	peers_note(p, &a, 5000, start);
	assert_false(peers_refuse(p, &a, 4999, start));
	assert_false(peers_refuse(p, &a, 5000, start));
	assert_false(peers_refuse(p, &a, 5001, start));
	free(p);
}

TEST(peers__timestamps_wrap__compared_as_numbers_on_a_circle)
{
	struct peers *p = new_peers(8);
	struct addr a = host(1);

	peers_note(p, &a, 5, start);
	assert_true(peers_refuse(p, &a, 0xfffffff0, start));
	peers_note(p, &a, 0x7ffffff0, start);
	assert_false(peers_refuse(p, &a, 0x80000010, start));
	free(p);
}

TEST(peers__noted_again__the_newest_counts_for_60_s_then_the_latest)
{
	struct peers *p = new_peers(8);
	struct addr a = host(1);

	peers_note(p, &a, 5000, start);
	peers_note(p, &a, 3000, start + 60 * NSEC_PER_S); /* a host behind the same NAT */
	assert_false(peers_refuse(p, &a, 4000, start + 60 * NSEC_PER_S)); /* 60 s after the note of 5000 */
	assert_true(peers_refuse(p, &a, 4000, start + 59 * NSEC_PER_S));
	peers_note(p, &a, 3000, start + 60 * NSEC_PER_S + 1);
	assert_false(peers_refuse(p, &a, 4000, start + 61 * NSEC_PER_S));
	assert_true(peers_refuse(p, &a, 2000, start + 61 * NSEC_PER_S));
	free(p);
}

TEST(peers__more_hosts_than_places__later_ones_are_remembered)
{
	struct peers *p = new_peers(16);
	unsigned remembered = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		struct addr a = host(i);
		peers_note(p, &a, 5000, start);
		assert_true(peers_refuse(p, &a, 1, start));
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr a = host(i);
		remembered += peers_refuse(p, &a, 1, start);
	}
	assert_int_equal(remembered, 16);
	free(p);
}

RUN(T(peers__unknown_host__is_not_refused), T(peers__older_timestamp__refused_for_60_s),
    T(peers__timestamp_one_tick_older_or_newer__not_refused),
    T(peers__timestamps_wrap__compared_as_numbers_on_a_circle),
    T(peers__noted_again__the_newest_counts_for_60_s_then_the_latest),
    T(peers__more_hosts_than_places__later_ones_are_remembered))
