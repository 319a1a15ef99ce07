/* SPDX-License-Identifier: MIT */
#include "tests/unit/wire/rig.h"

/* The order of options is Linux's; the two sums come from rig.h. */
TEST(write__syn_octet_for_octet)
{
	static const uint8_t want[] = {
		0x45, 0x00, 0x00, 0x3c, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 10,   0,    0,
		1,    10,   0,    0,    2,    0x9c, 0x40, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00,
		0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04,
		0x02, 0x08, 0x0a, 0x11, 0x22, 0x33, 0x44, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
	};
	struct seg s = {.src = addr_v4(10, 0, 0, 1),
			.dst = addr_v4(10, 0, 0, 2),
			.sport = 40000,
			.dport = 80,
			.seq = seq(0x01020304)};
	struct bytes k, w = {.len = sizeof(want)};

	s.wnd = 64240;
	s.flags = F_SYN;
	s.opts = (struct tcp_opts){.has_mss = true,
				   .mss = 1460,
				   .sack_permitted = true,
				   .has_ts = true,
				   .tsval = 0x11223344,
				   .has_wscale = true,
				   .wscale = 7};
	k = written(&s);
	memcpy(w.b, want, sizeof(want));
	mend4(&w);
	assert_int_equal(k.len, w.len);
	assert_memory_equal(k.b, w.b, w.len);
}

static struct tcp_opts some_opts(unsigned which, uint8_t n_sack)
{
	struct tcp_opts o = {.has_mss = which & 1,
			     .has_wscale = which >> 1 & 1,
			     .has_ts = which >> 2 & 1,
			     .sack_permitted = which >> 3 & 1,
			     .mss = 0xfedc,
			     .wscale = 14,
			     .tsval = 0x89abcdef,
			     .tsecr = 0xf0e1d2c3,
			     .n_sack = n_sack};

	for (uint32_t i = 0; i < n_sack; i++) {
		o.sack[i].from = seq(0xffffff00 + 100 * i);
		o.sack[i].to = seq(0xffffff32 + 100 * i);
	}
	return o;
}

static void round_trip(struct seg *s)
{
	static const uint8_t text[] = "Der Worte sind genug gewechselt, lasst mich auch endlich Taten sehn!";
	static const uint32_t lens[] = {0, 1, 2, 3, 4, 7, 8, 33, sizeof(text)};
	struct bytes k;
	struct packet p;

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		const char *difference;

		s->len = lens[i];
		s->text = lens[i] ? text : NULL;
		k = written(s);
		assert_int_equal(k.len, packet_header_len(s) + s->len);
		assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
		difference = seg_difference(s, &p.seg);
		if (difference)
			fail_msg("%s: %s", difference, seg_text(s).s);
	}
}

/* All 16 combinations of MSS, window scale, timestamps and SACK-permitted, with 0 to 4 SACK blocks. */
TEST(write__then_parse__gives_the_same_segment_for_all_options)
{
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned which = 0; which < 16; which++)
			for (unsigned n = 0; n <= SACK_BLOCKS_MAX; n++) {
				struct seg s = v6 ? seg6() : seg4();
				size_t fixed = which & 4 ? 12 : which & 8 ? 4 : 0;

				fixed += which & 1 ? 4 : 0;
				fixed += which & 2 ? 4 : 0;
				s.opts = some_opts(which, (uint8_t)n);
				while (s.opts.n_sack && fixed + 4 + (size_t)8 * s.opts.n_sack > TCP_OPTIONS_MAX)
					s.opts.n_sack--;
				round_trip(&s);
			}
}

/* By hand: 40 octets, less the others, less 4 for the option itself, and 8 for each block. */
TEST(write__sack_blocks_that_do_not_fit__the_first_are_sent)
{
	static const uint8_t fit[16] = {4, 4, 4, 3, 3, 2, 2, 2, 4, 3, 3, 3, 3, 2, 2, 2};

	for (unsigned which = 0; which < 16; which++) {
		struct seg s = seg4();
		struct bytes k;
		struct packet p;

		s.opts = some_opts(which, 4);
		k = written(&s);
		assert_int_equal(k.len, packet_header_len(&s));
		assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
		s.opts.n_sack = fit[which];
		assert_null(seg_difference(&s, &p.seg));
	}
}

TEST(write__then_parse__all_flags_and_extremes)
{
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned flags = 0; flags < 256; flags++) {
			struct seg s = v6 ? seg6() : seg4();

			s.flags = (uint8_t)flags;
			s.tos = (uint8_t)~flags;
			s.ttl = flags ? (uint8_t)flags : 255;
			s.urg = flags % 2 ? 0x1234 : 0;
			s.wnd = flags % 2 ? 0 : UINT16_MAX;
			s.sport = flags % 3 ? UINT16_MAX : 1;
			s.opts = some_opts(flags % 2 ? 4 : 0, 0);
			round_trip(&s);
		}
}

