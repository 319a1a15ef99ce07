/* SPDX-License-Identifier: MIT */
/* opts.c - setsockopt(), getsockopt() and ioctl(): Linux's names onto the engine's. */
#include "packetdrill/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
enum {
	MEMINFO_VARS = 9,
	MEMINFO_RMEM = 0,
	MEMINFO_RCVBUF = 1,
	MEMINFO_WMEM = 2,
	MEMINFO_SNDBUF = 3,
	MEMINFO_QUEUED = 5
};

static const struct {
	int level, name;
	enum la_opt opt;
} map[] = {
	{SOL_SOCKET, SO_REUSEADDR, LA_SO_REUSEADDR},
	{SOL_SOCKET, SO_REUSEPORT, LA_SO_REUSEPORT},
	{SOL_SOCKET, SO_KEEPALIVE, LA_SO_KEEPALIVE},
	{SOL_SOCKET, SO_LINGER, LA_SO_LINGER},
	{SOL_SOCKET, SO_ERROR, LA_SO_ERROR},
	{SOL_SOCKET, SO_SNDBUF, LA_SO_SNDBUF},
	{SOL_SOCKET, SO_RCVBUF, LA_SO_RCVBUF},
	{SOL_SOCKET, SO_ACCEPTCONN, LA_SO_ACCEPTCONN},
	{IPPROTO_TCP, TCP_NODELAY, LA_TCP_NODELAY},
	{IPPROTO_TCP, TCP_MAXSEG, LA_TCP_MAXSEG},
	{IPPROTO_TCP, TCP_KEEPIDLE, LA_TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL, LA_TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT, LA_TCP_KEEPCNT},
	{IPPROTO_TCP, TCP_LINGER2, LA_TCP_LINGER2},
	{IPPROTO_TCP, TCP_SYNCNT, LA_TCP_SYNCNT},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, LA_TCP_USER_TIMEOUT},
	{IPPROTO_TCP, TCP_QUICKACK, LA_TCP_QUICKACK},
	{SOL_SOCKET, SO_RCVLOWAT, LA_SO_RCVLOWAT},
	{SOL_SOCKET, SO_SNDLOWAT, LA_SO_SNDLOWAT},
	{IPPROTO_TCP, TCP_CORK, LA_TCP_CORK},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, LA_TCP_NOTSENT_LOWAT},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, LA_TCP_WINDOW_CLAMP},
	{IPPROTO_TCP, TCP_INQ, LA_TCP_INQ},
	{IPPROTO_TCP, TCP_INFO, LA_TCP_INFO},
	{IPPROTO_TCP, TCP_CC_INFO, LA_TCP_CC_INFO},
	{IPPROTO_TCP, TCP_CONGESTION, LA_TCP_CONGESTION},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, LA_TCP_DEFER_ACCEPT},
	{IPPROTO_IP, IP_MTU_DISCOVER, LA_IP_MTU_DISCOVER},
	{IPPROTO_IP, IP_MTU, LA_IP_MTU},
	{IPPROTO_IP, IP_TOS, LA_IP_TOS},
	{IPPROTO_IP, IP_TTL, LA_IP_TTL},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, LA_IP_MTU_DISCOVER},
	{IPPROTO_IPV6, IPV6_TCLASS, LA_IP_TOS},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, LA_IP_TTL},
};

static int find(int level, int name, enum la_opt *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].level == level && map[i].name == name) {
			*ret = map[i].opt;
			return 0;
		}
	return -ENOPROTOOPT;
}

static int set_time(la_time *ret, const void *value, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	*ret = tv.tv_sec < 0 ? 0 : (la_time)tv.tv_sec * NSEC_PER_S + (la_time)tv.tv_usec * 1000;
	return 0;
}

