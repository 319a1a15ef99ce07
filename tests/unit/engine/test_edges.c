/* SPDX-License-Identifier: MIT */
/* Every row of edges.def is taken by a scenario of its own, and told to la_trace(). */
#include "tests/unit/engine/peer.h"

#include <errno.h>

static struct la_endpoint ours(const struct rig *r, uint16_t port)
{
	struct la_endpoint at = {.port = port};

	memcpy(at.addr, r->at.us.b, sizeof(at.addr));
	return at;
}

static struct la_endpoint peers_end(const struct rig *r)
{
	struct la_endpoint at = {.port = PEER_PORT};

	memcpy(at.addr, r->at.peer.b, sizeof(at.addr));
	return at;
}

static uint32_t rcv_nxt(const struct rig *r) { return rig_conn(r)->rcv_nxt.v; }

static void nothing(struct rig *r) { (void)r; }
static void close_listener(struct rig *r) { assert_int_equal(la_close(r->h, r->listener), 0); }
static void close_it(struct rig *r) { assert_int_equal(la_close(r->h, r->s), 0); }
static void abort_it(struct rig *r) { assert_int_equal(la_abort(r->h, r->s), 0); }
static void shut(struct rig *r) { assert_int_equal(la_shutdown(r->h, r->s, LA_SHUT_WR), 0); }
static void rst(struct rig *r) { IN(r, .flags = F_RST, .seq = seq(rig_conn(r) ? rcv_nxt(r) : IRS + 2)); }
static void rst_ack(struct rig *r) { IN(r, .flags = F_RST | F_ACK, .ack = seq(ISS + 1)); }
static void rst_record(struct rig *r) { IN(r, .flags = F_RST, .seq = seq(IRS + 1)); }
static void an_hour(struct rig *r) { rig_pass(r, 3600 * NSEC_PER_S); }
static void unreachable(struct rig *r) { rig_icmp(r, 3, 1, seq(ISS)); }
static void text(struct rig *r) { IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1), .len = 5); }
static void syn(struct rig *r) { IN(r, .flags = F_SYN, .seq = seq(IRS + 100)); }

static void connect_listener(struct rig *r)
{
	struct la_endpoint to = peers_end(r);

	assert_int_equal(la_connect(r->h, r->listener, &to), -EINPROGRESS);
}

static void send_into_nothing(struct rig *r)
{
	assert_int_equal(la_send(r->h, r->s, "x", 1, 0), 1);
	an_hour(r);
}

static void ack_ours(struct rig *r) { IN(r, .flags = F_ACK, .seq = seq(IRS + 2), .ack = seq(ISS + 2)); }

