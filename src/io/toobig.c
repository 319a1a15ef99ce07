/* SPDX-License-Identifier: MIT */
#include "io/toobig.h"

#include "wire/csum.h"

enum {
	IP4_HEADER = 20,
	IP6_HEADER = 40,
	ICMP_HEADER = 8,
	PROTO_ICMP = 1,
	PROTO_ICMP6 = 58,
	QUOTED4_MAX = 576 - IP4_HEADER - ICMP_HEADER, /* RFC 1812 4.3.2.3 */
	QUOTED6_MAX = TOOBIG_MAX - IP6_HEADER - ICMP_HEADER, /* RFC 4443 2.4 (c) */
	TTL = 64,
};

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put_csum(uint8_t *at, uint64_t sum)
{
	const uint16_t c = csum_fold(sum);

	memcpy(at, &c, sizeof(c));
}

static size_t write4(uint8_t *buf, const uint8_t *packet, size_t len, uint32_t mtu)
{
	const size_t quoted = len < QUOTED4_MAX ? len : QUOTED4_MAX;
	uint8_t *icmp = buf + IP4_HEADER;

	memset(buf, 0, IP4_HEADER + ICMP_HEADER);
	buf[0] = 0x45;
	put16(buf + 2, (uint32_t)(IP4_HEADER + ICMP_HEADER + quoted));
	buf[8] = TTL;
	buf[9] = PROTO_ICMP;
	memcpy(buf + 12, packet + 16, 4);
	memcpy(buf + 16, packet + 12, 4);
	put_csum(buf + 10, csum_add(0, buf, IP4_HEADER));
	icmp[0] = 3; /* destination unreachable */
	icmp[1] = 4; /* fragmentation needed and DF set */
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	put_csum(icmp + 2, csum_add(0, icmp, ICMP_HEADER + quoted));
	return IP4_HEADER + ICMP_HEADER + quoted;
}

static size_t write6(uint8_t *buf, const uint8_t *packet, size_t len, uint32_t mtu)
{
	const size_t quoted = len < QUOTED6_MAX ? len : QUOTED6_MAX;
	uint8_t *icmp = buf + IP6_HEADER;
	struct addr src, dst;

	memset(buf, 0, IP6_HEADER + ICMP_HEADER);
	buf[0] = 0x60;
	put16(buf + 4, (uint32_t)(ICMP_HEADER + quoted));
	buf[6] = PROTO_ICMP6;
	buf[7] = TTL;
	memcpy(buf + 8, packet + 24, 16);
	memcpy(buf + 24, packet + 8, 16);
	icmp[0] = 2; /* packet too big */
	put16(icmp + 4, mtu >> 16);
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	src = addr_from_v6(buf + 8);
	dst = addr_from_v6(buf + 24);
	put_csum(icmp + 2, csum_add(csum_pseudo(&src, &dst, PROTO_ICMP6, (uint32_t)(ICMP_HEADER + quoted)), icmp,
				    ICMP_HEADER + quoted));
	return IP6_HEADER + ICMP_HEADER + quoted;
}

size_t toobig_write(uint8_t buf[TOOBIG_MAX], const uint8_t *packet, size_t len, uint32_t mtu)
{
	if (len >= IP4_HEADER && packet[0] >> 4 == 4 && packet[6] & 0x40)
		return write4(buf, packet, len, mtu);
	if (len >= IP6_HEADER && packet[0] >> 4 == 6)
		return write6(buf, packet, len, mtu);
	return 0;
}
