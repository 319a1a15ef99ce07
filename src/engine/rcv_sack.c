/* SPDX-License-Identifier: MIT */
/*
 * rcv_sack.c - what was received out of order (RFC 9293 SHLD-31), and how the peer learns of it: RFC 2018, and 2883 for
 * octets that came twice. The octets lie in the ring where they will be read; a run says which of them are there. Octets
 * that are there stay as they came first. Runs are bounded by memory of their own, so a peer of tiny segments with gaps
 * between them (CVE-2018-5390) finds a full array and costs a binary search; what was told in a SACK block is never
 * taken back (RFC 2018 8).
 */
#include "engine/rcv.h"

enum { RUNS_MIN = 16, RUNS_MAX = 1024, OCTETS_A_RUN = 1024 };

uint32_t rcv_runs_max(const struct la_config *cfg)
{
	uint32_t n = cfg->receive_buffer / OCTETS_A_RUN;

	return n < RUNS_MIN ? RUNS_MIN : n > RUNS_MAX ? RUNS_MAX : n;
}

/* ---- runs ---- */

/* The first run that ends at x or beyond. */
static unsigned run_at(const struct conn *c, seq_t x)
{
	unsigned low = 0, high = c->n_gaps;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (seq_lt(c->gaps[mid].to, x))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One past the last run that begins at x or before; first is run_at() of something not beyond x. */
static unsigned run_end(const struct conn *c, unsigned first, seq_t x)
{
	while (first < c->n_gaps && seq_le(c->gaps[first].from, x))
		first++;
	return first;
}

/* Runs first .. end - 1, which touch r, and r become one; end == first: r stands alone before the run `first`. */
static void join(struct conn *c, unsigned first, unsigned end, struct run r)
{
	if (first < end) {
		r.from = seq_min(r.from, c->gaps[first].from);
		r.to = seq_max(r.to, c->gaps[end - 1].to);
	}
	if (end != first + 1)
		memmove(&c->gaps[first + 1], &c->gaps[end], (c->n_gaps - end) * sizeof(c->gaps[0]));
	c->n_gaps = (uint16_t)(c->n_gaps + 1 - (end - first));
	c->gaps[first] = r;
}

/* What is known to have come twice of this segment grows by r if they touch; of two parts the first is told (tcp_dsack_extend). */
static void extend_dsack(struct conn *c, struct run r)
{
	if (!c->dsack_due) {
		rcv_dsack(c, r);
	} else if (seq_le(r.from, c->dsack.to) && seq_le(c->dsack.from, r.to)) {
		c->dsack.from = seq_min(c->dsack.from, r.from);
		c->dsack.to = seq_max(c->dsack.to, r.to);
	}
}

/* Octets of r that are in runs already: told in a DSACK. True: all of them are. */
static bool note_overlap(struct conn *c, struct run r, unsigned first, unsigned end)
{
	bool all = false;

	for (; first < end; first++) {
		const struct run *old = &c->gaps[first];
		struct run dup = {seq_max(r.from, old->from), seq_min(r.to, old->to)};

		if (!seq_lt(dup.from, dup.to))
			continue;
		extend_dsack(c, dup);
		all |= seq_eq(dup.from, r.from) && seq_eq(dup.to, r.to);
	}
	return all;
}

static void store_part(struct conn *c, struct run r, const uint8_t *text, struct run part)
{
	uint32_t len = (uint32_t)seq_diff(part.to, part.from);

	rcv_store(c, part.from, text + seq_diff(part.from, r.from), len);
	rcv_hold(c, len);
}

/* What of r is in no run goes into the ring. */
static void store_missing(struct conn *c, struct run r, const uint8_t *text, unsigned first, unsigned end)
{
	seq_t at = r.from;

	for (; first < end; first++) {
		struct run old = c->gaps[first];

		if (seq_lt(at, old.from))
			store_part(c, r, text, (struct run){at, old.from});
		at = seq_max(at, old.to);
	}
	if (seq_lt(at, r.to))
		store_part(c, r, text, (struct run){at, r.to});
}

/* The run with octet x grew: it is told first (RFC 2018 4), the others in the order they had. */
static void note_recent(struct conn *c, seq_t x)
{
	struct run grown = c->gaps[run_at(c, seq_add(x, 1))];
	seq_t next = x;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_recent && n < ARRAY_LEN(c->recent) - 1; i++) {
		seq_t old = c->recent[i];

		if (seq_lt(old, c->rcv_nxt) || (seq_le(grown.from, old) && seq_lt(old, grown.to)))
			continue;
		c->recent[n++] = next;
		next = old;
	}
	c->recent[n++] = next;
	c->n_recent = (uint8_t)n;
}

