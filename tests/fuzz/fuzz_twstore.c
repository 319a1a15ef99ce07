/* SPDX-License-Identifier: MIT */
/*
 * fuzz_twstore.c - operations drawn from the bytes, on a store small enough to fill, against a model without any cleverness:
 * an array of records and 64-bit times. Half of the inputs use hashes that collide, so that moves and stash have work.
 */
#include "engine/twstore.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 160, COLLIDING_MIN = 80, LENGTHS = 24, MS = 1000000 };

struct model {
	struct tw_rec rec;
	uint64_t hash;
	uint64_t entry_ms; /* when its age began, a full ms */
	uint32_t len_ms; /* as asked for */
	bool used, passed;
};

struct run {
	const uint8_t *data;
	size_t left;
	struct twstore *s;
	struct model m[RECORDS_MAX];
	uint32_t n, capacity;
	bool v6, colliding, slow;
	nsec_t now;
};

static unsigned octet(struct run *r)
{
	if (r->left == 0)
		return 0;
	r->left--;
	return *r->data++;
}

static struct tuple tuple_of(const struct run *r, unsigned i)
{
	struct tuple t = {
		.raddr = addr_from_v4_word(i % 7), .laddr = (laddr_t)(i % 3), .lport = (uint16_t)i, .rport = 80};

	if (r->v6)
		t.raddr.w[0] = i % 5;
	return t;
}

static uint64_t hash_of(const struct run *r, unsigned i)
{
	uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return r->colliding ? z & UINT64_C(0xc00000000000f000) : z; /* few buckets, sixteen tags */
}

static uint64_t now_ms(const struct run *r) { return r->now / MS; }
static uint64_t next_ms(const struct run *r) { return (r->now + MS - 1) / MS; }
static bool is_due(const struct run *r, const struct model *m) { return m->rec.deadline_at <= r->now / MS * MS; }

static tw_id id_of(const struct run *r, unsigned i)
{
	struct tuple t = tuple_of(r, i);

	return twstore_find(r->s, &t, hash_of(r, i));
}

static struct model *model_of(struct run *r, tw_id id)
{
	struct tw_rec rec;

	twstore_get(r->s, id, &rec);
	must(rec.t.lport < RECORDS_MAX);
	must(r->m[rec.t.lport].used);
	return &r->m[rec.t.lport];
}

static uint32_t length(struct run *r)
{
	static const uint32_t common[] = {0, 1, 60000, 60000, 60000, 240000, 700, 3600000};
	unsigned b = octet(r);

	return b < 128 ? common[b % ARRAY_LEN(common)] : (b - 127) * (b - 127) * 211;
}

/* After insert or restart: the deadline is exact if few lengths are in use, and never early. */
static void check_deadline(struct run *r, struct model *m)
{
	uint64_t exact = next_ms(r) + m->len_ms, longest = m->len_ms < 64 ? 128 : 2 * (uint64_t)m->len_ms;
	unsigned other = 0;

	for (uint32_t i = 0; i < RECORDS_MAX; i++) {
		bool first = r->m[i].used;
		for (uint32_t j = 0; j < i && first; j++)
			first = !r->m[j].used || r->m[j].len_ms != r->m[i].len_ms;
		other += first;
	}
	if (m->len_ms == 0)
		exact = now_ms(r);
	must(m->rec.deadline_at % MS == 0);
	if (other <= 16)
		must(m->rec.deadline_at == exact * MS);
	must(m->rec.deadline_at >= exact * MS);
	must(m->rec.deadline_at <= (next_ms(r) + longest) * MS);
}

static void started(struct run *r, struct model *m, tw_id id)
{
	struct tw_rec rec;

	twstore_get(r->s, id, &rec);
	m->rec.deadline_at = rec.deadline_at;
	m->entry_ms = rec.deadline_at > r->now ? next_ms(r) : now_ms(r); /* length 0: due at once */
	m->passed = false;
	check_deadline(r, m);
}

static enum tw_kind kind_of(unsigned bit) { return bit ? TW_TIME_WAIT : TW_FIN_WAIT_2; }