/* Every checksum is one that the slow way makes too; so none of the two sides can be wrong in the same manner. */
TEST(write__checksums_are_those_of_the_slow_way)
{
	for (uint32_t i = 0; i < 2000; i++) {
		struct seg s = i % 2 ? seg6() : seg4();
		struct bytes k, w;

		s.seq = seq(i * 2654435761U);
		s.ack = seq(~i * 40503U);
		s.len = i % 50;
		s.text = s.len ? (const uint8_t *)"01234567890123456789012345678901234567890123456789" : NULL;
		s.opts = some_opts(i % 16, 0);
		k = w = written(&s);
		if (i % 2)
			mend6(&w, IPV6_HEADER_LEN, 6);
		else
			mend4(&w);
		assert_memory_equal(k.b, w.b, k.len);
	}
}

TEST(write__text_in_place__is_summed_and_left_alone)
{
	struct seg s = seg4();
	struct bytes k, want;

	s.opts = some_opts(4, 0);
	s.len = 5;
	s.text = (const uint8_t *)"hello";
	want = written(&s);
	memcpy(k.b + packet_header_len(&s), "hello", 5);
	s.text = NULL;
	k.len = packet_write(k.b, sizeof(k.b), &s, 0);
	assert_int_equal(k.len, want.len);
	assert_memory_equal(k.b, want.b, want.len);
}

TEST(write__ttl_0__means_64)
{
	struct seg s = seg4(), t = seg6();

	s.ttl = t.ttl = 0;
	assert_int_equal(written(&s).b[8], 64);
	assert_int_equal(written(&t).b[7], 64);
}

TEST(write__without_tcp_checksum__leaves_0_and_all_else_alike)
{
	struct seg s = seg4();
	struct bytes with = written(&s), k;
	struct packet p;

	k.len = packet_write(k.b, sizeof(k.b), &s, PACKET_NO_TCP_CSUM);
	assert_int_equal(k.b[36] | k.b[37], 0);
	assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_BAD_CSUM);
	assert_int_equal(parse_exactly(&p, k.b, k.len, PACKET_NO_TCP_CSUM), WIRE_TCP);
	assert_null(seg_difference(&s, &p.seg));
	mend4(&k);
	assert_memory_equal(k.b, with.b, with.len);
}

TEST(write__no_room__writes_nothing)
{
	struct seg s = seg4();
	uint8_t buf[64], before[64];
	size_t need = packet_header_len(&s) + 3;

	s.len = 3;
	s.text = (const uint8_t *)"abc";
	memset(buf, 0xa5, sizeof(buf));
	memcpy(before, buf, sizeof(buf));
	for (size_t cap = 0; cap < need; cap++)
		assert_int_equal(packet_write(buf, cap, &s, 0), 0);
	assert_memory_equal(buf, before, sizeof(buf));
	assert_int_equal(packet_write(buf, need, &s, 0), need);
	assert_memory_equal(buf + need, before + need, sizeof(buf) - need);
}

/* IPv4 counts its header in the 16 bits, IPv6 does not. */
TEST(write__more_than_a_packet_can_be__writes_nothing)
{
	static uint8_t buf[70000], text[70000];
	struct seg s = seg4(), t = seg6();

	s.text = t.text = text;
	s.len = 65535 - 40;
	t.len = 65535 - 20;
	assert_int_equal(packet_write(buf, sizeof(buf), &s, 0), 65535);
	assert_int_equal(packet_write(buf, sizeof(buf), &t, 0), 65535 + 40);
	s.len++;
	t.len++;
	assert_int_equal(packet_write(buf, sizeof(buf), &s, 0), 0);
	assert_int_equal(packet_write(buf, sizeof(buf), &t, 0), 0);
	s.len = UINT32_MAX;
	assert_int_equal(packet_write(buf, sizeof(buf), &s, 0), 0);
}

TEST(span__counts_syn_and_fin)
{
	struct seg s = seg4();

	s.len = 10;
	assert_int_equal(seg_span(&s), 10);
	s.flags = F_FIN | F_ACK;
	assert_int_equal(seg_span(&s), 11);
	s.flags = F_SYN | F_FIN;
	assert_int_equal(seg_span(&s), 12);
}

RUN(T(write__syn_octet_for_octet), T(write__then_parse__gives_the_same_segment_for_all_options),
    T(write__sack_blocks_that_do_not_fit__the_first_are_sent), T(write__then_parse__all_flags_and_extremes),
    T(write__checksums_are_those_of_the_slow_way), T(write__text_in_place__is_summed_and_left_alone),
    T(write__ttl_0__means_64), T(write__without_tcp_checksum__leaves_0_and_all_else_alike),
    T(write__no_room__writes_nothing), T(write__more_than_a_packet_can_be__writes_nothing), T(span__counts_syn_and_fin))
