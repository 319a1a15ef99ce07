/* SPDX-License-Identifier: MIT */
#include "io/impair.h"
#include "tests/unit/t.h"

enum { MANY = 20000 };

static struct impair *made(struct impair_cfg cfg)
{
	struct impair *im = impair_new(&cfg, 7);

	assert_non_null(im);
	return im;
}

static void put(struct impair *im, nsec_t now, uint32_t number)
{
	uint8_t packet[100] = {0};

	memcpy(packet, &number, sizeof(number));
	impair_put(im, now, packet, sizeof(packet));
}

/* The number of the next packet due, UINT32_MAX: none. */
static uint32_t got(struct impair *im, nsec_t now)
{
	const void *packet;
	uint32_t number = UINT32_MAX;
	size_t len = impair_get(im, now, &packet);

	if (len) {
		assert_int_equal(len, 100);
		memcpy(&number, packet, sizeof(number));
	}
	return number;
}

TEST(nothing_asked_for__packets_pass_at_once_and_in_order)
{
	struct impair *im = made((struct impair_cfg){0});

	for (uint32_t i = 0; i < 3; i++)
		put(im, 5, i);
	assert_int_equal(impair_next_at(im), 5);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(got(im, 5), i);
	assert_int_equal(got(im, 5), UINT32_MAX);
	assert_true(impair_next_at(im) == NSEC_NEVER);
	impair_free(im);
}

TEST(delay__nothing_before_its_time)
{
	struct impair *im = made((struct impair_cfg){.delay = 10});

	put(im, 100, 1);
	assert_int_equal(impair_next_at(im), 110);
	assert_int_equal(got(im, 109), UINT32_MAX);
	assert_int_equal(got(im, 110), 1);
	impair_free(im);
}

TEST(loss_and_duplicate__as_often_as_asked_for)
{
	struct impair *im = made((struct impair_cfg){.loss = 0.05, .duplicate = 0.02});
	const struct impair_stats *s = impair_stats(im);
	uint64_t out = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		put(im, i, i);
		while (got(im, i) != UINT32_MAX)
			out++;
	}
	assert_in_range(s->lost, MANY * 4 / 100, MANY * 6 / 100);
	assert_in_range(s->duplicated, MANY * 15 / 1000, MANY * 25 / 1000);
	assert_int_equal(out, MANY - s->lost + s->duplicated);
	assert_int_equal(s->out, out);
	impair_free(im);
}

TEST(reorder__some_are_overtaken__none_is_lost)
{
	struct impair *im = made((struct impair_cfg){.reorder = 0.1});
	uint32_t last = 0, overtaken = 0, n = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		nsec_t now = i * (NSEC_PER_MS / 2);

		put(im, now, i);
		for (uint32_t x; (x = got(im, now)) != UINT32_MAX; n++) {
			overtaken += x < last;
			last = x;
		}
	}
	while (got(im, NSEC_PER_S * 3600) != UINT32_MAX)
		n++;
	assert_int_equal(n, MANY);
	assert_in_range(overtaken, MANY / 20, MANY / 8);
	impair_free(im);
}

TEST(rate__packets_leave_one_after_the_other__and_the_queue_is_bounded)
{
	/* 100 octets at 8 Mbit/s take 100 us; room for 300 octets behind the one that is being sent. */
	struct impair *im = made((struct impair_cfg){.rate_bps = 8000000, .queue_bytes = 300});

	for (uint32_t i = 0; i < 6; i++)
		put(im, 0, i);
	assert_int_equal(impair_stats(im)->overflowed, 2);
	for (uint32_t i = 0; i < 4; i++) {
		const nsec_t at = (i + 1) * UINT64_C(100000);

		assert_int_equal(impair_next_at(im), at);
		assert_int_equal(got(im, at), i);
	}
	put(im, 1000000, 9); /* the link has been idle */
	assert_int_equal(impair_next_at(im), 1100000);
	impair_free(im);
}

TEST(hold__nothing_comes_out_before_it_is_let_go)
{
	struct impair *im = made((struct impair_cfg){0});

	impair_hold(im, true);
	put(im, 1, 1);
	assert_true(impair_next_at(im) == NSEC_NEVER);
	assert_int_equal(got(im, 2), UINT32_MAX);
	impair_hold(im, false);
	assert_int_equal(got(im, 2), 1);
	impair_free(im);
}

