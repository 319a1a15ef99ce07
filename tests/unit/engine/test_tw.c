/* SPDX-License-Identifier: MIT */
/* TIME_WAIT and FIN_WAIT_2 records through the whole engine: kernel-truth 1, 2, 3 and 5 as measured on 6.18. */
#include "tests/unit/engine/peer.h"

#include <errno.h>

enum { SND = ISS + 2, RCV = IRS + 2 }; /* snd_nxt and rcv_nxt in TIME_WAIT */

static nsec_t deadline(const struct rig *r)
{
	struct tw_rec rec;

	assert_true(rig_record(r, &rec));
	return rec.deadline_at;
}

static bool restarted(const struct rig *r) { return deadline(r) >= r->now + 60 * NSEC_PER_S; }

#define AT_3_S(r, ...)                                                                                                 \
	RIG_AT_WITH(r, TIME_WAIT, __VA_ARGS__);                                                                        \
	rig_pass(&r, 3 * NSEC_PER_S);                                                                                  \
	assert_false(restarted(&r))

/* ---- 1.1: who gets it ---- */

TEST(first_fin__gets_time_wait__the_other_end_none)
{
	RIG_AT(r, TIME_WAIT);
	EXPECT_COUNT(&r, tw, 1);
	EXPECT_COUNT(&r, tw_killed, 0);
	assert_true(restarted(&r));
	RIG_AT(q, LAST_ACK);
	IN(&q, .flags = F_ACK, .seq = seq(RCV), .ack = seq(SND));
	EXPECT_STATE(&q, CLOSED);
	assert_false(rig_record(&q, &(struct tw_rec){.chosen = false}));
	EXPECT_COUNT(&q, tw, 0);
}

TEST(orphan__becomes_a_record_in_fin_wait_2__counted_once)
{
	struct tw_rec rec;

	RIG_AT_WITH(r, FIN_WAIT_2, .orphan = true);
	assert_true(rig_record(&r, &rec));
	assert_int_equal(rec.kind, TW_FIN_WAIT_2);
	EXPECT_COUNT(&r, tw, 1);
	assert_int_equal(r.e->n_orphans, 0);
	assert_int_equal(r.e->n_sockets, 1); /* the listener */
	rig_pass(&r, 30 * NSEC_PER_S);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_STATE(&r, TIME_WAIT);
	assert_true(restarted(&r)); /* a full 60 s */
	EXPECT_COUNT(&r, tw, 1);
}

TEST(orphan__an_ack_waits__goes_before_the_record)
{
	RIG_AT(r, FIN_WAIT_2);
	struct conn *c = rig_conn(&r);
	uint8_t got[10];

	c->quick = 0;
	c->ato_ms = 40;
	c->pingpong = 1;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2), .len = 10);
	assert_int_equal(la_recv(r.h, r.s, got, 10, 0), 10);
	EXPECT_SILENCE(&r);
	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	EXPECT_ACK(&r, ISS + 2, IRS + 11);
	assert_null(rig_conn(&r));
	EXPECT_STATE(&r, FIN_WAIT_2);
}

TEST(held__socket_is_closed_beside_its_record)
{
	struct la_tcp_info info;
	struct la_endpoint at;
	char c;

	RIG_AT(r, TIME_WAIT);
	assert_true(r.s > 0);
	assert_int_equal(la_tcp_info(r.h, r.s, &info), 0);
	assert_int_equal(info.tcpi_state, 7);
	assert_int_equal(la_getpeername(r.h, r.s, &at), -ENOTCONN);
	assert_int_equal(la_send(r.h, r.s, "x", 1, 0), -EPIPE);
	assert_int_equal(la_recv(r.h, r.s, &c, 1, 0), 0);
	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_SILENCE(&r);
}

TEST(length__60_s_whatever_fin_timeout_is__then_nothing_is_left)
{
	RIG_AT_WITH(r, TIME_WAIT, .knobs = "net.ipv4.tcp_fin_timeout = 5");
	rig_pass(&r, 59999 * NSEC_PER_MS);
	EXPECT_STATE(&r, TIME_WAIT);
	rig_pass(&r, 2 * NSEC_PER_MS);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, F5_20_2MSL);
	EXPECT_SILENCE(&r);
	assert_int_equal(la_next_at(r.h), LA_NEVER);
}

