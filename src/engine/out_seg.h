/* SPDX-License-Identifier: MIT */
/* out_seg.h - what out.c, out_data.c and out_seg.c share: which octets go, and how a segment is written. */
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
size_t out_seg(struct conn *c, const struct outgoing *o, uint8_t *buf, size_t cap);
size_t out_seg_reply(struct engine *e, const struct reply *r, uint8_t *buf, size_t cap);

/* ---- out_data.c ---- */
bool out_data(struct conn *c, struct outgoing *ret); /* text or FIN, again or anew; false: none now */
void out_data_end(struct conn *c); /* after rec.in_batch: that was the last for now */