static void overflow_the_store(struct rig *r)
{
	IN(r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
}

static void reopen(struct rig *r)
{
	syn(r);
	EXPECT_SEG(r, F_SYN | F_ACK, ISS + 2 + 65537, IRS + 101, 0);
}

static void reopen_and_rst(struct rig *r)
{
	reopen(r);
	rst(r);
}

static void reopen_and_wait(struct rig *r)
{
	reopen(r);
	rig_pass(r, 90 * NSEC_PER_S);
}

static void connect_again(struct rig *r)
{
	struct la_endpoint to = peers_end(r);

	rig_pass(r, 2 * NSEC_PER_S);
	r->s = la_socket(r->h, LA_INET);
	assert_int_equal(la_connect(r->h, r->s, &to), -EINPROGRESS);
}

static void bind_and_connect(struct rig *r)
{
	struct la_endpoint to = peers_end(r), at = ours(r, 5555);
	int on = 1;

	r->s = la_socket(r->h, LA_INET);
	assert_int_equal(la_setsockopt(r->h, r->s, LA_SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(la_bind(r->h, r->s, &at), 0);
	assert_int_equal(la_connect(r->h, r->s, &to), -EINPROGRESS);
	assert_true(rig_out(r));
	assert_int_equal(r->out.seg.flags, F_SYN);
}

static void bound_port_again(struct rig *r)
{
	bind_and_connect(r);
	r->shift = r->out.seg.seq.v - ISS;
	r->at.our_port = 5555;
	IN(r, .flags = F_SYN | F_ACK, .seq = seq(IRS), .ack = seq(ISS + 1));
	la_close(r->h, r->s);
	rig_drain(r);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	EXPECT_STATE(r, FIN_WAIT_2);
	bind_and_connect(r);
	assert_int_equal(r->out.seg.seq.v, ISS + 2 + 65537);
}

static void other_connection(struct rig *r)
{
	r->at.peer_port++;
	r->shift = 0;
	rig_handshake(r);
	la_close(r->h, la_accept(r->h, r->listener, NULL));
	rig_drain(r);
	IN(r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
}

static void full_accept_queue(struct rig *r) /* backlog 0: one */
{
	assert_int_equal(la_listen(r->h, r->listener, 0), 0);
	r->at.peer_port++;
	r->shift = 0;
	rig_handshake(r);
	r->at.peer_port++;
	r->shift = 0;
	IN(r, .flags = F_SYN, .seq = seq(IRS));
}

static void listener_gone(struct rig *r)
{
	full_accept_queue(r);
	close_listener(r);
}

#define ORPHAN .opt.orphan = true
#define ACTIVE .opt.active = true
#define KNOBS(text) .opt.knobs = text

static const struct row {
	enum edge_id edge;
	enum state at;
	void (*act)(struct rig *r);
	struct rig_opt opt;
} rows[] = {
	{F5_01_PASSIVE_OPEN, LISTEN, nothing},
	{F5_02_LISTEN_CLOSE, LISTEN, close_listener},
	{F5_03_ACTIVE_OPEN, SYN_SENT, nothing},
	{F5_04_SYN_SENT_CLOSE, SYN_SENT, close_it},
	{F5_05_LISTEN_SYN, SYN_RECEIVED, nothing},
	{F5_06_LISTEN_SEND, LISTEN, connect_listener, KNOBS("engine.policy = rfc9293")},
	{F5_07_SYN_RCVD_RST, SYN_RECEIVED, rst},
	{F5_08_SIMULTANEOUS_OPEN, SYN_RECEIVED, nothing, ACTIVE},
	{F5_09_SYN_ACKED, ESTABLISHED, nothing},
	{F5_10_SYN_ACK, ESTABLISHED, nothing, ACTIVE},
	{F5_11_SYN_RCVD_CLOSE, SYN_RECEIVED, shut, ACTIVE},
	{F5_12_ESTAB_CLOSE, FIN_WAIT_1, nothing},
	{F5_13_ESTAB_FIN, CLOSE_WAIT, nothing},
	{F5_14_FIN_ACKED, FIN_WAIT_2, nothing},
	{F5_15_SIMULTANEOUS_CLOSE, CLOSING, nothing},
	{F5_16_CLOSE_WAIT_CLOSE, LAST_ACK, nothing},
	{F5_17_FIN_WAIT_2_FIN, TIME_WAIT, nothing},
	{F5_18_CLOSING_ACKED, CLOSING, ack_ours},
	{F5_19_LAST_ACK_ACKED, LAST_ACK, ack_ours},
	{F5_20_2MSL, TIME_WAIT, an_hour},
	{RST_SYN_SENT, SYN_SENT, rst_ack},
	{RST_SYN_RECEIVED, SYN_RECEIVED, rst, ACTIVE},
	{RST_ESTABLISHED, ESTABLISHED, rst},
	{RST_FIN_WAIT_1, FIN_WAIT_1, rst},
	{RST_FIN_WAIT_2, FIN_WAIT_2, rst},
	{RST_FIN_WAIT_2, FIN_WAIT_2, rst_record, ORPHAN},
	{RST_CLOSE_WAIT, CLOSE_WAIT, rst},
	{RST_CLOSING, CLOSING, rst},
	{RST_LAST_ACK, LAST_ACK, rst},
	{RST_TIME_WAIT, TIME_WAIT, rst},
	{ABORT_SYN_RECEIVED, SYN_RECEIVED, abort_it, ACTIVE},
	{ABORT_SYN_RECEIVED, SYN_RECEIVED, close_listener},
	{ABORT_ESTABLISHED, ESTABLISHED, abort_it},
	{ABORT_ESTABLISHED, LISTEN, listener_gone},
	{ABORT_FIN_WAIT_1, FIN_WAIT_1, abort_it},
	{ABORT_FIN_WAIT_2, FIN_WAIT_2, abort_it},
	{ABORT_CLOSE_WAIT, CLOSE_WAIT, abort_it},
	{ABORT_CLOSING, CLOSING, abort_it},
	{ABORT_LAST_ACK, LAST_ACK, abort_it},
	{ABORT_TIME_WAIT, FIN_WAIT_2, overflow_the_store,
	 KNOBS("net.ipv4.tcp_max_tw_buckets = 0\nengine.tw_full = skip")},
	{TIMEOUT_SYN_SENT, SYN_SENT, an_hour},
	{TIMEOUT_SYN_RECEIVED, SYN_RECEIVED, an_hour},
	{TIMEOUT_SYN_RECEIVED, SYN_RECEIVED, an_hour, ACTIVE},
	{TIMEOUT_ESTABLISHED, ESTABLISHED, send_into_nothing},
	{TIMEOUT_FIN_WAIT_1, FIN_WAIT_1, an_hour},
	{TIMEOUT_FIN_WAIT_2, FIN_WAIT_2, an_hour, ORPHAN},
	{TIMEOUT_CLOSE_WAIT, CLOSE_WAIT, send_into_nothing},
	{TIMEOUT_CLOSING, CLOSING, an_hour},
	{TIMEOUT_LAST_ACK, LAST_ACK, an_hour, ORPHAN},
	{ICMP_SYN_SENT, SYN_SENT, unreachable},
	{ICMP_SYN_RECEIVED, SYN_RECEIVED, unreachable},
	{DATA_FIN_WAIT_1, FIN_WAIT_1, text, ORPHAN},
	{DATA_FIN_WAIT_2, FIN_WAIT_2, text, ORPHAN},
	{SYN_FIN_WAIT_2, FIN_WAIT_2, syn, ORPHAN},
	{SYN_RCVD_SYN, SYN_RECEIVED, syn},
	{TW_REOPEN, TIME_WAIT, reopen},
	{TW_RESTORED, TIME_WAIT, reopen_and_rst, KNOBS("engine.tw_restore = 1")},
	{TW_RESTORED_TIMEOUT, TIME_WAIT, reopen_and_wait, KNOBS("engine.tw_restore = 1")},
	{TW_CONNECT, TIME_WAIT, connect_again, ACTIVE, .opt.ts = true,
	 KNOBS("net.ipv4.tcp_tw_reuse = 1\nnet.ipv4.ip_local_port_range = 50000 50000")},
	{FW2_CONNECT, CLOSED, bound_port_again, .opt.ts = true},
	{TW_RECYCLED, TIME_WAIT, other_connection,
	 KNOBS("net.ipv4.tcp_max_tw_buckets = 1\nengine.tw_full = recycle-oldest")},
	{FW2_RECYCLED, FIN_WAIT_2, other_connection, ORPHAN,
	 KNOBS("net.ipv4.tcp_max_tw_buckets = 1\nengine.tw_full = recycle-oldest")},
};

TEST(every_edge_has_a_scenario)
{
	for (enum edge_id i = 0; i < N_EDGES; i++) {
		bool has = false;

		for (size_t j = 0; j < ARRAY_LEN(rows); j++)
			has |= rows[j].edge == i;
		if (!has)
			fail_msg("%s", edges[i].name);
	}
}

TEST(every_scenario_takes_its_edge)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		rig_init(&r, &rows[i].opt);
		rig_to(&r, rows[i].at);
		rows[i].act(&r);
		assert_string_equal(la_edge_name(rows[i].edge), edges[rows[i].edge].name);
		if (la_edge_count(r.h, rows[i].edge) == 0)
			fail_msg("%s; the last one was %s", edges[rows[i].edge].name, r.last_edge);
		rig_done(&r);
	}
}

/* What is counted, and what is there, must agree: nothing is lost on any way. */
TEST(every_scenario_leaves_gauges_that_agree)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		uint32_t live = 0, embryonic = 0, orphans = 0, used = 0;

		rig_init(&r, &rows[i].opt);
		rig_to(&r, rows[i].at);
		rows[i].act(&r);
		for (uint32_t n = 0; n < r.e->n_conns; n++) {
			const struct conn *c = &r.e->conns[n];

			live += c->state >= SYN_SENT && c->state <= LAST_ACK;
			embryonic += c->state == SYN_RECEIVED;
			orphans += c->is_orphan;
			used += c->state != CLOSED || c->is_open;
		}
		assert_int_equal(r.e->n_live, live);
		assert_int_equal(r.e->n_embryonic, embryonic);
		assert_int_equal(r.e->n_orphans, orphans);
		assert_int_equal(r.e->n_sockets, used);
		rig_done(&r);
	}
}

