/* SPDX-License-Identifier: MIT */
#include "cli/pcap_ladder.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "report/ladder.h"

enum { FIRST_STEPS = 300, LAST_STEPS = 100, STEPS = FIRST_STEPS + LAST_STEPS };
#define AFTERWARDS (2 * NSEC_PER_S) /* segments that come late belong to the picture */

struct pcap_ladder {
	struct conn conn;
	struct ladder_step steps[STEPS]; /* the first, then a ring of the last */
	uint64_t n;
	seq_t first[2], max[2];
	bool known[2];
};

bool pcap_choice_parse(const char *text, struct pcap_choice *ret)
{
	const char *colon = strrchr(text, ':');
	char host[64], *end;
	unsigned long long number;
	size_t len;

	if (!colon) {
		errno = 0;
		number = strtoull(text, &end, 10);
		*ret = (struct pcap_choice){.number = number};
		return *text >= '0' && *text <= '9' && !*end && !errno && number > 0;
	}
	number = strtoull(colon + 1, &end, 10);
	len = (size_t)(colon - text);
	if (colon[1] < '0' || colon[1] > '9' || *end || number > UINT16_MAX || len >= sizeof(host))
		return false;
	if (len > 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	}
	memcpy(host, text, len);
	host[len] = 0;
	*ret = (struct pcap_choice){.port = (uint16_t)number};
	return ip_parse(host, &ret->addr);
}

bool pcap_choice_is(const struct pcap_choice *choice, uint64_t number, const struct conn *c)
{
	if (choice->number)
		return choice->number == number;
	for (int s = 0; s < 2; s++)
		if (choice->port == c->port[s] && ip_eq(choice->addr, c->addr[s]))
			return true;
	return false;
}

struct pcap_ladder *pcap_ladder_new(const struct conn *c)
{
	struct pcap_ladder *l = xcalloc(1, sizeof(*l));

	l->conn = *c;
	return l;
}

void pcap_ladder_free(struct pcap_ladder *l) { free(l); }

static struct ip model_ip(const struct addr *a) { return addr_is_v4(a) ? ip_v4(a->b + 12) : ip_v6(a->b); }

static bool is_end(const struct conn *c, int side, const struct addr *a, uint16_t port)
{
	return c->port[side] == port && ip_eq(c->addr[side], model_ip(a));
}

static enum side sender(const struct conn *c, const struct frame *f)
{
	for (int s = SIDE_CLIENT; s <= SIDE_SERVER; s++)
		if (is_end(c, s, &f->src, f->sport) && is_end(c, 1 - s, &f->dst, f->dport))
			return s;
	return SIDE_NONE;
}

/* The first line, if it is one: most text is not for people. */
static void take_words(struct ladder_step *s, const struct frame *f)
{
	char words[LADDER_SAYS];
	uint32_t n = 0;

	while (n < f->kept && n < sizeof(words) - 1 && f->text[n] >= ' ' && f->text[n] < 127) {
		words[n] = (char)f->text[n];
		n++;
	}
	if (n < sizeof(words) - 1 && n < f->kept && f->text[n] != '\r' && f->text[n] != '\n')
		return;
	words[n] = 0;
	copy_printable(s->says, sizeof(s->says), words);
}

static unsigned step_flags(uint8_t flags)
{
	return (flags & F_SYN ? STEP_SYN : 0U) | (flags & F_FIN ? STEP_FIN : 0U) | (flags & F_RST ? STEP_RST : 0U) |
	       (flags & F_ACK ? STEP_ACK : 0U);
}

/* Numbers are told from the first one on: of a SYN it is 0, of the first octet otherwise 1. */
static void count_from(struct pcap_ladder *l, enum side by, seq_t first)
{
	if (l->known[by])
		return;
	l->known[by] = true;
	l->first[by] = l->max[by] = first;
}

void pcap_ladder_frame(struct pcap_ladder *l, enum link_type type, const struct raw_frame *raw)
{
	struct ladder_step s = {.at = raw->at};
	struct frame f;
	enum side by;
	seq_t to;

	if (raw->at < l->conn.start || raw->at > l->conn.end + AFTERWARDS || frame_parse(&f, type, raw) != FRAME_TCP)
		return;
	by = sender(&l->conn, &f);
	if (by == SIDE_NONE)
		return;
	count_from(l, by, f.flags & F_SYN ? f.seq : seq_sub(f.seq, 1));
	if (f.flags & F_ACK)
		count_from(l, 1 - by, seq_sub(f.ack, 1));
	to = seq_add(f.seq, frame_span(&f));
	s.by = by;
	s.flags = step_flags(f.flags);
	if (frame_span(&f) && seq_le(to, l->max[by]))
		s.flags |= STEP_AGAIN;
	l->max[by] = seq_max(l->max[by], to);
	s.seq = f.seq.v - l->first[by].v;
	s.ack = f.ack.v - l->first[1 - by].v;
	s.len = f.len;
	take_words(&s, &f);
	l->steps[l->n < FIRST_STEPS ? l->n : FIRST_STEPS + (l->n - FIRST_STEPS) % LAST_STEPS] = s;
	l->n++;
}

void pcap_ladder_print(const struct pcap_ladder *l, FILE *f, bool svg)
{
	struct ladder_step *steps = xcalloc(STEPS, sizeof(*steps));
	struct ladder ladder = {.conn = &l->conn, .steps = steps};
	uint64_t oldest = l->n > STEPS ? l->n - LAST_STEPS : FIRST_STEPS;

	for (uint64_t i = 0; i < l->n && i < FIRST_STEPS; i++)
		steps[ladder.n++] = l->steps[i];
	if (l->n > STEPS) {
		ladder.gap_at = FIRST_STEPS;
		ladder.left_out = (size_t)(l->n - STEPS);
	}
	for (uint64_t i = oldest; i < l->n; i++)
		steps[ladder.n++] = l->steps[FIRST_STEPS + (i - FIRST_STEPS) % LAST_STEPS];
	if (svg)
		ladder_svg(f, &ladder);
	else
		ladder_text(f, &ladder);
	free(steps);
}
