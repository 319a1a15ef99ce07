/* SPDX-License-Identifier: MIT */
/* agenda.h - what will happen when: a heap of (time, what). Equal times come out in the order they went in. */
#pragma once
#include "base/base.h"

enum { AGENDA_MAX = 16384 };

struct agenda_item {
	nsec_t at;
	uint32_t order, what;
};

struct agenda {
	uint32_t n, order;
	struct agenda_item item[AGENDA_MAX];
};

void agenda_init(struct agenda *a);
bool agenda_add(struct agenda *a, nsec_t at, uint32_t what); /* false: full */
nsec_t agenda_next_at(const struct agenda *a); /* NSEC_NEVER: nothing */
uint32_t agenda_take(struct agenda *a); /* the next one; there must be one */
