/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

TEST(KA006__constant_idle_time__is_the_timeout)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S + (nsec_t)i * 100 * US, 1 + i % 5);

		closes_add(&c);
	}
	f = closes_one("SERVER_IDLE_TIMEOUT 2.00s");
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_says(f->what, "gunicorn (--keep-alive 2, threads)");
	assert_says(f->evidence, "(p90 - p10) / median < 3 %");
}

TEST(KA006__one_request_each__the_client_leaves_them)
{
	const struct finding *f;

	closes_init();
	closes_many(60, SIDE_SERVER, 5 * S, 1);
	f = closes_one("SERVER_IDLE_TIMEOUT 5.00s");
	assert_says(f->what, "opens another instead");
	assert_says(f->remedies[0].action, "a pool of connections that outlives the request");
	closes_init();
	closes_many(30, SIDE_SERVER, 5 * S, 1);
	closes_many(30, SIDE_SERVER, 5 * S, 2);
	f = closes_one("SERVER_IDLE_TIMEOUT 5.00s");
	assert_null(strstr(f->what, "opens another"));
	closes_init();
	closes_many(60, SIDE_SERVER, 5 * S, 2); /* two requests, or a handshake and one */
	assert_null(strstr(closes_one("SERVER_IDLE_TIMEOUT 5.00s")->what, "opens another"));
}

TEST(KA006__one_request_each__seldom__nothing_to_use_again)
{
	closes_init();
	closes_step = 10 * S;
	closes_many(60, SIDE_SERVER, 5 * S, 1);
	assert_null(strstr(closes_one("SERVER_IDLE_TIMEOUT 5.00s")->what, "opens another"));
}

TEST(KA006__four__too_few)
{
	closes_init();
	closes_many(20, SIDE_CLIENT, MS, 7);
	closes_many(4, SIDE_SERVER, 5 * S, 3);
	closes_not("SERVER_IDLE_TIMEOUT");
	closes_many(1, SIDE_SERVER, 5 * S, 3);
	closes_verdict("SERVER_IDLE_TIMEOUT 5.00s");
}

TEST(KA006__less_than_a_tenth_of_the_closes__silent)
{
	closes_init();
	closes_many(54, SIDE_CLIENT, MS, 7);
	closes_many(6, SIDE_SERVER, 5 * S, 3);
	closes_verdict("SERVER_IDLE_TIMEOUT");
	closes_many(1, SIDE_CLIENT, MS, 7);
	closes_not("SERVER_IDLE_TIMEOUT");
}

TEST(KA006__spread_of_people__silent)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) /* 1 to 13 s */
		closes_many(1, SIDE_SERVER, S + (nsec_t)i * 200 * MS, 2);
	closes_not("SERVER_IDLE_TIMEOUT");
}

TEST(KA006__spread_at_3_percent__the_edge)
{
	closes_init();
	for (unsigned i = 0; i < 11; i++) /* p10 and p90: 8 steps of 10 apart */
		closes_many(1, SIDE_SERVER, 10 * S + (nsec_t)i * 37 * MS, 2);
	assert_int_equal(closes_one("SERVER_IDLE_TIMEOUT")->confidence, CONF_MEDIUM);
	assert_says(closes_one("SERVER_IDLE_TIMEOUT")->evidence, "< 3 %");
	closes_init();
	for (unsigned i = 0; i < 11; i++)
		closes_many(1, SIDE_SERVER, 10 * S + (nsec_t)i * 39 * MS, 2);
	assert_null(strstr(closes_one("SERVER_IDLE_TIMEOUT")->evidence, "< 3 %")); /* now it is a tick */
}

TEST(KA006__looked_at_once_a_second__medium)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++)
		closes_many(1, SIDE_SERVER, 5 * S + (nsec_t)i * 17 * MS, 2);
	assert_int_equal(closes_one("SERVER_IDLE_TIMEOUT")->confidence, CONF_MEDIUM);
	assert_says(closes_one("SERVER_IDLE_TIMEOUT")->evidence, "once a second");
}

TEST(KA006__looked_at_once_a_second__the_shortest_is_the_timeout)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 30; i++) /* gunicorn's threads, as measured */
		closes_many(1, SIDE_SERVER, 2 * S + MS + (nsec_t)i * 33 * MS, 2);
	f = closes_one("SERVER_IDLE_TIMEOUT 2.00s");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->what, "idle for 2.00 s and up to a second more");
	assert_says(f->what, "gunicorn");
	closes_init();
	for (unsigned i = 0; i < 30; i++)
		closes_many(1, SIDE_SERVER, 2 * S - 150 * MS + (nsec_t)i * 33 * MS, 2);
	closes_not("SERVER_IDLE_TIMEOUT");
}

