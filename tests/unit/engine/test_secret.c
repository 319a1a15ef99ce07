/* SPDX-License-Identifier: MIT */
/* What a stranger must not guess, and what must nevertheless go on: RFC 6528, 6191, 7323 5.4. */
#include "tests/unit/t.h"
#include "engine/engine.h"
#include "tests/unit/engine/pair.h"
#include <stdlib.h>

#define TICK UINT64_C(64) /* ns */

static struct engine *rig(struct pair *p)
{
	pair_init(p);
	return engine_of(p->a);
}

static struct tuple tuple(uint16_t lport)
{
	return (struct tuple){.raddr = addr_v4(10, 0, 0, 2), .laddr = 0, .lport = lport, .rport = 80};
}

static struct secret secret(struct engine *e, const struct tuple *t)
{
	return secret_of(e, tuple_hash(e->tuple_key, t));
}
static uint32_t iss(struct engine *e, const struct tuple *t) { return secret(e, t).iss.v; }

TEST(iss__time_goes__one_more_each_64_ns_wraps_in_275_s)
{
	struct pair p;
	struct engine *e = rig(&p);
	struct tuple t = tuple(1000);
	nsec_t start = e->now;
	uint32_t first = iss(e, &t);

	static const uint64_t ticks[] = {1, 2, 1000, 15625000 /* a second */, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
		e->now = start + ticks[i] * TICK;
		assert_int_equal(iss(e, &t) - first, (uint32_t)ticks[i]);
	}
	e->now = start + (UINT64_C(1) << 32) * TICK;
	assert_int_equal(iss(e, &t), first);
	assert_in_range(e->now - start, UINT64_C(274800000000), UINT64_C(274900000000)); /* kernel-truth 10: 274.9 s */
	pair_done(&p);
}

TEST(iss__other_tuple_or_seed__unrelated)
{
	struct pair p;
	struct engine *e = rig(&p);
	uint32_t seen[300], small = 0;

	for (uint16_t i = 0; i < 300; i++) {
		struct tuple t = tuple((uint16_t)(1000 + i));

		seen[i] = iss(e, &t);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
		if (i)
			small += seen[i] - seen[i - 1] < 1U << 24; /* 1 in 256 by chance */
	}
	assert_true(small < 10);
	struct tuple t = tuple(1000), other = t;
	other.rport = 81;
	assert_int_not_equal(iss(e, &t), iss(e, &other));
	other = t;
	other.laddr = 1;
	assert_int_not_equal(iss(e, &t), iss(e, &other));
	other = t;
	other.raddr = addr_v4(10, 0, 0, 3);
	assert_int_not_equal(iss(e, &t), iss(e, &other));
	assert_int_not_equal(iss(e, &t), iss(engine_of(p.b), &t)); /* another seed */
	pair_done(&p);
}

TEST(ts_offset__per_tuple__stable)
{
	struct pair p;
	struct engine *e = rig(&p);
	struct tuple t = tuple(1000), other = tuple(1001);
	uint32_t offset = secret(e, &t).ts_offset;

	e->now += 100 * NSEC_PER_S;
	assert_int_equal(secret(e, &t).ts_offset, offset);
	assert_int_not_equal(secret(e, &other).ts_offset, offset);
	e->k.timestamps = 2;
	assert_int_equal(secret(e, &t).ts_offset, 0);
	assert_int_equal(secret(e, &other).ts_offset, 0);
	pair_done(&p);
}

TEST(ts_clock__milliseconds)
{
	struct pair p;
	struct engine *e = rig(&p);
	uint32_t first = ts_clock_ms(e);

	engine_now(e, e->now + NSEC_PER_MS - 1);
	assert_int_equal(ts_clock_ms(e), first);
	engine_now(e, e->now + 1);
	assert_int_equal(ts_clock_ms(e), first + 1);
	pair_done(&p);
}

