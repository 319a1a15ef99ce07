/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "flow/track.h"

enum { BUCKETS_AT_FIRST = 1024, CHUNK = 64 };
enum { CLOSED_MAX = 16384, GONE_MAX = 65536 }; /* beyond them the oldest goes at once */
#define CLOSED_NS (250 * NSEC_PER_MS) /* resets follow a close within the round trip, seldom longer */
#define GONE_NS (60 * NSEC_PER_S) /* as long as Linux's TIME_WAIT */
#define TURN_NS NSEC_PER_S /* live connections are sorted by when they last spoke, so precisely */
#define OPENING_NS (130 * NSEC_PER_S) /* Linux gives up a SYN after 127 s (tcp_syn_retries 6) */

struct chunk { /* of memory, given back at the end */
	struct chunk *next;
};

struct list {
	struct link head;
	size_t n;
};

struct flows {
	struct flows_cfg cfg;
	struct flows_counts counts;
	nsec_t now; /* the latest frame; captures may jump back */
	struct flow **buckets;
	size_t n_buckets; /* a power of two */
	size_t n; /* flows in them */
	size_t held_all; /* octets of text out of order */
	struct flow *free_flows;
	struct record *free_records;
	struct chunk *chunks;
	struct list lists[N_STAGES];
	uint8_t asked[65536 / 8]; /* ports that were sent a SYN: servers' */
};

/* ---- memory ---- */

static void *chunk_new(struct flows *fs, size_t size)
{
	struct chunk *c = calloc(1, sizeof(*c) + CHUNK * size);

	if (!c)
		return NULL;
	c->next = fs->chunks;
	fs->chunks = c;
	return c + 1;
}

static struct flow *flow_new(struct flows *fs)
{
	struct flow *f = fs->free_flows;

	if (!f) {
		struct flow *many = chunk_new(fs, sizeof(*many));

		if (!many)
			return NULL;
		for (size_t i = 0; i < CHUNK; i++) {
			many[i].next = fs->free_flows;
			fs->free_flows = &many[i];
		}
		f = fs->free_flows;
	}
	fs->free_flows = f->next;
	memset(f, 0, sizeof(*f));
	return f;
}

static struct record *record_new(struct flows *fs)
{
	struct record *r = fs->free_records;

	if (!r) {
		struct record *many = chunk_new(fs, sizeof(*many));

		if (!many)
			return NULL;
		for (size_t i = 0; i < CHUNK; i++) {
			many[i].free_next = fs->free_records;
			fs->free_records = &many[i];
		}
		r = fs->free_records;
	}
	fs->free_records = r->free_next;
	memset(r, 0, sizeof(*r));
	return r;
}

/* ---- the table ---- */

/* The same for both directions. Nothing of it may be mixed before the key is: strangers choose both ends. */
static uint32_t hash_of(const struct flows *fs, const struct frame *fr)
{
	const struct addr *a = &fr->src, *b = &fr->dst;
	struct sip s = sip_start(fs->cfg.key);
	bool swap = a->d[1] != b->d[1]   ? b->d[1] < a->d[1]
		    : a->d[0] != b->d[0] ? b->d[0] < a->d[0]
					 : fr->dport < fr->sport;
	uint64_t ports = swap ? (uint64_t)fr->dport << 16 | fr->sport : (uint64_t)fr->sport << 16 | fr->dport;

	if (swap) {
		a = &fr->dst;
		b = &fr->src;
	}
	if (a->d[0] | b->d[0]) { /* not IPv4 */
		sip_word(&s, a->d[0]);
		sip_word(&s, b->d[0]);
	}
	sip_word(&s, a->d[1]);
	sip_word(&s, b->d[1]);
	return (uint32_t)sip_end(&s, ports);
}

static int table_grow(struct flows *fs)
{
	size_t n = fs->n_buckets ? fs->n_buckets * 2 : BUCKETS_AT_FIRST;
	struct flow **buckets = calloc(n, sizeof(struct flow *));

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < fs->n_buckets; i++) {
		for (struct flow *f = fs->buckets[i], *next; f; f = next) {
			struct flow **bucket = &buckets[f->hash & (n - 1)];

			next = f->next;
			f->next = *bucket;
			*bucket = f;
		}
	}
	free(fs->buckets);
	fs->buckets = buckets;
	fs->n_buckets = n;
	return 0;
}

static bool is_end(const struct flow *f, enum side s, const struct addr *a, uint16_t port)
{
	return f->port[s] == port && addr_eq(&f->addr[s], a);
}

static struct flow *table_find(const struct flows *fs, const struct frame *fr, uint32_t hash, enum side *by)
{
	for (struct flow *f = fs->buckets[hash & (fs->n_buckets - 1)]; f; f = f->next) {
		if (f->hash != hash)
			continue;
		for (int s = SIDE_CLIENT; s <= SIDE_SERVER; s++) {
			if (is_end(f, s, &fr->src, fr->sport) && is_end(f, 1 - s, &fr->dst, fr->dport)) {
				*by = s;
				return f;
			}
		}
	}
	return NULL;
}

