/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "base/rng.h"
#include "engine/sent.h"

enum { SLOTS = 64, LEN = 10 };

struct rig {
	struct board b;
	struct sent ring[SLOTS];
	seq_t nxt;
	nsec_t now;
};

static struct rig *fresh(uint32_t begin)
{
	static struct rig r;

	memset(&r, 0xa5, sizeof(r)); /* a slot is whatever it was */
	board_init(&r.b, SLOTS);
	r.b.first = r.b.end = r.b.high = r.b.hint = begin;
	r.nxt = seq(0xfffffff0);
	r.now = 1;
	return &r;
}

static struct sent *add(struct rig *r, uint32_t len)
{
	struct sent *s = board_add(&r->b, r->ring, r->nxt, len, r->now++);

	r->nxt = seq_add(r->nxt, len);
	return s;
}

static struct sent *entry(struct rig *r, uint32_t n) { return board_at(r->ring, &r->b, r->b.first + n); }

/* Both orders are whole, and the counts are those of the flags. */
static void check(struct rig *r)
{
	uint32_t lost = 0, sacked = 0, again = 0, ever_again = 0, timed = 0, listed = 0;
	uint16_t older = SENT_NONE;

	for (uint32_t i = r->b.first; i != r->b.end; i++) {
		const struct sent *s = board_at(r->ring, &r->b, i);

		lost += !!(s->flags & SENT_LOST);
		sacked += !!(s->flags & SENT_SACKED);
		again += !!(s->flags & SENT_AGAIN);
		ever_again += !!(s->flags & SENT_EVER_AGAIN);
		timed += !!(s->flags & SENT_TIMED);
		if (i + 1 != r->b.end)
			assert_true(seq_eq(s->to, sent_from(board_at(r->ring, &r->b, i + 1))));
		assert_int_equal(board_number(&r->b, r->ring, s), i);
	}
	for (uint16_t slot = r->b.oldest; slot != SENT_NONE; slot = r->ring[slot].newer) {
		assert_int_equal(r->ring[slot].older, older);
		if (older != SENT_NONE)
			assert_true(r->ring[older].at <= r->ring[slot].at);
		older = slot;
		assert_true(++listed <= SLOTS);
	}
	assert_int_equal(r->b.newest, older);
	assert_int_equal(listed, timed);
	assert_int_equal(r->b.lost, lost);
	assert_int_equal(r->b.sacked, sacked);
	assert_int_equal(r->b.again, again);
	assert_int_equal(r->b.ever_again, ever_again);
}

TEST(entries__found_by_number_and_by_sequence_across_the_wrap)
{
	struct rig *r = fresh(UINT32_MAX - 2);

	for (uint32_t i = 0; i < SLOTS; i++)
		add(r, LEN);
	assert_true(board_is_full(&r->b));
	for (uint32_t i = 0; i < SLOTS * LEN; i++)
		assert_int_equal(board_find(&r->b, r->ring, seq(0xfffffff0 + i)) - r->b.first, i / LEN);
	assert_int_equal(board_find(&r->b, r->ring, r->nxt), r->b.end);
	check(r);
	board_drop_first(&r->b, r->ring);
	assert_false(board_is_full(&r->b));
	assert_int_equal(board_find(&r->b, r->ring, seq_add(seq(0xfffffff0), LEN)), r->b.first);
	check(r);
}

TEST(lost__counted_once_until_sent_again)
{
	struct rig *r = fresh(0);

	for (uint32_t i = 0; i < 4; i++)
		add(r, LEN);
	r->b.hint = 4;
	assert_true(board_mark_lost(&r->b, r->ring, 2));
	assert_int_equal(r->b.hint, 2);
	assert_false(board_mark_lost(&r->b, r->ring, 2));
	assert_int_equal(r->b.lost, 1);
	assert_int_equal(board_in_flight(&r->b), 3);
	board_sent_again(&r->b, r->ring, 2, 99);
	entry(r, 2)->flags |= SENT_AGAIN;
	r->b.again++;
	assert_int_equal(board_in_flight(&r->b), 4);
	assert_int_equal(r->ring[r->b.newest].at, 99); /* the youngest now */
	assert_true(board_mark_lost(&r->b, r->ring, 2)); /* and that is lost too */
	assert_int_equal(board_in_flight(&r->b), 3);
	entry(r, 1)->flags |= SENT_SACKED;
	r->b.sacked++;
	assert_false(board_mark_lost(&r->b, r->ring, 1));
	check(r);
	board_forget_lost(&r->b, r->ring);
	assert_int_equal(r->b.lost, 0);
	check(r);
}

