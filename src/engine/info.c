/* SPDX-License-Identifier: MIT */
/* info.c - what can be seen from outside: TCP_INFO, counters, edges, connections, records, what is in use. */
#include "engine/chrono.h"
#include "engine/rcv.h"

#include <errno.h>

/* ---- TCP_INFO ---- */

static uint8_t kernel_state(enum state s)
{
	static const uint8_t numbers[N_STATES] = {
		[ESTABLISHED] = 1, [SYN_SENT] = 2,  [SYN_RECEIVED] = 3, [FIN_WAIT_1] = 4,
		[FIN_WAIT_2] = 5,  [TIME_WAIT] = 6, [CLOSED] = 7,       [CLOSE_WAIT] = 8,
		[LAST_ACK] = 9,    [LISTEN] = 10,   [CLOSING] = 11,
	};

	return numbers[s];
}

enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_ECN_SEEN = 16 };

/* What Linux says before anything is known of a path. */
enum {
	CWND_AT_FIRST = 10,
	REORDERING_AT_FIRST = 3,
	MSS_AT_FIRST = 536,
	RTO_AT_FIRST = 1000000,
	RTTVAR_AT_FIRST = 250000
};

enum { TS_LEN = 12 };

static uint32_t or_else(uint32_t known, uint32_t otherwise) { return known ? known : otherwise; }
static uint32_t ms_ago(const struct conn *c, nsec_t at) { return (uint32_t)((c->eng->now - at) / NSEC_PER_MS); }
static uint32_t distance(seq_t from, seq_t to) { return seq_lt(from, to) ? (uint32_t)seq_diff(to, from) : 0; }

/* The rate at which Linux would pace what it sends, if it did (tcp_update_pacing_rate). */
static uint64_t pacing_rate(const struct conn *c)
{
	enum { PERCENT_IN_SLOW_START = 200, PERCENT_ELSE = 120 };
	uint32_t out = board_n(&c->board), cwnd = c->cc.cwnd;
	uint32_t percent = cwnd < c->cc.ssthresh / 2 ? PERCENT_IN_SLOW_START : PERCENT_ELSE;
	uint64_t rate = (uint64_t)c->snd_mss * percent * (out > cwnd ? out : cwnd) * 80000;

	return c->srtt8_us ? rate / c->srtt8_us : rate;
}

static void info_sending(const struct conn *c, struct la_tcp_info *i)
{
	i->tcpi_ca_state = c->rec.ca;
	i->tcpi_retransmits = c->rexmits;
	i->tcpi_probes = c->probes;
	i->tcpi_backoff = c->backoff;
	i->tcpi_rto = c->rto_us ? rtt_rto_us(c) : RTO_AT_FIRST;
	i->tcpi_snd_mss = or_else(c->snd_mss, MSS_AT_FIRST);
	i->tcpi_unacked = board_n(&c->board);
	i->tcpi_sacked = c->board.sacked;
	i->tcpi_lost = c->board.lost;
	i->tcpi_retrans = c->board.again;
	i->tcpi_reordering = or_else(c->rec.reordering, REORDERING_AT_FIRST);
	i->tcpi_reord_seen = c->rec.reord_seen;
	i->tcpi_dsack_dups = c->rec.dsack_dups;
	i->tcpi_delivered = c->rec.delivered;
	i->tcpi_delivered_ce = c->rec.delivered_ce;
	i->tcpi_rtt = (uint32_t)(c->srtt8_us / 8);
	i->tcpi_rttvar = c->srtt8_us ? (uint32_t)(c->mdev4_us / 4) : RTTVAR_AT_FIRST;
	i->tcpi_min_rtt = c->srtt8_us ? rtt_min_us(c) : UINT32_MAX;
	i->tcpi_snd_ssthresh = or_else(c->cc.ssthresh, CC_SSTHRESH_NONE);
	i->tcpi_total_retrans = c->total_retrans;
	i->tcpi_bytes_acked = c->bytes_acked + (c->syn_acked && !c->passive) + (c->fin_sent && snd_fin_acked(c));
	i->tcpi_bytes_sent = c->bytes_sent;
	i->tcpi_bytes_retrans = c->bytes_retrans;
	i->tcpi_segs_out = c->segs_out;
	i->tcpi_data_segs_out = c->data_segs_out;
	i->tcpi_total_rto = c->total_rto;
	i->tcpi_total_rto_recoveries = c->rto_recoveries;
	i->tcpi_total_rto_time = (uint32_t)(c->rto_ns / NSEC_PER_MS);
	i->tcpi_rwnd_limited = chrono_us(c, CHRONO_RWND);
	i->tcpi_sndbuf_limited = chrono_us(c, CHRONO_SNDBUF);
	i->tcpi_busy_time = chrono_us(c, CHRONO_BUSY) + i->tcpi_rwnd_limited + i->tcpi_sndbuf_limited;
	if (c->connected_once)
		i->tcpi_pacing_rate = pacing_rate(c);
	i->tcpi_notsent_bytes = snd_unsent(c);
	i->tcpi_snd_wnd = c->snd_wnd;
	i->tcpi_last_data_sent = ms_ago(c, c->last_sent_at);
}

