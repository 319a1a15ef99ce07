/* SPDX-License-Identifier: MIT */
/* pcap_ladder.h - `lastack pcap --ladder`: one connection of a capture, segment by segment. */
#pragma once
#include "flow/frame.h"
#include "model/conn.h"
#include <stdio.h>

struct pcap_ladder; /* opaque */

/* Which one: its number in the order of `lastack pcap --conns`, from 1 on, or the address and port of one of its ends. */
struct pcap_choice {
	uint64_t number; /* 0: by address */
	struct ip addr;
	uint16_t port;
};

bool pcap_choice_parse(const char *text, struct pcap_choice *ret);
bool pcap_choice_is(const struct pcap_choice *choice, uint64_t number, const struct conn *c);

struct pcap_ladder *pcap_ladder_new(const struct conn *c); /* copies it; never NULL */
void pcap_ladder_free(struct pcap_ladder *l);
void pcap_ladder_frame(struct pcap_ladder *l, enum link_type type,
		       const struct raw_frame *raw); /* any frame of the capture */
void pcap_ladder_print(const struct pcap_ladder *l, FILE *f, bool svg);