TEST(gap__16_bits_and_keyed)
{
	struct pair p;
	struct engine *e = rig(&p);
	uint32_t all = 0, differ = 0;

	for (uint16_t i = 0; i < 100; i++) {
		struct tuple t = tuple((uint16_t)(1000 + i));
		uint32_t gap = secret_gap(e, &t);

		assert_in_range(gap, 0, 65535);
		assert_int_equal(secret_gap(e, &t), gap);
		all |= gap;
		differ += gap != secret_gap(engine_of(p.b), &t);
	}
	assert_int_equal(all, 65535);
	assert_true(differ > 90);
	pair_done(&p);
}

/* The same four-tuple's next connection: its SYN is newer than everything before, by number and by timestamp. */
TEST(connection_again__iss_and_ts__go_on)
{
	struct pair p;
	struct la_endpoint at = ep("10.0.0.1", 1000), to = ep("10.0.0.2", 80);
	uint8_t packet[1500];
	struct packet first, second;

	pair_init(&p);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), 0);
	la_connect(p.a, s, &to);
	packet_parse(&first, packet, la_output(p.a, p.now, packet, 1500), 0);
	la_close(p.a, s);
	pair_pass(&p, 10);
	s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), 0);
	la_connect(p.a, s, &to);
	packet_parse(&second, packet, la_output(p.a, p.now, packet, 1500), 0);
	assert_int_equal(seq_diff(second.seg.seq, first.seg.seq), 10 * NSEC_PER_MS / TICK);
	assert_int_equal(second.seg.opts.tsval - first.seg.opts.tsval, 10);
	pair_done(&p);
}

TEST(cookie__layout__hash_is_of_everything)
{
	struct pair p;
	struct engine *e = rig(&p);
	struct tuple t = tuple(80), other = tuple(81);
	struct seg syn = {.seq = seq(5)}, ack = {.seq = seq(6)};
	uint16_t mss;

	syn.opts.has_mss = true;
	syn.opts.mss = 1460;
	seq_t c = cookie_make(e, &t, &syn, &mss);
	assert_int_equal(mss, 1460);
	ack.ack = seq_add(c, 1);
	assert_true(cookie_check(e, &t, &ack, &mss));
	assert_int_equal(mss, 1460);
	assert_false(cookie_check(e, &other, &ack, &mss));
	assert_false(cookie_check(engine_of(p.b), &t, &ack, &mss));
	syn.opts.has_mss = false;
	cookie_make(e, &t, &syn, &mss);
	assert_int_equal(mss, 536);
	/* Its own period and the next one. */
	nsec_t made_at = e->now, period = 64 * NSEC_PER_S, begun_at = made_at / period * period;
	e->now = begun_at + 2 * period - 1;
	assert_true(cookie_check(e, &t, &ack, &mss));
	e->now = begun_at + 2 * period;
	assert_false(cookie_check(e, &t, &ack, &mss));
	e->now = begun_at + 32 * period; /* the five bits are the same again */
	assert_false(cookie_check(e, &t, &ack, &mss));
	e->now = made_at;
	/* Guessing: 24 bits of hash. */
	unsigned hits = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		ack.ack = seq(i * 42949);
		hits += cookie_check(e, &t, &ack, &mss);
	}
	assert_true(hits <= 1);
	/* Near the beginning of time there is no period before. */
	e->now = 0;
	ack.ack = seq_add(cookie_make(e, &t, &syn, &mss), 1);
	assert_true(cookie_check(e, &t, &ack, &mss));
	pair_done(&p);
}

RUN(T(iss__time_goes__one_more_each_64_ns_wraps_in_275_s), T(iss__other_tuple_or_seed__unrelated),
    T(ts_offset__per_tuple__stable), T(ts_clock__milliseconds), T(gap__16_bits_and_keyed),
    T(connection_again__iss_and_ts__go_on), T(cookie__layout__hash_is_of_everything))
