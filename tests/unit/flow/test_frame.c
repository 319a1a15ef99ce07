/* SPDX-License-Identifier: MIT */
#include "flow/frame.h"
#include "tests/unit/t.h"

static uint8_t bytes[4096];
static struct frame f;

/* A segment of 10 octets, as IP, at bytes + head. Its length with all. */
static uint32_t packet(size_t head, bool v6)
{
	const uint8_t sixteen[2][16] = {{0x20, 1, 0xd, 0xb8, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 2}};
	struct seg s = {.src = v6 ? addr_from_v6(sixteen[0]) : addr_v4(10, 0, 0, 1),
			.dst = v6 ? addr_from_v6(sixteen[1]) : addr_v4(10, 0, 0, 2),
			.sport = 1234,
			.dport = 80,
			.seq = seq(7),
			.ack = seq(9),
			.flags = F_ACK | F_PSH,
			.wnd = 500,
			.may_fragment = true,
			.id = 77,
			.len = 10,
			.text = (const uint8_t *)"0123456789",
			.opts = {.has_ts = true, .tsval = 4711}};

	memset(bytes, 0, sizeof(bytes));
	return (uint32_t)(head + packet_write(bytes + head, sizeof(bytes) - head, &s, 0));
}

static enum frame_verdict parse(enum link_type type, uint32_t kept, uint32_t len)
{
	struct raw_frame raw = {1, bytes, kept, len};

	return frame_parse(&f, type, &raw);
}

static void expect_whole(enum link_type type, uint32_t len)
{
	assert_int_equal(parse(type, len, len), FRAME_TCP);
	assert_int_equal(f.sport, 1234);
	assert_int_equal(f.dport, 80);
	assert_int_equal(f.seq.v, 7);
	assert_int_equal(f.ack.v, 9);
	assert_int_equal(f.flags, F_ACK | F_PSH);
	assert_int_equal(f.wnd, 500);
	assert_int_equal(f.tsval, 4711);
	assert_int_equal(f.len, 10);
	assert_int_equal(f.kept, 10);
	assert_memory_equal(f.text, "0123456789", 10);
}

static void put16(size_t at, uint16_t v)
{
	bytes[at] = (uint8_t)(v >> 8);
	bytes[at + 1] = (uint8_t)v;
}

TEST(link__every_type__the_same_segment)
{
	uint32_t len = packet(14, false);

	put16(12, 0x0800);
	expect_whole(LINK_ETHERNET, len);
	len = packet(14, true);
	put16(12, 0x86dd);
	expect_whole(LINK_ETHERNET, len);
	len = packet(16, false);
	put16(14, 0x0800);
	expect_whole(LINK_SLL, len);
	len = packet(20, true);
	put16(0, 0x86dd);
	expect_whole(LINK_SLL2, len);
	expect_whole(LINK_IP, packet(0, false));
	assert_int_equal(f.id, 77);
	expect_whole(LINK_IP, packet(0, true));
	len = packet(4, false);
	bytes[0] = 2;
	expect_whole(LINK_NULL, len);
	len = packet(4, true);
	bytes[3] = 30;
	expect_whole(LINK_NULL, len);
}

TEST(link__tags__one_and_two_are_stepped_over)
{
	uint32_t len = packet(18, false);

	put16(12, 0x8100);
	put16(16, 0x0800);
	expect_whole(LINK_ETHERNET, len);
	len = packet(22, true);
	put16(12, 0x88a8);
	put16(16, 0x8100);
	put16(20, 0x86dd);
	expect_whole(LINK_ETHERNET, len);
	len = packet(20, false);
	put16(14, 0x8100);
	put16(18, 0x0800);
	expect_whole(LINK_SLL, len);
}

TEST(frame__of_another_protocol__other)
{
	uint32_t len = packet(14, false);

	put16(12, 0x0806);
	assert_int_equal(parse(LINK_ETHERNET, len, len), FRAME_OTHER);
	len = packet(0, false);
	bytes[9] = 17;
	assert_int_equal(parse(LINK_IP, len, len), FRAME_OTHER);
}

TEST(frame__padded__the_packets_length_counts)
{
	uint32_t len = packet(14, false);

	put16(12, 0x0800);
	assert_int_equal(parse(LINK_ETHERNET, len + 20, len + 20), FRAME_TCP);
	assert_int_equal(f.len, 10);
	assert_int_equal(f.kept, 10);
}

TEST(frame__cut_anywhere__never_more_than_was_kept)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint32_t len = packet(0, v6);
		uint32_t headers = len - 10;

		for (uint32_t kept = 0; kept < len; kept++) {
			enum frame_verdict v = parse(LINK_IP, kept, len);

			if (kept < headers - 12) {
				assert_int_equal(v, FRAME_CUT);
				continue;
			}
			assert_int_equal(v, FRAME_TCP);
			assert_int_equal(f.len, 10);
			assert_int_equal(f.kept, kept > headers ? kept - headers : 0);
			assert_int_equal(f.tsval, kept >= headers ? 4711 : 0);
		}
	}
}

TEST(frame__of_segmentation_offload__no_total_length__the_frame_says)
{
	uint32_t len = packet(14, false);

	put16(12, 0x0800);
	put16(14 + 2, 0);
	assert_int_equal(parse(LINK_ETHERNET, len, len + 100000), FRAME_TCP);
	assert_int_equal(f.len, 100010);
	assert_int_equal(parse(LINK_ETHERNET, len, UINT32_MAX), FRAME_BAD);
}

TEST(frame__with_impossible_lengths__bad)
{
	uint32_t len = packet(0, false);

	put16(2, 19);
	assert_int_equal(parse(LINK_IP, len, len), FRAME_BAD);
	len = packet(0, false);
	bytes[20 + 12] = 0x40;
	assert_int_equal(parse(LINK_IP, len, len), FRAME_BAD);
	len = packet(0, false);
	bytes[20 + 12] = 0xf0;
	assert_int_equal(parse(LINK_IP, len, len), FRAME_BAD);
	len = packet(0, false);
	put16(2, 30);
	assert_int_equal(parse(LINK_IP, len, len), FRAME_BAD);
	len = packet(0, false);
	bytes[0] = 0x42;
	assert_int_equal(parse(LINK_IP, len, len), FRAME_BAD);
}

TEST(fragment__any_but_the_whole__told_so)
{
	uint32_t len = packet(0, false);

	put16(6, 0x2000);
	assert_int_equal(parse(LINK_IP, len, len), FRAME_FRAGMENT);
	put16(6, 0x0001);
	assert_int_equal(parse(LINK_IP, len, len), FRAME_FRAGMENT);
}

TEST(ipv6__extension_headers__stepped_over)
{
	uint32_t len = packet(8, true);

	memmove(bytes, bytes + 8, 40);
	bytes[6] = 0;
	memset(bytes + 40, 0, 8);
	bytes[40] = 6;
	put16(4, (uint16_t)(len - 40));
	expect_whole(LINK_IP, len);
	bytes[6] = 44;
	bytes[43] = 1;
	assert_int_equal(parse(LINK_IP, len, len), FRAME_FRAGMENT);
}

RUN(T(link__every_type__the_same_segment), T(link__tags__one_and_two_are_stepped_over),
    T(frame__of_another_protocol__other), T(frame__padded__the_packets_length_counts),
    T(frame__cut_anywhere__never_more_than_was_kept),
    T(frame__of_segmentation_offload__no_total_length__the_frame_says), T(frame__with_impossible_lengths__bad),
    T(fragment__any_but_the_whole__told_so), T(ipv6__extension_headers__stepped_over))
