/* SPDX-License-Identifier: MIT */
/* Probing a closed window: RFC 9293 3.8.6.1 (MUST-36, MUST-37, SHLD-29, SHLD-30), and when Linux gives up. */
#include "tests/unit/engine/flow.h"
#include <errno.h>

#define RTO UINT64_C(201) /* the least one, in ms, on top of no round trip at all */

static void expect_probe(struct rig *r, uint32_t una)
{
	rig_expect(r, F_ACK, ISS + una, IRS + 1, 0); /* one before SND.UNA, no text */
}

/* Time goes by, and the peer answers every packet at once: nothing taken, no window. */
static void live_answered(struct rig *r, nsec_t ns)
{
	nsec_t end = r->now + ns, at;

	for (;;) {
		while (rig_out(r))
			if (rig_conn(r))
				ack_wnd(r, 0, 0);
		at = la_next_at(r->h);
		if (at > end)
			break;
		rig_pass(r, at > r->now ? at - r->now : 0);
	}
	rig_pass(r, end - r->now);
}

#define CLOSED_WINDOW(r, ...)                                                                                          \
	RIG_AT_WITH(r, ESTABLISHED, .active = false, __VA_ARGS__);                                                     \
	ack_wnd(&r, 0, 0);                                                                                             \
	put(&r, 100);                                                                                                  \
	EXPECT_SILENCE(&r)

TEST(closed_window__probed_after_a_timeout_and_ever_more_rarely)
{
	CLOSED_WINDOW(r, .ts = false);

	for (uint32_t i = 0; i < 8; i++) {
		rig_pass(&r, (RTO << i) * MS - 2 * MS);
		EXPECT_SILENCE(&r);
		rig_pass(&r, 2 * MS);
		expect_probe(&r, 0);
		ack_wnd(&r, 0, 0);
		EXPECT_SILENCE(&r);
	}
	EXPECT_COUNT(&r, win_probe, 8);
	EXPECT_COUNT(&r, timeouts, 0);
	EXPECT_COUNT(&r, retrans_segs, 0);
}

TEST(window_opens__text_goes_and_the_timeout_is_as_before)
{
	CLOSED_WINDOW(r, .ts = false);

	for (uint32_t i = 0; i < 3; i++) {
		rig_pass(&r, (RTO << i) * MS);
		expect_probe(&r, 0);
		ack_wnd(&r, 0, 0);
	}
	ack_wnd(&r, 0, WND);
	expect_text(&r, 0, 100);
	assert_int_equal(rig_conn(&r)->backoff, 0);
	rig_pass(&r, RTO * MS + MS);
	expect_text(&r, 0, 100);
	EXPECT_COUNT(&r, timeouts, 1);
	ack(&r, 100);
	rig_pass(&r, 600 * NSEC_PER_S);
	EXPECT_SILENCE(&r);
}

TEST(window_update_lost__the_answer_to_a_probe_tells)
{
	CLOSED_WINDOW(r, .ts = false);

	rig_pass(&r, RTO * MS);
	expect_probe(&r, 0);
	ack_wnd(&r, 0, 100);
	rig_drain(&r);
	rig_pass(&r, 2 * RTO * MS); /* 100 octets are not worth it at once when it was 8192 */
	assert_int_equal(rig_conn(&r)->snd_nxt.v - rig_conn(&r)->snd_una.v, 100);
}

TEST(answered_probes__never_end_it)
{
	CLOSED_WINDOW(r, .knobs = "net.ipv4.tcp_retries2 = 3");

	live_answered(&r, 36000 * NSEC_PER_S);
	EXPECT_STATE(&r, ESTABLISHED);
	assert_true(r.e->n.win_probe > 1000);
}

TEST(unanswered_probes__end_it_after_tcp_retries2)
{
	CLOSED_WINDOW(r, .knobs = "net.ipv4.tcp_retries2 = 3");
	struct la_event ev;
	int err = 0;
	size_t len = sizeof(err);

	for (uint32_t i = 0; i < 3; i++) {
		rig_pass(&r, (RTO << i) * MS);
		expect_probe(&r, 0);
	}
	rig_pass(&r, (RTO << 3) * MS - 2 * MS);
	EXPECT_STATE(&r, ESTABLISHED);
	rig_pass(&r, 4 * MS);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_TOOK(&r, TIMEOUT_ESTABLISHED);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
	assert_true(la_event(r.h, &ev));
	assert_true(ev.events & LA_ERR);
	assert_int_equal(la_getsockopt(r.h, r.s, LA_SO_ERROR, &err, &len), 0);
	assert_int_equal(err, ETIMEDOUT);
	EXPECT_SILENCE(&r); /* Linux sends no RST */
}

