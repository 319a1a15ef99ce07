/* SPDX-License-Identifier: MIT */
/*
 * ecn.h - explicit congestion notification (RFC 3168), the parts of both ends. What recovery makes of an echo is its own
 * affair. Classic ECN only: of ECT(0) and ECT(1) we send the first.
 */
#pragma once
#include "wire/packet.h"

enum { ECN_NEVER, ECN_ASKS, ECN_AGREES }; /* net.ipv4.tcp_ecn; who asks agrees too */
enum { ECN_MASK = 3, ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 }; /* RFC 3168 5 */

struct ecn {
	bool ok; /* negotiated; in SYN_SENT: asked for */
	bool seen; /* the peer has sent ECT: a segment without is one that it sends again */
	bool echo; /* CE came: ECE on what we send until CWR comes (6.1.3) */
	bool cwr_due; /* the window was reduced: CWR on the next new octets (6.1.2) */
	seq_t next; /* octets from here on were never sent */
};

struct conn;
struct engine;

/* ---- SYN (6.1.1) ---- */
bool ecn_accepts(const struct engine *e, const struct seg *syn); /* it asks for ECN, and we agree */
uint8_t ecn_syn_flags(const struct conn *c, bool answers); /* ECE and CWR of our SYN, ECE of a SYN+ACK */
void ecn_learn(struct conn *c, const struct seg *syn); /* in SYN_SENT: a SYN or a SYN+ACK came */

/* ---- sending ---- */
bool ecn_echo(const struct conn *c, const struct seg *s); /* an ACK that says: congestion */
void ecn_queue_cwr(struct conn *c); /* the window is being reduced */
void ecn_withdraw_cwr(struct conn *c); /* that was undone */
void ecn_mark(struct conn *c, struct seg *s); /* ok; about to go: ECT(0) if its text is new, CWR and ECE as due */

/* ---- receiving ---- */
void ecn_received(struct conn *c,
		  const struct seg *s); /* ok, and text or FIN in the window. May ask for an ACK at once */
