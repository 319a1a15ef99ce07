/* SPDX-License-Identifier: MIT */
#include "sim/transfer.h"

#include <errno.h>
#include <math.h>

enum { FROM, TO, PORT = 5001, CHUNK = 65536, SOCKETS_MORE = 4 };
enum what { T_BEGIN, T_SAMPLE }; /* agenda: what << 8 | flow */

struct transfer_flow {
	la_sock from, to;
	uint64_t read, counted_at; /* octets; counted_at: of them, before what counts */
};

struct transfer {
	struct verdict verdict;
	struct net net;
	const struct transfer_cfg *cfg;
	const struct transfer_ops *ops;
	la_sock listener;
	unsigned n_accepted;
	int err;
	uint64_t hash;
	struct transfer_flow flow[TRANSFER_FLOWS_MAX];
	uint8_t text[CHUNK];
};

#define TRANSFER_ALIGNED ((sizeof(struct transfer) + 4095) & ~(size_t)4095)

static struct la_config host_config(const struct transfer_cfg *cfg)
{
	return (struct la_config){
		.max_sockets = cfg->flows + SOCKETS_MORE,
		.max_time_wait4 = 64,
		.max_time_wait6 = 64,
		.max_replies = 16,
		.send_buffer = cfg->buffer,
		.receive_buffer = cfg->buffer,
	};
}

static size_t host_size(const struct transfer_cfg *cfg)
{
	struct la_config lc = host_config(cfg);

	return (la_size(&lc) + 4095) & ~(size_t)4095;
}

size_t transfer_size(const struct transfer_cfg *cfg)
{
	size_t host = host_size(cfg);

	if (host == 0 || cfg->flows == 0 || cfg->flows > TRANSFER_FLOWS_MAX || cfg->n_set > TRANSFER_KNOBS_MAX)
		return 0;
	return TRANSFER_ALIGNED + 2 * host;
}

/* ---- the applications ---- */

static void write_all(struct transfer *t, const struct transfer_flow *f)
{
	int64_t n;

	do
		n = la_send(t->net.host[FROM].e, f->from, t->text, CHUNK, 0);
	while (n > 0);
	if (n != -EAGAIN && n != -ENOTCONN)
		t->err = -EPROTO;
}

static void read_all(struct transfer *t, struct transfer_flow *f)
{
	int64_t n;

	while ((n = la_recv(t->net.host[TO].e, f->to, t->text, CHUNK, 0)) > 0)
		f->read += (uint64_t)n;
	if (n != -EAGAIN)
		t->err = -EPROTO;
}

/* Accepted sockets come in the order in which their flows began only if nothing is lost: the port tells whose it is. */
static void accept_all(struct transfer *t)
{
	struct la_endpoint peer, local;
	la_sock s;

	while ((s = la_accept(t->net.host[TO].e, t->listener, &peer)) > 0)
		for (unsigned i = 0; i < t->cfg->flows; i++) {
			struct transfer_flow *f = &t->flow[i];

			if (f->to || !f->from || la_getsockname(t->net.host[FROM].e, f->from, &local) ||
			    local.port != peer.port)
				continue;
			f->to = s;
			t->n_accepted++;
			la_user_set(t->net.host[TO].e, s, i + 1);
			read_all(t, f);
			break;
		}
}

static void on_event(void *arg, unsigned host, const struct la_event *ev)
{
	struct transfer *t = arg;

	if (ev->events & LA_ERR)
		t->err = -EPROTO;
	else if (host == FROM && ev->events & LA_OUT)
		write_all(t, &t->flow[ev->user - 1]);
	else if (host == TO && ev->user == 0)
		accept_all(t);
	else if (host == TO)
		read_all(t, &t->flow[ev->user - 1]);
}

/* ---- time ---- */

static void begin(struct transfer *t, unsigned i)
{
	struct la_engine *e = t->net.host[FROM].e;
	struct la_endpoint to = net_address(TO, false, PORT);

	t->flow[i].from = la_socket(e, LA_INET);
	must(t->flow[i].from > 0);
	la_user_set(e, t->flow[i].from, i + 1);
	if (la_connect(e, t->flow[i].from, &to) != -EINPROGRESS)
		t->err = -EPROTO;
}

