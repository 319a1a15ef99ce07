/* SPDX-License-Identifier: MIT */
#include "tests/unit/flow/heard.h"

static struct heard_conns h;
static struct talk t;

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_5 "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1 (Debian)\r\nContent-Length: 5\r\n\r\nhello"

static void opened(void)
{
	heard_begin(&h, &t, 40000);
	talk_open(&t);
}

static const struct conn *closed_by(enum side side)
{
	talk_close(&t, side);
	return heard_one(&h);
}

TEST(http__one_exchange__read)
{
	const struct conn *c;

	opened();
	talk_say(&t, SIDE_CLIENT,
		 "GET / HTTP/1.1\r\nUser-Agent:  curl/7.88 more\r\nConnection: Keep-Alive, Upgrade\r\n\r\n");
	talk_say(&t, SIDE_SERVER,
		 "HTTP/1.0 200 OK\r\nconnection: close\r\nKEEP-ALIVE: timeout=5, max=99\r\nContent-Length: 0\r\n\r\n");
	c = closed_by(SIDE_SERVER);
	assert_int_equal(c->seen, SEEN_SYN | SEEN_END | SEEN_HEADERS);
	assert_int_equal(c->requests, 1);
	assert_int_equal(c->responses, 1);
	assert_int_equal(c->http, HTTP_REQUEST_KEEP | HTTP_RESPONSE_CLOSE | HTTP_RESPONSE_10);
	assert_string_equal(c->agent, "curl/7.88");
	assert_string_equal(c->server, "");
	assert_int_equal(c->keep_alive_s, 5);
	assert_int_equal(c->status, 200);
	assert_false(c->unanswered);
}

TEST(http__pipelined__every_request_counts)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET GET GET);
	talk_say(&t, SIDE_SERVER, OK_5 OK_5 OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].requests, 3);
	assert_int_equal(h.v[0].responses, 3);
	assert_int_equal(h.v[0].exchanges, 1);
	assert_string_equal(h.v[0].server, "nginx/1.22.1");
}

TEST(http__octet_by_octet__the_same)
{
	const char *texts[] = {GET, OK_5};

	opened();
	for (int s = 0; s < 2; s++) {
		talk_send(&t, s, texts[s], 8);
		for (const char *p = texts[s] + 8; *p; p++)
			talk_send(&t, s, p, 1);
	}
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].requests, 1);
	assert_int_equal(h.v[0].responses, 1);
	assert_true(h.v[0].seen & SEEN_HEADERS);
}

TEST(http__chunks__end_where_they_end)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nA;x=y\r\n0123456789\r\n");
	talk_say(&t, SIDE_SERVER, "3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_SERVER);
	assert_int_equal(h.v[0].responses, 2);
	assert_false(h.v[0].unanswered);
}

TEST(http__head_and_304__have_no_body)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "HEAD / HTTP/1.1\r\n\r\n");
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].responses, 3);
	assert_false(h.v[0].unanswered);
}

TEST(http__100_continue__is_no_answer)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 100 Continue\r\n\r\n");
	talk_say(&t, SIDE_CLIENT, "body");
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].requests, 1);
	assert_int_equal(h.v[0].responses, 1);
}

TEST(http__answer_shorter_than_it_said__unanswered)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	closed_by(SIDE_SERVER);
	assert_true(h.v[0].unanswered);
	assert_int_equal(h.v[0].responses, 0);
}

TEST(http__answer_until_the_close__whole_with_the_servers_fin_only)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\n\r\nhello");
	talk_say(&t, SIDE_SERVER, "and more");
	closed_by(SIDE_SERVER);
	assert_false(h.v[0].unanswered);
	assert_int_equal(h.v[0].responses, 1);
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\n\r\nhello");
	closed_by(SIDE_CLIENT);
	assert_true(h.v[0].unanswered);
}

TEST(http__upgraded__what_follows_is_not_read)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].requests, 1);
	assert_int_equal(h.v[0].exchanges, 2);
}

