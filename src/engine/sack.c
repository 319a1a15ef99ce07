/* SPDX-License-Identifier: MIT */
/*
 * sack.c - what the peer's SACK blocks say (RFC 2018, 6675), duplicates too (2883). A block counts if it lies in
 * SND.UNA..SND.NXT; entries are found by halving, and what the blocks of the last ACK covered is not walked through again: an
 * ACK costs what it brings of news, and at most two walks through the ring (the second is a DSACK's).
 */
#include "engine/engine.h"

/* ---- DSACK ---- */

/* How many segments came twice; 0: nothing one should believe. */
static uint32_t dsack_segments(struct conn *c, const struct sack_block *b, struct ack *a)
{
	struct recovery *r = &c->rec;
	uint32_t len, n = 1;

	if (!seq_lt(b->from, b->to))
		return 0;
	len = (uint32_t)seq_diff(b->to, b->from);
	if (len > c->max_snd_wnd) /* more than the peer ever had room for */
		return 0;
	if (len > c->snd_mss)
		n = (len + c->snd_mss - 1) / c->snd_mss;
	else if (r->tlp_on && seq_eq(r->tlp_high, b->to))
		a->flags |= ACK_DSACK_TLP;
	r->dsack_dups += n;
	if (r->dsack_dups > c->total_retrans) /* we never sent so many again: the network doubles, or the peer lies */
		return 0;
	r->dsack_ok = true;
	/* The probe is the timer's: it says nothing of the reordering window. */
	if (r->reord_seen && !(a->flags & ACK_DSACK_TLP))
		r->rack.dsack_seen = true;
	a->flags |= ACK_DSACK;
	r->delivered += n;
	return n;
}

/* RFC 2883 4: the first block, if it is old or lies in the second. */
static bool is_dsack(struct conn *c, const struct sack_block *b, unsigned n, struct ack *a)
{
	struct counters *k = &c->eng->n;
	struct recovery *r = &c->rec;
	uint32_t segments;

	if (n == 0)
		return false;
	if (seq_lt(b[0].from, a->s->ack)) {
		k->dsack_recv++;
	} else if (n > 1 && seq_le(b[0].to, b[1].to) && seq_le(b[1].from, b[0].from)) {
		k->dsack_ofo_recv++;
	} else {
		return false;
	}
	segments = dsack_segments(c, b, a);
	if (segments == 0) {
		k->dsack_ignored_dubious++;
		return false;
	}
	k->dsack_recv_segs += segments;
	/* What it was is forgotten; that it was one of ours sent again is likely. */
	if (r->undo_on && r->undo_retrans > 0 && seq_le(b[0].to, a->prior_una) && seq_lt(r->undo_from, b[0].to))
		r->undo_retrans = r->undo_retrans > (int32_t)segments ? r->undo_retrans - (int32_t)segments : 0;
	return true;
}

/* ---- blocks ---- */

static bool is_valid(const struct conn *c, const struct sack_block *b, bool dsack)
{
	const struct recovery *r = &c->rec;

	if (!seq_lt(b->from, b->to) || seq_lt(c->snd_nxt, b->to) || !seq_lt(b->from, c->snd_nxt))
		return false;
	if (seq_lt(c->snd_una, b->from))
		return true;
	/* It begins at or below SND.UNA: a DSACK of something that this recovery sent again, or nonsense. */
	if (!dsack || !r->undo_on || seq_lt(c->snd_una, b->to))
		return false;
	if (seq_le(r->undo_from, b->from))
		return true;
	return seq_lt(r->undo_from, b->to) && (uint32_t)seq_diff(b->to, b->from) <= c->max_snd_wnd;
}

static void count_invalid(struct conn *c, const struct sack_block *b, const struct ack *a, bool dsack)
{
	struct counters *k = &c->eng->n;

	if (dsack && !c->rec.undo_on)
		k->dsack_ignored_noundo++;
	else if (dsack)
		k->dsack_ignored_old++;
	else if (seq_eq(a->s->ack, c->snd_una) || seq_lt(c->snd_una, b->to)) /* else a late ACK */
		k->sack_discard++;
}

