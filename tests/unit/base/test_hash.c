/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "tests/unit/t.h"

TEST(hash__depends_on_every_byte_the_length_and_the_key)
{
	struct hash_key k = {1, 2}, other = {1, 3};
	unsigned char buf[24] = {0};
	uint64_t h = hash_bytes(k, buf, sizeof(buf));

	assert_int_equal(hash_bytes(k, buf, sizeof(buf)), h);
	assert_int_not_equal(hash_bytes(other, buf, sizeof(buf)), h);
	assert_int_not_equal(hash_bytes(k, buf, sizeof(buf) - 1), h);
	for (size_t i = 0; i < sizeof(buf); i++) {
		buf[i] = 1;
		assert_int_not_equal(hash_bytes(k, buf, sizeof(buf)), h);
		buf[i] = 0;
	}
}

/* Key and message of the SipHash reference (key bytes 0..15, message bytes 0..n-1), values of its 1-3 variant. */
TEST(hash__is_siphash_1_3)
{
	struct hash_key k = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	unsigned char msg[16];

	for (unsigned i = 0; i < sizeof(msg); i++)
		msg[i] = (unsigned char)i;
	assert_int_equal(hash_bytes(k, msg, 0), UINT64_C(0xabac0158050fc4dc));
	assert_int_equal(hash_bytes(k, msg, 1), UINT64_C(0xc9f49bf37d57ca93));
}

TEST(hash__spreads_consecutive_ports_over_buckets)
{
	unsigned bucket[256] = {0};

	for (uint32_t port = 0; port < 65536; port++)
		bucket[hash_bytes((struct hash_key){7, 9}, &port, sizeof(port)) % 256]++;
	for (unsigned i = 0; i < 256; i++)
		assert_in_range(bucket[i], 160, 360); /* 256 expected, sigma 16 */
}

RUN(T(hash__depends_on_every_byte_the_length_and_the_key), T(hash__is_siphash_1_3),
    T(hash__spreads_consecutive_ports_over_buckets))
