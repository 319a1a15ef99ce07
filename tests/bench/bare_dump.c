/* SPDX-License-Identifier: MIT */
/*
 * bare_dump.c - the peer of the benchmarks: the least that can be done to count the IPv4 TIME_WAITs of this network
 * namespace through sock_diag. Uses nothing of lastack. Prints: rows, wall ms, CPU ms (user + system).
 */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { KERNEL_TIME_WAIT = 6 };

static _Alignas(8) char buf[32768];

static double wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

/* Counts the rows of one datagram; 1 when the dump goes on. */
static int count(int n, unsigned long *rows)
{
	for (struct nlmsghdr *h = (void *)buf; n > 0 && NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return 0;
		(*rows)++;
	}
	return 1;
}

int main(void)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	       .r = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << KERNEL_TIME_WAIT}};
	double wall = wall_ms(), cpu = cpu_ms();
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	unsigned long rows = 0;
	ssize_t n;

	if (fd < 0 || send(fd, &q, sizeof(q), 0) < 0) {
		perror("sock_diag");
		return 1;
	}
	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n > 0 && count((int)n, &rows));
	if (n < 0) {
		perror("recv");
		return 1;
	}
	printf("%lu rows %.1f ms wall %.1f ms cpu\n", rows, wall_ms() - wall, cpu_ms() - cpu);
	return 0;
}
