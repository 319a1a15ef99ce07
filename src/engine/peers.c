/* SPDX-License-Identifier: MIT */
#include "engine/timewait.h"

/* As tcp_v4_conn_request() and tcp_v4_remember_stamp() of Linux 2.6.32 had them. */
enum { REMEMBERED_S = 60 /* TCP_PAWS_MSL */, TOLERANCE = 1 /* TCP_PAWS_WINDOW: ticks of the peer's clock */ };

struct peers {
	struct hash_key key;
	uint32_t n;
	struct peer {
		struct addr host;
		nsec_t at; /* when it was noted */
		uint32_t tsval;
		bool used;
	} peer[];
};

static size_t place_of(const struct peers *p, const struct addr *host)
{
	return (hash_bytes(p->key, host->b, sizeof(host->b)) >> 32) * p->n >> 32;
}

size_t peers_size(uint32_t n) { return sizeof(struct peers) + n * sizeof(struct peer); }

struct peers *peers_init(void *mem, uint32_t n, struct hash_key key)
{
	struct peers *p = mem;

	must(n > 0);
	must((uintptr_t)mem % _Alignof(struct peers) == 0);
	memset(p, 0, peers_size(n));
	p->key = key;
	p->n = n;
	return p;
}

void peers_note(struct peers *p, const struct addr *host, uint32_t tsval, nsec_t now)
{
	struct peer *e = &p->peer[place_of(p, host)];
	bool same = e->used && addr_eq(&e->host, host);

	if (same && (int32_t)(e->tsval - tsval) > 0 && now - e->at <= REMEMBERED_S * NSEC_PER_S)
		return; /* the newest counts */
	*e = (struct peer){.host = *host, .at = now, .tsval = tsval, .used = true};
}

bool peers_refuse(const struct peers *p, const struct addr *host, uint32_t tsval, nsec_t now)
{
	const struct peer *e = &p->peer[place_of(p, host)];

	return e->used && addr_eq(&e->host, host) && now - e->at < REMEMBERED_S * NSEC_PER_S &&
	       (int32_t)(e->tsval - tsval) > TOLERANCE;
}
