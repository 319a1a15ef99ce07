/* SPDX-License-Identifier: MIT */
#include "obs/diag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	/* netlink_dump() never builds more than 32 KiB at a time; twice that so that "truncated" means trouble. */
	BUFFER_BYTES = 64 * 1024,
	/* A dump answers at once; this is for a kernel that lost its NLMSG_DONE (ENOBUFS). */
	ANSWER_S = 10,
	KERNEL_CLOSE = 7, /* TCP_CLOSE, include/net/tcp_states.h */
	KERNEL_BOUND_INACTIVE = 13,
	KERNEL_STATES_MAX = 32, /* bits of idiag_states */
};

struct diag {
	struct mnl_socket *nl;
	uint32_t seq;
	bool by_family; /* this kernel refused to walk all families at once */
	_Alignas(8) uint8_t buf[BUFFER_BYTES];
};

int diag_open(struct diag **ret, struct why *w)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct diag *d = malloc(sizeof(*d));
	int err;

	if (!d)
		return why_errno(w, ENOMEM, "sock_diag");
	d->seq = 0;
	d->by_family = false;
	d->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!d->nl) {
		err = why_errno(w, errno, "opening a sock_diag socket");
		free(d);
		return err;
	}
	if (mnl_socket_bind(d->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(d->nl), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
		err = why_errno(w, errno, "preparing a sock_diag socket");
		diag_close(d);
		return err;
	}
	*ret = d;
	return 0;
}

void diag_close(struct diag *d)
{
	if (!d)
		return;
	mnl_socket_close(d->nl);
	free(d);
}

/* ---- decoder ---- */

/* As ip_v4() and ip_v6(), in place: by value the 17 bytes are copied around, a fifth of the time of decoding. */
static void decode_ip(uint8_t family, const void *addr, struct ip *ret)
{
	if (family == AF_INET) {
		ret->family = 4;
		memcpy(ret->b, addr, 4);
		memset(ret->b + 4, 0, sizeof(ret->b) - 4);
	} else {
		*ret = ip_v6(addr);
	}
}

static void decode_info(const struct nlattr *at, struct diag_row *r)
{
	struct tcp_info info;
	size_t len = mnl_attr_get_payload_len(at);

	/* Old kernels send less of the struct, newer ones more. */
	if (len < offsetof(struct tcp_info, tcpi_last_ack_recv) + sizeof(info.tcpi_last_ack_recv))
		return;
	memset(&info, 0, sizeof(info));
	memcpy(&info, mnl_attr_get_payload(at), len < sizeof(info) ? len : sizeof(info));
	r->has_info = true;
	r->last_data_recv_ms = info.tcpi_last_data_recv;
	r->last_ack_recv_ms = info.tcpi_last_ack_recv;
	r->has_snd_wnd = len >= offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(info.tcpi_snd_wnd);
	r->snd_wnd = info.tcpi_snd_wnd;
}

static int decode_attributes(const struct nlmsghdr *nlh, struct diag_row *r)
{
	const uint8_t *at = (const uint8_t *)mnl_nlmsg_get_payload(nlh) + sizeof(struct inet_diag_msg);
	const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len; /* libmnl's tail is rounded up past it */

	while (end - at >= (ptrdiff_t)sizeof(struct nlattr)) {
		const struct nlattr *attr = (const void *)at;

		if (!mnl_attr_ok(attr, (int)(end - at)))
			return -EBADMSG;
		switch (mnl_attr_get_type(attr)) {
		case INET_DIAG_INFO:
			decode_info(attr, r);
			break;
		case INET_DIAG_SKV6ONLY:
			r->v6only = mnl_attr_get_payload_len(attr) >= 1 && mnl_attr_get_u8(attr);
			break;
		default: /* a number from the kernel, not an enum of ours: most are of no interest */
			break;
		}
		if (end - at <= MNL_ALIGN(attr->nla_len))
			break; /* the last attribute's padding may be cut off */
		at += MNL_ALIGN(attr->nla_len);
	}
	return 0;
}

