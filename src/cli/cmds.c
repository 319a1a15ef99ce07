/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"

const struct cmd *const cmds[] = {
	&cmd_status, &cmd_top,          &cmd_doctor, &cmd_trace, &cmd_run, &cmd_pcap,    &cmd_explain,
	&cmd_knobs,  &cmd_capabilities, &cmd_lab,    &cmd_bench, &cmd_sim, &cmd_interop,
};
const size_t n_cmds = ARRAY_LEN(cmds);

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; i < n_cmds; i++)
		if (strcmp(cmds[i]->name, name) == 0)
			return cmds[i];
	return NULL;
}

const char *cmd_nearest(const char *name)
{
	const char *best = NULL;
	unsigned least = 4;

	for (size_t i = 0; i < n_cmds; i++) {
		unsigned d = edit_distance(cmds[i]->name, name);

		/* Half of the letters must be right, or "x" would be taken for "lab". */
		if (d < least && (size_t)d * 2 <= strlen(cmds[i]->name)) {
			least = d;
			best = cmds[i]->name;
		}
	}
	return best;
}
