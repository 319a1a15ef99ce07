/* SPDX-License-Identifier: MIT */
/*
 * link.h - a doubly linked ring, embedded in what it links. A head is a link that belongs to nothing.
 * A zeroed link is in no ring; of one that was taken out only `next` is NULL.
 */
#pragma once
#include "base/base.h"

struct link {
	struct link *next, *prev;
};

#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void link_init(struct link *head) { head->next = head->prev = head; }
static inline bool link_is_empty(const struct link *head) { return head->next == head; }
static inline bool link_is_in(const struct link *l) { return l->next != NULL; }

static inline void link_insert(struct link *after, struct link *l)
{
	struct link *next = after->next;

	l->prev = after;
	l->next = next;
	next->prev = l;
	after->next = l;
}

static inline void link_append(struct link *head, struct link *l) { link_insert(head->prev, l); }

static inline void link_remove(struct link *l) /* in no ring: nothing happens */
{
	struct link *next = l->next, *prev = l->prev;

	if (!next)
		return;
	prev->next = next;
	next->prev = prev;
	l->next = NULL;
}

static inline struct link *link_pop(struct link *head) /* the first, taken out; NULL if there is none */
{
	struct link *l = head->next, *next = l->next;

	if (l == head)
		return NULL;
	head->next = next;
	next->prev = head;
	l->next = NULL;
	return l;
}