TEST(length__engine_time_wait_ms__0_leaves_none)
{
	RIG_AT_WITH(r, FIN_WAIT_2, .knobs = "engine.time_wait_ms = 0");
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, F5_20_2MSL);
	EXPECT_COUNT(&r, tw, 0);
	RIG_AT_WITH(q, FIN_WAIT_2, .orphan = true, .knobs = "engine.time_wait_ms = 0");
	IN(&q, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&q, SND, RCV);
	EXPECT_STATE(&q, CLOSED);
}

TEST(length__4_s_and_less_count_as_killed)
{
	RIG_AT_WITH(r, TIME_WAIT, .knobs = "engine.time_wait_ms = 4000");
	EXPECT_COUNT(&r, tw, 0);
	EXPECT_COUNT(&r, tw_killed, 1);
	RIG_AT_WITH(q, TIME_WAIT, .knobs = "engine.time_wait_ms = 4001");
	EXPECT_COUNT(&q, tw, 1);
}

/* Nobody has called la_advance(): the record is still there, and must not speak any more. */
TEST(length__past_its_end__a_segment_does_not_meet_it)
{
	RIG_AT(r, TIME_WAIT);
	r.now += 61 * NSEC_PER_S;
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_RST(&r, SND);
	EXPECT_TOOK(&r, F5_20_2MSL);
	EXPECT_STATE(&r, CLOSED);
}

/* ---- 1.3: what each segment does ---- */

TEST(time_wait__fin_again__is_acked_always_and_restarts)
{
	AT_3_S(r, .ts = true);
	for (int i = 0; i < 3; i++) {
		IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
		EXPECT_ACK(&r, SND, RCV);
		assert_true(r.out.seg.opts.has_ts);
		assert_int_equal(r.out.seg.opts.tsecr, r.peer_tsval - 3000);
	}
	assert_true(restarted(&r));
}

TEST(time_wait__text__is_acked_always_and_restarts)
{
	static const uint32_t at[] = {IRS - 100, RCV, RCV + 5};

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		AT_3_S(r, .ts = false);
		for (int n = 0; n < 3; n++) {
			IN(&r, .flags = F_ACK, .seq = seq(at[i]), .ack = seq(SND), .len = 10);
			EXPECT_ACK(&r, SND, RCV);
		}
		assert_true(restarted(&r));
	}
}

TEST(time_wait__bare_ack_at_rcv_nxt__is_silent_and_restarts)
{
	struct tw_rec rec;

	AT_3_S(r, .ts = true);
	IN(&r, .flags = F_ACK, .seq = seq(RCV), .ack = seq(SND));
	EXPECT_SILENCE(&r);
	assert_true(restarted(&r));
	assert_true(rig_record(&r, &rec));
	assert_int_equal(rec.ts_recent, r.peer_tsval);
}

TEST(time_wait__bare_ack_elsewhere__is_acked_under_the_limit_and_restarts)
{
	AT_3_S(r, .ts = false);
	for (int i = 0; i < 3; i++)
		IN(&r, .flags = F_ACK, .seq = seq(RCV - 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, ack_skipped_tw, 2);
	assert_true(restarted(&r));
}

TEST(time_wait__syn_ack__is_acked_and_restarts)
{
	AT_3_S(r, .ts = false);
	IN(&r, .flags = F_SYN | F_ACK, .seq = seq(IRS + 1000), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	assert_true(restarted(&r));
}

static void expect_reopened(struct rig *r, uint32_t peer_iss)
{
	EXPECT_STATE(r, SYN_RECEIVED);
	EXPECT_SEG(r, F_SYN | F_ACK, SND + 65537, peer_iss + 1, 0);
	EXPECT_TOOK(r, TW_REOPEN);
	EXPECT_COUNT(r, la_tw_reopened, 1);
	EXPECT_COUNT(r, tw_recycled, 0);
	assert_int_equal(twstore_count(r->e->tw[r->opt.v6]), 0);
}

TEST(time_wait__newer_syn__reopens)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int ts = 0; ts < 2; ts++) {
			AT_3_S(r, .ts = ts, .v6 = v6);
			IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
			expect_reopened(&r, RCV + 1);
			r.shift += 65538;
			IN(&r, .flags = F_ACK, .seq = seq(RCV + 2), .ack = seq(SND));
			EXPECT_STATE(&r, ESTABLISHED);
		}
}

