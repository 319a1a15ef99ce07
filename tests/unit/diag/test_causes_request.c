/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

static void many_with_headers(unsigned n, enum side first, uint32_t http)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(first, 10 * US, 1);

		c.seen |= SEEN_HEADERS;
		c.responses = c.requests = 1;
		c.http = http;
		closes_add(&c);
	}
}

TEST(KA001__server_closes_after_each__high_from_0_1_ms)
{
	const struct finding *f;

	closes_init();
	closes_many(60, SIDE_SERVER, 10 * US, 1);
	f = closes_one("CLOSE_PER_REQUEST_BY_SERVER");
	assert_string_equal(f->verdict, "CLOSE_PER_REQUEST_BY_SERVER");
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_int_equal(f->n, 60);
	assert_true(f->window_s > 17);
	assert_string_equal(f->service, "10.0.0.2:80");
	assert_says(f->evidence, "60 of 60 connections carried one request (100 % >= 90 %)");
	assert_says(f->what, "cannot be seen");
	assert_true(f->n_remedies > 0);
}

TEST(KA001__round_trip_below_0_1_ms__medium)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

		c.rtt = 20 * US;
		closes_add(&c);
	}
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_MEDIUM);
}

/* Live, the headers are not read; who the client is tells something too. */
TEST(KA001__client_that_asks_by_default__is_told_first)
{
	static const char *const who[] = {"ab", "nginx", "shop"};

	for (size_t k = 0; k < ARRAY_LEN(who); k++) {
		const struct finding *f;

		closes_init();
		for (unsigned i = 0; i < 120; i++) {
			struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

			c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
			c.opener.pid = c.local == SIDE_CLIENT ? 5 : 0;
			SAY(c.opener.comm, "%s", who[k]);
			closes_add(&c);
		}
		f = closes_verdict("CLOSE_PER_REQUEST_BY_SERVER");
		assert_says(f->raise, "lastack pcap");
		assert_int_equal(strstr(f->what, "by default") != NULL, k < 2);
		assert_int_equal(strstr(f->remedies[0].action, k == 0 ? "ab: -k" : "nginx as proxy") != NULL, k < 2);
	}
}

TEST(KA001__nine_connections__insufficient)
{
	closes_init();
	closes_many(9, SIDE_SERVER, 10 * US, 1);
	closes_one("INSUFFICIENT");
	closes_many(1, SIDE_SERVER, 10 * US, 1);
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_MEDIUM);
}

TEST(KA001__less_than_nine_in_ten_with_one_request__silent)
{
	closes_init();
	closes_many(90, SIDE_SERVER, 10 * US, 1);
	closes_many(10, SIDE_SERVER, 10 * US, 2);
	closes_verdict("CLOSE_PER_REQUEST_BY_SERVER");
	closes_many(1, SIDE_SERVER, 10 * US, 2);
	closes_not("CLOSE_PER_REQUEST");
}

TEST(KA001__unused_connections__do_not_count)
{
	closes_init();
	closes_many(50, SIDE_SERVER, 10 * US, 1);
	closes_many(30, SIDE_CLIENT, S, 0); /* ab opens some that it never uses */
	closes_verdict("CLOSE_PER_REQUEST_BY_SERVER");
}

TEST(KA001__fin_not_prompt__medium_up_to_50_ms_then_silent)
{
	closes_init();
	closes_many(60, SIDE_SERVER, CLOSE_PROMPT, 1);
	assert_int_equal(closes_verdict("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_HIGH);
	closes_init();
	closes_many(60, SIDE_SERVER, CLOSE_PROMPT + 1, 1);
	assert_int_equal(closes_verdict("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_MEDIUM);
	closes_init();
	closes_many(60, SIDE_SERVER, 50 * MS, 1);
	closes_verdict("CLOSE_PER_REQUEST_BY_SERVER");
	closes_init();
	closes_many(60, SIDE_SERVER, 50 * MS + 1, 1);
	closes_not("CLOSE_PER_REQUEST");
}

TEST(KA001__times_exact_to_a_jiffy__are_given_one)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 4 * MS, 1);

		c.grain = 4 * MS;
		closes_add(&c);
	}
	closes_one("CLOSE_PER_REQUEST_BY_SERVER");
}

TEST(KA001__long_answers__are_no_fault)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

		c.start -= 30 * S;
		closes_add(&c);
	}
	assert_says(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->what, "for streams and long polls");
}

