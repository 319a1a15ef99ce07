/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/relay.h"
#include "tests/unit/t.h"

/* A pair of datagram sockets stands for a tun device: read() and write() do not tell the difference. */
static void devices(int dev[2], int far[2])
{
	for (int i = 0; i < 2; i++) {
		int p[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p), 0);
		dev[i] = p[0];
		far[i] = p[1];
	}
}

static nsec_t in_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec + ms * NSEC_PER_MS;
}

TEST(relay__carries_both_ways_and_loses_as_told)
{
	struct impair_stats s[2];
	struct why w = {0};
	struct relay_cfg c = {.toward = {{.loss = 1}, {.loss = 0}}, .seed = 1, .until = in_ms(60000)};
	int far[2], stop[2];
	char buf[8] = "";

	devices(c.fd, far);
	assert_int_equal(pipe(stop), 0);
	c.stop_fd = stop[0];
	close(stop[1]); /* told to stop before it begins: what is there is carried all the same */
	assert_int_equal(write(far[0], "one", 3), 3);
	assert_int_equal(write(far[1], "two", 3), 3);
	assert_int_equal(tun_relay(&c, s, &w), 0);
	assert_int_equal(read(far[1], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(read(far[0], buf, sizeof(buf)), -1);
	assert_int_equal(s[0].lost, 1);
	assert_int_equal(s[1].out, 1);
	close(stop[0]);
	for (int i = 0; i < 2; i++) {
		close(c.fd[i]);
		close(far[i]);
	}
}

TEST(relay__told_to_stop__returns_before_its_time)
{
	struct impair_stats s[2];
	struct why w = {0};
	struct relay_cfg c = {.until = in_ms(60000)};
	int far[2], stop[2];

	devices(c.fd, far);
	assert_int_equal(pipe(stop), 0);
	c.stop_fd = stop[0];
	close(stop[1]);
	assert_int_equal(tun_relay(&c, s, &w), 0);
	assert_true(in_ms(0) < c.until - 30 * NSEC_PER_S);
	close(stop[0]);
	for (int i = 0; i < 2; i++) {
		close(c.fd[i]);
		close(far[i]);
	}
}

TEST(relay__device_gone__is_an_error)
{
	struct impair_stats s[2];
	struct why w = {0};
	struct relay_cfg c = {.fd = {-1, -1}, .until = in_ms(60000), .stop_fd = -1};

	assert_int_equal(tun_relay(&c, s, &w), -EBADF);
	assert_non_null(strstr(w.text, "tun"));
}

RUN(T(relay__carries_both_ways_and_loses_as_told), T(relay__told_to_stop__returns_before_its_time),
    T(relay__device_gone__is_an_error))
