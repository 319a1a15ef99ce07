/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "wire/packet.h"

static void add_end(struct seg_text *t, const struct addr *a, uint16_t port)
{
	append(t->s, sizeof(t->s), addr_is_v4(a) ? "%s:%u" : "[%s]:%u", addr_text(a).s, port);
}

static void add_flags(struct seg_text *t, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		char letter;
	} letters[] = {{F_FIN, 'F'}, {F_SYN, 'S'}, {F_RST, 'R'}, {F_PSH, 'P'},
		       {F_ACK, '.'}, {F_URG, 'U'}, {F_ECE, 'E'}, {F_CWR, 'W'}};

	append(t->s, sizeof(t->s), " [");
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (flags & letters[i].flag)
			append(t->s, sizeof(t->s), "%c", letters[i].letter);
	append(t->s, sizeof(t->s), flags ? "]" : "none]");
}

static void add_options(struct seg_text *t, const struct tcp_opts *o)
{
	const char *before = " <"; /* what stands before the next one */

	if (o->has_mss) {
		append(t->s, sizeof(t->s), "%smss %u", before, o->mss);
		before = ",";
	}
	if (o->sack_permitted) {
		append(t->s, sizeof(t->s), "%ssackOK", before);
		before = ",";
	}
	if (o->has_ts) {
		append(t->s, sizeof(t->s), "%sTS val %u ecr %u", before, o->tsval, o->tsecr);
		before = ",";
	}
	if (o->has_wscale) {
		append(t->s, sizeof(t->s), "%swscale %u", before, o->wscale);
		before = ",";
	}
	if (o->n_sack) {
		append(t->s, sizeof(t->s), "%ssack", before);
		before = ",";
	}
	for (size_t i = 0; i < o->n_sack; i++)
		append(t->s, sizeof(t->s), " %u:%u", o->sack[i].from.v, o->sack[i].to.v);
	if (before[0] == ',')
		append(t->s, sizeof(t->s), ">");
}

struct seg_text seg_text(const struct seg *s)
{
	struct seg_text t = {""};

	add_end(&t, &s->src, s->sport);
	append(t.s, sizeof(t.s), " > ");
	add_end(&t, &s->dst, s->dport);
	add_flags(&t, s->flags);
	append(t.s, sizeof(t.s), " seq %u", s->seq.v);
	if (s->flags & F_ACK)
		append(t.s, sizeof(t.s), " ack %u", s->ack.v);
	append(t.s, sizeof(t.s), " win %u", s->wnd);
	if (s->flags & F_URG)
		append(t.s, sizeof(t.s), " urg %u", s->urg);
	append(t.s, sizeof(t.s), " len %u", s->len);
	add_options(&t, &s->opts);
	return t;
}