/* Accepting looks at the timers too: those that end meanwhile are closed on time, which in jiffies may be sooner. */
TEST(KA006__a_tick_seen_in_jiffies__is_told)
{
	closes_init();
	for (unsigned i = 0; i < 30; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S - 8 * MS + (i < 6 ? 0 : (nsec_t)i * 33 * MS), 2);

		c.grain = 4 * MS;
		closes_add(&c);
	}
	assert_says(closes_one("SERVER_IDLE_TIMEOUT 1.99s")->what, "gunicorn");
}

TEST(KA006__most_at_one_value_the_rest_elsewhere__medium)
{
	closes_init();
	closes_many(70, SIDE_SERVER, 10 * S, 2);
	for (unsigned i = 0; i < 30; i++)
		closes_many(1, SIDE_SERVER, S + (nsec_t)i * 250 * MS, 2);
	assert_int_equal(closes_one("SERVER_IDLE_TIMEOUT 10.00s")->confidence, CONF_MEDIUM);
}

TEST(KA006__half_a_second_or_less__is_no_idle_close)
{
	closes_init();
	closes_many(60, SIDE_SERVER, CLOSE_IDLE, 7);
	closes_not("SERVER_IDLE_TIMEOUT");
	closes_init();
	closes_many(60, SIDE_SERVER, CLOSE_IDLE + MS, 7);
	closes_one("SERVER_IDLE_TIMEOUT 0.50s");
}

TEST(KA006__requests_together_closed_together__a_timer_all_the_same)
{
	closes_init();
	closes_step = MS / 2;
	for (unsigned i = 0; i < 100; i++)
		closes_many(1, SIDE_SERVER, 2 * S + (nsec_t)(i % 7) * 100 * US, 1);
	closes_one("SERVER_IDLE_TIMEOUT 2.00s");
}

TEST(KA006__closed_together_whenever_the_last_request_was__is_no_timer)
{
	closes_init();
	closes_step = MS / 2;
	for (unsigned i = 0; i < 100; i++)
		closes_many(1, SIDE_SERVER, 2 * S - i * MS / 2, 9);
	closes_one("INSUFFICIENT");
}

TEST(KA006__began_before_we_looked__counts_too)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 75 * S + 100 * MS, 0);

		c.seen = SEEN_END;
		c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - 75 * S - 100 * MS;
		closes_add(&c);
	}
	assert_says(closes_one("SERVER_IDLE_TIMEOUT 75.10s")->what, "nginx (built-in keepalive_timeout 75s)");
}

TEST(KA007__client_closes_after_constant_idle_time)
{
	closes_init();
	closes_many(60, SIDE_CLIENT, 90 * S + 100 * MS, 4);
	assert_says(closes_one("CLIENT_IDLE_TIMEOUT 90.10s")->what, "Go net/http (IdleConnTimeout");
	assert_int_equal(closes_one("CLIENT_IDLE_TIMEOUT 90.10s")->confidence, CONF_MEDIUM);
	assert_says(closes_one("CLIENT_IDLE_TIMEOUT 90.10s")->remedies[0].action, "None needed");
}

TEST(KA007__think_time__silent)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++)
		closes_many(1, SIDE_CLIENT, S + (nsec_t)i * 300 * MS, 4);
	closes_not("CLIENT_IDLE_TIMEOUT");
}

static void stale(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 3);

		c.late_data = c.fin[SIDE_SERVER] + 300 * MS;
		c.rst[SIDE_SERVER] = c.late_data + US;
		c.rst_kind = RST_LATE_DATA;
		c.fin[SIDE_CLIENT] = 0;
		closes_add(&c);
	}
}

TEST(KA008__request_after_an_idle_close__is_lost)
{
	const struct finding *f;

	closes_init();
	stale(60);
	f = closes_verdict("STALE_REUSE");
	assert_non_null(f);
	assert_int_equal(closes_found.n, 2);
	assert_ptr_equal(f, &closes_found.v[0]); /* what is lost is told first */
	assert_int_equal(f->stage, STAGE_LOSING);
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_says(f->evidence, "the server closes after 2.00 s");
	closes_verdict("SERVER_IDLE_TIMEOUT 2.00s");
}

