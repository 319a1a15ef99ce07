/* SPDX-License-Identifier: MIT */
#include "io/impair.h"

#include <stdlib.h>

#include "base/link.h"
#include "base/rng.h"

struct packet_slot {
	struct link at;
	nsec_t due_at;
	uint32_t len;
	uint8_t data[IMPAIR_PACKET_MAX];
};

struct impair {
	struct impair_cfg cfg;
	struct impair_stats stats;
	struct rng rng;
	struct link under_way, spare; /* the first by time */
	struct packet_slot *given; /* to the caller of impair_get() */
	nsec_t busy_until; /* the limited link sends what is queued */
	unsigned lose_next;
	bool held;
	struct packet_slot slot[IMPAIR_PACKETS];
};

struct impair *impair_new(const struct impair_cfg *cfg, uint64_t seed)
{
	struct impair *im = malloc(sizeof(*im)); /* slots are touched as they are used */

	if (!im)
		return NULL;
	memset(im, 0, offsetof(struct impair, slot));
	im->cfg = *cfg;
	rng_seed(&im->rng, seed);
	link_init(&im->under_way);
	link_init(&im->spare);
	for (size_t i = 0; i < IMPAIR_PACKETS; i++) {
		im->slot[i].at = (struct link){0};
		link_append(&im->spare, &im->slot[i].at);
	}
	return im;
}

void impair_free(struct impair *im) { free(im); }
void impair_set(struct impair *im, const struct impair_cfg *cfg) { im->cfg = *cfg; }
void impair_hold(struct impair *im, bool hold) { im->held = hold; }
void impair_lose_next(struct impair *im, unsigned n) { im->lose_next = n; }
const struct impair_stats *impair_stats(const struct impair *im) { return &im->stats; }

static const struct packet_slot *slot_of(const struct link *l)
{
	return (const struct packet_slot *)(const void *)((const char *)l - offsetof(struct packet_slot, at));
}

/* Sorted by time, equal ones as they came; nearly always the last place. */
static void enqueue(struct impair *im, nsec_t due_at, const void *packet, size_t len)
{
	struct link *l = link_pop(&im->spare), *after = im->under_way.prev;
	struct packet_slot *p;

	if (!l) {
		im->stats.overflowed++;
		return;
	}
	p = container_of(l, struct packet_slot, at);
	p->due_at = due_at;
	p->len = (uint32_t)len;
	memcpy(p->data, packet, len);
	while (after != &im->under_way && slot_of(after)->due_at > due_at)
		after = after->prev;
	link_insert(after, l);
}

static uint64_t queue_limit(const struct impair *im)
{
	const double bytes_per_ns = (double)im->cfg.rate_bps / 8e9;

	return im->cfg.queue_bytes ? im->cfg.queue_bytes : (uint64_t)((double)im->cfg.delay * bytes_per_ns);
}

/* When the last bit has left the limited link; false: there is no room to wait for that. */
static bool pass_limit(struct impair *im, nsec_t now, size_t len, nsec_t *ret_at)
{
	const double ns_per_byte = im->cfg.rate_bps ? 8e9 / (double)im->cfg.rate_bps : 0;
	nsec_t from = im->busy_until > now ? im->busy_until : now;

	*ret_at = now;
	if (!im->cfg.rate_bps)
		return true;
	if ((double)(from - now) + (double)len * ns_per_byte > (double)(queue_limit(im) + len) * ns_per_byte)
		return false;
	im->busy_until = *ret_at = from + (nsec_t)((double)len * ns_per_byte);
	return true;
}

bool impair_fits(struct impair *im, size_t len)
{
	const bool fits = im->cfg.mtu == 0 || len <= im->cfg.mtu;

	im->stats.too_big += !fits;
	return fits;
}

void impair_put(struct impair *im, nsec_t now, const void *packet, size_t len)
{
	const bool twice = rng_chance(&im->rng, im->cfg.duplicate), late = rng_chance(&im->rng, im->cfg.reorder);
	nsec_t at;

	im->stats.in++;
	/* Chance is asked for every packet, so what befalls one does not depend on the others. */
	if (rng_chance(&im->rng, im->cfg.loss) || im->lose_next > 0 || len > IMPAIR_PACKET_MAX || len == 0) {
		im->lose_next -= im->lose_next > 0;
		im->stats.lost++;
		return;
	}
	if (!pass_limit(im, now, len, &at)) {
		im->stats.overflowed++;
		return;
	}
	at += im->cfg.delay;
	if (late) {
		nsec_t most = im->cfg.reorder_by ? im->cfg.reorder_by : 3 * NSEC_PER_MS;

		at += 1 + rng_u64(&im->rng) % most;
		im->stats.reordered++;
	}
	enqueue(im, at, packet, len);
	if (twice) {
		im->stats.duplicated++;
		enqueue(im, at, packet, len);
	}
}

nsec_t impair_next_at(const struct impair *im)
{
	return im->held || link_is_empty(&im->under_way) ? NSEC_NEVER : slot_of(im->under_way.next)->due_at;
}

size_t impair_get(struct impair *im, nsec_t now, const void **ret_packet)
{
	if (im->given)
		link_append(&im->spare, &im->given->at);
	im->given = NULL;
	if (impair_next_at(im) > now)
		return 0;
	im->given = container_of(link_pop(&im->under_way), struct packet_slot, at);
	im->stats.out++;
	*ret_packet = im->given->data;
	return im->given->len;
}

/* ---- in words ---- */

enum { PERCENT, MS, MBIT, OCTETS };

static bool take(struct impair_cfg *c, const char *name, size_t len, double v)
{
	const struct {
		const char *name;
		int unit;
		void *at;
	} rows[] = {
		{"loss", PERCENT, &c->loss}, {"dup", PERCENT, &c->duplicate}, {"reorder", PERCENT, &c->reorder},
		{"delay", MS, &c->delay},    {"rate", MBIT, &c->rate_bps},    {"mtu", OCTETS, &c->mtu},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].name) != len || memcmp(rows[i].name, name, len) != 0)
			continue;
		if (rows[i].unit == PERCENT && v <= 100)
			*(double *)rows[i].at = v / 100;
		else if (rows[i].unit == MS && v <= 10000)
			*(nsec_t *)rows[i].at = (nsec_t)(v * (double)NSEC_PER_MS);
		else if (rows[i].unit == MBIT && v >= 0.01 && v <= 100000)
			*(uint64_t *)rows[i].at = (uint64_t)(v * 1e6);
		else if (rows[i].unit == OCTETS && v >= IMPAIR_MTU_MIN && v <= IMPAIR_PACKET_MAX)
			*(uint32_t *)rows[i].at = (uint32_t)v;
		else
			return false;
		return true;
	}
	return false;
}

bool impair_parse(const char *text, struct impair_cfg *ret)
{
	struct impair_cfg c = {0};

	if (strcmp(text, "none") == 0) {
		*ret = c;
		return true;
	}
	for (const char *p = text;; p++) {
		size_t name = strcspn(p, "=,");
		char *end;
		double v;

		if (p[name] != '=' || p[name + 1] < '0' || p[name + 1] > '9')
			return false;
		v = strtod(p + name + 1, &end);
		if (!take(&c, p, name, v) || (*end && *end != ','))
			return false;
		p = end;
		if (!*p)
			break;
	}
	*ret = c;
	return true;
}
