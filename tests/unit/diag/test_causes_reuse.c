/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

/* A pool as measured: most connections carry one request, a few carry many. */
static void small_pool(unsigned ones, unsigned lucky, uint32_t most)
{
	closes_many(ones, SIDE_CLIENT, MS, 1);
	closes_many(lucky, SIDE_CLIENT, MS, most);
}

TEST(KA004__many_ones_and_a_few_with_many__pool_too_small)
{
	const struct finding *f;

	closes_init();
	small_pool(95, 5, 36);
	f = closes_one("CLIENT_POOL_TOO_SMALL");
	assert_int_equal(f->confidence, CONF_MEDIUM);
	assert_says(f->evidence, "up to 36 in one");
}

/* Two pools look as one: one connection that stays carries a lot. The mean is that of those counted. */
TEST(KA004__mean__of_whole_connections_only)
{
	struct conn c;

	closes_init();
	small_pool(88, 12, 12);
	c = closes_next(SIDE_CLIENT, MS, 3000);
	c.seen &= ~(uint32_t)SEEN_SYN;
	closes_add(&c);
	assert_says(closes_one("CLIENT_POOL_TOO_SMALL")->evidence, "up to 3000 in one, >= 3 and >= 3 x the mean 2.3");
}

TEST(KA004__program_that_ends__is_no_small_pool)
{
	closes_init();
	closes_step = MS;
	for (unsigned i = 0; i < 100; i++) { /* opened first, closed together later */
		struct conn c = closes_next(SIDE_CLIENT, MS, i % 3 ? 1 : 40);
		nsec_t later = 120 * S - c.start;

		c.fin[SIDE_CLIENT] += later;
		c.fin[SIDE_SERVER] += later;
		c.last_data[SIDE_CLIENT] += later;
		c.last_data[SIDE_SERVER] += later;
		c.end += later;
		closes_add(&c);
	}
	closes_one("MASS_CLOSE");
}

TEST(KA004__most_below_three_times_the_mean__silent)
{
	closes_init();
	small_pool(50, 50, 9); /* mean 5 */
	closes_not("CLIENT_POOL_TOO_SMALL");
}

TEST(KA004__fewer_than_one_in_five_with_one__silent)
{
	closes_init();
	closes_many(19, SIDE_CLIENT, MS, 1);
	closes_many(80, SIDE_CLIENT, MS, 5);
	closes_many(1, SIDE_CLIENT, MS, 50);
	closes_not("CLIENT_POOL_TOO_SMALL");
	closes_many(2, SIDE_CLIENT, MS, 1);
	closes_verdict("CLIENT_POOL_TOO_SMALL");
}

TEST(KA004__many_clients__silent)
{
	closes_init();
	for (unsigned i = 0; i < 100; i++) {
		struct conn c = closes_next(SIDE_CLIENT, MS, i % 20 ? 1 : 36);

		c.addr[SIDE_CLIENT].b[3] = (uint8_t)(i % 10);
		closes_add(&c);
	}
	closes_one("INSUFFICIENT");
}

TEST(KA005__half_at_n_and_none_above__request_cap)
{
	const struct finding *f;

	closes_init();
	closes_many(46, SIDE_SERVER, 4 * US, 100);
	closes_many(9, SIDE_CLIENT, MS, 50);
	f = closes_one("REQUEST_CAP 100");
	assert_int_equal(f->confidence, CONF_MEDIUM); /* a known default, but of what could not be read */
	assert_says(f->what, "the default of nginx (keepalive_requests 100, before");
	closes_many(1, SIDE_CLIENT, MS, 101);
	closes_not("REQUEST_CAP");
}

TEST(KA005__less_than_half_at_n__silent)
{
	closes_init();
	closes_many(20, SIDE_SERVER, 4 * US, 100);
	closes_many(21, SIDE_SERVER, MS, 50);
	closes_not("REQUEST_CAP");
}

TEST(KA005__server_waits_before_it_closes__is_an_idle_timeout)
{
	closes_init();
	closes_many(60, SIDE_SERVER, 5 * S, 7); /* clients that send seven requests and forget */
	closes_one("SERVER_IDLE_TIMEOUT 5.00s");
}

TEST(KA005__client_closes_after_n__is_its_own_quota)
{
	closes_init();
	closes_many(60, SIDE_CLIENT, 4 * US, 100);
	closes_one("INSUFFICIENT");
}

