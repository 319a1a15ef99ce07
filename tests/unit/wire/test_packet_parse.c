/* SPDX-License-Identifier: MIT */
#include "tests/unit/wire/rig.h"

/* A TCP segment with these 4n octets of options. */
static struct bytes with_options(const void *octets, size_t len)
{
	struct seg s = seg4();
	struct bytes k = written(&s);

	insert(&k, 40, octets, len);
	k.b[32] = (uint8_t)((5 + len / 4) << 4);
	mend4(&k);
	return k;
}

#define OPTIONS(p, ...) options_verdict(p, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static enum wire_verdict options_verdict(struct packet *p, const uint8_t *octets, size_t len)
{
	struct bytes k = with_options(octets, len);
	enum wire_verdict verdict = parse_exactly(p, k.b, k.len, 0);

	p->seg.text = NULL; /* it was that of k */
	return verdict;
}

TEST(ipv4__every_shorter_piece_of_a_packet_is_bad)
{
	struct seg s = seg4();
	struct bytes k;
	struct packet p;

	s.len = 3;
	s.text = (const uint8_t *)"abc";
	k = written(&s);
	for (size_t len = 0; len < k.len; len++)
		assert_int_equal(parse_exactly(&p, k.b, len, 0), WIRE_BAD_IP);
	assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
}

TEST(ipv6__every_shorter_piece_of_a_packet_is_bad)
{
	struct seg s = seg6();
	struct bytes k = written(&s);
	struct packet p;

	for (size_t len = 0; len < k.len; len++)
		assert_int_equal(parse_exactly(&p, k.b, len, 0), WIRE_BAD_IP);
	assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
}

/* The IP length cuts the segment, its checksum is right for what is left. */
TEST(tcp__shorter_than_its_header__is_bad_tcp)
{
	for (size_t len = 20; len < 40; len++) {
		struct seg s = seg4();
		struct bytes k = written(&s);

		k.len = len;
		mend4(&k);
		assert_int_equal(verdict_of(&k), WIRE_BAD_TCP);
	}
	for (size_t len = 0; len < 20; len++) {
		struct seg s = seg6();
		struct bytes k = written(&s);

		set16(k.b + 4, (uint32_t)len);
		assert_int_equal(verdict_of(&k), WIRE_BAD_TCP);
	}
}

TEST(padding__after_the_total_length__is_ignored)
{
	struct seg s = seg4(), t = seg6();
	struct bytes k = written(&s), l = written(&t);
	struct packet p;

	memset(k.b + k.len, 0xff, 33);
	memset(l.b + l.len, 0xff, 33);
	assert_int_equal(parse_exactly(&p, k.b, k.len + 33, 0), WIRE_TCP);
	assert_null(seg_difference(&s, &p.seg));
	assert_int_equal(parse_exactly(&p, l.b, l.len + 33, 0), WIRE_TCP);
	assert_null(seg_difference(&t, &p.seg));
}

TEST(ip__versions_but_4_and_6_are_bad)
{
	struct seg s = seg4();
	struct bytes k = written(&s);

	for (unsigned version = 0; version < 16; version++) {
		k.b[0] = (uint8_t)(version << 4 | 5);
		if (version != 6)
			assert_int_equal(verdict_of(&k), version == 4 ? WIRE_TCP : WIRE_BAD_IP);
	}
}

TEST(ipv4__header_length_below_20_or_past_the_packet__is_bad)
{
	struct seg s = seg4();

	for (unsigned words = 0; words < 5; words++) {
		struct bytes k = written(&s);

		k.b[0] = (uint8_t)(0x40 | words);
		set_csum(k.b + 10, 0, k.b, 20);
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
	}
	for (uint32_t total = 0; total < 20; total++) {
		struct bytes k = written(&s);

		set16(k.b + 2, total);
		set_csum(k.b + 10, 0, k.b, 20);
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
	}
}

TEST(ipv4__total_length_below_the_header_with_options__is_bad)
{
	struct seg s = seg4();
	struct bytes k = written(&s);

	insert(&k, 20, (uint8_t[40]){1, 1, 1}, 40);
	k.b[0] = 0x4f;
	mend4(&k);
	assert_int_equal(verdict_of(&k), WIRE_TCP);
	set16(k.b + 2, 59);
	set_csum(k.b + 10, 0, k.b, 60);
	assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
}

