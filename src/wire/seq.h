/* SPDX-License-Identifier: MIT */
/* seq.h - TCP sequence numbers as a type of their own, so that `a < b` does not compile (RFC 9293 3.4). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint32_t v;
} seq_t;

static inline seq_t seq(uint32_t v) { return (seq_t){v}; }
static inline seq_t seq_add(seq_t a, uint32_t n) { return seq(a.v + n); }
static inline seq_t seq_sub(seq_t a, uint32_t n) { return seq(a.v - n); }
static inline int32_t seq_diff(seq_t a, seq_t b) { return (int32_t)(a.v - b.v); } /* a - b */
static inline bool seq_eq(seq_t a, seq_t b) { return a.v == b.v; }
static inline bool seq_lt(seq_t a, seq_t b) { return seq_diff(a, b) < 0; }
static inline bool seq_le(seq_t a, seq_t b) { return seq_diff(a, b) <= 0; }
static inline seq_t seq_max(seq_t a, seq_t b) { return seq_lt(a, b) ? b : a; }
static inline seq_t seq_min(seq_t a, seq_t b) { return seq_lt(a, b) ? a : b; }