TEST(time_wait__older_syn_with_newer_timestamp__reopens)
{
	AT_3_S(r, .ts = true);
	IN(&r, .flags = F_SYN, .seq = seq(IRS - 1000000));
	expect_reopened(&r, IRS - 1000000);
}

TEST(time_wait__older_syn__is_acked_under_the_limit_and_does_not_restart)
{
	for (int ts = 0; ts < 2; ts++) {
		AT_3_S(r, .ts = ts);
		for (int i = 0; i < 2; i++)
			IN(&r, .flags = F_SYN, .seq = seq(RCV), .opts.tsval = r.peer_tsval - 3000);
		EXPECT_ACK(&r, SND, RCV);
		EXPECT_SILENCE(&r);
		EXPECT_COUNT(&r, ack_skipped_tw, 1);
		EXPECT_STATE(&r, TIME_WAIT);
		assert_false(restarted(&r));
	}
}

TEST(time_wait__syn_with_older_timestamp__fails_paws)
{
	AT_3_S(r, .ts = true);
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1000), .opts.tsval = r.peer_tsval - 3001);
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_COUNT(&r, paws_tw, 1);
	assert_true(restarted(&r));
}

TEST(time_wait__good_syn_without_a_listener__is_acked_and_does_not_restart)
{
	AT_3_S(r, .ts = false);
	la_close(r.h, r.listener);
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_STATE(&r, TIME_WAIT);
	assert_false(restarted(&r));
}

TEST(time_wait__rst__kills_at_rcv_nxt_only)
{
	AT_3_S(r, .ts = false);
	IN(&r, .flags = F_RST, .seq = seq(RCV + 1));
	IN(&r, .flags = F_RST, .seq = seq(RCV - 1));
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, TIME_WAIT);
	assert_false(restarted(&r));
	IN(&r, .flags = F_RST, .seq = seq(RCV));
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, RST_TIME_WAIT);
	EXPECT_COUNT(&r, la_tw_reset, 1);
}

TEST(time_wait__rst__rfc1337_ignores_it)
{
	AT_3_S(r, .knobs = "net.ipv4.tcp_rfc1337 = 1");
	IN(&r, .flags = F_RST, .seq = seq(RCV));
	EXPECT_SILENCE(&r);
	EXPECT_STATE(&r, TIME_WAIT);
	assert_false(restarted(&r));
}

/* A SYN that reopens skips the SYN queue's limit, not the accept queue's. */
TEST(time_wait__reopening__skips_the_syn_queue)
{
	for (int accept_full = 0; accept_full < 2; accept_full++) {
		RIG_AT_WITH(r, TIME_WAIT, .knobs = "net.ipv4.tcp_syncookies = 0");
		uint16_t port = r.at.peer_port;
		uint32_t shift = r.shift;

		assert_int_equal(la_listen(r.h, r.listener, 1), 0);
		for (uint16_t i = 0; i < 2; i++) {
			r.at.peer_port = (uint16_t)(1000 + i);
			rig_syn(&r);
			if (accept_full)
				IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1));
			r.shift = 0;
		}
		r.at.peer_port = 2000;
		IN(&r, .flags = F_SYN, .seq = seq(IRS));
		EXPECT_COUNT(&r, listen_overflows, accept_full);
		EXPECT_COUNT(&r, req_q_full_drop, !accept_full);
		r.at.peer_port = port;
		r.shift = shift;
		IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
		if (accept_full) {
			EXPECT_SILENCE(&r);
			EXPECT_STATE(&r, TIME_WAIT);
		} else {
			expect_reopened(&r, RCV + 1);
		}
	}
}

TEST(reopened__reset__is_gone_as_in_linux)
{
	RIG_AT(r, TIME_WAIT);
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	expect_reopened(&r, RCV + 1);
	IN(&r, .flags = F_RST, .seq = seq(RCV + 2));
	EXPECT_STATE(&r, CLOSED);
}