TEST(ipv4__options_are_skipped_and_summed)
{
	struct seg s = seg4();
	struct packet p;

	for (unsigned words = 1; words <= 10; words++) {
		struct bytes k = written(&s);
		uint8_t options[40];

		memset(options, 1, sizeof(options));
		options[4 * words - 1] = 0;
		insert(&k, 20, options, 4 * (size_t)words);
		k.b[0] = (uint8_t)(0x45 + words);
		mend4(&k);
		assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
		assert_null(seg_difference(&s, &p.seg));
		k.b[20] ^= 0x10;
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
	}
}

/* RFC 1071: any single bit error is seen. In the IP header it is the packet's fault, behind it TCP's. */
TEST(checksum__every_single_bit_error_is_seen)
{
	struct seg s = seg4();
	struct bytes k;

	s.len = 5;
	s.text = (const uint8_t *)"hello";
	s.opts = (struct tcp_opts){.has_ts = true, .tsval = 77, .tsecr = 88};
	k = written(&s);
	for (size_t bit = 0; bit < 8 * k.len; bit++) {
		enum wire_verdict verdict;

		k.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		verdict = verdict_of(&k);
		if (bit == 5) /* version 6 */
			assert_int_not_equal(verdict, WIRE_TCP);
		else if (bit < 160)
			assert_int_equal(verdict, WIRE_BAD_IP);
		else if (bit / 8 == 32 && bit % 8 >= 4) /* data offset: below 5 words, or past the end, too */
			assert_true(verdict == WIRE_BAD_CSUM || verdict == WIRE_BAD_TCP);
		else
			assert_int_equal(verdict, WIRE_BAD_CSUM);
		k.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(verdict_of(&k), WIRE_TCP);
}

TEST(checksum__over_ipv6_covers_the_addresses)
{
	struct seg s = seg6();
	struct bytes k = written(&s);

	for (size_t bit = 64; bit < 320; bit++) {
		k.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(verdict_of(&k), WIRE_BAD_CSUM);
		k.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(checksum__not_asked_for__a_bad_one_of_tcp_passes_and_of_ip_does_not)
{
	struct seg s = seg4();
	struct bytes k = written(&s);
	struct packet p;

	k.b[36] ^= 1;
	assert_int_equal(parse_exactly(&p, k.b, k.len, PACKET_NO_TCP_CSUM), WIRE_TCP);
	assert_null(seg_difference(&s, &p.seg));
	k.b[10] ^= 1;
	assert_int_equal(parse_exactly(&p, k.b, k.len, PACKET_NO_TCP_CSUM), WIRE_BAD_IP);
}

TEST(tcp__data_offset_below_5_words_or_past_the_segment__is_bad)
{
	for (unsigned words = 0; words < 16; words++) {
		struct seg s = seg4();
		struct bytes k;

		s.len = 8;
		s.text = (const uint8_t *)"\1\1\1\1\1\1\1\1";
		k = written(&s);
		k.b[32] = (uint8_t)(words << 4);
		mend4(&k);
		assert_int_equal(verdict_of(&k), words >= 5 && words <= 7 ? WIRE_TCP : WIRE_BAD_TCP);
	}
}

TEST(tcp__reserved_bits_are_ignored)
{
	struct seg s = seg4();
	struct bytes k = written(&s);
	struct packet p;

	k.b[32] |= 0x0f;
	mend4(&k);
	assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
	assert_null(seg_difference(&s, &p.seg));
}

TEST(ipv4__fragments)
{
	static const struct {
		uint16_t field;
		enum wire_verdict verdict;
	} row[] = {{0x0000, WIRE_TCP},      {0x4000, WIRE_TCP},      {0x8000, WIRE_TCP},     {0x2000, WIRE_FRAGMENT},
		   {0x0001, WIRE_FRAGMENT}, {0x1fff, WIRE_FRAGMENT}, {0x6000, WIRE_FRAGMENT}};
	struct seg s = seg4();

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct bytes k = written(&s);

		set16(k.b + 6, row[i].field);
		mend4(&k);
		assert_int_equal(verdict_of(&k), row[i].verdict);
	}
}

TEST(ipv4__other_protocols)
{
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		struct seg s = seg4();
		struct bytes k = written(&s);

		if (protocol == 1 || protocol == 6)
			continue;
		k.b[9] = (uint8_t)protocol;
		mend4(&k);
		assert_int_equal(verdict_of(&k), WIRE_OTHER);
	}
}

/* n extension headers of this kind and of 8 * (more + 1) octets before the segment. */
static struct bytes extended(uint8_t kind, size_t n, uint8_t more)
{
	struct seg s = seg6();
	struct bytes k = written(&s);
	uint8_t header[8 * 256] = {6, more};
	size_t len = 8 * (more + (size_t)1);

	for (size_t i = 0; i < n; i++) {
		insert(&k, 40, header, len);
		header[0] = kind;
	}
	if (n)
		k.b[6] = kind;
	mend6(&k, 40 + n * len, 6);
	return k;
}

TEST(ipv6__extension_headers_are_stepped_over)
{
	static const uint8_t kinds[] = {0, 43, 60};
	struct seg s = seg6();
	struct packet p;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (unsigned more = 0; more < 256; more += 51) {
			struct bytes k = extended(kinds[i], 1, (uint8_t)more);

			assert_int_equal(parse_exactly(&p, k.b, k.len, 0), WIRE_TCP);
			assert_null(seg_difference(&s, &p.seg));
		}
}

TEST(ipv6__hop_by_hop_only_first)
{
	struct bytes k = extended(60, 2, 0);

	assert_int_equal(verdict_of(&k), WIRE_TCP);
	k.b[40] = 0;
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
	k.b[40] = 60;
	k.b[6] = 0;
	assert_int_equal(verdict_of(&k), WIRE_TCP);
}

TEST(ipv6__extension_headers_are_bounded)
{
	struct bytes k = extended(60, IPV6_EXTENSIONS_MAX, 0), l = extended(60, IPV6_EXTENSIONS_MAX + 1, 0);

	assert_int_equal(verdict_of(&k), WIRE_TCP);
	assert_int_equal(verdict_of(&l), WIRE_OTHER);
}

TEST(ipv6__extension_header_past_the_payload__is_bad)
{
	struct bytes k = extended(60, 1, 0);

	for (unsigned more = 3; more < 256; more++) { /* 28 octets are there */
		k.b[41] = (uint8_t)more;
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
	}
	k.b[41] = 0;
	for (uint32_t payload = 0; payload < 8; payload++) {
		set16(k.b + 4, payload);
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
	}
}

/* RFC 8200 4.4: with segments left, the destination in the header is not the last one. */
TEST(ipv6__routing_header_with_segments_left__is_not_for_us)
{
	struct bytes k = extended(43, 1, 0);

	k.b[43] = 1;
	assert_int_equal(verdict_of(&k), WIRE_OTHER);
}

/* RFC 6946: offset 0 and no more fragments is a whole packet. The reserved bits do not count, nor does octet 1. */
TEST(ipv6__fragments)
{
	static const struct {
		uint16_t field;
		enum wire_verdict verdict;
	} row[] = {{0, WIRE_TCP}, {6, WIRE_TCP}, {1, WIRE_FRAGMENT}, {8, WIRE_FRAGMENT}, {0xfff8, WIRE_FRAGMENT}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct bytes k = extended(44, 1, 0);

		set16(k.b + 42, row[i].field);
		k.b[41] = 200;
		assert_int_equal(verdict_of(&k), row[i].verdict);
	}
}

TEST(ipv6__other_protocols)
{
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		struct seg s = seg6();
		struct bytes k = written(&s);

		if (protocol == 6 || protocol == 58 || protocol == 0 || protocol == 43 || protocol == 44 ||
		    protocol == 60)
			continue;
		k.b[6] = (uint8_t)protocol;
		assert_int_equal(verdict_of(&k), WIRE_OTHER);
	}
}

