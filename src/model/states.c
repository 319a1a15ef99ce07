/* SPDX-License-Identifier: MIT */
#include "model/states.h"

const struct state_desc state_descs[N_STATES] = {
#define STATE(id, number, json_, netstat_) [ST_##id] = {.json = json_, .netstat = netstat_, .kernel = number},
#include "model/states.def"
#undef STATE
};

uint64_t state_counts_sum(const struct state_counts *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < N_STATES; i++)
		sum += c->n[i];
	return sum;
}

void state_counts_add(struct state_counts *to, const struct state_counts *what)
{
	for (int i = 0; i < N_STATES; i++)
		to->n[i] += what->n[i];
}

int state_from_kernel(unsigned number)
{
	enum { TCP_NEW_SYN_RECV = 12 };

	if (number == TCP_NEW_SYN_RECV)
		return ST_SYN_RECV;
	for (int i = 0; i < N_STATES; i++)
		if (state_descs[i].kernel == number)
			return i;
	return -1;
}
