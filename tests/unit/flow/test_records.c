/* SPDX-License-Identifier: MIT */
#include "tests/unit/flow/heard.h"

static struct heard_conns h;
static struct talk t;

enum { CIPHER = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23, FINISHED_13 = 53, ALERT_13 = 19 };

static void opened(void)
{
	heard_begin(&h, &t, 40000);
	talk_open(&t);
}

/* A TLS record of that many octets in a segment of its own. */
static void record(enum side by, uint8_t type, uint16_t len)
{
	uint8_t text[5 + 4096] = {type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len, type == HANDSHAKE ? 1 : 0};

	talk_send(&t, by, text, 5U + len);
}

static void handshake_12(void)
{
	record(SIDE_CLIENT, HANDSHAKE, 200);
	record(SIDE_SERVER, HANDSHAKE, 2000);
	record(SIDE_CLIENT, HANDSHAKE, 100);
	record(SIDE_CLIENT, CIPHER, 1);
	record(SIDE_CLIENT, HANDSHAKE, 40);
	record(SIDE_SERVER, CIPHER, 1);
	record(SIDE_SERVER, HANDSHAKE, 40);
}

static void handshake_13(void)
{
	record(SIDE_CLIENT, HANDSHAKE, 200);
	record(SIDE_SERVER, HANDSHAKE, 90);
	record(SIDE_SERVER, CIPHER, 1);
	record(SIDE_SERVER, DATA, 2000);
	record(SIDE_CLIENT, CIPHER, 1);
	record(SIDE_CLIENT, DATA, FINISHED_13);
}

/* At the end. */
static uint32_t exchanges_of_data(void)
{
	const struct conn *c = heard_one(&h);

	return c->exchanges - c->tls_exchanges;
}

TEST(tls_12__handshake_and_two_requests__told_apart)
{
	nsec_t last;

	opened();
	handshake_12();
	for (unsigned i = 0; i < 2; i++) {
		record(SIDE_CLIENT, DATA, 300);
		record(SIDE_SERVER, DATA, 3000);
	}
	last = t.now - t.step;
	talk_wait(&t, 5 * NSEC_PER_S);
	record(SIDE_SERVER, ALERT, 26);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(exchanges_of_data(), 2);
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_TLS);
	assert_true(h.v[0].last_data[SIDE_SERVER] == last);
	assert_false(h.v[0].unanswered);
}

TEST(tls_13__tickets_before_and_after_the_request__one_exchange)
{
	for (unsigned with = 0; with < 2; with++) {
		opened();
		handshake_13();
		if (with)
			record(SIDE_SERVER, DATA, 250);
		record(SIDE_CLIENT, DATA, 300);
		if (!with)
			record(SIDE_SERVER, DATA, 250);
		record(SIDE_SERVER, DATA, 3000);
		talk_close(&t, SIDE_SERVER);
		assert_int_equal(exchanges_of_data(), 1);
		assert_false(h.v[0].unanswered);
	}
}

TEST(tls_13__farewell__is_no_data)
{
	nsec_t last;

	opened();
	handshake_13();
	record(SIDE_CLIENT, DATA, 300);
	record(SIDE_SERVER, DATA, 3000);
	last = t.now - t.step;
	talk_wait(&t, 60 * NSEC_PER_S);
	record(SIDE_CLIENT, DATA, ALERT_13);
	talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	record(SIDE_SERVER, DATA, ALERT_13);
	talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
	assert_int_equal(exchanges_of_data(), 1);
	assert_true(h.v[0].last_data[SIDE_SERVER] == last);
	assert_true(h.v[0].last_data[SIDE_CLIENT] < last);
	assert_false(h.v[0].unanswered);
}

TEST(tls__close_notify_then_the_other_sides_fin__who_began_is_known)
{
	for (unsigned is_13 = 0; is_13 < 2; is_13++) {
		opened();
		if (is_13)
			handshake_13();
		else
			handshake_12();
		record(SIDE_CLIENT, DATA, 300);
		record(SIDE_SERVER, DATA, 3000);
		record(SIDE_SERVER, is_13 ? DATA : ALERT, is_13 ? ALERT_13 : 26);
		talk_close(&t, SIDE_CLIENT);
		assert_int_equal(heard_one(&h)->first, SIDE_CLIENT);
		assert_int_equal(h.v[0].notify[SIDE_CLIENT], 0);
		assert_int_equal(conn_closer(&h.v[0]), SIDE_SERVER);
	}
}

/* A warning, or two octets that look like one. */
TEST(tls__alert_and_more__was_no_farewell)
{
	opened();
	handshake_13();
	record(SIDE_CLIENT, DATA, 300);
	record(SIDE_SERVER, DATA, ALERT_13);
	record(SIDE_SERVER, DATA, 3000);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->notify[SIDE_SERVER], 0);
	assert_int_equal(conn_closer(&h.v[0]), SIDE_CLIENT);
}