/* Else a stranger could speak for 127.0.0.1 or 10.0.0.1, and an answer would have two families. */
TEST(ipv6__ipv4_mapped_addresses_are_bad)
{
	struct addr mapped = addr_v4(127, 0, 0, 1);

	for (size_t at = 8; at <= 24; at += 16) {
		struct seg s = seg6();
		struct bytes k = written(&s);

		memcpy(k.b + at, &mapped, 16);
		mend6(&k, 40, 6);
		assert_int_equal(verdict_of(&k), WIRE_BAD_IP);
		k.b[at + 10] = 0;
		mend6(&k, 40, 6);
		assert_int_equal(verdict_of(&k), WIRE_TCP);
	}
}

TEST(options__any_order_without_padding)
{
	struct packet p;
	struct tcp_opts want = {.has_mss = true,
				.mss = 0x1234,
				.has_wscale = true,
				.wscale = 200,
				.has_ts = true,
				.tsval = 0x01020304,
				.tsecr = 0x05060708,
				.sack_permitted = true};

	assert_int_equal(OPTIONS(&p, 3, 3, 200, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0x12, 0x34, 1), WIRE_TCP);
	assert_null(opts_difference(&want, &p.seg.opts));
	assert_int_equal(OPTIONS(&p, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0x12, 0x34, 4, 2, 3, 3, 200, 0), WIRE_TCP);
	assert_null(opts_difference(&want, &p.seg.opts));
	assert_int_equal(OPTIONS(&p, 2, 4, 0x12, 0x34, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 200), WIRE_TCP);
	assert_null(opts_difference(&want, &p.seg.opts));
}

