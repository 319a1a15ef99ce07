/* SPDX-License-Identifier: MIT */
/*
 * suspects.h - sockets that wait for a program or for a peer that may never act (CLOSE_WAIT, FIN_WAIT_1, FIN_WAIT_2
 * with a process), kept one by one until their owners are known, then grouped. Private to obs/.
 */
#pragma once
#include "model/snapshot.h"
#include "obs/aggregate.h"
#include "obs/diag.h"

struct suspects;

/* a is borrowed while rows come in: it tells which local ends are listeners'. 0 or -ENOMEM. */
int suspects_new(const struct aggregate *a, struct suspects **ret);
void suspects_free(struct suspects *s); /* NULL allowed */

/* Both fit struct diag_sink; ctx is the struct suspects. Rows that are not suspect are ignored. */
void suspects_row(void *ctx, const struct diag_row *r);
void suspects_reset(void *ctx);

size_t suspects_count(const struct suspects *s);
uint64_t suspects_dropped(const struct suspects *s); /* beyond SUSPECTS_MAX, or no memory */

/* For the owner look-up: the inode of suspect i < suspects_count(); 0: an orphan. */
uint32_t suspects_inode(const struct suspects *s, size_t i);

/* Who has the socket with this inode (never 0)? false: not found. */
struct suspect_owner {
	bool (*find)(void *ctx, uint32_t inode, int32_t *ret_proc, int *ret_fd);
	void *ctx;
};

/*
 * Groups by kind, process, orphan and listener (lport set, pport 0) or, if nobody listens on the local end,
 * destination (lport 0, pport set); the biggest group first. The caller frees *ret. Reorders s. 0 or -ENOMEM.
 */
int suspects_group(struct suspects *s, const struct suspect_owner *owner, struct holder **ret, size_t *ret_n);
