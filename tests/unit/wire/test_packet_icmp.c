/* SPDX-License-Identifier: MIT */
#include "tests/unit/wire/rig.h"

/* An ICMP message from a router about `about`, of which `echoed` octets come back. rest: octets 4 to 7. */
static struct bytes icmp4(uint8_t type, uint8_t code, uint32_t rest, const struct bytes *about, size_t echoed)
{
	struct bytes k = {.b = {0x45, 0, 0, 0, 0, 0, 0, 0, 61, 1, 0, 0, 203, 0, 113, 9, 192, 0, 2, 1, type, code},
			  .len = 28};

	set16(k.b + 24, rest >> 16);
	set16(k.b + 26, rest);
	insert(&k, 28, about->b, echoed);
	mend4(&k);
	return k;
}

static struct bytes icmp6(uint8_t type, uint8_t code, uint32_t rest, const struct bytes *about, size_t echoed)
{
	struct bytes k = {.b = {0x60, [6] = 58, 61, 0xfe, 0x80, [23] = 9, [40] = type, code}, .len = 48};

	memcpy(k.b + 24, about->b + 8, 16);
	set16(k.b + 44, rest >> 16);
	set16(k.b + 46, rest);
	insert(&k, 48, about->b, echoed);
	mend6(&k, 40, 58);
	return k;
}

static void expect_error(const struct bytes *k, const struct seg *about, uint8_t type, uint8_t code, uint32_t mtu)
{
	struct packet p;

	assert_int_equal(parse_exactly(&p, k->b, k->len, PACKET_NO_TCP_CSUM), WIRE_ICMP_ERROR);
	assert_true(addr_eq(&p.icmp.src, &about->src) && addr_eq(&p.icmp.dst, &about->dst));
	assert_int_equal(p.icmp.sport, about->sport);
	assert_int_equal(p.icmp.dport, about->dport);
	assert_true(seq_eq(p.icmp.seq, about->seq));
	assert_int_equal(p.icmp.type, type);
	assert_int_equal(p.icmp.code, code);
	assert_int_equal(p.icmp.mtu, mtu);
}

/* RFC 1122 3.2.2: 3, 11 and 12 are errors; 4 is dead (RFC 6633), 5 is for routing, all others are queries. */
TEST(icmp4__every_type)
{
	struct seg s = seg4();
	struct bytes about = written(&s), k;

	for (unsigned type = 0; type < 256; type++) {
		k = icmp4((uint8_t)type, 1, 0x12345678, &about, 28);
		if (type == 3 || type == 11 || type == 12)
			expect_error(&k, &s, (uint8_t)type, 1, 0);
		else
			assert_int_equal(verdict_of(&k), WIRE_OTHER);
	}
}

TEST(icmp4__every_code_of_unreachable__only_4_has_an_mtu)
{
	struct seg s = seg4();
	struct bytes about = written(&s), k;

	for (unsigned code = 0; code < 256; code++) {
		k = icmp4(3, (uint8_t)code, 0xffff0578, &about, about.len);
		expect_error(&k, &s, 3, (uint8_t)code, code == 4 ? 1400 : 0);
	}
}

TEST(icmp6__every_type)
{
	struct seg s = seg6();
	struct bytes about = written(&s), k;

	for (unsigned type = 0; type < 256; type++) {
		k = icmp6((uint8_t)type, 0, 0x12345678, &about, 48);
		if (type >= 1 && type <= 4)
			expect_error(&k, &s, (uint8_t)type, 0, type == 2 ? 0x12345678 : 0);
		else
			assert_int_equal(verdict_of(&k), WIRE_OTHER);
	}
}

/* RFC 792: the IP header and 8 octets are all that a router must send back. */
TEST(icmp4__less_than_8_octets_of_tcp__is_about_nothing)
{
	struct seg s = seg4();
	struct bytes about = written(&s), k;

	for (size_t echoed = 0; echoed <= about.len; echoed++) {
		k = icmp4(3, 1, 0, &about, echoed);
		if (echoed < 28)
			assert_int_equal(verdict_of(&k), WIRE_OTHER);
		else
			expect_error(&k, &s, 3, 1, 0);
	}
}

TEST(icmp6__less_than_8_octets_of_tcp__is_about_nothing)
{
	struct seg s = seg6();
	struct bytes about = written(&s), k;

	for (size_t echoed = 0; echoed <= about.len; echoed++) {
		k = icmp6(1, 4, 0, &about, echoed);
		if (echoed < 48)
			assert_int_equal(verdict_of(&k), WIRE_OTHER);
		else
			expect_error(&k, &s, 1, 4, 0);
	}
}

/* Routers change TTL, TOS and the checksum before the error is made, and some cut the length. */
TEST(icmp4__echoed_packet_changed_on_its_way__is_taken)
{
	struct seg s = seg4();
	struct bytes about = written(&s), k;

	about.b[8] = 0;
	about.b[1] = 0;
	set16(about.b + 2, 0xffff);
	set16(about.b + 10, 0);
	k = icmp4(11, 0, 0, &about, 28);
	expect_error(&k, &s, 11, 0, 0);
}