/* Everything closed, and two hours later: nothing is left in any table, no timer runs. */
TEST(every_scenario_comes_to_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct la_usage u, none = {0};
		struct rig r;

		rig_init(&r, &rows[i].opt);
		rig_to(&r, rows[i].at);
		rows[i].act(&r);
		for (uint32_t n = 0; n < r.e->n_conns; n++)
			if (r.e->conns[n].is_open)
				la_close(r.h, conn_sock(&r.e->conns[n]));
		rig_pass(&r, 7200 * NSEC_PER_S);
		rig_drain(&r);
		la_usage(r.h, &u);
		if (memcmp(&u, &none, sizeof(u)) != 0)
			fail_msg("%s: sockets %u conns %u tw %u dest %u bound %u timers %u", edges[rows[i].edge].name,
				 u.sockets, u.connections, u.time_wait4, u.destinations, u.bound, u.timers);
		rig_done(&r);
	}
}

static void count_trace(void *arg, const struct la_trace *what)
{
	unsigned *n = arg;

	assert_non_null(what->edge);
	assert_non_null(what->from);
	assert_non_null(what->to);
	assert_true(what->cite[0]);
	++*n;
}

TEST(every_edge_is_traced)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t taken = 0, before = 0;
		struct rig r;
		unsigned n = 0;

		rig_init(&r, &rows[i].opt);
		rig_to(&r, rows[i].at);
		for (enum edge_id j = 0; j < N_EDGES; j++)
			before += r.e->edge_count[j];
		r.e->cfg.trace = count_trace;
		r.e->cfg.trace_arg = &n;
		rows[i].act(&r);
		for (enum edge_id j = 0; j < N_EDGES; j++)
			taken += r.e->edge_count[j];
		assert_int_equal(n, taken - before);
		rig_done(&r);
	}
}

