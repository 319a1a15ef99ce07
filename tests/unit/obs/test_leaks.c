/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs/leaks.h"
#include "tests/unit/obs/rows.h"

static struct listener web = {.addr = {.family = 4}, .port = 8080, .listening = true};
static const struct netns ns = {.listeners = &web, .n_listeners = 1};

TEST(dead_sockets__of_a_listener__are_its_leak)
{
	const struct dead dead[] = {{IP4(10, 0, 0, 1), 8080, 7, 4711}};
	struct holder h[STRANGERS_KEPT];

	assert_int_equal(leaks_group(&ns, dead, 1, 1, h), 1);
	assert_int_equal(h[0].kind, HOLD_INVISIBLE);
	assert_int_equal(h[0].lport, 8080);
	assert_true(ip_eq(h[0].local, ANY4));
	assert_int_equal(h[0].n, 1);
	assert_int_equal(h[0].n_fd, 1);
	assert_int_equal(h[0].fd[0], 7);
	assert_int_equal(h[0].inode, 4711);
	assert_false(h[0].orphan);
}

TEST(dead_sockets__several_on_a_port_nobody_listens_on__were_a_servers)
{
	const struct dead dead[] = {
		{IP4(10, 0, 0, 1), 9000, 7, 1}, {IP4(10, 0, 0, 1), 9000, 8, 2}, {IP4(10, 0, 0, 1), 40001, 9, 3}};
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
		dead[i] = (struct dead){IP4(10, 0, 0, 1), (uint16_t)(40000 + i), i, 1};
	assert_int_equal(leaks_group(&ns, dead, STRANGERS_KEPT, 10.5, h), 1);
	assert_int_equal(h[0].lport, 0);
	assert_int_equal(h[0].n, 672);
	assert_int_equal(h[0].n_fd, FDS_SHOWN);
}

TEST(dead_sockets__whose_port_is_gone_too__are_no_servers)
{
	const struct dead dead[] = {{IP4(0, 0, 0, 0), 0, 7, 1}, {IP4(0, 0, 0, 0), 0, 8, 2}};
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

/* ---- live: our own descriptors ---- */

static uint32_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

struct rig {
	struct netns here;
	struct snapshot snapshot;
	struct leaks l;
	struct strangers s;
};

/* Must not be moved: it points into itself. */
static void rig(struct rig *g)
{
	*g = (struct rig){.here = {.inode = proc_netns(getpid())}, .s = {.pid = getpid()}};
	g->snapshot = (struct snapshot){.netns = &g->here, .n_netns = 1};
	g->l.s = &g->snapshot;
}

static void add(struct rig *g, int fd)
{
	assert_true(fd >= 0);
	g->s.fd[g->s.n_kept] = fd;
	g->s.inode[g->s.n_kept++] = inode_of(fd);
	g->s.n++;
}

static void close_all(const struct rig *g)
{
	for (size_t i = 0; i < g->s.n_kept; i++)
		close(g->s.fd[i]);
}

/* A connection that its peer reset. */
static int dead_socket(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), accepted;
	socklen_t len = sizeof(a);

	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(connect(p.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	accepted = accept(listener, NULL, NULL);
	assert_int_equal(setsockopt(accepted, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)), 0);
	close(accepted);
	close(listener);
	assert_int_equal(poll(&p, 1, 5000), 1);
	return p.fd;
}

TEST(strangers__that_are_no_tcp_after_all__cost_no_budget)
{
	struct rig g;

	rig(&g);
	for (int i = 0; i < 60; i++)
		add(&g, socket(AF_UNIX, SOCK_STREAM, 0));
	assert_false(leaks_strangers(&g.l, &g.s, 0));
	assert_int_equal(g.l.sampled, 0);
	assert_int_equal(g.l.refused + g.l.exhausted, 0);
	close_all(&g);
}

TEST(strangers__beyond_the_budget__are_not_asked_and_nobody_refused)
{
	struct rig g;

	rig(&g);
	for (int i = 0; i < 3; i++)
		add(&g, socket(AF_INET, SOCK_STREAM, 0));
	g.l.sampled = LEAK_SAMPLES_MAX - 3;
	assert_false(leaks_strangers(&g.l, &g.s, 0));
	assert_int_equal(g.l.sampled, LEAK_SAMPLES_MAX);
	assert_int_equal(g.l.exhausted, 0); /* all were asked */
	assert_false(leaks_strangers(&g.l, &g.s, 0));
	assert_int_equal(g.l.sampled, LEAK_SAMPLES_MAX);
	assert_int_equal(g.l.exhausted, 1);
	assert_int_equal(g.l.refused, 0);
	close_all(&g);
}

TEST(strangers__a_dead_one__is_kept_with_its_inode_and_options)
{
	struct rig g;

	rig(&g);
	add(&g, socket(AF_INET, SOCK_STREAM, 0));
	add(&g, dead_socket());
	assert_true(leaks_strangers(&g.l, &g.s, 0));
	assert_int_equal(g.l.n, 1);
	assert_int_equal(g.l.v[0].holder.n, 1);
	assert_int_equal(g.l.v[0].holder.fd[0], g.s.fd[1]);
	assert_int_equal(g.l.v[0].holder.inode, inode_of(g.s.fd[1]));
	assert_true(g.l.v[0].holder.opts.known);
	leaks_done(&g.l);
	close_all(&g);
}

/* The number may have been given to another socket since the walk: its options are nobody's answer. */
TEST(strangers__whose_descriptor_was_reused__have_no_options)
{
	struct rig g;

	rig(&g);
	add(&g, dead_socket());
	g.s.inode[0]++;
	assert_true(leaks_strangers(&g.l, &g.s, 0));
	assert_false(g.l.v[0].holder.opts.known);
	leaks_done(&g.l);
	close_all(&g);
}

RUN(T(dead_sockets__of_a_listener__are_its_leak), T(dead_sockets__several_on_a_port_nobody_listens_on__were_a_servers),
    T(dead_sockets__each_on_its_own_port__are_one_group_of_a_client),
    T(dead_sockets__whose_port_is_gone_too__are_no_servers), T(no_dead_socket__no_leak),
    T(strangers__that_are_no_tcp_after_all__cost_no_budget),
    T(strangers__beyond_the_budget__are_not_asked_and_nobody_refused),
    T(strangers__a_dead_one__is_kept_with_its_inode_and_options),
    T(strangers__whose_descriptor_was_reused__have_no_options))
