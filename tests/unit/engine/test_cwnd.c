/* SPDX-License-Identifier: MIT */
/* What becomes of a congestion window that is not used (RFC 2861, 7661; tcp_slow_start_after_idle). */
#include "tests/unit/engine/peer.h"

#define MS NSEC_PER_MS
#define OFF "net.ipv4.tcp_slow_start_after_idle = 0"

struct flow {
	struct rig r;
	uint32_t done; /* octets written and acknowledged */
};

static void flow_put(struct flow *f, uint32_t n)
{
	static const uint8_t octets[40000];

	assert_int_equal(la_send(f->r.h, f->r.s, octets, n, 0), n);
	rig_drain(&f->r);
	f->done += n;
}

static void flow_ack(struct flow *f, nsec_t after)
{
	rig_pass(&f->r, after);
	rig_drain(&f->r);
	IN(&f->r, .flags = F_ACK, .seq = seq(IRS + 1), .ack = seq(ISS + 1 + f->done), .wnd = 65535);
}

static struct conn *flow_start(struct flow *f, const char *knobs)
{
	struct conn *c;

	*f = (struct flow){0};
	rig_init(&f->r, &(struct rig_opt){.knobs = knobs, .cfg.send_buffer = 65536});
	rig_to(&f->r, ESTABLISHED);
	c = rig_conn(&f->r);
	flow_ack(f, 0);
	flow_put(f, 10 * PEER_MSS);
	flow_ack(f, 20 * MS);
	assert_int_equal(c->cc.cwnd, 20);
	return c;
}

TEST(less_used_for_a_timeout__decays_half_of_the_way)
{
	struct flow f;
	struct conn *c = flow_start(&f, NULL);

	c->cc.ssthresh = 16;
	for (int i = 0; i < 10; i++) { /* 200 ms */
		flow_put(&f, 12 * PEER_MSS);
		flow_ack(&f, 20 * MS);
	}
	assert_int_equal(c->cc.cwnd, 20);
	flow_put(&f, 100);
	flow_ack(&f, 20 * MS);
	flow_put(&f, 100);
	assert_int_equal(c->cc.cwnd, 16); /* of 20 and the 12 that were used */
	assert_int_equal(c->cc.ssthresh, 16);
	for (int i = 0; i < 50; i++) {
		flow_ack(&f, 20 * MS);
		flow_put(&f, 100);
	}
	assert_int_equal(c->cc.cwnd, 10); /* never below the initial window */
	rig_done(&f.r);
}

TEST(less_used__knob_off__stays)
{
	struct flow f;
	struct conn *c = flow_start(&f, OFF);

	for (int i = 0; i < 50; i++) {
		flow_put(&f, 100);
		flow_ack(&f, 20 * MS);
	}
	assert_int_equal(c->cc.cwnd, 20);
	rig_done(&f.r);
}

TEST(idle__half_for_each_timeout)
{
	static const struct {
		const char *knobs;
		unsigned ms, cwnd;
	} rows[] = {{NULL, 150, 20}, {NULL, 300, 10}, {NULL, 5000, 10}, {OFF, 5000, 20}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct flow f;
		struct conn *c = flow_start(&f, rows[i].knobs);

		rig_pass(&f.r, rows[i].ms * MS);
		flow_put(&f, 100);
		assert_int_equal(c->cc.cwnd, rows[i].cwnd);
		rig_done(&f.r);
	}
}

TEST(idle__moves_the_epoch_of_cubic_even_when_it_is_short)
{
	struct flow f;
	struct conn *c = flow_start(&f, NULL);
	nsec_t before;

	c->cc.ssthresh = 20;
	c->cc.cubic.epoch_on = true;
	before = c->cc.cubic.epoch_at = c->last_sent_at;
	rig_pass(&f.r, 30 * MS); /* 50 since the last was sent */
	flow_put(&f, 100);
	assert_int_equal(c->cc.cubic.epoch_at - before, 50 * MS);
	rig_done(&f.r);
}

RUN(T(less_used_for_a_timeout__decays_half_of_the_way), T(less_used__knob_off__stays), T(idle__half_for_each_timeout),
    T(idle__moves_the_epoch_of_cubic_even_when_it_is_short))
