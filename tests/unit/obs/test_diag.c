/* SPDX-License-Identifier: MIT */
#include "obs/diag.h"
#include "tests/unit/t.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEQ = 7, PORTID = 4711, ROWS_MAX = 16 };

/* A datagram under construction, and what the decoder made of it. */
struct rig {
	_Alignas(8) uint8_t buf[4096];
	size_t len;
	struct diag_row row[ROWS_MAX];
	size_t n;
	struct diag_stream stream;
};

static void take(void *ctx, const struct diag_row *r)
{
	struct rig *g = ctx;

	assert_true(g->n < ROWS_MAX);
	g->row[g->n++] = *r;
}

static struct rig rig(void)
{
	struct rig g;

	memset(&g, 0, sizeof(g));
	return g;
}

static struct nlmsghdr *message(struct rig *g, uint16_t type, uint16_t flags, const void *payload, size_t len)
{
	struct nlmsghdr *h = (void *)(g->buf + g->len);

	assert_true(g->len + NLMSG_SPACE(len) <= sizeof(g->buf));
	*h = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(len),
			       .nlmsg_type = type,
			       .nlmsg_flags = flags,
			       .nlmsg_seq = SEQ,
			       .nlmsg_pid = PORTID};
	if (len)
		memcpy(NLMSG_DATA(h), payload, len);
	g->len += NLMSG_SPACE(len);
	return h;
}

/* Appends an attribute to the last message h. */
static struct nlattr *attribute(struct rig *g, struct nlmsghdr *h, uint16_t type, const void *data, size_t len)
{
	struct nlattr *at = (void *)(g->buf + g->len);
	size_t space = NLA_HDRLEN + NLA_ALIGN(len);

	assert_true(g->len + space <= sizeof(g->buf));
	*at = (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	memcpy(at + 1, data, len);
	g->len += space;
	h->nlmsg_len += (uint32_t)space;
	return at;
}

static struct inet_diag_msg socket4(uint8_t state)
{
	struct inet_diag_msg m = {.idiag_family = AF_INET, .idiag_state = state};

	m.id.idiag_sport = htons(40000);
	m.id.idiag_dport = htons(80);
	m.id.idiag_src[0] = htonl(0x0a000001);
	m.id.idiag_dst[0] = htonl(0x0a000002);
	return m;
}

static int decode(struct rig *g)
{
	g->n = 0;
	g->stream = (struct diag_stream){.row = take, .ctx = g, .seq = SEQ, .portid = PORTID};
	return diag_decode(&g->stream, g->buf, g->len);
}

TEST(full_socket__every_field__is_translated)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(8);

	m.idiag_timer = DIAG_TIMER_KEEPALIVE;
	m.idiag_retrans = 3;
	m.idiag_expires = 7100;
	m.idiag_rqueue = 6;
	m.idiag_wqueue = 9;
	m.idiag_inode = 123456;
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 1);
	assert_string_equal(ip_port_text(g.row[0].src, g.row[0].sport).s, "10.0.0.1:40000");
	assert_string_equal(ip_port_text(g.row[0].dst, g.row[0].dport).s, "10.0.0.2:80");
	assert_int_equal(g.row[0].state, ST_CLOSE_WAIT);
	assert_int_equal(g.row[0].timer, DIAG_TIMER_KEEPALIVE);
	assert_int_equal(g.row[0].retransmits, 3);
	assert_int_equal(g.row[0].expires_ms, 7100);
	assert_int_equal(g.row[0].rqueue, 6);
	assert_int_equal(g.row[0].wqueue, 9);
	assert_int_equal(g.row[0].inode, 123456);
	assert_false(g.row[0].mini || g.row[0].bound || g.row[0].has_info || g.row[0].v6only);
	assert_false(g.stream.done || g.stream.interrupted);
}

TEST(timer_3__both_sub_states__are_minis)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(6);

	m.idiag_timer = DIAG_TIMER_TIMEWAIT;
	message(&g, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &m, sizeof(m));
	m.idiag_state = 5;
	message(&g, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &m, sizeof(m));
	m.idiag_timer = DIAG_TIMER_OFF;
	message(&g, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 3);
	assert_true(g.row[0].state == ST_TIME_WAIT && g.row[0].mini);
	assert_true(g.row[1].state == ST_FIN_WAIT_2 && g.row[1].mini);
	assert_true(g.row[2].state == ST_FIN_WAIT_2 && !g.row[2].mini);
}