static void op_insert(struct run *r)
{
	unsigned i = octet(r) % RECORDS_MAX, bits = octet(r), kind = octet(r);
	struct model *m = &r->m[i];
	tw_id id;

	if (m->used)
		return;
	*m = (struct model){.hash = hash_of(r, i), .len_ms = length(r)};
	m->rec = (struct tw_rec){
		.t = tuple_of(r, i),
		.snd_nxt = seq(bits * UINT32_C(0x01010101)),
		.rcv_nxt = seq(kind * UINT32_C(0x01030507)),
		.ts_recent = bits << 24 | kind,
		.rcv_wnd = bits & 1 ? UINT32_C(1) << (8 + kind % 22) : 0,
		.kind = kind_of(kind & 1),
		.has_ts = bits & 2,
		.reuseaddr = bits & 4,
		.reuseport = bits & 8,
		.chosen = bits & 16,
		.any = bits & 32,
		.loopback = bits & 64,
		.mature = bits & 128,
	};
	id = twstore_insert(r->s, &m->rec, m->hash, (tw_id)m->hash, r->now, m->len_ms);
	if (id == TW_NONE) {
		must(r->n == r->capacity || (r->colliding && r->n >= COLLIDING_MIN));
		return;
	}
	must(r->n < r->capacity);
	r->n++;
	m->used = true;
	started(r, m, id);
}

static void op_remove(struct run *r, struct model *m, tw_id id)
{
	twstore_remove(r->s, id);
	m->used = false;
	r->n--;
}

static void op_restart(struct run *r)
{
	unsigned i = octet(r) % RECORDS_MAX;
	struct model *m = &r->m[i];
	tw_id id;

	if (!m->used)
		return;
	id = id_of(r, i);
	m->len_ms = length(r);
	twstore_restart(r->s, id, r->now, m->len_ms);
	must(id_of(r, i) == id);
	started(r, m, id);
}

static void op_update(struct run *r)
{
	unsigned i = octet(r) % RECORDS_MAX, bits = octet(r);
	struct model *m = &r->m[i];

	if (!m->used)
		return;
	m->rec.kind = kind_of(bits & 1);
	m->rec.mature = bits & 2;
	m->rec.rcv_nxt = seq_add(m->rec.rcv_nxt, bits);
	m->rec.ts_recent += bits;
	twstore_update(r->s, id_of(r, i), &m->rec);
}

static uint64_t earliest(const struct run *r)
{
	uint64_t at = NSEC_NEVER;

	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		if (r->m[i].used && r->m[i].rec.deadline_at < at)
			at = r->m[i].rec.deadline_at;
	return at;
}

static bool op_due(struct run *r) /* true: there was one, and it is removed */
{
	tw_id id = twstore_due(r->s, r->now);
	uint64_t at = earliest(r);
	struct model *m;

	if (id == TW_NONE) {
		must(at > r->now / MS * MS);
		must(twstore_next_at(r->s) == at);
		return false;
	}
	must(twstore_next_at(r->s) <= r->now);
	m = model_of(r, id);
	must(is_due(r, m));
	must(m->rec.deadline_at == at);
	must(id == twstore_oldest(r->s));
	op_remove(r, m, id);
	return true;
}

static void op_time(struct run *r)
{
	unsigned how = octet(r), by = octet(r);

	if (r->slow) /* so that it fills */
		how %= 4;

	switch (how % 8) {
	case 0:
		r->now += (nsec_t)by * 10000;
		break;
	case 1:
	case 2:
	case 3:
		r->now += (nsec_t)by * MS;
		break;
	case 4:
	case 5:
		r->now += (nsec_t)by * 97 * MS;
		break;
	case 6:
		r->now += (nsec_t)by * 3600 * MS;
		break;
	default: /* a leap; two of them with nothing done in between may make the store late: not here */
		r->now += (nsec_t)by << (how / 8 + 2) << 20;
		for (uint32_t i = 0; i < RECORDS_MAX; i++)
			if (r->m[i].used)
				must(twstore_is_due(r->s, id_of(r, i), r->now) == is_due(r, &r->m[i]));
		if (how / 8 + 2 >= 20)
			while (op_due(r))
				;
	}
}

static bool may_mature(const struct model *m, bool only_loopback)
{
	return m->rec.kind == TW_TIME_WAIT && m->rec.has_ts && m->rec.chosen && !m->rec.mature &&
	       (m->rec.loopback || !only_loopback);
}

