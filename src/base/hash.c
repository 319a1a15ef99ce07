/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

uint64_t hash_bytes(struct hash_key key, const void *data, size_t len)
{
	struct sip s = sip_start(key);
	const unsigned char *p = data;
	uint64_t tail = (uint64_t)len << 56, word;

	for (size_t left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(&s, word);
	}
	for (size_t i = 0; i < len % 8; i++)
		tail |= (uint64_t)p[i] << (8 * i);
	return sip_end(&s, tail);
}
