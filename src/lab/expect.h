/* SPDX-License-Identifier: MIT */
/* expect.h - private to lab/: what several experiments ask of the doctor and of the kernel besides experiment.h. */
#pragma once
#include "lab/experiment.h"

/* As lab_expect, but the finding that blames a process named comm. */
const struct finding *lab_expect_of(struct lab *l, const struct sight *s, const char *id, const char *comm,
				    enum severity at_least);

/* As lab_await_state, until there are at most n. Neither has an event to await. */
void lab_await_at_most(struct lab *l, int ns, enum sock_state state, uint32_t n, unsigned timeout_s);

/* A number of /proc/net/sockstat's TCP line as ns shows it ("tw": minis of both sub-states); fails if it is not there. */
uint64_t lab_sockstat(struct lab *l, int ns, const char *name);

/* Looks at that number, which costs microseconds, until it is at most n. */
void lab_await_sockstat(struct lab *l, int ns, const char *name, uint64_t n, unsigned timeout_s);

/*
 * The doctor as it is started in the host's namespace: of the namespace that process pid is in. Only there are the
 * machine's own limits (tcp_max_orphans) and its files (sysctl.conf) part of the picture.
 */
const struct sight *lab_look_from_host(struct lab *l, pid_t pid, uint32_t interval_ms);
