/* SPDX-License-Identifier: MIT */
/* octets.h - what transfers carry: octets that follow from a seed and a place, and a hash of what went by. */
#pragma once
#include "base/base.h"

void octets_fill(uint64_t seed, uint64_t at, uint8_t *buf, size_t len);

/* FNV-1a of 64 bits (draft-eastlake-fnv), in pieces: start with OCTETS_HASH. */
#define OCTETS_HASH UINT64_C(0xcbf29ce484222325)
uint64_t octets_hash(uint64_t hash, const uint8_t *buf, size_t len);
uint64_t octets_hash_of(uint64_t hash, uint64_t seed, uint64_t n); /* hash, then n octets from the beginning */
