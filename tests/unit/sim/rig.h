/* SPDX-License-Identifier: MIT */
/* rig.h - two hosts under the simulator's eyes, driven call by call. Host 0 is 10.0.0.1, host 1 is 10.0.0.2. */
#pragma once
#include "sim/net.h"

enum { RIG_MS = 1000000, RIG_SAVED = 512, PORT_A = 7000, PORT_B = 80 };

struct saved { /* a segment that was sent */
	unsigned from;
	struct seg seg;
	uint8_t text[64];
};

struct rig {
	struct verdict v;
	struct watch *w;
	struct net *n;
	struct la_engine *e[2];
	bool (*loses)(struct rig *r, unsigned from, const struct seg *s); /* NULL: nothing is lost */
	unsigned count; /* for loses() */
	struct saved saved[RIG_SAVED];
	unsigned n_saved;
};

/* knobs: "name=value", up to NULL, of both hosts; may be NULL. Paths take 5 ms. */
struct rig *rig_begin(const char *const *knobs);
void rig_end(struct rig *r); /* runs until nothing happens any more; every rule must have held and nothing be left */
void rig_restart(struct rig *r, unsigned host, const char *const *knobs); /* its memory is lost */

void rig_run(struct rig *r, unsigned ms);
la_sock rig_listen(struct rig *r, unsigned host, uint16_t port);
la_sock rig_connect(struct rig *r, unsigned host, uint16_t own_port, uint16_t port); /* to the other host */
la_sock rig_accept(struct rig *r, unsigned host, la_sock listener); /* there must be one */
void rig_send(struct rig *r, unsigned host, la_sock s, const char *text);
void rig_expect(struct rig *r, unsigned host, la_sock s, const char *text); /* is what can be read now */
void rig_close(struct rig *r, unsigned host, la_sock s);
void rig_opened(struct rig *r, la_sock *a,
		la_sock *b); /* from PORT_A of host 0 to PORT_B of host 1; the listener is closed */

const struct saved *rig_find(const struct rig *r, unsigned from, uint8_t flags,
			     bool with_text); /* the first such segment; there must be one */
void rig_replay(struct rig *r, const struct saved *s); /* arrives now, a second time */
uint64_t rig_edge(const struct rig *r, unsigned host, unsigned edge);
uint64_t rig_counter(const struct rig *r, unsigned host, const char *name);
uint32_t rig_time_waits(const struct rig *r, unsigned host);
