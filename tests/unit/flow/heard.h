/* SPDX-License-Identifier: MIT */
/* heard.h - a talk that flows listens to, and the records that come of it. */
#pragma once
#include "flow/flow.h"
#include "tests/unit/flow/talk.h"
#include "tests/unit/t.h"

enum { HEARD_MAX = 64 };

struct heard_conns {
	struct flows *fs;
	struct conn v[HEARD_MAX];
	size_t n;
	uint32_t snap; /* 0: nothing is cut */
	unsigned copies; /* of each packet; 0: one */
};

static inline void heard_done(void *arg, const struct conn *c)
{
	struct heard_conns *h = arg;

	assert_true(h->n < HEARD_MAX);
	h->v[h->n++] = *c;
}

static inline void heard_packet(void *arg, nsec_t at, const uint8_t *packet, size_t len)
{
	struct heard_conns *h = arg;
	struct raw_frame raw = {at, packet, (uint32_t)len, (uint32_t)len};

	if (h->snap && raw.kept > h->snap)
		raw.kept = h->snap;
	for (unsigned i = 0; i < (h->copies ? h->copies : 1); i++) {
		assert_int_equal(flows_frame(h->fs, LINK_IP, &raw), 0);
		raw.at += 1000;
	}
}

static inline void heard_begin(struct heard_conns *h, struct talk *t, uint16_t port)
{
	struct flows_cfg cfg = {.done = heard_done, .arg = h};

	memset(h, 0, sizeof(*h));
	h->fs = flows_new(&cfg);
	assert_non_null(h->fs);
	talk_init(t, port);
	t->packet = heard_packet;
	t->arg = h;
}

/* The one record of it. */
static inline const struct conn *heard_one(struct heard_conns *h)
{
	flows_end(h->fs);
	flows_free(h->fs);
	h->fs = NULL;
	assert_int_equal(h->n, 1);
	return &h->v[0];
}

static inline void heard_over(struct heard_conns *h)
{
	flows_end(h->fs);
	flows_free(h->fs);
	h->fs = NULL;
}
