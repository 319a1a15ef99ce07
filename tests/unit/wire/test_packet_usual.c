/* SPDX-License-Identifier: MIT */
/*
 * packet_parse() has a short way for the packets that come most, and for the options that come most. They say what the long ways say, of any
 * packet, whole or damaged. The parser is compiled into this test; the library's own is not linked then.
 */
#include "base/rng.h"
#include "tests/unit/wire/rig.h"

#include "wire/packet_parse.c" /* NOLINT(bugprone-suspicious-include) */

enum { PACKETS = 100000 };

static struct rng rng;

static uint32_t below(uint32_t n) { return rng_below(&rng, n); }
static bool once_in(uint32_t n) { return below(n) == 0; }

static void random_options(struct tcp_opts *o)
{
	*o = (struct tcp_opts){.kinds = 0};
	o->has_ts = !once_in(3);
	o->tsval = below(UINT32_MAX);
	o->tsecr = below(UINT32_MAX);
	if (!once_in(4))
		return;
	o->has_mss = once_in(2);
	o->mss = (uint16_t)below(UINT16_MAX);
	o->has_wscale = once_in(2);
	o->wscale = (uint8_t)below(15);
	o->sack_permitted = once_in(2);
	o->n_sack = once_in(2) ? 1 : 0;
}

static void random_packet(struct bytes *k)
{
	struct seg s = seg4();

	s.flags = (uint8_t)below(256);
	s.wnd = (uint16_t)below(UINT16_MAX);
	random_options(&s.opts);
	s.len = once_in(2) ? below(64) : 0;
	s.text = s.len ? k->b + packet_header_len(&s) : NULL;
	k->len = packet_write(k->b, sizeof(k->b), &s, 0);
	assert_int_not_equal(k->len, 0);
}

static void damage(struct bytes *k)
{
	static const uint8_t where[] = {0, 0, 2, 3, 3, 6, 7, 9, 10, 12, 32, 32, 40, 41, 42, 43};
	size_t at = once_in(2) ? where[below(ARRAY_LEN(where))] : below((uint32_t)k->len);

	if (at < k->len)
		k->b[at] = (uint8_t)(once_in(2) ? k->b[at] ^ 1U << below(8) : below(256));
	if (once_in(2) && k->b[0] == 0x45 && k->len >= 40) { /* it may pass for whole then */
		uint16_t total = get16(k->b + 2);

		mend4(k);
		if (once_in(3) && total < k->len) {
			set16(k->b + 2, total);
			set_csum(k->b + 10, 0, k->b, IPV4_HEADER_LEN);
		}
	}
	if (once_in(8))
		k->len = below((uint32_t)k->len + 1);
	else if (once_in(8))
		k->len += below(8);
}

static void compare_options(const struct bytes *k, const struct packet *p)
{
	uint32_t header = (k->b[0] & 15U) * 4, len = (k->b[header + 12] >> 4) * 4U - TCP_HEADER_LEN;
	struct tcp_opts o;

	memset(&o, 0, sizeof(o));
	assert_true(parse_options(&o, k->b + header + TCP_HEADER_LEN, len));
	assert_memory_equal(&o, &p->seg.opts, sizeof(o));
}

TEST(any_packet__short_way__says_what_the_long_one_says)
{
	static struct bytes k;
	unsigned usual = 0, good = 0;

	rng_seed(&rng, 1);
	for (unsigned n = 0; n < PACKETS; n++) {
		unsigned how = once_in(2) ? PACKET_NO_TCP_CSUM : 0;
		struct packet p, want;

		random_packet(&k);
		if (once_in(2))
			damage(&k);
		memset(&p, 0, sizeof(p));
		memset(&want, 0, sizeof(want));
		want.verdict = parse_any(&want, k.b, k.len, how);
		assert_int_equal(packet_parse(&p, k.b, k.len, how), want.verdict);
		usual += is_usual(k.b, k.len);
		if (want.verdict != WIRE_TCP)
			continue;
		good++;
		assert_memory_equal(&p, &want, sizeof(p));
		compare_options(&k, &p);
	}
	assert_in_range(usual, PACKETS / 2, PACKETS * 9 / 10);
	assert_in_range(good, PACKETS / 2, PACKETS * 9 / 10);
}

RUN(T(any_packet__short_way__says_what_the_long_one_says))
