/* SPDX-License-Identifier: MIT */
/* rcv.h - what the files of the receiving side ask of each other: rcv.c (text), rcv_sack.c (out of order). Private to them. */
#pragma once
#include "engine/engine.h"

/* ---- rcv.c: the ring ---- */
void rcv_store(struct conn *c, seq_t from, const uint8_t *text, uint32_t len);

/* ---- rcv_sack.c: runs of octets received out of order, and what the peer is told of them ---- */

/* r, which begins beyond RCV.NXT and is not empty, goes into the ring. False: it would be one run too many. */
bool rcv_put_aside(struct conn *c, struct run r, const uint8_t *text);
/* The same for r that begins at RCV.NXT; RCV.NXT goes on to the end of what is there without a gap. */
void rcv_take_and_absorb(struct conn *c, struct run r, const uint8_t *text);