static void info_receiving(const struct conn *c, struct la_tcp_info *i)
{
	i->tcpi_ato = c->ato_ms * 1000U;
	i->tcpi_rcv_mss = c->rcv_mss;
	i->tcpi_rcv_space = c->drs_space;
	i->tcpi_bytes_received = c->bytes_received + (c->has_rcv_fin && seq_lt(c->rcv_fin, c->rcv_nxt));
	i->tcpi_segs_in = c->segs_in;
	i->tcpi_data_segs_in = c->data_segs_in;
	i->tcpi_rcv_ooopack = c->rcv_ooo;
	i->tcpi_rcv_wnd = rcv_announced(c);
	i->tcpi_rcv_ssthresh = c->rcv_ssthresh;
	i->tcpi_rcv_rtt = c->rcv_rtt_us8 / 8;
	i->tcpi_last_data_recv = ms_ago(c, c->last_rcv_at);
	i->tcpi_last_ack_recv = ms_ago(c, c->last_ack_at);
}

static void info_connection(const struct conn *c, struct la_tcp_info *i)
{
	i->tcpi_pmtu = c->state == CLOSED ? 0 : c->pmtu;
	i->tcpi_advmss = c->state == CLOSED ? 0 : c->adv_mss - (c->connected_once && c->ts_ok ? TS_LEN : 0U);
	i->tcpi_options = (uint8_t)((c->ts_ok ? OPT_TIMESTAMPS : 0) | (c->sack_ok ? OPT_SACK : 0) |
				    (c->wscale_ok ? OPT_WSCALE : 0) | (c->ecn.ok ? OPT_ECN : 0) |
				    (c->ecn.seen ? OPT_ECN_SEEN : 0));
	i->tcpi_snd_wscale = c->wscale_ok ? c->snd_wscale & 15U : 0;
	i->tcpi_rcv_wscale = c->wscale_ok ? c->rcv_wscale & 15U : 0;
	info_sending(c, i);
	info_receiving(c, i);
}

void info_of(const struct conn *c, struct la_tcp_info *ret)
{
	struct la_tcp_info i = {
		.tcpi_state = kernel_state(c->state),
		.tcpi_pacing_rate = UINT64_MAX,
		.tcpi_max_pacing_rate = UINT64_MAX,
		.tcpi_reordering = REORDERING_AT_FIRST,
		.tcpi_snd_cwnd = or_else(c->cc.cwnd, CWND_AT_FIRST),
	};

	if (c->state == LISTEN) { /* Linux says no more of one */
		i.tcpi_unacked = c->n_accept;
		i.tcpi_sacked = (uint32_t)c->backlog;
	} else {
		info_connection(c, &i);
	}
	*ret = i;
}

int la_tcp_info(const struct la_engine *h, la_sock s, struct la_tcp_info *ret)
{
	const struct conn *c = sock_find(engine_of_const(h), s);

	if (!c)
		return -EBADF;
	if (!ret)
		return -EFAULT;
	info_of(c, ret);
	return 0;
}

/* ---- how much is in the buffers ---- */

/* Linux counts a FIN, and nothing before the SYN is acknowledged. */
static uint32_t queued_from(const struct conn *c, seq_t from)
{
	bool opening = c->state == CLOSED || c->state == SYN_SENT || c->state == SYN_RECEIVED;

	return opening ? 0 : distance(from, seq_add(c->snd_end, c->fin_queued));
}

static uint32_t inq_hint(const struct conn *c) /* TCP_CM_INQ */
{
	uint32_t unread = rcv_unread(c);

	return unread ? unread : c->has_rcv_fin && seq_lt(c->rcv_fin, c->rcv_nxt);
}

int la_ioctl(const struct la_engine *h, la_sock s, enum la_ioctl what, int *ret)
{
	const struct conn *c = sock_find(engine_of_const(h), s);
	uint32_t n = 0;

	if (!c)
		return -EBADF;
	if (!ret)
		return -EFAULT;
	if (c->state == LISTEN || (unsigned)what > LA_CM_INQ)
		return -EINVAL;
	switch (what) {
	case LA_SIOCINQ:
		n = rcv_unread(c);
		break;
	case LA_SIOCOUTQ:
		n = queued_from(c, c->snd_una);
		break;
	case LA_SIOCOUTQNSD:
		n = queued_from(c, c->snd_nxt);
		break;
	case LA_CM_INQ:
		n = inq_hint(c);
		break;
	}
	*ret = (int)n;
	return 0;
}

/* ---- counters and edges ---- */

unsigned la_counters(void) { return N_COUNTERS; }
const char *la_counter_name(unsigned i) { return i < N_COUNTERS ? counter_descs[i].name : NULL; }

uint64_t la_counter(const struct la_engine *h, unsigned i)
{
	return i < N_COUNTERS ? counter_get(&engine_of_const(h)->n, i) : 0;
}

int la_counter_find(const char *name)
{
	for (int i = 0; name && i < N_COUNTERS; i++)
		if (strcmp(counter_descs[i].name, name) == 0)
			return i;
	return -ENOENT;
}

