/* SPDX-License-Identifier: MIT */
/* cmds.h - every subcommand. A new one is a file, a line here and a line in cmds.c. */
#pragma once
#include "cli/opt.h"

extern const struct cmd cmd_status, cmd_doctor, cmd_explain, cmd_knobs, cmd_capabilities, cmd_lab, cmd_bench, cmd_sim,
	cmd_interop, cmd_pcap, cmd_top, cmd_trace, cmd_run;
