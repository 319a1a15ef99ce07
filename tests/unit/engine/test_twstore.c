/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "base/rng.h"
#include "engine/twstore.h"
#include <stdlib.h>

enum { MIN_MS = 60000, LARGE = 3000000, FULL = 10000000 };

static const struct hash_key key = {11, 22};

static struct twstore *new_store(bool v6, uint32_t capacity, uint64_t seed, nsec_t now)
{
	void *mem = malloc(twstore_size(v6, capacity));

	assert_non_null(mem);
	return twstore_init(mem, v6, capacity, (struct hash_key){seed, seed * 77}, now);
}

static struct tuple tuple_nr(uint32_t i, bool v6)
{
	struct tuple t = {
		.raddr = addr_from_v4_word(i * 2654435761u), .laddr = 3, .lport = (uint16_t)(i >> 13), .rport = 443};

	if (v6)
		t.raddr.w[0] = 0x20;
	return t;
}

static tw_id put(struct twstore *s, uint32_t i, nsec_t now, uint32_t len_ms)
{
	struct tw_rec rec = {.t = tuple_nr(i, false), .kind = TW_TIME_WAIT, .has_ts = true, .chosen = true};

	return twstore_insert(s, &rec, tuple_hash(key, &rec.t), TW_NONE, now, len_ms);
}

static tw_id find(const struct twstore *s, uint32_t i)
{
	struct tuple t = tuple_nr(i, false);

	return twstore_find(s, &t, tuple_hash(key, &t));
}

static nsec_t ms(uint64_t n) { return n * NSEC_PER_MS; }

TEST(size__ten_million__at_most_40_and_64_octets_a_record)
{
	size_t v4 = twstore_size(false, FULL), v6 = twstore_size(true, FULL);

	assert_true(v4 <= (size_t)FULL * 40);
	assert_true(v6 <= (size_t)FULL * 64);
	assert_true(v4 > (size_t)FULL * 37);
}

TEST(size__largest_capacity__fits_links)
{
	assert_true(twstore_size(true, TW_CAPACITY_MAX) > (size_t)TW_CAPACITY_MAX * 49);
}

