/* SPDX-License-Identifier: MIT */
/*
 * rcv.h - what the files of the receiving side ask of each other: rcv.c text, rcv_sack.c out of order, rcv_ack.c when to
 * acknowledge, rcv_wnd.c the window, rcv_tune.c how large the buffer may become. Private to them.
 */
#pragma once
#include "engine/engine.h"

/* ---- rcv.c: the ring, and what all rings hold ---- */
void rcv_store(struct conn *c, seq_t from, const uint8_t *text, uint32_t len);
void rcv_hold(struct conn *c, uint32_t octets); /* so many more are held */
void rcv_let_go(struct conn *c, uint32_t octets);

/* ---- rcv_sack.c: runs of octets received out of order, and what the peer is told of them ---- */

/* r, which begins beyond RCV.NXT and is not empty, goes into the ring, unless it would be one run too many. */
void rcv_put_aside(struct conn *c, struct run r, const uint8_t *text);
/* The same for r that begins at RCV.NXT; RCV.NXT goes on to the end of what is there without a gap. */
void rcv_take_and_absorb(struct conn *c, struct run r, const uint8_t *text);
void rcv_prune(struct conn *c,
	       uint32_t len); /* throws runs away until there is memory for len octets, or no run is left */

/* ---- rcv_ack.c ---- */
void rcv_ack_text(struct conn *c, const struct seg *s, uint32_t len); /* len new octets of s were taken in order */

/* ---- rcv_wnd.c ---- */
uint32_t rcv_announced(const struct conn *c); /* the window when it was last announced */
uint32_t rcv_text_of(const struct engine *e, int64_t buffer); /* Linux's measure of a buffer in octets of text */
uint32_t rcv_wnd_choose(const struct conn *c); /* the window we would like */
uint32_t rcv_free(const struct conn *c); /* octets the buffer may still take */
void rcv_wnd_grow(struct conn *c, uint32_t len); /* a segment of so many octets came */
bool rcv_mem_full(const struct conn *c, uint32_t octets); /* no room for so many more: tcp_mem */

/* ---- rcv_tune.c ---- */
void rcv_tune_text(struct conn *c, const struct seg *s, uint32_t len);
void rcv_tune_aside(struct conn *c); /* octets were put aside: they take room beside those that come in order */
void rcv_tune_read(struct conn *c);
