/* SPDX-License-Identifier: MIT */
/*
 * impair.h - a stretch of bad network, one way: packets go in, and come out later, twice, in another order or never.
 * Pure: time is an argument, chance comes from a seed, so the same packets at the same times fare the same.
 */
#pragma once
#include "base/base.h"

enum {
	IMPAIR_PACKET_MAX = 1600, /* longer ones are lost */
	IMPAIR_MTU_MIN = 576, /* IPv6 needs 1280 */
	IMPAIR_PACKETS = 4096, /* under way at one time; what goes beyond is lost */
};

struct impair_cfg {
	double loss, duplicate, reorder; /* probabilities */
	nsec_t delay; /* of every packet */
	nsec_t reorder_by; /* a reordered one is held back by up to this much more; 0: 3 ms */
	uint64_t rate_bps; /* 0: no limit */
	uint32_t mtu; /* of the path; 0: any. Who sends more is told so: impair_fits() */
	uint32_t
		queue_bytes; /* in front of the limit; what does not fit is lost. 0: what the limit carries in `delay` */
};

struct impair_stats {
	uint64_t in, out, lost, duplicated, reordered;
	uint64_t too_big;
	uint64_t overflowed; /* found the queue, or all places, full */
};

struct impair;

struct impair *impair_new(const struct impair_cfg *cfg, uint64_t seed); /* NULL: no memory */
void impair_free(struct impair *im); /* NULL allowed */

/* false: the packet is too long for the path, and neither it nor a fragment of it comes through. Then toobig.h. */
bool impair_fits(struct impair *im, size_t len);
void impair_put(struct impair *im, nsec_t now, const void *packet, size_t len);
/* The next packet that is due, valid until the next call; 0: none is. */
size_t impair_get(struct impair *im, nsec_t now, const void **ret_packet);
nsec_t impair_next_at(const struct impair *im); /* when one is; NSEC_NEVER: none is under way, or it is held */

void impair_set(struct impair *im, const struct impair_cfg *cfg); /* for what comes from now on */
void impair_hold(struct impair *im, bool hold); /* while held nothing comes out, in order to cross on the way */
void impair_lose_next(struct impair *im, unsigned n); /* whatever chance says */
const struct impair_stats *impair_stats(const struct impair *im);

/*
 * "loss=2,dup=1,reorder=3,delay=10,rate=100,mtu=1280": percent, milliseconds, Mbit/s, octets; "none". What is not named is 0.
 * false: not that, and ret is untouched.
 */
bool impair_parse(const char *text, struct impair_cfg *ret);
