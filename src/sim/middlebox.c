/* SPDX-License-Identifier: MIT */
#include "sim/middlebox.h"

#include "wire/octets.h"
#include "wire/option.h"
#include "wire/packet.h"

static bool is_v4(const uint8_t *packet) { return packet[0] >> 4 == 4; }

static void put_be16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* A word under the checksum at csum changes (RFC 1624 eqn. 3). */
static void change_word(uint8_t *csum, uint8_t *at, uint16_t to)
{
	uint32_t sum = (uint16_t)~get16(csum) + (uint32_t)(uint16_t)~get16(at) + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(csum, (uint16_t)~sum);
	put_be16(at, to);
}

unsigned middlebox_ecn(const uint8_t *packet) { return is_v4(packet) ? packet[1] & 3U : packet[1] >> 4 & 3U; }

void middlebox_set_ecn(uint8_t *packet, unsigned ecn)
{
	if (is_v4(packet))
		change_word(packet + 10, packet, (uint16_t)((get16(packet) & ~3U) | ecn));
	else
		packet[1] = (uint8_t)((packet[1] & ~0x30U) | ecn << 4);
}

/* One octet of the TCP header. */
static void change_octet(uint8_t *tcp, size_t at, uint8_t to)
{
	uint8_t *word = tcp + (at & ~(size_t)1);
	uint16_t old = get16(word);

	change_word(tcp + 16, word, (uint16_t)(at & 1 ? (old & 0xff00U) | to : (old & 0xffU) | (unsigned)to << 8));
}

bool middlebox_strip_sack(uint8_t *packet, size_t len)
{
	uint8_t *tcp = packet + (is_v4(packet) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN);
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	bool any = false;

	must(tcp + header <= packet + len);
	for (size_t at = TCP_HEADER_LEN; at < header && tcp[at] != OPT_END;) {
		size_t size = tcp[at] == OPT_NOP ? 1 : tcp[at + 1];
		bool sack = tcp[at] == OPT_SACK || tcp[at] == OPT_SACK_PERMITTED;

		for (size_t i = at; sack && i < at + size; i++)
			change_octet(tcp, i, OPT_NOP);
		any |= sack;
		at += size;
	}
	return any;
}
