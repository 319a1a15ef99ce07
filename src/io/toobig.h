/* SPDX-License-Identifier: MIT */
/* toobig.h - what a router says when a packet does not fit the next link and may not be cut. Pure. */
#pragma once
#include "base/base.h"

enum { TOOBIG_MAX = 1280 };

/*
 * Writes the answer to a packet that is longer than mtu: ICMP "fragmentation needed" (RFC 792, 1191) or ICMPv6 "packet too
 * big" (RFC 4443 3.2), as if from the packet's destination. Its length; 0: the packet is no IP, or its sender allows it to
 * be cut (IPv4 without DF).
 */
size_t toobig_write(uint8_t buf[TOOBIG_MAX], const uint8_t *packet, size_t len, uint32_t mtu);
