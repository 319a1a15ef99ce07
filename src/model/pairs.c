/* SPDX-License-Identifier: MIT */
#include "model/pairs.h"
#include <stdlib.h>

enum { WAITING = 4096 };
#define BEGIN_TOGETHER NSEC_PER_S /* both ends, by one clock: a handshake, but for SYNs that were lost */

struct waiting {
	uint64_t id; /* of addresses and ports */
	uint64_t netns;
	nsec_t start;
	uint64_t bytes[2];
	enum side local; /* SIDE_NONE: nobody waits */
	bool reset;
	uint16_t service;
};

struct pairs {
	struct hash_key key;
	struct waiting v[WAITING];
};

struct pairs *pairs_new(struct hash_key key)
{
	struct pairs *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->key = key;
	for (size_t i = 0; i < WAITING; i++)
		p->v[i].local = SIDE_NONE;
	return p;
}

void pairs_free(struct pairs *p) { free(p); }

static uint64_t id_of(const struct pairs *p, const struct conn *c)
{
	struct {
		uint8_t addr[2][16];
		uint16_t port[2];
		uint8_t family[2];
		uint16_t zero;
	} k = {.port = {c->port[0], c->port[1]}, .family = {c->addr[0].family, c->addr[1].family}};

	memcpy(k.addr[0], c->addr[0].b, sizeof(k.addr[0]));
	memcpy(k.addr[1], c->addr[1].b, sizeof(k.addr[1]));
	return hash_bytes(p->key, &k, sizeof(k));
}

/* All that one sent the other received, unless a RST threw some of it away. */
static bool octets_agree(const struct waiting *w, const struct conn *c)
{
	bool reset = w->reset || c->how != END_FIN;

	for (int by = SIDE_CLIENT; by <= SIDE_SERVER; by++) {
		uint64_t sent = (int)c->local == by ? c->bytes[by] : w->bytes[by],
			 had = (int)c->local == by ? w->bytes[by] : c->bytes[by];

		if (had > sent || (had < sent && !reset))
			return false;
	}
	return true;
}

static bool is_pair(const struct waiting *w, uint64_t id, const struct conn *c)
{
	nsec_t apart = w->start > c->start ? w->start - c->start : c->start - w->start;

	return w->id == id && w->local == side_other(c->local) && w->netns != c->netns && apart <= BEGIN_TOGETHER &&
	       octets_agree(w, c);
}

int pairs_match(struct pairs *p, const struct conn *c, uint16_t service)
{
	uint64_t id = id_of(p, c);
	struct waiting *w = &p->v[id % WAITING];

	if (w->local != SIDE_NONE && is_pair(w, id, c)) {
		w->local = SIDE_NONE;
		return w->service;
	}
	*w = (struct waiting){.id = id,
			      .netns = c->netns,
			      .start = c->start,
			      .bytes = {c->bytes[0], c->bytes[1]},
			      .local = c->local,
			      .reset = c->how != END_FIN,
			      .service = service};
	return -1;
}
