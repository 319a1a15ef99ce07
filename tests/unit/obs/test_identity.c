/* SPDX-License-Identifier: MIT */
/* test_identity.c - a descriptor's number may be another socket's by now: who asks for options must say which one. */
#include "tests/unit/t.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs/obs.h"
#include "obs/sockopts.h"

int __real_sockopts_read(int32_t pid, int fd, uint64_t inode, struct sockopts *ret);
int __wrap_sockopts_read(int32_t pid, int fd, uint64_t inode, struct sockopts *ret);

static int listener, abandoned;
static bool asked_listener, asked_abandoned;

int __wrap_sockopts_read(int32_t pid, int fd, uint64_t inode, struct sockopts *ret)
{
	struct stat st;

	if (pid == getpid()) {
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, inode);
		asked_listener |= fd == listener;
		asked_abandoned |= fd == abandoned;
	}
	return __real_sockopts_read(pid, fd, inode, ret);
}

/* A listener, and a connection to it whose client has closed: CLOSE_WAIT. */
static void make_sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	struct pollfd p;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
	abandoned = accept(listener, NULL, NULL);
	close(client);
	p = (struct pollfd){.fd = abandoned, .events = POLLRDHUP};
	assert_int_equal(poll(&p, 1, 5000), 1);
}

TEST(options__of_listeners_and_holders__are_asked_of_one_certain_socket)
{
	const struct obs_cfg self = {.scope = OBS_NETNS_SELF, .depth = OBS_LEAKS, .root = ""};
	struct snapshot s = {0};
	struct why w = {""};
	struct obs *o;

	make_sockets();
	assert_int_equal(obs_new(&self, &o, &w), 0);
	assert_int_equal(obs_snapshot(o, &s, &w), 0);
	assert_true(asked_listener);
	assert_true(asked_abandoned);
	snapshot_done(&s);
	obs_free(o);
	close(abandoned);
	close(listener);
}

RUN(T(options__of_listeners_and_holders__are_asked_of_one_certain_socket))
