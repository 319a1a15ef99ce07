/* SPDX-License-Identifier: MIT */
#include "engine/twstore.h"

#include "wire/octets.h"

/*
 * Memory: this header, then the slots, then one tag for each slot. Slots are numbered: n_buckets times WAYS, then the
 * stash, then one sentinel a queue, the head of a circular list. So links need no case for the ends of a queue.
 */
enum {
	WAYS = 32, /* half a cache line of tags */
	STASH = 64,
	QUEUES = 32,
	EXACT = 16,
	COARSE_MIN_MS = 128,
	PASS_MAX = 64,
	LOOK_AHEAD = 4,
	SMALL = 2048
};
enum { SLOT_BITS = 27 };
#define SLOT_MASK ((UINT32_C(1) << SLOT_BITS) - 1)
#define LEAP_MS (UINT64_C(1) << 30)

/* The octet of tw_rec's flags with these set, as in FLAGS(.chosen = true). */
#define FLAGS(...) (((struct tw_rec){__VA_ARGS__}).flags)
enum { WND_MIN_LOG = 8 };

struct slot {
	uint32_t raddr; /* network order; of IPv6 the last word */
	uint16_t lport, rport, laddr;
	uint8_t flags; /* tw_rec.flags */
	uint8_t wnd; /* 0, or log2 of the window less 7 */
	uint32_t snd_nxt, rcv_nxt, ts_recent;
	uint32_t deadline; /* the store's ms, modulo 2^32 */
	uint32_t prev;
	uint32_t next; /* its upper 5 bits: the queue */
	uint32_t raddr_high[]; /* of IPv6 the first three words */
};
_Static_assert(sizeof(struct slot) == 36, "a slot is 36 octets, 48 for IPv6");
_Static_assert(TW_CAPACITY_MAX / 15 < ((int)SLOT_MASK - 2 * WAYS - STASH - QUEUES) / 16, "slot numbers fit a link");

struct twstore {
	nsec_t soonest_at; /* nothing is due before; may be too early */
	nsec_t start_at; /* of the store's ms */
	uint64_t now_ms, skipped_ms; /* the store's ms, and those that it leapt over */
	uint64_t check_ms; /* until then no record can be overdue for LEAP_MS */
	uint64_t tags_off;
	uint32_t n_buckets, n_slots; /* n_slots: without stash and sentinels */
	uint32_t stride, capacity, count, mix;
	uint32_t busy; /* queues with records in them, a bit each */
	uint32_t stash_n, stash_hand;
	bool v6;
	struct queue {
		uint32_t len_ms, deadline; /* of its records; of the first of them */
		uint32_t hand; /* first record that twstore_mature() has not passed, or the sentinel */
	} q[QUEUES];
	uint32_t stash_home[STASH]; /* one of the two buckets of a record in the stash */
};

/* ---- places ---- */

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
static uint32_t buckets_for(uint32_t capacity) { return (uint32_t)(((uint64_t)capacity * 16 / 15 + WAYS) / WAYS); }
static size_t slots_off(void) { return round_up(sizeof(struct twstore), 64); }
static size_t stride_for(bool v6) { return sizeof(struct slot) + (v6 ? 12 : 0); }

static size_t tags_off_for(bool v6, uint32_t capacity)
{
	size_t n = (size_t)buckets_for(capacity) * WAYS + STASH + QUEUES;

	return round_up(slots_off() + n * stride_for(v6), 64);
}

/* slot_at() and tag_at() for those who write, slot_of() and tag_of() for those who read. */
static struct slot *slot_at(struct twstore *s, uint32_t n)
{
	return (struct slot *)((char *)s + slots_off() + (size_t)n * s->stride);
}

static const struct slot *slot_of(const struct twstore *s, uint32_t n)
{
	return (const struct slot *)((const char *)s + slots_off() + (size_t)n * s->stride);
}

