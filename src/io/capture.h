/* SPDX-License-Identifier: MIT */
/* capture.h - frames from a file: pcap and pcapng, with micro- or nanoseconds, whatever libpcap reads. */
#pragma once
#include "base/why.h"

struct capture; /* opaque */

/* Of frames: what their first octets are. CAPTURE_OTHER: a link layer that is not known here. */
enum capture_link { CAPTURE_ETHERNET, CAPTURE_SLL, CAPTURE_SLL2, CAPTURE_IP, CAPTURE_NULL };

struct captured {
	nsec_t at; /* since 1970 */
	const uint8_t *data; /* valid until the next call */
	uint32_t kept, len; /* octets captured, octets there were */
};

/* "-" is standard input. 0, or -errno with w filled in; *ret is the caller's to close. */
int capture_open(const char *file, struct capture **ret, struct why *w);
void capture_close(struct capture *c); /* NULL is fine */

enum capture_link capture_link(const struct capture *c);

/* 1: *f is a frame. 0: the end. -errno: the file is damaged or cut; w tells. */
int capture_next(struct capture *c, struct captured *f, struct why *w);
