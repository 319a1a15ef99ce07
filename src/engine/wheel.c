/* SPDX-License-Identifier: MIT */
#include "engine/wheel.h"

/*
 * A timer stands on the level of the highest digit (base 64) in which its due tick differs from the present one. So all
 * slots of a level lie ahead within one turn, those of a lower level before those of a higher, and when the present
 * reaches the beginning of a slot of an upper level, that slot is spread over the levels below at once. Only the top
 * level goes round.
 */
enum { SLOT_BITS = 6, SLOT_MASK = WHEEL_SLOTS - 1, TOP = WHEEL_LEVELS - 1 };
#define TICK_NEVER UINT64_MAX

static uint64_t due_tick(nsec_t at) /* rounds up: a timer never fires early */
{
	return at ? (at - 1) / WHEEL_TICK + 1 : 0;
}

static uint64_t digits_from(uint64_t tick, unsigned level) { return tick >> (level * SLOT_BITS); }

void wheel_init(struct wheel *w, nsec_t now)
{
	memset(w, 0, sizeof(*w));
	w->tick = now / WHEEL_TICK;
	link_init(&w->due);
	for (size_t i = 0; i < WHEEL_LEVELS; i++)
		for (size_t j = 0; j < WHEEL_SLOTS; j++)
			link_init(&w->slot[i][j]);
}

static void place(struct wheel *w, struct wheel_timer *t)
{
	uint64_t due = due_tick(t->deadline_at), differ = due ^ w->tick;
	unsigned level = 0, slot;

	if (due < w->tick) {
		link_append(&w->due, &t->link);
		return;
	}
	if (differ)
		level = (unsigned)(63 - __builtin_clzll(differ)) / SLOT_BITS;
	if (level > TOP) { /* in the next turn of the top level; what is further than that waits in its last slot */
		level = TOP;
		if (digits_from(due, TOP) - digits_from(w->tick, TOP) >= WHEEL_SLOTS)
			due = w->tick - (UINT64_C(1) << (TOP * SLOT_BITS));
	}
	slot = digits_from(due, level) & SLOT_MASK;
	link_append(&w->slot[level][slot], &t->link);
	w->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, nsec_t deadline_at)
{
	must(deadline_at != NSEC_NEVER);
	wheel_cancel(w, t);
	t->deadline_at = deadline_at;
	place(w, t);
	w->armed++;
}

/* Takes l out of its list and, if nothing but a slot's head remains, clears the slot's bit. */
static void take_out(struct wheel *w, struct link *l)
{
	struct link *next = l->next;
	bool was_last = next == l->prev;
	size_t n;

	link_remove(l);
	if (!was_last || next == &w->due)
		return;
	n = (size_t)(next - &w->slot[0][0]);
	w->occupied[n / WHEEL_SLOTS] &= ~(UINT64_C(1) << n % WHEEL_SLOTS);
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
	if (!wheel_is_armed(t))
		return;
	take_out(w, &t->link);
	w->armed--;
}

/* When the first occupied slot begins. */
static uint64_t next_tick(const struct wheel *w)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t now = digits_from(w->tick, level), bits = w->occupied[level];
		unsigned turn = now & SLOT_MASK;

		if (!bits)
			continue;
		bits = turn ? bits >> turn | bits << (WHEEL_SLOTS - turn) : bits;
		return (now + (unsigned)__builtin_ctzll(bits)) << (level * SLOT_BITS);
	}
	return TICK_NEVER;
}

/* The present becomes `tick`, no later than next_tick(): a slot of an upper level that begins now is spread out. */
static void arrive(struct wheel *w, uint64_t tick)
{
	w->tick = tick;
	for (unsigned level = TOP; level > 0; level--) {
		unsigned slot = digits_from(tick, level) & SLOT_MASK;
		struct link *l;

		if (tick & ((UINT64_C(1) << (level * SLOT_BITS)) - 1) || !(w->occupied[level] >> slot & 1))
			continue;
		while ((l = link_pop(&w->slot[level][slot])))
			place(w, container_of(l, struct wheel_timer, link));
		w->occupied[level] &= ~(UINT64_C(1) << slot);
	}
}

static void advance(struct wheel *w, uint64_t target)
{
	while (w->tick <= target && link_is_empty(&w->due)) {
		uint64_t next = next_tick(w);
		unsigned slot = w->tick & SLOT_MASK;
		struct link *l;

		if (next != w->tick) {
			arrive(w, next <= target ? next : target + 1);
			continue;
		}
		while ((l = link_pop(&w->slot[0][slot])))
			link_append(&w->due, l);
		w->occupied[0] &= ~(UINT64_C(1) << slot);
		arrive(w, w->tick + 1);
	}
}

nsec_t wheel_next_at(const struct wheel *w)
{
	uint64_t tick;

	if (!link_is_empty(&w->due))
		return container_of(w->due.next, struct wheel_timer, link)->deadline_at;
	tick = next_tick(w);
	return tick == TICK_NEVER ? NSEC_NEVER : tick * WHEEL_TICK;
}

struct wheel_timer *wheel_expire(struct wheel *w, nsec_t now)
{
	uint64_t target = now / WHEEL_TICK;
	struct link *l;

	if (w->tick <= target && link_is_empty(&w->due))
		advance(w, target);
	l = link_pop(&w->due);
	if (!l)
		return NULL;
	w->armed--;
	return container_of(l, struct wheel_timer, link);
}
