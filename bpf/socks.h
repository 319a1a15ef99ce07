/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * socks.h - what is kept of each socket between its events, by cookie.
 *
 * Cookies are counted up, so the sockets of a moment have neighbouring ones: a small table with a place for each number modulo its
 * size holds most of them, and finding a place in it costs a tenth of what the kernel's hash table does. Who finds the place
 * taken goes to the hash table, and stays there until it ends. The events of one socket come one after another (it is locked).
 */
#pragma once

struct trace_counts counts = {};

__u64 near_cookie[NEAR_SOCKS] = {}; /* 0: the place is free */
struct track near_track[NEAR_SOCKS] __attribute__((aligned(64))) = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 19); /* set before loading */
	__type(key, __u64); /* cookie */
	__type(value, struct track);
} lastack_socks SEC(".maps");

/* NULL: nothing is kept of it. Cookie 0, which is one that nobody asked for yet: NULL. */
static __always_inline struct track *sock_get(__u64 cookie)
{
	__u32 i = cookie % NEAR_SOCKS;

	if (!cookie)
		return NULL;
	if (near_cookie[i] == cookie)
		return &near_track[i];
	return counts.far ? bpf_map_lookup_elem(&lastack_socks, &cookie) : NULL;
}

/* Only for a socket that has none. NULL: the table is full. */
static __always_inline struct track *sock_put(__u64 cookie, const struct track *t)
{
	__u32 i = cookie % NEAR_SOCKS;

	if (!near_cookie[i] && !__sync_val_compare_and_swap(&near_cookie[i], 0, cookie)) {
		near_track[i] = *t;
		return &near_track[i];
	}
	if (bpf_map_update_elem(&lastack_socks, &cookie, t, BPF_ANY)) {
		__sync_fetch_and_add(&counts.untracked, 1);
		return NULL;
	}
	__sync_fetch_and_add(&counts.far, 1);
	return bpf_map_lookup_elem(&lastack_socks, &cookie);
}

static __always_inline void sock_drop(__u64 cookie)
{
	__u32 i = cookie % NEAR_SOCKS;

	if (near_cookie[i] == cookie)
		near_cookie[i] = 0;
	else if (!bpf_map_delete_elem(&lastack_socks, &cookie))
		__sync_fetch_and_sub(&counts.far, 1);
}
