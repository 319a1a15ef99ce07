/* SPDX-License-Identifier: MIT */
#include "tests/unit/flow/heard.h"

static struct heard_conns h;
static struct talk t;

static void opened(void)
{
	heard_begin(&h, &t, 40000);
	talk_open(&t);
}

static void asked_and_answered(void)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "what");
	talk_say(&t, SIDE_SERVER, "this");
}

TEST(connection__whole__record_has_it_all)
{
	const struct conn *c;

	asked_and_answered();
	talk_close(&t, SIDE_SERVER);
	c = heard_one(&h);
	assert_int_equal(c->seen, SEEN_SYN | SEEN_END);
	assert_int_equal(c->port[SIDE_CLIENT], 40000);
	assert_int_equal(c->port[SIDE_SERVER], 80);
	assert_string_equal(ip_text(c->addr[SIDE_CLIENT]).s, "10.0.0.1");
	assert_int_equal(c->how, END_FIN);
	assert_int_equal(c->first, SIDE_SERVER);
	assert_int_equal(c->local, SIDE_NONE);
	assert_false(c->crossed);
	assert_int_equal(c->exchanges, 1);
	assert_int_equal(c->bytes[0], 4);
	assert_int_equal(c->bytes[1], 4);
	assert_int_equal(c->retransmits[0] + c->retransmits[1], 0);
	assert_int_equal(c->rtt, 20000);
	assert_false(c->unanswered);
	assert_int_equal(c->rst_kind, RST_NONE);
	assert_true(c->fin[SIDE_SERVER] == c->last_data[SIDE_SERVER] + 20000);
	assert_true(c->fin[SIDE_CLIENT] == c->fin[SIDE_SERVER] + 10000);
}

TEST(connection__finished__handed_over_soon_and_its_memory_used_again)
{
	heard_begin(&h, &t, 40000);
	for (unsigned i = 0; i < 50; i++) {
		t.port[SIDE_CLIENT]++;
		talk_open(&t);
		talk_close(&t, SIDE_CLIENT);
		talk_wait(&t, NSEC_PER_S);
	}
	assert_int_equal(h.n, 49);
	assert_int_equal(flows_counts(h.fs)->live_most, 1);
	heard_over(&h);
	assert_int_equal(h.n, 50);
}

TEST(exchanges__two_questions_answered__two)
{
	asked_and_answered();
	talk_say(&t, SIDE_SERVER, "and more of it");
	talk_say(&t, SIDE_CLIENT, "what");
	talk_say(&t, SIDE_CLIENT, "else");
	talk_say(&t, SIDE_SERVER, "that");
	talk_say(&t, SIDE_CLIENT, "no answer");
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->exchanges, 2);
	assert_true(h.v[0].unanswered);
}

TEST(exchanges__server_speaks_first__counted_from_the_first_question)
{
	opened();
	talk_say(&t, SIDE_SERVER, "220 mail");
	talk_say(&t, SIDE_CLIENT, "EHLO");
	talk_say(&t, SIDE_SERVER, "250");
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->exchanges, 1);
	assert_false(h.v[0].unanswered);
}

TEST(captured_twice__everything__nothing_is_counted_twice)
{
	opened();
	h.copies = 2;
	talk_say(&t, SIDE_CLIENT, "what");
	talk_say(&t, SIDE_SERVER, "this");
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->exchanges, 1);
	assert_int_equal(h.v[0].retransmits[0] + h.v[0].retransmits[1], 0);
	assert_int_equal(h.v[0].bytes[0], 4);
	assert_int_equal(h.v[0].how, END_FIN);
}

TEST(sent_again__later__a_retransmission_and_no_data)
{
	nsec_t last;

	asked_and_answered();
	last = t.now - t.step;
	talk_wait(&t, NSEC_PER_S / 4);
	talk_odd(&t, SIDE_SERVER, F_ACK, seq_sub(t.nxt[SIDE_SERVER], 4), t.nxt[SIDE_CLIENT], 4);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->retransmits[SIDE_SERVER], 1);
	assert_int_equal(h.v[0].bytes[SIDE_SERVER], 4);
	assert_true(h.v[0].last_data[SIDE_SERVER] == last);
}

