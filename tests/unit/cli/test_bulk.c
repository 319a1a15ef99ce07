/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "cli/bulk.h"
#include "cli/complain.h"
#include "tests/unit/cli/run.h"

enum { OCTETS = 3000000 };

static void moves(struct bulk_cfg cfg)
{
	struct why w = {""};
	struct bulk b;

	assert_int_equal(bulk_init(&b, &cfg, &w), 0);
	assert_int_equal(bulk_move(&b, OCTETS), 0);
	assert_int_equal(b.read, OCTETS);
	assert_int_equal(b.written, OCTETS);
	if (b.packets < OCTETS / BULK_SEGMENT + 1 || b.packets > 3 * OCTETS / BULK_SEGMENT)
		fail_msg("%llu packets: segments are not of %d octets", (unsigned long long)b.packets, BULK_SEGMENT);
	bulk_done(&b);
}

TEST(one_connection__moves_all_octets_in_full_segments)
{
	moves((struct bulk_cfg){.buffer = 65536, .timestamps = true});
	moves((struct bulk_cfg){.buffer = 262144, .timestamps = true, .ipv6 = true});
	moves((struct bulk_cfg){.buffer = 16384});
}

TEST(a_buffer_that_is_no_power_of_two__is_refused)
{
	RUN_CLI(r, "bench", "bulk", "--buffer", "3000");

	assert_int_equal(r.code, EXIT_INTERNAL);
	assert_non_null(strstr(r.err, "buffers of 3000 octets"));
	run_done(&r);
}

TEST(goodput__is_told_beside_the_model)
{
	RUN_CLI(r, "bench", "goodput", "--kernel-seconds", "0");

	assert_int_equal(r.code, EXIT_FINE);
	assert_non_null(strstr(r.out, "CUBIC's model, RFC 9438 5         7.09 Mbit/s"));
	assert_non_null(strstr(r.out, "-  (not asked for)"));
	assert_non_null(strstr(r.out, "lastack in simulation"));
	assert_non_null(strstr(r.out, "10 flows"));
	run_done(&r);
}

RUN(T(one_connection__moves_all_octets_in_full_segments), T(a_buffer_that_is_no_power_of_two__is_refused),
    T(goodput__is_told_beside_the_model))
