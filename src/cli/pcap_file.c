/* SPDX-License-Identifier: MIT */
#include "cli/pcap_file.h"

/* draft-ietf-opsawg-pcap 4 and 5; in the byte order of the host, which the magic number tells. */
#define PCAP_NANOSECONDS UINT32_C(0xa1b23c4d)
enum { SNAP_LEN = 65535, LINKTYPE_RAW = 101 };

static void put(FILE *f, const void *field, size_t len) { fwrite(field, len, 1, f); }

void pcap_begin(FILE *f)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t reserved[2], snap_len, link_type;
	} head = {PCAP_NANOSECONDS, 2, 4, {0, 0}, SNAP_LEN, LINKTYPE_RAW};

	_Static_assert(sizeof(head) == 24, "no padding");
	put(f, &head, sizeof(head));
}

void pcap_packet(FILE *f, nsec_t at, const uint8_t *packet, size_t len)
{
	const uint32_t kept = len < SNAP_LEN ? (uint32_t)len : SNAP_LEN;
	const uint32_t head[4] = {(uint32_t)(at / NSEC_PER_S), (uint32_t)(at % NSEC_PER_S), kept, (uint32_t)len};

	put(f, head, sizeof(head));
	put(f, packet, kept);
}