TEST(http__overtaken_segments__read_in_order)
{
	const char ok[] = OK_5;
	const size_t first = 20, rest = sizeof(ok) - 1 - first;
	seq_t at;

	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	at = t.nxt[SIDE_SERVER];
	t.nxt[SIDE_SERVER] = seq_add(at, first);
	talk_seg(&t, SIDE_SERVER, F_ACK, ok + first, rest);
	t.nxt[SIDE_SERVER] = at;
	talk_seg(&t, SIDE_SERVER, F_ACK, ok, first);
	t.nxt[SIDE_SERVER] = seq_add(at, first + rest);
	closed_by(SIDE_SERVER);
	assert_int_equal(h.v[0].responses, 1);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HEADERS);
}

/* A FIN overtakes the end of its data, which comes then, later or never: it was said before the FIN if it was said. */
TEST(http__answer_overtaken_by_the_fin__unanswered_only_if_it_never_comes)
{
	const char ok[] = OK_5;
	const size_t first = sizeof(ok) - 1 - 4;
	static const nsec_t late[] = {0, 50 * NSEC_PER_MS, INT64_MAX};

	for (size_t i = 0; i < ARRAY_LEN(late); i++) {
		seq_t at;

		opened();
		talk_say(&t, SIDE_CLIENT, GET);
		talk_seg(&t, SIDE_SERVER, F_ACK, ok, first);
		at = t.nxt[SIDE_SERVER];
		t.nxt[SIDE_SERVER] = seq_add(at, 4);
		talk_seg(&t, SIDE_SERVER, F_ACK | F_FIN, NULL, 0);
		if (late[i] != INT64_MAX) {
			talk_wait(&t, late[i]);
			t.nxt[SIDE_SERVER] = at;
			talk_seg(&t, SIDE_SERVER, F_ACK, ok + first, 4);
			t.nxt[SIDE_SERVER] = seq_add(t.nxt[SIDE_SERVER], 1);
			talk_fin(&t, SIDE_CLIENT);
		}
		assert_int_equal(heard_one(&h)->unanswered, late[i] == INT64_MAX);
		assert_int_equal(h.v[0].first, SIDE_SERVER);
	}
}

/* The middle of it was not captured, its end waits for it while the FIN comes, and all of it is acknowledged. */
TEST(http__answer_with_a_hole_then_fin__answered_when_acknowledged)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	t.mute = true;
	talk_seg(&t, SIDE_SERVER, F_ACK, "HTTP/1.1 200 OK\r\n", 17);
	t.mute = false;
	talk_seg(&t, SIDE_SERVER, F_ACK, "\r\nhello", 7);
	talk_seg(&t, SIDE_SERVER, F_ACK | F_FIN, NULL, 0);
	talk_fin(&t, SIDE_CLIENT);
	assert_false(heard_one(&h)->unanswered);
	assert_int_equal(h.v[0].first, SIDE_SERVER);
}

/* More than may wait is given up, not kept: what comes after it is read. */
TEST(http__too_much_overtakes__skipped_and_told)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 3900\r\n\r\n");
	for (unsigned i = 1; i < 39; i++)
		talk_odd(&t, SIDE_SERVER, F_ACK, seq_add(t.nxt[SIDE_SERVER], i * 100), t.nxt[SIDE_CLIENT], 100);
	talk_odd(&t, SIDE_SERVER, F_ACK, t.nxt[SIDE_SERVER], t.nxt[SIDE_CLIENT], 100);
	t.nxt[SIDE_SERVER] = seq_add(t.nxt[SIDE_SERVER], 3900);
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].responses, 2);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HEADERS | SEEN_HOLES);
	assert_int_equal(h.v[0].retransmits[SIDE_SERVER], 0);
}

TEST(http__a_body_not_captured__the_next_message_is_found)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
	t.mute = true;
	talk_say(&t, SIDE_SERVER, "567");
	t.mute = false;
	talk_say(&t, SIDE_SERVER, "89");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].responses, 2);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HEADERS | SEEN_HOLES);
}

