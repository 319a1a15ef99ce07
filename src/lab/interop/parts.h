/* SPDX-License-Identifier: MIT */
/* parts.h - private to interop: each part returns true, or false with r->reason; skip says why it could not be tried. */
#pragma once
#include "lab/interop/rig.h"

bool part_curl(struct rig *r, bool *ret_skip);
bool part_nginx(struct rig *r, bool *ret_skip);
bool part_half(struct rig *r, bool *ret_skip);
bool part_transfers(struct rig *r, bool *ret_skip);
bool part_closings(struct rig *r, bool *ret_skip);
