/* SPDX-License-Identifier: MIT */
#include "lab/kernel_bulk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/relay.h"
#include "lab/space.h"

#define RECEIVER_ADDR "10.77.8.2"
#define SENDER_ADDR "10.77.8.1"

enum { BULK_PORT = 5001, CHUNK = 128 * 1024, GRACE_S = 5 };

struct tally { /* in memory that all three processes map */
	_Atomic uint64_t octets[KERNEL_FLOWS_MAX];
	_Atomic nsec_t first_at, last_at; /* the receiver's first and last octet */
	_Atomic uint64_t retrans;
	_Atomic int failed; /* errno */
};

struct bulk {
	const struct kernel_bulk_cfg *cfg;
	struct tally *tally;
	unsigned flows;
	int ns[2], tun[2]; /* of the sender, of the receiver */
	int ready[2], done[2]; /* pipes: the receiver listens; the sender has ended */
	pid_t pid[2];
};

static nsec_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

static struct sockaddr_in address(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(BULK_PORT)};

	inet_pton(AF_INET, RECEIVER_ADDR, &a.sin_addr);
	return a;
}

static _Noreturn void give_up(struct bulk *b)
{
	atomic_store(&b->tally->failed, errno ? errno : EIO);
	_exit(1);
}

/* ---- the receiver's process ---- */

static void read_flow(struct bulk *b, struct pollfd *p, unsigned i)
{
	static char buf[CHUNK];
	ssize_t n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0) {
		nsec_t now = now_ns(), none = 0;

		atomic_compare_exchange_strong(&b->tally->first_at, &none, now);
		atomic_store(&b->tally->last_at, now);
		atomic_fetch_add(&b->tally->octets[i], (uint64_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		p->fd = -1;
	}
}

static void receive(struct bulk *b)
{
	const struct sockaddr_in at = address();
	struct pollfd p[KERNEL_FLOWS_MAX];
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned open = b->flows;

	close(b->done[1]);
	if (l < 0 || bind(l, (const struct sockaddr *)&at, sizeof(at)) || listen(l, KERNEL_FLOWS_MAX))
		give_up(b);
	close(b->ready[1]);
	for (unsigned i = 0; i < b->flows; i++) {
		p[i] = (struct pollfd){.fd = accept(l, NULL, NULL), .events = POLLIN};
		if (p[i].fd < 0)
			give_up(b);
	}
	while (open > 0 && poll(p, b->flows, -1) >= 0) {
		open = 0;
		for (unsigned i = 0; i < b->flows; i++) {
			if (p[i].revents && p[i].fd >= 0)
				read_flow(b, &p[i], i);
			open += p[i].fd >= 0;
		}
	}
}

/* ---- the sender's ---- */

static int connected(struct bulk *b)
{
	const struct sockaddr_in to = address();
	const char *cc = b->cfg->congestion;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc))) ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		give_up(b);
	return fd;
}

