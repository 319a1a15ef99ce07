/* SPDX-License-Identifier: MIT */
#include "base/link.h"
#include "tests/unit/t.h"

struct item {
	int n;
	struct link link;
};

static void assert_ring(const struct link *head, const char *digits) /* what hangs on head, both ways */
{
	const struct link *l = head->next;
	const char *d = digits;

	for (; *d; d++, l = l->next) {
		assert_ptr_not_equal(l, head);
		assert_int_equal(((const struct item *)((const char *)l - offsetof(struct item, link)))->n, *d - '0');
		assert_ptr_equal(l->prev->next, l);
		assert_ptr_equal(l->next->prev, l);
	}
	assert_ptr_equal(l, head);
}

TEST(head__is_empty_at_first)
{
	struct link head;

	link_init(&head);
	assert_true(link_is_empty(&head));
	assert_null(link_pop(&head));
	assert_ring(&head, "");
}

TEST(zeroed_link__is_in_no_ring_and_may_be_removed)
{
	struct item a = {0};

	assert_false(link_is_in(&a.link));
	link_remove(&a.link);
	assert_false(link_is_in(&a.link));
}

TEST(append_and_insert__keep_their_order)
{
	struct item i[4] = {{.n = 1}, {.n = 2}, {.n = 3}, {.n = 4}};
	struct link head;

	link_init(&head);
	link_append(&head, &i[0].link);
	assert_false(link_is_empty(&head));
	assert_true(link_is_in(&i[0].link));
	link_append(&head, &i[2].link);
	link_insert(&i[0].link, &i[1].link);
	link_insert(&head, &i[3].link);
	assert_ring(&head, "4123");
}

TEST(remove__first_middle_last_and_twice)
{
	struct item i[4] = {{.n = 1}, {.n = 2}, {.n = 3}, {.n = 4}};
	struct link head;

	link_init(&head);
	for (int k = 0; k < 4; k++)
		link_append(&head, &i[k].link);
	link_remove(&i[1].link);
	assert_false(link_is_in(&i[1].link));
	assert_ring(&head, "134");
	link_remove(&i[1].link);
	assert_ring(&head, "134");
	link_remove(&i[3].link);
	link_remove(&i[0].link);
	assert_ring(&head, "3");
	link_remove(&i[2].link);
	assert_true(link_is_empty(&head));
	link_append(&head, &i[1].link);
	assert_ring(&head, "2");
}

TEST(pop__gives_the_first_and_takes_it_out)
{
	struct item i[2] = {{.n = 1}, {.n = 2}};
	struct link head, *l;

	link_init(&head);
	link_append(&head, &i[0].link);
	link_append(&head, &i[1].link);
	l = link_pop(&head);
	assert_ptr_equal(container_of(l, struct item, link), &i[0]);
	assert_false(link_is_in(l));
	assert_ptr_equal(link_pop(&head), &i[1].link);
	assert_null(link_pop(&head));
}

RUN(T(head__is_empty_at_first), T(zeroed_link__is_in_no_ring_and_may_be_removed),
    T(append_and_insert__keep_their_order), T(remove__first_middle_last_and_twice),
    T(pop__gives_the_first_and_takes_it_out))