TEST(keep_alive__with_and_without_an_octet__neither_data_nor_sent_again)
{
	asked_and_answered();
	for (size_t len = 0; len < 2; len++) {
		talk_wait(&t, 15 * NSEC_PER_S);
		talk_odd(&t, SIDE_CLIENT, F_ACK, seq_sub(t.nxt[SIDE_CLIENT], 1), t.nxt[SIDE_SERVER], len);
		talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
	}
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->retransmits[SIDE_CLIENT], 0);
	assert_int_equal(h.v[0].bytes[SIDE_CLIENT], 4);
	assert_int_equal(h.v[0].exchanges, 1);
	assert_int_equal(h.v[0].idle_survived, 0);
}

/* What Linux does when nobody answers: probes of no octet, then a RST. */
TEST(keep_alive__never_answered_then_reset__timeout)
{
	for (unsigned by = 0; by < 2; by++) {
		asked_and_answered();
		talk_seg(&t, by, F_ACK, "more", 4); /* its acknowledgement is not captured */
		h.copies = 2;
		for (unsigned i = 0; i < 9; i++) {
			talk_wait(&t, 10 * NSEC_PER_S);
			talk_odd(&t, by, F_ACK, seq_sub(t.nxt[by], 1), t.nxt[1 - by], 0);
		}
		talk_wait(&t, 10 * NSEC_PER_S);
		talk_seg(&t, by, F_RST | F_ACK, NULL, 0);
		assert_int_equal(heard_one(&h)->how, END_TIMEOUT);
		assert_int_equal(h.v[0].first, SIDE_NONE);
		assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
		assert_int_equal(h.v[0].idle_failed, 0);
	}
}

/* The last octet sent again and again, and the program gives up. */
TEST(sent_again__one_octet_then_reset__no_keep_alive)
{
	asked_and_answered();
	talk_seg(&t, SIDE_SERVER, F_ACK, "x", 1);
	for (unsigned i = 0; i < 2; i++) {
		talk_wait(&t, NSEC_PER_S);
		talk_again(&t, SIDE_SERVER, F_ACK, "x", 1);
	}
	talk_wait(&t, NSEC_PER_S);
	talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_CUT);
	assert_int_equal(h.v[0].how, END_RST);
}

/* A program that ends a connection whose other side answered, was asked once, was asked just now, or was sent data since. */
TEST(keep_alive__then_reset_by_the_program__a_reset)
{
	for (unsigned what = 0; what < 4; what++) {
		asked_and_answered();
		for (unsigned i = 0; i < 3; i++) {
			talk_wait(&t, 10 * NSEC_PER_S);
			if (what != 1 || i == 2)
				talk_odd(&t, SIDE_CLIENT, F_ACK, seq_sub(t.nxt[SIDE_CLIENT], 1), t.nxt[SIDE_SERVER], 0);
			if (what == 0)
				talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
		}
		if (what == 3)
			talk_seg(&t, SIDE_CLIENT, F_ACK, "what", 4);
		if (what != 2)
			talk_wait(&t, 10 * NSEC_PER_S);
		talk_seg(&t, SIDE_CLIENT, F_RST | F_ACK, NULL, 0);
		assert_int_equal(heard_one(&h)->how, END_RST);
		assert_int_equal(h.v[0].first, SIDE_CLIENT);
		assert_int_equal(h.v[0].rst_kind, what == 3 ? RST_CUT : RST_CLEAN);
	}
}

TEST(window_closed__probed_with_an_octet__not_sent_again)
{
	asked_and_answered();
	t.wnd[SIDE_CLIENT] = 0;
	talk_say(&t, SIDE_SERVER, "fills it");
	for (unsigned i = 0; i < 3; i++) {
		talk_wait(&t, NSEC_PER_S);
		talk_odd(&t, SIDE_SERVER, F_ACK, t.nxt[SIDE_SERVER], t.nxt[SIDE_CLIENT], 1);
		talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	}
	talk_seg(&t, SIDE_CLIENT, F_RST | F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->retransmits[SIDE_SERVER], 0);
	assert_int_equal(h.v[0].bytes[SIDE_SERVER], 13);
}