TEST(insert__ipv6__comes_back_as_it_went)
{
	struct twstore *s = new_store(true, 8, 1, 0);
	struct tw_rec rec = {
		.t = {.raddr = {.b = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		      .laddr = 65533,
		      .lport = 1,
		      .rport = 65535},
		.snd_nxt = seq(0xfffffff0),
		.rcv_nxt = seq(7),
		.ts_recent = 0x80000001,
		.rcv_wnd = 65535,
		.kind = TW_FIN_WAIT_2,
		.reuseport = true,
		.any = true,
	};
	struct tw_rec got;
	struct tuple other = rec.t;
	tw_id id = twstore_insert(s, &rec, tuple_hash(key, &rec.t), TW_NONE, ms(5), 1000);

	twstore_get(s, id, &got);
	assert_true(tuple_eq(&got.t, &rec.t));
	assert_true(seq_eq(got.snd_nxt, rec.snd_nxt));
	assert_true(seq_eq(got.rcv_nxt, rec.rcv_nxt));
	assert_int_equal(got.ts_recent, rec.ts_recent);
	assert_int_equal(got.rcv_wnd, 32768);
	assert_int_equal(got.kind, TW_FIN_WAIT_2);
	assert_true(got.reuseport && got.any);
	assert_false(got.reuseaddr || got.chosen || got.loopback || got.mature || got.has_ts);
	assert_int_equal(got.deadline_at, ms(1005));
	other.raddr.b[0]++; /* the same hash, the same last word of the address */
	assert_int_equal(twstore_find(s, &other, tuple_hash(key, &rec.t)), TW_NONE);
	assert_int_equal(twstore_find(s, &rec.t, tuple_hash(key, &rec.t)), id);
	free(s);
}

TEST(window__any__is_rounded_down_to_a_power_of_two)
{
	static const uint32_t in[] = {0, 1, 255, 256, 511, 512, 65535, 0x3fffffff, 0x7fffffff};
	static const uint32_t out[] = {0, 0, 0, 256, 256, 512, 32768, 0x20000000, 0x40000000};
	struct twstore *s = new_store(false, 20, 1, 0);

	for (uint32_t i = 0; i < ARRAY_LEN(in); i++) {
		struct tw_rec rec = {.t = tuple_nr(i, false), .rcv_wnd = in[i]};
		twstore_get(s, twstore_insert(s, &rec, tuple_hash(key, &rec.t), TW_NONE, 0, 1), &rec);
		assert_int_equal(rec.rcv_wnd, out[i]);
	}
	free(s);
}

TEST(due__before_the_deadline__never)
{
	struct twstore *s = new_store(false, 8, 1, 12345);
	nsec_t start = 12345 + ms(7) + 1; /* just past a full ms: the ms that has begun does not count */
	tw_id id = put(s, 1, start, MIN_MS);

	assert_int_equal(twstore_due(s, start + ms(MIN_MS) - 1), TW_NONE);
	assert_int_equal(twstore_due(s, start + ms(MIN_MS)), TW_NONE);
	assert_int_equal(twstore_next_at(s), 12345 + ms(8 + MIN_MS));
	assert_int_equal(twstore_due(s, twstore_next_at(s) - 1), TW_NONE);
	assert_false(twstore_is_due(s, id, twstore_next_at(s) - 1));
	assert_true(twstore_is_due(s, id, twstore_next_at(s)));
	assert_int_equal(twstore_due(s, twstore_next_at(s)), id);
	free(s);
}

TEST(due__length_zero__at_once)
{
	struct twstore *s = new_store(false, 8, 1, 0);
	tw_id id = put(s, 1, ms(3) + 5, 0);

	assert_int_equal(twstore_due(s, ms(3) + 5), id);
	free(s);
}

TEST(due__several_lengths__in_order_of_deadlines)
{
	struct twstore *s = new_store(false, 100, 1, 0);
	nsec_t last = 0;

	for (uint32_t i = 0; i < 100; i++)
		put(s, i, ms(i), 1 + i * 7919 % 5 * 1000);
	for (uint32_t i = 0; i < 100; i++) {
		struct tw_rec rec;
		tw_id id = twstore_due(s, ms(100000));
		twstore_get(s, id, &rec);
		assert_true(rec.deadline_at >= last);
		last = rec.deadline_at;
		twstore_remove(s, id);
	}
	assert_int_equal(twstore_due(s, ms(100000)), TW_NONE);
	assert_int_equal(twstore_next_at(s), NSEC_NEVER);
	free(s);
}

TEST(after__a_record_that_is_due__is_the_next_of_its_queue_or_none)
{
	struct twstore *s = new_store(false, 100, 1, 0);
	tw_id first = put(s, 1, 0, 1000), second = put(s, 2, 0, 1000), other = put(s, 3, 0, 2000);

	assert_int_equal(twstore_due(s, ms(1000)), first);
	assert_int_equal(twstore_after(s, first), second);
	assert_int_equal(twstore_after(s, second), TW_NONE);
	assert_int_equal(twstore_after(s, other), TW_NONE);
	free(s);
}

TEST(find__past_the_deadline__still_there_until_removed)
{
	struct twstore *s = new_store(false, 8, 1, 0);
	tw_id id = put(s, 1, 0, 1000);

	assert_true(twstore_is_due(s, id, ms(5000)));
	assert_int_equal(find(s, 1), id);
	twstore_remove(s, id);
	assert_int_equal(find(s, 1), TW_NONE);
	free(s);
}

TEST(restart__before_the_deadline__lives_its_length_again)
{
	struct twstore *s = new_store(false, 8, 1, 0);
	tw_id first = put(s, 1, 0, 1000), second = put(s, 2, ms(10), 1000);

	twstore_restart(s, first, ms(500), 1000);
	assert_int_equal(twstore_oldest(s), second);
	assert_int_equal(twstore_due(s, ms(1010)), second);
	twstore_remove(s, second);
	assert_int_equal(twstore_due(s, ms(1499)), TW_NONE);
	assert_int_equal(twstore_age_ms(s, first, ms(1499)), 999);
	assert_int_equal(twstore_due(s, ms(1500)), first);
	free(s);
}

TEST(lengths__more_than_queues__rounded_up_never_down)
{
	struct twstore *s = new_store(false, 100, 1, 0);

	for (uint32_t i = 0; i < 60; i++) {
		uint32_t len = i == 59 ? TW_LEN_MAX_MS : 50 + i * i * 900;
		struct tw_rec rec;
		twstore_get(s, put(s, i, 0, len), &rec);
		if (i < 16)
			assert_int_equal(rec.deadline_at, ms(len));
		assert_true(rec.deadline_at >= ms(len));
		assert_true(rec.deadline_at <= ms(2 * (uint64_t)len));
		assert_true(rec.deadline_at <= ms(TW_LEN_MAX_MS));
	}
	free(s);
}

TEST(lengths__queue_emptied__serves_another_length_exactly)
{
	struct twstore *s = new_store(false, 100, 1, 0);
	struct tw_rec rec;
	tw_id first = put(s, 0, 0, 1000);

	for (uint32_t i = 1; i < 16; i++)
		put(s, i, 0, 1000 + i);
	twstore_get(s, put(s, 50, 0, 2500), &rec);
	assert_int_equal(rec.deadline_at, ms(4096));
	twstore_remove(s, first);
	twstore_get(s, put(s, 51, 0, 2500), &rec);
	assert_int_equal(rec.deadline_at, ms(2500));
	free(s);
}

/* A leap over records that are there makes all of them due, and is not felt by those that come later. */
static void leap(nsec_t by)
{
	struct twstore *s = new_store(false, 100, 1, 0);
	nsec_t now = by + ms(77);
	struct tw_rec rec;
	tw_id late;

	put(s, 0, 0, 1000);
	put(s, 1, ms(77), TW_LEN_MAX_MS);
	assert_true(twstore_is_due(s, find(s, 0), now));
	assert_true(twstore_is_due(s, find(s, 1), now));
	assert_true(twstore_next_at(s) <= now);
	late = put(s, 2, now, 1000);
	assert_false(twstore_is_due(s, late, now));
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(twstore_due(s, now), find(s, i));
		twstore_remove(s, find(s, i));
	}
	assert_int_equal(twstore_due(s, now), TW_NONE);
	twstore_get(s, late, &rec);
	assert_in_range(rec.deadline_at, now + ms(1000), now + ms(1001));
	assert_int_equal(twstore_due(s, rec.deadline_at - 1), TW_NONE);
	assert_int_equal(twstore_due(s, rec.deadline_at), late);
	free(s);
}

