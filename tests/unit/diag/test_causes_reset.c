/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

TEST(RST003__complete_answers__inform)
{
	const struct finding *f;

	closes_init();
	closes_many_rst(60, SIDE_CLIENT, 400 * US, RST_CLEAN);
	f = closes_one("CLIENT_ABORT_RST");
	assert_int_equal(f->severity, SEV_INFO);
	assert_says(f->what, "nothing is lost on the way");
	assert_int_equal(f->confidence, CONF_MEDIUM);
}

TEST(RST003__unread_answers__warn)
{
	closes_init();
	closes_many_rst(60, SIDE_CLIENT, 60 * US, RST_UNREAD);
	assert_int_equal(closes_one("CLIENT_ABORT_RST")->severity, SEV_WARN);
	assert_int_equal(closes_one("CLIENT_ABORT_RST")->confidence, CONF_HIGH);
}

TEST(RST003__fewer_than_a_tenth_of_the_closes__silent)
{
	closes_init();
	closes_many(90, SIDE_SERVER, 10 * US, 1);
	closes_many_rst(10, SIDE_CLIENT, MS, RST_CLEAN);
	closes_verdict("CLIENT_ABORT_RST");
	closes_many(1, SIDE_SERVER, 10 * US, 1);
	closes_not("CLIENT_ABORT_RST");
}

TEST(RST003__nine__too_few)
{
	closes_init();
	closes_many_rst(9, SIDE_CLIENT, MS, RST_CLEAN);
	closes_not("CLIENT_ABORT_RST");
}

TEST(RST003__load_generator_that_ends__silent)
{
	closes_init();
	closes_step = MS;
	for (unsigned i = 0; i < 50; i++) {
		struct conn c = closes_next_rst(SIDE_CLIENT, MS, RST_UNREAD);

		c.rst[SIDE_CLIENT] += 110 * S - c.start;
		c.end = c.rst[SIDE_CLIENT];
		c.exchanges = 5000 + i;
		closes_add(&c);
	}
	closes_not("CLIENT_ABORT_RST");
}

TEST(RST004__unread_requests__warn)
{
	const struct finding *f;

	closes_init();
	closes_many_rst(60, SIDE_SERVER, 60 * US, RST_UNREAD);
	f = closes_one("SERVER_ABORT_RST");
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_says(f->remedies[1].action, "lingering_close");
}

TEST(RST004__after_an_error__says_which)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next_rst(SIDE_SERVER, 60 * US, RST_UNREAD);

		c.status = 413;
		closes_add(&c);
	}
	f = closes_one("SERVER_ABORT_RST");
	assert_says(f->what, "answered with an error, such as 413");
	assert_says(f->remedies[1].action, "lingering_close");
	assert_says(f->remedies[3].action, "client_max_body_size");
}

/* The request was acknowledged and not read: the kernel's RST, not the program's. */
TEST(RST004__reset_with_an_answer_due__is_no_linger_0)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next_rst(SIDE_SERVER, 60 * US, RST_CLEAN);

		c.unanswered = i % 2 == 0;
		c.status = i % 2 ? 400 : 0;
		closes_add(&c);
	}
	closes_one("SERVER_ABORT_RST");
}

TEST(RST004__idle_connections_reset__nothing_is_lost)
{
	const struct finding *f;

	closes_init();
	closes_many_rst(60, SIDE_SERVER, 60 * S, RST_CLEAN);
	f = closes_one("SERVER_ABORT_RST");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_int_equal(f->severity, SEV_INFO);
	assert_says(f->what, "ends idle connections by RST");
	assert_says(f->what, "nothing was on its way");
	assert_says(f->evidence, "median 60.00 s");
	for (size_t i = 0; i < f->n_remedies; i++)
		assert_null(strstr(f->remedies[i].action, "linger"));
}

TEST(RST004__idle_edge_and_an_answer_due__may_lose)
{
	closes_init();
	closes_many_rst(60, SIDE_SERVER, CLOSE_IDLE, RST_CLEAN);
	assert_says(closes_one("SERVER_ABORT_RST")->what, "answers on their way may be lost");
	closes_init();
	closes_many_rst(60, SIDE_SERVER, CLOSE_IDLE + 1, RST_CLEAN);
	assert_says(closes_one("SERVER_ABORT_RST")->what, "nothing was on its way");
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next_rst(SIDE_SERVER, 60 * S, RST_CLEAN);

		c.unanswered = true;
		closes_add(&c);
	}
	assert_says(closes_one("SERVER_ABORT_RST")->what, "answers on their way may be lost");
}

static void uploads(unsigned n, nsec_t gap, nsec_t late, uint32_t seen)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_SERVER, gap, 1);

		c.seen |= seen;
		c.requests = c.responses = 1;
		c.status = 413;
		c.late_data = c.fin[SIDE_SERVER] + late;
		c.fin[SIDE_CLIENT] = 0;
		c.rst[SIDE_SERVER] = c.late_data + MS;
		c.rst_kind = RST_LATE_DATA;
		c.how = END_RST;
		closes_add(&c);
	}
}

/* Answered early, and closed with the rest still to come. */
TEST(RST004__upload_cut_short__may_lose_the_answer)
{
	const struct finding *f;

	closes_init();
	uploads(60, 100 * US, MS, SEEN_HEADERS);
	f = closes_verdict("SERVER_ABORT_RST");
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->what, "closes while the client is still sending");
	assert_says(f->what, "such as 413");
	assert_says(f->remedies[1].action, "lingering_close");
}

