/* SPDX-License-Identifier: MIT */
/* test_aggregate_memory.c - memory that runs out once and is there again; the linker puts __wrap_ in the way. */
#include "base/mem.h"
#include "obs/aggregate.h"
#include "tests/unit/obs/rows.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdlib.h>

int __real_vec_reserve(void **v, size_t *cap, size_t need, size_t size);
int __wrap_vec_reserve(void **v, size_t *cap, size_t need, size_t size);

static unsigned calls, failing; /* the failing-th call fails; 0: none */

int __wrap_vec_reserve(void **v, size_t *cap, size_t need, size_t size)
{
	return ++calls == failing ? -ENOMEM : __real_vec_reserve(v, cap, need, size);
}

/* Two listeners and two destinations while the nth request for memory fails; what finish() says. */
static int finished(unsigned nth)
{
	const struct aggregate_cfg cfg = {.port_low = 32768, .port_high = 60999, .key = {1, 2}};
	struct netns ns = {0};
	struct aggregate *a;
	int err;

	assert_int_equal(aggregate_new(&cfg, &a), 0);
	calls = 0;
	failing = nth;
	for (uint16_t port = 80; port < 82; port++)
		aggregate_row(a, ROW(.state = ST_LISTEN, .src = ANY4, .sport = port));
	for (uint16_t port = 80; port < 82; port++)
		aggregate_row(a, ROW(.state = ST_ESTABLISHED, .src = IP4(10, 0, 0, 1), .dst = IP4(10, 0, 0, 2),
				     .sport = 40000, .dport = port));
	err = aggregate_finish(a, &ns);
	free(ns.listeners);
	free(ns.dests);
	aggregate_free(a);
	return err;
}

TEST(memory_short_in_one_row__is_told_although_later_rows_find_some)
{
	unsigned n;

	assert_int_equal(finished(0), 0);
	n = calls;
	assert_true(n >= 4);
	for (unsigned i = 1; i <= n; i++)
		assert_int_equal(finished(i), -ENOMEM);
}

RUN(T(memory_short_in_one_row__is_told_although_later_rows_find_some))