static void mix(struct transfer *t, uint64_t x)
{
	t->hash = (t->hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	t->hash ^= t->hash >> 29;
}

static void sample(struct transfer *t)
{
	struct net *n = &t->net;

	for (unsigned i = 0; i < t->cfg->flows; i++) {
		struct la_tcp_info info;
		struct transfer_sample s = {.at = n->now, .flow = i, .delivered = t->flow[i].read};

		if (!t->flow[i].from || la_tcp_info(n->host[FROM].e, t->flow[i].from, &info))
			continue;
		s.cwnd = info.tcpi_snd_cwnd;
		s.ssthresh = info.tcpi_snd_ssthresh;
		s.srtt_us = info.tcpi_rtt;
		s.queue = bottleneck_queue(&n->path[FROM][TO].neck, n->now);
		mix(t, s.delivered);
		mix(t, (uint64_t)s.cwnd << 32 | s.ssthresh);
		if (t->ops && t->ops->sample)
			t->ops->sample(t->ops->arg, &s);
	}
}

static void on_timer(void *arg, uint32_t what)
{
	struct transfer *t = arg;

	net_touch(&t->net, FROM);
	if (what >> 8 == T_BEGIN) {
		begin(t, what & 255);
	} else {
		sample(t);
		net_at(&t->net, t->net.now + t->cfg->every, T_SAMPLE << 8);
	}
	net_settle(&t->net, FROM);
}

/* ---- the whole ---- */

static int start_host(struct transfer *t, unsigned host, void *mem, size_t size)
{
	const struct transfer_cfg *cfg = t->cfg;
	struct la_config lc = host_config(cfg);
	struct net *n = &t->net;
	struct rng rng;
	int err;

	rng_seed(&rng, cfg->seed * 2 + host);
	lc.seed[0] = rng_u64(&rng);
	lc.seed[1] = rng_u64(&rng);
	n->host[host].mem = mem;
	n->host[host].size = size;
	err = net_start(n, host, &lc);
	if (!err && cfg->mark_above)
		err = la_knob_set(n->host[host].e, "net.ipv4.tcp_ecn", "1");
	for (unsigned i = 0; i < cfg->n_set && !err; i++)
		err = la_knob_set(n->host[host].e, cfg->set[i].name, cfg->set[i].value);
	return err;
}

static int listen_at(struct transfer *t)
{
	struct la_engine *e = t->net.host[TO].e;
	struct la_endpoint at = net_address(TO, false, PORT);
	int err;

	t->listener = la_socket(e, LA_INET);
	must(t->listener > 0);
	err = la_bind(e, t->listener, &at);
	return err ? err : la_listen(e, t->listener, TRANSFER_FLOWS_MAX);
}

static int set_up(struct transfer *t, uint8_t *mem)
{
	const struct transfer_cfg *cfg = t->cfg;
	struct path *there = &t->net.path[FROM][TO], *back = &t->net.path[TO][FROM];
	size_t size = host_size(cfg);
	int err;

	*there = (struct path){
		.delay = cfg->rtt / 2,
		.jitter = cfg->jitter,
		.in_order = true,
		.loss = (uint16_t)lround(cfg->loss * 65536),
		.neck = {.rate = cfg->rate_bps / 8, .queue_max = cfg->queue, .mark_above = cfg->mark_above}};
	*back = (struct path){.delay = cfg->rtt - cfg->rtt / 2, .in_order = true};
	err = start_host(t, FROM, mem + TRANSFER_ALIGNED, size);
	if (!err)
		err = start_host(t, TO, mem + TRANSFER_ALIGNED + size, size);
	if (!err)
		err = listen_at(t);
	for (unsigned i = 0; i < cfg->flows && !err; i++)
		net_at(&t->net, i * cfg->stagger, T_BEGIN << 8 | i);
	if (cfg->every)
		net_at(&t->net, 0, T_SAMPLE << 8);
	return err;
}

static void run_until(struct transfer *t, nsec_t until)
{
	struct net *n = &t->net;

	while (!t->err && !n->v->failed && n->now < until) {
		nsec_t step = n->now + 10 * NSEC_PER_MS;

		net_run(n, step < until ? step : until);
	}
}

static uint64_t counter(const struct transfer *t, const char *name)
{
	int i = la_counter_find(name);

	return i < 0 ? 0 : la_counter(t->net.host[FROM].e, (unsigned)i);
}

static void conclude(struct transfer *t, struct transfer_result *ret)
{
	const struct transfer_cfg *cfg = t->cfg;
	const struct bottleneck *neck = &t->net.path[FROM][TO].neck;
	double seconds = (double)(cfg->length - cfg->counted_from) / NSEC_PER_S;

	*ret = (struct transfer_result){.sent = neck->passed,
					.dropped = neck->dropped,
					.marked = neck->marked,
					.lost = t->net.fault[FAULT_LOSS],
					.retransmitted = counter(t, "RetransSegs"),
					.timeouts = counter(t, "TCPTimeouts"),
					.hash = t->hash};
	for (unsigned i = 0; i < cfg->flows; i++) {
		ret->goodput_bps[i] = (double)(t->flow[i].read - t->flow[i].counted_at) * 8 / seconds;
		ret->total_bps += ret->goodput_bps[i];
		mix(t, t->flow[i].read);
	}
	ret->hash = t->hash;
	ret->jain = transfer_jain(ret->goodput_bps, cfg->flows);
}

int transfer_run(void *mem, const struct transfer_cfg *cfg, const struct transfer_ops *ops, struct transfer_result *ret)
{
	struct transfer *t = mem;
	int err;

	must(transfer_size(cfg) > 0 && cfg->counted_from < cfg->length && cfg->rate_bps / 8 <= UINT32_MAX);
	t->cfg = cfg;
	t->ops = ops;
	t->err = 0;
	net_init(&t->net, NULL, &t->verdict, cfg->seed);
	t->net.events_max = UINT64_MAX;
	t->net.ops.arg = t;
	t->net.ops.event = on_event;
	t->net.ops.timer = on_timer;
	err = set_up(t, mem);
	if (err)
		return err;
	run_until(t, cfg->counted_from);
	for (unsigned i = 0; i < cfg->flows; i++)
		t->flow[i].counted_at = t->flow[i].read;
	run_until(t, cfg->length);
	conclude(t, ret);
	return t->net.v->failed ? -EPROTO : t->err;
}

double transfer_jain(const double *x, unsigned n)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += x[i];
		squares += x[i] * x[i];
	}
	return squares > 0 ? sum * sum / (n * squares) : 1;
}

double transfer_cubic_model_bps(double loss, double rtt_s, uint32_t mss)
{
	const double c = 0.4, beta = 0.7, alpha = 3 * (1 - beta) / (1 + beta);
	double cubic = pow(c * (3 + beta) / (4 * (1 - beta)), 0.25) * pow(rtt_s, 0.75) / pow(loss, 0.75);
	double reno = sqrt(alpha * (1 + beta) / (2 * (1 - beta) * loss));

	return (cubic > reno ? cubic : reno) * mss * 8 / rtt_s;
}