/* ---- stages ---- */

static void list_put(struct flows *fs, struct flow *f)
{
	struct list *l = &fs->lists[f->stage];

	f->listed = fs->now;
	link_append(&l->head, &f->in);
	l->n++;
}

/* From the list of that stage. */
static void list_take(struct flows *fs, struct flow *f, enum stage stage)
{
	link_remove(&f->in);
	fs->lists[stage].n--;
}

static struct flow *list_first(const struct flows *fs, enum stage stage)
{
	const struct list *l = &fs->lists[stage];

	return link_is_empty(&l->head) ? NULL : container_of(l->head.next, struct flow, in);
}

static void hand_over(struct flows *fs, struct flow *f)
{
	track_end(f, fs->counts.last);
	fs->counts.conns++;
	fs->cfg.done(fs->cfg.arg, &f->rec->conn);
	f->rec->free_next = fs->free_records;
	fs->free_records = f->rec;
	f->rec = NULL;
}

static void forget(struct flows *fs, struct flow *f)
{
	struct flow **p = &fs->buckets[f->hash & (fs->n_buckets - 1)];

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	fs->n--;
	f->next = fs->free_flows;
	fs->free_flows = f;
}

static void go(struct flows *fs, struct flow *f, enum stage to)
{
	list_take(fs, f, f->stage);
	f->stage = to;
	list_put(fs, f);
}

static void retire(struct flows *fs, struct flow *f)
{
	hand_over(fs, f);
	go(fs, f, STAGE_GONE);
}

static bool is_due(const struct flows *fs, const struct flow *f, nsec_t after)
{
	return f && fs->now - f->listed > after;
}

/* An answer that never came may come yet while the SYN is sent again. */
static void retire_openings(struct flows *fs)
{
	struct flow *f = list_first(fs, STAGE_OPENING);

	while (is_due(fs, f, OPENING_NS)) {
		if (fs->now - f->last > OPENING_NS)
			retire(fs, f);
		else
			go(fs, f, STAGE_OPENING);
		f = list_first(fs, STAGE_OPENING);
	}
}

static void retire_due(struct flows *fs)
{
	struct flow *f;

	retire_openings(fs);
	for (f = list_first(fs, STAGE_CLOSED); is_due(fs, f, CLOSED_NS) || fs->lists[STAGE_CLOSED].n > CLOSED_MAX;
	     f = list_first(fs, STAGE_CLOSED))
		retire(fs, f);
	for (f = list_first(fs, STAGE_GONE); is_due(fs, f, GONE_NS) || fs->lists[STAGE_GONE].n > GONE_MAX;
	     f = list_first(fs, STAGE_GONE)) {
		list_take(fs, f, STAGE_GONE);
		forget(fs, f);
	}
}

static size_t n_live(const struct flows *fs) { return fs->lists[STAGE_OPENING].n + fs->lists[STAGE_LIVE].n; }

/* The one silent longest, to TURN_NS. */
static void evict(struct flows *fs)
{
	enum stage stage = fs->lists[STAGE_OPENING].n > fs->lists[STAGE_LIVE].n ? STAGE_OPENING : STAGE_LIVE;

	struct flow *f = list_first(fs, stage);

	must(f);
	fs->counts.evicted++;
	retire(fs, f);
}

/* ---- frames ---- */

static bool was_asked(const struct flows *fs, uint16_t port) { return fs->asked[port / 8] >> port % 8 & 1; }

/* Who sends this. Without a SYN: the port that others were seen to connect to is a server's, else the lower one. */
static enum side guess_sender(struct flows *fs, const struct frame *fr)
{
	bool from = was_asked(fs, fr->sport), to = was_asked(fs, fr->dport);

	if (fr->flags & F_SYN)
		return fr->flags & F_ACK ? SIDE_SERVER : SIDE_CLIENT;
	if (from != to)
		return from ? SIDE_SERVER : SIDE_CLIENT;
	return fr->sport < fr->dport ? SIDE_SERVER : SIDE_CLIENT;
}

static struct flow *begin(struct flows *fs, const struct frame *fr, uint32_t hash, enum side *by, nsec_t at)
{
	struct flow *f;
	size_t max = fs->cfg.live_max;

