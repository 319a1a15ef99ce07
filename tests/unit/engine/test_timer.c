/* SPDX-License-Identifier: MIT */
/* The timers of a connection on one timer of the wheel, and the times of FIN_WAIT_2 and of lingering closes. */
#include "tests/unit/engine/flow.h"

static nsec_t armed_at(const struct rig *r)
{
	const struct conn *c = rig_conn(r);

	return wheel_is_armed(&c->timer) ? c->timer.deadline_at : NSEC_NEVER;
}

TEST(earlier__rearms_later__does_not)
{
	RIG_AT(r, ESTABLISHED);
	struct conn *c = rig_conn(&r);

	timer_stop_all(c);
	assert_int_equal(armed_at(&r), NSEC_NEVER);
	timer_set(c, TIMER_RTX, r.now + 500 * MS);
	assert_int_equal(armed_at(&r), r.now + 500 * MS);
	timer_set(c, TIMER_DELACK, r.now + 40 * MS);
	assert_int_equal(armed_at(&r), r.now + 40 * MS);
	timer_set(c, TIMER_RTX, r.now + 900 * MS);
	timer_stop(c, TIMER_DELACK);
	assert_int_equal(armed_at(&r), r.now + 40 * MS); /* it will find nothing, and be put to 900 */
	rig_pass(&r, 50 * MS);
	assert_int_equal(armed_at(&r), r.now + 850 * MS);
	EXPECT_COUNT(&r, delayed_acks, 0);
	timer_stop(c, TIMER_RTX);
	rig_pass(&r, 1000 * MS);
	assert_int_equal(armed_at(&r), NSEC_NEVER);
	assert_int_equal(la_next_at(r.h), LA_NEVER);
}

TEST(idle_connection__has_no_timer_left)
{
	RIG_AT(r, ESTABLISHED);
	struct la_usage u;

	put(&r, 10);
	rig_drain(&r);
	ack(&r, 10);
	text_in(&r, 0, 10);
	rig_pass(&r, 1000 * MS);
	rig_drain(&r);
	la_usage(r.h, &u);
	assert_int_equal(u.timers, 0);
}

TEST(several_due_at_once__all_done)
{
	RIG_AT(r, ESTABLISHED);
	int on = 1, idle = 1;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_KEEPIDLE, &idle, sizeof(idle)), 0);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_KEEPALIVE, &on, sizeof(on)), 0);
	put(&r, 1);
	expect_text(&r, 0, 1);
	settle(&r);
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 1);
	r.now += 3 * NSEC_PER_S; /* nobody looked in between */
	la_advance(r.h, r.now);
	EXPECT_COUNT(&r, delayed_acks, 1);
	EXPECT_COUNT(&r, timeouts, 1);
	EXPECT_SEG(&r, F_ACK, ISS + 1, IRS + 2, 1);
	EXPECT_SILENCE(&r);
	assert_true(rig_conn(&r)->timer_at[TIMER_KEEP] > r.now);
	assert_int_equal(armed_at(&r), r.now + 402 * MS);
}

static nsec_t fin_wait_2_lives(const char *knobs, int linger2)
{
	RIG_WITH(r, .orphan = true, .knobs = knobs);
	nsec_t began;

	rig_to(&r, ESTABLISHED);
	rig_conn(&r)->opt.linger2_s = linger2;
	assert_int_equal(la_close(r.h, r.s), 0);
	r.s = 0;
	rig_drain(&r);
	ack(&r, 1);
	EXPECT_STATE(&r, FIN_WAIT_2);
	began = r.now;
	for (int i = 0; rig_state(&r) == FIN_WAIT_2; i++) {
		assert_true(i < 4000);
		assert_int_equal(live(&r, 100 * MS), 0); /* nothing is said */
	}
	assert_int_equal(r.e->n_orphans, 0);
	assert_int_equal(r.e->n.tw + r.e->n.tw_killed, 1);
	return (r.now - began) / NSEC_PER_S;
}

/* kernel-truth 2, measured: 61:2 62:4 64:8 70:20 80:42 100:81 119:120; up to 60 as it says. */
TEST(fin_wait_2_orphan__times_of_linux)
{
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 60", 0), 60, 61);
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 61", 0), 2, 3);
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 70", 0), 20, 21);
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 100", 0), 80, 81);
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 120", 0), 120, 121);
	assert_in_range(fin_wait_2_lives("net.ipv4.tcp_fin_timeout = 120", 2), 2, 3);
	assert_in_range(fin_wait_2_lives("engine.policy = rfc9293\nnet.ipv4.tcp_fin_timeout = 100", 0), 100, 101);
}

TEST(fin_wait_2_orphan__keepalive_does_not_disturb)
{
	RIG_WITH(r, .orphan = true, .knobs = "net.ipv4.tcp_fin_timeout = 90");
	int on = 1, idle = 1;

	rig_to(&r, ESTABLISHED);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_TCP_KEEPIDLE, &idle, sizeof(idle)), 0);
	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_KEEPALIVE, &on, sizeof(on)), 0);
	la_close(r.h, r.s);
	r.s = 0;
	rig_drain(&r);
	ack(&r, 1);
	assert_int_equal(live(&r, 29 * NSEC_PER_S), 0);
	assert_non_null(rig_conn(&r));
	assert_int_equal(live(&r, 2 * NSEC_PER_S), 0);
	assert_null(rig_conn(&r));
	EXPECT_STATE(&r, FIN_WAIT_2);
	EXPECT_COUNT(&r, keepalive, 0);
}

TEST(lingering_close__time_is_up__told_and_an_orphan)
{
	RIG_AT(r, ESTABLISHED);
	struct la_linger l = {1, 2};
	struct la_event ev;

	assert_int_equal(la_setsockopt(r.h, r.s, LA_SO_LINGER, &l, sizeof(l)), 0);
	while (la_event(r.h, &ev))
		;
	assert_int_equal(la_close(r.h, r.s), -115); /* EINPROGRESS */
	live(&r, 1990 * MS);
	assert_false(la_event(r.h, &ev));
	assert_int_equal(r.e->n_orphans, 0);
	live(&r, 20 * MS);
	assert_true(la_event(r.h, &ev));
	assert_int_equal(ev.events, LA_LINGERED);
	assert_int_equal(r.e->n_orphans, 1);
	EXPECT_STATE(&r, FIN_WAIT_1);
	live(&r, 200 * NSEC_PER_S);
	EXPECT_STATE(&r, CLOSED);
	r.s = 0;
}

RUN(T(earlier__rearms_later__does_not), T(idle_connection__has_no_timer_left), T(several_due_at_once__all_done),
    T(fin_wait_2_orphan__times_of_linux), T(fin_wait_2_orphan__keepalive_does_not_disturb),
    T(lingering_close__time_is_up__told_and_an_orphan))
