/* SPDX-License-Identifier: MIT */
#include "io/toobig.h"
#include "tests/unit/t.h"
#include "wire/csum.h"
#include "wire/packet.h"

static size_t made(uint8_t *buf, size_t cap, const char *src, const char *dst)
{
	struct seg s = {.sport = 4000, .dport = 80, .seq = seq(7), .len = 1400, .flags = F_ACK};

	assert_true(addr_parse(src, &s.src) && addr_parse(dst, &s.dst));
	memset(buf, 'x', cap);
	return packet_write(buf, cap, &s, 0);
}

/* Our own parser, which checks every checksum, reads it as an error about that segment. */
static void expect_error(const uint8_t *packet, size_t len, const char *src, uint32_t mtu)
{
	uint8_t answer[TOOBIG_MAX];
	size_t n = toobig_write(answer, packet, len, mtu);
	struct packet p;
	struct addr a;

	assert_true(n > 0 && n <= TOOBIG_MAX);
	assert_int_equal(packet_parse(&p, answer, n, 0), WIRE_ICMP_ERROR);
	assert_true(addr_parse(src, &a) && addr_eq(&p.icmp.src, &a));
	assert_int_equal(p.icmp.sport, 4000);
	assert_int_equal(p.icmp.dport, 80);
	assert_int_equal(p.icmp.mtu, mtu);
	assert_true(seq_eq(p.icmp.seq, seq(7)));
}

TEST(ipv4__fragmentation_needed_with_the_mtu)
{
	uint8_t packet[1500];
	size_t len = made(packet, sizeof(packet), "10.0.0.1", "10.0.0.2");

	assert_int_equal(packet[6] & 0x40, 0x40); /* the engine sends DF */
	expect_error(packet, len, "10.0.0.1", 1000);
}

TEST(ipv6__packet_too_big_with_the_mtu)
{
	uint8_t packet[1500];
	size_t len = made(packet, sizeof(packet), "fd00::1", "fd00::2");

	expect_error(packet, len, "fd00::1", 1280);
}

TEST(ipv4_that_may_be_cut__and_what_is_no_ip__get_no_answer)
{
	uint8_t packet[1500], answer[TOOBIG_MAX];
	size_t len = made(packet, sizeof(packet), "10.0.0.1", "10.0.0.2");

	packet[6] = 0;
	assert_int_equal(toobig_write(answer, packet, len, 1000), 0);
	packet[0] = 0x15;
	assert_int_equal(toobig_write(answer, packet, len, 1000), 0);
	packet[0] = 0x60;
	assert_int_equal(toobig_write(answer, packet, 39, 1000), 0);
	packet[0] = 0x45;
	packet[6] = 0x40;
	assert_int_equal(toobig_write(answer, packet, 19, 1000), 0);
	assert_int_equal(toobig_write(answer, packet, 0, 1000), 0);
}

RUN(T(ipv4__fragmentation_needed_with_the_mtu), T(ipv6__packet_too_big_with_the_mtu),
    T(ipv4_that_may_be_cut__and_what_is_no_ip__get_no_answer))
