/* SPDX-License-Identifier: MIT */
/* opt.c - socket options, with the ranges, the clamping and the answers of Linux 6.18. */
#include "engine/engine.h"

#include <errno.h>

enum {
	MSS_MIN = 88, /* TCP_MIN_MSS */
	MSS_MAX = 32767, /* MAX_TCP_WINDOW */
	KEEP_S_MAX = 32767,
	COUNT_MAX = 127, /* TCP_KEEPCNT, TCP_SYNCNT */
	LINGER2_MAX_S = 120,
	MEM_MAX = 4 << 20, /* net.core.wmem_max, rmem_max */
	SNDBUF_MIN = 4608, /* SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF on 64 bits */
	RCVBUF_MIN = 2304,
};

/* ---- set ---- */

/* The flags decide whom others' bind() meets: what the socket holds is counted with them. */
static void set_bind_flag(struct conn *c, bool *flag, bool on)
{
	struct engine *e = c->eng;
	uint8_t before = conn_bind_flags(c), after;

	*flag = on;
	after = conn_bind_flags(c);
	if (after == before)
		return;
	if (c->port_chosen) {
		binds_chosen(e->binds, c->t.lport, c->is_v6, before, -1);
		binds_chosen(e->binds, c->t.lport, c->is_v6, after, 1);
	}
	if (c->bind != BIND_NONE) {
		binds_add_to(e->binds, c->bind, c->bind_class, after);
		binds_sub(e->binds, c->bind, c->bind_class, before);
	}
}

bool opt_is_connected(const struct conn *c) { return c->state != CLOSED && c->state != LISTEN; }

static void keepalive_changed(struct conn *c)
{
	if (opt_is_connected(c))
		timer_keepalive_start(c);
}

static int set_linger(struct conn *c, const void *value, size_t len)
{
	struct la_linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, value, sizeof(l));
	c->opt.linger = l.onoff != 0;
	if (l.onoff)
		c->opt.linger_s = l.linger_s < 0 ? INT32_MAX : l.linger_s; /* Linux: unsigned, for ever */
	return 0;
}

static int set_port_range(struct conn *c, uint32_t v)
{
	uint16_t low = (uint16_t)v, high = (uint16_t)(v >> 16);

	if (low && high && low > high)
		return -EINVAL;
	c->opt.port_range = v;
	return 0;
}

/* What Nagle or the cork kept back goes. */
static void set_nodelay(struct conn *c, bool on)
{
	c->opt.nodelay = on;
	if (!on || !opt_is_connected(c))
		return;
	c->push = true;
	out_schedule(c);
}

static void set_cork(struct conn *c, bool on)
{
	c->opt.cork = on;
	if (on || !opt_is_connected(c))
		return;
	c->more = false;
	c->push |= c->opt.nodelay;
	out_schedule(c);
}

/* Linux doubles what is asked for, for its own overhead, and takes a negative number for a large one. */
static uint32_t doubled(int v, uint32_t min)
{
	uint32_t n = (uint32_t)v > MEM_MAX ? MEM_MAX : (uint32_t)v;

	return 2 * n < min ? min : 2 * n;
}

static void set_rcvlowat(struct conn *c, int v)
{
	uint32_t most = (c->opt.rcvbuf ? c->opt.rcvbuf : conn_rcv_buf(c)) / 2;

	c->opt.rcvlowat = v < 0 || (uint32_t)v > most ? most : (uint32_t)v;
	if (!c->opt.rcvbuf && c->opt.rcvlowat > conn_rcv_buf(c) / 2)
		rcv_buf_set(c, 2 * c->opt.rcvlowat);
	if (opt_is_connected(c))
		event_raise(c);
}

static int set_window_clamp(struct conn *c, int v)
{
	if (v == 0 && c->state != CLOSED)
		return -EINVAL;
	c->opt.window_clamp = v == 0 ? 0 : v < RCVBUF_MIN / 2 ? RCVBUF_MIN / 2 : (uint32_t)v;
	if (v && opt_is_connected(c))
		rcv_clamp_set(c, c->opt.window_clamp);
	return 0;
}

