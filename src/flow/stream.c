/* SPDX-License-Identifier: MIT */
/* stream.c - text in order. What overtook other text waits for it, until the other side says that it has it. */
#include <stdlib.h>

#include "flow/track.h"

static struct reader *reader_of(struct flow *f) { return &f->rec->reader; }

static void skip_to(struct flow *f, enum side by, seq_t to)
{
	struct half *h = &f->half[by];

	f->rec->conn.seen |= SEEN_HOLES;
	reader_hole(reader_of(f), by, (uint32_t)seq_diff(to, h->next));
	h->next = to;
}

/* Text from h->next or before on. */
static void give(struct flow *f, enum side by, nsec_t at, seq_t from, struct text_span t)
{
	struct half *h = &f->half[by];
	int32_t known = seq_diff(h->next, from);

	must(known >= 0);
	if ((uint32_t)known >= t.len)
		return;
	text_advance(&t, (uint32_t)known);
	h->next = seq_add(h->next, t.len);
	reader_text(reader_of(f), &f->rec->conn, by, at, t);
}

static void give_held(struct flow *f, enum side by)
{
	struct half *h = &f->half[by];

	while (h->held && seq_le(h->held->from, h->next)) {
		struct held *first = h->held;

		give(f, by, first->at, first->from, (struct text_span){first->text, first->kept, first->len});
		h->held = first->next;
		h->n_held--;
		*f->held_all -= first->kept;
		free(first);
	}
}

/* False: no room. Text that cannot be kept whole is kept as if the capture had cut it. */
static bool hold(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	uint32_t kept = fr->kept < HELD_KEPT_MAX ? fr->kept : HELD_KEPT_MAX;
	struct half *h = &f->half[by];
	struct held **p = &h->held, *new;

	if (h->n_held == HELD_MAX || *f->held_all + kept > HELD_ALL_MAX)
		return false;
	new = malloc(sizeof(*new) + kept);
	if (!new)
		return false;
	*new = (struct held){.at = at, .from = fr->seq, .len = fr->len, .kept = kept};
	if (kept)
		memcpy(new->text, fr->text, kept);
	while (*p && seq_lt((*p)->from, fr->seq))
		p = &(*p)->next;
	new->next = *p;
	*p = new;
	h->n_held++;
	*f->held_all += kept;
	return true;
}

void stream_text(struct flow *f, enum side by, const struct frame *fr, nsec_t at)
{
	struct half *h = &f->half[by];
	seq_t from = fr->flags & F_SYN ? seq_add(fr->seq, 1) : fr->seq;

	if (seq_lt(h->next, from)) {
		if (!(h->acks && seq_le(from, h->acked)) && hold(f, by, fr, at))
			return;
		if (h->held && seq_lt(h->held->from, from)) {
			skip_to(f, by, h->held->from);
			give_held(f, by);
		}
		if (seq_lt(h->next, from))
			skip_to(f, by, from);
	}
	give(f, by, at, from, (struct text_span){fr->text, fr->kept, fr->len});
	give_held(f, by);
}

void stream_heard(struct flow *f, enum side by, seq_t ack)
{
	struct half *h = &f->half[by];
	seq_t text_end = h->fin ? seq_sub(h->max, 1) : h->max;

	if (seq_lt(text_end, ack)) /* the FIN */
		ack = text_end;
	while (seq_lt(h->next, ack)) {
		seq_t to = h->held ? seq_min(h->held->from, ack) : ack;

		skip_to(f, by, to);
		give_held(f, by);
	}
}

void stream_end(struct flow *f)
{
	for (size_t s = 0; s < ARRAY_LEN(f->half); s++) {
		for (struct held *h = f->half[s].held, *next; h; h = next) {
			next = h->next;
			*f->held_all -= h->kept;
			free(h);
		}
		f->half[s].held = NULL;
		f->half[s].n_held = 0;
	}
}