TEST(KA001__headers__tell_who_asked)
{
	const struct finding *f;

	closes_init();
	many_with_headers(60, SIDE_SERVER, HTTP_REQUEST_CLOSE | HTTP_RESPONSE_CLOSE);
	f = closes_one("CLOSE_PER_REQUEST_BY_SERVER (client asked)");
	assert_int_equal(f->confidence, CONF_HIGH);
	closes_init();
	many_with_headers(60, SIDE_SERVER, HTTP_REQUEST_10 | HTTP_RESPONSE_CLOSE);
	closes_one("CLOSE_PER_REQUEST_BY_SERVER (HTTP/1.0)");
	closes_init();
	many_with_headers(60, SIDE_SERVER, HTTP_RESPONSE_CLOSE);
	closes_one("CLOSE_PER_REQUEST_BY_SERVER (server decides)");
	closes_init();
	many_with_headers(60, SIDE_SERVER, 0);
	assert_string_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->verdict, "CLOSE_PER_REQUEST_BY_SERVER");
}

/* Not because of keepalive_timeout: no advice about it. */
TEST(KA001__after_errors__settings_are_not_blamed)
{
	const struct finding *f;

	for (unsigned errors = 29; errors <= 30; errors++) {
		closes_init();
		for (unsigned i = 0; i < 60; i++) {
			struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

			c.seen |= SEEN_HEADERS;
			c.responses = c.requests = 1;
			c.http = HTTP_RESPONSE_CLOSE;
			c.status = i < errors ? (i % 4 ? 413 : 500) : i % 2 ? 399 : 200;
			memcpy(c.server, "nginx/1.22.1", 13);
			closes_add(&c);
		}
		f = closes_one("CLOSE_PER_REQUEST_BY_SERVER (server decides)");
		if (errors < 30) {
			assert_null(strstr(f->what, "error"));
			assert_says(f->remedies[0].action, "keepalive_timeout");
		} else {
			assert_says(f->what, "before 50 % of these closes it answered with an error, such as 413");
			assert_says(f->remedies[0].action, "client_max_body_size");
			assert_null(strstr(f->remedies[1].action, "keepalive_timeout"));
		}
	}
}

TEST(KA001__same_two_exchanges_on_all__low_a_handshake_may_be_one)
{
	closes_init();
	closes_many(60, SIDE_SERVER, 10 * US, 2);
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_LOW);
	closes_init();
	closes_many(60, SIDE_SERVER, 10 * US, 4);
	closes_not("CLOSE_PER_REQUEST");
}

TEST(KA001__http_2__not_decided)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

		c.seen |= SEEN_HTTP2;
		closes_add(&c);
	}
	assert_says(closes_one("INSUFFICIENT")->evidence, "HTTP/2");
}

TEST(KA002__client_closes_after_each__warns)
{
	const struct finding *f;

	closes_init();
	closes_many(60, SIDE_CLIENT, 200 * US, 1);
	f = closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
	assert_int_equal(f->severity, SEV_WARN);
	assert_says(f->evidence, "no connection carried more than 1");
}

TEST(KA002__one_in_three_seconds__is_a_health_check)
{
	closes_init();
	closes_step = 3 * S;
	closes_many(60, SIDE_CLIENT, 200 * US, 1);
	closes_one("INSUFFICIENT");
}

TEST(KA002__three_requests_in_one__silent)
{
	closes_init();
	closes_many(60, SIDE_CLIENT, 200 * US, 1);
	closes_many(1, SIDE_CLIENT, 200 * US, 2);
	closes_verdict("CLOSE_PER_REQUEST_BY_CLIENT");
	closes_many(1, SIDE_CLIENT, 200 * US, 3);
	closes_not("CLOSE_PER_REQUEST_BY_CLIENT");
}