TEST(ipv6__mapped_addresses__become_ipv4_and_others_stay)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);

	m.idiag_family = AF_INET6;
	inet_pton(AF_INET6, "::ffff:192.0.2.1", m.id.idiag_src);
	inet_pton(AF_INET6, "::ffff:192.0.2.2", m.id.idiag_dst);
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	inet_pton(AF_INET6, "2001:db8::1", m.id.idiag_src);
	inet_pton(AF_INET6, "::1", m.id.idiag_dst);
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_string_equal(ip_text(g.row[0].src).s, "192.0.2.1");
	assert_string_equal(ip_text(g.row[0].dst).s, "192.0.2.2");
	assert_string_equal(ip_text(g.row[1].src).s, "2001:db8::1");
	assert_string_equal(ip_text(g.row[1].dst).s, "::1");
}

TEST(request_socket_12__is_syn_recv)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(12);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.row[0].state, ST_SYN_RECV);
}

TEST(bound_inactive__as_state_13_or_as_close_without_a_peer__is_bound)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(13);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	m.idiag_state = 7;
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m)); /* has a peer: a connection that is just going */
	m.id.idiag_dport = 0;
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 3);
	assert_true(g.row[0].bound);
	assert_true(!g.row[1].bound && g.row[1].state == ST_CLOSE);
	assert_true(g.row[2].bound);
}

TEST(state_99_and_family_77__are_counted_as_unknown_and_skipped)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(99);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	m = socket4(1);
	m.idiag_family = 77;
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	m = socket4(0);
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	message(&g, 300, 0, &m, sizeof(m));
	m = socket4(1);
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.stream.n_rows, 1);
}

TEST(tcp_info__whole_longer_or_cut_after_the_ages__gives_what_it_has)
{
	const size_t ages_end = offsetof(struct tcp_info, tcpi_last_ack_recv) + 4;
	const size_t lens[] = {ages_end, sizeof(struct tcp_info), sizeof(struct tcp_info) + 64};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct rig g = rig();
		struct inet_diag_msg m = socket4(8);
		struct nlmsghdr *h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
		uint8_t bytes[sizeof(struct tcp_info) + 64] = {0};
		uint32_t data = 2504, ack = 1004, wnd = 65160;

		memcpy(bytes + offsetof(struct tcp_info, tcpi_last_data_recv), &data, sizeof(data));
		memcpy(bytes + offsetof(struct tcp_info, tcpi_last_ack_recv), &ack, sizeof(ack));
		memcpy(bytes + offsetof(struct tcp_info, tcpi_snd_wnd), &wnd, sizeof(wnd));
		attribute(&g, h, INET_DIAG_MARK, &data, sizeof(data));
		attribute(&g, h, INET_DIAG_INFO, bytes, lens[i]);
		assert_int_equal(decode(&g), 0);
		assert_true(g.row[0].has_info);
		assert_int_equal(g.row[0].last_data_recv_ms, 2504);
		assert_int_equal(g.row[0].last_ack_recv_ms, 1004);
		assert_int_equal(g.row[0].has_snd_wnd, i > 0);
		assert_int_equal(g.row[0].snd_wnd, i > 0 ? wnd : 0);
	}
}

TEST(tcp_info__cut_inside_the_ages__is_not_believed)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(8);
	struct nlmsghdr *h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	uint8_t bytes[sizeof(struct tcp_info)] = {1};

	attribute(&g, h, INET_DIAG_INFO, bytes, offsetof(struct tcp_info, tcpi_last_ack_recv) + 3);
	assert_int_equal(decode(&g), 0);
	assert_false(g.row[0].has_info);
}

TEST(v6only__1_0_empty_and_absent)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(10);
	const uint8_t yes = 1, no = 0;
	struct nlmsghdr *h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));

	attribute(&g, h, INET_DIAG_SKV6ONLY, &yes, 1);
	h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	attribute(&g, h, INET_DIAG_SKV6ONLY, &no, 1);
	h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	attribute(&g, h, INET_DIAG_SKV6ONLY, &yes, 0);
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 4);
	assert_true(g.row[0].v6only);
	assert_false(g.row[1].v6only || g.row[2].v6only || g.row[3].v6only);
}

