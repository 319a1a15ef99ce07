/* SPDX-License-Identifier: MIT */
#include "io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tun_open(const char *name, struct why *w)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return why_errno(w, errno, "open /dev/net/tun");
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r)) {
		int err = why_errno(w, errno, "create tun device %s", name);

		close(fd);
		return err;
	}
	return fd;
}

int tun_read(int fd, void *buf, size_t cap)
{
	ssize_t n = read(fd, buf, cap);

	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int tun_write(int fd, const void *packet, size_t len)
{
	ssize_t n = write(fd, packet, len);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return (size_t)n == len ? 0 : -EIO;
}