TEST(time__leap_of_49_days__all_due)
{
	leap(ms(UINT64_C(1) << 32));
}
TEST(time__leap_of_just_31_bits__all_due)
{
	leap(ms(UINT64_C(1) << 31));
}
TEST(time__leap_of_30_bits__all_due)
{
	leap(ms((UINT64_C(1) << 30) + 1));
}
TEST(time__leap_of_500_years__all_due)
{
	leap(ms(UINT64_C(500) * 365 * 24 * 3600 * 1000));
}

TEST(time__200_days_in_steps__deadlines_stay_exact)
{
	struct twstore *s = new_store(false, 100, 1, 0);
	nsec_t now = 0;
	uint32_t i = 0;

	for (; now < ms(UINT64_C(200) * 86400 * 1000); now += ms(3000000), i++) {
		struct tw_rec rec;
		tw_id id = put(s, i, now, TW_LEN_MAX_MS);
		twstore_get(s, id, &rec);
		assert_int_equal(rec.deadline_at, now + ms(TW_LEN_MAX_MS));
		while ((id = twstore_due(s, now)) != TW_NONE) {
			twstore_get(s, id, &rec);
			assert_true(rec.deadline_at <= now);
			assert_true(rec.deadline_at + ms(3000000) > now);
			twstore_remove(s, id);
		}
	}
	assert_int_equal(twstore_count(s), 2);
	free(s);
}