static void send_bulk(struct bulk *b)
{
	static const char zeros[CHUNK];
	struct pollfd p[KERNEL_FLOWS_MAX];
	char c;
	nsec_t until;

	close(b->ready[1]);
	if (read(b->ready[0], &c, 1) != 0) /* ends when the receiver listens */
		give_up(b);
	for (unsigned i = 0; i < b->flows; i++)
		p[i] = (struct pollfd){.fd = connected(b), .events = POLLOUT};
	until = now_ns() + b->cfg->seconds * NSEC_PER_S;
	while (now_ns() < until && poll(p, b->flows, 100) >= 0)
		for (unsigned i = 0; i < b->flows; i++)
			if (p[i].revents && send(p[i].fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			    errno != EAGAIN)
				give_up(b);
	for (unsigned i = 0; i < b->flows; i++) {
		struct tcp_info info = {0};
		socklen_t len = sizeof(info);

		if (getsockopt(p[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
			atomic_fetch_add(&b->tally->retrans, info.tcpi_total_retrans);
		setsockopt(p[i].fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
		close(p[i].fd); /* what is still queued is of no interest */
	}
}

/* ---- the whole ---- */

static int child(struct bulk *b, unsigned which, void (*body)(struct bulk *), struct why *w)
{
	pid_t me = getpid();

	b->pid[which] = fork();
	if (b->pid[which] < 0)
		return why_errno(w, errno, "fork");
	if (b->pid[which] > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(b->cfg->seconds + 3 * GRACE_S);
	close(b->done[0]);
	close(b->tun[0]);
	close(b->tun[1]);
	if (getppid() != me || space_enter(b->ns[which], NULL))
		_exit(1);
	body(b);
	_exit(0);
}

static int prepare(struct bulk *b, struct why *w)
{
	static const char *const addr[2] = {SENDER_ADDR "/24", RECEIVER_ADDR "/24"};
	int err = space_guard(w);

	for (int i = 0; i < 2 && err == 0; i++) {
		b->ns[i] = space_new(w);
		if (b->ns[i] < 0)
			return b->ns[i];
		b->tun[i] = space_tun((struct space_end){b->ns[i], "tun0", addr[i]}, w);
		if (b->tun[i] < 0)
			return b->tun[i];
	}
	if (err == 0 && (pipe(b->ready) || pipe(b->done)))
		err = why_errno(w, errno, "pipe");
	return err;
}

static int run(struct bulk *b, struct kernel_bulk_result *ret, struct why *w)
{
	const struct kernel_bulk_cfg *c = b->cfg;
	struct relay_cfg r = {
		.fd = {b->tun[0], b->tun[1]},
		.toward = {{.delay = c->rtt / 2},
			   {.delay = c->rtt - c->rtt / 2,
			    .loss = c->loss,
			    .rate_bps = c->rate_bps,
			    .queue_bytes = c->queue_bytes ? c->queue_bytes
							  : (uint32_t)((double)c->rate_bps / 8e9 * (double)c->rtt)}},
		.seed = c->seed,
		.until = now_ns() + (c->seconds + GRACE_S) * NSEC_PER_S,
		.stop_fd = b->done[0]};
	struct impair_stats s[2];
	int err = child(b, 1, receive, w);

	if (err == 0)
		err = child(b, 0, send_bulk, w);
	close(b->ready[1]);
	close(b->done[1]);
	b->ready[1] = b->done[1] = -1;
	if (err == 0)
		err = tun_relay(&r, s, w);
	if (err == 0 && atomic_load(&b->tally->failed))
		err = why_errno(w, atomic_load(&b->tally->failed), "bulk transfer between two namespaces");
	if (err == 0) {
		double took = (double)(b->tally->last_at - b->tally->first_at) / 1e9;

		*ret = (struct kernel_bulk_result){.packets = s[1].in,
						   .lost = s[1].lost,
						   .overflowed = s[1].overflowed,
						   .retrans = atomic_load(&b->tally->retrans)};
		for (unsigned i = 0; i < b->flows && took > 0; i++) {
			ret->flow_bps[i] = (double)atomic_load(&b->tally->octets[i]) * 8 / took;
			ret->goodput_bps += ret->flow_bps[i];
		}
	}
	return err;
}

static void tidy_up(struct bulk *b)
{
	const int fds[] = {b->ns[0], b->ns[1], b->tun[0], b->tun[1], b->ready[0], b->ready[1], b->done[0], b->done[1]};

	for (int i = 0; i < 2; i++)
		if (b->pid[i] > 0) {
			kill(b->pid[i], SIGKILL);
			waitpid(b->pid[i], NULL, 0);
		}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int kernel_bulk(const struct kernel_bulk_cfg *cfg, struct kernel_bulk_result *ret, struct why *w)
{
	struct bulk b = {.cfg = cfg,
			 .flows = cfg->flows ? cfg->flows : 1,
			 .ns = {-1, -1},
			 .tun = {-1, -1},
			 .ready = {-1, -1},
			 .done = {-1, -1}};
	int err;

	must(b.flows <= KERNEL_FLOWS_MAX);
	must(cfg->seconds > 0 && cfg->seconds <= KERNEL_BULK_SECONDS_MAX);
	if (geteuid() != 0) {
		why_set(w, "making network namespaces needs root");
		return -EPERM;
	}
	b.tally = mmap(NULL, sizeof(*b.tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b.tally == MAP_FAILED)
		return why_errno(w, errno, "mmap");
	err = prepare(&b, w);
	if (err == 0)
		err = run(&b, ret, w);
	tidy_up(&b);
	munmap(b.tally, sizeof(*b.tally));
	return err;
}
