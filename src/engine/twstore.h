/* SPDX-License-Identifier: MIT */
/*
 * twstore.h - the TIME_WAIT store: very many small records, found by four-tuple, expiring in order.
 *
 * Two instances in an engine, IPv4 and IPv6. All memory is the caller's, given once; nothing is ever rehashed or moved
 * as a whole. Records live in buckets of 32; a record may live in one of two buckets (cuckoo hashing with one-byte
 * tags kept apart, so that a miss - every new SYN - reads two times four words and hardly ever a record). A bounded number of records changes
 * its bucket to make room; capacity is 15/16 of the slots, so that always works but for a handful kept in a small stash.
 *
 * Expiry is a queue: records of one length are linked in order of insertion, which is the order of expiry. There are
 * queues for the 16 lengths that came first, and 16 more for whole classes of lengths. Insert, find, restart, remove,
 * expire: O(1). No pointers inside: 32-bit numbers, so a copy of the memory is a copy of the store.
 *
 * IPv4: 36 octets a slot and a tag: at most 40 a record when full. IPv6: 48 and a tag: at most 64.
 *
 * Time is kept in ms. A record is never due early, and at most 1 ms late. `now` must not go backwards; a leap forward of
 * any size, over records that are there, makes all of them due. (Only if nobody removes what is due for 24 days, while
 * time goes on and records come: then records not yet due may become due late, never early.)
 */
#pragma once
#include "engine/tuple.h"
#include "wire/seq.h"

enum tw_kind { TW_FIN_WAIT_2, TW_TIME_WAIT };

/* What a record holds, unpacked. rcv_wnd comes back rounded down to what the store keeps (a power of two, at least 256; or 0). */
struct tw_rec {
	struct tuple t;
	seq_t snd_nxt; /* one past our FIN */
	seq_t rcv_nxt; /* one past the peer's FIN in TIME_WAIT */
	uint32_t ts_recent;
	uint32_t rcv_wnd; /* octets, for the window check of FIN_WAIT_2; below 2^31 */
	union {
		struct {
			enum tw_kind kind : 1;
			bool has_ts : 1;
			bool reuseaddr : 1,
				reuseport : 1; /* the socket's flags when it closed: they decide later bind()s */
			bool chosen : 1; /* its local port was chosen by connect(): ports.h has it; otherwise binds.h has it */
			bool any : 1; /* not chosen: its bind bucket is that of any address, otherwise that of its own */
			bool loopback : 1; /* either end is a loopback address (tcp_tw_reuse = 2) */
			bool mature : 1; /* its port was given back for reuse (tcp_tw_reuse) */
		};
		uint8_t flags; /* all of them: what the store keeps */
	};
	nsec_t deadline_at; /* set by the store; milliseconds */
};

typedef uint32_t tw_id; /* a record until it is removed or anything is inserted: the next insert may move it */
#define TW_NONE UINT32_MAX

enum { TW_CAPACITY_MAX = 1 << 26, TW_LEN_MAX_MS = 3600000 };

struct twstore; /* in the caller's memory, aligned as for uint64_t; better to 64 octets */

size_t twstore_size(bool v6, uint32_t capacity); /* octets for this many records, at least 1 */
struct twstore *twstore_init(void *mem, bool v6, uint32_t capacity, struct hash_key key, nsec_t now);

uint32_t twstore_count(const struct twstore *s);
uint32_t twstore_capacity(const struct twstore *s);

/* So few that they stay in the cache of themselves: nothing need be asked for. */
bool twstore_is_small(const struct twstore *s);
/* Brings what find() and insert() will read nearer; useful as soon as the hash is known. Nothing if the store is small. */
void twstore_prefetch(const struct twstore *s, uint64_t hash);
/* Where insert() would put it now, and brings that nearer; reads what the other brings. TW_NONE: nowhere yet, or the store is small. */
tw_id twstore_place(const struct twstore *s, uint64_t hash);
/*
 * TW_NONE: no record. A record past its deadline that nobody has removed yet is found like any other: its port and
 * bucket are still to be given back. The caller asks twstore_is_due() and removes it before it goes on.
 */
tw_id twstore_find(const struct twstore *s, const struct tuple *t, uint64_t hash);
void twstore_get(const struct twstore *s, tw_id id, struct tw_rec *ret);
bool twstore_is_due(struct twstore *s, tw_id id, nsec_t now);
uint32_t twstore_age_ms(struct twstore *s, tw_id id, nsec_t now); /* since insert or restart, rounded down */

/*
 * Adds a record that lives len_ms: at most TW_LEN_MAX_MS; where 16 other lengths are in use, rounded up (to at most twice
 * as long, or 128 ms), never down. 0: due at once. The tuple must not be in the store. TW_NONE when full.
 * place: what twstore_place() has said of this hash at some time, or TW_NONE: only makes it faster.
 */
tw_id twstore_insert(struct twstore *s, const struct tw_rec *rec, uint64_t hash, tw_id place, nsec_t now,
		     uint32_t len_ms);

/* Starts the record's life again, with a new length; the record keeps its place, id stays valid. */
void twstore_restart(struct twstore *s, tw_id id, nsec_t now, uint32_t len_ms);
/* Changes what segments change: snd_nxt, rcv_nxt, ts_recent, kind, mature. */
void twstore_update(struct twstore *s, tw_id id, const struct tw_rec *rec);
void twstore_remove(struct twstore *s, tw_id id);

/* The record that expires next, if it is due; TW_NONE. The caller removes it. O(1), and next to nothing when none is due. */
tw_id twstore_due(struct twstore *s, nsec_t now);
/* The record after this one of twstore_due(), in its queue; TW_NONE. It is near: due() asked for it. */
tw_id twstore_after(const struct twstore *s, tw_id id);
/* The record closest to its end, due or not: what recycle-oldest removes. TW_NONE when empty. */
tw_id twstore_oldest(const struct twstore *s);
nsec_t twstore_next_at(
	const struct twstore *s); /* when due() will have something; NSEC_NEVER. Never early, at most 1 ms late */

/*
 * The second hand: TIME_WAIT records whose age has reached delay_ms and that were not yet mature, oldest first in each
 * queue, each given once; marks it mature. TW_NONE: none now. Age counts from insert or restart into TW_TIME_WAIT. Only
 * records with has_ts && chosen count (and, with only_loopback, loopback). O(1): a hand goes along each queue, and passes
 * over at most 64 records that do not count in a call (then TW_NONE, too: the next call goes on).
 * delay_ms and only_loopback may change from call to call; a record passed over stays as it is until it is restarted.
 */
tw_id twstore_mature(struct twstore *s, nsec_t now, uint32_t delay_ms, bool only_loopback);

/*
 * Records queue by queue, oldest first: *cursor is 0 at first. TW_NONE at the end. Nothing may be inserted, removed or
 * restarted on the way, but for the record that was given last, which may be updated.
 */
tw_id twstore_next(const struct twstore *s, uint64_t *cursor);
