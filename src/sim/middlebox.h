/* SPDX-License-Identifier: MIT */
/* middlebox.h - what boxes on the way change in a packet that stays well-formed. */
#pragma once
#include "base/base.h"

enum { IP_NOT_ECT = 0, IP_ECT_1 = 1, IP_ECT_0 = 2, IP_CE = 3 }; /* RFC 3168 5 */

unsigned middlebox_ecn(const uint8_t *packet); /* of a whole IP packet, as in all of these */
void middlebox_set_ecn(uint8_t *packet, unsigned ecn);
/* SACK-permitted and SACK options become no-operations. False: there were none. packet is a TCP packet as packet_write() makes them. */
bool middlebox_strip_sack(uint8_t *packet, size_t len);
