/* SPDX-License-Identifier: MIT */
/*
 * stream.h - the octets that connections carry: each is a function of its sender (the number of an incarnation) and of
 * its place in the stream, so a reader knows where any run of them came from.
 */
#pragma once
#include "base/base.h"

void stream_fill(uint32_t sender, uint32_t offset, uint8_t *buf, size_t len);
/* How many octets of buf are those of sender from offset on; len: all. */
size_t stream_match(uint32_t sender, uint32_t offset, const uint8_t *buf, size_t len);
