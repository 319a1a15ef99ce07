/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "report/report.h"

/* netstat -n without -a leaves listening sockets out, and awk prints only what it met. */
void report_states(FILE *out, const struct observation *obs)
{
	const struct snapshot *s = observation_now(obs);

	for (unsigned st = 0; st < N_STATES; st++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < s->n_netns; i++)
			sum += s->netns[i].states.n[st];
		if (sum && st != ST_LISTEN)
			fprintf(out, "%s %" PRIu64 "\n", state_descs[st].netstat, sum);
	}
}
