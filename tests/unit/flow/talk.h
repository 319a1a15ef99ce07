/* SPDX-License-Identifier: MIT */
/* talk.h - a connection as a script: each call is a segment, in order and with right numbers, as a packet for whoever listens. */
#pragma once
#include "flow/frame.h"
#include "model/conn.h"

struct talk {
	void (*packet)(void *arg, nsec_t at, const uint8_t *packet, size_t len);
	void *arg;
	nsec_t now; /* moves on by step with each segment */
	nsec_t step;
	struct addr addr[2];
	uint16_t port[2], id[2], wnd[2];
	seq_t nxt[2]; /* to be sent */
	seq_t had[2]; /* acknowledged by the other side */
	bool mute; /* nothing comes of it: the capture misses what is said now */
};

/* 10.0.0.1:port to 10.0.0.2:80, 10 us between segments, from 1,000 s on. packet and arg are the caller's to set. */
void talk_init(struct talk *t, uint16_t port);

/* A segment of that side with these flags and text; it acknowledges all that the other side said, if F_ACK is there. */
void talk_seg(struct talk *t, enum side by, unsigned flags, const void *text, size_t len);
/* The same with numbers of its own; nothing is remembered. */
void talk_odd(struct talk *t, enum side by, unsigned flags, seq_t seq, seq_t ack, size_t len);

/* The newest text of that side once more: len octets that end where it has got to. */
void talk_again(struct talk *t, enum side by, unsigned flags, const void *text, size_t len);

void talk_open(struct talk *t); /* three segments */
void talk_say(struct talk *t, enum side by, const char *text); /* and the other side acknowledges it */
void talk_send(struct talk *t, enum side by, const void *text, size_t len); /* the same with any octets */
void talk_fin(struct talk *t, enum side by); /* and the other side acknowledges it */
void talk_close(struct talk *t, enum side first); /* both FINs, the last ACK */
void talk_wait(struct talk *t, nsec_t how_long);