APART void rcv_put_aside(struct conn *c, struct run r, const uint8_t *text)
{
	struct engine *e = c->eng;
	unsigned first = run_at(c, r.from), end = run_end(c, first, r.to);

	if (first == end && c->n_gaps == rcv_runs_max(&e->cfg)) {
		e->n.ofo_drop++;
		return;
	}
	e->n.ofo_queue++;
	c->rcv_ooo++;
	if (note_overlap(c, r, first, end)) {
		e->n.ofo_merge++;
	} else {
		store_missing(c, r, text, first, end);
		join(c, first, end, r);
	}
	note_recent(c, r.from);
}

APART void rcv_take_and_absorb(struct conn *c, struct run r, const uint8_t *text)
{
	unsigned end = run_end(c, 0, r.to);

	note_overlap(c, r, 0, end);
	store_missing(c, r, text, 0, end);
	c->rcv_nxt = end ? seq_max(r.to, c->gaps[end - 1].to) : r.to;
	c->n_gaps = (uint16_t)(c->n_gaps - end);
	memmove(&c->gaps[0], &c->gaps[end], c->n_gaps * sizeof(c->gaps[0]));
	if (!c->n_gaps)
		c->n_recent = 0;
}

/*
 * The last ones first: they will be sent again last. It takes back what was told (RFC 2018 8 allows it, Linux does it),
 * but only when the engine's memory is used up.
 */
COLD void rcv_prune(struct conn *c, uint32_t len)
{
	unsigned n = c->n_gaps, kept = 0;

	while (c->n_gaps && rcv_mem_full(c, len)) {
		struct run last = c->gaps[--c->n_gaps];

		rcv_let_go(c, (uint32_t)seq_diff(last.to, last.from));
	}
	c->eng->n.ofo_pruned += c->n_gaps < n;
	for (unsigned i = 0; i < c->n_recent; i++)
		if (c->n_gaps && seq_lt(c->recent[i], c->gaps[c->n_gaps - 1].to))
			c->recent[kept++] = c->recent[i];
	c->n_recent = (uint8_t)kept;
}

/* ---- what the peer is told ---- */

APART void rcv_dsack(struct conn *c, struct run r)
{
	if (!c->sack_ok || !c->eng->k.dsack)
		return;
	if (seq_lt(r.from, c->rcv_nxt))
		c->eng->n.dsack_old_sent++;
	else
		c->eng->n.dsack_ofo_sent++;
	c->dsack_due = true;
	c->dsack = r;
}

static unsigned blocks_that_fit(const struct conn *c) { return c->ts_ok ? SACK_BLOCKS_MAX - 1 : SACK_BLOCKS_MAX; }

static void tell(struct tcp_opts *o, struct run r)
{
	o->sack[o->n_sack].from = r.from;
	o->sack[o->n_sack].to = r.to;
	o->n_sack++;
}

APART void rcv_sack_blocks(const struct conn *c, struct tcp_opts *o)
{
	unsigned most = blocks_that_fit(c);

	o->n_sack = 0;
	if (!c->sack_ok)
		return;
	if (c->dsack_due)
		tell(o, c->dsack);
	for (unsigned i = 0; i < c->n_recent && o->n_sack < most; i++)
		if (seq_le(c->rcv_nxt, c->recent[i]))
			tell(o, c->gaps[run_at(c, seq_add(c->recent[i], 1))]);
}

APART uint32_t conn_mss_beside_sacks(const struct conn *c)
{
	struct tcp_opts o;

	rcv_sack_blocks(c, &o);
	return o.n_sack ? c->snd_mss - (4 + 8U * o.n_sack) : c->snd_mss;
}