TEST(options__unknown_ones_are_stepped_over)
{
	struct packet p;
	struct tcp_opts want = {.has_mss = true, .mss = 1460};

	assert_int_equal(OPTIONS(&p, 254, 7, 2, 4, 9, 9, 9, 2, 4, 5, 180, 34, 2, 1, 1, 1), WIRE_TCP);
	assert_null(opts_difference(&want, &p.seg.opts));
}

TEST(options__after_the_end_mark__are_not_read)
{
	struct packet p;
	struct tcp_opts none = {0};

	assert_int_equal(OPTIONS(&p, 1, 0, 2, 4, 5, 180, 2, 0), WIRE_TCP);
	assert_null(opts_difference(&none, &p.seg.opts));
}

TEST(options__of_two_of_a_kind_the_last_counts)
{
	struct packet p;
	struct tcp_opts want = {.has_mss = true, .mss = 2, .n_sack = 1, .sack = {{seq(9), seq(10)}}};

	assert_int_equal(
		OPTIONS(&p, 2, 4, 0, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 2, 4, 0, 2, 5, 10, 0, 0, 0, 9, 0, 0, 0, 10),
		WIRE_TCP);
	assert_null(opts_difference(&want, &p.seg.opts));
}

/* A length that some option could have, but not this one: as if unknown. Each stands alone before a MSS. */
TEST(options__of_another_length_than_their_kind__are_stepped_over)
{
	static const uint8_t kinds[] = {2, 3, 4, 5, 8};
	static const uint8_t right[] = {4, 3, 2, 0, 10};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (uint8_t len = 2; len <= 36; len++) {
			uint8_t o[40] = {kinds[i], len};
			struct tcp_opts want = {.has_mss = true, .mss = 1460};
			struct packet p;

			if (len == right[i] || (kinds[i] == 5 && len > 2 && len % 8 == 2))
				continue;
			memcpy(o + len, (uint8_t[]){2, 4, 5, 180}, 4);
			assert_int_equal(options_verdict(&p, o, sizeof(o)), WIRE_TCP);
			assert_null(opts_difference(&want, &p.seg.opts));
		}
}

/* MUST-7. Kind k at every place of the options, with every length that is impossible there. */
TEST(options__impossible_lengths_are_bad_tcp)
{
	static const uint8_t kinds[] = {2, 3, 4, 5, 8, 19, 254, 255};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t at = 0; at < 40; at++)
			for (unsigned len = 0; len < 256; len++) {
				uint8_t o[40];
				struct packet p;

				memset(o, 1, sizeof(o));
				o[at] = kinds[i];
				if (at + 1 < sizeof(o))
					o[at + 1] = (uint8_t)len;
				if (len >= 2 && at + len <= sizeof(o))
					continue;
				assert_int_equal(options_verdict(&p, o, sizeof(o)), WIRE_BAD_TCP);
				if (at + 1 >= sizeof(o))
					break;
			}
}

/* The fast path for the usual words must not step past a header that ends within them. */
TEST(options__cut_short_in_the_usual_words)
{
	static const uint8_t usual[] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7};
	struct packet p;

	for (size_t from = 0; from < sizeof(usual); from += 4)
		for (size_t to = from + 4; to <= sizeof(usual); to += 4) {
			bool splits_ts = (from <= 4 && to > 4 && to < 16);

			if (from == 8 || from == 12) /* within the timestamps: no options of the usual kind */
				continue;
			assert_int_equal(options_verdict(&p, usual + from, to - from),
					 splits_ts ? WIRE_BAD_TCP : WIRE_TCP);
		}
}