/* False: a state or family this program does not know. */
static bool decode_identity(const struct inet_diag_msg *m, struct diag_row *r)
{
	int state = state_from_kernel(m->idiag_state);

	if (m->idiag_family != AF_INET && m->idiag_family != AF_INET6)
		return false;
	r->cookie = m->id.idiag_cookie[0] | (uint64_t)m->id.idiag_cookie[1] << 32;
	r->sport = ntohs(m->id.idiag_sport);
	r->dport = ntohs(m->id.idiag_dport);
	/*
	 * A BOUND_INACTIVE socket is in state CLOSE and the row says so (6.8 to 6.18 at least); what tells it from a
	 * connection that is being taken down is that it never had a peer.
	 */
	r->bound = m->idiag_state == KERNEL_BOUND_INACTIVE || (m->idiag_state == KERNEL_CLOSE && r->dport == 0);
	if (state < 0 && !r->bound)
		return false;
	r->state = (uint8_t)(r->bound ? ST_CLOSE : state);
	r->timer = m->idiag_timer;
	r->mini = m->idiag_timer == DIAG_TIMER_TIMEWAIT && (state == ST_TIME_WAIT || state == ST_FIN_WAIT_2);
	decode_ip(m->idiag_family, m->id.idiag_src, &r->src);
	decode_ip(m->idiag_family, m->id.idiag_dst, &r->dst);
	return true;
}

static int decode_row(struct diag_stream *s, const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct diag_row r;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return -EBADMSG;
	if (!decode_identity(m, &r))
		return 0;
	r.v6only = false;
	r.has_info = false;
	r.last_data_recv_ms = 0;
	r.last_ack_recv_ms = 0;
	r.has_snd_wnd = false;
	r.snd_wnd = 0;
	r.retransmits = m->idiag_retrans;
	r.expires_ms = m->idiag_expires;
	r.rqueue = m->idiag_rqueue;
	r.wqueue = m->idiag_wqueue;
	r.inode = m->idiag_inode;
	if (!r.mini && decode_attributes(nlh, &r) < 0) /* a mini has none that is of interest */
		return -EBADMSG;
	s->n_rows++;
	s->row(s->ctx, &r);
	return 0;
}

static int error_in(const struct nlmsghdr *nlh)
{
	int err;

	/* Kernels before 2.6.25 or so sent NLMSG_DONE without a number; an error without one is malformed. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(err))
		return nlh->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	if (err < -4095) /* MAX_ERRNO: not a number the kernel can have meant */
		return -EBADMSG;
	return err < 0 ? err : 0;
}

static int decode_message(struct diag_stream *s, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		s->interrupted = true;
	switch (nlh->nlmsg_type) {
	case TCPDIAG_GETSOCK:
	case SOCK_DIAG_BY_FAMILY:
		return decode_row(s, nlh);
	case NLMSG_DONE:
	case NLMSG_ERROR:
		s->done = true;
		return error_in(nlh);
	case NLMSG_OVERRUN:
		s->interrupted = true;
		return 0;
	case NLMSG_NOOP:
	default:
		return 0;
	}
}

static bool is_for_us(const struct diag_stream *s, const struct nlmsghdr *nlh)
{
	return (!s->seq || nlh->nlmsg_seq == s->seq) && (!s->portid || nlh->nlmsg_pid == s->portid);
}

int diag_decode(struct diag_stream *s, const void *buf, size_t len)
{
	const uint8_t *at = buf;

	must(len <= INT32_MAX); /* so that NLMSG_ALIGN() cannot wrap */
	while (len > 0 && !s->done) {
		const struct nlmsghdr *nlh = (const void *)at;
		size_t step;
		int err = 0;

		/* Not mnl_nlmsg_ok(): it compares as int, so a length above INT_MAX passes (libmnl 1.0.4; found by fuzzing). */
		if (len < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len)
			return -EBADMSG;
		if (is_for_us(s, nlh))
			err = decode_message(s, nlh);
		if (err < 0)
			return err;
		step = NLMSG_ALIGN((size_t)nlh->nlmsg_len);
		if (step >= len)
			break; /* the last message's padding may be cut off */
		at += step;
		len -= step;
	}
	return 0;
}

/* ---- dump ---- */

static uint32_t kernel_states(const struct diag_query *q)
{
	uint32_t mask = q->bound ? 1u << KERNEL_BOUND_INACTIVE : 0;

	for (enum sock_state st = 0; st < N_STATES; st++)
		if (q->states & DIAG_STATE(st)) {
			must(state_descs[st].kernel < KERNEL_STATES_MAX);
			mask |= 1u << state_descs[st].kernel;
		}
	return mask;
}

