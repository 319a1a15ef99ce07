/* SPDX-License-Identifier: MIT */
#include "engine/sent.h"

void board_init(struct board *b, uint32_t slots)
{
	must(slots && slots <= SENT_MAX && (slots & (slots - 1)) == 0);
	*b = (struct board){.mask = slots - 1, .oldest = SENT_NONE, .newest = SENT_NONE};
}

/* ---- by time ---- */

static void time_append(struct board *b, struct sent *ring, struct sent *s)
{
	uint16_t slot = (uint16_t)(s - ring);

	s->older = b->newest;
	s->newer = SENT_NONE;
	if (b->newest == SENT_NONE)
		b->oldest = slot;
	else
		ring[b->newest].newer = slot;
	b->newest = slot;
	s->flags |= SENT_TIMED;
}

void board_untime(struct board *b, struct sent *ring, struct sent *s)
{
	if (!(s->flags & SENT_TIMED))
		return;
	if (s->older == SENT_NONE)
		b->oldest = s->newer;
	else
		ring[s->older].newer = s->newer;
	if (s->newer == SENT_NONE)
		b->newest = s->older;
	else
		ring[s->newer].older = s->older;
	s->flags &= (uint8_t)~SENT_TIMED;
}

/* ---- entries ---- */

struct sent *board_add(struct board *b, struct sent *ring, seq_t from, uint32_t len, nsec_t now)
{
	struct sent *s = board_at(ring, b, b->end);

	must(!board_is_full(b) && len > 0 && len <= UINT16_MAX);
	b->end++;
	s->at = now;
	s->to = seq_add(from, len);
	s->len = (uint16_t)len;
	s->flags = 0;
	time_append(b, ring, s);
	return s;
}

void board_sent_again(struct board *b, struct sent *ring, uint32_t i, nsec_t now)
{
	struct sent *s = board_at(ring, b, i);

	s->at = now;
	b->ever_again += !(s->flags & SENT_EVER_AGAIN);
	s->flags |= SENT_EVER_AGAIN;
	board_untime(b, ring, s);
	time_append(b, ring, s);
}

static void first_is(struct board *b, uint32_t i)
{
	b->first = i;
	if ((int32_t)(b->high - i) < 0)
		b->high = i;
	if ((int32_t)(b->hint - i) < 0)
		b->hint = i;
}

void board_drop_first(struct board *b, struct sent *ring)
{
	struct sent *s = board_at(ring, b, b->first);

	must(b->first != b->end);
	board_untime(b, ring, s);
	b->sacked -= !!(s->flags & SENT_SACKED);
	b->lost -= !!(s->flags & SENT_LOST);
	b->again -= !!(s->flags & SENT_AGAIN);
	b->ever_again -= !!(s->flags & SENT_EVER_AGAIN);
	first_is(b, b->first + 1);
}

/* Where nothing was sent again the list by time has the order of the ring: the ends of both are cut off at once. */
uint32_t board_drop_to(struct board *b, struct sent *ring, seq_t una)
{
	uint32_t before = b->first, i = before;
	uint16_t oldest = b->oldest;

	do {
		const struct sent *s = board_at_const(ring, b, i);

		if (seq_lt(una, s->to))
			break;
		if (s->flags & SENT_TIMED)
			oldest = s->newer;
	} while (++i != b->end);
	b->oldest = oldest;
	if (oldest == SENT_NONE)
		b->newest = SENT_NONE;
	else
		ring[oldest].older = SENT_NONE;
	first_is(b, i);
	return i - before;
}

uint32_t board_find(const struct board *b, const struct sent *ring, seq_t x)
{
	uint32_t low = b->first, high = b->end;

	while (low != high) { /* the first that ends beyond x */
		uint32_t mid = low + (high - low) / 2;

		if (seq_lt(x, board_at_const(ring, b, mid)->to))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

bool board_mark_lost(struct board *b, struct sent *ring, uint32_t i)
{
	struct sent *s = board_at(ring, b, i);

	if (s->flags & SENT_SACKED)
		return false;
	if ((int32_t)(i - b->hint) < 0)
		b->hint = i;
	if (s->flags & SENT_LOST) {
		bool again = s->flags & SENT_AGAIN;

		b->again -= again;
		s->flags &= (uint8_t)~SENT_AGAIN;
		return again;
	}
	s->flags |= SENT_LOST;
	b->lost++;
	return true;
}

void board_forget_lost(struct board *b, struct sent *ring)
{
	for (uint32_t i = b->first; i != b->end; i++)
		board_at(ring, b, i)->flags &= (uint8_t)~SENT_LOST;
	b->lost = 0;
	b->hint = b->first;
}

/* Entry i to the next slot, which is free to be written. */
static void move_up(struct board *b, struct sent *ring, uint32_t i)
{
	struct sent *from = board_at(ring, b, i), *to = board_at(ring, b, i + 1);
	uint16_t slot = (uint16_t)(to - ring);

	*to = *from;
	if (!(to->flags & SENT_TIMED))
		return;
	if (to->older == SENT_NONE)
		b->oldest = slot;
	else
		ring[to->older].newer = slot;
	if (to->newer == SENT_NONE)
		b->newest = slot;
	else
		ring[to->newer].older = slot;
}

void board_merge(struct board *b, struct sent *ring, uint32_t i)
{
	struct sent *s = board_at(ring, b, i), *next = board_at(ring, b, i + 1);

	must(i + 1 != b->end && !((s->flags | next->flags) & SENT_SACKED));
	board_untime(b, ring, s);
	b->lost -= s->flags & SENT_LOST && next->flags & SENT_LOST;
	b->again -= !!(s->flags & SENT_AGAIN) + !!(next->flags & SENT_AGAIN);
	b->ever_again -= s->flags & SENT_EVER_AGAIN && next->flags & SENT_EVER_AGAIN;
	next->len = (uint16_t)(next->len + s->len);
	next->flags |= s->flags & (SENT_LOST | SENT_EVER_AGAIN | SENT_PSH);
	next->flags = (uint8_t)((next->flags & ~(SENT_AGAIN | SENT_JOINED)) | (s->flags & SENT_JOINED));
	for (uint32_t j = i; j != b->first; j--)
		move_up(b, ring, j - 1);
	b->first++;
	b->hint += (int32_t)(b->hint - i) <= 0;
	b->high += (int32_t)(b->high - i) <= 0;
}