TEST(done__ends_the_dump_and_what_follows_is_not_read)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);
	int zero = 0;

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	message(&g, NLMSG_DONE, NLM_F_MULTI, &zero, sizeof(zero));
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 1);
	assert_true(g.stream.done);
}

TEST(done__with_an_error_code__is_that_error)
{
	struct rig g = rig();
	int err = -ENOMEM;

	message(&g, NLMSG_DONE, NLM_F_MULTI, &err, sizeof(err));
	assert_int_equal(decode(&g), -ENOMEM);
	assert_true(g.stream.done);
}

TEST(done__without_a_number__is_success)
{
	struct rig g = rig();

	message(&g, NLMSG_DONE, NLM_F_MULTI, NULL, 0);
	assert_int_equal(decode(&g), 0);
	assert_true(g.stream.done);
}

TEST(error_message__gives_the_kernels_number_and_nonsense_is_malformed)
{
	struct nlmsgerr e = {.error = -EOPNOTSUPP};
	const int nonsense[] = {INT32_MIN, -4096};
	struct rig g = rig();

	message(&g, NLMSG_ERROR, 0, &e, sizeof(e));
	assert_int_equal(decode(&g), -EOPNOTSUPP);
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		g = rig();
		e.error = nonsense[i];
		message(&g, NLMSG_ERROR, 0, &e, sizeof(e));
		assert_int_equal(decode(&g), -EBADMSG);
	}
	g = rig();
	message(&g, NLMSG_ERROR, 0, &e, 2);
	assert_int_equal(decode(&g), -EBADMSG);
}

TEST(dump_intr_flag__on_any_message__marks_the_dump_interrupted)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);
	int zero = 0;

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI | NLM_F_DUMP_INTR, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_true(g.stream.interrupted);
	assert_int_equal(g.n, 1);
	g = rig();
	message(&g, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, &zero, sizeof(zero));
	assert_int_equal(decode(&g), 0);
	assert_true(g.stream.interrupted);
}

TEST(overrun__is_lost_data_and_noop_is_nothing)
{
	struct rig g = rig();

	message(&g, NLMSG_NOOP, 0, NULL, 0);
	assert_int_equal(decode(&g), 0);
	assert_false(g.stream.interrupted);
	message(&g, NLMSG_OVERRUN, 0, NULL, 0);
	assert_int_equal(decode(&g), 0);
	assert_true(g.stream.interrupted);
	assert_false(g.stream.done);
}

TEST(another_sequence_number_or_port__is_not_for_us)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);
	int err = -EPERM;

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m))->nlmsg_seq = SEQ - 1;
	message(&g, NLMSG_DONE, NLM_F_MULTI, &err, sizeof(err))->nlmsg_pid = PORTID + 1;
	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	assert_int_equal(decode(&g), 0);
	assert_int_equal(g.n, 1);
	assert_false(g.stream.done);
}

TEST(malformed__header_length_0_short_or_past_the_end)
{
	const uint32_t lens[] = {0,
				 1,
				 sizeof(struct nlmsghdr) - 1,
				 sizeof(struct nlmsghdr) + sizeof(struct inet_diag_msg) + 1,
				 UINT32_MAX,
				 INT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct rig g = rig();
		struct inet_diag_msg m = socket4(1);

		message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m))->nlmsg_len = lens[i];
		assert_int_equal(decode(&g), -EBADMSG);
		assert_int_equal(g.n, 0);
	}
}

TEST(malformed__header_length_that_is_negative_as_int__after_a_good_message)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	message(&g, NLMSG_NOOP, 0, NULL, 0)->nlmsg_len = 0x80000000;
	assert_int_equal(decode(&g), -EBADMSG);
	assert_int_equal(g.n, 1);
}

TEST(malformed__datagram_ends_inside_a_header)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	g.len += 5;
	assert_int_equal(decode(&g), -EBADMSG);
	assert_int_equal(g.n, 1);
	g.len = 5;
	assert_int_equal(decode(&g), -EBADMSG);
	assert_int_equal(g.n, 0);
	g.len = 0;
	assert_int_equal(decode(&g), 0);
}