TEST(reopened__reset__tw_restore_puts_it_back)
{
	struct tw_rec rec;

	RIG_AT_WITH(r, TIME_WAIT, .knobs = "engine.tw_restore = 1");
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	expect_reopened(&r, RCV + 1);
	IN(&r, .flags = F_RST, .seq = seq(RCV + 2));
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_TOOK(&r, TW_RESTORED);
	EXPECT_COUNT(&r, la_tw_restored, 1);
	assert_true(rig_record(&r, &rec));
	assert_int_equal(rec.rcv_nxt.v, RCV);
	assert_int_equal(rec.snd_nxt.v - r.shift, SND);
	assert_int_equal(conn_of_sock(r.e, r.listener)->n_syn, 0);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
}

TEST(reopened__no_answer__tw_restore_puts_it_back)
{
	RIG_AT_WITH(r, TIME_WAIT, .knobs = "engine.tw_restore = 1");
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	expect_reopened(&r, RCV + 1);
	rig_pass(&r, 90 * NSEC_PER_S);
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_TOOK(&r, TW_RESTORED_TIMEOUT);
}

TEST(rfc9293__the_gap_is_keyed)
{
	RIG_AT_WITH(r, TIME_WAIT, .knobs = "engine.policy = rfc9293");
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	assert_true(rig_out(&r));
	assert_int_equal(r.out.seg.flags, F_SYN | F_ACK);
	assert_in_range(r.out.seg.seq.v - SND, 65537, 65537 + 65535);
}

/* ---- 2: FIN_WAIT_2 of orphans ---- */

static unsigned gone_after_s(struct rig *r)
{
	for (unsigned s = 0; s < 1000; s++) {
		if (rig_state(r) == CLOSED)
			return s;
		rig_pass(r, NSEC_PER_S);
	}
	return 1000;
}

TEST(fin_timeout__60_and_less_is_its_length__above_it_is_twice_the_excess)
{
	static const struct {
		const char *knob;
		unsigned s;
	} rows[] = {{"3", 3},   {"30", 30}, {"60", 60},  {"61", 2},    {"62", 4},   {"64", 8},
		    {"70", 20}, {"80", 40}, {"100", 80}, {"120", 120}, {"200", 280}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG(r);
		r.opt.orphan = true;
		rig_knob(&r, "net.ipv4.tcp_fin_timeout", rows[i].knob);
		rig_to(&r, FIN_WAIT_2);
		assert_int_equal(gone_after_s(&r), rows[i].s);
		EXPECT_TOOK(&r, TIMEOUT_FIN_WAIT_2);
		EXPECT_SILENCE(&r);
		IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
		EXPECT_RST(&r, SND); /* too late */
	}
}

TEST(fin_timeout__held_sockets_wait_for_ever)
{
	RIG_AT_WITH(r, FIN_WAIT_2, .knobs = "net.ipv4.tcp_fin_timeout = 3");
	rig_pass(&r, 1000 * NSEC_PER_S);
	EXPECT_STATE(&r, FIN_WAIT_2);
}

TEST(linger2_negative__no_fin_wait_2)
{
	for (int first = 0; first < 2; first++) {
		RIG_AT(r, ESTABLISHED);
		int linger2 = -1;

		assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_LINGER2, &linger2, sizeof(linger2)), 0);
		if (first) {
			la_close(r.h, r.s);
			EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
			r.s = 0;
			IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
		} else {
			la_shutdown(r.h, r.s, LA_SHUT_WR);
			EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
			IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
			la_close(r.h, r.s);
			r.s = 0;
		}
		assert_true(rig_out(&r));
		assert_true(r.out.seg.flags & F_RST);
		EXPECT_STATE(&r, CLOSED);
		EXPECT_TOOK(&r, ABORT_FIN_WAIT_2);
		EXPECT_COUNT(&r, abort_on_data, first);
		EXPECT_COUNT(&r, abort_on_linger, !first);
	}
}

TEST(linger2_negative__the_peers_fin_beside_the_ack__changes_nothing)
{
	RIG_AT(r, ESTABLISHED);
	int linger2 = -1;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_LINGER2, &linger2, sizeof(linger2)), 0);
	la_close(r.h, r.s);
	r.s = 0;
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, ABORT_FIN_WAIT_2);
	EXPECT_COUNT(&r, tw, 0);
}