/* Somebody else closed one connection in time: it is not the one that lost requests. */
TEST(KA008__blames_who_opened_most)
{
	struct conn c;

	closes_init();
	for (unsigned i = 0; i < 3; i++) {
		c = closes_next(SIDE_SERVER, 2 * S, 3);
		c.local = SIDE_CLIENT;
		c.opener = (struct conn_proc){.pid = 7, .comm = "python3"};
		c.late_data = c.fin[SIDE_SERVER] + MS;
		c.how = END_RST;
		c.fin[SIDE_CLIENT] = 0;
		closes_add(&c);
	}
	c = closes_next(SIDE_CLIENT, US, 1);
	c.local = SIDE_CLIENT;
	c.opener = c.closer = (struct conn_proc){.pid = 8, .comm = "curl"};
	closes_add(&c);
	assert_string_equal(closes_verdict("STALE_REUSE")->process, "python3[7]");
	assert_says(closes_verdict("STALE_REUSE")->remedies[1].action, "aiohttp");
}

TEST(KA008__one_is_enough__none_is_silent)
{
	closes_init();
	closes_many(60, SIDE_SERVER, 2 * S, 3);
	closes_not("STALE_REUSE");
	stale(1);
	assert_says(closes_verdict("STALE_REUSE")->what, "1 request lost");
}

TEST(KA008__data_cut_by_a_prompt_close__is_no_stale_reuse)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, US, 1); /* 413 in the middle of an upload */

		c.late_data = c.fin[SIDE_SERVER] + US;
		c.rst[SIDE_SERVER] = c.late_data + US;
		c.rst_kind = RST_LATE_DATA;
		closes_add(&c);
	}
	closes_not("STALE_REUSE");
}

/* A server that says close_notify and closes: the alert was its last data, and how long it was idle shows in the requests only. */
static void alert_hides_idle(unsigned n, uint32_t exchanges, nsec_t spread, enum side closer, enum side local)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(closer, 5 * S + i % 10 * spread, exchanges);

		c.local = local;
		c.last_data[closer] = c.fin[closer];
		closes_add(&c);
	}
}

TEST(KA006__live__alert_before_the_fin__the_timer_shows_in_the_requests)
{
	const struct finding *f;

	closes_init();
	alert_hides_idle(60, 7, MS, SIDE_SERVER, SIDE_SERVER);
	f = closes_one("SERVER_IDLE_TIMEOUT 5.0");
	assert_int_equal(f->confidence, CONF_LOW);
	assert_says(f->evidence, "since the other side's data");
	closes_init();
	alert_hides_idle(60, 2, MS, SIDE_SERVER, SIDE_CLIENT);
	closes_one("SERVER_IDLE_TIMEOUT 5.0"); /* and no connection for each request */
	closes_init();
	alert_hides_idle(60, 3, MS, SIDE_CLIENT, SIDE_CLIENT);
	assert_int_equal(closes_one("CLIENT_IDLE_TIMEOUT 5.0")->confidence, CONF_LOW);
}

TEST(KA006__live__requests_that_take_long__no_timer)
{
	closes_init();
	alert_hides_idle(60, 2, 400 * MS, SIDE_SERVER, SIDE_SERVER);
	closes_not("SERVER_IDLE_TIMEOUT");
	closes_init();
	alert_hides_idle(60, 1, MS, SIDE_SERVER, SIDE_SERVER); /* one exchange: no TLS */
	closes_not("SERVER_IDLE_TIMEOUT");
	closes_verdict("CLOSE_PER_REQUEST_BY_SERVER");
	closes_init();
	alert_hides_idle(60, 7, MS, SIDE_SERVER, SIDE_NONE); /* what a capture has last was no alert */
	closes_not("SERVER_IDLE_TIMEOUT");
}

/* The server's end cannot tell requests from good-byes; its clients' end can. */
TEST(KA008__live__told_from_both_ends__the_clients_know)
{
	for (unsigned lost = 0; lost < 2; lost++) {
		closes_init();
		for (unsigned i = 0; i < 120; i++) {
			struct conn c = closes_next(SIDE_SERVER, 2 * S, 3);

			c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
			if (lost || c.local == SIDE_SERVER)
				c.late_data = c.fin[SIDE_SERVER] + S;
			c.rst_kind = RST_LATE_DATA;
			closes_add(&c);
		}
		if (!lost) {
			closes_not("STALE_REUSE");
			continue;
		}
		assert_string_equal(closes_verdict("STALE_REUSE")->service, "to 10.0.0.2:80");
		assert_int_equal(closes_verdict("STALE_REUSE")->confidence, CONF_HIGH);
	}
}

static void late_alone(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_SERVER, US, 0);

		c.seen = SEEN_END | SEEN_HOLES;
		c.how = END_RST;
		memset(c.fin, 0, sizeof(c.fin));
		c.rst[SIDE_SERVER] = c.late_data = c.end = c.start;
		c.rst_kind = RST_LATE_DATA;
		c.local = SIDE_SERVER;
		closes_add(&c);
	}
}