unsigned la_edges(void) { return N_EDGES; }
const char *la_edge_name(unsigned i) { return i < N_EDGES ? edges[i].name : NULL; }
uint64_t la_edge_count(const struct la_engine *h, unsigned i)
{
	return i < N_EDGES ? engine_of_const(h)->edge_count[i] : 0;
}

/* ---- records ---- */

static void endpoint_put(struct la_endpoint *ret, const struct addr *a, uint16_t port)
{
	memcpy(ret->addr, a->b, sizeof(ret->addr));
	ret->port = port;
}

static void record_put(const struct engine *e, bool v6, tw_id id, struct la_time_wait *ret)
{
	struct tw_rec rec;

	twstore_get(e->tw[v6], id, &rec);
	*ret = (struct la_time_wait){
		.expires_at = rec.deadline_at,
		.snd_nxt = rec.snd_nxt.v,
		.rcv_nxt = rec.rcv_nxt.v,
		.ts_recent = rec.ts_recent,
		.fin_wait_2 = rec.kind == TW_FIN_WAIT_2,
		.has_ts = rec.has_ts,
	};
	endpoint_put(&ret->local, addrs_get(e->addrs, rec.t.laddr), rec.t.lport);
	endpoint_put(&ret->remote, &rec.t.raddr, rec.t.rport);
}

bool la_time_wait_find(const struct la_engine *h, const struct la_endpoint *local, const struct la_endpoint *remote,
		       struct la_time_wait *ret)
{
	const struct engine *e = engine_of_const(h);
	struct tuple t = {.laddr = LADDR_ANY};
	struct addr own;
	bool v6;
	int laddr;
	tw_id id;

	if (!local || !remote || !ret)
		return false;
	own = addr_from_v6(local->addr);
	laddr = addrs_find(e->addrs, &own);
	if (laddr < 0)
		return false;
	t = (struct tuple){.raddr = addr_from_v6(remote->addr),
			   .laddr = (laddr_t)laddr,
			   .lport = local->port,
			   .rport = remote->port};
	v6 = !addr_is_v4(&t.raddr);
	id = twstore_find(e->tw[v6], &t, tuple_hash(e->tuple_key, &t));
	if (id == TW_NONE || twstore_is_due(e->tw[v6], id, e->now))
		return false;
	record_put(e, v6, id, ret);
	return true;
}

#define CURSOR_V6 (UINT64_C(1) << 63) /* IPv4 first; the store's own cursors are smaller */

bool la_time_wait_next(const struct la_engine *h, uint64_t *cursor, struct la_time_wait *ret)
{
	const struct engine *e = engine_of_const(h);

	if (!cursor || !ret)
		return false;
	for (;;) {
		bool v6 = *cursor & CURSOR_V6;
		uint64_t at = *cursor & ~CURSOR_V6;
		tw_id id = twstore_next(e->tw[v6], &at);

		*cursor = at | (v6 ? CURSOR_V6 : 0);
		if (id != TW_NONE) {
			record_put(e, v6, id, ret);
			return true;
		}
		if (v6)
			return false;
		*cursor = CURSOR_V6;
	}
}

/* ---- connections ---- */

bool la_connection_next(const struct la_engine *h, uint64_t *cursor, struct la_connection *ret)
{
	const struct engine *e = engine_of_const(h);

	while (cursor && ret && *cursor < e->n_conns) {
		const struct conn *c = &e->conns[(*cursor)++];
		struct addr any = {{{0}}};

		if (c->state == CLOSED)
			continue;
		*ret = (struct la_connection){
			conn_sock(c),
			state_name(c->state),
			.snd_una = c->snd_una.v,
			.snd_nxt = c->snd_nxt.v,
			.rcv_nxt = c->rcv_nxt.v,
		};
		if (!c->is_v6)
			any = addr_v4(0, 0, 0, 0);
		endpoint_put(&ret->local, c->t.laddr == LADDR_ANY ? &any : addrs_get(e->addrs, c->t.laddr), c->t.lport);
		endpoint_put(&ret->remote, c->state == LISTEN ? &any : &c->t.raddr, c->t.rport);
		if (c->state != LISTEN) {
			ret->to_send = distance(c->snd_una, c->snd_end);
			ret->to_read = rcv_unread(c);
		}
		return true;
	}
	return false;
}

void la_usage(const struct la_engine *h, struct la_usage *ret)
{
	const struct engine *e = engine_of_const(h);

	if (!ret)
		return;
	*ret = (struct la_usage){
		.sockets = e->n_sockets,
		.listeners = e->n_listeners,
		.connections = e->n_live,
		.embryonic = e->n_embryonic,
		.orphans = e->n_orphans,
		.time_wait4 = twstore_count(e->tw[0]),
		.time_wait6 = twstore_count(e->tw[1]),
		.destinations = ports_destinations(e->ports),
		.port_maps = ports_maps(e->ports),
		.bound = binds_count(e->binds),
		.replies = e->reply_n,
		.timers = (uint32_t)e->wheel.armed,
		.received = e->rcv_held,
	};
}