TEST(time__nothing_removed_for_weeks__late_but_never_early_and_never_lost)
{
	struct twstore *s = new_store(false, 200, 1, 0);
	nsec_t now = 0;

	for (uint32_t i = 0; i < 100; i++, now += ms(UINT64_C(86400) * 1000))
		put(s, i, now, 1000);
	put(s, 100, now, 1000);
	assert_false(twstore_is_due(s, find(s, 100), now));
	for (uint32_t i = 0; i <= 100; i++, now += ms(2000)) {
		tw_id id = twstore_due(s, now);
		assert_int_equal(id, find(s, i));
		twstore_remove(s, id);
	}
	assert_int_equal(twstore_count(s), 0);
	free(s);
}

TEST(time__two_leaps_with_nothing_removed__all_due)
{
	struct twstore *s = new_store(false, 10, 1, 0);
	nsec_t now = ms(UINT64_C(40) * 86400 * 1000);

	put(s, 0, 0, 1000);
	put(s, 1, now, 1000);
	assert_false(twstore_is_due(s, find(s, 1), now));
	assert_true(twstore_is_due(s, find(s, 1), 2 * now));
	assert_int_equal(twstore_due(s, 2 * now), find(s, 0));
	free(s);
}

/* Nearly full buckets: records move to make room for others, also the one under the hand. */
TEST(move__to_make_room__keeps_order_and_hand)
{
	enum { N = 1000, STORES = 300 };

	for (uint32_t first = 0; first < N * STORES; first += N) {
		struct twstore *s = new_store(false, N, 1, 0);
		for (uint32_t i = 0; i < N; i++)
			put(s, first + i, ms(i), MIN_MS);
		for (uint32_t i = 0; i < N; i++)
			assert_int_equal(twstore_mature(s, ms(N), 0, false), find(s, first + i));
		for (uint32_t i = 0; i < N; i++) {
			assert_int_equal(twstore_due(s, ms(MIN_MS + i)), find(s, first + i));
			twstore_remove(s, find(s, first + i));
		}
		assert_int_equal(twstore_count(s), 0);
		free(s);
	}
}

TEST(mature__age_reached__each_given_once_oldest_first)
{
	struct twstore *s = new_store(false, 10, 1, 0);
	struct tw_rec rec;

	for (uint32_t i = 0; i < 3; i++)
		put(s, i, ms(10) * i, MIN_MS);
	assert_int_equal(twstore_mature(s, ms(999), 1000, false), TW_NONE);
	assert_int_equal(twstore_mature(s, ms(1010), 1000, false), find(s, 0));
	assert_int_equal(twstore_mature(s, ms(1010), 1000, false), find(s, 1));
	assert_int_equal(twstore_mature(s, ms(1010), 1000, false), TW_NONE);
	twstore_get(s, find(s, 1), &rec);
	assert_true(rec.mature);
	twstore_get(s, find(s, 2), &rec);
	assert_false(rec.mature);
	assert_int_equal(twstore_mature(s, ms(1020), 1000, false), find(s, 2));
	put(s, 3, ms(1030), MIN_MS); /* the hand had reached the end */
	assert_int_equal(twstore_mature(s, ms(2030), 1000, false), find(s, 3));
	free(s);
}

TEST(mature__record_under_the_hand_removed__goes_on_with_the_next)
{
	struct twstore *s = new_store(false, 10, 1, 0);

	for (uint32_t i = 0; i < 4; i++)
		put(s, i, ms(i), MIN_MS);
	assert_int_equal(twstore_mature(s, ms(1000), 1000, false), find(s, 0));
	twstore_remove(s, find(s, 1)); /* the hand stands there */
	assert_int_equal(twstore_mature(s, ms(1002), 1000, false), find(s, 2));
	twstore_restart(s, find(s, 3), ms(1002), MIN_MS);
	assert_int_equal(twstore_mature(s, ms(2001), 1000, false), TW_NONE);
	assert_int_equal(twstore_mature(s, ms(2002), 1000, false), find(s, 3));
	free(s);
}