TEST(RST004__late_data_of_another_kind__silent)
{
	closes_init();
	uploads(60, 100 * US, MS, 0); /* not read: it may be a farewell */
	closes_not("SERVER_ABORT_RST");
	closes_init();
	uploads(60, 100 * US, RST_PROMPT + 2 * MS, SEEN_HEADERS);
	closes_not("SERVER_ABORT_RST");
	closes_init();
	uploads(60, S, MS, SEEN_HEADERS);
	closes_not("SERVER_ABORT_RST");
	closes_verdict("STALE_REUSE");
	closes_init();
	uploads(4, 100 * US, MS, SEEN_HEADERS);
	closes_not("SERVER_ABORT_RST");
}

TEST(RST004__below_one_in_a_hundred_or_five__silent)
{
	closes_init();
	closes_many(600, SIDE_CLIENT, MS, 1);
	closes_many_rst(6, SIDE_SERVER, MS, RST_UNREAD);
	closes_not("SERVER_ABORT_RST");
	closes_many_rst(1, SIDE_SERVER, MS, RST_UNREAD);
	closes_verdict("SERVER_ABORT_RST");
	closes_init();
	closes_many(40, SIDE_CLIENT, MS, 1);
	closes_many_rst(4, SIDE_SERVER, MS, RST_UNREAD);
	closes_not("SERVER_ABORT_RST");
}

TEST(RST004__answers_of_unknown_connections__are_no_aborts)
{
	closes_init();
	closes_many_rst(60, SIDE_SERVER, MS, RST_NO_SOCKET);
	closes_not("SERVER_ABORT_RST");
}

TEST(RST005__server_resets_right_after_its_answer__medium_from_a_capture)
{
	const struct finding *f;

	closes_init();
	closes_many_rst(60, SIDE_SERVER, RST_PROMPT, RST_CLEAN);
	f = closes_one("LINGER0");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->raise, "lastack trace");
}

TEST(RST005__kernel_knows__high_for_either_side)
{
	closes_init();
	closes_many_rst(60, SIDE_SERVER, 60 * S, RST_LINGER_0);
	assert_int_equal(closes_one("LINGER0")->confidence, CONF_HIGH);
	closes_init();
	closes_many_rst(60, SIDE_CLIENT, MS, RST_LINGER_0);
	closes_one("LINGER0"); /* no second word about the same resets */
}

TEST(RST005__client_in_a_capture__is_not_accused)
{
	closes_init();
	closes_many_rst(60, SIDE_CLIENT, MS, RST_CLEAN);
	closes_not("LINGER0");
}

TEST(RST005__haproxy_towards_servers__harmless)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next_rst(SIDE_CLIENT, MS, RST_LINGER_0);

		c.local = SIDE_CLIENT;
		c.opener.pid = c.closer.pid = 9;
		memcpy(c.opener.comm, "haproxy", 8);
		memcpy(c.closer.comm, "haproxy", 8);
		closes_add(&c);
	}
	assert_int_equal(closes_verdict("LINGER0")->severity, SEV_INFO);
	assert_says(closes_verdict("LINGER0")->what, "haproxy[9] ends idle connections to its servers by RST");
}

static void fin_then_rst(unsigned n, nsec_t later)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_SERVER, 10 * US, 1);

		c.rst[SIDE_SERVER] = c.fin[SIDE_SERVER] + later;
		c.rst_kind = RST_CLEAN;
		closes_add(&c);
	}
}

TEST(RST006__within_a_millisecond__loses_answers)
{
	closes_init();
	fin_then_rst(60, 40 * US);
	assert_int_equal(closes_verdict("FIN_THEN_RST")->stage, STAGE_LOSING);
	closes_init();
	fin_then_rst(60, MS + 1);
	closes_not("FIN_THEN_RST");
}

TEST(RST006__four_or_less_than_one_in_a_hundred__silent)
{
	closes_init();
	fin_then_rst(4, US);
	closes_not("FIN_THEN_RST");
	closes_many(496, SIDE_SERVER, US, 1);
	fin_then_rst(1, US);
	closes_not("FIN_THEN_RST");
	fin_then_rst(1, US);
	closes_verdict("FIN_THEN_RST");
}

RUN(T(RST003__complete_answers__inform), T(RST003__unread_answers__warn),
    T(RST003__fewer_than_a_tenth_of_the_closes__silent), T(RST003__nine__too_few),
    T(RST003__load_generator_that_ends__silent), T(RST004__unread_requests__warn),
    T(RST004__after_an_error__says_which), T(RST004__idle_connections_reset__nothing_is_lost),
    T(RST004__idle_edge_and_an_answer_due__may_lose), T(RST004__upload_cut_short__may_lose_the_answer),
    T(RST004__late_data_of_another_kind__silent), T(RST004__below_one_in_a_hundred_or_five__silent),
    T(RST004__answers_of_unknown_connections__are_no_aborts), T(RST004__reset_with_an_answer_due__is_no_linger_0),
    T(RST005__server_resets_right_after_its_answer__medium_from_a_capture),
    T(RST005__kernel_knows__high_for_either_side), T(RST005__client_in_a_capture__is_not_accused),
    T(RST005__haproxy_towards_servers__harmless), T(RST006__within_a_millisecond__loses_answers),
    T(RST006__four_or_less_than_one_in_a_hundred__silent))
