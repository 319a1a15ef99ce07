/* SPDX-License-Identifier: MIT */
/* Bottlenecks, boxes on the way, sizes of links, and long transfers over them. */
#include "tests/unit/t.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/middlebox.h"
#include "sim/transfer.h"
#include "tests/unit/sim/rig.h"
#include "wire/packet.h"

/* ---- the bottleneck ---- */

TEST(bottleneck__packets_leave_one_after_the_other)
{
	struct bottleneck b = {.rate = 1000000, .queue_max = 3000};
	nsec_t at;
	bool mark;

	assert_true(bottleneck_pass(&b, 5, 1000, true, &at, &mark));
	assert_int_equal(at, 5 + NSEC_PER_MS);
	assert_true(bottleneck_pass(&b, 5, 1000, true, &at, &mark));
	assert_int_equal(at, 5 + 2 * NSEC_PER_MS);
	assert_int_equal(bottleneck_queue(&b, 5), 2000);
	assert_int_equal(bottleneck_queue(&b, 5 + NSEC_PER_MS), 1000);
	assert_int_equal(bottleneck_queue(&b, 5 + 9 * NSEC_PER_MS), 0);
	assert_true(bottleneck_pass(&b, 10 * NSEC_PER_MS, 500, true, &at, &mark)); /* idle in between */
	assert_int_equal(at, 10 * NSEC_PER_MS + NSEC_PER_MS / 2);
	assert_false(mark);
}

TEST(bottleneck__what_finds_no_room_is_lost_and_later_there_is_room_again)
{
	struct bottleneck b = {.rate = 1000000, .queue_max = 2500};
	nsec_t at;
	bool mark;

	assert_true(bottleneck_pass(&b, 0, 1500, false, &at, &mark));
	assert_true(bottleneck_pass(&b, 0, 1000, false, &at, &mark));
	assert_false(bottleneck_pass(&b, 0, 1, false, &at, &mark));
	assert_true(bottleneck_pass(&b, NSEC_PER_MS, 1000, false, &at, &mark));
	assert_int_equal(b.dropped, 1);
	assert_int_equal(b.passed, 3);
}

TEST(bottleneck__a_long_queue_marks_what_can_be_marked)
{
	unsigned marks[4] = {0}; /* with so many times 500 octets waiting */
	nsec_t at;
	bool mark;

	for (unsigned i = 0; i < 4; i++) {
		struct bottleneck b = {.rate = 1000000, .queue_max = 9000, .mark_above = 1000};

		for (unsigned k = 0; k < 100; k++) {
			b.busy_until = 5 + (i + 1) * UINT64_C(500000);
			assert_true(bottleneck_pass(&b, 5, 1, true, &at, &mark));
			marks[i] += mark;
			assert_true(bottleneck_pass(&b, 5, 1, false, &at, &mark) && !mark);
		}
		assert_int_equal(b.marked, marks[i]);
	}
	assert_int_equal(marks[0], 0);
	assert_int_equal(marks[1], 0);
	assert_int_equal(marks[2], 50); /* half of the way to twice as many */
	assert_int_equal(marks[3], 100);
}

/* ---- boxes on the way ---- */

static struct seg segment(bool v6)
{
	struct la_endpoint a = net_address(0, v6, 1), b = net_address(1, v6, 2);
	static const uint8_t text[] = "octets";
	struct seg s = {.src = addr_from_v6(a.addr), .dst = addr_from_v6(b.addr), .sport = 1, .dport = 2};

	s.flags = F_ACK;
	s.seq = seq(12345);
	s.len = 6;
	s.text = text;
	s.tos = 0xb8 | IP_ECT_0;
	return s;
}

TEST(ecn_field__is_changed_and_the_packet_stays_good)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned to = 0; to < 4; to++) {
			struct seg s = segment(v6);
			struct packet p;
			uint8_t o[256];
			size_t len = packet_write(o, sizeof(o), &s, 0);

			assert_int_equal(middlebox_ecn(o), IP_ECT_0);
			middlebox_set_ecn(o, to);
			assert_int_equal(middlebox_ecn(o), to);
			assert_int_equal(packet_parse(&p, o, len, 0), WIRE_TCP);
			assert_int_equal(p.seg.tos, 0xb8 | to);
		}
}