TEST(icmp4__echoed_packet_with_ip_options)
{
	struct seg s = seg4();
	struct bytes about = written(&s), k;

	insert(&about, 20, (uint8_t[40]){1, 1, 1}, 40);
	about.b[0] = 0x4f;
	k = icmp4(3, 3, 0, &about, 68);
	expect_error(&k, &s, 3, 3, 0);
	k = icmp4(3, 3, 0, &about, 67);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	about.b[0] = 0x44; /* a header of 16 octets */
	k = icmp4(3, 3, 0, &about, 68);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
}

TEST(icmp4__about_what_is_not_the_start_of_a_tcp_segment)
{
	struct seg s = seg4(), t = seg6();
	struct bytes about = written(&s), six = written(&t), k;

	about.b[9] = 17;
	k = icmp4(3, 3, 0, &about, 40);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	about.b[9] = 6;
	set16(about.b + 6, 0x2000); /* the first fragment has the ports */
	k = icmp4(3, 3, 0, &about, 40);
	expect_error(&k, &s, 3, 3, 0);
	set16(about.b + 6, 1); /* a later one has not */
	k = icmp4(3, 3, 0, &about, 40);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	k = icmp4(3, 3, 0, &six, six.len);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
}

TEST(icmp6__echoed_packet_with_extension_headers)
{
	struct seg s = seg6();
	struct bytes about = written(&s), k;

	insert(&about, 40, (uint8_t[16]){6, 1}, 16);
	about.b[6] = 60;
	k = icmp6(3, 0, 0, &about, 64);
	expect_error(&k, &s, 3, 0, 0);
	k = icmp6(3, 0, 0, &about, 63);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	about.b[41] = 255;
	k = icmp6(3, 0, 0, &about, about.len);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	about.b[6] = 17;
	k = icmp6(3, 0, 0, &about, about.len);
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
}

TEST(icmp6__about_ipv4_mapped_addresses)
{
	struct addr mapped = addr_v4(10, 0, 0, 1);

	for (size_t at = 8; at <= 24; at += 16) {
		struct seg s = seg6();
		struct bytes about = written(&s), k;

		k = icmp6(1, 4, 0, &about, 60);
		memcpy(k.b + 48 + at, &mapped, 16);
		mend6(&k, 40, 58);
		assert_int_equal(verdict_of(&k), WIRE_OTHER);
	}
}

TEST(icmp__checksum_is_verified__that_of_icmp6_with_the_addresses)
{
	struct seg s = seg4(), t = seg6();
	struct bytes about = written(&s), six = written(&t), k = icmp4(3, 1, 0, &about, 40),
		     l = icmp6(1, 0, 0, &six, 60);

	for (size_t at = 20; at < k.len; at++) {
		k.b[at] ^= 0x20;
		assert_int_equal(verdict_of(&k), WIRE_BAD_CSUM);
		k.b[at] ^= 0x20;
	}
	for (size_t at = 8; at < l.len; at++) {
		l.b[at] ^= 0x20;
		assert_int_equal(verdict_of(&l), WIRE_BAD_CSUM);
		l.b[at] ^= 0x20;
	}
}

TEST(icmp__shorter_than_its_header)
{
	struct seg s = seg4(), t = seg6();
	struct bytes about = written(&s), six = written(&t);

	for (size_t len = 0; len < 8; len++) {
		struct bytes k = icmp4(3, 1, 0, &about, 0), l = icmp6(1, 0, 0, &six, 0);

		k.len = 20 + len;
		l.len = 40 + len;
		mend4(&k);
		mend6(&l, 40, 58);
		assert_int_equal(verdict_of(&k), WIRE_BAD_CSUM);
		assert_int_equal(verdict_of(&l), WIRE_BAD_CSUM);
	}
}

TEST(icmp__of_the_other_family__is_another_protocol)
{
	struct seg s = seg4(), t = seg6();
	struct bytes about = written(&s), six = written(&t), k = icmp4(3, 1, 0, &about, 40),
		     l = icmp6(1, 0, 0, &six, 60);

	k.b[9] = 58;
	mend4(&k);
	l.b[6] = 1;
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	assert_int_equal(verdict_of(&l), WIRE_OTHER);
}

RUN(T(icmp4__every_type), T(icmp4__every_code_of_unreachable__only_4_has_an_mtu), T(icmp6__every_type),
    T(icmp4__less_than_8_octets_of_tcp__is_about_nothing), T(icmp6__less_than_8_octets_of_tcp__is_about_nothing),
    T(icmp4__echoed_packet_changed_on_its_way__is_taken), T(icmp4__echoed_packet_with_ip_options),
    T(icmp4__about_what_is_not_the_start_of_a_tcp_segment), T(icmp6__echoed_packet_with_extension_headers),
    T(icmp6__about_ipv4_mapped_addresses), T(icmp__checksum_is_verified__that_of_icmp6_with_the_addresses),
    T(icmp__shorter_than_its_header), T(icmp__of_the_other_family__is_another_protocol))