TEST(fin_wait_2_record__text_syn_and_rst__end_it)
{
	static const struct {
		uint8_t flags;
		uint32_t at, len;
		bool rst;
		enum edge_id edge;
	} rows[] = {
		{F_ACK, 1, 5, true, DATA_FIN_WAIT_2},   {F_ACK | F_FIN, 1, 5, true, DATA_FIN_WAIT_2},
		{F_SYN, 100, 0, true, SYN_FIN_WAIT_2},  {F_RST, 1, 0, false, RST_FIN_WAIT_2},
		{F_RST, 100, 0, false, RST_FIN_WAIT_2},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, FIN_WAIT_2, .orphan = true);
		IN(&r, .flags = rows[i].flags, .seq = seq(IRS + rows[i].at), .ack = seq(SND), .len = rows[i].len);
		EXPECT_STATE(&r, CLOSED);
		EXPECT_TOOK(&r, rows[i].edge);
		assert_int_equal(rig_out(&r), rows[i].rst);
		if (rows[i].rst)
			assert_true(r.out.seg.flags & F_RST);
	}
}

TEST(fin_wait_2_record__answers_are_limited)
{
	RIG_AT_WITH(r, FIN_WAIT_2, .orphan = true);
	for (int i = 0; i < 3; i++)
		IN(&r, .flags = F_ACK, .seq = seq(IRS), .ack = seq(SND));
	EXPECT_ACK(&r, SND, IRS + 1);
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, ack_skipped_fw2, 2);
}

/* ---- 5: the limit ---- */

static void one_more(struct rig *r, uint16_t port)
{
	r->at.peer_port = port;
	r->shift = 0;
	rig_handshake(r);
	r->s = la_accept(r->h, r->listener, NULL);
	assert_true(r->s > 0);
	la_close(r->h, r->s);
	r->s = 0;
	EXPECT_SEG(r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
}

TEST(max_tw_buckets__skip__newer_ones_vanish_and_the_peers_fin_is_reset)
{
	RIG_WITH(r, .knobs = "net.ipv4.tcp_max_tw_buckets = 5\nengine.tw_full = skip");
	rig_listen(&r, 8);
	for (uint16_t i = 0; i < 8; i++)
		one_more(&r, (uint16_t)(1000 + i));
	assert_int_equal(twstore_count(r.e->tw[0]), 5);
	EXPECT_COUNT(&r, tw_overflow, 3);
	EXPECT_COUNT(&r, la_tw_skipped, 3);
	EXPECT_COUNT(&r, tw, 5);
	EXPECT_TOOK(&r, ABORT_FIN_WAIT_2);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_RST(&r, SND);
	rig_knob(&r, "net.ipv4.tcp_max_tw_buckets", "2"); /* those that are there stay */
	rig_pass(&r, NSEC_PER_S);
	assert_int_equal(twstore_count(r.e->tw[0]), 5);
}

TEST(max_tw_buckets__skip__held_fd__the_fin_is_acked_once)
{
	RIG_AT_WITH(r, FIN_WAIT_2, .knobs = "net.ipv4.tcp_max_tw_buckets = 0\nengine.tw_full = skip");
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, ABORT_TIME_WAIT);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_RST(&r, SND);
}

TEST(max_tw_buckets__recycle_oldest__the_oldest_makes_room)
{
	RIG_WITH(r, .knobs = "net.ipv4.tcp_max_tw_buckets = 5\nengine.tw_full = recycle-oldest");
	rig_listen(&r, 8);
	for (uint16_t i = 0; i < 8; i++) {
		one_more(&r, (uint16_t)(1000 + i));
		if (i == 0)
			IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
		rig_pass(&r, NSEC_PER_MS);
		rig_drain(&r);
	}
	assert_int_equal(twstore_count(r.e->tw[0]), 5);
	EXPECT_COUNT(&r, la_tw_recycled_full, 3);
	EXPECT_COUNT(&r, tw_overflow, 0);
	for (uint16_t i = 0; i < 8; i++) {
		r.at.peer_port = (uint16_t)(1000 + i);
		EXPECT_STATE(&r, i < 3 ? CLOSED : FIN_WAIT_2);
	}
	EXPECT_TOOK(&r, FW2_RECYCLED);
	EXPECT_TOOK(&r, TW_RECYCLED);
}

