/* SPDX-License-Identifier: MIT */
/* SYN queue, accept queue, cookies: kernel-truth.md 8, row by row; forged cookies; the end of a listener. */
#include "tests/unit/engine/pair.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <string.h>

enum { PORT = 80 };

/* A SYN from somebody who answers nothing: 192.0.2.x, number n. */
static struct seg stranger_syn(unsigned n)
{
	struct seg s = {.src = addr_v4(192, 0, 2, (uint8_t)(n / 250)),
			.dst = addr_v4(10, 0, 0, 2),
			.sport = (uint16_t)(1024 + n),
			.dport = PORT,
			.seq = seq(n * 1000),
			.wnd = 20000,
			.flags = F_SYN};

	s.opts.has_mss = true;
	s.opts.mss = 1400;
	return s;
}

/* SYN+ACKs that b sends for n strangers' SYNs. *ret_last: the last of them. */
static unsigned flood(struct pair *p, unsigned first, unsigned n, struct seg *ret_last)
{
	uint8_t packet[1500];
	unsigned answers = 0;
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		struct seg syn = stranger_syn(first + i);

		pair_inject(p, 1, &syn);
		while ((len = la_output(p->b, p->now, packet, sizeof(packet))) != 0) {
			struct packet out;

			assert_int_equal(packet_parse(&out, packet, len, 0), WIRE_TCP);
			answers += out.seg.flags == (F_SYN | F_ACK);
			if (ret_last)
				*ret_last = out.seg;
		}
	}
	return answers;
}

/* What b answers to one packet; flags 0 if nothing. */
static struct seg answer(struct pair *p, const struct seg *s)
{
	static uint8_t packet[1500];
	struct packet out = {.seg = {.flags = 0}};
	size_t len;

	pair_inject(p, 1, s);
	len = la_output(p->b, p->now, packet, sizeof(packet));
	if (len)
		packet_parse(&out, packet, len, 0);
	return out.seg;
}

static struct seg ack_of(const struct seg *syn_ack)
{
	return (struct seg){.src = syn_ack->dst,
			    .dst = syn_ack->src,
			    .sport = syn_ack->dport,
			    .dport = syn_ack->sport,
			    .seq = syn_ack->ack,
			    .ack = seq_add(syn_ack->seq, 1),
			    .wnd = 20000,
			    .flags = F_ACK};
}

static unsigned embryonic(struct la_engine *e)
{
	struct la_usage u;

	la_usage(e, &u);
	return u.embryonic;
}

TEST(backlog__somaxconn__bounds_it)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.core.somaxconn", "3");
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 100);
	for (unsigned i = 0; i < 10; i++)
		connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	unsigned n = 0;
	while (la_accept(p.b, l, NULL) > 0)
		n++;
	assert_int_equal(n, 4); /* backlog + 1 */
	pair_done(&p);
}

TEST(backlog__negative__is_the_largest)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.core.somaxconn", "5");
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, -1);
	for (unsigned i = 0; i < 10; i++)
		connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	unsigned n = 0;
	while (la_accept(p.b, l, NULL) > 0)
		n++;
	assert_int_equal(n, 6);
	pair_done(&p);
}

TEST(accept__order__first_in_first_out)
{
	struct pair p;
	la_sock c[5];
	struct la_endpoint from, own;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 8);
	for (unsigned i = 0; i < 5; i++) {
		c[i] = connect_to(p.a, "10.0.0.2", PORT);
		pair_run(&p);
	}
	for (unsigned i = 0; i < 5; i++) {
		assert_true(la_accept(p.b, l, &from) > 0);
		assert_int_equal(la_getsockname(p.a, c[i], &own), 0);
		assert_memory_equal(&from, &own, sizeof(own));
	}
	assert_int_equal(la_accept(p.b, l, &from), -EAGAIN);
	pair_done(&p);
}

TEST(syn_queue__cookies_off__5_with_backlog_4_then_dropped)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "0");
	listen_at(p.b, "10.0.0.2", PORT, 4);
	assert_int_equal(flood(&p, 0, 8, NULL), 5);
	assert_int_equal(embryonic(p.b), 5);
	assert_int_equal(counter(p.b, "TCPReqQFullDrop"), 3);
	assert_int_equal(counter(p.b, "ListenDrops"), 3);
	assert_int_equal(counter(p.b, "ListenOverflows"), 0);
	pair_done(&p);
}

