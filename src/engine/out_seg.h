/* SPDX-License-Identifier: MIT */
/* out_seg.h - how a segment of a connection is written. Private to out.c. */
#pragma once
#include "engine/engine.h"

/* What to send: sequence numbers from seq on. Text is that of the send buffer. */
struct outgoing {
	seq_t seq;
	uint32_t len;
	uint8_t flags; /* but for ACK, which every one but a first SYN has */
};

size_t out_seg_syn(struct conn *c, uint8_t *buf, size_t cap); /* SYN, or SYN+ACK */
/* Anything else. It acknowledges all there is, announces the window and counts what every segment counts. */
size_t out_seg(struct conn *c, struct outgoing o, uint8_t *buf, size_t cap);
size_t out_seg_reply(struct engine *e, const struct reply *r, uint8_t *buf, size_t cap);