TEST(lose_next__that_many_and_no_more)
{
	struct impair *im = made((struct impair_cfg){0});

	impair_lose_next(im, 2);
	for (uint32_t i = 0; i < 4; i++)
		put(im, 1, i);
	assert_int_equal(got(im, 1), 2);
	assert_int_equal(got(im, 1), 3);
	assert_int_equal(impair_stats(im)->lost, 2);
	impair_free(im);
}

TEST(more_than_there_are_places_for__is_lost_and_counted__places_come_back)
{
	struct impair *im = made((struct impair_cfg){.delay = 1});

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < IMPAIR_PACKETS + 5; i++)
			put(im, 0, i);
		for (uint32_t i = 0; i < IMPAIR_PACKETS; i++)
			assert_int_equal(got(im, 1), i);
		assert_int_equal(got(im, 1), UINT32_MAX);
	}
	assert_int_equal(impair_stats(im)->overflowed, 15);
	impair_free(im);
}

TEST(too_long_or_empty__is_lost)
{
	static const uint8_t packet[IMPAIR_PACKET_MAX + 1];
	struct impair *im = made((struct impair_cfg){0});
	const void *p;

	impair_put(im, 0, packet, sizeof(packet));
	impair_put(im, 0, packet, 0);
	impair_put(im, 0, packet, sizeof(packet) - 1);
	assert_int_equal(impair_get(im, 0, &p), IMPAIR_PACKET_MAX);
	assert_int_equal(impair_stats(im)->lost, 2);
	impair_free(im);
}

TEST(mtu__longer_ones_do_not_fit__and_are_counted)
{
	struct impair *im = made((struct impair_cfg){.mtu = 1280}), *any = made((struct impair_cfg){0});

	assert_true(impair_fits(im, 1280));
	assert_false(impair_fits(im, 1281));
	assert_true(impair_fits(any, 1600));
	assert_int_equal(impair_stats(im)->too_big, 1);
	impair_free(im);
	impair_free(any);
}

TEST(same_seed__same_fate)
{
	struct impair_cfg cfg = {.loss = 0.2, .duplicate = 0.2, .reorder = 0.3};
	struct impair *a = made(cfg), *b = made(cfg);

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t x;

		put(a, i * NSEC_PER_MS, i);
		put(b, i * NSEC_PER_MS, i);
		do {
			x = got(a, i * NSEC_PER_MS);
			assert_int_equal(got(b, i * NSEC_PER_MS), x);
		} while (x != UINT32_MAX);
	}
	impair_free(a);
	impair_free(b);
}

TEST(words__are_read)
{
	struct impair_cfg c;

	assert_true(impair_parse("loss=2,dup=0.5,reorder=3,delay=10,rate=100", &c));
	assert_true(c.loss == 0.02 && c.duplicate == 0.005 && c.reorder == 0.03);
	assert_true(c.delay == 10 * NSEC_PER_MS && c.rate_bps == 100000000);
	assert_true(impair_parse("mtu=1280", &c) && c.mtu == 1280);
	assert_true(impair_parse("none", &c));
	assert_true(c.loss == 0 && c.delay == 0 && c.rate_bps == 0);
}

TEST(other_words__are_refused__and_change_nothing)
{
	static const char *const bad[] = {"",         "loss",        "loss=",       "loss=x",    "loss=-1",
					  "loss=101", "los=1",       "lossy=1",     "loss=1,",   ",loss=1",
					  "loss=1 ",  "delay=10001", "rate=0",      "rate=1e99", "loss=nan",
					  "loss=1e9", "loss=1;dup",  "none,loss=1", "mtu=575",   "mtu=1601"};
	struct impair_cfg c = {.delay = 77};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(impair_parse(bad[i], &c));
		assert_int_equal(c.delay, 77);
	}
}

RUN(T(nothing_asked_for__packets_pass_at_once_and_in_order), T(delay__nothing_before_its_time),
    T(loss_and_duplicate__as_often_as_asked_for), T(reorder__some_are_overtaken__none_is_lost),
    T(rate__packets_leave_one_after_the_other__and_the_queue_is_bounded),
    T(hold__nothing_comes_out_before_it_is_let_go), T(lose_next__that_many_and_no_more),
    T(more_than_there_are_places_for__is_lost_and_counted__places_come_back), T(too_long_or_empty__is_lost),
    T(mtu__longer_ones_do_not_fit__and_are_counted), T(same_seed__same_fate), T(words__are_read),
    T(other_words__are_refused__and_change_nothing))