TEST(tls__answer_and_alert_in_one_segment__both_are_read)
{
	uint8_t text[5 + 100 + 5 + 26] = {DATA, 3, 3, 0, 100, [105] = ALERT, 3, 3, 0, 26};

	opened();
	handshake_12();
	record(SIDE_CLIENT, DATA, 300);
	talk_send(&t, SIDE_SERVER, text, sizeof(text));
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(exchanges_of_data(), 1);
	assert_int_equal(conn_closer(&h.v[0]), SIDE_SERVER);
}

/* The server closed what was idle; much later the pool looks, says good-bye and meets a RST: no request was lost. */
TEST(tls__alert_after_the_servers_fin__is_no_late_data)
{
	static const uint8_t alert[] = {DATA, 3, 3, 0, ALERT_13, [5 + ALERT_13 - 1] = 0},
			     longer[] = {DATA, 3, 3, 0, ALERT_13 + 1, [5 + ALERT_13] = 0};

	for (unsigned is_request = 0; is_request < 2; is_request++) {
		opened();
		handshake_13();
		record(SIDE_CLIENT, DATA, 300);
		record(SIDE_SERVER, DATA, 3000);
		talk_wait(&t, 5 * NSEC_PER_S);
		talk_fin(&t, SIDE_SERVER);
		talk_wait(&t, NSEC_PER_S);
		if (is_request)
			talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, longer, sizeof(longer));
		else
			talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, alert, sizeof(alert));
		talk_odd(&t, SIDE_SERVER, F_RST, t.nxt[SIDE_SERVER], seq(0), 0);
		assert_int_equal(heard_one(&h)->rst_kind, RST_LATE_DATA);
		assert_int_equal(h.v[0].late_data != 0, is_request);
		assert_int_equal(h.v[0].half_close_data, 0);
	}
}

/* As nginx 1.22 and curl 7.88 open it: preface and settings, headers, both acknowledgements (9 octets and what encryption adds). */
TEST(tls__http2_inside__known_by_both_acknowledgements_of_settings)
{
	for (unsigned is_13 = 0; is_13 < 2; is_13++) {
		const uint16_t more = is_13 ? 17 : 24;

		opened();
		if (is_13)
			handshake_13();
		else
			handshake_12();
		record(SIDE_SERVER, DATA, 40 + more);
		record(SIDE_CLIENT, DATA, 64 + more);
		record(SIDE_CLIENT, DATA, 45 + more);
		record(SIDE_SERVER, DATA, 9 + more);
		record(SIDE_CLIENT, DATA, 9 + more);
		record(SIDE_SERVER, DATA, 900);
		talk_close(&t, SIDE_CLIENT);
		assert_int_equal(heard_one(&h)->seen, SEEN_SYN | SEEN_END | SEEN_TLS | SEEN_HTTP2);
	}
}

TEST(tls__one_short_record__is_not_http2)
{
	opened();
	handshake_13();
	record(SIDE_CLIENT, DATA, 9 + 17);
	record(SIDE_SERVER, DATA, 900);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(heard_one(&h)->seen, SEEN_SYN | SEEN_END | SEEN_TLS);
}

TEST(tls__only_the_handshake__no_request)
{
	opened();
	handshake_13();
	record(SIDE_SERVER, DATA, 250);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(exchanges_of_data(), 0);
	assert_int_equal(h.v[0].exchanges, 2);
	assert_false(h.v[0].unanswered);
}

TEST(tls__records_across_segments__the_same)
{
	uint8_t text[5 + 300] = {DATA, 3, 3, 1, 44};

	opened();
	handshake_12();
	talk_send(&t, SIDE_CLIENT, text, 3);
	talk_send(&t, SIDE_CLIENT, text + 3, 100);
	talk_send(&t, SIDE_CLIENT, text + 103, sizeof(text) - 103);
	record(SIDE_SERVER, DATA, 30);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(exchanges_of_data(), 1);
}

TEST(tls__a_length_that_cannot_be__only_turns_are_counted)
{
	static const uint8_t odd[] = {DATA, 3, 3, 255, 255, 0};

	opened();
	handshake_12();
	talk_send(&t, SIDE_CLIENT, odd, sizeof(odd));
	record(SIDE_SERVER, DATA, 30);
	record(SIDE_CLIENT, DATA, 30);
	record(SIDE_SERVER, DATA, 30);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(exchanges_of_data(), 2);
}

/* An HTTP/2 frame of type and length. */
static void frame(enum side by, uint8_t type, uint8_t len)
{
	uint8_t text[9 + 255] = {0, 0, len, type};

	talk_send(&t, by, text, 9U + len);
}

