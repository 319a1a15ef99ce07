/* SPDX-License-Identifier: MIT */
/*
 * fuzz_flow.c - any octets as a capture: the first chooses link type and limits; then frames, each after two octets of
 * length (their highest bits: cut by a snap length, a second copy, time jumps) and one of time that passes.
 */
#include "flow/flow.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *arg, const struct conn *c)
{
	uint64_t *n = arg;

	(*n)++;
	must(c->start && c->start <= c->end);
	must(c->first == SIDE_NONE || c->fin[0] || c->fin[1] || c->rst[0] || c->rst[1]);
	must(c->first != SIDE_NONE || c->seen & SEEN_HOLES || !(c->fin[0] || c->fin[1] || c->rst[0] || c->rst[1]));
	must((c->rst_kind == RST_NONE) == !(c->rst[0] || c->rst[1]));
	must((c->how == END_OPEN) == !(c->seen & SEEN_END));
	must(c->how != END_FIN || (c->fin[0] && c->fin[1]));
	must(c->tls_exchanges <= c->exchanges);
	must(!(c->seen & SEEN_HEADERS) || c->requests + c->responses > 0);
	must(memchr(c->server, 0, sizeof(c->server)) && memchr(c->agent, 0, sizeof(c->agent)));
}

static void play(struct flows *fs, enum link_type type, const uint8_t *data, size_t size)
{
	nsec_t at = NSEC_PER_S;

	while (size >= 3) {
		unsigned head = (unsigned)data[0] << 8 | data[1], len = head & 0x1fff;
		struct raw_frame raw;
		uint8_t *copy;

		at += (nsec_t)data[2] << (head & 0x2000 ? 32 : 16);
		data += 3;
		size -= 3;
		if (len > size)
			len = (unsigned)size;
		copy = malloc(len ? len : 1); /* its last octets: reading past them is seen */
		must(copy);
		memcpy(copy, data, len);
		raw = (struct raw_frame){at, copy, head & 0x4000 ? len / 2 : len, len};
		for (int i = 0; i < (head & 0x8000 ? 2 : 1); i++)
			must(flows_frame(fs, type, &raw) == 0);
		free(copy);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct flows_counts *n;
	uint64_t handed = 0;
	struct flows_cfg cfg = {.done = check, .arg = &handed};
	struct flows *fs;

	if (!size)
		return 0;
	cfg.live_max = data[0] & 0x80 ? 2 : 0;
	cfg.no_headers = data[0] & 0x40;
	fs = flows_new(&cfg);
	must(fs);
	play(fs, (data[0] & 15) % N_LINK_TYPES, data + 1, size - 1);
	n = flows_counts(fs);
	must(!cfg.live_max || n->live_most <= cfg.live_max);
	if (!(data[0] & 0x20))
		flows_end(fs);
	must(n->conns == handed);
	flows_free(fs);
	return 0;
}
