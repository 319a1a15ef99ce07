/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs/procs.h"

#define ID "3f2c1a9b8e7d3f2c1a9b8e7d3f2c1a9b8e7d3f2c1a9b8e7d3f2c1a9b8e7d0123"

static void cgroup(const char *text, const char *want_cgroup, const char *want_container)
{
	char cg[128], container[N_TEXT];

	cgroup_parse(text, cg, container);
	if (want_cgroup)
		assert_string_equal(cg, want_cgroup);
	assert_string_equal(container, want_container);
}

TEST(cgroup__every_container_runtime__gives_the_short_id)
{
	cgroup("0::/system.slice/docker-" ID ".scope\n", "/system.slice/docker-" ID ".scope", "3f2c1a9b8e7d");
	cgroup("4:memory:/docker/" ID "\n", NULL, "3f2c1a9b8e7d");
	cgroup("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234abcd_1234.slice/cri-containerd-" ID
	       ".scope\n",
	       NULL, "3f2c1a9b8e7d");
	cgroup("1:name=systemd:/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/" ID "\n", NULL,
	       "3f2c1a9b8e7d");
	cgroup("0::/machine.slice/libpod-" ID ".scope/container\n", NULL, "3f2c1a9b8e7d");
	cgroup("0::/lxc.payload.web01/init.scope\n", NULL, "web01");
	cgroup("9:cpu:/lxc/db-2\n", NULL, "db-2");
}

TEST(cgroup__no_container__has_no_id)
{
	cgroup("0::/user.slice/user-0.slice/session-1.scope\n", "/user.slice/user-0.slice/session-1.scope", "");
	cgroup("4:memory:/process_api/446a5995c5d5c30cae16fa4530f7b2a3\n", NULL, "");
	cgroup("0::/" ID "0\n", NULL, "");
	cgroup("", "", "");
}

TEST(cgroup__both_hierarchies__show_the_most_telling_path)
{
	cgroup("9:name=systemd:/a.service\n4:memory:/b\n0::/\n", "/a.service", "");
	cgroup("9:name=systemd:/\n4:memory:/b\n0::/\n", "/b", "");
	cgroup("4:memory:/b\n0::/c.slice\n", "/c.slice", "");
	cgroup("9:name=systemd:/\n0::/\n", "/", "");
}

TEST(cgroup__lines_without_colons_or_endless__are_survived)
{
	char *text = malloc(20001);

	assert_non_null(text);
	memset(text, 'a', 20000);
	text[20000] = '\0';
	memcpy(text, "0::/", 4);
	cgroup(text, NULL, "");
	cgroup("garbage\n::\n0:\n", "", "");
	free(text);
}

TEST(limits__max_open_files__is_the_soft_one)
{
	assert_int_equal(
		fd_limit_parse("Limit                     Soft Limit           Hard Limit           Units     \n"
			       "Max processes             95822                95822                processes \n"
			       "Max open files            1024                 20000                files     \n"),
		1024);
	assert_true(fd_limit_parse("Max open files            unlimited            unlimited  files\n") == UINT32_MAX);
	assert_int_equal(fd_limit_parse("Max open files\n"), 0);
	assert_int_equal(fd_limit_parse("Max open files x\n"), 0);
	assert_int_equal(fd_limit_parse(""), 0);
}

TEST(socket_link__only_sockets__have_an_inode)
{
	assert_int_equal(socket_inode_parse("socket:[4711]"), 4711);
	assert_true(socket_inode_parse("socket:[4294967295]") == UINT32_MAX);
	assert_int_equal(socket_inode_parse("socket:[4294967296]"), 0);
	assert_int_equal(socket_inode_parse("socket:[]"), 0);
	assert_int_equal(socket_inode_parse("socket:[12"), 0);
	assert_int_equal(socket_inode_parse("pipe:[12]"), 0);
	assert_int_equal(socket_inode_parse("/tmp/socket:[12]"), 0);
}

/* ---- live: our own descriptors ---- */

static const struct hash_key key = {1, 2};

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

TEST(walk__wanted_socket_of_ours__is_found_with_its_descriptor)
{
	int s[2], fd = -1;
	int32_t proc = -1, self = getpid();
	struct owners_walk walk = {.pids = &self, .n_pids = 1};
	struct owners *o;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(owners_new(key, &o), 0);
	assert_int_equal(owners_want(o, inode_of(s[0])), 0);
	assert_int_equal(owners_want(o, 0), 0);
	assert_int_equal(owners_walk(o, &walk), 0);
	assert_int_equal(walk.n_procs, 1);
	assert_int_equal(walk.procs[0].pid, getpid());
	assert_true(walk.procs[0].sockets >= 2);
	assert_true(walk.procs[0].fds >= walk.procs[0].sockets);
	assert_true(owners_find(o, inode_of(s[0]), &proc, &fd));
	assert_int_equal(proc, 0);
	assert_int_equal(fd, s[0]);
	assert_false(owners_find(o, inode_of(s[1]), &proc, &fd));
	assert_false(owners_find(o, 0, &proc, &fd));
	free(walk.procs);
	owners_free(o);
	close(s[0]);
	close(s[1]);
}

struct met {
	struct strangers s;
	bool keep;
};

static bool meet(void *ctx, const struct strangers *s, int32_t index)
{
	struct met *m = ctx;

	assert_int_equal(index, 0);
	m->s = *s;
	return m->keep;
}