TEST(overtaken__within_a_millisecond__not_sent_again)
{
	seq_t at;

	asked_and_answered();
	at = t.nxt[SIDE_SERVER];
	talk_odd(&t, SIDE_SERVER, F_ACK, seq_add(at, 100), t.nxt[SIDE_CLIENT], 100);
	talk_odd(&t, SIDE_SERVER, F_ACK, at, t.nxt[SIDE_CLIENT], 100);
	t.nxt[SIDE_SERVER] = seq_add(at, 200);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->retransmits[SIDE_SERVER], 0);
	assert_int_equal(h.v[0].bytes[SIDE_SERVER], 204);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
}

TEST(lost_on_the_way__filled_after_a_round_trip__sent_again)
{
	seq_t at;

	asked_and_answered();
	at = t.nxt[SIDE_SERVER];
	talk_odd(&t, SIDE_SERVER, F_ACK, seq_add(at, 100), t.nxt[SIDE_CLIENT], 100);
	talk_wait(&t, 20 * NSEC_PER_MS);
	talk_odd(&t, SIDE_SERVER, F_ACK, at, t.nxt[SIDE_CLIENT], 100);
	t.nxt[SIDE_SERVER] = seq_add(at, 200);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->retransmits[SIDE_SERVER], 1);
	assert_int_equal(h.v[0].bytes[SIDE_SERVER], 204);
}

TEST(capture_lost_some__acknowledged__bytes_count_and_the_record_says_so)
{
	asked_and_answered();
	t.mute = true;
	talk_say(&t, SIDE_SERVER, "not captured");
	t.mute = false;
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->bytes[SIDE_SERVER], 16);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HOLES | SEEN_VAGUE);
	assert_int_equal(h.v[0].how, END_FIN);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
}

TEST(capture_lost_some__acknowledged_before_the_fin__the_gap_is_known)
{
	nsec_t gap = 0;

	asked_and_answered();
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_ACK | F_PSH, "not captured", 12);
	t.mute = false;
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	talk_wait(&t, 2 * NSEC_PER_S);
	talk_close(&t, SIDE_SERVER);
	assert_true(conn_gap(heard_one(&h), &gap));
	assert_in_range(gap, 2 * NSEC_PER_S, 2 * NSEC_PER_S + 20000);
}

/* The answer and the server's FIN are missing, and acknowledged with one number: the client's FIN may be the second. */
TEST(fin__the_others_last_text_not_captured__who_was_first_is_not_known)
{
	for (unsigned more = 0; more < 2; more++) {
		asked_and_answered();
		t.mute = true;
		talk_seg(&t, SIDE_SERVER, F_ACK | F_PSH, "answer", 6);
		if (!more)
			talk_seg(&t, SIDE_SERVER, F_ACK | F_FIN, NULL, 0);
		t.mute = false;
		talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
		talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
		if (more)
			talk_seg(&t, SIDE_SERVER, F_ACK | F_FIN, NULL, 0);
		assert_int_equal(heard_one(&h)->first, more ? SIDE_CLIENT : SIDE_NONE);
	}
}

TEST(fins__crossed__told_so)
{
	seq_t c;

	asked_and_answered();
	c = t.nxt[SIDE_CLIENT];
	talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
	talk_odd(&t, SIDE_CLIENT, F_FIN | F_ACK, c, seq_sub(t.nxt[SIDE_SERVER], 1), 0);
	t.nxt[SIDE_CLIENT] = seq_add(c, 1);
	talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	assert_true(heard_one(&h)->crossed);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
}

TEST(fin__not_captured__known_by_its_acknowledgement)
{
	for (unsigned lost = 0; lost < 2; lost++) { /* the first, the second */
		asked_and_answered();
		t.mute = lost == 0;
		talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
		t.mute = lost == 1;
		talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
		t.mute = false;
		talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
		talk_wait(&t, 9 * NSEC_PER_S);
		assert_int_equal(heard_one(&h)->first, SIDE_SERVER);
		assert_int_equal(h.v[0].how, END_FIN);
		/* the first one's time is that of the other's FIN: it may have come long before */
		assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HOLES | (lost == 0 ? SEEN_VAGUE : 0));
		assert_int_equal(h.v[0].bytes[0] + h.v[0].bytes[1], 8);
	}
}

