/* SPDX-License-Identifier: MIT */
/* ladder.h - one connection segment by segment: client on the left, server on the right, time downwards. */
#pragma once
#include "model/conn.h"
#include <stdio.h>

enum { LADDER_SAYS = 48 };

enum { /* struct ladder_step.flags */
       STEP_SYN = 1,
       STEP_FIN = 2,
       STEP_RST = 4,
       STEP_ACK = 8,
       STEP_AGAIN = 16, /* sent before */
};

struct ladder_step {
	nsec_t at;
	enum side by;
	unsigned flags; /* STEP_... */
	uint32_t seq, ack; /* from the first number on that was seen of the side */
	uint32_t len; /* octets of text */
	char says[LADDER_SAYS]; /* its first line, printable; "" none */
};

struct ladder {
	const struct conn *conn;
	const struct ladder_step *steps; /* in the order in which they were captured */
	size_t n;
	size_t gap_at; /* so many steps were left out before this one */
	size_t left_out;
};

void ladder_text(FILE *f, const struct ladder *l); /* a line for each step */
void ladder_svg(FILE *f, const struct ladder *l); /* a page of its own */
