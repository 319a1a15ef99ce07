/* SPDX-License-Identifier: MIT */
/* goodput.h - lastack bench goodput: over random loss beside the model and this kernel, and how fairly flows share a bottleneck. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* kernel_seconds: how long the kernel's own transfer runs; 0: not at all. Returns an exit code. */
int goodput_run(FILE *out, bool as_json, uint32_t kernel_seconds);