TEST(an_answer__begins_the_count_anew)
{
	CLOSED_WINDOW(r, .knobs = "net.ipv4.tcp_retries2 = 3");

	for (unsigned i = 0; i < 2; i++) {
		rig_pass(&r, (RTO << i) * MS);
		expect_probe(&r, 0);
	}
	ack_wnd(&r, 0, 0);
	assert_int_equal(rig_conn(&r)->probes, 0);
	for (unsigned i = 0; i < 3; i++) {
		rig_pass(&r, (RTO << 3) * MS);
		expect_probe(&r, 0);
	}
	EXPECT_STATE(&r, ESTABLISHED);
	rig_pass(&r, (RTO << 3) * MS + MS);
	EXPECT_STATE(&r, CLOSED);
}

TEST(user_timeout__ends_it_even_if_answered)
{
	CLOSED_WINDOW(r, .ts = false);
	unsigned ms = 3000;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	live_answered(&r, 3200 * MS); /* Linux: 3 s from the first probe, which goes after 201 ms */
	EXPECT_STATE(&r, ESTABLISHED);
	live_answered(&r, 5 * MS);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
}

/* Nobody would ever give up on a peer that answers for ever; Linux does once the timeout would reach its maximum. */
TEST(orphan__ends_though_answered)
{
	CLOSED_WINDOW(r, .ts = false);

	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	live_answered(&r, 1023 * RTO * MS + 120 * NSEC_PER_S - MS);
	EXPECT_STATE(&r, FIN_WAIT_1);
	EXPECT_COUNT(&r, win_probe, 10);
	live_answered(&r, 2 * MS);
	EXPECT_TOOK(&r, TIMEOUT_FIN_WAIT_1);
	assert_int_equal(r.e->n_orphans, 0);
}

TEST(orphan__tcp_orphan_retries__answered__ends_at_the_greatest_timeout)
{
	CLOSED_WINDOW(r, .knobs = "net.ipv4.tcp_orphan_retries = 5");

	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	live_answered(&r, 1023 * RTO * MS + 120 * NSEC_PER_S - MS);
	EXPECT_STATE(&r, FIN_WAIT_1);
	live_answered(&r, 2 * MS);
	EXPECT_STATE(&r, CLOSED);
}

TEST(orphan__tcp_orphan_retries__ends_after_as_many)
{
	CLOSED_WINDOW(r, .knobs = "net.ipv4.tcp_orphan_retries = 2");

	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	assert_int_equal(live(&r, 1400 * MS), 2);
	EXPECT_STATE(&r, FIN_WAIT_1);
	assert_int_equal(live(&r, 10 * MS), 0); /* 201 + 402 + 804 */
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, win_probe, 2);
	EXPECT_COUNT(&r, abort_on_timeout, 1);
}

TEST(fin_behind_a_closed_window__is_probed_for_too)
{
	RIG_AT(r, ESTABLISHED);

	ack_wnd(&r, 0, 0);
	la_shutdown(r.h, r.s, LA_SHUT_WR);
	EXPECT_SILENCE(&r);
	rig_pass(&r, (RTO + 1) * MS);
	expect_probe(&r, 0);
	ack_wnd(&r, 0, 1);
	rig_drain(&r);
	rig_pass(&r, 2 * RTO * MS + 2 * MS);
	assert_true(rig_conn(&r)->fin_sent);
}

RUN(T(closed_window__probed_after_a_timeout_and_ever_more_rarely),
    T(window_opens__text_goes_and_the_timeout_is_as_before), T(window_update_lost__the_answer_to_a_probe_tells),
    T(answered_probes__never_end_it), T(unanswered_probes__end_it_after_tcp_retries2),
    T(an_answer__begins_the_count_anew), T(user_timeout__ends_it_even_if_answered), T(orphan__ends_though_answered),
    T(orphan__tcp_orphan_retries__answered__ends_at_the_greatest_timeout),
    T(orphan__tcp_orphan_retries__ends_after_as_many), T(fin_behind_a_closed_window__is_probed_for_too))