	if (fs->n >= fs->n_buckets && table_grow(fs) != 0)
		return NULL;
	if (n_live(fs) >= max)
		evict(fs);
	f = flow_new(fs);
	if (!f)
		return NULL;
	f->rec = record_new(fs);
	if (!f->rec) {
		f->next = fs->free_flows;
		fs->free_flows = f;
		return NULL;
	}
	f->rec->reader.blind = fs->cfg.no_headers;
	*by = guess_sender(fs, fr);
	f->addr[*by] = fr->src;
	f->port[*by] = fr->sport;
	f->addr[1 - *by] = fr->dst;
	f->port[1 - *by] = fr->dport;
	if (fr->flags & F_SYN)
		fs->asked[f->port[SIDE_SERVER] / 8] |= (uint8_t)(1 << f->port[SIDE_SERVER] % 8);
	f->held_all = &fs->held_all;
	f->hash = hash;
	f->next = fs->buckets[hash & (fs->n_buckets - 1)];
	fs->buckets[hash & (fs->n_buckets - 1)] = f;
	fs->n++;
	track_begin(f, fr, at);
	list_put(fs, f);
	if (n_live(fs) > fs->counts.live_most)
		fs->counts.live_most = n_live(fs);
	return f;
}

/* A SYN with another number than this connection's, from either side; two SYNs that cross open one connection. */
static bool begins_another(const struct flow *f, enum side by, const struct frame *fr)
{
	const struct half *h = &f->half[by];

	if ((fr->flags & (F_SYN | F_ACK | F_RST | F_FIN)) != F_SYN)
		return false;
	if (f->stage == STAGE_GONE || h->known)
		return !h->known || !seq_eq(seq_add(fr->seq, 1), h->first);
	return f->stage != STAGE_OPENING;
}

static void finish(struct flows *fs, struct flow *f)
{
	if (f->rec)
		hand_over(fs, f);
	list_take(fs, f, f->stage);
	forget(fs, f);
}

static int take(struct flows *fs, const struct frame *fr, nsec_t at)
{
	uint32_t hash = hash_of(fs, fr);
	enum side by = SIDE_NONE;
	struct flow *f = table_find(fs, fr, hash, &by);
	enum stage before;

	if (f && begins_another(f, by, fr)) {
		finish(fs, f);
		f = NULL;
	}
	if (!f) {
		if (fr->flags & F_RST || !frame_span(fr)) {
			fs->counts.stray++;
			return 0;
		}
		f = begin(fs, fr, hash, &by, at);
		if (!f)
			return -ENOMEM;
	}
	if (f->stage == STAGE_GONE) {
		fs->counts.late++;
		return 0;
	}
	before = f->stage;
	switch (track_segment(f, by, fr, at)) {
	case TRACK_DOUBLE:
		fs->counts.doubles++;
		break;
	case TRACK_CLOSED:
		f->stage = STAGE_CLOSED;
		break;
	case TRACK_ON:
	case TRACK_IGNORED:
		break;
	}
	if (f->stage != before || (before == STAGE_LIVE && is_due(fs, f, TURN_NS))) {
		list_take(fs, f, before);
		list_put(fs, f);
	}
	return 0;
}

int flows_frame(struct flows *fs, enum link_type type, const struct raw_frame *raw)
{
	struct frame fr;
	enum frame_verdict verdict = frame_parse(&fr, type, raw);
	nsec_t at = raw->at ? raw->at : 1; /* 0 means not seen */
	int err = 0;

	if (at > fs->now)
		fs->now = at;
	if (!fs->counts.first || at < fs->counts.first)
		fs->counts.first = at;
	fs->counts.last = fs->now;
	retire_due(fs);
	if (verdict == FRAME_TCP)
		err = take(fs, &fr, at);
	if (err)
		return err;
	fs->counts.frames[verdict]++;
	fs->counts.octets += raw->len;
	return 0;
}

struct flows *flows_new(const struct flows_cfg *cfg)
{
	struct flows *fs = calloc(1, sizeof(*fs));

	must(cfg->done);
	if (!fs)
		return NULL;
	fs->cfg = *cfg;
	if (!fs->cfg.live_max)
		fs->cfg.live_max = LIVE_MAX;
	for (int s = 0; s < N_STAGES; s++)
		link_init(&fs->lists[s].head);
	if (table_grow(fs) != 0) {
		free(fs);
		return NULL;
	}
	return fs;
}

void flows_free(struct flows *fs)
{
	if (!fs)
		return;
	for (int stage = 0; stage < STAGE_GONE; stage++)
		for (struct link *l = fs->lists[stage].head.next; l != &fs->lists[stage].head; l = l->next)
			track_drop(container_of(l, struct flow, in));
	for (struct chunk *c = fs->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(fs->buckets);
	free(fs);
}

void flows_end(struct flows *fs)
{
	static const enum stage order[] = {STAGE_CLOSED, STAGE_OPENING, STAGE_LIVE, STAGE_GONE};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		for (struct flow *f = list_first(fs, order[i]); f; f = list_first(fs, order[i]))
			finish(fs, f);
}

const struct flows_counts *flows_counts(const struct flows *fs) { return &fs->counts; }