TEST(KA002__every_client_comes_once__silent)
{
	closes_init();
	for (unsigned i = 0; i < 200; i++) {
		struct conn c = closes_next(SIDE_CLIENT, 200 * US, 1);

		c.addr[SIDE_CLIENT].b[3] = (uint8_t)i;
		closes_add(&c);
	}
	closes_not("CLOSE_PER_REQUEST_BY_CLIENT");
}

TEST(KA002__agent__is_named_with_its_setting)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_CLIENT, 200 * US, 1);

		c.seen |= SEEN_HEADERS;
		c.responses = 1;
		snprintf(c.agent, sizeof(c.agent), "python-requests/2.34");
		closes_add(&c);
	}
	f = closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
	assert_says(f->what, "the client (User-Agent: Python requests) opens a connection for each request");
	assert_says(f->remedies[0].action, "requests.Session()");
	assert_int_equal(f->n_remedies, 3); /* a proxy may have handed the name on */
}

/* They were there before we looked and are still there, so they are not whole: the pool all the same. */
TEST(KA002__connections_that_stay_carry_many__the_pool_is_too_small)
{
	closes_init();
	closes_many(60, SIDE_CLIENT, 200 * US, 1);
	closes_verdict("CLOSE_PER_REQUEST_BY_CLIENT");
	for (unsigned i = 0; i < 2; i++) {
		struct conn c = closes_next(SIDE_CLIENT, 200 * US, 3000);

		c.seen = 0;
		c.how = END_OPEN;
		c.first = SIDE_NONE;
		memset(c.fin, 0, sizeof(c.fin));
		closes_add(&c);
	}
	assert_says(closes_one("CLIENT_POOL_TOO_SMALL")->evidence, "up to 3000 in one");
}

TEST(KA002__live__connections_that_stay_have_no_record__medium)
{
	const struct finding *f;

	closes_init();
	closes_many_live(60, SIDE_CLIENT, SIDE_CLIENT, 80, 1, false);
	f = closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->evidence, "no connection that ended carried more than 1");
}

/* All were open before the first was closed: nothing could have been used again. */
TEST(KA002__opened_together__reuse_was_not_possible)
{
	for (unsigned spread = 0; spread <= 1; spread++) {
		closes_init();
		closes_step = MS / 10;
		for (unsigned i = 0; i < 60; i++) {
			struct conn c = closes_next(SIDE_CLIENT, 200 * US + (nsec_t)spread * i * 50 * MS, 1);

			closes_add(&c);
		}
		closes_one("INSUFFICIENT");
	}
}

TEST(KA002__half_opened_after_others_were_closed__warns)
{
	for (unsigned later = 29; later <= 30; later++) {
		closes_init();
		closes_step = 0;
		closes_many(60 - later, SIDE_CLIENT, 200 * US, 1);
		closes_step = 300 * MS;
		closes_now += S;
		closes_many(later, SIDE_CLIENT, 200 * US, 1);
		if (later == 30)
			closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
		else
			closes_one("INSUFFICIENT");
	}
}

/* Sixty workers did it; nginx came last. */
TEST(KA002__many_processes_of_one_name__the_last_is_not_blamed)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 64; i++) {
		struct conn c = closes_next(SIDE_CLIENT, 200 * US, 1);

		c.local = SIDE_CLIENT;
		c.closer.pid = i < 60 ? 100 + i : 7;
		SAY(c.closer.comm, "%s", i < 60 ? "worker" : "nginx");
		c.opener = c.closer;
		closes_add(&c);
	}
	f = closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
	assert_string_equal(f->process, "worker");
	assert_says(f->what, "worker opens a connection for each request");
	assert_null(strstr(f->remedies[0].action, "nginx"));
}