TEST(sack__is_taken_out_and_the_rest_stays)
{
	struct seg s = segment(false), syn = segment(true);
	struct packet p;
	uint8_t o[256];
	size_t len;

	s.opts = (struct tcp_opts){.has_ts = true, .tsval = 7, .tsecr = 8, .n_sack = 2};
	s.opts.sack[0].from = seq(1);
	s.opts.sack[0].to = seq(0xfffffffe);
	len = packet_write(o, sizeof(o), &s, 0);
	assert_true(middlebox_strip_sack(o, len));
	assert_int_equal(packet_parse(&p, o, len, 0), WIRE_TCP);
	assert_int_equal(p.seg.opts.n_sack, 0);
	assert_true(p.seg.opts.has_ts && p.seg.opts.tsval == 7 && p.seg.opts.tsecr == 8);
	assert_int_equal(p.seg.len, 6);
	assert_false(middlebox_strip_sack(o, len));

	syn.flags = F_SYN;
	syn.len = 0;
	syn.opts = (struct tcp_opts){
		.has_mss = true, .mss = 1460, .sack_permitted = true, .has_ts = true, .has_wscale = true};
	len = packet_write(o, sizeof(o), &syn, 0);
	assert_true(middlebox_strip_sack(o, len));
	assert_int_equal(packet_parse(&p, o, len, 0), WIRE_TCP);
	assert_false(p.seg.opts.sack_permitted);
	assert_true(p.seg.opts.has_mss && p.seg.opts.mss == 1460 && p.seg.opts.has_wscale && p.seg.opts.has_ts);
}

/* ---- the way: what a path does with them ---- */

TEST(path__a_packet_that_is_too_big_is_lost_and_the_sender_is_told)
{
	struct rig *r = rig_begin(NULL);
	la_sock a, b;

	rig_opened(r, &a, &b);
	r->n->path[0][1].mtu = 100;
	r->n->path[0][1].too_big = UINT16_MAX;
	rig_send(r, 0, a, "short enough");
	rig_run(r, 100); /* acknowledged: what comes next does not wait for that */
	rig_expect(r, 1, b, "short enough");
	assert_int_equal(r->n->fault[FAULT_TOO_BIG], 0);
	rig_send(r, 0, a,
		 "this one is longer than a hundred octets, headers and all, so that it finds the link too narrow");
	rig_run(r, 20);
	assert_int_equal(r->n->fault[FAULT_TOO_BIG], 1);
	assert_int_equal(r->w->seen[0].in_icmp, 1);
	r->n->path[0][1].mtu = 0;
	rig_close(r, 0, a);
	rig_close(r, 1, b);
	rig_end(r);
}

/* ---- transfers ---- */

static struct transfer_result run(const struct transfer_cfg *cfg)
{
	size_t size = transfer_size(cfg);
	struct transfer_result r;
	void *mem;

	assert_true(size > 0);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(mem != MAP_FAILED);
	assert_int_equal(transfer_run(mem, cfg, NULL, &r), 0);
	munmap(mem, size);
	return r;
}

static const struct transfer_cfg usual = {
	.seed = 1,
	.flows = 1,
	.length = 30 * NSEC_PER_S,
	.counted_from = 5 * NSEC_PER_S,
	.stagger = 100 * NSEC_PER_MS,
	.rate_bps = 100000000,
	.rtt = 20 * NSEC_PER_MS,
	.queue = 250000,
	.buffer = 4 << 20,
	.every = 100 * NSEC_PER_MS,
};

TEST(transfer__one_flow_fills_the_link)
{
	struct transfer_cfg cfg = usual;
	struct transfer_result r;

	cfg.set[cfg.n_set++] = (struct knob_setting){
		"net.ipv4.tcp_rmem", "4096 8388608 33554432"}; /* the link, not the receiver, is the bound */
	r = run(&cfg);
	/* 1448 of 1500 octets are payload */
	if (r.total_bps < 0.9 * 100e6 * 1448 / 1500 || r.total_bps > 100e6 * 1448 / 1500)
		fail_msg("%.2f Mbit/s", r.total_bps / 1e6);
	assert_true(r.dropped > 0 && r.lost == 0 && r.marked == 0);
}

/* RFC 3168: the queue is told of before it overflows. */
TEST(transfer__with_ecn__nothing_is_lost)
{
	struct transfer_cfg cfg = usual;
	struct transfer_result r;

	cfg.mark_above = 100000;
	r = run(&cfg);
	assert_true(r.marked > 0);
	assert_int_equal(r.dropped, 0);
	assert_int_equal(r.retransmitted, 0);
	if (r.total_bps < 0.85 * 100e6 * 1448 / 1500)
		fail_msg("%.2f Mbit/s", r.total_bps / 1e6);
}

