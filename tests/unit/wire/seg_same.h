/* SPDX-License-Identifier: MIT */
/* seg_same.h - do two segments say the same? For the tests of wire/ and its fuzzer. */
#pragma once
#include "wire/packet.h"

#define SAME(what)                                                                                                     \
	if (!(what))                                                                                                   \
	return #what

static inline const char *opts_difference(const struct tcp_opts *a, const struct tcp_opts *b)
{
	SAME(a->has_mss == b->has_mss && (!a->has_mss || a->mss == b->mss));
	SAME(a->has_wscale == b->has_wscale && (!a->has_wscale || a->wscale == b->wscale));
	SAME(a->has_ts == b->has_ts && (!a->has_ts || (a->tsval == b->tsval && a->tsecr == b->tsecr)));
	SAME(a->sack_permitted == b->sack_permitted);
	SAME(a->n_sack == b->n_sack && a->n_sack <= SACK_BLOCKS_MAX);
	for (size_t i = 0; i < a->n_sack; i++)
		SAME(seq_eq(a->sack[i].from, b->sack[i].from) && seq_eq(a->sack[i].to, b->sack[i].to));
	return NULL;
}

/* NULL, or what differs. All that a packet carries is compared. */
static inline const char *seg_difference(const struct seg *a, const struct seg *b)
{
	SAME(addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst));
	SAME(a->sport == b->sport && a->dport == b->dport);
	SAME(seq_eq(a->seq, b->seq) && seq_eq(a->ack, b->ack));
	SAME(a->wnd == b->wnd && a->urg == b->urg);
	SAME(a->flags == b->flags && a->tos == b->tos && a->ttl == b->ttl);
	SAME(a->len == b->len && !a->text == !a->len && !b->text == !b->len);
	SAME(a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
	return opts_difference(&a->opts, &b->opts);
}
