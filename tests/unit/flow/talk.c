/* SPDX-License-Identifier: MIT */
#include "tests/unit/flow/talk.h"

void talk_init(struct talk *t, uint16_t port)
{
	*t = (struct talk){
		.now = 1000 * NSEC_PER_S,
		.step = 10000,
		.addr = {addr_v4(10, 0, 0, 1), addr_v4(10, 0, 0, 2)},
		.port = {port, 80},
		.wnd = {64000, 64000},
		.nxt = {seq(1000), seq(500000)},
		.had = {seq(1000), seq(500000)},
	};
}

static void put(struct talk *t, enum side by, const struct seg *s)
{
	uint8_t packet[WIRE_HEADERS_MAX + 16384];
	size_t len = packet_write(packet, sizeof(packet), s, 0);

	must(len);
	t->now += t->step;
	if (!t->mute)
		t->packet(t->arg, t->now, packet, len);
}

static struct seg segment(struct talk *t, enum side by, unsigned flags)
{
	int to = 1 - (int)by;

	return (struct seg){
		.src = t->addr[by],
		.dst = t->addr[to],
		.sport = t->port[by],
		.dport = t->port[to],
		.flags = (uint8_t)flags,
		.wnd = t->wnd[by],
		.may_fragment = true,
		.id = ++t->id[by],
	};
}

void talk_seg(struct talk *t, enum side by, unsigned flags, const void *text, size_t len)
{
	struct seg s = segment(t, by, flags);
	int to = 1 - (int)by;

	s.seq = t->nxt[by];
	s.text = len ? text : NULL;
	s.len = (uint32_t)len;
	if (flags & F_ACK) {
		s.ack = t->nxt[to];
		t->had[to] = t->nxt[to];
	}
	t->nxt[by] = seq_add(t->nxt[by], seg_span(&s));
	put(t, by, &s);
}

void talk_odd(struct talk *t, enum side by, unsigned flags, seq_t seq, seq_t ack, size_t len)
{
	static const uint8_t octets[16384];
	struct seg s = segment(t, by, flags);

	s.seq = seq;
	s.ack = ack;
	s.len = (uint32_t)len;
	s.text = len ? octets : NULL;
	put(t, by, &s);
}

void talk_again(struct talk *t, enum side by, unsigned flags, const void *text, size_t len)
{
	struct seg s = segment(t, by, flags);

	s.seq = seq_sub(t->nxt[by], (uint32_t)len);
	s.ack = t->nxt[1 - (int)by];
	s.text = text;
	s.len = (uint32_t)len;
	put(t, by, &s);
}

void talk_open(struct talk *t)
{
	talk_seg(t, SIDE_CLIENT, F_SYN, NULL, 0);
	talk_seg(t, SIDE_SERVER, F_SYN | F_ACK, NULL, 0);
	talk_seg(t, SIDE_CLIENT, F_ACK, NULL, 0);
}

void talk_send(struct talk *t, enum side by, const void *text, size_t len)
{
	talk_seg(t, by, F_ACK | F_PSH, text, len);
	talk_seg(t, 1 - by, F_ACK, NULL, 0);
}

void talk_say(struct talk *t, enum side by, const char *text) { talk_send(t, by, text, strlen(text)); }

void talk_fin(struct talk *t, enum side by)
{
	talk_seg(t, by, F_FIN | F_ACK, NULL, 0);
	talk_seg(t, 1 - by, F_ACK, NULL, 0);
}

void talk_close(struct talk *t, enum side first)
{
	talk_seg(t, first, F_FIN | F_ACK, NULL, 0);
	talk_seg(t, 1 - first, F_FIN | F_ACK, NULL, 0);
	talk_seg(t, first, F_ACK, NULL, 0);
}

void talk_wait(struct talk *t, nsec_t how_long) { t->now += how_long; }