TEST(fin__not_captured_but_its_bare_acknowledgement__has_that_time)
{
	nsec_t gap = 0, stood = 0;

	asked_and_answered();
	talk_wait(&t, 2 * NSEC_PER_S);
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
	t.mute = false;
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	talk_wait(&t, 7 * NSEC_PER_S);
	talk_fin(&t, SIDE_CLIENT);
	assert_true(conn_gap(heard_one(&h), &gap) && conn_fin_ignored(&h.v[0], &stood));
	assert_int_equal(h.v[0].first, SIDE_SERVER);
	assert_int_equal(gap / NSEC_PER_MS, 2000);
	assert_int_equal(stood / NSEC_PER_MS, 7000);
}

/* A pool that does not look: its request meets a RST, and the FIN before it is known from an acknowledgement only. */
TEST(fin__not_captured_then_a_question_is_reset__late_data_and_nobody_forgot)
{
	asked_and_answered();
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
	t.mute = false;
	talk_wait(&t, 3 * NSEC_PER_S);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "late", 4);
	talk_seg(&t, SIDE_SERVER, F_RST, NULL, 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_LATE_DATA);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
	assert_int_equal(h.v[0].idle_failed, 0);
	assert_true(h.v[0].seen & SEEN_VAGUE);
}

TEST(half_close__fin_not_captured__the_answer_was_accepted)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "all of it");
	t.mute = true;
	talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	t.mute = false;
	talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
	talk_wait(&t, 3 * NSEC_PER_S);
	talk_say(&t, SIDE_SERVER, "result");
	talk_fin(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->first, SIDE_CLIENT);
	assert_true(h.v[0].half_close_data != 0);
}

TEST(half_close__answer_not_captured__accepted_all_the_same)
{
	asked_and_answered();
	talk_fin(&t, SIDE_CLIENT);
	talk_wait(&t, 3 * NSEC_PER_S);
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_ACK | F_PSH, "result", 6);
	t.mute = false;
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	talk_fin(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->first, SIDE_CLIENT);
	assert_true(h.v[0].half_close_data != 0);
}

TEST(fin__captured_after_its_acknowledgement__it_was_first)
{
	nsec_t late;

	asked_and_answered();
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
	late = t.now;
	t.mute = false;
	talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	t.now = late;
	talk_odd(&t, SIDE_SERVER, F_FIN | F_ACK, seq_sub(t.nxt[SIDE_SERVER], 1), seq_sub(t.nxt[SIDE_CLIENT], 1), 0);
	talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->first, SIDE_SERVER);
	assert_int_equal(h.v[0].retransmits[SIDE_SERVER], 0);
	assert_false(h.v[0].crossed);
}

TEST(fin__sent_again__the_first_counts)
{
	nsec_t at;

	asked_and_answered();
	talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	at = t.now;
	talk_wait(&t, NSEC_PER_S);
	talk_odd(&t, SIDE_CLIENT, F_FIN | F_ACK, seq_sub(t.nxt[SIDE_CLIENT], 1), t.nxt[SIDE_SERVER], 0);
	assert_true(heard_one(&h)->fin[SIDE_CLIENT] == at);
	assert_int_equal(h.v[0].retransmits[SIDE_CLIENT], 1);
	assert_int_equal(h.v[0].how, END_OPEN);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
	assert_int_equal(h.v[0].seen, SEEN_SYN);
}

TEST(half_close__answer_after_the_fin__accepted)
{
	asked_and_answered();
	talk_say(&t, SIDE_CLIENT, "all");
	talk_fin(&t, SIDE_CLIENT);
	talk_wait(&t, NSEC_PER_S);
	talk_say(&t, SIDE_SERVER, "answer");
	talk_fin(&t, SIDE_SERVER);
	assert_true(heard_one(&h)->half_close_data != 0);
	assert_int_equal(h.v[0].late_data, 0);
	assert_int_equal(h.v[0].how, END_FIN);
	assert_int_equal(h.v[0].exchanges, 1);
}