static int set_congestion(struct conn *c, const char *value, size_t len)
{
	char name[CC_NAME_MAX] = "";
	const struct cc_ops *ops;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len && i < sizeof(name) - 1 && value[i]; i++)
		name[i] = value[i];
	ops = cc_find(name);
	if (!ops)
		return -ENOENT;
	c->opt.cc = ops;
	if (c->connected_once)
		cc_change(&c->cc, ops);
	return 0;
}

/* Room to write may have come. */
static int writable_again(struct conn *c)
{
	if (opt_is_connected(c))
		event_raise(c);
	return 0;
}

static int set_maxseg(struct conn *c, int v)
{
	if (v && (v < MSS_MIN || v > MSS_MAX))
		return -EINVAL;
	c->opt.maxseg = (uint16_t)v;
	if (!opt_is_connected(c))
		sock_adv_mss(c);
	return 0;
}

static int set_owner(struct conn *c, uint32_t v)
{
	if (c->bind != BIND_NONE || c->port_chosen)
		return -EINVAL;
	c->opt.owner = v;
	return 0;
}

static bool in(int v, int min, int max) { return min <= v && v <= max; }

/* The TCP_ ones that have a range. */
static int set_tcp(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	if (opt == LA_TCP_KEEPIDLE && in(v, 1, KEEP_S_MAX))
		o->keep_idle_s = (uint32_t)v;
	else if (opt == LA_TCP_KEEPINTVL && in(v, 1, KEEP_S_MAX))
		o->keep_intvl_s = (uint32_t)v;
	else if (opt == LA_TCP_KEEPCNT && in(v, 1, COUNT_MAX))
		o->keep_probes = (uint8_t)v;
	else if (opt == LA_TCP_SYNCNT && in(v, 1, COUNT_MAX))
		o->syn_retries = (uint8_t)v;
	else if (opt == LA_TCP_USER_TIMEOUT && v >= 0)
		o->user_timeout_ms = (uint32_t)v;
	else
		return -EINVAL;
	if (opt == LA_TCP_KEEPIDLE)
		keepalive_changed(c);
	return 0;
}

/* Those of part 2 of the engine: buffers, marks, corks. */
static int set_buffers(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	if (opt == LA_SO_SNDBUF) {
		o->sndbuf = doubled(v, SNDBUF_MIN);
		return writable_again(c);
	}
	if (opt == LA_TCP_NOTSENT_LOWAT) {
		o->notsent_lowat = (uint32_t)v;
		return writable_again(c);
	}
	if (opt == LA_SO_RCVBUF) {
		o->rcvbuf = doubled(v, RCVBUF_MIN);
		rcv_buf_set(c, o->rcvbuf);
	} else {
		set_rcvlowat(c, v);
	}
	return 0;
}

static int set_ip(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	if (opt == LA_IP_TOS)
		o->tos = (uint8_t)((v & ~ECN_MASK) | (o->tos & ECN_MASK));
	else if (opt == LA_IP_TTL && (v == -1 || in(v, 1, UINT8_MAX)))
		o->ttl = v == -1 ? 0 : (uint8_t)v;
	else if (opt == LA_IP_MTU_DISCOVER && in(v, LA_PMTUDISC_DONT, LA_PMTUDISC_OMIT))
		o->pmtudisc = (uint8_t)v;
	else
		return -EINVAL;
	return 0;
}

/* What is on or off. */
static void set_flag(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	if (opt == LA_SO_REUSEADDR) {
		set_bind_flag(c, &o->reuseaddr, v);
	} else if (opt == LA_SO_REUSEPORT) {
		set_bind_flag(c, &o->reuseport, v);
	} else if (opt == LA_SO_KEEPALIVE) {
		o->keepalive = v;
		keepalive_changed(c);
	} else if (opt == LA_TCP_NODELAY) {
		set_nodelay(c, v);
	} else if (opt == LA_TCP_CORK) {
		set_cork(c, v);
	} else if (opt == LA_TCP_QUICKACK) {
		rcv_quickack_set(c, v);
	} else {
		must(opt == LA_IP_BIND_ADDRESS_NO_PORT);
		o->no_port = v;
	}
}

/* secs_to_retrans(): how often a SYN+ACK is sent again in so many seconds. */
static uint8_t repeats_of(int seconds)
{
	uint8_t n;

	for (n = 0; n < UINT8_MAX && opt_defer_s(n) < seconds; n++)
		;
	return n;
}

