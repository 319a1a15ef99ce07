/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "io/tun.h"
#include "lab/space.h"
#include "tests/unit/t.h"

static int new_ns(void)
{
	struct why w = {0};
	int ns;

	assert_int_equal(space_guard(&w), 0);
	ns = space_new(&w);
	if (ns == -EPERM)
		skip();
	assert_true(ns >= 0);
	return ns;
}

TEST(open__in_a_namespace_of_its_own__packets_go_in)
{
	/* An IPv4 packet of an unknown protocol: the kernel takes it and answers with ICMP. */
	static const uint8_t packet[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0x53, 0x51, 10, 77, 9, 2, 10, 77, 9, 1};
	struct why w = {0};
	uint8_t buf[TUN_MTU];
	int ns = new_ns(), fd = space_tun((struct space_end){ns, "tun0", "10.77.9.1/24"}, &w);

	assert_true(fd >= 0);
	assert_int_equal(tun_read(fd, buf, sizeof(buf)), 0);
	assert_int_equal(tun_write(fd, packet, sizeof(packet)), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), 1);
	assert_int_equal(tun_read(fd, buf, sizeof(buf)), 20 + 8 + 20);
	assert_int_equal(buf[9], 1); /* ICMP */
	assert_int_equal(tun_write(fd, "x", 1), -EINVAL);
	close(fd);
	close(ns);
}

TEST(read__of_no_device__is_an_error)
{
	uint8_t buf[16];

	assert_int_equal(tun_read(-1, buf, sizeof(buf)), -EBADF);
	assert_int_equal(tun_write(-1, buf, sizeof(buf)), -EBADF);
}

TEST(space_tun__in_the_hosts_namespace__is_refused)
{
	struct why w = {0};

	assert_int_equal(space_guard(&w), 0);
	assert_int_equal(space_tun((struct space_end){-1, "tun0", "10.77.9.1/24"}, &w), -EPERM);
}

RUN(T(open__in_a_namespace_of_its_own__packets_go_in), T(read__of_no_device__is_an_error),
    T(space_tun__in_the_hosts_namespace__is_refused))