/* The backlog is larger than all there is: half of it stays for la_socket() and the others. */
TEST(syn_queue__large_backlog__a_flood_leaves_half_of_the_sockets)
{
	for (unsigned cookies = 0; cookies < 2; cookies++) {
		struct pair p;

		pair_init_with(&p, &(struct la_config){.max_sockets = 32, .max_time_wait4 = 16, .max_time_wait6 = 16});
		set_knob(p.b, "net.ipv4.tcp_syncookies", cookies ? "1" : "0");
		listen_at(p.b, "10.0.0.2", PORT, 100);
		assert_int_equal(flood(&p, 0, 60, NULL), cookies ? 60 : 16);
		assert_int_equal(embryonic(p.b), 16);
		assert_int_equal(counter(p.b, "TCPReqQFullDoCookies"), cookies ? 44 : 0);
		assert_int_equal(counter(p.b, "SyncookiesSent"), cookies ? 44 : 0);
		assert_int_equal(counter(p.b, "TCPReqQFullDrop"), cookies ? 0 : 44);
		assert_int_equal(counter(p.b, "LaNoSocket"), 0);
		assert_true(la_socket(p.b, LA_INET) > 0);
		pair_done(&p);
	}
}

TEST(syn_queue__full__cookie)
{
	struct pair p;
	struct seg last;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
	assert_int_equal(flood(&p, 0, 8, &last), 8);
	assert_int_equal(embryonic(p.b), 5);
	assert_int_equal(counter(p.b, "TCPReqQFullDoCookies"), 3);
	assert_int_equal(counter(p.b, "SyncookiesSent"), 3);
	struct seg ack = ack_of(&last);
	assert_int_equal(answer(&p, &ack).flags, 0);
	assert_int_equal(counter(p.b, "SyncookiesRecv"), 1);
	la_sock s = accept_from(p.b, l);
	assert_int_equal(state_of(p.b, s), K_ESTABLISHED);
	assert_int_equal(get_int(p.b, s, LA_TCP_MAXSEG), 1400); /* of the peer's MSS option, by the cookie */
	assert_int_equal(counter(p.b, "PassiveOpens"), 1);
	pair_done(&p);
}

TEST(syncookies_2__always)
{
	struct pair p;
	char c;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
	la_sock s = connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	assert_int_equal(counter(p.b, "SyncookiesSent"), 1);
	assert_int_equal(counter(p.b, "SyncookiesRecv"), 1);
	la_sock t = accept_from(p.b, l);
	assert_int_equal(la_send(p.a, s, "x", 1, 0), 1);
	pair_run(&p);
	assert_int_equal(la_recv(p.b, t, &c, 1, 0), 1);
	pair_done(&p);
}

TEST(cookie__forged__rst_and_counted)
{
	struct pair p;
	struct seg last;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
	assert_int_equal(flood(&p, 0, 1, &last), 1);
	const struct seg good = ack_of(&last);
	for (unsigned bit = 0; bit < 32; bit++) {
		struct seg bad = good;

		bad.ack = seq(good.ack.v ^ 1U << bit);
		assert_int_equal(answer(&p, &bad).flags, F_RST);
	}
	struct seg bad = good;
	bad.seq = seq_add(good.seq, 1);
	assert_int_equal(answer(&p, &bad).flags, F_RST);
	bad = good;
	bad.sport++;
	assert_int_equal(answer(&p, &bad).flags, F_RST);
	bad = good;
	bad.src = addr_v4(192, 0, 2, 77);
	assert_int_equal(answer(&p, &bad).flags, F_RST);
	assert_int_equal(counter(p.b, "SyncookiesFailed"), 35);
	assert_int_equal(la_accept(p.b, l, NULL), -EAGAIN);
	assert_int_equal(embryonic(p.b), 0);
	assert_int_equal(answer(&p, &good).flags, 0);
	accept_from(p.b, l);
	pair_done(&p);
}