TEST(stale_reuse__question_after_the_fin__late_data)
{
	seq_t asks;

	asked_and_answered();
	talk_fin(&t, SIDE_SERVER);
	talk_wait(&t, 3 * NSEC_PER_S);
	asks = t.nxt[SIDE_SERVER];
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "again", 5);
	talk_odd(&t, SIDE_SERVER, F_RST, asks, seq(0), 0);
	assert_true(heard_one(&h)->late_data == t.now - t.step);
	assert_int_equal(h.v[0].rst_kind, RST_LATE_DATA);
	assert_int_equal(h.v[0].how, END_RST);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
	assert_int_equal(h.v[0].exchanges, 1);
	assert_int_equal(h.v[0].half_close_data, 0);
}

/* It asks on a connection that the server has closed, sends its own FIN and resets: no data met a RST of the server's. */
TEST(reset__by_the_one_who_sent_the_late_data__no_answer_to_them)
{
	asked_and_answered();
	talk_fin(&t, SIDE_SERVER);
	talk_wait(&t, NSEC_PER_S);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "again", 5);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_FIN, NULL, 0);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_RST, NULL, 0);
	assert_int_equal(heard_one(&h)->late_data, 0);
	assert_int_equal(h.v[0].rst_kind, RST_CUT);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
	assert_true(h.v[0].seen & SEEN_VAGUE);
}

/* The client shut down its half and awaits the answer: the server cuts off its own. */
TEST(half_close__the_server_resets_after_its_fin__answer_cut)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "what");
	talk_fin(&t, SIDE_CLIENT);
	talk_seg(&t, SIDE_SERVER, F_ACK | F_PSH, "this", 4);
	talk_seg(&t, SIDE_SERVER, F_ACK | F_FIN, NULL, 0);
	talk_seg(&t, SIDE_SERVER, F_ACK | F_RST, NULL, 0);
	assert_int_equal(heard_one(&h)->late_data, 0);
	assert_int_equal(h.v[0].rst_kind, RST_CUT);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
}

TEST(reset__nothing_outstanding__clean)
{
	asked_and_answered();
	talk_seg(&t, SIDE_CLIENT, F_RST | F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_CLEAN);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
	assert_int_equal(h.v[0].how, END_RST);
	assert_true(h.v[0].rst[SIDE_CLIENT] == t.now);
}

TEST(reset__while_the_peer_still_sends__unread)
{
	seq_t had;

	asked_and_answered();
	had = t.nxt[SIDE_SERVER];
	talk_seg(&t, SIDE_SERVER, F_ACK, "a lot of it", 11);
	talk_odd(&t, SIDE_CLIENT, F_RST | F_ACK, t.nxt[SIDE_CLIENT], had, 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_UNREAD);
}

TEST(reset__the_peers_data_on_the_way__unread)
{
	asked_and_answered();
	talk_seg(&t, SIDE_CLIENT, F_RST | F_ACK, NULL, 0);
	talk_seg(&t, SIDE_SERVER, F_ACK, "a lot of it", 11);
	assert_int_equal(heard_one(&h)->rst_kind, RST_UNREAD);
}

TEST(reset__own_data_not_acknowledged__cut)
{
	asked_and_answered();
	talk_say(&t, SIDE_CLIENT, "what");
	talk_seg(&t, SIDE_SERVER, F_ACK, "a lot of it", 11);
	talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_CUT);
}

TEST(reset__answers_data_after_a_silence__no_socket)
{
	asked_and_answered();
	talk_wait(&t, 350 * NSEC_PER_S);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "again", 5);
	talk_odd(&t, SIDE_SERVER, F_RST, t.nxt[SIDE_SERVER], seq(0), 0);
	assert_int_equal(heard_one(&h)->rst_kind, RST_NO_SOCKET);
	assert_int_equal(h.v[0].idle_failed / NSEC_PER_S, 350);
	assert_true(h.v[0].unanswered);
}

