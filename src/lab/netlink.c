/* SPDX-License-Identifier: MIT */
#include "lab/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

enum { REQUEST_BYTES = 1024 };

/* One request, one acknowledgement. `what` says what was tried. */
static int ask(struct nlmsghdr *h, const char *what, struct why *w)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[4096];
	ssize_t n;
	int err = 0;

	if (!nl)
		return why_errno(w, errno, "netlink: %s", what);
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, h, h->nlmsg_len) < 0) {
		err = why_errno(w, errno, "netlink: %s", what);
	} else {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
			err = why_errno(w, errno, "netlink: %s", what);
	}
	mnl_socket_close(nl);
	return err;
}

int nl_up(const char *name, struct why *w)
{
	_Alignas(struct nlmsghdr) char buf[REQUEST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_index = (int)if_nametoindex(name);
	m->ifi_change = IFF_UP;
	m->ifi_flags = IFF_UP;
	return ask(h, "set a link up", w);
}

int nl_queue_len(const char *name, unsigned packets, struct why *w)
{
	_Alignas(struct nlmsghdr) char buf[REQUEST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_index = (int)if_nametoindex(name);
	mnl_attr_put_u32(h, IFLA_TXQLEN, packets);
	return ask(h, "set a queue's length", w);
}

int nl_veth(const char *name, const char *peer, int peer_ns, struct why *w)
{
	_Alignas(struct nlmsghdr) char buf[REQUEST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nlattr *info, *data, *other;

	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(h, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)); /* the peer's, before its attributes */
	mnl_attr_put_strz(h, IFLA_IFNAME, peer);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)peer_ns);
	mnl_attr_nest_end(h, other);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return ask(h, "create a veth pair", w);
}

static unsigned char family_of(const struct nl_addr *a) { return a->addr.family == 6 ? AF_INET6 : AF_INET; }

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct nl_addr *a)
{
	mnl_attr_put(h, type, a->addr.family == 6 ? 16 : 4, a->addr.b);
}

int nl_addr_add(const char *name, const struct nl_addr *a, struct why *w)
{
	_Alignas(struct nlmsghdr) char buf[REQUEST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m;

	h->nlmsg_type = RTM_NEWADDR;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = family_of(a);
	m->ifa_flags = a->addr.family == 6 ? IFA_F_NODAD : 0;
	m->ifa_prefixlen = (uint8_t)a->prefix;
	m->ifa_index = if_nametoindex(name);
	put_addr(h, IFA_LOCAL, a);
	put_addr(h, IFA_ADDRESS, a);
	return ask(h, "add an address", w);
}

int nl_route_add(const struct nl_addr *dst, const struct nl_addr *via, struct why *w)
{
	_Alignas(struct nlmsghdr) char buf[REQUEST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m;

	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = family_of(dst);
	m->rtm_dst_len = (unsigned char)dst->prefix;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	put_addr(h, RTA_DST, dst);
	put_addr(h, RTA_GATEWAY, via);
	return ask(h, "add a route", w);
}