static void keep_trace(void *arg, const struct la_trace *what) { *(struct la_trace *)arg = *what; }

TEST(trace__says_whose_and_where)
{
	struct la_trace t;

	RIG_AT_WITH(r, FIN_WAIT_1, .orphan = true);
	r.e->cfg.trace = keep_trace;
	r.e->cfg.trace_arg = &t;
	IN(&r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	assert_string_equal(t.edge, "F5_14_FIN_ACKED");
	assert_string_equal(t.from, "FIN-WAIT-1");
	assert_string_equal(t.to, "FIN-WAIT-2");
	assert_false(t.in_store);
	assert_int_equal(t.sock, 0);
	assert_int_equal(t.at, r.now);
	assert_memory_equal(t.local.addr, r.at.us.b, 16);
	assert_memory_equal(t.remote.addr, r.at.peer.b, 16);
	assert_int_equal(t.local.port, RIG_PORT);
	assert_int_equal(t.remote.port, PEER_PORT);
	IN(&r, .flags = F_FIN | F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 2));
	assert_string_equal(t.edge, "F5_17_FIN_WAIT_2_FIN");
	assert_true(t.in_store);
	RIG_AT(q, ESTABLISHED);
	q.e->cfg.trace = keep_trace;
	q.e->cfg.trace_arg = &t;
	la_shutdown(q.h, q.s, LA_SHUT_WR);
	assert_int_equal(t.sock, q.s);
}

RUN(T(trace__says_whose_and_where), T(every_edge_has_a_scenario), T(every_scenario_takes_its_edge),
    T(every_scenario_leaves_gauges_that_agree), T(every_scenario_comes_to_rest), T(every_edge_is_traced))
