/* SPDX-License-Identifier: MIT */
#include "engine/out_seg.h"

static unsigned how(const struct engine *e) { return e->cfg.checksums_done ? PACKET_NO_TCP_CSUM : 0; }

static void address(const struct conn *c, struct seg *s)
{
	s->src = *addrs_get(c->eng->addrs, c->t.laddr);
	s->dst = c->t.raddr;
	s->sport = c->t.lport;
	s->dport = c->t.rport;
	s->urg = 0;
	s->tos = c->opt.tos;
	s->ttl = c->opt.ttl;
	s->may_fragment = pmtu_may_fragment(c);
	if (s->may_fragment)
		s->id = (uint16_t)(c->hash + c->segs_out);
	s->text = NULL;
	s->opts.kinds = c->ts_ok ? OPTS_ONLY_TS : 0;
	s->opts.n_sack = 0;
	s->opts.tsval = ts_clock_ms(c->eng) + c->ts_offset;
	s->opts.tsecr = c->ts_recent;
}

/* Text that goes on at the ring's beginning: put into its place in the packet. s is complete but for that. */
static COLD void put_wrapped(const struct conn *c, const struct seg *s, uint32_t at, uint8_t *buf)
{
	uint32_t first = c->eng->cfg.send_buffer - at;
	uint8_t *to = buf + packet_header_len(s);

	memcpy(to, c->snd_buf + at, first);
	memcpy(to + first, c->snd_buf, s->len - first);
}

/* Where the text is: in the ring, where packet_write() takes it from. */
static void find_text(const struct conn *c, struct seg *s, uint8_t *buf)
{
	uint32_t size = c->eng->cfg.send_buffer, at = (s->seq.v - c->iss.v - 1) & (size - 1);

	if (s->len <= size - at)
		s->text = c->snd_buf + at;
	else
		put_wrapped(c, s, at, buf);
}

size_t out_seg(struct conn *c, const struct outgoing *o, uint8_t *buf, size_t cap)
{
	struct seg s;

	address(c, &s);
	s.seq = o->seq;
	s.ack = c->rcv_nxt;
	s.flags = o->flags | F_ACK;
	s.wnd = rcv_wnd_field(c);
	s.len = o->len;
	if (c->ecn.ok)
		ecn_mark(c, &s);
	if (c->n_gaps || c->dsack_due)
		rcv_sack_blocks(c, &s.opts);
	c->dsack_due = false;
	if (o->len) {
		find_text(c, &s, buf);
		c->bytes_sent += o->len;
		c->data_segs_out++;
		c->last_sent_at = c->eng->now;
	}
	rcv_ack_sent(c, o->len > 0);
	c->segs_out++;
	return packet_write(buf, cap, &s, how(c->eng));
}

size_t out_seg_syn(struct conn *c, uint8_t *buf, size_t cap)
{
	bool answers = c->state != SYN_SENT;
	struct seg s;

	address(c, &s);
	s.seq = c->iss;
	s.ack = answers ? c->rcv_nxt : seq(0);
	s.flags = (answers ? F_SYN | F_ACK : F_SYN) | ecn_syn_flags(c, answers);
	s.wnd = c->syn_wnd;
	s.len = 0;
	s.opts.has_mss = true;
	s.opts.mss = c->adv_mss;
	/* RFC 7323 2.2, 3.2: a SYN offers what the knobs said at connect(), a SYN+ACK agrees. */
	s.opts.has_wscale = c->wscale_ok;
	s.opts.wscale = c->rcv_wscale;
	s.opts.sack_permitted = c->sack_ok;
	if (answers)
		c->last_ack_sent = c->rcv_nxt;
	else
		s.opts.tsecr = 0;
	c->ack_due = false;
	c->segs_out++;
	return packet_write(buf, cap, &s, how(c->eng));
}

size_t out_seg_reply(struct engine *e, const struct reply *r, uint8_t *buf, size_t cap)
{
	e->n.out_segs++;
	e->n.out_rsts += (r->seg.flags & F_RST) != 0;
	return packet_write(buf, cap, &r->seg, how(e));
}
