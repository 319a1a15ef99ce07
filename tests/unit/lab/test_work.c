/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab/work.h"
#include "tests/unit/t.h"

struct ends {
	int events, orders; /* the experiment's */
};

static struct work_stats stats;

static struct work new_work(struct ends *ret)
{
	int ev[2], orders[2];

	assert_int_equal(pipe2(ev, O_CLOEXEC), 0);
	assert_int_equal(pipe2(orders, O_CLOEXEC | O_NONBLOCK), 0);
	*ret = (struct ends){.events = ev[0], .orders = orders[1]};
	return (struct work){.events = ev[1], .orders = orders[0], .stats = &stats};
}

static void order(const struct ends *e, char c) { assert_int_equal(write(e->orders, &c, 1), 1); }

TEST(ordered__without_an_order__does_not_wait)
{
	struct ends e;
	struct work w = new_work(&e);

	assert_int_equal(work_ordered(&w), ORDER_NONE);
	assert_false(w.stopped);
}

TEST(ordered__when_the_experiment_is_gone__stops)
{
	struct ends e;
	struct work w = new_work(&e);

	close(e.orders);
	assert_int_equal(work_ordered(&w), ORDER_STOP);
	assert_true(w.stopped);
}

TEST(sleep__for_ever__ends_with_an_order_to_stop)
{
	struct ends e;
	struct work w = new_work(&e);

	order(&e, ORDER_STOP);
	assert_false(work_sleep_until(&w, NSEC_NEVER));
	assert_false(work_sleep_until(&w, NSEC_NEVER)); /* and never waits again */
}

TEST(sleep__until_a_past_instant__returns_at_once)
{
	struct ends e;
	struct work w = new_work(&e);

	assert_true(work_sleep_until(&w, work_now() - 1));
}

TEST(await_go__passes_over_nothing_but_go)
{
	struct ends e;
	struct work w = new_work(&e);

	order(&e, ORDER_GO);
	work_await_go(&w);
	assert_false(w.stopped);
	order(&e, ORDER_STOP);
	work_await_go(&w);
	assert_true(w.stopped);
}

TEST(say__arrives_whole_with_its_time)
{
	struct ends e;
	struct work w = new_work(&e);
	struct work_message m;
	nsec_t before = work_now();

	work_say(&w, EV_ERROR, 99);
	assert_int_equal(read(e.events, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.event, EV_ERROR);
	assert_int_equal(m.value, 99);
	assert_true(m.at >= before && m.at <= work_now());
}

RUN(T(ordered__without_an_order__does_not_wait), T(ordered__when_the_experiment_is_gone__stops),
    T(sleep__for_ever__ends_with_an_order_to_stop), T(sleep__until_a_past_instant__returns_at_once),
    T(await_go__passes_over_nothing_but_go), T(say__arrives_whole_with_its_time))
