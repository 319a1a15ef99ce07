/* SPDX-License-Identifier: MIT */
/*
 * binds.h - who holds a local port, and whether bind() and listen() may share it: Linux's rules, all 96 cells of the
 * matrix measured on 6.18 (SO_REUSEADDR and SO_REUSEPORT of the old and of the new socket, the old one's state).
 *
 * A bucket is an (own address or any, port) that bind() took. It lives as long as a socket, an accepted connection or a
 * record of the TIME_WAIT store descends from it, and counts them by class and flags. Ports chosen by connect() are in
 * ports.h; here they are only counted by port and flags, so that a bind() meets them too: as it meets a BIND_CHILD of
 * its own owner.
 *
 * Of the owners of SO_REUSEPORT sockets a bucket remembers one; from when there were two, nobody shares with it by
 * SO_REUSEPORT until all of them are gone.
 */
#pragma once
#include "engine/ports.h"

enum { BIND_REUSEADDR = 1, BIND_REUSEPORT = 2, BIND_FLAGS = 4 };
enum bind_class {
	BIND_LISTEN, /* listening */
	BIND_BOUND, /* bound by bind(), whatever else it does; such a port is never chosen by connect() */
	BIND_CHILD, /* accepted, or about to be */
	BIND_RECORD, /* in the TIME_WAIT store */
	N_BIND_CLASSES
};

typedef uint32_t bind_id;
#define BIND_NONE UINT32_MAX

struct bind_req {
	laddr_t laddr; /* LADDR_ANY */
	uint16_t port;
	uint8_t flags; /* BIND_REUSEADDR, BIND_REUSEPORT */
	bool v6; /* the families do not share ports here: IPv6 sockets are IPv6 only (ADR) */
	uint32_t owner; /* euid: SO_REUSEPORT shares only with the same one; a record's is not looked at */
};

struct binds;

size_t binds_size(uint32_t max_buckets); /* about 200 octets a bucket, and 1.6 MiB */
struct binds *binds_init(void *mem, uint32_t max_buckets, struct hash_key key);

/*
 * May a socket have this port? -EADDRINUSE. Where chosen ports stand in the way of a specific address, their flags are
 * looked at for the port as a whole, not for each address. For listen() on a socket that holds `self` already (class
 * BIND_BOUND): is there another listener it may not stand beside (SO_REUSEADDR never lets two listen)? BIND_NONE: it
 * holds none yet.
 */
int binds_check(const struct binds *b, const struct ports *p, const struct bind_req *req);
int binds_check_listen(const struct binds *b, const struct bind_req *req, bind_id self);

/*
 * bind(port 0): sets req->port to a port of the range that nobody of the family uses, whatever address and flags (Linux
 * would share between different own addresses), at an odd distance from the low end if there is one (Linux), from a
 * random start. -EADDRINUSE. Takes nothing: binds_add() does.
 */
int binds_choose(const struct binds *b, struct ports *p, struct bind_req *req, const struct port_range *range,
		 struct rng *rng);

/* Takes a place in the bucket of (laddr, port), made if need be. BIND_NONE: max_buckets. */
bind_id binds_add(struct binds *b, const struct bind_req *req, enum bind_class cls);
/* Another one in the same bucket: a child. */
void binds_add_to(struct binds *b, bind_id id, enum bind_class cls, uint8_t flags);
void binds_move(struct binds *b, bind_id id, enum bind_class from, enum bind_class to, uint8_t flags);
void binds_sub(struct binds *b, bind_id id, enum bind_class cls, uint8_t flags); /* the last one frees the bucket */
bind_id binds_find(const struct binds *b, laddr_t laddr, uint16_t port, bool v6); /* exactly this address; BIND_NONE */

/* Ports chosen by connect(): counted from ports_choose() until the connection, or its record, is gone. */
void binds_chosen(struct binds *b, uint16_t port, bool v6, uint8_t flags, int delta);
bool binds_is_chosen(const struct binds *b, uint16_t port, bool v6);
void binds_prefetch_chosen(const struct binds *b, uint16_t port, bool v6, uint8_t flags); /* what that will change */

/* Ports with BIND_LISTEN or BIND_BOUND in any bucket. */
const struct port_bits *binds_bound(const struct binds *b, bool v6);
uint32_t binds_count(const struct binds *b);