static int set(struct stack *s, struct file *f, enum la_opt opt, const void *value, size_t len)
{
	const int r = la_setsockopt(s->engine, f->sock, opt, value, len);

	if (r == 0 && !f->is_settled && f->n_kept < KEPT_OPTS_MAX && len <= sizeof(f->kept[0].value)) {
		struct kept_opt *k = &f->kept[f->n_kept++];

		*k = (struct kept_opt){.opt = opt, .len = (uint8_t)len};
		memcpy(k->value, value, len);
	}
	return r;
}

int sock_set(struct stack *s, int fd, int level, int name, const void *value, socklen_t len)
{
	struct file *f = stack_file(s, fd, FILE_SOCKET);
	enum la_opt opt;
	int r;

	if (!value)
		return -EFAULT;
	if (level == SOL_SOCKET && name == SO_RCVTIMEO)
		return set_time(&f->recv_for, value, len);
	if (level == SOL_SOCKET && name == SO_SNDTIMEO)
		return set_time(&f->send_for, value, len);
	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		return 0; /* allowed; what is sent so is copied, and nothing ever is in the error queue */
	r = find(level, name, &opt);
	if (r < 0)
		return r;
	if (level == IPPROTO_IP && len > 0 && len < sizeof(int)) { /* Linux takes an octet there */
		const int v = *(const uint8_t *)value;

		return set(s, f, opt, &v, sizeof(v));
	}
	return set(s, f, opt, value, len);
}

static int give(void *value, socklen_t *len, const void *from, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	memcpy(value, from, *len);
	return 0;
}

static int get_int(struct stack *s, const struct file *f, enum la_opt opt)
{
	int v = 0;
	size_t size = sizeof(v);

	return la_getsockopt(s->engine, f->sock, opt, &v, &size) < 0 ? 0 : v;
}

/* struct sk_meminfo of linux/sock_diag.h, as far as the engine has such things. */
static int get_meminfo(struct stack *s, const struct file *f, void *value, socklen_t *len)
{
	uint32_t mem[MEMINFO_VARS] = {
		[MEMINFO_RMEM] = (uint32_t)sock_count(s, f, LA_SIOCINQ),
		[MEMINFO_RCVBUF] = (uint32_t)get_int(s, f, LA_SO_RCVBUF),
		[MEMINFO_SNDBUF] = (uint32_t)get_int(s, f, LA_SO_SNDBUF),
		[MEMINFO_QUEUED] = (uint32_t)sock_count(s, f, LA_SIOCOUTQ),
	};

	return give(value, len, mem, sizeof(mem));
}

int sock_get(struct stack *s, int fd, int level, int name, void *value, socklen_t *len)
{
	const struct file *f = stack_file(s, fd, FILE_SOCKET);
	size_t size;
	enum la_opt opt;
	int r;

	if (!value || !len)
		return -EFAULT;
	if (level == SOL_SOCKET && name == SO_MEMINFO)
		return get_meminfo(s, f, value, len);
	r = find(level, name, &opt);
	if (r < 0)
		return r;
	size = *len;
	r = la_getsockopt(s->engine, f->sock, opt, value, &size);
	*len = (socklen_t)size;
	return r;
}

int sock_ioctl(struct stack *s, int fd, unsigned long request, void *arg)
{
	struct file *f = stack_file(s, fd, FILE_SOCKET);
	int v, r;

	if (!arg)
		return -EFAULT;
	if (request == FIONBIO) {
		memcpy(&v, arg, sizeof(v));
		f->flags = v ? O_NONBLOCK : 0;
		return 0;
	}
	if (request != SIOCINQ && request != SIOCOUTQ && request != SIOCOUTQNSD)
		return -ENOTTY;
	r = la_ioctl(s->engine, f->sock,
		     request == SIOCINQ    ? LA_SIOCINQ
		     : request == SIOCOUTQ ? LA_SIOCOUTQ
					   : LA_SIOCOUTQNSD,
		     &v);
	if (r < 0)
		return r;
	memcpy(arg, &v, sizeof(v));
	return 0;
}