/* A RST of that side with a number so far past what it sent. */
static void reset_past(enum side by, uint32_t past)
{
	talk_odd(&t, by, F_RST, seq_add(t.nxt[by], past), seq(0), 0);
	talk_wait(&t, 10 * NSEC_PER_MS);
}

/* RFC 5961 3.2: the receiver answers it with an ACK and goes on. */
TEST(reset__with_a_number_nobody_waits_for__ignored_when_its_sender_goes_on)
{
	asked_and_answered();
	reset_past(SIDE_SERVER, 20000);
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	reset_past(SIDE_CLIENT, 300); /* from the other side, too */
	for (unsigned i = 0; i < 5; i++) {
		talk_say(&t, SIDE_CLIENT, "what");
		talk_say(&t, SIDE_SERVER, "this");
	}
	talk_wait(&t, NSEC_PER_S);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->how, END_FIN);
	assert_int_equal(h.v[0].rst_kind, RST_NONE);
	assert_int_equal(h.v[0].exchanges, 6);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
}

TEST(reset__with_a_number_nobody_waits_for_then_closed_at_once__ignored)
{
	asked_and_answered();
	talk_odd(&t, SIDE_SERVER, F_RST, seq_add(t.nxt[SIDE_SERVER], 20000), seq(0), 0);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->how, END_FIN);
	assert_int_equal(h.v[0].rst_kind, RST_NONE);
}

/* What was sent before it was not captured: nobody goes on, and it was the end, whatever the other side still sends. */
TEST(reset__after_text_not_captured__the_end)
{
	nsec_t at;

	for (unsigned more = 0; more < 3; more++) {
		asked_and_answered();
		t.mute = true;
		talk_seg(&t, SIDE_SERVER, F_ACK | F_PSH, "not captured", 12);
		t.mute = false;
		talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
		at = t.now;
		talk_wait(&t, 10 * NSEC_PER_MS);
		if (more)
			talk_seg(&t, SIDE_CLIENT, F_ACK, "and", 3);
		if (more == 2)
			talk_odd(&t, SIDE_SERVER, F_RST, t.nxt[SIDE_SERVER], seq(0), 0);
		assert_true(heard_one(&h)->rst[SIDE_SERVER] == at);
		assert_int_equal(h.v[0].how, END_RST);
		assert_int_equal(h.v[0].first, SIDE_SERVER);
		assert_int_equal(h.v[0].rst_kind, more ? RST_UNREAD : RST_CLEAN);
		assert_true(h.v[0].seen & SEEN_VAGUE);
		assert_true(h.v[0].last_data[SIDE_CLIENT] < at);
	}
}

TEST(reset__in_doubt_when_all_is_given_up__no_leak)
{
	asked_and_answered();
	reset_past(SIDE_SERVER, 20000);
	assert_int_equal(h.n, 0);
	flows_free(h.fs);
	h.fs = NULL;
}

TEST(silence__data_answered_after_it__survived)
{
	asked_and_answered();
	talk_wait(&t, 40 * NSEC_PER_S);
	talk_say(&t, SIDE_CLIENT, "again");
	talk_say(&t, SIDE_SERVER, "yes");
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->idle_survived / NSEC_PER_S, 40);
	assert_int_equal(h.v[0].idle_failed, 0);
}

TEST(silence__data_never_acknowledged__failed)
{
	asked_and_answered();
	talk_wait(&t, 400 * NSEC_PER_S);
	talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "again", 5);
	for (unsigned i = 0; i < 4; i++) {
		talk_wait(&t, NSEC_PER_S << i);
		talk_odd(&t, SIDE_CLIENT, F_ACK, seq_sub(t.nxt[SIDE_CLIENT], 5), t.nxt[SIDE_SERVER], 5);
	}
	talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	assert_int_equal(heard_one(&h)->idle_failed / NSEC_PER_S, 400);
	assert_int_equal(h.v[0].how, END_OPEN);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
}