TEST(KA003__neither_six_in_ten__mixed)
{
	closes_init();
	closes_many(41, SIDE_CLIENT, 25 * US, 1);
	closes_many(59, SIDE_SERVER, 25 * US, 1);
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_MIXED")->confidence, CONF_MEDIUM);
	closes_many(3, SIDE_SERVER, 25 * US, 1);
	closes_one("CLOSE_PER_REQUEST_BY_SERVER");
}

TEST(KA003__idle_closes__are_another_matter)
{
	closes_init();
	closes_many(50, SIDE_CLIENT, 25 * US, 1);
	closes_many(50, SIDE_SERVER, 3 * S, 1);
	closes_not("CLOSE_PER_REQUEST");
}

/* Nothing is read of it, so a handshake and one request may be as many requests. */
TEST(live__two_or_three_exchanges__one_request_if_it_is_tls)
{
	const struct finding *f;

	closes_init();
	closes_many_live(60, SIDE_SERVER, SIDE_SERVER, 8000, 3, true);
	f = closes_one("CLOSE_PER_REQUEST_BY_SERVER");
	assert_int_equal(f->confidence, CONF_LOW);
	assert_says(f->what, "if 2 or 3 exchanges are TLS and one request");
	assert_says(f->evidence, "60 of 60 connections carried 2 or 3 exchanges");
	assert_says(f->raise, "lastack pcap");
	assert_null(strstr(f->what, "port"));
	closes_init();
	closes_many_live(60, SIDE_CLIENT, SIDE_CLIENT, 443, 2, false);
	f = closes_one("CLOSE_PER_REQUEST_BY_CLIENT");
	assert_int_equal(f->confidence, CONF_LOW);
	assert_says(f->what, "if 2 exchanges are TLS and one request, likely on port 443");
	closes_init();
	closes_many_live(60, SIDE_SERVER, SIDE_SERVER, 443, 4, true); /* two requests at least */
	closes_not("CLOSE_PER_REQUEST");
}

TEST(live__one_exchange__is_a_request_but_on_a_port_of_tls)
{
	closes_init();
	closes_many_live(60, SIDE_SERVER, SIDE_SERVER, 8000, 1, false);
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_HIGH);
	closes_init();
	closes_many_live(60, SIDE_SERVER, SIDE_SERVER, 443, 1, false);
	assert_int_equal(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->confidence, CONF_MEDIUM);
}

RUN(T(KA001__client_that_asks_by_default__is_told_first), T(KA001__server_closes_after_each__high_from_0_1_ms),
    T(KA001__round_trip_below_0_1_ms__medium), T(KA001__nine_connections__insufficient),
    T(KA001__less_than_nine_in_ten_with_one_request__silent), T(KA001__unused_connections__do_not_count),
    T(KA001__fin_not_prompt__medium_up_to_50_ms_then_silent), T(KA001__times_exact_to_a_jiffy__are_given_one),
    T(KA001__long_answers__are_no_fault), T(KA001__headers__tell_who_asked),
    T(KA001__after_errors__settings_are_not_blamed), T(KA001__same_two_exchanges_on_all__low_a_handshake_may_be_one),
    T(KA001__http_2__not_decided), T(KA002__client_closes_after_each__warns),
    T(KA002__one_in_three_seconds__is_a_health_check), T(KA002__three_requests_in_one__silent),
    T(KA002__every_client_comes_once__silent), T(KA002__agent__is_named_with_its_setting),
    T(KA002__connections_that_stay_carry_many__the_pool_is_too_small),
    T(KA002__live__connections_that_stay_have_no_record__medium), T(KA002__opened_together__reuse_was_not_possible),
    T(KA002__half_opened_after_others_were_closed__warns), T(KA002__many_processes_of_one_name__the_last_is_not_blamed),
    T(KA003__neither_six_in_ten__mixed), T(KA003__idle_closes__are_another_matter),
    T(live__two_or_three_exchanges__one_request_if_it_is_tls), T(live__one_exchange__is_a_request_but_on_a_port_of_tls))
