/* SPDX-License-Identifier: MIT */
/* addrs.h - the engine's own addresses, numbered from 0. Never removed. */
#pragma once
#include "engine/tuple.h"

struct addrs;

size_t addrs_size(uint32_t max);
struct addrs *addrs_init(void *mem, uint32_t max);
int addrs_add(struct addrs *a, const struct addr *address); /* its number, -ENOSPC, -EEXIST, -EINVAL */
/* Its number or -1. O(1); the last one found is tried first. */
int addrs_find(struct addrs *a, const struct addr *address);
const struct addr *addrs_get(const struct addrs *a, laddr_t n);
/*
 * The source address for a peer of this family: the first loopback one for a loopback peer, the first other one for
 * others, if there is such a one; otherwise the first of the family. -1.
 */
int addrs_first(const struct addrs *a, bool v6, bool loopback);