static uint8_t *tag_at(struct twstore *s, uint32_t n) { return (uint8_t *)s + s->tags_off + n; }
static const uint8_t *tag_of(const struct twstore *s, uint32_t n) { return (const uint8_t *)s + s->tags_off + n; }

static uint64_t tags_of(const struct twstore *s, uint32_t first) /* of eight slots; the first in the low octet */
{
	uint64_t w;

	memcpy(&w, tag_of(s, first), sizeof(w));
	return WIRE_LITTLE_ENDIAN ? w : __builtin_bswap64(w);
}

/* The octets of a word that are exactly equal to tag: their upper bits. */
static uint64_t equal_octets(uint64_t word, uint8_t tag)
{
	const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t x = word ^ tag * UINT64_C(0x0101010101010101);

	return ~(((x & low7) + low7) | x | low7);
}

static uint32_t octet_of(uint64_t bits) { return (uint32_t)__builtin_ctzll(bits) / 8; }

static uint32_t sentinel(const struct twstore *s, uint32_t queue) { return s->n_slots + STASH + queue; }

static uint8_t tag_for(uint64_t hash) { return (uint8_t)(((uint32_t)hash & 0xffff) * 255 / 65536 + 1); } /* never 0 */
static uint32_t bucket_for(const struct twstore *s, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * s->n_buckets >> 32);
}

/* The other bucket of a record with this tag: m(tag) - b modulo n, which undoes itself. */
static uint32_t other_bucket(const struct twstore *s, uint32_t bucket, uint8_t tag)
{
	uint32_t m = (uint32_t)((uint64_t)(tag * UINT32_C(0x9e3779b1) + s->mix) * s->n_buckets >> 32);

	return m >= bucket ? m - bucket : m + s->n_buckets - bucket;
}

/* ---- time ---- */

static uint64_t deadline_ms(const struct twstore *s, uint32_t deadline)
{
	return s->now_ms + (uint64_t)(int64_t)(int32_t)(deadline - (uint32_t)s->now_ms);
}

static nsec_t at_of(const struct twstore *s, uint64_t ms) { return s->start_at + (ms + s->skipped_ms) * NSEC_PER_MS; }

/* The busy queue whose first record ends first; QUEUES: all are empty. */
static uint32_t first_queue(const struct twstore *s)
{
	uint32_t best = QUEUES;

	for (uint32_t left = s->busy; left; left &= left - 1) {
		uint32_t q = (uint32_t)__builtin_ctz(left);
		if (best == QUEUES || (int32_t)(s->q[q].deadline - s->q[best].deadline) < 0)
			best = q;
	}
	return best;
}

/*
 * Deadlines are 32 bits of ms, which tell past from future only 2^31 apart. So the store's time never goes further than
 * that from the first deadline there is: it leaps over the rest, which nobody can tell, since all lengths are below an hour.
 */
static void leap(struct twstore *s, uint64_t target)
{
	uint32_t q = first_queue(s);
	uint64_t oldest, to = target;

	if (q == QUEUES) {
		s->now_ms = target;
		s->check_ms = target + LEAP_MS;
		return;
	}
	oldest = deadline_ms(s, s->q[q].deadline);
	if (to > s->now_ms + LEAP_MS)
		to = s->now_ms + LEAP_MS;
	if (to > oldest + 2 * LEAP_MS - 1)
		to = oldest + 2 * LEAP_MS - 1;
	s->skipped_ms += target - to;
	s->now_ms = to;
	s->check_ms = oldest + LEAP_MS;
}

/* Sets now_ms, rounded down; true if it was rounded. */
static bool set_time(struct twstore *s, nsec_t now)
{
	nsec_t since = now - s->start_at;
	uint64_t ms = since / NSEC_PER_MS, target = ms - s->skipped_ms;

	must(now >= s->start_at);
	must(target >= s->now_ms);
	if (target <= s->check_ms)
		s->now_ms = target;
	else
		leap(s, target);
	return since != ms * NSEC_PER_MS;
}

/* ---- queues ---- */