TEST(cookie__age__two_periods)
{
	static const struct {
		uint64_t ms;
		bool good;
	} cases[] = {{0, true}, {63000, true}, {192000, false}, {64000ull * 33, false}};
	struct pair p;
	struct seg last;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pair_init(&p);
		set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
		la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
		assert_int_equal(flood(&p, 0, 1, &last), 1);
		pair_pass_quietly(&p, cases[i].ms);
		struct seg ack = ack_of(&last);
		assert_int_equal(answer(&p, &ack).flags, cases[i].good ? 0 : F_RST);
		assert_int_equal(la_accept(p.b, l, NULL) > 0, cases[i].good);
		pair_done(&p);
	}
}

TEST(cookie__none_sent_lately__ack_is_not_looked_at)
{
	struct pair p;

	pair_init(&p);
	listen_at(p.b, "10.0.0.2", PORT, 4);
	struct seg ack = stranger_syn(1);
	ack.flags = F_ACK;
	assert_int_equal(answer(&p, &ack).flags, F_RST);
	assert_int_equal(counter(p.b, "SyncookiesFailed"), 0);
	pair_done(&p);
}

TEST(cookie__young_engine__none_sent_yet)
{
	struct pair p;

	pair_init_with(&p, &(struct la_config){.max_sockets = 4, .max_time_wait4 = 4, .max_time_wait6 = 4, .now = 1});
	listen_at(p.b, "10.0.0.2", PORT, 4);
	struct seg ack = stranger_syn(1);
	ack.flags = F_ACK;
	assert_int_equal(answer(&p, &ack).flags, F_RST);
	assert_int_equal(counter(p.b, "SyncookiesFailed"), 0);
	pair_done(&p);
}

TEST(cookie__mss__largest_that_the_peer_takes)
{
	static const uint16_t cases[][2] = {{0, 88},      {87, 88},     {535, 88},    {536, 536},   {1219, 536},
					    {1220, 1220}, {1300, 1300}, {1399, 1300}, {1400, 1400}, {1440, 1440},
					    {1459, 1440}, {1460, 1460}, {65535, 1460}};
	struct pair p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seg syn = stranger_syn((unsigned)i);

		pair_init(&p);
		set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
		la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
		syn.opts.mss = cases[i][0];
		struct seg syn_ack = answer(&p, &syn), ack = ack_of(&syn_ack);
		answer(&p, &ack);
		assert_int_equal(get_int(p.b, accept_from(p.b, l), LA_TCP_MAXSEG), cases[i][1]);
		pair_done(&p);
	}
}

/* What the SYN offered comes back through the low bits of the timestamp; without timestamps nothing but the MSS does. */
TEST(cookie__options__come_back_through_timestamps)
{
	static const struct {
		bool ts, sack, wscale, ecn;
		uint8_t shift;
	} cases[] = {{true, true, true, true, 7},   {true, true, true, false, 14},
		     {true, true, false, false, 0}, {true, false, true, false, 0},
		     {true, false, false, true, 0}, {true, false, false, false, 0},
		     {false, true, true, true, 7},  {true, false, true, false, 15 /* taken for 14: RFC 7323 2.3 */}};
	struct pair p;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seg syn = stranger_syn((unsigned)i);
		struct la_tcp_info info;
		size_t len = sizeof(info);

		pair_init(&p);
		pair_pass(&p, 12345 + 17 * (unsigned)i); /* the clock's own low bits are anything */
		set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
		set_knob(p.b, "net.ipv4.tcp_ecn", "1");
		la_sock l = listen_at(p.b, "10.0.0.2", PORT, 4);
		set_knob(p.b, "net.ipv4.tcp_rmem", "4096 131072 6291456"); /* after the listener was made */
		syn.opts.has_ts = cases[i].ts;
		syn.opts.tsval = 99;
		syn.opts.sack_permitted = cases[i].sack;
		syn.opts.has_wscale = cases[i].wscale;
		syn.opts.wscale = cases[i].shift;
		syn.flags |= cases[i].ecn ? F_ECE | F_CWR : 0;
		struct seg syn_ack = answer(&p, &syn), ack = ack_of(&syn_ack);
		bool kept = cases[i].ts;
		assert_int_equal(syn_ack.opts.sack_permitted, kept && cases[i].sack);
		assert_int_equal(syn_ack.opts.has_wscale, kept && cases[i].wscale);
		assert_int_equal(!!(syn_ack.flags & F_ECE), kept && cases[i].ecn);
		ack.opts.has_ts = kept;
		ack.opts.tsval = 100;
		ack.opts.tsecr = syn_ack.opts.tsval;
		answer(&p, &ack);
		assert_int_equal(la_getsockopt(p.b, accept_from(p.b, l), LA_TCP_INFO, &info, &len), 0);
		assert_int_equal(info.tcpi_options & 15, kept | (kept && cases[i].sack) << 1 |
								 (kept && cases[i].wscale) << 2 |
								 (kept && cases[i].ecn) << 3);
		if (kept && cases[i].wscale)
			assert_int_equal(info.tcpi_snd_wscale, cases[i].shift > 14 ? 14 : cases[i].shift);
		if (kept && cases[i].wscale)
			assert_int_equal(info.tcpi_rcv_wscale, syn_ack.opts.wscale); /* what it said, it does */
		assert_int_equal(info.tcpi_rtt, 0); /* a cookie's clock measures nothing */
		assert_int_equal(info.tcpi_snd_wnd, 20000 << (kept && cases[i].wscale ? info.tcpi_snd_wscale : 0));
		pair_done(&p);
	}
}