TEST(malformed__row_shorter_than_its_struct)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(1);

	message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m) - 4);
	assert_int_equal(decode(&g), -EBADMSG);
	assert_int_equal(g.n, 0);
}

TEST(malformed__attribute_length_0_or_past_the_message)
{
	const uint16_t lens[] = {0, 3, 9, 12, UINT16_MAX};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct rig g = rig();
		struct inet_diag_msg m = socket4(1);
		struct nlmsghdr *h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
		uint32_t mark = 1;

		attribute(&g, h, INET_DIAG_INFO, &mark, sizeof(mark))->nla_len = lens[i];
		g.len += 64; /* bytes that belong to no message of this row must not be read as its attribute */
		assert_int_equal(decode(&g), -EBADMSG);
		assert_int_equal(g.n, 0);
	}
}

TEST(message_length_not_a_multiple_of_4__attribute_in_the_padding__is_refused)
{
	struct rig g = rig();
	struct inet_diag_msg m = socket4(10);
	struct nlmsghdr *h = message(&g, TCPDIAG_GETSOCK, NLM_F_MULTI, &m, sizeof(m));
	uint8_t yes[4] = {1, 1, 1, 1};

	attribute(&g, h, INET_DIAG_SKV6ONLY, yes, 4);
	h->nlmsg_len -= 3;
	assert_int_equal(decode(&g), -EBADMSG);
}

/* ---- against the kernel; needs no privilege ---- */

struct seen {
	uint16_t port;
	size_t listeners, others, resets;
	bool listen_after_other;
};

static void see(void *ctx, const struct diag_row *r)
{
	struct seen *s = ctx;

	s->listen_after_other |= r->state == ST_LISTEN && s->others;
	s->others += r->state != ST_LISTEN;
	s->listeners += r->state == ST_LISTEN && r->sport == s->port;
}

static void unsee(void *ctx)
{
	struct seen *s = ctx;

	s->resets++;
}

TEST(kernel__a_listener_of_ours__is_in_the_dump_once)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct diag_query q = {.states = DIAG_STATES_ALL, .bound = true, .info = true};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct seen s = {0};
	const struct diag_sink sink = {see, unsee, &s};
	struct diag *d;
	struct why w = {0};
	bool torn = true;

	assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (void *)&sa, &len), 0);
	s.port = ntohs(sa.sin_port);
	if (diag_open(&d, &w) < 0)
		skip(); /* a sandbox without netlink */
	assert_int_equal(diag_dump(d, &q, &sink, &torn, &w), 0);
	assert_string_equal(w.text, "");
	assert_int_equal(s.listeners, 1);
	assert_false(s.listen_after_other);
	assert_true(!torn || s.resets == 1);
	diag_close(d);
	close(fd);
}

RUN(T(full_socket__every_field__is_translated), T(timer_3__both_sub_states__are_minis),
    T(ipv6__mapped_addresses__become_ipv4_and_others_stay), T(request_socket_12__is_syn_recv),
    T(bound_inactive__as_state_13_or_as_close_without_a_peer__is_bound),
    T(state_99_and_family_77__are_counted_as_unknown_and_skipped),
    T(tcp_info__whole_longer_or_cut_after_the_ages__gives_what_it_has),
    T(tcp_info__cut_inside_the_ages__is_not_believed), T(v6only__1_0_empty_and_absent),
    T(done__ends_the_dump_and_what_follows_is_not_read), T(done__with_an_error_code__is_that_error),
    T(done__without_a_number__is_success), T(error_message__gives_the_kernels_number_and_nonsense_is_malformed),
    T(dump_intr_flag__on_any_message__marks_the_dump_interrupted), T(overrun__is_lost_data_and_noop_is_nothing),
    T(another_sequence_number_or_port__is_not_for_us), T(malformed__header_length_0_short_or_past_the_end),
    T(malformed__header_length_that_is_negative_as_int__after_a_good_message),
    T(malformed__datagram_ends_inside_a_header), T(malformed__row_shorter_than_its_struct),
    T(malformed__attribute_length_0_or_past_the_message),
    T(message_length_not_a_multiple_of_4__attribute_in_the_padding__is_refused),
    T(kernel__a_listener_of_ours__is_in_the_dump_once))