/* What is lost is sent again once, by the time it takes to notice, never by a timeout. */
TEST(transfer__over_random_loss__sends_again_what_is_lost_and_no_more)
{
	struct transfer_cfg cfg = usual;
	struct transfer_result r;

	cfg.rate_bps = 1000000000;
	cfg.queue = 2500000;
	cfg.loss = 0.01;
	cfg.length = 60 * NSEC_PER_S;
	r = run(&cfg);
	if (r.retransmitted > r.lost + r.lost / 50 || r.timeouts > 2)
		fail_msg("%llu lost, %llu sent again, %llu timeouts", (unsigned long long)r.lost,
			 (unsigned long long)r.retransmitted, (unsigned long long)r.timeouts);
	if (r.total_bps < 0.75 * transfer_cubic_model_bps(0.01, 0.02, 1448))
		fail_msg("%.2f Mbit/s, the model has %.2f", r.total_bps / 1e6,
			 transfer_cubic_model_bps(0.01, 0.02, 1448) / 1e6);
}

TEST(transfer__the_same_seed_gives_the_same_and_another_does_not)
{
	struct transfer_cfg cfg = usual;
	uint64_t first;

	cfg.length = 6 * NSEC_PER_S;
	cfg.loss = 0.001;
	first = run(&cfg).hash;
	assert_true(run(&cfg).hash == first);
	cfg.seed = 2;
	assert_false(run(&cfg).hash == first);
}

TEST(transfer__flows_share_fairly)
{
	static const unsigned flows[] = {2, 10};

	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		struct transfer_cfg cfg = usual;
		struct transfer_result r;

		cfg.flows = flows[i];
		cfg.length = 60 * NSEC_PER_S;
		cfg.counted_from = 10 * NSEC_PER_S;
		r = run(&cfg);
		if (r.jain <= 0.95)
			fail_msg("%u flows: Jain's index is %.4f", flows[i], r.jain);
		if (r.total_bps < 0.9 * 100e6 * 1448 / 1500)
			fail_msg("%u flows: %.2f Mbit/s", flows[i], r.total_bps / 1e6);
	}
}

TEST(transfer__a_knob_that_no_host_has_is_told)
{
	struct transfer_cfg cfg = usual;
	struct transfer_result r;
	void *mem;

	cfg.n_set = 1;
	cfg.set[0] = (struct knob_setting){"no.such", "1"};
	mem = mmap(NULL, transfer_size(&cfg), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		   0);
	assert_true(mem != MAP_FAILED);
	assert_int_equal(transfer_run(mem, &cfg, NULL, &r), -ENOENT);
	munmap(mem, transfer_size(&cfg));
	cfg.flows = TRANSFER_FLOWS_MAX + 1;
	assert_int_equal(transfer_size(&cfg), 0);
}

/* ---- arithmetic ---- */

TEST(jain__is_one_when_all_have_the_same_and_one_by_n_when_one_has_all)
{
	assert_true(fabs(transfer_jain((double[]){3, 3, 3}, 3) - 1) < 1e-9);
	assert_true(fabs(transfer_jain((double[]){5, 0, 0, 0}, 4) - 0.25) < 1e-9);
	assert_true(fabs(transfer_jain((double[]){1, 2}, 2) - 0.9) < 1e-9);
}

/* RFC 9438 5.2, table 1, the row of p = 10^-2 is in the Reno-friendly region; table 2 has CUBIC's. */
TEST(cubic_model__gives_the_windows_of_the_tables)
{
	const double rtt = 0.1; /* tables 1 and 2 */

	for (int i = 0; i < 2;
	     i++) { /* p = 10^-4: 187 segments with CUBIC; 10^-5: 1054 (rounded: 1.054 * 0.1^0.75 / p^0.75) */
		double p = i ? 1e-5 : 1e-4, window = transfer_cubic_model_bps(p, rtt, 1) * rtt / 8;

		assert_true(fabs(window - 1.054 * pow(rtt, 0.75) / pow(p, 0.75)) < 0.005 * window);
	}
	assert_true(fabs(transfer_cubic_model_bps(0.01, 0.02, 1) * 0.02 / 8 - sqrt(1.5 / 0.01)) < 0.01);
}

RUN(T(bottleneck__packets_leave_one_after_the_other),
    T(bottleneck__what_finds_no_room_is_lost_and_later_there_is_room_again),
    T(bottleneck__a_long_queue_marks_what_can_be_marked), T(ecn_field__is_changed_and_the_packet_stays_good),
    T(sack__is_taken_out_and_the_rest_stays), T(path__a_packet_that_is_too_big_is_lost_and_the_sender_is_told),
    T(transfer__one_flow_fills_the_link), T(transfer__with_ecn__nothing_is_lost),
    T(transfer__over_random_loss__sends_again_what_is_lost_and_no_more),
    T(transfer__the_same_seed_gives_the_same_and_another_does_not), T(transfer__flows_share_fairly),
    T(transfer__a_knob_that_no_host_has_is_told), T(jain__is_one_when_all_have_the_same_and_one_by_n_when_one_has_all),
    T(cubic_model__gives_the_windows_of_the_tables))
