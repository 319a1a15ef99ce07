/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "engine/tuple.h"
#include "tests/unit/t.h"

static const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static size_t put16(uint8_t *to, size_t at, uint16_t x)
{
	to[at] = (uint8_t)x;
	to[at + 1] = (uint8_t)(x >> 8);
	return at + 2;
}

static uint64_t by_bytes(const struct tuple *t, const void *raddr, size_t len)
{
	uint8_t msg[22];

	memcpy(msg, raddr, len);
	len = put16(msg, len, t->lport);
	len = put16(msg, len, t->laddr);
	len = put16(msg, len, t->rport);
	return hash_bytes(key, msg, len);
}

/* Little endian: elsewhere the words differ, and nothing else does. */
TEST(hash__is_siphash_of_address_and_numbers)
{
	struct rng r;

	rng_seed(&r, 1);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_u64(&r), y = rng_u64(&r);
		struct tuple t = {.laddr = (uint16_t)x, .lport = (uint16_t)(x >> 16), .rport = (uint16_t)(x >> 32)};

		t.raddr = addr_from_v4(&y);
		assert_int_equal(tuple_hash(key, &t), by_bytes(&t, &y, 4));
		t.raddr.d[0] = y;
		t.raddr.d[1] = rng_u64(&r);
		assert_int_equal(tuple_hash(key, &t), by_bytes(&t, t.raddr.b, 16));
	}
}

static void depends_on_all(struct tuple t)
{
	uint64_t h = tuple_hash(key, &t);
	struct tuple o = t;

	assert_int_equal(tuple_hash(key, &o), h);
	assert_int_not_equal(tuple_hash((struct hash_key){key.k0, key.k1 + 1}, &o), h);
	for (size_t i = 0; i < sizeof(t.raddr.b); i++) {
		o.raddr.b[i] ^= 1;
		assert_int_not_equal(tuple_hash(key, &o), h);
		assert_false(tuple_eq(&t, &o));
		o = t;
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		o.laddr = (laddr_t)(t.laddr ^ 1U << bit);
		assert_int_not_equal(tuple_hash(key, &o), h);
		assert_false(tuple_eq(&t, &o));
		o = t;
		o.lport = (uint16_t)(t.lport ^ 1U << bit);
		assert_int_not_equal(tuple_hash(key, &o), h);
		assert_false(tuple_eq(&t, &o));
		o = t;
		o.rport = (uint16_t)(t.rport ^ 1U << bit);
		assert_int_not_equal(tuple_hash(key, &o), h);
		assert_false(tuple_eq(&t, &o));
		o = t;
	}
	assert_true(tuple_eq(&t, &o));
}

TEST(hash__depends_on_everything)
{
	static const uint8_t v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};

	depends_on_all((struct tuple){.raddr = addr_v4(10, 0, 0, 1), .laddr = 1, .lport = 80, .rport = 40000});
	depends_on_all((struct tuple){.raddr = addr_from_v6(v6), .laddr = 1, .lport = 80, .rport = 40000});
}

TEST(hash__spreads_ports_over_buckets)
{
	unsigned bucket[256] = {0};
	struct tuple t = {.raddr = addr_v4(127, 0, 0, 1), .rport = 80};

	for (uint32_t port = 0; port < 65536; port++) {
		t.lport = (uint16_t)port;
		bucket[tuple_hash(key, &t) % 256]++;
	}
	for (unsigned i = 0; i < 256; i++)
		assert_in_range(bucket[i], 160, 360); /* 256 expected, sigma 16 */
}

RUN(T(hash__is_siphash_of_address_and_numbers), T(hash__depends_on_everything), T(hash__spreads_ports_over_buckets))