TEST(max_tw_buckets__all_of_them_due__they_end_and_none_is_recycled)
{
	RIG_WITH(r, .knobs = "net.ipv4.tcp_max_tw_buckets = 5\nengine.tw_full = recycle-oldest");
	rig_listen(&r, 8);
	for (uint16_t i = 0; i < 5; i++)
		one_more(&r, (uint16_t)(1000 + i));
	r.now += 61 * NSEC_PER_S; /* nobody calls la_advance() */
	one_more(&r, 1005);
	assert_in_range(twstore_count(r.e->tw[0]), 1, 5);
	EXPECT_COUNT(&r, la_tw_recycled_full, 0);
	EXPECT_TOOK(&r, TIMEOUT_FIN_WAIT_2);
}

TEST(max_tw_buckets__lowered__recycle_oldest_shrinks_the_store_and_keeps_the_new_one)
{
	RIG_WITH(r, .knobs = "engine.tw_full = recycle-oldest");
	rig_listen(&r, 8);
	for (uint16_t i = 0; i < 8; i++) {
		if (i == 5)
			rig_knob(&r, "net.ipv4.tcp_max_tw_buckets", "3");
		one_more(&r, (uint16_t)(1000 + i));
		rig_pass(&r, NSEC_PER_MS);
		rig_drain(&r);
	}
	assert_int_equal(twstore_count(r.e->tw[0]), 3);
	EXPECT_COUNT(&r, tw_overflow, 0);
	EXPECT_COUNT(&r, la_tw_recycled_full, 5);
	for (uint16_t i = 0; i < 8; i++) {
		r.at.peer_port = (uint16_t)(1000 + i);
		EXPECT_STATE(&r, i < 5 ? CLOSED : FIN_WAIT_2);
	}
	rig_knob(&r, "net.ipv4.tcp_max_tw_buckets", "0"); /* none: and those that are there stay, as on Linux */
	one_more(&r, 1008);
	assert_int_equal(twstore_count(r.e->tw[0]), 3);
	EXPECT_COUNT(&r, tw_overflow, 1);
}

TEST(store__capacity_is_a_limit_too)
{
	RIG_WITH(r, .cfg.max_time_wait4 = 3, .knobs = "engine.tw_full = skip");
	rig_listen(&r, 8);
	for (uint16_t i = 0; i < 5; i++)
		one_more(&r, (uint16_t)(1000 + i));
	assert_int_equal(twstore_count(r.e->tw[0]), 3);
	EXPECT_COUNT(&r, tw_overflow, 2);
}

TEST(max_tw_buckets__refuse__connections_are_not_opened)
{
	struct la_endpoint to = {.port = 9};

	RIG_WITH(r, .knobs = "net.ipv4.tcp_max_tw_buckets = 2\nengine.tw_full = refuse");
	rig_listen(&r, 8);
	one_more(&r, 1000);
	rig_handshake((r.at.peer_port = 1001, r.shift = 0, &r));
	r.at.peer_port = 1002;
	IN(&r, .flags = F_SYN, .seq = seq(IRS));
	EXPECT_SILENCE(&r);
	EXPECT_COUNT(&r, la_tw_refused, 1);
	EXPECT_COUNT(&r, listen_drops, 1);
	memcpy(to.addr, r.at.peer.b, sizeof(to.addr));
	r.s = la_socket(r.h, LA_INET);
	assert_int_equal(la_connect(r.h, r.s, &to), -ENOBUFS);
	EXPECT_COUNT(&r, la_tw_refused, 2);
}

/* ---- 3: connect() takes over ---- */

/* Our end is the client; ports 50000 only. */
static void client_time_wait(struct rig *r)
{
	rig_knob(r, "net.ipv4.ip_local_port_range", "50000 50000");
	rig_to(r, TIME_WAIT);
	la_close(r->h, r->s);
	r->s = 0;
	assert_int_equal(r->at.our_port, 50000);
}

static int connect_again(struct rig *r)
{
	struct la_endpoint to = {.port = PEER_PORT};

	memcpy(to.addr, r->at.peer.b, sizeof(to.addr));
	r->s = la_socket(r->h, r->opt.v6 ? LA_INET6 : LA_INET);
	return la_connect(r->h, r->s, &to);
}

