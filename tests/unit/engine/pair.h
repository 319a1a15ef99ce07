/* SPDX-License-Identifier: MIT */
/*
 * pair.h - two engines, a wire between them that loses nothing unless told to, and a clock that stands still unless told
 * to go. Everything goes through lastack.h. a is 10.0.0.1 and 2001:db8::1, b ends in 2; both have a second address, 3
 * and 4, and their loopback ones.
 */
#pragma once
#include "engine/lastack.h"
#include "wire/packet.h"

struct pair {
	struct la_engine *a, *b;
	void *mem[2];
	size_t size[2];
	la_time now;
	uint8_t lost[2]; /* packets of a, of b that get lost from now on; UINT8_MAX: all, for good */
	unsigned sent[2]; /* packets of a, of b */
	struct seg last[2]; /* the last of each, without its text */
	void (*tap)(struct pair *p, unsigned from, const struct seg *s); /* sees each packet, lost ones too */
	void *tap_arg;
};

void pair_init(struct pair *p);
void pair_init_with(struct pair *p, const struct la_config *cfg); /* the seeds are the pair's */
void pair_done(struct pair *p);

void pair_run(struct pair *p); /* packets are handed over until nobody has one more */
void pair_pass(struct pair *p, uint64_t ms); /* and time goes by, with all that happens in it */
void pair_pass_quietly(struct pair *p, uint64_t ms); /* time only: no timers, no packets */
void pair_inject(struct pair *p, unsigned to, const struct seg *s); /* a packet of somebody else; the answers go out */
struct la_engine *pair_side(struct pair *p, unsigned side);

struct la_endpoint ep(const char *addr, uint16_t port);
la_sock listen_at(struct la_engine *e, const char *addr, uint16_t port, int backlog); /* asserts */
la_sock socket_of(struct la_engine *e, const char *addr); /* of the address's family */
la_sock connect_to(struct la_engine *e, const char *addr, uint16_t port); /* asserts that it is under way */
la_sock accept_from(struct la_engine *e, la_sock listener); /* asserts */

/* A connection from a to b's port, with its listener. */
struct joint {
	la_sock listener, client, server;
};
struct joint pair_join(struct pair *p, uint16_t port); /* IPv4 */
struct joint pair_join_at(struct pair *p, const char *addr, uint16_t port);
void pair_close_active(struct pair *p, struct joint *j); /* the client closes first: TIME_WAIT at a, nothing at b */

int set_int(struct la_engine *e, la_sock s, enum la_opt opt, int value);
int get_int(struct la_engine *e, la_sock s, enum la_opt opt); /* asserts */
void set_knob(struct la_engine *e, const char *name, const char *value); /* asserts */
unsigned state_of(struct la_engine *e, la_sock s); /* tcpi_state */
uint64_t counter(struct la_engine *e, const char *name); /* asserts that there is one */
uint64_t edge(struct la_engine *e, const char *name);
unsigned records(struct la_engine *e);
bool is_at_rest(struct la_engine *e); /* la_usage() is all 0 */

enum {
	K_ESTABLISHED = 1,
	K_SYN_SENT,
	K_SYN_RECV,
	K_FIN_WAIT_1,
	K_FIN_WAIT_2,
	K_TIME_WAIT,
	K_CLOSE,
	K_CLOSE_WAIT,
	K_LAST_ACK,
	K_LISTEN,
	K_CLOSING
};