TEST(KA005__response_says_close__counts_when_the_client_is_faster)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_CLIENT, 4 * US, 0);

		c.seen |= SEEN_HEADERS;
		c.responses = 37;
		c.http = HTTP_RESPONSE_CLOSE;
		closes_add(&c);
	}
	assert_int_equal(closes_one("REQUEST_CAP 37")->confidence, CONF_HIGH);
}

TEST(KA005__small_numbers_without_headers__low_or_silent)
{
	closes_init();
	closes_many(60, SIDE_SERVER, 4 * US, 6); /* a session of SMTP */
	assert_int_equal(closes_one("REQUEST_CAP 6")->confidence, CONF_LOW);
	closes_init();
	closes_many(30, SIDE_SERVER, 4 * US, 3);
	closes_many(20, SIDE_SERVER, 4 * US, 2);
	closes_one("INSUFFICIENT");
	closes_init();
	closes_many(60, SIDE_SERVER, 4 * US, 25);
	assert_int_equal(closes_one("REQUEST_CAP 25")->confidence, CONF_MEDIUM);
}

/* With TLS a handshake is among what was counted: one exchange or two. */
TEST(KA005__live__a_handshake_may_be_among_the_exchanges)
{
	static const struct {
		uint16_t port;
		uint32_t exchanges;
		const char *verdict;
		enum confidence confidence;
	} rows[] = {
		{8000, 100, "REQUEST_CAP 100", CONF_MEDIUM}, /* 98 is no number that people set */
		{8443, 100, "REQUEST_CAP 100", CONF_MEDIUM},
		{8000, 102, "REQUEST_CAP 100-101", CONF_LOW}, /* Apache's default is 101 */
		{8000, 1000, "REQUEST_CAP 1000", CONF_MEDIUM},
		{8000, 52, "REQUEST_CAP 50", CONF_LOW},
		{8000, 7, "REQUEST_CAP 5-7", CONF_LOW},
		{8000, 4, "REQUEST_CAP 2-4", CONF_LOW},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		closes_init();
		closes_many_live(60, SIDE_SERVER, SIDE_SERVER, rows[i].port, rows[i].exchanges, false);
		assert_string_equal(closes_one("REQUEST_CAP")->verdict, rows[i].verdict);
		assert_int_equal(closes_one("REQUEST_CAP")->confidence, rows[i].confidence);
	}
}

TEST(KA005__live__server_known__its_default_and_a_handshake)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, MS, 102);

		c.local = SIDE_SERVER;
		c.closer = (struct conn_proc){.pid = 7, .comm = "nginx"};
		closes_add(&c);
	}
	assert_int_equal(closes_one("REQUEST_CAP 100")->confidence, CONF_MEDIUM);
	assert_says(closes_one("REQUEST_CAP 100")->what, "102 exchanges, of which a TLS handshake takes 1 or 2");
	assert_says(closes_one("REQUEST_CAP 100")->raise, "lastack pcap");
}

TEST(KA005__live__many_with_one_exchange__is_no_tls)
{
	closes_init();
	closes_many_live(54, SIDE_SERVER, SIDE_SERVER, 80, 37, false);
	closes_many_live(6, SIDE_SERVER, SIDE_SERVER, 80, 1, false);
	assert_string_equal(closes_one("REQUEST_CAP")->verdict, "REQUEST_CAP 37");
	closes_init();
	closes_many_live(54, SIDE_SERVER, SIDE_SERVER, 443, 37, false); /* they may have made a handshake only */
	closes_many_live(6, SIDE_SERVER, SIDE_SERVER, 443, 1, false);
	assert_string_equal(closes_one("REQUEST_CAP")->verdict, "REQUEST_CAP 35-37");
}

RUN(T(KA004__mean__of_whole_connections_only), T(KA004__many_ones_and_a_few_with_many__pool_too_small),
    T(KA004__program_that_ends__is_no_small_pool), T(KA004__most_below_three_times_the_mean__silent),
    T(KA004__fewer_than_one_in_five_with_one__silent), T(KA004__many_clients__silent),
    T(KA005__half_at_n_and_none_above__request_cap), T(KA005__less_than_half_at_n__silent),
    T(KA005__server_waits_before_it_closes__is_an_idle_timeout), T(KA005__client_closes_after_n__is_its_own_quota),
    T(KA005__response_says_close__counts_when_the_client_is_faster),
    T(KA005__small_numbers_without_headers__low_or_silent), T(KA005__live__a_handshake_may_be_among_the_exchanges),
    T(KA005__live__server_known__its_default_and_a_handshake), T(KA005__live__many_with_one_exchange__is_no_tls))