TEST(tw_reuse__off__the_port_is_not_free)
{
	RIG_WITH(r, .active = true, .ts = true, .knobs = "net.ipv4.tcp_tw_reuse = 0");
	client_time_wait(&r);
	rig_pass(&r, 10 * NSEC_PER_S);
	assert_int_equal(connect_again(&r), -EADDRNOTAVAIL);
	rig_pass(&r, 51 * NSEC_PER_S);
	la_close(r.h, r.s);
	assert_int_equal(connect_again(&r), -EINPROGRESS);
}

TEST(tw_reuse__after_the_delay__iss_and_clock_go_on)
{
	for (int v6 = 0; v6 < 2; v6++) {
		RIG_WITH(r, .active = true, .ts = true, .v6 = v6, .knobs = "net.ipv4.tcp_tw_reuse = 1");
		client_time_wait(&r);
		uint32_t last = r.last_tsval;

		rig_pass(&r, 999 * NSEC_PER_MS);
		assert_int_equal(connect_again(&r), -EADDRNOTAVAIL);
		la_close(r.h, r.s);
		rig_pass(&r, 2 * NSEC_PER_MS);
		assert_int_equal(connect_again(&r), -EINPROGRESS);
		EXPECT_SEG(&r, F_SYN, SND + 65537, 0, 0);
		assert_int_equal(r.out.seg.opts.tsval - last, 1001);
		EXPECT_COUNT(&r, tw_recycled, 1);
		EXPECT_TOOK(&r, TW_CONNECT);
		assert_int_equal(twstore_count(r.e->tw[v6]), 0);
	}
}

TEST(tw_reuse__2__loopback_only)
{
	RIG_WITH(r, .active = true, .ts = true, .knobs = "net.ipv4.tcp_tw_reuse = 2");
	client_time_wait(&r);
	rig_pass(&r, 5 * NSEC_PER_S);
	assert_int_equal(connect_again(&r), -EADDRNOTAVAIL);
}

TEST(tw_reuse__without_timestamps__never)
{
	RIG_WITH(r, .active = true, .knobs = "net.ipv4.tcp_tw_reuse = 1");
	client_time_wait(&r);
	rig_pass(&r, 5 * NSEC_PER_S);
	assert_int_equal(connect_again(&r), -EADDRNOTAVAIL);
}

TEST(tw_reuse__the_last_ack_is_lost_on_a_mature_record__it_is_acked_all_the_same)
{
	RIG_WITH(r, .active = true, .ts = true, .knobs = "net.ipv4.tcp_tw_reuse = 1");
	client_time_wait(&r);
	rig_pass(&r, 5 * NSEC_PER_S);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND), .opts.tsval = 10000);
	EXPECT_ACK(&r, SND, RCV);
	rig_pass(&r, 61 * NSEC_PER_S); /* a mature one expires as any other */
	EXPECT_STATE(&r, CLOSED);
	assert_int_equal(ports_destinations(r.e->ports), 0);
}