TEST(open__refused__failed)
{
	heard_begin(&h, &t, 40000);
	talk_seg(&t, SIDE_CLIENT, F_SYN, NULL, 0);
	talk_odd(&t, SIDE_SERVER, F_RST | F_ACK, seq(0), t.nxt[SIDE_CLIENT], 0);
	assert_int_equal(heard_one(&h)->how, END_FAILED_OPEN);
	assert_int_equal(h.v[0].rst_kind, RST_REFUSED);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
}

TEST(open__never_answered__failed)
{
	heard_begin(&h, &t, 40000);
	talk_seg(&t, SIDE_CLIENT, F_SYN, NULL, 0);
	for (unsigned i = 0; i < 3; i++) {
		talk_wait(&t, NSEC_PER_S << i);
		talk_odd(&t, SIDE_CLIENT, F_SYN, seq_sub(t.nxt[SIDE_CLIENT], 1), seq(0), 0);
	}
	assert_int_equal(heard_one(&h)->how, END_FAILED_OPEN);
	assert_int_equal(h.v[0].retransmits[SIDE_CLIENT], 3);
	assert_int_equal(h.v[0].first, SIDE_NONE);
}

/* RFC 5961 4: the old connection's answer, the client's RST for it, the SYN again. */
TEST(open__challenged_for_an_old_connection__opens_all_the_same)
{
	heard_begin(&h, &t, 40000);
	talk_seg(&t, SIDE_CLIENT, F_SYN, NULL, 0);
	talk_odd(&t, SIDE_SERVER, F_ACK, seq(77), seq(99), 0);
	talk_odd(&t, SIDE_CLIENT, F_RST, seq(99), seq(0), 0);
	talk_wait(&t, 10 * NSEC_PER_MS);
	talk_odd(&t, SIDE_CLIENT, F_SYN, seq_sub(t.nxt[SIDE_CLIENT], 1), seq(0), 0);
	talk_seg(&t, SIDE_SERVER, F_SYN | F_ACK, NULL, 0);
	talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->how, END_FIN);
	assert_int_equal(h.v[0].rst_kind, RST_NONE);
	assert_int_equal(h.v[0].rtt, 0);
}

TEST(no_syn__the_port_that_others_ask_is_the_servers)
{
	heard_begin(&h, &t, 40000);
	t.port[SIDE_SERVER] = 50000;
	t.mute = true;
	talk_open(&t);
	t.mute = false;
	talk_say(&t, SIDE_SERVER, "by the lower port, a client");
	talk_wait(&t, NSEC_PER_S);
	t.port[SIDE_CLIENT] = 40001;
	talk_open(&t);
	t.port[SIDE_CLIENT] = 40002;
	talk_say(&t, SIDE_SERVER, "by the asked port, a server");
	heard_over(&h);
	assert_int_equal(h.n, 3);
	assert_int_equal(h.v[0].port[SIDE_SERVER], 40000);
	assert_int_equal(h.v[0].seen & SEEN_SYN, 0);
	assert_int_equal(h.v[2].port[SIDE_SERVER], 50000);
}

TEST(port__used_again__another_connection)
{
	asked_and_answered();
	talk_close(&t, SIDE_CLIENT);
	t.nxt[0] = seq_add(t.nxt[0], 100000);
	t.nxt[1] = seq_add(t.nxt[1], 100000);
	talk_open(&t);
	talk_close(&t, SIDE_SERVER);
	heard_over(&h);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.v[0].first, SIDE_CLIENT);
	assert_int_equal(h.v[1].first, SIDE_SERVER);
}

TEST(segment__after_the_end__late_and_no_connection)
{
	asked_and_answered();
	talk_close(&t, SIDE_CLIENT);
	talk_wait(&t, 10 * NSEC_PER_S);
	talk_odd(&t, SIDE_SERVER, F_ACK | F_FIN, seq_sub(t.nxt[SIDE_SERVER], 1), t.nxt[SIDE_CLIENT], 0);
	talk_odd(&t, SIDE_SERVER, F_ACK, seq_sub(t.nxt[SIDE_SERVER], 5), t.nxt[SIDE_CLIENT], 4);
	assert_int_equal(h.n, 1);
	assert_int_equal(flows_counts(h.fs)->late, 2);
	heard_over(&h);
	assert_int_equal(h.n, 1);
}

