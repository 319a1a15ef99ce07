/* SPDX-License-Identifier: MIT */
/* opt_get.c - what socket options say, as Linux 6.18's getsockopt() does. */
#include "engine/engine.h"

#include <errno.h>

enum {
	MSS_UNKNOWN = 536, /* what TCP_MAXSEG says before a connection */
	TTL_DEFAULT = 64,
	SYNACK_WAIT_MAX_S = 120, /* TCP_RTO_MAX */
};

static int64_t or_knob(int64_t own, int64_t knob) { return own ? own : knob; }

int64_t opt_defer_s(uint8_t repeats)
{
	int64_t sum = 0, wait = 1;

	for (uint8_t i = 0; i < repeats; i++) {
		sum += wait;
		wait = 2 * wait < SYNACK_WAIT_MAX_S ? 2 * wait : SYNACK_WAIT_MAX_S;
	}
	return sum;
}

static int64_t get_maxseg(const struct conn *c)
{
	if (c->opt.maxseg && !opt_is_connected(c))
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

/* SOL_SOCKET and IP. */
static int64_t get_socket(struct conn *c, enum la_opt opt)
{
	const struct sockopts *o = &c->opt;

	if (opt == LA_SO_ERROR)
		return get_error(c);
	if (opt == LA_SO_SNDBUF)
		return or_knob(o->sndbuf, conn_snd_buf(c));
	if (opt == LA_SO_RCVBUF)
		return or_knob(o->rcvbuf, conn_rcv_buf(c));
	if (opt == LA_SO_ACCEPTCONN)
		return c->state == LISTEN;
	if (opt == LA_IP_TTL)
		return or_knob(o->ttl, TTL_DEFAULT);
	must(opt == LA_SO_RCVLOWAT);
	return or_knob(o->rcvlowat, 1);
}

static int64_t get_tcp(const struct conn *c, enum la_opt opt)
{
	const struct sockopts *o = &c->opt;
	const struct knobs *k = &c->eng->k;

	if (opt == LA_TCP_MAXSEG)
		return get_maxseg(c);
	if (opt == LA_TCP_KEEPIDLE)
		return or_knob(o->keep_idle_s, k->keepalive_time_s);
	if (opt == LA_TCP_KEEPINTVL)
		return or_knob(o->keep_intvl_s, k->keepalive_intvl_s);
	if (opt == LA_TCP_KEEPCNT)
		return or_knob(o->keep_probes, k->keepalive_probes);
	if (opt == LA_TCP_LINGER2)
		return or_knob(o->linger2_s, k->fin_timeout_s);
	must(opt == LA_TCP_SYNCNT);
	return or_knob(o->syn_retries, k->syn_retries);
}

static int64_t get_int(struct conn *c, enum la_opt opt)
{
	const struct sockopts *o = &c->opt;

	switch (opt) {
	case LA_SO_REUSEADDR:
		return o->reuseaddr;
	case LA_SO_REUSEPORT:
		return o->reuseport;
	case LA_SO_KEEPALIVE:
		return o->keepalive;
	case LA_SO_ERROR:
	case LA_SO_SNDBUF:
	case LA_SO_RCVBUF:
	case LA_SO_ACCEPTCONN:
	case LA_SO_RCVLOWAT:
	case LA_IP_TTL:
		return get_socket(c, opt);
	case LA_SO_SNDLOWAT:
		return 1;
	case LA_TCP_MAXSEG:
	case LA_TCP_KEEPIDLE:
	case LA_TCP_KEEPINTVL:
	case LA_TCP_KEEPCNT:
	case LA_TCP_LINGER2:
	case LA_TCP_SYNCNT:
		return get_tcp(c, opt);
	case LA_TCP_NODELAY:
		return o->nodelay;
	case LA_TCP_CORK:
		return o->cork;
	case LA_TCP_USER_TIMEOUT:
		return o->user_timeout_ms;
	case LA_TCP_QUICKACK:
		return rcv_quickack(c);
	case LA_TCP_NOTSENT_LOWAT:
		return o->notsent_lowat;
	case LA_TCP_WINDOW_CLAMP:
		return o->window_clamp;
	case LA_TCP_INQ:
		return o->inq;
	case LA_TCP_DEFER_ACCEPT:
		return opt_defer_s(o->defer);
	case LA_IP_BIND_ADDRESS_NO_PORT:
		return o->no_port;
	case LA_IP_LOCAL_PORT_RANGE:
		return o->port_range;
	case LA_SO_OWNER:
		return o->owner;
	case LA_IP_TOS:
		return o->tos;
	case LA_IP_MTU_DISCOVER:
		return o->pmtudisc;
	case LA_IP_MTU:
		return c->pmtu;
	case LA_SO_LINGER:
	case LA_TCP_INFO:
	case LA_TCP_CC_INFO:
	case LA_TCP_CONGESTION:
	case LA_N_OPTS:
		break;
	}
	must_not_reach("an option that is no int");
}

/* What does not fit is cut, *len is what was given. */
static int give(const void *from, size_t n, void *ret, size_t *len)
{
	*len = *len < n ? *len : n;
	memcpy(ret, from, *len);
	return 0;
}

/* Those that are no int. -ENOPROTOOPT: it is one. */
static int get_struct(const struct conn *c, enum la_opt opt, void *ret, size_t *len)
{
	struct la_linger linger;
	struct la_tcp_info info;
	char name[CC_NAME_MAX];

	if (opt == LA_SO_LINGER) {
		linger = (struct la_linger){c->opt.linger, c->opt.linger_s};
		return give(&linger, sizeof(linger), ret, len);
	}
	if (opt == LA_TCP_INFO) {
		info_of(c, &info);
		return give(&info, sizeof(info), ret, len);
	}
	if (opt == LA_TCP_CONGESTION) {
		memset(name, 0, sizeof(name));
		memcpy(name, conn_cc(c)->name, strlen(conn_cc(c)->name));
		return give(name, sizeof(name), ret, len);
	}
	return opt == LA_TCP_CC_INFO ? give(&opt, 0, ret, len) : -ENOPROTOOPT;
}

int la_getsockopt(struct la_engine *h, la_sock s, enum la_opt opt, void *ret, size_t *len)
{
	struct conn *c = sock_find(engine_of(h), s);
	uint32_t v;

	if (!c)
		return -EBADF;
	if ((unsigned)opt >= LA_N_OPTS)
		return -ENOPROTOOPT;
	if (!ret || !len)
		return -EFAULT;
	if (get_struct(c, opt, ret, len) == 0)
		return 0;
	if (opt == LA_IP_MTU && !opt_is_connected(c))
		return -ENOTCONN;
	v = (uint32_t)get_int(c, opt);
	return give(&v, sizeof(v), ret, len);
}