static void op_mature(struct run *r)
{
	uint32_t delay = octet(r) * 100;
	bool only_loopback = octet(r) & 1;

	for (unsigned none = 0; none < 1 + RECORDS_MAX / 64;) {
		tw_id id = twstore_mature(r->s, r->now, delay, only_loopback);
		struct model *m;
		if (id == TW_NONE) {
			none++;
			continue;
		}
		m = model_of(r, id);
		must(may_mature(m, only_loopback));
		must(!m->passed);
		must(m->entry_ms + delay <= now_ms(r));
		m->rec.mature = true;
		m->passed = true;
	}
	for (uint32_t i = 0; i < RECORDS_MAX; i++) {
		struct model *m = &r->m[i];
		if (!m->used || m->entry_ms + delay > now_ms(r))
			continue;
		must(m->passed || !may_mature(m, only_loopback));
		m->passed = true;
	}
}

static void check_all(struct run *r)
{
	uint64_t cursor = 0;
	uint32_t n = 0;
	tw_id id;

	must(twstore_count(r->s) == r->n);
	while ((id = twstore_next(r->s, &cursor)) != TW_NONE) {
		struct tw_rec rec;
		const struct model *m = model_of(r, id);
		twstore_get(r->s, id, &rec);
		must(tuple_eq(&rec.t, &m->rec.t));
		must(seq_eq(rec.snd_nxt, m->rec.snd_nxt) && seq_eq(rec.rcv_nxt, m->rec.rcv_nxt));
		must(rec.ts_recent == m->rec.ts_recent && rec.rcv_wnd == m->rec.rcv_wnd && rec.kind == m->rec.kind);
		must(rec.has_ts == m->rec.has_ts && rec.chosen == m->rec.chosen && rec.any == m->rec.any);
		must(rec.reuseaddr == m->rec.reuseaddr && rec.reuseport == m->rec.reuseport);
		must(rec.loopback == m->rec.loopback && rec.mature == m->rec.mature);
		must(is_due(r, m) || rec.deadline_at == m->rec.deadline_at);
		n++;
	}
	must(n == r->n);
	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		must((id_of(r, i) != TW_NONE) == r->m[i].used);
}

static void op(struct run *r)
{
	unsigned what = octet(r), i;

	switch (what % 16) {
	case 0:
		i = octet(r) % RECORDS_MAX;
		if (r->m[i].used)
			op_remove(r, &r->m[i], id_of(r, i));
		return;
	case 1:
		op_restart(r);
		return;
	case 2:
		op_update(r);
		return;
	case 3:
	case 4:
		op_due(r);
		return;
	case 5:
	case 6:
		op_time(r);
		return;
	case 7:
		op_mature(r);
		return;
	case 8:
		check_all(r);
		return;
	case 9:
		i = octet(r) % RECORDS_MAX;
		if (r->m[i].used && !is_due(r, &r->m[i]) && r->m[i].entry_ms <= now_ms(r))
			must(twstore_age_ms(r->s, id_of(r, i), r->now) == now_ms(r) - r->m[i].entry_ms);
		return;
	default:
		op_insert(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *r = calloc(1, sizeof(*r));
	unsigned flags;
	void *mem;

	must(r);
	r->data = data;
	r->left = size;
	flags = octet(r);
	r->capacity = 1 + octet(r) % 120;
	r->v6 = flags & 1;
	r->colliding = flags & 2;
	r->slow = flags & 4;
	mem = malloc(twstore_size(r->v6, r->capacity));
	must(mem);
	memset(mem, 0xa5, twstore_size(r->v6, r->capacity));
	r->now = (nsec_t)octet(r) * MS; /* the store's ms and the model's begin together */
	r->s = twstore_init(mem, r->v6, r->capacity, (struct hash_key){flags, 7}, r->now);
	while (r->left > 0)
		op(r);
	check_all(r);
	while (r->n > 0) {
		r->now += UINT64_C(7200) * 1000 * MS;
		while (op_due(r))
			;
	}
	check_all(r);
	must(twstore_next_at(r->s) == NSEC_NEVER);
	free(mem);
	free(r);
	return 0;
}
