/* SPDX-License-Identifier: MIT */
/* sim_plot.h - lastack sim --plot: long transfers over a bottleneck in virtual time, as a page of charts and as figures. */
#pragma once
#include <stdio.h>

#include "sim/transfer.h"

/* Every scenario from this seed; knobs on both hosts. The page goes to svg, the figures to out. Returns an exit code. */
int sim_plot(FILE *svg, FILE *out, bool json, const struct transfer_cfg *wishes);
