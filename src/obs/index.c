/* SPDX-License-Identifier: MIT */
#include "obs/index.h"
#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 64 };

static void put(struct index *ix, struct index_slot s)
{
	size_t at = s.hash;

	while (ix->slot[at & (ix->n_slots - 1)].place_plus_1)
		at++;
	ix->slot[at & (ix->n_slots - 1)] = s;
}

int index_add(struct index *ix, uint32_t hash, uint32_t place)
{
	must(place < INDEX_NONE);
	if ((ix->n + 1) * 2 > ix->n_slots) {
		struct index bigger = {.n_slots = ix->n_slots ? ix->n_slots * 2 : SLOTS_MIN, .n = ix->n};

		bigger.slot = calloc(bigger.n_slots, sizeof(*bigger.slot));
		if (!bigger.slot)
			return -ENOMEM;
		for (size_t i = 0; i < ix->n_slots; i++)
			if (ix->slot[i].place_plus_1)
				put(&bigger, ix->slot[i]);
		free(ix->slot);
		*ix = bigger;
	}
	put(ix, (struct index_slot){hash, place + 1});
	ix->n++;
	return 0;
}

void index_done(struct index *ix)
{
	free(ix->slot);
	*ix = (struct index){0};
}