/* A timestamp ahead of the clock would make the segments after it look old to the peer (PAWS). */
TEST(cookie__timestamp__never_ahead_of_the_clock)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
	set_knob(p.b, "net.ipv4.tcp_timestamps", "2"); /* no offset */
	listen_at(p.b, "10.0.0.2", PORT, 4);
	for (unsigned i = 0; i < 130; i++) {
		struct seg syn = stranger_syn(i);
		uint32_t now;

		syn.opts.has_ts = true;
		syn.opts.sack_permitted = i & 1;
		pair_pass(&p, 1);
		now = (uint32_t)(p.now / 1000000);
		assert_in_range(now - answer(&p, &syn).opts.tsval, 0, 64);
	}
	pair_done(&p);
}

TEST(max_syn_backlog__only_without_cookies)
{
	struct pair p;

	for (unsigned cookies = 0; cookies < 2; cookies++) {
		pair_init(&p);
		set_knob(p.b, "net.ipv4.tcp_syncookies", cookies ? "1" : "0");
		set_knob(p.b, "net.ipv4.tcp_max_syn_backlog", "8");
		listen_at(p.b, "10.0.0.2", PORT, 100);
		assert_int_equal(flood(&p, 0, 20, NULL), cookies ? 20 : 7); /* kernel-truth 8 */
		assert_int_equal(counter(p.b, "ListenDrops"), cookies ? 0 : 13);
		pair_done(&p);
	}
}

TEST(accept_queue_full__syn__dropped_and_counted)
{
	struct pair p;

	pair_init(&p);
	listen_at(p.b, "10.0.0.2", PORT, 1);
	for (unsigned i = 0; i < 2; i++) {
		connect_to(p.a, "10.0.0.2", PORT);
		pair_run(&p);
	}
	la_sock s = connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_SYN_SENT);
	assert_int_equal(counter(p.b, "ListenOverflows"), 1);
	assert_int_equal(counter(p.b, "ListenDrops"), 1);
	pair_done(&p);
}

/* Two SYNs are let in while one place is left; the second ACK finds none. */
static la_sock overfill(struct pair *p, la_sock *ret_listener)
{
	*ret_listener = listen_at(p->b, "10.0.0.2", PORT, 1);
	connect_to(p->a, "10.0.0.2", PORT);
	pair_run(p);
	connect_to(p->a, "10.0.0.2", PORT);
	la_sock third = connect_to(p->a, "10.0.0.2", PORT);
	pair_run(p);
	return third;
}

