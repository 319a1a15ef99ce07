/* SPDX-License-Identifier: MIT */
/* pcap.c - draft-ietf-opsawg-pcap, in the byte order of the host, which the magic number tells. */
#include "packetdrill/pcap.h"

#define PCAP_NANOSECONDS UINT32_C(0xa1b23c4d)
enum { SNAP_LEN = 65535, LINKTYPE_RAW = 101 };

FILE *pcap_open(const char *path)
{
	const uint32_t head[6] = {PCAP_NANOSECONDS, 0, 0, 0, SNAP_LEN, LINKTYPE_RAW};
	const uint16_t version[2] = {2, 4};
	uint8_t octets[sizeof(head)];
	FILE *f = fopen(path, "we");

	memcpy(octets, head, sizeof(head));
	memcpy(octets + 4, version, sizeof(version));
	if (f)
		fwrite(octets, sizeof(octets), 1, f);
	return f;
}

void pcap_packet(FILE *f, nsec_t at, const uint8_t *packet, size_t len)
{
	const uint32_t head[4] = {(uint32_t)(at / NSEC_PER_S), (uint32_t)(at % NSEC_PER_S), (uint32_t)len,
				  (uint32_t)len};

	if (!f)
		return;
	fwrite(head, sizeof(head), 1, f);
	fwrite(packet, len, 1, f);
}
