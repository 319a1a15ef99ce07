/* SPDX-License-Identifier: MIT */
/* parts.h - private to interop: each part returns true, or false with r->reason; skip says why it could not be tried. */
#pragma once
#include "lab/interop/rig.h"

#define PART(id, name, title, life_s) bool part_##name(struct rig *r, bool *ret_skip);
#include "lab/interop/parts.def"
#undef PART
