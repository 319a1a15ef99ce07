/* SPDX-License-Identifier: MIT */
/* spans.h - a set of octets of a stream, counted from its beginning: which arrived, which were reported. Bounded: past that it says so. */
#pragma once
#include "base/base.h"

enum { SPANS_MAX = 40 };

struct span { /* from .. to - 1 */
	uint32_t from, to;
};

struct spans { /* zero-initialise */
	uint8_t n;
	bool spilt; /* more pieces than fit came: nothing is known any more */
	struct span at[SPANS_MAX]; /* in order, apart from each other */
};

void spans_add(struct spans *s, uint32_t from, uint32_t to);
bool spans_have(const struct spans *s, uint32_t from, uint32_t to); /* all of it; true when spilt */
const struct span *spans_around(const struct spans *s, uint32_t at); /* the piece with it; NULL: none, or spilt */
void spans_forget_below(struct spans *s, uint32_t at);
