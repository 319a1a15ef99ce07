/* SPDX-License-Identifier: MIT */
/* opt.c - socket options, with the ranges, the clamping and the answers of Linux 6.18. */
#include "engine/engine.h"

#include <errno.h>

enum {
	MSS_MIN = 88, /* TCP_MIN_MSS */
	MSS_MAX = 32767, /* MAX_TCP_WINDOW */
	MSS_UNKNOWN = 536, /* what TCP_MAXSEG says before a connection */
	KEEP_S_MAX = 32767,
	COUNT_MAX = 127, /* TCP_KEEPCNT, TCP_SYNCNT */
	LINGER2_MAX_S = 120,
	ECN_MASK = 3,
	TTL_DEFAULT = 64,
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

static bool is_connected(const struct conn *c) { return c->state != CLOSED && c->state != LISTEN; }

static void keepalive_changed(struct conn *c)
{
	if (is_connected(c))
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

static void set_nodelay(struct conn *c, bool on)
{
	c->opt.nodelay = on;
	if (on && is_connected(c))
		out_schedule(c); /* what Nagle kept back */
}

static void set_quickack(struct conn *c, bool on)
{
	c->quickack = on;
	if (on && c->ack_pending && is_connected(c))
		out_ack_now(c);
}

static int set_maxseg(struct conn *c, int v)
{
	if (v && (v < MSS_MIN || v > MSS_MAX))
		return -EINVAL;
	c->opt.maxseg = (uint16_t)v;
	if (!is_connected(c))
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

static int set_int(struct conn *c, enum la_opt opt, int v)
{
	struct sockopts *o = &c->opt;

	switch (opt) {
	case LA_SO_REUSEADDR:
		set_bind_flag(c, &o->reuseaddr, v);
		return 0;
	case LA_SO_REUSEPORT:
		set_bind_flag(c, &o->reuseport, v);
		return 0;
	case LA_SO_KEEPALIVE:
		o->keepalive = v;
		keepalive_changed(c);
		return 0;
	case LA_TCP_NODELAY:
		set_nodelay(c, v);
		return 0;
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
	case LA_TCP_QUICKACK:
		set_quickack(c, v & 1);
		return 0;
	case LA_IP_BIND_ADDRESS_NO_PORT:
		o->no_port = v;
		return 0;
	case LA_IP_LOCAL_PORT_RANGE:
		return set_port_range(c, (uint32_t)v);
	case LA_SO_OWNER:
		return set_owner(c, (uint32_t)v);
	case LA_IP_TOS:
		o->tos = (uint8_t)((v & ~ECN_MASK) | (o->tos & ECN_MASK));
		return 0;
	case LA_IP_TTL:
		if (v != -1 && !in(v, 1, UINT8_MAX))
			return -EINVAL;
		o->ttl = v == -1 ? 0 : (uint8_t)v;
		return 0;
	case LA_SO_LINGER:
	case LA_SO_ERROR:
	case LA_SO_SNDBUF:
	case LA_SO_RCVBUF:
	case LA_SO_ACCEPTCONN:
	case LA_N_OPTS:
		break;
	}
	return -ENOPROTOOPT;
}

static bool may_set(enum la_opt opt)
{
	return (unsigned)opt < LA_N_OPTS && opt != LA_SO_ERROR && opt != LA_SO_SNDBUF && opt != LA_SO_RCVBUF &&
	       opt != LA_SO_ACCEPTCONN;
}

int la_setsockopt(struct la_engine *h, la_sock s, enum la_opt opt, const void *value, size_t len)
{
	struct conn *c = sock_find(engine_of(h), s);
	int v;

	if (!c)
		return -EBADF;
	if (!may_set(opt))
		return -ENOPROTOOPT;
	if (!value)
		return -EFAULT;
	if (opt == LA_SO_LINGER)
		return set_linger(c, value, len);
	if (len < sizeof(v) || (opt == LA_IP_LOCAL_PORT_RANGE && len != sizeof(v)))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	return set_int(c, opt, v);
}

/* ---- get ---- */

static int64_t or_knob(int64_t own, int64_t knob) { return own ? own : knob; }

static int64_t get_maxseg(const struct conn *c)
{
	if (c->opt.maxseg && !is_connected(c))
		return c->opt.maxseg;
	return c->snd_mss ? c->snd_mss : MSS_UNKNOWN;
}

static int64_t get_error(struct conn *c)
{
	int32_t err = c->so_error ? c->so_error : c->soft_error;

	if (c->so_error)
		c->so_error = 0;
	else
		c->soft_error = 0;
	event_lower(c);
	return err;
}

static int64_t get_int(struct conn *c, enum la_opt opt)
{
	const struct sockopts *o = &c->opt;
	const struct knobs *k = &c->eng->k;

	switch (opt) {
	case LA_SO_REUSEADDR:
		return o->reuseaddr;
	case LA_SO_REUSEPORT:
		return o->reuseport;
	case LA_SO_KEEPALIVE:
		return o->keepalive;
	case LA_SO_ERROR:
		return get_error(c);
	case LA_SO_SNDBUF:
		return conn_snd_buf(c);
	case LA_SO_RCVBUF:
		return conn_rcv_buf(c);
	case LA_SO_ACCEPTCONN:
		return c->state == LISTEN;
	case LA_TCP_NODELAY:
		return o->nodelay;
	case LA_TCP_MAXSEG:
		return get_maxseg(c);
	case LA_TCP_KEEPIDLE:
		return or_knob(o->keep_idle_s, k->keepalive_time_s);
	case LA_TCP_KEEPINTVL:
		return or_knob(o->keep_intvl_s, k->keepalive_intvl_s);
	case LA_TCP_KEEPCNT:
		return or_knob(o->keep_probes, k->keepalive_probes);
	case LA_TCP_LINGER2:
		return or_knob(o->linger2_s, k->fin_timeout_s);
	case LA_TCP_SYNCNT:
		return or_knob(o->syn_retries, k->syn_retries);
	case LA_TCP_USER_TIMEOUT:
		return o->user_timeout_ms;
	case LA_TCP_QUICKACK:
		return c->quickack;
	case LA_IP_BIND_ADDRESS_NO_PORT:
		return o->no_port;
	case LA_IP_LOCAL_PORT_RANGE:
		return o->port_range;
	case LA_SO_OWNER:
		return o->owner;
	case LA_IP_TOS:
		return o->tos;
	case LA_IP_TTL:
		return or_knob(o->ttl, TTL_DEFAULT);
	case LA_SO_LINGER:
	case LA_N_OPTS:
		break;
	}
	must_not_reach("an option that is no int");
}

/* As getsockopt(): what does not fit is cut, *len is what was given. */
int la_getsockopt(struct la_engine *h, la_sock s, enum la_opt opt, void *ret, size_t *len)
{
	struct conn *c = sock_find(engine_of(h), s);
	struct la_linger linger;
	uint32_t v;

	if (!c)
		return -EBADF;
	if ((unsigned)opt >= LA_N_OPTS)
		return -ENOPROTOOPT;
	if (!ret || !len)
		return -EFAULT;
	if (opt == LA_SO_LINGER) {
		linger = (struct la_linger){c->opt.linger, c->opt.linger_s};
		*len = *len < sizeof(linger) ? *len : sizeof(linger);
		memcpy(ret, &linger, *len);
		return 0;
	}
	v = (uint32_t)get_int(c, opt);
	*len = *len < sizeof(v) ? *len : sizeof(v);
	memcpy(ret, &v, *len);
	return 0;
}