TEST(too_many__the_silent_one_goes)
{
	struct flows_cfg cfg = {.done = heard_done, .arg = &h, .live_max = 2};

	heard_begin(&h, &t, 40000);
	flows_free(h.fs);
	h.fs = flows_new(&cfg);
	talk_open(&t);
	t.port[SIDE_CLIENT] = 40001;
	t.nxt[0] = t.nxt[1] = seq(5000);
	talk_open(&t);
	t.port[SIDE_CLIENT] = 40000;
	t.nxt[0] = seq(1001);
	t.nxt[1] = seq(500001);
	talk_wait(&t, 2 * NSEC_PER_S);
	talk_say(&t, SIDE_CLIENT, "I am alive");
	t.port[SIDE_CLIENT] = 40002;
	talk_open(&t);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.v[0].port[SIDE_CLIENT], 40001);
	assert_int_equal(h.v[0].how, END_OPEN);
	assert_int_equal(flows_counts(h.fs)->evicted, 1);
	assert_int_equal(flows_counts(h.fs)->live_most, 2);
	heard_over(&h);
}

RUN(T(sent_again__one_octet_then_reset__no_keep_alive), T(keep_alive__never_answered_then_reset__timeout),
    T(keep_alive__then_reset_by_the_program__a_reset),
    T(reset__with_a_number_nobody_waits_for__ignored_when_its_sender_goes_on),
    T(reset__with_a_number_nobody_waits_for_then_closed_at_once__ignored), T(reset__after_text_not_captured__the_end),
    T(reset__in_doubt_when_all_is_given_up__no_leak),
    T(capture_lost_some__acknowledged_before_the_fin__the_gap_is_known),
    T(fin__the_others_last_text_not_captured__who_was_first_is_not_known),
    T(fin__not_captured_but_its_bare_acknowledgement__has_that_time),
    T(fin__not_captured_then_a_question_is_reset__late_data_and_nobody_forgot),
    T(half_close__fin_not_captured__the_answer_was_accepted), T(half_close__answer_not_captured__accepted_all_the_same),
    T(connection__whole__record_has_it_all), T(connection__finished__handed_over_soon_and_its_memory_used_again),
    T(exchanges__two_questions_answered__two), T(exchanges__server_speaks_first__counted_from_the_first_question),
    T(captured_twice__everything__nothing_is_counted_twice), T(sent_again__later__a_retransmission_and_no_data),
    T(keep_alive__with_and_without_an_octet__neither_data_nor_sent_again),
    T(window_closed__probed_with_an_octet__not_sent_again), T(overtaken__within_a_millisecond__not_sent_again),
    T(lost_on_the_way__filled_after_a_round_trip__sent_again),
    T(capture_lost_some__acknowledged__bytes_count_and_the_record_says_so), T(fins__crossed__told_so),
    T(fin__not_captured__known_by_its_acknowledgement), T(fin__captured_after_its_acknowledgement__it_was_first),
    T(fin__sent_again__the_first_counts), T(half_close__answer_after_the_fin__accepted),
    T(reset__by_the_one_who_sent_the_late_data__no_answer_to_them),
    T(half_close__the_server_resets_after_its_fin__answer_cut), T(stale_reuse__question_after_the_fin__late_data),
    T(reset__nothing_outstanding__clean), T(reset__while_the_peer_still_sends__unread),
    T(reset__the_peers_data_on_the_way__unread), T(reset__own_data_not_acknowledged__cut),
    T(reset__answers_data_after_a_silence__no_socket), T(silence__data_answered_after_it__survived),
    T(silence__data_never_acknowledged__failed), T(open__refused__failed), T(open__never_answered__failed),
    T(open__challenged_for_an_old_connection__opens_all_the_same), T(no_syn__the_port_that_others_ask_is_the_servers),
    T(port__used_again__another_connection), T(segment__after_the_end__late_and_no_connection),
    T(too_many__the_silent_one_goes))
