/* SPDX-License-Identifier: MIT */
#include "engine/ecn.h"
#include "engine/engine.h"

/* ---- SYN ---- */

bool ecn_accepts(const struct engine *e, const struct seg *syn)
{
	bool asks = (syn->flags & (F_ECE | F_CWR)) == (F_ECE | F_CWR);

	return asks && e->k.ecn != ECN_NEVER &&
	       (syn->tos & ECN_MASK) == ECN_NOT_ECT; /* a SYN must not be ECT: somebody meddles */
}

uint8_t ecn_syn_flags(const struct conn *c, bool answers)
{
	bool again = c->segs_out > 0;

	if (!c->ecn.ok)
		return 0;
	if (answers)
		return F_ECE;
	return again && c->eng->k.ecn_fallback ? 0 : F_ECE | F_CWR; /* 6.1.1.1: it may be what was dropped */
}

void ecn_learn(struct conn *c, const struct seg *syn)
{
	uint8_t agrees =
		syn->flags & F_ACK ? F_ECE : F_ECE | F_CWR; /* both set in a SYN+ACK: a peer that copies flags */

	c->ecn.ok = c->ecn.ok && (syn->flags & (F_ECE | F_CWR)) == agrees;
}

/* ---- sending ---- */

bool ecn_echo(const struct conn *c, const struct seg *s) { return c->ecn.ok && (s->flags & (F_ECE | F_SYN)) == F_ECE; }

void ecn_queue_cwr(struct conn *c) { c->ecn.cwr_due = c->ecn.ok; }

void ecn_withdraw_cwr(struct conn *c) { c->ecn.cwr_due = false; }

APART void ecn_mark(struct conn *c, struct seg *s)
{
	struct ecn *n = &c->ecn;

	if (s->len && !seq_lt(s->seq, n->next)) { /* 6.1.4, 6.1.5: neither pure ACKs nor what is sent again */
		n->next = seq_add(s->seq, s->len);
		s->tos |= ECN_ECT0;
		if (n->cwr_due)
			s->flags |= F_CWR;
		n->cwr_due = false;
	}
	if (n->echo)
		s->flags |= F_ECE;
}

/* ---- receiving ---- */

/* Linux acknowledges at once what tells the sender, and what may come from one that has a small window. */
APART void ecn_received(struct conn *c, const struct seg *s)
{
	struct ecn *n = &c->ecn;
	unsigned field = s->tos & ECN_MASK;

	if (s->flags & F_CWR) {
		n->echo = false;
		if (s->len)
			c->ack_pending |= ACK_NOW;
	}
	if (field == ECN_NOT_ECT) {
		if (n->seen)
			rcv_quick(c, 2);
		return;
	}
	if (field == ECN_CE && !n->echo) {
		n->echo = true;
		rcv_quick(c, 2);
	}
	n->seen = true;
}
