/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "obs/leaks.h"
#include "tests/unit/obs/rows.h"

static struct listener web = {.addr = {.family = 4}, .port = 8080, .listening = true};
static const struct netns ns = {.listeners = &web, .n_listeners = 1};

TEST(dead_sockets__of_a_listener__are_its_leak)
{
	const struct dead dead[] = {{IP4(10, 0, 0, 1), 8080, 7}};
	struct holder h[STRANGERS_KEPT];

	assert_int_equal(leaks_group(&ns, dead, 1, 1, h), 1);
	assert_int_equal(h[0].kind, HOLD_INVISIBLE);
	assert_int_equal(h[0].lport, 8080);
	assert_true(ip_eq(h[0].local, ANY4));
	assert_int_equal(h[0].n, 1);
	assert_int_equal(h[0].n_fd, 1);
	assert_int_equal(h[0].fd[0], 7);
	assert_false(h[0].orphan);
}

TEST(dead_sockets__several_on_a_port_nobody_listens_on__were_a_servers)
{
	const struct dead dead[] = {
		{IP4(10, 0, 0, 1), 9000, 7}, {IP4(10, 0, 0, 1), 9000, 8}, {IP4(10, 0, 0, 1), 40001, 9}};
	struct holder h[STRANGERS_KEPT];

	assert_int_equal(leaks_group(&ns, dead, 3, 1, h), 2);
	assert_int_equal(h[0].lport, 9000);
	assert_int_equal(h[0].n, 2);
	assert_int_equal(h[1].lport, 0);
	assert_int_equal(h[1].n, 1);
}

TEST(dead_sockets__each_on_its_own_port__are_one_group_of_a_client)
{
	struct dead dead[STRANGERS_KEPT];
	struct holder h[STRANGERS_KEPT];

	for (int i = 0; i < STRANGERS_KEPT; i++)
		dead[i] = (struct dead){IP4(10, 0, 0, 1), (uint16_t)(40000 + i), i};
	assert_int_equal(leaks_group(&ns, dead, STRANGERS_KEPT, 10.5, h), 1);
	assert_int_equal(h[0].lport, 0);
	assert_int_equal(h[0].n, 672);
	assert_int_equal(h[0].n_fd, FDS_SHOWN);
}

TEST(dead_sockets__whose_port_is_gone_too__are_no_servers)
{
	const struct dead dead[] = {{IP4(0, 0, 0, 0), 0, 7}, {IP4(0, 0, 0, 0), 0, 8}};
	struct holder h[STRANGERS_KEPT];

	assert_int_equal(leaks_group(&ns, dead, 2, 1, h), 1);
	assert_int_equal(h[0].lport, 0);
	assert_int_equal(h[0].n, 2);
}

TEST(no_dead_socket__no_leak)
{
	struct holder h[STRANGERS_KEPT];

	assert_int_equal(leaks_group(&ns, NULL, 0, 1, h), 0);
}

RUN(T(dead_sockets__of_a_listener__are_its_leak), T(dead_sockets__several_on_a_port_nobody_listens_on__were_a_servers),
    T(dead_sockets__each_on_its_own_port__are_one_group_of_a_client),
    T(dead_sockets__whose_port_is_gone_too__are_no_servers), T(no_dead_socket__no_leak))
