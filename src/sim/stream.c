/* SPDX-License-Identifier: MIT */
#include "sim/stream.h"

/* Eight octets at a time; the mixing is that of MurmurHash3's finaliser (Appleby, public domain). */
static uint64_t word(uint32_t sender, uint32_t n)
{
	uint64_t x = ((uint64_t)sender << 32 | n) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return x ^ x >> 33;
}

void stream_fill(uint32_t sender, uint32_t offset, uint8_t *buf, size_t len)
{
	while (len > 0) {
		uint64_t w = word(sender, offset / 8);
		size_t skip = offset % 8, n = len < 8 - skip ? len : 8 - skip;

		memcpy(buf, (const uint8_t *)&w + skip, n);
		buf += n;
		offset += (uint32_t)n;
		len -= n;
	}
}

size_t stream_match(uint32_t sender, uint32_t offset, const uint8_t *buf, size_t len)
{
	uint8_t want[8];

	for (size_t done = 0; done < len;) {
		size_t n = 8 - offset % 8;

		if (n > len - done)
			n = len - done;
		stream_fill(sender, offset, want, n);
		if (memcmp(want, buf + done, n) != 0) {
			for (size_t i = 0; i < n; i++)
				if (want[i] != buf[done + i])
					return done + i;
		}
		done += n;
		offset += (uint32_t)n;
	}
	return len;
}
