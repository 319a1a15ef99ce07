/* SPDX-License-Identifier: MIT */
/* pcap_file.h - captures for Wireshark and tcpdump: pcap with nanoseconds, LINKTYPE_RAW (packets begin with IP). */
#pragma once
#include "base/base.h"
#include <stdio.h>

void pcap_begin(FILE *f);
void pcap_packet(FILE *f, nsec_t at, const uint8_t *packet, size_t len); /* at: since 1970 */