TEST(accept_queue_full__last_ack__ignored_until_there_is_room)
{
	struct pair p;
	la_sock l;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "0");
	la_sock s = overfill(&p, &l);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED); /* so the client thinks */
	assert_int_equal(embryonic(p.b), 1);
	assert_int_equal(counter(p.b, "ListenOverflows"), 1);
	assert_int_equal(counter(p.b, "ListenDrops"), 1);
	accept_from(p.b, l);
	pair_pass(&p, 3000); /* SYN+ACK again, ACK again */
	assert_int_equal(embryonic(p.b), 0);
	accept_from(p.b, l);
	accept_from(p.b, l);
	pair_done(&p);
}

TEST(abort_on_overflow__last_ack__rst)
{
	struct pair p;
	la_sock l;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_abort_on_overflow", "1");
	la_sock s = overfill(&p, &l);
	assert_int_equal(state_of(p.a, s), K_CLOSE);
	assert_int_equal(get_int(p.a, s, LA_SO_ERROR), ECONNRESET);
	assert_int_equal(embryonic(p.b), 0);
	assert_int_equal(counter(p.b, "EmbryonicRsts"), 1);
	assert_int_equal(counter(p.b, "ListenOverflows"), 1);
	pair_done(&p);
}

TEST(cookie__accept_queue_full__dropped)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "2");
	la_sock l;
	la_sock s = overfill(&p, &l);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED);
	assert_int_equal(counter(p.b, "ListenOverflows"), 1);
	accept_from(p.b, l);
	accept_from(p.b, l);
	assert_int_equal(la_accept(p.b, l, NULL), -EAGAIN);
	pair_done(&p);
}

TEST(max_sockets__syn__dropped_and_counted)
{
	struct pair p;

	pair_init_with(&p, &(struct la_config){.max_sockets = 3, .max_time_wait4 = 16, .max_time_wait6 = 16});
	listen_at(p.b, "10.0.0.2", PORT, 10);
	assert_true(la_socket(p.b, LA_INET) > 0);
	assert_true(la_socket(p.b, LA_INET) > 0);
	assert_int_equal(flood(&p, 0, 3, NULL), 0);
	assert_int_equal(counter(p.b, "LaNoSocket"), 3);
	assert_int_equal(counter(p.b, "ListenDrops"), 3);
	pair_done(&p);
}

/* ---- ends ---- */

TEST(embryonic__synack_retries_used_up__gone)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_synack_retries", "2");
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 10);
	assert_int_equal(flood(&p, 0, 4, NULL), 4);
	pair_pass(&p, 60000);
	assert_int_equal(embryonic(p.b), 0);
	assert_int_equal(counter(p.b, "TCPSynRetrans"), 8);
	assert_int_equal(edge(p.b, "TIMEOUT_SYN_RECEIVED"), 4);
	assert_int_equal(la_close(p.b, l), 0);
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

TEST(close__listener__resets_its_children)
{
	struct pair p;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 10);
	la_sock c[3];
	for (unsigned i = 0; i < 3; i++)
		c[i] = connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	la_sock kept = accept_from(p.b, l);
	assert_int_equal(flood(&p, 0, 2, NULL), 2);
	assert_int_equal(la_close(p.b, l), 0);
	pair_run(&p);
	assert_int_equal(state_of(p.a, c[0]), K_ESTABLISHED);
	assert_int_equal(state_of(p.b, kept), K_ESTABLISHED);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(state_of(p.a, c[i]), K_CLOSE);
		assert_int_equal(get_int(p.a, c[i], LA_SO_ERROR), ECONNRESET);
	}
	assert_int_equal(edge(p.b, "ABORT_SYN_RECEIVED"), 2);
	assert_int_equal(edge(p.b, "ABORT_ESTABLISHED"), 2);
	assert_int_equal(edge(p.b, "F5_02_LISTEN_CLOSE"), 1);
	la_abort(p.b, kept);
	pair_run(&p);
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