/* A client's TIME_WAIT, a listener on the same port by SO_REUSEADDR, and a SYN that was no good: the record is the listener's now. */
TEST(reopened__a_clients_record__is_put_back_without_its_chosen_port)
{
	struct la_endpoint at = {.port = 50000};
	struct tw_rec rec;
	int on = 1;

	RIG_WITH(r, .active = true, .knobs = "engine.tw_restore = 1\nnet.ipv4.ip_local_port_range = 50000 50000");
	rig_to(&r, ESTABLISHED);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_REUSEADDR, &on, sizeof(on)), 0);
	la_close(r.h, r.s);
	r.s = 0;
	EXPECT_SEG(&r, F_FIN | F_ACK, ISS + 1, IRS + 1, 0);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(SND));
	EXPECT_ACK(&r, SND, RCV);
	memcpy(at.addr, r.at.us.b, sizeof(at.addr));
	r.listener = la_socket(r.h, LA_INET);
	assert_int_equal(la_setsockopt(r.h, r.listener, LA_SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(la_bind(r.h, r.listener, &at), 0);
	assert_int_equal(la_listen(r.h, r.listener, 4), 0);
	assert_int_equal(ports_destinations(r.e->ports), 1);
	IN(&r, .flags = F_SYN, .seq = seq(RCV + 1));
	expect_reopened(&r, RCV + 1);
	assert_int_equal(ports_destinations(r.e->ports), 0);
	IN(&r, .flags = F_RST, .seq = seq(RCV + 2));
	assert_true(rig_record(&r, &rec));
	assert_false(rec.chosen);
	la_close(r.h, r.listener);
	rig_pass(&r, 61 * NSEC_PER_S);
	assert_int_equal(binds_count(r.e->binds), 0);
}

/* ---- port and bucket go with the record ---- */

TEST(listener_port__is_bound_as_long_as_a_record_has_it)
{
	struct la_endpoint at = {.port = RIG_PORT};

	RIG_AT_WITH(r, TIME_WAIT, .orphan = true);
	la_close(r.h, r.listener);
	memcpy(at.addr, r.at.us.b, sizeof(at.addr));
	la_sock s = la_socket(r.h, LA_INET);
	assert_int_equal(la_bind(r.h, s, &at), -EADDRINUSE);
	assert_int_equal(binds_count(r.e->binds), 1);
	rig_pass(&r, 61 * NSEC_PER_S);
	assert_int_equal(binds_count(r.e->binds), 0);
	assert_int_equal(la_bind(r.h, s, &at), 0);
}

RUN(T(first_fin__gets_time_wait__the_other_end_none), T(orphan__becomes_a_record_in_fin_wait_2__counted_once),
    T(orphan__an_ack_waits__goes_before_the_record), T(held__socket_is_closed_beside_its_record),
    T(length__60_s_whatever_fin_timeout_is__then_nothing_is_left), T(length__engine_time_wait_ms__0_leaves_none),
    T(length__4_s_and_less_count_as_killed), T(length__past_its_end__a_segment_does_not_meet_it),
    T(linger2_negative__the_peers_fin_beside_the_ack__changes_nothing),
    T(reopened__a_clients_record__is_put_back_without_its_chosen_port),
    T(time_wait__fin_again__is_acked_always_and_restarts), T(time_wait__text__is_acked_always_and_restarts),
    T(time_wait__bare_ack_at_rcv_nxt__is_silent_and_restarts),
    T(time_wait__bare_ack_elsewhere__is_acked_under_the_limit_and_restarts),
    T(time_wait__syn_ack__is_acked_and_restarts), T(time_wait__newer_syn__reopens),
    T(time_wait__older_syn_with_newer_timestamp__reopens),
    T(time_wait__older_syn__is_acked_under_the_limit_and_does_not_restart),
    T(time_wait__syn_with_older_timestamp__fails_paws),
    T(time_wait__good_syn_without_a_listener__is_acked_and_does_not_restart), T(time_wait__rst__kills_at_rcv_nxt_only),
    T(time_wait__rst__rfc1337_ignores_it), T(time_wait__reopening__skips_the_syn_queue),
    T(reopened__reset__is_gone_as_in_linux), T(reopened__reset__tw_restore_puts_it_back),
    T(reopened__no_answer__tw_restore_puts_it_back), T(rfc9293__the_gap_is_keyed),
    T(fin_timeout__60_and_less_is_its_length__above_it_is_twice_the_excess), T(fin_timeout__held_sockets_wait_for_ever),
    T(linger2_negative__no_fin_wait_2), T(fin_wait_2_record__text_syn_and_rst__end_it),
    T(fin_wait_2_record__answers_are_limited), T(max_tw_buckets__skip__newer_ones_vanish_and_the_peers_fin_is_reset),
    T(max_tw_buckets__skip__held_fd__the_fin_is_acked_once), T(max_tw_buckets__recycle_oldest__the_oldest_makes_room),
    T(max_tw_buckets__all_of_them_due__they_end_and_none_is_recycled),
    T(max_tw_buckets__lowered__recycle_oldest_shrinks_the_store_and_keeps_the_new_one),
    T(store__capacity_is_a_limit_too), T(max_tw_buckets__refuse__connections_are_not_opened),
    T(tw_reuse__off__the_port_is_not_free), T(tw_reuse__after_the_delay__iss_and_clock_go_on),
    T(tw_reuse__2__loopback_only), T(tw_reuse__without_timestamps__never),
    T(tw_reuse__the_last_ack_is_lost_on_a_mature_record__it_is_acked_all_the_same),
    T(listener_port__is_bound_as_long_as_a_record_has_it))
