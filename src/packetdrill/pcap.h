/* SPDX-License-Identifier: MIT */
/* pcap.h - packets into a file that tcpdump and tshark read. */
#pragma once
#include "base/base.h"

#include <stdio.h>

FILE *pcap_open(const char *path); /* NULL and errno */
void pcap_packet(FILE *f, nsec_t at, const uint8_t *packet, size_t len); /* f NULL: nothing */