TEST(KA008__live__late_data_at_a_time_wait__medium_where_the_server_closes_idle_ones)
{
	for (unsigned plain = 0; plain < 2; plain++) {
		closes_init();
		for (unsigned i = 0; i < 60; i++) { /* with TLS none has one exchange */
			struct conn c = closes_next(SIDE_SERVER, 2 * S, plain && i % 9 == 0 ? 1 : 3);

			c.local = SIDE_SERVER;
			closes_add(&c);
		}
		late_alone(4);
		assert_int_equal(closes_verdict("STALE_REUSE")->confidence, plain ? CONF_MEDIUM : CONF_LOW);
	}
	assert_says(closes_verdict("STALE_REUSE")->what, "4 requests lost");
	assert_int_equal(closes.v[0]->conns, 60);
}

TEST(KA008__live__late_data_where_closes_are_prompt__silent)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, US, 3);

		c.local = SIDE_SERVER;
		closes_add(&c);
	}
	late_alone(4);
	closes_not("STALE_REUSE");
}

static void forgotten(unsigned n, nsec_t idle)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next_rst(SIDE_SERVER, US, RST_NO_SOCKET);

		c.idle_failed = idle;
		c.unanswered = true;
		closes_add(&c);
	}
}

TEST(KA010__longer_idle_times_fail_shorter_survive)
{
	const struct finding *f;
	struct conn c;

	closes_init();
	c = closes_next(SIDE_CLIENT, MS, 9);
	c.idle_survived = 300 * S;
	closes_add(&c);
	forgotten(2, 350 * S);
	closes_not("MIDDLEBOX_IDLE_DROP");
	forgotten(10, 355 * S);
	f = closes_one("MIDDLEBOX_IDLE_DROP 350s");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->evidence, "failed 350.00 s > longest that survived 300.00 s");
}

TEST(KA010__longer_ones_survived__is_no_limit)
{
	struct conn c;

	closes_init();
	forgotten(12, 350 * S);
	c = closes_next(SIDE_CLIENT, MS, 9);
	c.idle_survived = 350 * S;
	closes_add(&c);
	closes_not("MIDDLEBOX_IDLE_DROP");
}

/* However many there are: the shortest is known, not one of a sample. */
TEST(KA010__shorter_one_failed_among_thousands__is_no_limit)
{
	struct conn c;

	closes_init();
	c = closes_next(SIDE_CLIENT, MS, 9);
	c.idle_survived = 300 * S;
	closes_add(&c);
	forgotten(1, 250 * S);
	forgotten(4000, 350 * S);
	closes_not("MIDDLEBOX_IDLE_DROP");
}

RUN(T(KA010__shorter_one_failed_among_thousands__is_no_limit), T(KA006__constant_idle_time__is_the_timeout),
    T(KA006__one_request_each__the_client_leaves_them), T(KA006__one_request_each__seldom__nothing_to_use_again),
    T(KA006__four__too_few), T(KA006__less_than_a_tenth_of_the_closes__silent), T(KA006__spread_of_people__silent),
    T(KA006__spread_at_3_percent__the_edge), T(KA006__looked_at_once_a_second__medium),
    T(KA006__looked_at_once_a_second__the_shortest_is_the_timeout), T(KA006__a_tick_seen_in_jiffies__is_told),
    T(KA006__most_at_one_value_the_rest_elsewhere__medium), T(KA006__half_a_second_or_less__is_no_idle_close),
    T(KA006__requests_together_closed_together__a_timer_all_the_same),
    T(KA006__closed_together_whenever_the_last_request_was__is_no_timer), T(KA006__began_before_we_looked__counts_too),
    T(KA007__client_closes_after_constant_idle_time), T(KA007__think_time__silent),
    T(KA008__request_after_an_idle_close__is_lost), T(KA008__blames_who_opened_most),
    T(KA008__one_is_enough__none_is_silent), T(KA008__data_cut_by_a_prompt_close__is_no_stale_reuse),
    T(KA006__live__alert_before_the_fin__the_timer_shows_in_the_requests),
    T(KA006__live__requests_that_take_long__no_timer), T(KA008__live__told_from_both_ends__the_clients_know),
    T(KA008__live__late_data_at_a_time_wait__medium_where_the_server_closes_idle_ones),
    T(KA008__live__late_data_where_closes_are_prompt__silent), T(KA010__longer_idle_times_fail_shorter_survive),
    T(KA010__longer_ones_survived__is_no_limit))