TEST(merge__is_one_entry_with_what_both_were)
{
	struct rig *r = fresh(10);

	for (uint32_t i = 0; i < 5; i++)
		add(r, LEN + i);
	entry(r, 1)->flags |= SENT_PSH;
	entry(r, 3)->flags |= SENT_JOINED;
	board_mark_lost(&r->b, r->ring, 12);
	board_mark_lost(&r->b, r->ring, 13);
	r->b.high = 14;
	board_merge(&r->b, r->ring, 12);
	assert_int_equal(board_n(&r->b), 4);
	assert_int_equal(entry(r, 2)->len, LEN + 2 + LEN + 3);
	assert_int_equal(entry(r, 2)->flags & SENT_LOST, SENT_LOST);
	assert_int_equal(entry(r, 1)->flags & SENT_PSH, SENT_PSH);
	assert_int_equal(entry(r, 2)->flags & SENT_JOINED, 0); /* the one before is no part of it */
	assert_int_equal(r->b.lost, 1);
	assert_int_equal(r->b.high, 14);
	assert_int_equal(r->b.hint, 11); /* nothing before was lost, and nothing is */
	check(r);
}

/* A board that is used at random is whole after each step. */
TEST(random_use__keeps_both_orders)
{
	struct rig *r = fresh(UINT32_MAX - 100);
	struct rng rng;

	rng_seed(&rng, 7);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t n = board_n(&r->b), pick = n ? r->b.first + (uint32_t)rng_below(&rng, n) : 0;
		struct sent *s = n ? board_at(r->ring, &r->b, pick) : NULL;

		switch (rng_below(&rng, 7)) {
		case 0:
		case 1:
			if (!board_is_full(&r->b))
				add(r, 1 + (uint32_t)rng_below(&rng, 100));
			break;
		case 2:
			if (n)
				board_drop_first(&r->b, r->ring);
			break;
		case 3:
			if (n)
				board_mark_lost(&r->b, r->ring, pick);
			break;
		case 4:
			if (n && (s->flags & (SENT_LOST | SENT_AGAIN)) == SENT_LOST) {
				board_sent_again(&r->b, r->ring, pick, r->now++);
				s->flags |= SENT_AGAIN;
				r->b.again++;
			}
			break;
		case 5:
			if (n && !(s->flags & (SENT_SACKED | SENT_LOST | SENT_AGAIN))) {
				s->flags |= SENT_SACKED;
				r->b.sacked++;
				board_untime(&r->b, r->ring, s);
			}
			break;
		case 6:
			if (n > 1 && pick + 1 != r->b.end &&
			    !((s->flags | board_at(r->ring, &r->b, pick + 1)->flags) & SENT_SACKED))
				board_merge(&r->b, r->ring, pick);
			break;
		default:
			break;
		}
		check(r);
	}
}

TEST(nothing_unusual__what_ends_by_una_leaves_at_once)
{
	struct rng rng;

	rng_seed(&rng, 3);
	for (unsigned round = 0; round < 2000; round++) {
		struct rig *r = fresh((uint32_t)0 - rng_below(&rng, SLOTS));
		uint32_t n = 1 + rng_below(&rng, SLOTS), gone = 1 + rng_below(&rng, n), end = r->b.first + gone;
		seq_t una;

		for (uint32_t i = 0; i < n; i++)
			add(r, 1 + rng_below(&rng, LEN));
		for (uint32_t i = 0; i < n; i++) /* some were called lost by mistake: they are in the list no more */
			if (rng_below(&rng, 4) == 0)
				board_untime(&r->b, r->ring, entry(r, i));
		una = entry(r, gone - 1)->to;
		if (gone < n) /* somewhere within the next one */
			una = seq_add(una, entry(r, gone)->len - 1U);
		assert_int_equal(board_drop_to(&r->b, r->ring, una), gone);
		assert_int_equal(r->b.first, end);
		check(r);
		add(r, LEN);
		check(r);
	}
}

/* What both were is in the flags; those before keep theirs under a number that is one more. */
TEST(merge__keeps_what_either_was)
{
	static const uint8_t kept[] = {SENT_LOST, SENT_EVER_AGAIN, SENT_PSH};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		for (uint32_t which = 1; which <= 2; which++) {
			struct rig *r = fresh(10);

			for (uint32_t n = 0; n < 4; n++)
				add(r, LEN);
			entry(r, 0)->flags |= SENT_SACKED;
			r->b.sacked = 1;
			r->b.high = 11;
			r->b.hint = kept[i] == SENT_LOST ? 11 : 14;
			entry(r, which)->flags |= kept[i];
			r->b.lost = kept[i] == SENT_LOST;
			board_merge(&r->b, r->ring, 11);
			assert_int_equal(entry(r, 0)->flags & SENT_SACKED, SENT_SACKED);
			assert_int_equal(r->b.high, 12);
			assert_int_equal(entry(r, 1)->flags & kept[i], kept[i]);
			assert_int_equal(r->b.hint, kept[i] == SENT_LOST ? 12 : 14);
		}
}

RUN(T(entries__found_by_number_and_by_sequence_across_the_wrap), T(lost__counted_once_until_sent_again),
    T(merge__is_one_entry_with_what_both_were), T(random_use__keeps_both_orders),
    T(nothing_unusual__what_ends_by_una_leaves_at_once), T(merge__keeps_what_either_was))