TEST(walk__sockets_nobody_saw__are_strangers_and_a_sample_of_them_is_even)
{
	enum { PAIRS = 100 };
	int s[PAIRS][2], seen[2];
	int32_t self = getpid();
	struct met met = {.keep = true};
	struct owners_walk walk = {.pids = &self, .n_pids = 1, .strangers = meet, .ctx = &met, .strangers_min = 10};
	struct owners *o;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, seen), 0);
	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]), 0);
	assert_int_equal(owners_new(key, &o), 0);
	assert_int_equal(owners_seen(o, inode_of(seen[0])), 0);
	assert_int_equal(owners_seen(o, inode_of(seen[1])), 0);
	assert_true(owners_seen_all(o));
	assert_int_equal(owners_walk(o, &walk), 0);
	assert_int_equal(walk.n_procs, 1);
	assert_int_equal(met.s.pid, getpid());
	assert_in_range(met.s.n, 2 * PAIRS, 2 * PAIRS + 8);
	assert_in_range(met.s.n_kept, STRANGERS_KEPT / 2, STRANGERS_KEPT);
	assert_true(met.s.fd[met.s.n_kept - 1] > s[PAIRS / 2][0]);
	for (size_t i = 0; i < met.s.n_kept; i++) {
		assert_int_not_equal(met.s.inode[i], inode_of(seen[0]));
		assert_int_equal(met.s.inode[i], inode_of(met.s.fd[i]));
	}
	free(walk.procs);
	owners_free(o);
	for (size_t i = 0; i < PAIRS; i++) {
		close(s[i][0]);
		close(s[i][1]);
	}
	close(seen[0]);
	close(seen[1]);
}

TEST(walk__tcp_only__passes_over_what_is_certainly_no_tcp)
{
	enum { PAIRS = 20, TCP = 3 };
	int s[PAIRS][2], tcp[TCP];
	int32_t self = getpid();
	struct met met = {.keep = false};
	struct owners_walk walk = {
		.pids = &self, .n_pids = 1, .strangers = meet, .ctx = &met, .strangers_min = 1, .tcp_only = true};
	struct owners *o;

	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]), 0);
	for (size_t i = 0; i < TCP; i++) {
		tcp[i] = socket(i ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		if (tcp[i] < 0) /* no IPv6 here */
			tcp[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_true(tcp[i] >= 0);
	}
	assert_int_equal(owners_new(key, &o), 0);
	assert_int_equal(owners_walk(o, &walk), 0);
	assert_int_equal(met.s.n, TCP);
	for (size_t i = 0; i < TCP; i++) {
		assert_int_equal(met.s.inode[i], inode_of(met.s.fd[i]));
		close(tcp[i]);
	}
	owners_free(o);
	free(walk.procs);
	for (size_t i = 0; i < PAIRS; i++) {
		close(s[i][0]);
		close(s[i][1]);
	}
}

TEST(walk__strangers_that_are_not_kept__leave_no_process_behind)
{
	int s[2];
	int32_t self = getpid();
	struct met met = {.keep = false};
	struct owners_walk walk = {.pids = &self, .n_pids = 1, .strangers = meet, .ctx = &met, .strangers_min = 1};
	struct owners *o;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(owners_new(key, &o), 0);
	assert_int_equal(owners_walk(o, &walk), 0);
	assert_int_equal(met.s.n_kept, met.s.n);
	assert_true(met.s.n >= 2);
	assert_int_equal(walk.n_procs, 0);
	free(walk.procs);
	owners_free(o);
	close(s[0]);
	close(s[1]);
}

TEST(owners__many_inodes__are_all_kept)
{
	struct owners *o;
	int32_t proc;
	int fd;

	assert_int_equal(owners_new(key, &o), 0);
	for (uint64_t i = 1; i <= OWNERS_SEEN_MAX; i++)
		assert_int_equal(owners_seen(o, i * 7), 0);
	assert_true(owners_seen_all(o));
	assert_int_equal(owners_seen(o, 5), 0);
	assert_false(owners_seen_all(o));
	assert_false(owners_find(o, 7, &proc, &fd));
	owners_free(o);
}

TEST(proc__ourselves__is_described_and_a_pid_that_cannot_be_is_not)
{
	struct proc p = {.pid = 0};

	assert_true(proc_read(getpid(), &p));
	assert_string_equal(p.comm, "test_obs_procs");
	assert_true(p.netns != 0);
	assert_true(p.fd_limit > 0);
	assert_false(proc_read(INT32_MAX, &p));
	assert_int_equal(proc_netns(INT32_MAX), 0);
}

RUN(T(cgroup__every_container_runtime__gives_the_short_id), T(cgroup__no_container__has_no_id),
    T(cgroup__both_hierarchies__show_the_most_telling_path), T(cgroup__lines_without_colons_or_endless__are_survived),
    T(limits__max_open_files__is_the_soft_one), T(socket_link__only_sockets__have_an_inode),
    T(walk__wanted_socket_of_ours__is_found_with_its_descriptor),
    T(walk__sockets_nobody_saw__are_strangers_and_a_sample_of_them_is_even),
    T(walk__tcp_only__passes_over_what_is_certainly_no_tcp),
    T(walk__strangers_that_are_not_kept__leave_no_process_behind), T(owners__many_inodes__are_all_kept),
    T(proc__ourselves__is_described_and_a_pid_that_cannot_be_is_not))