static void set_next(struct slot *r, uint32_t to) { r->next = (r->next & ~SLOT_MASK) | to; }
static uint32_t next_of(const struct slot *r) { return r->next & SLOT_MASK; }
static uint32_t queue_of(const struct slot *r) { return r->next >> SLOT_BITS; }

/* Class i of lengths: 128 ms, 256 ms, ... 2,097,152 ms, and one hour. */
static uint32_t coarse_len(uint32_t i)
{
	return i == QUEUES - EXACT - 1 ? TW_LEN_MAX_MS : (uint32_t)COARSE_MIN_MS << i;
}

static uint32_t queue_for(struct twstore *s, uint32_t len_ms)
{
	uint32_t unused = QUEUES, i = 0;

	for (uint32_t q = 0; q < EXACT; q++) {
		if (s->busy >> q & 1) {
			if (s->q[q].len_ms == len_ms)
				return q;
		} else if (unused == QUEUES) {
			unused = q;
		}
	}
	if (unused != QUEUES) {
		s->q[unused].len_ms = len_ms;
		return unused;
	}
	while (coarse_len(i) < len_ms)
		i++;
	return EXACT + i;
}

/* Takes slot n's record, in place and otherwise filled in, into the queue for len_ms. set_time() has been called. */
static void enqueue(struct twstore *s, uint32_t n, uint32_t len_ms, bool rounded)
{
	uint32_t q = queue_for(s, len_ms), head = sentinel(s, q);
	struct slot *r = slot_at(s, n), *h = slot_at(s, head);
	nsec_t at;

	r->deadline = (uint32_t)s->now_ms + s->q[q].len_ms + (rounded && s->q[q].len_ms > 0);
	r->prev = h->prev;
	r->next = head | q << SLOT_BITS;
	set_next(slot_at(s, h->prev), n);
	h->prev = n;
	if (s->q[q].hand == head)
		s->q[q].hand = n;
	if (!(s->busy >> q & 1)) {
		s->busy |= UINT32_C(1) << q;
		s->q[q].deadline = r->deadline;
		at = at_of(s, deadline_ms(s, r->deadline));
		if (at < s->soonest_at)
			s->soonest_at = at;
	}
}

static void dequeue(struct twstore *s, uint32_t n)
{
	const struct slot *r = slot_of(s, n);
	uint32_t q = queue_of(r), prev = r->prev, next = next_of(r), head = sentinel(s, q);

	set_next(slot_at(s, prev), next);
	slot_at(s, next)->prev = prev;
	if (s->q[q].hand == n)
		s->q[q].hand = next;
	if (prev != head)
		return;
	if (next == head)
		s->busy &= ~(UINT32_C(1) << q);
	else
		s->q[q].deadline = slot_at(s, next)->deadline;
}

/* ---- making room ---- */

static void move(struct twstore *s, uint32_t from, uint32_t to)
{
	const struct slot *r = slot_at(s, from);
	struct queue *q = &s->q[queue_of(r)];

	memcpy(slot_at(s, to), r, s->stride);
	*tag_at(s, to) = *tag_at(s, from);
	*tag_at(s, from) = 0;
	set_next(slot_at(s, r->prev), to);
	slot_at(s, next_of(r))->prev = to;
	if (q->hand == from)
		q->hand = to;
}

/* Empty slots of a bucket, as bits of its words of tags. */
struct room {
	uint64_t bits[WAYS / 8];
};

static struct room room_in(const struct twstore *s, uint32_t bucket)
{
	struct room r;

	for (uint32_t i = 0; i < ARRAY_LEN(r.bits); i++)
		r.bits[i] = equal_octets(tags_of(s, bucket * WAYS + 8 * i), 0);
	return r;
}

static uint32_t first_room(const struct room *r, uint32_t bucket) /* a slot, or TW_NONE */
{
	for (uint32_t i = 0; i < ARRAY_LEN(r->bits); i++)
		if (r->bits[i])
			return bucket * WAYS + 8 * i + octet_of(r->bits[i]);
	return TW_NONE;
}