/* Linux: what reached ESTABLISHED is given out, whatever came of it since. */
TEST(accept__child_was_reset__given_out_with_its_error)
{
	struct pair p;
	struct la_endpoint from;
	char buf[8];

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 10), s = connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	assert_int_equal(la_send(p.a, s, "abc", 3, 0), 3);
	pair_run(&p);
	assert_int_equal(la_abort(p.a, s), 0);
	pair_run(&p);
	la_sock t = la_accept(p.b, l, &from);
	assert_true(t > 0);
	struct la_endpoint want = ep("10.0.0.1", from.port);
	assert_memory_equal(&from, &want, sizeof(want));
	assert_int_equal(state_of(p.b, t), K_CLOSE);
	assert_int_equal(la_recv(p.b, t, buf, 8, 0), 3);
	assert_int_equal(la_recv(p.b, t, buf, 8, 0), -ECONNRESET);
	assert_int_equal(la_recv(p.b, t, buf, 8, 0), 0);
	assert_int_equal(la_close(p.b, t), 0);

	s = connect_to(p.a, "10.0.0.2", PORT); /* and one that nobody accepts any more */
	pair_run(&p);
	assert_int_equal(la_abort(p.a, s), 0);
	pair_run(&p);
	assert_int_equal(la_close(p.b, l), 0);
	assert_true(is_at_rest(p.b));
	pair_done(&p);
}

TEST(accept__options__are_the_listeners)
{
	struct pair p;

	pair_init(&p);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 10);
	assert_int_equal(set_int(p.b, l, LA_TCP_KEEPIDLE, 77), 0);
	assert_int_equal(set_int(p.b, l, LA_SO_KEEPALIVE, 1), 0);
	connect_to(p.a, "10.0.0.2", PORT);
	pair_run(&p);
	la_sock s = accept_from(p.b, l);
	assert_int_equal(get_int(p.b, s, LA_TCP_KEEPIDLE), 77);
	assert_int_equal(get_int(p.b, s, LA_SO_KEEPALIVE), 1);
	pair_done(&p);
}

TEST(time_wait__syn_reopens__past_a_full_syn_queue)
{
	struct pair p;

	pair_init(&p);
	set_knob(p.b, "net.ipv4.tcp_syncookies", "0");
	struct la_endpoint at = ep("10.0.0.1", 4000), to = ep("10.0.0.2", PORT);
	la_sock l = listen_at(p.b, "10.0.0.2", PORT, 1);
	la_sock s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(la_close(p.b, accept_from(p.b, l)), 0); /* the server closes first */
	pair_run(&p);
	assert_int_equal(la_close(p.a, s), 0);
	pair_run(&p);
	assert_int_equal(records(p.b), 1);
	assert_int_equal(flood(&p, 0, 4, NULL), 2);
	pair_pass_quietly(&p, 10);
	s = socket_of(p.a, "10.0.0.1");
	assert_int_equal(la_bind(p.a, s, &at), 0);
	assert_int_equal(la_connect(p.a, s, &to), -EINPROGRESS);
	pair_run(&p);
	assert_int_equal(state_of(p.a, s), K_ESTABLISHED);
	assert_int_equal(counter(p.b, "LaTimeWaitReopened"), 1);
	assert_int_equal(counter(p.b, "TWRecycled"), 0);
	pair_done(&p);
}

RUN(T(cookie__young_engine__none_sent_yet), T(backlog__somaxconn__bounds_it), T(backlog__negative__is_the_largest),
    T(accept__order__first_in_first_out), T(syn_queue__cookies_off__5_with_backlog_4_then_dropped),
    T(syn_queue__full__cookie), T(syn_queue__large_backlog__a_flood_leaves_half_of_the_sockets),
    T(syncookies_2__always), T(cookie__forged__rst_and_counted), T(cookie__age__two_periods),
    T(cookie__none_sent_lately__ack_is_not_looked_at), T(cookie__mss__largest_that_the_peer_takes),
    T(cookie__options__come_back_through_timestamps), T(cookie__timestamp__never_ahead_of_the_clock),
    T(max_syn_backlog__only_without_cookies), T(accept_queue_full__syn__dropped_and_counted),
    T(accept_queue_full__last_ack__ignored_until_there_is_room), T(abort_on_overflow__last_ack__rst),
    T(cookie__accept_queue_full__dropped), T(max_sockets__syn__dropped_and_counted),
    T(embryonic__synack_retries_used_up__gone), T(close__listener__resets_its_children),
    T(accept__child_was_reset__given_out_with_its_error), T(accept__options__are_the_listeners),
    T(time_wait__syn_reopens__past_a_full_syn_queue))
