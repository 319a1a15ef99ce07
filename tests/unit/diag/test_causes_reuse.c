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
	assert_int_equal(f->confidence, CONF_HIGH);
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

RUN(T(KA004__many_ones_and_a_few_with_many__pool_too_small), T(KA004__program_that_ends__is_no_small_pool),
    T(KA004__most_below_three_times_the_mean__silent), T(KA004__fewer_than_one_in_five_with_one__silent),
    T(KA004__many_clients__silent), T(KA005__half_at_n_and_none_above__request_cap),
    T(KA005__less_than_half_at_n__silent), T(KA005__server_waits_before_it_closes__is_an_idle_timeout),
    T(KA005__client_closes_after_n__is_its_own_quota), T(KA005__response_says_close__counts_when_the_client_is_faster),
    T(KA005__small_numbers_without_headers__low_or_silent))