static int receive(struct diag *d, struct diag_stream *s, struct why *w)
{
	while (!s->done) {
		ssize_t n = mnl_socket_recvfrom(d->nl, d->buf, sizeof(d->buf));
		int err;

		if (n < 0 && errno == ENOBUFS) { /* some messages are gone; those after them still come */
			s->interrupted = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_errno(w, errno == EAGAIN ? ETIMEDOUT : errno, "reading a sock_diag dump");
		err = diag_decode(s, d->buf, (size_t)n);
		if (err == -EBADMSG)
			why_set(w, "reading a sock_diag dump: the kernel's answer is malformed");
		else if (err < 0)
			why_errno(w, -err, "the kernel refused or gave up a sock_diag dump");
		if (err < 0)
			return err;
	}
	return 0;
}

/* family AF_UNSPEC asks in the way of before Linux 3.3, which alone walks the hash once for IPv4 and IPv6. */
static int dump_family(struct diag *d, uint8_t family, const struct diag_query *q, struct diag_stream *s, struct why *w)
{
	const uint8_t ext = q->info ? 1u << (INET_DIAG_INFO - 1) : 0;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(d->buf);

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++d->seq;
	if (family == AF_UNSPEC) {
		struct inet_diag_req *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

		nlh->nlmsg_type = TCPDIAG_GETSOCK;
		*req = (struct inet_diag_req){
			.idiag_family = AF_INET, .idiag_ext = ext, .idiag_states = kernel_states(q)};
	} else {
		struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

		nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
		*req = (struct inet_diag_req_v2){.sdiag_family = family,
						 .sdiag_protocol = IPPROTO_TCP,
						 .idiag_ext = ext,
						 .idiag_states = kernel_states(q)};
	}
	if (mnl_socket_sendto(d->nl, nlh, nlh->nlmsg_len) < 0)
		return why_errno(w, errno, "asking for a sock_diag dump");
	s->seq = d->seq;
	s->portid = mnl_socket_get_portid(d->nl);
	s->done = false;
	return receive(d, s, w);
}

static bool is_refusal(int err)
{
	return err == -ENOENT || err == -EINVAL || err == -EOPNOTSUPP || err == -EPROTONOSUPPORT;
}

/* Two walks in place of one; so LISTEN is asked for on its own, else IPv6's would come after IPv4's connections. */
static int dump_by_family(struct diag *d, const struct diag_query *q, struct diag_stream *s, struct why *w)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct diag_query part[] = {*q, *q};

	part[0].states &= DIAG_STATE(ST_LISTEN);
	part[0].bound = false;
	part[1].states &= ~DIAG_STATE(ST_LISTEN);
	for (size_t p = 0; p < ARRAY_LEN(part); p++) {
		if (!part[p].states && !part[p].bound)
			continue;
		for (size_t f = 0; f < ARRAY_LEN(families); f++) {
			int err = dump_family(d, families[f], &part[p], s, w);

			if (err == -ENOENT && families[f] == AF_INET6) /* a kernel without IPv6 */
				continue;
			if (err < 0)
				return err;
		}
	}
	return 0;
}

static int dump_once(struct diag *d, const struct diag_query *q, struct diag_stream *s, struct why *w)
{
	int err;

	if (d->by_family)
		return dump_by_family(d, q, s, w);
	err = dump_family(d, AF_UNSPEC, q, s, NULL);
	if (!is_refusal(err) || s->n_rows) {
		if (err < 0)
			why_errno(w, -err, "sock_diag dump of TCP sockets");
		return err;
	}
	d->by_family = true;
	return dump_by_family(d, q, s, w);
}

int diag_dump(struct diag *d, const struct diag_query *q, const struct diag_sink *sink, bool *ret_torn, struct why *w)
{
	struct diag_stream s = {.row = sink->row, .ctx = sink->ctx};
	int err = dump_once(d, q, &s, w);

	if (err == 0 && s.interrupted) {
		sink->reset(sink->ctx);
		s = (struct diag_stream){.row = sink->row, .ctx = sink->ctx};
		err = dump_once(d, q, &s, w);
	}
	if (err < 0)
		return err;
	*ret_torn = s.interrupted;
	return 0;
}
