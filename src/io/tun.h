/* SPDX-License-Identifier: MIT */
/*
 * tun.h - a tun device: IP packets to and from the kernel of one network namespace. It has no Ethernet, so no ARP and
 * no neighbour discovery, and it lives as long as its descriptor.
 */
#pragma once
#include "base/why.h"

enum { TUN_MTU = 1500 /* as the kernel sets it */, TUN_PACKET_MAX = 65535 };

/*
 * A new device in the calling thread's network namespace; still down and without addresses. The descriptor does not
 * block and works wherever the caller moves. -ENOENT: this kernel has no tun; -EPERM: no CAP_NET_ADMIN; ...
 */
int tun_open(const char *name, struct why *w);

/* One packet: its length; 0: there is none now; -errno: the device is gone. */
int tun_read(int fd, void *buf, size_t cap);

/* 0; -EAGAIN: the kernel takes none now, the packet is lost as on any link; -EIO: the device is down; -errno. */
int tun_write(int fd, const void *packet, size_t len);
