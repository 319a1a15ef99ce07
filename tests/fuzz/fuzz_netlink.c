/* SPDX-License-Identifier: MIT */
/*
 * fuzz_netlink.c - any bytes as the kernel's answer to a sock_diag dump, through decoder, aggregate and suspects to the
 * end. Alone: clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -I. tests/fuzz/fuzz_netlink.c
 * src/obs/{diag,aggregate,suspects,index}.c src/model/{ip,states}.c src/base/{hash,mem,must,why}.c -lmnl
 */
#include "obs/aggregate.h"
#include "obs/diag.h"
#include "obs/suspects.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sinks {
	struct aggregate *a;
	struct suspects *s;
};

static void row(void *ctx, const struct diag_row *r)
{
	struct sinks *to = ctx;

	aggregate_row(to->a, r);
	suspects_row(to->s, r);
}

static bool find(void *ctx, uint32_t inode, int32_t *ret_proc, int *ret_fd)
{
	*ret_proc = (int32_t)(inode % 7);
	*ret_fd = (int)(inode % 1024);
	return inode % 3 != 0;
}

/* Everything that came in must be somewhere. */
static void check(const struct netns *ns, const struct diag_stream *stream)
{
	uint64_t all = state_counts_sum(&ns->states), sum = state_counts_sum(&ns->dests_more);

	must(all + ns->bound <= stream->n_rows); /* bound sockets may share a port, or have one outside the range */
	for (size_t i = 0; i < ns->n_listeners; i++)
		sum += state_counts_sum(&ns->listeners[i].states);
	for (size_t i = 0; i < ns->n_dests; i++)
		sum += state_counts_sum(&ns->dests[i].states);
	must(sum == all);
}

static void group(struct suspects *s)
{
	const struct suspect_owner owner = {.find = find};
	struct holder *holders = NULL;
	uint64_t sum = 0;
	size_t n = 0;

	must(suspects_group(s, &owner, &holders, &n) == 0);
	for (size_t i = 0; i < n; i++)
		sum += holders[i].n;
	must(sum == suspects_count(s));
	free(holders);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct port_range reserved = {40000, 40100};
	const struct aggregate_cfg cfg = {.port_low = 32768,
					  .port_high = 60999,
					  .reserved = &reserved,
					  .n_reserved = 1,
					  .tw_reuse_delay_ms = 1000,
					  .key = {1, 2}};
	struct netns *ns = calloc(1, sizeof(*ns));
	void *copy = malloc(size); /* aligned, and exactly as long: reading past it is seen */
	struct diag_stream stream = {.row = row};
	struct sinks to;

	must(ns && (copy || !size));
	must(aggregate_new(&cfg, &to.a) == 0 && suspects_new(to.a, &to.s) == 0);
	if (size)
		memcpy(copy, data, size);
	stream.ctx = &to;
	(void)diag_decode(&stream, copy, size);
	group(to.s);
	must(aggregate_finish(to.a, ns) == 0);
	check(ns, &stream);
	free(ns->listeners);
	free(ns->dests);
	free(ns);
	suspects_free(to.s);
	aggregate_free(to.a);
	free(copy);
	return 0;
}
