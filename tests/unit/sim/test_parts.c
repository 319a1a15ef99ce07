/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "base/rng.h"
#include "sim/agenda.h"
#include "sim/clock.h"
#include "sim/spans.h"
#include "sim/stream.h"
#include "tests/unit/sim/rig.h"

/* ---- agenda ---- */

TEST(agenda__gives_by_time_and_equal_times_in_order)
{
	struct agenda *a = malloc(sizeof(*a));
	nsec_t last_at = 0;
	uint32_t last = 0;
	struct rng rng;

	rng_seed(&rng, 1);
	agenda_init(a);
	assert_int_equal(agenda_next_at(a), NSEC_NEVER);
	for (uint32_t i = 0; i < AGENDA_MAX; i++)
		assert_true(agenda_add(a, rng_below(&rng, 500), i));
	assert_false(agenda_add(a, 1, 1));
	for (uint32_t i = 0; i < AGENDA_MAX; i++) {
		nsec_t at = agenda_next_at(a);
		uint32_t what = agenda_take(a);

		assert_true(i == 0 || at > last_at || (at == last_at && what > last));
		last_at = at;
		last = what;
	}
	assert_int_equal(agenda_next_at(a), NSEC_NEVER);
	free(a);
}

/* ---- spans ---- */

/* Against one bit an octet. */
TEST(spans__know_what_was_added)
{
	struct spans s = {0};
	bool there[400] = {false};
	struct rng rng;

	rng_seed(&rng, 3);
	for (unsigned i = 0; i < 30000; i++) {
		uint32_t from = rng_below(&rng, 380), to = from + rng_below(&rng, 20);
		const struct span *a;
		bool all = true;

		if (i % 40 == 0) {
			s = (struct spans){0};
			memset(there, 0, sizeof(there));
		}
		spans_add(&s, from, to);
		assert_false(s.spilt);
		for (uint32_t k = from; k < to; k++)
			there[k] = true;
		from = rng_below(&rng, 380);
		to = from + 1 + rng_below(&rng, 19);
		for (uint32_t k = from; k < to; k++)
			all &= there[k];
		assert_int_equal(spans_have(&s, from, to), all);
		a = spans_around(&s, from);
		assert_int_equal(a != NULL, there[from]);
		assert_true(!a || (!(a->from && there[a->from - 1]) && !there[a->to]));
		if (i % 7 == 0) { /* the piece it is in stays whole */
			uint32_t kept = a ? a->from : from;

			spans_forget_below(&s, from);
			memset(there, 0, kept);
		}
	}
}

TEST(spans__too_many_pieces_and_nothing_is_known)
{
	struct spans s = {0};

	for (uint32_t i = 0; i <= SPANS_MAX; i++)
		spans_add(&s, 10 * i, 10 * i + 5);
	assert_true(s.spilt && spans_have(&s, 7, 8) && !spans_around(&s, 2));
}

/* ---- clock ---- */

TEST(clock__never_goes_back_and_wakes_not_too_early)
{
	struct rng rng;

	rng_seed(&rng, 2);
	for (unsigned i = 0; i < 100000; i++) {
		struct clock c = {rng_u64(&rng) >> 2,
				  CLOCK_RATE_MIN + rng_below(&rng, CLOCK_RATE_MAX - CLOCK_RATE_MIN + 1)};
		nsec_t at = rng_u64(&rng) >> (12 + rng_below(&rng, 30)), local = clock_local(&c, at), back;

		assert_true(clock_local(&c, at + 1) >= local);
		back = clock_true(&c, local);
		assert_true(back <= at && clock_local(&c, back) >= local);
		assert_true(back == 0 || clock_local(&c, back - 1) < local);
	}
}

TEST(clock__what_is_over_already_is_now)
{
	struct clock c = {1000, CLOCK_TRUE};

	assert_int_equal(clock_true(&c, 5), 0);
	assert_int_equal(clock_true(&c, UINT64_MAX - 1), CLOCK_END);
}

/* ---- stream ---- */

TEST(stream__octets_tell_sender_and_place)
{
	uint8_t whole[1000], part[1000];

	stream_fill(7, 0, whole, sizeof(whole));
	for (uint32_t from = 0; from < 40; from++)
		for (size_t len = 0; len < 40; len++) {
			stream_fill(7, from, part, len);
			assert_memory_equal(part, whole + from, len);
			assert_int_equal(stream_match(7, from, whole + from, len), len);
		}
	assert_true(stream_match(8, 0, whole, sizeof(whole)) < 8);
	assert_true(stream_match(7, 1, whole, sizeof(whole)) < 8);
}

TEST(stream__the_first_wrong_octet_is_found)
{
	uint8_t buf[100];

	for (size_t wrong = 0; wrong < sizeof(buf); wrong++) {
		stream_fill(3, 5, buf, sizeof(buf));
		buf[wrong] ^= 1;
		assert_int_equal(stream_match(3, 5, buf, sizeof(buf)), wrong);
	}
}

/* ---- paths ---- */

static unsigned arrived, broken;

static void on_arrival(void *arg, nsec_t at, const uint8_t *packet, size_t len)
{
	struct packet p;

	arrived++;
	broken += packet_parse(&p, packet, len, 0) != WIRE_TCP;
}

static void many_packets(struct path path, bool v6)
{
	struct rig *r = rig_begin(NULL);
	const struct la_endpoint to = net_address(1, v6, 99), own = net_address(0, v6, 0);

	arrived = broken = 0;
	r->n->ops.tap = on_arrival;
	r->n->path[0][1] = path;
	for (unsigned i = 0; i < 2000; i++) {
		struct la_endpoint at = own;
		la_sock s = la_socket(r->e[0], v6 ? LA_INET6 : LA_INET);

		at.port = (uint16_t)(2000 + i);
		net_touch(r->n, 0);
		la_bind(r->e[0], s, &at);
		la_connect(r->e[0], s, &to);
		net_settle(r->n, 0);
		la_abort(r->e[0], s);
		net_settle(r->n, 0);
		rig_run(r, 1);
	}
	rig_run(r, 1000);
	rig_end(r);
}

TEST(damage__is_always_seen_by_a_checksum)
{
	many_packets((struct path){.delay = 1000, .damage = 65535}, false);
	assert_in_range(broken, 1990, 2000);
	many_packets((struct path){.delay = 1000, .damage = 65535}, true);
	assert_in_range(broken, 1990, 2000);
}

TEST(loss_and_duplication__are_as_likely_as_said)
{
	many_packets((struct path){.delay = 1000, .loss = 32768}, false);
	assert_in_range(arrived, 2 * 850, 2 * 1150); /* every SYN that arrives is answered */
	many_packets((struct path){.delay = 1000, .duplicate = 65535}, false);
	assert_in_range(arrived, 7990, 8000);
}

RUN(T(spans__know_what_was_added), T(spans__too_many_pieces_and_nothing_is_known),
    T(agenda__gives_by_time_and_equal_times_in_order), T(clock__never_goes_back_and_wakes_not_too_early),
    T(clock__what_is_over_already_is_now), T(stream__octets_tell_sender_and_place),
    T(stream__the_first_wrong_octet_is_found), T(damage__is_always_seen_by_a_checksum),
    T(loss_and_duplication__are_as_likely_as_said))
