/* SPDX-License-Identifier: MIT */
#include "tests/unit/wire/rig.h"
#include "wire/csum.h"

static uint16_t fold(uint64_t sum) { return be16(csum_fold(sum)); } /* as a number */

TEST(csum__the_example_of_rfc_1071_3)
{
	static const uint8_t octets[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(fold(csum_add(0, octets, sizeof(octets))), (uint16_t)~0xddf2);
}

TEST(csum__of_nothing_and_of_zeros_is_ffff)
{
	static const uint8_t zero[100];

	assert_int_equal(fold(0), 0xffff);
	assert_int_equal(fold(csum_add(0, zero, 0)), 0xffff);
	assert_int_equal(fold(csum_add(0, zero, sizeof(zero))), 0xffff);
}

/* 300 octets at every offset from a boundary of 16, of every length, random and all ones (the most carries). */
TEST(csum__is_the_slow_sum_at_every_length_and_alignment)
{
	static uint8_t pool[2][320] __attribute__((aligned(16)));
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(pool[0]); i++) {
		x = x * 1664525 + 1013904223;
		pool[0][i] = (uint8_t)(x >> 24);
		pool[1][i] = 0xff;
	}
	for (unsigned p = 0; p < 2; p++)
		for (size_t at = 0; at < 16; at++)
			for (size_t len = 0; len <= 300; len++)
				assert_int_equal(fold(csum_add(0, pool[p] + at, len)),
						 (uint16_t)~slow_sum(0, pool[p] + at, len));
}

TEST(csum__of_the_largest_packet_does_not_lose_carries)
{
	static uint8_t ones[65535];

	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(fold(csum_add(0, ones, sizeof(ones))), (uint16_t)~slow_sum(0, ones, sizeof(ones)));
	assert_int_equal(fold(csum_add(UINT32_MAX, ones, 64)), (uint16_t)~slow_sum(0xffff, ones, 64));
}

TEST(csum__parts_of_even_length_add_up)
{
	static uint8_t octets[97];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37 + 200);
	for (size_t cut = 0; cut <= sizeof(octets); cut += 2)
		assert_int_equal(fold(csum_add(csum_add(0, octets, cut), octets + cut, sizeof(octets) - cut)),
				 (uint16_t)~slow_sum(0, octets, sizeof(octets)));
}

TEST(csum__fold_takes_any_64_bits)
{
	static const struct {
		uint64_t sum;
		uint16_t want; /* before the complement */
	} row[] = {{1, 1},
		   {0xffff, 0xffff},
		   {0x10000, 1},
		   {0x1ffff, 1},
		   {UINT64_MAX, 0xffff},
		   {0xffffffff00000001, 1},
		   {0xfffeffff, 0xfffe},
		   {UINT64_C(1) << 48, 1}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(csum_fold(row[i].sum), (uint16_t)~row[i].want);
}

/* RFC 9293 3.1: source, destination, zero, protocol, length. RFC 8200 8.1: a length of 32 bits. */
TEST(csum__pseudo_headers_of_both_families)
{
	static const uint8_t four[] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x12, 0x34};
	uint8_t six[40] = {[33] = 0x01, [34] = 0x12, [35] = 0x34, [39] = 58};
	struct addr a = addr_v4(192, 0, 2, 1), b = addr_v4(198, 51, 100, 2);

	assert_int_equal(fold(csum_pseudo(&a, &b, 6, 0x1234)), (uint16_t)~slow_sum(0, four, sizeof(four)));
	assert_true(addr_parse("2001:db8:1:2:3:4:5:6", &a) && addr_parse("fe80::fedc:ba98:7654:3210", &b));
	memcpy(six, &a, 16);
	memcpy(six + 16, &b, 16);
	assert_int_equal(fold(csum_pseudo(&a, &b, 58, 0x11234)), (uint16_t)~slow_sum(0, six, sizeof(six)));
}

RUN(T(csum__the_example_of_rfc_1071_3), T(csum__of_nothing_and_of_zeros_is_ffff),
    T(csum__is_the_slow_sum_at_every_length_and_alignment), T(csum__of_the_largest_packet_does_not_lose_carries),
    T(csum__parts_of_even_length_add_up), T(csum__fold_takes_any_64_bits), T(csum__pseudo_headers_of_both_families))
