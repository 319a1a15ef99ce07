/* SPDX-License-Identifier: MIT */
/*
 * index.h - an open-addressing hash from a key to its place in an array. The keys stay in the caller's array: a slot
 * holds 32 bits of the (keyed) hash and the place, 8 bytes in all, so that 32768 destinations cost 512 KiB to find.
 * At most half of the slots are used. Private to obs/.
 */
#pragma once
#include "base/base.h"

#define INDEX_NONE UINT32_MAX

struct index_slot {
	uint32_t hash, place_plus_1; /* 0: free */
};

struct index { /* zero-initialise */
	struct index_slot *slot; /* a power of two of them, or NULL */
	size_t n_slots, n;
};

/*
 * The next place whose key may be the one sought, or INDEX_NONE. *at starts as the hash and is the walk's cursor:
 *	for (size_t at = hash; (place = index_next(ix, hash, &at)) != INDEX_NONE;)
 *		if (same key) ...
 */
static inline uint32_t index_next(const struct index *ix, uint32_t hash, size_t *at)
{
	if (!ix->n_slots)
		return INDEX_NONE;
	for (;;) {
		const struct index_slot *s = &ix->slot[(*at)++ & (ix->n_slots - 1)];

		if (!s->place_plus_1)
			return INDEX_NONE;
		if (s->hash == hash)
			return s->place_plus_1 - 1;
	}
}

int index_add(struct index *ix, uint32_t hash, uint32_t place); /* 0 or -ENOMEM; the key must be new */
void index_done(struct index *ix); /* frees; zeroed afterwards */
