/* SPDX-License-Identifier: MIT */
/* nearest.h - "did you mean" for ids of findings. */
#pragma once

/* The id of a finding that was perhaps meant (case does not matter), or NULL. */
const char *nearest_rule(const char *id);