static unsigned count_room(const struct room *r) /* a bit an octet: a product sums them up */
{
	uint64_t octets = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(r->bits); i++)
		octets += r->bits[i] >> 7;
	return (unsigned)(octets * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t emptier_of(const struct twstore *s, uint32_t b1, uint32_t b2) /* an empty slot there, or TW_NONE */
{
	struct room r1 = room_in(s, b1), r2 = room_in(s, b2);

	return count_room(&r1) >= count_room(&r2) ? first_room(&r1, b1) : first_room(&r2, b2);
}

static uint32_t empty_in(const struct twstore *s, uint32_t bucket) /* an empty slot, or TW_NONE */
{
	struct room r = room_in(s, bucket);

	return first_room(&r, bucket);
}

/* Moves one record of a full bucket to its other bucket; its slot, or TW_NONE if all of those are full. */
static uint32_t move_one(struct twstore *s, uint32_t bucket)
{
	for (uint32_t n = bucket * WAYS; n < bucket * WAYS + WAYS; n++) {
		uint32_t to = empty_in(s, other_bucket(s, bucket, *tag_of(s, n)));
		if (to != TW_NONE) {
			move(s, n, to);
			return n;
		}
	}
	return TW_NONE;
}

/* The same where that takes two moves: at most WAYS * WAYS buckets are looked at. */
static uint32_t move_two(struct twstore *s, uint32_t bucket)
{
	for (uint32_t n = bucket * WAYS; n < bucket * WAYS + WAYS; n++) {
		uint32_t to = move_one(s, other_bucket(s, bucket, *tag_of(s, n)));
		if (to != TW_NONE) {
			move(s, n, to);
			return n;
		}
	}
	return TW_NONE;
}

/* An empty slot in one of two buckets, or in the stash; there is one, since the capacity is not reached. */
static uint32_t make_room(struct twstore *s, uint32_t b1, uint32_t b2)
{
	uint32_t n;

	for (n = b1 * WAYS; n < b1 * WAYS + LOOK_AHEAD; n++)
		prefetch(tag_of(s, other_bucket(s, b1, *tag_of(s, n)) * WAYS));
	n = move_one(s, b1);
	if (n == TW_NONE)
		n = move_one(s, b2);
	if (n == TW_NONE)
		n = move_two(s, b1);
	if (n == TW_NONE)
		n = move_two(s, b2);
	if (n != TW_NONE)
		return n;
	for (n = s->n_slots; n < s->n_slots + STASH; n++) {
		if (*tag_of(s, n) == 0) {
			s->stash_home[n - s->n_slots] = b1;
			s->stash_n++;
			return n;
		}
	}
	return TW_NONE;
}

/* A look at one record of the stash: may it go back to one of its buckets? */
static void drain_stash(struct twstore *s)
{
	uint32_t i = s->stash_hand++ % STASH, to;
	uint8_t tag = *tag_of(s, s->n_slots + i);

	if (tag == 0)
		return;
	to = empty_in(s, s->stash_home[i]);
	if (to == TW_NONE)
		to = empty_in(s, other_bucket(s, s->stash_home[i], tag));
	if (to == TW_NONE)
		return;
	move(s, s->n_slots + i, to);
	s->stash_n--;
}

/* ---- records ---- */

static uint8_t pack_wnd(uint32_t octets)
{
	return octets >> WND_MIN_LOG ? (uint8_t)(32 - WND_MIN_LOG - __builtin_clz(octets)) : 0;
}

static uint32_t unpack_wnd(uint8_t wnd) { return wnd ? UINT32_C(1) << (wnd + WND_MIN_LOG - 1) : 0; }

static bool is_tuple(const struct twstore *s, const struct slot *r, const struct tuple *t)
{
	if (r->raddr != t->raddr.w[3] || r->rport != t->rport || r->lport != t->lport || r->laddr != t->laddr)
		return false;
	return !s->v6 || memcmp(r->raddr_high, t->raddr.w, 12) == 0;
}

static tw_id find_in(const struct twstore *s, uint32_t first, uint8_t tag, const struct tuple *t)
{
	for (uint32_t n = first; n < first + WAYS; n += 8)
		for (uint64_t hits = equal_octets(tags_of(s, n), tag); hits; hits &= hits - 1)
			if (is_tuple(s, slot_of(s, n + octet_of(hits)), t))
				return n + octet_of(hits);
	return TW_NONE;
}

static const struct slot *record(const struct twstore *s, tw_id id)
{
	must(id < s->n_slots + STASH);
	must(*tag_of(s, id) != 0);
	return slot_of(s, id);
}

/* ---- the interface ---- */

size_t twstore_size(bool v6, uint32_t capacity)
{
	must(capacity > 0);
	must(capacity <= TW_CAPACITY_MAX);
	return round_up(tags_off_for(v6, capacity) + (size_t)buckets_for(capacity) * WAYS + STASH, 64);
}

struct twstore *twstore_init(void *mem, bool v6, uint32_t capacity, struct hash_key key, nsec_t now)
{
	struct twstore *s = mem;

	must((uintptr_t)mem % _Alignof(struct twstore) == 0);
	*s = (struct twstore){.start_at = now, .soonest_at = NSEC_NEVER, .check_ms = LEAP_MS, .v6 = v6};
	s->tags_off = tags_off_for(v6, capacity);
	s->n_buckets = buckets_for(capacity);
	s->n_slots = s->n_buckets * WAYS;
	s->stride = (uint32_t)stride_for(v6);
	s->capacity = capacity;
	s->mix = (uint32_t)(key.k0 ^ key.k1 >> 32);
	memset(tag_at(s, 0), 0, twstore_size(v6, capacity) - s->tags_off);
	for (uint32_t q = 0; q < QUEUES; q++) {
		uint32_t head = sentinel(s, q);
		slot_at(s, head)->prev = head;
		slot_at(s, head)->next = head | q << SLOT_BITS;
		s->q[q].hand = head;
		if (q >= EXACT)
			s->q[q].len_ms = coarse_len(q - EXACT);
	}
	return s;
}

uint32_t twstore_count(const struct twstore *s) { return s->count; }
uint32_t twstore_capacity(const struct twstore *s) { return s->capacity; }

bool twstore_is_small(const struct twstore *s) { return s->count < SMALL; }

static APART void prefetch_buckets(const struct twstore *s, uint64_t hash)
{
	uint32_t b = bucket_for(s, hash);

	prefetch(tag_of(s, b * WAYS));
	prefetch(tag_of(s, other_bucket(s, b, tag_for(hash)) * WAYS));
}

void twstore_prefetch(const struct twstore *s, uint64_t hash)
{
	if (!twstore_is_small(s))
		prefetch_buckets(s, hash);
}

static APART tw_id place_of(const struct twstore *s, uint64_t hash)
{
	uint32_t b = bucket_for(s, hash), n = emptier_of(s, b, other_bucket(s, b, tag_for(hash)));
	const char *r = (const char *)slot_of(s, n == TW_NONE ? 0 : n);

	prefetch(r);
	prefetch(r + s->stride - 1);
	return n;
}

tw_id twstore_place(const struct twstore *s, uint64_t hash)
{
	return twstore_is_small(s) ? TW_NONE : place_of(s, hash);
}

tw_id twstore_find(const struct twstore *s, const struct tuple *t, uint64_t hash)
{
	uint8_t tag = tag_for(hash);
	uint32_t b = bucket_for(s, hash);

	uint32_t other = other_bucket(s, b, tag);
	tw_id id;

	prefetch(tag_of(s, other * WAYS));
	id = find_in(s, b * WAYS, tag, t);
	if (id == TW_NONE)
		id = find_in(s, other * WAYS, tag, t);
	for (uint32_t i = 0; s->stash_n && id == TW_NONE && i < STASH; i += WAYS)
		id = find_in(s, s->n_slots + i, tag, t);
	return id;
}

void twstore_get(const struct twstore *s, tw_id id, struct tw_rec *ret)
{
	const struct slot *r = record(s, id);

	*ret = (struct tw_rec){
		.t = {.laddr = r->laddr, .lport = r->lport, .rport = r->rport},
		.snd_nxt = seq(r->snd_nxt),
		.rcv_nxt = seq(r->rcv_nxt),
		.ts_recent = r->ts_recent,
		.rcv_wnd = unpack_wnd(r->wnd),
		.flags = r->flags,
		.deadline_at = at_of(s, deadline_ms(s, r->deadline)),
	};
	ret->t.raddr = addr_from_v4_word(r->raddr);
	if (s->v6)
		memcpy(ret->t.raddr.w, r->raddr_high, 12);
}

bool twstore_is_due(struct twstore *s, tw_id id, nsec_t now)
{
	const struct slot *r = record(s, id);

	set_time(s, now);
	return deadline_ms(s, r->deadline) <= s->now_ms;
}

uint32_t twstore_age_ms(struct twstore *s, tw_id id, nsec_t now)
{
	const struct slot *r = record(s, id);
	uint64_t from;

	set_time(s, now);
	from = deadline_ms(s, r->deadline) - s->q[queue_of(r)].len_ms;
	return from < s->now_ms ? (uint32_t)(s->now_ms - from) : 0; /* from may be the next full ms */
}

/* An empty slot in one of two buckets, or TW_NONE; `place` if it is that still. */
static uint32_t room_at(const struct twstore *s, uint32_t b1, uint32_t b2, tw_id place)
{
	if ((place / WAYS == b1 || place / WAYS == b2) && *tag_of(s, place) == 0)
		return place;
	return emptier_of(s, b1, b2);
}

tw_id twstore_insert(struct twstore *s, const struct tw_rec *rec, uint64_t hash, tw_id place, nsec_t now,
		     uint32_t len_ms)
{
	uint8_t tag = tag_for(hash);
	uint32_t b1 = bucket_for(s, hash), b2 = other_bucket(s, b1, tag), n;
	struct slot *r;

	must(len_ms <= TW_LEN_MAX_MS);
	must(rec->rcv_wnd <= INT32_MAX);
	if (s->count >= s->capacity)
		return TW_NONE;
	if (s->stash_n)
		drain_stash(s);
	n = room_at(s, b1, b2, place);
	if (n == TW_NONE)
		n = make_room(s, b1, b2);
	if (n == TW_NONE)
		return TW_NONE;

	r = slot_at(s, n);
	r->lport = rec->t.lport;
	r->rport = rec->t.rport;
	r->laddr = rec->t.laddr;
	r->flags = rec->flags;
	r->wnd = pack_wnd(rec->rcv_wnd);
	r->snd_nxt = rec->snd_nxt.v;
	r->rcv_nxt = rec->rcv_nxt.v;
	r->ts_recent = rec->ts_recent;
	r->raddr = rec->t.raddr.w[3];
	if (s->v6)
		memcpy(r->raddr_high, rec->t.raddr.w, 12);
	*tag_at(s, n) = tag;
	s->count++;
	enqueue(s, n, len_ms, set_time(s, now));
	return n;
}

void twstore_restart(struct twstore *s, tw_id id, nsec_t now, uint32_t len_ms)
{
	must(len_ms <= TW_LEN_MAX_MS);
	record(s, id);
	dequeue(s, id);
	enqueue(s, id, len_ms, set_time(s, now));
}

void twstore_update(struct twstore *s, tw_id id, const struct tw_rec *rec)
{
	struct slot *r = slot_at(s, id);
	const uint8_t mask = FLAGS(.kind = TW_TIME_WAIT, .mature = true);

	record(s, id);
	r->snd_nxt = rec->snd_nxt.v;
	r->rcv_nxt = rec->rcv_nxt.v;
	r->ts_recent = rec->ts_recent;
	r->flags = (uint8_t)((r->flags & ~mask) | (rec->flags & mask));
}

void twstore_remove(struct twstore *s, tw_id id)
{
	record(s, id);
	dequeue(s, id);
	*tag_at(s, id) = 0;
	s->count--;
	s->stash_n -= id >= s->n_slots;
}

/* The next two records to expire: the nearer was prefetched by the last call, and knows the farther. */
static APART void look_ahead(const struct twstore *s, uint32_t id)
{
	uint32_t next = next_of(slot_of(s, id)), after = next_of(slot_of(s, next));
	const char *r = (const char *)slot_of(s, after);

	prefetch(r);
	prefetch(r + s->stride - 1);
	prefetch(tag_of(s, after));
}

tw_id twstore_due(struct twstore *s, nsec_t now)
{
	uint32_t q, id;

	if (now < s->soonest_at)
		return TW_NONE;
	set_time(s, now);
	q = first_queue(s);
	if (q == QUEUES) {
		s->soonest_at = NSEC_NEVER;
		return TW_NONE;
	}
	if (deadline_ms(s, s->q[q].deadline) > s->now_ms) {
		s->soonest_at = at_of(s, deadline_ms(s, s->q[q].deadline));
		return TW_NONE;
	}
	id = next_of(slot_at(s, sentinel(s, q)));
	if (!twstore_is_small(s))
		look_ahead(s, id);
	return id;
}

tw_id twstore_after(const struct twstore *s, tw_id id)
{
	uint32_t next = next_of(record(s, id));

	return next < s->n_slots + STASH ? next : TW_NONE;
}

tw_id twstore_oldest(const struct twstore *s)
{
	uint32_t q = first_queue(s);

	return q == QUEUES ? TW_NONE : next_of(slot_of(s, sentinel(s, q)));
}

nsec_t twstore_next_at(const struct twstore *s)
{
	uint32_t q = first_queue(s);

	return q == QUEUES ? NSEC_NEVER : at_of(s, deadline_ms(s, s->q[q].deadline));
}

static bool may_mature(const struct slot *r, bool only_loopback)
{
	uint8_t want = FLAGS(.kind = TW_TIME_WAIT, .has_ts = true, .chosen = true, .loopback = only_loopback);

	return (r->flags & (want | FLAGS(.mature = true))) == want;
}

tw_id twstore_mature(struct twstore *s, nsec_t now, uint32_t delay_ms, bool only_loopback)
{
	unsigned passed = 0;

	set_time(s, now);
	for (uint32_t left = s->busy; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		struct queue *q = &s->q[i];
		while (q->hand != sentinel(s, i)) {
			uint32_t id = q->hand;
			struct slot *r = slot_at(s, id);
			if (deadline_ms(s, r->deadline) - q->len_ms + delay_ms > s->now_ms)
				break;
			q->hand = next_of(r);
			prefetch(slot_at(s, q->hand));
			if (may_mature(r, only_loopback)) {
				r->flags |= FLAGS(.mature = true);
				return id;
			}
			if (++passed == PASS_MAX)
				return TW_NONE;
		}
	}
	return TW_NONE;
}

tw_id twstore_next(const struct twstore *s, uint64_t *cursor)
{
	/* The queue in the upper half, and in the lower the record given last, or 0 and the queue's sentinel. */
	uint32_t q = (uint32_t)(*cursor >> 32), last = (uint32_t)*cursor;

	if (last > s->n_slots + STASH || (last && *tag_of(s, last - 1) == 0)) /* not one that we gave */
		q = QUEUES;
	for (; q < QUEUES; q++, last = 0) {
		uint32_t id = next_of(slot_of(s, last ? last - 1 : sentinel(s, q)));
		if (id < s->n_slots + STASH) {
			*cursor = (uint64_t)q << 32 | (id + 1);
			return id;
		}
	}
	*cursor = (uint64_t)QUEUES << 32;
	return TW_NONE;
}