TEST(mature__what_does_not_count__is_passed_over_until_restarted)
{
	struct twstore *s = new_store(false, 10, 1, 0);
	struct tw_rec rec;

	put(s, 0, 0, MIN_MS);
	twstore_get(s, find(s, 0), &rec);
	rec.kind = TW_FIN_WAIT_2;
	twstore_update(s, find(s, 0), &rec);
	put(s, 1, 0, MIN_MS);
	assert_int_equal(twstore_mature(s, ms(1000), 1000, true), TW_NONE); /* 0: FIN_WAIT_2; 1: not loopback */
	assert_int_equal(twstore_mature(s, ms(1000), 1000, false), TW_NONE);
	rec.kind = TW_TIME_WAIT;
	twstore_update(s, find(s, 0), &rec);
	twstore_restart(s, find(s, 0), ms(1000), MIN_MS);
	assert_int_equal(twstore_mature(s, ms(1999), 1000, false), TW_NONE);
	assert_int_equal(twstore_mature(s, ms(2000), 1000, false), find(s, 0));
	free(s);
}

TEST(mature__very_many_that_do_not_count__bounded_work_in_a_call)
{
	struct twstore *s = new_store(false, 1000, 1, 0);
	unsigned calls = 0;

	for (uint32_t i = 0; i < 999; i++) {
		struct tw_rec rec = {.t = tuple_nr(i, false), .kind = TW_TIME_WAIT};
		twstore_insert(s, &rec, tuple_hash(key, &rec.t), TW_NONE, 0, MIN_MS);
	}
	put(s, 999, 0, MIN_MS);
	while (twstore_mature(s, ms(5000), 1000, false) == TW_NONE)
		calls++;
	assert_in_range(calls, 10, 16);
	free(s);
}

TEST(insert__with_a_place_told_before__takes_it_unless_another_has)
{
	struct twstore *s = new_store(false, 20000, 1, 0);
	struct tw_rec rec = {.t = tuple_nr(30000, false)}, late = {.t = tuple_nr(30001, false)};
	uint64_t hash = tuple_hash(key, &rec.t);
	tw_id place;

	assert_int_equal(twstore_place(s, hash), TW_NONE); /* of a small one nothing need be asked for */
	for (uint32_t i = 0; i < 10000; i++)
		put(s, i, 0, MIN_MS);
	place = twstore_place(s, hash);
	assert_int_not_equal(place, TW_NONE);
	assert_int_equal(twstore_insert(s, &rec, hash, place, 0, MIN_MS), place);
	/* The same hash and the same place once more: the place is taken, and neither record is lost. */
	assert_int_not_equal(twstore_insert(s, &late, hash, place, 0, MIN_MS), place);
	assert_int_equal(twstore_find(s, &rec.t, hash), place);
	assert_int_not_equal(twstore_find(s, &late.t, hash), TW_NONE);
	/* A place that is not its own is not taken, empty as it may be. */
	place = twstore_place(s, ~hash);
	rec.t = tuple_nr(30002, false);
	assert_int_not_equal(twstore_insert(s, &rec, hash, place, 0, MIN_MS), place);
	assert_int_not_equal(twstore_find(s, &rec.t, hash), TW_NONE);
	free(s);
}

