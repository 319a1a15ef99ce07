/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wire.c - any bytes as a packet. What is TCP is written again and must be read as the same segment. The first
 * octet is no part of the packet: 1 reads it without TCP checksums, 2 makes that of the IPv4 header right, so that
 * the fuzzer need not guess them.
 * Alone: clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -I. tests/fuzz/fuzz_wire.c src/wire/ *.c
 * src/base/{must,text}.c -lm
 */
#include "tests/unit/wire/seg_same.h"
#include "wire/csum.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct seg *s, unsigned how)
{
	static uint8_t buf[WIRE_HEADERS_MAX + UINT16_MAX];
	struct seg want = *s;
	struct packet p;
	size_t len = packet_write(buf, sizeof(buf), s, how);

	if (!len) { /* options are padded otherwise here: a packet of full size may grow past it */
		must(packet_header_len(s) + s->len > UINT16_MAX);
		return;
	}
	must(len == packet_header_len(s) + s->len);
	must(packet_parse(&p, buf, len, how) == WIRE_TCP);
	if (!want.ttl)
		want.ttl = 64;
	must(p.seg.opts.n_sack <= want.opts.n_sack);
	want.opts.n_sack = p.seg.opts.n_sack; /* some may not fit any more */
	must(seg_difference(&want, &p.seg) == NULL);
	(void)seg_text(&want);
}

static void check(const struct packet *p, const uint8_t *data, size_t size, unsigned how)
{
	const struct seg *s = &p->seg;

	must(p->verdict < N_WIRE_VERDICTS);
	if (p->verdict != WIRE_TCP)
		return;
	must(!s->text == !s->len);
	must(!s->text || (s->text >= data && s->text + s->len <= data + size));
	must(addr_is_v4(&s->src) == (data[0] >> 4 == 4) && addr_is_v4(&s->dst) == (data[0] >> 4 == 4));
	write_and_read(s, how);
}

static void mend_ipv4(uint8_t *data, size_t size)
{
	size_t header = size ? (data[0] & 15U) * (size_t)4 : 0;
	uint16_t csum;

	if (header < IPV4_HEADER_LEN || header > size || data[0] >> 4 != 4)
		return;
	memset(data + 10, 0, sizeof(csum));
	csum = csum_fold(csum_add(0, data, header));
	memcpy(data + 10, &csum, sizeof(csum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p;
	uint8_t *copy;
	unsigned how;

	if (!size)
		return 0;
	how = data[0] & 1 ? PACKET_NO_TCP_CSUM : 0;
	copy = malloc(size); /* its last octets: reading past them is seen */
	must(copy);
	memcpy(copy, data, size);
	if (data[0] & 2)
		mend_ipv4(copy + 1, size - 1);
	memset(&p, 0xa5, sizeof(p));
	must(packet_parse(&p, copy + 1, size - 1, how) == p.verdict);
	check(&p, copy + 1, size - 1, how);
	free(copy);
	return 0;
}