struct blocks {
	struct sack_block at[SACK_BLOCKS_MAX];
	unsigned n;
	int dsack; /* which is the DSACK; -1: none */
};

static void sort(struct blocks *b)
{
	for (unsigned i = 1; i < b->n; i++)
		for (unsigned j = i; j > 0 && seq_lt(b->at[j].from, b->at[j - 1].from); j--) {
			struct sack_block x = b->at[j];

			b->at[j] = b->at[j - 1];
			b->at[j - 1] = x;
			if (b->dsack == (int)j)
				b->dsack = (int)j - 1;
			else if (b->dsack == (int)j - 1)
				b->dsack = (int)j;
		}
}

/* Blocks that overlap are one, so that no entry is walked past twice. The DSACK lies in another and stays. */
static void merge(struct blocks *b)
{
	unsigned n = 0;
	int dsack = -1;

	for (unsigned i = 0; i < b->n; i++) {
		struct sack_block *last = n && (int)n - 1 != dsack ? &b->at[n - 1] : n > 1 ? &b->at[n - 2] : NULL;

		if ((int)i == b->dsack) {
			dsack = (int)n;
		} else if (last && seq_le(b->at[i].from, last->to)) {
			last->to = seq_max(last->to, b->at[i].to);
			continue;
		}
		b->at[n++] = b->at[i];
	}
	b->n = n;
	b->dsack = dsack;
}

/* Those that say something, in order. */
static void choose(struct conn *c, const struct ack *a, const struct sack_block *wire, bool dsack, struct blocks *ret)
{
	unsigned n = a->s->opts.n_sack;

	ret->n = 0;
	ret->dsack = -1;
	for (unsigned i = 0; i < n; i++) {
		bool dup = dsack && i == 0;

		if (!is_valid(c, &wire[i], dup)) {
			count_invalid(c, &wire[i], a, dup);
			continue;
		}
		if (seq_le(wire[i].to, a->prior_una))
			continue;
		if (dup)
			ret->dsack = (int)ret->n;
		ret->at[ret->n++] = wire[i];
	}
	sort(ret);
	merge(ret);
}

/* ---- tagging ---- */

static void tag_dup(struct conn *c, struct sent *s, struct ack *a)
{
	struct recovery *r = &c->rec;
	seq_t from = sent_from(s);

	if (!(s->flags & SENT_TWICE))
		return;
	if (r->undo_on && r->undo_retrans > 0 && seq_lt(r->undo_from, s->to))
		r->undo_retrans--;
	if (s->flags & SENT_SACKED && seq_lt(from, a->reord))
		a->reord = from;
}

static void tag_new(struct conn *c, struct sent *s, struct ack *a)
{
	struct board *b = &c->board;
	struct recovery *r = &c->rec;
	seq_t from = sent_from(s);

	rack_taken(c, s, a, true);
	if (s->flags & SENT_AGAIN) {
		/* If it is not called lost, the retransmission is believed to be on its way still. */
		if (s->flags & SENT_LOST) {
			b->lost--;
			b->again--;
			s->flags &= (uint8_t) ~(SENT_LOST | SENT_AGAIN);
		}
	} else {
		if (!(s->flags & SENT_EVER_AGAIN)) {
			if (seq_lt(from, snd_high_sack(c)) && seq_lt(from, a->reord))
				a->reord = from; /* it was in a hole and came late */
			if (seq_le(s->to, r->high))
				a->flags |= ACK_ORIGINAL;
			if (!(a->flags & ACK_SACK_TIMED))
				a->first_sack_at = s->at;
			a->last_sack_at = s->at;
			a->flags |= ACK_SACK_TIMED;
		}
		if (s->flags & SENT_LOST) {
			b->lost--;
			s->flags &= (uint8_t)~SENT_LOST;
		}
	}
	s->flags |= SENT_SACKED;
	b->sacked++;
	a->flags |= ACK_SACKED;
	r->delivered++;
}

