/* SPDX-License-Identifier: MIT */
#include "engine/addrs.h"

#include <errno.h>

enum { EMPTY = UINT16_MAX, ADDRS_MAX = UINT16_MAX - 1 };

struct addrs {
	struct addr last; /* what was found last; at first ::, which is nobody's */
	int last_n;
	int first[2][2]; /* [is IPv6][is loopback], -1: none */
	uint32_t n, max, mask;
	struct addr *list;
	uint16_t *slots; /* open addressing, never more than half full */
};

static uint32_t slots_for(uint32_t max)
{
	uint32_t n = 2;

	while (n < 2 * max)
		n *= 2;
	return n;
}

size_t addrs_size(uint32_t max)
{
	must(max > 0 && max <= ADDRS_MAX);
	return sizeof(struct addrs) + max * sizeof(struct addr) + slots_for(max) * sizeof(uint16_t);
}

struct addrs *addrs_init(void *mem, uint32_t max)
{
	struct addrs *a = mem;
	size_t slots = slots_for(max);

	must(max > 0 && max <= ADDRS_MAX);
	*a = (struct addrs){.last_n = -1, .first = {{-1, -1}, {-1, -1}}, .max = max};
	a->mask = (uint32_t)slots - 1;
	a->list = (void *)(a + 1);
	a->slots = (void *)(a->list + max);
	memset(a->slots, 0xff, slots * sizeof(*a->slots));
	return a;
}

/* No key: the addresses in the table are our owner's, and who looks for others finds no more of them than there are side by side. */
static uint32_t home_of(const struct addrs *a, const struct addr *address)
{
	uint64_t x = address->d[0] + address->d[1];

	return (uint32_t)((x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93) >> 32) & a->mask;
}

/* The slot that holds this address, or the empty one where it would be. */
static uint32_t slot_of(const struct addrs *a, const struct addr *address)
{
	uint32_t i = home_of(a, address);

	while (a->slots[i] != EMPTY && !addr_eq(&a->list[a->slots[i]], address))
		i = (i + 1) & a->mask;
	return i;
}

int addrs_add(struct addrs *a, const struct addr *address)
{
	uint32_t slot = slot_of(a, address);
	int n = (int)a->n, *first;

	if (!addr_is_unicast(address))
		return -EINVAL;
	if (a->slots[slot] != EMPTY)
		return -EEXIST;
	if (a->n == a->max)
		return -ENOSPC;
	a->list[a->n++] = *address;
	a->slots[slot] = (uint16_t)n;
	first = &a->first[!addr_is_v4(address)][addr_is_loopback(address)];
	if (*first < 0)
		*first = n;
	return n;
}

static APART int search(struct addrs *a, const struct addr *address)
{
	uint16_t n = a->slots[slot_of(a, address)];

	if (n == EMPTY)
		return -1;
	a->last = *address;
	a->last_n = n;
	return n;
}

int addrs_find(struct addrs *a, const struct addr *address)
{
	return addr_eq(&a->last, address) ? a->last_n : search(a, address);
}

const struct addr *addrs_get(const struct addrs *a, laddr_t n)
{
	must(n < a->n);
	return &a->list[n];
}

int addrs_first(const struct addrs *a, bool v6, bool loopback)
{
	int n = a->first[v6][loopback];

	return n >= 0 ? n : a->first[v6][!loopback];
}
