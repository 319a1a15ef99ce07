/* SPDX-License-Identifier: MIT */
/*
 * link.h - a doubly linked ring, embedded in what it links. A head is a link that belongs to nothing.
 * A zeroed link is in no ring.
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
	l->prev = after;
	l->next = after->next;
	after->next->prev = l;
	after->next = l;
}

static inline void link_append(struct link *head, struct link *l) { link_insert(head->prev, l); }

static inline void link_remove(struct link *l) /* in no ring: nothing happens */
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

static inline struct link *link_pop(struct link *head) /* the first, taken out; NULL if there is none */
{
	struct link *l = head->next;

	if (l == head)
		return NULL;
	link_remove(l);
	return l;
}