TEST(http__a_head_not_captured__headers_are_not_claimed)
{
	opened();
	talk_say(&t, SIDE_CLIENT, GET);
	t.mute = true;
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\n");
	t.mute = false;
	talk_say(&t, SIDE_SERVER, "Content-Length: 0\r\n\r\n");
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_HOLES);
	assert_int_equal(h.v[0].exchanges, 1);
}

TEST(http__snap_length_in_the_head__what_was_there_counts)
{
	opened();
	h.snap = 40 + 60;
	for (unsigned i = 0; i < 3; i++) {
		talk_say(
			&t, SIDE_CLIENT,
			"GET / HTTP/1.0\r\nHost: a\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nConnection: close\r\n\r\n");
		talk_say(
			&t, SIDE_SERVER,
			"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello");
	}
	closed_by(SIDE_SERVER);
	assert_int_equal(h.v[0].requests, 3);
	assert_int_equal(h.v[0].responses, 3);
	assert_int_equal(h.v[0].http, HTTP_REQUEST_10 | HTTP_REQUEST_CUT | HTTP_RESPONSE_CUT);
	assert_string_equal(h.v[0].server, "x");
	assert_true(h.v[0].seen & SEEN_HEADERS);
	assert_false(h.v[0].unanswered);
}

TEST(http__snap_length_in_the_body__read_to_the_end)
{
	opened();
	h.snap = 40 + 45;
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER,
		 "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789");
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 204 No Content\r\n\r\n");
	closed_by(SIDE_SERVER);
	assert_int_equal(h.v[0].responses, 2);
	assert_int_equal(h.v[0].http, 0);
}

TEST(http__not_really__only_turns_are_counted)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "HELP /me please\r\n");
	talk_say(&t, SIDE_SERVER, "no\r\n");
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
	assert_int_equal(h.v[0].exchanges, 1);
	assert_int_equal(h.v[0].requests, 0);
}

TEST(http__lengths_past_any_number__no_harm)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\nx");
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\nx");
	closed_by(SIDE_CLIENT);
	assert_true(h.v[0].unanswered);
}

TEST(http__behind_a_proxy_line__read)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n" GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].requests, 1);
	assert_true(h.v[0].seen & SEEN_HEADERS);
}

TEST(http__not_to_be_read__is_not)
{
	struct flows_cfg cfg = {.done = heard_done, .arg = &h, .no_headers = true};

	heard_begin(&h, &t, 40000);
	flows_free(h.fs);
	h.fs = flows_new(&cfg);
	talk_open(&t);
	talk_say(&t, SIDE_CLIENT, GET);
	talk_say(&t, SIDE_SERVER, OK_5);
	closed_by(SIDE_CLIENT);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END);
	assert_int_equal(h.v[0].exchanges, 1);
}

RUN(T(http__answer_with_a_hole_then_fin__answered_when_acknowledged),
    T(http__answer_overtaken_by_the_fin__unanswered_only_if_it_never_comes), T(http__one_exchange__read),
    T(http__pipelined__every_request_counts), T(http__octet_by_octet__the_same), T(http__chunks__end_where_they_end),
    T(http__head_and_304__have_no_body), T(http__100_continue__is_no_answer),
    T(http__answer_shorter_than_it_said__unanswered), T(http__answer_until_the_close__whole_with_the_servers_fin_only),
    T(http__upgraded__what_follows_is_not_read), T(http__overtaken_segments__read_in_order),
    T(http__too_much_overtakes__skipped_and_told), T(http__a_body_not_captured__the_next_message_is_found),
    T(http__a_head_not_captured__headers_are_not_claimed), T(http__snap_length_in_the_head__what_was_there_counts),
    T(http__snap_length_in_the_body__read_to_the_end), T(http__not_really__only_turns_are_counted),
    T(http__lengths_past_any_number__no_harm), T(http__behind_a_proxy_line__read), T(http__not_to_be_read__is_not))