static void tag(struct conn *c, uint32_t i, struct ack *a, bool dup)
{
	struct board *b = &c->board;
	struct sent *s = board_at(c->sent, b, i);

	if (dup)
		tag_dup(c, s, a);
	if (seq_le(s->to, c->snd_una)) /* acknowledged by the same segment */
		return;
	if (!(s->flags & SENT_SACKED))
		tag_new(c, s, a);
	if (dup && s->flags & SENT_AGAIN) { /* the retransmission came too */
		s->flags &= (uint8_t)~SENT_AGAIN;
		b->again--;
	}
	board_untime(b, c->sent, s);
	if ((int32_t)(i + 1 - b->high) > 0)
		b->high = i + 1;
}

/* Entries that lie in the block whole, of those that end beyond `from` and begin before `before`. */
static void walk(struct conn *c, const struct sack_block *block, seq_t from, seq_t before, struct ack *a)
{
	const struct board *b = &c->board;

	for (uint32_t i = board_find(b, c->sent, from); i != b->end; i++) {
		const struct sent *s = board_at(c->sent, b, i);

		if (seq_lt(block->to, s->to) || seq_le(before, sent_from(s)))
			break;
		if (seq_le(block->from, sent_from(s)))
			tag(c, i, a, false);
	}
}

/* What came twice: the block says something of each entry, seen before or not. */
static void take_dsack(struct conn *c, const struct sack_block *block, struct ack *a)
{
	const struct board *b = &c->board;

	for (uint32_t i = board_find(b, c->sent, block->from); i != b->end; i++) {
		const struct sent *s = board_at(c->sent, b, i);

		if (seq_lt(block->to, s->to))
			break;
		if (seq_le(block->from, sent_from(s)))
			tag(c, i, a, true);
	}
}

/* One block, but for entries within what the last ACK's blocks covered. One that only begins or ends there is looked at. */
static void take_block(struct conn *c, const struct sack_block *block, struct ack *a)
{
	const struct recovery *r = &c->rec;
	seq_t from = block->from;

	for (unsigned i = 0; i < r->n_seen && seq_lt(from, block->to); i++) {
		struct sack_block seen = r->seen[i];

		if (seq_le(seen.to, from) || seq_le(block->to, seen.from))
			continue;
		if (seq_lt(from, seen.from))
			walk(c, block, from, seen.from, a);
		from = seen.to;
	}
	if (seq_lt(from, block->to))
		walk(c, block, from, block->to, a);
}

void sack_tag(struct conn *c, struct ack *a)
{
	struct recovery *r = &c->rec;
	struct sack_block wire[SACK_BLOCKS_MAX];
	struct blocks use;
	bool dsack;

	a->reord = c->snd_nxt;
	if (c->board.sacked == 0) {
		c->board.high = c->board.first;
		r->n_seen = 0;
	}
	for (unsigned i = 0; i < a->s->opts.n_sack; i++)
		wire[i] = (struct sack_block){a->s->opts.sack[i].from, a->s->opts.sack[i].to};
	dsack = is_dsack(c, wire, a->s->opts.n_sack, a);
	if (board_n(&c->board) == 0)
		return;
	choose(c, a, wire, dsack, &use);
	for (unsigned i = 0; i < use.n; i++)
		if (use.dsack == (int)i)
			take_dsack(c, &use.at[i], a);
		else
			take_block(c, &use.at[i], a);
	memcpy(r->seen, use.at, use.n * sizeof(use.at[0]));
	r->n_seen = (uint8_t)use.n;
	if (r->ca != CA_LOSS || r->undo_on)
		recovery_reordered(c, a->reord, false);
}