static uint64_t pseudo_hash(uint64_t seed, uint32_t i)
{
	uint64_t z = (seed << 32) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Fills to the last record, then replaces records that chance picks; nothing may fail, nothing may be lost. */
static void fill_and_churn(bool v6, uint32_t capacity, uint64_t seed, uint32_t churn)
{
	struct twstore *s = new_store(v6, capacity, seed, 0);
	uint32_t *of = malloc(capacity * sizeof(*of)), next = 0;
	struct rng rng;

	assert_non_null(of);
	rng_seed(&rng, seed);
	for (; next < capacity; next++) {
		struct tw_rec rec = {.t = tuple_nr(next, v6)};
		of[next] = next;
		if (twstore_insert(s, &rec, pseudo_hash(seed, next), TW_NONE, 0, MIN_MS) == TW_NONE)
			fail_msg("capacity %u, seed %u: full at %u", capacity, (unsigned)seed, next);
	}
	for (uint32_t i = 0; i < churn; i++, next++) {
		struct tw_rec rec = {.t = tuple_nr(next, v6)};
		uint32_t *victim = &of[rng_below(&rng, capacity)];
		struct tuple t = tuple_nr(*victim, v6);
		tw_id id = twstore_find(s, &t, pseudo_hash(seed, *victim));
		tw_id place = twstore_place(s, pseudo_hash(seed, next));
		assert_int_not_equal(id, TW_NONE);
		twstore_remove(s, id);
		*victim = next;
		assert_int_not_equal(twstore_insert(s, &rec, pseudo_hash(seed, next), place, 0, MIN_MS), TW_NONE);
	}
	assert_int_equal(twstore_count(s), capacity);
	{
		struct tw_rec rec = {.t = tuple_nr(next, v6)};
		assert_int_equal(twstore_insert(s, &rec, pseudo_hash(seed, next), TW_NONE, 0, MIN_MS), TW_NONE);
	}
	for (uint32_t i = 0; i < capacity; i++) {
		struct tuple t = tuple_nr(of[i], v6);
		if (twstore_find(s, &t, pseudo_hash(seed, of[i])) == TW_NONE)
			fail_msg("capacity %u: %u lost", capacity, of[i]);
	}
	for (uint32_t i = 0; churn && i < capacity; i++) {
		tw_id id = twstore_due(s, ms(MIN_MS));
		assert_int_not_equal(id, TW_NONE);
		twstore_remove(s, id);
	}
	free(of);
	free(s);
}

TEST(fill__every_small_size_and_seed__to_the_last_record)
{
	for (uint32_t capacity = 1; capacity <= 1000; capacity += capacity < 130 ? 1 : 29)
		for (uint64_t seed = 1; seed <= 4; seed++)
			fill_and_churn(seed & 1, capacity, seed, 10 * capacity);
}

TEST(fill__three_million__to_the_last_record)
{
	fill_and_churn(false, LARGE, 5, 0);
}

TEST(churn__at_capacity__never_fails)
{
	fill_and_churn(false, 100000, 6, 1000000);
	fill_and_churn(true, 20000, 7, 200000);
}

TEST(memory__copied_elsewhere__is_the_same_store)
{
	size_t size = twstore_size(false, 50);
	struct twstore *s = new_store(false, 50, 1, 0), *copy = malloc(size);

	assert_non_null(copy);
	for (uint32_t i = 0; i < 50; i++)
		put(s, i, ms(i), 1000);
	memcpy(copy, s, size);
	for (uint32_t i = 0; i < 50; i++) {
		tw_id id = twstore_due(copy, ms(5000));
		assert_int_equal(id, find(s, i));
		twstore_remove(copy, id);
	}
	assert_int_equal(twstore_count(copy), 0);
	assert_int_equal(twstore_count(s), 50);
	free(copy);
	free(s);
}

RUN(T(size__ten_million__at_most_40_and_64_octets_a_record), T(size__largest_capacity__fits_links),
    T(insert__ipv6__comes_back_as_it_went), T(window__any__is_rounded_down_to_a_power_of_two),
    T(due__before_the_deadline__never), T(due__length_zero__at_once), T(due__several_lengths__in_order_of_deadlines),
    T(after__a_record_that_is_due__is_the_next_of_its_queue_or_none),
    T(find__past_the_deadline__still_there_until_removed), T(restart__before_the_deadline__lives_its_length_again),
    T(lengths__more_than_queues__rounded_up_never_down), T(lengths__queue_emptied__serves_another_length_exactly),
    T(time__leap_of_49_days__all_due), T(time__leap_of_just_31_bits__all_due), T(time__leap_of_30_bits__all_due),
    T(time__leap_of_500_years__all_due), T(time__200_days_in_steps__deadlines_stay_exact),
    T(time__nothing_removed_for_weeks__late_but_never_early_and_never_lost),
    T(time__two_leaps_with_nothing_removed__all_due), T(move__to_make_room__keeps_order_and_hand),
    T(mature__age_reached__each_given_once_oldest_first),
    T(mature__record_under_the_hand_removed__goes_on_with_the_next),
    T(mature__what_does_not_count__is_passed_over_until_restarted),
    T(mature__very_many_that_do_not_count__bounded_work_in_a_call),
    T(insert__with_a_place_told_before__takes_it_unless_another_has),
    T(fill__every_small_size_and_seed__to_the_last_record), T(fill__three_million__to_the_last_record),
    T(churn__at_capacity__never_fails), T(memory__copied_elsewhere__is_the_same_store))
