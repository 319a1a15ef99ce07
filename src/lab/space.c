/* SPDX-License-Identifier: MIT */
#include "lab/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tun.h"
#include "lab/netlink.h"

/* A burst must find room while nobody reads the device: 500 packets, the default, are half a full window. */
enum { TUN_QUEUE = 4096 };

static int host_ns = -1;
static uint64_t host_inode;
static const char no_ipv6[] = "/proc/sys/net/ipv6/conf/all/disable_ipv6";

static int self_ns(struct why *w)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? why_errno(w, errno, "open /proc/thread-self/ns/net") : fd;
}

uint64_t space_inode(int ns)
{
	struct stat st;

	return fstat(ns, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

int space_guard(struct why *w)
{
	int fd;

	if (host_ns >= 0)
		return 0;
	fd = self_ns(w);
	if (fd < 0)
		return fd;
	host_ns = fd;
	host_inode = space_inode(fd);
	return 0;
}

int space_enter(int ns, struct why *w)
{
	return setns(ns, CLONE_NEWNET) ? why_errno(w, errno, "enter a network namespace") : 0;
}

int space_host(struct why *w) { return space_enter(host_ns, w); }

/* The guard: only a namespace the lab made may be changed. Init's is refused too, should the lab run inside another. */
static int guard(int ns, struct why *w)
{
	struct stat init;
	uint64_t inode = space_inode(ns);

	must(host_ns >= 0);
	if (inode == 0 || inode == host_inode || (stat("/proc/1/ns/net", &init) == 0 && inode == init.st_ino)) {
		why_set(w, "refusing to change a network namespace that the lab did not make");
		return -EPERM;
	}
	return 0;
}

/* Runs fn inside ns and comes back. Not to come back would put the next step on the wrong host: that is fatal. */
static int inside(int ns, int (*fn)(const void *arg, struct why *w), const void *arg, struct why *w)
{
	int old = self_ns(w), err = old < 0 ? old : guard(ns, w);

	if (err == 0)
		err = space_enter(ns, w);
	if (err == 0) {
		err = fn(arg, w);
		must(setns(old, CLONE_NEWNET) == 0);
	}
	if (old >= 0)
		close(old);
	return err;
}

static int write_file(const char *path, const char *value, struct why *w)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return why_errno(w, errno, "open %s", path);
	if (write(fd, value, strlen(value)) < 0)
		err = why_errno(w, errno, "write \"%s\" to %s", value, path);
	close(fd);
	return err;
}

struct sysctl {
	char path[160];
	const char *value;
	char *ret;
	size_t cap;
};

static int sysctl_write(const void *arg, struct why *w)
{
	const struct sysctl *s = arg;

	return write_file(s->path, s->value, w);
}

static int sysctl_read(const void *arg, struct why *w)
{
	const struct sysctl *s = arg;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return why_errno(w, errno, "open %s", s->path);
	n = read(fd, s->ret, s->cap - 1);
	close(fd);
	if (n < 0)
		return why_errno(w, errno, "read %s", s->path);
	s->ret[n] = 0;
	s->ret[strcspn(s->ret, "\n")] = 0;
	return 0;
}

static void sysctl_path(struct sysctl *s, const char *name)
{
	snprintf(s->path, sizeof(s->path), "/proc/sys/%s", name);
	for (char *p = s->path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
}

int space_sysctl(int ns, const char *name, const char *value, struct why *w)
{
	struct sysctl s = {.value = value};

	sysctl_path(&s, name);
	return inside(ns, sysctl_write, &s, w);
}

// NOLINTNEXTLINE(readability-non-const-parameter): written through struct sysctl
int space_sysctl_read(int ns, const char *name, char *ret, size_t cap, struct why *w)
{
	struct sysctl s = {.ret = ret, .cap = cap};

	must(cap > 0);
	sysctl_path(&s, name);
	return inside(ns, sysctl_read, &s, w);
}

static int begin_life(const void *arg, struct why *w)
{
	int err = 0;

	/* A kernel without IPv6 has nothing to switch off. */
	if (access(no_ipv6, F_OK) == 0)
		err = write_file(no_ipv6, "1", w);
	return err ? err : nl_up("lo", w);
}

int space_new(struct why *w)
{
	int old = self_ns(w), ns, err;

	if (old < 0)
		return old;
	if (unshare(CLONE_NEWNET)) {
		err = why_errno(w, errno, "create a network namespace");
		close(old);
		return err;
	}
	ns = self_ns(w);
	must(setns(old, CLONE_NEWNET) == 0);
	close(old);
	if (ns < 0)
		return ns;
	err = inside(ns, begin_life, NULL, w);
	if (err) {
		close(ns);
		return err;
	}
	return ns;
}

static int addr_parse(const char *text, struct nl_addr *ret, struct why *w)
{
	char host[48];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned longest;

	if (len >= sizeof(host))
		goto bad;
	memcpy(host, text, len);
	host[len] = 0;
	if (!ip_parse(host, &ret->addr))
		goto bad;
	longest = ret->addr.family == 6 ? 128 : 32;
	ret->prefix = slash ? (unsigned)strtoul(slash + 1, NULL, 10) : longest;
	if (ret->prefix <= longest)
		return 0;
bad:
	why_set(w, "not an address: %s", text);
	return -EINVAL;
}

static int end_up(const void *arg, struct why *w)
{
	const struct space_end *e = arg;
	struct nl_addr a;
	int err = addr_parse(e->addr, &a, w);

	if (err == 0)
		err = nl_addr_add(e->name, &a, w);
	return err ? err : nl_up(e->name, w);
}

static int ipv6_on(const void *arg, struct why *w)
{
	int err = write_file(no_ipv6, "0", w);

	return err ? err : end_up(arg, w);
}

int space_ipv6(struct space_end e, struct why *w) { return inside(e.ns, ipv6_on, &e, w); }

struct tun {
	const struct space_end *e;
	int *ret_fd;
};

static int tun_make(const void *arg, struct why *w)
{
	const struct tun *t = arg;
	int fd = tun_open(t->e->name, w), err = fd < 0 ? fd : nl_queue_len(t->e->name, TUN_QUEUE, w);

	if (err == 0)
		err = end_up(t->e, w);
	if (err && fd >= 0)
		close(fd);
	*t->ret_fd = fd;
	return err;
}

int space_tun(struct space_end e, struct why *w)
{
	int fd = -1, err = inside(e.ns, tun_make, &(struct tun){&e, &fd}, w);

	return err ? err : fd;
}

struct veth {
	const struct space_end *a, *b;
};

static int veth_make(const void *arg, struct why *w)
{
	const struct veth *v = arg;

	return nl_veth(v->a->name, v->b->name, v->b->ns, w);
}

int space_veth(struct space_end a, struct space_end b, struct why *w)
{
	const struct veth v = {&a, &b};
	int err = guard(b.ns, w);

	if (err == 0)
		err = inside(a.ns, veth_make, &v, w);
	if (err == 0)
		err = inside(a.ns, end_up, &a, w);
	return err ? err : inside(b.ns, end_up, &b, w);
}

struct route {
	struct nl_addr dst, via;
};

static int route_make(const void *arg, struct why *w)
{
	const struct route *r = arg;

	return nl_route_add(&r->dst, &r->via, w);
}

int space_route(int ns, const char *dst, const char *via, struct why *w)
{
	struct route r;
	int err = addr_parse(dst, &r.dst, w);

	if (err == 0)
		err = addr_parse(via, &r.via, w);
	return err ? err : inside(ns, route_make, &r, w);
}