/* What the options say, read the plain way: no fast path, one octet at a time. */
static bool plain_reader(struct tcp_opts *o, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len && at[i]; i += at[i] == 1 ? 1 : at[i + 1]) {
		uint8_t kind = at[i];

		if (kind == 1)
			continue;
		if (i + 1 == len || at[i + 1] < 2 || i + at[i + 1] > len)
			return false;
		o->has_mss |= kind == 2 && at[i + 1] == 4;
		o->has_wscale |= kind == 3 && at[i + 1] == 3;
		o->sack_permitted |= kind == 4 && at[i + 1] == 2;
		o->has_ts |= kind == 8 && at[i + 1] == 10;
		if (kind == 5 && at[i + 1] > 2 && at[i + 1] % 8 == 2)
			o->n_sack = (uint8_t)(at[i + 1] / 8);
	}
	return true;
}

TEST(options__random_ones__are_read_as_the_plain_reader_does)
{
	static const uint8_t likely[] = {0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 8, 8, 10, 10, 18, 26, 254};
	unsigned good = 0, rounds = 20000;
	uint32_t x = 7;

	for (unsigned n = 0; n < rounds; n++) {
		uint8_t o[40];
		struct tcp_opts want = {0};
		struct packet p;
		bool ok;

		for (size_t i = 0; i < sizeof(o); i++) {
			x = x * 1664525 + 1013904223;
			o[i] = likely[(x >> 16) % sizeof(likely)];
		}
		if (n % 2)
			memcpy(o, (uint8_t[]){2, 4, 5, 180, 4, 2, 8, 10}, n % 4 == 1 ? 8 : 4);
		ok = plain_reader(&want, o, sizeof(o));
		good += ok;
		assert_int_equal(options_verdict(&p, o, sizeof(o)), ok ? WIRE_TCP : WIRE_BAD_TCP);
		if (!ok)
			continue;
		assert_int_equal(p.seg.opts.has_mss, want.has_mss);
		assert_int_equal(p.seg.opts.has_wscale, want.has_wscale);
		assert_int_equal(p.seg.opts.has_ts, want.has_ts);
		assert_int_equal(p.seg.opts.sack_permitted, want.sack_permitted);
		assert_int_equal(p.seg.opts.n_sack, want.n_sack);
	}
	assert_in_range(good, rounds / 20, rounds * 19 / 20);
}

RUN(T(ipv4__every_shorter_piece_of_a_packet_is_bad), T(ipv6__every_shorter_piece_of_a_packet_is_bad),
    T(tcp__shorter_than_its_header__is_bad_tcp), T(padding__after_the_total_length__is_ignored),
    T(ip__versions_but_4_and_6_are_bad), T(ipv4__header_length_below_20_or_past_the_packet__is_bad),
    T(ipv4__total_length_below_the_header_with_options__is_bad), T(ipv4__options_are_skipped_and_summed),
    T(checksum__every_single_bit_error_is_seen), T(checksum__over_ipv6_covers_the_addresses),
    T(checksum__not_asked_for__a_bad_one_of_tcp_passes_and_of_ip_does_not),
    T(tcp__data_offset_below_5_words_or_past_the_segment__is_bad), T(tcp__reserved_bits_are_ignored),
    T(ipv4__fragments), T(ipv4__other_protocols), T(ipv6__extension_headers_are_stepped_over),
    T(ipv6__hop_by_hop_only_first), T(ipv6__extension_headers_are_bounded),
    T(ipv6__extension_header_past_the_payload__is_bad), T(ipv6__routing_header_with_segments_left__is_not_for_us),
    T(ipv6__fragments), T(ipv6__other_protocols), T(ipv6__ipv4_mapped_addresses_are_bad),
    T(options__any_order_without_padding), T(options__unknown_ones_are_stepped_over),
    T(options__after_the_end_mark__are_not_read), T(options__of_two_of_a_kind_the_last_counts),
    T(options__of_another_length_than_their_kind__are_stepped_over), T(options__impossible_lengths_are_bad_tcp),
    T(options__cut_short_in_the_usual_words), T(options__random_ones__are_read_as_the_plain_reader_does))