TEST(http2__settings_and_pings__are_no_exchanges)
{
	enum { FRAME_DATA, FRAME_HEADERS, FRAME_SETTINGS = 4, FRAME_PING = 6, FRAME_GOAWAY };
	nsec_t last;

	opened();
	talk_say(&t, SIDE_CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(SIDE_CLIENT, FRAME_SETTINGS, 18);
	frame(SIDE_SERVER, FRAME_SETTINGS, 0);
	frame(SIDE_CLIENT, FRAME_HEADERS, 40);
	frame(SIDE_SERVER, FRAME_HEADERS, 40);
	frame(SIDE_SERVER, FRAME_DATA, 200);
	last = t.now - t.step;
	talk_wait(&t, 20 * NSEC_PER_S);
	frame(SIDE_CLIENT, FRAME_PING, 8);
	frame(SIDE_SERVER, FRAME_PING, 8);
	talk_wait(&t, 20 * NSEC_PER_S);
	frame(SIDE_SERVER, FRAME_GOAWAY, 8);
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->seen, SEEN_SYN | SEEN_END | SEEN_HTTP2);
	assert_int_equal(h.v[0].exchanges, 1);
	assert_true(h.v[0].last_data[SIDE_SERVER] == last);
}

/* PROXY protocol, versions 1 and 2, with the ClientHello's segment or before it: nothing of it is the client's. */
TEST(tls__behind_a_proxy_header__handshake_is_no_request)
{
	static const char one[] = "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n";
	static const uint8_t two[28] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
	struct {
		const void *text;
		size_t len;
	} lead[] = {{one, sizeof(one) - 1}, {two, sizeof(two)}};

	for (size_t i = 0; i < 4; i++) {
		uint8_t hello[64 + 205] = {0}, first[] = {HANDSHAKE, 3, 3, 0, 200, 1};
		size_t n = lead[i / 2].len, cut = i == 3 ? n - 9 : n; /* version 2 in two pieces */

		opened();
		memcpy(hello, lead[i / 2].text, n);
		memcpy(hello + n, first, sizeof(first));
		if (i % 2) {
			talk_send(&t, SIDE_CLIENT, hello, cut);
			talk_send(&t, SIDE_CLIENT, hello + cut, n - cut + 205);
		} else {
			talk_send(&t, SIDE_CLIENT, hello, n + 205);
		}
		record(SIDE_SERVER, HANDSHAKE, 90);
		record(SIDE_CLIENT, DATA, FINISHED_13);
		record(SIDE_CLIENT, DATA, 300);
		record(SIDE_SERVER, DATA, 3000);
		talk_close(&t, SIDE_SERVER);
		assert_int_equal(exchanges_of_data(), 1);
		assert_true(h.v[0].seen & SEEN_TLS);
	}
}

TEST(proxy_header__of_a_server_that_speaks_first__asks_for_nothing)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "PROXY UNKNOWN\r\n");
	talk_say(&t, SIDE_SERVER, "220 mail");
	talk_close(&t, SIDE_SERVER);
	assert_int_equal(heard_one(&h)->exchanges, 0);
	assert_int_equal(h.v[0].last_data[SIDE_CLIENT], 0);
	assert_false(h.v[0].unanswered);
}

TEST(tls__in_a_tunnel_of_connect__handshake_is_no_request)
{
	opened();
	talk_say(&t, SIDE_CLIENT, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\n\r\n");
	handshake_13();
	record(SIDE_CLIENT, DATA, 300);
	record(SIDE_SERVER, DATA, 3000);
	talk_close(&t, SIDE_CLIENT);
	assert_int_equal(exchanges_of_data(), 2); /* CONNECT, and what was asked inside */
	assert_int_equal(h.v[0].seen, SEEN_SYN | SEEN_END | SEEN_TLS);
}

RUN(T(tls_12__handshake_and_two_requests__told_apart), T(tls_13__tickets_before_and_after_the_request__one_exchange),
    T(tls_13__farewell__is_no_data), T(tls__close_notify_then_the_other_sides_fin__who_began_is_known),
    T(tls__alert_and_more__was_no_farewell), T(tls__answer_and_alert_in_one_segment__both_are_read),
    T(tls__alert_after_the_servers_fin__is_no_late_data),
    T(tls__http2_inside__known_by_both_acknowledgements_of_settings), T(tls__one_short_record__is_not_http2),
    T(tls__only_the_handshake__no_request), T(tls__records_across_segments__the_same),
    T(tls__a_length_that_cannot_be__only_turns_are_counted), T(http2__settings_and_pings__are_no_exchanges),
    T(tls__behind_a_proxy_header__handshake_is_no_request),
    T(proxy_header__of_a_server_that_speaks_first__asks_for_nothing),
    T(tls__in_a_tunnel_of_connect__handshake_is_no_request))
