/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "tests/unit/flow/heard.h"

enum { MANY = 20000 };

static void ignore(void *arg, const struct conn *c)
{
	(void)arg;
	(void)c;
}

static void to_flows(void *arg, nsec_t at, const uint8_t *packet, size_t len)
{
	struct raw_frame raw = {at, packet, (uint32_t)len, (uint32_t)len};

	assert_int_equal(flows_frame(arg, LINK_IP, &raw), 0);
}

/* Many connections of IPv6: each is asked for, both ways. The upper halves' difference is one of their own, or the same for all. */
static double processor_time(bool same)
{
	static const uint8_t differs[8] = {0, 0, 0, 0, 0xff, 0xff, 0, 0};
	struct flows_cfg cfg = {.key = {1, 2}, .done = ignore};
	struct flows *fs = flows_new(&cfg);
	clock_t begun = clock();
	struct talk t;

	assert_non_null(fs);
	for (uint32_t i = 0; i < MANY; i++) {
		uint8_t end[2][16] = {{0x20, 1, [6] = (uint8_t)(i >> 8), (uint8_t)i, [15] = 1}, {0x20, 1, [15] = 2}};

		talk_init(&t, 40000);
		t.packet = to_flows;
		t.arg = fs;
		for (size_t k = 0; same && k < sizeof(differs); k++)
			end[1][k] = end[0][k] ^ differs[k];
		t.addr[SIDE_CLIENT] = addr_from_v6(end[0]);
		t.addr[SIDE_SERVER] = addr_from_v6(end[1]);
		talk_open(&t);
	}
	assert_int_equal(flows_counts(fs)->live_most, MANY);
	flows_free(fs);
	return (double)(clock() - begun) / CLOCKS_PER_SEC;
}

/* Before the key was in between, these made one bucket: fifty times as slow. */
TEST(ipv6__upper_halves_differ_all_alike__no_slower_than_others)
{
	double others = processor_time(false);

	assert_true(processor_time(true) < 10 * others + 0.1);
}

/* One end is an IPv4-mapped address, in a header of IPv6. */
TEST(ipv6__one_end_mapped__both_ways_are_one_connection)
{
	static const uint8_t end[2][16] = {{[10] = 0xff, 0xff, 10, 0, 0, 9}, {0x20, 1, [15] = 2}};
	struct flows_cfg cfg = {.done = ignore};
	struct flows *fs = flows_new(&cfg);

	assert_non_null(fs);
	for (unsigned by = 0; by < 2; by++) {
		uint8_t packet[60] = {0x60, [5] = 20, 6, 64, [40 + 12] = 0x50, by ? F_SYN | F_ACK : F_SYN};

		memcpy(packet + 8, end[by], 16);
		memcpy(packet + 24, end[1 - by], 16);
		packet[40 + (by ? 1 : 3)] = 80;
		packet[40 + 11] = (uint8_t)by; /* acknowledges the SYN */
		to_flows(fs, NSEC_PER_S + by, packet, sizeof(packet));
	}
	assert_int_equal(flows_counts(fs)->frames[FRAME_TCP], 2);
	assert_int_equal(flows_counts(fs)->live_most, 1);
	flows_free(fs);
}

RUN(T(ipv6__upper_halves_differ_all_alike__no_slower_than_others),
    T(ipv6__one_end_mapped__both_ways_are_one_connection))