static int set_int(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	switch (opt) {
	case LA_SO_REUSEADDR:
	case LA_SO_REUSEPORT:
	case LA_SO_KEEPALIVE:
	case LA_TCP_NODELAY:
	case LA_TCP_CORK:
	case LA_TCP_QUICKACK:
	case LA_IP_BIND_ADDRESS_NO_PORT:
		set_flag(c, opt, v);
		return 0;
	case LA_SO_SNDBUF:
	case LA_SO_RCVBUF:
	case LA_SO_RCVLOWAT:
	case LA_TCP_NOTSENT_LOWAT:
		return set_buffers(c, opt, v);
	case LA_TCP_WINDOW_CLAMP:
		return set_window_clamp(c, v);
	case LA_TCP_MAXSEG:
		return set_maxseg(c, v);
	case LA_TCP_KEEPIDLE:
	case LA_TCP_KEEPINTVL:
	case LA_TCP_KEEPCNT:
	case LA_TCP_SYNCNT:
	case LA_TCP_USER_TIMEOUT:
		return set_tcp(c, opt, v);
	case LA_TCP_LINGER2:
		o->linger2_s = v < 0 ? -1 : v > LINGER2_MAX_S ? LINGER2_MAX_S : v;
		return 0;
	case LA_TCP_INQ:
		if (!in(v, 0, 1))
			return -EINVAL;
		o->inq = v;
		return 0;
	case LA_IP_LOCAL_PORT_RANGE:
		return set_port_range(c, (uint32_t)v);
	case LA_SO_OWNER:
		return set_owner(c, (uint32_t)v);
	case LA_IP_TOS:
	case LA_IP_TTL:
	case LA_IP_MTU_DISCOVER:
		return set_ip(c, opt, v);
	case LA_TCP_DEFER_ACCEPT:
		o->defer = repeats_of(v);
		return 0;
	case LA_SO_LINGER:
	case LA_SO_ERROR:
	case LA_SO_ACCEPTCONN:
	case LA_SO_SNDLOWAT:
	case LA_TCP_INFO:
	case LA_TCP_CC_INFO:
	case LA_TCP_CONGESTION:
	case LA_IP_MTU:
	case LA_N_OPTS:
		break;
	}
	return -ENOPROTOOPT;
}

static bool may_set(enum la_opt opt)
{
	static const bool get_only[LA_N_OPTS] = {
		[LA_SO_ERROR] = true, [LA_SO_ACCEPTCONN] = true, [LA_SO_SNDLOWAT] = true,
		[LA_TCP_INFO] = true, [LA_TCP_CC_INFO] = true,   [LA_IP_MTU] = true,
	};

	return (unsigned)opt < LA_N_OPTS && !get_only[opt];
}

static bool is_ip(enum la_opt opt) { return opt == LA_IP_TOS || opt == LA_IP_TTL || opt == LA_IP_MTU_DISCOVER; }

/* IPPROTO_IP alone takes a char for an int, and nothing for 0. */
static int short_int(const struct conn *c, enum la_opt opt, const void *value, size_t len, int *ret)
{
	uint8_t octet = 0;

	if (!is_ip(opt) || c->is_v6)
		return -EINVAL;
	if (len)
		memcpy(&octet, value, 1);
	*ret = octet;
	return 0;
}
int la_setsockopt(struct la_engine *h, la_sock s, enum la_opt opt, const void *value, size_t len)
{
	struct conn *c = sock_find(engine_of(h), s);
	int v, err = 0;

	if (!c)
		return -EBADF;
	if (!may_set(opt))
		return -ENOPROTOOPT;
	if (!value)
		return -EFAULT;
	if (opt == LA_SO_LINGER)
		return set_linger(c, value, len);
	if (opt == LA_TCP_CONGESTION)
		return set_congestion(c, value, len);
	if (opt == LA_IP_LOCAL_PORT_RANGE && len != sizeof(v))
		return -EINVAL;
	if (len < sizeof(v))
		err = short_int(c, opt, value, len, &v);
	else
		memcpy(&v, value, sizeof(v));
	return err ? err : set_int(c, opt, v);
}
