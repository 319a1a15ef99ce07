/* SPDX-License-Identifier: MIT */
/* base.h - the vocabulary every other folder may use. Depends on nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* must() states an invariant. It stays on in release builds: a wrong diagnosis is worse than a dead tool. */
#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
#define must_not_reach(why) must_fail(why, __FILE__, __LINE__)
_Noreturn __attribute__((cold)) void must_fail(const char *cond, const char *file, int line);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/*
 * Not to be inlined, so that what runs for every packet fits the instruction cache: APART what is another way through, COLD what
 * hardly ever runs (gcc moves the block that calls it out of the function, too, and makes it small, not fast).
 */
#define APART __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/*
 * Asks for the cache line at p, which need not be there. A function that does nothing else is pure to gcc 12, which drops
 * calls of it: the empty asm keeps them.
 */
static inline void prefetch(const void *p)
{
	__builtin_prefetch(p);
	__asm__ volatile("");
}

/* Time never wraps and never goes backwards: nanoseconds since an arbitrary start. Instants end in _at. */
typedef uint64_t nsec_t;
#define NSEC_NEVER UINT64_MAX
#define NSEC_PER_MS UINT64_C(1000000)
#define NSEC_PER_S UINT64_C(1000000000)
