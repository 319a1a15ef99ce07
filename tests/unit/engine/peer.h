/* SPDX-License-Identifier: MIT */
/*
 * peer.h - one engine and a peer made of segments: put a connection into any state, hand it segments, look at what it does.
 *
 *   RIG_AT(r, FIN_WAIT_1);
 *   IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
 *   EXPECT_STATE(&r, CLOSING);
 *   EXPECT_ACK(&r, ISS + 2, IRS + 2);
 *
 * States are reached by segments and calls only. Our ISN is not ours to choose, so sequence numbers are shifted on
 * the way: a test sees ISS for our SYN and IRS for the peer's.
 */
#pragma once
#include "engine/engine.h"
#include "tests/unit/t.h"

enum { ISS = 1000, IRS = 5000, WND = 8192, RIG_PORT = 80, PEER_PORT = 40000, PEER_MSS = 1460 };

struct rig_opt {
	bool active, orphan, v6, ts; /* active: opened by connect(). orphan: closed by la_close(), not la_shutdown() */
	const char *knobs; /* sysctl.conf text */
	struct la_config cfg; /* what is 0 takes the rig's own */
};

struct rig {
	void *mem;
	size_t size;
	struct la_engine *h;
	struct engine *e; /* the same */
	nsec_t now;
	struct rig_opt opt;

	la_sock listener, s; /* s: the connection's socket; 0: orphan, or not accepted */
	struct endpoints { /* of what IN() sends and EXPECT_*() take for the connection */
		struct addr us, peer;
		uint16_t our_port, peer_port;
	} at;
	uint32_t shift; /* our numbers on the wire are those of the test plus this */
	bool peer_ts; /* IN() adds timestamps: .tsval as given or peer_tsval, tsecr the last TSval seen */
	uint32_t peer_tsval, last_tsval;
	uint16_t peer_wnd; /* IN() sends it where no .wnd is given: WND */

	uint8_t buf[70000];
	struct packet out; /* the last packet taken; borrows from buf */
	char last_edge[40];
	struct kept {
		size_t len;
		uint8_t octets[1600];
	} kept[16]; /* sent while time went by */
	size_t kept_n;
};

void rig_init(struct rig *r, const struct rig_opt *opt);
void rig_done(struct rig *r);
void rig_knob(struct rig *r, const char *name, const char *value);
void rig_to(struct rig *r, enum state st); /* from CLOSED */
void rig_listen(struct rig *r, int backlog);
void rig_syn(struct rig *r); /* the peer's SYN, from its port; the SYN+ACK is taken and its number becomes ISS */
void rig_handshake(struct rig *r); /* that, and the ACK; not accepted */
void rig_in(struct rig *r, struct seg s); /* completes it: addresses, timestamps, octets of text */
void rig_in_raw(struct rig *r, const struct seg *s); /* as it is, but for the shift of ack */
void rig_icmp(struct rig *r, uint8_t type, uint8_t code, seq_t about);
void rig_too_big(struct rig *r, uint16_t mtu, seq_t about); /* fragmentation needed, packet too big */
bool rig_out(struct rig *r); /* takes a packet into r->out, shifted; false: there is none */
void rig_drain(struct rig *r);
void rig_pass(
	struct rig *r,
	nsec_t ns); /* lets time go by, doing what is due when it is due; what was sent can be taken afterwards (the first 16) */
struct conn *rig_conn(const struct rig *r); /* NULL: there is none (any more) */
bool rig_record(const struct rig *r, struct tw_rec *ret);
enum state rig_state(const struct rig *r); /* of the connection, or of its record, or CLOSED */
struct tuple rig_tuple(const struct rig *r);

#define RIG_WITH(r, ...)                                                                                               \
	struct rig r __attribute__((cleanup(rig_done)));                                                               \
	rig_init(&r, &(struct rig_opt){__VA_ARGS__})
#define RIG(r) RIG_WITH(r, .active = false)
#define RIG_AT(r, st)                                                                                                  \
	RIG(r);                                                                                                        \
	rig_to(&r, st)
#define RIG_AT_WITH(r, st, ...)                                                                                        \
	RIG_WITH(r, __VA_ARGS__);                                                                                      \
	rig_to(&r, st)
#define IN(r, ...) rig_in(r, (struct seg){__VA_ARGS__})
#define EXPECT_STATE(r, want) assert_string_equal(state_name(rig_state(r)), state_name(want))
#define EXPECT_SILENCE(r) rig_expect_silence(r)
#define EXPECT_SEG(r, flags_, seq_, ack_, len_) rig_expect(r, flags_, seq_, ack_, len_)
#define EXPECT_ACK(r, seq_, ack_) rig_expect(r, F_ACK, seq_, ack_, 0)
#define EXPECT_RST(r, seq_) rig_expect(r, F_RST, seq_, 0, 0)
#define EXPECT_RST_ACK(r, ack_) rig_expect_raw(r, F_RST | F_ACK, 0, ack_)
#define EXPECT_TOOK(r, edge) assert_int_not_equal((r)->e->edge_count[edge], 0)
#define EXPECT_COUNT(r, field, want) assert_int_equal((r)->e->n.field, want)

void rig_expect(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack,
		uint32_t len); /* PSH is not looked at; ack only with F_ACK */
void rig_expect_raw(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack); /* seq not shifted */
void rig_expect_silence(struct rig *r);
